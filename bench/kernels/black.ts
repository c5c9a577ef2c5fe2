// Black–Scholes–Merton, price and five Greeks. Judged is the wasm kernel by itself, columns in place, against the plain TypeScript
// twin and against C++ (black.cpp); beside it what engine.price makes of it, columns in and fresh columns out, and what further
// outputs and a chain's two layouts cost. Run it alone with `bun bench/kernels/black.ts`, or all benches with `npm run bench`.

import { readFileSync } from "node:fs";
import { buildWasm } from "../../build/wasm";
import { modelNamed } from "../../src/engine/catalog";
import { createEngine, type PriceRequest } from "../../src/engine/engine";
import { pricePlain } from "../../src/engine/plain";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { type CompareOptions, compare, describe, type Measurement, type Ratio, ratioOf } from "../compare";
import { bareKernel } from "./bare";
import { startNative } from "./native";
import { sampleOptions } from "./sample";

/** What the kernel by itself must be worth against the plain twin, at 4,096 options. */
export const kernelFloor = 3.8;
/** The same of the engine, whose columns are copied in and fresh ones out. */
export const engineFloor = 2.5;
/** Six outputs over all 18: all of them may cost 1.4 times the six. */
export const allFloor = 1 / 1.4;
/** A chain with call and put of each strike side by side over options that share nothing. */
export const chainFloor = 1.6;
/** The kernel by itself against scalar C++. */
export const nativeFloor = 2.8;
/** How far the C++ prices may be from the kernel's, in units of the larger of spot and strike; libm's logarithm near the money. */
export const nativeDifferenceMax = 1e-14;

const rows = 4096;

/** Measures every contender; few rounds make a smoke test. `notes` are lines for a person. */
export async function benchBlack(options: CompareOptions): Promise<{
  measurements: Measurement[];
  ratios: Ratio[];
  notes: string[];
}> {
  const wasmBytes = readFileSync((await buildWasm()).path);
  const engine = createEngine({ wasmBytes, version: "bench" });
  const many = sampleOptions(rows);
  const huge = sampleOptions(65_536);
  const one = sampleOptions(1);
  const all = { ...many, outputs: modelNamed(many.model).outputs };
  const priceOnly = { ...many, outputs: ["price"] } as const;
  const sideBySide = chain("side by side");
  const bare = bareKernel({ wasmBytes, places: 8, rowsMax: rows });
  const contender = (name: string, request: PriceRequest) => ({ name, rows, run: bare.load(request).run });
  const measurements = compare(
    [
      { name: "plain TypeScript", rows, run: () => pricePlain(many) },
      contender("kernel", many),
      contender("kernel, all 18 outputs", all),
      contender("kernel, price only", priceOnly),
      contender("kernel, chain, call and put side by side", sideBySide),
      contender("kernel, chain, calls, then puts", chain("calls, then puts")),
      contender("kernel, chain side by side, all 18", { ...sideBySide, outputs: all.outputs }),
      { name: "engine", rows, run: () => engine.price(many) },
      { name: "engine, all 18 outputs", rows, run: () => engine.price(all) },
      { name: "engine, chain, call and put side by side", rows, run: () => engine.price(sideBySide) },
      { name: "plain TypeScript, many", rows: 65_536, run: () => pricePlain(huge) },
      { name: "engine, many", rows: 65_536, run: () => engine.price(huge) },
    ],
    options,
  );
  // apart, and fewer: the small arrays of single calls leave the collector work that the others would pay for
  const singles = compare(
    [
      { name: "plain TypeScript, one option", rows: 1, run: () => pricePlain(one) },
      { name: "engine, one option", rows: 1, run: () => engine.price(one) },
    ],
    { ...options, rowsPerRound: Math.ceil(options.rowsPerRound / 32) },
  );
  const ratios = [
    ratioOf(measurements, {
      name: "price and five Greeks, kernel against plain TypeScript",
      fast: "kernel",
      slow: "plain TypeScript",
      floor: kernelFloor,
    }),
    ratioOf(measurements, {
      name: "price and five Greeks, engine with its copies against plain TypeScript",
      fast: "engine",
      slow: "plain TypeScript",
      floor: engineFloor,
    }),
    ratioOf(measurements, {
      name: "six outputs' time over that of all 18, kernel",
      fast: "kernel, all 18 outputs",
      slow: "kernel",
      floor: allFloor,
    }),
    ratioOf(measurements, {
      name: "a chain's calls and puts side by side against options that share nothing, kernel",
      fast: "kernel, chain, call and put side by side",
      slow: "kernel",
      floor: chainFloor,
    }),
  ];
  const native = await benchNative(many, wasmBytes, options);
  return {
    measurements: [...measurements, ...singles, ...native.measurements],
    ratios: [...ratios, ...native.ratios],
    notes: native.notes,
  };
}

