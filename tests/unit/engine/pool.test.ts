// Large batches in chunks: what comes out is what one call gives, whoever computed it, whoever died over it, whoever left.

import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { workersMax } from "../../../src/config/settings";
import { inputIds, outputIds } from "../../../src/engine/abi";
import { createKernel, type Desk, type Kernel, openDesk } from "../../../src/engine/kernel";
import type { KernelRequest, KernelResult } from "../../../src/engine/place";
import { createPool, type Pool, type PoolOptions, poolChunkRows, poolTrays } from "../../../src/engine/pool";
import {
  batchWords,
  chunksOf,
  createWorker,
  deskWords,
  newDeskWords,
  rowsOf,
  type SharedBatch,
  takeChunk,
  trayAt,
  trayStates,
  trayWords,
  type WorkerMessage,
} from "../../../src/engine/worker";
import { ManualClock } from "../../../src/foundation/clock";
import { isShared, newColumn } from "../../../src/foundation/column";
import { BsoptError } from "../../../src/foundation/errors";
import { kernelBytes } from "../../harness/kernel";
import { imaginedWorkers, realWorkers, until } from "../../harness/threads";

let kernel: Kernel;
const pools: Pool[] = [];

beforeAll(async () => {
  kernel = createKernel(await kernelBytes());
});

afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.stop();
});

function poolOf(options: Partial<PoolOptions> = {}): Pool {
  const pool = createPool({ kernel, workers: null, batchesMax: 16, ...options });
  pools.push(pool);
  return pool;
}

/** Prices over strikes that differ in every row. */
function requestOf(count: number): KernelRequest {
  const strike = Float64Array.from({ length: count }, (_, row) => 50 + (100 * row) / count);
  const numbers = { spot: 100, time_to_expiry: 0.5, rate: 0.03, dividend_yield: 0.01, volatility: 0.2 } as const;
  return {
    operation: "price",
    model: 0,
    count,
    isCall: Uint8Array.from(strike, (_, row) => row & 1),
    inputs: [
      { id: inputIds.strike, column: strike },
      ...Object.entries(numbers).map(([name, column]) => ({ id: inputIds[name as keyof typeof numbers], column })),
    ],
    outputs: [
      { id: outputIds.price, factor: 1 },
      { id: outputIds.delta, factor: 1 },
    ],
  };
}

function expectSame(result: KernelResult, request: KernelRequest): void {
  const whole = kernel.run(request);
  const bytesOf = (values: Float64Array | Int32Array) => Buffer.from(values.slice().buffer);
  expect(bytesOf(result.status).equals(bytesOf(whole.status))).toBe(true);
  for (const [index, column] of result.columns.entries())
    expect(bytesOf(column).equals(bytesOf(whole.columns[index]!))).toBe(true);
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(BsoptError);
  expect((error as BsoptError).reason).toBe("unavailable");
  return (error as BsoptError).code;
}

/** Large enough to pay for two workers. */
const rows = 100_003;
const chunks = chunksOf(rows, poolChunkRows);

/** A worker in the test's own thread. */
const diligent = () => {
  const receivers = new Map<() => void, ReturnType<typeof createWorker>>();
  return imaginedWorkers(2, (message, { tell }) => {
    if (!receivers.has(tell))
      receivers.set(
        tell,
        createWorker(tell, () => {}),
      );
    receivers.get(tell)!(message);
  });
};

/** A worker's hands, moved one by one. */
class Hands {
  readonly batches: SharedBatch[] = [];
  freed = 0;
  words!: Int32Array;
  #desk!: Desk;
  #number = 0;

  /** Takes the message in; true for a batch. */
  receive(message: WorkerMessage): boolean {
    switch (message.kind) {
      case "desk":
        this.#desk = openDesk(message.desk);
        this.#number = message.number;
        this.words = message.words;
        return false;
      case "batch":
        this.batches.push(message);
        return true;
      case "freed":
        this.freed += 1;
        return false;
    }
  }

