// e^x for |x| <= 708, over one or two lanes. Separate because every model discounts with it.
// Method: round x/ln 2 by adding a large number and subtract n ln 2 in two parts (Cody & Waite 1980); with |r| <= 0.347,
// e^r = 1 + 2 r P/(Q - r P), where tanh(r/2)/r = P(r²)/Q(r²) is rational of degree (2,2), fitted at 60 digits: the fit's own
// relative error in e^r is 2.9e-18 with the coefficients as doubles. The division costs less than the nine steps it saves
// against a polynomial of degree 11.
// Error: at most 1.6 units of 2^-53, 1.8e-16, relative to the value (tests/numerics/math).
// Outside |x| <= 708 the result is garbage, never a trap: callers clamp first. No table look-up, no libm.
import { add, constant, div, mul, mulAdd, powerOfTwo, sub } from "../lane/lane";

const table: usize = memory.data<f64>(
  [
    1.4426950408889634, 1.4426950408889634, // 0: 1/ln 2
    6755399441056767.0, 6755399441056767.0, // 16: 1.5·2^52 + 1023: leaves n + 1023 in the low bits
    0.6931471803691238, 0.6931471803691238, // 32: ln 2, its first 32 bits (0x3fe62e42fee00000)
    1.9082149292705877e-10, 1.9082149292705877e-10, // 48: ln 2, the rest
    0.033318145249777595, 0.033318145249777595, // 64: P, r^4
    14.002736520531334, 14.002736520531334, // 80: P, r^2
    504.1532558608285, 504.1532558608285, // 96: P, r^0
    112.03101568453204, 112.03101568453204, // 112: Q, r^2 (r^4 has 1)
    1008.306511721657, 1008.306511721657, // 128: Q, r^0
    1.0, 1.0, // 144
  ],
  16,
);

/** e^r · 2^n from the reduced argument and the rounded sum that holds n. */
// @ts-ignore: decorator
@inline
function scaled<T>(r: T, shifted: T): T {
  const z = mul<T>(r, r);
  const p = mulAdd<T>(mulAdd<T>(z, constant<T>(table + 64), constant<T>(table + 80)), z, constant<T>(table + 96));
  const q = mulAdd<T>(add<T>(z, constant<T>(table + 112)), z, constant<T>(table + 128));
  const rp = mul<T>(p, r);
  const rest = div<T>(add<T>(rp, rp), sub<T>(q, rp));
  return mul<T>(add<T>(constant<T>(table + 144), rest), powerOfTwo<T>(shifted));
}

/** e^x, |x| <= 708. */
// @ts-ignore: decorator
@inline
export function exp<T>(x: T): T {
  const magic = constant<T>(table + 16);
  const shifted = mulAdd<T>(x, constant<T>(table), magic);
  const n = sub<T>(shifted, magic);
  const r = sub<T>(sub<T>(x, mul<T>(n, constant<T>(table + 32))), mul<T>(n, constant<T>(table + 48)));
  return scaled<T>(r, shifted);
}

/** e^x - 1, |x| <= 708, with all digits as x goes to 0: at most 4 units of 2^-53 relative to the result. */
// @ts-ignore: decorator
@inline
export function expLessOne<T>(x: T): T {
  const magic = constant<T>(table + 16);
  const shifted = mulAdd<T>(x, constant<T>(table), magic);
  const n = sub<T>(shifted, magic);
  const r = sub<T>(sub<T>(x, mul<T>(n, constant<T>(table + 32))), mul<T>(n, constant<T>(table + 48)));
  const z = mul<T>(r, r);
  const p = mulAdd<T>(mulAdd<T>(z, constant<T>(table + 64), constant<T>(table + 80)), z, constant<T>(table + 96));
  const q = mulAdd<T>(add<T>(z, constant<T>(table + 112)), z, constant<T>(table + 128));
  const rp = mul<T>(p, r);
  const rest = div<T>(add<T>(rp, rp), sub<T>(q, rp));
  const power = powerOfTwo<T>(shifted);
  return mulAdd<T>(power, rest, sub<T>(power, constant<T>(table + 144)));
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
  return scaled<T>(r, shifted);
}
