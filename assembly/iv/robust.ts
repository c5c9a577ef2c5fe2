// The safeguarded solver for rows the two-lane path leaves: prices above half their cap, far wings, extreme moneyness, lanes that
// did not settle. Separate because it may branch and loop; it shares every formula with the fast path and is scalar only.
// Above half the cap it solves for u = 1 - v, the distance to the upper bound, since v itself no longer moves with σ:
// u = φ(t - h)(R(t - h) + R(t + h)), all terms positive. Both sides are one equation in z = ±(h - t): s = √(z² + 2X) ∓ z.
// Legend as in step.ts; W stands for -D where u is the target, and the same step formula then holds.
// A root is bracketed from the start and each pass either takes a step inside the bracket or halves it: at most passesMax passes.
// Source of the normal quantile used as a first guess: Abramowitz and Stegun 26.2.23 (within 4.5e-4).
import { logRatio } from "../math/log-ratio";
import { millsSlope } from "../math/mills-slope";
import { productLow, sumLow } from "../math/error-free";
import { guessDeviation, guessEta } from "./guess";
import {
  millsArgumentMax,
  millsDifferenceSeries,
  millsShifted,
  seriesDeviationMax,
  seriesLogMoneynessMax,
} from "./mills-difference";
import {
  cell,
  columnCap,
  columnCapLow,
  columnDeviation,
  columnDifference,
  columnDistance,
  columnDividendProduct,
  columnGap,
  columnLogMoneyness,
  columnLogMoneynessLow,
  columnRateProduct,
  columnTimeValue,
  columnTimeValueLow,
} from "./tile";

const passesMax: i32 = 100;
const squareRootOfTwoPi: f64 = 2.5066282746310002;
const naturalLogOfTwo: f64 = 0.6931471805599453;
const settledStep: f64 = 3e-5;
/** Targets below this are scaled up by 2^scaleBinades first, so that no product is subnormal. */
const tiny: f64 = 1e-250;
const scaleBinades: f64 = 600.0;
const scaleFactor: f64 = 4.149515568880993e180; // 2^600

/** G(h) for any h >= 0. No root lies past the fit's range: there the leading term shows the way back. */
function slope(h: f64): f64 {
  return h <= millsArgumentMax ? millsSlope<f64>(h) : 1.0 / (h * h);
}

/** R(z) for any z >= -0.75, likewise. */
function mills(z: f64): f64 {
  return z <= millsArgumentMax ? millsShifted<f64>(z) : 1.0 / z;
}

/** z with N(-z) = e^logProbability, for probabilities up to one half, within 4.5e-4. */
function quantile(logProbability: f64): f64 {
  const w = sqrt<f64>(-2.0 * logProbability);
  return (
    w -
    (2.515517 + w * (0.802853 + w * 0.010328)) / (1.0 + w * (1.432788 + w * (0.189269 + w * 0.001308)))
  );
}

/** A guess of z = ±(h - t) from ln v or ln u: the second normal term is a share of the first, found in two rounds. */
function guessArgument(logTarget: f64, x: f64, side: f64): f64 {
  let z = 0.0;
  for (let round = 0; round < 2; round++) {
    const share = mills(sqrt<f64>(z * z + 2.0 * x)) / mills(z);
    const logProbability = logTarget - logRatio<f64>(1.0 - side * share, 1.0);
    // one half and more only where the target is near half its cap: the root is then near zero
    z = logProbability < -naturalLogOfTwo ? quantile(logProbability) : 0.0;
  }
  return z;
}

/**
 * The distance of a row's price to its upper bound, S e^(-qT) for a call and K e^(-rT) for a put; also stored for the solver. Where
 * that leg has no carry the bound is a double and the distance exact near it, whatever the other leg's carry; elsewhere it is
 * the cap less the time value, both with their low words. `boundLow` is what rounding took from a spot or strike that is a sum.
 */
export function storeDistance(
  scratch: usize,
  at: usize,
  isCall: bool,
  spot: f64,
  strike: f64,
  price: f64,
  boundLow: f64,
): f64 {
  const carry = load<f64>(cell(scratch, isCall ? columnDividendProduct : columnRateProduct, at));
  const distance =
    carry == 0.0
      ? (isCall ? spot : strike) - price + boundLow
      : load<f64>(cell(scratch, columnCap, at)) -
        load<f64>(cell(scratch, columnTimeValue, at)) +
        (load<f64>(cell(scratch, columnCapLow, at)) - load<f64>(cell(scratch, columnTimeValueLow, at)));
  store<f64>(cell(scratch, columnDistance, at), distance);
  return distance;
}

