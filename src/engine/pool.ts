// Large batches in small chunks: this thread and its workers compute them side by side, a turn of the event loop between any
// two steps of this thread's, so that a single option beside a million is answered at once. Separate from the engine, which
// decides what is asked. It must never block, spin, or lose a chunk: whatever becomes of a worker, every chunk is
// computed once more or its batch fails.
//
// 1. A batch is admitted, or refused at once where too many are under way; its columns are moved into shared memory where
//    workers will help and they do not lie there yet (foundation/column).
// 2. Whoever is free takes the next chunk (worker.ts has the rules). This thread and each worker serve the batches in
//    turn, so that a small batch never waits for a large one to end.
// 3. The result is this thread's alone: a worker lays its chunks in the trays of its desk, and this thread copies them out
//    after each of its own steps.
//    What would stop the event loop for long, because its rows are dear, it leaves to the workers while there is one.
// 4. A chunk that a worker failed at or died over is computed by this thread, in its caller's hands.
// 5. A batch nobody waits for any more is over at once: no further chunk of it is taken, and what is laid of it is cleared.

import type { Clock } from "../foundation/clock";
import { isShared, newColumn } from "../foundation/column";
import { BsoptError } from "../foundation/errors";
import { nextTurn } from "../foundation/turn";
import type { Kernel, ReservedDesk } from "./kernel";
import { emptyResult, type KernelList, type KernelRequest, type KernelResult, listRowsMax } from "./place";
import type { StartThread, Thread } from "./thread";
import {
  batchWords,
  chunkStates,
  chunksOf,
  deskWords,
  newDeskWords,
  rowsOf,
  type SharedBatch,
  shortPerFull,
  takeChunk,
  trayAt,
  trayStates,
  trayWords,
  type WorkerMessage,
} from "./worker";

/** Rows of a chunk: a step of this thread's stays well under a millisecond, whatever is asked. */
export const poolChunkRows = 2048;

/** Rows of a chunk of that weight a row: as much work, no more lists than find room, and a whole number of short chunks of one row at least. */
function chunkRowsOf(request: KernelRequest): number {
  const rows = Math.min(poolChunkRows / (request.weight ?? 1), listRowsMax(request));
  return Math.max(shortPerFull, Math.floor(rows / shortPerFull) * shortPerFull);
}

/** What a batch costs, in rows of the cheapest model. */
function workOf({ count, weight = 1 }: KernelRequest): number {
  return count * weight;
}

/**
 * What a chunk may cost for this thread to compute it beside workers, in rows of the cheapest model: some two milliseconds of the event loop. As
 * much starts a worker, so that there is one.
 */
const ownChunkWorkMax = 32_768;

/** Trays of a worker's desk: what it may be ahead of this thread, a few steps' work. */
export const poolTrays = 8;

/** Turns of the event loop that this thread looks on for before it sleeps: a worker's last chunk is often done meanwhile. */
const idleTurnsMax = 50;

/** Rows from which workers that are there anyway are told of a batch. */
const sharedRowsMin = 8192;

/** Rows for which starting another worker pays. */
const rowsPerWorker = ownChunkWorkMax;

/** Rows of a column that are moved into shared memory, or made room for, in one step. */
const stepRowsMax = 131_072;

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
  /** Batches under way at once; one more is refused. Read at each batch. */
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
  readonly result: KernelResult;
  /** Workers may take chunks of it. */
  readonly isHelped: boolean;
  /** Chunks whose rows are in the result. */
  doneChunks: number;
  /** Chunks that workers failed at. */
  readonly again: number[];
  ownChunks: number;
  readonly settle: (failure: Error | null) => void;
}

interface Computing {
  /** The result's, or null where it is small enough to be made at once. */
  readonly room: KernelResult | null;
  readonly isHelped: boolean;
  readonly signal: AbortSignal | undefined;
}

interface Seat {
  readonly number: number;
  /** Memory kept for whoever sits here. */
  readonly desk: ReservedDesk;
  readonly words: Int32Array;
  thread: Thread | null;
  /** Ends that nobody asked for. */
  failures: number;
  isEnding: boolean;
  ended: Promise<void>;
}

class ChunkPool implements Pool {
  readonly #kernel: Kernel;
  readonly #workers: PoolWorkers | null;
  readonly #options: PoolOptions;
  readonly #seats: Seat[] = [];
  /** Those of which chunks can be taken. */
  readonly #batches: Batch[] = [];
  /** Batches under way, and the rows they had when admitted. */
  #admittedCount = 0;
  #admittedRows = 0;
  #turn = 0;
  #lastNumber = 0;
  #isWorking = false;
  #wake: (() => void) | null = null;
  #idle = new AbortController();
  /** Counts stops: a batch of another era than today's is over. */
  #era = 0;
  #isStopping = false;
  #ownChunks = 0;
  #workerChunks = 0;
  #batchesDropped = 0;

