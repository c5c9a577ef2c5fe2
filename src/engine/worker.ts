// A worker thread's whole life: a desk over the shared memory, and the batches it is told of, from each of which it takes
// chunks until none is left. Separate from the pool because it runs elsewhere; the two meet in two kinds of messages and
// in a batch's words. It decides nothing: an error in a chunk is the pool's to meet.
//
// A batch's words: one for each chunk, moved from `free` by compare-and-exchange alone, so that a chunk is computed by whoever
// did it; the taker's number stands there while it is under way, so that the pool knows what a thread that died had in
// hand. Before them `next`, a first guess at where free chunks begin, and two flags. `waiting` says that the pool sleeps: it
// sets it and then looks at the chunks, a worker writes its chunk and then looks at it, so one of them always sees.

import { nextTurn } from "../foundation/turn";
import { type Desk, type DeskStart, openDesk } from "./kernel";
import type { KernelRequest, KernelResult } from "./place";

/** A chunk's word: one of these, or the number (from 1) of the thread that computes it. */
export const chunkStates = { free: 0, done: -1, failed: -2 } as const;

/** A batch's first words; the chunks follow. */
export const batchWords = { next: 0, waiting: 1, isOver: 2, chunks: 3 } as const;

/** A batch as threads see it. Every column lies in shared memory. */
export interface SharedBatch {
  readonly request: KernelRequest;
  readonly result: KernelResult;
  readonly chunkRows: number;
  readonly words: Int32Array;
}

/** What the pool tells a worker: first where its desk is and its number, then batch after batch. */
export type WorkerMessage = { readonly desk: DeskStart; readonly number: number } | SharedBatch;

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

/** Computes a chunk's rows. Throws what the kernel throws. */
export function computeChunk(desk: Desk, { request, result, chunkRows }: SharedBatch, index: number): void {
  const start = index * chunkRows;
  desk.runChunk(request, result, start, Math.min(start + chunkRows, request.count));
}

/** Rows of batches seen after which a worker lets go of them for good. */
const heldRowsMax = 500_000;

/**
 * A worker's answer to messages; `tell` wakes the pool. `letGo` collects what is no longer referred to: this thread's own heap
 * is so small that its collector would not look for long, while it holds the columns of every batch it was told of.
 */
export function createWorker(tell: () => void, letGo: () => void): (message: WorkerMessage) => void {
  let desk: Desk;
  let number = 0;
  let batches: SharedBatch[] = [];
  let isWorking = false;
  let heldRows = 0;

  const doChunk = (batch: SharedBatch): boolean => {
    const { words } = batch;
    const index = takeChunk(words, number);
    if (index < 0) return false;
    let outcome: number = chunkStates.done;
    try {
      computeChunk(desk, batch, index);
    } catch {
      outcome = chunkStates.failed;
    }
    Atomics.store(words, batchWords.chunks + index, outcome);
    if (Atomics.exchange(words, batchWords.waiting, 0) === 1) tell();
    return true;
  };

  /** A chunk of each batch in turn; between two rounds, the messages. */
  const work = async () => {
    isWorking = true;
    while (batches.length > 0) {
      batches = batches.filter(doChunk);
      await nextTurn();
    }
    isWorking = false;
    if (heldRows < heldRowsMax) return;
    heldRows = 0;
    await nextTurn();
    letGo();
  };

  return (message) => {
    if ("desk" in message) {
      desk = openDesk(message.desk);
      number = message.number;
      return;
    }
    batches.push(message);
    heldRows += message.request.count;
    if (!isWorking) void work();
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
    () => Bun.gc(true),
  );
  scope.onmessage = ({ data }) => receive(data);
}
