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

/** The machine's clock. Wall time is milliseconds from Date plus the sub-millisecond part of the performance clock. */
export const systemClock: Clock = {
  nowMicroseconds: () => BigInt(Math.floor((performance.timeOrigin + performance.now()) * 1000)),
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
