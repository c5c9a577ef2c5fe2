// What a second core is worth on this machine at all: two threads that share nothing, each with an engine, columns and results of its own,
// against one. The most that bench/kernels/workers.ts can reach there; on a machine whose cores share caches, memory or a host
// it is less than 2, and changes from minute to minute.

import { readFileSync } from "node:fs";
import { isMainThread, parentPort } from "node:worker_threads";
import { buildWasm } from "../../build/wasm";
import { createEngine, type Engine } from "../../src/engine/engine";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { sampleOptions } from "./sample";

const rows = 65_536;
const batchesPerRound = 8;
const warmUpBatches = 30;

interface Start {
  readonly wasmBytes: Uint8Array;
}

/** Where the two threads meet: [the other is there, both may begin]. */
type Meeting = Int32Array;

function work(engine: Engine, batches: number): void {
  const sample = sampleOptions(rows);
  for (let batch = 0; batch < batches; batch++) engine.price(sample);
}

export interface CoresFigure {
  readonly best: number;
  readonly median: number;
}

/** How many times as much two threads do as one; by the best rounds, and by the median. */
export async function benchCores({ rounds, clock }: { rounds: number; clock: Clock }): Promise<CoresFigure> {
  const wasmBytes = readFileSync((await buildWasm()).path);
  const engine = createEngine({ wasmBytes, version: "bench" });
  const sample = sampleOptions(rows);
  const timed = () => {
    const start = clock.monotonicMilliseconds();
    for (let batch = 0; batch < batchesPerRound; batch++) engine.price(sample);
    return clock.monotonicMilliseconds() - start;
  };
  const other = new Worker(import.meta.path);
  const heard = () =>
    new Promise<number>((resolve) => {
      other.onmessage = ({ data }) => resolve(data);
    });
  try {
    const ready = heard();
    other.postMessage({ wasmBytes } satisfies Start);
    work(engine, warmUpBatches);
    await ready;
    const alone: number[] = [];
    const together: number[] = [];
    for (let round = 0; round < rounds; round++) {
      alone.push(timed());
      const meeting: Meeting = new Int32Array(new SharedArrayBuffer(8));
      const theirs = heard();
      other.postMessage(meeting);
      while (Atomics.load(meeting, 0) === 0);
      Atomics.store(meeting, 1, 1);
      together.push(Math.max(timed(), await theirs));
    }
    const median = (times: readonly number[]) => times.toSorted((one, two) => one - two)[times.length >> 1]!;
    return {
      best: (2 * Math.min(...alone)) / Math.min(...together),
      median: (2 * median(alone)) / median(together),
    };
  } finally {
    other.terminate();
  }
}

/** The other thread: an engine of its own, then a round whenever it is told where to meet. */
function serveRounds(): void {
  let engine: Engine | null = null;
  parentPort!.on("message", (data: Start | Meeting) => {
    if (!(data instanceof Int32Array)) {
      engine = createEngine({ wasmBytes: data.wasmBytes, version: "bench" });
      work(engine, warmUpBatches);
      parentPort!.postMessage(0);
      return;
    }
    const sample = sampleOptions(rows);
    Atomics.store(data, 0, 1);
    while (Atomics.load(data, 1) === 0);
    const start = systemClock.monotonicMilliseconds();
    for (let batch = 0; batch < batchesPerRound; batch++) engine!.price(sample);
    parentPort!.postMessage(systemClock.monotonicMilliseconds() - start);
  });
}

if (!isMainThread) serveRounds();
else if (import.meta.main) {
  const { best, median } = await benchCores({ rounds: 40, clock: systemClock });
  process.stdout.write(
    `two threads that share nothing do ${best.toFixed(2)} times what one does, by the best rounds; ${median.toFixed(2)} by the median\n`,
  );
  process.exit(0);
}
