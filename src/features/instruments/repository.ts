// The SQL of instruments. Every function takes the database it works on. No statement reads more than a window of rows, whatever is asked for.

import { and, asc, count, desc, eq, gt, gte, inArray, isNull, lte, or, type SQL, sql } from "drizzle-orm";
import type { Instrument } from "../../domain/instrument";
import type { EpochMicroseconds } from "../../foundation/clock";
import type { PageMark } from "../../foundation/page-mark";
import type { ReadDatabase, Tx } from "../../storage/storage";
import { isSameInstrument, multiplierDecimals, priceDecimals, rank, scaledOf, unscaled } from "./rules";
import { type InstrumentSource, instrumentQuarantine, instruments } from "./table";

export type InstrumentRow = typeof instruments.$inferSelect;
export type QuarantineRow = typeof instrumentQuarantine.$inferSelect;

/** What a page is asked for; null or absent: everything. */
export interface InstrumentFilter {
  readonly underlying: string | null;
  readonly kind: Instrument["kind"] | null;
  readonly optionType: Instrument["optionType"];
  readonly expiryFrom: EpochMicroseconds | null;
  readonly expiryTo: EpochMicroseconds | null;
  readonly strikeFrom: number | null;
  readonly strikeTo: number | null;
  /** The moment that it is to have been listed at; null: now. */
  readonly asOf: EpochMicroseconds | null;
  readonly now: EpochMicroseconds;
}

export function instrumentOf(row: InstrumentRow): Instrument {
  const { symbol, kind, underlying, root, expiry, optionType, style, settlement, currency, calendar } = row;
  return {
    ...{ symbol, kind, underlying, root, expiry },
    strike: row.strike === null ? null : unscaled(row.strike, priceDecimals),
    ...{ optionType, style, settlement },
    multiplier: unscaled(row.multiplier, multiplierDecimals),
    tickSize: row.tickSize === null ? null : unscaled(row.tickSize, priceDecimals),
    ...{ currency, calendar },
  };
}

/** One more than the greatest revision of any row. */
export async function nextRevision(tx: Tx): Promise<number> {
  return (await lastRevision(tx)) + 1;
}

export async function lastRevision(database: ReadDatabase): Promise<number> {
  const rows = await database
    .select({ revision: instruments.revision })
    .from(instruments)
    .orderBy(desc(instruments.revision))
    .limit(1);
  return rows[0]?.revision ?? 0;
}

/** The rows that hold for these symbols. */
export async function listedRows(database: ReadDatabase, symbols: readonly string[]): Promise<InstrumentRow[]> {
  return database
    .select()
    .from(instruments)
    .where(and(inArray(instruments.symbol, [...symbols]), isNull(instruments.endedAt)));
}

export interface NewRow {
  readonly instrument: Instrument;
  readonly source: InstrumentSource;
  readonly listedAt: EpochMicroseconds;
  readonly revision: number;
}

/** In one statement over a list in JSON: built by the columns it takes ten times as long, during which nothing else has its turn. */
export async function insertInstruments(tx: Tx, rows: readonly NewRow[]): Promise<void> {
  const list = rows.map((row) => `[${valuesOf(row).map(jsonOf).join()}]`).join();
  await tx.run(sql`
    insert into ${instruments} (symbol, kind, underlying, root, expiry, strike, option_type, style, settlement, multiplier, tick_size,
      currency, calendar, source, listed_at, revision)
    select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9,
      value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15
    from json_each(${`[${list}]`})`);
}

/** In the order of the columns above; prices and moments are integers. */
function valuesOf({ instrument, source, listedAt, revision }: NewRow): (string | number | bigint | null)[] {
  const { symbol, kind, underlying, root, expiry, strike, optionType, style, settlement, multiplier, tickSize } =
    instrument;
  return [
    ...[symbol, kind, underlying, root, expiry, strike === null ? null : scaledOf(strike, priceDecimals)],
    ...[optionType, style, settlement, scaledOf(multiplier, multiplierDecimals)],
    ...[tickSize === null ? null : scaledOf(tickSize, priceDecimals), instrument.currency, instrument.calendar],
    ...[source, listedAt, revision],
  ];
}

