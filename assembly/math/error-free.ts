// The rounding error of one sum or product, exactly, over one or two lanes (Dekker 1971, Knuth 1969). Separate because the
// time value of an in-the-money option is a difference that plain doubles would drown, and no fused multiply-add may be used.
// Valid where nothing over- or underflows: the callers' domain (see batch/implied-volatility) keeps products within 2^±700.
import { add, and, constant, mul, sub } from "../lane/lane";

const patterns: usize = memory.data<u64>([0xfffffffff8000000, 0xfffffffff8000000], 16); // the upper 26 bits of a significand

/** What fl(a + b) = sum lost, for any order of magnitudes. */
// @ts-ignore: decorator
@inline
export function sumLow<T>(a: T, b: T, sum: T): T {
  const bRounded = sub<T>(sum, a);
  return add<T>(sub<T>(a, sub<T>(sum, bRounded)), sub<T>(b, bRounded));
}

/** What fl(a + b) = sum lost, where |a| >= |b| or a = 0. */
// @ts-ignore: decorator
@inline
export function sumLowOrdered<T>(a: T, b: T, sum: T): T {
  return add<T>(sub<T>(a, sum), b);
}

/** What fl(a·b) = product lost, to 2^-53 of itself. */
// @ts-ignore: decorator
@inline
export function productLow<T>(a: T, b: T, product: T): T {
  const aHigh = and<T>(a, constant<T>(patterns));
  const bHigh = and<T>(b, constant<T>(patterns));
  const aLow = sub<T>(a, aHigh);
  const bLow = sub<T>(b, bHigh);
  const first = sub<T>(mul<T>(aHigh, bHigh), product);
  return add<T>(add<T>(add<T>(first, mul<T>(aHigh, bLow)), mul<T>(aLow, bHigh)), mul<T>(aLow, bLow));
}
