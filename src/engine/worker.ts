// A worker thread's whole life: a desk over the shared memory, and the batches it is told of, from each of which it takes
// chunks until none is left. Separate from the pool because it runs elsewhere; the two meet in three kinds of messages, in a
// batch's words and in a desk's. It decides nothing: an error in a chunk is the pool's to meet.
//
// A batch's words: one for each chunk, moved from `free` by compare-and-exchange alone, so that a chunk is computed by whoever
// did it; the taker's number stands there until the pool has the rows, so that the pool knows what a thread that died had in
// hand. Before them `next`, a first guess at where free chunks begin, and two flags. `waiting` says that the pool sleeps: it
// sets it and then looks at the trays, a worker writes its tray and then looks at it, so one of them always sees.
//
// A desk's words: three for each tray. Its worker alone turns a tray from `free` to `laid` or `failed`, its contents, batch and
// chunk written before; the pool alone turns it back, once it has copied the rows. So no tray is written while it is
// full, and one whose worker died over it was never anything but free. A worker without a free tray says `starved`, looks
// once more and rests until it is told of one.

import { nextTurn } from "../foundation/turn";
import { type Desk, type DeskStart, openDesk } from "./kernel";
import type { KernelRequest } from "./place";

/** A chunk's word: one of these, or the number (from 1) of the thread that computes it. */
export const chunkStates = { free: 0, done: -1 } as const;

/** A batch's first words; the chunks follow. */
export const batchWords = { next: 0, waiting: 1, isOver: 2, chunks: 3 } as const;

/** A tray's first word. */
export const trayStates = { free: 0, laid: 1, failed: 2 } as const;

/** A desk's first word; the trays follow, each with these. */
export const deskWords = { starved: 0, trays: 1 } as const;
export const trayWords = { state: 0, batch: 1, chunk: 2, count: 3 } as const;

/** A batch as threads see it. Every input column lies in shared memory. */
export interface SharedBatch {
  /** By which trays speak of it. */
  readonly number: number;
  readonly request: KernelRequest;
  readonly chunkRows: number;
  readonly words: Int32Array;
}

/** What the pool tells a worker: first where its desk is and its number, then batch after batch, and that trays are free again. */
export type WorkerMessage =
  | { readonly kind: "desk"; readonly desk: DeskStart; readonly words: Int32Array; readonly number: number }
  | ({ readonly kind: "batch" } & SharedBatch)
  | { readonly kind: "freed" };

/** A desk's words, all trays free. */
export function newDeskWords(trays: number): Int32Array {
  const words = deskWords.trays + trays * trayWords.count;
  return new Int32Array(new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT));
}

/** Where a tray's words begin among its desk's. */
export function trayAt(tray: number): number {
  return deskWords.trays + tray * trayWords.count;
}

/** Takes the next free chunk and returns its index, or -1 where none is left. `taker` is a thread's number. */
export function takeChunk(words: Int32Array, taker: number): number {
  const { next, isOver, chunks } = batchWords;
  if (Atomics.load(words, isOver) !== 0) return -1;
  const count = words.length - chunks;
  for (let index = Atomics.load(words, next); index < count; index++) {
    if (Atomics.compareExchange(words, chunks + index, chunkStates.free, taker) !== chunkStates.free) continue;
    Atomics.store(words, next, index + 1);
    return index;
  }
  return -1;
}

/** Full chunks' worth of rows, at least, that a batch's short chunks make up. */
const shortenedChunks = 3;

/** Short chunks to a full one. */
export const shortPerFull = 4;

/** Chunks of a batch. The last are short, so that no thread waits long for what another computes last. */
export function chunksOf(count: number, chunkRows: number): number {
  const full = fullChunks(count, chunkRows);
  return full + Math.ceil(((count - full * chunkRows) * shortPerFull) / chunkRows);
}

/** The rows of a chunk. */
export function rowsOf({ request, chunkRows }: SharedBatch, index: number): { start: number; stop: number } {
  const full = fullChunks(request.count, chunkRows);
  if (index < full) return { start: index * chunkRows, stop: (index + 1) * chunkRows };
  const shortRows = chunkRows / shortPerFull;
  const start = full * chunkRows + (index - full) * shortRows;
  return { start, stop: Math.min(start + shortRows, request.count) };
}

