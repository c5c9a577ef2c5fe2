// What batches that go row by row have in common beyond reading a cell: judging the numbers that a model of its own parameters takes, and its
// values. Separate from columns.ts, which is about tiles. Nothing here knows a model.
import { nullBits, outputDelta, outputPrice } from "../abi/layout";

const smallest: f64 = 6.223015277861142e-61; // 2^-200
const largest: f64 = 1.6069380442589903e60; // 2^200

/** True for [2^-200, 2^200). */
// @ts-ignore: decorator
@inline
export function isOrdinaryNumber(value: f64): bool {
  return value >= smallest && value < largest;
}

/** True for 0 and [2^-200, 2^200). */
// @ts-ignore: decorator
@inline
export function isOrdinaryOrZero(value: f64): bool {
  return value == 0 || isOrdinaryNumber(value);
}

/** False for NaN and infinities. */
// @ts-ignore: decorator
@inline
export function isFiniteNumber(value: f64): bool {
  return value - value == 0;
}

/** False where a requested value is too large for a double, or is no number although it has no right to be null. */
export function areFiniteValues(values: usize, mask: u32, nullable: u32): bool {
  for (let left = mask; left != 0; left &= left - 1) {
    const output = <usize>ctz<u32>(left);
    const value = load<f64>(values + (output << 3));
    if (value - value != 0 && (value == value || ((nullable >> <u32>output) & 1) == 0)) return false;
  }
  return true;
}

/** Stores lambda beside price and delta: null where the price is 0. */
export function storeLambda(values: usize, underlying: f64, lambda: usize): void {
  const price = load<f64>(values + (outputPrice << 3));
  if (price != 0) store<f64>(values + (lambda << 3), (underlying * load<f64>(values + (outputDelta << 3))) / price);
  else store<u64>(values + (lambda << 3), nullBits);
}
