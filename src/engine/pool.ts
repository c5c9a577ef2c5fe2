// Large batches in small chunks: this thread and its workers compute them side by side, a turn of the event loop between any
// two steps of this thread's, so that a single option beside a million is answered at once. Separate from the engine, which
// decides what is asked. It must never block, spin, or lose a chunk: whatever becomes of a worker, every chunk is
// computed once more or its batch fails.
//
// 1. A batch is admitted, or refused at once where too many are under way; its columns are moved into shared memory where
//    workers will help and they do not lie there yet (foundation/column).
// 2. Whoever is free takes the next chunk (worker.ts has the rules). This thread and each worker serve the batches in
//    turn, so that a small batch never waits for a large one to end.
// 3. A chunk that a worker failed at or died over is computed by this thread, in its caller's hands.
// 4. A batch nobody waits for any more is over at once: no further chunk of it is taken.

import type { Clock } from "../foundation/clock";
import { isShared, newColumn } from "../foundation/column";
import { BsoptError } from "../foundation/errors";
import { nextTurn } from "../foundation/turn";
import type { DeskStart, Kernel } from "./kernel";
import type { KernelRequest, KernelResult } from "./place";
import type { StartThread, Thread } from "./thread";
import { batchWords, chunkStates, computeChunk, type SharedBatch, takeChunk, type WorkerMessage } from "./worker";

/** Rows of a chunk: a step of this thread's stays well under a millisecond, whatever is asked. */
export const poolChunkRows = 2048;

/** Rows from which workers that are there anyway are told of a batch. */
const sharedRowsMin = 8192;

/** Rows for which starting another worker pays. */
const rowsPerWorker = 32_768;

/** Rows of a column that are moved into shared memory in one step. */
const movedRowsMax = 131_072;

/** How long workers wait for the next batch before they end and give their memory back. */
const idleMilliseconds = 60_000;

/** Times a worker is started anew after it ended by itself, until a quiet moment. */
const failuresMax = 3;

/** How long the end of the workers is waited for. */
const endMillisecondsMax = 2000;

/** This thread's number among those that take chunks; workers follow. */
const ownNumber = 1;

/** The threads beside this one, started when a batch first pays for them. */
export interface PoolWorkers {
  readonly count: number;
  readonly startThread: StartThread;
  /** By which idle workers end. */
  readonly clock: Clock;
}

export interface PoolOptions {
  readonly kernel: Kernel;
  /** Null: this thread computes every chunk. */
  readonly workers: PoolWorkers | null;
  /** Batches under way at once; one more is refused. */
  readonly batchesMax: number;
}

/** What the pool is doing and has done. */
export interface PoolActivity {
  readonly batches: number;
  readonly workersRunning: number;
  /** Chunks this thread has computed, of all batches. */
  readonly ownChunks: number;
  /** Chunks that workers computed of batches that came to their end. */
  readonly workerChunks: number;
  /** Batches dropped because whoever asked went away. */
  readonly batchesDropped: number;
}

export interface Pool {
  /**
   * Computes every row. Rejects with BsoptError `unavailable`: BATCHES_WAITING where too many are under way, BATCH_DROPPED once
   * the signal aborts, ENGINE_STOPPED once stop() is called; and with what the kernel throws.
   */
  run(request: KernelRequest, signal?: AbortSignal): Promise<KernelResult>;
  readonly activity: PoolActivity;
  /** Fails what is under way and ends the workers; resolves when none runs any more. A later batch begins anew. */
  stop(): Promise<void>;
}

export function createPool(options: PoolOptions): Pool {
  return new ChunkPool(options);
}

interface Batch extends SharedBatch {
  /** Chunks before this one are done. */
  settled: number;
  /** Chunks that workers failed at. */
  readonly again: number[];
  ownChunks: number;
  readonly settle: (failure: Error | null) => void;
}

interface Seat {
  readonly number: number;
  /** Memory kept for whoever sits here. */
  readonly desk: DeskStart;
  thread: Thread | null;
  /** Ends that nobody asked for. */
  failures: number;
  isEnding: boolean;
  ended: Promise<void>;
}

class ChunkPool implements Pool {
  readonly #kernel: Kernel;
  readonly #workers: PoolWorkers | null;
  readonly #batchesMax: number;
  readonly #seats: Seat[] = [];
  /** Those of which chunks can be taken. */
  readonly #batches: Batch[] = [];
  /** Batches under way, and the rows they had when admitted. */
  #admittedCount = 0;
  #admittedRows = 0;
  #turn = 0;
  #isWorking = false;
  #wake: (() => void) | null = null;
  #idle = new AbortController();
  /** Counts stops: a batch of another era than today's is over. */
  #era = 0;
  #isStopping = false;
  #ownChunks = 0;
  #workerChunks = 0;
  #batchesDropped = 0;

  constructor({ kernel, workers, batchesMax }: PoolOptions) {
    this.#kernel = kernel;
    this.#workers = workers;
    this.#batchesMax = batchesMax;
  }

