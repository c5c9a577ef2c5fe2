// How long things took since the start, by name: one high-dynamic-range histogram each, of the runtime's own making,
// at three significant digits from a microsecond to a minute. Recording is some ten nanoseconds and allocates nothing.

import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

export interface LatencySummary {
  readonly count: number;
  /** Milliseconds; null while nothing was recorded. */
  readonly p50Milliseconds: number | null;
  readonly p95Milliseconds: number | null;
  readonly p99Milliseconds: number | null;
  readonly maxMilliseconds: number | null;
}

const highestMicroseconds = 60_000_000;

export class LatencyBook {
  readonly #histograms = new Map<string, RecordableHistogram>();

  /** The names are known from the beginning, so that a figure that nobody counted yet reads as none and not as absent. */
  constructor(names: readonly string[]) {
    for (const name of names) {
      this.#histograms.set(name, createHistogram({ lowest: 1, highest: highestMicroseconds, figures: 3 }));
    }
  }

  /** Counts one. Under a microsecond counts as one, over a minute as a minute. An unknown name is not counted. */
  record(name: string, milliseconds: number): void {
    const microseconds = Math.min(Math.max(Math.round(milliseconds * 1000), 1), highestMicroseconds);
    this.#histograms.get(name)?.record(microseconds);
  }

  summary(name: string): LatencySummary {
    const histogram = this.#histograms.get(name);
    const count = histogram?.count ?? 0;
    const at = (percentile: number) => (histogram && count > 0 ? histogram.percentile(percentile) / 1000 : null);
    return {
      count,
      p50Milliseconds: at(50),
      p95Milliseconds: at(95),
      p99Milliseconds: at(99),
      maxMilliseconds: histogram && count > 0 ? histogram.max / 1000 : null,
    };
  }
}
