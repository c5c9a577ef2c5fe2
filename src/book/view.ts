// What a book looks like from outside, as JSON's text: chain, surface, marks, one option's Greeks, a quote. Separate from the book, which has
// no words, and from routes and channels, which have no numbers. The text is put together by hand because it is made at every valuation;
// whoever wants the object parses it. A missing number is null, and an option without a price says why.

import { formatCivilDate } from "../domain/calendar";
import type { Quote } from "../domain/quote";
import { type Units, unitFactor } from "../engine/catalog";
import { formatTimestamp } from "../foundation/clock";
import type { UnderlyingBook } from "./book";
import { bookReasons, quoteStates, volatilitySources } from "./entries";
import { type ExpiryLayout, type StrikeRows, yearsBetween } from "./expiry";
import type { Selection } from "./selection";
import type { Quoted } from "./state";

/** One option of a chain. */
export interface ChainCell {
  readonly symbol: string;
  readonly bid: number | null;
  readonly ask: number | null;
  readonly bid_size: number | null;
  readonly ask_size: number | null;
  readonly last: number | null;
  readonly volume: number | null;
  readonly open_interest: number | null;
  readonly ts: string | null;
  readonly quote: string;
  readonly iv: number | null;
  readonly volatility: number | null;
  readonly volatility_source: string | null;
  readonly price: number | null;
  readonly delta: number | null;
  readonly gamma: number | null;
  readonly vega: number | null;
  readonly theta: number | null;
  readonly rho: number | null;
  readonly reason: string | null;
}

export interface ChainStrike {
  readonly strike: number;
  readonly call: ChainCell | null;
  readonly put: ChainCell | null;
}

export interface ChainExpiryView {
  readonly expiry: string;
  readonly root: string;
  readonly style: string;
  readonly time_to_expiry: number;
  readonly forward: number | null;
  readonly forward_source: string;
  readonly discount: number | null;
  readonly rate: number | null;
  readonly dividend_yield: number | null;
  readonly de_americanised: boolean;
  readonly rows: readonly ChainStrike[];
}

export interface ChainView {
  readonly underlying: string;
  /** The moment it was valued at; null before the first time. */
  readonly as_of: string | null;
  readonly spot: number | null;
  readonly spot_source: string;
  readonly fitted_at: string | null;
  readonly units: Units;
  readonly expiries: readonly ChainExpiryView[];
}

/** The chain as an object. */
export function chain(book: UnderlyingBook, selection: Selection, units: Units = "market"): ChainView {
  return JSON.parse(chainJson(book, selection, units)) as ChainView;
}

/** The chain as JSON's text, in the shape of `ChainView`. */
export function chainJson(book: UnderlyingBook, selection: Selection, units: Units = "market"): string {
  const writer = new CellWriter(book, units);
  const expiries: string[] = [];
  for (const { layout, strikes } of selectedStrikes(book, selection)) {
    const rows = strikes.map(({ strike, call, put }) => {
      const cell = (row: number) => (row < 0 ? "null" : writer.cell(row));
      return `{"strike":${strike},"call":${cell(call)},"put":${cell(put)}}`;
    });
    expiries.push(`{${expiryFields(book, layout)},"rows":[${rows.join(",")}]}`);
  }
  return `{${headFields(book)},"units":"${units}","expiries":[${expiries.join(",")}]}`;
}

/** The strikes of each expiry that a selection means, in order; expiries without any are left out. */
export function selectedStrikes(
  book: UnderlyingBook,
  selection: Selection,
): { layout: ExpiryLayout; strikes: readonly StrikeRows[] }[] {
  const { columns } = book.rows;
  return book.layout.flatMap((layout) => {
    const strikes = strikesOf(layout);
    return strikes.length === 0 ? [] : [{ layout, strikes }];
  });

  function strikesOf(layout: ExpiryLayout): readonly StrikeRows[] {
    const { strikes } = layout;
    switch (selection.kind) {
      case "all":
        return strikes;
      case "expiry":
        return dayOf(layout.expiry.at) === selection.date ? strikes : [];
      case "atm": {
        const middle = nearestStrike(strikes, moneyOf(book, layout));
        return middle < 0 ? [] : strikes.slice(Math.max(0, middle - selection.count), middle + selection.count + 1);
      }
      case "percent": {
        const money = moneyOf(book, layout);
        return strikes.filter(({ strike }) => Math.abs(strike - money) <= (selection.percent / 100) * money);
      }
      case "delta": {
        const { delta, tolerance } = selection;
        const isNear = (row: number) => row >= 0 && Math.abs(Math.abs(columns.delta[row]!) - delta) <= tolerance;
        return strikes.filter(({ call, put }) => isNear(call) || isNear(put));
      }
    }
  }
}

