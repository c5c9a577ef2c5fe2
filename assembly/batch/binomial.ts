// Prices and Greeks by binomial trees over columns, row by row. Separate from batch/approximation because a row's work is its steps, which go
// two side by side. Delta and gamma are those of the three spots that the tree has now; theta follows from them by the pricing equation; vega and the rhos
// are differences of trees on either side. An American price is never below payoff and European price; where it is that, so are its Greeks. Never throws.
import {
  approximationBytes,
  approximationOffset,
  countOffset,
  inputDividendYield,
  inputExercise,
  inputExtrapolation,
  inputRate,
  inputSmoothing,
  inputSpot,
  inputSteps,
  inputStrike,
  inputTimeToExpiry,
  inputTree,
  inputVolatility,
  intermediate,
  nullBits,
  outputDelta,
  outputDividendRho,
  outputDualDelta,
  outputDualGamma,
  outputEarlyExercisePremium,
  outputGamma,
  outputLambda,
  outputMaskOffset,
  outputPrice,
  outputRho,
  outputTheta,
  outputVega,
  scratchOffset,
  statusOffset,
} from "../abi/layout";
import {
  statusExpired,
  statusNonFinite,
  statusOk,
  statusOutOfDomain,
  statusZeroUnderlying,
  statusZeroVolatility,
} from "../abi/status";
import { exp } from "../math/exp";
import { beginJets, coefficient, inRate, inSpot, inSpotTwice, inTime, inVolatility, inYield, jetRoomBytes } from "../math/jet";
import { logRatio } from "../math/log-ratio";
import { sureValues } from "../models/american-limits";
import { uncertainty } from "../models/american-row";
import { europeanJet, europeanUnit, jetLog, jetOf, jetSpot, makeVariables } from "../models/approximation";
import {
  answerAbove,
  answerBelow,
  answerGap,
  answerNow,
  halfSteps,
  stepsMax,
  stepsOf,
  treeBytes,
  treeLeisenReimer,
  treeValues,
} from "../models/binomial";
import { blackLimit } from "../models/black-limits";
import { areFinite, cell, deviationMax, inputStatus, isCallAt, isOrdinary } from "./american";
import { writeLimitRow, writeNullRow } from "./columns";

/** Of the strike: what a deviation is worth no more than, there is taken to be none. */
const negligible: f64 = 1e-7;
/** To either side of the volatility, of itself, and of rate and yield. */
const volatilityStep: f64 = 0.02;
const rateStep: f64 = 0.0005;
const nullableOutputs: u32 = 1 << <u32>outputLambda;
const plainOutputs: u32 = (1 << <u32>outputPrice) | (1 << <u32>outputEarlyExercisePremium);

// The room: a tree's answer twice, a row's variables, a row's values, the jets, the trees.
const answerOffset: usize = 0;
const halfOffset: usize = 32;
const variablesOffset: usize = 64;
const valuesOffset: usize = 128;
const jetsOffset: usize = valuesOffset + (32 << 3);
const treeOffset: usize = jetsOffset + jetRoomBytes;

/** How a tree is made: its kind, its exercise, whether its last step is Black–Scholes–Merton's, whether half the steps correct it, and its steps. */
let tree: i32 = 0;
let isAmerican: bool = false;
let isSmoothed: bool = false;
let isExtrapolated: bool = false;
let steps: i32 = 0;

/** The place in a list of words that an input names, or -1. */
// @ts-ignore: decorator
@inline
function wordOf(value: f64): i32 {
  return value == 0 ? 0 : value == 1 ? 1 : -1;
}

