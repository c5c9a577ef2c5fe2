// Asian options over jets: calls and puts on an average of the spot, or on the spot against it. Separate from barrier options because only moments
// of the average are asked for, over the option's own fixings.
// Geometric averages are lognormal: their prices are exact (Kemna and Vorst 1990). An arithmetic average is taken for lognormal with its own first two
// moments (Levy 1992; Turnbull and Wakeman 1991 without their further terms): docs/numerics/asian.md says how far that is off.
// Legend: n fixings, m of them past with their mean given; F_i = S e^(b t_i), b = r - q; average A = (m·past + Σ S_i)/n; A_f the part to come, E = E[A_f],
// w² = ln(E[A_f²]/E²), E[A_f²] - E² = n⁻² Σ_ij F_i F_j (e^(σ² min(t_i,t_j)) - 1), summed backwards in one pass. Without fixings the average is continuous.
// Time: all dates come nearer together, so a fixing's moment carries the derivative in time that expiry does.
import {
  assign,
  atTime,
  composed,
  exponential,
  fixed,
  kept,
  law,
  logarithm,
  mark,
  minus,
  over,
  plus,
  release,
  scaled,
  shifted,
  squareRoot,
  times,
  valueOf,
  variable,
} from "./jet";
import { dividendYield, drift, rate, rateDiscount, spot, strike, time, variance, yieldDiscount } from "./market";
import { conditionedValue } from "./asian-conditioned";
import { edgeKink, setEdge } from "./sure-future";

export const averageArithmetic: i32 = 0;
export const averageGeometric: i32 = 1;

// Words of `method`, by place.
export const methodMoments: i32 = 0;
export const methodLowerBound: i32 = 1;
export const methodSimulated: i32 = 2;

/** A continuous average's second moment: points of a panel, on [0, 1], and weights (Gauss–Legendre). */
const points: usize = memory.data<f64>([
  0.009219682876640375, 0.0479413718147626, 0.11504866290284765, 0.20634102285669126, 0.31608425050090994,
  0.4373832957442655, 0.5626167042557344, 0.6839157494990901, 0.7936589771433087, 0.8849513370971524,
  0.9520586281852375, 0.9907803171233596,
]);
const weights: usize = memory.data<f64>([
  0.02358766819325591, 0.05346966299765921, 0.0800391642716731, 0.10158371336153296, 0.1167462682691774,
  0.12457352290670139, 0.12457352290670139, 0.1167462682691774, 0.10158371336153296, 0.0800391642716731,
  0.05346966299765921, 0.02358766819325591,
]);
const pointsCount: usize = 12;
/** Relative difference below which average and last spot are the same. */
const samenessMax: f64 = 1e-13;
/** What an exponent may grow by over a panel. */
const panelGrowth: f64 = 4;

// What an average is made of, as jets: the past's part; the mean of the rest, E; the rest's E[A_f²]/E² - 1 and E[S_T A_f]/(E[S_T] E) - 1, or of a
// geometric average, which the past is a factor of, w² and its covariance with ln S_T.
let past: usize = 0;
let mean: usize = 0;
let excess: usize = 0;
let covered: usize = 0;
/** How much of the whole is still to come; it shrinks while a continuous average is taken. */
let share: usize = 0;

/** e^x - 1 and its derivatives; small x without cancellation. */
function growthLessOne(x: usize): usize {
  const at = valueOf(x);
  const whole = exponential(x);
  if (abs<f64>(at) > 0.35) return shifted(whole, -1);
  let sum: f64 = 1;
  for (let k: f64 = 16; k > 1; k--) sum = 1 + (at / k) * sum;
  store<f64>(whole, at * sum);
  return whole;
}

/** ln(1 + x) and its derivatives; small x without cancellation. */
function logarithmOfOneMore(x: usize): usize {
  const at = valueOf(x);
  const one = fixed(1);
  const more = shifted(x, 1);
  const value = logarithm(more, one);
  const grown = valueOf(more) - 1;
  // the rounding of 1 + x cancels in the quotient
  store<f64>(value, grown == 0 ? at : valueOf(value) * (at / grown));
  return value;
}

/** (e^x - 1)/x and its derivatives, smooth at 0. */
function meanGrowth(x: usize): usize {
  const at = valueOf(x);
  if (abs<f64>(at) > 1) return over(growthLessOne(x), x);
  // Σ x^k/(k + 1)! and its derivatives
  let f0: f64 = 0;
  let f1: f64 = 0;
  let f2: f64 = 0;
  let f3: f64 = 0;
  let power: f64 = 1; // 1/(k + 1)!, from the last term on
  for (let k: f64 = 2; k <= 22; k++) power /= k;
  for (let k: f64 = 21; k >= 0; k--) {
    f3 = f3 * at + 3 * f2;
    f2 = f2 * at + 2 * f1;
    f1 = f1 * at + f0;
    f0 = f0 * at + power;
    power *= k + 1;
  }
  return composed(x, f0, f1, f2, f3);
}

