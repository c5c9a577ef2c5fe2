// Whether a quote may enter the market, before any book sees it: one word from a closed list, the first that applies in the list's order. Separate
// from the book, which takes whatever is in its record, so that nothing doubtful gets into a record. Pure: the moment comes in.
//
// What is odd but true of markets is let in and marked by the book instead: one side, two sides at one price, a crossed market unless limits
// forbid it. What can't be true of any market, or would spoil what is kept, is not.

import type { Instrument } from "../domain/instrument";
import { isPrice, type Quote } from "../domain/quote";
import { unreachable } from "../foundation/assert";
import type { EpochMicroseconds } from "../foundation/clock";
import { orderOf, type Quoted } from "./state";

/** Why a quote is not taken; the first that applies is told. */
export const quoteVerdicts = [
  "ok",
  "unknown_symbol",
  "expired",
  "not_finite",
  "nothing_told",
  "negative_price",
  "price_too_large",
  "negative_size",
  "size_too_large",
  "negative_volume",
  "volume_too_large",
  "negative_open_interest",
  "open_interest_too_large",
  "bad_sequence",
  "timestamp_too_old",
  "timestamp_in_future",
  "off_tick",
  "crossed",
  "price_jump",
  "duplicate",
  "late",
] as const;

export type QuoteVerdict = (typeof quoteVerdicts)[number];

/** A sentence for each, fit for a client. */
export const quoteVerdictDetail: Readonly<Record<Exclude<QuoteVerdict, "ok">, string>> = {
  unknown_symbol: "no instrument of that symbol is listed",
  expired: "the instrument had expired when the quote was made",
  not_finite: "a number is infinite",
  nothing_told: "tells neither a side nor a last price, a volume or an open interest",
  negative_price: "a price is below zero",
  price_too_large: "a price is too large",
  negative_size: "a size is below zero",
  size_too_large: "a size is too large",
  negative_volume: "the volume is below zero",
  volume_too_large: "the volume is too large",
  negative_open_interest: "the open interest is below zero",
  open_interest_too_large: "the open interest is too large",
  bad_sequence: "source_seq is not a whole number from 0 to 9007199254740991",
  timestamp_too_old: "ts is longer ago than quotes are taken",
  timestamp_in_future: "ts is further in the future than clocks may differ",
  off_tick: "a price is no multiple of the instrument's tick",
  crossed: "bid is above ask",
  price_jump: "the middle is further from the last one than is believed",
  duplicate: "was had already",
  late: "is older than the last of its symbol",
};

export interface QuoteLimits {
  readonly priceMax: number;
  readonly sizeMax: number;
  readonly volumeMax: number;
  /** How long ago a venue's moment may be. */
  readonly ageMicrosecondsMax: number;
  /** How far a venue's clock may be ahead of ours. */
  readonly aheadMicrosecondsMax: number;
  /** A crossed market is refused rather than taken and marked. */
  readonly refusesCrossed: boolean;
  /** A price that is no multiple of a known tick is refused. */
  readonly refusesOffTick: boolean;
  /** Greatest ratio of two middles, either way; infinite lets every jump in. */
  readonly jumpMax: number;
}

export const defaultQuoteLimits: QuoteLimits = {
  priceMax: 1e9,
  sizeMax: 1e12,
  volumeMax: 1e15,
  ageMicrosecondsMax: 7 * 86_400_000_000,
  aheadMicrosecondsMax: 5_000_000,
  refusesCrossed: false,
  refusesOffTick: false,
  jumpMax: Number.POSITIVE_INFINITY,
};

/** 2100-01-01: whatever the limits, what is kept must be sure to fit where it is kept. */
const latestMoment = 4_102_444_800_000_000n;

/**
 * The verdict on a quote at a moment. `last` is what was told of the symbol before, null where nothing was or the order is judged elsewhere;
 * NaN numbers are not told and never wrong.
 */
export function judgeQuote(
  quote: Quote,
  instrument: Instrument | null,
  last: Quoted | null,
  now: EpochMicroseconds,
  limits: QuoteLimits = defaultQuoteLimits,
): QuoteVerdict {
  if (instrument === null) return "unknown_symbol";
  if (instrument.expiry !== null && quote.at > instrument.expiry) return "expired";
  const { bid, ask, last: lastPrice, bidSize, askSize, volume, openInterest, sourceSequence } = quote;
  for (const value of [bid, ask, lastPrice, bidSize, askSize, volume, openInterest])
    if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) return "not_finite";
  if ([bid, ask, lastPrice, volume, openInterest].every(Number.isNaN)) return "nothing_told";
  // A future's price may fall below zero; an option's or an underlying's may not.
  const prices = [bid, ask, lastPrice];
  if (instrument.kind !== "future" && prices.some((value) => value < 0)) return "negative_price";
  if (prices.some((value) => Math.abs(value) > limits.priceMax)) return "price_too_large";
  if (bidSize < 0 || askSize < 0) return "negative_size";
  if (bidSize > limits.sizeMax || askSize > limits.sizeMax) return "size_too_large";
  if (volume < 0) return "negative_volume";
  if (volume > limits.volumeMax) return "volume_too_large";
  if (openInterest < 0) return "negative_open_interest";
  if (openInterest > limits.volumeMax) return "open_interest_too_large";
  if (sourceSequence !== null && !(Number.isSafeInteger(sourceSequence) && sourceSequence >= 0)) return "bad_sequence";
  if (quote.at < 0n) return "timestamp_too_old";
  if (quote.at > latestMoment) return "timestamp_in_future";
  if (now - quote.at > BigInt(limits.ageMicrosecondsMax)) return "timestamp_too_old";
  if (quote.at - now > BigInt(limits.aheadMicrosecondsMax)) return "timestamp_in_future";
  const { tickSize } = instrument;
  if (limits.refusesOffTick && tickSize !== null && prices.some((value) => isOffTick(value, tickSize)))
    return "off_tick";
  if (limits.refusesCrossed && isPrice(bid) && isPrice(ask) && bid > ask) return "crossed";
  if (last === null) return "ok";
  if (hasJumped(quote, last, limits.jumpMax)) return "price_jump";
  const order = orderOf(last, quote);
  switch (order) {
    case "applied":
      return "ok";
    case "duplicate":
    case "late":
      return order;
    case "unknown":
      return "unknown_symbol";
    default:
      return unreachable(order);
  }
}

/** A price is a decimal: off its tick by more than a double's rounding. */
function isOffTick(price: number, tick: number): boolean {
  const ticks = price / tick;
  return Math.abs(ticks - Math.round(ticks)) > 1e-6;
}

function hasJumped(quote: Quote, last: Quoted, jumpMax: number): boolean {
  if (jumpMax === Number.POSITIVE_INFINITY) return false;
  const before = last.bid / 2 + last.ask / 2;
  const after = quote.bid / 2 + quote.ask / 2;
  return before > 0 && after > 0 && Math.max(before / after, after / before) > jumpMax;
}
