// Approximations of American options for tests of numbers: requests over rows, and slow twins. Barone-Adesi and Whaley's and Ju and Zhong's formulas
// as printed, divisions by the rate and all, with the critical price by halving; Bjerksund and Stensland's strategies as what they are, the expected
// payments of somebody who exercises at flat boundaries, integrated over the densities of first passage and of the paths that have not passed. The
// twins share no formula with the kernel but the boundaries' levels.

import { type InputName, type ModelName, modelNamed, type OutputName } from "../../src/engine/catalog";
import type { PriceRequest } from "../../src/engine/engine";
import type { AmericanRow } from "./american";
import { integral } from "./exotic-twin";

export const approximations = [
  "barone_adesi_whaley",
  "ju_zhong",
  "bjerksund_stensland_1993",
  "bjerksund_stensland_2002",
] as const satisfies readonly ModelName[];
export type Approximation = (typeof approximations)[number];

/** Everything they give. */
export const approximationOutputs: readonly OutputName[] = modelNamed("barone_adesi_whaley").outputs;

const names = ["spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility"] as const;

/** A request over rows, every input a column, in raw units; `more` are further inputs, the same for every row. */
export function requestFor(
  model: ModelName,
  rows: readonly AmericanRow[],
  outputs: readonly OutputName[] = modelNamed(model).outputs,
  more: Partial<Record<InputName, number>> = {},
): PriceRequest & { isCall: Uint8Array } {
  const columns = names.map((name) => [name, Float64Array.from(rows, (row) => row[name])] as const);
  return {
    model,
    count: rows.length,
    isCall: Uint8Array.from(rows, (row) => (row.isCall ? 1 : 0)),
    inputs: { ...Object.fromEntries(columns), ...more },
    outputs,
    units: "raw",
  };
}

/** N(x), by its series or its continued fraction. */
export function law(x: number): number {
  const y = Math.abs(x);
  const density = Math.exp((-y * y) / 2) / Math.sqrt(2 * Math.PI);
  let tail: number;
  if (y < 1) {
    let term = y;
    let sum = y;
    for (let k = 3; term > 1e-18 * sum; k += 2) {
      term *= (y * y) / k;
      sum += term;
    }
    tail = 0.5 - density * sum;
  } else {
    let fraction = y;
    for (let k = 200; k > 0; k--) fraction = y + k / fraction;
    tail = density / fraction;
  }
  return x < 0 ? tail : 1 - tail;
}

const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** The European price by its formula. */
export function europeanTwin(row: AmericanRow, spot = row.spot): number {
  const { strike, time_to_expiry: time, rate, dividend_yield: yields, volatility } = row;
  const v = volatility * Math.sqrt(time);
  const d1 = (Math.log(spot / strike) + (rate - yields) * time) / v + v / 2;
  const sign = row.isCall ? 1 : -1;
  return (
    sign * (spot * Math.exp(-yields * time) * law(sign * d1) - strike * Math.exp(-rate * time) * law(sign * (d1 - v)))
  );
}

/** Barone-Adesi and Whaley's or Ju and Zhong's formula, of a rate that is not 0. */
export function quadraticTwin(isJuZhong: boolean, row: AmericanRow): number {
  const { spot, strike, time_to_expiry: time, rate, dividend_yield: yields, volatility } = row;
  const sign = row.isCall ? 1 : -1;
  const variance = volatility ** 2;
  const h = 1 - Math.exp(-rate * time);
  const alpha = (2 * rate) / variance;
  const beta = (2 * (rate - yields)) / variance;
  const root = Math.sqrt((beta - 1) ** 2 + (4 * alpha) / h);
  const lambda = (-(beta - 1) + sign * root) / 2;
  const v = volatility * Math.sqrt(time);
  const d1Of = (s: number) => (Math.log(s / strike) + (rate - yields) * time) / v + v / 2;
  const excess = (s: number) =>
    sign * (s - strike) -
    europeanTwin(row, s) -
    (sign * (1 - Math.exp(-yields * time) * law(sign * d1Of(s))) * s) / lambda;
  let low = row.isCall ? strike : strike * 1e-12;
  let high = row.isCall ? strike * 1e6 : strike;
  for (let step = 0; step < 200; step++) {
    const middle = Math.sqrt(low * high);
    if (sign * excess(middle) > 0) high = middle;
    else low = middle;
  }
  const critical = Math.sqrt(low * high);
  if (sign * (spot - critical) >= 0) return sign * (spot - strike);
  const gain = sign * (critical - strike) - europeanTwin(row, critical);
  const european = europeanTwin(row);
  if (!isJuZhong) return european + gain * (spot / critical) ** lambda;
  const lambdaSlope = (-sign * alpha) / (h * h * root);
  const d1 = d1Of(critical);
  // ∂V/∂h at the critical price, T a function of h
  const forward = critical * Math.exp((rate - yields) * time);
  const inH =
    (forward * density(d1) * volatility) / (2 * rate * Math.sqrt(time)) -
    (sign * yields * forward * law(sign * d1)) / rate +
    sign * strike * law(sign * (d1 - v));
  const own = 2 * lambda + beta - 1;
  const bend = ((1 - h) * alpha * lambdaSlope) / (2 * own);
  const tilt = ((-(1 - h) * alpha) / own) * (inH / gain + 1 / h + lambdaSlope / own);
  const distance = Math.log(spot / critical);
  return european + (gain * (spot / critical) ** lambda) / (1 - bend * distance ** 2 - tilt * distance);
}

