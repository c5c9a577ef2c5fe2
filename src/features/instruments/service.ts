// What there is to be quoted: every listed instrument in memory, so that finding one costs a look into a map, and what was listed at any past
// moment in the database. Separate from the market, which knows quotes. Invariants:
//   1. Memory holds exactly what is listed and not yet expired; listeners hear of every change of it, in order, after it.
//   2. Nothing here waits for the database but who imports or asks of the past: what a feed or a symbol's rules list is written soon after.
//   3. What an import says stands before what a feed says, and that before a symbol's rules.
//   4. Long work (a load, an import, a page) goes in slices, between which everything else has its turn.

import type { Calendars } from "../../domain/business-calendar";
import type { Instrument } from "../../domain/instrument";
import { InstrumentIndex } from "../../domain/instrument-index";
import {
  canonicalSymbol,
  type InstrumentSymbolFault,
  instrumentFromSymbol,
  instrumentSymbolFaultDetail,
} from "../../domain/instrument-symbol";
import { Agent } from "../../foundation/agent";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import type { Log } from "../../foundation/log";
import type { Random } from "../../foundation/random";
import { nextTurn } from "../../foundation/turn";
import type { Storage, Tx } from "../../storage/storage";
import type { Audit } from "../audit/service";
import {
  endRow,
  expiredRows,
  type InstrumentRow,
  insertInstruments,
  instrumentOf,
  lastRevision,
  listedRows,
  type NewRow,
  nextRevision,
  rowsChangedAfter,
  rowsListedAfter,
} from "./repository";
import { isSameInstrument } from "./rules";
import type { InstrumentSource } from "./table";

export type { InstrumentSource } from "./table";

/** Why instruments are no longer listed. */
export type UnlistedReason = "expired";

export interface InstrumentsOptions {
  readonly storage: Pick<Storage, "write" | "read" | "onForeignWrite">;
  readonly audit: Pick<Audit, "append">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Holidays, by calendar. */
  readonly calendars: Calendars;
  /** Read at each use: they may change. */
  readonly limits: InstrumentsLimits;
}

export interface InstrumentsLimits {
  /** Whether a symbol that nobody listed is listed by its rules once it is asked for. */
  readonly isAutoListed: boolean;
  /** Instruments listed at once, at most. */
  readonly instrumentsMax: number;
}

export interface Instruments {
  /**
   * The listed instrument of a canonical symbol, or null where there is none or it has expired. Where symbols list themselves, one that nobody
   * listed is listed by its rules, its underlying with it, and listeners have heard of both before this returns.
   */
  find(symbol: string): Instrument | null;
  /** The canonical spelling of any. */
  canonical(
    text: string,
  ): { readonly symbol: string } | { readonly fault: InstrumentSymbolFault; readonly detail: string };
  /** What is listed of an underlying, itself aside: by expiry, strike, call before put. The array is shared: it is replaced, never changed. */
  ofUnderlying(underlying: string): readonly Instrument[];
  /** Every underlying of which anything is listed, in order. */
  underlyings(): readonly string[];
  readonly listedCount: number;
  /** Lists what a source says it has; what an import said stands. Past the limit the rest is left out: how many were taken. */
  list(listed: readonly Instrument[], source?: InstrumentSource): number;
  /** Told of what is listed from now on, and of what is listed with other terms than before. Returns the way to stop. */
  onListed(listener: (listed: readonly Instrument[]) => void): () => void;
  /** Told of what is listed no longer. */
  onUnlisted(listener: (unlisted: readonly Instrument[], reason: UnlistedReason) => void): () => void;
  /** Resolves once what the database holds is in memory: before that nothing lists itself. */
  readonly ready: Promise<void>;
  /** Resolves once what was listed so far is in the database. */
  kept(): Promise<void>;
  readonly agents: readonly Agent[];
  close(): Promise<void>;
}

interface Listed {
  readonly instrument: Instrument;
  readonly source: InstrumentSource;
  /** Since when this is known. */
  readonly at: EpochMicroseconds;
}

/** Rows read or written between two turns of the event loop. */
const sliceRows = 250;
const writeEveryMilliseconds = 500;
const retireEveryMilliseconds = 1_000;
const loadAgainMilliseconds = 1_000;
const rank: Readonly<Record<InstrumentSource, number>> = { import: 0, feed: 1, rule: 2 };

