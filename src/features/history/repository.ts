// The SQL of candles. Every function takes the database it works on, which is the market's own.

import { and, asc, desc, eq, getTableColumns, gte, inArray, lt, lte, sql } from "drizzle-orm";
import type { EpochMicroseconds } from "../../foundation/clock";
import type { ReadDatabase, Tx } from "../../storage/storage";
import { historyCandles as candles, historyMarks as marks, historySymbols as symbols } from "./table";

export type CandleRow = typeof candles.$inferSelect;
export type SymbolRow = typeof symbols.$inferSelect;
export type MarkRow = typeof marks.$inferSelect;

export async function findSymbol(database: ReadDatabase | Tx, symbol: string): Promise<SymbolRow | null> {
  return (await database.select().from(symbols).where(eq(symbols.symbol, symbol)).limit(1))[0] ?? null;
}

/** Its number, given where it has none yet. */
export async function ensureSymbol(tx: Tx, symbol: string, underlying: string): Promise<number> {
  const known = await findSymbol(tx, symbol);
  if (known !== null) return known.id;
  const [row] = await tx.insert(symbols).values({ id: sql`null`, symbol, underlying }).returning({ id: symbols.id });
  return row!.id;
}

/** Numbers of symbols after this one, in order. */
export function symbolsAfter(database: ReadDatabase, id: number, limit: number): Promise<{ id: number }[]> {
  return database
    .select({ id: symbols.id })
    .from(symbols)
    .where(sql`${symbols.id} > ${BigInt(id)}`)
    .orderBy(asc(symbols.id))
    .limit(limit);
}

/** How far an underlying's log was in candles at a moment. */
export async function markAt(
  database: ReadDatabase,
  underlying: string,
  at: EpochMicroseconds,
): Promise<MarkRow | null> {
  const [row] = await database
    .select()
    .from(marks)
    .where(and(eq(marks.underlying, underlying), lte(marks.at, at)))
    .orderBy(desc(marks.at), desc(marks.sequence))
    .limit(1);
  return row ?? null;
}

export async function insertMark(tx: Tx, row: MarkRow): Promise<void> {
  await tx.insert(marks).values(row).onConflictDoNothing();
}

export async function putCandle(tx: Tx, row: CandleRow): Promise<void> {
  const { symbolId, start, knownAt, ...bar } = row;
  await tx
    .insert(candles)
    .values({ symbolId, start, knownAt, ...bar })
    .onConflictDoUpdate({ target: [candles.symbolId, candles.start, candles.knownAt], set: bar });
}

/** A minute as it was known at a moment. */
export async function minuteAt(
  database: ReadDatabase,
  asked: { symbolId: number; start: EpochMicroseconds; knownAt: EpochMicroseconds },
): Promise<CandleRow | null> {
  const { symbolId, start, knownAt } = asked;
  const [row] = await database
    .select()
    .from(candles)
    .where(and(eq(candles.symbolId, symbolId), eq(candles.start, start), lte(candles.knownAt, knownAt)))
    .orderBy(desc(candles.knownAt))
    .limit(1);
  return row ?? null;
}

/** The newest minute that was known at a moment. */
export async function lastMinute(
  database: ReadDatabase,
  symbolId: number,
  knownAt: EpochMicroseconds,
): Promise<CandleRow | null> {
  const [row] = await database
    .select()
    .from(candles)
    .where(and(eq(candles.symbolId, symbolId), lte(candles.knownAt, knownAt)))
    .orderBy(desc(candles.start), desc(candles.knownAt))
    .limit(1);
  return row ?? null;
}

/** The minutes of a span as they were known at a moment, in order. Beside a lone max(), SQLite takes the other columns from the row that has it. */
export function minutesIn(
  database: ReadDatabase,
  asked: { symbolId: number; from: bigint; before: bigint; knownAt: bigint; limit: number },
): Promise<CandleRow[]> {
  const { symbolId, from, before, knownAt, limit } = asked;
  const columns = { ...getTableColumns(candles), knownAt: sql<bigint>`max(${candles.knownAt})` };
  return database
    .select(columns)
    .from(candles)
    .where(
      and(
        eq(candles.symbolId, symbolId),
        gte(candles.start, from),
        lt(candles.start, before),
        lte(candles.knownAt, knownAt),
      ),
    )
    .groupBy(candles.start)
    .orderBy(asc(candles.start))
    .limit(limit);
}

/** Deletes up to so many minutes of a symbol that begin before a moment; how many rows. */
export async function deleteMinutes(tx: Tx, symbolId: number, before: bigint, limit: number): Promise<number> {
  const doomed = await tx
    .select({ start: candles.start })
    .from(candles)
    .where(and(eq(candles.symbolId, symbolId), lt(candles.start, before)))
    .orderBy(asc(candles.start))
    .limit(limit);
  if (doomed.length === 0) return 0;
  const starts = [...new Set(doomed.map(({ start }) => start))];
  await tx.delete(candles).where(and(eq(candles.symbolId, symbolId), inArray(candles.start, starts)));
  return doomed.length;
}

export async function deleteMarks(tx: Tx, underlying: string, before: bigint): Promise<void> {
  await tx.delete(marks).where(and(eq(marks.underlying, underlying), lt(marks.at, before)));
}
