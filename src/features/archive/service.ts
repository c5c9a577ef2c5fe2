// The market's log: takes what was entered into each underlying's book, keeps it in market.db a few times a second, and rebuilds a book as it was at any
// moment since. Always a local file, also where bsopt.db is on a server. It must never hold the event loop for long, never make the one wait that
// appends, and never answer for a moment of which something was lost.
//
// Invariants:
// 1. An underlying's entries have consecutive numbers in the order they were appended, and moments that never fall: an entry is known from the later
//    of its own moment and the one before it. What was known at T is a beginning of the record.
// 2. A checkpoint is the state after the entry of its number. A book that did not go on from what is kept begins with an empty one, which has a
//    number of its own.
// 3. What could not be kept is a gap from its first entry until the next checkpoint, and a moment inside it is refused.

import { promisify } from "node:util";
import { zstdCompress, zstdDecompressSync } from "node:zlib";
import { Agent } from "../../foundation/agent";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import type { Log } from "../../foundation/log";
import { nextTurn } from "../../foundation/turn";
import type { BatchedFile } from "../../storage/batched-file";
import type { ReadDatabase } from "../../storage/storage";
import {
  type BlockRow,
  type CheckpointRow,
  checkpointAfter,
  checkpointAt,
  type EntryMark,
  endOf,
  ensureUnderlying,
  entriesKnown,
  everyUnderlying,
  forget,
  forms,
  insertBlock,
  type KnownEntries,
  mergeBlocks,
  putCheckpoint,
  type Retention,
  underlyingId,
} from "./repository";
import {
  type BookWords,
  behind,
  busy,
  gap,
  latest,
  notKept,
  type Pending,
  packSegments,
  raise,
  type Segment,
} from "./rules";

export type { EntryMark, KnownEntries } from "./repository";
export { type BookWords, notKept } from "./rules";

export interface ArchiveLimits {
  /** From an entry's being appended to its being written, at most about this. */
  readonly flushMilliseconds: number;
  /** Entries in memory that are not written yet; past it further ones are not kept, which is a gap. */
  readonly pendingEntriesMax: number;
  /** A checkpoint is made after entries of this weight (in quotes): what a rebuild has to do at most. */
  readonly checkpointWeight: number;
  /** Rebuilds that wait for their turn. */
  readonly rebuildsMax: number;
  /** Rebuilt books that are kept in memory. */
  readonly rebuiltMax: number;
}

export const defaultArchiveLimits: ArchiveLimits = {
  flushMilliseconds: 50,
  pendingEntriesMax: 200_000,
  checkpointWeight: 200_000,
  rebuildsMax: 32,
  rebuiltMax: 8,
};

export interface ArchiveOptions<Book, Entry> {
  readonly file: BatchedFile;
  readonly words: BookWords<Book, Entry>;
  /** Read at each round. */
  readonly retention: Retention;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<ArchiveLimits>;
}

export interface ArchiveStatistics {
  /** Since the start. */
  readonly keptCount: number;
  readonly droppedCount: number;
  readonly writtenBytes: number;
  readonly flushCount: number;
  readonly checkpointCount: number;
  readonly rebuildCount: number;
  /** Now. */
  readonly pendingCount: number;
  readonly pendingMax: number;
  readonly databaseBytes: number;
  readonly walBytes: number;
}

/** `behind`: entries are being lost to history. `off`: until the next start. */
export type ArchiveState = "well" | "refused" | "behind" | "off";

export interface Archive<Book, Entry> {
  /**
   * Takes entries that were entered into the underlying's book, in that order; they are written within about 50 ms. Never throws for a disk's sake: what there is
   * no room for is a gap. To be called in the same step in which they are entered.
   */
  append(underlying: string, entries: readonly Entry[]): void;
  /**
   * Resolves once everything appended so far is committed: it survives the process's end, not a power cut. Throws unavailable ARCHIVE_BEHIND where entries
   * of these underlyings (of any, where none are named) are being dropped, and what refuses the write (DATABASE_FULL and the like), the
   * entries then waiting for another try.
   */
  kept(underlyings?: readonly string[]): Promise<void>;
  /** Says that these bytes are the book after all that was appended. */
  saveCheckpoint(underlying: string, checkpoint: Uint8Array, at: EpochMicroseconds): void;
  /** Who is asked for a checkpoint where one is due, between two steps of the market; null: not now. */
  checkpointsFrom(source: (underlying: string) => Uint8Array | null): void;
  /**
   * The book as it was known at that moment, the whole microsecond included; for reading only, as it is shared. Null: nothing was known. Throws
   * not-found HISTORY_NOT_KEPT before what is kept, missing-market-data HISTORY_GAP where something was lost, unavailable HISTORY_BUSY and DATABASE_*.
   */
  bookAt(underlying: string, at: EpochMicroseconds): Promise<Book | null>;
  /** The book as it was last kept, to go on from: what is appended afterwards continues its record. Null: nothing is kept. */
  latest(underlying: string): Promise<Book | null>;
  /** Underlyings of which something is kept. */
  underlyings(): Promise<string[]>;
  /** Entries from one number on that were known at a moment, in order and in pieces; for what is made of the record. */
  entries(underlying: string, from: EntryMark, at: EpochMicroseconds): AsyncGenerator<KnownEntries<Entry>>;
  readonly state: ArchiveState;
  statistics(): ArchiveStatistics;
  readonly agents: readonly Agent[];
  /** One round of compaction and retention, as the agent makes it. */
  compact(signal?: AbortSignal): Promise<void>;
  /** Writes what is pending where that can be done, and closes the file. */
  close(): Promise<void>;
}

