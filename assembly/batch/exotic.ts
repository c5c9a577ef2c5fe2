// Prices and Greeks of digital, barrier, lookback and Asian options over columns, row by row: a row's formula is evaluated over jets
// (models/jet.ts), so that its price and all of its Greeks come at once. Separate from the other batches because the edges are the models'
// own here, and an ordinary row's formula is chosen by its words. Never throws: a status per row.
// Domain: as the European models; volatility·√time up to 64; levels 0 or in [2^-200, 2^200).
import {
  countOffset,
  inputAverage,
  inputAverageSoFar,
  inputAveragingStart,
  inputBarrier,
  inputBarrierType,
  inputCash,
  inputDividendYield,
  inputExtremeSoFar,
  inputFixings,
  inputGapStrike,
  inputMethod,
  inputMonitoringInterval,
  inputPaths,
  inputPayoff,
  inputRate,
  inputRebate,
  inputSeed,
  inputSpot,
  inputStrike,
  inputStrikeType,
  inputTimeToExpiry,
  inputUpperBarrier,
  inputVolatility,
  inputWindowEnd,
  inputWindowStart,
  intermediate,
  listLength,
  listNumbers,
  inputsMax,
  modelOffset,
  nullBits,
  outputCharm,
  outputColor,
  outputDelta,
  outputDividendRho,
  outputDualDelta,
  outputDualGamma,
  outputGamma,
  outputLambda,
  outputMaskOffset,
  outputPrice,
  outputRho,
  outputSpeed,
  outputStandardError,
  outputTheta,
  outputUltima,
  outputVanna,
  outputVega,
  outputVeta,
  outputVolga,
  outputZomma,
  scratchColumns,
  scratchOffset,
  statusOffset,
  tileBytes,
} from "../abi/layout";
import { modelAsian, modelBarrier, modelDigital } from "../abi/model";
import {
  statusExpired,
  statusNonFinite,
  statusNotConverged,
  statusOk,
  statusOutOfDomain,
  statusZeroUnderlying,
  statusZeroVolatility,
} from "../abi/status";
import { asianValue, averageArithmetic, averageGeometric, methodMoments, methodSimulated } from "../models/asian";
import { clearStandardError, simulatedFixingsMax, standardError } from "../models/asian-conditioned";
import { barrierDoubleIn, barrierDoubleOut, isDouble, isKnockIn } from "../models/barrier-kinds";
import { barrierValue } from "../models/barrier";
import { isWithinWeight } from "../models/barrier-window";
import { digitalValue, isTouchBarrier, payoffAssetNoTouch, payoffGap } from "../models/digital";
import {
  atOne,
  atRate,
  atSpot,
  atSpotSpot,
  atSpotSpotSpot,
  atSpotSpotTime,
  atSpotSpotVolatility,
  atSpotTime,
  atSpotVolatility,
  atStrike,
  atStrikeStrike,
  atTime,
  atVolatility,
  atVolatilityThrice,
  atVolatilityTime,
  atVolatilityTwice,
  atYield,
  degreeAll,
  degreeFirst,
  degreePrice,
  isFull,
  openJets,
} from "../models/jet";
import { lookbackValue, strikeFixed, strikeFloating } from "../models/lookback";
import { openMarket, openSureMarket } from "../models/market";
import { edge, edgeJump, edgeNone, setEdge } from "../models/sure-future";
import { areFinite, cell, deviationMax, inputStatus, isCallAt, isOrdinary } from "./american";
import { writeLimitRow, writeNullRow } from "./columns";

/** How much later than expiry a fixing may lie, relatively: both may have been made of dates. */
const fixingTolerance: f64 = 1e-12;
/** Largest (2|r - q| + σ²)T of an arithmetic average. */
const growthMax: f64 = 400;

/** Paths of a simulation, and its largest seed: 2^53. */
const pathsMin: f64 = 64;
const pathsMax: f64 = 262_144;
const seedMax: f64 = 9_007_199_254_740_992;

