// The standard normal density and law over one or two lanes, built on the Mills ratio.
// Separate from mills because most callers share one exponential between two tails and want the parts, not the law.
// φ(x) = e^(-x²/2)/√(2π), with x²/2 split into an exact high part and a low part (26-bit mask), because an exponent of 700
// rounded to 53 bits would cost three digits. Source: Dekker 1971 for the split.
// Error: density 3e-16 relative for |x| <= 37.5, zero beyond; law 1.4e-15 relative in both tails (tests/numerics/math).
import { abs, add, and, constant, lessThan, mul, select, smaller, sub } from "../lane/lane";
import { expOfSum } from "./exp";
import { mills } from "./mills";

const table: usize = memory.data<f64>(
  [
    37.5, 37.5, // 0: beyond it the density is below 1e-305 and taken as zero
    -0.5, -0.5, // 16
    0.3989422804014327, 0.3989422804014327, // 32: 1/√(2π)
    0.0, 0.0, // 48
    1.0, 1.0, // 64
  ],
  16,
);
const patterns: usize = memory.data<u64>(
  [
    0xfffffffff8000000, 0xfffffffff8000000, // 0: keeps 26 significant bits
  ],
  16,
);

/** |x| capped where the density ends: the argument that the Mills fits and the exponential may be given. */
// @ts-ignore: decorator
@inline
export function cappedMagnitude<T>(x: T): T {
  return smaller<T>(abs<T>(x), constant<T>(table));
}

/** The exact high part of -x²/2. */
// @ts-ignore: decorator
@inline
export function halfSquareHigh<T>(x: T): T {
  const high = and<T>(x, constant<T>(patterns));
  return mul<T>(mul<T>(high, high), constant<T>(table + 16));
}

/** What -x²/2 has beyond halfSquareHigh. */
// @ts-ignore: decorator
@inline
export function halfSquareLow<T>(x: T): T {
  const high = and<T>(x, constant<T>(patterns));
  return mul<T>(mul<T>(sub<T>(x, high), add<T>(x, high)), constant<T>(table + 16));
}

/** Mask of the magnitudes below the cap: what the density must be cut with. */
// @ts-ignore: decorator
@inline
export function isBelowCap<T>(x: T): T {
  return lessThan<T>(x, constant<T>(table));
}

/** e^(-x²/2) for 0 <= x <= 37.5 (see cappedMagnitude), and zero at the cap itself. */
// @ts-ignore: decorator
@inline
export function gaussian<T>(x: T): T {
  return and<T>(expOfSum<T>(halfSquareHigh<T>(x), halfSquareLow<T>(x)), isBelowCap<T>(x));
}

/** φ(x). */
// @ts-ignore: decorator
@inline
export function normalDensity<T>(x: T): T {
  return mul<T>(gaussian<T>(cappedMagnitude<T>(x)), constant<T>(table + 32));
}

/** N(x), accurate in the lower tail too. */
// @ts-ignore: decorator
@inline
export function normalLaw<T>(x: T): T {
  const magnitude = cappedMagnitude<T>(x);
  const tail = mul<T>(mul<T>(gaussian<T>(magnitude), constant<T>(table + 32)), mills<T>(magnitude));
  return select<T>(lessThan<T>(x, constant<T>(table + 48)), tail, sub<T>(constant<T>(table + 64), tail));
}