/** One underlying's record, as this process goes on with it. */
interface Line<Entry> {
  readonly underlying: string;
  id: number | null;
  /** Of the last entry or checkpoint written; null: not looked up yet. */
  sequence: number | null;
  lastAt: EpochMicroseconds;
  /** What was appended goes on from what is kept. */
  isContinued: boolean;
  pending: Pending<Entry>[];
  /** Being written. */
  inFlight: readonly Pending<Entry>[];
  weight: number;
  gapFrom: EpochMicroseconds | null;
}

interface Waiter {
  readonly upTo: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Entries of a segment: encoding one is a step of the event loop. */
const segmentEntriesMax = 1_000;
/** Entries of one write. */
const flushEntriesMax = 8_000;
const stepMilliseconds = 2;
const retryMillisecondsMax = 1_000;
const compactEveryMilliseconds = 60_000;

const compress = promisify(zstdCompress);

export function createArchive<Book, Entry>(options: ArchiveOptions<Book, Entry>): Archive<Book, Entry> {
  const { file, words, retention, clock, log } = options;
  const limits: ArchiveLimits = { ...defaultArchiveLimits, ...options.limits };
  const lines = new Map<string, Line<Entry>>();
  /** Lines with something to write. */
  const dirty = new Set<Line<Entry>>();
  const rebuilt = new Map<string, Promise<Book | null>>();
  const compactedTo = new Map<number, number>();
  const counts = { keptCount: 0, droppedCount: 0, writtenBytes: 0, flushCount: 0, checkpointCount: 0, rebuildCount: 0 };
  let sourceOf: (underlying: string) => Uint8Array | null = () => null;
  let serial = 0;
  let pendingCount = 0;
  let waiters: Waiter[] = [];
  let writing: Promise<void> | null = null;
  let alarm = new AbortController();
  const ending = new AbortController();
  let failuresInARow = 0;
  let rebuildsWaiting = 0;
  let lastRebuild: Promise<unknown> = Promise.resolve();

  function lineOf(underlying: string): Line<Entry> {
    let line = lines.get(underlying);
    if (line === undefined) {
      line = {
        ...{ underlying, id: null, sequence: null, lastAt: 0n, isContinued: false },
        ...{ pending: [], inFlight: [], weight: 0, gapFrom: null },
      };
      lines.set(underlying, line);
    }
    return line;
  }

  function append(underlying: string, entries: readonly Entry[]): void {
    const line = lineOf(underlying);
    for (const entry of entries) {
      const time = words.timeOf(entry);
      const at = latest(time ?? clock.nowMicroseconds(), line.lastAt);
      if (line.gapFrom === null && (pendingCount >= limits.pendingEntriesMax || file.failure !== null)) {
        line.gapFrom = at;
        log.warn({ underlying }, "the market's history cannot keep up: entries are not kept until it can");
      }
      if (line.gapFrom !== null) {
        counts.droppedCount += 1;
        continue;
      }
      line.lastAt = at;
      line.weight += words.weightOf(entry);
      serial += 1;
      const last = line.pending.at(-1);
      // An entry that does not say its time has that of its segment's beginning, or of the entry before.
      const isFitting = last?.kind === "segment" && last.entries.length < segmentEntriesMax;
      if (isFitting && (time !== null || at === last.lastAt)) {
        last.entries.push(entry);
        last.lastAt = at;
      } else line.pending.push({ kind: "segment", serial, entries: [entry], firstAt: at, lastAt: at });
      pendingCount += 1;
    }
    if (line.pending.length > 0) write(line);
    else if (line.gapFrom !== null && file.failure === null) write(line);
  }

  function write(line: Line<Entry>): void {
    dirty.add(line);
    writing ??= writeAll();
  }

  async function writeAll(): Promise<void> {
    while (dirty.size > 0) {
      const isUrgent = waiters.length > 0 || pendingCount >= flushEntriesMax || ending.signal.aborted;
      if (!isUrgent) {
        alarm = new AbortController();
        await clock.sleep(limits.flushMilliseconds, alarm.signal);
      }
      try {
        await flush();
        failuresInARow = 0;
        settle();
      } catch (error) {
        failuresInARow += 1;
        if (failuresInARow === 1) log.warn({ err: error }, "the market's history cannot be written; it is tried again");
        for (const { reject } of waiters.splice(0)) reject(error);
        if (file.failure !== null || ending.signal.aborted) dropAll();
        else await clock.sleep(Math.min(25 * 2 ** failuresInARow, retryMillisecondsMax), ending.signal);
      }
    }
    writing = null;
  }

  /** Resolves who waited for what is written by now. */
  function settle(): void {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { pending } of dirty) oldest = Math.min(oldest, pending[0]?.serial ?? oldest);
    const [done, rest] = [waiters.filter(({ upTo }) => upTo < oldest), waiters.filter(({ upTo }) => upTo >= oldest)];
    waiters = rest;
    for (const { resolve } of done) resolve();
  }