/** What needs no more than the first derivatives and gamma. */
const firstOutputs: u32 =
  (1 << <u32>outputPrice) |
  (1 << <u32>outputDelta) |
  (1 << <u32>outputGamma) |
  (1 << <u32>outputVega) |
  (1 << <u32>outputTheta) |
  (1 << <u32>outputRho) |
  (1 << <u32>outputDividendRho) |
  (1 << <u32>outputDualDelta) |
  (1 << <u32>outputStandardError) |
  (1 << <u32>outputLambda);

/** Prices every row of the request; returns how many have a status other than ok. */
export function exoticBatch(request: usize): i32 {
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  const mask = load<u32>(request, outputMaskOffset);
  // the intermediates of a tile, which nothing here has: the first for a row's values, the others for jets
  const values = intermediate(scratch, 0);
  const room = intermediate(scratch, 1);
  let degree = degreeAll;
  if ((mask & ~firstOutputs) == 0) degree = mask == 1 << <u32>outputPrice ? degreePrice : degreeFirst;
  let exceptions = 0;
  for (let row: usize = 0; row < count; row++) {
    openJets(room, (scratchColumns - inputsMax - 2) * tileBytes, degree);
    setEdge(edgeNone);
    clearStandardError();
    const status = priceRow(request, row, mask, values);
    store<i32>(statuses + (row << 2), status);
    if (status != statusOk) exceptions++;
    if (status >= 10) writeNullRow(request, mask, row);
    else writeLimitRow(request, mask, row, values);
  }
  return exceptions;
}

function priceRow(request: usize, row: usize, mask: u32, values: usize): i32 {
  const spot = cell(request, inputSpot, row);
  const strike = cell(request, inputStrike, row);
  const time = cell(request, inputTimeToExpiry, row);
  const rate = cell(request, inputRate, row);
  const dividendYield = cell(request, inputDividendYield, row);
  const volatility = cell(request, inputVolatility, row);
  if (!(volatility - volatility == 0)) return statusNonFinite;
  let status = inputStatus(spot, strike, time, rate, dividendYield);
  if (status >= 10) return status;
  const model = load<i32>(request, modelOffset);
  const own = termsStatus(request, model, row);
  if (own != statusOk) return own;
  if (volatility < 0) return statusOutOfDomain;
  let isSure = true;
  if (status == statusExpired) {
    if (!isLevel(spot) || !isLevel(strike)) return statusOutOfDomain;
    openSureMarket(spot, strike, 0, 0, 0);
  } else if (spot == 0 || volatility == 0) {
    status = spot == 0 ? statusZeroUnderlying : statusZeroVolatility;
    openSureMarket(spot, strike, time, rate, dividendYield);
  } else {
    if (!isOrdinary(volatility) || !(volatility * sqrt<f64>(time) <= deviationMax)) return statusOutOfDomain;
    openMarket(spot, strike, time, rate, dividendYield, volatility);
    isSure = false;
    if (model == modelBarrier && !isWindowInReach(request, row, time)) return statusOutOfDomain;
  }
  const jet = valueOfRow(request, model, row, isSure);
  if (isFull) return statusNotConverged;
  // of a payoff that is never negative rounding may leave less than nothing
  const mayBeNegative = model == modelDigital && cell(request, inputPayoff, row) == <f64>payoffGap;
  writeValues(values, jet, spot, mayBeNegative);
  return areFinite(values, mask, edge == edgeNone ? 1 << <u32>outputLambda : u32.MAX_VALUE) ? status : statusOutOfDomain;
}

// @ts-ignore: decorator
@inline
function isLevel(value: f64): bool {
  return value == 0 || isOrdinary(value);
}

/** The place of a word among so many, or false. */
// @ts-ignore: decorator
@inline
function isWord(value: f64, last: i32): bool {
  return value >= 0 && value <= <f64>last && floor<f64>(value) == value;
}