function jsonOf(value: string | number | bigint | null): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** Ends a row that holds. */
export async function endRow(
  tx: Tx,
  row: { symbol: string; listedAt: EpochMicroseconds },
  end: { at: EpochMicroseconds; reason: "expired" | "replaced"; revision: number },
): Promise<void> {
  await tx
    .update(instruments)
    .set({ endedAt: end.at, endReason: end.reason, revision: end.revision })
    .where(and(eq(instruments.symbol, row.symbol), eq(instruments.listedAt, row.listedAt)));
}

/** Rows that hold though their instrument has expired. */
export async function expiredRows(
  database: ReadDatabase,
  now: EpochMicroseconds,
  limit: number,
): Promise<{ symbol: string; listedAt: EpochMicroseconds; expiry: EpochMicroseconds | null }[]> {
  const { symbol, listedAt, expiry, endedAt } = instruments;
  return database
    .select({ symbol, listedAt, expiry })
    .from(instruments)
    .where(and(isNull(endedAt), lte(expiry, now)))
    .orderBy(asc(expiry))
    .limit(limit);
}

/** The rows that hold, in their symbols' order, from behind one on. */
export async function rowsListedAfter(database: ReadDatabase, symbol: string, limit: number): Promise<InstrumentRow[]> {
  return database
    .select()
    .from(instruments)
    .where(and(isNull(instruments.endedAt), gt(instruments.symbol, symbol)))
    .orderBy(asc(instruments.symbol))
    .limit(limit);
}

/** Rows that were changed after a revision, the earliest first. */
export async function rowsChangedAfter(
  database: ReadDatabase,
  revision: number,
  limit: number,
): Promise<InstrumentRow[]> {
  return database
    .select()
    .from(instruments)
    .where(gt(instruments.revision, revision))
    .orderBy(asc(instruments.revision))
    .limit(limit);
}

/** The rows that are asked for, in their symbols' order, behind `after` and within a window of rows; where the window ends. */
export async function windowOfRows(
  database: ReadDatabase,
  ask: { filter: InstrumentFilter; after: string; windowRows: number; limit: number },
): Promise<{ rows: InstrumentRow[]; end: string | null }> {
  const { filter, after, windowRows, limit } = ask;
  const { symbol, listedAt, endedAt, underlying } = instruments;
  const place = [
    filter.underlying === null ? undefined : eq(underlying, filter.underlying),
    filter.asOf === null ? isNull(endedAt) : undefined,
    gt(symbol, after),
  ];
  const [last] = await database
    .select({ symbol })
    .from(instruments)
    .where(and(...place))
    .orderBy(asc(symbol))
    .limit(1)
    .offset(windowRows - 1);
  const end = last?.symbol ?? null;
  const rows = await database
    .select()
    .from(instruments)
    .where(and(...place, end === null ? undefined : lte(symbol, end), ...conditionsOf(filter)))
    .orderBy(asc(symbol), asc(listedAt))
    .limit(limit);
  return { rows, end };
}

function conditionsOf(filter: InstrumentFilter): (SQL | undefined)[] {
  const { listedAt, endedAt, kind, optionType, expiry, strike } = instruments;
  const { asOf, expiryFrom, expiryTo, strikeFrom, strikeTo } = filter;
  return [
    ...(asOf === null ? [] : [lte(listedAt, asOf), or(isNull(endedAt), gt(endedAt, asOf))]),
    // Also what nobody has retired yet.
    or(isNull(expiry), gt(expiry, asOf ?? filter.now)),
    filter.kind === null ? undefined : eq(kind, filter.kind),
    filter.optionType === null ? undefined : eq(optionType, filter.optionType),
    expiryFrom === null ? undefined : gte(expiry, expiryFrom),
    expiryTo === null ? undefined : lte(expiry, expiryTo),
    strikeFrom === null ? undefined : gte(strike, scaledOf(strikeFrom, priceDecimals)!),
    strikeTo === null ? undefined : lte(strike, scaledOf(strikeTo, priceDecimals)!),
  ];
}

