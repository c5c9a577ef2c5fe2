// Holds an engine against the golden table of options on an asset that pays a cash dividend, by finite differences and, American ones, by the
// American model. Separate from the numbers so that tolerances stand in code; the tests use this same function. The table comes from
// integrals and is good to its nine digits: what is judged is the grids' own error, strikes being 100.

import type { PriceRequest, PriceResult } from "../engine";
import { listsOf } from "../lists";
import type { OutputCheck } from "../verify-report";
import table from "./dividends.json";
import { tableColumn } from "./price-table";

/** Largest errors allowed: finite differences with 400 steps each way, and `accurate`. */
export const dividendTolerances = {
  finite_difference: { price: 1e-3, delta: 2e-5 },
  american: { price: 5e-4, delta: 4e-5 },
} as const;

/** The rows of that exercise as a request of the model. */
export function dividendTableRequest(model: keyof typeof dividendTolerances, isAmerican: boolean): PriceRequest {
  const place = table.columns.indexOf("is_american");
  const rows = table.rows.filter((row) => row[place] === Number(isAmerican));
  const column = (name: string) => tableColumn({ columns: table.columns, rows }, name);
  const names = ["spot", "time_to_expiry", "rate", "volatility"] as const;
  const [times, amounts] = [column("dividend_time"), column("dividend_amount")];
  return {
    model,
    count: rows.length,
    isCall: Uint8Array.from(column("is_call")),
    inputs: {
      ...Object.fromEntries(names.map((name) => [name, column(name)])),
      strike: 100,
      ...(model === "american" ? { scheme: 1 } : { exercise: Number(isAmerican), space_steps: 400, time_steps: 400 }),
    },
    lists: { discrete_dividends: listsOf(rows.map((_, row) => [times[row]!, amounts[row]!])) },
    outputs: ["price", "delta"],
    units: "raw",
  };
}

/** Prices the table and tells the largest error of each output. A row that is not ok fails. */
export function checkDividends(price: (request: PriceRequest) => PriceResult): OutputCheck[] {
  return (["finite_difference", "american"] as const).flatMap((model) =>
    (["price", "delta"] as const).map((output): OutputCheck => {
      let worst = 0;
      let rows = 0;
      let isRefused = false;
      for (const isAmerican of model === "american" ? [true] : [false, true]) {
        const request = dividendTableRequest(model, isAmerican);
        const { columns, status } = price(request);
        const place = table.columns.indexOf("is_american");
        const own = table.rows.filter((row) => row[place] === Number(isAmerican));
        const expected = tableColumn({ columns: table.columns, rows: own }, output);
        // of a NaN the maximum is NaN: a null where a value belongs can never pass
        worst = Math.max(worst, ...columns[output]!.map((value, row) => Math.abs(value - expected[row]!)));
        isRefused ||= status.some((code) => code !== 0);
        rows += request.count;
      }
      const tolerance = dividendTolerances[model][output];
      const passed = !isRefused && worst <= tolerance;
      return { table: `${model}_dividends`, output, measure: "absolute, strike 100", rows, worst, tolerance, passed };
    }),
  );
}
