// Any spelling of an instrument's name, canonical or a vendor's, to the canonical one and to all that the name says by its exchange's rules.
// Separate from symbol.ts and venue-symbol.ts, which read one exact grammar each. A name is taken only where one reading of it is possible;
// what is none is refused with a reason. Must never look at a clock, nor at what is listed: whether a contract exists is not for a name to say.
//
// Vendors' forms read: OSI padded or not, in either case, behind O: (Polygon) or a dot (dxFeed, thinkorswim, strike as a decimal:
// .SPXW261218C5800), ROOT_MMDDYYC5800 (TD Ameritrade); indexes behind ^, $, I: or _ (Yahoo, TD Ameritrade, Polygon, Cboe); BRK/B and BRK-B for
// BRK.B; names of Deribit and NSE without their exchange, NFO: for nse: and the names of NSE's indexes (Kite).

import type { EpochMicroseconds } from "../foundation/clock";
import type { Calendars } from "./business-calendar";
import { isCivilDate } from "./calendar";
import { deribitExpiryMoment, nseExpiryMoment, usExpiryMoment } from "./expiry";
import { type Instrument, rootConvention } from "./instrument";
import {
  formatOsiSymbol,
  type OptionType,
  type OsiSymbol,
  parseOsiSymbol,
  type SymbolFault,
  strikeFromThousandths,
  strikeThousandthsFromText,
  symbolFaultDetail,
} from "./symbol";
import { parseVenueSymbol, type VenueSymbol, type VenueSymbolFault, venueSymbolFaultDetail } from "./venue-symbol";

/** Characters of a name, at most, in any spelling. */
export const symbolLengthMax = 64;

/** Why a text names no instrument. */
export type InstrumentSymbolFault = SymbolFault | VenueSymbolFault | "not_a_symbol";

/** A sentence for each, fit for a person. */
export const instrumentSymbolFaultDetail: Readonly<Record<InstrumentSymbolFault, string>> = {
  ...venueSymbolFaultDetail,
  ...symbolFaultDetail,
  not_a_symbol: "is not the name of an option, a future or an underlying that this server reads",
};

/** What the rules of exchanges need beside the name. */
export interface InstrumentConventions {
  /** Holidays: `cboe` moves US expiries, `nse` NSE's where the user has such a calendar. */
  readonly calendars: Calendars;
}

/** What a text names, in its canonical spelling. */
export type NamedInstrument =
  | { readonly kind: "osi"; readonly symbol: string; readonly parts: OsiSymbol }
  | { readonly kind: "venue"; readonly symbol: string; readonly parts: VenueSymbol }
  | { readonly kind: "underlying"; readonly symbol: string; readonly venue: "us" | "deribit" | "nse" };

/** What indexes are called where they are quoted, by what their options call them. */
const nseIndexes: ReadonlyMap<string, string> = new Map([
  ["NIFTY 50", "NIFTY"],
  ["NIFTY BANK", "BANKNIFTY"],
  ["NIFTY FIN SERVICE", "FINNIFTY"],
  ["NIFTY MID SELECT", "MIDCPNIFTY"],
  ["NIFTY NEXT 50", "NIFTYNXT50"],
]);

/** Letters and digits, with a class of share behind a dot. */
const tickerPattern = /^[A-Z][A-Z0-9]{0,9}(?:[./-][A-Z]{1,2})?$/;
const deribitIndex = /^[A-Z][A-Z0-9]{0,11}(?:_[A-Z]{3,5})?$/;
const nseUnderlying = /^[A-Z0-9&-]{1,20}$/;
/** A contract's day or strike: no ticker has as many digits in a row. */
const contractDigits = /\d{4}/;

const dottedOption = /^([A-Z0-9]{1,6})(\d{6})([CP])(\d{1,8}(?:\.\d{1,3})?)$/;
const underscoredOption = /^([A-Z0-9]{1,6})_(\d{2})(\d{2})(\d{2})([CP])(\d{1,8}(?:\.\d{1,3})?)$/;

