// American options: the kernel's schemes, its implied volatility and a ladder of spots that shares a boundary, beside the tree that everybody
// writes, Cox, Ross and Rubinstein's with 200 steps, in plain TypeScript. All ratios are of one run against that tree, which is off by some
// 1e-2 of a strike of 100 where `fast` is off by 1e-5.

import { readFileSync } from "node:fs";
import { buildWasm } from "../../build/wasm";
import { createEngine, type PriceRequest } from "../../src/engine/engine";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { compare, describe, type Measurement, type Ratio, ratioOf } from "../compare";

/**
 * What each must be worth against the tree: 12, 120, 100 and 1.5 microseconds an option on a machine where the tree takes 40, which
 * is what it took where nothing else ran.
 */
export const floors = { fast: 3.3, accurate: 0.33, volatility: 0.4, ladder: 27 } as const;

const treeSteps = 200;

/** An American put by Cox, Ross and Rubinstein's tree (1979). */
export function treePut(
  spot: number,
  strike: number,
  time: number,
  rate: number,
  dividendYield: number,
  volatility: number,
): number {
  const dt = time / treeSteps;
  const up = Math.exp(volatility * Math.sqrt(dt));
  const discount = Math.exp(-rate * dt);
  const chance = (Math.exp((rate - dividendYield) * dt) - 1 / up) / (up - 1 / up);
  const upper = discount * chance;
  const lower = discount * (1 - chance);
  const square = up * up;
  let price = spot / up ** treeSteps;
  for (let node = 0; node <= treeSteps; node++) {
    values[node] = Math.max(strike - price, 0);
    price *= square;
  }
  for (let step = treeSteps - 1; step >= 0; step--) {
    price = spot / up ** step;
    for (let node = 0; node <= step; node++) {
      values[node] = Math.max(upper * values[node + 1]! + lower * values[node]!, strike - price);
      price *= square;
    }
  }
  return values[0]!;
}

const values = new Float64Array(treeSteps + 1);

/** Puts as a market has them, no two with the same boundary. */
function sample(count: number, scheme: number): PriceRequest & { inputs: Record<string, Float64Array | number> } {
  const column = (low: number, high: number, stride: number) =>
    Float64Array.from({ length: count }, (_, row) => low + (high - low) * ((row * stride) % 1));
  return {
    model: "american",
    count,
    isCall: false,
    inputs: {
      spot: column(85, 120, 0.2360679774997897),
      strike: 100,
      time_to_expiry: column(0.08, 1, 0.4142135623730951),
      rate: column(0.02, 0.1, 0.7320508075688772),
      dividend_yield: column(0, 0.08, 0.23606797749978967),
      volatility: column(0.1, 0.6, 0.6457513110645907),
      scheme,
    },
    outputs: ["price"],
    units: "raw",
  };
}

/** Measures all contenders; few rounds make a smoke test. */
export async function benchAmerican(options: {
  readonly clock: Clock;
  readonly rounds: number;
  readonly rowsPerRound: number;
}): Promise<{ measurements: Measurement[]; ratios: Ratio[]; treeError: number }> {
  const engine = createEngine({ wasmBytes: readFileSync((await buildWasm()).path), version: "bench" });
  const rows = 256;
  const [fast, accurate, reference] = [0, 1, 2].map((scheme) => sample(rows, scheme)) as [
    ReturnType<typeof sample>,
    ReturnType<typeof sample>,
    ReturnType<typeof sample>,
  ];
  const greeks = { ...fast, outputs: ["price", "delta", "gamma", "vega", "theta", "rho"] } as const;
  const { volatility: _, ...known } = fast.inputs;
  const exact = engine.price(reference).columns.price!;
  // of prices that hold no time value there is no volatility: out of the money all have some
  const outside = { ...known, spot: (known.spot as Float64Array).map((spot) => Math.max(spot, 100)) };
  const quoted = engine.price({ ...fast, inputs: { ...outside, volatility: fast.inputs.volatility! } }).columns.price!;
  const ladder: PriceRequest = {
    ...fast,
    inputs: {
      strike: 100,
      time_to_expiry: 0.5,
      rate: 0.05,
      dividend_yield: 0.02,
      volatility: 0.25,
      scheme: 0,
      spot: Float64Array.from({ length: rows }, (_, row) => 85 + (35 * row) / rows),
    },
  };
  const of = (name: string, row: number) => (fast.inputs[name] as Float64Array)[row]!;
  const tree = Float64Array.from({ length: rows }, (_, row) => treeRow(row));
  function treeRow(row: number): number {
    const time = of("time_to_expiry", row);
    return treePut(of("spot", row), 100, time, of("rate", row), of("dividend_yield", row), of("volatility", row));
  }
  const treeError = Math.max(...tree.map((price, row) => Math.abs(price - exact[row]!)));
  const measurements = compare(
    [
      {
        name: "tree of 200 steps, plain TypeScript",
        rows,
        run: () => {
          for (let row = 0; row < rows; row++) tree[row] = treeRow(row);
        },
      },
      { name: "fast", rows, run: () => engine.price(fast) },
      { name: "fast, price and five Greeks", rows, run: () => engine.price(greeks) },
      { name: "accurate", rows, run: () => engine.price(accurate) },
      { name: "fast, a ladder's spot", rows, run: () => engine.price(ladder) },
      {
        name: "fast, implied volatility",
        rows,
        run: () =>
          engine.impliedVolatility({
            model: "american",
            count: rows,
            isCall: false,
            inputs: outside,
            price: quoted,
            onUnattainable: "null",
          }),
      },
    ],
    options,
  );
  const against = (name: string, contender: string, floor: number) =>
    ratioOf(measurements, {
      name: `american, ${name} against a tree of 200 steps`,
      fast: contender,
      slow: "tree of 200 steps, plain TypeScript",
      floor,
    });
  const ratios = [
    against("fast", "fast", floors.fast),
    against("accurate", "accurate", floors.accurate),
    against("implied volatility", "fast, implied volatility", floors.volatility),
    against("a ladder's spot", "fast, a ladder's spot", floors.ladder),
  ];
  return { measurements, ratios, treeError };
}

if (import.meta.main) {
  const { measurements, ratios, treeError } = await benchAmerican({
    clock: systemClock,
    rounds: 15,
    rowsPerRound: 1024,
  });
  process.stdout.write(describe("american", measurements, ratios));
  process.stdout.write(`the tree is off by ${treeError.toFixed(4)} at most, the strike being 100\n`);
}
