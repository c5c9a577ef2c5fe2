// The one place that reads time. Everything else is handed a Clock, so tests own the time.

/** Microseconds since 1970-01-01T00:00:00Z. */
export type EpochMicroseconds = bigint;

export interface Clock {
  /** Wall time in microseconds since the epoch. */
  nowMicroseconds(): EpochMicroseconds;
  /** Milliseconds from an arbitrary start, never going backwards; fractional. */
  monotonicMilliseconds(): number;
  /** Resolves after the given time, or at once when the signal aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** How far the machine's wall clock may be off what has passed since the last look before it counts as set anew. */
const stepMillisecondsMin = 250;

/**
 * Wall time: runs with the monotonic clock, which has the microseconds, and follows the machine's wall clock where that is set anew or
 * has gone on while the machine slept. `wallMilliseconds` is Date's, `monotonicMilliseconds` never steps, `originMilliseconds` is
 * the wall time of its 0, where that is known to more than a millisecond.
 */
export function wallClock(
  wallMilliseconds: () => number,
  monotonicMilliseconds: () => number,
  originMilliseconds = wallMilliseconds() - monotonicMilliseconds(),
): () => EpochMicroseconds {
  let origin = originMilliseconds;
  return () => {
    const passed = monotonicMilliseconds();
    const wall = wallMilliseconds();
    // Less may be this thread having been interrupted between the two.
    if (Math.abs(origin + passed - wall) >= stepMillisecondsMin) origin = wall - passed;
    return BigInt(Math.floor((origin + passed) * 1000));
  };
}

/** The machine's clock. */
export const systemClock: Clock = {
  nowMicroseconds: wallClock(Date.now, () => performance.now(), performance.timeOrigin),
  monotonicMilliseconds: () => performance.now(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const timer = setTimeout(done, milliseconds);
      function done() {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      }
      signal?.addEventListener("abort", done, { once: true });
    }),
};

/** A clock a test moves by hand; sleepers wake when the time passes them. */
export class ManualClock implements Clock {
  #microseconds: EpochMicroseconds;
  #sleepers: { wakeAt: EpochMicroseconds; wake: () => void }[] = [];

  constructor(startMicroseconds: EpochMicroseconds = 1_750_000_000_000_000n) {
    this.#microseconds = startMicroseconds;
  }

  nowMicroseconds(): EpochMicroseconds {
    return this.#microseconds;
  }

  monotonicMilliseconds(): number {
    return Number(this.#microseconds) / 1000;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      this.#sleepers.push({ wakeAt: this.#microseconds + BigInt(Math.round(milliseconds * 1000)), wake: resolve });
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  advance(milliseconds: number): void {
    this.#microseconds += BigInt(Math.round(milliseconds * 1000));
    const due = this.#sleepers.filter((sleeper) => sleeper.wakeAt <= this.#microseconds);
    this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.wakeAt > this.#microseconds);
    for (const sleeper of due) sleeper.wake();
  }
}

/** RFC 3339 in UTC with six decimals, e.g. 2026-01-02T03:04:05.678901Z. */
export function formatTimestamp(microseconds: EpochMicroseconds): string {
  const seconds = microseconds / 1_000_000n;
  const rest = microseconds % 1_000_000n;
  const [whole, fraction] = rest < 0n ? [seconds - 1n, rest + 1_000_000n] : [seconds, rest];
  return `${new Date(Number(whole) * 1000).toISOString().slice(0, 19)}.${fraction.toString().padStart(6, "0")}Z`;
}
