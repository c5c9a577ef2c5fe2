// One underlying's book: its instruments, their last quotes, what was fitted to them and what they are worth. A state machine without a
// clock: everything enters through the entries of its record, in order, and the same entries give the same bits; so a checkpoint
// and the entries after it rebuild it, and a past moment is asked by replaying what was known then. Must never read time, never
// wait, and never look at anything that did not enter.
//
// Between refits rates, yields and smiles are held (expiry.ts). A valuation prices every option at once: European options, and American
// ones as European plus what early exercise added at the last full valuation, expanded to second order in the spot.
// See docs/numerics/live-valuation.md. Checked: tests/unit/book, tests/property/book, tests/numerics/live-chain.

import { createHash } from "node:crypto";
import type { Instrument } from "../domain/instrument";
import { isPrice, midOf, type Quote, quoteFault } from "../domain/quote";
import type { Engine } from "../engine/engine";
import { assert, unreachable } from "../foundation/assert";
import type { EpochMicroseconds } from "../foundation/clock";
import { Surface } from "../surfaces/surface";
import { readBook, writeBook } from "./checkpoint";
import {
  type Applied,
  type BookEntry,
  type BookSettings,
  type QuoteState,
  quoteStates,
  type SpotSource,
  type ValuationReport,
} from "./entries";
import { type Expiry, type ExpiryLayout, expiryKey, expiryOf, layoutOf } from "./expiry";
import { type RefitInput, type RefitResult, refitInSteps } from "./refit";
import type { Rows } from "./rows";
import { type BookState, emptyState, orderOf, ownSpot, type Quoted, quotedAfter, quotedColumns } from "./state";
import { premiumColumns, Valuer } from "./valuer";

/** What a book begins with. */
export interface BookStart {
  readonly underlying: string;
  readonly engine: Engine;
  readonly settings: BookSettings;
}

export class UnderlyingBook {
  readonly #engine: Engine;
  readonly #state: BookState;
  readonly #expiryOf = new Map<string, number>();
  readonly #valuer: Valuer;
  #layout: ExpiryLayout[] = [];
  #layoutStructure = -1;
  #surface: Surface | null = null;
  #surfaceVersion = -1;
  /** What `refitSteps` worked out for the pending refit. */
  #worked: RefitResult | null = null;

  constructor({ underlying, engine, settings }: BookStart, state: BookState = emptyState(underlying, settings)) {
    this.#engine = engine;
    this.#state = state;
    this.#valuer = new Valuer(engine);
    for (const [index, expiry] of state.expiries.entries())
      if (expiry.rowCount > 0) this.#expiryOf.set(expiryKey(expiry.at, expiry.root, expiry.style), index);
  }

  get underlying(): string {
    return this.#state.underlying;
  }

  get settings(): BookSettings {
    return this.#state.settings;
  }

  get rows(): Rows {
    return this.#state.rows;
  }

  get expiries(): readonly Expiry[] {
    return this.#state.expiries;
  }

  get version(): number {
    return this.#state.version;
  }

  get spot(): number {
    return this.#state.spot;
  }

  get spotSource(): SpotSource {
    return this.#state.spotSource;
  }

  /** The underlying's own quote; NaN throughout where it has none. */
  get own(): Quoted {
    return this.#state.own;
  }

  get ownInstrument(): Instrument | null {
    return this.#state.ownInstrument;
  }

