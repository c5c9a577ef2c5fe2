// The quadratic approximations of American options: Barone-Adesi and Whaley's and Ju and Zhong's correction of it.
// Source: MacMillan 1986; Barone-Adesi & Whaley 1987, Efficient Analytic Approximation of American Option Values, J. Finance 42 (eqs. 20, 25; seeds 31,
// 33); Ju & Zhong 1999, An Approximate Formula for Pricing American Options, J. Derivatives 7 (eqs. 18 to 24).
// Over a strike of 1: V = European + (s/s*)^λ h / (1 - χ), h the gain of exercising at s*, where it is met without a corner. With
// n = 2(r - q)/σ² - 1, k = 2r/(σ²(1 - e^(-rT))) and ρ = √(n² + 4k), λ = (-n ± ρ)/2; Barone-Adesi and Whaley have χ = 0, Ju and Zhong
// χ = ln(s/s*) (B ln(s/s*) + C), B = -ek²/(2ρ²), C = ∓((2/σ²) ∂E/∂T(s*)/h + e k)/ρ ± ek²/ρ³, e = e^(-rT): their formulas with every division by r
// taken out, so that r = 0 is no special case, nor is r < 0 for a call.
// Domain: where early exercise can pay: a call with q > 0, a put with r > 0; else the European option. s* is found by Newton's method inside a bracket.
// The price is the larger of formula, European price and payoff. Greeks are derivatives of the whole in jets, s* by its equation.
// Checked against the published tables, the same formulas by bisection at 50 digits, and differences (tests/numerics/approximations).
import { exp } from "../math/exp";
import {
  coefficient,
  density,
  difference,
  exponential,
  fixed,
  growthRatio,
  growthRatioOf,
  law,
  product,
  quotient,
  root,
  scaled,
  shifted,
  sum,
} from "../math/jet";
import { logRatio } from "../math/log-ratio";
import { mills } from "../math/mills";
import { cappedMagnitude, gaussian, normalLaw } from "../math/normal";
import {
  cappedExp,
  europeanJet,
  europeanUnit,
  firstDistance,
  jetCarry,
  jetDeviation,
  jetLog,
  jetOf,
  jetRate,
  jetRateDiscount,
  jetSpot,
  jetTime,
  jetVariance,
  jetYield,
  jetYieldDiscount,
  pair,
  settle,
} from "./approximation";

const inverseRootTwoPi: f64 = 0.3989422804014327;
/** Steps in all; a bracket that only halves needs fewer. */
const stepsMax: i32 = 200;
/** In deviations: a step below this is the last, since convergence is quadratic and the price does not see the boundary's error but squared. */
const lastStep: f64 = 1e-6;
/** The farthest that a boundary is looked for, in logarithms. */
const logMax: f64 = 690;
/** Of 1 - χ: below this the correction is not one, and the formula is taken without it. */
const correctionMin: f64 = 0.1;

