// The market's channels in processes that do not lead it: the same numbers everywhere, a snapshot for whoever joins wherever, and leaders and buses
// that go away. Hubs and buses are the real ones; features are a counter a channel, so that every frame can be checked against the state.

import { afterEach, describe, expect, test } from "bun:test";
import { createStreamRelay, type StreamRelay } from "../../../src/app/stream-relay";
import type { ChannelFamily, Hub, Listener, StreamHub } from "../../../src/features/streaming/service";
import { createHub } from "../../../src/features/streaming/stream";
import { type Clock, ManualClock, systemClock } from "../../../src/foundation/clock";
import { busOn, MemoryHub } from "../../harness/bus";
import { recordingLog, until } from "../../harness/storage";

interface Frame {
  readonly ch: string;
  readonly seq: number;
  readonly prev: number | null;
  readonly type: "snapshot" | "delta" | "event" | "lag";
  readonly data: { count: number; by: string } | { dropped: number } | null;
}

/** A client that believes nothing: each frame must build on what it has, and give the state that was published. */
class Client {
  readonly frames: Frame[] = [];
  state: { count: number; by: string } | null = null;
  seq: number | null = null;
  readonly listener: Listener;
  readonly #joined = new Set<string>();

  constructor(readonly process: Process) {
    process.clients.add(this);
    this.listener = process.hub.listen({
      send: (text) => this.take(text),
      join: (topic) => void this.#joined.add(topic),
      leave: (topic) => void this.#joined.delete(topic),
      bufferedBytes: 0,
      tooSlow: () => undefined,
    });
  }

  broadcast(topic: string, text: string): void {
    if (this.#joined.has(topic)) this.take(text);
  }

  take(text: string): void {
    const frame = JSON.parse(text) as Frame;
    this.frames.push(frame);
    if (frame.type === "lag") return;
    if (this.seq !== null) expect(frame.seq).toBeGreaterThanOrEqual(this.seq);
    if (frame.type !== "snapshot") {
      expect(frame.prev).toBe(this.seq);
      expect((frame.data as { count: number }).count).toBe(this.state!.count + 1);
    }
    this.seq = frame.seq;
    this.state = frame.data as { count: number; by: string } | null;
  }

  subscribe(channel: string, resumeAfter: number | null = null): void {
    const resolved = this.process.hub.resolve(channel);
    if ("fault" in resolved) throw new Error(resolved.fault);
    this.listener.subscribe(resolved, { snapshot: true, resumeAfter });
  }
}

/** Counts, a channel each, as long as its process leads. */
class Counter implements ChannelFamily {
  readonly name = "count";
  readonly permission = "stream:read";
  readonly counts = new Map<string, number>();
  readonly wantedHere = new Set<string>();
  constructor(
    readonly by: string,
    readonly clock: Clock,
  ) {}
  channelOf(parts: readonly string[]) {
    return parts.length === 1 ? { channel: `count/${parts[0]}` } : { fault: "has one part" };
  }
  snapshot(channel: string) {
    return JSON.stringify({ count: this.counts.get(channel) ?? 0, by: this.by });
  }
  wanted(channel: string) {
    expect(this.wantedHere.has(channel)).toBe(false);
    this.wantedHere.add(channel);
  }
  unwanted(channel: string) {
    expect(this.wantedHere.delete(channel)).toBe(true);
  }
  tick(channel: string, hub: Pick<Hub, "publish">): void {
    const count = (this.counts.get(channel) ?? 0) + 1;
    this.counts.set(channel, count);
    hub.publish(channel, "delta", JSON.stringify({ count, by: this.by }), this.clock.nowMicroseconds());
  }
}

interface Process {
  readonly name: string;
  readonly hub: StreamHub;
  readonly relay: StreamRelay;
  readonly counter: Counter;
  readonly clients: Set<Client>;
  tick(channel: string): void;
  stop(): Promise<void>;
}

const running: Process[] = [];
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop();
});

function process(name: string, server: MemoryHub | null, clock: Clock = systemClock): Process {
  const log = recordingLog();
  const limits = { bufferBytesMax: 65_536, slowMillisecondsMax: 10_000 };
  const hub = createHub({ clock, log, limits });
  const clients = new Set<Client>();
  hub.attach((topic, text) => {
    for (const client of clients) client.broadcast(topic, text);
  });
  const bus = server && busOn(server.link());
  const relay = createStreamRelay({ hub, bus, clock: systemClock, log });
  const counter = new Counter(name, clock);
  relay.hub.open(counter);
  relay.agent.start();
  const made: Process = {
    ...{ name, hub, relay, counter, clients },
    tick: (channel) => counter.tick(channel, relay.hub),
    async stop() {
      relay.close();
      await relay.agent.stop();
      await bus?.close();
    },
  };
  running.push(made);
  return made;
}

