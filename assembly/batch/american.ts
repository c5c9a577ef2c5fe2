// Prices and Greeks of American options over columns, row by row: a row's work is thousands of operations, two lanes wide over the points of its
// integrals, so rows need not go side by side. Separate from the European batches for that. Rows that follow one another with the same rate, yield,
// volatility, time and scheme share their boundary, one for puts and one for calls: what is shared has the bits it would have alone. Never throws.
import {
  americanOffset,
  countOffset,
  inputDiscreteDividends,
  inputDividendYield,
  inputRate,
  inputScheme,
  inputSpot,
  inputStrike,
  inputTimeToExpiry,
  inputVolatility,
  intermediate,
  isCallOffset,
  flagIsCallBroadcast,
  flagsOffset,
  inputAddress,
  isBroadcast,
  outputExerciseBoundary,
  outputLambda,
  outputMaskOffset,
  outputPrice,
  outputEarlyExercisePremium,
  scratchOffset,
  statusOffset,
} from "../abi/layout";
import {
  statusExpired,
  statusNonFinite,
  statusNotConverged,
  statusOk,
  statusOutOfDomain,
  statusUnsupportedOutput,
  statusZeroUnderlying,
  statusZeroVolatility,
} from "../abi/status";
import { sureValues } from "../models/american-limits";
import { checkRoom, rowValues, schemeReference } from "../models/american-room";
import { europeanPrice, needsOf, optionValues, uncertainty } from "../models/american-row";
import { blackLimit } from "../models/black-limits";
import { dividendsStatus, hasDividends, sureDividendValues } from "../models/dividend-limits";
import { roomOf, rowValues as gridRowValues } from "../models/finite-difference-room";
import { americanDividendValues, dividendOutputs } from "../models/grid-values";
import { writeLimitRow, writeNullRow } from "./columns";

/** Largest deviation volatility·√time that is priced. */
export const deviationMax: f64 = 64;
/** Deviations that a grid is laid for: finite differences, and dividends. */
export const gridDeviationMin: f64 = 1e-6;
export const gridDeviationMax: f64 = 20;
/** Of the strike: where uncertainty is worth less, there is taken to be none; and where no boundary was found, up to the second. */
const negligible: f64 = 1e-7;
const small: f64 = 1e-5;
const smallest: f64 = 6.223015277861142e-61; // 2^-200
const largest: f64 = 1.6069380442589903e60; // 2^200
const exponentMax: f64 = 256;

/** Outputs of an ordinary row that may be null alone. */
const nullableOutputs: u32 = (1 << <u32>outputLambda) | (1 << <u32>outputExerciseBoundary);

/** A row's input; a broadcast one is the first and only. */
// @ts-ignore: decorator
@inline
export function cell(request: usize, input: usize, row: usize): f64 {
  return load<f64>(inputAddress(request, input) + (isBroadcast(request, input) ? 0 : row << 3));
}

// @ts-ignore: decorator
@inline
export function isCallAt(request: usize, row: usize): bool {
  const isBroadcast = (load<u32>(request, flagsOffset) & flagIsCallBroadcast) != 0;
  return load<u8>(<usize>load<u32>(request, isCallOffset) + (isBroadcast ? 0 : row)) != 0;
}

// @ts-ignore: decorator
@inline
export function isOrdinary(value: f64): bool {
  return value >= smallest && value < largest;
}

/** The scheme an input names, or -1. */
// @ts-ignore: decorator
@inline
export function schemeOf(value: f64): i32 {
  return value >= 0 && value <= <f64>schemeReference && floor<f64>(value) == value ? <i32>value : -1;
}

/** Status of a row's inputs but the volatility: ok, or what it is instead. Zero spots and strikes are ok here. */
export function inputStatus(spot: f64, strike: f64, time: f64, rate: f64, dividendYield: f64): i32 {
  if (!(spot - spot == 0 && strike - strike == 0 && time - time == 0)) return statusNonFinite;
  if (!(rate - rate == 0 && dividendYield - dividendYield == 0)) return statusNonFinite;
  if (spot < 0 || strike < 0) return statusOutOfDomain;
  if (time <= 0) return statusExpired;
  if (!(spot == 0 || isOrdinary(spot)) || !(strike == 0 || isOrdinary(strike)) || !isOrdinary(time)) return statusOutOfDomain;
  if (!(abs<f64>(rate * time) + abs<f64>(dividendYield * time) <= exponentMax)) return statusOutOfDomain;
  return statusOk;
}

/** Prices every row of the request; returns how many have a status other than ok. */
export function americanBatch(request: usize): i32 {
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  const mask = load<u32>(request, outputMaskOffset);
  const room = scratch + americanOffset;
  const needs = needsOf(mask);
  checkRoom();
  let exceptions = 0;
  for (let row: usize = 0; row < count; row++) {
    const status = priceRow(request, room, intermediate(scratch, 0), row, mask, needs);
    store<i32>(statuses + (row << 2), status);
    if (status != statusOk) exceptions++;
    if (status >= 10) writeNullRow(request, mask, row);
  }
  return exceptions;
}

