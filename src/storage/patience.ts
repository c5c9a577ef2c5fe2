// Waiting for a lock that another process holds, outside SQLite, so that the event loop goes on. Used while a
// database is opened and migrated; the writer has its own waiting, because it must look after a queue.

import { backoffMilliseconds } from "../foundation/backoff";
import type { Clock } from "../foundation/clock";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import { asBsoptError, isBusy } from "./database-error";

/** First wait between two tries for the lock. */
export const busyBaseMilliseconds = 2;
/** Longest single wait: about the time another process's group of writes takes. */
export const busyWaitMillisecondsMax = 25;

export interface Patience {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Milliseconds from the first try after which SQLITE_BUSY is final. */
  readonly busyMillisecondsMax: number;
}

/** Tries until it works, fails otherwise than busy, or the time is over (then DATABASE_BUSY). `recover` runs before each further try. */
export async function whileBusy<T>(
  patience: Patience,
  attempt: () => Promise<T>,
  recover: () => void = () => {},
): Promise<T> {
  const { clock, random, log, busyMillisecondsMax } = patience;
  const begunAt = clock.monotonicMilliseconds();
  for (let attemptIndex = 0; ; attemptIndex++) {
    try {
      return await attempt();
    } catch (error) {
      recover();
      const waited = clock.monotonicMilliseconds() - begunAt;
      if (!isBusy(error) || waited >= busyMillisecondsMax) throw asBsoptError(error);
      if (attemptIndex === 0) log.debug({ waited_ms: waited }, "another process holds the database; waiting");
    }
    const baseMilliseconds = busyBaseMilliseconds;
    await clock.sleep(
      backoffMilliseconds({ attemptIndex, baseMilliseconds, waitMillisecondsMax: busyWaitMillisecondsMax, random }),
    );
  }
}
