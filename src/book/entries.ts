// What enters a book and what it may say: the entries of its record, its settings, and the closed lists of words for sources and
// reasons. Separate from the book because the codec, the archive and every view speak these words without holding a book.

import type { Instrument } from "../domain/instrument";
import type { Quote } from "../domain/quote";
import type { EpochMicroseconds } from "../foundation/clock";

/** Where an option's volatility comes from first. */
export const volatilityModes = ["surface", "quote"] as const;

export type VolatilityMode = (typeof volatilityModes)[number];

/** How a book judges and values. Part of its state: two books with other settings say other things. */
export interface BookSettings {
  readonly volatility: VolatilityMode;
  /** A quote received longer ago than this is stale. */
  readonly staleMicroseconds: number;
  /** The same of the underlying's own quote. */
  readonly spotStaleMicroseconds: number;
  /** Continuous; null: inferred from parity. */
  readonly rate: number | null;
  /** Continuous; null: inferred from parity. */
  readonly dividendYield: number | null;
}

export const defaultBookSettings: BookSettings = {
  volatility: "surface",
  staleMicroseconds: 60_000_000,
  spotStaleMicroseconds: 60_000_000,
  rate: null,
  dividendYield: null,
};

/** One line of a book's record. The same lines in the same order give the same bits. */
export type BookEntry =
  | { readonly kind: "list"; readonly instruments: readonly Instrument[] }
  | { readonly kind: "unlist"; readonly symbols: readonly string[] }
  | { readonly kind: "quote"; readonly quote: Quote; readonly receivedAt: EpochMicroseconds }
  /** The quotes of this moment are what the next refit fits. */
  | { readonly kind: "refit_begin"; readonly at: EpochMicroseconds }
  /** What was fitted holds from here on: of the last `refit_begin`, or, where there was none since, of now. */
  | { readonly kind: "refit"; readonly at: EpochMicroseconds }
  | { readonly kind: "value"; readonly at: EpochMicroseconds }
  | { readonly kind: "settings"; readonly settings: BookSettings };

/** What became of a quote. */
export type Applied = "applied" | "duplicate" | "late" | "unknown";

/** What a quote is good for; `ok` is two-sided, not crossed and fresh. */
export const quoteStates = ["ok", "no_quote", "one_sided", "crossed", "stale"] as const;

export type QuoteState = (typeof quoteStates)[number];

/** Why an option has no value, or, beside `expired`, what is special about it; the first means nothing is. */
export const bookReasons = [
  "none",
  "no_quote",
  "one_sided",
  "crossed",
  "stale",
  "no_spot",
  "no_forward",
  "below_intrinsic",
  "above_maximum",
  "not_converged",
  "non_finite",
  "out_of_domain",
  "pending",
  "expired",
] as const;

export type BookReason = (typeof bookReasons)[number];

/** Where the volatility that an option is priced at was taken from. */
export const volatilitySources = ["none", "quote", "surface"] as const;

export type VolatilitySource = (typeof volatilitySources)[number];

/** Where the spot comes from. `last` where the underlying has no two sides; `parity` by the nearest forward. */
export const spotSources = ["none", "mid", "last", "parity", "stale"] as const;

export type SpotSource = (typeof spotSources)[number];

/** Where an expiry's forward comes from; `carried` is an earlier fit's ratio to spot, `interpolated` its neighbours'. */
export const forwardSources = [
  "none",
  "parity",
  "parity_with_rate",
  "parity_with_dividend_yield",
  "given",
  "carried",
  "future",
  "interpolated",
] as const;

export type ForwardSource = (typeof forwardSources)[number];

/** What one valuation came to. */
export interface ValuationReport {
  readonly optionCount: number;
  /** Options without a price. */
  readonly nullCount: number;
}
