// The hub with wires made by hand: what is numbered, what a client gets after what, and what becomes of one that does not read. The last
// test lets clients, publishers and slow lines do what they like by seed, and holds the one promise of it all: nothing arrives that
// does not build on what was there.

import { describe, expect, test } from "bun:test";
import { Replay } from "../../../../src/features/streaming/rules";
import {
  type ChannelFamily,
  channelName,
  channelParts,
  type StreamHub,
  type Wire,
} from "../../../../src/features/streaming/service";
import { createHub, type HubOptions, testStream } from "../../../../src/features/streaming/stream";
import { ManualClock } from "../../../../src/foundation/clock";
import { silentLog } from "../../../../src/foundation/log";
import { seededRandom } from "../../../../src/foundation/random";
import type { Frame } from "../../../harness/stream-client";

interface House {
  readonly hub: StreamHub;
  readonly clock: ManualClock;
  readonly told: string[];
  readonly topics: Map<string, Set<TestWire>>;
  wire(): TestWire;
}

/** A client's end: it reads when it is told to. */
class TestWire implements Wire {
  readonly unread: string[] = [];
  readonly frames: Frame[] = [];
  isCut = false;
  isReading = true;
  constructor(readonly topics: Map<string, Set<TestWire>>) {}
  send(text: string): void {
    this.unread.push(text);
    if (this.isReading) this.read();
  }
  read(): void {
    for (const text of this.unread.splice(0)) this.frames.push(JSON.parse(text));
  }
  join(topic: string): void {
    this.topics.set(topic, (this.topics.get(topic) ?? new Set()).add(this));
  }
  leave(topic: string): void {
    this.topics.get(topic)?.delete(this);
  }
  get bufferedBytes(): number {
    return this.unread.reduce((sum, { length }) => sum + length, 0);
  }
  tooSlow(): void {
    this.isCut = true;
  }
  has(topic: string): boolean {
    return this.topics.get(topic)?.has(this) === true;
  }
}

function house(options: Partial<Omit<HubOptions, "clock">> = {}): House {
  const clock = new ManualClock();
  const topics = new Map<string, Set<TestWire>>();
  const limits = { bufferBytesMax: 1_000, slowMillisecondsMax: 10_000 };
  const hub = createHub({ clock, log: silentLog, limits, ...options });
  hub.attach((topic, text) => {
    for (const wire of topics.get(topic) ?? []) wire.send(text);
  });
  const told: string[] = [];
  const family: ChannelFamily = {
    name: "ticks",
    permission: "market:read",
    channelOf: ([symbol, ...more]) =>
      symbol === undefined || more.length > 0
        ? { fault: "needs one symbol" }
        : { channel: channelName(["ticks", symbol.toUpperCase()]) },
    snapshot: (channel) => `{"of":"${channel}"}`,
    wanted: (channel) => told.push(`wanted ${channel}`),
    unwanted: (channel) => told.push(`unwanted ${channel}`),
  };
  hub.open(family);
  return { hub, clock, told, topics, wire: () => new TestWire(topics) };
}

const resolved = (hub: StreamHub, name: string) => {
  const found = hub.resolve(name);
  if ("fault" in found) throw new Error(found.fault);
  return found;
};
const fresh = { snapshot: true, resumeAfter: null };
const publish = ({ hub, clock }: House, text = "{}", channel = "ticks/A") =>
  hub.publish(channel, "delta", text, clock.nowMicroseconds());

describe("channels' names", () => {
  test.each([
    ["ticks/A", ["ticks", "A"]],
    ["ticks/deribit%3ABTC", ["ticks", "deribit:BTC"]],
    ["ticks/a%2Fb", ["ticks", "a/b"]],
    ["", null],
    ["ticks//A", null],
    ["/ticks", null],
    ["ticks/", null],
    ["ticks/%zz", null],
    ["ticks/%ff", null],
    [`ticks/${"A".repeat(300)}`, null],
    ["a/b/c/d/e/f/g/h/i", null],
  ])("%p is taken apart as %p", (name, parts) => {
    expect(channelParts(name)).toEqual(parts);
    if (parts !== null) expect(channelParts(channelName(parts))).toEqual(parts);
  });

  test("two spellings of one channel are one, and a family that is not there is told with those that are", () => {
    const { hub } = house();
    expect(resolved(hub, "ticks/a").channel).toBe("ticks/A");
    expect(resolved(hub, "ticks/%41").channel).toBe("ticks/A");
    expect(hub.resolve("tocks/a")).toEqual({ fault: "is of no family there is: ticks" });
    expect(hub.resolve("ticks")).toEqual({ fault: "needs one symbol" });
    expect(hub.resolve("")).toEqual({ fault: "is no channel's name" });
  });
});

