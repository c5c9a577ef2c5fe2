// Candles and historical Greeks. Candles are made from the market's log, a minute at a time and beside everything else: taking quotes in costs nothing for them, and
// a process that was killed has lost none. What the log holds beyond the last of them is read when it is asked for. It must never answer
// with what was not known at the moment asked for, nor with a bar that is cut off where a page ends.
//
// Invariants:
// 1. Minutes are written before the mark that says how far the log is in them; rows known after the last mark count for nothing, and the next round writes
//    them again. So a kill between two writes counts no tick twice.
// 2. What was known at T: for each minute its last row known by the last mark at or before T, with the log's entries from that mark to T merged in.

import {
  type Candle,
  type CandleInterval,
  candleMicroseconds,
  candleStart,
  coarserCandles,
  mergeCandles,
} from "../../book/candles";
import type { BookEntry } from "../../book/entries";
import { isInverse } from "../../book/rows";
import type { Instrument } from "../../domain/instrument";
import { type StatusName, statusName, type Units } from "../../engine/catalog";
import type { Engine } from "../../engine/engine";
import { Agent } from "../../foundation/agent";
import { type Clock, type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import type { Log } from "../../foundation/log";
import { nextTurn } from "../../foundation/turn";
import type { BatchedFile } from "../../storage/batched-file";
import type { ReadDatabase, Storage } from "../../storage/storage";
import { type Archive, notKept } from "../archive/service";
import {
  type CandleRow,
  deleteMarks,
  deleteMinutes,
  ensureSymbol,
  findSymbol,
  insertMark,
  lastMinute,
  markAt,
  minuteAt,
  minutesIn,
  putCandle,
  symbolsAfter,
} from "./repository";
import { byMinute, type GatheredSymbol, gather, mergedBars, packSeconds, spanFrom, unpackSeconds } from "./rules";

export type { Candle, CandleInterval } from "../../book/candles";

/** What candles need of the archive. */
export type CandleSource = Pick<Archive<unknown, BookEntry>, "underlyings" | "entries" | "kept">;

export interface HistoryOptions {
  readonly file: BatchedFile;
  readonly archive: CandleSource;
  readonly instruments: { find(symbol: string): Instrument | null };
  readonly engine: Engine;
  /** Read at each round. */
  readonly retention: { readonly candlesDays: number; readonly quotesDays: number };
  readonly clock: Clock;
  readonly log: Log;
}

export interface CandleQuestion {
  readonly symbol: string;
  readonly interval: CandleInterval;
  /** Bars that begin at or after. */
  readonly from: EpochMicroseconds | null;
  /** Bars that begin before; null: up to now, or up to `asOf`. */
  readonly to: EpochMicroseconds | null;
  readonly limit: number;
  /** Where the page before ended. */
  readonly after: EpochMicroseconds | null;
  /** As it was known then; null: now. */
  readonly asOf: EpochMicroseconds | null;
}

export interface CandlePage {
  readonly candles: readonly Candle[];
  /** Where the next page begins; null: there is no more. */
  readonly next: EpochMicroseconds | null;
  /** Why there is none: nothing was quoted in that time. */
  readonly reason: "no_data" | null;
}

export interface GreeksQuestion extends CandleQuestion {
  readonly rate: number;
  readonly dividendYield: number;
  readonly units: Units;
}

export const historicalGreeks = ["delta", "gamma", "theta", "vega", "rho"] as const;

/** Why a candle has no Greeks: that of the solver, or that the underlying has no candle in that span. */
export type MissingGreeks = "no_underlying" | Exclude<StatusName, "ok">;

/** A candle of an option with what its close says. */
export interface GreeksRow {
  readonly candle: Candle;
  readonly underlyingClose: number;
  readonly impliedVolatility: number;
  /** In the order of `historicalGreeks`; NaN is null. */
  readonly greeks: readonly number[];
  readonly reason: MissingGreeks | null;
}

export interface GreeksPage extends Omit<CandlePage, "candles"> {
  readonly underlying: string;
  readonly model: "black_scholes_merton" | "american";
  readonly rows: readonly GreeksRow[];
}

export interface History {
  /** Throws not-found SYMBOL_UNKNOWN, and what reading the log throws. */
  candles(question: CandleQuestion): Promise<CandlePage>;
  /** The same of an option, with the Greeks at each close. Throws invalid NOT_AN_OPTION. */
  greeks(question: GreeksQuestion): Promise<GreeksPage>;
  /** One round of making candles from the log, as the agent makes it. */
  gather(signal?: AbortSignal): Promise<void>;
  readonly agents: readonly Agent[];
}

const minuteMicroseconds = 60_000_000;
const gatherEveryMilliseconds = 15_000;
/** Entries of the log in one round of an underlying: what is gathered lies in memory until it is written. */
const entriesPerRoundMax = 100_000;
const candlesPerWrite = 50;
const rowsPerRead = 1_000;
/** Minutes read for one page, at most: longer pages end early and say where to go on. */
const rowsPerPageMax = 40_000;
const cachedReadsMax = 64;
const forgetEveryMilliseconds = 3_600_000;
const deletedPerWriteMax = 500;
const dayMicroseconds = 86_400_000_000n;
const microsecondsPerYear = 365 * 86_400_000_000;
const longAgo: EpochMicroseconds = 0n;

export function createHistory(options: HistoryOptions): History {
  const { file, archive, instruments, engine, retention, clock, log } = options;
  /** Rows read for a page, by everything they follow from; the mark is part of it, so that an amended bar is read anew. */
  const cachedReads = new Map<string, Promise<CandleRow[]>>();
  let forgotAtMilliseconds = Number.NEGATIVE_INFINITY;

  async function gatherAll(signal?: AbortSignal): Promise<void> {
    if (file.opened === null || file.failure !== null) return;
    for (const underlying of await archive.underlyings()) {
      while (!signal?.aborted && (await gatherSome(file.opened, underlying))) await nextTurn();
    }
    if (clock.monotonicMilliseconds() - forgotAtMilliseconds < forgetEveryMilliseconds) return;
    await forget(file.opened, signal);
    forgotAtMilliseconds = clock.monotonicMilliseconds();
  }

  /** Makes candles of what came since the last mark and before this minute; true where there is more. */
  async function gatherSome(storage: Storage, underlying: string): Promise<boolean> {
    const mark = await markAt(storage.read, underlying, endOfTime);
    const knownBefore = mark?.at ?? longAgo;
    const cut = BigInt(candleStart("1m", Number(clock.nowMicroseconds())) - 1);
    const gathered = new Map<string, GatheredSymbol>();
    let reached = { sequence: mark?.sequence ?? 0, at: knownBefore };
    let entryCount = 0;
    for await (const piece of archive.entries(underlying, reached, cut)) {
      await gatherEntries(storage.read, piece.entries, { gathered, knownBefore, only: null });
      entryCount += piece.entries.length;
      reached = { sequence: piece.firstSequence + piece.entries.length - 1, at: piece.at };
      if (entryCount >= entriesPerRoundMax) break;
      await nextTurn();
    }
    if (entryCount === 0) return false;
    // Rising from mark to mark: rows of a round that was cut short must not pass for the round's before.
    const knownAt = reached.at > knownBefore ? reached.at : knownBefore + 1n;
    const minutes = [...gathered].flatMap(([symbol, { seconds, total }]) =>
      [...byMinute(seconds.values())].map(([minute, bars]) => ({ symbol, minute, bars, total })),
    );
    for (let first = 0; first < minutes.length; first += candlesPerWrite) {
      const some = minutes.slice(first, first + candlesPerWrite);
      await storage.write(async (tx) => {
        for (const { symbol, minute, bars, total } of some) {
          const symbolId = await ensureSymbol(tx, symbol, underlying);
          const start = BigInt(minute);
          const before = await minuteAt(tx, { symbolId, start, knownAt: knownBefore });
          const seconds = mergedBars(before === null ? [] : unpackSeconds(minute, before.seconds), bars);
          const row = rowOf(minute, seconds);
          const [dayTotal, dayTotalAt] = total === null ? [null, null] : [total.total, BigInt(total.at)];
          await putCandle(tx, { ...row, symbolId, knownAt, dayTotal, dayTotalAt });
        }
      });
      file.written();
      await nextTurn();
    }
    await storage.write((tx) => insertMark(tx, { underlying, sequence: reached.sequence, at: knownAt }));
    return entryCount >= entriesPerRoundMax;
  }

  /** Takes quotes into bars, of all symbols or of one. */
  async function gatherEntries(
    read: ReadDatabase,
    entries: readonly BookEntry[],
    into: { gathered: Map<string, GatheredSymbol>; knownBefore: EpochMicroseconds; only: string | null },
  ): Promise<void> {
    const { gathered, knownBefore, only } = into;
    for (const entry of entries) {
      if (entry.kind !== "quote" || (only !== null && entry.quote.symbol !== only)) continue;
      const { symbol } = entry.quote;
      let own = gathered.get(symbol);
      if (own === undefined) {
        const known = await findSymbol(read, symbol);
        const last = known === null ? null : await lastMinute(read, known.id, knownBefore);
        const isTold = last !== null && last.dayTotal !== null && last.dayTotalAt !== null;
        own = { seconds: new Map(), total: isTold ? { at: Number(last.dayTotalAt), total: last.dayTotal! } : null };
        gathered.set(symbol, own);
      }
      gather(own, entry.quote);
    }
  }

  async function forget(storage: Storage, signal?: AbortSignal): Promise<void> {
    const now = clock.nowMicroseconds();
    const before = now - BigInt(retention.candlesDays) * dayMicroseconds;
    let page = await symbolsAfter(storage.read, 0, rowsPerRead);
    for (; page.length > 0; page = await symbolsAfter(storage.read, page.at(-1)!.id, rowsPerRead)) {
      for (const { id } of page) {
        const some = () => storage.write((tx) => deleteMinutes(tx, id, before, deletedPerWriteMax));
        while (!signal?.aborted && (await some()) === deletedPerWriteMax) await nextTurn();
        if (signal?.aborted) return;
      }
    }
    const marksBefore = now - BigInt(retention.quotesDays) * dayMicroseconds;
    for (const underlying of await archive.underlyings()) {
      const last = await markAt(storage.read, underlying, marksBefore);
      if (last !== null) await storage.write((tx) => deleteMarks(tx, underlying, last.at));
    }
  }

  /** What is to be asked of: its number in the file, where it has one, and its underlying. */
  async function subjectOf(symbol: string): Promise<{ id: number | null; underlying: string }> {
    const known = file.exists() ? await findSymbol((await file.open()).read, symbol) : null;
    const underlying = known?.underlying ?? instruments.find(symbol)?.underlying;
    if (underlying === undefined) throw unknownSymbol();
    return { id: known?.id ?? null, underlying };
  }

  function readMinutes(read: ReadDatabase, asked: Parameters<typeof minutesIn>[1]): Promise<CandleRow[]> {
    const key = Object.values(asked).join(" ");
    const known = cachedReads.get(key);
    if (known !== undefined) return known;
    const reading = minutesIn(read, asked);
    cachedReads.set(key, reading);
    reading.catch(() => cachedReads.delete(key));
    for (const oldest of cachedReads.keys()) {
      if (cachedReads.size <= cachedReadsMax) break;
      cachedReads.delete(oldest);
    }
    return reading;
  }

  /** Whole bars from one moment on, as known at another; `isCut`: there are more minutes than one page reads. */
  async function barsKnown(asked: {
    symbol: string;
    interval: CandleInterval;
    from: number;
    before: number;
    countMax: number;
    at: EpochMicroseconds;
    /** Nobody asked for that very moment: where the log has a gap now, the bars before it are the answer. */
    isNow: boolean;
  }): Promise<{ bars: Candle[]; isCut: boolean }> {
    const { symbol, interval, from, before, countMax, at, isNow } = asked;
    const { id, underlying } = await subjectOf(symbol);
    // What came first of all may not be written yet.
    if (!file.exists()) await archive.kept([underlying]).catch(() => undefined);
    if (!file.exists()) return { bars: [], isCut: false };
    const { read } = await file.open();
    const mark = await markAt(read, underlying, at);
    const isFine = candleMicroseconds(interval) < minuteMicroseconds;
    const bars: Candle[] = [];
    let isCut = false;
    let rowCount = 0;
    let next = candleStart("1m", from);
    while (id !== null && mark !== null) {
      const asking = { symbolId: id, from: BigInt(next), before: BigInt(before), knownAt: mark.at, limit: rowsPerRead };
      const rows = await readMinutes(read, asking);
      const isLast = rows.length < rowsPerRead;
      for (const row of rows) {
        const minute = Number(row.start);
        if (isFine) bars.push(...unpackSeconds(minute, row.seconds));
        else bars.push(candleOf(row));
      }
      rowCount += rows.length;
      if (isLast) break;
      next = Number(rows.at(-1)!.start) + minuteMicroseconds;
      const spanCount = isFine ? bars.length : (next - from) / candleMicroseconds(interval);
      if (rowCount >= rowsPerPageMax || spanCount > countMax * (isFine ? 5 : 1)) {
        isCut = true;
        break;
      }
      await nextTurn();
    }
    let all = bars;
    if (!isCut) {
      const late = await tailOf({ read, symbol, underlying, mark, at, isNow });
      all = mergedBars(bars, isFine ? late : coarserCandles("1m", late));
    }
    const coarse = coarserCandles(interval, all).filter(({ start }) => start >= from && start < before);
    // The bar in which reading ended is not whole.
    return { bars: isCut ? coarse.slice(0, -1) : coarse, isCut };
  }

  /** Bars of one second of what the log has beyond the mark. */
  async function tailOf(asked: {
    read: ReadDatabase;
    symbol: string;
    underlying: string;
    mark: { sequence: number; at: EpochMicroseconds } | null;
    at: EpochMicroseconds;
    isNow: boolean;
  }): Promise<Candle[]> {
    const { read, symbol, underlying, mark, at, isNow } = asked;
    const gathered = new Map<string, GatheredSymbol>();
    try {
      for await (const { entries } of archive.entries(underlying, { sequence: mark?.sequence ?? 0 }, at)) {
        await gatherEntries(read, entries, { gathered, knownBefore: mark?.at ?? longAgo, only: symbol });
        await nextTurn();
      }
    } catch (error) {
      if (!isNow || !(error instanceof BsoptError)) throw error;
      log.debug({ err: error, symbol }, "candles are told up to the last that were made");
      return [];
    }
    const own = gathered.get(symbol);
    return own === undefined ? [] : [...own.seconds.values()].sort((one, other) => one.start - other.start);
  }

  async function candles(question: CandleQuestion): Promise<CandlePage> {
    const { symbol, interval, limit } = question;
    const now = clock.nowMicroseconds();
    const at = question.asOf ?? now;
    if (at < now - BigInt(retention.quotesDays) * dayMicroseconds) throw notKept();
    const length = candleMicroseconds(interval);
    // A bar may begin at the very moment asked for.
    const before = Number(question.to ?? at + 1n);
    const asked =
      question.from === null ? candleStart(interval, before - 1) - (limit - 1) * length : Number(question.from);
    const from = Math.max(spanFrom(interval, asked), question.after === null ? 0 : Number(question.after));
    const isNow = question.asOf === null;
    const spanEnd = spanFrom(interval, before);
    const { bars, isCut } = await barsKnown({ symbol, interval, from, before: spanEnd, countMax: limit, at, isNow });
    const shown = bars.slice(0, limit);
    const more = bars[limit]?.start;
    const goOn = more ?? (isCut ? nextAfter(shown.at(-1), from, length) : null);
    const isEmpty = shown.length === 0 && goOn === null && question.after === null;
    return { candles: shown, next: goOn === null ? null : BigInt(goOn), reason: isEmpty ? "no_data" : null };
  }

  async function greeks(question: GreeksQuestion): Promise<GreeksPage> {
    const { symbol, interval, rate, dividendYield, units } = question;
    const instrument = instruments.find(symbol);
    if (instrument === null) throw unknownSymbol();
    const { kind, underlying, expiry, strike, optionType, style } = instrument;
    if (kind !== "option" || expiry === null || strike === null) throw notAnOption();
    const page = await candles(question);
    const { candles: own } = page;
    const model = style === "american" ? ("american" as const) : ("black_scholes_merton" as const);
    const head = { underlying, model, next: page.next, reason: page.reason };
    const [first, last] = [own[0], own.at(-1)];
    if (first === undefined || last === undefined) return { ...head, rows: [] };
    const others = await barsKnown({
      ...{ symbol: underlying, interval, from: first.start, before: last.start + candleMicroseconds(interval) },
      countMax: Number.POSITIVE_INFINITY,
      ...{ at: question.asOf ?? clock.nowMicroseconds(), isNow: question.asOf === null },
    });
    const closes = new Map(others.bars.map(({ start, close }) => [start, close]));
    const count = own.length;
    const column = (value: (candle: Candle) => number) => Float64Array.from(own, value);
    const spot = column(({ start }) => closes.get(start) ?? Number.NaN);
    const market = {
      ...{ model, count, isCall: optionType === "call" },
      inputs: {
        spot,
        strike,
        time_to_expiry: column(({ closeAt }) => (Number(expiry) - closeAt) / microsecondsPerYear),
        rate,
        dividend_yield: dividendYield,
      },
    };
    // What is quoted in its coin is worth so much of it.
    const price = isInverse(instrument)
      ? column(({ start, close }) => close * (closes.get(start) ?? Number.NaN))
      : column(({ close }) => close);
    const solved = await engine.impliedVolatilityAsync({ ...market, price, onUnattainable: "null" });
    const priced = await engine.priceAsync({
      ...market,
      inputs: { ...market.inputs, volatility: solved.impliedVolatility },
      outputs: historicalGreeks,
      units,
    });
    const rows = own.map((candle, index): GreeksRow => {
      const underlyingClose = spot[index]!;
      const status = statusName(solved.status[index]!);
      const reason = Number.isNaN(underlyingClose) ? "no_underlying" : status === "ok" ? null : status;
      const isMissing = reason !== null;
      return {
        ...{ candle, underlyingClose, reason },
        impliedVolatility: isMissing ? Number.NaN : solved.impliedVolatility[index]!,
        greeks: historicalGreeks.map((name) => (isMissing ? Number.NaN : priced.columns[name]![index]!)),
      };
    });
    return { ...head, rows };
  }

  const gatherer = new Agent({
    name: "candles",
    intervalMilliseconds: gatherEveryMilliseconds,
    failuresMax: 10,
    clock,
    round: gatherAll,
    onFailure: (error) => log.warn({ agent: "candles", err: error }, "background round failed"),
  });

  return { candles, greeks, gather: gatherAll, agents: [gatherer] };
}

const endOfTime: EpochMicroseconds = 2n ** 62n;

function rowOf(
  minute: number,
  seconds: readonly Candle[],
): Omit<CandleRow, "symbolId" | "knownAt" | "dayTotal" | "dayTotalAt"> {
  const { open, high, low, close, openAt, closeAt, volume, tickCount } = seconds.reduce((one, other) =>
    mergeCandles(one, other),
  );
  return {
    ...{ start: BigInt(minute), open, high, low, close, volume, tickCount },
    ...{ openAt: BigInt(openAt), closeAt: BigInt(closeAt), seconds: packSeconds(minute, seconds) },
  };
}

function candleOf({ open, high, low, close, volume, tickCount, ...row }: CandleRow): Candle {
  const [start, openAt, closeAt] = [Number(row.start), Number(row.openAt), Number(row.closeAt)];
  return { start, open, high, low, close, openAt, closeAt, volume, tickCount };
}

/** Where a page that ended early goes on. */
function nextAfter(last: Candle | undefined, from: number, length: number): number {
  return last === undefined ? from + length : last.start + length;
}

/** A candle's moment as answers show it. */
export const shownMoment = (microseconds: number): string => formatTimestamp(BigInt(microseconds));

function unknownSymbol(): BsoptError {
  return new BsoptError({ reason: "not-found", code: "SYMBOL_UNKNOWN", detail: "There is no such instrument." });
}

function notAnOption(): BsoptError {
  return new BsoptError({
    reason: "invalid",
    code: "NOT_AN_OPTION",
    detail: "Only options have Greeks.",
    faults: [{ pointer: "/query/symbol", code: "NOT_AN_OPTION", detail: "must be an option's symbol" }],
  });
}
