// Prices and Greeks in Heston's model over columns, row by row, a status per row; it never throws or allocates. Separate from the European batches because a row
// is an integral. Rows that follow one another with the same parameters and time share their characteristic function, and have the bits they would have alone.
import {
  countOffset,
  hestonOffset,
  inputCorrelation,
  inputDividendYield,
  inputV0,
  inputLongVariance,
  inputKappa,
  inputRate,
  inputSpot,
  inputStrike,
  inputTimeToExpiry,
  inputVolOfVol,
  intermediate,
  outputLambda,
  outputMaskOffset,
  outputPrice,
  scratchOffset,
  statusOffset,
} from "../abi/layout";
import { statusExpired, statusNonFinite, statusNotConverged, statusOk, statusOutOfDomain } from "../abi/status";
import { expLessOne } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import { blackLimit } from "../models/black-limits";
import { writeFormValues } from "../models/forward-form";
import { hestonForm, prepareHeston, sureVarianceForm } from "../models/heston";
import { kindFailed } from "../models/heston-room";
import { areFinite, cell, inputStatus, isCallAt } from "./american";
import { writeLimitRow, writeNullRow } from "./columns";
import { isFiniteNumber, isOrdinaryOrZero } from "./rows";

/** Outputs for which the value alone is enough. */
const priceOnly: u32 = 1 << <u32>outputPrice;
/** Largest total variance that is priced. */
const varianceMax: f64 = 4096;

/** Prices every row of the request; returns how many have a status other than ok. */
export function hestonBatch(request: usize): i32 {
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
  const values = intermediate(scratch, 0);
  const form = intermediate(scratch, 1);
  const room = scratch + hestonOffset;
  const isCall = isCallAt(request, row);
  const spot = cell(request, inputSpot, row);
  const strike = cell(request, inputStrike, row);
  const time = cell(request, inputTimeToExpiry, row);
  const rate = cell(request, inputRate, row);
  const dividendYield = cell(request, inputDividendYield, row);
  const variance = cell(request, inputV0, row);
  const reversion = cell(request, inputKappa, row);
  const longVariance = cell(request, inputLongVariance, row);
  const volatility = cell(request, inputVolOfVol, row);
  const correlation = cell(request, inputCorrelation, row);
  if (!isFiniteNumber(variance) || !isFiniteNumber(reversion) || !isFiniteNumber(longVariance)) return statusNonFinite;
  if (!isFiniteNumber(volatility) || !isFiniteNumber(correlation)) return statusNonFinite;
  const status = inputStatus(spot, strike, time, rate, dividendYield);
  if (status >= 10) return status;
  if (!isOrdinaryOrZero(variance) || !isOrdinaryOrZero(reversion) || !isOrdinaryOrZero(longVariance)) {
    return statusOutOfDomain;
  }
  if (!isOrdinaryOrZero(volatility) || !(abs<f64>(correlation) <= 1)) return statusOutOfDomain;
  const hasVariance = variance > 0 || reversion * longVariance > 0;
  if (status == statusExpired || spot == 0 || strike == 0 || !hasVariance) {
    const deviation = hasVariance ? 1.0 : 0.0;
    const limit = blackLimit(isCall, false, spot, strike, spot, strike, time, rate, dividendYield, deviation, values);
    if (limit < 10) writeLimitRow(request, mask, row, values);
    return limit;
  }
  const x = logRatio<f64>(spot, strike) + (rate - dividendYield) * time;
  if (volatility == 0) {
    const faded = -expLessOne<f64>(max<f64>(-reversion * time, -700));
    const near = reversion > 0 ? faded / reversion : time;
    const total = longVariance * (time - near) + variance * near;
    if (!(total > 0 && total <= varianceMax)) return statusOutOfDomain;
    const pace = longVariance * faded + variance * (1 - faded);
    sureVarianceForm(total, pace, 2 * sqrt<f64>(variance) * near, x, form);
  } else {
    const kind = prepareHeston(room, variance, reversion, longVariance, volatility, correlation, time);
    if (kind == kindFailed) return statusOutOfDomain;
    if (!hestonForm(room, x, mask != priceOnly, form)) return statusNotConverged;
  }
  const growth = rate == dividendYield ? (spot - strike) / strike : expLessOne<f64>(x);
  writeFormValues(form, isCall, x, growth, spot, strike, time, rate, dividendYield, values);
  if (!areFinite(values, mask, 1 << <u32>outputLambda)) return statusOutOfDomain;
  writeLimitRow(request, mask, row, values);
  return statusOk;
}
