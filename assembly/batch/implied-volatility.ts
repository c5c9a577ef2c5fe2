// Walks columns of European option prices back to volatilities, a status per row; it never throws or allocates. The Black family is
// one problem: a forward is a spot whose yield is the rate, a foreign rate is a yield, a displaced forward is one whose two prices are
// sums in two words. Separate from batch/price because the direction, the statuses and the second solver are its own. Tiles of 128 rows
// go through small two-lane loops; rows that are not usual (see iv/robust) are then done one by one. An odd last row goes through the
// same source one lane wide, so a row's bits depend on that row alone.
// Domain: spot, strike and time to expiry in [2^-200, 2^200), |rate·T| and |dividend_yield·T| <= 256, |ln(forward/strike)| <= 700.
import {
  countOffset,
  modelOffset,
  flagUnattainableIsZero,
  flagsOffset,
  inputDisplacement,
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
  modelAmerican,
  modelBachelier,
  modelBaroneAdesiWhaley,
  modelBinomial,
  modelBjerksundStensland1993,
  modelBjerksundStensland2002,
  modelBlack76,
  modelBlackScholesMerton,
  modelDisplacedBlack,
  modelGarmanKohlhagen,
  modelJuZhong,
  modelMertonJump,
} from "../abi/model";
import {
  statusAboveMaximum,
  statusBelowIntrinsic,
  statusExpired,
  statusNonFinite,
  statusNotConverged,
  statusOk,
  statusOutOfDomain,
  statusUnsupportedOutput,
} from "../abi/status";
import { addToCap, addToLogRatio, storeShifted } from "../iv/displacement";
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
  columnShiftedForward,
  columnShiftedStrike,
  columnTarget,
  columnTimeValue,
} from "../iv/tile";
import { storeCap, storeGap, storeLogRatio, storeMoneyness, storeTimeValue } from "../iv/time-value";
import { constant, div, mul, mulAdd, putSign, sqrt } from "../lane/lane";
import { sumLow } from "../math/error-free";
import { americanVolatilityBatch } from "./american-volatility";
import { approximationVolatilityBatch } from "./approximation-volatility";
import { bachelierVolatilityBatch } from "./bachelier-volatility";
import { mertonVolatilityBatch } from "./merton-jump";
import { inputColumn, isCallColumn, spreadBroadcasts } from "./columns";

const table: usize = memory.data<f64>([1.1102230246251565e-16, 1.1102230246251565e-16], 16); // 2^-53
const smallest: f64 = 6.223015277861142e-61; // 2^-200
const largest: f64 = 1.6069380442589903e60; // 2^200
const discountExponentMax: f64 = 256.0;
const logMoneynessMax: f64 = 700.0;

/** Implied volatilities for the request block at the address; returns how many rows have a status other than ok. */
export function impliedVolatilityBatch(request: usize): i32 {
  switch (load<i32>(request, modelOffset)) {
    case modelBlackScholesMerton:
    case modelGarmanKohlhagen: // the foreign rate comes in the dividend yield's place
      return blackBatch(request, inputDividendYield, false);
    case modelBlack76: // a forward is a spot whose yield is the rate
      return blackBatch(request, inputRate, false);
    case modelDisplacedBlack:
      return blackBatch(request, inputRate, true);
    case modelAmerican:
      return americanVolatilityBatch(request);
    case modelBaroneAdesiWhaley:
    case modelBjerksundStensland1993:
    case modelBjerksundStensland2002:
    case modelJuZhong:
    case modelBinomial:
      return approximationVolatilityBatch(request);
    case modelBachelier:
      return bachelierVolatilityBatch(request);
    case modelMertonJump:
      return mertonVolatilityBatch(request);
    default:
      return unsupportedBatch(request);
  }
}

function unsupportedBatch(request: usize): i32 {
  const count = load<i32>(request, countOffset);
  for (let row: usize = 0; row < <usize>count; row++) {
    store<u64>(outputAddress(request, outputImpliedVolatility) + (row << 3), nullBits);
    store<u64>(outputAddress(request, outputAttainableError) + (row << 3), nullBits);
    store<i32>(<usize>load<u32>(request, statusOffset) + (row << 2), statusUnsupportedOutput);
  }
  return count;
}

/** The Black family: `yieldInput` is the input that discounts the underlying. */
function blackBatch(request: usize, yieldInput: usize, isDisplaced: bool): i32 {
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  spreadBroadcasts(request, scratch, (isDisplaced ? inputDisplacement : inputPrice) + 1);
  let notOk = 0;
  for (let first: usize = 0; first < count; first += tileRows) {
    const rows = min<usize>(count - first, tileRows);
    const pairs = rows & ~1;
    if (pairs > 0) doRows<v128>(request, scratch, first, 0, pairs, yieldInput, isDisplaced);
    if (rows > pairs) doRows<f64>(request, scratch, first, pairs, rows, yieldInput, isDisplaced);
    notOk += settle(request, scratch, first, rows, yieldInput, isDisplaced);
  }
  return notOk;
}

