// The market's channels in processes that do not lead it: wanted of the leader over the bus, and its frames sent on under the leader's numbers, so
// that a channel's frames are numbered the same for every subscriber in every process. Separate from the hub, which knows one process, and from
// the features, which open their families here and are asked nothing while another process leads. Invariants:
//   1. A follower sends on only what builds on what it has; whatever does not is answered by asking for the whole state, never by guessing.
//   2. States and frames of a channel come on one subject from one publisher, so in order: a state is of exactly the frame before it.
//   3. What comes from an earlier lead than the latest known is not taken.
//   4. Numbers only rise: a new leader continues above what any follower has sent on.

import type { Permission } from "../domain/permission";
import type { Principal } from "../domain/principal";
import {
  type ChannelFamily,
  type Hub,
  type Listener,
  later,
  type NumberedFrame,
  type StreamHub,
  type StreamOperation,
  type Wire,
} from "../features/streaming/service";
import { Agent } from "../foundation/agent";
import type { Bus, BusSubscription } from "../foundation/bus";
import type { Clock } from "../foundation/clock";
import { BsoptError, type BsoptErrorOptions } from "../foundation/errors";
import type { Log } from "../foundation/log";

export interface StreamRelayOptions {
  readonly hub: StreamHub;
  /** Null: there is none; channels are then the leader's alone. */
  readonly bus: Bus | null;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RelayStatistics {
  /** Channels that other processes are sent. */
  readonly lentCount: number;
  /** Channels that come from the leader. */
  readonly followedCount: number;
  /** Frames sent on from the leader. */
  readonly relayedCount: number;
  /** Times that something was missing and the whole state was asked for. */
  readonly gapCount: number;
}

export interface StreamRelay {
  /** What features that only the leader runs are handed. */
  readonly hub: Hub;
  /** From now on this process leads, under this number; its features have their state. */
  lead(fence: number): void;
  /** From now on another process does. */
  follow(): void;
  /** Asks for what is missing and says that what it has is still wanted. */
  readonly agent: Agent;
  statistics(): RelayStatistics;
  close(): void;
}

const askSubject = "market.stream";
const leadSubject = "market.lead";
const operationSubject = "market.op";
const operationMillisecondsMax = 10_000;
const roundMilliseconds = 1_000;
/** Rounds between two signs that a channel is still wanted. */
const renewRounds = 5;
/** A follower that has given none for so long wants nothing any more. */
const lapseMilliseconds = 20_000;
const askMillisecondsMax = 3_000;
/** Channels in one question. */
const channelsPerAsk = 500;

/** A channel; where its state is wanted, the number the asker has come to (-1: none) and under which lead; null: it goes on being wanted. */
type Want = readonly [channel: string, reached: number | null, fence: number];

/** A channel that somebody in this process wants. */
interface Followed {
  readonly channel: string;
  readonly family: ChannelFamily;
  subscription: BusSubscription | null;
  /** Its frames build on what this process has. */
  isInStep: boolean;
  needsState: boolean;
  /** The lead that what it has is of. */
  fence: number;
}

/** One that other processes are sent. */
interface Lent {
  readonly subject: string;
  /** Until when each of them wants it. */
  readonly takers: Map<string, number>;
}

/** An op of a client elsewhere, and who asks, which the process that has the client has found out. */
interface AskedOperation {
  readonly op: string;
  readonly message: unknown;
  readonly by: Omit<Principal, "permissions" | "expiresAt"> & { readonly permissions: readonly Permission[] };
}

type AnsweredOperation =
  | { readonly answer: Readonly<Record<string, unknown>> }
  | { readonly problem: Omit<BsoptErrorOptions, "cause" | "hint"> };

const nobody: Wire = { send() {}, join() {}, leave() {}, bufferedBytes: 0, tooSlow() {} };

export function createStreamRelay({ hub, bus, clock, log }: StreamRelayOptions): StreamRelay {
  const wanted = new Map<string, Followed>();
  const lent = new Map<string, Lent>();
  /** Keeps what is lent wanted here. */
  let holder: Listener | null = null;
  /** Its own number while this process leads, else 0. */
  let fence = 0;
  let latestFence = 0;
  let answering: BusSubscription | null = null;
  let running: BusSubscription | null = null;
  const operations = new Map<string, StreamOperation>();
  let isAsking = false;
  let isAskDue = false;
  let round = 0;
  let relayedCount = 0;
  let gapCount = 0;
  let isClosed = false;

  hub.tap((channel, frame) => {
    const { subject } = lent.get(channel) ?? {};
    if (subject !== undefined) bus?.publish(subject, encodeFrame(frame.kind, fence, frame));
  });

  function wrapped(family: ChannelFamily): ChannelFamily {
    const { name, permission } = family;
    return {
      name,
      permission,
      channelOf(parts) {
        if (fence > 0 || bus !== null) return family.channelOf(parts);
        return { fault: "is another process's, and the processes have no bus between them (market_bus)" };
      },
      snapshot(channel) {
        if (fence > 0) return family.snapshot(channel);
        const followed = wanted.get(channel);
        if (followed) needState(followed);
        return later;
      },
      wanted(channel) {
        const followed: Followed = { channel, family, subscription: null, isInStep: false, needsState: false, fence };
        wanted.set(channel, followed);
        if (fence > 0) family.wanted(channel);
        else begin(followed);
      },
      unwanted(channel) {
        const followed = wanted.get(channel);
        wanted.delete(channel);
        if (fence > 0) family.unwanted(channel);
        else followed?.subscription?.end();
      },
    };
  }

  function begin(followed: Followed): void {
    followed.isInStep = false;
    followed.subscription = bus?.subscribe(subjectOf(followed.channel), (bytes) => take(followed, bytes)) ?? null;
    needState(followed);
  }

  function needState(followed: Followed): void {
    followed.needsState = true;
    askSoon();
  }

  /** What the leader sent of a channel. */
  function take(followed: Followed, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame === null || fence > 0 || frame.fence < latestFence) return;
    if (frame.fence > latestFence) becomeOf(frame.fence);
    const { channel } = followed;
    if (frame.kind === "state") {
      // Asked for by another process, perhaps: it serves this one as well, where this one is behind.
      if (followed.isInStep && !followed.needsState && frame.seq === hub.seqOf(channel)) return;
      followed.isInStep = hub.resync(channel, frame);
      if (followed.isInStep) Object.assign(followed, { needsState: false, fence: frame.fence });
      else needState(followed);
      return;
    }
    if (!followed.isInStep) return;
    if (hub.publishNumbered(channel, { ...frame, kind: frame.kind })) relayedCount += 1;
    else if (frame.seq > (hub.seqOf(channel) ?? -1)) {
      gapCount += 1;
      followed.isInStep = false;
      needState(followed);
    }
  }

