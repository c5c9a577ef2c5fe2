// What instruments decides without asking anybody: what a row that somebody brings says, together with its symbol, and how prices become
// integers. Pure. A row that contradicts its own symbol is refused with a reason, never mended.

import { daysFromCivil, parseCivilDate } from "../../domain/calendar";
import { parseTimestamp, timestampFaultDetail } from "../../domain/day-count";
import type { Instrument } from "../../domain/instrument";
import {
  canonicalSymbol,
  type InstrumentConventions,
  instrumentFromSymbol,
  instrumentSymbolFaultDetail,
} from "../../domain/instrument-symbol";
import type { EpochMicroseconds } from "../../foundation/clock";
import { quoted } from "../../foundation/printable";
import type { InstrumentSource } from "./table";

/** Decimal places that prices and multipliers are stored with. */
export const priceDecimals = 9;
export const multiplierDecimals = 8;

/** Integer digits that fit beside them. */
const wholeMax = { [priceDecimals]: 999_999_999, [multiplierDecimals]: 9_999_999_999 } as const;

/** A number's shortest decimal as an integer of 10⁻ⁿ; null where it has more decimals, or none at all (NaN, infinite, too large). */
export function scaledOf(value: number, decimals: typeof priceDecimals | typeof multiplierDecimals): bigint | null {
  if (!(Math.abs(value) <= wholeMax[decimals])) return null;
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:e-(\d+))?$/.exec(String(value));
  if (!parts) return null;
  const [, sign, whole, fraction = "", exponent = "0"] = parts as unknown as [string, string, string, string?, string?];
  const places = fraction.length + Number(exponent);
  if (places > decimals) return null;
  const digits = BigInt(whole + fraction) * 10n ** BigInt(decimals - places);
  return sign === "-" ? -digits : digits;
}

/** The nearest number to an integer of 10⁻ⁿ. */
export function unscaled(value: bigint, decimals: number): number {
  const digits = (value < 0n ? -value : value).toString().padStart(decimals + 1, "0");
  const magnitude = Number(`${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`);
  return value < 0n ? -magnitude : magnitude;
}

/** Fields that say what an instrument is. */
export const entryFields = [
  "symbol",
  "kind",
  "underlying",
  "root",
  "expiry",
  "strike",
  "option_type",
  "style",
  "settlement",
  "multiplier",
  "tick_size",
  "currency",
  "calendar",
] as const;

export type EntryField = (typeof entryFields)[number];

/** Fields of what the server gives that are its own to say: a row may have them, and they are not read. */
export const ownFields = ["source", "listed_at", "expired_at"] as const;

/** What somebody says of an instrument: its symbol, and whatever else is not what the symbol's rules say already. */
export type InstrumentEntry = Readonly<Partial<Record<EntryField, string | number | null>>>;

const knownFields: ReadonlySet<string> = new Set([...entryFields, ...ownFields]);

/** A row as an entry, or a sentence about why it is none. */
export function entryOfRow(row: Readonly<Record<string, unknown>>): InstrumentEntry | string {
  for (const [name, value] of Object.entries(row)) {
    if (!knownFields.has(name)) return `${quoted(name)} is no field of an instrument`;
    if (value !== null && typeof value !== "string" && typeof value !== "number")
      return `${name} is neither text nor a number`;
  }
  return row as InstrumentEntry;
}

export interface EntryConventions extends InstrumentConventions {
  /** Calendars that an instrument may keep. */
  readonly calendarNames: ReadonlySet<string>;
}

const kinds = ["underlying", "option", "future"] as const;
const styles = ["european", "american"] as const;
const settlements = ["am", "pm"] as const;
/** A number as text: no more digits than a double holds. */
const decimalText = /^\d{1,10}(?:\.\d{1,9})?$/;
const currencyPattern = /^[A-Z][A-Z0-9]{1,9}$/;
const rootPattern = /^[A-Z0-9][A-Z0-9&_.-]{0,19}$/;
/** An expiry that somebody states may lie so far from the one that the symbol's rules say. */
const microsecondsPerDay = 86_400_000_000n;
const expiryApartMax = 7n * microsecondsPerDay;

