// What there is to be quoted: every listed instrument in memory, so that finding one costs a look into a map, and what was listed at any past
// moment in the database. Separate from the market, which knows quotes. Invariants:
//   1. Memory holds exactly what is listed and not yet expired; listeners hear of every change of it, in order, after it.
//   2. Nothing here waits for the database but who imports or asks of the past: what a feed or a symbol's rules list is written soon after.
//   3. What an import says stands before what a feed says, and that before a symbol's rules.
//   4. Long work (a load, an import, a page) goes in slices, between which everything else has its turn.

import type { FileRow } from "../../adapters/feeds/instrument-file";
import type { Calendars } from "../../domain/business-calendar";
import type { Instrument } from "../../domain/instrument";
import { InstrumentIndex } from "../../domain/instrument-index";
import {
  canonicalSymbol,
  type InstrumentSymbolFault,
  instrumentFromSymbol,
  instrumentSymbolFaultDetail,
} from "../../domain/instrument-symbol";
import type { RequestOrigin } from "../../domain/principal";
import { Agent } from "../../foundation/agent";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import { uuid7 } from "../../foundation/identifier";
import type { Log } from "../../foundation/log";
import { pageOf, parseCursor } from "../../foundation/page-mark";
import { printable } from "../../foundation/printable";
import type { Random } from "../../foundation/random";
import { nextTurn } from "../../foundation/turn";
import { finish, type IdempotencyTicket } from "../../storage/idempotency";
import type { Storage, Tx } from "../../storage/storage";
import type { Audit } from "../audit/service";
import {
  faultsShownMax,
  type InstrumentImport,
  type InstrumentPage,
  instrumentOnWire,
  type ListedInstrument,
  type QuarantinePage,
  quarantinedOnWire,
} from "./model";
import {
  endRow,
  expiredRows,
  findInstrumentRow,
  type InstrumentFilter,
  type InstrumentRow,
  insertQuarantine,
  instrumentOf,
  keepQuarantineAtMost,
  type Listed,
  lastRevision,
  nextRevision,
  pageOfQuarantine,
  putListed,
  rowsChangedAfter,
  rowsListedAfter,
  windowOfRows,
} from "./repository";
import {
  cursorOf,
  type EntryConventions,
  entryOfRow,
  instrumentOfEntry,
  isSameInstrument,
  rank,
  symbolOfCursor,
} from "./rules";
import type { InstrumentSource } from "./table";

export type { InstrumentFilter } from "./repository";
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
  /** Every calendar that an instrument may keep. */
  readonly calendarNames: ReadonlySet<string>;
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
  /** What a canonical symbol names, expired or not: as it is listed, else as its rules say where symbols list themselves. Lists nothing. */
  look(symbol: string): Instrument | null;
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
  /**
   * Lists what somebody brings, row by row; what cannot be listed goes to the quarantine with its reason. With a ticket, the answer is stored
   * beside the last rows. Where the rows themselves fail half way, what came before stays, is audited, and the failure passes on.
   */
  import(rows: AsyncIterable<FileRow>, by: ImportBy): Promise<InstrumentImport>;
  /** A page in the symbols' order. Throws `invalid` CURSOR_INVALID. */
  page(ask: { filter: Asked; limit: number; cursor?: string }): Promise<InstrumentPage>;
  /** All that is asked for, in the symbols' order, in pieces. */
  pieces(filter: Asked): AsyncGenerator<ListedInstrument[], void>;
  /** The last that was known of a symbol in any spelling, by that moment. Throws `not-found` INSTRUMENT_NOT_FOUND, `invalid` SYMBOL_INVALID. */
  get(symbol: string, asOf: EpochMicroseconds | null): Promise<ListedInstrument>;
  /** What could not be listed, the newest first. Throws `invalid` CURSOR_INVALID. */
  quarantine(page: { limit: number; cursor?: string }): Promise<QuarantinePage>;
  readonly agents: readonly Agent[];
  close(): Promise<void>;
}

/** What a question about the list asks for. */
export type Asked = Omit<InstrumentFilter, "now">;

export interface ImportBy {
  readonly userId: string;
  readonly origin: RequestOrigin;
  /** The body's format. */
  readonly format: string;
  readonly idempotency: IdempotencyTicket | null;
}

/** Rows read, and rows written, between two turns of the event loop: a row takes some 0.17 ms to write. */
const sliceRows = 250;
const writtenRows = 100;
const writeEveryMilliseconds = 500;
const retireEveryMilliseconds = 1_000;
/** Rows that a question looks at between two turns. */
const windowRows = 2_000;
/** Rows kept of what could not be listed, and of one import. */
export const quarantineMax = 10_000;
export const quarantinePerImportMax = 300;
const contentLengthMax = 200;
const loadAgainMilliseconds = 1_000;