/** Reads how a row's tree is made; false where it names none. */
export function readTree(request: usize, row: usize): bool {
  tree = wordOf(cell(request, inputTree, row));
  const exercise = wordOf(cell(request, inputExercise, row));
  const smoothing = wordOf(cell(request, inputSmoothing, row));
  const extrapolation = wordOf(cell(request, inputExtrapolation, row));
  const asked = cell(request, inputSteps, row);
  if (tree < 0 || exercise < 0 || smoothing < 0 || extrapolation < 0) return false;
  if (!(asked >= 1 && asked <= <f64>stepsMax && floor<f64>(asked) == asked)) return false;
  isAmerican = exercise == 1;
  isSmoothed = smoothing == 1;
  isExtrapolated = extrapolation == 1;
  steps = stepsOf(tree, <i32>asked);
  return true;
}

/** Whether the tree last read may be exercised early. */
export function isTreeAmerican(): bool {
  return isAmerican;
}

/** Prices every row of the request; returns how many have a status other than ok. */
export function binomialBatch(request: usize): i32 {
  if (treeOffset + treeBytes > approximationBytes) unreachable();
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  const mask = load<u32>(request, outputMaskOffset);
  let exceptions = 0;
  for (let row: usize = 0; row < count; row++) {
    const status = priceRow(request, scratch, row, mask);
    store<i32>(statuses + (row << 2), status);
    if (status != statusOk) exceptions++;
    if (status >= 10) writeNullRow(request, mask, row);
  }
  return exceptions;
}

function priceRow(request: usize, scratch: usize, row: usize, mask: u32): i32 {
  const isCall = isCallAt(request, row);
  const spot = cell(request, inputSpot, row);
  const strike = cell(request, inputStrike, row);
  const time = cell(request, inputTimeToExpiry, row);
  const rate = cell(request, inputRate, row);
  const dividendYield = cell(request, inputDividendYield, row);
  const volatility = cell(request, inputVolatility, row);
  const limits = intermediate(scratch, 0);
  if (!(volatility - volatility == 0)) return statusNonFinite;
  let status = inputStatus(spot, strike, time, rate, dividendYield);
  if (status >= 10) return status;
  if (volatility < 0 || !readTree(request, row)) return statusOutOfDomain;
  const isSure = spot == 0 || strike == 0 || volatility == 0;
  if (status == statusExpired || (isSure && !isAmerican)) {
    status = blackLimit(isCall, false, spot, strike, spot, strike, time, rate, dividendYield, volatility, limits);
    if (status >= 10) return status;
    store<f64>(limits + (outputEarlyExercisePremium << 3), 0);
    writeLimitRow(request, mask, row, limits);
    return status;
  }
  if (!isSure && (!isOrdinary(volatility) || !(volatility * sqrt<f64>(time) <= deviationMax))) return statusOutOfDomain;
  if (isSure || (isAmerican && uncertainty(rate, dividendYield, volatility, time) < negligible)) {
    sureValues(isCall, spot, strike, time, rate, dividendYield, limits);
    if (!areFinite(limits, mask, u32.MAX_VALUE)) return statusOutOfDomain;
    writeLimitRow(request, mask, row, limits);
    return spot == 0 ? statusZeroUnderlying : strike == 0 && volatility != 0 ? statusOk : statusZeroVolatility;
  }
  const room = scratch + approximationOffset;
  if (!valuesOf(room, mask, isCall, spot, strike, time, rate, dividendYield, volatility)) return statusOutOfDomain;
  const values = room + valuesOffset;
  if (!areFinite(values, mask, nullableOutputs)) return statusOutOfDomain;
  writeLimitRow(request, mask, row, values);
  return statusOk;
}

/**
 * The tree's value over a strike of 1 before it is compared with anything, at `room + answerOffset`, extrapolated where that is asked. False
 * where its spots are too large.
 */
function answerTree(room: usize, sign: f64, x: f64, time: f64, rate: f64, dividendYield: f64, volatility: f64): bool {
  const answer = room + answerOffset;
  const space = room + treeOffset;
  if (!treeValues(space, sign, tree, isAmerican, isSmoothed, steps, x, rate, dividendYield, volatility, time, answer)) return false;
  const few = isExtrapolated ? halfSteps(tree, steps) : 0;
  if (few == 0) return true;
  const half = room + halfOffset;
  return treeValues(space, sign, tree, isAmerican, isSmoothed, few, x, rate, dividendYield, volatility, time, half);
}