/** The two-lane path, or one lane wide for an odd last row, over the rows of a tile from one place to another. */
function doRows<T>(
  request: usize,
  scratch: usize,
  first: usize,
  from: usize,
  to: usize,
  yieldInput: usize,
  isDisplaced: bool,
): void {
  const givenSpot = inputColumn(request, scratch, inputSpot, first);
  const givenStrike = inputColumn(request, scratch, inputStrike, first);
  const time = inputColumn(request, scratch, inputTimeToExpiry, first);
  const rate = inputColumn(request, scratch, inputRate, first);
  const dividendYield = inputColumn(request, scratch, yieldInput, first);
  const price = inputColumn(request, scratch, inputPrice, first);
  const isCall = isCallColumn(request, scratch, first);
  const volatility = outputAddress(request, outputImpliedVolatility) + (first << 3);
  const attainableError = outputAddress(request, outputAttainableError) + (first << 3);
  const spot = isDisplaced ? cell(scratch, columnShiftedForward, 0) : givenSpot;
  const strike = isDisplaced ? cell(scratch, columnShiftedStrike, 0) : givenStrike;
  const start = from << 3;
  const last = to << 3;
  const step = sizeof<T>();
  if (isDisplaced) {
    const displacement = inputColumn(request, scratch, inputDisplacement, first);
    for (let at = start; at < last; at += step) {
      storeShifted<T>(scratch, at, load<T>(givenSpot + at), load<T>(givenStrike + at), load<T>(displacement + at));
    }
  }
  // each loop is short enough that the processor overlaps several pairs of rows
  for (let at = start; at < last; at += step) {
    storeLogRatio<T>(scratch, at, load<T>(spot + at), load<T>(strike + at));
  }
  if (isDisplaced) {
    for (let at = start; at < last; at += step) addToLogRatio<T>(scratch, at);
  }
  for (let at = start; at < last; at += step) {
    storeMoneyness<T>(
      scratch,
      at,
      load<T>(spot + at),
      load<T>(strike + at),
      load<T>(time + at),
      load<T>(rate + at),
      load<T>(dividendYield + at),
    );
  }
  for (let at = start; at < last; at += step) {
    storeCap<T>(
      scratch,
      at,
      load<T>(spot + at),
      load<T>(strike + at),
      load<T>(time + at),
      load<T>(rate + at),
      load<T>(dividendYield + at),
    );
  }
  if (isDisplaced) {
    for (let at = start; at < last; at += step) addToCap<T>(scratch, at);
  }
  for (let at = start; at < last; at += step) storeGap<T>(scratch, at);
  // the intrinsic value is a difference of what was given: a displacement takes no digits from it
  for (let at = start; at < last; at += step) {
    storeTimeValue<T>(
      scratch,
      at,
      load<T>(givenSpot + at),
      load<T>(givenStrike + at),
      load<T>(price + at),
      putSign<T>(isCall + (at >> 3)),
    );
  }
  for (let at = start; at < last; at += step) storeEta<T>(scratch, at);
  for (let at = start; at < last; at += step) storeGuess<T>(scratch, at);
  for (let at = start; at < last; at += step) storeSlope<T>(scratch, at);
  for (let at = start; at < last; at += step) storeDifference<T>(scratch, at);
  for (let at = start; at < last; at += step) storeStep<T>(scratch, at);
  for (let at = start; at < last; at += step) storeFurtherSteps<T>(scratch, at);
  for (let at = start; at < last; at += step) answer<T>(scratch, at, time, price, volatility, attainableError);
}

/** A status for every row of a tile, and the other solver where the two-lane path did not serve. Returns how many are not ok. */
function settle(
  request: usize,
  scratch: usize,
  first: usize,
  rows: usize,
  yieldInput: usize,
  isDisplaced: bool,
): i32 {
  const time = inputColumn(request, scratch, inputTimeToExpiry, first);
  const price = inputColumn(request, scratch, inputPrice, first);
  const isCall = isCallColumn(request, scratch, first);
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
        isDisplaced ? load<f64>(inputColumn(request, scratch, inputDisplacement, first) + at) : 0.0,
        load<f64>(time + at),
        load<f64>(inputColumn(request, scratch, inputRate, first) + at),
        load<f64>(inputColumn(request, scratch, yieldInput, first) + at),
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
  givenSpot: f64,
  givenStrike: f64,
  displacement: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  price: f64,
  isCall: bool,
): i32 {
  if (!isFinite(givenSpot) || !isFinite(givenStrike) || !isFinite(displacement)) return statusNonFinite;
  if (!isFinite(time) || !isFinite(rate) || !isFinite(dividendYield) || !isFinite(price)) return statusNonFinite;
  const spot = givenSpot + displacement;
  const strike = givenStrike + displacement;
  if (spot <= 0.0 || strike <= 0.0) return statusOutOfDomain;
  if (time <= 0.0) return statusExpired;
  if (spot < smallest || spot >= largest || strike < smallest || strike >= largest) return statusOutOfDomain;
  if (time < smallest || time >= largest) return statusOutOfDomain;
  const rateProduct = load<f64>(cell(scratch, columnRateProduct, at));
  const dividendProduct = load<f64>(cell(scratch, columnDividendProduct, at));
  if (!(abs<f64>(rateProduct) <= discountExponentMax)) return statusOutOfDomain;
  if (!(abs<f64>(dividendProduct) <= discountExponentMax)) return statusOutOfDomain;
  if (!(load<f64>(cell(scratch, columnLogMoneyness, at)) <= logMoneynessMax)) return statusOutOfDomain;
  const bound = isCall ? spot : strike;
  const boundLow = sumLow<f64>(isCall ? givenSpot : givenStrike, displacement, bound);
  const distance = storeDistance(scratch, at, isCall, spot, strike, price, boundLow);
  const isBelow = !(load<f64>(cell(scratch, columnTimeValue, at)) > 0.0);
  // a price at its bound is above intrinsic even where the other leg is too small for the time value to show
  if (isBelow && (distance > 0.0 || price <= 0.0)) return statusBelowIntrinsic;
  if (!(distance > 0.0)) return statusAboveMaximum;
  return statusOk;
}
