// The hub: it numbers frames, keeps the window a client may resume from, and looks after clients that read too slowly. And the two families of
// channels that say nothing of the market: `test`, which always runs, and `health`. Separate from service.ts, which says what features may
// ask of it. Invariants:
//   1. A channel's frames are numbered once, the same for everybody; numbers only rise, over restarts too (they begin at the clock's milliseconds).
//   2. A snapshot and the joining of the topic are one step: the next frame a client gets builds on the one its snapshot is of.
//   3. Whoever has more waiting than its buffer is off every topic until it has read it; what it missed is told (`lag`), never sent in part.

import type { Permission } from "../../domain/permission";
import { assert } from "../../foundation/assert";
import { type Clock, type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import type { Log } from "../../foundation/log";
import { channelParts, frameText, later, Replay, type ReplayLimits } from "./rules";
import type {
  ChannelFamily,
  Hub,
  Listener,
  NumberedFrame,
  Resolved,
  StreamHub,
  StreamOperation,
  Subscription,
  Wire,
} from "./service";

export interface HubOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: {
    /** Bytes that may wait for one client before it is off its topics. */
    readonly bufferBytesMax: number;
    /** Milliseconds that it may stay off before it is given up. */
    readonly slowMillisecondsMax: number;
  };
  /** Narrower bounds of what is kept, for tests. */
  readonly bounds?: Partial<typeof boundsDefault>;
}

const boundsDefault = {
  replay: { countMax: 1_000, ageMillisecondsMax: 30_000, bytesMax: 8_388_608 } satisfies ReplayLimits as ReplayLimits,
  /** Of all channels together. */
  replayBytesMax: 67_108_864,
  channelsMax: 50_000,
  /** How long a channel stays wanted after the last has left. */
  lingerMilliseconds: 30_000,
};

/** Frames from here on go to each listener by itself, which shows who cannot take it; smaller ones through the topic, written once for all. */
const singleFrameBytesMin = 16_384;
/** After so many bytes through a topic its listeners' buffers are looked at. */
const uncheckedBytesMax = 32_768;

interface Channel {
  readonly name: string;
  readonly json: string;
  readonly family: ChannelFamily;
  readonly replay: Replay;
  readonly listeners: Set<ClientListener>;
  /** The number of the last frame, or what the first will build on. */
  seq: number;
  hasFrames: boolean;
  lastAt: EpochMicroseconds;
  joinedCount: number;
  uncheckedBytes: number;
  /** The snapshot of `seq` as a frame: thousands may ask for it at once. */
  snapshotFrame: string | null;
  /** Who waits for the whole state. */
  waiting: Set<ClientListener> | null;
  /** Since when nobody listens; null: somebody does. */
  idleSinceMilliseconds: number | null;
}

/** Where a listener stands with a channel it is off: the last frame it was sent, and whether that was a whole state it has not read yet. */
interface Away {
  readonly seq: number;
  readonly isFresh: boolean;
  /** For the whole state, which somebody else brings. */
  readonly isWaiting?: true;
}

interface HubState {
  readonly clock: Clock;
  readonly limits: HubOptions["limits"];
  framesSent: number;
  bytesSent: number;
  lags: number;
  subscriptions: number;
  snapshotOf(channel: Channel): string | null;
  channelFor(wanted: Resolved): Channel;
  find(name: string): Channel | undefined;
  forget(listener: ClientListener): void;
}

