// What tests of candles share: a market's log on a real file with quotes in it, and the history made of it.

import { afterAll } from "bun:test";
import { join } from "node:path";
import { bookWords } from "../../src/app/market-archive";
import { everyMarketTable } from "../../src/app/tables";
import { defaultBookSettings } from "../../src/book/entries";
import { contractFromSymbol, type Instrument } from "../../src/domain/instrument";
import type { Quote } from "../../src/domain/quote";
import { createArchive } from "../../src/features/archive/service";
import { createHistory } from "../../src/features/history/service";
import { ManualClock } from "../../src/foundation/clock";
import { seededRandom } from "../../src/foundation/random";
import { createBatchedFile } from "../../src/storage/batched-file";
import { type LongJob, type LongResult, runLongJob } from "../../src/storage/database-copy";
import { migrations } from "../../src/storage/market-migrations-manifest";
import { bookEngine, quoteOf } from "./book";
import { recordingLog, temporaryFolder } from "./storage";

/** 2026-03-02T15:00:00Z. */
export const historyStart = 1_772_463_600_000_000n;
export const spxOption = "SPX261218C05800000";
export const aaplOption = "AAPL261218P00250000";

/** Of the symbols that tests name; any other is unknown. */
export function instrumentOf(symbol: string): Instrument | null {
  const rest = { multiplier: 100, tickSize: null, currency: "USD", calendar: "XNYS" };
  if (/^[A-Z]{3,4}$/.test(symbol)) {
    const nothing = { expiry: null, strike: null, optionType: null, style: null, settlement: null };
    return { symbol, kind: "underlying", underlying: symbol, root: symbol, ...nothing, ...rest };
  }
  const contract = contractFromSymbol(symbol);
  if (typeof contract === "string") return null;
  const { underlying, root, expiry, strike, optionType, style, settlement } = contract;
  return { symbol, kind: "option", underlying, root, expiry, strike, optionType, style, settlement, ...rest };
}

export function openTestHistory(changes: { path?: string; clock?: ManualClock } = {}) {
  const clock = changes.clock ?? new ManualClock(historyStart);
  const path = changes.path ?? join(temporaryFolder(), "market.db");
  const log = recordingLog();
  const longWork = { run: <J extends LongJob>(job: J) => runLongJob(job) as Promise<LongResult<J>> };
  const random = seededRandom(7n);
  const file = createBatchedFile({ path, tables: everyMarketTable, migrations, clock, random, log, longWork });
  const engine = bookEngine();
  const archive = createArchive({
    ...{ file, words: bookWords(engine, defaultBookSettings), clock, log },
    retention: { quotesDays: 30, checkpointsHours: 24 },
    limits: { flushMilliseconds: 0 },
  });
  const retention = { candlesDays: 60, quotesDays: 30 };
  const history = createHistory({ file, archive, instruments: { find: instrumentOf }, engine, retention, clock, log });
  afterAll(() => archive.close());
  /** A quote of the venue's moment, known now. */
  const tick = (symbol: string, at: bigint, bid: number, more: Partial<Quote> = {}) => {
    const quote = quoteOf(symbol, at, bid, bid + 0.2, more);
    archive.append(instrumentOf(symbol)!.underlying, [{ kind: "quote", quote, receivedAt: clock.nowMicroseconds() }]);
  };
  return { clock, path, file, archive, history, tick, log };
}
