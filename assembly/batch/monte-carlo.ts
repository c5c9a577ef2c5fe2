// Simulated prices over columns, row by row, a status per row; it never throws or allocates. Separate from the other batches because a row is a simulation of
// its own, with inputs that say how. A row's numbers depend on its inputs alone, so they are the same on any thread, in any batch, on any machine.
import {
  countOffset,
  inputDividendYield,
  inputExercise,
  inputPaths,
  inputRate,
  inputSampling,
  inputSeed,
  inputSpot,
  inputSteps,
  inputStrike,
  inputTimeToExpiry,
  inputVarianceReduction,
  inputVolatility,
  intermediate,
  monteCarloBytes,
  monteCarloOffset,
  outputDelta,
  outputDividendRho,
  outputDualDelta,
  outputLambda,
  outputMaskOffset,
  outputPrice,
  outputRho,
  outputsMax,
  outputStandardError,
  outputVega,
  scratchOffset,
  statusOffset,
} from "../abi/layout";
import { statusExpired, statusNonFinite, statusOk, statusOutOfDomain, statusZeroUnderlying, statusZeroVolatility } from "../abi/status";
import { exp } from "../math/exp";
import { sureValues } from "../models/american-limits";
import { blackLimit } from "../models/black-limits";
import {
  europeanPrice,
  monteCarloRoomEnd,
  reductionBoth,
  resultAt,
  samplingSobol,
  simulate,
  stepsMax,
  valueDelta,
  valueDividendRho,
  valueDualDelta,
  valuePrice,
  valueRho,
  valueStandardError,
  valueVega,
} from "../models/monte-carlo";
import { areFinite, cell, inputStatus, isCallAt } from "./american";
import { writeLimitRow, writeNullRow } from "./columns";
import { isFiniteNumber, isOrdinaryOrZero, storeLambda } from "./rows";

/** Paths at least and at most, and what paths times dates may come to; deviations past which a simulation sees nothing. */
const pathsMin: f64 = 64;
const pathsMax: f64 = 262_144;
const workMax: f64 = 2_097_152;
const seedMax: f64 = 9_007_199_254_740_992;
const deviationMax: f64 = 8;

/** Prices every row of the request; returns how many have a status other than ok. */
export function monteCarloBatch(request: usize): i32 {
  if (monteCarloRoomEnd > monteCarloBytes) unreachable();
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  const mask = load<u32>(request, outputMaskOffset);
  let exceptions = 0;
  for (let row: usize = 0; row < count; row++) {
    const status = priceRow(request, scratch + monteCarloOffset, intermediate(scratch, 0), row, mask);
    store<i32>(statuses + (row << 2), status);
    if (status != statusOk) exceptions++;
    if (status >= 10) writeNullRow(request, mask, row);
  }
  return exceptions;
}

/** True for a whole number between two. */
// @ts-ignore: decorator
@inline
function isWhole(value: f64, least: f64, most: f64): bool {
  return value >= least && value <= most && floor<f64>(value) == value;
}

function priceRow(request: usize, room: usize, values: usize, row: usize, mask: u32): i32 {
  const isCall = isCallAt(request, row);
  const spot = cell(request, inputSpot, row);
  const strike = cell(request, inputStrike, row);
  const time = cell(request, inputTimeToExpiry, row);
  const rate = cell(request, inputRate, row);
  const dividendYield = cell(request, inputDividendYield, row);
  const volatility = cell(request, inputVolatility, row);
  const exercise = cell(request, inputExercise, row);
  const steps = cell(request, inputSteps, row);
  const paths = cell(request, inputPaths, row);
  const seed = cell(request, inputSeed, row);
  const sampling = cell(request, inputSampling, row);
  const reduction = cell(request, inputVarianceReduction, row);
  if (!isFiniteNumber(volatility) || !isFiniteNumber(steps) || !isFiniteNumber(paths)) return statusNonFinite;
  if (!isFiniteNumber(seed) || !isFiniteNumber(exercise) || !isFiniteNumber(sampling)) return statusNonFinite;
  if (!isFiniteNumber(reduction)) return statusNonFinite;
  const status = inputStatus(spot, strike, time, rate, dividendYield);
  if (status >= 10) return status;
  if (!isOrdinaryOrZero(volatility)) return statusOutOfDomain;
  if (!isWhole(exercise, 0, 1) || !isWhole(sampling, 0, samplingSobol + 1)) return statusOutOfDomain;
  if (!isWhole(reduction, 0, <f64>reductionBoth) || !isWhole(seed, 0, seedMax)) return statusOutOfDomain;
  if (!isWhole(steps, 1, <f64>stepsMax) || !isWhole(paths, pathsMin, pathsMax)) return statusOutOfDomain;
  const isAmerican = exercise == 1;
  if (isAmerican && !(steps * paths <= workMax)) return statusOutOfDomain;
  if (status == statusExpired || (!isAmerican && (spot == 0 || strike == 0 || volatility == 0))) {
    const limit = blackLimit(isCall, false, spot, strike, spot, strike, time, rate, dividendYield, volatility, values);
    if (limit < 10) writeLimitRow(request, mask, row, values);
    return limit;
  }
  const lambda: u32 = 1 << <u32>outputLambda;
  if (spot == 0 || strike == 0 || volatility == 0) {
    sureValues(isCall, spot, strike, time, rate, dividendYield, values);
    if (!areFinite(values, mask, lambda)) return statusOutOfDomain;
    writeLimitRow(request, mask, row, values);
    return spot == 0 ? statusZeroUnderlying : volatility == 0 ? statusZeroVolatility : statusOk;
  }
  const deviation = volatility * sqrt<f64>(time);
  if (!(deviation <= deviationMax)) return statusOutOfDomain;
  const asset = spot * exp<f64>(-dividendYield * time);
  const side: f64 = isCall ? 1 : -1;
  const drift = rate - dividendYield - 0.5 * volatility * volatility;
  const european = europeanPrice(side, spot, strike, time, exp<f64>(-rate * time), drift, volatility);
  simulate(
    room,
    isCall,
    isAmerican,
    spot,
    strike,
    time,
    rate,
    dividendYield,
    volatility,
    <usize>steps,
    <u32>paths,
    <u64>seed,
    <i32>sampling,
    <i32>reduction,
    isAmerican ? european : asset,
  );
  const payoff = isCall ? spot - strike : strike - spot;
  const estimate = resultAt(room, valuePrice);
  memory.fill(values, 0, outputsMax << 3);
  if (isAmerican && payoff > 0 && payoff >= max<f64>(estimate, european)) {
    // exercised now, which is sure
    put(values, outputPrice, payoff);
    put(values, outputDelta, side);
    put(values, outputDualDelta, -side);
  } else {
    put(values, outputPrice, max<f64>(estimate, isAmerican ? european : 0));
    put(values, outputStandardError, resultAt(room, valueStandardError));
    put(values, outputDelta, resultAt(room, valueDelta));
    put(values, outputVega, resultAt(room, valueVega));
    put(values, outputRho, resultAt(room, valueRho));
    put(values, outputDividendRho, resultAt(room, valueDividendRho));
    put(values, outputDualDelta, resultAt(room, valueDualDelta));
  }
  storeLambda(values, spot, outputLambda);
  if (!areFinite(values, mask, lambda)) return statusOutOfDomain;
  writeLimitRow(request, mask, row, values);
  return statusOk;
}

// @ts-ignore: decorator
@inline
function put(values: usize, output: usize, value: f64): void {
  store<f64>(values + (output << 3), value);
}
