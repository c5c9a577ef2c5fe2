// The SQL of the market's log, and what goes through it block by block: reading what was known, merging, forgetting. Every function takes the database it
// works on. Nothing here reads a whole table: what is asked for is one underlying's, by number or by moment.

import { promisify } from "node:util";
import { zstdCompress, zstdDecompressSync } from "node:zlib";
import { and, asc, desc, eq, gt, gte, inArray, lt, lte, sql } from "drizzle-orm";
import type { EpochMicroseconds } from "../../foundation/clock";
import { nextTurn } from "../../foundation/turn";
import type { ReadDatabase, Storage, Tx } from "../../storage/storage";
import { type BookWords, compactionRuns, latest, thinnedCheckpoints, unpackSegments } from "./rules";
import { archiveBlocks as blocks, archiveCheckpoints as checkpoints, archiveUnderlyings as underlyings } from "./table";

export type BlockRow = typeof blocks.$inferSelect;
export type CheckpointRow = typeof checkpoints.$inferSelect;

/** Forms of a block's body. */
export const forms = { plain: 0, zstd: 1 } as const;

export async function underlyingId(database: ReadDatabase | Tx, name: string): Promise<number | null> {
  const [row] = await database
    .select({ id: underlyings.id })
    .from(underlyings)
    .where(eq(underlyings.name, name))
    .limit(1);
  return row?.id ?? null;
}

export function everyUnderlying(database: ReadDatabase): Promise<{ id: number; name: string }[]> {
  return database.select().from(underlyings).orderBy(asc(underlyings.id));
}

/** Its number, given where it has none yet. */
export async function ensureUnderlying(tx: Tx, name: string): Promise<number> {
  const known = await underlyingId(tx, name);
  if (known !== null) return known;
  const [row] = await tx.insert(underlyings).values({ id: sql`null`, name }).returning({ id: underlyings.id });
  return row!.id;
}

export interface LineEnd {
  readonly sequence: number;
  readonly at: EpochMicroseconds;
}

/** The last number given to an underlying and the last moment known; null where nothing is kept of it. */
export async function endOf(database: ReadDatabase | Tx, id: number): Promise<LineEnd | null> {
  const [block] = await database
    .select({ sequence: blocks.lastSequence, at: blocks.lastAt })
    .from(blocks)
    .where(eq(blocks.underlyingId, id))
    .orderBy(desc(blocks.firstSequence))
    .limit(1);
  const [checkpoint] = await database
    .select({ sequence: checkpoints.sequence, at: checkpoints.at })
    .from(checkpoints)
    .where(eq(checkpoints.underlyingId, id))
    .orderBy(desc(checkpoints.sequence))
    .limit(1);
  if (block === undefined) return checkpoint ?? null;
  if (checkpoint === undefined) return block;
  const sequence = Math.max(block.sequence, checkpoint.sequence);
  return { sequence, at: latest(block.at, checkpoint.at) };
}

export async function insertBlock(tx: Tx, row: BlockRow): Promise<void> {
  await tx.insert(blocks).values(row);
}

export async function putCheckpoint(tx: Tx, row: CheckpointRow): Promise<void> {
  const { at, gapFrom, isStart, body } = row;
  await tx
    .insert(checkpoints)
    .values(row)
    .onConflictDoUpdate({
      target: [checkpoints.underlyingId, checkpoints.sequence],
      set: { at, gapFrom, isStart, body },
    });
}

/** The newest that was known at that moment. */
export async function checkpointAt(
  database: ReadDatabase,
  id: number,
  at: EpochMicroseconds,
): Promise<CheckpointRow | null> {
  const [row] = await database
    .select()
    .from(checkpoints)
    .where(and(eq(checkpoints.underlyingId, id), lte(checkpoints.at, at)))
    .orderBy(desc(checkpoints.at), desc(checkpoints.sequence))
    .limit(1);
  return row ?? null;
}

/** The first that was not known yet, without its body. */
export async function checkpointAfter(
  database: ReadDatabase,
  id: number,
  at: EpochMicroseconds,
): Promise<{ gapFrom: EpochMicroseconds | null; isStart: boolean } | null> {
  const [row] = await database
    .select({ gapFrom: checkpoints.gapFrom, isStart: checkpoints.isStart })
    .from(checkpoints)
    .where(and(eq(checkpoints.underlyingId, id), gt(checkpoints.at, at)))
    .orderBy(asc(checkpoints.at), asc(checkpoints.sequence))
    .limit(1);
  return row ?? null;
}