function fleet(count: number): { server: MemoryHub; processes: Process[] } {
  const server = new MemoryHub();
  return { server, processes: Array.from({ length: count }, (_, index) => process(`p${index}`, server)) };
}

const settled = (client: Client, count: number, by: string) => client.state?.count === count && client.state.by === by;

describe("S4.35 a channel of another process", () => {
  test("comes with the same numbers in every process, snapshot first, in order, without a gap", async () => {
    const { processes } = fleet(3);
    const [leader] = processes as [Process];
    leader.relay.lead(1);
    const clients = processes.map((each) => new Client(each));
    for (let index = 0; index < 5; index++) leader.tick("count/a");
    for (const client of clients) client.subscribe("count/a");
    await until("all have the state", () => clients.every((client) => settled(client, 5, "p0")));
    for (let index = 0; index < 100; index++) leader.tick("count/a");
    await until("all have come to the end", () => clients.every((client) => settled(client, 105, "p0")));
    const numbered = clients.map(({ frames }) => new Map(frames.map(({ seq, data }) => [seq, JSON.stringify(data)])));
    for (const other of numbered.slice(1))
      for (const [seq, data] of other) expect(numbered[0]!.get(seq) ?? data).toBe(data);
    expect(new Set(clients.map(({ seq }) => seq)).size).toBe(1);
    expect(clients.map(({ frames }) => frames.filter(({ type }) => type === "snapshot").length)).toEqual([1, 1, 1]);
  });

  test("brings a second client's snapshot while frames go on, without one more for the first", async () => {
    const { processes } = fleet(2);
    const [leader, follower] = processes as [Process, Process];
    leader.relay.lead(1);
    const first = new Client(follower);
    first.subscribe("count/a");
    await until("the first has it", () => first.state !== null);
    const later = Array.from({ length: 20 }, () => new Client(follower));
    for (let round = 0; round < 20; round++) {
      leader.tick("count/a");
      later[round]!.subscribe("count/a");
      leader.tick("count/a");
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until("all have it", () => [first, ...later].every((client) => settled(client, 40, "p0")));
    expect(first.frames.filter(({ type }) => type === "snapshot").length).toBe(1);
    for (const client of later) expect(client.frames.filter(({ type }) => type === "snapshot").length).toBe(1);
  });

  test("does not reach who asked for another, and is let go of when nobody is left", async () => {
    const { processes } = fleet(2);
    const [leader, follower] = processes as [Process, Process];
    leader.relay.lead(1);
    const [one, other] = [new Client(follower), new Client(follower)];
    one.subscribe("count/a");
    other.subscribe("count/b");
    await until("both have theirs", () => one.state !== null && other.state !== null);
    for (let index = 0; index < 3; index++) leader.tick("count/a");
    await until("it came", () => settled(one, 3, "p0"));
    expect(other.frames.length).toBe(1);
    expect(leader.counter.wantedHere).toEqual(new Set(["count/a", "count/b"]));
    expect(leader.relay.statistics().lentCount).toBe(2);
    expect(follower.relay.statistics()).toMatchObject({ followedCount: 2, gapCount: 0 });
    expect(follower.counter.wantedHere.size).toBe(0);
  });

  test("where a frame is lost is said to lag and comes whole again, never wrong", async () => {
    const { server, processes } = fleet(2);
    const [leader, follower] = processes as [Process, Process];
    leader.relay.lead(1);
    const client = new Client(follower);
    client.subscribe("count/a");
    await until("it has the state", () => client.state !== null);
    let lost = 0;
    server.spoil = (bytes, subject) => (subject.includes("frames.") && ++lost <= 3 ? null : bytes);
    for (let index = 0; index < 10; index++) leader.tick("count/a");
    await until("it has come to the end", () => settled(client, 10, "p0"));
    expect(follower.relay.statistics().gapCount).toBe(1);
    expect(client.frames.map(({ type }) => type)).toContain("lag");
    leader.tick("count/a");
    await until("it goes on", () => settled(client, 11, "p0"));
  });

  test("over a bus that is away stands still, and comes whole again when it is back", async () => {
    const { server, processes } = fleet(2);
    const [leader, follower] = processes as [Process, Process];
    leader.relay.lead(1);
    const client = new Client(follower);
    client.subscribe("count/a");
    await until("it has the state", () => client.state !== null);
    const before = client.frames.length;
    server.turn(false);
    for (let index = 0; index < 10; index++) leader.tick("count/a");
    const joining = new Client(follower);
    joining.subscribe("count/b");
    expect([client.frames.length, joining.frames.length]).toEqual([before, 0]);
    server.turn(true);
    await until("both have come to the end", () => settled(client, 10, "p0") && joining.state !== null);
    expect(client.frames.slice(before).map(({ type }) => type)).toEqual(["lag", "snapshot"]);
  });
});

describe("S4.35 a leader that goes away", () => {
  test("is followed by another: clients everywhere get its state under higher numbers and go on", async () => {
    const { processes } = fleet(3);
    const [first, second, third] = processes as [Process, Process, Process];
    first.relay.lead(1);
    const clients = processes.map((each) => new Client(each));
    for (const client of clients) client.subscribe("count/a");
    first.tick("count/a");
    await until("all have it", () => clients.every((client) => settled(client, 1, "p0")));
    const reached = clients.map(({ seq }) => seq!);
    await first.stop();
    // What it knows from the record that the first kept.
    second.counter.counts.set("count/a", 1);
    second.relay.lead(2);
    await until("both have the second's", () => clients.slice(1).every((client) => settled(client, 1, "p1")));
    second.tick("count/a");
    await until("they go on", () => clients.slice(1).every((client) => settled(client, 2, "p1")));
    expect(clients[2]!.seq!).toBeGreaterThan(reached[2]!);
    expect(new Set(clients.slice(1).map(({ seq }) => seq)).size).toBe(1);
    expect(third.counter.wantedHere.size).toBe(0);
  });

  test("and whose follower's clock is an hour behind is followed with higher numbers all the same", async () => {
    const server = new MemoryHub();
    const first = process("p0", server);
    const behind = process("p1", server, new ManualClock(systemClock.nowMicroseconds() - 3_600_000_000n));
    const third = process("p2", server);
    first.relay.lead(1);
    const client = new Client(third);
    client.subscribe("count/a");
    await until("it has the state", () => client.state !== null);
    const reached = client.seq!;
    await first.stop();
    behind.relay.lead(2);
    await until("it has the second's", () => settled(client, 0, "p1"));
    expect(client.seq!).toBeGreaterThan(reached);
    behind.tick("count/a");
    await until("it goes on", () => settled(client, 1, "p1"));
  });

  test("and comes back thinking it leads is not believed: what it sends is of an earlier lead", async () => {
    const { processes } = fleet(3);
    const [frozen, second, third] = processes as [Process, Process, Process];
    frozen.relay.lead(1);
    const client = new Client(third);
    client.subscribe("count/a");
    await until("it has the state", () => client.state !== null);
    second.relay.lead(2);
    await until("it has the second's", () => settled(client, 0, "p1"));
    for (let index = 0; index < 5; index++) frozen.tick("count/a");
    second.tick("count/a");
    await until("it goes on with the second", () => settled(client, 1, "p1"));
    expect(client.frames.filter(({ data }) => (data as { by?: string })?.by === "p0").length).toBe(1);
    // It hears that it leads no more, and follows.
    const own = new Client(frozen);
    frozen.relay.follow();
    own.subscribe("count/a");
    await until("it follows", () => settled(own, 1, "p1"));
    expect(frozen.counter.wantedHere.size).toBe(0);
  });

  test("while nobody leads, who subscribes waits and is served by whoever comes to lead, itself too", async () => {
    const { processes } = fleet(2);
    const [one, other] = processes as [Process, Process];
    const clients = [new Client(one), new Client(other)];
    for (const client of clients) client.subscribe("count/a");
    expect(clients.map(({ frames }) => frames.length)).toEqual([0, 0]);
    other.relay.lead(7);
    await until("both are served", () => clients.every((client) => settled(client, 0, "p1")));
    other.tick("count/a");
    await until("both go on", () => clients.every((client) => settled(client, 1, "p1")));
  });
});

test("S4.35 without a bus a process that does not lead says whose the channel is; one that leads serves it", () => {
  const alone = process("p0", null);
  expect(alone.hub.resolve("count/a")).toMatchObject({ fault: expect.stringContaining("market_bus") });
  alone.relay.lead(1);
  const client = new Client(alone);
  client.subscribe("count/a");
  alone.tick("count/a");
  expect(client.state).toEqual({ count: 1, by: "p0" });
});
