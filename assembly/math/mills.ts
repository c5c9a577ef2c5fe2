// The Mills ratio R(x) = N(-x)/φ(x) of the standard normal law for x in [0, 39], over one or two lanes: the tail of the
// normal law with its exponential divided out, so that both tails of an option share one exponential.
// A rational fit whose coefficients are all positive (Remez at 50 digits), by Horner: no cancellation, no branch.
// Degrees (9,10), the fit itself within 1.2e-16; result within 1.2e-15 (tests/numerics/math): what remains is the rounding of
// Horner's sums at large x, which a finer fit (tried: (10,11), 2e-18) does not take away.
// Past 39 it goes on like 1/x but overflows near 1e27: callers cap the argument.
import { add, constant, div, mul, mulAdd } from "../lane/lane";

const table: usize = memory.data<f64>(
  [
    // numerator
    3.468602700733975e-06, 3.468602700733975e-06, // 0: x^9
    9.327502676991982e-05, 9.327502676991982e-05, // 16: x^8
    0.0012281234843149807, 0.0012281234843149807, // 32: x^7
    0.010242356950171987, 0.010242356950171987, // 48: x^6
    0.0591750755514315, 0.0591750755514315, // 64: x^5
    0.24477373350946674, 0.24477373350946674, // 80: x^4
    0.7249785655131892, 0.7249785655131892, // 96: x^3
    1.4886761195757663, 1.4886761195757663, // 112: x^2
    1.9420622647670809, 1.9420622647670809, // 128: x^1
    1.2533141373155001, 1.2533141373155001, // 144: x^0
    // denominator
    3.468602700744374e-06, 3.468602700744374e-06, // 160: x^10
    9.327502676776813e-05, 9.327502676776813e-05, // 176: x^9
    0.0012315920872164449, 0.0012315920872164449, // 192: x^8
    0.010335631965681935, 0.010335631965681935, // 208: x^7
    0.06039626225822949, 0.06039626225822949, // 224: x^6
    0.2548295286300889, 0.2548295286300889, // 240: x^5
    0.7817323252651852, 0.7817323252651852, // 256: x^4
    1.7138939102625574, 1.7138939102625574, // 272: x^3
    2.560766701133005, 2.560766701133005, // 288: x^2
    2.347426057978356, 2.347426057978356, // 304: x^1
    1.0, 1.0, // 320: x^0
  ],
  16,
);
/** R(x), x in [0, 39]. */
// @ts-ignore: decorator
@inline
export function mills<T>(x: T): T {
  let q = mulAdd<T>(constant<T>(table + 160), x, constant<T>(table + 176));
  let p = mulAdd<T>(constant<T>(table), x, constant<T>(table + 16));
  q = mulAdd<T>(q, x, constant<T>(table + 192));
  p = mulAdd<T>(p, x, constant<T>(table + 32));
  q = mulAdd<T>(q, x, constant<T>(table + 208));
  p = mulAdd<T>(p, x, constant<T>(table + 48));
  q = mulAdd<T>(q, x, constant<T>(table + 224));
  p = mulAdd<T>(p, x, constant<T>(table + 64));
  q = mulAdd<T>(q, x, constant<T>(table + 240));
  p = mulAdd<T>(p, x, constant<T>(table + 80));
  q = mulAdd<T>(q, x, constant<T>(table + 256));
  p = mulAdd<T>(p, x, constant<T>(table + 96));
  q = mulAdd<T>(q, x, constant<T>(table + 272));
  p = mulAdd<T>(p, x, constant<T>(table + 112));
  q = mulAdd<T>(q, x, constant<T>(table + 288));
  p = mulAdd<T>(p, x, constant<T>(table + 128));
  q = mulAdd<T>(q, x, constant<T>(table + 304));
  p = mulAdd<T>(p, x, constant<T>(table + 144));
  q = mulAdd<T>(q, x, constant<T>(table + 320));
  return div<T>(p, q);
}
