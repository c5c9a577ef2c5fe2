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

/**
 * Stores exp(x0), exp(x1) and expOfSum(high2, low2) at three addresses, with the same bits as those functions. The three chains
 * are woven by hand, one load of each constant for all: a quarter faster than three calls. An inlined function cannot return
 * three values, hence the addresses.
 */
// @ts-ignore: decorator
@inline
export function storeThreeExps<T>(x0: T, x1: T, high2: T, low2: T, at0: usize, at1: usize, at2: usize): void {
  const magic = constant<T>(table + 16);
  let c = constant<T>(table);
  const shifted0 = mulAdd<T>(x0, c, magic);
  const shifted1 = mulAdd<T>(x1, c, magic);
  const shifted2 = mulAdd<T>(high2, c, magic);
  const n0 = sub<T>(shifted0, magic);
  const n1 = sub<T>(shifted1, magic);
  const n2 = sub<T>(shifted2, magic);
  c = constant<T>(table + 32);
  let r0 = sub<T>(x0, mul<T>(n0, c));
  let r1 = sub<T>(x1, mul<T>(n1, c));
  let r2 = sub<T>(high2, mul<T>(n2, c));
  c = constant<T>(table + 48);
  r0 = sub<T>(r0, mul<T>(n0, c));
  r1 = sub<T>(r1, mul<T>(n1, c));
  r2 = sub<T>(r2, sub<T>(mul<T>(n2, c), low2));
  const z0 = mul<T>(r0, r0);
  const z1 = mul<T>(r1, r1);
  const z2 = mul<T>(r2, r2);
  c = constant<T>(table + 64);
  let p0 = mul<T>(z0, c);
  let p1 = mul<T>(z1, c);
  let p2 = mul<T>(z2, c);
  c = constant<T>(table + 112);
  let q0 = add<T>(z0, c);
  let q1 = add<T>(z1, c);
  let q2 = add<T>(z2, c);
  c = constant<T>(table + 80);
  p0 = mul<T>(add<T>(p0, c), z0);
  p1 = mul<T>(add<T>(p1, c), z1);
  p2 = mul<T>(add<T>(p2, c), z2);
  c = constant<T>(table + 128);
  q0 = mulAdd<T>(q0, z0, c);
  q1 = mulAdd<T>(q1, z1, c);
  q2 = mulAdd<T>(q2, z2, c);
  c = constant<T>(table + 96);
  p0 = mul<T>(add<T>(p0, c), r0);
  p1 = mul<T>(add<T>(p1, c), r1);
  p2 = mul<T>(add<T>(p2, c), r2);
  q0 = div<T>(add<T>(p0, p0), sub<T>(q0, p0));
  q1 = div<T>(add<T>(p1, p1), sub<T>(q1, p1));
  q2 = div<T>(add<T>(p2, p2), sub<T>(q2, p2));
  c = constant<T>(table + 144);
  store<T>(at0, mul<T>(add<T>(c, q0), powerOfTwo<T>(shifted0)));
  store<T>(at1, mul<T>(add<T>(c, q1), powerOfTwo<T>(shifted1)));
  store<T>(at2, mul<T>(add<T>(c, q2), powerOfTwo<T>(shifted2)));
}
