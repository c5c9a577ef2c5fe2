// Options by simulation: European, or American at a number of dates by least squares. Separate from the batch, which walks rows and judges inputs. The
// closed forms and the exercise boundary are better wherever they apply; this is for comparing with others' simulations, and it tells its own error.
// Source: Longstaff and Schwartz (2001), Valuing American options by simulation; Glasserman (2003), Monte Carlo Methods in Financial Engineering, 4.1 (control
// variates), 4.2 (antithetic), 5.4 (randomised evenly spread points), 7.2 (pathwise derivatives).
// One row is one thread's work in a fixed order: sixteen replicates, each an independent scrambling of Sobol's sequence or a stream of its own of random numbers;
// the standard error is that of their means. Paths are built from their ends (math/brownian-bridge.ts).
// American: a first set of paths, walked backwards from expiry, fits what holding on is worth at each date to a polynomial of degree four over the paths in the
// money, a put's in strikes by S/K - 1, a call's in assets by K/S - 1, so that either lies within (-1, 0); a second, independent set is exercised by that rule, so that the mean is of what some holder gets: it is biased low, never
// high. Nobody exercises for less than the European option is worth, which is known. Derivatives are those of each path's payoff at a fixed rule; the best rule's own do not matter (envelope).
// Controls: the asset at expiry for European options, the European payoff for American ones, each with its known mean and its regression coefficient.
import { exp } from "../math/exp";
import { bridgePath, bridgeRowBytes, prepareBridge } from "../math/brownian-bridge";
import { inverseNormal } from "../math/inverse-normal";
import { logRatio } from "../math/log-ratio";
import { normalLaw } from "../math/normal";
import { randomBits, uniformOf } from "../math/random";
import { scrambled, sobolWord } from "../math/sobol";

/** Dates at most, and replicates. */
export const stepsMax: usize = 64;
export const replicates: u32 = 16;
/** Paths that an exercise rule is fitted to at most, and how many in the money it takes to fit one date. */
const fittedMax: u32 = 16384;
const fittedMin: f64 = 32;
const terms: usize = 5;
/** A pivot below this part of the count is rounding. */
const lostPivot: f64 = 1e-12;

/** Words of the inputs, by place. */
export const samplingSobol: i32 = 0;
export const reductionAntithetic: i32 = 1;
export const reductionControl: i32 = 2;
export const reductionBoth: i32 = 3;

// The room: what a row needs, in bytes.
const keys: usize = 0; // u32 a dimension: how it is scrambled
const times: usize = keys + (stepsMax << 2);
const discounts: usize = times + (stepsMax << 3);
const normals: usize = discounts + (stepsMax << 3);
const path: usize = normals + (stepsMax << 3);
const table: usize = path + (stepsMax << 3);
const rules: usize = table + stepsMax * bridgeRowBytes; // a date's coefficients, then the scale of its moneyness
const ruleBytes: usize = (terms + 1) << 3;
const matrix: usize = rules + stepsMax * ruleBytes;
const payoffs: usize = matrix + ((terms * (terms + 1)) << 3); // of one path: the values below
const replicateValues: usize = payoffs + 128;
const replicateControls: usize = replicateValues + (<usize>replicates << 3);
const totals: usize = replicateControls + (<usize>replicates << 3); // a sum and a sum with the control for each value
const fitted: usize = totals + 256; // each fitted path: where it is, what it pays
export const monteCarloRoomEnd: usize = fitted + (<usize>fittedMax << 4);

/** What a path gives, in this order; the results stand in the same order at the room's `payoffs`, the standard error behind them. */
export const valuePrice: usize = 0;
export const valueDelta: usize = 1;
export const valueVega: usize = 2;
export const valueRho: usize = 3;
export const valueDividendRho: usize = 4;
export const valueDualDelta: usize = 5;
const values: usize = 6;
export const valueStandardError: usize = 6;

// @ts-ignore: decorator
@inline
export function resultAt(room: usize, value: usize): f64 {
  return load<f64>(room + payoffs + (value << 3));
}

/** The normal number of a point in a dimension. */
function normalAt(room: usize, seed: u64, sampling: i32, replicate: u32, pointIndex: u32, dimension: u32): f64 {
  let word: u32;
  if (sampling == samplingSobol) {
    word = scrambled(sobolWord(dimension, pointIndex), load<u32>(room + keys + (<usize>dimension << 2)));
  } else {
    const bits = randomBits(seed, pointIndex, dimension >> 1, replicate, 0);
    word = <u32>(dimension & 1 ? bits >> 32 : bits);
  }
  return inverseNormal(uniformOf(word));
}

