// The Black family over columns: tile by tile through the loops of models/black.ts, then a status per row. Separate from price.ts
// because four models share it: a forward is a spot whose yield is the rate, and a displaced forward is one whose two prices
// have been shifted first. Never throws; a row it cannot price gets a status and null.
// A pair of rows goes through the two-lane code, a last odd row through the one-lane code of the same source, so that a row's
// bits depend on its own inputs alone: not on its place, its neighbours, the count or what is broadcast.
import {
  countOffset,
  inputDisplacement,
  inputDividendYield,
  inputPrice,
  inputRate,
  inputSpot,
  inputStrike,
  inputTimeToExpiry,
  inputVolatility,
  inputsMax,
  intermediate,
  isBroadcast,
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
  tileBytes,
  tileRows,
} from "../abi/layout";
import { statusOk, statusOutOfDomain } from "../abi/status";
import { carryNone, carryOfRates, carryOfShift, exponentials, gaussians, isOrdinary, moneyness, outputs, ratios, sharedParts, spreadDiscounts } from "../models/black";
import { furtherOutputs, furtherOutputsOf } from "../models/black-further";
import { blackLimit } from "../models/black-limits";
import { shift, shiftCarryColumn, shiftedSpotColumn, shiftedStrikeColumn } from "../models/displacement";
import {
  arePacked,
  areSame,
  inputColumn,
  isCallColumn,
  isOneNumber,
  packPairs,
  spreadBroadcasts,
  writeLimitRow,
  writeNullRow,
} from "./columns";

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
  const inputs = inputsOf(isForward, isDisplaced);
  // calls first, then puts at the same strikes: what they share is computed once
  const half = count >> 1;
  const isMirrored = (count & 1) == 0 && half > 1 && isEachInput(request, scratch, inputs, 0, half, half << 3);
  const rowsInAll = isMirrored ? half : count;
  store<f64>(scratch, f64.NaN, carryMemo);
  let exceptions = 0;
  for (let row: usize = 0; row < rowsInAll; row += tileRows) {
    const rows = min<usize>(tileRows, rowsInAll - row);
    const pairs = rows & ~1;
    const mirror = isMirrored ? half : 0;
    let isModerate = true;
    if (pairs > 0) {
      // a call and a put at each strike, one after the other
      const isPaired = !isMirrored && pairs > 2 && isEachPaired(request, scratch, inputs, row, pairs);
      isModerate = tile<v128>(request, scratch, row, pairs, mirror, isPaired, isForward, isDisplaced);
    }
    if (rows > pairs) {
      const last = row + pairs;
      isModerate = tile<f64>(request, scratch, last, 1, mirror, false, isForward, isDisplaced) && isModerate;
    }
    if (!isModerate) {
      exceptions += inspect(request, scratch, row, rows, isForward, isDisplaced);
      if (isMirrored) exceptions += inspect(request, scratch, row + half, rows, isForward, isDisplaced);
    }
  }
  return exceptions;
}

/** Bits of the inputs the model reads. */
function inputsOf(isForward: bool, isDisplaced: bool): u32 {
  const common: u32 =
    (1 << <u32>inputSpot) |
    (1 << <u32>inputStrike) |
    (1 << <u32>inputTimeToExpiry) |
    (1 << <u32>inputRate) |
    (1 << <u32>inputVolatility);
  return common | (isForward ? 0 : 1 << <u32>inputDividendYield) | (isDisplaced ? 1 << <u32>inputDisplacement : 0);
}

/** True where every input is the same, bit for bit, at the rows from `row` on and `distance` rows further. */
function isEachInput(request: usize, scratch: usize, inputs: u32, row: usize, distance: usize, bytes: usize): bool {
  for (let left = inputs; left != 0; left &= left - 1) {
    const input = <usize>ctz<u32>(left);
    if (isBroadcast(request, input)) continue;
    const column = inputColumn(request, scratch, input, row);
    if (!areSame(column, column + (distance << 3), bytes)) return false;
  }
  return true;
}

/** True where every input is the same at rows 2i and 2i + 1 of the tile: then every second row of each is packed. */
function isEachPaired(request: usize, scratch: usize, inputs: u32, row: usize, rows: usize): bool {
  for (let left = inputs; left != 0; left &= left - 1) {
    const input = <usize>ctz<u32>(left);
    if (isBroadcast(request, input)) continue;
    if (!arePacked(inputColumn(request, scratch, input, row), packedColumn(scratch, input), rows << 3)) return false;
  }
  return true;
}

/** First of the five columns of intermediates that packed inputs take, half a column each. */
const packedIndex: usize = 23;
const packedBytes: usize = tileBytes >> 1;
/** Where the scratch remembers the time, rate and yield whose discount factors it holds for a whole tile. */
const carryMemo: usize = (inputsMax + 30) * tileBytes;

/**
 * Keeps the discount factors of a tile whose time, rate and yield are one number each, as in one expiry of a chain, and computes
 * them only where they are not those of the tile before. Another tile's loops put their own in the same place.
 */
