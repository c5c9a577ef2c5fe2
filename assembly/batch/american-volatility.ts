// Walks columns of American prices back to volatilities, row by row, a status per row; it never throws or allocates. Separate from
// batch/implied-volatility because the equation has no closed form and rows do not go side by side.
// Domain: as batch/american.ts, the volatility up to 64/√time.
import {
  americanOffset,
  countOffset,
  flagUnattainableIsZero,
  flagsOffset,
  inputDividendYield,
  inputPrice,
  inputRate,
  inputScheme,
  inputSpot,
  inputStrike,
  inputTimeToExpiry,
  intermediate,
  nullBits,
  outputAddress,
  outputAttainableError,
  outputImpliedVolatility,
  outputPrice,
  scratchOffset,
  statusOffset,
} from "../abi/layout";
import {
  statusAboveMaximum,
  statusBelowIntrinsic,
  statusNonFinite,
  statusOk,
  statusOutOfDomain,
} from "../abi/status";
import { solveVolatility } from "../iv/american";
import { exp } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import { sureValues } from "../models/american-limits";
import { checkRoom } from "../models/american-room";
import { cell, deviationMax, inputStatus, isCallAt, schemeOf } from "./american";

/** Implied volatilities for the request block at the address; returns how many rows have a status other than ok. */
export function americanVolatilityBatch(request: usize): i32 {
  checkRoom();
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  const volatilities = outputAddress(request, outputImpliedVolatility);
  const attainableErrors = outputAddress(request, outputAttainableError);
  const unattainableIsZero = (load<u32>(request, flagsOffset) & flagUnattainableIsZero) != 0;
  let notOk = 0;
  for (let row: usize = 0; row < count; row++) {
    const at = row << 3;
    const status = solveRow(request, scratch + americanOffset, intermediate(scratch, 0), row, volatilities + at, attainableErrors + at);
    store<i32>(statuses + (row << 2), status);
    if (status == statusOk) continue;
    notOk++;
    store<u64>(volatilities + at, unattainableIsZero && status == statusBelowIntrinsic ? 0 : nullBits);
    store<u64>(attainableErrors + at, nullBits);
  }
  return notOk;
}

function solveRow(request: usize, room: usize, space: usize, row: usize, volatility: usize, attainableError: usize): i32 {
  const isCall = isCallAt(request, row);
  const spot = cell(request, inputSpot, row);
  const strike = cell(request, inputStrike, row);
  const time = cell(request, inputTimeToExpiry, row);
  const rate = cell(request, inputRate, row);
  const dividendYield = cell(request, inputDividendYield, row);
  const price = cell(request, inputPrice, row);
  const scheme = schemeOf(cell(request, inputScheme, row));
  if (!(price - price == 0)) return statusNonFinite;
  const status = inputStatus(spot, strike, time, rate, dividendYield);
  if (status != statusOk) return status;
  if (scheme < 0 || spot == 0 || strike == 0) return statusOutOfDomain;
  sureValues(isCall, spot, strike, time, rate, dividendYield, space);
  if (!(price > load<f64>(space + (outputPrice << 3)))) return statusBelowIntrinsic;
  const ownRate = isCall ? dividendYield : rate;
  const ownYield = isCall ? rate : dividendYield;
  const scale = isCall ? spot : strike;
  const unit = price / scale;
  if (!(unit < max<f64>(1, exp<f64>(-ownRate * time)))) return statusAboveMaximum;
  const x = isCall ? logRatio(strike, spot) : logRatio(spot, strike);
  const found = solveVolatility(room, scheme, x, time, ownRate, ownYield, unit, deviationMax / sqrt<f64>(time), space);
  if (found != statusOk) return found;
  const solution = load<f64>(space);
  store<f64>(volatility, solution);
  store<f64>(attainableError, 1.1102230246251565e-16 * (1 + unit / (load<f64>(space, 8) * solution)));
  return statusOk;
}
