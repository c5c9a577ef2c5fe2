// Digital, barrier and lookback options for tests of numbers: rows by wire names, requests of them, and random rows from a seed.

import { type InputName, type ModelName, modelNamed, type OutputName } from "../../src/engine/catalog";
import type { PriceRequest } from "../../src/engine/engine";
import { listsOf } from "../../src/engine/lists";
import { seededRandom } from "../../src/foundation/random";

/** One option: numbers and words by wire name; what is left out takes the catalog's default. */
export type ExoticRow = Partial<Record<InputName, number | string>> & {
  readonly isCall: boolean;
  readonly fixings?: readonly number[];
};

/** The models that this is for. */
export const exoticModels = ["digital", "barrier", "lookback", "asian"] as const satisfies readonly ModelName[];
export type ExoticModel = (typeof exoticModels)[number];

/** Everything they give. */
export const exoticOutputs: readonly OutputName[] = modelNamed("barrier").outputs;

/** A request over rows, every input a column, in raw units. */
export function exoticRequest(
  model: ModelName,
  rows: readonly ExoticRow[],
  outputs: readonly OutputName[] = exoticOutputs,
): PriceRequest & { isCall: Uint8Array; inputs: Record<string, Float64Array> } {
  const columns = modelNamed(model).inputs.map(({ name, words, default: fallback }) => {
    const cellOf = (row: ExoticRow): number => {
      const given = row[name] ?? fallback;
      if (given === undefined) throw new Error(`${model} needs ${name}`);
      if (typeof given === "number") return given;
      const place = words!.indexOf(given);
      if (place < 0) throw new Error(`${name} is never ${given}`);
      return place;
    };
    return [name, Float64Array.from(rows, cellOf)] as const;
  });
  return {
    model,
    count: rows.length,
    isCall: Uint8Array.from(rows, (row) => (row.isCall ? 1 : 0)),
    inputs: Object.fromEntries(columns) as Record<string, Float64Array>,
    ...(model === "asian" ? { lists: { fixings: listsOf(rows.map((row) => row.fixings ?? [])) } } : {}),
    outputs,
    units: "raw",
  };
}

/** How wild random rows are. */
export interface Wildness {
  /** Volatility, low and high. */
  readonly volatility: readonly [number, number];
  /** Years, low and high. */
  readonly years: readonly [number, number];
  /** Largest size of rate and yield. */
  readonly carry: number;
}

export const everyday: Wildness = { volatility: [0.05, 0.8], years: [0.02, 3], carry: 0.1 };
/** As the contract has it: any sign of rate and yield, 1 to 300 %, half a day to 30 years. */
export const wild: Wildness = { volatility: [0.01, 3], years: [0.5 / 365, 30], carry: 0.3 };

/** Random rows of a model, of all its words in turn, the spot on the living side of its barriers. */
export function randomRows(model: ExoticModel, count: number, seed: number, wildness: Wildness): ExoticRow[] {
  const source = seededRandom(BigInt(seed));
  const random = () => source.unit();
  const between = (low: number, high: number) => low + (high - low) * random();
  const carry = () => (random() < 0.1 ? 0 : (random() < 0.4 ? -1 : 1) * wildness.carry * random() ** 2);
  const logarithmic = ([low, high]: readonly [number, number]) => Math.exp(between(Math.log(low), Math.log(high)));
  return Array.from({ length: count }, (_, index): ExoticRow => {
    const volatility = logarithmic(wildness.volatility);
    const years = logarithmic(wildness.years);
    const deviation = Math.min(2, volatility * Math.sqrt(years));
    const spot = 100 * Math.exp(between(-0.3, 0.3));
    const off = () => Math.exp(deviation * between(0.02, 2));
    const rate = carry();
    const market = {
      isCall: random() < 0.5,
      spot,
      strike: spot * Math.exp(between(-1.5, 1.5) * deviation),
      time_to_expiry: years,
      rate,
      dividend_yield: random() < 0.15 ? rate : carry(),
      volatility,
    };
    const kind = ["down_in", "down_out", "up_in", "up_out", "double_in", "double_out"][index % 6]!;
    const barriers = {
      barrier_type: kind,
      barrier: kind.startsWith("up") ? spot * off() : spot / off(),
      upper_barrier: kind.startsWith("double") ? spot * off() : 0,
    };
    if (model === "barrier") return { ...market, ...barriers, rebate: random() < 0.5 ? 0 : between(0, 10) };
    if (model === "lookback") {
      const strikeType = random() < 0.5 ? "fixed" : "floating";
      const isMaximum = (strikeType === "fixed") === market.isCall;
      const extreme = random() < 0.2 ? spot : spot * Math.exp((isMaximum ? 1 : -1) * deviation * between(0, 1.5));
      return { ...market, strike_type: strikeType, extreme_so_far: extreme };
    }
    if (model === "asian") {
      const average = random() < 0.5 ? "arithmetic" : "geometric";
      const common = { ...market, average, strike_type: random() < 0.7 ? "fixed" : "floating" };
      const average_so_far = spot * Math.exp(0.5 * deviation * between(-1, 1));
      // over fixings that are to come, some of them past, or continuously, begun or not
      if (index % 4 < 2) {
        const count = 1 + Math.floor(random() * 12);
        const begun = index % 4 === 1 ? -0.5 * years : 0;
        const fixings = Array.from({ length: count }, (_, i) => begun + ((years - begun) * (i + 1)) / count);
        return { ...common, average_so_far, fixings: fixings.filter((t) => Math.abs(t) > 1e-9 * years) };
      }
      return {
        ...common,
        average_so_far,
        averaging_start: years * (index % 4 === 2 ? between(0.02, 0.9) : -between(0.1, 1)),
      };
    }
    const words = modelNamed("digital").inputs.find(({ name }) => name === "payoff")!.words!;
    const payoff = words[Math.floor(index / 7) % words.length]!;
    const isTouch = payoff.includes("touch");
    const strike = isTouch ? (market.isCall ? spot * off() : spot / off()) : market.strike;
    const more = index % 7 === 6 || isTouch ? {} : barriers;
    return { ...market, strike, payoff, cash: between(1, 20), gap_strike: market.strike * between(0.8, 1.2), ...more };
  });
}
