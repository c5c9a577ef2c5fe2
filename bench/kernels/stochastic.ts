// Heston, Merton's jump diffusion, SABR and simulations beside the tree of 200 steps that stands for plain TypeScript in the bench of American options. All ratios
// are of one run against that tree. A chain is 64 strikes of one expiry, priced anew each time: no round has parameters that an earlier one had.

import { readFileSync } from "node:fs";
import { buildWasm } from "../../build/wasm";
import { defaultOutputs, type ModelName, type OutputName } from "../../src/engine/catalog";
import { createEngine, type PriceRequest } from "../../src/engine/engine";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { compare, describe, type Measurement, type Ratio, ratioOf } from "../compare";
import { treePut } from "./american";

/**
 * What each must be worth against one tree: a chain of 64 strikes 100 microseconds where the tree takes 40; the others about two thirds of what was measured
 * where nothing else ran.
 */
export const floors = { hestonChain: 0.4, hestonGreeks: 0.23, mertonJump: 13, sabr: 65, simulation: 0.5 } as const;

const strikes = 64;
const market = { spot: 100, rate: 0.02, dividend_yield: 0.01 };
const strike = Float64Array.from({ length: strikes }, (_, row) => 60 + (80 * row) / strikes);
const isCall = Uint8Array.from({ length: strikes }, (_, row) => row & 1);

function chain(model: ModelName, terms: Record<string, number>, outputs: readonly OutputName[]): PriceRequest {
  return {
    model,
    count: strikes,
    isCall,
    inputs: { strike, time_to_expiry: 0.5, ...terms },
    outputs,
    units: "raw",
  };
}

/** Measures all contenders; few rounds make a smoke test. */
export async function benchStochastic(options: {
  readonly clock: Clock;
  readonly rounds: number;
  readonly rowsPerRound: number;
}): Promise<{ measurements: Measurement[]; ratios: Ratio[] }> {
  const engine = createEngine({ wasmBytes: readFileSync((await buildWasm()).path), version: "bench" });
  const heston = { ...market, kappa: 1.5, long_variance: 0.05, vol_of_vol: 0.6, correlation: -0.7 };
  const jumps = { ...market, volatility: 0.2, jump_intensity: 2, jump_mean: -0.1, jump_volatility: 0.15 };
  const sabr = { forward: 100, rate: 0.02, initial_volatility: 0.25, beta: 0.8, vol_of_vol: 0.6, correlation: -0.4 };
  const paths = { ...market, volatility: 0.25, paths: 1024, strike: 105, time_to_expiry: 0.5 };
  let round = 0;
  const fresh = (outputs: readonly OutputName[]) => () => {
    round++;
    engine.price(chain("heston", { ...heston, v0: 0.04 + 1e-9 * round }, outputs));
  };
  const simulate = (exercise: number) => () => {
    const inputs = { ...paths, exercise, steps: 16 };
    engine.price({ model: "monte_carlo", count: 1, isCall: false, inputs, outputs: ["price"], units: "raw" });
  };
  const slow = "tree of 200 steps, plain TypeScript";
  const held = { ...heston, v0: 0.04 };
  const measurements = compare(
    [
      { name: slow, rows: 1, run: () => treePut(100, 105, 0.5, 0.05, 0.02, 0.25) },
      { name: "heston, a chain of 64 strikes", rows: 1, run: fresh(["price"]) },
      { name: "heston, a chain with five Greeks", rows: 1, run: fresh(defaultOutputs) },
      {
        name: "heston, an option of a known expiry",
        rows: strikes,
        run: () => engine.price(chain("heston", held, ["price"])),
      },
      {
        name: "merton_jump, an option with five Greeks",
        rows: strikes,
        run: () => engine.price(chain("merton_jump", jumps, defaultOutputs)),
      },
      {
        name: "sabr, an option with five Greeks",
        rows: strikes,
        run: () => engine.price(chain("sabr", sabr, defaultOutputs)),
      },
      { name: "monte_carlo, European, 1,024 paths", rows: 1, run: simulate(0) },
      { name: "monte_carlo, American, 1,024 paths of 16 dates", rows: 1, run: simulate(1) },
    ],
    options,
  );
  const against = (name: string, floor: number) =>
    ratioOf(measurements, { name: `${name}, against a tree of 200 steps`, fast: name, slow, floor });
  const ratios = [
    against("heston, a chain of 64 strikes", floors.hestonChain),
    against("heston, a chain with five Greeks", floors.hestonGreeks),
    against("merton_jump, an option with five Greeks", floors.mertonJump),
    against("sabr, an option with five Greeks", floors.sabr),
    against("monte_carlo, European, 1,024 paths", floors.simulation),
  ];
  return { measurements, ratios };
}

if (import.meta.main) {
  const { measurements, ratios } = await benchStochastic({ clock: systemClock, rounds: 15, rowsPerRound: 256 });
  process.stdout.write(describe("stochastic volatility, jumps and simulation", measurements, ratios));
}