/** Status of what the contract says beside the market. */
function termsStatus(request: usize, model: i32, row: usize): i32 {
  if (model == modelAsian) return averageStatus(request, row);
  const interval = cell(request, inputMonitoringInterval, row);
  if (!(interval - interval == 0)) return statusNonFinite;
  if (!(interval >= 0 && interval < 1e60)) return statusOutOfDomain;
  if (model == modelDigital) {
    const payoff = cell(request, inputPayoff, row);
    const cash = cell(request, inputCash, row);
    const gapStrike = cell(request, inputGapStrike, row);
    if (!(cash - cash == 0 && gapStrike - gapStrike == 0)) return statusNonFinite;
    if (!isWord(payoff, payoffAssetNoTouch) || !isLevel(cash)) return statusOutOfDomain;
    if (payoff == <f64>payoffGap && !isOrdinary(gapStrike)) return statusOutOfDomain;
    const status = barrierStatus(request, row);
    if (status != statusOk || payoff <= <f64>payoffGap) return status;
    const kind = <i32>cell(request, inputBarrierType, row) - 1;
    return isTouchBarrier(isCallAt(request, row), <i32>payoff, kind) ? statusOk : statusOutOfDomain;
  }
  if (model == modelBarrier) {
    const rebate = cell(request, inputRebate, row);
    if (!(rebate - rebate == 0)) return statusNonFinite;
    if (!isLevel(rebate)) return statusOutOfDomain;
    const status = barrierStatus(request, row);
    return status == statusOk ? windowStatus(request, row) : status;
  }
  const extreme = cell(request, inputExtremeSoFar, row);
  if (!(extreme - extreme == 0)) return statusNonFinite;
  return isLevel(extreme) && isWord(cell(request, inputStrikeType, row), strikeFloating) ? statusOk : statusOutOfDomain;
}

function barrierStatus(request: usize, row: usize): i32 {
  const word = cell(request, inputBarrierType, row);
  // the first word is that there is none
  if (!isWord(word, barrierDoubleOut + 1)) return statusOutOfDomain;
  const kind = word - 1;
  if (kind < 0) return statusOk;
  const barrier = cell(request, inputBarrier, row);
  if (!(barrier - barrier == 0)) return statusNonFinite;
  if (!isOrdinary(barrier)) return statusOutOfDomain;
  if (kind < <f64>barrierDoubleIn) return statusOk;
  const upper = cell(request, inputUpperBarrier, row);
  if (!(upper - upper == 0)) return statusNonFinite;
  return isOrdinary(upper) && barrier < upper ? statusOk : statusOutOfDomain;
}

/** Whether a window's images are of a size that doubles hold. */
function isWindowInReach(request: usize, row: usize, time: f64): bool {
  if (cell(request, inputBarrierType, row) == 0) return true;
  if (!(cell(request, inputWindowStart, row) > 0) && windowEnd(request, row) >= time) return true;
  return isWithinWeight(cell(request, inputBarrier, row));
}

/** When the barrier's window closes; 0 is with expiry. */
function windowEnd(request: usize, row: usize): f64 {
  const end = cell(request, inputWindowEnd, row);
  const time = max<f64>(cell(request, inputTimeToExpiry, row), 0);
  return end == 0 || end > time ? time : end;
}

/** Of a barrier's window. What has one has one barrier, and no rebate that is paid at a hit. */
function windowStatus(request: usize, row: usize): i32 {
  const start = cell(request, inputWindowStart, row);
  const end = cell(request, inputWindowEnd, row);
  if (!(start - start == 0 && end - end == 0)) return statusNonFinite;
  const time = cell(request, inputTimeToExpiry, row);
  const kind = <i32>cell(request, inputBarrierType, row) - 1;
  const closing = windowEnd(request, row);
  if (kind < 0 || time <= 0) return statusOk;
  if (end > time * (1 + fixingTolerance) || closing <= max<f64>(start, 0)) return statusOutOfDomain;
  if (start <= 0 && closing == time) return statusOk;
  if (isDouble(kind) || (!isKnockIn(kind) && cell(request, inputRebate, row) != 0)) return statusOutOfDomain;
  return statusOk;
}