/** The forward of an expiry now; the spot where there is none. */
export function moneyOf(book: UnderlyingBook, layout: ExpiryLayout): number {
  const forward = forwardOf(book, layout);
  return Number.isNaN(forward) ? book.spot : forward;
}

/** The forward at the last valuation's moment and spot; NaN where there is none. */
function forwardOf(book: UnderlyingBook, { expiry }: ExpiryLayout): number {
  const { fit } = expiry;
  const time = timeOf(book, expiry.at);
  if (fit === null || !(time > 0)) return Number.NaN;
  return book.spot * Math.exp((fit.rate - fit.dividendYield) * time);
}

function timeOf(book: UnderlyingBook, at: number): number {
  return book.valuedAt === null ? Number.NaN : yearsBetween(Number(book.valuedAt), at);
}

/** Where the strike nearest to the money stands; the lower of two as near; −1 of none or without a money. */
function nearestStrike(strikes: readonly StrikeRows[], money: number): number {
  let nearest = -1;
  for (const [index, { strike }] of strikes.entries())
    if (nearest < 0 || Math.abs(strike - money) < Math.abs(strikes[nearest]!.strike - money)) nearest = index;
  return Number.isNaN(money) ? -1 : nearest;
}

/** The day a moment falls on in New York's winter, which is the day of every settlement there. */
function dayOf(at: number): string {
  const date = new Date(at / 1000 - 5 * 3_600_000);
  return formatCivilDate({ year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() });
}

/** One symbol's Greeks as JSON's text: its cell with the underlying, the moment and the spot; null where it is no option listed here. */
export function greeksJson(book: UnderlyingBook, symbol: string, units: Units = "market"): string | null {
  const row = book.rows.rowOf(symbol);
  if (row < 0 || row >= book.rows.optionCount) return null;
  return `{${headFields(book)},"units":"${units}",${new CellWriter(book, units).cell(row).slice(1)}`;
}

/** What was last quoted of a symbol as JSON's text; null where it is not listed or nothing was. */
export function quoteJson(book: UnderlyingBook, symbol: string): string | null {
  const quoted = book.quoted(symbol);
  if (quoted === null || Number.isNaN(quoted.venueAt)) return null;
  const times = new MomentWriter();
  const sequence = Number.isNaN(quoted.sequence) ? "null" : quoted.sequence;
  return `{"symbol":${JSON.stringify(symbol)},"ts":${times.text(quoted.venueAt)},${sidesOf(quoted)},"source_seq":${sequence},"received_at":${times.text(quoted.receivedAt)}}`;
}

/** One quote as it came, as JSON's text: what a book may have filled in from earlier ones is null here. */
export function tickJson(quote: Quote): string {
  const { symbol, at, bid, ask, bidSize, askSize, last, volume, openInterest, sourceSequence } = quote;
  return `{"symbol":${JSON.stringify(symbol)},"ts":"${formatTimestamp(at)}",${sidesOf({ bid, ask, bidSize, askSize, last, volume, openInterest })},"source_seq":${sourceSequence}}`;
}

/** The fitted surface as JSON's text: each expiry's forward and the parameters of its slice. */
export function surfaceJson(book: UnderlyingBook): string {
  const slices = book.layout.map((layout) => {
    const slice = layout.expiry.fit?.slice ?? null;
    if (slice === null) return `{${expiryFields(book, layout)},"slice":null}`;
    const { a, b, rho, m, sigma, wing } = slice.svi;
    const putWing = wing === undefined ? "null" : JSON.stringify(wing);
    const atTheMoney = Math.sqrt(
      book.surface!.jet(0, layout.expiry.fit!.timeToExpiry).w / layout.expiry.fit!.timeToExpiry,
    );
    return `{${expiryFields(book, layout)},"slice":{"a":${a},"b":${b},"rho":${rho},"m":${m},"sigma":${sigma},"put_wing":${putWing},"fitted_time_to_expiry":${slice.timeToExpiry},"fitted_at":${new MomentWriter().text(slice.at)},"quote_count":${slice.quoteCount},"atm_volatility":${number(atTheMoney)}}}`;
  });
  return `{${headFields(book)},"model":"svi_put_wing","expiries":[${slices.join(",")}]}`;
}