/** Instruments over a database, which is read at once and without anybody waiting but who awaits `ready`. */
export function createInstruments(options: InstrumentsOptions): Instruments {
  const { storage, audit, clock, log, calendars, limits } = options;
  const index = new InstrumentIndex<Listed>();
  const conventions: EntryConventions = { calendars, calendarNames: options.calendarNames };
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

  function look(symbol: string): Instrument | null {
    return index.get(symbol)?.instrument ?? (limits.isAutoListed && isLoaded ? byRule(symbol) : null);
  }

  function byRule(symbol: string): Instrument | null {
    const instrument = instrumentFromSymbol(symbol, conventions);
    // Another spelling is not the symbol: whoever asks has the canonical one.
    return typeof instrument === "string" || instrument.symbol !== symbol ? null : instrument;
  }

  function listedByRule(symbol: string): Instrument | null {
    const instrument = byRule(symbol);
    return instrument !== null && list([instrument], "rule") === 1 ? instrument : null;
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
      const slice = [...pending.values()].slice(0, writtenRows);
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

  async function importRows(rows: AsyncIterable<FileRow>, by: ImportBy): Promise<InstrumentImport> {
    await ready;
    const counts = { received: 0, listed: 0, changed: 0, unchanged: 0, expired: 0, quarantined: 0 };
    const faults: { line: number; detail: string; content: string }[] = [];
    let slice = new Map<string, Listed>();
    let own = new Set<string>();
    /** Of the slice, how many memory does not know yet. */
    let newCount = 0;

    const fault = ({ line, content }: FileRow, detail: string) => {
      counts.quarantined += 1;
      if (faults.length < quarantinePerImportMax) faults.push({ line, detail, content });
    };
    const answer = () => ({
      ...counts,
      faults: faults.slice(0, faultsShownMax).map(({ line, detail }) => ({ line, detail })),
    });
    /** Writes the slice and whatever belongs to it, then has it in memory. */
    const flush = async (further?: (tx: Tx) => Promise<void>) => {
      const [taken, mine] = [[...slice.values()], own];
      [slice, own, newCount] = [new Map(), new Set(), 0];
      const before = { ...counts };
      await storage
        .write(async (tx) => {
          const put = await putListed(tx, taken);
          const [listed, changed] = [put.listed, put.changed].map((all) => all.filter((each) => mine.has(each)).length);
          counts.listed += listed!;
          counts.changed += changed!;
          counts.unchanged += mine.size - listed! - changed!;
          await further?.(tx);
        })
        .catch((error) => {
          // Nothing of it was listed.
          Object.assign(counts, before);
          throw error;
        });
      for (const symbol of mine) pending.delete(symbol);
      take(taken.filter(({ instrument: { symbol } }) => mine.has(symbol) || index.get(symbol) === undefined));
    };
    const end = (status: "success" | "failure") => async (tx: Tx) => {
      const receivedAt = clock.nowMicroseconds();
      const kept = faults.map(({ line, detail, content }) => ({
        ...{ id: uuid7(receivedAt, options.random), receivedAt, format: by.format, line, detail: printable(detail) },
        content: printable(content.slice(0, contentLengthMax).toWellFormed()),
      }));
      for (let at = 0; at < kept.length; at += sliceRows) await insertQuarantine(tx, kept.slice(at, at + sliceRows));
      if (kept.length > 0) await keepQuarantineAtMost(tx, quarantineMax);
      await audit.append(tx, {
        ...{ eventType: "market.instruments.imported", userId: by.userId, resource: "market/instruments" },
        ...{ action: "import", status, details: { format: by.format, ...counts }, origin: by.origin },
      });
      if (status === "success") await finish(tx, by.idempotency, { status: 200, body: JSON.stringify(answer()) });
    };
    const put = async (row: FileRow, instrument: Instrument, now: EpochMicroseconds) => {
      const { symbol, underlying } = instrument;
      // A symbol that comes again has the last word, and costs no write of its own.
      const earlier = own.has(symbol) ? slice.get(symbol) : undefined;
      if (earlier) {
        counts[isSameInstrument(earlier.instrument, instrument) ? "unchanged" : "changed"] += 1;
        slice.set(symbol, { ...earlier, instrument });
        return;
      }
      if (own.size >= writtenRows) await flush();
      const isNew = (name: string) => !slice.has(name) && index.get(name) === undefined;
      const said = underlying !== symbol && isNew(underlying) ? instrumentFromSymbol(underlying, conventions) : null;
      const parent = typeof said === "string" ? null : said;
      const added = (isNew(symbol) ? 1 : 0) + (parent ? 1 : 0);
      if (added > 0 && index.size + newCount + added > limits.instrumentsMax)
        return fault(row, "there is no room for it: as many are listed as market_instruments_max allows");
      newCount += added;
      if (parent) slice.set(underlying, { instrument: parent, source: "rule", at: now });
      slice.set(symbol, { instrument, source: "import", at: now });
      own.add(symbol);
    };

    try {
      for await (const row of rows) {
        counts.received += 1;
        if (counts.received % writtenRows === 0) await nextTurn();
        const entry = typeof row.row === "string" ? row.row : entryOfRow(row.row);
        const instrument = typeof entry === "string" ? entry : instrumentOfEntry(entry, conventions);
        const now = clock.nowMicroseconds();
        if (typeof instrument === "string") fault(row, instrument);
        else if (instrument.expiry !== null && instrument.expiry <= now) counts.expired += 1;
        else await put(row, instrument, now);
      }
    } catch (error) {
      await flush(end("failure"));
      throw error;
    }
    await flush(end("success"));
    return answer();
  }

  /** What is listed here alone is written first, where that can be done. */
  async function settled(): Promise<void> {
    await kept().catch((error) => log.warn({ err: error }, "instruments could not be written"));
  }

  /** Rows of a question in their order, at most `limit`, a window at a time. */
  async function rowsOf(ask: { filter: InstrumentFilter; after: string; limit: number }): Promise<InstrumentRow[]> {
    const { filter, limit } = ask;
    const found: InstrumentRow[] = [];
    for (let after = ask.after; ; ) {
      const { rows, end } = await windowOfRows(storage.read, {
        filter,
        after,
        windowRows,
        limit: limit - found.length,
      });
      found.push(...rows);
      if (end === null || found.length >= limit) return found;
      after = end;
      await nextTurn();
    }
  }

  async function page(ask: Parameters<Instruments["page"]>[0]): Promise<InstrumentPage> {
    const { limit, cursor } = ask;
    const after = cursor === undefined ? "" : symbolOfCursor(cursor);
    if (after === null) {
      const detail = "The cursor is not one that this server gave.";
      const rule = "must be the next_cursor of an earlier page";
      const faults = [{ pointer: "/query/cursor", code: "CURSOR_INVALID", detail: rule }];
      throw new BsoptError({ reason: "invalid", code: "CURSOR_INVALID", detail, faults });
    }
    await settled();
    const filter = { ...ask.filter, now: clock.nowMicroseconds() };
    const rows = await rowsOf({ filter, after, limit: limit + 1 });
    const shown = rows.slice(0, limit);
    const hasMore = rows.length > shown.length;
    return {
      data: shown.map((row) => instrumentOnWire(row, filter.asOf)),
      next_cursor: hasMore ? cursorOf(shown.at(-1)!.symbol) : null,
      has_more: hasMore,
    };
  }

  async function* pieces(asked: Asked): AsyncGenerator<ListedInstrument[], void> {
    await settled();
    const filter = { ...asked, now: clock.nowMicroseconds() };
    for (let after = ""; ; ) {
      const rows = await rowsOf({ filter, after, limit: sliceRows });
      if (rows.length > 0) yield rows.map((row) => instrumentOnWire(row, filter.asOf));
      if (rows.length < sliceRows) return;
      after = rows.at(-1)!.symbol;
      await nextTurn();
    }
  }

  async function get(text: string, asOf: EpochMicroseconds | null): Promise<ListedInstrument> {
    const read = canonicalSymbol(text);
    if ("fault" in read) {
      const detail = instrumentSymbolFaultDetail[read.fault];
      const faults = [{ pointer: "/params/symbol", code: "SYMBOL_INVALID", detail }];
      throw new BsoptError({ reason: "invalid", code: "SYMBOL_INVALID", detail: `The symbol ${detail}.`, faults });
    }
    await settled();
    const row = await findInstrumentRow(storage.read, read.symbol, asOf);
    if (row) return instrumentOnWire(row, asOf);
    const detail = asOf === null ? "No such instrument was ever listed." : "No such instrument was listed by then.";
    throw new BsoptError({ reason: "not-found", code: "INSTRUMENT_NOT_FOUND", detail });
  }

  /** Takes from memory what has expired, tells of it, and ends its rows when it did. */
  async function retire(): Promise<void> {
    const now = clock.nowMicroseconds();
    drop(index.expiredBy(now), "expired");
    await ready;
    for (;;) {
      const rows = await expiredRows(storage.read, now, writtenRows);
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
      if (rows.length < writtenRows) return;
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
    look,
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
    import: importRows,
    page,
    pieces,
    get,
    async quarantine({ limit, cursor }) {
      const after = cursor === undefined ? null : parseCursor(cursor);
      const rows = await pageOfQuarantine(storage.read, { after, limit: limit + 1 });
      return pageOf(rows, limit, {
        shown: quarantinedOnWire,
        mark: ({ receivedAt, id }) => ({ createdAt: receivedAt, id }),
      });
    },
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