  /** Takes the latest batch's next chunk; -1 where none is left. */
  take(): number {
    return takeChunk(this.batches.at(-1)!.words, this.#number);
  }

  /** Writes a chunk into a tray that nobody knows of yet. */
  fill(tray: number, index: number, batch = this.batches.at(-1)!): void {
    const { start, stop } = rowsOf(batch, index);
    this.#desk.fillTray(tray, batch.request, start, stop);
  }

  lay(tray: number, index: number, tell: () => void, batch = this.batches.at(-1)!): void {
    const at = trayAt(tray);
    this.words[at + trayWords.batch] = batch.number;
    this.words[at + trayWords.chunk] = index;
    Atomics.store(this.words, at + trayWords.state, trayStates.laid);
    if (Atomics.exchange(batch.words, batchWords.waiting, 0) === 1) tell();
  }

  states(): number[] {
    return Array.from({ length: poolTrays }, (_, tray) => Atomics.load(this.words, trayAt(tray) + trayWords.state));
  }
}

const everyTrayFree = new Array<number>(poolTrays).fill(trayStates.free);

describe("a pool without workers", () => {
  test("computes every row, a turn of the event loop between any two chunks", async () => {
    const request = requestOf(rows);
    let turns = 0;
    let isDone = false;
    const count = () => {
      turns += 1;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    const result = await poolOf().run(request);
    isDone = true;
    expectSame(result, request);
    expect(turns).toBeGreaterThanOrEqual(chunks - 1);
    expect(isShared(result.status)).toBe(false);
  });

  test("serves a small batch before a large one that came first", async () => {
    const pool = poolOf();
    const order: string[] = [];
    const large = pool.run(requestOf(rows)).then(() => order.push("large"));
    const small = pool.run(requestOf(5000)).then(() => order.push("small"));
    await Promise.all([large, small]);
    expect(order).toEqual(["small", "large"]);
  });

  test("fails a batch with what the kernel throws, and goes on with the others", async () => {
    let calls = 0;
    const broken: Kernel = {
      ...kernel,
      runChunk(...chunk) {
        calls += 1;
        if (calls === 4) throw new RangeError("trap");
        kernel.runChunk(...chunk);
      },
    };
    const pool = poolOf({ kernel: broken });
    const request = requestOf(rows);
    const both = await Promise.allSettled([pool.run(request), pool.run(request)]);
    const failed = both.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
    expect(failed.map(({ reason }) => String(reason))).toEqual(["RangeError: trap"]);
    const kept = both.find(({ status }) => status === "fulfilled") as PromiseFulfilledResult<KernelResult>;
    expectSame(kept.value, request);
    expect(pool.activity.batches).toBe(0);
  });
});

describe("S4.64 a pool with workers", () => {
  test("shares one batch between threads and gives the same bits", async () => {
    const pool = poolOf({ workers: realWorkers(2) });
    const request = requestOf(rows);
    // The first batches may be done before the threads are up.
    do expectSame(await pool.run(request), request);
    while (pool.activity.workerChunks === 0);
    expect(pool.activity.workersRunning).toBe(2);
    expect(pool.activity.batches).toBe(0);
  });

  test("reads columns that lie in shared memory where they are, and leaves all as they were", async () => {
    const { workers } = diligent();
    const seen: SharedBatch[] = [];
    const pool = poolOf({
      workers: {
        ...workers,
        startThread: (listeners) => {
          const thread = workers.startThread(listeners);
          return {
            ...thread,
            post: (message) => {
              const sent = message as WorkerMessage;
              if (sent.kind === "batch") seen.push(sent);
              thread.post(message);
            },
          };
        },
      },
    });
    const request = requestOf(rows);
    const strike = newColumn(rows);
    strike.set(request.inputs[0]!.column as Float64Array);
    const before = strike.slice();
    const result = await pool.run({
      ...request,
      inputs: [{ id: inputIds.strike, column: strike }, ...request.inputs.slice(1)],
    });
    expectSame(result, request);
    expect(strike).toEqual(before);
    expect(seen[0]!.request.inputs[0]!.column).toBe(strike);
    expect(seen[0]!.request.isCall).not.toBe(request.isCall);
    expect(isShared(seen[0]!.request.isCall as Uint8Array)).toBe(true);
  });

  test("starts none for a batch that does not pay for one, and only as many as it pays for", async () => {
    const { workers, started } = diligent();
    const pool = poolOf({ workers: { ...workers, count: 8 } });
    await pool.run(requestOf(20_000));
    expect(started.count).toBe(0);
    await pool.run(requestOf(rows));
    expect(started.count).toBe(3);
    await pool.run(requestOf(rows));
    expect(started.count).toBe(3);
  });

  test("computes by itself what a worker had in hand when it died", async () => {
    const deaths: number[] = [];
    const { workers, started } = imaginedWorkers(1, (message, { end }) => {
      if (message.kind !== "batch") return;
      deaths.push(takeChunk(message.words, 2));
      end();
    });
    const pool = poolOf({ workers });
    const request = requestOf(rows);
    expectSame(await pool.run(request), request);
    expect(deaths[0]).toBeGreaterThanOrEqual(0);
    // once, and again three times, then no more until the pool has rested
    expect(started.count).toBeLessThanOrEqual(4);
    expect(started.count).toBeGreaterThan(1);
    const before = started.count;
    expectSame(await pool.run(request), request);
    expect(started.count).toBeGreaterThan(before);
  });

  test("computes by itself what a worker failed at", async () => {
    let isFirst = true;
    const hands = new Hands();
    const { workers } = imaginedWorkers(1, (message, { tell }) => {
      if (!hands.receive(message) || !isFirst) return;
      isFirst = false;
      const index = hands.take();
      const at = trayAt(3);
      hands.words[at + trayWords.batch] = hands.batches[0]!.number;
      hands.words[at + trayWords.chunk] = index;
      Atomics.store(hands.words, at + trayWords.state, trayStates.failed);
      if (Atomics.exchange(hands.batches[0]!.words, batchWords.waiting, 0) === 1) tell();
    });
    const pool = poolOf({ workers });
    const request = requestOf(rows);
    expectSame(await pool.run(request), request);
    expect(pool.activity.ownChunks).toBe(chunks);
    expect(isFirst).toBe(false);
    expect(hands.states()).toEqual(everyTrayFree);
  });

  test("leaves chunks that would stop the event loop to workers, while there is one, and other batches' to itself", async () => {
    const held: (() => void)[] = [];
    const hands = new Hands();
    const { workers } = imaginedWorkers(1, (message, { tell, end }) => {
      if (!hands.receive(message)) return;
      const index = hands.take();
      held.push(
        () => {
          hands.fill(0, index);
          hands.lay(0, index, tell);
        },
        () => end(),
      );
    });
    const pool = poolOf({ workers });
    const dear = { ...requestOf(12), weight: 1_000_000 };
    const running = pool.run(dear);
    await until(() => hands.batches[0]?.words[batchWords.waiting] === 1);
    expect(pool.activity.ownChunks).toBe(0);
    // A cheap one meanwhile is this thread's as ever.
    const cheap = requestOf(100);
    expectSame(await pool.run(cheap), cheap);
    expect(pool.activity.ownChunks).toBe(1);
    const [finish, end] = held;
    finish!();
    await until(() => hands.batches[0]!.words[batchWords.waiting] === 1);
    expect(pool.activity.ownChunks).toBe(1);
    // Its thread gone for good, and every successor, somebody must.
    end!();
    for (let successor = 0; successor < 10 && pool.activity.workersRunning > 0; successor++) {
      await until(() => held.length > 3 + 2 * successor || pool.activity.workersRunning === 0);
      held.at(-1)!();
    }
    expectSame(await running, dear);
  });

  test("wakes when a worker is the last to finish", async () => {
    const held: (() => void)[] = [];
    const hands = new Hands();
    const { workers } = imaginedWorkers(1, (message, { tell }) => {
      if (!hands.receive(message)) return;
      const index = hands.take();
      held.push(() => {
        hands.fill(0, index);
        hands.lay(0, index, tell);
      });
    });
    const pool = poolOf({ workers });
    const request = requestOf(rows);
    const running = pool.run(request);
    // asleep, not merely between two looks
    await until(() => hands.batches[0]?.words[batchWords.waiting] === 1);
    expect(pool.activity.ownChunks).toBe(chunks - 1);
    for (const finish of held) finish();
    expectSame(await running, request);
    expect(pool.activity.workerChunks).toBe(1);
  });

  test("keeps what a worker had laid when it died, and computes what it was still writing", async () => {
    const rounds: number[] = [];
    const hands = new Hands();
    const { workers } = imaginedWorkers(1, (message, { tell, end }) => {
      if (!hands.receive(message) || rounds.length > 0) return;
      for (let tray = 0; tray < 3; tray++) {
        const index = hands.take();
        hands.fill(tray, index);
        // the last is whole in its tray, but nobody was told: it counts as not done
        if (tray < 2) hands.lay(tray, index, tell);
        rounds.push(index);
      }
      end();
    });
    const pool = poolOf({ workers });
    const request = requestOf(rows);
    expectSame(await pool.run(request), request);
    expect(new Set(rounds).size).toBe(3);
    expect(pool.activity).toMatchObject({ workerChunks: 2, ownChunks: chunks - 2 });
    expect(hands.states()).toEqual(everyTrayFree);
  });

  test("tells a worker that stopped for want of a tray as soon as it has taken what was laid", async () => {
    const hands = new Hands();
    const order: string[] = [];
    const { workers } = imaginedWorkers(1, (message, { tell }) => {
      if (message.kind === "freed") {
        order.push("freed");
        expect(hands.states()).toEqual(everyTrayFree);
        return;
      }
      if (!hands.receive(message)) return;
      for (let tray = 0; tray < poolTrays; tray++) {
        const index = hands.take();
        hands.fill(tray, index);
        hands.lay(tray, index, tell);
      }
      Atomics.store(hands.words, deskWords.starved, 1);
      order.push("starved");
    });
    const pool = poolOf({ workers });
    const request = requestOf(rows);
    expectSame(await pool.run(request), request);
    expect(order).toEqual(["starved", "freed"]);
    expect(pool.activity.workerChunks).toBe(poolTrays);
    expect(Atomics.load(hands.words, deskWords.starved)).toBe(0);
  });

  test("loses nothing when real threads are ended from outside, again and again", async () => {
    const clock = new ManualClock();
    const real = realWorkers(2, clock);
    const threads: { terminate(): void }[] = [];
    const pool = poolOf({
      workers: {
        ...real,
        startThread: (listeners) => {
          const thread = real.startThread(listeners);
          threads.push(thread);
          return thread;
        },
      },
    });
    const request = requestOf(rows);
    for (let round = 0; round < 8; round++) {
      const { ownChunks } = pool.activity;
      const running = pool.run(request);
      await until(() => pool.activity.batches === 0 || pool.activity.ownChunks > ownChunks + round);
      threads.at(-1)?.terminate();
      expectSame(await running, request);
    }
    expect(threads.length).toBeGreaterThan(2);
  });

  test("goes on without a thread whose module does not load", async () => {
    const pool = poolOf({
      workers: {
        ...realWorkers(1),
        startThread: (await import("../../../src/engine/thread")).threadsFrom("/nowhere.ts"),
      },
    });
    const request = requestOf(rows);
    expectSame(await pool.run(request), request);
    await until(() => pool.activity.workersRunning === 0);
  });

  test("ends workers that have waited a minute, and starts them anew", async () => {
    const clock = new ManualClock();
    const pool = poolOf({ workers: realWorkers(1, clock) });
    const request = requestOf(rows);
    await pool.run(request);
    expect(pool.activity.workersRunning).toBe(1);
    clock.advance(59_000);
    await pool.run(request);
    clock.advance(59_000);
    expect(pool.activity.workersRunning).toBe(1);
    clock.advance(1000);
    await until(() => pool.activity.workersRunning === 0);
    const running = pool.run(request);
    expect(pool.activity.workersRunning).toBe(1);
    expectSame(await running, request);
  });
});

describe("a batch nobody waits for any more", () => {
  test.each([0, 1])("is over at once, and its chunks stay undone, with %d workers", async (count) => {
    const pool = poolOf({ workers: realWorkers(count) });
    const leaving = new AbortController();
    const running = pool.run(requestOf(1_000_003), leaving.signal);
    await until(() => pool.activity.ownChunks >= 5);
    leaving.abort();
    expect(await codeOf(running)).toBe("BATCH_DROPPED");
    const { ownChunks } = pool.activity;
    expect(ownChunks).toBeLessThan(100);
    expect(pool.activity).toMatchObject({ batches: 0, batchesDropped: 1 });
    const next = requestOf(rows);
    expectSame(await pool.run(next), next);
    expect(pool.activity.ownChunks).toBeLessThanOrEqual(ownChunks + chunks);
  });

  test("leaves no tray behind, nor a row in another's result, where a worker lays its chunk afterwards", async () => {
    const hands = new Hands();
    let last = () => {};
    const { workers } = imaginedWorkers(1, (message, { tell }) => {
      if (hands.receive(message)) last = tell;
    });
    const pool = poolOf({ workers });
    const leaving = new AbortController();
    const running = pool.run(requestOf(rows), leaving.signal);
    await until(() => hands.batches.length === 1);
    const [first, second] = [hands.take(), hands.take()];
    hands.fill(0, first);
    hands.fill(1, second);
    hands.lay(0, first, last);
    leaving.abort();
    expect(await codeOf(running)).toBe("BATCH_DROPPED");
    expect(hands.states()).toEqual(everyTrayFree);
    expect(hands.take()).toBe(-1);
    const dropped = hands.batches[0]!;
    hands.lay(1, second, last);
    const request = { ...requestOf(rows), isCall: true };
    const next = pool.run(request);
    await until(() => hands.batches.length === 2);
    hands.fill(2, second, dropped);
    hands.lay(2, second, last, dropped);
    expectSame(await next, request);
    expect(hands.states()).toEqual(everyTrayFree);
    expect(pool.activity.workerChunks).toBe(0);
  });

  test("is not begun where its asker has already left", async () => {
    const pool = poolOf();
    expect(await codeOf(pool.run(requestOf(rows), AbortSignal.abort()))).toBe("BATCH_DROPPED");
    expect(pool.activity).toMatchObject({ batches: 0, ownChunks: 0, batchesDropped: 1 });
  });

  test("is dropped while its columns are being moved", async () => {
    const pool = poolOf({ workers: diligent().workers });
    const leaving = new AbortController();
    const running = pool.run(requestOf(rows), leaving.signal);
    leaving.abort();
    expect(await codeOf(running)).toBe("BATCH_DROPPED");
    expect(pool.activity).toMatchObject({ batches: 0, ownChunks: 0, batchesDropped: 1 });
  });
});

describe("S2.41 limits of a pool", () => {
  test("one batch too many is refused at once with a time to try again, and place is made when one ends", async () => {
    const pool = poolOf({ batchesMax: 2 });
    const request = requestOf(rows);
    const running = [pool.run(request), pool.run(request)];
    const refused = await pool.run(request).catch((error) => error);
    expect(refused).toMatchObject({ reason: "unavailable", code: "BATCHES_WAITING", retryAfterSeconds: 1 });
    await Promise.all(running);
    expectSame(await pool.run(request), request);
  });

  test("stopping fails what is under way and what comes meanwhile, and ends the threads; later all begins anew", async () => {
    const pool = poolOf({ workers: realWorkers(2) });
    const running = [pool.run(requestOf(1_000_003)), pool.run(requestOf(rows))].map(codeOf);
    await until(() => pool.activity.ownChunks > 0);
    const stopping = pool.stop();
    expect(await codeOf(pool.run(requestOf(rows)))).toBe("ENGINE_STOPPED");
    await stopping;
    expect(await Promise.all(running)).toEqual(["ENGINE_STOPPED", "ENGINE_STOPPED"]);
    expect(pool.activity).toMatchObject({ batches: 0, workersRunning: 0 });
    const request = requestOf(rows);
    expectSame(await pool.run(request), request);
  });

  test("stopping while columns are being moved fails that batch too", async () => {
    const pool = poolOf({ workers: diligent().workers });
    const running = codeOf(pool.run(requestOf(1_000_003)));
    await pool.stop();
    expect(await running).toBe("ENGINE_STOPPED");
  });

  test("a thread that does not end is not waited for for ever", async () => {
    const clock = new ManualClock();
    const pool = createPool({
      kernel,
      workers: { count: 1, startThread: () => ({ post: () => {}, terminate: () => {} }), clock },
      batchesMax: 1,
    });
    const request = requestOf(rows);
    expectSame(await pool.run(request), request);
    const stopping = pool.stop();
    clock.advance(2000);
    await stopping;
  });
});

describe("a worker", () => {
  const trays = 2;

  function sat() {
    const { start, trays: seen } = kernel.reserveDesk({ rowsMax: poolChunkRows, trays });
    const words = newDeskWords(trays);
    const receive = createWorker(
      () => {},
      () => {},
    );
    receive({ kind: "desk", desk: start, words, number: 7 });
    const stateOf = (tray: number) => Atomics.load(words, trayAt(tray) + trayWords.state);
    const chunkOf = (tray: number) => words[trayAt(tray) + trayWords.chunk]!;
    const contents = (tray: number) => Buffer.from(seen[tray]!.columns[0]!.slice().buffer);
    return { receive, words, stateOf, chunkOf, contents, seen };
  }

  function batchOf(count: number): SharedBatch {
    const words = new Int32Array(new SharedArrayBuffer(4 * (batchWords.chunks + chunksOf(count, poolChunkRows))));
    return { number: 5, request: requestOf(count), chunkRows: poolChunkRows, words };
  }

  test("writes no tray before its rows were taken, takes no chunk it has no tray for, and goes on when told", async () => {
    const { receive, words, stateOf, chunkOf, contents, seen } = sat();
    const batch = batchOf(5 * poolChunkRows - 7);
    const taken = () =>
      Array.from(batch.words.subarray(batchWords.chunks)).flatMap((word, at) => (word === 7 ? [at] : []));
    const all = Array.from({ length: chunksOf(batch.request.count, poolChunkRows) }, (_, index) => index);
    receive({ kind: "batch", ...batch });
    await until(() => Atomics.load(words, deskWords.starved) === 1);
    expect([stateOf(0), stateOf(1)]).toEqual([trayStates.laid, trayStates.laid]);
    expect(taken()).toEqual([0, 1]);
    const [first, second] = [contents(0), contents(1)];
    // told although nothing is free: nothing changes
    receive({ kind: "freed" });
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect([contents(0).equals(first), contents(1).equals(second)]).toEqual([true, true]);
    expect(taken()).toEqual([0, 1]);
    const whole = kernel.run(batch.request);
    const result: KernelResult = {
      columns: whole.columns.map((column) => column.slice().fill(0)),
      status: whole.status,
    };
    for (const round of all) {
      const tray = round % trays;
      await until(() => stateOf(tray) === trayStates.laid);
      const { start, stop } = rowsOf(batch, chunkOf(tray));
      const other = contents(1 - tray);
      seen[tray]!.unload(result, start, stop);
      Atomics.store(words, trayAt(tray) + trayWords.state, trayStates.free);
      receive({ kind: "freed" });
      if (round < all.length - trays) await until(() => stateOf(tray) === trayStates.laid);
      expect(contents(1 - tray).equals(other)).toBe(true);
    }
    expectSame(result, batch.request);
    expect(taken()).toEqual(all);
  });

  test("says which chunk it failed at, and goes on", async () => {
    const { receive, words, stateOf } = sat();
    const batch = batchOf(2 * poolChunkRows);
    const outputs = new Array(33).fill(batch.request.outputs[0]);
    receive({ kind: "batch", ...batch, request: { ...batch.request, outputs } });
    await until(() => stateOf(1) !== trayStates.free);
    expect([stateOf(0), stateOf(1)]).toEqual([trayStates.failed, trayStates.failed]);
    expect([words[trayAt(0) + trayWords.chunk], words[trayAt(1) + trayWords.chunk]]).toEqual([0, 1]);
    expect(words[trayAt(0) + trayWords.batch]).toBe(5);
  });
});

describe("S4.64 the chunks of a batch", () => {
  test("hold every row once, in order, none too long, and are short at the end", () => {
    for (const count of [1, 511, 512, 513, 2047, 2048, 4097, 6143, 6144, 6145, 8191, 8192, 65_536, 65_537, 1_000_003]) {
      const batch = { request: requestOf(count), chunkRows: 2048 } as SharedBatch;
      const chunks = Array.from({ length: chunksOf(count, 2048) }, (_, index) => rowsOf(batch, index));
      let start = 0;
      for (const chunk of chunks) {
        expect(chunk.start).toBe(start);
        expect(chunk.stop).toBeGreaterThan(start);
        start = chunk.stop;
      }
      expect(start).toBe(count);
      const lengths = chunks.map((chunk) => chunk.stop - chunk.start);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(2048);
      expect(Math.max(...lengths.slice(-12))).toBeLessThanOrEqual(512);
    }
  });
});

describe("the memory that threads share", () => {
  test("has room for the desks of as many workers as may be asked for", async () => {
    const crowded = createKernel(await kernelBytes());
    const address = () => crowded.reserveDesk({ rowsMax: poolChunkRows, trays: poolTrays }).start.address;
    const addresses = Array.from({ length: workersMax }, address);
    expect(new Set(addresses).size).toBe(workersMax);
  });

  test("below the kernel's heap is never written: every thread has the same constants there", async () => {
    const { module, memory } = kernel.reserveDesk({ rowsMax: 64, trays: 1 }).start;
    const { heap_base } = new WebAssembly.Instance(module, { env: { memory } }).exports as { heap_base: () => number };
    const constants = () => Buffer.from(new Uint8Array(memory.buffer, 0, heap_base()).slice());
    const before = constants();
    kernel.run(requestOf(4096));
    kernel.run({
      ...requestOf(4096),
      operation: "implied_volatility",
      outputs: [30, 31].map((id) => ({ id, factor: 1 })),
    });
    expect(before.some((byte) => byte !== 0)).toBe(true);
    expect(constants().equals(before)).toBe(true);
  });
});
