// How long to wait before trying again. Pure: the caller brings the randomness and does the sleeping.

import type { Random } from "./random";

export interface BackoffOptions {
  /** 0 for the first wait. */
  readonly attemptIndex: number;
  readonly baseMilliseconds: number;
  readonly waitMillisecondsMax: number;
  readonly random: Random;
}

/**
 * Milliseconds to wait: the base doubles each attempt up to the maximum, and the wait is uniform between
 * half of that and the whole, so that several processes which failed together do not return together and
 * none returns at once.
 */
export function backoffMilliseconds(options: BackoffOptions): number {
  const { attemptIndex, baseMilliseconds, waitMillisecondsMax, random } = options;
  const ceiling = Math.min(waitMillisecondsMax, baseMilliseconds * 2 ** Math.min(attemptIndex, 30));
  return ceiling / 2 + (ceiling / 2) * random.unit();
}