/** The tree's price over a strike of 1, never below payoff and European price where it is American; NaN where there is none. */
export function treeUnit(
  room: usize,
  isCall: bool,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
): f64 {
  const sign: f64 = isCall ? 1 : -1;
  const x = logRatio(spot, strike);
  if (!answerTree(room, sign, x, time, rate, dividendYield, volatility)) return f64.NaN;
  const value = priceOf(room, sign, spot / strike, time, rate, dividendYield);
  if (!isAmerican) return value;
  return max<f64>(value, max<f64>(sign * (spot / strike - 1), european(sign, x, spot / strike, time, rate, dividendYield, volatility)));
}

function european(sign: f64, x: f64, s: f64, time: f64, rate: f64, dividendYield: f64, volatility: f64): f64 {
  const v = volatility * sqrt<f64>(time);
  const d1 = (x + (rate - dividendYield) * time) / v + 0.5 * v;
  return europeanUnit(sign, s, d1, v, exp<f64>(-rate * time), exp<f64>(-dividendYield * time));
}

/** The tree's value now. An extrapolation may overshoot what an option can be worth, and is cut there. */
function priceOf(room: usize, sign: f64, s: f64, time: f64, rate: f64, dividendYield: f64): f64 {
  const value = extrapolated(room, answerNow);
  if (!isExtrapolated) return value;
  const end = sign > 0 ? s * exp<f64>(-dividendYield * time) : exp<f64>(-rate * time);
  const most = isAmerican ? max<f64>(end, sign > 0 ? s : 1) : end;
  return max<f64>(0, min<f64>(value, most));
}

/** A value of the answer, with what half the steps tell of its error: one order of steps, or two where the tree is smooth. */
function extrapolated(room: usize, which: usize): f64 {
  const value = load<f64>(room + answerOffset + which);
  const few = isExtrapolated ? halfSteps(tree, steps) : 0;
  if (few == 0) return value;
  const ratio = <f64>steps / <f64>few;
  const order = tree == treeLeisenReimer && !isAmerican ? ratio * ratio : ratio;
  return value + (value - load<f64>(room + halfOffset + which)) / (order - 1);
}

