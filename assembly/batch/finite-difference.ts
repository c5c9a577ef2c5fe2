// Prices and Greeks by finite differences over columns, row by row. Separate from models/finite-difference.ts, which knows one solution of the
// equation: here it is read in the option's own terms, solved again beside the asked volatility, rate and yield where Greeks want that, and
// rows without uncertainty get their limits. Never throws.
import {
  inputDiscreteDividends,
  inputDividendYield,
  inputExercise,
  inputRate,
  inputSpaceSteps,
  inputSpot,
  inputStrike,
  inputTimeSteps,
  inputTimeToExpiry,
  inputVolatility,
  countOffset,
  outputLambda,
  outputMaskOffset,
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
import { blackLimit } from "../models/black-limits";
import { dividendsStatus, sureDividendValues } from "../models/dividend-limits";
import { gridValues } from "../models/grid-values";
import { checkRoom, roomOf, rowValues, spaceStepsMax } from "../models/finite-difference-room";
import { cell, gridDeviationMax, gridDeviationMin, inputStatus, isCallAt } from "./american";
import { writeLimitRow, writeNullRow } from "./columns";

/** Steps that can be asked for. */
export const timeStepsMax: i32 = 1000;
const stepsMin: i32 = 10;
/** The number of steps an input asks for, or -1. */
// @ts-ignore: decorator
@inline
function stepsOf(value: f64, most: i32): i32 {
  return value >= <f64>stepsMin && value <= <f64>most && floor<f64>(value) == value ? <i32>value : -1;
}

/** Prices every row of the request; returns how many have a status other than ok. */
export function finiteDifferenceBatch(request: usize): i32 {
  checkRoom();
  const count = <usize>load<i32>(request, countOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  const mask = load<u32>(request, outputMaskOffset);
  const room = roomOf(request);
  let exceptions = 0;
  for (let row: usize = 0; row < count; row++) {
    const status = priceRow(request, room, row, mask);
    store<i32>(statuses + (row << 2), status);
    if (status != statusOk) exceptions++;
    if (status >= 10) writeNullRow(request, mask, row);
    else writeLimitRow(request, mask, row, room + rowValues);
  }
  return exceptions;
}

function priceRow(request: usize, room: usize, row: usize, mask: u32): i32 {
  const isCall = isCallAt(request, row);
  const spot = cell(request, inputSpot, row);
  const strike = cell(request, inputStrike, row);
  const time = cell(request, inputTimeToExpiry, row);
  const rate = cell(request, inputRate, row);
  const dividendYield = cell(request, inputDividendYield, row);
  const volatility = cell(request, inputVolatility, row);
  const exercise = cell(request, inputExercise, row);
  const spaceSteps = stepsOf(cell(request, inputSpaceSteps, row), spaceStepsMax);
  const timeSteps = stepsOf(cell(request, inputTimeSteps, row), timeStepsMax);
  const dividends = <usize>cell(request, inputDiscreteDividends, row);
  const values = room + rowValues;
  if (!(volatility - volatility == 0)) return statusNonFinite;
  let status = inputStatus(spot, strike, time, rate, dividendYield);
  if (status >= 10) return status;
  const listed = dividendsStatus(dividends);
  if (listed != statusOk) return listed;
  if (volatility < 0 || !(exercise == 0 || exercise == 1) || spaceSteps < 0 || timeSteps < 0) return statusOutOfDomain;
  const isAmerican = exercise == 1;
  if (status == statusExpired) {
    return blackLimit(isCall, false, spot, strike, spot, strike, time, rate, dividendYield, volatility, values);
  }
  const deviation = volatility * sqrt<f64>(time);
  if (!(deviation <= gridDeviationMax)) return statusOutOfDomain;
  if (spot == 0 || strike == 0 || deviation < gridDeviationMin) {
    sureDividendValues(isCall, isAmerican, spot, strike, time, rate, dividendYield, dividends, values);
    return spot == 0 ? statusZeroUnderlying : strike == 0 && volatility > 0 ? statusOk : statusZeroVolatility;
  }
  gridValues(room, isCall, isAmerican, spot, strike, time, rate, dividendYield, volatility, dividends, spaceSteps, timeSteps, mask);
  return areNumbers(values, mask) ? statusOk : statusOutOfDomain;
}

/** False where a requested value but lambda is too large for a double. */
function areNumbers(values: usize, mask: u32): bool {
  for (let left = mask; left != 0; left &= left - 1) {
    const output = <usize>ctz<u32>(left);
    const value = load<f64>(values + (output << 3));
    if (value - value != 0 && output != outputLambda) return false;
  }
  return true;
}
