// The canonical name of a listed option: the OSI symbol without spaces, SPXW261218C05800000 = root, yymmdd, C or P,
// strike in thousandths as eight digits. Separate because every room that meets a symbol must read it the same way.
// A strike is an integer of thousandths here and never passes through a float. Must never guess: what is not exactly
// such a symbol is refused with a reason.
//
// Source: Options Symbology Initiative (Options Clearing Corporation, 2010): 21 characters, root padded to six with
// spaces. The padded form is read too and comes back without its spaces.

import { BsoptError } from "../foundation/errors";
import { type CivilDate, isCivilDate } from "./calendar";

export type OptionType = "call" | "put";

/** What an OSI symbol says. */
export interface OsiSymbol {
  /** One to six capital letters or digits, at least one a letter. */
  readonly root: string;
  /** Years 2000 to 2099. */
  readonly expiryDate: CivilDate;
  readonly optionType: OptionType;
  /** Strike × 1000, an integer from 1 to 99,999,999. */
  readonly strikeThousandths: number;
}

/** Why a text is not an OSI symbol. */
export type SymbolFault = "not_osi" | "bad_root" | "no_such_day" | "zero_strike";

/** A sentence for each fault, fit for a person. */
export const symbolFaultDetail: Readonly<Record<SymbolFault, string>> = {
  not_osi: "is not an option symbol such as SPXW261218C05800000 (root, yymmdd, C or P, strike × 1000 in 8 digits)",
  bad_root: "has a root that is not one to six capital letters or digits",
  no_such_day: "names an expiry day that is in no calendar",
  zero_strike: "has a strike of zero",
};

/** Strikes above this don't fit the eight digits of a symbol. */
export const strikeThousandthsMax = 99_999_999;

/** Reads an OSI symbol, with or without the padding of its root, or says why it is none. */
export function parseOsiSymbol(text: string): OsiSymbol | SymbolFault {
  const parts = /^([^ ]{1,6}) {0,5}(\d{2})(\d{2})(\d{2})([CP])(\d{8})$/.exec(text);
  if (!parts) return "not_osi";
  const [, root, year, month, day, side, strike] = parts as unknown as string[];
  if (!isRoot(root!)) return "bad_root";
  const expiryDate = { year: 2000 + Number(year), month: Number(month), day: Number(day) };
  if (!isCivilDate(expiryDate)) return "no_such_day";
  const strikeThousandths = Number(strike);
  if (strikeThousandths === 0) return "zero_strike";
  return { root: root!, expiryDate, optionType: side === "C" ? "call" : "put", strikeThousandths };
}

/** The canonical symbol. Throws BsoptError `invalid` (SYMBOL_UNREPRESENTABLE) where a part does not fit the format. */
export function formatOsiSymbol({ root, expiryDate, optionType, strikeThousandths }: OsiSymbol): string {
  const refuse = (detail: string) =>
    new BsoptError({ reason: "invalid", code: "SYMBOL_UNREPRESENTABLE", detail: `An option symbol ${detail}.` });
  if (!isRoot(root)) throw refuse("needs a root of one to six capital letters or digits");
  if (!isCivilDate(expiryDate) || expiryDate.year < 2000 || expiryDate.year > 2099)
    throw refuse("needs an expiry day of the years 2000 to 2099");
  if (!Number.isInteger(strikeThousandths) || strikeThousandths < 1 || strikeThousandths > strikeThousandthsMax)
    throw refuse("needs a strike from 0.001 to 99,999.999");
  const two = (value: number) => value.toString().padStart(2, "0");
  const { year, month, day } = expiryDate;
  const side = optionType === "call" ? "C" : "P";
  return `${root}${two(year - 2000)}${two(month)}${two(day)}${side}${strikeThousandths.toString().padStart(8, "0")}`;
}

/**
 * A decimal text as an exact integer of thousandths, or null where it is no plain positive decimal, has a digit beyond
 * the third decimal, or does not fit a symbol. "5800", "5800.5" and "5800.500" are read; "58e2" and "-1" are not.
 */
export function strikeThousandthsFromText(text: string): number | null {
  const parts = /^(\d{1,8})(?:\.(\d{1,9}))?$/.exec(text);
  if (!parts) return null;
  const decimals = parts[2] ?? "";
  if (/[1-9]/.test(decimals.slice(3))) return null;
  const value = Number(parts[1]) * 1000 + Number(decimals.slice(0, 3).padEnd(3, "0"));
  return value >= 1 && value <= strikeThousandthsMax ? value : null;
}

/** The strike as a number for a model: the nearest double to the decimal the symbol writes. */
export function strikeFromThousandths(strikeThousandths: number): number {
  return strikeThousandths / 1000;
}

function isRoot(text: string): boolean {
  return /^[A-Z0-9]{1,6}$/.test(text) && /[A-Z]/.test(text);
}
