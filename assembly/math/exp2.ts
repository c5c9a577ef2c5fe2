// 2^y for |y| <= 1020, over one or two lanes: the exponential for callers that multiply their exponent by something anyway and can
// fold 1/ln 2 into that. Separate from exp because its reduction is three operations instead of seven: y less its nearest integer
// is exact. The same rational function as exp's, written in y: the fit's own relative error is 2.8e-17 with the coefficients as
// doubles. y = -1023 gives exactly 0: an exponent clamped there cuts a density off without a comparison.
// Error: at most 1.6 units of 2^-53 relative to the value (tests/numerics/math).
import { add, constant, div, mul, mulAdd, powerOfTwo, sub } from "../lane/lane";

const table: usize = memory.data<f64>(
  [
    6755399441056767.0, 6755399441056767.0, // 0: 1.5·2^52 + 1023: leaves n + 1023 in the low bits
    1.0, 1.0, // 16
    0.023094378441370075, 0.023094378441370075, // 32: P, f^4
    20.201678537045336, 20.201678537045336, // 48: P, f^2
    1513.861670149235, 1513.861670149235, // 64: P, f^0
    233.1778809563377, 233.1778809563377, // 80: Q, f^2 (f^4 has 1)
    4368.081448232369, 4368.081448232369, // 96: Q, f^0
  ],
  16,
);

/** 2^y. */
// @ts-ignore: decorator
@inline
export function exp2<T>(y: T): T {
  const magic = constant<T>(table);
  const shifted = add<T>(y, magic);
  const f = sub<T>(y, sub<T>(shifted, magic));
  const z = mul<T>(f, f);
  const p = mulAdd<T>(mulAdd<T>(z, constant<T>(table + 32), constant<T>(table + 48)), z, constant<T>(table + 64));
  const q = mulAdd<T>(add<T>(z, constant<T>(table + 80)), z, constant<T>(table + 96));
  const fp = mul<T>(p, f);
  const rest = div<T>(add<T>(fp, fp), sub<T>(q, fp));
  return mul<T>(add<T>(constant<T>(table + 16), rest), powerOfTwo<T>(shifted));
}

/**
 * Stores exp2 of three arguments at three addresses, with the same bits as that function. The three chains are woven by hand, one
 * load of each constant for all: a quarter faster than three calls. An inlined function cannot return three values, hence the
 * addresses.
 */
// @ts-ignore: decorator
@inline
export function storeThreeExp2s<T>(y0: T, y1: T, y2: T, at0: usize, at1: usize, at2: usize): void {
  const magic = constant<T>(table);
  const shifted0 = add<T>(y0, magic);
  const shifted1 = add<T>(y1, magic);
  const shifted2 = add<T>(y2, magic);
  const f0 = sub<T>(y0, sub<T>(shifted0, magic));
  const f1 = sub<T>(y1, sub<T>(shifted1, magic));
  const f2 = sub<T>(y2, sub<T>(shifted2, magic));
  const z0 = mul<T>(f0, f0);
  const z1 = mul<T>(f1, f1);
  const z2 = mul<T>(f2, f2);
  let c = constant<T>(table + 32);
  let p0 = mul<T>(z0, c);
  let p1 = mul<T>(z1, c);
  let p2 = mul<T>(z2, c);
  c = constant<T>(table + 80);
  let q0 = add<T>(z0, c);
  let q1 = add<T>(z1, c);
  let q2 = add<T>(z2, c);
  c = constant<T>(table + 48);
  p0 = mul<T>(add<T>(p0, c), z0);
  p1 = mul<T>(add<T>(p1, c), z1);
  p2 = mul<T>(add<T>(p2, c), z2);
  c = constant<T>(table + 96);
  q0 = mulAdd<T>(q0, z0, c);
  q1 = mulAdd<T>(q1, z1, c);
  q2 = mulAdd<T>(q2, z2, c);
  c = constant<T>(table + 64);
  p0 = mul<T>(add<T>(p0, c), f0);
  p1 = mul<T>(add<T>(p1, c), f1);
  p2 = mul<T>(add<T>(p2, c), f2);
  q0 = div<T>(add<T>(p0, p0), sub<T>(q0, p0));
  q1 = div<T>(add<T>(p1, p1), sub<T>(q1, p1));
  q2 = div<T>(add<T>(p2, p2), sub<T>(q2, p2));
  c = constant<T>(table + 16);
  store<T>(at0, mul<T>(add<T>(c, q0), powerOfTwo<T>(shifted0)));
  store<T>(at1, mul<T>(add<T>(c, q1), powerOfTwo<T>(shifted1)));
  store<T>(at2, mul<T>(add<T>(c, q2), powerOfTwo<T>(shifted2)));
}
