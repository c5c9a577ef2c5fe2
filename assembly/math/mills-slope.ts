// G(h) = 1 - h R(h) = -R'(h), R being the Mills ratio N(-h)/φ(h), over one or two lanes: what an out-of-the-money option of the
// normal model is worth, over σ√T φ(h), and the first term of the difference of two ratios. Separate from mills because 1 - h R(h)
// of a rounded ratio loses h² of its digits. A rational fit of degrees (10,12), all coefficients positive (minimax by Remez at
// 60 digits): no cancellation, no branch. Error: 8 units of 2^-53 relative on [0, 40] (tests/numerics/implied-volatility-math);
// it goes on like the function itself, so that at 64 it is off by 4e-15.
import { constant, div, mulAdd } from "../lane/lane";

const table: usize = memory.data<f64>(
  [
    // numerator
    1.518204827245576e-07, 1.518204827245576e-07, // 0: power 10
    4.972869393184432e-06, 4.972869393184432e-06, // 16: power 9
    8.094613139826385e-05, 8.094613139826385e-05, // 32: power 8
    0.000850598371468393, 0.000850598371468393, // 48: power 7
    0.0063449294024779624, 0.0063449294024779624, // 64: power 6
    0.03499225918725381, 0.03499225918725381, // 80: power 5
    0.14446893095911145, 0.14446893095911145, // 96: power 4
    0.4421607813055346, 0.4421607813055346, // 112: power 3
    0.9664660805018529, 0.9664660805018529, // 128: power 2
    1.3791352498864557, 1.3791352498864557, // 144: power 1
    1.0, 1.0, // 160: power 0
    // denominator
    1.5182048272443006e-07, 1.5182048272443006e-07, // 176: power 12
    4.972869393216074e-06, 4.972869393216074e-06, // 192: power 11
    8.140159284284806e-05, 8.140159284284806e-05, // 208: power 10
    0.0008655169798960608, 0.0008655169798960608, // 224: power 9
    0.006586856862015602, 0.006586856862015602, // 240: power 8
    0.03751421749343015, 0.03751421749343015, // 256: power 7
    0.16302440802461424, 0.16302440802461424, // 272: power 6
    0.5422430544112556, 0.5422430544112556, // 288: power 5
    1.3651364132920745, 1.3651364132920745, // 304: power 4
    2.529381755264954, 2.529381755264954, // 320: power 3
    3.2657521132495932, 3.2657521132495932, // 336: power 2
    2.632449387201956, 2.632449387201956, // 352: power 1
    1.0, 1.0, // 368: power 0
  ],
  16,
);

/** G(h) = 1 - h R(h), h in [0, 40]. */
// @ts-ignore: decorator
@inline
export function millsSlope<T>(h: T): T {
  let q = mulAdd<T>(constant<T>(table + 176), h, constant<T>(table + 192));
  q = mulAdd<T>(q, h, constant<T>(table + 208));
  let p = mulAdd<T>(constant<T>(table), h, constant<T>(table + 16));
  q = mulAdd<T>(q, h, constant<T>(table + 224));
  p = mulAdd<T>(p, h, constant<T>(table + 32));
  q = mulAdd<T>(q, h, constant<T>(table + 240));
  p = mulAdd<T>(p, h, constant<T>(table + 48));
  q = mulAdd<T>(q, h, constant<T>(table + 256));
  p = mulAdd<T>(p, h, constant<T>(table + 64));
  q = mulAdd<T>(q, h, constant<T>(table + 272));
  p = mulAdd<T>(p, h, constant<T>(table + 80));
  q = mulAdd<T>(q, h, constant<T>(table + 288));
  p = mulAdd<T>(p, h, constant<T>(table + 96));
  q = mulAdd<T>(q, h, constant<T>(table + 304));
  p = mulAdd<T>(p, h, constant<T>(table + 112));
  q = mulAdd<T>(q, h, constant<T>(table + 320));
  p = mulAdd<T>(p, h, constant<T>(table + 128));
  q = mulAdd<T>(q, h, constant<T>(table + 336));
  p = mulAdd<T>(p, h, constant<T>(table + 144));
  q = mulAdd<T>(q, h, constant<T>(table + 352));
  p = mulAdd<T>(p, h, constant<T>(table + 160));
  q = mulAdd<T>(q, h, constant<T>(table + 368));
  return div<T>(p, q);
}