export function createHub(options: HubOptions): StreamHub {
  const { clock, log, limits } = options;
  const bounds = { ...boundsDefault, ...options.bounds };
  const families = new Map<string, ChannelFamily>();
  const operations = new Map<string, StreamOperation>();
  const channels = new Map<string, Channel>();
  const listeners = new Set<ClientListener>();
  let broadcast: ((topic: string, text: string) => void) | null = null;
  let replayBytes = 0;
  let framesPublished = 0;
  /** No channel begins below it, so that none is ever numbered twice in a process. */
  let seqFloor = 0;
  let tapped: ((channel: string, frame: NumberedFrame) => void) | null = null;

  const state: HubState = {
    clock,
    limits,
    framesSent: 0,
    bytesSent: 0,
    lags: 0,
    subscriptions: 0,
    snapshotOf(channel) {
      if (channel.snapshotFrame !== null) return channel.snapshotFrame;
      const data = channel.family.snapshot(channel.name);
      if (data === later) return null;
      channel.snapshotFrame = stateFrame(channel, data ?? "null");
      return channel.snapshotFrame;
    },
    channelFor({ channel: name, family }) {
      const known = channels.get(name);
      if (known) return known;
      const now = clock.nowMicroseconds();
      const seq = Math.max(Number(now / 1000n), seqFloor);
      const channel: Channel = {
        name,
        json: JSON.stringify(name),
        family,
        replay: new Replay(bounds.replay, seq),
        listeners: new Set(),
        seq,
        hasFrames: false,
        lastAt: now,
        joinedCount: 0,
        uncheckedBytes: 0,
        snapshotFrame: null,
        waiting: null,
        idleSinceMilliseconds: clock.monotonicMilliseconds(),
      };
      channels.set(name, channel);
      family.wanted(name);
      return channel;
    },
    find: (name) => channels.get(name),
    forget: (listener) => listeners.delete(listener),
  };

  function send(channel: Channel, frame: NumberedFrame): void {
    const { seq, prev, kind, data, at } = frame;
    const text = frameText({ channelJson: channel.json, seq, prev, at, type: kind, data });
    const isSingle = text.length >= singleFrameBytesMin;
    channel.uncheckedBytes += text.length;
    // Before the number moves: whoever leaves now has been sent all up to it.
    if (!isSingle && channel.uncheckedBytes > uncheckedBytesMax) {
      for (const listener of channel.listeners) listener.checkBuffer();
      channel.uncheckedBytes = text.length;
    }
    if (isSingle) for (const listener of channel.listeners) listener.checkBuffer();
    channel.seq = seq;
    channel.hasFrames = true;
    channel.lastAt = at;
    channel.snapshotFrame = null;
    const before = channel.replay.bytes;
    channel.replay.add(seq, text, clock.monotonicMilliseconds());
    replayBytes += channel.replay.bytes - before;
    while (replayBytes > bounds.replayBytesMax && channel.replay.count > 0) dropOldest(channel);
    framesPublished += 1;
    tapped?.(channel.name, frame);
    if (channel.joinedCount === 0) return;
    state.framesSent += channel.joinedCount;
    state.bytesSent += channel.joinedCount * text.length;
    if (isSingle) for (const listener of channel.listeners) listener.sendJoined(channel, text);
    else broadcast?.(channel.name, text);
  }

  function dropOldest({ replay }: Channel): void {
    const before = replay.bytes;
    replay.dropOldest();
    replayBytes += replay.bytes - before;
  }

  function publishNumbered(name: string, frame: NumberedFrame): boolean {
    const channel = channels.get(name);
    if (channel === undefined) return true;
    if (frame.kind === "snapshot") {
      if (frame.seq <= channel.seq && channel.hasFrames) return false;
      if (frame.prev !== channel.seq) restart(channel, frame.prev);
    } else if (frame.prev !== channel.seq || frame.seq <= channel.seq) return false;
    send(channel, frame);
    return true;
  }

  function resync(name: string, { seq, data, at }: Pick<NumberedFrame, "seq" | "data" | "at">): boolean {
    const channel = channels.get(name);
    if (channel === undefined) return true;
    const { seq: was, hasFrames: wasKnown } = channel;
    const hasMoved = seq !== was || !wasKnown;
    if (wasKnown && seq < was) return false;
    if (hasMoved) restart(channel, seq);
    channel.seq = seq;
    channel.lastAt = at;
    channel.hasFrames = true;
    channel.snapshotFrame = stateFrame(channel, data);
    if (hasMoved) {
      const lag = frameText({
        channelJson: channel.json,
        seq,
        prev: was,
        at,
        type: "lag",
        data: `{"dropped":${seq - was}}`,
      });
      if (wasKnown) state.lags += channel.joinedCount;
      for (const listener of channel.listeners) {
        if (wasKnown) listener.sendJoined(channel, lag);
        listener.sendJoined(channel, channel.snapshotFrame);
      }
    }
    const { waiting } = channel;
    channel.waiting = null;
    for (const listener of waiting ?? []) listener.arrived(channel);
    return true;
  }

  /** What was before cannot be resumed: the next frame builds on nothing that was sent. */
  function restart(channel: Channel, seq: number): void {
    replayBytes -= channel.replay.bytes;
    channel.replay.restart(seq);
  }

  function look(): void {
    const now = clock.monotonicMilliseconds();
    for (const listener of listeners) listener.look(now);
    for (const channel of channels.values()) {
      const before = channel.replay.bytes;
      channel.replay.trim(now);
      replayBytes += channel.replay.bytes - before;
      if (channel.idleSinceMilliseconds === null || now - channel.idleSinceMilliseconds < bounds.lingerMilliseconds)
        continue;
      replayBytes -= channel.replay.bytes;
      seqFloor = Math.max(seqFloor, channel.seq + 1);
      channels.delete(channel.name);
      channel.family.unwanted(channel.name);
    }
  }

  return {
    get families() {
      return [...families.values()];
    },
    operations,
    open(family) {
      assert(!families.has(family.name), `channels ${family.name} are opened twice`);
      families.set(family.name, family);
    },
    answer(operation) {
      assert(!operations.has(operation.op), `op ${operation.op} is answered twice`);
      operations.set(operation.op, operation);
    },
    publish(name, kind, data, at) {
      const channel = channels.get(name);
      if (channel) send(channel, { seq: channel.seq + 1, prev: channel.seq, kind, data, at });
    },
    publishNumbered,
    resync,
    seqOf: (name) => channels.get(name)?.seq ?? null,
    tap(taker) {
      assert(tapped === null, "the frames are tapped twice");
      tapped = taker;
    },
    isWanted: (name) => channels.has(name),
    resolve(name) {
      const parts = channelParts(name);
      if (parts === null) return { fault: "is no channel's name" };
      const family = families.get(parts[0]!);
      if (family === undefined) return { fault: `is of no family there is: ${[...families.keys()].join(", ")}` };
      const found = family.channelOf(parts.slice(1));
      if ("fault" in found) return found;
      const { channel } = found;
      assert(
        channel === family.name || channel.startsWith(`${family.name}/`),
        `a channel of ${family.name} calls itself ${channel}`,
      );
      return { channel, family };
    },
    hasRoomFor: (name) => channels.has(name) || channels.size < bounds.channelsMax,
    listen(wire) {
      const listener = new ClientListener(wire, state);
      listeners.add(listener);
      return listener;
    },
    attach(reach) {
      broadcast = reach;
      log.debug({}, "streams reach their subscribers");
    },
    look,
    statistics: () => ({
      channels: channels.size,
      subscriptions: state.subscriptions,
      framesPublished,
      framesSent: state.framesSent,
      bytesSent: state.bytesSent,
      lags: state.lags,
      replayBytes,
    }),
  };
}