/** The price over a strike of 1, settled at `row`; returns its kind. */
export function quadraticPrice(
  isJuZhong: bool,
  sign: f64,
  x: f64,
  s: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  time: f64,
  row: usize,
): i32 {
  const v = volatility * sqrt<f64>(time);
  const carry = rate - dividendYield;
  const rateDiscount = exp<f64>(-rate * time);
  const yieldDiscount = exp<f64>(-dividendYield * time);
  const shift = (carry * time) / v + 0.5 * v;
  const european = europeanUnit(sign, s, x / v + shift, v, rateDiscount, yieldDiscount);
  const payoff = sign * (s - 1);
  if (!(sign > 0 ? dividendYield > 0 : rate > 0)) return settle(row, 0, european, payoff, f64.NaN);
  const variance = volatility * volatility;
  const n = (2 * carry) / variance - 1;
  const k = (2 * growthRatio(rate * time)) / (v * v);
  const rho = sqrt<f64>(n * n + 4 * k);
  const lambda = sign * n > 0 ? (sign * 2 * k) / (abs<f64>(n) + rho) : 0.5 * (sign * rho - n);
  // F(y) = h(y) - ±(1 - e^(-qT) N(±d1)) e^y/λ changes its sign at ln s*
  let y = seedOf(sign, n, rate, dividendYield, carry, time, v, variance);
  let low: f64 = sign > 0 ? 0 : -logMax;
  let high: f64 = sign > 0 ? logMax : 0;
  y = max<f64>(low, min<f64>(y, high));
  let gain: f64 = 0;
  let boundary: f64 = 0;
  let hasBoundary = false;
  const inverseV = 1 / v;
  for (let step = 0; step < stepsMax; step++) {
    const spot = exp<f64>(y);
    const d1 = y * inverseV + shift;
    // N(±d1) and N(±d2) of one pair of exponentials, of which the first is the density too
    const distances = pair(sign * d1, sign * (d1 - v));
    const magnitudes = cappedMagnitude<v128>(distances);
    const bells = f64x2.mul(gaussian<v128>(magnitudes), f64x2.splat(inverseRootTwoPi));
    const laws = lawOf(distances, f64x2.mul(bells, mills<v128>(magnitudes)));
    const kept = 1 - yieldDiscount * f64x2.extract_lane(laws, 0);
    gain = sign * (spot * kept - (1 - rateDiscount * f64x2.extract_lane(laws, 1)));
    const excess = gain - (sign * kept * spot) / lambda;
    const bell = f64x2.extract_lane(bells, 0);
    const slope = spot * (sign * kept * (1 - 1 / lambda) + (yieldDiscount * bell * inverseV) / lambda);
    // of a call F rises with y, of a put it falls
    if (sign * excess > 0) high = y;
    else low = y;
    const change = -excess / slope;
    if (abs<f64>(change) < lastStep * v || high - low <= 4e-16 * (abs<f64>(high) + abs<f64>(low))) {
      hasBoundary = gain > 0 && kept > 0;
      const last = abs<f64>(change) < lastStep * v ? change : 0;
      boundary = y + last;
      gain += sign * spot * kept * last;
      break;
    }
    const following = y + change;
    y = following > low && following < high && change * change < 4 ? following : middle(low, high, y, v);
  }
  if (!hasBoundary) return settle(row, 0, european, payoff, f64.NaN);
  if (sign * (x - boundary) >= 0) return settle(row, payoff, european, payoff, boundary);
  const distance = x - boundary;
  let premium = gain * cappedExp(lambda * distance);
  if (isJuZhong) {
    const spot = exp<f64>(boundary);
    const d1 = boundary * inverseV + shift;
    const laws = normalLaw<v128>(pair(sign * d1, sign * (d1 - v)));
    const asset = spot * yieldDiscount;
    const bell = gaussian<f64>(cappedMagnitude<f64>(d1)) * inverseRootTwoPi;
    const inTime =
      (asset * bell * v) / (2 * time) +
      sign *
        (rate * rateDiscount * f64x2.extract_lane(laws, 1) - dividendYield * asset * f64x2.extract_lane(laws, 0));
    const bend = (-0.5 * rateDiscount * k * k) / (rho * rho);
    const tilt =
      (-sign * ((2 * inTime) / (variance * gain) + rateDiscount * k)) / rho +
      (sign * rateDiscount * k * k) / (rho * rho * rho);
    const rest = 1 - distance * (bend * distance + tilt);
    if (rest > correctionMin) premium /= rest;
  }
  return settle(row, european + premium, european, payoff, boundary);
}

/** N of two numbers from their tails. */
// @ts-ignore: decorator
@inline
function lawOf(x: v128, tail: v128): v128 {
  return v128.bitselect(tail, f64x2.sub(f64x2.splat(1), tail), f64x2.lt(x, f64x2.splat(0)));
}

/** A point inside a bracket: its middle, or while one end is far some deviations from the point that is known. */
// @ts-ignore: decorator
@inline
function middle(low: f64, high: f64, y: f64, v: f64): f64 {
  const reach = 4 * v + 2;
  if (y == low && high - low > 2 * reach) return low + reach;
  if (y == high && high - low > 2 * reach) return high - reach;
  return 0.5 * (low + high);
}

