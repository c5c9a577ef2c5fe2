// Takes what a feed gives and keeps it, for tests that judge feeds from outside; and waits for a condition rather than for time.

import type { FeedSink, FeedState } from "../../src/adapters/feeds/feed";
import type { Instrument } from "../../src/domain/instrument";
import type { Quote } from "../../src/domain/quote";

/** A taker that remembers everything; full while `isFull`. */
export class CollectingSink implements FeedSink {
  readonly taken: Quote[] = [];
  readonly batches: (readonly Quote[])[] = [];
  readonly listed: Instrument[] = [];
  readonly states: FeedState[] = [];
  readonly gaps: { missingCount: number; detail: string }[] = [];
  readonly faults: string[] = [];
  isFull = false;
  refusedCount = 0;

  quotes(batch: readonly Quote[]): boolean {
    if (this.isFull) {
      this.refusedCount += 1;
      return false;
    }
    this.taken.push(...batch);
    this.batches.push(batch);
    return true;
  }

  instruments(listed: readonly Instrument[]): void {
    this.listed.push(...listed);
  }

  state(state: FeedState): void {
    this.states.push(state);
  }

  gap(missingCount: number, detail: string): void {
    this.gaps.push({ missingCount, detail });
  }

  fault(detail: string): void {
    this.faults.push(detail);
  }
}

/** Waits until something holds, looking at every turn of the event loop; throws, saying what, after ten seconds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`did not come to hold: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** A quote with everything told but for what is given. */
export function quoteOf(part: Partial<Quote> & { readonly symbol: string; readonly at: bigint }): Quote {
  const told = { bid: 1, ask: 1.2, bidSize: 5, askSize: 7, last: 1.1, volume: 12, openInterest: 30, sourceSequence: 1 };
  return { ...told, ...part };
}