  constructor(options: PoolOptions) {
    this.#kernel = options.kernel;
    this.#workers = options.workers;
    this.#options = options;
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
    if (this.#admittedCount >= this.#options.batchesMax) {
      throw new BsoptError({
        reason: "unavailable",
        code: "BATCHES_WAITING",
        detail: "Too many large batches are being computed.",
        retryAfterSeconds: 1,
      });
    }
    this.#idle.abort();
    this.#admittedCount += 1;
    this.#admittedRows += workOf(request);
    try {
      this.#staff();
      const isHelped = workOf(request) >= sharedRowsMin && this.#seats.some(({ thread }) => thread !== null);
      const check = () => this.#refuse(era, signal);
      const readable = isHelped && !liesShared(request) ? await moveToSharedMemory(request, check) : request;
      const room = request.count < stepRowsMax ? null : await roomFor(readable, check);
      check();
      return await this.#compute(readable, { room, isHelped, signal });
    } finally {
      this.#admittedCount -= 1;
      this.#admittedRows -= workOf(request);
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

  async #compute(request: KernelRequest, { room, isHelped, signal }: Computing): Promise<KernelResult> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const shared = this.#sharedBatch(request);
    // Told first, workers wake up while the rest is made ready.
    if (isHelped) for (const seat of this.#seats) tell(seat, shared);
    const batch: Batch = {
      ...shared,
      result: room ?? resultOf(shared),
      isHelped,
      doneChunks: 0,
      again: [],
      ownChunks: 0,
      settle: (failure) => (failure === null ? resolve() : reject(failure)),
    };
    const drop = () => this.#finish(batch, this.#dropped());
    signal?.addEventListener("abort", drop, { once: true });
    this.#batches.push(batch);
    if (this.#isWorking) this.#wake?.();
    else void this.#work();
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", drop);
    }
    return batch.result;
  }

  #sharedBatch(request: KernelRequest): SharedBatch {
    this.#lastNumber = (this.#lastNumber + 1) | 0;
    const chunkRows = chunkRowsOf(request);
    const words = batchWords.chunks + chunksOf(request.count, chunkRows);
    return {
      number: this.#lastNumber,
      request,
      chunkRows,
      words: new Int32Array(new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT)),
    };
  }

