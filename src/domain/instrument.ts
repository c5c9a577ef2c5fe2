// What a listed option is: its underlying, when and how it settles, how it may be exercised. Derived from the symbol by
// a closed table of index roots; every other root is a US equity or fund option (American, settled at the close).
// Separate from symbol.ts, which only spells. Must never look anything up outside this table.
//
// Source: contract specifications of Cboe (SPX, SPXW, XSP, VIX, RUT, DJX) and Nasdaq (NDX, NDXP).

import type { EpochMicroseconds } from "../foundation/clock";
import { type Settlement, settlementMoment } from "./calendar";
import {
  formatOsiSymbol,
  type OptionType,
  type OsiSymbol,
  parseOsiSymbol,
  type SymbolFault,
  strikeFromThousandths,
} from "./symbol";

export type ExerciseStyle = "european" | "american";

export type InstrumentKind = "underlying" | "option" | "future";

/** Anything quoted. What a kind does not have is null. */
export interface Instrument {
  /** Canonical: OSI without spaces, or venue, colon and the venue's name; an underlying's own ticker. */
  readonly symbol: string;
  readonly kind: InstrumentKind;
  /** The canonical symbol of what it is on; an underlying's own symbol. */
  readonly underlying: string;
  readonly root: string;
  /** The moment of settlement. */
  readonly expiry: EpochMicroseconds | null;
  readonly strike: number | null;
  readonly optionType: OptionType | null;
  readonly style: ExerciseStyle | null;
  readonly settlement: Settlement | null;
  /** Units of the underlying a contract stands for. */
  readonly multiplier: number;
  /** Smallest step of its price; null where nobody said. */
  readonly tickSize: number | null;
  /** ISO 4217, or a coin's ticker. */
  readonly currency: string;
  /** Whose hours and holidays it keeps. */
  readonly calendar: string;
}

/** How the options of one root behave. */
export interface RootConvention {
  readonly underlying: string;
  readonly style: ExerciseStyle;
  readonly settlement: Settlement;
}

/** A listed option with everything its symbol implies. */
export interface OptionContract extends OsiSymbol, RootConvention {
  /** Canonical: OSI without spaces. */
  readonly symbol: string;
  readonly strike: number;
  /** The moment of settlement. */
  readonly expiry: EpochMicroseconds;
}

const indexRoots: ReadonlyMap<string, RootConvention> = new Map(
  (
    [
      ["SPX", "SPX", "am"],
      ["SPXW", "SPX", "pm"],
      ["XSP", "XSP", "pm"],
      ["NDX", "NDX", "am"],
      ["NDXP", "NDX", "pm"],
      ["RUT", "RUT", "am"],
      ["RUTW", "RUT", "pm"],
      ["DJX", "DJX", "am"],
      ["VIX", "VIX", "am"],
      ["VIXW", "VIX", "am"],
    ] as const
  ).map(([root, underlying, settlement]) => [root, { underlying, style: "european", settlement }]),
);

/** The convention of a root; American and settled at the close where the table doesn't hold it. */
export function rootConvention(root: string): RootConvention {
  return indexRoots.get(root) ?? { underlying: root, style: "american", settlement: "pm" };
}

/** The contract a symbol names, or why it names none. */
export function contractFromSymbol(text: string): OptionContract | SymbolFault {
  const parts = parseOsiSymbol(text);
  return typeof parts === "string" ? parts : contractFromParts(parts);
}

/** The contract these parts make. Throws BsoptError `invalid` where they don't fit a symbol. */
export function contractFromParts(parts: OsiSymbol): OptionContract {
  const symbol = formatOsiSymbol(parts);
  const convention = rootConvention(parts.root);
  // formatOsiSymbol has refused years outside 2000 to 2099, so the New York rule always answers.
  const expiry = settlementMoment(parts.expiryDate, convention.settlement)!;
  return { ...parts, ...convention, symbol, strike: strikeFromThousandths(parts.strikeThousandths), expiry };
}
