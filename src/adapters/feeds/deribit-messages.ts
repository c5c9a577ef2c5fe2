// Deribit's JSON to instruments and quotes. Separate from the connection, because a message can be judged without one. Must never take a
// number for what it is not: what is no finite number is not told.
//
// Options on a coin alone are quoted in that coin. Their prices become dollars here by the price of their own future, which Deribit sends with
// each of them and values them by (Deribit, "Options": mark price = Black's over that future): strikes are dollars, and one chain has one
// currency. Linear contracts (BTC_USDC) are in dollars already.
//
// Source: Deribit API v2: public/get_instruments, ticker.{instrument}.{interval}, deribit_price_index.{index}.

import type { Instrument } from "../../domain/instrument";
import { instrumentFromSymbol } from "../../domain/instrument-symbol";
import type { Quote } from "../../domain/quote";

type Json = Readonly<Record<string, unknown>>;

/** An object, or an empty one for anything else. */
export function objectOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** Deribit has no holidays. */
const conventions = { calendars: new Map() };

/** What Deribit lists under this name; null where we have no canonical name for it (combos, say). */
export function deribitInstrument(listed: unknown): Instrument | null {
  const {
    instrument_name: name,
    tick_size: tickSize,
    expiration_timestamp: expires,
    contract_size: size,
  } = objectOf(listed);
  if (typeof name !== "string") return null;
  const instrument = instrumentFromSymbol(`deribit:${name}`, conventions);
  if (typeof instrument === "string" || instrument.kind === "underlying") return null;
  const hasExpiry = instrument.expiry !== null && Number.isSafeInteger(expires);
  const isInverse = isQuotedInCoin(name);
  return {
    ...instrument,
    expiry: hasExpiry ? BigInt(expires as number) * 1000n : instrument.expiry,
    // A step in coins is none in dollars.
    tickSize: !isInverse && numberOf(tickSize) > 0 ? numberOf(tickSize) : null,
    multiplier: instrument.kind === "option" && numberOf(size) > 0 ? numberOf(size) : instrument.multiplier,
    currency: isInverse ? "USD" : instrument.currency,
  };
}

/** Options whose name has no second coin. */
function isQuotedInCoin(name: string): boolean {
  return /-[CP]$/.test(name) && !name.split("-")[0]!.includes("_");
}

/** A quote from a ticker's data, or what is wrong with it. */
export function quoteFromTicker(data: unknown): Quote | string {
  const ticker = objectOf(data);
  const { instrument_name: name, timestamp } = ticker;
  if (typeof name !== "string") return "a ticker names no instrument";
  if (!Number.isSafeInteger(timestamp) || (timestamp as number) <= 0) return "a ticker has no timestamp";
  const rate = isQuotedInCoin(name) ? numberOf(ticker.underlying_price) : 1;
  const price = (value: unknown) => {
    const number = numberOf(value) * rate;
    // No side is written as 0; in dollars a price has no more than these decimals.
    return number > 0 ? Math.round(number * 1e6) / 1e6 : Number.NaN;
  };
  return {
    ...{ symbol: `deribit:${name}`, at: BigInt(timestamp as number) * 1000n },
    ...{
      bid: price(ticker.best_bid_price),
      ask: price(ticker.best_ask_price),
      last: price(ticker.last_price),
    },
    ...{ bidSize: numberOf(ticker.best_bid_amount), askSize: numberOf(ticker.best_ask_amount) },
    ...{ volume: numberOf(objectOf(ticker.stats).volume), openInterest: numberOf(ticker.open_interest) },
    sourceSequence: null,
  };
}

/** A spot from an index's data, or what is wrong with it. */
export function quoteFromIndex(data: unknown): Quote | string {
  const { index_name: index, price, timestamp } = objectOf(data);
  if (typeof index !== "string") return "an index has no name";
  if (!Number.isSafeInteger(timestamp) || (timestamp as number) <= 0) return "an index has no timestamp";
  const last = numberOf(price);
  if (!(last > 0)) return "an index has no price";
  const none = Number.NaN;
  return {
    ...{ symbol: underlyingOfIndex(index), at: BigInt(timestamp as number) * 1000n, bid: none, ask: none },
    ...{ bidSize: none, askSize: none, last, volume: none, openInterest: none, sourceSequence: null },
  };
}

/** btc_usd is what deribit:BTC is on, btc_usdc what deribit:BTC_USDC is on. */
function underlyingOfIndex(index: string): string {
  const [coin = "", currency = ""] = index.toUpperCase().split("_");
  return currency === "USD" ? `deribit:${coin}` : `deribit:${coin}_${currency}`;
}

/** The channel that tells the spot of an underlying, by its canonical symbol. */
export function indexChannel(underlying: string): string {
  const name = underlying.slice("deribit:".length).toLowerCase();
  return `deribit_price_index.${name.includes("_") ? name : `${name}_usd`}`;
}

function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : Number.NaN;
}
