// What a supervisor of feeds decides without looking at a clock: when silence is too long, when garbage is too much, and which quotes stay
// where not all can. Pure, so that each can be tested by itself.

import type { Quote } from "../../domain/quote";

/** Faults that a feed may have in a minute before it is left alone for a while. */
export const faultsPerMinuteMax = 600;
/** How long it is left alone. */
export const restMilliseconds = 60_000;
/** Nothing is waited for longer than this, however often a new connection was of no use. */
const patienceMillisecondsMax = 600_000;
/** Symbols whose latest quote is kept for a taker that is full. */
export const conflatedSymbolsMax = 50_000;

/**
 * How long a feed that is wanted may have no quote before it is connected anew. It doubles with each connection that brought none, since a
 * quiet market and a dead feed look alike.
 */
export function patienceMilliseconds(silenceMilliseconds: number, fruitlessCount: number): number {
  const ceiling = Math.max(silenceMilliseconds, patienceMillisecondsMax);
  return Math.min(ceiling, silenceMilliseconds * 2 ** Math.min(fruitlessCount, 20));
}

/** Counts faults over the last minute, by halves of it. */
export class FaultGauge {
  #windowStart = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** Notes one at a moment in milliseconds; true where there are too many. */
  note(milliseconds: number): boolean {
    if (milliseconds - this.#windowStart >= 60_000) {
      this.#windowStart = milliseconds;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count > faultsPerMinuteMax;
  }
}

/** The latest quote of each symbol, in the order in which symbols were last quoted. */
export class Conflation {
  readonly #latest = new Map<string, Quote>();
  #conflatedCount = 0;
  #droppedCount = 0;

  get count(): number {
    return this.#latest.size;
  }

  /** Quotes that a later one of their symbol took the place of. */
  get conflatedCount(): number {
    return this.#conflatedCount;
  }

  /** Quotes of more symbols than are kept. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  add(batch: readonly Quote[]): void {
    for (const quote of batch) {
      const waiting = this.#latest.get(quote.symbol);
      if (waiting !== undefined) {
        this.#conflatedCount += 1;
        // One that was overtaken on its way must not take the place of the one that overtook it.
        if (isOlder(quote, waiting)) continue;
        this.#latest.delete(quote.symbol);
      } else if (this.#latest.size >= conflatedSymbolsMax) {
        this.#droppedCount += 1;
        this.#latest.delete(this.#latest.keys().next().value!);
      }
      this.#latest.set(quote.symbol, quote);
    }
  }

  /** The first of them, without taking them. */
  first(countMax: number): Quote[] {
    return [...this.#latest.values().take(countMax)];
  }

  /** Takes these away, where no later one has come. */
  remove(quotes: readonly Quote[]): void {
    for (const quote of quotes) if (this.#latest.get(quote.symbol) === quote) this.#latest.delete(quote.symbol);
  }
}

function isOlder(one: Quote, other: Quote): boolean {
  if (one.sourceSequence !== null && other.sourceSequence !== null) return one.sourceSequence < other.sourceSequence;
  return one.at < other.at;
}
