// The law of two standard normal variables whose correlation is ±√g, g = (√5 - 1)/2 the golden section: P(X ≤ a, Y ≤ b), times e^c, which may be as large as
// the probability is small. Separate from normal because one correlation makes its integral a table. Used where a life is cut at its golden section.
// M(a, b, ±ρ) = N(a) N(b) ± (1/2π) ∫₀^asin ρ exp(-(a² + b² ∓ 2ab sin θ)/(2 cos² θ)) dθ (Plackett 1954; Drezner & Wesolowsky 1990), by Gauss–Legendre of 8
// points, two lanes wide over them. Error: 4e-11 absolute where c = 0 (tests/numerics/math).
import { exp } from "./exp";
import { exp2 } from "./exp2";
import { mills } from "./mills";

/** For each pair of points: the sines, -1/(2 ln 2 cos² θ), the weights over 2π. */
const sines: usize = memory.data<f64>(
  [
    0.01795907651384803, 0.0918337982760695,
    0.21294828132641447, 0.36097662077405573,
    0.5100491943782859, 0.636510519431705,
    0.7260729675016883, 0.7749252697567697,
  ],
  16,
);
const sharpnesses: usize = memory.data<f64>(
  [
    -0.7215802505892678, -0.7274827069373395,
    -0.7556122467209943, -0.8294250181601205,
    -0.9749918180871708, -1.212645599635818,
    -1.525634494612855, -1.8056672968918404,
  ],
  16,
);
const weights: usize = memory.data<f64>(
  [
    0.007286667981681849, 0.016007509570586807,
    0.022581341743420275, 0.026106831222349615,
    0.026106831222349615, 0.022581341743420275,
    0.016007509570586807, 0.007286667981681849,
  ],
  16,
);
const lowest: usize = memory.data<f64>([-1023.0, -1023.0], 16); // where exp2 gives 0

/** ρ and √(1 - ρ²). */
export const goldenCorrelation: f64 = 0.7861513777574233;
export const goldenRest: f64 = 0.6180339887498949;

/** What is nothing beside values around 1 and the integral's own error, and its logarithm. */
const negligible: f64 = 1e-12;
const negligibleLog: f64 = -27.6;
const inverseLog2: f64 = 1.4426950408889634;
const inverseRootTwoPi: f64 = 0.3989422804014327;

/** e^c M(a, b, ρ), or of -ρ where the sign is -1. */
export function goldenLaw(c: f64, a: f64, b: f64, sign: f64): f64 {
  const lesser = min<f64>(a, b);
  const greater = max<f64>(a, b);
  // no probability of two is more than that of one, N(-x) no more than e^(-x²/2)/2
  const least = c - 0.5 * lesser * lesser;
  if (lesser < 0 && least < negligibleLog) return 0;
  const magnitudes = f64x2.abs(f64x2.replace_lane(f64x2.splat(lesser), 1, min<f64>(abs<f64>(greater), 37)));
  const exponents = f64x2.replace_lane(f64x2.splat(max<f64>(least, -700)), 1, max<f64>(-0.5 * greater * greater, -700));
  const tails = f64x2.mul(f64x2.mul(exp<v128>(exponents), mills<v128>(magnitudes)), f64x2.splat(inverseRootTwoPi));
  const tail = f64x2.extract_lane(tails, 0);
  const otherTail = f64x2.extract_lane(tails, 1);
  const bound = lesser < 0 ? tail : exp<f64>(min<f64>(c, 700)) - tail;
  // nor is it less than that of one by more than what the other leaves out
  if (c < 1 && greater > 0 && otherTail < negligible) return bound;
  const other = greater < 0 ? otherTail : 1 - otherTail;
  const squares = f64x2.splat(a * a + b * b);
  const cross = f64x2.splat(2 * sign * a * b);
  const level = f64x2.splat(min<f64>(c, 700) * inverseLog2);
  const floor = v128.load(lowest);
  // two pairs of points at a time: the processor overlaps them
  const y0 = exponentAt(0, squares, cross, level, floor);
  const y1 = exponentAt(16, squares, cross, level, floor);
  const y2 = exponentAt(32, squares, cross, level, floor);
  const y3 = exponentAt(48, squares, cross, level, floor);
  const total = f64x2.add(
    f64x2.add(f64x2.mul(exp2<v128>(y0), v128.load(weights)), f64x2.mul(exp2<v128>(y1), v128.load(weights, 16))),
    f64x2.add(f64x2.mul(exp2<v128>(y2), v128.load(weights, 32)), f64x2.mul(exp2<v128>(y3), v128.load(weights, 48))),
  );
  return (
    bound * other + sign * (f64x2.extract_lane(total, 0) + f64x2.extract_lane(total, 1))
  );
}

/** The exponents of 2 at a pair of points. */
// @ts-ignore: decorator
@inline
function exponentAt(at: usize, squares: v128, cross: v128, level: v128, floor: v128): v128 {
  const form = f64x2.sub(squares, f64x2.mul(cross, v128.load(sines + at)));
  return f64x2.pmax(f64x2.add(level, f64x2.mul(form, v128.load(sharpnesses + at))), floor);
}