/** Reads a name in any spelling, or says why it is none. */
export function parseInstrumentSymbol(text: string): NamedInstrument | InstrumentSymbolFault {
  if (text.length > symbolLengthMax) return "not_a_symbol";
  const trimmed = text.trim();
  const colon = trimmed.indexOf(":");
  if (colon >= 0) return behindColon(trimmed.slice(0, colon).toLowerCase(), trimmed.slice(colon + 1));
  const name = trimmed.toUpperCase();
  if (name.startsWith(".")) return dotted(name.slice(1));
  if (/^[_^$]/.test(name)) return ticker(name.slice(1));
  const underscored = underscoredOption.exec(name);
  if (underscored) {
    const [, root, month, day, year, side, strike] = underscored as unknown as string[];
    return optionOf(root!, `${year}${month}${day}`, side!, strike!);
  }
  const osi = parseOsiSymbol(name);
  if (typeof osi !== "string") return { kind: "osi", symbol: formatOsiSymbol(osi), parts: osi };
  if (osi !== "not_osi") return osi;
  for (const venue of ["deribit", "nse"] as const) {
    const found = venueName(venue, trimmed);
    if (typeof found !== "string" && found.kind === "venue") return found;
  }
  const plain = ticker(name);
  if (typeof plain !== "string") return plain;
  return /\d{6}[CP]/.test(name) ? "not_osi" : plain;
}

function behindColon(prefix: string, name: string): NamedInstrument | InstrumentSymbolFault {
  switch (prefix) {
    case "o": {
      const parts = parseOsiSymbol(name.toUpperCase());
      return typeof parts === "string" ? parts : { kind: "osi", symbol: formatOsiSymbol(parts), parts };
    }
    case "i":
      return ticker(name.toUpperCase());
    case "deribit":
      return venueName("deribit", name);
    case "nse":
    case "nfo":
      return venueName("nse", name);
    default:
      return "unknown_venue";
  }
}

function venueName(venue: "deribit" | "nse", text: string): NamedInstrument | InstrumentSymbolFault {
  const upper = text.toUpperCase();
  // In a strike of Deribit the decimal point is a small d; nothing else in a name is small.
  const name =
    venue === "deribit" ? upper.replace(/-(\d+)D(\d+)-([CP])$/, "-$1d$2-$3") : (nseIndexes.get(upper) ?? upper);
  const symbol = `${venue}:${name}`;
  const parts = parseVenueSymbol(symbol);
  if (typeof parts !== "string") return { kind: "venue", symbol, parts };
  if (parts !== "not_deribit" && parts !== "not_nse") return parts;
  const isUnderlying = (venue === "deribit" ? deribitIndex : nseUnderlying).test(name);
  return isUnderlying && /[A-Z]/.test(name) && !contractDigits.test(name)
    ? { kind: "underlying", symbol, venue }
    : parts;
}

function dotted(name: string): NamedInstrument | InstrumentSymbolFault {
  const parts = dottedOption.exec(name);
  if (!parts) return "not_osi";
  const [, root, date, side, strike] = parts as unknown as string[];
  return optionOf(root!, date!, side!, strike!);
}

/** A US option from the pieces of its name, the date as yymmdd. */
function optionOf(root: string, date: string, side: string, strike: string): NamedInstrument | InstrumentSymbolFault {
  const strikeThousandths = strikeThousandthsFromText(strike);
  if (strikeThousandths === null) return "bad_strike";
  if (!/[A-Z]/.test(root)) return "bad_root";
  const [year, month, day] = [0, 2, 4].map((at) => Number(date.slice(at, at + 2))) as [number, number, number];
  const expiryDate = { year: 2000 + year, month, day };
  if (!isCivilDate(expiryDate)) return "no_such_day";
  const parts = { root, expiryDate, optionType: side === "C" ? "call" : "put", strikeThousandths } as const;
  return { kind: "osi", symbol: formatOsiSymbol(parts), parts };
}

function ticker(name: string): NamedInstrument | InstrumentSymbolFault {
  if (!tickerPattern.test(name) || contractDigits.test(name)) return "not_a_symbol";
  return { kind: "underlying", symbol: name.replace(/[/-]/, "."), venue: "us" };
}

/** The canonical spelling of a name, or why it is none. */
export function canonicalSymbol(text: string): { readonly symbol: string } | { readonly fault: InstrumentSymbolFault } {
  const named = parseInstrumentSymbol(text);
  return typeof named === "string" ? { fault: named } : { symbol: named.symbol };
}