function prepareKeys(room: usize, seed: u64, replicate: u32, dimensions: u32): void {
  for (let dimension: u32 = 0; dimension < dimensions; dimension++) {
    store<u32>(room + keys + (<usize>dimension << 2), <u32>randomBits(seed, dimension, 0, replicate, 1));
  }
}

/** Simulates one option; results by resultAt. `controlMean` is the control's known mean, today's money. */
export function simulate(
  room: usize,
  isCall: bool,
  isAmerican: bool,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  steps: usize,
  paths: u32,
  seed: u64,
  sampling: i32,
  reduction: i32,
  controlMean: f64,
): void {
  const drift = rate - dividendYield - 0.5 * volatility * volatility;
  const side: f64 = isCall ? 1 : -1;
  const count = isAmerican ? steps : 1;
  for (let step: usize = 0; step < count; step++) {
    const moment = (time * <f64>(step + 1)) / <f64>count;
    store<f64>(room + times + (step << 3), moment);
    store<f64>(room + discounts + (step << 3), exp<f64>(-rate * moment));
  }
  prepareBridge(room + times, count, room + table);
  if (isAmerican) fitRules(room, side, spot, strike, rate, drift, volatility, count, paths, seed, sampling);
  const isPaired = reduction == reductionAntithetic || reduction == reductionBoth;
  const isControlled = reduction == reductionControl || reduction == reductionBoth;
  const perReplicate = isPaired ? replicates << 1 : replicates;
  const points = (paths + perReplicate - 1) / perReplicate;
  const share: f64 = isPaired ? 0.5 : 1;
  memory.fill(room + totals, 0, 256);
  let controlSum: f64 = 0;
  let controlSquares: f64 = 0;
  for (let replicate: u32 = 0; replicate < replicates; replicate++) {
    prepareKeys(room, seed, replicate, <u32>count);
    let valueSum: f64 = 0;
    let replicateControl: f64 = 0;
    for (let index: u32 = 0; index < points; index++) {
      for (let step: usize = 0; step < count; step++) {
        store<f64>(room + normals + (step << 3), normalAt(room, seed, sampling, replicate, index, <u32>step));
      }
      bridgePath(room + table, count, room + normals, room + path);
      memory.fill(room + payoffs, 0, values << 3);
      let control = addPath(room, side, isAmerican, 1, share, spot, strike, drift, volatility, count);
      if (isPaired) control += addPath(room, side, isAmerican, -1, share, spot, strike, drift, volatility, count);
      control -= controlMean;
      replicateControl += control;
      controlSquares += control * control;
      valueSum += load<f64>(room + payoffs);
      for (let value: usize = 0; value < values; value++) {
        const at = room + totals + (value << 4);
        const given = load<f64>(room + payoffs + (value << 3));
        store<f64>(at, load<f64>(at) + given);
        store<f64>(at, load<f64>(at, 8) + given * control, 8);
      }
    }
    const per = 1 / <f64>points;
    controlSum += replicateControl;
    store<f64>(room + replicateValues + (<usize>replicate << 3), valueSum * per);
    store<f64>(room + replicateControls + (<usize>replicate << 3), replicateControl * per);
  }
  const all = 1 / (<f64>points * <f64>replicates);
  const controlAverage = controlSum * all;
  const variance = controlSquares * all - controlAverage * controlAverage;
  let priceSlope: f64 = 0;
  for (let value: usize = 0; value < values; value++) {
    const average = load<f64>(room + totals + (value << 4)) * all;
    const covariance = load<f64>(room + totals + (value << 4), 8) * all - average * controlAverage;
    const slope = isControlled && variance > 0 ? covariance / variance : 0;
    if (value == valuePrice) priceSlope = slope;
    store<f64>(room + payoffs + (value << 3), average - slope * controlAverage);
  }
  let squares: f64 = 0;
  const mean = load<f64>(room + payoffs);
  for (let replicate: usize = 0; replicate < <usize>replicates; replicate++) {
    const at = room + replicateValues + (replicate << 3);
    const off = load<f64>(at) - priceSlope * load<f64>(room + replicateControls + (replicate << 3)) - mean;
    squares += off * off;
  }
  const degrees = <f64>replicates * <f64>(replicates - 1);
  store<f64>(room + payoffs + (valueStandardError << 3), sqrt<f64>(squares / degrees));
}

