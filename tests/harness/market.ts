// The market over parts that a test can watch and break: an instrument master of a few names, an archive in memory, and books that write down what
// they are told. For the flow alone: what real books make of quotes is judged by the tests of the books.

import {
  type Applied,
  type BookEntry,
  type BookSettings,
  defaultBookSettings,
  type ValuationReport,
} from "../../src/book/entries";
import type { Instrument } from "../../src/domain/instrument";
import type { Quote } from "../../src/domain/quote";
import {
  createMarket,
  type LaneBook,
  type Market,
  type MarketLimits,
  type MarketWatch,
} from "../../src/features/market/service";
import { type Clock, type EpochMicroseconds, systemClock } from "../../src/foundation/clock";
import { createEventBus, type EventBus } from "../../src/foundation/event-bus";
import { silentLog } from "../../src/foundation/log";
import { seededRandom } from "../../src/foundation/random";

/** A book that writes down what it is told; a quote whose last is 666 breaks it. */
export class NotedBook implements LaneBook {
  readonly notes: string[] = [];
  readonly #listed = new Set<string>();
  readonly #last = new Map<string, Quote>();
  stepsOfRefit = 2;

  has(symbol: string): boolean {
    return this.#listed.has(symbol);
  }

  list(instruments: readonly Instrument[]): void {
    for (const { symbol } of instruments) this.#listed.add(symbol);
    this.notes.push(`list ${instruments.map(({ symbol }) => symbol).join()}`);
  }

  unlist(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#listed.delete(symbol);
    this.notes.push(`unlist ${symbols.join()}`);
  }

