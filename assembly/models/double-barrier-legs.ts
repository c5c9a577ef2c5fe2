// Two barriers over jets: a payment at expiry if neither was hit, and a payment at the moment the first is. Separate from single barriers
// because these are sums over images, one behind the other, of the spot in both barriers.
// Source: Kunitomo and Ikeda (1992), Pricing options with curved boundaries, with flat ones; Kolkiewicz (2002) for payments at the hit.
// Legend: L, U barriers, x = ln(S/L), w = ln(U/L), y = ln(level/L), ν drift (ν + σ² where the asset is the unit of account), s = σ√T.
//   P(no hit, end below y) = Σₙ e^(-2nwν/σ²) N((y - x + 2nw - νT)/s) - e^(-2ν(x + nw)/σ²) N((y + x + 2nw - νT)/s), less the same at 0.
// Each tail's exponent is -(y - x - νT)²/2s² less a square's worth that grows with n, so none can overflow; images past 76 in it are left
// out. Where s > 3.5 w surviving has a chance below 1e-25 and is taken for impossible.
import { hitKernel } from "./barrier-legs";
import { assign, fixed, logarithm, mark, minus, over, plus, release, scaled, times, valueOf, weightedLaw } from "./jet";
import { deviation, drift, rateDiscount, spot, time, variance, volatility, yieldDiscount } from "./market";

const widthsMax: f64 = 3.5;

/** How many images to each side matter. */
function imagesOf(deviations: f64): f64 {
  return ceil<f64>(0.5 + sqrt<f64>(0.25 + 38 * deviations * deviations));
}

/** e^weight (N(upper) - N(lower)), by the tails on the side where both are small. */
function between(weight: usize, lower: usize, upper: usize, lowerExponent: f64, upperExponent: f64): usize {
  if (valueOf(lower) > 0) {
    return minus(
      weightedLaw(weight, scaled(lower, -1), lowerExponent),
      weightedLaw(weight, scaled(upper, -1), upperExponent),
    );
  }
  return minus(weightedLaw(weight, upper, upperExponent), weightedLaw(weight, lower, lowerExponent));
}

/** The probability of hitting neither barrier and ending between the levels, which lie between the barriers. */
function chance(isAsset: bool, from: usize, to: usize, lower: usize, upper: usize): usize {
  const total = fixed(0);
  const w = logarithm(upper, lower);
  const width = valueOf(w);
  const s = valueOf(deviation);
  if (s > widthsMax * width) return total;
  const own = isAsset ? plus(drift, variance) : drift;
  const grown = times(own, time);
  const steepness = scaled(over(own, variance), -2);
  const x = logarithm(spot, lower);
  const a = logarithm(from, lower);
  const b = logarithm(to, lower);
  const nearA = minus(minus(a, x), grown);
  const nearB = minus(minus(b, x), grown);
  const farA = minus(plus(a, x), grown);
  const farB = minus(plus(b, x), grown);
  const squareA = 0.5 * (valueOf(nearA) / s) * (valueOf(nearA) / s);
  const squareB = 0.5 * (valueOf(nearB) / s) * (valueOf(nearB) / s);
  const images = imagesOf(s / width);
  const start = mark();
  for (let n = -images; n <= images; n++) {
    const turn = scaled(w, n);
    const twice = scaled(w, 2 * n);
    const xn = valueOf(x) + n * width;
    const direct = between(
      times(steepness, turn),
      over(plus(nearA, twice), deviation),
      over(plus(nearB, twice), deviation),
      -squareA - 2 * ((n * width) / s) * ((valueOf(a) - valueOf(x) + n * width) / s),
      -squareB - 2 * ((n * width) / s) * ((valueOf(b) - valueOf(x) + n * width) / s),
    );
    const image = between(
      times(steepness, plus(x, turn)),
      over(plus(farA, twice), deviation),
      over(plus(farB, twice), deviation),
      -squareA - 2 * (xn / s) * ((valueOf(a) + n * width) / s),
      -squareB - 2 * (xn / s) * ((valueOf(b) + n * width) / s),
    );
    assign(total, plus(total, minus(direct, image)));
    release(start);
  }
  return total;
}

/** A payment beyond the strike, above it for φ = 1, if neither barrier was hit. */
export function survived(phi: f64, assets: f64, cash: usize, strike: usize, lower: usize, upper: usize): usize {
  const from = phi > 0 && valueOf(strike) > valueOf(lower) ? strike : lower;
  const to = phi < 0 && valueOf(strike) < valueOf(upper) ? strike : upper;
  if (!(valueOf(from) < valueOf(to))) return fixed(0);
  const paid = times(times(cash, rateDiscount), chance(false, from, to, lower, upper));
  if (assets == 0) return paid;
  return plus(paid, scaled(times(times(spot, yieldDiscount), chance(true, from, to, lower, upper)), assets));
}

/** What 1 paid at the hit of one barrier, the other not hit before, is worth within the time. */
export function hitOne(isLower: bool, lower: usize, upper: usize): usize {
  const total = fixed(0);
  const w = logarithm(upper, lower);
  const x = isLower ? logarithm(spot, lower) : logarithm(upper, spot);
  const width = valueOf(w);
  // later than this nothing is left to be hit, so nothing depends on how much later
  const isLate = valueOf(deviation) > widthsMax * width;
  const reach = over(scaled(w, widthsMax), volatility);
  const horizon = isLate ? times(reach, reach) : time;
  const weight = scaled(over(times(drift, x), variance), isLower ? -1 : 1);
  const images = imagesOf((valueOf(volatility) * sqrt<f64>(valueOf(horizon))) / width);
  const start = mark();
  for (let n = -images; n <= images; n++) {
    const distance = plus(x, scaled(w, 2 * n));
    const sign: f64 = valueOf(distance) < 0 ? -1 : 1;
    assign(total, plus(total, scaled(hitKernel(scaled(distance, sign), weight, horizon), sign)));
    release(start);
  }
  return total;
}

/** What 1 paid at the first hit of either barrier within the time is worth. */
export function hitDiscountOfTwo(lower: usize, upper: usize): usize {
  return plus(hitOne(true, lower, upper), hitOne(false, lower, upper));
}

