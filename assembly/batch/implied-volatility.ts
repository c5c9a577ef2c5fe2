// Walks columns of European option prices back to Black–Scholes–Merton volatilities, a status per row; it never throws or allocates.
// Separate from batch/price because the direction, the statuses and the second solver are its own. Tiles of 128 rows go through
// four small two-lane loops; rows that are not usual (see iv/robust) are then done one by one. An odd last row goes through the
// same source one lane wide, so a row's bits depend on that row alone.
// Domain: spot, strike and time to expiry in [2^-200, 2^200), |rate·T| and |dividend_yield·T| <= 256, |ln(forward/strike)| <= 700.
import {
  countOffset,
  flagUnattainableIsZero,
  flagsOffset,
  inputDividendYield,
  inputPrice,
  inputRate,
  inputSpot,
  inputStrike,
  inputTimeToExpiry,
  nullBits,
  outputAddress,
  outputAttainableError,
  outputImpliedVolatility,
  scratchOffset,
  statusOffset,
  tileRows,
} from "../abi/layout";
import {
  statusAboveMaximum,
  statusBelowIntrinsic,
  statusExpired,
  statusNonFinite,
  statusNotConverged,
  statusOk,
  statusOutOfDomain,
} from "../abi/status";
import { guessDeviation, guessEta } from "../iv/guess";
import { solveRobust, storeDistance } from "../iv/robust";
import { storeDifference, storeFurtherSteps, storeSlope, storeStep } from "../iv/step";
import {
  cell,
  columnDeviation,
  columnDifference,
  columnDividendProduct,
  columnEta,
  columnGap,
  columnLogMoneyness,
  columnRateProduct,
  columnRegular,
  columnTarget,
  columnTimeValue,
} from "../iv/tile";
import { storeCap, storeGap, storeLogRatio, storeMoneyness, storeTimeValue } from "../iv/time-value";
import { constant, div, mul, mulAdd, putSign, sqrt } from "../lane/lane";
import { inputColumn, isCallColumn, spreadBroadcasts } from "./columns";

const table: usize = memory.data<f64>([1.1102230246251565e-16, 1.1102230246251565e-16], 16); // 2^-53
const smallest: f64 = 6.223015277861142e-61; // 2^-200
const largest: f64 = 1.6069380442589903e60; // 2^200
const discountExponentMax: f64 = 256.0;
const logMoneynessMax: f64 = 700.0;

/** Implied volatilities for the request block at the address; returns how many rows have a status other than ok. */
export function impliedVolatilityBatch(request: usize): i32 {
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  spreadBroadcasts(request, scratch, inputPrice + 1);
  let notOk = 0;
  for (let first: usize = 0; first < count; first += tileRows) {
    notOk += doTile(
      scratch,
      <i32>min<usize>(count - first, tileRows),
      inputColumn(request, scratch, inputSpot, first),
      inputColumn(request, scratch, inputStrike, first),
      inputColumn(request, scratch, inputTimeToExpiry, first),
      inputColumn(request, scratch, inputRate, first),
      inputColumn(request, scratch, inputDividendYield, first),
      inputColumn(request, scratch, inputPrice, first),
      isCallColumn(request, scratch, first),
      outputAddress(request, outputImpliedVolatility) + (first << 3),
      outputAddress(request, outputAttainableError) + (first << 3),
      <usize>load<u32>(request, statusOffset) + (first << 2),
      (load<u32>(request, flagsOffset) & flagUnattainableIsZero) != 0,
    );
  }
  return notOk;
}

function doTile(
  scratch: usize,
  rows: i32,
  spot: usize,
  strike: usize,
  time: usize,
  rate: usize,
  dividendYield: usize,
  price: usize,
  isCall: usize,
  volatility: usize,
  attainableError: usize,
  status: usize,
  unattainableIsZero: bool,
): i32 {
  const last: usize = (<usize>rows & ~1) << 3;
  // each loop is short enough that the processor overlaps several pairs of rows
  for (let at: usize = 0; at < last; at += 16) {
    storeLogRatio<v128>(scratch, at, pair(spot, at), pair(strike, at));
  }
  for (let at: usize = 0; at < last; at += 16) {
    storeMoneyness<v128>(scratch, at, pair(spot, at), pair(strike, at), pair(time, at), pair(rate, at), pair(dividendYield, at));
  }
  for (let at: usize = 0; at < last; at += 16) {
    storeCap<v128>(scratch, at, pair(spot, at), pair(strike, at), pair(time, at), pair(rate, at), pair(dividendYield, at));
  }
  for (let at: usize = 0; at < last; at += 16) storeGap<v128>(scratch, at);
  for (let at: usize = 0; at < last; at += 16) {
    storeTimeValue<v128>(scratch, at, pair(spot, at), pair(strike, at), pair(price, at), putSign<v128>(isCall + (at >> 3)));
  }
  for (let at: usize = 0; at < last; at += 16) storeEta<v128>(scratch, at);
  for (let at: usize = 0; at < last; at += 16) storeGuess<v128>(scratch, at);
  for (let at: usize = 0; at < last; at += 16) storeSlope<v128>(scratch, at);
  for (let at: usize = 0; at < last; at += 16) storeDifference<v128>(scratch, at);
  for (let at: usize = 0; at < last; at += 16) storeStep<v128>(scratch, at);
  for (let at: usize = 0; at < last; at += 16) storeFurtherSteps<v128>(scratch, at);
  for (let at: usize = 0; at < last; at += 16) {
    answer<v128>(scratch, at, time, price, volatility, attainableError);
  }
  if ((rows & 1) != 0) {
    doSingle(scratch, last, spot, strike, time, rate, dividendYield, price, isCall, volatility, attainableError);
  }

  let notOk = 0;
  for (let row: usize = 0; row < <usize>rows; row++) {
    const at = row << 3;
    let code = statusOk;
    if (load<u64>(cell(scratch, columnRegular, at)) == 0) {
      code = judge(
        scratch,
        at,
        load<f64>(spot + at),
        load<f64>(strike + at),
        load<f64>(time + at),
        load<f64>(rate + at),
        load<f64>(dividendYield + at),
        load<f64>(price + at),
        load<u8>(isCall + row) != 0,
      );
      if (code == statusOk) {
        if (solveRobust(scratch, at)) answer<f64>(scratch, at, time, price, volatility, attainableError);
        else code = statusNotConverged;
      }
      if (code != statusOk) {
        notOk++;
        store<u64>(volatility + at, unattainableIsZero && code == statusBelowIntrinsic ? 0 : nullBits);
        store<u64>(attainableError + at, nullBits);
      }
    }
    store<i32>(status + (row << 2), code);
  }
  return notOk;
}

