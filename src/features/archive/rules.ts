// The archive's pure part: how entries lie in a block, which blocks are made one, and what a book's record weighs. Separate from the service, which
// has clocks, disks and queues. It never looks inside an entry: what it must know of one is asked of the record's words.

import { assert } from "../../foundation/assert";
import type { EpochMicroseconds } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";

/** What the archive must know of the books it keeps; src/book has the one there is. */
export interface BookWords<Book, Entry> {
  encode(entries: readonly Entry[]): Uint8Array;
  decode(bytes: Uint8Array): readonly Entry[];
  /** When it became known; null where the entry itself does not say. */
  timeOf(entry: Entry): EpochMicroseconds | null;
  /** What entering it costs, in quotes. */
  weightOf(entry: Entry): number;
  /** A checkpoint of a new book. */
  begin(underlying: string): Uint8Array;
  restore(underlying: string, bytes: Uint8Array): Book;
  enter(book: Book, entry: Entry): void;
}

/** Entries that became known from `firstAt` on, in order. An entry that says no time has its segment's first, or that of the entry before it. */
export interface Segment {
  readonly count: number;
  readonly firstAt: EpochMicroseconds;
  readonly lastAt: EpochMicroseconds;
  readonly bytes: Uint8Array;
}

/** count, length, firstAt, lastAt. */
const headBytes = 4 + 4 + 8 + 8;

/** Segments end to end. */
export function packSegments(segments: readonly Segment[]): Uint8Array {
  const packed = new Uint8Array(segments.reduce((sum, { bytes }) => sum + headBytes + bytes.byteLength, 0));
  const view = new DataView(packed.buffer);
  let offset = 0;
  for (const { count, firstAt, lastAt, bytes } of segments) {
    view.setUint32(offset, count, true);
    view.setUint32(offset + 4, bytes.byteLength, true);
    view.setBigInt64(offset + 8, firstAt, true);
    view.setBigInt64(offset + 16, lastAt, true);
    packed.set(bytes, offset + headBytes);
    offset += headBytes + bytes.byteLength;
  }
  return packed;
}

/** The segments again, their bytes lying in those given. Throws where they don't end where the bytes do. */
export function unpackSegments(packed: Uint8Array): Segment[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const segments: Segment[] = [];
  for (let offset = 0; offset < packed.byteLength; ) {
    assert(offset + headBytes <= packed.byteLength, `a block ends inside a segment's head at ${offset}`);
    const length = view.getUint32(offset + 4, true);
    const begin = offset + headBytes;
    assert(begin + length <= packed.byteLength, `a block ends inside a segment at ${begin} of ${length}`);
    segments.push({
      count: view.getUint32(offset, true),
      firstAt: view.getBigInt64(offset + 8, true),
      lastAt: view.getBigInt64(offset + 16, true),
      bytes: packed.subarray(begin, begin + length),
    });
    offset = begin + length;
  }
  return segments;
}

/** A block by its head, as compaction looks at it. */
export interface BlockHead {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly plainBytes: number;
  readonly form: number;
}

/** Blocks grow to about this size before compression: what one rebuild has to unpack at least. */
export const blockBytesMax = 512 * 1024;

/**
 * Which neighbours are made one block, of blocks in order: runs that stay within the size and have no hole between them. A block alone is a run where it
 * is not compressed yet and large enough, or where more follow behind it that it cannot take in.
 */
export function compactionRuns<Head extends BlockHead>(blocks: readonly Head[]): Head[][] {
  const runs: Head[][] = [];
  let run: Head[] = [];
  let runBytes = 0;
  const end = () => {
    if (run.length > 1 || (run.length === 1 && run[0]!.form === 0)) runs.push(run);
    run = [];
    runBytes = 0;
  };
  for (const block of blocks) {
    const last = run.at(-1);
    const fits = runBytes + block.plainBytes <= blockBytesMax && last?.lastSequence === block.firstSequence - 1;
    if (last !== undefined && !fits) end();
    run.push(block);
    runBytes += block.plainBytes;
  }
  end();
  return runs;
}

/** A checkpoint by its head, as thinning looks at it. */
export interface CheckpointHead {
  readonly sequence: number;
  readonly at: EpochMicroseconds;
  readonly gapFrom: EpochMicroseconds | null;
  /** A new book begins with it. */
  readonly isStart: boolean;
}

const hourMicroseconds = 3_600_000_000n;

/** Which of these, in order, can go so that the first of each hour stays. What ends a gap or begins a book stays: nothing before it leads there. */
export function thinnedCheckpoints(heads: readonly CheckpointHead[]): number[] {
  const surplus: number[] = [];
  let hour: bigint | null = null;
  for (const { sequence, at, gapFrom, isStart } of heads) {
    const own = at / hourMicroseconds;
    if (own === hour && gapFrom === null && !isStart) surplus.push(sequence);
    hour = own;
  }
  return surplus;
}

/** The last of these moments. */
export function latest(...moments: readonly EpochMicroseconds[]): EpochMicroseconds {
  let last = moments[0]!;
  for (const moment of moments) if (moment > last) last = moment;
  return last;
}

/** Entries that are not written yet. */
export interface PendingSegment<Entry> {
  readonly kind: "segment";
  /** Of its first entry, counted over all underlyings. */
  readonly serial: number;
  readonly entries: Entry[];
  firstAt: EpochMicroseconds;
  lastAt: EpochMicroseconds;
}

/** A checkpoint that is not written yet. */
export interface PendingCheckpoint {
  readonly kind: "checkpoint";
  readonly serial: number;
  readonly body: Uint8Array;
  at: EpochMicroseconds;
  readonly gapFrom: EpochMicroseconds | null;
}

export type Pending<Entry> = PendingSegment<Entry> | PendingCheckpoint;

/** Its moments raised to a floor. */
export function raise<Entry>(item: Pending<Entry>, floor: EpochMicroseconds): void {
  if (item.kind === "checkpoint") item.at = latest(item.at, floor);
  else {
    item.firstAt = latest(item.firstAt, floor);
    item.lastAt = latest(item.lastAt, floor);
  }
}

export function behind(): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "ARCHIVE_BEHIND",
    detail: "The market's history cannot keep up; what was sent is used but not kept.",
    hint: "The disk is full or slow. It goes on by itself.",
    retryAfterSeconds: 5,
  });
}

export function gap(): BsoptError {
  return new BsoptError({
    reason: "missing-market-data",
    code: "HISTORY_GAP",
    detail: "What was known at that moment was not all kept.",
    hint: "Ask for an earlier or a later moment.",
  });
}

export function notKept(): BsoptError {
  return new BsoptError({
    reason: "not-found",
    code: "HISTORY_NOT_KEPT",
    detail: "That moment lies before what is still kept.",
    hint: "market_quotes_days says for how long quotes are kept.",
  });
}

export function busy(): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "HISTORY_BUSY",
    detail: "Too many past moments are being looked up.",
    retryAfterSeconds: 1,
  });
}