describe("the window of a channel", () => {
  const limits = { countMax: 3, ageMillisecondsMax: 100, bytesMax: 10 };
  const rows: [string, { seq: number; text: string; at: number }[], number, string[] | null][] = [
    ["nothing was sent: the beginning can be resumed", [], 5, []],
    ["nothing was sent: nothing else can", [], 4, null],
    ["the last frame: nothing is missing", [{ seq: 6, text: "a", at: 0 }], 6, []],
    ["before the first frame: all of them", [{ seq: 6, text: "a", at: 0 }], 5, ["a"]],
    ["a number that is yet to come", [{ seq: 6, text: "a", at: 0 }], 7, null],
    ["more than are kept", [6, 7, 8, 9].map((seq) => ({ seq, text: `${seq}`, at: 0 })), 5, null],
    ["just as many as are kept", [6, 7, 8, 9].map((seq) => ({ seq, text: `${seq}`, at: 0 })), 6, ["7", "8", "9"]],
    [
      "older than is kept",
      [
        { seq: 6, text: "a", at: 0 },
        { seq: 7, text: "b", at: 101 },
      ],
      5,
      null,
    ],
    [
      "larger than is kept",
      [
        { seq: 6, text: "123456", at: 0 },
        { seq: 7, text: "12345", at: 0 },
      ],
      5,
      null,
    ],
    [
      "numbers with gaps between them",
      [
        { seq: 16, text: "a", at: 0 },
        { seq: 26, text: "b", at: 0 },
      ],
      16,
      ["b"],
    ],
    [
      "a number in such a gap",
      [
        { seq: 16, text: "a", at: 0 },
        { seq: 26, text: "b", at: 0 },
      ],
      17,
      null,
    ],
  ];
  test.each(rows)("S4.46 %s", (_, frames, after, found) => {
    const replay = new Replay(limits, 5);
    for (const { seq, text, at } of frames) replay.add(seq, text, at);
    expect(replay.after(after)).toEqual(found);
    expect(replay.bytes).toBeLessThanOrEqual(10);
  });
});