function holdDiscounts(
  isOneCarry: bool,
  time: f64,
  rate: f64,
  dividendYield: f64,
  scratch: usize,
  bytes: usize,
): void {
  if (!isOneCarry) {
    store<f64>(scratch, f64.NaN, carryMemo);
    return;
  }
  const isHeld =
    load<f64>(scratch, carryMemo) == time &&
    load<f64>(scratch, carryMemo + 8) == rate &&
    load<f64>(scratch, carryMemo + 16) == dividendYield &&
    load<u32>(scratch, carryMemo + 24) >= <u32>bytes;
  if (isHeld) return;
  spreadDiscounts(time, rate, dividendYield, scratch, bytes);
  store<f64>(scratch, time, carryMemo);
  store<f64>(scratch, rate, carryMemo + 8);
  store<f64>(scratch, dividendYield, carryMemo + 16);
  store<u32>(scratch, <u32>bytes, carryMemo + 24);
}

function isOneInTile(request: usize, input: usize, column: usize, bytes: usize): bool {
  return isBroadcast(request, input) || bytes <= 8 || isOneNumber(column, bytes);
}

function packedColumn(scratch: usize, input: usize): usize {
  return intermediate(scratch, packedIndex) + input * packedBytes;
}

/** An input's cells for the loops where the rows are paired: every second of its rows, or the one number it is. */
function packed(request: usize, scratch: usize, input: usize): usize {
  return isBroadcast(request, input) ? inputColumn(request, scratch, input, 0) : packedColumn(scratch, input);
}

/** The same of a computed column, packed into the place of an input that nothing else reads. */
function packedAs(scratch: usize, input: usize, column: usize, bytes: usize): usize {
  packPairs(column, packedColumn(scratch, input), bytes);
  return packedColumn(scratch, input);
}

/**
 * A tile of rows from `row` on, and the same again at `row + mirror` where that is not 0. Where the rows are paired, loops 1 to 3 see
 * every second one only.
 */
function tile<T>(
  request: usize,
  scratch: usize,
  row: usize,
  rows: usize,
  mirror: usize,
  isPaired: bool,
  isForward: bool,
  isDisplaced: bool,
): bool {
  const outBytes = rows << 3;
  const underlyings = inputColumn(request, scratch, inputSpot, row);
  const givenStrikes = inputColumn(request, scratch, inputStrike, row);
  const times = inputColumn(request, scratch, inputTimeToExpiry, row);
  const rates = inputColumn(request, scratch, inputRate, row);
  const yields = isForward ? rates : inputColumn(request, scratch, inputDividendYield, row);
  const volatilities = inputColumn(request, scratch, inputVolatility, row);
  let spots = underlyings;
  let strikes = givenStrikes;
  if (isDisplaced) {
    const displacements = inputColumn(request, scratch, inputDisplacement, row);
    shift<T>(underlyings, givenStrikes, displacements, scratch, outBytes);
    spots = scratch + shiftedSpotColumn;
    strikes = scratch + shiftedStrikeColumn;
  }
  const yieldInput = isForward ? inputRate : inputDividendYield;
  const isOneCarry =
    isOneInTile(request, inputTimeToExpiry, times, outBytes) &&
    isOneInTile(request, inputRate, rates, outBytes) &&
    isOneInTile(request, yieldInput, yields, outBytes);
  holdDiscounts(isOneCarry, load<f64>(times), load<f64>(rates), load<f64>(yields), scratch, outBytes);
  const carry = isDisplaced ? carryOfShift : isForward ? carryNone : carryOfRates;
  let isModerate: bool;
  if (isPaired) {
    // an even number of cells, the last of which may be idle
    const bytes = (((rows >> 1) + 1) & ~1) << 3;
    const packedTimes = packed(request, scratch, inputTimeToExpiry);
    const packedRates = packed(request, scratch, inputRate);
    const packedYields = packed(request, scratch, yieldInput);
    const packedVolatilities = packed(request, scratch, inputVolatility);
    let packedSpots: usize;
    let packedStrikes: usize;
    if (isDisplaced) {
      packedSpots = packedAs(scratch, inputPrice, spots, outBytes);
      packedStrikes = packedAs(scratch, inputDisplacement, strikes, outBytes);
      packPairs(scratch + shiftCarryColumn, scratch + shiftCarryColumn, outBytes);
    } else {
      packedSpots = packed(request, scratch, inputSpot);
      packedStrikes = packed(request, scratch, inputStrike);
    }
    isModerate = moneyness<T>(
      packedSpots,
      packedStrikes,
      packedTimes,
      packedRates,
      packedYields,
      packedVolatilities,
      scratch,
      bytes,
      carry,
    );
    if (isOneCarry) gaussians<T>(scratch, bytes);
    else exponentials<T>(packedTimes, packedRates, packedYields, scratch, bytes);
    ratios<T>(scratch, bytes);
    sharedParts(packedSpots, packedStrikes, packedVolatilities, scratch, bytes, request);
  } else {
    isModerate = moneyness<T>(spots, strikes, times, rates, yields, volatilities, scratch, outBytes, carry);
    if (isOneCarry) gaussians<T>(scratch, outBytes);
    else exponentials<T>(times, rates, yields, scratch, outBytes);
    ratios<T>(scratch, outBytes);
  }
  const mask = load<u32>(request, outputMaskOffset);
  const wantsFurther = (mask & furtherOutputs) != 0;
  for (let place = row; ; place = row + mirror) {
    const at = place << 3;
    outputs<T>(
      spots,
      strikes,
      times,
      rates,
      yields,
      volatilities,
      isCallColumn(request, scratch, place),
      scratch,
      outBytes,
      request,
      mask,
      isForward,
      wantsFurther,
      isPaired,
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
        outBytes,
        request,
        mask,
        at,
        isPaired,
      );
    }
    if (place == row + mirror) break;
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
