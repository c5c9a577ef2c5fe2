// Walks columns of American prices back to volatilities, row by row, a status per row; it never throws or allocates. Separate from
// batch/implied-volatility because the equation has no closed form and rows do not go side by side.
// Domain: as batch/american.ts, the volatility up to 64/√time.
import {
  americanOffset,
  countOffset,
  flagUnattainableIsZero,
  flagsOffset,
  inputDiscreteDividends,
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
import { solveDividendVolatility } from "../iv/american-dividends";
import { exp } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import { sureValues } from "../models/american-limits";
import { checkRoom } from "../models/american-room";
import { dividendsStatus, hasDividends, sureDividendValues } from "../models/dividend-limits";
import { roomOf, rowValues } from "../models/finite-difference-room";
import { cell, deviationMax, gridDeviationMax, gridDeviationMin, inputStatus, isCallAt, schemeOf } from "./american";

/** 2^-53 */
const halfUlp: f64 = 1.1102230246251565e-16;

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
  const dividends = <usize>cell(request, inputDiscreteDividends, row);
  const listed = dividendsStatus(dividends);
  if (listed != statusOk) return listed;
  if (scheme < 0 || spot == 0 || strike == 0) return statusOutOfDomain;
  if (hasDividends(dividends, time)) {
    const found = dividendVolatility(request, row, isCall, scheme, spot, strike, time, rate, dividendYield, dividends, price, space);
    if (found != statusOk) return found;
    const solution = load<f64>(space);
    store<f64>(volatility, solution);
    store<f64>(attainableError, halfUlp * (1 + price / (load<f64>(space, 8) * solution)));
    return statusOk;
  }
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
  store<f64>(attainableError, halfUlp * (1 + unit / (load<f64>(space, 8) * solution)));
  return statusOk;
}

/** The same where the asset pays dividends. Below the volatility that makes holding pay, the price says nothing of it. */
function dividendVolatility(
  request: usize,
  row: usize,
  isCall: bool,
  scheme: i32,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  dividends: usize,
  price: f64,
  answer: usize,
): i32 {
  const room = roomOf(request);
  const values = room + rowValues;
  sureDividendValues(isCall, true, spot, strike, time, rate, dividendYield, dividends, values);
  const sure = load<f64>(values + (outputPrice << 3));
  if (!(price > sure)) return statusBelowIntrinsic;
  const ceiling = isCall ? spot * max<f64>(1, exp<f64>(-dividendYield * time)) : strike * max<f64>(1, exp<f64>(-rate * time));
  if (!(price < ceiling)) return statusAboveMaximum;
  const root = sqrt<f64>(time);
  // an option at the money is worth about 0.4 of its deviation
  const start = max<f64>(0.05, min<f64>(1.5, (2.5 * (price - sure)) / min<f64>(spot, strike))) / root;
  return solveDividendVolatility(
    room,
    isCall,
    scheme,
    spot,
    strike,
    time,
    rate,
    dividendYield,
    dividends,
    price,
    start,
    gridDeviationMin / root,
    gridDeviationMax / root,
    answer,
  );
}
