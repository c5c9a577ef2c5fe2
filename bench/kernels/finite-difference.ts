// Finite differences of 100 steps each way, and American options on an asset that pays two dividends, beside the tree that everybody writes (see
// american.ts), in plain TypeScript. All ratios are of one run against that tree.

import { readFileSync } from "node:fs";
import { buildWasm } from "../../build/wasm";
import { createEngine, type PriceRequest } from "../../src/engine/engine";
import { listsOf } from "../../src/engine/lists";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { compare, describe, type Measurement, type Ratio, ratioOf } from "../compare";
import { treePut } from "./american";

/**
 * What each must be worth against the tree: 50 microseconds a European and 80 an American option by 100 by 100 steps on a machine where the tree takes 40; for
 * dividends, of which no figure is published, what keeps a chain of a thousand options within a second.
 */
export const floors = { european: 0.8, american: 0.5, fast: 0.4, accurate: 0.13, volatility: 0.07 } as const;

/** Puts as a market has them, and a list of dividends each. */
function sample(count: number) {
  const column = (low: number, high: number, stride: number) =>
    Float64Array.from({ length: count }, (_, row) => low + (high - low) * ((row * stride) % 1));
  const time = column(0.08, 1, 0.4142135623730951);
  const inputs = {
    spot: column(90, 115, 0.2360679774997897),
    strike: 100,
    time_to_expiry: time,
    rate: column(0.02, 0.1, 0.7320508075688772),
    dividend_yield: column(0, 0.03, 0.23606797749978967),
    volatility: column(0.15, 0.6, 0.6457513110645907),
  };
  const dividends = listsOf(Array.from(time, (years) => [0.3 * years, 1, 0.8 * years, 1]));
  return { inputs, dividends };
}

/** Measures all contenders; few rounds make a smoke test. */
export async function benchFiniteDifference(options: {
  readonly clock: Clock;
  readonly rounds: number;
  readonly rowsPerRound: number;
}): Promise<{ measurements: Measurement[]; ratios: Ratio[] }> {
  const engine = createEngine({ wasmBytes: readFileSync((await buildWasm()).path), version: "bench" });
  const rows = 128;
  const { inputs, dividends } = sample(rows);
  const request = { count: rows, isCall: false, outputs: ["price", "delta", "gamma"], units: "raw" } as const;
  const grid = (exercise: number): PriceRequest => ({
    ...request,
    model: "finite_difference",
    inputs: { ...inputs, exercise, space_steps: 100, time_steps: 100 },
  });
  const american = (scheme: number): PriceRequest => ({
    ...request,
    model: "american",
    inputs: { ...inputs, scheme },
    lists: { discrete_dividends: dividends },
  });
  const { volatility: _, ...known } = inputs;
  const quoted = engine.price(american(0)).columns.price!;
  const tree = new Float64Array(rows);
  const tall = "tree of 200 steps, plain TypeScript";
  const measurements = compare(
    [
      {
        name: tall,
        rows,
        run: () => {
          for (let row = 0; row < rows; row++) {
            const of = (name: "spot" | "time_to_expiry" | "rate" | "dividend_yield" | "volatility") =>
              inputs[name][row]!;
            tree[row] = treePut(
              of("spot"),
              100,
              of("time_to_expiry"),
              of("rate"),
              of("dividend_yield"),
              of("volatility"),
            );
          }
        },
      },
      { name: "European, 100 by 100", rows, run: () => engine.price(grid(0)) },
      { name: "American, 100 by 100", rows, run: () => engine.price(grid(1)) },
      { name: "two dividends, fast", rows, run: () => engine.price(american(0)) },
      { name: "two dividends, accurate", rows, run: () => engine.price(american(1)) },
      {
        name: "two dividends, fast, implied volatility",
        rows,
        run: () =>
          engine.impliedVolatility({
            model: "american",
            count: rows,
            isCall: false,
            inputs: { ...known, scheme: 0 },
            lists: { discrete_dividends: dividends },
            price: quoted,
            onUnattainable: "null",
          }),
      },
    ],
    options,
  );
  const against = (contender: string, floor: number) =>
    ratioOf(measurements, {
      name: `finite differences, ${contender}, against a tree of 200 steps`,
      fast: contender,
      slow: tall,
      floor,
    });
  const ratios = [
    against("European, 100 by 100", floors.european),
    against("American, 100 by 100", floors.american),
    against("two dividends, fast", floors.fast),
    against("two dividends, accurate", floors.accurate),
    against("two dividends, fast, implied volatility", floors.volatility),
  ];
  return { measurements, ratios };
}

if (import.meta.main) {
  const { measurements, ratios } = await benchFiniteDifference({ clock: systemClock, rounds: 9, rowsPerRound: 256 });
  process.stdout.write(describe("finite differences", measurements, ratios));
}