  apply(quote: Quote): Applied {
    if (quote.last === 666) throw new Error("a broken book");
    if (!this.#listed.has(quote.symbol)) return "unknown";
    const known = this.#last.get(quote.symbol);
    if (known && known.at === quote.at) return "duplicate";
    if (known && known.at > quote.at) return "late";
    this.#last.set(quote.symbol, quote);
    this.notes.push(`${quote.symbol}=${quote.bid}`);
    return "applied";
  }

  *refitSteps(at: EpochMicroseconds, record: (entry: BookEntry) => void = () => {}): Generator<void, void> {
    record({ kind: "refit_begin", at });
    for (let step = 1; step < this.stepsOfRefit; step++) yield;
    this.notes.push("refit");
    record({ kind: "refit", at });
  }

  settings: BookSettings = defaultBookSettings;

  configure(settings: BookSettings): void {
    this.settings = settings;
    this.notes.push("settings");
  }

  checkpoint(): Uint8Array {
    return new TextEncoder().encode(this.notes.join());
  }

  value(): ValuationReport {
    this.notes.push("value");
    return { optionCount: this.#listed.size, nullCount: 0 };
  }
}

export class MemoryArchive {
  readonly records = new Map<string, BookEntry[]>();
  keptCount = 0;
  /** Rejects while set. */
  fault: Error | null = null;
  gate: Promise<void> = Promise.resolve();
  checkpointOf: (underlying: string) => Uint8Array | null = () => null;

  checkpointsFrom(source: (underlying: string) => Uint8Array | null): void {
    this.checkpointOf = source;
  }

  append(underlying: string, entries: readonly BookEntry[]): void {
    this.records.set(underlying, [...(this.records.get(underlying) ?? []), ...entries]);
  }

  async kept(): Promise<void> {
    await this.gate;
    if (this.fault) throw this.fault;
    this.keptCount += 1;
  }

  async bookAt(underlying: string, asOf: EpochMicroseconds): Promise<NotedBook | null> {
    const known = (this.records.get(underlying) ?? []).filter((entry) => timeOf(entry) <= asOf);
    return known.length > 0 ? replayed(known) : null;
  }

  async latest(underlying: string): Promise<NotedBook | null> {
    if (this.fault) throw this.fault;
    const record = this.records.get(underlying);
    return record ? replayed(record) : null;
  }

  async underlyings(): Promise<readonly string[]> {
    return [...this.records.keys()];
  }
}

const timeOf = (entry: BookEntry): EpochMicroseconds =>
  "at" in entry ? entry.at : "receivedAt" in entry ? entry.receivedAt : 0n;

function replayed(entries: readonly BookEntry[]): NotedBook {
  const book = new NotedBook();
  for (const entry of entries) {
    if (entry.kind === "list") book.list(entry.instruments);
    else if (entry.kind === "unlist") book.unlist(entry.symbols);
    else if (entry.kind === "quote") book.apply(entry.quote);
    else if (entry.kind === "refit") for (const _ of book.refitSteps(entry.at));
    else if (entry.kind === "value") book.value();
    else if (entry.kind === "settings") book.configure(entry.settings);
  }
  return book;
}

export const spotOf = (symbol: string): Instrument => ({
  ...{ symbol, kind: "underlying", underlying: symbol, root: symbol, expiry: null, strike: null, optionType: null },
  ...{ style: null, settlement: null, multiplier: 1, tickSize: null, currency: "USD", calendar: "cboe" },
});

export const optionOf = (underlying: string, strike: number, expiry = 1_800_000_000_000_000n): Instrument => ({
  ...spotOf(underlying),
  symbol: `${underlying}C${strike}`,
  kind: "option",
  expiry,
  strike,
  optionType: "call",
  style: "european",
  settlement: "pm",
  multiplier: 100,
});

export class MemoryInstruments {
  readonly #all = new Map<string, Instrument>();
  readonly #listed: ((some: readonly Instrument[]) => void)[] = [];
  readonly #unlisted: ((some: readonly Instrument[]) => void)[] = [];

  constructor(instruments: readonly Instrument[]) {
    for (const instrument of instruments) this.#all.set(instrument.symbol, instrument);
  }

  list(instrument: Instrument): void {
    this.#all.set(instrument.symbol, instrument);
    for (const told of this.#listed) told([instrument]);
  }

  unlist(symbol: string): void {
    const instrument = this.#all.get(symbol)!;
    this.#all.delete(symbol);
    for (const told of this.#unlisted) told([instrument]);
  }

  find(symbol: string): Instrument | null {
    return this.#all.get(symbol) ?? null;
  }

  ofUnderlying(underlying: string): Instrument[] {
    return [...this.#all.values()].filter((one) => one.underlying === underlying && one.symbol !== underlying);
  }

  onListed(told: (some: readonly Instrument[]) => void): () => void {
    this.#listed.push(told);
    return () => this.#listed.splice(this.#listed.indexOf(told), 1);
  }

  onUnlisted(told: (some: readonly Instrument[]) => void): void {
    this.#unlisted.push(told);
  }
}

/** A quote at so many microseconds after a fixed moment. */
export const quoteOf = (symbol: string, bid: number, at: number, rest: Partial<Quote> = {}): Quote => ({
  ...{ symbol, at: 1_750_000_000_000_000n + BigInt(at), bid, ask: bid + 1, bidSize: 1, askSize: 1, last: Number.NaN },
  ...{ volume: Number.NaN, openInterest: Number.NaN, sourceSequence: null },
  ...rest,
});

export interface MarketFixture {
  readonly market: Market<NotedBook>;
  readonly archive: MemoryArchive;
  readonly instruments: MemoryInstruments;
  readonly bus: EventBus;
  /** What the watch was told, a word each. */
  readonly watched: string[];
}

export function openMarket(
  instruments: readonly Instrument[],
  options: {
    settings?: BookSettings;
    limits?: Partial<MarketLimits>;
    clock?: Clock;
    archive?: MemoryArchive;
    isKept?: boolean;
    newBook?: () => NotedBook;
  } = {},
): MarketFixture {
  const { clock = systemClock, archive = new MemoryArchive(), newBook = () => new NotedBook() } = options;
  const bus = createEventBus({ clock });
  const master = new MemoryInstruments(instruments);
  const watched: string[] = [];
  const watch: MarketWatch = {
    staged: (stage) => void watched.push(stage),
    ticked: (kind) => void watched.push(`ticked ${kind}`),
    valued: (_milliseconds, optionCount) => void watched.push(`valued ${optionCount}`),
    rejected: (reason) => void watched.push(`rejected ${reason}`),
    failed: (stage) => void watched.push(`failed ${stage}`),
    began: () => void watched.push("began"),
    ended: (_milliseconds, quoteCount) => void watched.push(`ended ${quoteCount}`),
  };
  const market = createMarket({
    ...{
      instruments: master,
      archive: options.isKept === false ? null : archive,
      newBook,
      bus,
      watch,
      clock,
      random: seededRandom(3n),
      log: silentLog,
    },
    settings: options.settings ?? defaultBookSettings,
    judge: (quote, instrument) => (instrument === null ? "unknown_symbol" : quote.bid < 0 ? "negative_price" : "ok"),
    limits: {
      ...{ queueMax: 1000, batchMax: 100, flushMilliseconds: 0, valuationsPerSecond: 100, refitMilliseconds: 1000 },
      ...options.limits,
    },
  });
  return { market, archive, instruments: master, bus, watched };
}