/** One expiry of a chain with a call and a put at each strike. */
function chain(layout: "side by side" | "calls, then puts"): PriceRequest {
  const strikes = rows / 2;
  const isFirst = Uint8Array.from({ length: rows }, (_, row) =>
    layout === "side by side" ? 1 - (row & 1) : Number(row < strikes),
  );
  const column = (of: (strike: number) => number) =>
    Float64Array.from({ length: rows }, (_, row) => of(layout === "side by side" ? row >> 1 : row % strikes));
  return {
    ...sampleOptions(rows),
    isCall: isFirst,
    inputs: {
      strike: column((index) => 60 + (90 * index) / strikes),
      volatility: column((index) => 0.1 + 0.5 * ((index * 0.6457513110645907) % 1)),
      spot: 100,
      time_to_expiry: 0.5,
      rate: 0.03,
      dividend_yield: 0.01,
    },
  };
}

/** The kernel and C++ in turns, the same options, the same number of calls a round. */
async function benchNative(
  request: PriceRequest,
  wasmBytes: Uint8Array,
  { clock, rounds, rowsPerRound }: CompareOptions,
): Promise<{ measurements: Measurement[]; ratios: Ratio[]; notes: string[] }> {
  const native = await startNative(request);
  if (native === null) {
    return { measurements: [], ratios: [], notes: ["C++ is not compared: there is no g++ on the PATH"] };
  }
  try {
    const kernel = bareKernel({ wasmBytes, places: 1, rowsMax: rows }).load(request);
    const calls = Math.max(1, Math.round(rowsPerRound / rows));
    const times: { kernel: number[]; native: number[] } = { kernel: [], native: [] };
    for (let round = -1; round < rounds; round++) {
      const [measured] = compare([{ name: "kernel", rows, run: kernel.run }], { clock, rounds: 1, rowsPerRound });
      const nanoseconds = await native.round(calls);
      if (round < 0) continue;
      times.kernel.push(measured!.bestNanoseconds);
      times.native.push(nanoseconds);
    }
    const difference = priceDifference(request, kernel.prices(), await native.prices());
    if (!(difference <= nativeDifferenceMax)) throw new Error(`the C++ prices are ${difference} off`);
    const measurement = (name: string, list: readonly number[]): Measurement => {
      const sorted = list.toSorted((a, b) => a - b);
      return { name, rows, bestNanoseconds: sorted[0]!, medianNanoseconds: sorted[sorted.length >> 1]! };
    };
    const measurements = [
      measurement("C++, -O3 -march=native", times.native),
      measurement("kernel, in turns with C++", times.kernel),
    ];
    const ratio = ratioOf(measurements, {
      name: "price and five Greeks, kernel against scalar C++",
      fast: "kernel, in turns with C++",
      slow: "C++, -O3 -march=native",
      floor: nativeFloor,
    });
    const note = `C++ and the kernel agree on every price to ${difference.toExponential(1)} of the larger of spot and strike`;
    return { measurements, ratios: [ratio], notes: [note] };
  } finally {
    await native.close();
  }
}

/** The largest difference of two price columns, each in units of the larger of its spot and strike; NaN where a price is. */
function priceDifference({ inputs }: PriceRequest, one: Float64Array, other: Float64Array): number {
  const [spots, strikes] = [inputs.spot as Float64Array, inputs.strike as Float64Array];
  return one.reduce(
    (worst, price, row) => Math.max(worst, Math.abs(price - other[row]!) / Math.max(spots[row]!, strikes[row]!)),
    0,
  );
}

if (import.meta.main) {
  const clock: Clock = systemClock;
  const { measurements, ratios, notes } = await benchBlack({ clock, rounds: 31, rowsPerRound: 65_536 });
  process.stdout.write(describe("price and five Greeks", measurements, ratios));
  for (const note of notes) process.stdout.write(`${note}\n`);
}
