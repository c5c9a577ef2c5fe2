// Holds an engine against the golden tables of implied volatility that the executable carries. Separate from the numbers so
// that the tolerance stands in code, beside its reason; the tests use this same function. The first table has forward 1 and no
// rates (the solver alone), the second spot options with rates on both sides of the money (what precedes the solver as well); then come the
// models mapped onto the same problem, with deviations σ√T from 1e-5 to 50, and the normal model. tests/golden/generate makes all
// but the first.
//
// The measure: a price is a double, so its volatility is known to 2^-53·(1 + condition) relatively and no better, where
// condition = price/(vega·volatility). An error is counted in those units.

import { type InputName, type ModelName, modelNamed } from "../catalog";
import type { Engine, ImpliedVolatilityRequest, ImpliedVolatilityResult } from "../engine";
import type { OutputCheck } from "../verify-report";
import bachelierTable from "./implied-volatility-bachelier.json";
import familyRows from "./implied-volatility-family.json";
import forwardTable from "./implied-volatility-forward.json";
import spotTable from "./implied-volatility-spot.json";

/** Units of the attainable error a volatility may be off. */
export const attainableUnitsMax = 4;
/** How far the stated attainable error may be from the table's, relatively, while it says something (condition up to 10^6). */
export const attainableErrorTolerance = 1e-6;
const conditionMax = 1e6;

/** Rows of exact inputs and answers; the first column is the region, in words. */
interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | boolean)[])[];
}

/** Where the table of the family's models has an input under a name they share. */
const sharedNames: Partial<Record<InputName, string>> = {
  spot: "underlying",
  forward: "underlying",
  foreign_rate: "other_rate",
};

/** A table's rows as a request; an input the table has no column of is 0, but for the spot, which is 1. */
function requestOf(table: Table, model: ModelName): ImpliedVolatilityRequest {
  const columnFor = (name: InputName) => {
    const column = [name, sharedNames[name]].find((each) => each !== undefined && table.columns.includes(each));
    return column === undefined ? Number(name === "spot") : columnOf(table, column);
  };
  const inputs = modelNamed(model).inputs.filter(({ name }) => name !== "volatility");
  return {
    model,
    count: table.rows.length,
    isCall: Uint8Array.from(columnOf(table, "is_call")),
    inputs: Object.fromEntries(inputs.map(({ name }) => [name, columnFor(name)])),
    price: columnOf(table, "price"),
    onUnattainable: "null",
  };
}

/** The family's rows of one model. */
function familyTable(model: ModelName): Table {
  const place = familyRows.columns.indexOf("model");
  return { columns: familyRows.columns, rows: familyRows.rows.filter((row) => row[place] === model) };
}

/** The golden tables by name, as requests with what they should give; `region` names the part of the domain a row lies in. */
export function goldenImpliedVolatilities(): readonly {
  readonly name: string;
  readonly request: ImpliedVolatilityRequest;
  readonly expected: Float64Array;
  readonly condition: Float64Array;
  readonly region: readonly string[];
}[] {
  const tables: [string, Table, ModelName][] = [
    ["implied_volatility_forward", forwardTable, "black_scholes_merton"],
    ["implied_volatility_spot", spotTable, "black_scholes_merton"],
    ["implied_volatility_black_76", familyTable("black_76"), "black_76"],
    ["implied_volatility_garman", familyTable("garman_kohlhagen"), "garman_kohlhagen"],
    ["implied_volatility_displaced", familyTable("displaced_black"), "displaced_black"],
    ["implied_volatility_bachelier", bachelierTable, "bachelier"],
  ];
  return tables.map(([name, table, model]) => ({
    name,
    request: requestOf(table, model),
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

/** Solves every table and tells the worst error of the volatility and of the stated attainable error. A row that is not ok fails. */
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