describe("a channel", () => {
  test("S4.40 is wanted once, by the first who listens, and let go half a minute after the last has left", () => {
    const { hub, clock, told, wire } = house();
    const listeners = [hub.listen(wire()), hub.listen(wire())];
    for (const listener of listeners) listener.subscribe(resolved(hub, "ticks/A"), fresh);
    expect(told).toEqual(["wanted ticks/A"]);
    for (const listener of listeners) listener.close();
    clock.advance(29_000);
    hub.look();
    expect(hub.isWanted("ticks/A")).toBe(true);
    clock.advance(2_000);
    hub.look();
    expect(told).toEqual(["wanted ticks/A", "unwanted ticks/A"]);
    expect(hub.isWanted("ticks/A")).toBe(false);
    expect(hub.statistics()).toMatchObject({ channels: 0, subscriptions: 0, replayBytes: 0 });
  });

  test("that somebody came back to within half a minute stays wanted", () => {
    const { hub, clock, told, wire } = house();
    hub.listen(wire()).subscribe(resolved(hub, "ticks/A"), fresh);
    const one = hub.listen(wire());
    one.subscribe(resolved(hub, "ticks/B"), fresh);
    one.close();
    clock.advance(20_000);
    hub.listen(wire()).subscribe(resolved(hub, "ticks/B"), fresh);
    clock.advance(40_000);
    hub.look();
    expect(told).toEqual(["wanted ticks/A", "wanted ticks/B"]);
  });

  test("numbers its frames for everybody alike, from the clock's milliseconds, and never lower when it is opened again", () => {
    const at = house();
    const { hub, clock, wire } = at;
    const one = wire();
    const first = hub.listen(one);
    first.subscribe(resolved(hub, "ticks/A"), fresh);
    const start = Number(clock.nowMicroseconds() / 1000n);
    expect(one.frames[0]).toMatchObject({ seq: start, prev: null, type: "snapshot", data: { of: "ticks/A" } });
    for (let count = 0; count < 60_000; count++) publish(at);
    const last = one.frames.at(-1)!;
    expect(last).toMatchObject({ seq: start + 60_000, prev: start + 59_999 });
    first.close();
    clock.advance(31_000);
    hub.look();
    const two = wire();
    hub.listen(two).subscribe(resolved(hub, "ticks/A"), fresh);
    expect(two.frames[0]!.seq).toBeGreaterThan(last.seq);
  });

  test("that nobody wants takes no frame", () => {
    const at = house();
    publish(at);
    expect(at.hub.statistics().framesPublished).toBe(0);
  });

  test("keeps no more frames, of all channels together, than it may", () => {
    const at = house({ bounds: { replayBytesMax: 5_000 } });
    const { hub, wire } = at;
    for (const name of ["A", "B", "C"]) hub.listen(wire()).subscribe(resolved(hub, `ticks/${name}`), fresh);
    for (let count = 0; count < 300; count++) publish(at, "{}", `ticks/${"ABC"[count % 3]}`);
    expect(hub.statistics().replayBytes).toBeLessThanOrEqual(5_000);
    expect(hub.statistics().replayBytes).toBeGreaterThan(4_000);
  });

  test("has room only up to as many as are kept, and for those there are", () => {
    const { hub, wire } = house({ bounds: { channelsMax: 1 } });
    expect(hub.hasRoomFor("ticks/A")).toBe(true);
    hub.listen(wire()).subscribe(resolved(hub, "ticks/A"), fresh);
    expect(hub.hasRoomFor("ticks/A")).toBe(true);
    expect(hub.hasRoomFor("ticks/B")).toBe(false);
  });
});

describe("frames that bring their number", () => {
  const numbered = (seq: number, prev: number, kind: "snapshot" | "delta" = "delta") => ({
    seq,
    prev,
    kind,
    data: "{}",
    at: 0n,
  });

  test("S4.35 are sent where they build on the last; a gap, a repetition and an older one are not, until a whole state comes", () => {
    const { hub, wire } = house();
    const client = wire();
    hub.listen(client).subscribe(resolved(hub, "ticks/A"), { snapshot: false, resumeAfter: null });
    const rows: [ReturnType<typeof numbered>, boolean][] = [
      [numbered(11, 10), false],
      [numbered(10, 9, "snapshot"), true],
      [numbered(11, 10), true],
      [numbered(11, 10), false],
      [numbered(10, 9, "snapshot"), false],
      [numbered(13, 12), false],
      [numbered(20, 19, "snapshot"), true],
      [numbered(21, 20), true],
    ];
    for (const [frame, isSent] of rows) expect(hub.publishNumbered("ticks/A", frame)).toBe(isSent);
    expect(client.frames.map(({ seq }) => seq)).toEqual([10, 11, 20, 21]);
    // What was before the gap cannot be resumed over it.
    const back = wire();
    hub.listen(back).subscribe(resolved(hub, "ticks/A"), { snapshot: true, resumeAfter: 11 });
    expect(back.frames).toMatchObject([{ type: "snapshot", seq: 21, prev: null }]);
    const close = wire();
    hub.listen(close).subscribe(resolved(hub, "ticks/A"), { snapshot: true, resumeAfter: 20 });
    expect(close.frames.map(({ seq }) => seq)).toEqual([21]);
  });

  test("of a channel that nobody wants are as good as sent", () => {
    expect(house().hub.publishNumbered("ticks/A", numbered(5, 4))).toBe(true);
  });
});

