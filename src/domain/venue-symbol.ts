// Names of contracts as two exchanges write them, behind the exchange's own name and a colon: deribit:BTC-27DEC26-50000-C and
// nse:NIFTY25NOV24000CE. Separate from symbol.ts because each exchange has a grammar of its own, and OSI's canonical form has
// no prefix. What is not exactly such a name is refused with a reason; a strike stays the decimal it is written as. Must never
// guess: a contract whose name would be read as another's has none.
//
// Sources: Deribit, "Naming" of its API documentation (a strike's decimal point is the letter d; days have no leading zero); NSE's
// trading symbols as brokers list them (monthly: year and month's name; weekly: year, month as 1–9, O, N or D, and day).

import { BsoptError } from "../foundation/errors";
import { type CivilDate, isCivilDate } from "./calendar";
import type { OptionType } from "./symbol";

/** When an NSE contract expires: a monthly one tells no day, which its calendar does. */
export interface ListedMonth {
  readonly year: number;
  readonly month: number;
  /** Null: the month's own expiry. */
  readonly day: number | null;
}

interface OptionTerms {
  readonly kind: "option";
  /** A positive decimal without superfluous zeros, at most 12 digits before the point and 9 behind it. */
  readonly strike: string;
  readonly optionType: OptionType;
}

/** What a name says. */
export type VenueSymbol =
  | ({ readonly venue: "deribit"; readonly underlying: string; readonly expiryDate: CivilDate } & OptionTerms)
  | {
      readonly venue: "deribit";
      readonly kind: "future";
      readonly underlying: string;
      readonly expiryDate: CivilDate;
    }
  | { readonly venue: "deribit"; readonly kind: "perpetual"; readonly underlying: string }
  | ({ readonly venue: "nse"; readonly underlying: string; readonly expiry: ListedMonth } & OptionTerms)
  | { readonly venue: "nse"; readonly kind: "future"; readonly underlying: string; readonly expiry: ListedMonth };

/** Why a text is no such name. */
export type VenueSymbolFault = "unknown_venue" | "not_deribit" | "not_nse" | "no_such_day" | "bad_strike";

/** A sentence for each fault, fit for a person. */
export const venueSymbolFaultDetail: Readonly<Record<VenueSymbolFault, string>> = {
  unknown_venue: "names no exchange known here; deribit: and nse: are",
  not_deribit: "is not a name such as deribit:BTC-27DEC26-50000-C, deribit:BTC-27DEC26 or deribit:BTC-PERPETUAL",
  not_nse: "is not a name such as nse:NIFTY25NOV24000CE, nse:NIFTY2511124000CE or nse:NIFTY25NOVFUT",
  no_such_day: "names an expiry day that is in no calendar",
  bad_strike: "has a strike that is no positive decimal without superfluous zeros",
};

const monthNames = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"] as const;
const monthPattern = monthNames.join("|");
/** NSE's weekly names have one letter or digit for a month. */
const weeklyMonths = "123456789OND";

const strikePattern = /^(?:0|[1-9]\d{0,11})(?:\.\d{0,8}[1-9])?$/;

const deribitContract = new RegExp(
  `^([A-Z][A-Z0-9]{0,11}(?:_[A-Z]{3,5})?)-([1-9]|[12]\\d|3[01])(${monthPattern})(\\d{2})(?:-([0-9d]{1,22})-([CP]))?$`,
);
const deribitPerpetual = /^([A-Z][A-Z0-9]{0,11}(?:_[A-Z]{3,5})?)-PERPETUAL$/;
// The shortest underlying that leaves the rest well-formed.
const nseMonthly = new RegExp(`^([A-Z0-9&-]{1,20}?)(\\d{2})(${monthPattern})(?:([0-9.]{1,22})(CE|PE)|FUT)$`);
const nseWeekly = /^([A-Z0-9&-]{0,19}?[A-Z&-])(\d{2})([1-9OND])(\d{2})([0-9.]{1,22})(CE|PE)$/;

/** Reads a name, or says why it is none. */
export function parseVenueSymbol(text: string): VenueSymbol | VenueSymbolFault {
  const colon = text.indexOf(":");
  switch (text.slice(0, Math.max(0, colon))) {
    case "deribit":
      return parseDeribit(text.slice(colon + 1));
    case "nse":
      return parseNse(text.slice(colon + 1));
    default:
      return "unknown_venue";
  }
}