  /** Steps until no batch is left; in between, whatever else waits in this process. */
  async #work(): Promise<void> {
    this.#isWorking = true;
    let idleTurns = 0;
    while (this.#batches.length > 0) {
      idleTurns = this.#step() ? 0 : idleTurns + 1;
      this.#settleAll();
      if (idleTurns < idleTurnsMax) await nextTurn();
      else await this.#woken();
    }
    this.#isWorking = false;
  }

  /** Computes a chunk of the next batch that has one to take; false where none has. */
  #step(): boolean {
    for (let tried = 0; tried < this.#batches.length; tried++) {
      this.#turn = (this.#turn + 1) % this.#batches.length;
      const batch = this.#batches[this.#turn]!;
      const index = batch.again.pop() ?? (this.#isLeftToWorkers(batch) ? -1 : takeChunk(batch.words, ownNumber));
      if (index < 0) continue;
      try {
        const { start, stop } = rowsOf(batch, index);
        this.#kernel.runChunk(batch.request, batch.result, start, stop);
        settleChunk(batch, index);
        batch.ownChunks += 1;
        this.#ownChunks += 1;
      } catch (error) {
        this.#finish(batch, error as Error);
      }
      return true;
    }
    return false;
  }

  /** Its chunks are too dear for this thread, and there is another to compute them. */
  #isLeftToWorkers({ isHelped, request, chunkRows }: Batch): boolean {
    const rows = Math.min(chunkRows, request.count);
    return (
      isHelped && rows * (request.weight ?? 1) > ownChunkWorkMax && this.#seats.some(({ thread }) => thread !== null)
    );
  }

  /** Clears the trays and finishes the batches that are whole; true where anything is left for this thread to do. */
  #settleAll(): boolean {
    for (const seat of this.#seats) this.#clear(seat);
    let isMore = false;
    for (const batch of [...this.#batches]) {
      const { words, again, doneChunks, ownChunks } = batch;
      if (again.length > 0) isMore = true;
      if (doneChunks < words.length - batchWords.chunks) continue;
      this.#workerChunks += doneChunks - ownChunks;
      this.#finish(batch, null);
      isMore = true;
    }
    return isMore;
  }

  /** Copies what a worker has laid where it belongs, and gives it its trays back. */
  #clear({ desk, words, thread }: Seat): void {
    let isFreed = false;
    for (let tray = 0; tray < desk.trays.length; tray++) {
      const at = trayAt(tray);
      const state = Atomics.load(words, at + trayWords.state);
      if (state === trayStates.free) continue;
      const index = words[at + trayWords.chunk]!;
      // None where the batch is over: it was dropped, or it failed.
      const batch = this.#batches.find(({ number }) => number === words[at + trayWords.batch]);
      if (batch !== undefined && state === trayStates.laid) {
        const { start, stop } = rowsOf(batch, index);
        desk.trays[tray]!.unload(batch.result, start, stop);
        settleChunk(batch, index);
      } else if (batch !== undefined) takeBack(batch, index);
      Atomics.store(words, at + trayWords.state, trayStates.free);
      isFreed = true;
    }
    if (isFreed && Atomics.exchange(words, deskWords.starved, 0) === 1) post(thread, { kind: "freed" });
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
    // What is laid of a batch that is over has nobody else to clear it.
    if (this.#batches.length === 0) for (const seat of this.#seats) this.#clear(seat);
    this.#wake?.();
  }

  /** Starts the workers that the rows at hand pay for. */
  #staff(): void {
    if (this.#workers === null) return;
    const wanted = Math.min(this.#workers.count, Math.floor(this.#admittedRows / rowsPerWorker));
    for (let index = 0; index < wanted; index++) {
      this.#seats[index] ??= {
        number: ownNumber + 1 + index,
        desk: this.#kernel.reserveDesk({ rowsMax: poolChunkRows, trays: poolTrays }),
        words: newDeskWords(poolTrays),
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
    const { desk, words, number } = seat;
    post(seat.thread, { kind: "desk", desk: desk.start, words, number });
    for (const batch of this.#batches) if (batch.isHelped) tell(seat, batch);
  }

  /** A worker is gone: this thread takes over what it had in hand, and a successor is started where it is wanted. */
  #onEnd(seat: Seat): void {
    seat.thread = null;
    if (!seat.isEnding) seat.failures += 1;
    this.#clear(seat);
    for (const batch of this.#batches) {
      for (let at = batchWords.chunks; at < batch.words.length; at++)
        if (Atomics.load(batch.words, at) === seat.number) takeBack(batch, at - batchWords.chunks);
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
function tell({ thread }: Seat, { number, request, chunkRows, words }: SharedBatch): void {
  post(thread, { kind: "batch", number, request, chunkRows, words });
}

function post(thread: Thread | null, message: WorkerMessage): void {
  thread?.post(message);
}

/**
 * Room for a large result, a column a step, cleared by the system as it comes and given back to it as soon as it is free: the
 * allocator keeps ordinary memory for longer, a sixth more at the peak of a million rows. `check` may throw between.
 */
async function roomFor({ count, outputs }: KernelRequest, check: () => void): Promise<KernelResult> {
  const columns: Float64Array[] = [];
  for (const _ of outputs) {
    columns.push(newColumn(count));
    await nextTurn();
    check();
  }
  return { columns, status: new Int32Array(new SharedArrayBuffer(4 * count)) };
}

/** Room for a batch's result. Where there is none, workers that were told of it take no more of its chunks. */
function resultOf({ request, words }: SharedBatch): KernelResult {
  try {
    return emptyResult(request);
  } catch (error) {
    Atomics.store(words, batchWords.isOver, 1);
    throw error;
  }
}

/** A chunk's rows are in the result. */
function settleChunk(batch: Batch, index: number): void {
  Atomics.store(batch.words, batchWords.chunks + index, chunkStates.done);
  batch.doneChunks += 1;
}

/** A chunk that a worker took becomes this thread's. */
function takeBack({ words, again }: Batch, index: number): void {
  Atomics.store(words, batchWords.chunks + index, ownNumber);
  again.push(index);
}

/** Every column already lies where threads share it. */
function liesShared({ isCall, inputs, lists = [] }: KernelRequest): boolean {
  const isThere = (column: number | Float64Array) => typeof column === "number" || isShared(column);
  const lies =
    inputs.every(({ column }) => isThere(column)) &&
    lists.every(({ lists: { values, starts } }) => isShared(values) && isThere(starts));
  return lies && (typeof isCall === "boolean" || isShared(isCall));
}

/** The request over columns that threads share: its own where they do, else copies, made in steps. `check` may throw between. */
async function moveToSharedMemory(request: KernelRequest, check: () => void): Promise<KernelRequest> {
  const moved = async <Column extends Float64Array | Uint8Array>(column: Column, copy: Column): Promise<Column> => {
    for (let start = 0; start < column.length; start += stepRowsMax) {
      copy.set(column.subarray(start, start + stepRowsMax), start);
      await nextTurn();
      check();
    }
    return copy;
  };
  const movedNumbers = async (column: Float64Array) =>
    isShared(column) ? column : await moved<Float64Array>(column, newColumn(column.length));
  const columnMoved = async (column: number | Float64Array) =>
    typeof column === "number" ? column : await movedNumbers(column);
  const inputs: KernelRequest["inputs"][number][] = [];
  for (const { id, column } of request.inputs) inputs.push({ id, column: await columnMoved(column) });
  const lists: KernelList[] = [];
  for (const { id, lists: each } of request.lists ?? []) {
    const values = await movedNumbers(each.values);
    lists.push({ id, lists: { ...each, values, starts: await columnMoved(each.starts) } });
  }
  const { isCall } = request;
  if (typeof isCall === "boolean" || isShared(isCall)) return { ...request, inputs, lists };
  const copy = new Uint8Array(new SharedArrayBuffer(isCall.length));
  return { ...request, inputs, lists, isCall: await moved<Uint8Array>(isCall, copy) };
}

function stopped(): BsoptError {
  return new BsoptError({ reason: "unavailable", code: "ENGINE_STOPPED", detail: "The engine has been stopped." });
}
