// ln(a/b) for positive normal doubles, over one or two lanes, without the cancellation that ln of a rounded quotient
// suffers near a = b. Separate because moneyness is where plain formulas lose three digits.
// Method: n = round of the difference of the two bit patterns in binades (a pattern is a piecewise linear log2), a' = a·2^-n,
// f = (a' - b)/(a' + b), |f| <= 0.2005, ln(a/b) = n ln 2 + 2 atanh f, 2 atanh f = 2f + f^3 P(f^2); a' - b is exact by Sterbenz.
// P: degree 7, Chebyshev interpolation at 60 digits, relative error 7.6e-19 with the coefficients as doubles.
// Error: at most 2.8 units of 2^-53 relative to the result, also as a -> b (tests/numerics/math). No libm.
import { add, addBits, and, constant, div, exponentTimes2Pow20, mul, mulAdd, sub, subBits } from "../lane/lane";

const table: usize = memory.data<f64>(
  [
    0.13614059585772761, 0.13614059585772761, // 0: z^7
    0.13209052444000552, 0.13209052444000552, // 16
    0.15388901197185678, 0.15388901197185678, // 32
    0.18181736789201602, 0.18181736789201602, // 48
    0.22222223059033036, 0.22222223059033036, // 64
    0.285714285672117, 0.285714285672117, // 80
    0.40000000000008085, 0.40000000000008085, // 96
    0.6666666666666666, 0.6666666666666666, // 112: z^0
    6.610366634074438e-7, 6.610366634074438e-7, // 128: high part of ln 2, times 2^-20
    1.8198155682283284e-16, 1.8198155682283284e-16, // 144: ln 2 minus that, times 2^-20
  ],
  16,
);
const patterns: usize = memory.data<u64>(
  [
    0x0008000000000000, 0x0008000000000000, // 0: half a binade
    0xfff0000000000000, 0xfff0000000000000, // 16: whole binades
  ],
  16,
);

/** The whole binades between a and b, as a bit pattern. */
// @ts-ignore: decorator
@inline
export function binadesBetween<T>(a: T, b: T): T {
  return and<T>(addBits<T>(subBits<T>(a, b), constant<T>(patterns)), constant<T>(patterns + 16));
}

/** f, with the binades taken off a. */
// @ts-ignore: decorator
@inline
export function fractionOf<T>(a: T, b: T, binades: T): T {
  const near = subBits<T>(a, binades);
  return div<T>(sub<T>(near, b), add<T>(near, b));
}

/** The leading part of ln(a/b): 2f + n ln 2, as good as exact where n = 0. */
// @ts-ignore: decorator
@inline
export function leadingPart<T>(f: T, binades: T): T {
  return mulAdd<T>(exponentTimes2Pow20<T>(binades), constant<T>(table + 128), add<T>(f, f));
}

/** What is left of ln(a/b), at most a seventieth of 2f: f^3 P(f²) and the low part of n ln 2. */
// @ts-ignore: decorator
@inline
export function trailingPart<T>(f: T, binades: T): T {
  const z = mul<T>(f, f);
  // by halves rather than one power after the other: the chain is what takes time
  const w = mul<T>(z, z);
  const high = mulAdd<T>(
    mulAdd<T>(constant<T>(table), z, constant<T>(table + 16)),
    w,
    mulAdd<T>(constant<T>(table + 32), z, constant<T>(table + 48)),
  );
  const low = mulAdd<T>(
    mulAdd<T>(constant<T>(table + 64), z, constant<T>(table + 80)),
    w,
    mulAdd<T>(constant<T>(table + 96), z, constant<T>(table + 112)),
  );
  const p = mulAdd<T>(high, mul<T>(w, w), low);
  return mulAdd<T>(mul<T>(f, z), p, mul<T>(exponentTimes2Pow20<T>(binades), constant<T>(table + 144)));
}

/** ln(a/b); both positive and normal. */
// @ts-ignore: decorator
@inline
export function logRatio<T>(a: T, b: T): T {
  const binades = binadesBetween<T>(a, b);
  const f = fractionOf<T>(a, b, binades);
  const n = exponentTimes2Pow20<T>(binades);
  return mulAdd<T>(n, constant<T>(table + 128), add<T>(add<T>(f, f), trailingPart<T>(f, binades)));
}
