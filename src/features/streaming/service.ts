// How the rest of the house speaks to subscribers: a feature opens a family of channels and publishes frames to them; who listens, how, and how
// fast is this feature's business. The hub numbers frames, keeps the window a client may resume from, and looks after clients that read too
// slowly; the protocol and its sockets are http's. Invariants:
//   1. A channel's frames are numbered once, the same for everybody; numbers only rise, over restarts too (they begin at the clock's milliseconds).
//   2. A snapshot and the joining of the topic are one step: the next frame a client gets builds on the one its snapshot is of.
//   3. Whoever has more waiting than its buffer is off every topic until it has read it; what it missed is told (`lag`), never sent in part.

import type { TSchema } from "@sinclair/typebox";
import type { Permission } from "../../domain/permission";
import type { Principal } from "../../domain/principal";
import { assert } from "../../foundation/assert";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import type { Log } from "../../foundation/log";
import { channelParts, frameText, Replay, type ReplayLimits } from "./rules";

export { channelName, channelParts } from "./rules";

export type FrameKind = "snapshot" | "delta" | "event";

/** A family of channels: all whose first part is `name`. */
export interface ChannelFamily {
  /** ticks, greeks, chain, surface, marks, health, test. */
  readonly name: string;
  readonly permission: Permission;
  /**
   * The canonical name of the channel that these parts (percent-decoded, the family's name left out) mean, the family's name included
   * (`channelName` writes one), or a sentence that says what is wrong with them. Two spellings of one channel give one name.
   */
  channelOf(parts: readonly string[]): { readonly channel: string } | { readonly fault: string };
  /** The whole state as JSON's text at this moment, in step with the last published frame; null: nothing yet. */
  snapshot(channel: string): string | null;
  /** From now on somebody listens (or may resume): publish. Called once until `unwanted`. */
  wanted(channel: string): void;
  /** Nobody listens, and none may resume any more. */
  unwanted(channel: string): void;
}

/** A frame that has its number from elsewhere: from another process, or from what it tells. */
export interface NumberedFrame {
  readonly seq: number;
  readonly prev: number;
  readonly kind: FrameKind;
  /** JSON's text. */
  readonly data: string;
  readonly at: EpochMicroseconds;
}

/** An op beside the stream's own, which a feature answers. */
export interface StreamOperation {
  readonly op: string;
  readonly permission: Permission;
  /** Of the whole message, `id` and `op` included; closed, and everything in it limited. */
  readonly message: TSchema;
  /** What stands in the answer beside `id` and `ok`. Throws BsoptErrors. At most a few a connection run at once. */
  run(message: unknown, by: Principal): Promise<Readonly<Record<string, unknown>>>;
}

/** What a feature is handed. */
export interface Hub {
  open(family: ChannelFamily): void;
  /** Gives the frame the channel's next number and sends it to all who listen; dropped where the channel is not wanted. `data` is JSON's text. */
  publish(channel: string, kind: FrameKind, data: string, at: EpochMicroseconds): void;
  /**
   * Sends a frame under the number it has. False, and nothing is sent, where a delta or an event builds on another frame than the channel's
   * last, or the number is not above it: then the whole state must come first, as a frame of kind snapshot, which builds on anything.
   */
  publishNumbered(channel: string, frame: NumberedFrame): boolean;
  isWanted(channel: string): boolean;
  /** Answers an op on the socket; once each. */
  answer(operation: StreamOperation): void;
}

/** One client as the hub sees it. Nothing here waits or throws. */
export interface Wire {
  send(text: string): void;
  join(topic: string): void;
  leave(topic: string): void;
  /** Bytes that wait for the client to read. */
  readonly bufferedBytes: number;
  /** Has read nothing for too long. */
  tooSlow(): void;
}

export interface Resolved {
  readonly channel: string;
  readonly family: ChannelFamily;
}

export interface Subscription {
  /** Send the whole state first. */
  readonly snapshot: boolean;
  /** The last frame the client has of it: what came after is sent instead, where it is still known. */
  readonly resumeAfter: number | null;
}

/** What one client listens to. */
export interface Listener {
  readonly channelCount: number;
  /** Permissions that its channels ask for. */
  permissions(): ReadonlySet<Permission>;
  has(channel: string): boolean;
  subscribe(wanted: Resolved, how: Subscription): void;
  unsubscribe(channel: string): void;
  /** It has read something: what it missed is told, and it joins again. */
  drained(): void;
  close(): void;
}

export interface StreamStatistics {
  readonly channels: number;
  readonly subscriptions: number;
  readonly framesPublished: number;
  readonly framesSent: number;
  readonly bytesSent: number;
  readonly lags: number;
  readonly replayBytes: number;
}

/** The hub as the sockets use it. */
export interface StreamHub extends Hub {
  readonly families: readonly ChannelFamily[];
  readonly operations: ReadonlyMap<string, StreamOperation>;
  /** The channel that a client's words mean, or a sentence that says why there is none. */
  resolve(name: string): Resolved | { readonly fault: string };
  /** Whether one more channel would be too many. */
  hasRoomFor(channel: string): boolean;
  listen(wire: Wire): Listener;
  /** How frames reach all who joined a topic; until then, and without it, nobody is reached so. */
  attach(broadcast: (topic: string, text: string) => void): void;
  /** To be called every second: lets go of channels nobody wants, and of clients that do not read. */
  look(): void;
  statistics(): StreamStatistics;
}

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
  /** Since when nobody listens; null: somebody does. */
  idleSinceMilliseconds: number | null;
}

/** Where a listener stands with a channel it is off: the last frame it was sent, and whether that was a whole state it has not read yet. */
interface Away {
  readonly seq: number;
  readonly isFresh: boolean;
}

interface HubState {
  readonly clock: Clock;
  readonly limits: HubOptions["limits"];
  framesSent: number;
  bytesSent: number;
  lags: number;
  subscriptions: number;
  snapshotOf(channel: Channel): string;
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

  const state: HubState = {
    clock,
    limits,
    framesSent: 0,
    bytesSent: 0,
    lags: 0,
    subscriptions: 0,
    snapshotOf(channel) {
      channel.snapshotFrame ??= frameText({
        channelJson: channel.json,
        seq: channel.seq,
        prev: null,
        at: channel.lastAt,
        type: "snapshot",
        data: channel.family.snapshot(channel.name) ?? "null",
      });
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
        idleSinceMilliseconds: clock.monotonicMilliseconds(),
      };
      channels.set(name, channel);
      family.wanted(name);
      return channel;
    },
    find: (name) => channels.get(name),
    forget: (listener) => listeners.delete(listener),
  };

  function send(channel: Channel, { seq, prev, kind, data, at }: NumberedFrame): void {
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
    else if (snapshot || resumeAfter !== null) this.#send(this.#hub.snapshotOf(channel));
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
      if (away === null) continue;
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
        this.#send(this.#hub.snapshotOf(channel));
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
    this.#hub.subscriptions -= 1;
    if (channel.listeners.size === 0) channel.idleSinceMilliseconds = this.#hub.clock.monotonicMilliseconds();
  }

  #send(text: string): void {
    this.#hub.framesSent += 1;
    this.#hub.bytesSent += text.length;
    this.#wire.send(text);
  }
}