/** Instruments over a database, which is read at once and without anybody waiting but who awaits `ready`. */
export function createInstruments(options: InstrumentsOptions): Instruments {
  const { storage, clock, log, calendars, limits } = options;
  const index = new InstrumentIndex<Listed>();
  const conventions = { calendars };
  const closing = new AbortController();
  /** Listed in memory alone so far, by symbol. */
  let pending = new Map<string, Listed>();
  let revision = 0;
  let isLoaded = false;
  let writing: Promise<void> = Promise.resolve();
  const listedListeners = new Set<(listed: readonly Instrument[]) => void>();
  const unlistedListeners = new Set<(unlisted: readonly Instrument[], reason: UnlistedReason) => void>();

  async function load(): Promise<void> {
    // Before the rows: what is written meanwhile has a later one, and is read once more.
    revision = await lastRevision(storage.read);
    for (let after = ""; ; ) {
      const rows = await rowsListedAfter(storage.read, after, sliceRows);
      takeRows(rows);
      const last = rows.at(-1);
      if (rows.length < sliceRows || last === undefined) break;
      after = last.symbol;
      await nextTurn();
    }
    isLoaded = true;
    if (index.size > 0) log.info({ instruments: index.size }, "instruments loaded");
  }

  /** A database that is away at the start is asked again until it is back. */
  async function loadAtLast(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        return await load();
      } catch (error) {
        log.warn({ err: error }, "instruments could not be loaded; trying again");
        await clock.sleep(loadAgainMilliseconds, closing.signal);
      }
    }
  }

  /** Rows that hold. What was listed here meanwhile by who has more to say stays. */
  function takeRows(rows: readonly InstrumentRow[]): void {
    const now = clock.nowMicroseconds();
    const isTaken = ({ symbol, expiry, source }: InstrumentRow) =>
      (expiry === null || expiry > now) && !(rank[pending.get(symbol)?.source ?? source] < rank[source]);
    take(rows.filter(isTaken).map((row) => ({ instrument: instrumentOf(row), source: row.source, at: row.listedAt })));
  }

  /** Puts into memory what is new or has other terms, and tells. */
  function take(listed: readonly Listed[]): void {
    const told: Instrument[] = [];
    for (const one of listed) {
      const known = index.get(one.instrument.symbol);
      index.set(one);
      if (!known || !isSameInstrument(known.instrument, one.instrument)) told.push(one.instrument);
    }
    if (told.length > 0) tell(listedListeners, (listener) => listener(told));
  }

  function drop(symbols: readonly string[], reason: UnlistedReason): void {
    const told = symbols.flatMap((symbol) => index.delete(symbol) ?? []);
    for (const { symbol } of told) pending.delete(symbol);
    if (told.length > 0) tell(unlistedListeners, (listener) => listener(told, reason));
  }

  /** A listener that fails must not keep the others from hearing. */
  function tell<Listener>(listeners: ReadonlySet<Listener>, call: (listener: Listener) => void): void {
    for (const listener of listeners) {
      try {
        call(listener);
      } catch (error) {
        log.error({ err: error }, "a listener of instruments failed");
      }
    }
  }

  function find(symbol: string): Instrument | null {
    const known = index.get(symbol)?.instrument;
    if (known) return known.expiry === null || known.expiry > clock.nowMicroseconds() ? known : null;
    return limits.isAutoListed && isLoaded ? listedByRule(symbol) : null;
  }

  function listedByRule(symbol: string): Instrument | null {
    const instrument = instrumentFromSymbol(symbol, conventions);
    // Another spelling is not the symbol: whoever asks has the canonical one.
    if (typeof instrument === "string" || instrument.symbol !== symbol) return null;
    return list([instrument], "rule") === 1 ? instrument : null;
  }

  function list(listed: readonly Instrument[], source: InstrumentSource = "feed"): number {
    const now = clock.nowMicroseconds();
    const taken: Listed[] = [];
    let count = 0;
    let room = limits.instrumentsMax - index.size;
    const added = new Set<string>();
    const isKnown = (symbol: string) => added.has(symbol) || index.get(symbol) !== undefined;
    const add = (instrument: Instrument, by: InstrumentSource) => {
      const one = { instrument, source: by, at: now };
      if (!isKnown(instrument.symbol)) room -= 1;
      added.add(instrument.symbol);
      taken.push(one);
      pending.set(instrument.symbol, one);
    };
    for (const instrument of listed) {
      const { symbol, underlying, expiry } = instrument;
      if (expiry !== null && expiry <= now) continue;
      const known = index.get(symbol);
      if (!known || (rank[source] <= rank[known.source] && !isSameInstrument(known.instrument, instrument))) {
        // What an option is on is to be quoted as well.
        const parent =
          isKnown(underlying) || underlying === symbol ? null : instrumentFromSymbol(underlying, conventions);
        const isParentNew = parent !== null && typeof parent !== "string";
        if (room < (isKnown(symbol) ? 0 : 1) + (isParentNew ? 1 : 0)) continue;
        if (isParentNew) add(parent, "rule");
        add(instrument, source);
      }
      count += 1;
    }
    take(taken);
    return count;
  }

  /** Writes what is listed in memory alone, in slices; what could not be written is pending again. */
  async function writePending(): Promise<void> {
    while (pending.size > 0) {
      const slice = [...pending.values()].slice(0, sliceRows);
      const taken = new Map(slice.map((one) => [one.instrument.symbol, one]));
      for (const symbol of taken.keys()) pending.delete(symbol);
      try {
        await storage.write((tx) => putListed(tx, slice));
      } catch (error) {
        pending = new Map([...taken, ...pending]);
        throw error;
      }
    }
  }

  function kept(): Promise<void> {
    writing = writing.catch(() => undefined).then(writePending);
    return writing;
  }

  /** Takes from memory what has expired, tells of it, and ends its rows when it did. */
  async function retire(): Promise<void> {
    const now = clock.nowMicroseconds();
    drop(index.expiredBy(now), "expired");
    await ready;
    for (;;) {
      const rows = await expiredRows(storage.read, now, sliceRows);
      if (rows.length === 0) return;
      await storage.write(async (tx) => {
        let next = await nextRevision(tx);
        for (const { symbol, listedAt, expiry } of rows) {
          // What was listed after it had expired ends at once.
          let at = listedAt;
          if (expiry !== null && expiry > at) at = expiry;
          await endRow(tx, { symbol, listedAt }, { at, reason: "expired", revision: next++ });
        }
      });
      if (rows.length < sliceRows) return;
    }
  }

  /** Reads what other processes wrote. */
  async function refresh(): Promise<void> {
    await ready;
    for (;;) {
      const rows = await rowsChangedAfter(storage.read, revision, sliceRows);
      // What has expired leaves by this process's own clock.
      takeRows(rows.filter(({ endedAt }) => endedAt === null));
      revision = rows.at(-1)?.revision ?? revision;
      if (rows.length < sliceRows) return;
      await nextTurn();
    }
  }

  const stopWatching = storage.onForeignWrite(() => {
    refresh().catch((error) => log.warn({ err: error }, "instruments of another process could not be read"));
  });
  const agentOf = (name: string, intervalMilliseconds: number, round: () => Promise<void>, failure: string) =>
    new Agent({
      ...{ name, intervalMilliseconds, clock, round, failuresMax: 10 },
      onFailure: (error) => log.warn({ agent: name, err: error }, failure),
    });

  const ready = loadAtLast();

  return {
    find,
    canonical(text) {
      const read = canonicalSymbol(text);
      return "symbol" in read ? read : { fault: read.fault, detail: instrumentSymbolFaultDetail[read.fault] };
    },
    ofUnderlying: (underlying) => index.ofUnderlying(underlying),
    underlyings: () => index.underlyings(),
    get listedCount() {
      return index.size;
    },
    list,
    onListed(listener) {
      listedListeners.add(listener);
      return () => listedListeners.delete(listener);
    },
    onUnlisted(listener) {
      unlistedListeners.add(listener);
      return () => unlistedListeners.delete(listener);
    },
    ready,
    kept,
    agents: [
      agentOf("instrument-writer", writeEveryMilliseconds, kept, "instruments could not be written"),
      agentOf("instrument-retirement", retireEveryMilliseconds, retire, "expired instruments could not be retired"),
    ],
    async close() {
      stopWatching();
      closing.abort();
      await ready;
      await kept().catch((error) => log.warn({ err: error }, "instruments could not be written"));
    },
  };
}