/** The columns of marks, beside symbols. */
const markColumns = ["price", "volatility", "delta", "gamma", "vega", "theta", "rho"] as const;

/** Every option of the book in one object of columns, in order of rows. */
export function marksJson(book: UnderlyingBook, units: Units = "market"): string {
  const rows = Int32Array.from({ length: book.rows.optionCount }, (_, row) => row);
  const symbols = book.rows.instruments.slice(0, rows.length).map(({ symbol }) => symbol);
  return `{${headFields(book)},"units":"${units}","symbols":${JSON.stringify(symbols)},${markFields(book, rows, units)}}`;
}

function markFields(book: UnderlyingBook, rows: Int32Array, units: Units): string {
  const { columns } = book.rows;
  const fields = markColumns.map((name) => {
    const factor = name === "volatility" ? 1 : unitFactor(name, units);
    const values: string[] = [];
    for (const row of rows) values.push(number(columns[name][row]! * factor));
    return `"${name}":[${values.join(",")}]`;
  });
  const reasons: string[] = [];
  for (const row of rows) reasons.push(word(bookReasons, columns.reason[row]!));
  return `${fields.join(",")},"reason":[${reasons.join(",")}]`;
}

/** A frame of a channel: the whole, or what changed since the last. */
export interface FollowedFrame {
  readonly kind: "snapshot" | "delta";
  readonly data: string;
}

/**
 * Follows the marks of a book: a snapshot first and whenever rows came or went, else the rows that changed, by their places among the
 * snapshot's symbols; null where nothing did.
 */
export class MarksFollower {
  readonly #units: Units;
  #structure = -1;
  #version = -1;

  constructor(units: Units = "market") {
    this.#units = units;
  }