  /** Another lead than the one that was known: what it has must be asked for anew. */
  function becomeOf(next: number): void {
    latestFence = next;
    if (fence > 0) return;
    for (const followed of wanted.values()) {
      followed.isInStep = false;
      followed.needsState = true;
    }
    askSoon();
  }

  function askSoon(): void {
    isAskDue = true;
    if (!isAsking) void ask();
  }

  /** Asks for every state that is needed; what fails is asked again by the agent's next round. */
  async function ask(): Promise<void> {
    isAsking = true;
    try {
      // Many are wanted within one turn.
      await Promise.resolve();
      while (isAskDue && fence === 0 && !isClosed && bus !== null) {
        isAskDue = false;
        const needing = [...wanted.values()].filter(({ needsState }) => needsState);
        for (let index = 0; index < needing.length; index += channelsPerAsk) {
          const some = needing.slice(index, index + channelsPerAsk);
          await Promise.race([
            Promise.all(some.map(({ subscription }) => subscription?.ready)),
            clock.sleep(askMillisecondsMax),
          ]);
          await want(some.map(({ channel, fence: of }) => [channel, of > 0 ? (hub.seqOf(channel) ?? -1) : -1, of]));
        }
      }
    } catch {
      // The agent asks again.
    } finally {
      isAsking = false;
    }
  }

  async function want(channels: readonly Want[]): Promise<void> {
    const question = JSON.stringify({ from: bus!.self, channels });
    const answer = await bus!.request(askSubject, Buffer.from(question), askMillisecondsMax);
    const { fence: theirs, unknown } = JSON.parse(Buffer.from(answer).toString()) as {
      fence: number;
      unknown: string[];
    };
    if (theirs > latestFence) becomeOf(theirs);
    for (const channel of unknown) {
      const followed = wanted.get(channel);
      if (followed && !followed.needsState) {
        followed.isInStep = false;
        needState(followed);
      }
    }
  }

