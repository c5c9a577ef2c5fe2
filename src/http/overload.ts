// When to tell a client to come back instead of serving it: too many requests under way, or an event loop that does not keep
// up. Separate because it is the one decision made before anything is looked at, so that a refusal costs next to nothing. It
// must never refuse for a single long step: a collection or a large body is no overload.

import type { Clock } from "../foundation/clock";

export interface Overload {
  /** Asked once for each request, before anything is done for it, with how many others are under way. */
  refuses(underWayCount: number): boolean;
  /** Waits with an answer of refusal; null where it is to go out at once. */
  hold(): Promise<void> | null;
}

export interface OverloadOptions {
  readonly clock: Clock;
  /** Requests under way from which on further ones are refused. */
  readonly requestsInFlightMax: number;
  /** How long a turn of the event loop may spend on requests and still be one that keeps up. */
  readonly turnMillisecondsMax: number;
  /** Calls back once the present turn of the event loop is over. */
  readonly afterTurn?: (callback: () => void) => unknown;
}

/** Turns in a row that must have been too long before the loop counts as behind. */
export const longTurnsMin = 3;
/** How long the loop stays behind without a refusal: who was told to come back does so after a second. */
export const behindMilliseconds = 1500;
/** How much of one step counts: what is longer is a collection or a large body, and says nothing of the requests. */
export const stepMillisecondsMax = 5;
/** How long a refusal waits before it goes out. */
export const heldMilliseconds = 100;
/** Refusals that may wait at once; a further one goes out at once. */
export const heldCountMax = 16_384;
/** Refusals that come within this time go out together. */
const heldTogetherMilliseconds = 10;

/**
 * Requests that arrived while the loop was busy are served in one turn, one after the other, and the last waits for all of them.
 * So what is bounded is the turn: never more than twice its time, and half of it once the loop is behind, which shortens the wait
 * of everyone, a probe's and a large body's too, that needs several turns.
 *
 * A refusal is not much cheaper than a price, and who is refused at once asks again at once: told so at three times the load,
 * refusals alone would fill the loop. So they wait, and the connection with them, which costs nothing. It also ends the turn: the runtime
 * takes sockets without looking at anything else for as long as the system has more than a thousand that are ready.
 */
export function createOverload(options: OverloadOptions): Overload {
  // The two bounds are read at each use: they may change.
  const { clock, afterTurn = setImmediate } = options;
  let isInTurn = false;
  let spentMilliseconds = 0;
  let lastMilliseconds = 0;
  let longTurnCount = 0;
  let behindUntilMilliseconds = Number.NEGATIVE_INFINITY;
  let heldCount = 0;
  let held: { readonly sinceMilliseconds: number; readonly over: Promise<void>; count: number } | null = null;

  const spend = (now: number) => {
    spentMilliseconds += Math.min(now - lastMilliseconds, stepMillisecondsMax);
    lastMilliseconds = now;
  };
  const endTurn = () => {
    const now = clock.monotonicMilliseconds();
    spend(now);
    isInTurn = false;
    longTurnCount = spentMilliseconds > options.turnMillisecondsMax ? longTurnCount + 1 : 0;
    if (longTurnCount >= longTurnsMin) behindUntilMilliseconds = now + behindMilliseconds;
  };

  return {
    refuses(underWayCount) {
      const now = clock.monotonicMilliseconds();
      if (isInTurn) spend(now);
      else {
        isInTurn = true;
        spentMilliseconds = 0;
        lastMilliseconds = now;
        afterTurn(endTurn);
      }
      const { requestsInFlightMax, turnMillisecondsMax } = options;
      if (underWayCount >= requestsInFlightMax) return true;
      const isBehind = now < behindUntilMilliseconds;
      if (spentMilliseconds <= (isBehind ? turnMillisecondsMax / 2 : turnMillisecondsMax * 2)) return false;
      if (isBehind) behindUntilMilliseconds = now + behindMilliseconds;
      return true;
    },
    hold() {
      if (heldCount >= heldCountMax) return null;
      const now = clock.monotonicMilliseconds();
      if (held === null || now - held.sinceMilliseconds > heldTogetherMilliseconds) {
        const group = { sinceMilliseconds: now, over: clock.sleep(heldMilliseconds), count: 0 };
        held = group;
        void group.over.then(() => {
          heldCount -= group.count;
          if (held === group) held = null;
        });
      }
      heldCount += 1;
      held.count += 1;
      return held.over;
    },
  };
}
