// The Mills ratio R(z) = N(-z)/φ(z) where implied volatility needs it: to the left of zero, and as the difference
// D = R(h - t) - R(h + t), which is the out-of-the-money price divided by the density at h - t. Separate from math/mills because
// D of two rounded ratios loses 1/t of its digits: at ten days and 20 % volatility that is two digits of the answer.
// Legend: h = |x|/s, t = s/2, x = ln(forward/strike), s = σ√T; G(h) = -R'(h) = 1 - h R(h).
// Sources: R' = zR - 1 gives the Taylor series of D in t with derivatives by recurrence; both fits are minimax (Remez, 60 digits).
// Errors (tests/numerics/implied-volatility-math): D/s from the series within 3 units of 2^-53 absolutely, far less in the wings;
// R within 12 relatively (5 below 5).
import { add, constant, div, mul, mulAdd, sub } from "../lane/lane";

/** The series holds for s below and |x| below these; past either the two ratios differ enough to be subtracted. */
export const seriesDeviationMax: f64 = 0.7;
export const seriesLogMoneynessMax: f64 = 6.0;
/**
 * Ratios are fitted on [-0.75, 39.25], their slope on [0, 40]; both go on like the functions themselves, so that at 64 they are off
 * by 6e-16 and 4e-15, where a difference counts a tenth of that and less. Doubles and the domain keep every root below 63.
 */
export const millsArgumentMin: f64 = -0.75;
export const millsArgumentMax: f64 = 64.0;

const shiftedTable: usize = memory.data<f64>(
  [
    // numerator
    3.7133821063584403e-07, 3.7133821063584403e-07, // 0: power 11
    1.1299563792806389e-05, 1.1299563792806389e-05, // 16: power 10
    0.0001729692677432244, 0.0001729692677432244, // 32: power 9
    0.0017295551144723084, 0.0017295551144723084, // 48: power 8
    0.012440121236739092, 0.012440121236739092, // 64: power 7
    0.06725820060041249, 0.06725820060041249, // 80: power 6
    0.27845055299976834, 0.27845055299976834, // 96: power 5
    0.8838963851158241, 0.8838963851158241, // 112: power 4
    2.1183383610984063, 2.1183383610984063, // 128: power 3
    3.685276284990265, 3.685276284990265, // 144: power 2
    4.26096548790414, 4.26096548790414, // 160: power 1
    2.5681717549665746, 2.5681717549665746, // 176: power 0
    // denominator
    3.713382106358956e-07, 3.713382106358956e-07, // 192: power 12
    1.102106013481637e-05, 1.102106013481637e-05, // 208: power 11
    0.00016486593311078622, 0.00016486593311078622, // 224: power 10
    0.0016114062310069537, 0.0016114062310069537, // 240: power 9
    0.011323865048087859, 0.011323865048087859, // 256: power 8
    0.05976963406309501, 0.05976963406309501, // 272: power 7
    0.24145079522290533, 0.24145079522290533, // 288: power 6
    0.7485062062464064, 0.7485062062464064, // 304: power 5
    1.760324462219747, 1.760324462219747, // 320: power 4
    3.052970248469954, 3.052970248469954, // 336: power 3
    3.6963019989836448, 3.6963019989836448, // 352: power 2
    2.798525562096844, 2.798525562096844, // 368: power 1
    1.0, 1.0, // 384: power 0
    // the shift
    0.75, 0.75, // 400
  ],
  16,
);

// For n = 1, 3 … 15: (2n + 1)/((n + 1)(n + 2)) and 1/((n + 1)(n + 2)).
const seriesTable: usize = memory.data<f64>(
  [
    0.5, 0.5, 0.16666666666666666, 0.16666666666666666, // 0, 16
    0.35, 0.35, 0.05, 0.05, // 32, 48
    0.2619047619047619, 0.2619047619047619, 0.023809523809523808, 0.023809523809523808, // 64, 80
    0.20833333333333334, 0.20833333333333334, 0.013888888888888888, 0.013888888888888888, // 96, 112
    0.17272727272727273, 0.17272727272727273, 0.00909090909090909, 0.00909090909090909, // 128, 144
    0.14743589743589744, 0.14743589743589744, 0.00641025641025641, 0.00641025641025641, // 160, 176
    0.12857142857142856, 0.12857142857142856, 0.004761904761904762, 0.004761904761904762, // 192, 208
    0.11397058823529412, 0.11397058823529412, 0.003676470588235294, 0.003676470588235294, // 224, 240
  ],
  16,
);