/** A moment as a jet: it comes nearer as expiry does; what is now stays now. */
// @ts-ignore: decorator
@inline
function moment(t: f64): usize {
  return t == 0 || valueOf(time) == 0 ? fixed(t) : variable(t, atTime);
}

/** The parts of an average over fixings, soonest first, `pastCount` of them before now. */
function sumFixings(isGeometric: bool, list: usize, count: usize, pastCount: usize, soFar: f64): void {
  const whole = <f64>count;
  const carry = minus(rate, dividendYield);
  let known = pastCount;
  past = fixed((<f64>pastCount * soFar) / whole);
  if (!isGeometric) {
    // what is fixed now is known as well; only what is not is taken for lognormal
    while (known < count && load<f64>(list + (known << 3)) == 0) known++;
    past = plus(past, scaled(spot, <f64>(known - pastCount) / whole));
  }
  const coming = count - known;
  share = fixed(<f64>coming / whole);
  excess = fixed(0);
  covered = fixed(0);
  mean = fixed(0);
  if (coming == 0 && !isGeometric) return;
  const total = fixed(0);
  const later = fixed(0);
  const start = mark();
  for (let left: usize = coming; left > 0; left--) {
    const at = moment(load<f64>(list + ((known + left - 1) << 3)));
    if (isGeometric) {
      // Σ t_i; Σ_ij min(t_i, t_j) = Σ t_i (2 (later ones) + 1)
      assign(total, plus(total, at));
      assign(excess, plus(excess, scaled(at, 2 * <f64>(coming - left) + 1)));
    } else {
      const own = exponential(times(carry, at));
      const grown = growthLessOne(times(variance, at));
      assign(excess, plus(excess, times(times(own, grown), plus(own, scaled(later, 2)))));
      assign(covered, plus(covered, times(own, grown)));
      assign(later, plus(later, own));
    }
    release(start);
  }
  if (isGeometric) {
    finishGeometric(scaled(total, 1 / whole), scaled(excess, 1 / (whole * whole)), soFar);
    return;
  }
  mean = times(spot, scaled(later, 1 / whole));
  excess = over(excess, times(later, later));
  covered = over(covered, later);
}

/** The parts of a continuous average from `from` to expiry. */
function sumContinuously(isGeometric: bool, from: f64, soFar: f64): void {
  excess = fixed(0);
  covered = fixed(0);
  const length = valueOf(time) - from;
  if (valueOf(time) == 0) {
    past = fixed(from < 0 ? soFar : 0);
    mean = from < 0 ? fixed(0) : spot;
    return;
  }
  const first = max<f64>(from, 0);
  const begin = moment(first);
  const left = minus(time, begin);
  const carry = minus(rate, dividendYield);
  const isBegun = from < 0;
  // Of one that has begun the length stays as it is when time passes, and so does the past's mean. One that begins now has no past: it gets shorter.
  const rest = isBegun ? scaled(left, 1 / length) : fixed(1);
  share = isBegun ? rest : fixed(1);
  past = isBegun ? scaled(shifted(scaled(rest, -1), 1), soFar) : fixed(0);
  if (isGeometric) {
    const middle = scaled(plus(begin, time), 0.5);
    const cube = scaled(times(times(rest, rest), left), 1 / 3.0);
    finishGeometric(times(rest, middle), plus(times(times(rest, rest), begin), cube), soFar);
    return;
  }
  const own = times(exponential(times(carry, begin)), meanGrowth(times(carry, left)));
  mean = times(spot, times(rest, own));
  // E[A_f²] - E² and the covariance by panels over u in [0, 1], the earlier moment begin + u·left
  const steep = (abs<f64>(2 * valueOf(carry)) + valueOf(variance)) * valueOf(left);
  const panels = 1 + ceil<f64>(steep / panelGrowth);
  const square = fixed(0);
  const product = fixed(0);
  const start = mark();
  for (let panel: f64 = 0; panel < panels; panel++) {
    for (let point: usize = 0; point < pointsCount; point++) {
      const u = (panel + load<f64>(points + (point << 3))) / panels;
      const weight = load<f64>(weights + (point << 3)) / panels;
      const at = plus(begin, scaled(left, u));
      const ahead = scaled(left, 1 - u);
      const growth = exponential(times(carry, at));
      const part = times(growth, growthLessOne(times(variance, at)));
      const later = scaled(times(growth, meanGrowth(times(carry, ahead))), 1 - u);
      assign(square, plus(square, scaled(times(part, later), 2 * weight)));
      assign(product, plus(product, scaled(part, weight)));
      release(start);
    }
  }
  excess = over(square, times(own, own));
  covered = over(product, own);
}