/** Of an average: which, from when on, and what of it is known. Fixings come soonest first. */
function averageStatus(request: usize, row: usize): i32 {
  const average = cell(request, inputAverage, row);
  const soFar = cell(request, inputAverageSoFar, row);
  const from = cell(request, inputAveragingStart, row);
  if (!(soFar - soFar == 0 && from - from == 0)) return statusNonFinite;
  if (!isWord(average, averageGeometric) || !isWord(cell(request, inputStrikeType, row), strikeFloating)) return statusOutOfDomain;
  const time = max<f64>(cell(request, inputTimeToExpiry, row), 0);
  const list = <usize>cell(request, inputFixings, row);
  const count = listLength(list);
  let isBegun = from < 0;
  if (count > 0) {
    const last = time * (1 + fixingTolerance);
    let before: f64 = -Infinity;
    for (let index: usize = 0; index < count; index++) {
      const at = load<f64>(listNumbers(list) + (index << 3));
      if (!(at - at == 0)) return statusNonFinite;
      if (at < before || at > last) return statusOutOfDomain;
      before = at;
    }
    isBegun = load<f64>(listNumbers(list)) < 0;
  } else if (from > 0 && !(from < time)) return statusOutOfDomain;
  if (isBegun && !isOrdinary(soFar)) return statusOutOfDomain;
  const method = methodStatus(request, row, list);
  if (method != statusOk || average != <f64>averageArithmetic) return method;
  // past it the average's second moment says nothing of its law
  const carry = cell(request, inputRate, row) - cell(request, inputDividendYield, row);
  const volatility = cell(request, inputVolatility, row);
  return (2 * abs<f64>(carry) + volatility * volatility) * time <= growthMax ? statusOk : statusOutOfDomain;
}

/** Of how an arithmetic average is priced: all but moments want a fixed strike and fixings, a simulation not too many. */
function methodStatus(request: usize, row: usize, list: usize): i32 {
  const method = cell(request, inputMethod, row);
  const paths = cell(request, inputPaths, row);
  const seed = cell(request, inputSeed, row);
  if (!(method - method == 0 && paths - paths == 0 && seed - seed == 0)) return statusNonFinite;
  if (!isWord(method, methodSimulated)) return statusOutOfDomain;
  if (method == <f64>methodMoments || cell(request, inputAverage, row) != <f64>averageArithmetic) return statusOk;
  const count = listLength(list);
  if (count == 0 || cell(request, inputStrikeType, row) != <f64>strikeFixed) return statusOutOfDomain;
  if (method != <f64>methodSimulated) return statusOk;
  if (count - pastFixings(list) > simulatedFixingsMax) return statusOutOfDomain;
  if (!(paths >= pathsMin && paths <= pathsMax && floor<f64>(paths) == paths)) return statusOutOfDomain;
  return seed >= 0 && seed <= seedMax && floor<f64>(seed) == seed ? statusOk : statusOutOfDomain;
}

/** How many fixings lie before now. */
function pastFixings(list: usize): usize {
  const count = listLength(list);
  let past: usize = 0;
  while (past < count && load<f64>(listNumbers(list) + (past << 3)) < 0) past++;
  return past;
}

