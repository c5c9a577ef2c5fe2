// Holds an engine against published values of the approximations of American options and of binomial trees. Separate from the numbers so that
// what each is judged by stands in code; the tests use this same function. The sources' tolerances are those of their printed digits, or what the source
// itself says it is good to: 0.003 of Barone-Adesi and Whaley's table.

import type { InputName, ModelName } from "../catalog";
import type { PriceRequest, PriceResult } from "../engine";
import type { OutputCheck } from "../verify-report";
import published from "./approximations.json";
import { type PriceTable, tableColumn } from "./price-table";

const names = ["spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility"] as const;

/**
 * An American put by trees of Cox, Ross and Rubinstein as Hull prints it (Options, Futures, and Other Derivatives, 7th edition, chapter 19): spot and
 * strike 50, five months, 10 %, volatility 40 %; by number of steps.
 */
export const hullSteps: readonly (readonly [steps: number, price: number])[] = [
  [5, 4.488],
  [30, 4.263],
  [50, 4.272],
  [100, 4.278],
  [500, 4.283],
];
/** Half a unit of the last printed digit. */
const hullTolerance = 5e-4;

/** Prices every table and tells the worst error of each. A row that is not ok fails. */
export function checkApproximations(price: (request: PriceRequest) => PriceResult): OutputCheck[] {
  const checks = Object.entries(published.models).map(([model, { rows, tolerance }]): OutputCheck => {
    const table: PriceTable = { columns: published.columns, rows };
    const { columns, status } = price({
      model: model as ModelName,
      count: rows.length,
      isCall: Uint8Array.from(tableColumn(table, "is_call")),
      inputs: Object.fromEntries(names.map((name) => [name, tableColumn(table, name)])),
      outputs: ["price"],
      units: "raw",
    });
    return judged(model, columns.price!, tableColumn(table, "price"), status, tolerance);
  });
  return [...checks, checkHull(price)];
}

function checkHull(price: (request: PriceRequest) => PriceResult): OutputCheck {
  const inputs: Partial<Record<InputName, number>> = {
    spot: 50,
    strike: 50,
    time_to_expiry: 5 / 12,
    rate: 0.1,
    dividend_yield: 0,
    volatility: 0.4,
    tree: 0,
  };
  const { columns, status } = price({
    model: "binomial",
    count: hullSteps.length,
    isCall: false,
    inputs: { ...inputs, steps: Float64Array.from(hullSteps, ([steps]) => steps) },
    outputs: ["price"],
    units: "raw",
  });
  const expected = Float64Array.from(hullSteps, ([, value]) => value);
  return judged("binomial", columns.price!, expected, status, hullTolerance);
}

function judged(
  table: string,
  computed: Float64Array,
  expected: Float64Array,
  status: Int32Array,
  tolerance: number,
): OutputCheck {
  const errors = Array.from(computed, (value, row) => Math.abs(value - expected[row]!));
  // of a NaN the maximum is NaN: a null where a value belongs can never pass
  const worst = Math.max(0, ...errors);
  const passed = status.every((code) => code === 0) && worst <= tolerance;
  return { table, output: "price", measure: "absolute", rows: expected.length, worst, tolerance, passed };
}
