// Holds an engine against the golden table of Black–Scholes–Merton that the executable carries. Separate from the numbers so
// that the tolerances stand in code, beside the reason for each; the tests use this same function.

import { defaultOutputs } from "../catalog";
import type { PriceRequest, PriceResult } from "../engine";
import type { OutputCheck } from "../verify-report";
import table from "./black-scholes-merton.json";

/** Price error allowed, relative to the larger of spot and strike: five roundings of the two terms it is the difference of. */
export const priceTolerance = 1e-15;
/** Greek error allowed relative to its value, where that is larger than `smallGreek`. */
export const greekTolerance = 1e-13;
/** Below this a Greek's absolute error counts: it is zero for every purpose. */
export const smallGreek = 1e-12;
/** Absolute error allowed on those. */
export const smallGreekTolerance = 1e-24;

const name = "black_scholes_merton";

/** The table's rows as a request, in raw units. */
export function goldenRequest(): PriceRequest {
  return {
    model: name,
    count: table.rows.length,
    isCall: Uint8Array.from(goldenColumn("is_call")),
    inputs: {
      spot: goldenColumn("spot"),
      strike: goldenColumn("strike"),
      time_to_expiry: goldenColumn("time_to_expiry"),
      rate: goldenColumn("rate"),
      dividend_yield: goldenColumn("dividend_yield"),
      volatility: goldenColumn("volatility"),
    },
    outputs: defaultOutputs,
    units: "raw",
  };
}

/** One column of the table by its wire name. */
export function goldenColumn(column: string): Float64Array {
  const index = table.columns.indexOf(column);
  return Float64Array.from(table.rows, (row) => row[index] ?? Number.NaN);
}

/** Prices the table with the given pricer and tells the worst error of every output. A row that is not ok fails. */
export function checkBlackScholesMerton(price: (request: PriceRequest) => PriceResult): OutputCheck[] {
  const request = goldenRequest();
  const { columns, status } = price(request);
  const isRefused = status.some((code) => code !== 0);
  const spots = goldenColumn("spot");
  const strikes = goldenColumn("strike");
  return defaultOutputs.flatMap((output) => {
    const expected = goldenColumn(output);
    const computed = columns[output] ?? new Float64Array(expected.length).fill(Number.NaN);
    const errors = expected.map((value, row) => Math.abs(computed[row]! - value));
    const check = (measure: string, tolerance: number, sizes: readonly number[]): OutputCheck => {
      const worst = largest(sizes);
      return {
        table: name,
        output,
        measure,
        rows: sizes.length,
        worst,
        tolerance,
        passed: !isRefused && worst <= tolerance,
      };
    };
    if (output === "price") {
      const sizes = Array.from(errors, (error, row) => error / Math.max(spots[row]!, strikes[row]!));
      return [check("relative to max(spot, strike)", priceTolerance, sizes)];
    }
    const isLarge = (_: number, row: number) => Math.abs(expected[row]!) > smallGreek;
    const relative = Array.from(errors, (error, row) => error / Math.abs(expected[row]!));
    return [
      check("relative", greekTolerance, relative.filter(isLarge)),
      check(
        `absolute, where |value| ≤ ${smallGreek}`,
        smallGreekTolerance,
        Array.from(errors).filter((_, row) => !isLarge(_, row)),
      ),
    ];
  });
}

/** The largest of the sizes; NaN if one is NaN, so that a null where a value belongs can never pass. */
function largest(sizes: readonly number[]): number {
  let worst = 0;
  for (const size of sizes) if (!(size <= worst)) worst = Number.isNaN(worst) ? worst : size;
  return worst;
}