function valuesOf(
  room: usize,
  mask: u32,
  isCall: bool,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
): bool {
  const sign: f64 = isCall ? 1 : -1;
  const s = spot / strike;
  const x = logRatio(spot, strike);
  const values = room + valuesOffset;
  if (!answerTree(room, sign, x, time, rate, dividendYield, volatility)) return false;
  const held = priceOf(room, sign, s, time, rate, dividendYield);
  const payoff = sign * (s - 1);
  const plain = european(sign, x, s, time, rate, dividendYield, volatility);
  const isEuropean = isAmerican && plain > held && plain > payoff;
  const isExercised = isAmerican && !isEuropean && payoff >= held;
  const unit = isExercised ? payoff : isEuropean ? plain : held;
  const price = isExercised ? sign * (spot - strike) : unit * strike;
  put(values, outputPrice, price);
  put(values, outputEarlyExercisePremium, isAmerican && !isEuropean ? (unit - plain) * strike : 0);
  if ((mask & ~plainOutputs) == 0) return true;
  let delta: f64 = 0;
  let gamma: f64 = 0;
  let theta: f64 = 0;
  let vega: f64 = 0;
  let rho: f64 = 0;
  let dividendRho: f64 = 0;
  if (isExercised) {
    delta = sign;
  } else if (isEuropean) {
    const variables = room + variablesOffset;
    beginJets(room + jetsOffset, false);
    makeVariables(variables, false, s, rate, dividendYield, volatility, time);
    const jet = europeanJet(variables, sign, jetOf(variables, jetSpot), jetOf(variables, jetLog));
    delta = coefficient(jet, inSpot);
    gamma = 2 * coefficient(jet, inSpotTwice);
    theta = 0 - coefficient(jet, inTime);
    vega = coefficient(jet, inVolatility);
    rho = coefficient(jet, inRate);
    dividendRho = coefficient(jet, inYield);
  } else {
    delta = slopeOf(room + answerOffset, sign, s, 0);
    gamma = slopeOf(room + answerOffset, sign, s, 1);
    const few = isExtrapolated ? halfSteps(tree, steps) : 0;
    if (few != 0) {
      // the parabola's own error goes with the step, whatever the tree's does
      const rest = <f64>steps / <f64>few - 1;
      delta += (delta - slopeOf(room + halfOffset, sign, s, 0)) / rest;
      gamma += (gamma - slopeOf(room + halfOffset, sign, s, 1)) / rest;
    }
    theta = rate * held - (rate - dividendYield) * s * delta - 0.5 * volatility * volatility * s * s * gamma;
    if ((mask & (1 << <u32>outputVega)) != 0) {
      const step = volatilityStep * volatility;
      vega = (waiting(room, sign, x, time, rate, dividendYield, volatility + step) -
        waiting(room, sign, x, time, rate, dividendYield, volatility - step)) / (2 * step);
    }
    if ((mask & (1 << <u32>outputRho)) != 0) {
      rho = (waiting(room, sign, x, time, rate + rateStep, dividendYield, volatility) -
        waiting(room, sign, x, time, rate - rateStep, dividendYield, volatility)) / (2 * rateStep);
    }
    if ((mask & (1 << <u32>outputDividendRho)) != 0) {
      dividendRho = (waiting(room, sign, x, time, rate, dividendYield + rateStep, volatility) -
        waiting(room, sign, x, time, rate, dividendYield - rateStep, volatility)) / (2 * rateStep);
    }
  }
  put(values, outputDelta, delta);
  put(values, outputGamma, gamma / strike);
  put(values, outputTheta, theta * strike);
  put(values, outputVega, vega * strike);
  put(values, outputRho, rho * strike);
  put(values, outputDividendRho, dividendRho * strike);
  put(values, outputDualDelta, isExercised ? -delta : unit - s * delta);
  put(values, outputDualGamma, (gamma * s * s) / strike);
  if (price != 0) put(values, outputLambda, (spot * delta) / price);
  else store<u64>(values + (outputLambda << 3), nullBits);
  return true;
}

/** What waiting is worth by the tree of other inputs. */
function waiting(room: usize, sign: f64, x: f64, time: f64, rate: f64, dividendYield: f64, volatility: f64): f64 {
  if (!answerTree(room, sign, x, time, rate, dividendYield, volatility)) return f64.NaN;
  return extrapolated(room, answerNow);
}

/** The first or second derivative in the spot at the middle one of three, through which a parabola goes. */
function slopeOf(answer: usize, sign: f64, s: f64, isSecond: i32): f64 {
  const gap = load<f64>(answer + answerGap);
  const above = s * exp<f64>(gap);
  const below = s * exp<f64>(-gap);
  const now = load<f64>(answer + answerNow);
  let valueAbove = load<f64>(answer + answerAbove);
  let valueBelow = load<f64>(answer + answerBelow);
  if (isAmerican) {
    valueAbove = max<f64>(valueAbove, sign * (above - 1));
    valueBelow = max<f64>(valueBelow, sign * (below - 1));
  }
  const upward = (valueAbove - now) / (above - s);
  const downward = (now - valueBelow) / (s - below);
  if (isSecond != 0) return (2 * (upward - downward)) / (above - below);
  return (upward * (s - below) + downward * (above - s)) / (above - below);
}

// @ts-ignore: decorator
@inline
function put(values: usize, output: usize, value: f64): void {
  store<f64>(values + (output << 3), value);
}