describe("a client that does not read", () => {
  const text = JSON.stringify("x".repeat(900));

  test("is off its topics past its buffer, is told what it missed and then the whole state, and joins again", () => {
    const at = house();
    const { hub, wire } = at;
    const [slow, quick] = [wire(), wire()];
    const listener = hub.listen(slow);
    for (const name of ["A", "B"]) listener.subscribe(resolved(hub, `ticks/${name}`), fresh);
    hub.listen(quick).subscribe(resolved(hub, "ticks/A"), fresh);
    slow.isReading = false;
    for (let count = 0; count < 3; count++) publish(at, text);
    hub.look();
    expect([slow.has("ticks/A"), slow.has("ticks/B")]).toEqual([false, false]);
    for (let count = 0; count < 5; count++) publish(at, text);
    slow.read();
    slow.isReading = true;
    listener.drained();
    expect([slow.has("ticks/A"), slow.has("ticks/B")]).toEqual([true, true]);
    const of = slow.frames.filter(({ ch }) => ch === "ticks/A");
    expect(of.map(({ type }) => type)).toEqual(["snapshot", "delta", "delta", "delta", "lag", "snapshot"]);
    expect(of[4]).toMatchObject({ seq: of[0]!.seq + 8, prev: of[3]!.seq, data: { dropped: 5 } });
    expect(of[5]!.seq).toBe(of[4]!.seq);
    // Nothing was published to it meanwhile: nothing is told.
    expect(slow.frames.filter(({ ch }) => ch === "ticks/B")).toHaveLength(1);
    publish(at, text);
    expect(slow.frames.at(-1)).toMatchObject({ type: "delta", prev: of[5]!.seq });
    expect(quick.frames.map(({ type }) => type)).toEqual(["snapshot", ...Array(9).fill("delta")]);
    expect(hub.statistics().lags).toBe(1);
  });

  test("is looked at before frames pile up, without anybody looking by the clock", () => {
    const at = house();
    const slow = at.wire();
    at.hub.listen(slow).subscribe(resolved(at.hub, "ticks/A"), fresh);
    slow.isReading = false;
    for (let count = 0; count < 1_000; count++) publish(at, text);
    expect(slow.bufferedBytes).toBeLessThan(36_000);
    expect(slow.has("ticks/A")).toBe(false);
  });

  test("gets no large frame on top of what waits already", () => {
    const at = house();
    const slow = at.wire();
    at.hub.listen(slow).subscribe(resolved(at.hub, "ticks/A"), fresh);
    slow.isReading = false;
    for (let count = 0; count < 10; count++) publish(at, JSON.stringify("x".repeat(50_000)));
    expect(slow.unread).toHaveLength(1);
  });

  test("is given up after the time it has, and not before", () => {
    const at = house();
    const { hub, clock } = at;
    const slow = at.wire();
    hub.listen(slow).subscribe(resolved(hub, "ticks/A"), fresh);
    slow.isReading = false;
    for (let count = 0; count < 3; count++) publish(at, text);
    hub.look();
    clock.advance(10_000);
    hub.look();
    expect(slow.isCut).toBe(false);
    clock.advance(1);
    hub.look();
    expect(slow.isCut).toBe(true);
  });

  test("after a whole state larger than its buffer gets what came meanwhile, where that is little, and no second state", () => {
    const at = house();
    const { hub, wire } = at;
    const large = JSON.stringify("x".repeat(20_000));
    const big: ChannelFamily = {
      name: "chain",
      permission: "market:read",
      channelOf: () => ({ channel: "chain/X" }),
      snapshot: () => large,
      wanted: () => undefined,
      unwanted: () => undefined,
    };
    hub.open(big);
    const client = wire();
    client.isReading = false;
    const listener = hub.listen(client);
    listener.subscribe(resolved(hub, "chain/X"), fresh);
    expect(client.has("chain/X")).toBe(false);
    for (let count = 0; count < 3; count++) publish(at, "{}", "chain/X");
    client.read();
    listener.drained();
    expect(client.has("chain/X")).toBe(true);
    client.read();
    expect(client.frames.map(({ type }) => type)).toEqual(["snapshot", "delta", "delta", "delta"]);
    expect(hub.statistics().lags).toBe(0);
  });
});

test("subscribing again sends the state again and listens once", () => {
  const at = house();
  const client = at.wire();
  const listener = at.hub.listen(client);
  for (let count = 0; count < 2; count++) listener.subscribe(resolved(at.hub, "ticks/A"), fresh);
  publish(at);
  expect(client.frames.map(({ type }) => type)).toEqual(["snapshot", "snapshot", "delta"]);
  expect(at.hub.statistics().subscriptions).toBe(1);
  expect([...listener.permissions()]).toEqual(["market:read"]);
  listener.unsubscribe("ticks/A");
  listener.unsubscribe("ticks/A");
  publish(at);
  expect([client.frames.length, listener.channelCount, at.hub.statistics().subscriptions]).toEqual([3, 0, 0]);
});

