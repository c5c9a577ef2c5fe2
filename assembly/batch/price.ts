// Prices and Greeks over columns: tile by tile through a model's loops, then a status per row. Never throws; a row it cannot
// price gets a status and null. Separate from the models so that they hold formulas only: a new model is one case here.
// A pair of rows goes through the two-lane code, a last odd row through the one-lane code of the same source, so that a row's
// bits depend on its own inputs alone: not on its place, its neighbours, the count or what is broadcast.
import {
  countOffset,
  factorsOffset,
  inputDividendYield,
  inputRate,
  inputSpot,
  inputStrike,
  inputTimeToExpiry,
  inputVolatility,
  intermediate,
  modelOffset,
  nullBits,
  outputAddress,
  outputDelta,
  outputGamma,
  outputMaskOffset,
  outputPrice,
  outputRho,
  outputTheta,
  outputVega,
  scratchOffset,
  statusOffset,
  tileRows,
} from "../abi/layout";
import { modelBlackScholesMerton } from "../abi/model";
import { statusOk, statusUnsupportedOutput } from "../abi/status";
import { discounts, exponentials, gaussians, isOrdinary, moneyness, outputs, ratios } from "../models/black";
import { blackLimit } from "../models/black-limits";
import { areAllBroadcast, evenTileBytes, inputColumn, isCallColumn, spreadBroadcasts, writeNullRow } from "./columns";

/** Prices every row of the request; returns how many have a status other than ok. */
export function priceBatch(request: usize): i32 {
  switch (load<i32>(request, modelOffset)) {
    case modelBlackScholesMerton:
      return blackBatch(request);
    default:
      return unsupportedBatch(request);
  }
}

function unsupportedBatch(request: usize): i32 {
  const count = load<i32>(request, countOffset);
  const mask = load<u32>(request, outputMaskOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  for (let row: usize = 0; row < <usize>count; row++) {
    writeNullRow(request, mask, row);
    store<i32>(statuses + (row << 2), statusUnsupportedOutput);
  }
  return count;
}

function blackBatch(request: usize): i32 {
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  memory.fill(statuses, 0, count << 2);
  spreadBroadcasts(request, scratch, inputVolatility + 1);
  const carryMask = (1 << <u32>inputTimeToExpiry) | (1 << <u32>inputRate) | (1 << <u32>inputDividendYield);
  const hasOneCarry = areAllBroadcast(request, carryMask);
  if (hasOneCarry) {
    discounts<v128>(
      inputColumn(request, scratch, inputTimeToExpiry, 0),
      inputColumn(request, scratch, inputRate, 0),
      inputColumn(request, scratch, inputDividendYield, 0),
      scratch,
      evenTileBytes(count),
    );
  }
  let exceptions = 0;
  for (let row: usize = 0; row < count; row += tileRows) {
    const rows = min<usize>(tileRows, count - row);
    const pairs = rows & ~1;
    let ordinary = true;
    if (pairs > 0) ordinary = blackTile<v128>(request, scratch, row, pairs, hasOneCarry);
    if (rows > pairs) ordinary = blackTile<f64>(request, scratch, row + pairs, 1, hasOneCarry) && ordinary;
    if (!ordinary) exceptions += blackExceptions(request, scratch, row, rows);
  }
  return exceptions;
}

function blackTile<T>(request: usize, scratch: usize, row: usize, rows: usize, hasOneCarry: bool): bool {
  const bytes = rows << 3;
  const spots = inputColumn(request, scratch, inputSpot, row);
  const strikes = inputColumn(request, scratch, inputStrike, row);
  const times = inputColumn(request, scratch, inputTimeToExpiry, row);
  const rates = inputColumn(request, scratch, inputRate, row);
  const yields = inputColumn(request, scratch, inputDividendYield, row);
  const volatilities = inputColumn(request, scratch, inputVolatility, row);
  const ordinary = moneyness<T>(spots, strikes, times, rates, yields, volatilities, scratch, bytes);
  if (hasOneCarry) gaussians<T>(scratch, bytes);
  else exponentials<T>(times, rates, yields, scratch, bytes);
  ratios<T>(scratch, bytes);
  const at = row << 3;
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
    load<u32>(request, outputMaskOffset),
    outputAddress(request, outputPrice) + at,
    outputAddress(request, outputDelta) + at,
    outputAddress(request, outputGamma) + at,
    outputAddress(request, outputVega) + at,
    outputAddress(request, outputTheta) + at,
    outputAddress(request, outputRho) + at,
  );
  return ordinary;
}

/** Overwrites the rows of a tile that the formulas are not good for; returns how many got a status other than ok. */
function blackExceptions(request: usize, scratch: usize, first: usize, rows: usize): i32 {
  const mask = load<u32>(request, outputMaskOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  const limits = intermediate(scratch, 16);
  const isCalls = isCallColumn(request, scratch, first);
  let exceptions = 0;
  for (let i: usize = 0; i < rows; i++) {
    const at = i << 3;
    const spot = load<f64>(inputColumn(request, scratch, inputSpot, first) + at);
    const strike = load<f64>(inputColumn(request, scratch, inputStrike, first) + at);
    const time = load<f64>(inputColumn(request, scratch, inputTimeToExpiry, first) + at);
    const rate = load<f64>(inputColumn(request, scratch, inputRate, first) + at);
    const dividendYield = load<f64>(inputColumn(request, scratch, inputDividendYield, first) + at);
    const volatility = load<f64>(inputColumn(request, scratch, inputVolatility, first) + at);
    const ordinary = isOrdinary<f64>(spot, strike, time, volatility, rate * time, dividendYield * time);
    if (i64.reinterpret_f64(ordinary) != 0) continue;
    const isCall = load<u8>(isCalls + i) != 0;
    const status = blackLimit(isCall, spot, strike, time, rate, dividendYield, volatility, limits);
    store<i32>(statuses + ((first + i) << 2), status);
    if (status != statusOk) exceptions++;
    if (status >= 10) writeNullRow(request, mask, first + i);
    else writeLimitRow(request, mask, first + i, limits);
  }
  return exceptions;
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
