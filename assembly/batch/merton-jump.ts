// Prices, Greeks and implied volatilities of Merton's jump diffusion over columns, row by row, a status per row; it never throws or allocates. Separate from
// the European batches because a row is a sum of dozens of terms, so rows need not go side by side.
// The volatility sought is the diffusion's, all else known: the price rises with it from what jumps alone are worth to the asset (a call) or the discounted
// strike (a put). Newton's method inside a bracket that always holds the answer.
import {
  countOffset,
  flagUnattainableIsZero,
  flagsOffset,
  inputDividendYield,
  inputJumpIntensity,
  inputJumpMean,
  inputJumpVolatility,
  inputPrice,
  inputRate,
  inputSpot,
  inputStrike,
  inputTimeToExpiry,
  inputVolatility,
  intermediate,
  nullBits,
  outputAddress,
  outputAttainableError,
  outputCharm,
  outputColor,
  outputDualGamma,
  outputGamma,
  outputImpliedVolatility,
  outputLambda,
  outputMaskOffset,
  outputSpeed,
  outputTheta,
  outputUltima,
  outputVolga,
  outputZomma,
  scratchOffset,
  statusOffset,
} from "../abi/layout";
import {
  statusAboveMaximum,
  statusBelowIntrinsic,
  statusExpired,
  statusNonFinite,
  statusNotConverged,
  statusOk,
  statusOutOfDomain,
  statusZeroVolatility,
} from "../abi/status";
import { exp, expLessOne } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import { blackLimit } from "../models/black-limits";
import { formValue, formVolatility, writeFormValues } from "../models/forward-form";
import { jumpGrowthMax, jumpsMax, mertonForm } from "../models/merton-jump";
import { areFinite, cell, deviationMax, inputStatus, isCallAt, isOrdinary } from "./american";
import { writeLimitRow, writeNullRow } from "./columns";
import { isFiniteNumber, isOrdinaryOrZero } from "./rows";

/** What has no limit where a payoff's kink is met with no variance. */
const kinkOutputs: u32 =
  (1 << <u32>outputGamma) |
  (1 << <u32>outputDualGamma) |
  (1 << <u32>outputSpeed) |
  (1 << <u32>outputTheta) |
  (1 << <u32>outputZomma) |
  (1 << <u32>outputColor) |
  (1 << <u32>outputCharm) |
  (1 << <u32>outputVolga) |
  (1 << <u32>outputUltima);
const stepsMax: i32 = 200;

/** Prices every row of the request; returns how many have a status other than ok. */
export function mertonBatch(request: usize): i32 {
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  const mask = load<u32>(request, outputMaskOffset);
  let exceptions = 0;
  for (let row: usize = 0; row < count; row++) {
    const status = priceRow(request, intermediate(scratch, 0), intermediate(scratch, 1), row, mask);
    store<i32>(statuses + (row << 2), status);
    if (status != statusOk) exceptions++;
    if (status >= 10) writeNullRow(request, mask, row);
  }
  return exceptions;
}

/** Status of what jumps are like. */
function jumpStatus(time: f64, intensity: f64, mean: f64, volatility: f64): i32 {
  if (!isFiniteNumber(intensity) || !isFiniteNumber(mean) || !isFiniteNumber(volatility)) return statusNonFinite;
  if (!isOrdinaryOrZero(intensity) || !isOrdinaryOrZero(volatility)) return statusOutOfDomain;
  const growth = mean + 0.5 * volatility * volatility;
  if (!(abs<f64>(growth) <= jumpGrowthMax)) return statusOutOfDomain;
  if (!(intensity * time * max<f64>(1, exp<f64>(growth)) <= jumpsMax)) return statusOutOfDomain;
  return statusOk;
}

function priceRow(request: usize, values: usize, form: usize, row: usize, mask: u32): i32 {
  const isCall = isCallAt(request, row);
  const spot = cell(request, inputSpot, row);
  const strike = cell(request, inputStrike, row);
  const time = cell(request, inputTimeToExpiry, row);
  const rate = cell(request, inputRate, row);
  const dividendYield = cell(request, inputDividendYield, row);
  const volatility = cell(request, inputVolatility, row);
  const intensity = cell(request, inputJumpIntensity, row);
  const jumpMean = cell(request, inputJumpMean, row);
  const jumpVolatility = cell(request, inputJumpVolatility, row);
  if (!isFiniteNumber(volatility)) return statusNonFinite;
  let status = inputStatus(spot, strike, time, rate, dividendYield);
  if (status >= 10) return status;
  const jumps = jumpStatus(max<f64>(time, 0), intensity, jumpMean, jumpVolatility);
  if (jumps != statusOk) return jumps;
  if (volatility < 0) return statusOutOfDomain;
  if (status == statusExpired || spot == 0 || strike == 0) {
    status = blackLimit(isCall, false, spot, strike, spot, strike, time, rate, dividendYield, volatility, values);
    if (status < 10) writeLimitRow(request, mask, row, values);
    return status;
  }
  if (!isOrdinaryOrZero(volatility) || !(volatility * sqrt<f64>(time) <= deviationMax)) return statusOutOfDomain;
  const x = logRatio<f64>(spot, strike) + (rate - dividendYield) * time;
  const isSmooth = mertonForm(x, time, volatility, intensity, jumpMean, jumpVolatility, form);
  writeFormValues(form, isCall, x, growthOf(x, spot, strike, rate, dividendYield), spot, strike, time, rate, dividendYield, values);
  if (!isSmooth) {
    for (let left = kinkOutputs; left != 0; left &= left - 1) {
      store<u64>(values + (<usize>ctz<u32>(left) << 3), nullBits);
    }
  }
  const nullable: u32 = (1 << <u32>outputLambda) | (isSmooth ? 0 : kinkOutputs);
  if (!areFinite(values, mask, nullable)) return statusOutOfDomain;
  writeLimitRow(request, mask, row, values);
  return volatility == 0 ? statusZeroVolatility : statusOk;
}

