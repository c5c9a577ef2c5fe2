// Holds an engine against the golden tables of stochastic volatility and jumps that the executable carries: Heston over the whole domain, Merton's jump
// diffusion and SABR. Separate from the numbers so that tolerances stand in code; the tests use this same function.

import type { ModelName, OutputName } from "../catalog";
import type { PriceRequest, PriceResult } from "../engine";
import type { OutputCheck } from "../verify-report";
import heston from "./heston.json";
import mertonJump from "./merton-jump.json";
import sabr from "./sabr.json";

/** Price errors allowed, relative to the larger of underlying and strike. */
export const priceTolerances = { heston: 1e-14, merton_jump: 1e-14, sabr: 1e-14 } as const;
/** Greek errors allowed, in units of |value| + `floor` · the price's own scale over the input's. */
export const greekTolerance = 1e-10;
/** Below this part of its natural size a Greek's error counts absolutely. */
const floor = 1e-3;

interface NullableTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (number | null)[])[];
}

/** The tables by model. */
export const stochasticTables: Readonly<Record<keyof typeof priceTolerances, NullableTable>> = {
  heston,
  merton_jump: mertonJump,
  sabr,
};

/** Prices each table and tells the worst error of every output it has. A row that is not ok fails. */
export function checkStochastic(price: (request: PriceRequest) => PriceResult): OutputCheck[] {
  const models = Object.keys(stochasticTables) as (keyof typeof stochasticTables)[];
  return models.flatMap((model) => checkTable(model, stochasticTables[model], priceTolerances[model], price));
}

function checkTable(
  model: ModelName,
  { columns, rows }: NullableTable,
  tolerance: number,
  price: (request: PriceRequest) => PriceResult,
): OutputCheck[] {
  const column = (name: string) => Float64Array.from(rows, (row) => row[columns.indexOf(name)] ?? Number.NaN);
  const first = columns.indexOf("price");
  const outputs = columns.slice(first) as OutputName[];
  const inputs = Object.fromEntries(columns.slice(1, first).map((name) => [name, column(name)]));
  const underlying = column(columns[1]!);
  const strike = column("strike");
  const result = price({
    model,
    count: rows.length,
    isCall: Uint8Array.from(column("is_call")),
    inputs,
    outputs,
    units: "raw",
  });
  const isRefused = result.status.some((code) => code !== 0);
  return outputs.map((output): OutputCheck => {
    const expected = column(output);
    const known = Array.from(expected.keys()).filter((row) => !Number.isNaN(expected[row]!));
    const figures = known.map((row) => {
      const error = Math.abs(result.columns[output]![row]! - expected[row]!);
      if (output === "price") return error / Math.max(underlying[row]!, strike[row]!);
      return error / (Math.abs(expected[row]!) + floor * naturalSize(output, underlying[row]!, strike[row]!));
    });
    // of a NaN the maximum is NaN: a null where a value belongs can never pass
    const worst = Math.max(0, ...figures);
    const allowed = output === "price" ? tolerance : greekTolerance;
    const measure =
      output === "price" ? "relative to max(underlying, strike)" : `in units of abs(value) + ${floor} of its size`;
    return {
      table: model,
      output,
      measure,
      rows: known.length,
      worst,
      tolerance: allowed,
      passed: !isRefused && worst <= allowed,
    };
  });
}

/** What a Greek is where the option moves one for one with what it is differentiated by. */
function naturalSize(output: OutputName, underlying: number, strike: number): number {
  switch (output) {
    case "delta":
    case "charm":
    case "vanna":
    case "dual_delta":
      return 1;
    case "gamma":
    case "zomma":
    case "color":
      return 1 / underlying;
    case "dual_gamma":
      return 1 / strike;
    case "speed":
      return 1 / (underlying * underlying);
    default:
      return Math.max(underlying, strike);
  }
}
