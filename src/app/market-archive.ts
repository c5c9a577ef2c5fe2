// The market's history as the process has it: its database beside the other one, the log of every book in it, and what readiness says of them. Separate
// from the live market's composition, which hands it to the market, and from the archive, which knows no book by its words.

import { join } from "node:path";
import { UnderlyingBook } from "../book/book";
import type { BookEntry, BookSettings } from "../book/entries";
import { decodeEntries, encodeEntries } from "../book/entry-codec";
import type { Config } from "../config/config";
import { type InstrumentConventions, instrumentFromSymbol } from "../domain/instrument-symbol";
import type { Engine } from "../engine/engine";
import { type Archive, type BookWords, createArchive } from "../features/archive/service";
import type { Probe } from "../features/health/service";
import { createHistory, type History, type HistoryOptions } from "../features/history/service";
import type { Instruments } from "../features/instruments/service";
import type { Clock } from "../foundation/clock";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import { createBatchedFile } from "../storage/batched-file";
import type { LongWork } from "../storage/long-work";
import { migrations } from "../storage/market-migrations-manifest";
import { everyMarketTable } from "./tables";

export type BookArchive = Archive<UnderlyingBook, BookEntry>;

/** The file's name in the data folder. Always there, also where bsopt.db is on a server. */
export const marketDatabaseName = "market.db";

export interface MarketArchiveOptions {
  readonly config: Config;
  readonly engine: Engine;
  /** What a new book begins with. */
  readonly settings: BookSettings;
  readonly longWork: Pick<LongWork, "run">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface MarketArchive {
  readonly archive: BookArchive;
  readonly probe: Probe;
  /** Candles and historical Greeks over it, of what these instruments are. */
  history(instruments: HistoryOptions["instruments"]): History;
}

/** Opens nothing yet: the first entry or the first question does. */
export function openMarketArchive(options: MarketArchiveOptions): MarketArchive {
  const { config, engine, settings, longWork, clock, random, log } = options;
  const file = createBatchedFile({
    path: join(config.storage.dataDirectory, marketDatabaseName),
    tables: everyMarketTable,
    ...{ migrations, clock, random, log, longWork },
  });
  const words = bookWords(engine, settings);
  const archive = createArchive({ file, words, retention: config.market.history, clock, log });
  return {
    archive,
    probe: { component: "market_history", isRequired: false, check: () => outcomeOf(archive.state) },
    history: (instruments) =>
      createHistory({ ...{ file, archive, instruments, engine, clock, log }, retention: config.market.history }),
  };
}

/** What entering costs beside a quote, roughly, on a chain of a few hundred options. */
const weights = { quote: 1, list: 20, unlist: 20, settings: 1, refit_begin: 50, refit: 2_000, value: 200 } as const;

/** How the archive speaks of books. */
export function bookWords(engine: Engine, settings: BookSettings): BookWords<UnderlyingBook, BookEntry> {
  return {
    encode: encodeEntries,
    decode: decodeEntries,
    timeOf: (entry) => ("at" in entry ? entry.at : entry.kind === "quote" ? entry.receivedAt : null),
    weightOf: ({ kind }) => weights[kind],
    begin: (underlying) => new UnderlyingBook({ underlying, engine, settings }).checkpoint(),
    // With the settings of then.
    restore: (_underlying, bytes) => UnderlyingBook.restore(bytes, { engine }),
    enter: (book, entry) => book.enter(entry),
  };
}

/**
 * What a symbol of the past names: what is listed, else what it says by its exchange's rules, for options expire and stay in the history. Lists nothing,
 * whoever asks.
 */
export function namedInstruments(
  instruments: Pick<Instruments, "ofUnderlying">,
  conventions: InstrumentConventions,
): HistoryOptions["instruments"] {
  return {
    find(symbol) {
      const named = instrumentFromSymbol(symbol, conventions);
      if (typeof named === "string" || named.symbol !== symbol) return null;
      return instruments.ofUnderlying(named.underlying).find((listed) => listed.symbol === symbol) ?? named;
    },
  };
}

function outcomeOf(state: BookArchive["state"]): ReturnType<Probe["check"]> {
  switch (state) {
    case "well":
      return { status: "ok" };
    case "refused":
      return { status: "degraded", message: "takes no writes" };
    case "behind":
      return { status: "degraded", message: "entries are not kept" };
    case "off":
      return { status: "degraded", message: "out of use until the next start" };
  }
}