  /** What a follower wants of the leader. */
  async function lend(bytes: Uint8Array, from: string): Promise<Uint8Array> {
    const { channels } = JSON.parse(Buffer.from(bytes).toString()) as { channels: readonly Want[] };
    const until = clock.monotonicMilliseconds() + lapseMilliseconds;
    const unknown: string[] = [];
    for (const [channel, reached, reachedFence] of channels) {
      const known = lent.get(channel);
      if (reached === null) {
        if (known?.takers.has(from)) known.takers.set(from, until);
        else unknown.push(channel);
        continue;
      }
      const resolved = hub.resolve(channel);
      if ("fault" in resolved || !hub.hasRoomFor(channel)) continue;
      const entry = known ?? { subject: subjectOf(channel), takers: new Map<string, number>() };
      entry.takers.set(from, until);
      if (known === undefined) {
        lent.set(channel, entry);
        holder ??= hub.listen(nobody);
        holder.subscribe(resolved, { snapshot: false, resumeAfter: null });
      }
      // Numbers of another lead may be of other frames: they must be passed. Of this lead, they are at most this process's own.
      sendState(channel, entry, resolved.family, reachedFence === fence ? reached : reached + 1);
    }
    return Buffer.from(JSON.stringify({ fence, unknown }));
  }

  /** The whole state, numbered `seqMin` at least. */
  function sendState(channel: string, { subject }: Lent, family: ChannelFamily, seqMin: number): void {
    const now = clock.nowMicroseconds();
    const data = family.snapshot(channel);
    const text = typeof data === "string" ? data : "null";
    let seq = hub.seqOf(channel) ?? 0;
    if (seq < seqMin) {
      // This process has not come as far as a follower has: everybody goes on from there.
      hub.publishNumbered(channel, { seq: seqMin, prev: seq, kind: "snapshot", data: text, at: now });
      seq = seqMin;
    }
    bus?.publish(subject, encodeFrame("state", fence, { seq, prev: seq, data: text, at: now }));
  }

  /** Lets go of what no follower wants any more. */
  function lapse(): void {
    const now = clock.monotonicMilliseconds();
    for (const [channel, { takers }] of lent) {
      for (const [from, until] of takers) if (until < now) takers.delete(from);
      if (takers.size > 0) continue;
      lent.delete(channel);
      holder?.unsubscribe(channel);
    }
  }

  /** An op that only the leader can answer. */
  async function askOperation(op: string, message: unknown, by: Principal): Promise<Readonly<Record<string, unknown>>> {
    if (bus === null) throw elsewhere(undefined);
    const question: AskedOperation = { op, message, by: { ...withoutEnd(by), permissions: [...by.permissions] } };
    const answer = await bus
      .request(operationSubject, Buffer.from(JSON.stringify(question)), operationMillisecondsMax)
      .catch((error) => {
        throw elsewhere(error);
      });
    const told = JSON.parse(Buffer.from(answer).toString()) as AnsweredOperation;
    if ("problem" in told) throw new BsoptError(told.problem);
    return told.answer;
  }

