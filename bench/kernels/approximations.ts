// The approximations of American options and our own tree beside the tree of 200 steps in plain TypeScript that stands for it in the bench of American
// options: prices alone, price with five Greeks, and every Greek. All ratios are of one run against that tree.

import { readFileSync } from "node:fs";
import { buildWasm } from "../../build/wasm";
import { defaultOutputs, modelNamed, type OutputName } from "../../src/engine/catalog";
import { createEngine, type PriceRequest } from "../../src/engine/engine";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { compare, describe, type Measurement, type Ratio, ratioOf } from "../compare";
import { treePut } from "./american";

/**
 * What each must be worth against the tree: 700 nanoseconds an option, 25 microseconds of our own tree, on a machine where the plain tree takes
 * 40. Bjerksund and Stensland's two steps, forty normal laws and twenty of two variables, are nearest to it.
 */
export const floors = {
  barone_adesi_whaley: 57,
  ju_zhong: 57,
  bjerksund_stensland_1993: 57,
  bjerksund_stensland_2002: 57,
  binomial: 1.6,
} as const;

type Model = keyof typeof floors;

const treeName = "tree of 200 steps, plain TypeScript";
const nameOf = (model: Model) => (model === "binomial" ? "binomial, 200 steps" : model);

/** Options as a market has them, calls and puts in turn. */
function request(model: Model, rows: number, outputs: readonly OutputName[]): PriceRequest {
  const column = (low: number, high: number, stride: number) =>
    Float64Array.from({ length: rows }, (_, row) => low + (high - low) * ((row * stride) % 1));
  return {
    model,
    count: rows,
    isCall: Uint8Array.from({ length: rows }, (_, row) => row & 1),
    inputs: {
      spot: column(85, 120, 0.2360679774997897),
      strike: 100,
      time_to_expiry: column(0.08, 1, 0.4142135623730951),
      rate: column(0.02, 0.1, 0.7320508075688772),
      dividend_yield: column(0, 0.08, 0.23606797749978967),
      volatility: column(0.1, 0.6, 0.6457513110645907),
      ...(model === "binomial" ? { steps: 200 } : {}),
    },
    outputs,
    units: "raw",
  };
}

/** Measures all contenders; few rounds make a smoke test. */
export async function benchApproximations(options: {
  readonly clock: Clock;
  readonly rounds: number;
  readonly rowsPerRound: number;
}): Promise<{ measurements: Measurement[]; ratios: Ratio[] }> {
  const engine = createEngine({ wasmBytes: readFileSync((await buildWasm()).path), version: "bench" });
  const models = Object.keys(floors) as Model[];
  const plain = request("barone_adesi_whaley", 32, ["price"]).inputs as Record<string, Float64Array>;
  const contenders = models.flatMap((model) => {
    const rows = model === "binomial" ? 32 : 1024;
    const price = request(model, rows, ["price"]);
    const five = request(model, rows, defaultOutputs);
    const all = request(model, rows, modelNamed(model).outputs);
    return [
      { name: nameOf(model), rows, run: () => engine.price(price) },
      { name: `${nameOf(model)}, five Greeks`, rows, run: () => engine.price(five) },
      { name: `${nameOf(model)}, all Greeks`, rows, run: () => engine.price(all) },
    ];
  });
  let sum = 0;
  const tree = {
    name: treeName,
    rows: 32,
    run: () => {
      for (let row = 0; row < 32; row++) {
        const of = (name: string) => plain[name]![row]!;
        sum += treePut(of("spot"), 100, of("time_to_expiry"), of("rate"), of("dividend_yield"), of("volatility"));
      }
      return sum;
    },
  };
  const measurements = compare([tree, ...contenders], options);
  const ratios = models.map((model) =>
    ratioOf(measurements, {
      name: `${nameOf(model)} against a tree of 200 steps`,
      fast: nameOf(model),
      slow: treeName,
      floor: floors[model],
    }),
  );
  return { measurements, ratios };
}

if (import.meta.main) {
  const { measurements, ratios } = await benchApproximations({ clock: systemClock, rounds: 25, rowsPerRound: 1024 });
  process.stdout.write(describe("approximations", measurements, ratios));
}
