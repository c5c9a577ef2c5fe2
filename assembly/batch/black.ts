// The Black family over columns: tile by tile through the loops of models/black.ts, then a status per row. Separate from price.ts
// because four models share it: a forward is a spot whose yield is the rate, and a displaced forward is one whose two prices
// have been shifted first. Never throws; a row it cannot price gets a status and null.
// A pair of rows goes through the two-lane code, a last odd row through the one-lane code of the same source, so that a row's
// bits depend on its own inputs alone: not on its place, its neighbours, the count or what is broadcast.
import {
  countOffset,
  factorsOffset,
  inputDisplacement,
  inputDividendYield,
  inputRate,
  inputSpot,
  inputStrike,
  inputTimeToExpiry,
  inputVolatility,
  intermediate,
  nullBits,
  outputAddress,
  outputDelta,
  outputGamma,
  outputLambda,
  outputMaskOffset,
  outputPrice,
  outputRho,
  outputTheta,
  outputVega,
  scratchOffset,
  statusOffset,
  tileRows,
} from "../abi/layout";
import { statusOk, statusOutOfDomain } from "../abi/status";
import { carryNone, carryOfRates, carryOfShift, discounts, exponentials, gaussians, isOrdinary, moneyness, outputs, ratios } from "../models/black";
import { furtherOutputs, furtherOutputsOf } from "../models/black-further";
import { blackLimit } from "../models/black-limits";
import { shift, shiftedSpotColumn, shiftedStrikeColumn } from "../models/displacement";
import { areAllBroadcast, evenTileBytes, inputColumn, isCallColumn, spreadBroadcasts, writeNullRow } from "./columns";

/** Black–Scholes–Merton and Garman–Kohlhagen; returns how many rows have a status other than ok. */
export function blackBatch(request: usize): i32 {
  return batch(request, false, false);
}

/** Black 76. */
export function forwardBlackBatch(request: usize): i32 {
  return batch(request, true, false);
}

/** Displaced Black. */
export function displacedBlackBatch(request: usize): i32 {
  return batch(request, true, true);
}

function batch(request: usize, isForward: bool, isDisplaced: bool): i32 {
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  memory.fill(statuses, 0, count << 2);
  spreadBroadcasts(request, scratch, inputDisplacement + 1);
  const yieldInput = isForward ? inputRate : inputDividendYield;
  const carryMask = (1 << <u32>inputTimeToExpiry) | (1 << <u32>inputRate) | (1 << <u32>yieldInput);
  const hasOneCarry = areAllBroadcast(request, carryMask);
  if (hasOneCarry) {
    discounts<v128>(
      inputColumn(request, scratch, inputTimeToExpiry, 0),
      inputColumn(request, scratch, inputRate, 0),
      inputColumn(request, scratch, yieldInput, 0),
      scratch,
      evenTileBytes(count),
    );
  }
  let exceptions = 0;
  for (let row: usize = 0; row < count; row += tileRows) {
    const rows = min<usize>(tileRows, count - row);
    const pairs = rows & ~1;
    let isModerate = true;
    if (pairs > 0) isModerate = tile<v128>(request, scratch, row, pairs, hasOneCarry, isForward, isDisplaced);
    if (rows > pairs) {
      isModerate = tile<f64>(request, scratch, row + pairs, 1, hasOneCarry, isForward, isDisplaced) && isModerate;
    }
    if (!isModerate) exceptions += inspect(request, scratch, row, rows, isForward, isDisplaced);
  }
  return exceptions;
}