interface PutCounts {
  readonly listed: number;
  readonly changed: number;
  readonly unchanged: number;
}

/** Writes what is said of instruments, each symbol once, where it is not known already or whoever said that has less to say. */
async function putListed(tx: Tx, slice: readonly Listed[]): Promise<PutCounts> {
  const symbols = slice.map(({ instrument }) => instrument.symbol);
  const known = new Map((await listedRows(tx, symbols)).map((row) => [row.symbol, row]));
  let revision = await nextRevision(tx);
  const rows: NewRow[] = [];
  let changed = 0;
  for (const { instrument, source, at } of slice) {
    const row = known.get(instrument.symbol);
    let listedAt = at;
    if (row) {
      const isSame = isSameInstrument(instrumentOf(row), instrument);
      if (rank[row.source] < rank[source] || (isSame && row.source === source)) continue;
      if (listedAt <= row.listedAt) listedAt = row.listedAt + 1n;
      await endRow(tx, row, { at: listedAt, reason: "replaced", revision: revision++ });
      if (!isSame) changed += 1;
    }
    rows.push({ instrument, source, listedAt, revision: revision++ });
  }
  if (rows.length > 0) await insertInstruments(tx, rows);
  const listed = rows.filter(({ instrument }) => !known.has(instrument.symbol)).length;
  return { listed, changed, unchanged: slice.length - listed - changed };
}
