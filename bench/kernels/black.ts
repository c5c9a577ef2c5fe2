// Black–Scholes–Merton, price and five Greeks: the wasm kernel behind the engine against the plain TypeScript twin, columns in
// and fresh columns out on both sides. Run it alone with `bun bench/kernels/black.ts`, or all benches with `npm run bench`.

import { readFileSync } from "node:fs";
import { buildWasm } from "../../build/wasm";
import { createEngine } from "../../src/engine/engine";
import { pricePlain } from "../../src/engine/plain";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { compare, describe, type Measurement, type Ratio, ratioOf } from "../compare";
import { sampleOptions } from "./sample";

/** What the kernel must be worth against the plain twin, at 4,096 options. */
export const floor = 2.5;

/** Measures every contender; few rounds make a smoke test. */
export async function benchBlack(options: {
  readonly clock: Clock;
  readonly rounds: number;
  readonly rowsPerRound: number;
}): Promise<{ measurements: Measurement[]; ratios: Ratio[] }> {
  const engine = createEngine({ wasmBytes: readFileSync((await buildWasm()).path), version: "bench" });
  const many = sampleOptions(4096);
  const huge = sampleOptions(65_536);
  const one = sampleOptions(1);
  const { strike, volatility } = many.inputs;
  const chain = {
    ...many,
    inputs: {
      strike: strike!,
      volatility: volatility!,
      spot: 100,
      time_to_expiry: 0.5,
      rate: 0.03,
      dividend_yield: 0.01,
    },
  };
  const priceOnly = { ...many, outputs: ["price"] } as const;
  const measurements = compare(
    [
      { name: "plain TypeScript", rows: 4096, run: () => pricePlain(many) },
      { name: "kernel", rows: 4096, run: () => engine.price(many) },
      { name: "kernel, one expiry of a chain", rows: 4096, run: () => engine.price(chain) },
      { name: "kernel, price only", rows: 4096, run: () => engine.price(priceOnly) },
      { name: "plain TypeScript, many", rows: 65_536, run: () => pricePlain(huge) },
      { name: "kernel, many", rows: 65_536, run: () => engine.price(huge) },
    ],
    options,
  );
  // apart, and fewer: the small arrays of single calls leave the collector work that the others would pay for
  const singles = compare(
    [
      { name: "plain TypeScript, one option", rows: 1, run: () => pricePlain(one) },
      { name: "kernel, one option", rows: 1, run: () => engine.price(one) },
    ],
    { ...options, rowsPerRound: Math.ceil(options.rowsPerRound / 32) },
  );
  const ratio = ratioOf(measurements, {
    name: "price and five Greeks, kernel against plain TypeScript",
    fast: "kernel",
    slow: "plain TypeScript",
    floor,
  });
  return { measurements: [...measurements, ...singles], ratios: [ratio] };
}

if (import.meta.main) {
  const { measurements, ratios } = await benchBlack({ clock: systemClock, rounds: 31, rowsPerRound: 65_536 });
  process.stdout.write(describe("price and five Greeks", measurements, ratios));
}