/** Adds a path's values, its signs turned where `mirror` is -1, to the payoffs; returns its control. */
function addPath(
  room: usize,
  side: f64,
  isAmerican: bool,
  mirror: f64,
  share: f64,
  spot: f64,
  strike: f64,
  drift: f64,
  volatility: f64,
  count: usize,
): f64 {
  const last = count - 1;
  let step = last;
  let move: f64 = 0;
  let asset: f64 = 0;
  if (isAmerican) {
    for (step = 0; step < count; step++) {
      move = mirror * load<f64>(room + path + (step << 3));
      asset = spot * exp<f64>(drift * load<f64>(room + times + (step << 3)) + volatility * move);
      const payoff = side * (asset - strike);
      if (payoff <= 0) continue;
      if (step == last || isExercised(room, step, last, side, asset, strike, payoff, volatility, drift)) break;
    }
    step = min<usize>(step, last);
  }
  const endMove = mirror * load<f64>(room + path + (last << 3));
  const end = spot * exp<f64>(drift * load<f64>(room + times + (last << 3)) + volatility * endMove);
  const endDiscount = load<f64>(room + discounts + (last << 3));
  if (!isAmerican) {
    asset = end;
    move = endMove;
  }
  const payoff = side * (asset - strike);
  if (payoff > 0) {
    const moment = load<f64>(room + times + (step << 3));
    const weight = share * load<f64>(room + discounts + (step << 3));
    const at = room + payoffs;
    store<f64>(at, load<f64>(at) + weight * payoff);
    store<f64>(at, load<f64>(at, 8) + side * weight * (asset / spot), 8);
    store<f64>(at, load<f64>(at, 16) + side * weight * asset * (move - volatility * moment), 16);
    store<f64>(at, load<f64>(at, 24) + side * weight * moment * strike, 24);
    store<f64>(at, load<f64>(at, 32) - side * weight * moment * asset, 32);
    store<f64>(at, load<f64>(at, 40) - side * weight, 40);
  }
  return share * endDiscount * (isAmerican ? max<f64>(side * (end - strike), 0) : end);
}

// @ts-ignore: decorator
@inline
function moneynessOf(side: f64, asset: f64, strike: f64): f64 {
  return (side > 0 ? strike / asset : asset / strike) - 1;
}

/** What holding on at a date is worth by the fitted rule; more than any payoff where there is none. */
// @ts-ignore: decorator
@inline
function heldValue(room: usize, step: usize, side: f64, asset: f64, strike: f64): f64 {
  const rule = room + rules + step * ruleBytes;
  const moneyness = moneynessOf(side, asset, strike) * load<f64>(rule, 40);
  let value = load<f64>(rule, 32);
  value = value * moneyness + load<f64>(rule, 24);
  value = value * moneyness + load<f64>(rule, 16);
  value = value * moneyness + load<f64>(rule, 8);
  value = value * moneyness + load<f64>(rule);
  return value * (side > 0 ? asset : strike);
}

/** True where the rule exercises: the payoff is no less than what holding on is worth, fitted, nor than the European option is. */
// @ts-ignore: decorator
@inline
function isExercised(
  room: usize,
  step: usize,
  last: usize,
  side: f64,
  asset: f64,
  strike: f64,
  payoff: f64,
  volatility: f64,
  drift: f64,
): bool {
  if (!(payoff >= heldValue(room, step, side, asset, strike))) return false;
  const left = load<f64>(room + times + (last << 3)) - load<f64>(room + times + (step << 3));
  const discount = load<f64>(room + discounts + (last << 3)) / load<f64>(room + discounts + (step << 3));
  return payoff >= europeanPrice(side, asset, strike, left, discount, drift, volatility);
}

/** Black's price; `drift` is the logarithm's. */
export function europeanPrice(
  side: f64,
  spot: f64,
  strike: f64,
  time: f64,
  discount: f64,
  drift: f64,
  volatility: f64,
): f64 {
  const deviation = volatility * sqrt<f64>(time);
  const mean = logRatio<f64>(spot, strike) + drift * time;
  const d2 = mean / deviation;
  const forward = strike * exp<f64>(mean + 0.5 * deviation * deviation);
  const asset = forward * normalLaw<f64>(side * (d2 + deviation));
  return max<f64>(discount * side * (asset - strike * normalLaw<f64>(side * d2)), 0);
}