/** From the mean and the (co)variance of the fixings' moments: Σ t_i/n, Σ_ij min/n². The past's mean is geometric, too. */
function finishGeometric(middle: usize, square: usize, soFar: f64): void {
  excess = times(variance, square);
  covered = times(variance, middle);
  past = fixed(0);
  if (valueOf(spot) == 0) {
    mean = fixed(valueOf(share) > 0 ? 0 : soFar);
    return;
  }
  const one = fixed(1);
  const rest = plus(times(logarithm(spot, one), share), plus(times(drift, middle), scaled(excess, 0.5)));
  if (valueOf(share) == 1) mean = exponential(rest);
  else mean = exponential(plus(rest, times(logarithm(fixed(soFar), one), shifted(scaled(share, -1), 1))));
}

/** e^(-rT) E[max(φ(X - Y), 0)] of two lognormal variables of these means, w² the variance of ln(X/Y). */
function exchange(phi: f64, x: usize, y: usize, w2: usize): usize {
  const w = squareRoot(w2);
  const d = plus(over(logarithm(x, y), w), scaled(w, 0.5));
  const gain = minus(times(x, law(scaled(d, phi))), times(y, law(scaled(minus(d, w), phi))));
  return scaled(times(gain, rateDiscount), phi);
}

/** The same where nothing is uncertain any more. */
function surely(phi: f64, x: usize, y: usize): usize {
  const gain = phi * (valueOf(x) - valueOf(y));
  if (gain < 0) return fixed(0);
  const whole = scaled(times(minus(x, y), rateDiscount), phi);
  if (gain > 0) return whole;
  if (valueOf(x) == 0) return fixed(0);
  setEdge(edgeKink);
  const half = scaled(whole, 0.5);
  store<f64>(half, 0);
  return half;
}

/** The variance of ln(S_T/A). */
function floatingVariance(isGeometric: bool, average: usize): usize {
  const own = times(variance, time);
  if (isGeometric) return plus(own, minus(excess, scaled(covered, 2)));
  const part = over(mean, average);
  const spread = logarithmOfOneMore(times(excess, times(part, part)));
  return plus(own, minus(spread, scaled(logarithmOfOneMore(times(covered, part)), 2)));
}

/** Price of an Asian option; `list` holds `count` fixings, soonest first. */
export function asianValue(
  isSure: bool,
  isCall: bool,
  isGeometric: bool,
  isFloating: bool,
  list: usize,
  count: usize,
  pastCount: usize,
  from: f64,
  soFar: f64,
  method: i32,
  paths: u32,
  seed: u64,
): usize {
  const phi: f64 = isCall ? 1 : -1;
  const start = mark();
  if (count > 0) sumFixings(isGeometric, list, count, pastCount, soFar);
  else sumContinuously(isGeometric, from, soFar);
  const average = plus(past, mean);
  if (isFloating) {
    const asset = over(times(spot, yieldDiscount), rateDiscount);
    const w2 = isSure ? fixed(0) : floatingVariance(isGeometric, average);
    if (valueOf(w2) > samenessMax * valueOf(variance) * valueOf(time)) return kept(start, exchange(phi, asset, average, w2));
    // the average is the last spot itself, whatever that will be
    if (!isSure && abs<f64>(valueOf(asset) - valueOf(average)) <= samenessMax * valueOf(asset)) return kept(start, fixed(0));
    return kept(start, surely(phi, asset, average));
  }
  if (isSure || valueOf(excess) == 0) return kept(start, surely(phi, average, strike));
  const left = minus(strike, past);
  if (valueOf(left) > 0) {
    if (!isGeometric && method != methodMoments) {
      let known = pastCount;
      while (known < count && load<f64>(list + (known << 3)) == 0) known++;
      const simulated = method == methodSimulated ? paths : 0;
      const coming = list + (known << 3);
      return kept(start, conditionedValue(phi, coming, count - known, <f64>count, left, simulated, seed));
    }
    return kept(start, exchange(phi, mean, left, isGeometric ? excess : logarithmOfOneMore(excess)));
  }
  // the average is above the strike whatever comes
  return kept(start, isCall ? times(minus(mean, left), rateDiscount) : fixed(0));
}