  next(book: UnderlyingBook): FollowedFrame | null {
    const since = this.#version;
    this.#version = book.version;
    if (this.#structure !== book.rows.structure) {
      this.#structure = book.rows.structure;
      return { kind: "snapshot", data: marksJson(book, this.#units) };
    }
    const rows = book.rowsChangedSince(since).filter((row) => row < book.rows.optionCount);
    if (rows.length === 0) return null;
    return {
      kind: "delta",
      data: `{${headFields(book)},"rows":[${rows.join(",")}],${markFields(book, rows, this.#units)}}`,
    };
  }
}

/**
 * Follows a chain: a snapshot first and whenever rows came or went, else the options that changed or came into the selection, whole, by
 * strike and expiry as in the snapshot, and the symbols that left it; null where nothing happened.
 */
export class ChainFollower {
  readonly #selection: Selection;
  readonly #units: Units;
  #structure = -1;
  #version = -1;
  #members = new Set<number>();

  constructor(selection: Selection, units: Units = "market") {
    this.#selection = selection;
    this.#units = units;
  }

  next(book: UnderlyingBook): FollowedFrame | null {
    const since = this.#version;
    const before = this.#members;
    this.#version = book.version;
    const chosen = selectedStrikes(book, this.#selection);
    this.#members = new Set(chosen.flatMap(({ strikes }) => strikes.flatMap(({ call, put }) => [call, put])));
    this.#members.delete(-1);
    if (this.#structure !== book.rows.structure) {
      this.#structure = book.rows.structure;
      return { kind: "snapshot", data: chainJson(book, this.#selection, this.#units) };
    }
    const { version } = book.rows.columns;
    const isNews = (row: number) => row >= 0 && (version[row]! > since || !before.has(row));
    const writer = new CellWriter(book, this.#units);
    const expiries: string[] = [];
    for (const { layout, strikes } of chosen) {
      const rows: string[] = [];
      for (const { strike, call, put } of strikes) {
        const fields = [`"strike":${strike}`];
        if (isNews(call)) fields.push(`"call":${writer.cell(call)}`);
        if (isNews(put)) fields.push(`"put":${writer.cell(put)}`);
        if (fields.length > 1) rows.push(`{${fields.join(",")}}`);
      }
      if (rows.length > 0) expiries.push(`{${expiryFields(book, layout)},"rows":[${rows.join(",")}]}`);
    }
    const removed = [...before].filter((row) => !this.#members.has(row)).map((row) => book.rows.symbolAt(row));
    if (expiries.length === 0 && removed.length === 0) return null;
    const data = `{${headFields(book)},"units":"${this.#units}","expiries":[${expiries.join(",")}],"removed":${JSON.stringify(removed)}}`;
    return { kind: "delta", data };
  }
}

/** What every view begins with, without the braces. */
function headFields(book: UnderlyingBook): string {
  const moment = (at: bigint | null) => (at === null ? "null" : `"${formatTimestamp(at)}"`);
  return `"underlying":${JSON.stringify(book.underlying)},"as_of":${moment(book.valuedAt)},"spot":${number(book.spot)},"spot_source":"${book.spotSource}","fitted_at":${moment(book.fittedAt)}`;
}

function expiryFields(book: UnderlyingBook, layout: ExpiryLayout): string {
  const { at, root, style, fit } = layout.expiry;
  const time = timeOf(book, at);
  const forward = forwardOf(book, layout);
  const hasForward = !Number.isNaN(forward);
  const discount = hasForward ? Math.exp(-fit!.rate * time) : Number.NaN;
  return `"expiry":${new MomentWriter().text(at)},"root":${JSON.stringify(root)},"style":"${style}","time_to_expiry":${number(time)},"forward":${number(forward)},"forward_source":"${hasForward ? fit!.source : "none"}","discount":${number(discount)},"rate":${hasForward ? number(fit!.rate) : "null"},"dividend_yield":${hasForward ? number(fit!.dividendYield) : "null"},"de_americanised":${fit?.isDeAmericanised ?? false}`;
}

/** Writes cells of one book, remembering what many have in common. */
class CellWriter {
  readonly #book: UnderlyingBook;
  readonly #times = new MomentWriter();
  readonly #factors: Readonly<Record<"vega" | "theta" | "rho", number>>;

  constructor(book: UnderlyingBook, units: Units) {
    this.#book = book;
    this.#factors = {
      vega: unitFactor("vega", units),
      theta: unitFactor("theta", units),
      rho: unitFactor("rho", units),
    };
  }

  cell(row: number): string {
    const { columns } = this.#book.rows;
    const { vega, theta, rho } = this.#factors;
    const at = (name: keyof typeof columns) => number(columns[name][row]!);
    return `{"symbol":${JSON.stringify(this.#book.rows.symbolAt(row))},"bid":${at("bid")},"ask":${at("ask")},"bid_size":${at("bidSize")},"ask_size":${at("askSize")},"last":${at("last")},"volume":${at("volume")},"open_interest":${at("openInterest")},"ts":${this.#times.text(columns.venueAt[row]!)},"quote":"${quoteStates[columns.quoteState[row]!]}","iv":${at("quoteVolatility")},"volatility":${at("volatility")},"volatility_source":${word(volatilitySources, columns.volatilitySource[row]!)},"price":${at("price")},"delta":${at("delta")},"gamma":${at("gamma")},"vega":${number(columns.vega[row]! * vega)},"theta":${number(columns.theta[row]! * theta)},"rho":${number(columns.rho[row]! * rho)},"reason":${word(bookReasons, columns.reason[row]!)}}`;
  }
}

function sidesOf(
  quoted: Pick<Quoted, "bid" | "ask" | "bidSize" | "askSize" | "last" | "volume" | "openInterest">,
): string {
  return `"bid":${number(quoted.bid)},"ask":${number(quoted.ask)},"bid_size":${number(quoted.bidSize)},"ask_size":${number(quoted.askSize)},"last":${number(quoted.last)},"volume":${number(quoted.volume)},"open_interest":${number(quoted.openInterest)}`;
}

function number(value: number): string {
  return Number.isFinite(value) ? `${value}` : "null";
}

/** The word of a code in quotes; the first, which says nothing, is null. */
function word(words: readonly string[], code: number): string {
  return code === 0 ? "null" : `"${words[code]}"`;
}

/** Moments as JSON's text; the second is put into words once for all that fall into it. */
class MomentWriter {
  #second = Number.NaN;
  #words = "";

  text(microseconds: number): string {
    if (Number.isNaN(microseconds)) return "null";
    const second = Math.floor(microseconds / 1e6);
    if (second !== this.#second) {
      this.#second = second;
      this.#words = formatTimestamp(BigInt(second) * 1_000_000n).slice(0, 20);
    }
    return `"${this.#words}${(microseconds - second * 1e6).toString().padStart(6, "0")}Z"`;
  }
}