/** R(z), z in [-0.75, 39.25]. */
// @ts-ignore: decorator
@inline
export function millsShifted<T>(z: T): T {
  const y = add<T>(z, constant<T>(shiftedTable + 400));
  let q = mulAdd<T>(constant<T>(shiftedTable + 192), y, constant<T>(shiftedTable + 208));
  q = mulAdd<T>(q, y, constant<T>(shiftedTable + 224));
  let p = mulAdd<T>(constant<T>(shiftedTable), y, constant<T>(shiftedTable + 16));
  q = mulAdd<T>(q, y, constant<T>(shiftedTable + 240));
  p = mulAdd<T>(p, y, constant<T>(shiftedTable + 32));
  q = mulAdd<T>(q, y, constant<T>(shiftedTable + 256));
  p = mulAdd<T>(p, y, constant<T>(shiftedTable + 48));
  q = mulAdd<T>(q, y, constant<T>(shiftedTable + 272));
  p = mulAdd<T>(p, y, constant<T>(shiftedTable + 64));
  q = mulAdd<T>(q, y, constant<T>(shiftedTable + 288));
  p = mulAdd<T>(p, y, constant<T>(shiftedTable + 80));
  q = mulAdd<T>(q, y, constant<T>(shiftedTable + 304));
  p = mulAdd<T>(p, y, constant<T>(shiftedTable + 96));
  q = mulAdd<T>(q, y, constant<T>(shiftedTable + 320));
  p = mulAdd<T>(p, y, constant<T>(shiftedTable + 112));
  q = mulAdd<T>(q, y, constant<T>(shiftedTable + 336));
  p = mulAdd<T>(p, y, constant<T>(shiftedTable + 128));
  q = mulAdd<T>(q, y, constant<T>(shiftedTable + 352));
  p = mulAdd<T>(p, y, constant<T>(shiftedTable + 144));
  q = mulAdd<T>(q, y, constant<T>(shiftedTable + 368));
  p = mulAdd<T>(p, y, constant<T>(shiftedTable + 160));
  q = mulAdd<T>(q, y, constant<T>(shiftedTable + 384));
  p = mulAdd<T>(p, y, constant<T>(shiftedTable + 176));
  return div<T>(p, q);
}

/**
 * D = R(h - t) - R(h + t) from the slope at h, for t <= 0.35 and h·t <= 3. With r_n the magnitude of the n-th derivative,
 * D = 2t Σ c_k, c_k = r_(2k+1) t^2k/(2k+1)!, and r_(n+2) = (2n + 1 + h²) r_n - n(n - 1) r_(n-2) gives the next from the last two.
 */
// @ts-ignore: decorator
@inline
export function millsDifferenceSeries<T>(slope: T, h: T, t: T): T {
  const t2 = mul<T>(t, t);
  const t4 = mul<T>(t2, t2);
  const ht = mul<T>(h, t);
  const q = mul<T>(ht, ht);
  const c0 = slope;
  const c1 = sub<T>(
    mul<T>(c0, mulAdd<T>(t2, constant<T>(seriesTable), mul<T>(q, constant<T>(seriesTable + 16)))),
    mul<T>(t2, constant<T>(seriesTable + 16)),
  );
  const c2 = nextTerm<T>(c1, c0, t2, t4, q, 32);
  const c3 = nextTerm<T>(c2, c1, t2, t4, q, 64);
  const c4 = nextTerm<T>(c3, c2, t2, t4, q, 96);
  const c5 = nextTerm<T>(c4, c3, t2, t4, q, 128);
  const c6 = nextTerm<T>(c5, c4, t2, t4, q, 160);
  const c7 = nextTerm<T>(c6, c5, t2, t4, q, 192);
  const c8 = nextTerm<T>(c7, c6, t2, t4, q, 224);
  const small = add<T>(add<T>(add<T>(c8, c7), add<T>(c6, c5)), add<T>(c4, c3));
  const sum = add<T>(add<T>(add<T>(small, c2), c1), c0);
  return mul<T>(add<T>(t, t), sum);
}

// @ts-ignore: decorator
@inline
function nextTerm<T>(last: T, beforeLast: T, t2: T, t4: T, q: T, offset: usize): T {
  const scale = constant<T>(seriesTable + offset + 16);
  const factor = mulAdd<T>(t2, constant<T>(seriesTable + offset), mul<T>(q, scale));
  return sub<T>(mul<T>(last, factor), mul<T>(beforeLast, mul<T>(t4, scale)));
}
