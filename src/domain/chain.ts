// The shape in which a chain of option quotes travels from whoever read it to whoever values it, which may not know
// each other. A row keeps its place in its file even where it could not be read, so that nothing vanishes silently.

import type { EpochMicroseconds } from "../foundation/clock";
import type { OptionContract } from "./instrument";
import type { QuoteSides } from "./quote";

/** One option of a chain as quoted. NaN stands for a number the file doesn't give. */
export interface ChainRow extends QuoteSides {
  /** What the option is; null where the row could not be read. */
  readonly contract: OptionContract | null;
  /** The moment the row is valued at. */
  readonly asOf: EpochMicroseconds;
  readonly spot: number;
  /** The file's own volatility, NaN where it gives none or prints 0. */
  readonly vendorVolatility: number;
  /** The file's own delta, for comparison only. */
  readonly vendorDelta: number;
}

/** A cell or row that could not be read: where, and what was expected there. */
export interface ReadingFault {
  readonly file: string;
  /** Counting from 1. */
  readonly line: number;
  readonly detail: string;
}

/** What one file gave. */
export interface ChainFile {
  readonly name: string;
  readonly kind: "cboe_quote_table" | "plain_columns";
  readonly rows: readonly ChainRow[];
  /** At most `readingFaultsMax`; `faultCount` counts them all. */
  readonly faults: readonly ReadingFault[];
  readonly faultCount: number;
}

/** How many faults a reader keeps in words. */
export const readingFaultsMax = 100;