/** The instrument a row says, or a sentence about what is wrong with it. */
export function instrumentOfEntry(entry: InstrumentEntry, conventions: EntryConventions): Instrument | string {
  const { symbol: symbolText } = entry;
  if (typeof symbolText !== "string" || symbolText.trim() === "") return "it has no symbol";
  const said = instrumentFromSymbol(symbolText, conventions);
  if (typeof said === "string") return `${quoted(symbolText)} ${instrumentSymbolFaultDetail[said]}`;
  const faults: string[] = [];
  const word = <Word extends string>(field: EntryField, words: readonly Word[], known: Word | null): Word | null => {
    const value = entry[field] ?? null;
    if (value === null || value === known) return known;
    const found = words.find((each) => each === value);
    if (found === undefined) faults.push(`${field} is none of ${words.join(", ")}`);
    return found ?? known;
  };
  const number = (
    field: EntryField,
    decimals: typeof priceDecimals | typeof multiplierDecimals,
    known: number | null,
  ) => {
    const stated = entry[field] ?? null;
    if (stated === null) return known;
    const value = typeof stated === "string" && decimalText.test(stated) ? Number(stated) : stated;
    const isFit = typeof value === "number" && value > 0 && scaledOf(value, decimals) !== null;
    if (!isFit) faults.push(`${field} is no number above 0 of at most ${decimals} decimals`);
    return isFit ? value : known;
  };
  const text = (field: EntryField, pattern: RegExp, known: string) => {
    const value = entry[field] ?? null;
    if (value === null) return known;
    if (typeof value === "string" && pattern.test(value)) return value;
    faults.push(`${field} is not spelled as such`);
    return known;
  };
  const contradiction = (field: EntryField, stated: unknown, known: unknown) => {
    if (stated !== known) faults.push(`${field} is not what ${said.symbol} says`);
  };

  const kind = word("kind", kinds, said.kind) ?? said.kind;
  // Futures of other exchanges have names that look like tickers.
  const isOtherFuture = said.kind === "underlying" && kind === "future";
  if (!isOtherFuture) contradiction("kind", kind, said.kind);
  const strike = number("strike", priceDecimals, said.strike);
  contradiction("strike", strike, said.strike);
  const optionType = word("option_type", ["call", "put"], said.optionType);
  contradiction("option_type", optionType, said.optionType);
  const style = word("style", styles, said.style);
  const settlement = word("settlement", settlements, said.settlement);
  if (kind !== "option") contradiction("style", style, null);
  const expiry = expiryOf(entry, said, isOtherFuture, faults);
  const underlying = underlyingOf(entry, said, isOtherFuture, conventions, faults);
  const multiplier = number("multiplier", multiplierDecimals, said.multiplier) ?? said.multiplier;
  if (kind === "underlying" && multiplier !== 1) faults.push("multiplier is not 1, which that of an underlying is");
  const calendar = text("calendar", /^[a-z][a-z0-9_]{0,39}$/, said.calendar);
  if (!conventions.calendarNames.has(calendar)) faults.push("calendar is none that this server knows");
  const instrument: Instrument = {
    ...{ symbol: said.symbol, kind, underlying },
    root: text("root", rootPattern, said.root),
    ...{ expiry, strike, optionType, style, settlement },
    multiplier,
    tickSize: number("tick_size", priceDecimals, said.tickSize),
    currency: text("currency", currencyPattern, said.currency),
    calendar,
  };
  return faults.length === 0 ? instrument : faults.join("; ");
}

/** A day keeps the time of day of the symbol's rule; a moment is taken as it stands. */
function expiryOf(
  { expiry: stated = null }: InstrumentEntry,
  said: Instrument,
  isOtherFuture: boolean,
  faults: string[],
): EpochMicroseconds | null {
  if (stated === null) {
    if (isOtherFuture) faults.push("a future of this name needs its expiry");
    return said.expiry;
  }
  const text = String(stated);
  if (said.expiry === null && !isOtherFuture) {
    faults.push(`${said.symbol} has no expiry`);
    return null;
  }
  if (parseCivilDate(text) !== null) {
    // Days are compared by the symbol's own moment: the rule knows the time and the zone.
    if (said.expiry === null) faults.push("expiry is a day; a future of this name needs the moment, with its offset");
    else if (!isDayOf(text, said.expiry))
      faults.push(`expiry is not what ${said.symbol} says; a moment would be taken`);
    return said.expiry;
  }
  const moment = parseTimestamp(text);
  if (typeof moment === "string") {
    faults.push(`expiry ${timestampFaultDetail[moment]}`);
    return said.expiry;
  }
  if (said.expiry !== null) {
    const apart = moment > said.expiry ? moment - said.expiry : said.expiry - moment;
    if (apart > expiryApartMax) faults.push(`expiry lies more than a week from what ${said.symbol} says`);
  }
  return moment;
}

/** Expiries are in the daytime of their own zones, which lie within half a day of UTC here. */
function isDayOf(text: string, expiry: EpochMicroseconds): boolean {
  const date = parseCivilDate(text)!;
  const midnight = BigInt(daysFromCivil(date.year, date.month, date.day)) * microsecondsPerDay;
  return expiry >= midnight && expiry < midnight + microsecondsPerDay;
}

function underlyingOf(
  { underlying: stated = null }: InstrumentEntry,
  said: Instrument,
  isOtherFuture: boolean,
  conventions: InstrumentConventions,
  faults: string[],
): string {
  if (stated === null) {
    if (isOtherFuture) faults.push("a future of this name needs its underlying");
    return said.underlying;
  }
  const read = instrumentFromSymbol(String(stated), conventions);
  if (typeof read === "string") faults.push(`underlying ${instrumentSymbolFaultDetail[read]}`);
  else if (said.kind === "underlying" && !isOtherFuture && read.symbol !== said.symbol)
    faults.push(`underlying is not what ${said.symbol} says`);
  else return read.symbol;
  return said.underlying;
}

/** Whether two say the same of one instrument. */
export function isSameInstrument(one: Instrument, other: Instrument): boolean {
  return (Object.keys(one) as (keyof Instrument)[]).every((key) => one[key] === other[key]);
}

/** The bound of a range in an address: a moment, or a day, of which the first or the last moment in UTC. Null: it is neither. */
export function boundOf(text: string, end: "first" | "last"): EpochMicroseconds | null {
  const date = parseCivilDate(text);
  if (date === null) {
    const moment = parseTimestamp(text);
    return typeof moment === "string" ? null : moment;
  }
  const midnight = BigInt(daysFromCivil(date.year, date.month, date.day)) * microsecondsPerDay;
  return end === "first" ? midnight : midnight + microsecondsPerDay - 1n;
}

/** Where a page ended, as the opaque text that clients send back. */
export function cursorOf(symbol: string): string {
  return Buffer.from(symbol, "utf8").toString("base64url");
}

/** The symbol in a cursor, or null where a client made one up. */
export function symbolOfCursor(cursor: string): string | null {
  const read = canonicalSymbol(Buffer.from(cursor, "base64url").toString("utf8"));
  return "symbol" in read && cursorOf(read.symbol) === cursor ? read.symbol : null;
}

/** Whose word counts: the lower the more. */
export const rank: Readonly<Record<InstrumentSource, number>> = { import: 0, feed: 1, rule: 2 };
