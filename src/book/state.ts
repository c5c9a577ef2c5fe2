// What a book holds between two entries, and the rules by which a quote follows another. Separate from the book so that a checkpoint can be
// written and read, and a valuation made, by what doesn't know the book. Pure.

import type { Instrument } from "../domain/instrument";
import { isPrice, midOf, type Quote } from "../domain/quote";
import type { Applied, BookSettings, SpotSource } from "./entries";
import type { Expiry } from "./expiry";
import type { RefitInput } from "./refit";
import { type ColumnName, Rows } from "./rows";

/** The last told of an instrument. */
export interface Quoted {
  readonly bid: number;
  readonly ask: number;
  readonly bidSize: number;
  readonly askSize: number;
  readonly last: number;
  readonly volume: number;
  readonly openInterest: number;
  readonly venueAt: number;
  readonly receivedAt: number;
  readonly sidesReceivedAt: number;
  readonly sequence: number;
}

export const quotedColumns = [
  "bid",
  "ask",
  "bidSize",
  "askSize",
  "last",
  "volume",
  "openInterest",
  "venueAt",
  "receivedAt",
  "sidesReceivedAt",
  "sequence",
] as const satisfies readonly ColumnName[];

export const notQuoted: Quoted = Object.freeze(
  Object.fromEntries(quotedColumns.map((name) => [name, Number.NaN])) as unknown as Quoted,
);

/** Everything that makes a book say what it says; what a checkpoint holds. */
export interface BookState {
  readonly underlying: string;
  settings: BookSettings;
  readonly rows: Rows;
  readonly expiries: Expiry[];
  /** The underlying's own quote, where its instrument is listed or it was quoted. */
  own: Quoted;
  ownInstrument: Instrument | null;
  /** Of the last refit, by parity; NaN where it found none. */
  paritySpot: number;
  spot: number;
  spotSource: SpotSource;
  /** Rises with each entry that changed anything. */
  version: number;
  /** Moments of the last entries of their kinds, in microseconds since the epoch; NaN before the first. */
  valuedAt: number;
  fittedAt: number;
  pending: RefitInput | null;
}

export function emptyState(underlying: string, settings: BookSettings): BookState {
  return {
    underlying,
    settings,
    rows: new Rows(),
    expiries: [],
    own: notQuoted,
    ownInstrument: null,
    paritySpot: Number.NaN,
    spot: Number.NaN,
    spotSource: "none",
    version: 0,
    valuedAt: Number.NaN,
    fittedAt: Number.NaN,
    pending: null,
  };
}

/** A sequence that falls while the venue's clock goes on by more than this is a venue that counts anew. */
const sequenceRestartMicroseconds = 10_000_000;

/** Whether a quote comes after the last, is the last, or comes before it: by its sequence where both have one, else by the venue's moment. */
export function orderOf(last: Quoted, quote: Quote): Applied {
  if (Number.isNaN(last.venueAt)) return "applied";
  const at = Number(quote.at);
  if (quote.sourceSequence !== null && !Number.isNaN(last.sequence)) {
    if (quote.sourceSequence > last.sequence) return "applied";
    if (quote.sourceSequence === last.sequence && at === last.venueAt)
      return isSame(last, quote) ? "duplicate" : "late";
    return at - last.venueAt > sequenceRestartMicroseconds ? "applied" : "late";
  }
  if (at > last.venueAt) return "applied";
  if (at < last.venueAt) return "late";
  return isSame(last, quote) ? "duplicate" : "applied";
}

const toldNumbers = ["bid", "ask", "bidSize", "askSize", "last", "volume", "openInterest"] as const;

/** Whether a quote tells nothing that was not told. */
function isSame(last: Quoted, quote: Quote): boolean {
  const next = quotedAfter(last, quote, last.receivedAt);
  return toldNumbers.every((name) => Object.is(next[name], last[name]));
}

/**
 * What is known after a quote. A quote that tells a side tells both: the other is not there. One that tells neither leaves them, and
 * what else it does not tell, as they were.
 */
export function quotedAfter(last: Quoted, quote: Quote, receivedAt: number): Quoted {
  const tellsSides = !(Number.isNaN(quote.bid) && Number.isNaN(quote.ask));
  const kept = (told: number, before: number) => (Number.isNaN(told) ? before : told);
  return {
    bid: tellsSides ? quote.bid : last.bid,
    ask: tellsSides ? quote.ask : last.ask,
    bidSize: tellsSides ? quote.bidSize : last.bidSize,
    askSize: tellsSides ? quote.askSize : last.askSize,
    last: kept(quote.last, last.last),
    volume: kept(quote.volume, last.volume),
    openInterest: kept(quote.openInterest, last.openInterest),
    venueAt: Number(quote.at),
    receivedAt,
    sidesReceivedAt: tellsSides ? receivedAt : last.sidesReceivedAt,
    sequence: quote.sourceSequence ?? last.sequence,
  };
}

/** The middle of the underlying's quote, else its last price, and how fresh they are. */
export function ownSpot(own: Quoted, moment: number, staleMicroseconds: number): { spot: number; source: SpotSource } {
  const middle = midOf(own);
  const isMiddle = !Number.isNaN(middle);
  const spot = isMiddle ? middle : isPrice(own.last) ? own.last : Number.NaN;
  if (Number.isNaN(spot)) return { spot, source: "none" };
  const told = isMiddle ? own.sidesReceivedAt : own.receivedAt;
  if (moment - told > staleMicroseconds) return { spot, source: "stale" };
  return { spot, source: isMiddle ? "mid" : "last" };
}
