// Holds an engine against the golden tables of American options that the executable carries: the portfolio of Andersen, Lake and
// Offengenden for the prices of each scheme, and calls and puts with delta and gamma. Separate from the numbers so that tolerances stand in
// code; the tests use this same function. The tables are an independent scheme's, good to some 1e-7 of a strike of 100: what an error
// is beyond a row's own is judged, and nothing is asked beyond that.

import type { PriceRequest, PriceResult } from "../engine";
import type { OutputCheck } from "../verify-report";
import portfolio from "./american.json";
import greeks from "./american-greeks.json";
import { type PriceTable, tableColumn } from "./price-table";

/** Schemes in the catalog's order, and the root mean square error allowed each on the portfolio, whose strike is 100. */
export const portfolioTolerances = { fast: 6e-5, accurate: 3.5e-6, reference: 1e-6 } as const;

/** What `accurate` may be off on the second table beyond a row's own error, strikes being around 100: gamma in units of 1e-4 of itself plus 1e-6. */
export const greekTolerances = { price: 1e-5, delta: 1e-5, gamma: 1 } as const;

/** Rows whose gamma is not known better than this straddle the boundary. */
const gammaErrorMax = 1e-5;

/** The portfolio's rows as a request, by the scheme of that place in the catalog's list. */
export function portfolioRequest(table: PriceTable, scheme: number): PriceRequest {
  return {
    model: "american",
    count: table.rows.length,
    isCall: false,
    inputs: {
      spot: tableColumn(table, "spot"),
      strike: 100,
      time_to_expiry: tableColumn(table, "days").map((days) => days / 365),
      rate: tableColumn(table, "rate"),
      dividend_yield: tableColumn(table, "dividend_yield"),
      volatility: tableColumn(table, "volatility"),
      scheme,
    },
    outputs: ["price"],
    units: "raw",
  };
}

/** The root mean square difference of two columns; NaN where one holds a NaN. */
export function rootMeanSquare(computed: Float64Array, expected: Float64Array): number {
  const sum = computed.reduce((total, value, row) => total + (value - expected[row]!) ** 2, 0);
  return Math.sqrt(sum / computed.length);
}

/** Prices both tables and tells their errors. A row that is not ok fails. */
export function checkAmerican(price: (request: PriceRequest) => PriceResult): OutputCheck[] {
  const names = Object.keys(portfolioTolerances) as (keyof typeof portfolioTolerances)[];
  const schemes = names.map((name, scheme): OutputCheck => {
    // the dearest scheme on a sixth of the rows, or it would take longer than all other tables
    const rows = name === "reference" ? portfolio.rows.filter((_, row) => row % 6 === 0) : portfolio.rows;
    const table: PriceTable = { columns: portfolio.columns, rows };
    const expected = tableColumn(table, "price");
    const { columns, status } = price(portfolioRequest(table, scheme));
    const worst = rootMeanSquare(columns.price!, expected);
    const tolerance = portfolioTolerances[name];
    const passed = status.every((code) => code === 0) && worst <= tolerance;
    const measure = "root mean square, strike 100";
    return { table: `american_${name}`, output: "price", measure, rows: expected.length, worst, tolerance, passed };
  });
  return [...schemes, ...checkGreeks(price)];
}

function checkGreeks(price: (request: PriceRequest) => PriceResult): OutputCheck[] {
  const known = greeks.rows.filter((row) => row[greeks.columns.indexOf("gamma_error")]! <= gammaErrorMax);
  const table: PriceTable = { columns: greeks.columns, rows: known };
  const names = ["spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility"] as const;
  const { columns, status } = price({
    model: "american",
    count: known.length,
    isCall: Uint8Array.from(tableColumn(table, "is_call")),
    inputs: Object.fromEntries(names.map((name) => [name, tableColumn(table, name)])),
    outputs: ["price", "delta", "gamma"],
    units: "raw",
  });
  return (["price", "delta", "gamma"] as const).map((output): OutputCheck => {
    const expected = tableColumn(table, output);
    const own = tableColumn(table, `${output}_error`);
    const errors = Array.from(columns[output]!, (value, row) => {
      const beyond = Math.abs(value - expected[row]!) - 2 * own[row]!;
      return beyond / (output === "gamma" ? 1e-4 * Math.abs(expected[row]!) + 1e-6 : 1);
    });
    // of a NaN the maximum is NaN: a null where a value belongs can never pass
    const worst = Math.max(0, ...errors);
    const tolerance = greekTolerances[output];
    const passed = status.every((code) => code === 0) && worst <= tolerance;
    const measure = output === "gamma" ? "in units of 1e-4 |value| + 1e-6" : "absolute, beyond the table's own";
    return { table: "american_greeks", output, measure, rows: known.length, worst, tolerance, passed };
  });
}
