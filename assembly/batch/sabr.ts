// Prices, Greeks and Black volatilities in the SABR model over columns, row by row, a status per row; it never throws or allocates. Separate from the European
// batches because the volatility is a formula of its own, with slopes of its own.
import {
  countOffset,
  inputBeta,
  inputCorrelation,
  inputInitialVolatility,
  inputRate,
  inputSpot,
  inputStrike,
  inputTimeToExpiry,
  inputVolOfVol,
  intermediate,
  nullBits,
  outputBlackVolatility,
  outputLambda,
  outputMaskOffset,
  scratchOffset,
  statusOffset,
} from "../abi/layout";
import { statusExpired, statusNonFinite, statusOk, statusOutOfDomain } from "../abi/status";
import { logRatio } from "../math/log-ratio";
import { blackLimit } from "../models/black-limits";
import { storeSmile, writeSabrValues } from "../models/sabr";
import { areFinite, cell, deviationMax, inputStatus, isCallAt } from "./american";
import { writeLimitRow, writeNullRow } from "./columns";
import { isFiniteNumber, isOrdinaryOrZero } from "./rows";

/** Prices every row of the request; returns how many have a status other than ok. */
export function sabrBatch(request: usize): i32 {
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

function priceRow(request: usize, values: usize, smile: usize, row: usize, mask: u32): i32 {
  const isCall = isCallAt(request, row);
  const forward = cell(request, inputSpot, row);
  const strike = cell(request, inputStrike, row);
  const time = cell(request, inputTimeToExpiry, row);
  const rate = cell(request, inputRate, row);
  const alpha = cell(request, inputInitialVolatility, row);
  const beta = cell(request, inputBeta, row);
  const volatilityOfVolatility = cell(request, inputVolOfVol, row);
  const correlation = cell(request, inputCorrelation, row);
  if (!isFiniteNumber(alpha) || !isFiniteNumber(beta)) return statusNonFinite;
  if (!isFiniteNumber(volatilityOfVolatility) || !isFiniteNumber(correlation)) return statusNonFinite;
  const status = inputStatus(forward, strike, time, rate, 0);
  if (status >= 10) return status;
  if (!isOrdinaryOrZero(alpha) || !isOrdinaryOrZero(volatilityOfVolatility)) return statusOutOfDomain;
  if (!(beta >= 0 && beta <= 1 && abs<f64>(correlation) <= 1)) return statusOutOfDomain;
  if (status == statusExpired || forward == 0 || strike == 0 || alpha == 0) {
    const limit = blackLimit(isCall, true, forward, strike, forward, strike, time, rate, rate, alpha, values);
    if (limit >= 10) return limit;
    store<u64>(values + (outputBlackVolatility << 3), nullBits);
    writeLimitRow(request, mask, row, values);
    return limit;
  }
  const y = logRatio<f64>(forward, strike);
  if (!storeSmile(y, forward, strike, time, alpha, beta, volatilityOfVolatility, correlation, smile)) return statusOutOfDomain;
  if (!writeSabrValues(smile, isCall, y, forward, strike, time, rate, deviationMax, values)) return statusOutOfDomain;
  if (!areFinite(values, mask, 1 << <u32>outputLambda)) return statusOutOfDomain;
  writeLimitRow(request, mask, row, values);
  return statusOk;
}
