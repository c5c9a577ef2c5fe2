// Walks columns of option prices back to the normal model's volatilities, a status per row; it never throws or allocates. Separate from
// batch/implied-volatility because the equation is another and closed. Tiles of 128 rows go through four two-lane loops, an odd last row
// through the same source one lane wide, so that a row's bits depend on that row alone.
// Domain: |forward|, |strike| < 2^200, time to expiry in [2^-200, 2^200), |rate·T| <= 256, price < 2^400.
import {
  countOffset,
  flagUnattainableIsZero,
  flagsOffset,
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
import { statusBelowIntrinsic, statusExpired, statusNonFinite, statusOk, statusOutOfDomain } from "../abi/status";
import { columnRegular, hasTimeValue, storeAnswer, storeGuess, storeSlope, storeTimeValue } from "../iv/bachelier";
import { cell } from "../iv/tile";
import { putSign } from "../lane/lane";
import { inputColumn, isCallColumn, spreadBroadcasts } from "./columns";

const smallest: f64 = 6.223015277861142e-61; // 2^-200
const largest: f64 = 1.6069380442589903e60; // 2^200
const priceMax: f64 = 2.5822498780869086e120; // 2^400
const discountExponentMax: f64 = 256.0;

/** Implied volatilities for the request block at the address; returns how many rows have a status other than ok. */
export function bachelierVolatilityBatch(request: usize): i32 {
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  spreadBroadcasts(request, scratch, inputPrice + 1);
  let notOk = 0;
  for (let first: usize = 0; first < count; first += tileRows) {
    const rows = min<usize>(count - first, tileRows);
    const pairs = rows & ~1;
    if (pairs > 0) doRows<v128>(request, scratch, first, 0, pairs);
    if (rows > pairs) doRows<f64>(request, scratch, first, pairs, rows);
    notOk += settle(request, scratch, first, rows);
  }
  return notOk;
}

/** The rows of a tile from one place to another. */
function doRows<T>(request: usize, scratch: usize, first: usize, from: usize, to: usize): void {
  const forward = inputColumn(request, scratch, inputSpot, first);
  const strike = inputColumn(request, scratch, inputStrike, first);
  const time = inputColumn(request, scratch, inputTimeToExpiry, first);
  const rate = inputColumn(request, scratch, inputRate, first);
  const price = inputColumn(request, scratch, inputPrice, first);
  const isCall = isCallColumn(request, scratch, first);
  const volatility = outputAddress(request, outputImpliedVolatility) + (first << 3);
  const attainableError = outputAddress(request, outputAttainableError) + (first << 3);
  const start = from << 3;
  const end = to << 3;
  for (let at = start; at < end; at += sizeof<T>()) {
    storeTimeValue<T>(
      scratch,
      at,
      load<T>(forward + at),
      load<T>(strike + at),
      load<T>(time + at),
      load<T>(rate + at),
      load<T>(price + at),
      putSign<T>(isCall + (at >> 3)),
    );
  }
  for (let at = start; at < end; at += sizeof<T>()) storeGuess<T>(scratch, at);
  for (let at = start; at < end; at += sizeof<T>()) storeSlope<T>(scratch, at);
  for (let at = start; at < end; at += sizeof<T>()) {
    storeAnswer<T>(scratch, at, load<T>(time + at), volatility, attainableError);
  }
}

/** A status for every row of a tile; null, or zero where that is asked for, where it is not ok. Returns how many are not. */
function settle(request: usize, scratch: usize, first: usize, rows: usize): i32 {
  const volatility = outputAddress(request, outputImpliedVolatility) + (first << 3);
  const attainableError = outputAddress(request, outputAttainableError) + (first << 3);
  const status = <usize>load<u32>(request, statusOffset) + (first << 2);
  const unattainableIsZero = (load<u32>(request, flagsOffset) & flagUnattainableIsZero) != 0;
  let notOk = 0;
  for (let row: usize = 0; row < rows; row++) {
    const at = row << 3;
    let code = statusOk;
    if (load<u64>(cell(scratch, columnRegular, at)) == 0) {
      code = judge(
        scratch,
        at,
        load<f64>(inputColumn(request, scratch, inputSpot, first) + at),
        load<f64>(inputColumn(request, scratch, inputStrike, first) + at),
        load<f64>(inputColumn(request, scratch, inputTimeToExpiry, first) + at),
        load<f64>(inputColumn(request, scratch, inputRate, first) + at),
        load<f64>(inputColumn(request, scratch, inputPrice, first) + at),
      );
      notOk++;
      store<u64>(volatility + at, unattainableIsZero && code == statusBelowIntrinsic ? 0 : nullBits);
      store<u64>(attainableError + at, nullBits);
    }
    store<i32>(status + (row << 2), code);
  }
  return notOk;
}

/** Why a row has no volatility. Statuses go before one another as listed. */
function judge(scratch: usize, at: usize, forward: f64, strike: f64, time: f64, rate: f64, price: f64): i32 {
  if (!isFinite(forward) || !isFinite(strike) || !isFinite(time)) return statusNonFinite;
  if (!isFinite(rate) || !isFinite(price)) return statusNonFinite;
  if (time <= 0.0) return statusExpired;
  if (abs<f64>(forward) >= largest || abs<f64>(strike) >= largest) return statusOutOfDomain;
  if (time < smallest || time >= largest) return statusOutOfDomain;
  if (!(abs<f64>(rate * time) <= discountExponentMax)) return statusOutOfDomain;
  if (price >= priceMax) return statusOutOfDomain;
  // what is left is a price without time value, or a volatility that no normal double holds
  return hasTimeValue(scratch, at) ? statusOutOfDomain : statusBelowIntrinsic;
}