/** Barone-Adesi and Whaley's first guess of ln s*: between the boundaries of no time left and of all time. */
// @ts-ignore: decorator
@inline
function seedOf(
  sign: f64,
  n: f64,
  rate: f64,
  dividendYield: f64,
  carry: f64,
  time: f64,
  v: f64,
  variance: f64,
): f64 {
  const start = sign > 0 ? max<f64>(1, rate / dividendYield) : dividendYield > rate ? rate / dividendYield : 1;
  const ever = 0.5 * (sign * sqrt<f64>(max<f64>(n * n + (8 * rate) / variance, 0)) - n);
  const end = ever / (ever - 1);
  const reach = abs<f64>(end - start);
  const growth = min<f64>((-(sign * carry * time + 2 * v) * start) / reach, 0);
  const seed = start + (end - start) * (1 - exp<f64>(max<f64>(growth, -700)));
  const log = logRatio(seed, 1);
  return log == log ? log : 0;
}

/** The formula's value over a strike of 1 as a jet; the row's variables are made. */
export function quadraticJet(isJuZhong: bool, sign: f64, row: usize, boundary: f64): usize {
  const r = jetOf(row, jetRate);
  const q = jetOf(row, jetYield);
  const t = jetOf(row, jetTime);
  const v = jetOf(row, jetDeviation);
  const variance = jetOf(row, jetVariance);
  const rateDiscount = jetOf(row, jetRateDiscount);
  const yieldDiscount = jetOf(row, jetYieldDiscount);
  const carry = jetOf(row, jetCarry);
  const inverseVariance = quotient(fixed(1), variance);
  const n = shifted(product(carry, inverseVariance), 2, -1);
  const k = scaled(quotient(growthRatioOf(product(r, t)), product(v, v)), 2);
  const rho = root(sum(product(n, n), scaled(k, 4)));
  // of the two forms the one without cancellation
  const lambda =
    sign * coefficient(n, 0) > 0
      ? scaled(quotient(k, sum(scaled(n, sign), rho)), 2 * sign)
      : scaled(difference(scaled(rho, sign), n), 0.5);
  // s* as a function of the parameters: each pass of Newton's method with a slope that is a number makes one more degree right
  let y = fixed(boundary);
  let gain = y;
  let d1 = y;
  let kept = y;
  let spot = y;
  for (let degree = 0; degree < 4; degree++) {
    spot = exponential(y);
    d1 = firstDistance(row, y);
    kept = shifted(product(yieldDiscount, law(scaled(d1, sign))), -1, 1);
    const held = shifted(product(rateDiscount, law(scaled(difference(d1, v), sign))), -1, 1);
    gain = scaled(difference(product(spot, kept), held), sign);
    if (degree == 3) break;
    const excess = difference(gain, scaled(quotient(product(kept, spot), lambda), sign));
    const over = 1 / coefficient(lambda, 0);
    const bell = coefficient(density(d1), 0);
    const slope =
      coefficient(spot, 0) *
      (sign * coefficient(kept, 0) * (1 - over) + (coefficient(yieldDiscount, 0) * bell * over) / coefficient(v, 0));
    y = sum(y, scaled(excess, -1 / slope));
  }
  const log = jetOf(row, jetLog);
  const distance = difference(log, y);
  let premium = product(gain, exponential(product(lambda, distance)));
  if (isJuZhong) {
    const asset = product(spot, yieldDiscount);
    const d2 = difference(d1, v);
    const inTime = sum(
      quotient(product(product(asset, density(d1)), v), scaled(t, 2)),
      scaled(
        difference(
          product(product(r, rateDiscount), law(scaled(d2, sign))),
          product(product(q, asset), law(scaled(d1, sign))),
        ),
        sign,
      ),
    );
    const held = product(rateDiscount, k);
    const bend = scaled(quotient(product(held, k), product(rho, rho)), -0.5);
    const first = sum(quotient(scaled(product(inTime, inverseVariance), 2), gain), held);
    // ±ek²/ρ³ is ∓2B/ρ
    const tilt = scaled(quotient(sum(scaled(bend, 2), first), rho), -sign);
    const chi = product(distance, sum(product(bend, distance), tilt));
    const rest = shifted(chi, -1, 1);
    if (coefficient(rest, 0) > correctionMin) premium = quotient(premium, rest);
  }
  return sum(europeanJet(row, sign, jetOf(row, jetSpot), log), premium);
}