/** Fits the rule of every date but the last, backwards, over paths of their own. */
function fitRules(
  room: usize,
  side: f64,
  spot: f64,
  strike: f64,
  rate: f64,
  drift: f64,
  volatility: f64,
  count: usize,
  paths: u32,
  seed: u64,
  sampling: i32,
): void {
  const number = min<u32>(paths, fittedMax);
  // a replicate past those that are averaged
  prepareKeys(room, seed, replicates, <u32>count);
  const last = count - 1;
  const endTime = load<f64>(room + times + (last << 3));
  const endDiscount = load<f64>(room + discounts + (last << 3));
  for (let index: u32 = 0; index < number; index++) {
    const at = room + fitted + (<usize>index << 4);
    const move = sqrt<f64>(endTime) * normalAt(room, seed, sampling, replicates, index, 0);
    const asset = spot * exp<f64>(drift * endTime + volatility * move);
    store<f64>(at, move);
    store<f64>(at, endDiscount * max<f64>(side * (asset - strike), 0), 8);
  }
  for (let back: usize = 1; back < count; back++) {
    const step = last - back;
    const moment = load<f64>(room + times + (step << 3));
    const later = load<f64>(room + times + ((step + 1) << 3));
    const growth = 1 / load<f64>(room + discounts + (step << 3));
    // what moneyness is at such a date, for the equations' sake
    const scale = 1 / min<f64>(volatility * sqrt<f64>(moment), 1);
    store<f64>(room + rules + step * ruleBytes, scale, 40);
    const weight = moment / later;
    const deviation = sqrt<f64>((moment * (later - moment)) / later);
    memory.fill(room + matrix, 0, (terms * (terms + 1)) << 3);
    let inside: f64 = 0;
    for (let index: u32 = 0; index < number; index++) {
      const at = room + fitted + (<usize>index << 4);
      const move = weight * load<f64>(at) + deviation * normalAt(room, seed, sampling, replicates, index, <u32>back);
      store<f64>(at, move);
      const asset = assetAt(spot, drift, moment, volatility, move);
      if (side * (asset - strike) > 0) {
        inside += 1;
        const held = (load<f64>(at, 8) * growth) / (side > 0 ? asset : strike);
        addToFit(room, moneynessOf(side, asset, strike) * scale, held);
      }
    }
    solveFit(room, step, inside);
    for (let index: u32 = 0; index < number; index++) {
      const at = room + fitted + (<usize>index << 4);
      const asset = assetAt(spot, drift, moment, volatility, load<f64>(at));
      const payoff = side * (asset - strike);
      if (payoff > 0 && isExercised(room, step, last, side, asset, strike, payoff, volatility, drift)) {
        store<f64>(at, load<f64>(room + discounts + (step << 3)) * payoff, 8);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function assetAt(spot: f64, drift: f64, moment: f64, volatility: f64, move: f64): f64 {
  return spot * exp<f64>(drift * moment + volatility * move);
}

/** Adds one path to the normal equations: rows of terms and, last, the right-hand side. */
function addToFit(room: usize, moneyness: f64, held: f64): void {
  let powerRow: f64 = 1;
  for (let row: usize = 0; row < terms; row++) {
    let power = powerRow * powerRow;
    const at = room + matrix + ((row * (terms + 1)) << 3);
    for (let column = row; column < terms; column++) {
      store<f64>(at + (column << 3), load<f64>(at + (column << 3)) + power);
      power *= moneyness;
    }
    store<f64>(at + (terms << 3), load<f64>(at + (terms << 3)) + powerRow * held);
    powerRow *= moneyness;
  }
}

/** Solves the normal equations by elimination with symmetric rows; a pivot that is lost drops its power. Without enough paths nothing is exercised. */
function solveFit(room: usize, step: usize, inside: f64): void {
  const rule = room + rules + step * ruleBytes;
  memory.fill(rule, 0, terms << 3);
  if (inside < fittedMin) {
    store<f64>(rule, 1e300);
    return;
  }
  const base = room + matrix;
  const width = (terms + 1) << 3;
  for (let row: usize = 1; row < terms; row++) {
    for (let column: usize = 0; column < row; column++) {
      store<f64>(base + row * width + (column << 3), load<f64>(base + column * width + (row << 3)));
    }
  }
  for (let pivot: usize = 0; pivot < terms; pivot++) {
    const size = load<f64>(base + pivot * width + (pivot << 3));
    if (!(size > inside * lostPivot)) continue;
    for (let row: usize = 0; row < terms; row++) {
      if (row == pivot) continue;
      const factor = load<f64>(base + row * width + (pivot << 3)) / size;
      for (let column = pivot; column <= terms; column++) {
        const at = base + row * width + (column << 3);
        store<f64>(at, load<f64>(at) - factor * load<f64>(base + pivot * width + (column << 3)));
      }
    }
  }
  for (let row: usize = 0; row < terms; row++) {
    const size = load<f64>(base + row * width + (row << 3));
    if (size > inside * lostPivot) store<f64>(rule + (row << 3), load<f64>(base + row * width + (terms << 3)) / size);
  }
}