/** The odd last row: every stage one lane wide. */
function doSingle(
  scratch: usize,
  at: usize,
  spot: usize,
  strike: usize,
  time: usize,
  rate: usize,
  dividendYield: usize,
  price: usize,
  isCall: usize,
  volatility: usize,
  attainableError: usize,
): void {
  const s = load<f64>(spot + at);
  const k = load<f64>(strike + at);
  const t = load<f64>(time + at);
  const r = load<f64>(rate + at);
  const q = load<f64>(dividendYield + at);
  storeLogRatio<f64>(scratch, at, s, k);
  storeMoneyness<f64>(scratch, at, s, k, t, r, q);
  storeCap<f64>(scratch, at, s, k, t, r, q);
  storeGap<f64>(scratch, at);
  storeTimeValue<f64>(scratch, at, s, k, load<f64>(price + at), putSign<f64>(isCall + (at >> 3)));
  storeEta<f64>(scratch, at);
  storeGuess<f64>(scratch, at);
  storeSlope<f64>(scratch, at);
  storeDifference<f64>(scratch, at);
  storeStep<f64>(scratch, at);
  storeFurtherSteps<f64>(scratch, at);
  answer<f64>(scratch, at, time, price, volatility, attainableError);
}

// @ts-ignore: decorator
@inline
function pair(column: usize, at: usize): v128 {
  return v128.load(column + at);
}

// @ts-ignore: decorator
@inline
function storeEta<T>(scratch: usize, at: usize): void {
  const eta = guessEta<T>(load<T>(cell(scratch, columnGap, at)), load<T>(cell(scratch, columnTarget, at)));
  store<T>(cell(scratch, columnEta, at), eta);
}

// @ts-ignore: decorator
@inline
function storeGuess<T>(scratch: usize, at: usize): void {
  const guess = guessDeviation<T>(
    load<T>(cell(scratch, columnLogMoneyness, at)),
    load<T>(cell(scratch, columnGap, at)),
    load<T>(cell(scratch, columnTarget, at)),
    load<T>(cell(scratch, columnEta, at)),
  );
  store<T>(cell(scratch, columnDeviation, at), guess);
}

/** σ = s/√T and 2^-53·(1 + price/(vega·σ)), where vega·σ = time value·s/D. */
// @ts-ignore: decorator
@inline
function answer<T>(
  scratch: usize,
  at: usize,
  time: usize,
  price: usize,
  volatility: usize,
  attainableError: usize,
): void {
  const s = load<T>(cell(scratch, columnDeviation, at));
  const condition = mul<T>(
    div<T>(load<T>(price + at), load<T>(cell(scratch, columnTimeValue, at))),
    div<T>(load<T>(cell(scratch, columnDifference, at)), s),
  );
  store<T>(volatility + at, div<T>(s, sqrt<T>(load<T>(time + at))));
  store<T>(attainableError + at, mulAdd<T>(condition, constant<T>(table), constant<T>(table)));
}

/** Which status a row that is not regular gets: ok where a volatility exists. Statuses go before one another as listed. */
function judge(
  scratch: usize,
  at: usize,
  spot: f64,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  price: f64,
  isCall: bool,
): i32 {
  if (!isFinite(spot) || !isFinite(strike) || !isFinite(time)) return statusNonFinite;
  if (!isFinite(rate) || !isFinite(dividendYield) || !isFinite(price)) return statusNonFinite;
  if (spot <= 0.0 || strike <= 0.0) return statusOutOfDomain;
  if (time <= 0.0) return statusExpired;
  if (spot < smallest || spot >= largest || strike < smallest || strike >= largest) return statusOutOfDomain;
  if (time < smallest || time >= largest) return statusOutOfDomain;
  const rateProduct = load<f64>(cell(scratch, columnRateProduct, at));
  const dividendProduct = load<f64>(cell(scratch, columnDividendProduct, at));
  if (!(abs<f64>(rateProduct) <= discountExponentMax)) return statusOutOfDomain;
  if (!(abs<f64>(dividendProduct) <= discountExponentMax)) return statusOutOfDomain;
  if (!(load<f64>(cell(scratch, columnLogMoneyness, at)) <= logMoneynessMax)) return statusOutOfDomain;
  const distance = storeDistance(scratch, at, isCall, spot, strike, price);
  const isBelow = !(load<f64>(cell(scratch, columnTimeValue, at)) > 0.0);
  // a price at its bound is above intrinsic even where the other leg is too small for the time value to show
  if (isBelow && (distance > 0.0 || price <= 0.0)) return statusBelowIntrinsic;
  if (!(distance > 0.0)) return statusAboveMaximum;
  return statusOk;
}