function tile<T>(
  request: usize,
  scratch: usize,
  row: usize,
  rows: usize,
  hasOneCarry: bool,
  isForward: bool,
  isDisplaced: bool,
): bool {
  const bytes = rows << 3;
  const underlyings = inputColumn(request, scratch, inputSpot, row);
  let spots = underlyings;
  let strikes = inputColumn(request, scratch, inputStrike, row);
  const times = inputColumn(request, scratch, inputTimeToExpiry, row);
  const rates = inputColumn(request, scratch, inputRate, row);
  const yields = isForward ? rates : inputColumn(request, scratch, inputDividendYield, row);
  const volatilities = inputColumn(request, scratch, inputVolatility, row);
  let isModerate: bool;
  if (isDisplaced) {
    const displacements = inputColumn(request, scratch, inputDisplacement, row);
    shift<T>(spots, strikes, displacements, scratch, bytes);
    spots = scratch + shiftedSpotColumn;
    strikes = scratch + shiftedStrikeColumn;
    isModerate = moneyness<T>(spots, strikes, times, rates, yields, volatilities, scratch, bytes, carryOfShift);
  } else {
    isModerate = moneyness<T>(spots, strikes, times, rates, yields, volatilities, scratch, bytes, isForward ? carryNone : carryOfRates);
  }
  if (hasOneCarry) gaussians<T>(scratch, bytes);
  else exponentials<T>(times, rates, yields, scratch, bytes);
  ratios<T>(scratch, bytes);
  const at = row << 3;
  const mask = load<u32>(request, outputMaskOffset);
  const wantsFurther = (mask & furtherOutputs) != 0;
  outputs<T>(
    spots,
    strikes,
    times,
    rates,
    yields,
    volatilities,
    isCallColumn(request, scratch, row),
    scratch,
    bytes,
    request,
    mask,
    isForward,
    wantsFurther,
    outputAddress(request, outputPrice) + at,
    outputAddress(request, outputDelta) + at,
    outputAddress(request, outputGamma) + at,
    outputAddress(request, outputVega) + at,
    outputAddress(request, outputTheta) + at,
    outputAddress(request, outputRho) + at,
  );
  if (wantsFurther) {
    furtherOutputsOf<T>(
      spots,
      strikes,
      times,
      rates,
      yields,
      underlyings,
      scratch,
      bytes,
      request,
      mask,
      at,
    );
  }
  return isModerate;
}

/** Looks at every row of a tile and overwrites those that the formulas are not good for; returns how many are not ok. */
function inspect(
  request: usize,
  scratch: usize,
  first: usize,
  rows: usize,
  isForward: bool,
  isDisplaced: bool,
): i32 {
  const mask = load<u32>(request, outputMaskOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  const limits = intermediate(scratch, 16); // clear of what the loops hold
  const isCalls = isCallColumn(request, scratch, first);
  let exceptions = 0;
  for (let i: usize = 0; i < rows; i++) {
    const at = i << 3;
    const underlying = load<f64>(inputColumn(request, scratch, inputSpot, first) + at);
    const givenStrike = load<f64>(inputColumn(request, scratch, inputStrike, first) + at);
    const time = load<f64>(inputColumn(request, scratch, inputTimeToExpiry, first) + at);
    const rate = load<f64>(inputColumn(request, scratch, inputRate, first) + at);
    const volatility = load<f64>(inputColumn(request, scratch, inputVolatility, first) + at);
    let dividendYield = rate;
    if (!isForward) dividendYield = load<f64>(inputColumn(request, scratch, inputDividendYield, first) + at);
    let spot = underlying;
    let strike = givenStrike;
    if (isDisplaced) {
      const displacement = load<f64>(inputColumn(request, scratch, inputDisplacement, first) + at);
      spot = underlying + displacement;
      strike = givenStrike + displacement;
      // a displacement that is not finite must be told as such, whatever the two sums are
      if (displacement - displacement != 0) dividendYield = f64.NaN;
    }
    const yieldTime: f64 = isForward ? 0 : dividendYield * time;
    const ordinary = isOrdinary<f64>(spot, strike, time, volatility, rate * time, yieldTime);
    let status = statusOutOfDomain;
    if (i64.reinterpret_f64(ordinary) != 0) {
      if (isRowFinite(request, mask, first + i)) continue;
    } else {
      status = blackLimit(
        load<u8>(isCalls + i) != 0,
        isForward,
        underlying,
        givenStrike,
        spot,
        strike,
        time,
        rate,
        dividendYield,
        volatility,
        limits,
      );
    }
    store<i32>(statuses + ((first + i) << 2), status);
    if (status != statusOk) exceptions++;
    if (status >= 10) writeNullRow(request, mask, first + i);
    else writeLimitRow(request, mask, first + i, limits);
  }
  return exceptions;
}

/** False where a requested output is too large for a double. Lambda's null is none of that. */
function isRowFinite(request: usize, mask: u32, row: usize): bool {
  for (let left = mask; left != 0; left &= left - 1) {
    const output = <usize>ctz<u32>(left);
    const address = outputAddress(request, output) + (row << 3);
    if (output == outputLambda && load<u64>(address) == nullBits) continue;
    const value = load<f64>(address);
    if (value - value != 0) return false;
  }
  return true;
}

/** Copies the requested limit values of a row, in the request's units; null stays the canonical NaN. */
function writeLimitRow(request: usize, mask: u32, row: usize, limits: usize): void {
  for (let left = mask; left != 0; left &= left - 1) {
    const output = <usize>ctz<u32>(left);
    const raw = load<f64>(limits + (output << 3));
    const address = outputAddress(request, output) + (row << 3);
    if (raw == raw) store<f64>(address, raw * load<f64>(request + factorsOffset + (output << 3)));
    else store<u64>(address, nullBits);
  }
}
