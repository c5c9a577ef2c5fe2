// What may be written a little later: kept in a bounded queue and written a few at a time. The first is written at once; those that
// come within a rest after it are written together, so that a flood of small writes does not cost a commit each.
// Separate from the audit log, which knows what is written. It must never hold more than its bound, and what could not be written
// stays for the next try.

import { BoundedQueue } from "./bounded-queue";
import type { Clock } from "./clock";

export interface BacklogOptions<Item> {
  readonly clock: Clock;
  /** Items waiting; one more is not taken. */
  readonly countMax: number;
  /** Items of one write: a few milliseconds of the event loop. */
  readonly perWriteMax: number;
  /** What comes within this time after a write waits for its end. */
  readonly restMilliseconds: number;
  readonly write: (items: readonly Item[]) => Promise<unknown>;
  /** Told why a write failed; those items wait again, behind the others. `lost` of them found no place. */
  readonly onFailure: (error: unknown, lost: number) => void;
}

export class Backlog<Item> {
  readonly #options: BacklogOptions<Item>;
  readonly #waiting: BoundedQueue<Item>;
  #writing: Promise<void> | null = null;
  /** Ends the rest under way. */
  #rest = new AbortController();
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(options: BacklogOptions<Item>) {
    this.#options = options;
    this.#waiting = new BoundedQueue(options.countMax);
  }

  get count(): number {
    return this.#waiting.count;
  }

  /** False where there is no room. */
  push(item: Item): boolean {
    if (!this.#waiting.push(item)) return false;
    this.#writing ??= this.#writeAll();
    return true;
  }

  /** Writes what waits, without resting; settles when it is written or a write has failed. */
  async flush(): Promise<void> {
    this.#rest.abort();
    this.#rest = new AbortController();
    if (this.#waiting.count > 0) this.#writing ??= this.#writeAll();
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    const { clock, perWriteMax, restMilliseconds, write, onFailure } = this.#options;
    const { signal } = this.#rest;
    try {
      while (this.#waiting.count > 0) {
        const restingMilliseconds = this.#writtenAt + restMilliseconds - clock.monotonicMilliseconds();
        if (restingMilliseconds > 0 && !signal.aborted) await clock.sleep(restingMilliseconds, signal);
        for (let left = this.#waiting.count; left > 0; left -= perWriteMax) {
          const items = this.#waiting.take(Math.min(left, perWriteMax));
          try {
            await write(items);
          } catch (error) {
            onFailure(error, items.filter((item) => !this.#waiting.push(item)).length);
            return;
          }
        }
        this.#writtenAt = clock.monotonicMilliseconds();
      }
    } finally {
      this.#writing = null;
    }
  }
}
