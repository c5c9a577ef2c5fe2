// The normal model: price and five Greeks, all 17 outputs, and the implied volatility, the wasm kernel behind the engine against the plain
// TypeScript twin. Run it alone with `bun bench/kernels/bachelier.ts`, or all benches with `npm run bench`.

import { readFileSync } from "node:fs";
import { buildWasm } from "../../build/wasm";
import { defaultOutputs, modelNamed } from "../../src/engine/catalog";
import { createEngine, type ImpliedVolatilityRequest, type PriceRequest } from "../../src/engine/engine";
import { impliedVolatilityPlainBachelier, pricePlainBachelier } from "../../src/engine/plain-bachelier";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { compare, describe, type Measurement, type Ratio, ratioOf } from "../compare";
import { sampleOptions } from "./sample";

/**
 * What the kernel must be worth against the plain twin at 4,096 options: prices with five Greeks, where the twin needs one
 * exponential and one law and keeps no low words, and volatilities.
 */
export const priceFloor = 1.4;
export const volatilityFloor = 2.8;

/** Measures every contender; few rounds make a smoke test. */
export async function benchBachelier(options: {
  readonly clock: Clock;
  readonly rounds: number;
  readonly rowsPerRound: number;
}): Promise<{ measurements: Measurement[]; ratios: Ratio[] }> {
  const engine = createEngine({ wasmBytes: readFileSync((await buildWasm()).path), version: "bench" });
  const sample = sampleOptions(4096);
  const { spot, strike, time_to_expiry, rate, volatility } = sample.inputs;
  const market = { forward: spot!, strike: strike!, time_to_expiry: time_to_expiry!, rate: rate! };
  const request: PriceRequest = {
    model: "bachelier",
    count: sample.count,
    isCall: sample.isCall,
    // a volatility of the logarithm, times what the forward is worth
    inputs: { ...market, volatility: (volatility as Float64Array).map((each) => 100 * each) },
    outputs: defaultOutputs,
    units: "market",
  };
  const everything: PriceRequest = { ...request, outputs: modelNamed("bachelier").outputs };
  const solved: ImpliedVolatilityRequest = {
    model: "bachelier",
    count: request.count,
    isCall: request.isCall,
    inputs: market,
    price: engine.price(request).columns.price!,
    onUnattainable: "null",
  };
  const measurements = compare(
    [
      { name: "plain TypeScript", rows: 4096, run: () => pricePlainBachelier(request) },
      { name: "kernel", rows: 4096, run: () => engine.price(request) },
      { name: "kernel, all 17 outputs", rows: 4096, run: () => engine.price(everything) },
      { name: "plain TypeScript, volatility", rows: 4096, run: () => impliedVolatilityPlainBachelier(solved) },
      { name: "kernel, volatility", rows: 4096, run: () => engine.impliedVolatility(solved) },
    ],
    options,
  );
  const ratios = [
    ratioOf(measurements, {
      name: "normal model, price and five Greeks, kernel against plain TypeScript",
      fast: "kernel",
      slow: "plain TypeScript",
      floor: priceFloor,
    }),
    ratioOf(measurements, {
      name: "normal model, implied volatility, kernel against plain TypeScript",
      fast: "kernel, volatility",
      slow: "plain TypeScript, volatility",
      floor: volatilityFloor,
    }),
  ];
  return { measurements, ratios };
}

if (import.meta.main) {
  const { measurements, ratios } = await benchBachelier({ clock: systemClock, rounds: 31, rowsPerRound: 65_536 });
  process.stdout.write(describe("normal model", measurements, ratios));
}
