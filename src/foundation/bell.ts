// Sleeping until a time or until somebody rings, whichever comes first. Separate from the clock, whose sleepers are woken one by one. A ring that
// comes while nobody sleeps is kept for the next who does, so that none is missed.

import type { Clock } from "./clock";

export class Bell {
  readonly #clock: Clock;
  #hasRung = false;
  #wake: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#hasRung = true;
    this.#wake?.();
  }

  /** For one sleeper at a time; Infinity sleeps until the bell rings. */
  async sleep(milliseconds: number): Promise<void> {
    if (!this.#hasRung) {
      const done = new AbortController();
      const rung = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (milliseconds === Number.POSITIVE_INFINITY) await rung;
      else await Promise.race([rung, this.#clock.sleep(milliseconds, done.signal)]);
      this.#wake = null;
      done.abort();
    }
    this.#hasRung = false;
  }
}