interface Call {
  readonly spot: number;
  readonly strike: number;
  readonly rate: number;
  readonly carry: number;
  readonly volatility: number;
}

/** Of a call exercised at a flat boundary: what is paid at the boundary within the time, and what `end` makes of the spots that are left then. */
function flatStrategy(
  call: Call,
  boundary: number,
  time: number,
  end: (spot: number) => number,
  kinks: readonly number[],
): number {
  const { spot, strike, rate, carry, volatility } = call;
  const a = Math.log(boundary / spot);
  const nu = carry - volatility ** 2 / 2;
  // the moment of passage as a function of z = a/(σ√t), whose density is smooth however near the boundary is
  const hit = (z: number) => {
    const t = (a / (volatility * z)) ** 2;
    return 2 * density((a - nu * t) / (volatility * Math.sqrt(t))) * Math.exp(-rate * t);
  };
  const soonest = a / (volatility * Math.sqrt(time));
  const first = integral(hit, soonest, soonest + 40, [soonest + 1, soonest + 8]);
  const deviation = volatility * Math.sqrt(time);
  const left = (y: number) =>
    (density((y - nu * time) / deviation) / deviation) *
    -Math.expm1((-2 * a * (a - y)) / (volatility ** 2 * time)) *
    end(spot * Math.exp(y));
  const low = Math.min(nu * time - 10 * deviation, a - 1e-9);
  const later = integral(
    left,
    low,
    Math.min(a, nu * time + 10 * deviation),
    kinks.map((level) => Math.log(level / spot)),
  );
  return (boundary - strike) * first + Math.exp(-rate * time) * later;
}

/** What Bjerksund and Stensland's strategies of 1993 and 2002 are worth to their follower; of an option that waiting is best of now. */
export function strategyTwin(isTwoStep: boolean, row: AmericanRow): number {
  const isCall = row.isCall === true;
  const { time_to_expiry: time, volatility } = row;
  const spot = isCall ? row.spot : row.strike;
  const strike = isCall ? row.strike : row.spot;
  const rate = isCall ? row.rate : row.dividend_yield;
  const yields = isCall ? row.dividend_yield : row.rate;
  const carry = rate - yields;
  const variance = volatility ** 2;
  const beta = 0.5 - carry / variance + Math.sqrt((carry / variance - 0.5) ** 2 + (2 * rate) / variance);
  const ever = (beta / (beta - 1)) * strike;
  const start = Math.max(strike, (rate / yields) * strike);
  const levelOf = (life: number) => {
    const scale = isTwoStep ? strike ** 2 / ((ever - start) * start) : start / (ever - start);
    return start + (ever - start) * (1 - Math.exp(-(carry * life + 2 * volatility * Math.sqrt(life)) * scale));
  };
  const call = { spot, strike, rate, carry, volatility };
  const payoff = (s: number) => Math.max(s - strike, 0);
  const level = levelOf(time);
  if (!isTwoStep) return flatStrategy(call, level, time, payoff, [strike]);
  const first = (time * (Math.sqrt(5) - 1)) / 2;
  const lower = levelOf(first);
  const afterwards = (s: number) =>
    s >= lower ? s - strike : flatStrategy({ ...call, spot: s }, lower, time - first, payoff, [strike]);
  return flatStrategy(call, level, first, afterwards, [lower]);
}