  function dropAll(): void {
    for (const line of dirty) {
      for (const item of line.pending) {
        if (item.kind !== "segment") continue;
        line.gapFrom ??= item.firstAt;
        counts.droppedCount += item.entries.length;
      }
      line.pending = [];
    }
    pendingCount = 0;
    dirty.clear();
  }

  /** Asks for the checkpoints that are due. In one step with taking what is pending: both end at the same entry. */
  function askForCheckpoint(line: Line<Entry>): void {
    const isDue = line.weight >= limits.checkpointWeight || line.gapFrom !== null;
    if (!isDue || (line.gapFrom !== null && pendingCount > limits.pendingEntriesMax / 2)) return;
    const body = sourceOf(line.underlying);
    if (body !== null) addCheckpoint(line, body, clock.nowMicroseconds());
  }

  function addCheckpoint(line: Line<Entry>, body: Uint8Array, at: EpochMicroseconds): void {
    const { gapFrom } = line;
    // What is known with the checkpoint of a gap is known from now on; any other says the state after the last entry.
    const knownAt = gapFrom === null ? line.lastAt : latest(at, line.lastAt, gapFrom);
    serial += 1;
    line.pending.push({ kind: "checkpoint", serial, body, at: knownAt, gapFrom });
    Object.assign(line, { weight: 0, gapFrom: null, lastAt: knownAt });
  }

  /** Takes up to so many entries off a line. */
  function take(line: Line<Entry>, room: number): number {
    let taken = 0;
    let itemCount = 0;
    for (const item of line.pending) {
      if (taken >= room) break;
      if (item.kind === "segment") taken += item.entries.length;
      itemCount += 1;
    }
    line.inFlight = line.pending.slice(0, itemCount);
    line.pending = line.pending.slice(itemCount);
    return taken;
  }

  /** Writes what is pending, or the oldest of it, in one transaction. */
  async function flush(): Promise<void> {
    const storage = await file.open();
    const taken: Line<Entry>[] = [];
    let entryCount = 0;
    for (const line of dirty) {
      if (entryCount >= flushEntriesMax) break;
      askForCheckpoint(line);
      entryCount += take(line, flushEntriesMax - entryCount);
      taken.push(line);
    }
    try {
      const prepared: Prepared[] = [];
      for (const line of taken) {
        await lookUp(storage.read, line);
        if (line.inFlight.length > 0) prepared.push(await prepare(line));
      }
      if (prepared.length > 0) {
        await storage.write(async (tx) => {
          for (const { line, block, checkpoints } of prepared) {
            const id = line.id ?? (await ensureUnderlying(tx, line.underlying));
            for (const checkpoint of checkpoints) await putCheckpoint(tx, { ...checkpoint, underlyingId: id });
            if (block !== null) await insertBlock(tx, { ...block, underlyingId: id });
          }
        });
      }
      for (const { line, sequence, block, checkpoints } of prepared) {
        Object.assign(line, { sequence, isContinued: true });
        counts.checkpointCount += checkpoints.length;
        counts.writtenBytes += block?.body.byteLength ?? 0;
      }
    } catch (error) {
      for (const line of taken) {
        line.pending = [...line.inFlight, ...line.pending];
        line.inFlight = [];
      }
      throw error;
    }
    pendingCount -= entryCount;
    for (const line of taken) {
      line.inFlight = [];
      // There is room again: a checkpoint ends the gap.
      if (line.gapFrom !== null) askForCheckpoint(line);
      if (line.pending.length === 0) dirty.delete(line);
    }
    counts.keptCount += entryCount;
    counts.flushCount += 1;
    file.written();
  }