/** All that a name says of what it names, by the rules of its exchange, or why it names nothing. */
export function instrumentFromSymbol(
  text: string,
  conventions: InstrumentConventions,
): Instrument | InstrumentSymbolFault {
  const named = parseInstrumentSymbol(text);
  if (typeof named === "string") return named;
  switch (named.kind) {
    case "underlying":
      return underlyingOf(named);
    case "osi":
      return usOption(named.symbol, named.parts, conventions);
    default:
      return named.parts.venue === "deribit"
        ? deribitContract(named.symbol, named.parts)
        : nseContract(named.symbol, named.parts, conventions);
  }
}

const noTerms = { expiry: null, strike: null, optionType: null, style: null, settlement: null } as const;

function underlyingOf({ symbol, venue }: Extract<NamedInstrument, { kind: "underlying" }>): Instrument {
  const root = symbol.slice(symbol.indexOf(":") + 1);
  const place = placeOf(venue);
  return { symbol, kind: "underlying", underlying: symbol, root, ...noTerms, multiplier: 1, tickSize: null, ...place };
}

function placeOf(venue: "us" | "deribit" | "nse"): Pick<Instrument, "currency" | "calendar"> {
  if (venue === "us") return { currency: "USD", calendar: "new_york" };
  return venue === "nse" ? { currency: "INR", calendar: "nse" } : { currency: "USD", calendar: "deribit" };
}

/** Smallest steps by root, where the exchange has one for all series: Cboe's specifications. */
const usTickSizes: ReadonlyMap<string, number> = new Map([
  ["SPX", 0.05],
  ["SPXW", 0.05],
  ["XSP", 0.01],
]);

function usOption(symbol: string, parts: OsiSymbol, { calendars }: InstrumentConventions): Instrument {
  const { root, expiryDate, optionType, strikeThousandths } = parts;
  const { underlying, style, settlement } = rootConvention(root);
  return {
    ...{ symbol, kind: "option", underlying, root },
    // The years of a symbol, 2000 to 2099, are ones whose clocks are known.
    expiry: usExpiryMoment(expiryDate, settlement, calendars.get("cboe"))!,
    strike: strikeFromThousandths(strikeThousandths),
    ...{ optionType, style, settlement, multiplier: 100, tickSize: usTickSizes.get(root) ?? null },
    ...{ currency: "USD", calendar: "cboe" },
  };
}

type Venue<Name extends VenueSymbol["venue"]> = Extract<VenueSymbol, { venue: Name }>;

function deribitContract(symbol: string, parts: Venue<"deribit">): Instrument {
  const { underlying: root, kind } = parts;
  const coin = root.split("_")[1];
  // Linear contracts are named for their pair and priced in its second coin; options on a coin alone are priced in that coin.
  const currency = coin ?? (kind === "option" ? root : "USD");
  return {
    ...{ symbol, root, underlying: `deribit:${root}`, kind: kind === "option" ? "option" : "future" },
    ...terms(parts, kind === "perpetual" ? null : deribitExpiryMoment(parts.expiryDate)),
    ...{ settlement: null, multiplier: 1, tickSize: null, currency, calendar: "deribit" },
  };
}

function nseContract(symbol: string, parts: Venue<"nse">, { calendars }: InstrumentConventions): Instrument {
  const { underlying: root, kind } = parts;
  return {
    ...{ symbol, root, underlying: `nse:${root}`, kind },
    ...terms(parts, nseExpiryMoment(parts.expiry, calendars.get("nse"))),
    // A lot's size changes with the exchange's circulars: an import says it.
    ...{ settlement: "pm", multiplier: 1, tickSize: 0.05, currency: "INR", calendar: "nse" },
  };
}

/** Options of both exchanges are European. */
function terms(
  parts: VenueSymbol,
  expiry: EpochMicroseconds | null,
): Pick<Instrument, "expiry" | "strike" | "optionType" | "style"> {
  if (parts.kind !== "option") return { expiry, strike: null, optionType: null, style: null };
  const optionType: OptionType = parts.optionType;
  return { expiry, strike: Number(parts.strike), optionType, style: "european" };
}