  async function runOperation(bytes: Uint8Array): Promise<Uint8Array> {
    const { op, message, by } = JSON.parse(Buffer.from(bytes).toString()) as AskedOperation;
    const operation = operations.get(op);
    if (operation === undefined) throw elsewhere(undefined);
    let told: AnsweredOperation;
    try {
      told = { answer: await operation.run(message, { ...by, permissions: new Set(by.permissions) }) };
    } catch (error) {
      if (!(error instanceof BsoptError)) throw error;
      const { reason, code, detail, faults, retryAfterSeconds } = error;
      told = {
        problem: { reason, code, detail, faults, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) },
      };
    }
    return Buffer.from(JSON.stringify(told));
  }

  const announced = bus?.subscribe(leadSubject, (bytes) => {
    const next = Number(Buffer.from(bytes).toString());
    if (Number.isSafeInteger(next) && next >= latestFence && fence === 0) becomeOf(next);
  });
  const stopListening = bus?.onState((state) => {
    if (state !== "connected") return;
    // Whatever was sent meanwhile is lost.
    if (fence > 0) bus.publish(leadSubject, Buffer.from(String(fence)));
    else becomeOf(latestFence);
  });

  return {
    hub: {
      open: (family) => hub.open(wrapped(family)),
      publish(channel, kind, data, at) {
        // A feature that is still being stopped must not number frames beside the leader.
        if (fence > 0) hub.publish(channel, kind, data, at);
      },
      publishNumbered: (channel, frame) => fence === 0 || hub.publishNumbered(channel, frame),
      resync: (channel, state) => fence === 0 || hub.resync(channel, state),
      isWanted: (channel) => fence > 0 && hub.isWanted(channel),
      answer(operation) {
        operations.set(operation.op, operation);
        hub.answer({
          ...operation,
          run: (message, by) => (fence > 0 ? operation.run(message, by) : askOperation(operation.op, message, by)),
        });
      },
    },
    lead(next) {
      if (fence === next) return;
      fence = next;
      latestFence = Math.max(latestFence, next);
      const now = clock.nowMicroseconds();
      for (const followed of wanted.values()) {
        const { channel, family, subscription } = followed;
        subscription?.end();
        followed.subscription = null;
        family.wanted(channel);
        const data = family.snapshot(channel);
        const text = typeof data === "string" ? data : "null";
        hub.publish(channel, "snapshot", text, now);
        followed.fence = next;
        // Whoever waited for the one who led before.
        const seq = hub.seqOf(channel);
        if (seq !== null) hub.resync(channel, { seq, data: text, at: now });
      }
      answering = bus?.answer(askSubject, lend) ?? null;
      running = bus?.answer(operationSubject, runOperation) ?? null;
      void answering?.ready.then(() => bus?.publish(leadSubject, Buffer.from(String(next))));
      if (bus !== null) log.debug({ fence: next }, "this process tells the others of the market");
    },
    follow() {
      if (fence === 0) return;
      fence = 0;
      answering?.end();
      running?.end();
      [answering, running] = [null, null];
      holder?.close();
      holder = null;
      lent.clear();
      for (const followed of wanted.values()) {
        followed.family.unwanted(followed.channel);
        begin(followed);
      }
    },
    agent: new Agent({
      name: "stream-relay",
      intervalMilliseconds: roundMilliseconds,
      failuresMax: Number.POSITIVE_INFINITY,
      clock,
      async round() {
        round += 1;
        if (fence > 0) {
          lapse();
          return;
        }
        if (bus?.state !== "connected" || wanted.size === 0) return;
        if ([...wanted.values()].some(({ needsState }) => needsState)) askSoon();
        if (round % renewRounds !== 0) return;
        const all = [...wanted.keys()];
        for (let index = 0; index < all.length; index += channelsPerAsk)
          await want(all.slice(index, index + channelsPerAsk).map((channel) => [channel, null, 0]));
      },
      // That nobody leads for a moment is told where it is settled who does.
      onFailure: () => undefined,
    }),
    statistics: () => ({
      lentCount: lent.size,
      followedCount: fence > 0 ? 0 : wanted.size,
      ...{ relayedCount, gapCount },
    }),
    close() {
      isClosed = true;
      stopListening?.();
      announced?.end();
      answering?.end();
      running?.end();
      holder?.close();
      for (const { subscription } of wanted.values()) subscription?.end();
    },
  };
}

function withoutEnd({ userId, role, credential, rateClass }: Principal) {
  return { userId, role, credential, rateClass };
}

function elsewhere(cause: unknown): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "MARKET_ELSEWHERE",
    detail: "The market is led by another process, which cannot be reached from here now.",
    retryAfterSeconds: 1,
    cause,
  });
}

/** Subjects are letters, digits, dash and underscore. */
function subjectOf(channel: string): string {
  return `frames.${Buffer.from(channel).toString("base64url")}`;
}

interface RelayedFrame extends Omit<NumberedFrame, "kind"> {
  readonly kind: NumberedFrame["kind"] | "state";
  readonly fence: number;
}

/** A line of numbers, then the data's text as it is. */
function encodeFrame(kind: RelayedFrame["kind"], fence: number, frame: Omit<NumberedFrame, "kind">): Uint8Array {
  return Buffer.from(`${kind} ${fence} ${frame.seq} ${frame.prev} ${frame.at}\n${frame.data}`);
}

/** Null where it is no such frame, as of another version. */
function decodeFrame(bytes: Uint8Array): RelayedFrame | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  const end = text.indexOf("\n");
  const head = /^(snapshot|delta|event|state) (\d{1,16}) (\d{1,16}) (\d{1,16}) (\d{1,19})$/.exec(text.slice(0, end));
  if (end < 0 || head === null) return null;
  const [, kind, fence, seq, prev, at] = head;
  return {
    kind: kind as RelayedFrame["kind"],
    fence: Number(fence),
    seq: Number(seq),
    prev: Number(prev),
    at: BigInt(at!),
    data: text.slice(end + 1),
  };
}