/** F/K - 1: exact where there is no carry. */
function growthOf(x: f64, spot: f64, strike: f64, rate: f64, dividendYield: f64): f64 {
  return rate == dividendYield ? (spot - strike) / strike : expLessOne<f64>(x);
}

/** Implied volatilities for the request block at the address; returns how many rows have a status other than ok. */
export function mertonVolatilityBatch(request: usize): i32 {
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  const volatilities = outputAddress(request, outputImpliedVolatility);
  const attainableErrors = outputAddress(request, outputAttainableError);
  const unattainableIsZero = (load<u32>(request, flagsOffset) & flagUnattainableIsZero) != 0;
  let notOk = 0;
  for (let row: usize = 0; row < count; row++) {
    const at = row << 3;
    const status = solveRow(request, intermediate(scratch, 1), row, volatilities + at, attainableErrors + at);
    store<i32>(statuses + (row << 2), status);
    if (status == statusOk) continue;
    notOk++;
    store<u64>(volatilities + at, unattainableIsZero && status == statusBelowIntrinsic ? 0 : nullBits);
    store<u64>(attainableErrors + at, nullBits);
  }
  return notOk;
}

function solveRow(request: usize, form: usize, row: usize, answer: usize, attainableError: usize): i32 {
  const isCall = isCallAt(request, row);
  const spot = cell(request, inputSpot, row);
  const strike = cell(request, inputStrike, row);
  const time = cell(request, inputTimeToExpiry, row);
  const rate = cell(request, inputRate, row);
  const dividendYield = cell(request, inputDividendYield, row);
  const price = cell(request, inputPrice, row);
  const intensity = cell(request, inputJumpIntensity, row);
  const jumpMean = cell(request, inputJumpMean, row);
  const jumpVolatility = cell(request, inputJumpVolatility, row);
  if (!isFiniteNumber(price)) return statusNonFinite;
  const status = inputStatus(spot, strike, time, rate, dividendYield);
  if (status != statusOk) return status;
  const jumps = jumpStatus(time, intensity, jumpMean, jumpVolatility);
  if (jumps != statusOk) return jumps;
  if (!isOrdinary(spot) || !isOrdinary(strike)) return statusOutOfDomain;
  const x = logRatio<f64>(spot, strike) + (rate - dividendYield) * time;
  const growth = growthOf(x, spot, strike, rate, dividendYield);
  const unit = (price / strike) * exp<f64>(rate * time);
  const isOutside = isCall == x < 0;
  // the side out of the money, whose price is all time value
  const target = isOutside ? unit : isCall ? unit - growth : unit + growth;
  if (!(target > 0)) return statusBelowIntrinsic;
  if (!(target < (x < 0 ? 1 + growth : 1))) return statusAboveMaximum;
  mertonForm(x, time, 0, intensity, jumpMean, jumpVolatility, form);
  if (!(target > load<f64>(form, formValue))) return statusBelowIntrinsic;
  let low: f64 = 0;
  let high = deviationMax / sqrt<f64>(time);
  // Brenner and Subrahmanyam's guess for the deviation, never far from where the slope is steepest
  let volatility = min<f64>(max<f64>(2.5 * target, sqrt<f64>(2 * abs<f64>(x))) / sqrt<f64>(time), 0.5 * high);
  if (!(volatility > 0)) volatility = 0.5 * high;
  let before: f64 = Infinity;
  for (let step = 0; step < stepsMax; step++) {
    mertonForm(x, time, volatility, intensity, jumpMean, jumpVolatility, form);
    const value = load<f64>(form, formValue);
    const slope = load<f64>(form, formVolatility);
    if (value > target) high = volatility;
    else low = volatility;
    const newton = (value - target) / slope;
    let next = volatility - newton;
    // where the price's own rounding is all there is, steps no longer shrink: halving ends that
    if (!(next > low && next < high && abs<f64>(newton) < 0.5 * before)) {
      next = low == 0 ? 0.125 * high : 4 * low < high ? sqrt<f64>(low * high) : 0.5 * (low + high);
    }
    before = abs<f64>(newton);
    const isLast = abs<f64>(newton) <= 4e-15 * volatility || high - low <= 4e-16 * high || value == target;
    if (isLast) {
      if (volatility > 0.999 * (deviationMax / sqrt<f64>(time))) return statusOutOfDomain;
      store<f64>(answer, volatility);
      store<f64>(attainableError, 1.1102230246251565e-16 * (1 + unit / (slope * volatility)));
      return statusOk;
    }
    volatility = next;
  }
  return statusNotConverged;
}
