// One option's bid and ask, and what may be concluded from them. Separate because "is this a quote?" must have one
// answer for the parity fit, the implied volatilities and, later, the market room. A missing side is NaN here.

import type { EpochMicroseconds } from "../foundation/clock";

/** Why a two-sided price can't be taken from a quote. */
export type QuoteFault = "no_bid" | "no_ask" | "crossed";

/** Both sides of a quote; NaN (or zero, or less) is a missing side. */
export interface QuoteSides {
  readonly bid: number;
  readonly ask: number;
}

/** Whether a side is a price at all: finite and above zero. */
export function isPrice(side: number): boolean {
  return side > 0 && side < Number.POSITIVE_INFINITY;
}

/** What keeps a quote from being two-sided, or null. A locked market (bid = ask) is fine. */
export function quoteFault({ bid, ask }: QuoteSides): QuoteFault | null {
  if (!isPrice(bid)) return "no_bid";
  if (!isPrice(ask)) return "no_ask";
  return bid > ask ? "crossed" : null;
}

/**
 * The middle of a two-sided quote, else NaN. Quotes are decimals: the middle of 3416.4 and 3449.8 is 3433.1, not the
 * double a few ulp above it that halving the doubles' sum gives.
 */
export function midOf(quote: QuoteSides): number {
  if (quoteFault(quote) !== null) return Number.NaN;
  const halved = quote.bid / 2 + quote.ask / 2;
  const decimal = Math.round(halved * priceScale) / priceScale;
  return Math.abs(decimal - halved) <= 4 * Number.EPSILON * halved ? decimal : halved;
}

/** Prices are decimals of at most nine places. */
const priceScale = 1e9;

/** What a venue said of one instrument at one moment. NaN: not told. */
export interface Quote extends QuoteSides {
  /** Canonical. */
  readonly symbol: string;
  /** The venue's moment, not ours. */
  readonly at: EpochMicroseconds;
  readonly bidSize: number;
  readonly askSize: number;
  readonly last: number;
  /** Of the day, in contracts or shares. */
  readonly volume: number;
  readonly openInterest: number;
  /** The venue's own number of this message, rising per symbol; null where it gives none. */
  readonly sourceSequence: number | null;
}
