// The instruments of one book as columns: what they are, what was last quoted, what was fitted and valued. A row is a place in every
// column. Rows lie in three ranges, European options, American options, the rest (futures), so that a model's options are one
// piece of every column. Listing and unlisting move rows; whoever keeps a row's number must look at `structure`.
// Separate from the book, which decides; this only holds. It must never compute a number.

import type { Instrument } from "../domain/instrument";
import { assert } from "../foundation/assert";
import { bookReasons, quoteStates } from "./entries";

/** What a row keeps as numbers; NaN is not known. Moments are microseconds since the epoch, exact below 2⁵³. */
export const columnNames = [
  "strike",
  "isCall",
  /** 1: quoted in the coin it is on. */
  "isInverse",
  "expiryIndex",
  "bid",
  "ask",
  "bidSize",
  "askSize",
  "last",
  "volume",
  "openInterest",
  "venueAt",
  "receivedAt",
  /** When a side was last told. */
  "sidesReceivedAt",
  "sequence",
  /** The book's version at the row's last quote. */
  "quoteVersion",
  /** The book's version at the quote that `quoteVolatility` was solved from. */
  "solvedVersion",
  "quoteVolatility",
  /** Status code of solving for it. */
  "solveStatus",
  /** What was priced at. */
  "volatility",
  "volatilitySource",
  "quoteState",
  "reason",
  "price",
  "delta",
  "gamma",
  "vega",
  "theta",
  "rho",
  /** What early exercise adds, at the spot `premiumSpot`; NaN where not known. */
  "premiumSpot",
  "premiumPrice",
  "premiumDelta",
  "premiumGamma",
  "premiumVega",
  "premiumTheta",
  "premiumRho",
  /** The book's version at the row's last change of any kind. */
  "version",
] as const;

export type ColumnName = (typeof columnNames)[number];

/** Ranges of rows, in their order. */
export const rowRanges = ["european", "american", "other"] as const;

export type RowRange = (typeof rowRanges)[number];

const roomMin = 64;

export class Rows {
  /** Each as long as there is room; only the first `count` rows mean anything. */
  columns: Record<ColumnName, Float64Array>;
  /** As the engine wants it. */
  isCall: Uint8Array;
  /** ln(strike). */
  logStrike: Float64Array;
  readonly instruments: Instrument[] = [];
  /** Rises with every row that comes, goes or moves. */
  structure = 0;
  readonly #rowOf = new Map<string, number>();
  /** Where each range ends. */
  readonly #ends: [number, number, number] = [0, 0, 0];

  constructor(room = roomMin) {
    this.columns = columnsOf(room);
    this.isCall = new Uint8Array(room);
    this.logStrike = new Float64Array(room);
  }

  get count(): number {
    return this.#ends[2];
  }

  get europeanCount(): number {
    return this.#ends[0];
  }

  /** European and American; they are the first so many rows. */
  get optionCount(): number {
    return this.#ends[1];
  }

  /** The row of a canonical symbol, or −1. */
  rowOf(symbol: string): number {
    return this.#rowOf.get(symbol) ?? -1;
  }

  symbolAt(row: number): string {
    return this.instruments[row]!.symbol;
  }

  /** Adds a row; every column NaN but what it is, versions 0, not quoted, its value pending. */
  add(instrument: Instrument, { expiryIndex, version }: { expiryIndex: number; version: number }): number {
    assert(!this.#rowOf.has(instrument.symbol), `${instrument.symbol} has a row already`);
    this.#need(this.count + 1);
    const range = rangeOf(instrument);
    // The first row of each later range moves to that range's end, the last range first.
    for (let later = 2; later > range; later--) {
      const [start, end] = [this.#ends[later - 1]!, this.#ends[later]!];
      if (start !== end) this.#move(start, end);
    }
    const row = this.#ends[range]!;
    for (let later = range; later <= 2; later++) this.#ends[later]! += 1;
    for (const name of columnNames) this.columns[name][row] = Number.NaN;
    this.#put(instrument, row);
    const { columns } = this;
    columns.expiryIndex[row] = expiryIndex;
    for (const name of ["quoteVersion", "solvedVersion", "solveStatus", "volatilitySource"] as const)
      columns[name][row] = 0;
    columns.quoteState[row] = quoteStates.indexOf("no_quote");
    columns.reason[row] = bookReasons.indexOf("pending");
    columns.version[row] = version;
    this.structure += 1;
    return row;
  }

  /** Takes a symbol's row out; false where it has none. */
  remove(symbol: string): boolean {
    const row = this.#rowOf.get(symbol);
    if (row === undefined) return false;
    this.#rowOf.delete(symbol);
    let hole = row;
    for (let range = 0; range <= 2; range++) {
      const end = this.#ends[range]!;
      if (hole >= end) continue;
      if (hole !== end - 1) this.#move(end - 1, hole);
      hole = end - 1;
      this.#ends[range] = end - 1;
    }
    this.instruments.length = this.count;
    this.structure += 1;
    return true;
  }

  /** Puts rows back as they lay, from a checkpoint; the columns' contents are the caller's to fill. */
  refill(instruments: readonly Instrument[]): void {
    assert(this.count === 0, "rows are there already");
    this.#need(instruments.length);
    for (const [row, instrument] of instruments.entries()) {
      const range = rangeOf(instrument);
      assert(range === 2 || this.#ends[range] === this.#ends[2], `${instrument.symbol} lies out of its range`);
      for (let later = range; later <= 2; later++) this.#ends[later]! += 1;
      this.#put(instrument, row);
    }
  }

  #put(instrument: Instrument, row: number): void {
    this.instruments[row] = instrument;
    this.#rowOf.set(instrument.symbol, row);
    const strike = instrument.strike ?? Number.NaN;
    const isCall = instrument.optionType === "call" ? 1 : 0;
    this.columns.strike[row] = strike;
    this.columns.isCall[row] = isCall;
    this.columns.isInverse[row] = isInverse(instrument) ? 1 : 0;
    this.isCall[row] = isCall;
    this.logStrike[row] = Math.log(strike);
  }

  #move(from: number, to: number): void {
    for (const name of columnNames) this.columns[name][to] = this.columns[name][from]!;
    this.isCall[to] = this.isCall[from]!;
    this.logStrike[to] = this.logStrike[from]!;
    const instrument = this.instruments[from]!;
    this.instruments[to] = instrument;
    this.#rowOf.set(instrument.symbol, to);
  }

  #need(count: number): void {
    const room = this.isCall.length;
    if (count <= room) return;
    const wanted = Math.max(count, 2 * room);
    const grown = columnsOf(wanted);
    for (const name of columnNames) grown[name].set(this.columns[name]);
    this.columns = grown;
    this.isCall = grownTo(new Uint8Array(wanted), this.isCall);
    this.logStrike = grownTo(new Float64Array(wanted), this.logStrike);
  }
}

function grownTo<Kind extends Uint8Array | Float64Array>(into: Kind, from: Kind): Kind {
  into.set(from);
  return into;
}

function columnsOf(room: number): Record<ColumnName, Float64Array> {
  const columns = {} as Record<ColumnName, Float64Array>;
  for (const name of columnNames) columns[name] = new Float64Array(room);
  return columns;
}

/** Whether an option's price is told in its own underlying: a coin's option in that coin. */
export function isInverse({ kind, underlying, currency }: Instrument): boolean {
  return kind === "option" && underlying.slice(underlying.lastIndexOf(":") + 1) === currency;
}

function rangeOf({ kind, style }: Instrument): 0 | 1 | 2 {
  if (kind !== "option") return 2;
  return style === "american" ? 1 : 0;
}