  get activity(): PoolActivity {
    return {
      batches: this.#admittedCount,
      workersRunning: this.#seats.filter(({ thread }) => thread !== null).length,
      ownChunks: this.#ownChunks,
      workerChunks: this.#workerChunks,
      batchesDropped: this.#batchesDropped,
    };
  }

  async run(request: KernelRequest, signal?: AbortSignal): Promise<KernelResult> {
    const era = this.#era;
    this.#refuse(era, signal);
    if (this.#admittedCount >= this.#batchesMax) {
      throw new BsoptError({
        reason: "unavailable",
        code: "BATCHES_WAITING",
        detail: "Too many large batches are being computed.",
        retryAfterSeconds: 1,
      });
    }
    this.#idle.abort();
    this.#admittedCount += 1;
    this.#admittedRows += request.count;
    try {
      this.#staff();
      const isHelped = request.count >= sharedRowsMin && this.#seats.some(({ thread }) => thread !== null);
      const check = () => this.#refuse(era, signal);
      const readable = isHelped ? await moveToSharedMemory(request, check) : request;
      const result = await roomFor(readable, isHelped, check);
      check();
      return await this.#compute(readable, result, signal);
    } finally {
      this.#admittedCount -= 1;
      this.#admittedRows -= request.count;
      if (this.#admittedCount === 0) this.#rest();
    }
  }

  async stop(): Promise<void> {
    this.#era += 1;
    this.#isStopping = true;
    this.#idle.abort();
    for (const batch of [...this.#batches]) this.#finish(batch, stopped());
    await this.#endWorkers();
    this.#isStopping = false;
  }

  #refuse(era: number, signal?: AbortSignal): void {
    if (this.#isStopping || era !== this.#era) throw stopped();
    if (signal?.aborted) throw this.#dropped();
  }

  #dropped(): BsoptError {
    this.#batchesDropped += 1;
    return new BsoptError({
      reason: "unavailable",
      code: "BATCH_DROPPED",
      detail: "Whoever asked for the batch is gone.",
    });
  }

  async #compute(request: KernelRequest, result: KernelResult, signal?: AbortSignal): Promise<KernelResult> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const words = batchWords.chunks + Math.ceil(request.count / poolChunkRows);
    const batch: Batch = {
      request,
      result,
      chunkRows: poolChunkRows,
      words: new Int32Array(new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT)),
      settled: 0,
      again: [],
      ownChunks: 0,
      settle: (failure) => (failure === null ? resolve() : reject(failure)),
    };
    const drop = () => this.#finish(batch, this.#dropped());
    signal?.addEventListener("abort", drop, { once: true });
    this.#batches.push(batch);
    if (isShared(result.status)) for (const seat of this.#seats) tell(seat, batch);
    if (this.#isWorking) this.#wake?.();
    else void this.#work();
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", drop);
    }
    return result;
  }

  /** Steps until no batch is left; in between, whatever else waits in this process. */
  async #work(): Promise<void> {
    this.#isWorking = true;
    while (this.#batches.length > 0) {
      const isBusy = this.#step();
      this.#settleAll();
      if (isBusy) await nextTurn();
      else await this.#woken();
    }
    this.#isWorking = false;
  }

  /** Computes a chunk of the next batch that has one to take; false where none has. */
  #step(): boolean {
    for (let tried = 0; tried < this.#batches.length; tried++) {
      this.#turn = (this.#turn + 1) % this.#batches.length;
      const batch = this.#batches[this.#turn]!;
      const index = batch.again.pop() ?? takeChunk(batch.words, ownNumber);
      if (index < 0) continue;
      try {
        computeChunk(this.#kernel, batch, index);
        Atomics.store(batch.words, batchWords.chunks + index, chunkStates.done);
        batch.ownChunks += 1;
        this.#ownChunks += 1;
      } catch (error) {
        this.#finish(batch, error as Error);
      }
      return true;
    }
    return false;
  }

  /** Finishes the batches that are whole; true where anything is left for this thread to do. */
  #settleAll(): boolean {
    let isMore = false;
    for (const batch of [...this.#batches]) {
      const { words, again } = batch;
      const count = words.length - batchWords.chunks;
      for (; batch.settled < count; batch.settled++) {
        const at = batchWords.chunks + batch.settled;
        const state = Atomics.load(words, at);
        if (state === chunkStates.failed) {
          Atomics.store(words, at, ownNumber);
          again.push(batch.settled);
        }
        if (state !== chunkStates.done) break;
      }
      if (again.length > 0) isMore = true;
      if (batch.settled < count) continue;
      this.#workerChunks += count - batch.ownChunks;
      this.#finish(batch, null);
      isMore = true;
    }
    return isMore;
  }

  /** Sleeps until a worker has done a chunk or ended, or a batch came or went. */
  async #woken(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    for (const { words } of this.#batches) Atomics.store(words, batchWords.waiting, 1);
    // A chunk done before the words were set has told nobody.
    if (!this.#settleAll()) await promise;
    this.#wake = null;
  }

