// Which request is served when there are more than can be: a turn of the event loop serves for so long, what came beside that waits
// in line for the next turns, and what has waited too long is told to come back. Separate because it is the one decision made before
// anything is looked at. It must never refuse for a single long step: a collection or a large body is no overload.

import { BoundedQueue } from "../foundation/bounded-queue";
import type { Clock } from "../foundation/clock";

/** What becomes of a request that waits: it is served, or told to come back. */
export type Verdict = "serve" | "refuse";

export interface Overload {
  /** Asked once for each request, with how many are under way: whether it may be served as it comes. */
  servesNow(underWayCount: number): boolean;
  /** Gets in line with a body of so many bytes (null: unknown); null where there is no room and it is to be refused at once. */
  wait(bodyBytes: number | null): Promise<Verdict> | null;
  /** Requests that wait in line. */
  readonly waitingCount: number;
}

export interface OverloadOptions {
  readonly clock: Clock;
  /** Requests under way from which on further ones wait. */
  readonly requestsInFlightMax: number;
  /** How long a turn of the event loop may serve requests as they come. */
  readonly turnMillisecondsMax: number;
  /** How many requests are under way. */
  readonly underWayCount: () => number;
  /** Calls back once the present turn of the event loop is over. */
  readonly afterTurn?: (callback: () => void) => unknown;
}

/** How much of one step counts: what is longer is a collection or a large body, and says nothing of the requests. */
export const stepMillisecondsMax = 5;
/** How long a request waits before it is told to come back. */
export const waitMillisecondsMax = 250;
/** Requests that may wait; a further one is told to come back at once. */
export const waitingCountMax = 16_384;
/** Bytes of bodies that may wait with their requests: the runtime takes them in meanwhile. */
export const waitingBytesMax = 67_108_864;
/** What a body of unknown length counts for. */
const unknownBytes = 1_048_576;
/** Refusals in a turn that serves the line: some 1.5 ms of it, so that most of it is left for serving. */
export const refusalsPerTurnMax = 96;
/** How soon it is looked again where nothing may be served, because too much is under way. */
const lookMilliseconds = 10;
/** Requests taken from the line in a turn, to begin with and at most. */
const takenCountFirst = 32;
const takenCountMax = 512;
/** A turn that takes requests from the line should be of such a length: probes are answered between two. */
const takenMillisecondsMin = 4;
const takenMillisecondsMax = 10;

interface Waiting {
  readonly sinceMilliseconds: number;
  readonly bodyBytes: number;
  readonly decide: (verdict: Verdict) => void;
}

/**
 * Requests that arrived while the loop was busy come in one turn, one after the other, and the last would wait for all of them, a probe
 * too. So a turn serves for its time, and the rest gets in line, which costs little and ends the turn: the runtime takes sockets without looking
 * at anything else for as long as the system has more than a thousand that are ready. The line is served in its order, some in each turn.
 *
 * A refusal is not much cheaper than a price, and who is refused at once asks again at once: told so at three times the load, refusals alone
 * would fill the loop. So nobody is refused who can be served within the time that a request may wait, and refusals keep to a share of the loop.
 */
export function createOverload(options: OverloadOptions): Overload {
  // The two bounds are read at each use: they may change.
  const { clock, underWayCount, afterTurn = setImmediate } = options;
  const line = new BoundedQueue<Waiting>(waitingCountMax);
  let isInTurn = false;
  let spentMilliseconds = 0;
  let lastMilliseconds = 0;
  let waitingBytes = 0;
  let takenCount = takenCountFirst;
  let takenAtMilliseconds: number | null = null;

  const endTurn = () => {
    isInTurn = false;
  };
  const leave = (verdict: Verdict): void => {
    const waiting = line.shift();
    if (waiting === undefined) return;
    waitingBytes -= waiting.bodyBytes;
    waiting.decide(verdict);
  };

  /** Serves the next in line. */
  const take = () => {
    const now = clock.monotonicMilliseconds();
    if (takenAtMilliseconds !== null) {
      const took = now - takenAtMilliseconds;
      if (took > takenMillisecondsMax) takenCount = Math.max(1, takenCount >> 1);
      else if (took < takenMillisecondsMin) takenCount = Math.min(takenCountMax, takenCount * 2);
    }
    let refusals = refusalsPerTurnMax;
    for (let oldest = line.peek(); oldest !== undefined && refusals > 0; oldest = line.peek()) {
      if (now - oldest.sinceMilliseconds <= waitMillisecondsMax) break;
      leave("refuse");
      refusals -= 1;
    }
    const room = options.requestsInFlightMax - underWayCount();
    for (let count = Math.min(takenCount, room); count > 0 && line.count > 0; count--) leave("serve");
    takenAtMilliseconds = null;
    if (line.count === 0) return;
    if (room <= 0) void clock.sleep(lookMilliseconds).then(take);
    else {
      takenAtMilliseconds = now;
      afterTurn(take);
    }
  };

  return {
    get waitingCount() {
      return line.count;
    },
    servesNow(underWay) {
      const now = clock.monotonicMilliseconds();
      if (isInTurn) {
        spentMilliseconds += Math.min(now - lastMilliseconds, stepMillisecondsMax);
        lastMilliseconds = now;
      } else {
        isInTurn = true;
        spentMilliseconds = 0;
        lastMilliseconds = now;
        afterTurn(endTurn);
      }
      const { turnMillisecondsMax, requestsInFlightMax } = options;
      return line.count === 0 && spentMilliseconds <= turnMillisecondsMax && underWay < requestsInFlightMax;
    },
    wait(bodyBytes) {
      const bytes = bodyBytes ?? unknownBytes;
      if (waitingBytes + bytes > waitingBytesMax) return null;
      const { promise, resolve } = Promise.withResolvers<Verdict>();
      if (!line.push({ sinceMilliseconds: clock.monotonicMilliseconds(), bodyBytes: bytes, decide: resolve }))
        return null;
      waitingBytes += bytes;
      if (line.count === 1) afterTurn(take);
      return promise;
    },
  };
}
