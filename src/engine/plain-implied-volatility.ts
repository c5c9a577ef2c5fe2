// The plain TypeScript twin of the kernel's implied volatility: one row at a time, Math.exp and Math.log, no low words. Separate
// because it is the yardstick: `bsopt verify` and the benches compare speed with it, tests compare values. Written in good faith,
// with the same choice of method, so that the ratio tells what the kernel's lanes and stages give and not a worse algorithm.
// It must never call the kernel, nor be called to answer a customer.
//
// Method: the out-of-the-money time value over its cap, v; a first guess from the Bachelier volatility (after Choi, Kim and Kwak
// 2009); then Householder's third-order step on ln v (Jäckel 2015), in Mills ratios R, inside a bracket. Above half the cap
// the same on the distance to the cap. Legend: x = |ln(forward/strike)|, s = σ√T, h = x/s, t = s/2, D = R(h-t) ∓ R(h+t).
// Error: about 1e-12 relative for usual rows; near the money with tiny volatility, and deep in the money, it loses up to as
// many digits as the rounding of ln(S/K), of the discounts and of R - R costs, which is what the kernel avoids.

import { assert } from "../foundation/assert";
import { modelNamed, statusCodes } from "./catalog";
import type { Column, ImpliedVolatilityRequest, ImpliedVolatilityResult } from "./engine";

const smallest = 2 ** -200;
const largest = 2 ** 200;
const exponentMax = 256;
const logMoneynessMax = 700;
const passesMax = 100;

/** Implied volatilities as `Engine.impliedVolatility` gives them, statuses included. For the models the twin knows. */
export function impliedVolatilityPlain(request: ImpliedVolatilityRequest): ImpliedVolatilityResult {
  const { count, isCall, inputs, onUnattainable } = request;
  const model = modelNamed(request.model);
  assert(model.name === "black_scholes_merton", `the plain twin knows no ${model.name}`);
  const column = (given: Column | undefined): Float64Array =>
    typeof given === "object" ? given : new Float64Array(count).fill(given ?? 0);
  const spots = column(inputs.spot);
  const strikes = column(inputs.strike);
  const times = column(inputs.time_to_expiry);
  const rates = column(inputs.rate);
  const yields = column(inputs.dividend_yield);
  const prices = column(request.price);
  const isCalls = typeof isCall === "boolean" ? new Uint8Array(count).fill(isCall ? 1 : 0) : isCall;
  const impliedVolatility = new Float64Array(count).fill(Number.NaN);
  const attainableError = new Float64Array(count).fill(Number.NaN);
  const status = new Int32Array(count);
  for (let row = 0; row < count; row++) {
    const time = times[row]!;
    const price = prices[row]!;
    const spot = spots[row]!;
    const strike = strikes[row]!;
    const rate = rates[row]!;
    const dividendYield = yields[row]!;
    let code = domainStatus(spot, strike, time, rate, dividendYield, price);
    if (code === statusCodes.ok) {
      const logMoneyness = Math.log(spot / strike) + (rate - dividendYield) * time;
      const asset = spot * Math.exp(-dividendYield * time);
      const loan = strike * Math.exp(-rate * time);
      const intrinsic = Math.max(0, isCalls[row] === 0 ? loan - asset : asset - loan);
      const timeValue = price - intrinsic;
      const cap = Math.min(asset, loan);
      const distance = isCalls[row] === 0 ? loan - price : asset - price;
      if (!(Math.abs(logMoneyness) <= logMoneynessMax)) code = statusCodes.out_of_domain;
      else if (!(timeValue > 0) && !(price > 0 && distance <= 0)) code = statusCodes.below_intrinsic;
      else if (!(distance > 0)) code = statusCodes.above_maximum;
      else {
        const solved = solve(Math.abs(logMoneyness), timeValue, cap, distance);
        impliedVolatility[row] = solved.deviation / Math.sqrt(time);
        attainableError[row] = 2 ** -53 * (1 + (price / solved.target) * (solved.difference / solved.deviation));
        if (!solved.hasConverged) code = statusCodes.not_converged;
      }
    }
    status[row] = code;
    if (code !== statusCodes.ok) {
      const isZero = code === statusCodes.below_intrinsic && onUnattainable === "zero";
      impliedVolatility[row] = isZero ? 0 : Number.NaN;
      attainableError[row] = Number.NaN;
    }
  }
  return { count, impliedVolatility, attainableError, status };
}

function domainStatus(
  spot: number,
  strike: number,
  time: number,
  rate: number,
  dividendYield: number,
  price: number,
): number {
  // one sum is finite where all six are; the slow look only where it is not
  if (!Number.isFinite(spot + strike + time + rate + dividendYield + price)) {
    const given = [spot, strike, time, rate, dividendYield, price];
    if (!given.every(Number.isFinite)) return statusCodes.non_finite;
  }
  if (spot <= 0 || strike <= 0) return statusCodes.out_of_domain;
  if (time <= 0) return statusCodes.expired;
  const isWithin =
    spot >= smallest &&
    spot < largest &&
    strike >= smallest &&
    strike < largest &&
    time >= smallest &&
    time < largest &&
    Math.abs(rate * time) <= exponentMax &&
    Math.abs(dividendYield * time) <= exponentMax;
  return isWithin ? statusCodes.ok : statusCodes.out_of_domain;
}