function priceRow(request: usize, room: usize, limits: usize, row: usize, mask: u32, needs: u32): i32 {
  const isCall = isCallAt(request, row);
  const spot = cell(request, inputSpot, row);
  const strike = cell(request, inputStrike, row);
  const time = cell(request, inputTimeToExpiry, row);
  const rate = cell(request, inputRate, row);
  const dividendYield = cell(request, inputDividendYield, row);
  const volatility = cell(request, inputVolatility, row);
  const scheme = schemeOf(cell(request, inputScheme, row));
  const dividends = <usize>cell(request, inputDiscreteDividends, row);
  if (!(volatility - volatility == 0)) return statusNonFinite;
  let status = inputStatus(spot, strike, time, rate, dividendYield);
  if (status >= 10) return status;
  const listed = dividendsStatus(dividends);
  if (listed != statusOk) return listed;
  if (volatility < 0 || scheme < 0) return statusOutOfDomain;
  if (status == statusExpired) {
    status = blackLimit(isCall, false, spot, strike, spot, strike, time, rate, dividendYield, volatility, limits);
    if (status >= 10) return status;
    store<f64>(limits + (outputEarlyExercisePremium << 3), 0);
    store<f64>(limits + (outputExerciseBoundary << 3), f64.NaN);
    writeLimitRow(request, mask, row, limits);
    return status;
  }
  if (hasDividends(dividends, time)) {
    return dividendRow(request, row, mask, isCall, scheme, spot, strike, time, rate, dividendYield, volatility, dividends);
  }
  if (spot == 0 || strike == 0 || volatility == 0) {
    sureValues(isCall, spot, strike, time, rate, dividendYield, limits);
    if (!areFinite(limits, mask, u32.MAX_VALUE)) return statusOutOfDomain;
    writeLimitRow(request, mask, row, limits);
    return spot == 0 ? statusZeroUnderlying : volatility == 0 ? statusZeroVolatility : statusOk;
  }
  if (!isOrdinary(volatility) || !(volatility * sqrt<f64>(time) <= deviationMax)) return statusOutOfDomain;
  const size = uncertainty(rate, dividendYield, volatility, time);
  if (
    size < negligible ||
    !optionValues(room, isCall, scheme, spot, strike, time, rate, dividendYield, volatility, needs)
  ) {
    if (!(size < small)) return statusNotConverged;
    sureValues(isCall, spot, strike, time, rate, dividendYield, limits);
    const plain = europeanPrice(room, isCall, spot, strike, time, rate, dividendYield, volatility);
    const price = max<f64>(load<f64>(limits + (outputPrice << 3)), plain);
    store<f64>(limits + (outputPrice << 3), price);
    store<f64>(limits + (outputEarlyExercisePremium << 3), price - plain);
    writeLimitRow(request, mask, row, limits);
    return statusZeroVolatility;
  }
  if (!areFinite(room + rowValues, mask, nullableOutputs)) return statusOutOfDomain;
  writeLimitRow(request, mask, row, room + rowValues);
  return statusOk;
}

/** A row whose asset pays dividends: by finite differences. */
function dividendRow(
  request: usize,
  row: usize,
  mask: u32,
  isCall: bool,
  scheme: i32,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  dividends: usize,
): i32 {
  if ((mask & ~dividendOutputs) != 0) return statusUnsupportedOutput;
  const room = roomOf(request);
  const values = room + gridRowValues;
  const deviation = volatility * sqrt<f64>(time);
  if (!(deviation <= gridDeviationMax)) return statusOutOfDomain;
  if (spot == 0 || strike == 0 || deviation < gridDeviationMin) {
    sureDividendValues(isCall, true, spot, strike, time, rate, dividendYield, dividends, values);
    if (!areFinite(values, mask, u32.MAX_VALUE)) return statusOutOfDomain;
    writeLimitRow(request, mask, row, values);
    return spot == 0 ? statusZeroUnderlying : strike == 0 && volatility > 0 ? statusOk : statusZeroVolatility;
  }
  americanDividendValues(room, isCall, scheme, spot, strike, time, rate, dividendYield, volatility, dividends, mask);
  if (!areFinite(values, mask, nullableOutputs)) return statusOutOfDomain;
  writeLimitRow(request, mask, row, values);
  return statusOk;
}

/** False where a requested value is too large for a double, or is no number although it has no right to be null. */
export function areFinite(values: usize, mask: u32, nullable: u32): bool {
  for (let left = mask; left != 0; left &= left - 1) {
    const output = <usize>ctz<u32>(left);
    const value = load<f64>(values + (output << 3));
    if (value - value != 0 && (value == value || ((nullable >> <u32>output) & 1) == 0)) return false;
  }
  return true;
}