/** The last row of a symbol that was known at a moment, or of all. */
export async function findInstrumentRow(
  database: ReadDatabase,
  symbol: string,
  asOf: EpochMicroseconds | null,
): Promise<InstrumentRow | null> {
  const rows = await database
    .select()
    .from(instruments)
    .where(and(eq(instruments.symbol, symbol), asOf === null ? undefined : lte(instruments.listedAt, asOf)))
    .orderBy(desc(instruments.listedAt))
    .limit(1);
  return rows[0] ?? null;
}

export async function insertQuarantine(tx: Tx, rows: readonly QuarantineRow[]): Promise<void> {
  await tx.insert(instrumentQuarantine).values([...rows]);
}

/** Deletes what is past so many rows, the oldest first. */
export async function keepQuarantineAtMost(tx: Tx, countMax: number): Promise<void> {
  const [row] = await tx.select({ count: count() }).from(instrumentQuarantine);
  const surplus = Number(row?.count ?? 0) - countMax;
  if (surplus <= 0) return;
  const doomed = tx
    .select({ id: instrumentQuarantine.id })
    .from(instrumentQuarantine)
    .orderBy(asc(instrumentQuarantine.receivedAt), asc(instrumentQuarantine.id))
    .limit(surplus);
  await tx.delete(instrumentQuarantine).where(inArray(instrumentQuarantine.id, doomed));
}

/** A page, the newest first. */
export async function pageOfQuarantine(
  database: ReadDatabase,
  { after, limit }: { after: PageMark | null; limit: number },
): Promise<QuarantineRow[]> {
  const { receivedAt, id } = instrumentQuarantine;
  return database
    .select()
    .from(instrumentQuarantine)
    .where(after === null ? undefined : sql`(${receivedAt}, ${id}) < (${after.createdAt}, ${after.id})`)
    .orderBy(desc(receivedAt), desc(id))
    .limit(limit);
}

/** An instrument as somebody said it. */
export interface Listed {
  readonly instrument: Instrument;
  readonly source: InstrumentSource;
  /** Since when this is known. */
  readonly at: EpochMicroseconds;
}

/** The symbols that are new, and those that have other terms than before. */
export interface Put {
  readonly listed: readonly string[];
  readonly changed: readonly string[];
}

/** Writes what is said of instruments, each symbol once, where it is not known already or whoever said that has less to say. */
export async function putListed(tx: Tx, slice: readonly Listed[]): Promise<Put> {
  const [listed, changed]: [string[], string[]] = [[], []];
  if (slice.length === 0) return { listed, changed };
  const symbols = slice.map(({ instrument }) => instrument.symbol);
  const known = new Map((await listedRows(tx, symbols)).map((row) => [row.symbol, row]));
  let revision = await nextRevision(tx);
  const rows: NewRow[] = [];
  for (const { instrument, source, at } of slice) {
    const { symbol } = instrument;
    const row = known.get(symbol);
    let listedAt = at;
    if (row) {
      const isSame = isSameInstrument(instrumentOf(row), instrument);
      if (rank[row.source] < rank[source] || (isSame && row.source === source)) continue;
      if (listedAt <= row.listedAt) listedAt = row.listedAt + 1n;
      await endRow(tx, row, { at: listedAt, reason: "replaced", revision: revision++ });
      if (!isSame) changed.push(symbol);
    } else listed.push(symbol);
    rows.push({ instrument, source, listedAt, revision: revision++ });
  }
  if (rows.length > 0) await insertInstruments(tx, rows);
  return { listed, changed };
}