  #finish(batch: Batch, failure: Error | null): void {
    const index = this.#batches.indexOf(batch);
    if (index < 0) return;
    this.#batches.splice(index, 1);
    Atomics.store(batch.words, batchWords.isOver, 1);
    batch.settle(failure);
    this.#wake?.();
  }

  /** Starts the workers that the rows at hand pay for. */
  #staff(): void {
    if (this.#workers === null) return;
    const wanted = Math.min(this.#workers.count, Math.floor(this.#admittedRows / rowsPerWorker));
    for (let index = 0; index < wanted; index++) {
      this.#seats[index] ??= {
        number: ownNumber + 1 + index,
        desk: this.#kernel.reserveDesk(),
        thread: null,
        failures: 0,
        isEnding: false,
        ended: Promise.resolve(),
      };
      const seat = this.#seats[index]!;
      if (seat.thread === null && seat.failures <= failuresMax) this.#start(seat, this.#workers);
    }
  }

  #start(seat: Seat, { startThread }: PoolWorkers): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    seat.ended = promise;
    seat.isEnding = false;
    seat.thread = startThread({
      onMessage: () => this.#wake?.(),
      onEnd: () => {
        this.#onEnd(seat);
        resolve();
      },
    });
    seat.thread.post({ desk: seat.desk, number: seat.number } satisfies WorkerMessage);
    for (const batch of this.#batches) if (isShared(batch.result.status)) tell(seat, batch);
  }

  /** A worker is gone: this thread takes over what it had in hand, and a successor is started where it is wanted. */
  #onEnd(seat: Seat): void {
    seat.thread = null;
    if (!seat.isEnding) seat.failures += 1;
    for (const { words, again } of this.#batches) {
      for (let at = batchWords.chunks; at < words.length; at++) {
        if (Atomics.load(words, at) !== seat.number) continue;
        Atomics.store(words, at, ownNumber);
        again.push(at - batchWords.chunks);
      }
    }
    if (this.#admittedCount > 0 && !this.#isStopping) this.#staff();
    this.#wake?.();
  }

  /** Nothing is under way: the workers may wait a while for more. */
  #rest(): void {
    for (const seat of this.#seats) seat.failures = 0;
    this.#idle = new AbortController();
    void this.#endWhenIdle(this.#idle.signal);
  }

  async #endWhenIdle(signal: AbortSignal): Promise<void> {
    if (this.#workers === null || this.#isStopping || this.#seats.every(({ thread }) => thread === null)) return;
    await this.#workers.clock.sleep(idleMilliseconds, signal);
    if (!signal.aborted) await this.#endWorkers();
  }

  async #endWorkers(): Promise<void> {
    if (this.#workers === null) return;
    for (const seat of this.#seats) {
      seat.isEnding = true;
      seat.thread?.terminate();
    }
    const ended = new AbortController();
    const everyEnd = Promise.all(this.#seats.map((seat) => seat.ended));
    await Promise.race([everyEnd, this.#workers.clock.sleep(endMillisecondsMax, ended.signal)]);
    ended.abort();
  }
}

/** Tells a worker of a batch. */
function tell({ thread }: Seat, { request, result, chunkRows, words }: Batch): void {
  thread?.post({ request, result, chunkRows, words } satisfies WorkerMessage);
}

/** Arrays for every row, in shared memory where threads will fill them; large ones in steps, as the system clears each. */
async function roomFor(request: KernelRequest, isShared: boolean, check: () => void): Promise<KernelResult> {
  const { count, outputs } = request;
  const columns: Float64Array[] = [];
  for (const _ of outputs) {
    columns.push(new Float64Array(roomOf(8 * count, isShared)));
    if (count < movedRowsMax) continue;
    await nextTurn();
    check();
  }
  return { columns, status: new Int32Array(roomOf(4 * count, isShared)) };
}

function roomOf(bytes: number, isShared: boolean): ArrayBuffer | SharedArrayBuffer {
  return isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
}

/** The request over columns that threads share: its own where they do, else copies, made in steps. `check` may throw between. */
async function moveToSharedMemory(request: KernelRequest, check: () => void): Promise<KernelRequest> {
  const moved = async <Column extends Float64Array | Uint8Array>(column: Column, copy: Column): Promise<Column> => {
    for (let start = 0; start < column.length; start += movedRowsMax) {
      copy.set(column.subarray(start, start + movedRowsMax), start);
      await nextTurn();
      check();
    }
    return copy;
  };
  const inputs: KernelRequest["inputs"][number][] = [];
  for (const { id, column } of request.inputs) {
    const isThere = typeof column === "number" || isShared(column);
    inputs.push({ id, column: isThere ? column : await moved(column, newColumn(column.length)) });
  }
  const { isCall } = request;
  if (typeof isCall === "boolean" || isShared(isCall)) return { ...request, inputs };
  const copy = new Uint8Array(new SharedArrayBuffer(isCall.length));
  return { ...request, inputs, isCall: await moved<Uint8Array>(isCall, copy) };
}

function stopped(): BsoptError {
  return new BsoptError({ reason: "unavailable", code: "ENGINE_STOPPED", detail: "The engine has been stopped." });
}
