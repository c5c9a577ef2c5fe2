// Prices and Greeks of the normal model over columns: tile by tile through its loops, then a status per row. Separate from batch/price so
// that each model's walk stands alone; the rules are the same: pairs of rows two lanes at a time, a last odd row through the
// one-lane code of the same source, so that a row's bits depend on its own inputs alone. Never throws.
import {
  countOffset,
  inputRate,
  inputSpot,
  inputStrike,
  inputTimeToExpiry,
  inputVolatility,
  intermediate,
  outputCharm,
  outputColor,
  outputLambda,
  outputMaskOffset,
  outputSpeed,
  outputUltima,
  outputVanna,
  outputVeta,
  outputVolga,
  outputZomma,
  scratchOffset,
  statusOffset,
  tileRows,
} from "../abi/layout";
import { densities, discounts, distances, furtherOutputs, isOrdinary, outputs, ratios } from "../models/bachelier";
import { bachelierLimit } from "../models/bachelier-limits";
import {
  areAllBroadcast,
  evenTileBytes,
  inputColumn,
  isCallColumn,
  spreadBroadcasts,
  writeLimitRow,
  writeNullRow,
} from "./columns";

/** The outputs of the loop that most requests skip. */
const furtherMask: u32 =
  (1 << <u32>outputVanna) |
  (1 << <u32>outputVolga) |
  (1 << <u32>outputCharm) |
  (1 << <u32>outputVeta) |
  (1 << <u32>outputSpeed) |
  (1 << <u32>outputZomma) |
  (1 << <u32>outputColor) |
  (1 << <u32>outputUltima) |
  (1 << <u32>outputLambda);

/** Prices every row of the request; returns how many have a status other than ok. */
export function bachelierBatch(request: usize): i32 {
  const count = <usize>load<i32>(request, countOffset);
  const scratch = <usize>load<u32>(request, scratchOffset);
  memory.fill(<usize>load<u32>(request, statusOffset), 0, count << 2);
  spreadBroadcasts(request, scratch, inputVolatility + 1);
  const hasOneDiscount = areAllBroadcast(request, (1 << <u32>inputTimeToExpiry) | (1 << <u32>inputRate));
  if (hasOneDiscount) {
    discounts<v128>(
      inputColumn(request, scratch, inputTimeToExpiry, 0),
      inputColumn(request, scratch, inputRate, 0),
      scratch,
      evenTileBytes(count),
    );
  }
  let exceptions = 0;
  for (let row: usize = 0; row < count; row += tileRows) {
    const rows = min<usize>(tileRows, count - row);
    const pairs = rows & ~1;
    let ordinary = true;
    if (pairs > 0) ordinary = tile<v128>(request, scratch, row, pairs, hasOneDiscount);
    if (rows > pairs) ordinary = tile<f64>(request, scratch, row + pairs, 1, hasOneDiscount) && ordinary;
    if (!ordinary) exceptions += doExceptions(request, scratch, row, rows);
  }
  return exceptions;
}

function tile<T>(request: usize, scratch: usize, row: usize, rows: usize, hasOneDiscount: bool): bool {
  const bytes = rows << 3;
  const forwards = inputColumn(request, scratch, inputSpot, row);
  const strikes = inputColumn(request, scratch, inputStrike, row);
  const times = inputColumn(request, scratch, inputTimeToExpiry, row);
  const rates = inputColumn(request, scratch, inputRate, row);
  const volatilities = inputColumn(request, scratch, inputVolatility, row);
  const isCalls = isCallColumn(request, scratch, row);
  const mask = load<u32>(request, outputMaskOffset);
  const ordinary = distances<T>(forwards, strikes, times, rates, volatilities, scratch, bytes);
  if (!hasOneDiscount) discounts<T>(times, rates, scratch, bytes);
  densities<T>(scratch, bytes);
  ratios<T>(scratch, bytes);
  outputs<T>(times, rates, isCalls, scratch, bytes, request, mask, row << 3);
  if ((mask & furtherMask) != 0) {
    furtherOutputs<T>(forwards, times, rates, volatilities, isCalls, scratch, bytes, request, mask, row << 3);
  }
  return ordinary;
}

/** Overwrites the rows of a tile that the formulas are not good for; returns how many got a status other than ok. */
function doExceptions(request: usize, scratch: usize, first: usize, rows: usize): i32 {
  const mask = load<u32>(request, outputMaskOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  const limits = intermediate(scratch, 16);
  const isCalls = isCallColumn(request, scratch, first);
  let exceptions = 0;
  for (let i: usize = 0; i < rows; i++) {
    const at = i << 3;
    const forward = load<f64>(inputColumn(request, scratch, inputSpot, first) + at);
    const strike = load<f64>(inputColumn(request, scratch, inputStrike, first) + at);
    const time = load<f64>(inputColumn(request, scratch, inputTimeToExpiry, first) + at);
    const rate = load<f64>(inputColumn(request, scratch, inputRate, first) + at);
    const volatility = load<f64>(inputColumn(request, scratch, inputVolatility, first) + at);
    if (i64.reinterpret_f64(isOrdinary<f64>(forward, strike, time, volatility, rate * time)) != 0) continue;
    const status = bachelierLimit(load<u8>(isCalls + i) != 0, forward, strike, time, rate, volatility, limits);
    store<i32>(statuses + ((first + i) << 2), status);
    exceptions++;
    if (status >= 10) writeNullRow(request, mask, first + i);
    else writeLimitRow(request, mask, first + i, limits);
  }
  return exceptions;
}