  /** Moment of the last valuation; null before the first. */
  get valuedAt(): EpochMicroseconds | null {
    return momentOf(this.#state.valuedAt);
  }

  get fittedAt(): EpochMicroseconds | null {
    return momentOf(this.#state.fittedAt);
  }

  /** The options by expiry, in order. Made anew when rows came or went. */
  get layout(): readonly ExpiryLayout[] {
    const { rows, expiries } = this.#state;
    if (this.#layoutStructure !== rows.structure) {
      this.#layout = layoutOf(rows, expiries);
      this.#layoutStructure = rows.structure;
    }
    return this.#layout;
  }

  /** The fitted slices as one surface, as of the last refit; null where there are none. */
  get surface(): Surface | null {
    const { fittedAt } = this.#state;
    if (this.#surfaceVersion !== this.#fitVersion) {
      this.#surface = Number.isNaN(fittedAt) ? null : surfaceOf(this.layout);
      this.#surfaceVersion = this.#fitVersion;
    }
    return this.#surface;
  }
  #fitVersion = 0;

  /** Any entry of the record. */
  enter(entry: BookEntry): void {
    switch (entry.kind) {
      case "list":
        this.list(entry.instruments);
        return;
      case "unlist":
        this.unlist(entry.symbols);
        return;
      case "quote":
        this.apply(entry.quote, entry.receivedAt);
        return;
      case "refit_begin":
        this.beginRefit(entry.at);
        return;
      case "refit":
        this.refit(entry.at);
        return;
      case "value":
        this.value(entry.at);
        return;
      case "settings":
        this.configure(entry.settings);
        return;
      default:
        unreachable(entry);
    }
  }

  /** Takes instruments in; one that is there already stays as it is. A refit under way begins anew. */
  list(instruments: readonly Instrument[]): void {
    const state = this.#state;
    const { rows, expiries } = state;
    state.version += 1;
    for (const instrument of instruments) {
      if (instrument.symbol === state.underlying) {
        state.ownInstrument ??= instrument;
        continue;
      }
      if (rows.rowOf(instrument.symbol) >= 0) continue;
      let expiryIndex = Number.NaN;
      if (instrument.kind === "option") {
        assert(
          instrument.expiry !== null && instrument.strike !== null,
          `${instrument.symbol} has no expiry or strike`,
        );
        const expiry = expiryOf(instrument);
        const key = expiryKey(expiry.at, expiry.root, expiry.style);
        let known = this.#expiryOf.get(key);
        if (known === undefined) {
          const free = expiries.findIndex(({ rowCount }) => rowCount === 0);
          known = free >= 0 ? free : expiries.length;
          expiries[known] = expiry;
          this.#expiryOf.set(key, known);
        }
        expiries[known]!.rowCount += 1;
        expiryIndex = known;
      }
      rows.add(instrument, { expiryIndex, version: state.version });
      state.pending = null;
    }
  }

  /** Lets instruments go; unknown ones are nothing. A refit under way begins anew. */
  unlist(symbols: readonly string[]): void {
    const state = this.#state;
    const { rows, expiries } = state;
    state.version += 1;
    for (const symbol of symbols) {
      const row = rows.rowOf(symbol);
      if (row < 0) continue;
      const expiry = expiries[rows.columns.expiryIndex[row]!];
      rows.remove(symbol);
      state.pending = null;
      if (expiry === undefined) continue;
      expiry.rowCount -= 1;
      if (expiry.rowCount === 0) {
        this.#expiryOf.delete(expiryKey(expiry.at, expiry.root, expiry.style));
        expiry.fit = null;
        this.#fitVersion += 1;
      }
    }
  }

  configure(settings: BookSettings): void {
    this.#state.settings = settings;
    this.#state.version += 1;
  }

  /** Whether an instrument is listed here, the underlying itself included. */
  has(symbol: string): boolean {
    const { underlying, ownInstrument, rows } = this.#state;
    return symbol === underlying ? ownInstrument !== null : rows.rowOf(symbol) >= 0;
  }

  /** Takes a quote in, unless it is one already had, older than the last, or of nothing listed here. */
  apply(quote: Quote, receivedAt: EpochMicroseconds): Applied {
    const state = this.#state;
    const isOwn = quote.symbol === state.underlying;
    const row = isOwn ? -1 : state.rows.rowOf(quote.symbol);
    if (!isOwn && row < 0) return "unknown";
    const last = isOwn ? state.own : this.#quotedAt(row);
    const judged = orderOf(last, quote);
    if (judged !== "applied") return judged;
    state.version += 1;
    const next = quotedAfter(last, quote, Number(receivedAt));
    if (isOwn) {
      state.own = next;
      return "applied";
    }
    const { columns } = state.rows;
    for (const name of quotedColumns) columns[name][row] = next[name];
    columns.quoteVersion[row] = state.version;
    columns.version[row] = state.version;
    return "applied";
  }

  /** What was last told of a symbol, the underlying's own included; null where it is not listed. */
  quoted(symbol: string): Quoted | null {
    if (symbol === this.#state.underlying) return this.#state.own;
    const row = this.#state.rows.rowOf(symbol);
    return row < 0 ? null : this.#quotedAt(row);
  }

  /** Takes the quotes of now for the next refit to fit. */
  beginRefit(at: EpochMicroseconds): void {
    const state = this.#state;
    const moment = Number(at);
    const { rows, settings } = state;
    const { columns } = rows;
    state.version += 1;
    const own = ownSpot(state.own, moment, settings.spotStaleMicroseconds);
    const bid = new Float64Array(rows.optionCount).fill(Number.NaN);
    const ask = new Float64Array(rows.optionCount).fill(Number.NaN);
    for (let row = 0; row < rows.optionCount; row++) {
      if (this.#stateOf(row, moment) !== "ok") continue;
      const unit = columns.isInverse[row] === 1 ? own.spot : 1;
      bid[row] = columns.bid[row]! * unit;
      ask[row] = columns.ask[row]! * unit;
    }
    const futures = new Map<number, number>();
    for (let row = rows.optionCount; row < rows.count; row++) {
      const { expiry } = rows.instruments[row]!;
      const middle = midOf({ bid: columns.bid[row]!, ask: columns.ask[row]! });
      if (expiry !== null && this.#stateOf(row, moment) === "ok") futures.set(Number(expiry), middle);
    }
    state.pending = {
      at: moment,
      version: state.version,
      settings,
      spot: own.spot,
      spotSource: own.source,
      bid,
      ask,
      futures,
    };
    this.#worked = null;
  }

  /** Fits what the last `beginRefit` took, or what is quoted now, and takes the result over. */
  refit(at: EpochMicroseconds): void {
    if (this.#state.pending === null) this.beginRefit(at);
    let result = this.#worked;
    if (result === null) {
      const steps = this.#work();
      let step = steps.next();
      while (!step.done) step = steps.next();
      result = step.value;
    }
    this.#takeOver(this.#state.pending!, result);
  }

  /**
   * A refit in steps of about two milliseconds between which other entries may enter. `record` is handed the entries that belong in the
   * record, at the moments they belong there. Where rows come or go meanwhile it ends without a result.
   */
  *refitSteps(at: EpochMicroseconds, record: (entry: BookEntry) => void = () => undefined): Generator<void, void> {
    record({ kind: "refit_begin", at });
    this.beginRefit(at);
    const input = this.#state.pending;
    const steps = this.#work();
    for (;;) {
      const step = steps.next();
      if (this.#state.pending !== input) return;
      if (step.done) {
        this.#worked = step.value;
        break;
      }
      yield;
    }
    record({ kind: "refit", at });
    this.refit(at);
  }

  /** Values every option at the spot of now. */
  value(at: EpochMicroseconds): ValuationReport {
    const state = this.#state;
    const moment = Number(at);
    state.version += 1;
    state.valuedAt = moment;
    this.#findSpot(moment);
    const { rows } = state;
    for (let row = 0; row < rows.count; row++) {
      const code = quoteStates.indexOf(this.#stateOf(row, moment));
      if (rows.columns.quoteState[row] === code) continue;
      rows.columns.quoteState[row] = code;
      rows.columns.version[row] = state.version;
    }
    return this.#valuer.value(state, moment, this.surface);
  }

  /** Rows that changed after that version, in order. */
  rowsChangedSince(version: number): Int32Array {
    const { rows } = this.#state;
    const changed = new Int32Array(rows.count);
    let count = 0;
    for (let row = 0; row < rows.count; row++) if (rows.columns.version[row]! > version) changed[count++] = row;
    return changed.slice(0, count);
  }

  /** The whole state as bytes, a refit under way included. */
  checkpoint(): Uint8Array {
    return writeBook(this.#state);
  }

  /** The book a checkpoint was made of; with other settings where they are given. Throws InvariantError for bytes that are none. */
  static restore(bytes: Uint8Array, { engine, settings }: { engine: Engine; settings?: BookSettings }): UnderlyingBook {
    const state = readBook(bytes);
    if (settings !== undefined) state.settings = settings;
    return new UnderlyingBook({ underlying: state.underlying, engine, settings: state.settings }, state);
  }

  /** SHA-256 of the whole state, in lower-case hex: equal where everything is. */
  stateHash(): string {
    return createHash("sha256").update(this.checkpoint()).digest("hex");
  }

  #quotedAt(row: number): Quoted {
    const { columns } = this.#state.rows;
    const quoted = {} as Record<(typeof quotedColumns)[number], number>;
    for (const name of quotedColumns) quoted[name] = columns[name][row]!;
    return quoted;
  }

  #stateOf(row: number, moment: number): QuoteState {
    const { columns } = this.#state.rows;
    const [bid, ask] = [columns.bid[row]!, columns.ask[row]!];
    const fault = quoteFault({ bid, ask });
    if (fault === "crossed") return "crossed";
    if (fault !== null) return isPrice(bid) || isPrice(ask) ? "one_sided" : "no_quote";
    return moment - columns.sidesReceivedAt[row]! > this.#state.settings.staleMicroseconds ? "stale" : "ok";
  }

  #work(): Generator<void, RefitResult> {
    const { rows, expiries, pending } = this.#state;
    assert(pending !== null, "no refit was begun");
    return refitInSteps(
      {
        engine: this.#engine,
        layouts: this.layout,
        strike: rows.columns.strike,
        isCall: rows.isCall,
        expiryCount: expiries.length,
      },
      pending,
    );
  }

  #takeOver(input: RefitInput, result: RefitResult): void {
    const state = this.#state;
    const { rows, expiries } = state;
    const { columns } = rows;
    state.version += 1;
    state.fittedAt = input.at;
    state.paritySpot = result.spotSource === "parity" ? result.spot : Number.NaN;
    state.pending = null;
    this.#worked = null;
    this.#fitVersion += 1;
    for (const [index, expiry] of expiries.entries()) expiry.fit = result.fits[index] ?? null;
    for (let row = 0; row < rows.optionCount; row++) {
      const volatility = result.quoteVolatility[row]!;
      // What was quoted since is solved by the next valuation, and says more.
      if (columns.quoteVersion[row]! <= input.version && !Number.isNaN(input.bid[row]!)) {
        if (!Object.is(columns.quoteVolatility[row], volatility)) columns.version[row] = state.version;
        columns.quoteVolatility[row] = volatility;
        columns.solveStatus[row] = result.solveStatus[row]!;
        columns.solvedVersion[row] = input.version;
      }
      if (row < rows.europeanCount) continue;
      columns.premiumSpot[row] = result.spot;
      for (const [output, name] of premiumColumns.entries()) columns[name][row] = result.premiums[output]![row]!;
    }
  }

  /** The underlying's fresh middle or last, else parity's of the last refit, else its own however old. */
  #findSpot(moment: number): void {
    const state = this.#state;
    const own = ownSpot(state.own, moment, state.settings.spotStaleMicroseconds);
    const isParity = own.source !== "mid" && own.source !== "last" && isPrice(state.paritySpot);
    state.spot = isParity ? state.paritySpot : own.spot;
    state.spotSource = isParity ? "parity" : own.source;
  }
}

function momentOf(microseconds: number): EpochMicroseconds | null {
  return Number.isNaN(microseconds) ? null : BigInt(microseconds);
}

/** The slices in order of time, one a moment, the first root's where two settle at one. */
function surfaceOf(layouts: readonly ExpiryLayout[]): Surface | null {
  const slices: ConstructorParameters<typeof Surface>[0][number][] = [];
  let spot = Number.NaN;
  for (const { expiry } of layouts) {
    const { fit } = expiry;
    if (fit?.slice == null) continue;
    const { timeToExpiry, forward, rate } = fit;
    if (slices.length > 0 && timeToExpiry <= slices.at(-1)!.timeToExpiry) continue;
    slices.push({ timeToExpiry, forward, discount: Math.exp(-rate * timeToExpiry), svi: fit.slice.svi });
    spot = fit.spot;
  }
  return slices.length === 0 ? null : new Surface(slices, spot);
}