function parseDeribit(name: string): VenueSymbol | VenueSymbolFault {
  const perpetual = deribitPerpetual.exec(name)?.[1];
  if (perpetual !== undefined) return { venue: "deribit", kind: "perpetual", underlying: perpetual };
  const parts = deribitContract.exec(name);
  if (!parts) return "not_deribit";
  const [, underlying, day, month, year, strikeText, side] = parts as unknown as [
    string,
    string,
    string,
    Month,
    string,
  ] &
    (string | undefined)[];
  const expiryDate = { year: 2000 + Number(year), month: monthNames.indexOf(month) + 1, day: Number(day) };
  if (!isCivilDate(expiryDate)) return "no_such_day";
  if (strikeText === undefined) return { venue: "deribit", kind: "future", underlying, expiryDate };
  const strike = strikeText.replace("d", ".");
  if (!isStrike(strike)) return "bad_strike";
  const optionType = side === "C" ? "call" : "put";
  return { venue: "deribit", kind: "option", underlying, expiryDate, strike, optionType };
}

type Month = (typeof monthNames)[number];

function parseNse(name: string): VenueSymbol | VenueSymbolFault {
  const monthly = nseMonthly.exec(name);
  if (monthly) {
    const [, underlying, year, month, strike, side] = monthly as unknown as [
      string,
      string,
      string,
      Month,
      string?,
      string?,
    ];
    if (!hasLetter(underlying)) return "not_nse";
    const expiry = { year: 2000 + Number(year), month: monthNames.indexOf(month) + 1, day: null };
    if (strike === undefined) return { venue: "nse", kind: "future", underlying, expiry };
    if (!isStrike(strike)) return "bad_strike";
    return { venue: "nse", kind: "option", underlying, expiry, strike, optionType: side === "CE" ? "call" : "put" };
  }
  const weekly = nseWeekly.exec(name);
  if (!weekly) return "not_nse";
  const [, underlying, year, month, day, strike, side] = weekly as unknown as [string, ...string[]] & string[];
  if (!hasLetter(underlying!)) return "not_nse";
  const expiry = { year: 2000 + Number(year), month: weeklyMonths.indexOf(month!) + 1, day: Number(day) };
  if (!isCivilDate(expiry)) return "no_such_day";
  if (!isStrike(strike!)) return "bad_strike";
  const optionType = side === "CE" ? "call" : "put";
  return { venue: "nse", kind: "option", underlying: underlying!, expiry, strike: strike!, optionType };
}

/** The name. Throws BsoptError `invalid` SYMBOL_UNREPRESENTABLE where no name would be read back as this. */
export function formatVenueSymbol(symbol: VenueSymbol): string {
  const text = `${symbol.venue}:${symbol.venue === "deribit" ? deribitName(symbol) : nseName(symbol)}`;
  const back = parseVenueSymbol(text);
  if (typeof back !== "string" && isSameContract(back, symbol)) return text;
  throw new BsoptError({
    reason: "invalid",
    code: "SYMBOL_UNREPRESENTABLE",
    detail: `A contract has no name on ${symbol.venue} that says what it is.`,
  });
}

function deribitName(symbol: Extract<VenueSymbol, { venue: "deribit" }>): string {
  if (symbol.kind === "perpetual") return `${symbol.underlying}-PERPETUAL`;
  const { day, month, year } = symbol.expiryDate;
  const base = `${symbol.underlying}-${day}${monthNames[month - 1]}${twoDigits(year - 2000)}`;
  if (symbol.kind === "future") return base;
  return `${base}-${symbol.strike.replace(".", "d")}-${symbol.optionType === "call" ? "C" : "P"}`;
}

function nseName(symbol: Extract<VenueSymbol, { venue: "nse" }>): string {
  const { year, month, day } = symbol.expiry;
  const yearText = twoDigits(year - 2000);
  const when =
    day === null ? `${yearText}${monthNames[month - 1]}` : `${yearText}${weeklyMonths[month - 1]}${twoDigits(day)}`;
  if (symbol.kind === "future") return `${symbol.underlying}${when}FUT`;
  return `${symbol.underlying}${when}${symbol.strike}${symbol.optionType === "call" ? "CE" : "PE"}`;
}

function isSameContract(one: VenueSymbol, other: VenueSymbol): boolean {
  const wordsOf = (symbol: VenueSymbol) => {
    const { year, month, day } =
      "expiry" in symbol ? symbol.expiry : "expiryDate" in symbol ? symbol.expiryDate : noExpiry;
    const terms = symbol.kind === "option" ? [symbol.strike, symbol.optionType] : [];
    return [symbol.venue, symbol.kind, symbol.underlying, year, month, day, ...terms].join(" ");
  };
  return wordsOf(one) === wordsOf(other);
}

/** A perpetual's expiry. */
const noExpiry = { year: null, month: null, day: null };

function isStrike(text: string): boolean {
  return strikePattern.test(text) && /[1-9]/.test(text);
}

function hasLetter(text: string): boolean {
  return /[A-Z]/.test(text);
}

function twoDigits(value: number): string {
  return value.toString().padStart(2, "0");
}