test("S4.46 whatever clients, publishers and slow lines do, a delta builds on what the client has, and all come to the same end", () => {
  for (let seed = 1n; seed <= 40n; seed++) {
    const random = seededRandom(seed);
    const at = house({
      bounds: { replay: { countMax: 20, ageMillisecondsMax: 5_000, bytesMax: 6_000 }, replayBytesMax: 9_000 },
    });
    const { hub, clock, wire } = at;
    const names = ["ticks/A", "ticks/B", "ticks/C"];
    const clients = Array.from({ length: 5 }, () => {
      const own = wire();
      return {
        wire: own,
        listener: hub.listen(own),
        has: new Map<string, number>(),
        checked: 0,
        lagged: new Set<string>(),
      };
    });
    const check = (client: (typeof clients)[number]) => {
      for (; client.checked < client.wire.frames.length; client.checked++) {
        const { ch, seq, prev, type } = client.wire.frames[client.checked]!;
        const known = client.has.get(ch);
        if (type === "snapshot") {
          expect(seq).toBeGreaterThanOrEqual(known ?? 0);
          client.lagged.delete(ch);
        } else {
          expect(client.lagged.has(ch)).toBe(false);
          expect({ seed, ch, prev }).toEqual({ seed, ch, prev: known as number });
          if (type === "lag") client.lagged.add(ch);
        }
        client.has.set(ch, seq);
      }
    };
    for (let step = 0; step < 600; step++) {
      const client = clients[Math.floor(random.unit() * clients.length)]!;
      const name = names[Math.floor(random.unit() * names.length)]!;
      const what = random.unit();
      if (what < 0.5) publish(at, JSON.stringify("x".repeat(Math.floor(random.unit() ** 8 * 30_000))), name);
      else if (what < 0.6) {
        const known = client.has.get(name);
        const resumeAfter =
          known !== undefined && random.unit() < 0.7 && client.wire.unread.length === 0 ? known : null;
        client.listener.subscribe(resolved(hub, name), { snapshot: true, resumeAfter });
      } else if (what < 0.65) client.listener.unsubscribe(name);
      else if (what < 0.75) client.wire.isReading = !client.wire.isReading;
      else if (what < 0.9) {
        client.wire.read();
        client.listener.drained();
      } else {
        clock.advance(random.unit() * 400);
        hub.look();
      }
      for (const each of clients) check(each);
    }
    for (const client of clients) {
      client.wire.isReading = true;
      for (const name of names) client.listener.subscribe(resolved(hub, name), fresh);
      client.wire.read();
      client.listener.drained();
      client.wire.read();
      check(client);
    }
    for (const name of names) publish(at, "{}", name);
    for (const client of clients) check(client);
    for (const name of names) expect(new Set(clients.map(({ has }) => has.get(name))).size).toBe(1);
  }
});

describe("the stream that always runs", () => {
  test("tells each whole second once, numbered by it; a pause is caught up, a long one begins anew, a clock set back is waited for", async () => {
    const { hub, clock, wire } = house();
    const stream = testStream({ hub, clock });
    hub.open(stream.family);
    const client = wire();
    hub.listen(client).subscribe(resolved(hub, "test"), fresh);
    const start = 1_750_000_000;
    const step = async (milliseconds: number) => {
      clock.advance(milliseconds);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    };
    await step(1_000.5);
    await step(3_000);
    expect(client.frames.map(({ seq, prev, type }) => [seq - start, prev, type])).toEqual([
      [0, null, "snapshot"],
      ...[1, 2, 3, 4].map((second) => [second, start + second - 1, "event" as const]),
    ]);
    expect(client.frames.at(-1)!.data).toEqual({ second: "2025-06-15T15:06:44.000000Z" });
    await step(120_000);
    expect(client.frames.at(-1)).toMatchObject({ type: "snapshot", seq: start + 124 });
    const count = client.frames.length;
    await step(-10_000);
    await step(5_000);
    expect(client.frames).toHaveLength(count);
    await step(7_000);
    expect(client.frames.at(-1)).toMatchObject({ type: "event", seq: start + 126 });
    stream.stop();
  });
});
