// Holds an engine against a golden table of prices and Greeks that the executable carries, one table a model. Separate from the
// numbers so that the tolerances stand in code, beside the reason for each; the tests use this same function.

import { type InputName, type ModelName, modelNamed, type OutputName } from "../catalog";
import type { PriceRequest, PriceResult } from "../engine";
import type { OutputCheck } from "../verify-report";

/** Price error allowed, relative to the larger of underlying and strike: five roundings of the two terms it is the difference of. */
export const priceTolerance = 1e-15;
/** Greek error allowed relative to its value, where that is larger than `smallGreek`. */
export const greekTolerance = 1e-13;
/** Below this a Greek's absolute error counts: it is zero for every purpose. */
export const smallGreek = 1e-12;
/** Absolute error allowed on those. */
export const smallGreekTolerance = 1e-24;

/** Rows of exact inputs and outputs; columns bear wire names, but for `is_call`, which is 0 or 1. */
export interface PriceTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly number[])[];
}

/** One column of a table by its wire name; NaN where it has none of that name. */
export function tableColumn(table: PriceTable, name: string): Float64Array {
  const index = table.columns.indexOf(name);
  return Float64Array.from(table.rows, (row) => row[index] ?? Number.NaN);
}

/** The table's rows as a request for every output the model has, in raw units. */
export function tableRequest(model: ModelName, table: PriceTable): PriceRequest {
  const { inputs, outputs } = modelNamed(model);
  return {
    model,
    count: table.rows.length,
    isCall: Uint8Array.from(tableColumn(table, "is_call")),
    inputs: Object.fromEntries(inputs.map(({ name }) => [name, tableColumn(table, name)])),
    outputs,
    units: "raw",
  };
}

/** Prices the table with the given pricer and tells the worst error of every output. A row that is not ok fails. */
export function checkPriceTable(
  model: ModelName,
  table: PriceTable,
  price: (request: PriceRequest) => PriceResult,
): OutputCheck[] {
  const request = tableRequest(model, table);
  const { columns, status } = price(request);
  const isRefused = status.some((code) => code !== 0);
  const sizeOf = sizes(model, table);
  const isForward = modelNamed(model).inputs.some(({ name }) => name === "forward");
  return request.outputs.flatMap((output: OutputName) => {
    const expected = tableColumn(table, output);
    const computed = columns[output] ?? new Float64Array(expected.length).fill(Number.NaN);
    const errors = expected.map((value, row) => Math.abs(computed[row]! - value));
    const check = (measure: string, tolerance: number, figures: readonly number[]): OutputCheck => {
      const worst = largest(figures);
      return {
        table: model,
        output,
        measure,
        rows: figures.length,
        worst,
        tolerance,
        passed: !isRefused && worst <= tolerance,
      };
    };
    if (output === "price") {
      const figures = Array.from(errors, (error, row) => error / sizeOf[row]!);
      return [check("relative to max(underlying, strike)", priceTolerance, figures)];
    }
    // the normal model is given no allowance: its price is right relatively to itself, however small
    if (model !== "bachelier" && (output === "lambda" || (output === "rho" && isForward))) {
      // a multiple or a quotient of the price: relative to its value, but for what the price's own tolerance makes of it
      const prices = tableColumn(table, "price");
      const figures = Array.from(errors, (error, row) => {
        const allowance = 1 + (priceTolerance / greekTolerance) * (sizeOf[row]! / prices[row]!);
        // where the computed price is 0 lambda is null
        const isNull =
          output === "lambda" && columns.price?.[row] === 0 && prices[row]! <= priceTolerance * sizeOf[row]!;
        return isNull ? 0 : error / (Math.abs(expected[row]!) * allowance);
      });
      return [check("relative, beyond the price's own error", greekTolerance, figures)];
    }
    const isLarge = (_: number, row: number) => Math.abs(expected[row]!) > smallGreek;
    const relative = Array.from(errors, (error, row) => error / Math.abs(expected[row]!));
    const small = Array.from(errors).filter((_, row) => !isLarge(_, row));
    return [
      check("relative", greekTolerance, relative.filter(isLarge)),
      ...(small.length === 0 ? [] : [check(`absolute, where |value| ≤ ${smallGreek}`, smallGreekTolerance, small)]),
    ];
  });
}

/**
 * What a price's error is measured in: the larger of underlying and strike, both displaced where the model displaces them; in the
 * normal model, where both may be zero, the largest of their magnitudes and the deviation volatility·√time, times the discount
 * factor where a negative rate makes it larger than 1.
 */
function sizes(model: ModelName, table: PriceTable): number[] {
  const has = (name: InputName) => modelNamed(model).inputs.some((input) => input.name === name);
  const underlyings = tableColumn(table, has("spot") ? "spot" : "forward");
  const strikes = tableColumn(table, "strike");
  if (model === "bachelier") {
    const volatilities = tableColumn(table, "volatility");
    const times = tableColumn(table, "time_to_expiry");
    const rates = tableColumn(table, "rate");
    return Array.from(strikes, (strike, row) => {
      const deviation = volatilities[row]! * Math.sqrt(times[row]!);
      const growth = Math.max(1, Math.exp(-rates[row]! * times[row]!));
      return Math.max(Math.abs(underlyings[row]!), Math.abs(strike), deviation) * growth;
    });
  }
  const displacements = has("displacement") ? tableColumn(table, "displacement") : strikes.map(() => 0);
  return Array.from(strikes, (strike, row) => Math.max(underlyings[row]!, strike) + displacements[row]!);
}

/** The largest of the figures; NaN if one is NaN, so that a null where a value belongs can never pass. */
function largest(figures: readonly number[]): number {
  let worst = 0;
  for (const figure of figures) if (!(figure <= worst)) worst = Number.isNaN(worst) ? worst : figure;
  return worst;
}
