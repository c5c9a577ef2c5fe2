// Implied volatility under Black–Scholes–Merton: the wasm kernel behind the engine against the plain TypeScript twin, over prices
// made from the same options as the price bench.

import { readFileSync } from "node:fs";
import { buildWasm } from "../../build/wasm";
import { createEngine, type ImpliedVolatilityRequest } from "../../src/engine/engine";
import { impliedVolatilityPlain } from "../../src/engine/plain-implied-volatility";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { compare, describe, type Measurement, type Ratio, ratioOf } from "../compare";
import { sampleOptions } from "./sample";

/** What the kernel must be worth against the plain twin, at 4,096 options. */
export const floor = 2.8;

/** Measures both contenders; few rounds make a smoke test. */
export async function benchImpliedVolatility(options: {
  readonly clock: Clock;
  readonly rounds: number;
  readonly rowsPerRound: number;
}): Promise<{ measurements: Measurement[]; ratios: Ratio[] }> {
  const engine = createEngine({ wasmBytes: readFileSync((await buildWasm()).path), version: "bench" });
  const sample = sampleOptions(4096);
  const { volatility: _, ...inputs } = sample.inputs;
  const request: ImpliedVolatilityRequest = {
    model: sample.model,
    count: sample.count,
    isCall: sample.isCall,
    inputs,
    price: engine.price(sample).columns.price!,
    onUnattainable: "null",
  };
  const measurements = compare(
    [
      { name: "plain TypeScript", rows: 4096, run: () => impliedVolatilityPlain(request) },
      { name: "kernel", rows: 4096, run: () => engine.impliedVolatility(request) },
    ],
    options,
  );
  const ratio = ratioOf(measurements, {
    name: "implied volatility, kernel against plain TypeScript",
    fast: "kernel",
    slow: "plain TypeScript",
    floor,
  });
  return { measurements, ratios: [ratio] };
}

if (import.meta.main) {
  const { measurements, ratios } = await benchImpliedVolatility({
    clock: systemClock,
    rounds: 31,
    rowsPerRound: 32_768,
  });
  process.stdout.write(describe("implied volatility", measurements, ratios));
}