/** Blocks from the one on that holds this number (or the next after it), in order. */
export async function blocksFrom(
  database: ReadDatabase,
  id: number,
  page: { sequence: number; limit: number },
): Promise<BlockRow[]> {
  const holder = database
    .select({ first: blocks.firstSequence })
    .from(blocks)
    .where(and(eq(blocks.underlyingId, id), lte(blocks.firstSequence, page.sequence)))
    .orderBy(desc(blocks.firstSequence))
    .limit(1);
  const [from] = await holder;
  return database
    .select()
    .from(blocks)
    .where(and(eq(blocks.underlyingId, id), gte(blocks.firstSequence, from?.first ?? 0)))
    .orderBy(asc(blocks.firstSequence))
    .limit(page.limit);
}

/** Heads of small blocks that became known before that moment, in order, from a number on. */
export function headsFrom(
  database: ReadDatabase,
  id: number,
  page: { sequence: number; limit: number },
): Promise<{ firstSequence: number; lastSequence: number; lastAt: bigint; plainBytes: number; form: number }[]> {
  const { firstSequence, lastSequence, lastAt, plainBytes, form } = blocks;
  return database
    .select({ firstSequence, lastSequence, lastAt, plainBytes, form })
    .from(blocks)
    .where(and(eq(blocks.underlyingId, id), gte(firstSequence, page.sequence)))
    .orderBy(asc(firstSequence))
    .limit(page.limit);
}

export function blocksOf(database: ReadDatabase, id: number, firstSequences: readonly number[]): Promise<BlockRow[]> {
  return database
    .select()
    .from(blocks)
    .where(and(eq(blocks.underlyingId, id), inArray(blocks.firstSequence, [...firstSequences])))
    .orderBy(asc(blocks.firstSequence));
}

/** Puts one block in the place of several. */
export async function replaceBlocks(tx: Tx, firstSequences: readonly number[], row: BlockRow): Promise<void> {
  await tx
    .delete(blocks)
    .where(and(eq(blocks.underlyingId, row.underlyingId), inArray(blocks.firstSequence, [...firstSequences])));
  await tx.insert(blocks).values(row);
}

/** Deletes up to so many blocks that end at or before that number; how many. */
export async function deleteBlocks(tx: Tx, id: number, sequence: number, limit: number): Promise<number> {
  const doomed = await tx
    .select({ firstSequence: blocks.firstSequence })
    .from(blocks)
    .where(and(eq(blocks.underlyingId, id), lte(blocks.firstSequence, sequence), lte(blocks.lastSequence, sequence)))
    .orderBy(asc(blocks.firstSequence))
    .limit(limit);
  if (doomed.length === 0) return 0;
  const numbers = doomed.map(({ firstSequence }) => firstSequence);
  await tx.delete(blocks).where(and(eq(blocks.underlyingId, id), inArray(blocks.firstSequence, numbers)));
  return doomed.length;
}

export async function deleteCheckpointsBefore(tx: Tx, id: number, sequence: number): Promise<void> {
  await tx.delete(checkpoints).where(and(eq(checkpoints.underlyingId, id), lt(checkpoints.sequence, sequence)));
}

/** Checkpoints without their bodies, in order, that became known before that moment. */
export function checkpointHeads(
  database: ReadDatabase,
  id: number,
  page: { before: EpochMicroseconds; limit: number },
): Promise<{ sequence: number; at: bigint; gapFrom: bigint | null; isStart: boolean }[]> {
  return database
    .select({
      sequence: checkpoints.sequence,
      at: checkpoints.at,
      gapFrom: checkpoints.gapFrom,
      isStart: checkpoints.isStart,
    })
    .from(checkpoints)
    .where(and(eq(checkpoints.underlyingId, id), lt(checkpoints.at, page.before)))
    .orderBy(asc(checkpoints.at), asc(checkpoints.sequence))
    .limit(page.limit);
}

export async function deleteCheckpoints(tx: Tx, id: number, sequences: readonly number[]): Promise<void> {
  await tx
    .delete(checkpoints)
    .where(and(eq(checkpoints.underlyingId, id), inArray(checkpoints.sequence, [...sequences])));
}

/** Where to go on reading: after the entry of that number. */
export interface EntryMark {
  readonly sequence: number;
}

export interface KnownEntries<Entry> {
  readonly entries: readonly Entry[];
  /** The number of the first. */
  readonly firstSequence: number;
  /** When the last became known. */
  readonly at: EpochMicroseconds;
}

const blocksPerReadMax = 32;

/** What of an underlying's record was known at a moment, after the entry of a number, in order and in pieces. */
export async function* entriesKnown<Book, Entry>(asked: {
  readonly read: ReadDatabase;
  readonly words: BookWords<Book, Entry>;
  readonly id: number;
  readonly from: EntryMark;
  readonly at: EpochMicroseconds;
}): AsyncGenerator<KnownEntries<Entry>> {
  const { read, words, id, from, at } = asked;
  let next = from.sequence + 1;
  while (true) {
    const rows = await blocksFrom(read, id, { sequence: next, limit: blocksPerReadMax });
    for (const row of rows) {
      if (row.firstAt > at) return;
      if (row.lastSequence < next) continue;
      for (const piece of piecesOf(row, words, { next, at })) {
        if (piece.entries.length > 0) yield piece;
        if (piece.isLast) return;
      }
      next = row.lastSequence + 1;
    }
    if (rows.length < blocksPerReadMax) return;
  }
}