/**
 * Solves a row of the tile whose time value lies strictly between zero and its cap (and whose distance to the bound is stored):
 * puts s, the magnitude of D (or W) and the target in money that it belongs to into the tile. False where it did not converge, which no input is known to do.
 */
export function solveRobust(scratch: usize, at: usize): bool {
  const x = load<f64>(cell(scratch, columnLogMoneyness, at));
  const xLow = load<f64>(cell(scratch, columnLogMoneynessLow, at));
  const cap = load<f64>(cell(scratch, columnCap, at));
  const timeValue = load<f64>(cell(scratch, columnTimeValue, at));
  const isUpper = timeValue > 0.5 * cap;
  const target = isUpper ? load<f64>(cell(scratch, columnDistance, at)) : timeValue;
  const side = isUpper ? -1.0 : 1.0;
  const isTiny = target < tiny;
  const scaledTarget = target * (isTiny ? scaleFactor : 1.0) * squareRootOfTwoPi;
  const shift = isTiny ? scaleBinades * naturalLogOfTwo : 0.0;

  // the bracket: v <= 1/2 has h - t > -0.68, u < 1/2 has t - h > 0, and no double lies past 64 deviations
  let low = isUpper ? sqrt<f64>(2.0 * x) : 0.0;
  let high = (isUpper ? 64.0 : 0.7) + sqrt<f64>((isUpper ? 4096.0 : 0.49) + 2.0 * x);
  let s = 0.0;
  if (!isUpper && x <= 8.0) {
    const gap = load<f64>(cell(scratch, columnGap, at));
    const share = timeValue / cap;
    s = guessDeviation<f64>(x, gap, share, guessEta<f64>(gap, share));
  }
  if (!(s > low && s < high)) {
    const z = guessArgument(logRatio<f64>(scaledTarget, cap * squareRootOfTwoPi) - shift, x, side);
    const root = sqrt<f64>(z * z + 2.0 * x);
    s = isUpper ? root + z : (2.0 * x) / (root + z);
  }
  if (!(s > low && s < high)) s = 0.5 * (low + high);

  for (let pass = 0; pass < passesMax; pass++) {
    const h = x / s;
    const t = 0.5 * s;
    const left = h - t;
    const right = h + t;
    let d: f64;
    if (isUpper) d = -(mills(-left) + mills(right));
    else if (s < seriesDeviationMax && x < seriesLogMoneynessMax) d = millsDifferenceSeries<f64>(slope(h), h, t);
    else d = mills(left) - mills(right);
    const magnitude = abs<f64>(d);
    const product = h * s;
    const spreadLow = (x - product - productLow<f64>(h, s, product) + xLow) / s;
    const leftLow = sumLow<f64>(h, -t, left) + spreadLow;
    const square = left * left;
    const squareLow = 2.0 * left * leftLow + productLow<f64>(left, left, square);
    const log = logRatio<f64>(scaledTarget, magnitude * cap) - shift + 0.5 * square + 0.5 * squareLow;
    if (log * side > 0.0) low = s;
    else high = s;
    const ratio = d / s;
    const a = left * right * ratio;
    const kappa = -(3.0 * (h * h) + t * t) * (ratio * ratio);
    const delta =
      (log * d * (1.0 + 0.5 * (log * (a - 1.0)))) /
      (1.0 + log * (a - 1.0) + (log * log * (a * (a - 3.0) + 2.0 + kappa)) / 6.0);
    if (abs<f64>(delta) * (1.0 + right) <= settledStep * s) {
      store<f64>(cell(scratch, columnDeviation, at), s + delta);
      store<f64>(cell(scratch, columnDifference, at), abs<f64>(d + delta * (1.0 - a)));
      store<f64>(cell(scratch, columnTimeValue, at), target);
      return true;
    }
    const next = s + delta;
    const isUseful = next > low && next < high && (pass < 12 || (pass & 1) == 0);
    // halving, in proportion where the bracket spans binades
    s = isUseful ? next : low > 0.0 ? sqrt<f64>(low) * sqrt<f64>(high) : 0.125 * high;
  }
  return false;
}