  /** Where its record ends in the file. */
  async function lookUp(read: ReadDatabase, line: Line<Entry>): Promise<void> {
    line.id ??= await underlyingId(read, line.underlying);
    if (line.sequence !== null) return;
    const end = line.id === null ? null : await endOf(read, line.id);
    line.sequence = end?.sequence ?? 0;
    // The clock may have been set back since.
    line.lastAt = latest(line.lastAt, end?.at ?? 0n);
    for (const item of line.inFlight) raise(item, end?.at ?? 0n);
    for (const item of line.pending) raise(item, end?.at ?? 0n);
  }

  interface Prepared {
    readonly line: Line<Entry>;
    readonly sequence: number;
    readonly block: Omit<BlockRow, "underlyingId"> | null;
    readonly checkpoints: readonly Omit<CheckpointRow, "underlyingId">[];
  }

  async function prepare(line: Line<Entry>): Promise<Prepared> {
    let sequence = line.sequence!;
    const checkpoints: Omit<CheckpointRow, "underlyingId">[] = [];
    const segments: Segment[] = [];
    const first = line.inFlight[0]!;
    if (!line.isContinued && first.kind === "segment") {
      sequence += 1;
      const body = new Uint8Array(await compress(words.begin(line.underlying)));
      checkpoints.push({ sequence, at: first.firstAt, gapFrom: null, isStart: true, body });
    }
    const firstSequence = sequence + 1;
    for (const item of line.inFlight) {
      if (item.kind === "segment") {
        const { entries, firstAt, lastAt } = item;
        segments.push({ count: entries.length, firstAt, lastAt, bytes: words.encode(entries) });
        sequence += entries.length;
        if (segments.length % 4 === 0) await nextTurn();
      } else {
        const { body, at, gapFrom } = item;
        // A block has no hole: the number that a gap's end takes stands behind all blocks so far.
        checkpoints.push({ sequence, at, gapFrom, isStart: false, body: new Uint8Array(await compress(body)) });
      }
    }
    const plain = packSegments(segments);
    const block = {
      ...{
        firstSequence,
        lastSequence: sequence,
        firstAt: segments[0]?.firstAt ?? 0n,
        lastAt: segments.at(-1)?.lastAt ?? 0n,
      },
      ...{ form: forms.plain, plainBytes: plain.byteLength, body: plain },
    };
    return { line, sequence, block: segments.length === 0 ? null : block, checkpoints };
  }