function plainOf({ form, body }: BlockRow): Uint8Array {
  return form === forms.zstd ? zstdDecompressSync(body) : body;
}

/** A block's entries from a number on that were known at a moment, a piece a segment; the last says that more is not known yet. */
function* piecesOf<Book, Entry>(
  row: BlockRow,
  words: BookWords<Book, Entry>,
  { next, at }: { next: number; at: EpochMicroseconds },
): Generator<KnownEntries<Entry> & { readonly isLast: boolean }> {
  let sequence = row.firstSequence;
  for (const segment of unpackSegments(plainOf(row))) {
    const firstSequence = Math.max(sequence, next);
    const skipped = firstSequence - sequence;
    sequence += segment.count;
    if (sequence <= next) continue;
    const known: Entry[] = [];
    let knownAt = segment.firstAt;
    let isLast = knownAt > at;
    if (!isLast) {
      for (const [index, entry] of words.decode(segment.bytes).entries()) {
        const moment = latest(knownAt, words.timeOf(entry) ?? knownAt);
        isLast = moment > at;
        if (isLast) break;
        knownAt = moment;
        if (index >= skipped) known.push(entry);
      }
    }
    yield { entries: known, firstSequence, at: knownAt, isLast };
    if (isLast) return;
  }
}

/** How long things are kept. */
export interface Retention {
  /** Any moment of so many last days can be asked for. */
  readonly quotesDays: number;
  /** Checkpoints older than this are thinned to one an hour: the same answers, later. */
  readonly checkpointsHours: number;
}

const compress = promisify(zstdCompress);
const headsPerRoundMax = 2_000;
const deletedPerWriteMax = 200;
const dayMicroseconds = 86_400_000_000n;
const hourMicroseconds = 3_600_000_000n;
/** Younger blocks are left alone: more of them are coming. */
const mergeAfterMicroseconds = 30_000_000n;

/** Deletes what is past its time of an underlying: blocks that no moment still kept needs, and checkpoints that only save work. */
export async function forget(
  storage: Pick<Storage, "read" | "write">,
  id: number,
  options: { retention: Retention; now: EpochMicroseconds; signal?: AbortSignal },
): Promise<void> {
  const { retention, now, signal } = options;
  const oldest = await checkpointAt(storage.read, id, now - BigInt(retention.quotesDays) * dayMicroseconds);
  if (oldest !== null) {
    const some = () => storage.write((tx) => deleteBlocks(tx, id, oldest.sequence, deletedPerWriteMax));
    while (!signal?.aborted && (await some()) === deletedPerWriteMax) await nextTurn();
    await storage.write((tx) => deleteCheckpointsBefore(tx, id, oldest.sequence));
  }
  const before = now - BigInt(retention.checkpointsHours) * hourMicroseconds;
  const heads = await checkpointHeads(storage.read, id, { before, limit: headsPerRoundMax });
  const surplus = thinnedCheckpoints(heads);
  if (surplus.length > 0) await storage.write((tx) => deleteCheckpoints(tx, id, surplus));
}

/** Makes few compressed blocks of an underlying's many small ones, from a number on; where the next round may begin. */
export async function mergeBlocks(
  storage: Pick<Storage, "read" | "write">,
  id: number,
  options: { from: number; now: EpochMicroseconds; onWritten: () => void; signal?: AbortSignal },
): Promise<number> {
  const { from, now, onWritten, signal } = options;
  let next = from;
  const heads = await headsFrom(storage.read, id, { sequence: from, limit: headsPerRoundMax });
  const old = heads.filter(({ lastAt }) => lastAt < now - mergeAfterMicroseconds);
  for (const run of compactionRuns(old)) {
    if (signal?.aborted) break;
    const numbers = run.map(({ firstSequence }) => firstSequence);
    const rows = await blocksOf(storage.read, id, numbers);
    // Retention of another process may have come between.
    if (rows.length !== run.length) continue;
    const plain = Buffer.concat(rows.map(plainOf));
    const body = new Uint8Array(await compress(plain));
    const [first, last] = [rows[0]!, rows.at(-1)!];
    await storage.write((tx) =>
      replaceBlocks(tx, numbers, {
        ...{ ...first, lastSequence: last.lastSequence, lastAt: last.lastAt },
        ...{ form: forms.zstd, plainBytes: plain.byteLength, body },
      }),
    );
    // The last block may still take in what comes.
    next = first.firstSequence;
    onWritten();
  }
  return next;
}
