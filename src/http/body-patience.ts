// How long a body may take to arrive. Separate from reading it because it is the one bound on time there: the runtime cuts a
// connection that is silent, but not one that sends a byte now and then, and each such body holds a place among the requests under way.

import type { Clock } from "../foundation/clock";

/** Every body has this long, whatever its size. */
export const bodyGraceMilliseconds = 10_000;
/** What must have come for every second beyond that, on average since its beginning. */
export const bodyBytesPerSecondMin = 16_384;
/** How often the bodies under way are looked through. */
export const bodyLookMilliseconds = 1000;

interface Awaited {
  readonly begunMilliseconds: number;
  readonly bytes: number | (() => number);
  readonly giveUp: () => void;
}

function deadlineOf({ begunMilliseconds, bytes }: Awaited): number {
  const count = typeof bytes === "number" ? bytes : bytes();
  return begunMilliseconds + bodyGraceMilliseconds + (count / bodyBytesPerSecondMin) * 1000;
}

export class BodyPatience {
  readonly #clock: Clock;
  readonly #awaited = new Set<Awaited>();
  #isLooking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Bodies that are waited for now; as many as requests are under way at most. */
  get awaitedCount(): number {
    return this.#awaited.size;
  }

  /**
   * Waits for what arrives; rejects with `tooSlow` where that takes longer than so many bytes may. A function is asked again at
   * each look: where a body has no length it is what has come so far.
   */
  within<T>(arriving: Promise<T>, bytes: number | (() => number), tooSlow: () => Error): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const entry: Awaited = {
        begunMilliseconds: this.#clock.monotonicMilliseconds(),
        bytes,
        giveUp: () => reject(tooSlow()),
      };
      this.#awaited.add(entry);
      arriving.then(
        (value) => {
          this.#awaited.delete(entry);
          resolve(value);
        },
        (error) => {
          this.#awaited.delete(entry);
          reject(error);
        },
      );
      if (!this.#isLooking) void this.#look();
    });
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#awaited.size > 0) {
      await this.#clock.sleep(bodyLookMilliseconds);
      const now = this.#clock.monotonicMilliseconds();
      for (const entry of this.#awaited) {
        if (deadlineOf(entry) >= now) continue;
        this.#awaited.delete(entry);
        entry.giveUp();
      }
    }
    this.#isLooking = false;
  }
}
