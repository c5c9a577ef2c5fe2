// Options for tests of finite differences and of dividends: a row by name, and how it is priced.

import { modelNamed, type OutputName } from "../../src/engine/catalog";
import type { Engine, PriceRequest } from "../../src/engine/engine";
import { type Lists, listsOf } from "../../src/engine/lists";
import { seededRandom } from "../../src/foundation/random";

/** One option on an asset that pays dividends: years and amounts in turns, soonest first. */
export interface DividendRow {
  readonly isCall: boolean;
  readonly spot: number;
  readonly strike: number;
  readonly time_to_expiry: number;
  readonly rate: number;
  readonly dividend_yield: number;
  readonly volatility: number;
  readonly dividends: readonly number[];
}

export const gridOutputs: readonly OutputName[] = modelNamed("finite_difference").outputs;

/** What the American model has where there are dividends. */
export const dividendOutputs: readonly OutputName[] = [...gridOutputs, "early_exercise_premium"];

const names = ["spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility"] as const;

/** Columns of the rows' numbers. */
export function columnsOf(rows: readonly DividendRow[]): Record<(typeof names)[number], Float64Array> {
  return Object.fromEntries(names.map((name) => [name, Float64Array.from(rows, (row) => row[name])])) as Record<
    (typeof names)[number],
    Float64Array
  >;
}

export function dividendsOf(rows: readonly DividendRow[]): Lists {
  return listsOf(rows.map(({ dividends }) => dividends));
}

/** The rows by finite differences, with as many steps in time as in price unless told otherwise. */
export function gridRequest(
  rows: readonly DividendRow[],
  exercise: "european" | "american",
  steps: number,
  outputs: readonly OutputName[] = gridOutputs,
  timeSteps = steps,
): PriceRequest {
  return {
    model: "finite_difference",
    count: rows.length,
    isCall: Uint8Array.from(rows, ({ isCall }) => (isCall ? 1 : 0)),
    inputs: {
      ...columnsOf(rows),
      exercise: exercise === "american" ? 1 : 0,
      space_steps: steps,
      time_steps: timeSteps,
    },
    lists: { discrete_dividends: dividendsOf(rows) },
    outputs,
    units: "raw",
  };
}

/** The rows by the American model, by the scheme of that place. */
export function americanDividendRequest(
  rows: readonly DividendRow[],
  scheme: number,
  outputs: readonly OutputName[] = dividendOutputs,
): PriceRequest {
  return {
    model: "american",
    count: rows.length,
    isCall: Uint8Array.from(rows, ({ isCall }) => (isCall ? 1 : 0)),
    inputs: { ...columnsOf(rows), scheme },
    lists: { discrete_dividends: dividendsOf(rows) },
    outputs,
    units: "raw",
  };
}

/** One row's output. */
export function numberOf(engine: Engine, request: PriceRequest, output: OutputName): number {
  return engine.price({ ...request, outputs: [output] }).columns[output]![0]!;
}

/** Rows over all of the domain, with up to five dividends of up to a tenth of the spot, some of them out of time. */
export function wildDividendRows(count: number, seed: bigint): DividendRow[] {
  const source = seededRandom(seed);
  const random = () => source.unit();
  const between = (low: number, high: number) => low + (high - low) * random();
  const carry = () => (random() < 0.1 ? 0 : (random() < 0.4 ? -1 : 1) * 0.2 * random() ** 2);
  return Array.from({ length: count }, () => {
    const volatility = Math.exp(between(Math.log(0.01), Math.log(3)));
    const time = Math.exp(between(Math.log(1 / 365), Math.log(30)));
    const reach = Math.min(2, 3 * volatility * Math.sqrt(time) + 0.05);
    const spot = 100 * Math.exp(between(-reach, reach));
    const moments = Array.from({ length: Math.floor(6 * random()) }, () => between(-0.05, 1.05) * time).toSorted(
      (one, other) => one - other,
    );
    return {
      isCall: random() < 0.5,
      spot,
      strike: 100,
      time_to_expiry: time,
      rate: carry(),
      dividend_yield: carry(),
      volatility,
      dividends: moments.flatMap((when) => [when, 0.1 * spot * random()]),
    };
  });
}