function stateFrame({ json: channelJson, seq, lastAt: at }: Channel, data: string): string {
  return frameText({ channelJson, seq, prev: null, at, type: "snapshot", data });
}

const none: ReadonlySet<Permission> = new Set();

/** One client's place in the hub. There may be very many: what most of them do not need is made when they do. */
class ClientListener implements Listener {
  readonly #wire: Wire;
  readonly #hub: HubState;
  /** Null: on the topic. */
  #channels: Map<Channel, Away | null> | null = null;
  #awaySinceMilliseconds: number | null = null;

  constructor(wire: Wire, hub: HubState) {
    this.#wire = wire;
    this.#hub = hub;
  }

  get channelCount(): number {
    return this.#channels?.size ?? 0;
  }

  permissions(): ReadonlySet<Permission> {
    if (this.#channels === null) return none;
    const asked = new Set<Permission>();
    for (const { family } of this.#channels.keys()) asked.add(family.permission);
    return asked;
  }

  has(name: string): boolean {
    const channel = this.#hub.find(name);
    return channel !== undefined && this.#channels?.has(channel) === true;
  }

  subscribe(wanted: Resolved, { snapshot, resumeAfter }: Subscription): void {
    const channel = this.#hub.channelFor(wanted);
    this.#channels ??= new Map();
    if (!this.#channels.has(channel)) {
      channel.listeners.add(this);
      channel.idleSinceMilliseconds = null;
      this.#hub.subscriptions += 1;
    } else this.#leave(channel);
    const missed = resumeAfter === null ? null : channel.replay.after(resumeAfter);
    if (missed !== null) for (const text of missed) this.#send(text);
    else if ((snapshot || resumeAfter !== null) && !this.#sendState(channel)) return;
    this.#join(channel);
  }

  unsubscribe(name: string): void {
    const channel = this.#hub.find(name);
    if (channel === undefined || !this.#channels?.has(channel)) return;
    this.#leave(channel);
    this.#remove(channel);
    this.#channels.delete(channel);
  }

  close(): void {
    for (const [channel, away] of this.#channels ?? []) {
      if (away === null) channel.joinedCount -= 1;
      this.#remove(channel);
    }
    this.#channels = null;
    this.#hub.forget(this);
  }

  /** Off every topic where more waits than may. */
  checkBuffer(): void {
    if (this.#awaySinceMilliseconds !== null || this.#wire.bufferedBytes <= this.#hub.limits.bufferBytesMax) return;
    this.#awaySinceMilliseconds = this.#hub.clock.monotonicMilliseconds();
    for (const [channel, away] of this.#channels ?? []) {
      if (away !== null) continue;
      this.#leave(channel);
      this.#channels!.set(channel, { seq: channel.seq, isFresh: false });
    }
  }

  sendJoined(channel: Channel, text: string): void {
    if (this.#channels?.get(channel) === null) this.#wire.send(text);
  }

  drained(): void {
    const { bufferBytesMax } = this.#hub.limits;
    if (this.#awaySinceMilliseconds === null || this.#wire.bufferedBytes > bufferBytesMax / 2) return;
    this.#awaySinceMilliseconds = null;
    for (const [channel, away] of this.#channels ?? []) {
      if (away === null || away.isWaiting) continue;
      // Filled again by what was told of the channels before: the others wait for the next time.
      if (this.#wire.bufferedBytes > bufferBytesMax) {
        this.#awaySinceMilliseconds = this.#hub.clock.monotonicMilliseconds();
        return;
      }
      if (away.seq !== channel.seq && !(away.isFresh && this.#catchUp(channel, away.seq))) {
        this.#hub.lags += 1;
        const dropped = channel.seq - away.seq;
        const { json: channelJson, seq, lastAt: at } = channel;
        this.#send(frameText({ channelJson, seq, prev: away.seq, at, type: "lag", data: `{"dropped":${dropped}}` }));
        if (!this.#sendState(channel)) continue;
      }
      this.#join(channel);
    }
  }

  look(now: number): void {
    if (this.#awaySinceMilliseconds === null) this.checkBuffer();
    else this.drained();
    const since = this.#awaySinceMilliseconds;
    if (since !== null && now - since > this.#hub.limits.slowMillisecondsMax) this.#wire.tooSlow();
  }

  /** The state that it waits for is here. */
  arrived(channel: Channel): void {
    if (!this.#channels?.get(channel)?.isWaiting) return;
    this.#channels.set(channel, { seq: channel.seq, isFresh: false });
    if (this.#sendState(channel)) this.#join(channel);
  }

  /** False: it is not here yet, and the listener waits for it off the topic. */
  #sendState(channel: Channel): boolean {
    const text = this.#hub.snapshotOf(channel);
    if (text !== null) this.#send(text);
    else {
      this.#channels!.set(channel, { seq: channel.seq, isFresh: false, isWaiting: true });
      channel.waiting ??= new Set();
      channel.waiting.add(this);
    }
    return text !== null;
  }

  /** What came while a whole state was on its way to the client, where that is little. */
  #catchUp(channel: Channel, seq: number): boolean {
    const missed = channel.replay.after(seq);
    if (missed === null) return false;
    let bytes = 0;
    for (const { length } of missed) bytes += length;
    if (bytes > this.#hub.limits.bufferBytesMax) return false;
    for (const text of missed) this.#send(text);
    return true;
  }

  /** On the topic, but where the client has first to read what it was just sent. */
  #join(channel: Channel): void {
    const isOver = this.#wire.bufferedBytes > this.#hub.limits.bufferBytesMax;
    if (isOver) this.#awaySinceMilliseconds ??= this.#hub.clock.monotonicMilliseconds();
    if (isOver || this.#awaySinceMilliseconds !== null) {
      this.#channels!.set(channel, { seq: channel.seq, isFresh: true });
      return;
    }
    this.#channels!.set(channel, null);
    channel.joinedCount += 1;
    this.#wire.join(channel.name);
  }

  #leave(channel: Channel): void {
    if (this.#channels?.get(channel) !== null) return;
    channel.joinedCount -= 1;
    this.#channels.set(channel, { seq: channel.seq, isFresh: false });
    this.#wire.leave(channel.name);
  }

  #remove(channel: Channel): void {
    channel.listeners.delete(this);
    channel.waiting?.delete(this);
    this.#hub.subscriptions -= 1;
    if (channel.listeners.size === 0) channel.idleSinceMilliseconds = this.#hub.clock.monotonicMilliseconds();
  }

  #send(text: string): void {
    this.#hub.framesSent += 1;
    this.#hub.bytesSent += text.length;
    this.#wire.send(text);
  }
}

/** What a family without parts says of them. */
const noParts = { fault: "takes no further parts" } as const;
const secondMicroseconds = 1_000_000n;
/** Seconds that are told one by one after a pause; after a longer one the stream begins anew. */
const caughtUpMax = 60;

export interface Started {
  readonly family: ChannelFamily;
  /** Ends what runs behind it. */
  stop(): void;
}

/**
 * `test`: a frame at every whole second, numbered by the seconds since 1970, so that it is the same in every process and a client that
 * comes back elsewhere can go on. `data` is `{ "second": "…Z" }`.
 */
export function testStream({ hub, clock }: { hub: Hub; clock: Clock }): Started {
  const name = "test";
  let running: AbortController | null = null;
  let last = 0;

  const secondNow = () => Number(clock.nowMicroseconds() / secondMicroseconds);
  const dataOf = (second: number) => `{"second":"${formatTimestamp(BigInt(second) * secondMicroseconds)}"}`;

  function tell(second: number, kind: "snapshot" | "event"): void {
    last = second;
    const at = clock.nowMicroseconds();
    hub.publishNumbered(name, { seq: second, prev: second - 1, kind, data: dataOf(second), at });
  }

  async function run({ signal }: AbortController): Promise<void> {
    for (;;) {
      const now = clock.nowMicroseconds();
      await clock.sleep(Number(secondMicroseconds - (now % secondMicroseconds)) / 1000 + 0.5, signal);
      if (signal.aborted) return;
      const second = secondNow();
      // A clock that was set back is waited for: a number is told once.
      if (second - last > caughtUpMax) tell(second, "snapshot");
      else while (last < second) tell(last + 1, "event");
    }
  }

  return {
    family: {
      name,
      permission: "stream:read",
      channelOf: (parts) => (parts.length === 0 ? { channel: name } : noParts),
      snapshot: () => dataOf(last),
      wanted() {
        tell(secondNow(), "snapshot");
        running = new AbortController();
        void run(running);
      },
      unwanted() {
        running?.abort();
        running = null;
      },
    },
    stop: () => running?.abort(),
  };
}

const healthLookMilliseconds = 1_000;

/** What `health` tells of readiness: the worst of the components, and each. */
export interface HealthView {
  readonly status: string;
  readonly components: Readonly<Record<string, string>>;
}

/** `health`: the readiness of the process that the client is connected to, whenever it changes. */
export function healthStream({
  hub,
  clock,
  check,
}: {
  hub: Hub;
  clock: Clock;
  check: () => Promise<HealthView>;
}): Started {
  const name = "health";
  let running: AbortController | null = null;
  let told: string | null = null;

  async function run({ signal }: AbortController): Promise<void> {
    while (!signal.aborted) {
      const seen = JSON.stringify(await check());
      if (signal.aborted) return;
      if (seen !== told) {
        told = seen;
        hub.publish(name, "event", seen, clock.nowMicroseconds());
      }
      await clock.sleep(healthLookMilliseconds, signal);
    }
  }

  return {
    family: {
      name,
      permission: "stream:read",
      channelOf: (parts) => (parts.length === 0 ? { channel: name } : noParts),
      snapshot: () => told,
      wanted() {
        running = new AbortController();
        void run(running);
      },
      unwanted() {
        running?.abort();
        running = null;
        told = null;
      },
    },
    stop: () => running?.abort(),
  };
}
