// What a second thread is worth: 65,536 options by this thread alone and by it and one worker, prices and volatilities; one batch
// at a time, and four at a time as a server has them. Columns lie where the readers of bodies and files put them, in shared
// memory. Every contender computes as many options a round. Two threads are two cores' worth at best, and only where no
// one else uses them: the best rounds count.

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { buildWasm } from "../../build/wasm";
import { type Column, createEngine, type ImpliedVolatilityRequest, type PriceRequest } from "../../src/engine/engine";
import { threadsFrom } from "../../src/engine/thread";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { newColumn } from "../../src/foundation/column";
import { compareAwaited, describe, type Measurement, type Ratio, ratioOf } from "../compare";
import { sampleOptions } from "./sample";

const rows = 65_536;
const batchesAtOnce = 4;
/** How many times as fast two threads should be. */
const speedupMin = 1.8;
const entrance = join(import.meta.dir, "..", "..", "tests", "harness", "kernel-worker.ts");

/** Measures every contender; few rounds make a smoke test. */
export async function benchWorkers(options: {
  readonly clock: Clock;
  readonly rounds: number;
  readonly rowsPerRound: number;
}): Promise<{ measurements: Measurement[]; ratios: Ratio[] }> {
  const wasmBytes = readFileSync((await buildWasm()).path);
  const engineOf = (count: number) =>
    createEngine({
      wasmBytes,
      version: "bench",
      workers: { count, startThread: threadsFrom(entrance), clock: systemClock },
    });
  const [one, two] = [engineOf(0), engineOf(1)];
  const prices = sharedOptions();
  const { volatility: _, ...inputs } = prices.inputs;
  const price = shared(one.price(prices).columns.price!);
  const volatilities: ImpliedVolatilityRequest = { ...prices, inputs, price, onUnattainable: "null" };
  try {
    // Threads start with the first batch; it may be over before they are up.
    while (two.activity.workerChunks === 0) await two.priceAsync(prices);
    const kinds = [
      ["price and five Greeks", (engine: typeof one) => engine.priceAsync(prices)],
      ["implied volatility", (engine: typeof one) => engine.impliedVolatilityAsync(volatilities)],
    ] as const;
    const contenders = kinds.flatMap(([kind, run]) =>
      [one, two].flatMap((engine) => {
        const threads = engine === one ? "1 thread" : "2 threads";
        const several = () => Promise.all(Array.from({ length: batchesAtOnce }, () => run(engine)));
        return [
          { name: `${kind}, ${threads}`, rows, run: () => run(engine) },
          { name: `${kind}, ${threads}, four at a time`, rows: batchesAtOnce * rows, run: several },
        ];
      }),
    );
    const measurements = await compareAwaited(contenders, options);
    const ratio = (kind: string, more: string) =>
      ratioOf(measurements, {
        name: `65,536 options, ${kind}${more}, 2 threads against 1`,
        fast: `${kind}, 2 threads${more}`,
        slow: `${kind}, 1 thread${more}`,
        floor: speedupMin,
      });
    const ratios = kinds.flatMap(([kind]) => [ratio(kind, ""), ratio(kind, ", four at a time")]);
    return { measurements, ratios };
  } finally {
    await two.stop();
  }
}

function sharedOptions(): PriceRequest {
  const sample = sampleOptions(rows);
  const inputs: Record<string, Column> = {};
  for (const [name, column] of Object.entries(sample.inputs)) inputs[name] = shared(column as Float64Array);
  const isCall = new Uint8Array(new SharedArrayBuffer(rows));
  isCall.set(sample.isCall);
  return { ...sample, inputs, isCall };
}

function shared(column: Float64Array): Float64Array {
  const copy = newColumn(column.length);
  copy.set(column);
  return copy;
}

/** The share of all cores that did nothing for a moment, while this process rests too; 1 where it cannot be told. */
async function idleShare(): Promise<number> {
  const ticks = () => {
    const times = cpus().map((core) => core.times);
    const idle = times.reduce((sum, core) => sum + core.idle, 0);
    return { idle, all: idle + times.reduce((sum, { user, nice, sys, irq }) => sum + user + nice + sys + irq, 0) };
  };
  const before = ticks();
  await Bun.sleep(500);
  const after = ticks();
  return after.all === before.all ? 1 : (after.idle - before.idle) / (after.all - before.all);
}

/** Below this another program has a core, and a second thread cannot show what it is worth. */
const idleShareMin = 0.85;

if (import.meta.main) {
  const idleBefore = await idleShare();
  const { measurements, ratios } = await benchWorkers({
    clock: systemClock,
    rounds: 61,
    rowsPerRound: batchesAtOnce * rows,
  });
  const idle = Math.min(idleBefore, await idleShare());
  const isJudged = idle >= idleShareMin;
  process.stdout.write(describe("threads", measurements, isJudged ? ratios : []));
  if (!isJudged) {
    const told = ratios.map(({ name, ratio }) => `${name}: ${ratio.toFixed(2)} times, not judged\n`);
    process.stdout.write(
      `${told.join("")}another program has a core: ${(idle * 100).toFixed(0)} % of the cores were idle\n`,
    );
  }
  process.exit(0);
}
