// Holds an engine against the two golden tables of implied volatility that the executable carries. Separate from the numbers so
// that the tolerance stands in code, beside its reason; the tests use this same function. The first table has forward 1 and no
// rates (the solver alone), the second spot options with rates on both sides of the money (what precedes the solver as well);
// tests/golden/generate/implied_volatility.py makes the second.
//
// The measure: a price is a double, so its volatility is known to 2^-53·(1 + condition) relatively and no better, where
// condition = price/(vega·volatility). An error is counted in those units.

import type { Engine, ImpliedVolatilityRequest, ImpliedVolatilityResult } from "../engine";
import type { OutputCheck } from "../verify-report";
import forwardTable from "./implied-volatility-forward.json";
import spotTable from "./implied-volatility-spot.json";

/** Units of the attainable error a volatility may be off. The kernel stays below four. */
export const attainableUnitsMax = 6;
/** How far the stated attainable error may be from the table's, relatively, while it says something (condition up to 10^6). */
export const attainableErrorTolerance = 1e-6;
const conditionMax = 1e6;

type Table = typeof forwardTable | typeof spotTable;

/** A table's rows as a request. */
function requestOf(table: Table): ImpliedVolatilityRequest {
  const column = (name: string) => columnOf(table, name);
  const hasSpot = table.columns.includes("spot");
  return {
    model: "black_scholes_merton",
    count: table.rows.length,
    isCall: Uint8Array.from(column("is_call")),
    inputs: {
      spot: hasSpot ? column("spot") : 1,
      strike: column("strike"),
      time_to_expiry: column("time_to_expiry"),
      rate: hasSpot ? column("rate") : 0,
      dividend_yield: hasSpot ? column("dividend_yield") : 0,
    },
    price: column("price"),
    onUnattainable: "null",
  };
}

/** The golden tables by name, as requests with what they should give; `region` names the part of the domain a row lies in. */
export function goldenImpliedVolatilities(): readonly {
  readonly name: string;
  readonly request: ImpliedVolatilityRequest;
  readonly expected: Float64Array;
  readonly condition: Float64Array;
  readonly region: readonly string[];
}[] {
  const tables: [string, Table][] = [
    ["implied_volatility_forward", forwardTable],
    ["implied_volatility_spot", spotTable],
  ];
  return tables.map(([name, table]) => ({
    name,
    request: requestOf(table),
    expected: columnOf(table, "implied_volatility"),
    condition: columnOf(table, "condition"),
    region: table.rows.map((row) => String(row[0])),
  }));
}

/** Errors of a result in units of the attainable error, row by row; NaN where the row gave no volatility. */
export function errorsInAttainableUnits(
  result: Pick<ImpliedVolatilityResult, "impliedVolatility">,
  expected: Float64Array,
  condition: Float64Array,
): Float64Array {
  return expected.map((volatility, row) => {
    const unit = 2 ** -53 * (1 + condition[row]!);
    return Math.abs(result.impliedVolatility[row]! - volatility) / volatility / unit;
  });
}

/** Solves both tables and tells the worst error of the volatility and of the stated attainable error. A row that is not ok fails. */
export function checkImpliedVolatility(engine: Pick<Engine, "impliedVolatility">): OutputCheck[] {
  return goldenImpliedVolatilities().flatMap(({ name, request, expected, condition }) => {
    const result = engine.impliedVolatility(request);
    const isRefused = result.status.some((code) => code !== 0);
    const check = (output: string, measure: string, tolerance: number, sizes: readonly number[]): OutputCheck => {
      const worst = largest(sizes);
      const passed = !isRefused && worst <= tolerance;
      return { table: name, output, measure, rows: sizes.length, worst, tolerance, passed };
    };
    const units = errorsInAttainableUnits(result, expected, condition);
    const stated: number[] = [];
    for (const [row, size] of condition.entries()) {
      if (size <= conditionMax) stated.push(Math.abs(result.attainableError[row]! / (2 ** -53 * (1 + size)) - 1));
    }
    return [
      check("implied_volatility", "units of the attainable error", attainableUnitsMax, Array.from(units)),
      check("attainable_error", "relative", attainableErrorTolerance, stated),
    ];
  });
}

function columnOf(table: Table, column: string): Float64Array {
  const index = table.columns.indexOf(column);
  return Float64Array.from(table.rows, (row) => Number(row[index] ?? Number.NaN));
}

/** The largest of the sizes; NaN if one is NaN, so that a null where a value belongs can never pass. */
function largest(sizes: readonly number[]): number {
  let worst = 0;
  for (const size of sizes) if (!(size <= worst)) worst = Number.isNaN(worst) ? worst : size;
  return worst;
}