interface Solved {
  deviation: number;
  /** |D| at the solution. */
  difference: number;
  /** The value D belongs to: the time value, or its distance to the cap. */
  target: number;
  hasConverged: boolean;
}

const rootTwoPi = 2.5066282746310002;

function solve(x: number, timeValue: number, cap: number, distance: number): Solved {
  const isUpper = timeValue > 0.5 * cap;
  const target = isUpper ? distance : timeValue;
  const logTarget = Math.log(target / cap) + Math.log(rootTwoPi);
  let low = isUpper ? Math.sqrt(2 * x) : 0;
  let high = isUpper ? 64 + Math.sqrt(4096 + 2 * x) : 0.7 + Math.sqrt(0.49 + 2 * x);
  let s = isUpper || x > 8 ? guessFromTail(x, target / cap, isUpper) : guessFromBachelier(x, timeValue / cap);
  if (!(s > low && s < high)) s = 0.5 * (low + high);
  let difference = 0;
  for (let pass = 0; pass < passesMax; pass++) {
    const h = x / s;
    const t = 0.5 * s;
    const left = h - t;
    const d = isUpper ? -(mills(-left) + mills(h + t)) : mills(left) - mills(h + t);
    const log = logTarget - Math.log(Math.abs(d)) + 0.5 * left * left;
    if (isUpper ? log < 0 : log > 0) low = s;
    else high = s;
    const ratio = d / s;
    const a = (h * h - t * t) * ratio;
    const kappa = -(3 * h * h + t * t) * ratio * ratio;
    const step =
      (log * d * (1 + 0.5 * log * (a - 1))) / (1 + log * (a - 1) + (log * log * (a * a - 3 * a + 2 + kappa)) / 6);
    difference = Math.abs(d + step * (1 - a));
    if (Math.abs(step) * (1 + t) <= 6e-5 * s) return { deviation: s + step, difference, target, hasConverged: true };
    const next = s + step;
    const isUseful = next > low && next < high && (pass < 12 || pass % 2 === 0);
    if (isUseful) s = next;
    else s = low > 0 ? Math.sqrt(low) * Math.sqrt(high) : 0.125 * high;
  }
  return { deviation: s, difference, target, hasConverged: false };
}

/** s of Black from the volatility of Bachelier at the same price; within 1e-4 for s <= 1. */
function guessFromBachelier(x: number, v: number): number {
  const w = Math.max(Math.expm1(x), 1e-290);
  const c = 2 * v + w;
  const nu = w / c;
  const eta = nu / (0.5 * Math.log1p(w / v));
  const top =
    ((((3610.3272898518767 * eta + 2706.6195172045377) * eta + 824.8631729287413) * eta + 435.32285823554747) * eta +
      42.820415231979815) *
      eta +
    0.39918556838957714;
  const bottom =
    ((((1052.9111301027785 * eta + 4916.652704864277) * eta + 675.165988959212) * eta + 870.3633908920312) * eta +
      104.3014443404073) *
      eta +
    1;
  const bachelier = ((Math.sqrt(eta) * 1.2533141373155003 * c * top) / bottom) * (Math.max(x, 1e-290) / w);
  const u = bachelier * bachelier;
  const x2 = x * x;
  const first = (1 / 24 + 0.00034507655 * x2) / (1 + x2 * (0.0164709128 + 1.77338547e-5 * x2));
  const second = 7 / 1920 / ((1 + x2 / 64) * (1 - 0.106 * u));
  return bachelier * (1 + u * (first + u * second));
}

/** s from the tail of the normal law alone (Abramowitz and Stegun 26.2.23), for the regions where Bachelier is far off. */
function guessFromTail(x: number, share: number, isUpper: boolean): number {
  let z = 0;
  for (let round = 0; round < 2; round++) {
    const other = mills(Math.sqrt(z * z + 2 * x)) / mills(z);
    const probability = share / (isUpper ? 1 + other : 1 - other);
    const w = Math.sqrt(-2 * Math.log(probability));
    z =
      probability < 0.5
        ? w - (2.515517 + w * (0.802853 + w * 0.010328)) / (1 + w * (1.432788 + w * (0.189269 + w * 0.001308)))
        : 0;
  }
  const root = Math.sqrt(z * z + 2 * x);
  return isUpper ? root + z : (2 * x) / (root + z);
}

/** Mills ratio N(-z)/φ(z) for z >= -1: a minimax rational on [0, 39] (1.5e-16), and by reflection below zero. */
export function mills(z: number): number {
  if (z < 0) return rootTwoPi * Math.exp(0.5 * z * z) - mills(-z);
  if (z > 39) return (1 - (1 - 3 / (z * z)) / (z * z)) / z;
  const p =
    ((((((((3.468602700733975e-6 * z + 9.327502676991982e-5) * z + 0.0012281234843149807) * z + 0.010242356950171987) *
      z +
      0.0591750755514315) *
      z +
      0.24477373350946674) *
      z +
      0.7249785655131892) *
      z +
      1.4886761195757663) *
      z +
      1.9420622647670809) *
      z +
    1.2533141373155001;
  const q =
    (((((((((3.468602700744374e-6 * z + 9.327502676776813e-5) * z + 0.0012315920872164449) * z + 0.010335631965681935) *
      z +
      0.06039626225822949) *
      z +
      0.2548295286300889) *
      z +
      0.7817323252651852) *
      z +
      1.7138939102625574) *
      z +
      2.560766701133005) *
      z +
      2.347426057978356) *
      z +
    1;
  return p / q;
}