function fullChunks(count: number, chunkRows: number): number {
  return Math.max(0, Math.floor(count / chunkRows) - shortenedChunks);
}

/** Turns of its event loop that a worker looks on for when it is done: the next batch is told of sooner than it would wake up. */
const idleTurnsMax = 50;

/** Rows of batches seen after which a worker lets go of them. */
const heldRowsMax = 500_000;

/** Rows of a batch from which a worker lets go of it for good, whatever that costs the others. */
const largeRowsMin = 250_000;

/**
 * A worker's answer to messages; `tell` wakes the pool. `letGo` collects what is no longer referred to: this thread's own heap
 * is so small that its collector would not look for long, while it holds the columns of every batch it was told of. After
 * large batches it collects all at once, which also gives the whole process's free memory back: every thread pays for that
 * with page faults, a third of the time where batches are small.
 */
export function createWorker(tell: () => void, letGo: (isLarge: boolean) => void): (message: WorkerMessage) => void {
  let desk: Desk;
  let words: Int32Array;
  let trays = 0;
  let number = 0;
  const batches: SharedBatch[] = [];
  let isWorking = false;
  let heldRows = 0;
  let isLarge = false;

  /** The first free tray, so that in quiet times few are in use and stay in the cache; or -1. */
  const freeTray = (): number => {
    for (let tray = 0; tray < trays; tray++)
      if (Atomics.load(words, trayAt(tray) + trayWords.state) === trayStates.free) return tray;
    return -1;
  };

  const trayWaitedFor = (): number => {
    const tray = freeTray();
    if (tray >= 0) return tray;
    Atomics.store(words, deskWords.starved, 1);
    return freeTray();
  };

  /** False where the batch has no chunk left. */
  const doChunk = (batch: SharedBatch, tray: number): boolean => {
    const index = takeChunk(batch.words, number);
    if (index < 0) return false;
    let state: number = trayStates.laid;
    try {
      const { start, stop } = rowsOf(batch, index);
      desk.fillTray(tray, batch.request, start, stop);
    } catch {
      state = trayStates.failed;
    }
    const at = trayAt(tray);
    words[at + trayWords.batch] = batch.number;
    words[at + trayWords.chunk] = index;
    Atomics.store(words, at + trayWords.state, state);
    if (Atomics.exchange(batch.words, batchWords.waiting, 0) === 1) tell();
    return true;
  };

  /** A chunk of each batch in turn; between two rounds, the messages. */
  const work = async () => {
    isWorking = true;
    let tray = trayWaitedFor();
    let idleTurns = 0;
    while (tray >= 0 && idleTurns < idleTurnsMax) {
      const batch = batches.shift();
      if (batch !== undefined && doChunk(batch, tray)) batches.push(batch);
      idleTurns = batch === undefined ? idleTurns + 1 : 0;
      await nextTurn();
      tray = trayWaitedFor();
    }
    isWorking = false;
    if (heldRows < heldRowsMax || batches.length > 0) return;
    const wasLarge = isLarge;
    heldRows = 0;
    isLarge = false;
    await nextTurn();
    letGo(wasLarge);
  };

  return (message) => {
    switch (message.kind) {
      case "desk":
        desk = openDesk(message.desk);
        ({ words, number } = message);
        ({ trays } = message.desk);
        return;
      case "batch":
        batches.push(message);
        heldRows += message.request.count;
        isLarge ||= message.request.count >= largeRowsMin;
        break;
      case "freed":
        break;
    }
    if (!isWorking && batches.length > 0) void work();
  };
}

/** Makes the thread it is called in a worker of the pool that started it. */
export function serveKernel(): void {
  // The type of a thread's global object is that of a window here.
  const scope = globalThis as unknown as {
    onmessage: (event: { readonly data: WorkerMessage }) => void;
    postMessage: (message: null) => void;
  };
  const receive = createWorker(
    () => scope.postMessage(null),
    (isLarge) => Bun.gc(isLarge),
  );
  scope.onmessage = ({ data }) => receive(data);
}
