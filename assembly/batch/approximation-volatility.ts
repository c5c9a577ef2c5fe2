// Walks columns of prices by the approximations of American options and by trees back to volatilities, row by row, a status per row. Separate
// from batch/implied-volatility because the equation is solved by pricing. Never throws or allocates.
// Domain: as the models', the volatility up to 64/√time. A price that the smallest volatilities give already has none of its own.
import {
  approximationOffset,
  countOffset,
  flagUnattainableIsZero,
  flagsOffset,
  inputDividendYield,
  inputPrice,
  inputRate,
  inputSpot,
  inputStrike,
  inputTimeToExpiry,
  modelOffset,
  nullBits,
  outputAddress,
  outputAttainableError,
  outputImpliedVolatility,
  scratchOffset,
  statusOffset,
} from "../abi/layout";
import { modelBinomial } from "../abi/model";
import {
  statusAboveMaximum,
  statusBelowIntrinsic,
  statusNonFinite,
  statusNotConverged,
  statusOk,
  statusOutOfDomain,
} from "../abi/status";
import { startVolatility } from "../iv/american";
import { aboveVolatility, foundVolatility, noVolatility, solveByPrice, volatilityFound } from "../iv/by-price";
import { exp } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import { unitPrice } from "../models/approximation";
import { cell, deviationMax, inputStatus, isCallAt } from "./american";
import { priceUnit } from "./approximation";
import { isTreeAmerican, readTree, treeUnit } from "./binomial";

/** Half the distance of the two volatilities whose prices tell the vega, of the volatility. */
const vegaStep: f64 = 1e-4;

// The row that is being solved.
let rowRoom: usize = 0;
let rowModel: i32 = 0;
let rowIsCall: bool = false;
let rowSpot: f64 = 0;
let rowStrike: f64 = 0;
let rowTime: f64 = 0;
let rowRate: f64 = 0;
let rowYield: f64 = 0;
let rowPrice: f64 = 0;

/** Implied volatilities for the request block at the address; returns how many rows have a status other than ok. */
export function approximationVolatilityBatch(request: usize): i32 {
  const count = <usize>load<i32>(request, countOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  const volatilities = outputAddress(request, outputImpliedVolatility);
  const attainableErrors = outputAddress(request, outputAttainableError);
  const unattainableIsZero = (load<u32>(request, flagsOffset) & flagUnattainableIsZero) != 0;
  rowRoom = <usize>load<u32>(request, scratchOffset) + approximationOffset;
  rowModel = load<i32>(request, modelOffset);
  let notOk = 0;
  for (let row: usize = 0; row < count; row++) {
    const at = row << 3;
    const status = solveRow(request, row, volatilities + at, attainableErrors + at);
    store<i32>(statuses + (row << 2), status);
    if (status == statusOk) continue;
    notOk++;
    store<u64>(volatilities + at, unattainableIsZero && status == statusBelowIntrinsic ? 0 : nullBits);
    store<u64>(attainableErrors + at, nullBits);
  }
  return notOk;
}

/** The row's price at a volatility, over a strike of 1. */
function unitAt(volatility: f64): f64 {
  if (rowModel == modelBinomial) {
    return treeUnit(rowRoom, rowIsCall, rowSpot, rowStrike, rowTime, rowRate, rowYield, volatility);
  }
  priceUnit(rowRoom, rowModel, rowIsCall, rowSpot, rowStrike, rowTime, rowRate, rowYield, volatility);
  return load<f64>(rowRoom + unitPrice);
}

function excessAt(volatility: f64): f64 {
  return unitAt(volatility) - rowPrice;
}

function solveRow(request: usize, row: usize, volatility: usize, attainableError: usize): i32 {
  rowIsCall = isCallAt(request, row);
  rowSpot = cell(request, inputSpot, row);
  rowStrike = cell(request, inputStrike, row);
  rowTime = cell(request, inputTimeToExpiry, row);
  rowRate = cell(request, inputRate, row);
  rowYield = cell(request, inputDividendYield, row);
  const price = cell(request, inputPrice, row);
  if (!(price - price == 0)) return statusNonFinite;
  const status = inputStatus(rowSpot, rowStrike, rowTime, rowRate, rowYield);
  if (status != statusOk) return status;
  if (rowSpot == 0 || rowStrike == 0) return statusOutOfDomain;
  let mayBeEarly = true;
  if (rowModel == modelBinomial) {
    if (!readTree(request, row)) return statusOutOfDomain;
    mayBeEarly = isTreeAmerican();
  }
  rowPrice = price / rowStrike;
  const s = rowSpot / rowStrike;
  const sign: f64 = rowIsCall ? 1 : -1;
  const cash = exp<f64>(-rowRate * rowTime);
  const asset = s * exp<f64>(-rowYield * rowTime);
  // what it is worth without volatility, and what no volatility reaches
  const late = max<f64>(sign * (asset - cash), 0);
  const least = mayBeEarly ? max<f64>(late, sign * (s - 1)) : late;
  const end = rowIsCall ? asset : cash;
  const most = mayBeEarly ? max<f64>(end, rowIsCall ? s : 1) : end;
  if (!(rowPrice > least)) return statusBelowIntrinsic;
  if (!(rowPrice < most)) return statusAboveMaximum;
  const x = rowIsCall ? logRatio(rowStrike, rowSpot) : logRatio(rowSpot, rowStrike);
  const volatilityMax = deviationMax / sqrt<f64>(rowTime);
  const guess = startVolatility(
    x,
    exp<f64>(x),
    rowTime,
    rowIsCall ? rowYield : rowRate,
    rowIsCall ? rowRate : rowYield,
    rowIsCall ? rowPrice / s : rowPrice,
  );
  const outcome = solveByPrice(excessAt, guess > 0 ? guess : 0.2, volatilityMax);
  if (outcome == noVolatility) return statusBelowIntrinsic;
  if (outcome == aboveVolatility) return statusOutOfDomain;
  if (outcome != foundVolatility) return statusNotConverged;
  const solution = volatilityFound();
  const vega = (unitAt(solution * (1 + vegaStep)) - unitAt(solution * (1 - vegaStep))) / (2 * vegaStep * solution);
  store<f64>(volatility, solution);
  store<f64>(attainableError, 1.1102230246251565e-16 * (1 + rowPrice / (max<f64>(vega, 1e-300) * solution)));
  return statusOk;
}
