// e^r - 1 - r beside the parts that carry the digits, for exponentials that need more than 53 bits: with x = n ln 2 + r,
// e^x = 2^n (1 + (r + tail)) whose sum the caller keeps in two words. Separate from exp because that one rounds to one word. Over one or
// two lanes. A polynomial of degree 11 (Chebyshev interpolation at 60 digits), within 2.1e-17 of e^r on [-ln2/2, ln2/2].
import { constant, mul, mulAdd } from "../lane/lane";

/** 1/ln 2; 1.5·2^52 + 1023, whose sum with x/ln 2 leaves n + 1023 in the low bits; ln 2 in its first 32 bits and the rest. */
export const reduction: usize = memory.data<f64>(
  [
    1.4426950408889634, 1.4426950408889634, // 0: 1/ln 2
    6755399441056767.0, 6755399441056767.0, // 16: 1.5·2^52 + 1023
    0.6931471803691238, 0.6931471803691238, // 32: ln 2, its first 32 bits
    1.9082149292705877e-10, 1.9082149292705877e-10, // 48: ln 2, the rest
  ],
  16,
);
const table: usize = memory.data<f64>(
  [
    2.499422202131824e-8, 2.499422202131824e-8, // 0: r^11
    2.763244326854133e-7, 2.763244326854133e-7, // 16
    2.755762361263948e-6, 2.755762361263948e-6, // 32
    2.480148611786172e-5, 2.480148611786172e-5, // 48
    0.00019841269430419725, 0.00019841269430419725, // 64
    0.0013888888951598894, 0.0013888888951598894, // 80
    0.008333333333560953, 0.008333333333560953, // 96
    0.04166666666649137, 0.04166666666649137, // 112
    0.16666666666666163, 0.16666666666666163, // 128
    0.5000000000000018, 0.5000000000000018, // 144: r^2
  ],
  16,
);

/** e^r - 1 - r on [-ln2/2, ln2/2]. */
// @ts-ignore: decorator
@inline
export function exponentialTail<T>(r: T): T {
  let p = mulAdd<T>(constant<T>(table), r, constant<T>(table + 16));
  p = mulAdd<T>(p, r, constant<T>(table + 32));
  p = mulAdd<T>(p, r, constant<T>(table + 48));
  p = mulAdd<T>(p, r, constant<T>(table + 64));
  p = mulAdd<T>(p, r, constant<T>(table + 80));
  p = mulAdd<T>(p, r, constant<T>(table + 96));
  p = mulAdd<T>(p, r, constant<T>(table + 112));
  p = mulAdd<T>(p, r, constant<T>(table + 128));
  p = mulAdd<T>(p, r, constant<T>(table + 144));
  return mul<T>(mul<T>(r, r), p);
}
