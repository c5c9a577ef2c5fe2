// What batches that go row by row have in common beyond american.ts: judging the numbers that a model of its own parameters takes, and lambda. Separate from
// columns.ts, which is about tiles. Nothing here knows a model.
import { nullBits, outputDelta, outputPrice } from "../abi/layout";
import { isOrdinary } from "./american";

/** True for 0 and [2^-200, 2^200). */
// @ts-ignore: decorator
@inline
export function isOrdinaryOrZero(value: f64): bool {
  return value == 0 || isOrdinary(value);
}

/** False for NaN and infinities. */
// @ts-ignore: decorator
@inline
export function isFiniteNumber(value: f64): bool {
  return value - value == 0;
}

/** Stores lambda beside price and delta: null where the price is 0. */
export function storeLambda(values: usize, underlying: f64, lambda: usize): void {
  const price = load<f64>(values + (outputPrice << 3));
  if (price != 0) store<f64>(values + (lambda << 3), (underlying * load<f64>(values + (outputDelta << 3))) / price);
  else store<u64>(values + (lambda << 3), nullBits);
}