  function kept(underlyings?: readonly string[]): Promise<void> {
    const named = underlyings === undefined ? [...lines.values()] : underlyings.map(lineOf);
    if (named.some(({ gapFrom }) => gapFrom !== null)) return Promise.reject(file.failure ?? behind());
    if (dirty.size === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      waiters.push({ upTo: serial, resolve, reject });
      alarm.abort();
    });
  }

  /** Refuses where it cannot be told what was known at that moment, having written what was appended by then. */
  async function settleFor(underlying: string, at: EpochMicroseconds): Promise<void> {
    const line = lines.get(underlying);
    if (line === undefined) return;
    if (line.gapFrom !== null && line.gapFrom <= at) throw file.failure ?? gap();
    const first = line.inFlight[0] ?? line.pending[0];
    if (first !== undefined && (first.kind === "checkpoint" ? first.at : first.firstAt) <= at) await kept([underlying]);
  }

  async function rebuild(underlying: string, at: EpochMicroseconds): Promise<{ book: Book; isFinal: boolean } | null> {
    await settleFor(underlying, at);
    if (file.failure !== null) throw file.failure;
    if (!file.exists()) return null;
    const { read } = await file.open();
    const id = await underlyingId(read, underlying);
    if (id === null) return null;
    const checkpoint = await checkpointAt(read, id, at);
    const after = await checkpointAfter(read, id, at);
    if (checkpoint === null) {
      if (after === null || after.isStart) return null;
      throw notKept();
    }
    if (after !== null && after.gapFrom !== null && after.gapFrom <= at) throw gap();
    counts.rebuildCount += 1;
    const book = words.restore(underlying, zstdDecompressSync(checkpoint.body));
    let sliceBegan = clock.monotonicMilliseconds();
    for await (const { entries } of entriesKnown({ read, words, id, from: checkpoint, at })) {
      for (const entry of entries) {
        words.enter(book, entry);
        if (clock.monotonicMilliseconds() - sliceBegan < stepMilliseconds) continue;
        await nextTurn();
        sliceBegan = clock.monotonicMilliseconds();
      }
    }
    const end = await endOf(read, id);
    return { book, isFinal: end !== null && end.at > at };
  }

  /** One rebuild at a time: each uses a core for as long as it takes. */
  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (rebuildsWaiting >= limits.rebuildsMax) throw busy();
    rebuildsWaiting += 1;
    const before = lastRebuild;
    const { promise, resolve } = Promise.withResolvers<void>();
    lastRebuild = promise;
    try {
      await before;
      return await work();
    } finally {
      rebuildsWaiting -= 1;
      resolve();
    }
  }

  function bookAt(underlying: string, at: EpochMicroseconds): Promise<Book | null> {
    const key = `${at} ${underlying}`;
    const known = rebuilt.get(key);
    if (known !== undefined) {
      // The one asked for last goes last.
      rebuilt.delete(key);
      rebuilt.set(key, known);
      return known;
    }
    const rebuilding = inTurn(() => rebuild(underlying, at)).then(
      (found) => {
        // What may still change is asked for anew.
        if (found === null || !found.isFinal) rebuilt.delete(key);
        return found?.book ?? null;
      },
      (error) => {
        rebuilt.delete(key);
        throw error;
      },
    );
    rebuilt.set(key, rebuilding);
    for (const oldest of rebuilt.keys()) {
      if (rebuilt.size <= limits.rebuiltMax) break;
      rebuilt.delete(oldest);
    }
    return rebuilding;
  }

  async function latestBook(underlying: string): Promise<Book | null> {
    const line = lineOf(underlying);
    if (dirty.has(line)) await kept([underlying]);
    const found = await inTurn(() => rebuild(underlying, endOfTime));
    if (found === null) return null;
    const { read } = await file.open();
    // Another process may have gone on with it meanwhile.
    Object.assign(line, { sequence: null, isContinued: true });
    await lookUp(read, line);
    return found.book;
  }

  async function compact(signal?: AbortSignal): Promise<void> {
    // Whoever never opened it has nothing to tidy.
    if (file.opened === null || file.failure !== null) return;
    for (const { id } of await everyUnderlying(file.opened.read)) {
      if (signal?.aborted) return;
      const storage = file.opened;
      const from = compactedTo.get(id) ?? 0;
      const now = clock.nowMicroseconds();
      await forget(storage, id, { retention, now, ...(signal && { signal }) });
      compactedTo.set(
        id,
        await mergeBlocks(storage, id, { from, now, onWritten: file.written, ...(signal && { signal }) }),
      );
    }
  }

  const compaction = new Agent({
    name: "archive-compaction",
    intervalMilliseconds: compactEveryMilliseconds,
    failuresMax: 5,
    clock,
    round: compact,
    onFailure: (error) => log.warn({ agent: "archive-compaction", err: error }, "background round failed"),
  });

  return {
    append,
    kept,
    saveCheckpoint(underlying, checkpoint, at) {
      const line = lineOf(underlying);
      addCheckpoint(line, checkpoint, at);
      write(line);
    },
    checkpointsFrom(source) {
      sourceOf = source;
    },
    bookAt,
    latest: latestBook,
    async underlyings() {
      if (!file.exists() || file.failure !== null) return [];
      return (await everyUnderlying((await file.open()).read)).map(({ name }) => name);
    },
    async *entries(underlying, from, at) {
      await settleFor(underlying, at);
      if (!file.exists()) return;
      const { read } = await file.open();
      const id = await underlyingId(read, underlying);
      if (id !== null) yield* entriesKnown({ read, words, id, from, at });
    },
    get state() {
      if (file.failure !== null) return "off";
      if (failuresInARow > 0) return "refused";
      return [...lines.values()].some(({ gapFrom }) => gapFrom !== null) ? "behind" : "well";
    },
    statistics() {
      const { databaseBytes = 0, walBytes = 0 } = file.opened?.statistics() ?? {};
      return { ...counts, pendingCount, pendingMax: limits.pendingEntriesMax, databaseBytes, walBytes };
    },
    agents: [compaction],
    compact,
    async close() {
      ending.abort();
      alarm.abort();
      await writing;
      await file.close();
    },
  };
}

const endOfTime: EpochMicroseconds = 2n ** 62n;