function valueOfRow(request: usize, model: i32, row: usize, isSure: bool): usize {
  const isCall = isCallAt(request, row);
  if (model == modelAsian) {
    const list = <usize>cell(request, inputFixings, row);
    return asianValue(
      isSure,
      isCall,
      cell(request, inputAverage, row) == <f64>averageGeometric,
      cell(request, inputStrikeType, row) == <f64>strikeFloating,
      listNumbers(list),
      listLength(list),
      pastFixings(list),
      cell(request, inputAveragingStart, row),
      cell(request, inputAverageSoFar, row),
      <i32>cell(request, inputMethod, row),
      <u32>cell(request, inputPaths, row),
      <u64>cell(request, inputSeed, row),
    );
  }
  const interval = cell(request, inputMonitoringInterval, row);
  if (model == modelDigital) {
    return digitalValue(
      isSure,
      isCall,
      <i32>cell(request, inputPayoff, row),
      cell(request, inputCash, row),
      cell(request, inputGapStrike, row),
      <i32>cell(request, inputBarrierType, row) - 1,
      cell(request, inputBarrier, row),
      cell(request, inputUpperBarrier, row),
      interval,
    );
  }
  if (model == modelBarrier) {
    return barrierValue(
      isSure,
      isCall,
      <i32>cell(request, inputBarrierType, row) - 1,
      cell(request, inputBarrier, row),
      cell(request, inputUpperBarrier, row),
      cell(request, inputRebate, row),
      interval,
      cell(request, inputWindowStart, row),
      windowEnd(request, row),
    );
  }
  return lookbackValue(
    isSure,
    isCall,
    <i32>cell(request, inputStrikeType, row),
    cell(request, inputExtremeSoFar, row),
    interval,
  );
}

// @ts-ignore: decorator
@inline
function put(values: usize, output: usize, value: f64): void {
  // no negative zeros
  store<f64>(values + (output << 3), value + 0.0);
}

// @ts-ignore: decorator
@inline
function setNull(values: usize, output: usize): void {
  store<u64>(values + (output << 3), nullBits);
}

/** A jet's coefficients as raw outputs. */
function writeValues(values: usize, jet: usize, spot: f64, mayBeNegative: bool): void {
  const computed = load<f64>(jet, atOne);
  const price = computed < 0 && !mayBeNegative ? 0 : computed;
  put(values, outputPrice, price);
  put(values, outputDelta, load<f64>(jet, atSpot));
  put(values, outputGamma, 2 * load<f64>(jet, atSpotSpot));
  put(values, outputVega, load<f64>(jet, atVolatility));
  put(values, outputTheta, -load<f64>(jet, atTime));
  put(values, outputRho, load<f64>(jet, atRate));
  put(values, outputDividendRho, load<f64>(jet, atYield));
  put(values, outputDualDelta, load<f64>(jet, atStrike));
  put(values, outputVanna, load<f64>(jet, atSpotVolatility));
  put(values, outputVolga, 2 * load<f64>(jet, atVolatilityTwice));
  put(values, outputCharm, -load<f64>(jet, atSpotTime));
  put(values, outputVeta, -load<f64>(jet, atVolatilityTime));
  put(values, outputSpeed, 6 * load<f64>(jet, atSpotSpotSpot));
  put(values, outputZomma, 2 * load<f64>(jet, atSpotSpotVolatility));
  put(values, outputColor, -2 * load<f64>(jet, atSpotSpotTime));
  put(values, outputUltima, 6 * load<f64>(jet, atVolatilityThrice));
  put(values, outputStandardError, standardError);
  put(values, outputDualGamma, 2 * load<f64>(jet, atStrikeStrike));
  if (price != 0) put(values, outputLambda, (spot * load<f64>(jet, atSpot)) / price);
  else setNull(values, outputLambda);
  if (edge == edgeNone) return;
  setNull(values, outputGamma);
  setNull(values, outputDualGamma);
  setNull(values, outputTheta);
  setNull(values, outputSpeed);
  if (edge != edgeJump) return;
  setNull(values, outputDelta);
  setNull(values, outputDualDelta);
  setNull(values, outputVega);
  setNull(values, outputRho);
  setNull(values, outputDividendRho);
  setNull(values, outputCharm);
  setNull(values, outputVanna);
  setNull(values, outputLambda);
}
