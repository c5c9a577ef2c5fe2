// e^x for |x| <= 708, over one or two lanes. Separate because every model discounts with it.
// Source: round x/ln 2 by adding a large number (Cody & Waite 1980, two-part ln 2), then a polynomial of degree 11 on
// [-ln2/2, ln2/2], constrained to 1 + r + …, minimax fit; its own relative error is 2.1e-17 with the coefficients as doubles.
// Error: at most 0.76 ulp, that is 1.1e-16 relative (tests/numerics/math).
// Outside |x| <= 708 the result is garbage, never a trap: callers clamp first. No table look-up, no libm.
import { add, constant, mul, mulAdd, powerOfTwo, sub } from "../lane/lane";

const table: usize = memory.data<f64>(
  [
    1.4426950408889634, 1.4426950408889634, // 0: 1/ln 2
    6755399441056767.0, 6755399441056767.0, // 16: 1.5·2^52 + 1023: leaves n + 1023 in the low bits
    0.6931471803691238, 0.6931471803691238, // 32: ln 2, its first 32 bits (0x3fe62e42fee00000)
    1.9082149292705877e-10, 1.9082149292705877e-10, // 48: ln 2, the rest
    2.499422202131824e-8, 2.499422202131824e-8, // 64: r^11
    2.763244326854133e-7, 2.763244326854133e-7, // 80: r^10
    2.755762361263948e-6, 2.755762361263948e-6, // 96
    2.480148611786172e-5, 2.480148611786172e-5, // 112
    0.00019841269430419725, 0.00019841269430419725, // 128
    0.0013888888951598894, 0.0013888888951598894, // 144
    0.008333333333560953, 0.008333333333560953, // 160
    0.04166666666649137, 0.04166666666649137, // 176
    0.16666666666666163, 0.16666666666666163, // 192
    0.5000000000000018, 0.5000000000000018, // 208: r^2
    1.0, 1.0, // 224
  ],
  16,
);

// @ts-ignore: decorator
@inline
function polynomial<T>(r: T): T {
  let p = mulAdd<T>(constant<T>(table + 64), r, constant<T>(table + 80));
  p = mulAdd<T>(p, r, constant<T>(table + 96));
  p = mulAdd<T>(p, r, constant<T>(table + 112));
  p = mulAdd<T>(p, r, constant<T>(table + 128));
  p = mulAdd<T>(p, r, constant<T>(table + 144));
  p = mulAdd<T>(p, r, constant<T>(table + 160));
  p = mulAdd<T>(p, r, constant<T>(table + 176));
  p = mulAdd<T>(p, r, constant<T>(table + 192));
  p = mulAdd<T>(p, r, constant<T>(table + 208));
  p = mulAdd<T>(mul<T>(r, r), p, r);
  return add<T>(constant<T>(table + 224), p);
}

/** e^x, |x| <= 708. */
// @ts-ignore: decorator
@inline
export function exp<T>(x: T): T {
  const magic = constant<T>(table + 16);
  const shifted = mulAdd<T>(x, constant<T>(table), magic);
  const n = sub<T>(shifted, magic);
  const r = sub<T>(sub<T>(x, mul<T>(n, constant<T>(table + 32))), mul<T>(n, constant<T>(table + 48)));
  return mul<T>(polynomial<T>(r), powerOfTwo<T>(shifted));
}

/** e^(high + low), |high| <= 708, |low| <= 1e-3: the low word of an exponent that needs more than 53 bits. */
// @ts-ignore: decorator
@inline
export function expOfSum<T>(high: T, low: T): T {
  const magic = constant<T>(table + 16);
  const shifted = mulAdd<T>(high, constant<T>(table), magic);
  const n = sub<T>(shifted, magic);
  const r = sub<T>(
    sub<T>(high, mul<T>(n, constant<T>(table + 32))),
    sub<T>(mul<T>(n, constant<T>(table + 48)), low),
  );
  return mul<T>(polynomial<T>(r), powerOfTwo<T>(shifted));
}
