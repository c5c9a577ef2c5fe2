// When to tell a client to come back instead of serving it: too many requests under way, or an event loop that has not kept up
// for several turns. Separate because it is the one decision made before anything is looked at, so that a refusal costs next
// to nothing. It must never refuse for a single long turn: a collection or a large body is no overload.

import type { Clock } from "../foundation/clock";

export interface Overload {
  /** Asked once for each request, before anything is done for it, with how many others are under way. */
  refuses(underWayCount: number): boolean;
  /** Requests refused since the start. */
  readonly refusedCount: number;
}

export interface OverloadOptions {
  readonly clock: Clock;
  /** Requests under way from which on further ones are refused. */
  readonly requestsInFlightMax: number;
  /** How long one turn of the event loop may spend on requests, where the turns before it were as long. */
  readonly turnMillisecondsMax: number;
  /** Calls back once the present turn of the event loop is over. */
  readonly afterTurn?: (callback: () => void) => unknown;
}

/** Turns in a row that must have been too long before any request is refused. */
export const longTurnsMin = 3;

/**
 * Requests that arrived while the loop was busy are served in one turn, one after the other, and the last waits for all of them.
 * So what is bounded is the turn: past its time the rest of it is refused, which takes some microseconds each, and everyone,
 * a probe too, is answered within about that time. It ends with the first turn that was short enough.
 */
export function createOverload(options: OverloadOptions): Overload {
  // The two bounds are read at each use: they may change.
  const { clock, afterTurn = setImmediate } = options;
  let beganMilliseconds: number | null = null;
  let longTurnCount = 0;
  let refusedCount = 0;

  const endTurn = () => {
    const tookMilliseconds = clock.monotonicMilliseconds() - (beganMilliseconds ?? 0);
    longTurnCount = tookMilliseconds > options.turnMillisecondsMax ? longTurnCount + 1 : 0;
    beganMilliseconds = null;
  };

  return {
    get refusedCount() {
      return refusedCount;
    },
    refuses(underWayCount) {
      const now = clock.monotonicMilliseconds();
      let isRefused = underWayCount >= options.requestsInFlightMax;
      if (beganMilliseconds === null) {
        beganMilliseconds = now;
        afterTurn(endTurn);
      } else if (longTurnCount >= longTurnsMin && now - beganMilliseconds > options.turnMillisecondsMax) {
        isRefused = true;
      }
      if (isRefused) refusedCount += 1;
      return isRefused;
    },
  };
}
