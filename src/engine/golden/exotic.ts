// The golden tables of digital, barrier, lookback and Asian options that the executable carries, held against an engine. Separate from price-table
// because these prices are sums of several terms, of which a Greek may be the small rest: an error counts against the value and its natural
// size, the price's divided by each input's own scale.

import { modelNamed, type OutputName } from "../catalog";
import type { PriceRequest, PriceResult } from "../engine";
import { type Lists, listsOf } from "../lists";
import type { OutputCheck } from "../verify-report";
import asian from "./asian.json";
import barrier from "./barrier.json";
import digital from "./digital.json";
import lookback from "./lookback.json";
import { type PriceTable, tableColumn } from "./price-table";

/** The table of each model. */
export const exoticTables = { digital, barrier, lookback, asian } as const satisfies Record<string, PriceTable>;
export type ExoticTable = keyof typeof exoticTables;

/** Error allowed, relative to the value and its natural size: a few, or a few dozen, roundings of the terms it is the sum of. */
export const exoticTolerances = { price: 1e-15, greek: 2e-14 } as const;

/** By which inputs, s spot or strike, v volatility, t time, r rates, an output is differentiated. */
const differentiated: Partial<Record<OutputName, string>> = {
  price: "",
  delta: "s",
  gamma: "ss",
  vega: "v",
  theta: "t",
  rho: "r",
  dividend_rho: "r",
  vanna: "sv",
  volga: "vv",
  charm: "st",
  veta: "vt",
  speed: "sss",
  zomma: "ssv",
  color: "sst",
  ultima: "vvv",
  dual_delta: "s",
  dual_gamma: "ss",
};

/** The table as a request for every output it has, in raw units. */
export function exoticTableRequest(model: ExoticTable): PriceRequest {
  const table: PriceTable = exoticTables[model];
  const names = modelNamed(model).inputs.map(({ name }) => name);
  return {
    model,
    count: table.rows.length,
    isCall: Uint8Array.from(tableColumn(table, "is_call")),
    inputs: Object.fromEntries(
      names.filter((name) => table.columns.includes(name)).map((name) => [name, tableColumn(table, name)]),
    ),
    ...(model === "asian" ? { lists: { fixings: fixingsOf(table) } } : {}),
    outputs: modelNamed(model).outputs.filter((output) => output in differentiated),
    units: "raw",
  };
}

/** A table names how many fixings there are; they lie evenly, the last at expiry. */
function fixingsOf(table: PriceTable): Lists {
  const times = tableColumn(table, "time_to_expiry");
  const counts = tableColumn(table, "fixing_count");
  return listsOf(
    Array.from(counts, (count, row) => Array.from({ length: count }, (_, at) => (times[row]! * (at + 1)) / count)),
  );
}

/** Prices the tables with the given pricer and tells the worst error of every output. A row that is not ok fails. */
export function checkExotic(
  price: (request: PriceRequest) => PriceResult,
  models: readonly ExoticTable[] = ["digital", "barrier", "lookback", "asian"],
): OutputCheck[] {
  return models.flatMap((model) => {
    const table: PriceTable = exoticTables[model];
    const request = exoticTableRequest(model);
    const { columns, status } = price(request);
    const isRefused = status.some((code) => code !== 0);
    const [spots, strikes, times, volatilities] = (["spot", "strike", "time_to_expiry", "volatility"] as const).map(
      (name) => tableColumn(table, name),
    ) as [Float64Array, Float64Array, Float64Array, Float64Array];
    return request.outputs.map((output): OutputCheck => {
      const expected = tableColumn(table, output);
      const figures = Array.from(expected, (value, row) => {
        const size = Math.max(spots[row]!, strikes[row]!);
        const deviation = Math.min(1, volatilities[row]! * Math.sqrt(times[row]!));
        const scales: Record<string, number> = {
          s: size * deviation,
          v: volatilities[row]!,
          t: times[row]!,
          r: 1 / times[row]!,
        };
        const natural = [...differentiated[output]!].reduce((left, input) => left / scales[input]!, size);
        return Math.abs(columns[output]![row]! - value) / (Math.abs(value) + natural);
      });
      // of a NaN the maximum is NaN: a null where a value belongs can never pass
      const worst = Math.max(...figures);
      const tolerance = output === "price" ? exoticTolerances.price : exoticTolerances.greek;
      return {
        table: model,
        output,
        measure: "relative to value and natural size",
        rows: figures.length,
        worst,
        tolerance,
        passed: !isRefused && worst <= tolerance,
      };
    });
  });
}
