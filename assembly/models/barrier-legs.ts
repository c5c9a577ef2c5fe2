// The parts of which options with one barrier are made, over jets: a payment at expiry beyond a level, its mirror image in the barrier,
// and a payment at the moment the barrier is hit. Separate because barrier options, binary barriers, touch options and their rebates are
// sums of these with other weights (Reiner and Rubinstein 1991, Breaking down the barriers; Unscrambling the binary code).
// Legend: H barrier, X level, h = ln(H/S), z = ln(X/S), s = σ√T, ν = r - q - σ²/2; side +1 where the barrier is below the spot, -1 above.
// A payment is `assets` units of the asset and `cash`. Its price is S Q assets P¹ + D cash P⁰, with P¹ the probability where the asset is
// the unit of account, in which the drift is ν + σ².
//   direct:   P⁰ = N(φ(νT - z)/s)
//   mirrored: P⁰ = e^(2νh/σ²) N(side (2h - z + νT)/s)
// The exponent of the mirrored tail, 2νh/σ² - d²/2, is -(νT - z)²/2s² - 2h(h - z)/s², a sum of two terms of one sign.
// Checked by tests/numerics/exotics: published rows, integration of the reflected density, differences for the Greeks.
import {
  assign,
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
  squareRoot,
  times,
  valueOf,
  weightedDensity,
  weightedLaw,
} from "./jet";
import { deviation, drift, rate, rateDiscount, spot, time, variance, volatility, yieldDiscount } from "./market";

/** Where a payment at the hit is summed as a series instead: κT, see hitDiscount. */
const seriesMax: f64 = 0.125;

/** νT, with the asset as the unit of account (ν + σ²)T. */
function driftOver(isAsset: bool): usize {
  return times(isAsset ? plus(drift, variance) : drift, time);
}

/** The probability of ending beyond the level: above for φ = 1, below for -1. */
function directChance(isAsset: bool, level: usize, phi: f64): usize {
  if (valueOf(level) == 0) return fixed(phi > 0 ? 1 : 0);
  return law(scaled(over(minus(driftOver(isAsset), logarithm(level, spot)), deviation), phi));
}

/** The probability of having hit the barrier and ending beyond the level on the spot's side of it, for the inner side of the barrier. */
function mirroredChance(isAsset: bool, level: usize, barrier: usize, side: f64): usize {
  if (valueOf(level) == 0) return fixed(0);
  const own = isAsset ? plus(drift, variance) : drift;
  const h = logarithm(barrier, spot);
  const z = logarithm(level, spot);
  const weight = scaled(over(times(own, h), variance), 2);
  const x = scaled(over(plus(minus(scaled(h, 2), z), times(own, time)), deviation), side);
  const s = valueOf(deviation);
  const direct = (valueOf(own) * valueOf(time) - valueOf(z)) / s;
  const exponent = -0.5 * direct * direct - (2 * (valueOf(h) / s) * (valueOf(logarithm(barrier, level)))) / s;
  return weightedLaw(weight, x, exponent);
}

/** Payment beyond the level. */
export function direct(assets: f64, cash: usize, level: usize, phi: f64): usize {
  const start = mark();
  const paid = times(times(cash, rateDiscount), directChance(false, level, phi));
  if (assets == 0) return kept(start, paid);
  const asset = times(times(spot, yieldDiscount), directChance(true, level, phi));
  return kept(start, plus(paid, scaled(asset, assets)));
}

/** Payment on hit paths that end as far as the level, seen in the barrier. */
export function mirrored(assets: f64, cash: usize, level: usize, barrier: usize, side: f64): usize {
  const start = mark();
  const paid = times(times(cash, rateDiscount), mirroredChance(false, level, barrier, side));
  if (assets == 0) return kept(start, paid);
  const asset = times(times(spot, yieldDiscount), mirroredChance(true, level, barrier, side));
  return kept(start, plus(paid, scaled(asset, assets)));
}

/** A payment beyond the strike, above it for φ = 1, that lives only if the barrier was hit, or only if it was not. */
export function withBarrier(
  isIn: bool,
  side: f64,
  phi: f64,
  assets: f64,
  cash: usize,
  strike: usize,
  barrier: usize,
): usize {
  const isInside = side * (valueOf(strike) - valueOf(barrier)) >= 0;
  if (phi == side) {
    if (isInside) {
      const hit = mirrored(assets, cash, strike, barrier, side);
      return isIn ? hit : minus(direct(assets, cash, strike, phi), hit);
    }
    const atBarrier = direct(assets, cash, barrier, phi);
    const hit = mirrored(assets, cash, barrier, barrier, side);
    if (!isIn) return minus(atBarrier, hit);
    return plus(minus(direct(assets, cash, strike, phi), atBarrier), hit);
  }
  if (!isInside) return isIn ? direct(assets, cash, strike, phi) : fixed(0);
  const beyond = plus(
    direct(assets, cash, barrier, phi),
    minus(mirrored(assets, cash, barrier, barrier, side), mirrored(assets, cash, strike, barrier, side)),
  );
  return isIn ? beyond : minus(direct(assets, cash, strike, phi), beyond);
}

/** A payment at expiry if the barrier was hit, or if it was not. */
export function touched(isHit: bool, side: f64, assets: f64, cash: usize, barrier: usize): usize {
  const hit = mirrored(assets, cash, barrier, barrier, side);
  return isHit
    ? plus(direct(assets, cash, barrier, -side), hit)
    : minus(direct(assets, cash, barrier, side), hit);
}

/**
 * What 1 paid at the first hit of the barrier within the time is worth: E[e^(-rτ); τ ≤ T]. With κ = r + ν²/2σ² and w = |h|/s it is
 * e^(νh/σ²) ∫ 2φ(y) e^(-κT w²/y²) dy over y ≥ w. For κT > 1/8 in closed form with θ = √(2κσ²),
 * e^((ν+θ)h/σ²) N(side (h + θT)/s) + e^((ν-θ)h/σ²) N(side (h - θT)/s); else, where θ is small or imaginary, by the series in κT, whose
 * moments follow from one another by parts: (2k - 1) M_k = 2φ(w)w - w² M_{k-1}, M_0 = 2N(-w).
 */
export function hitDiscount(barrier: usize, side: f64): usize {
  const h = logarithm(barrier, spot);
  return hitKernel(scaled(h, -side), over(times(drift, h), variance), time);
}

/** The same for a distance in ln S, positive, with e^weight in the place of e^(νh/σ²). */
export function hitKernel(distance: usize, weight: usize, horizon: usize): usize {
  const kappa = plus(rate, over(times(drift, drift), scaled(variance, 2)));
  const strength = times(kappa, horizon);
  const spread = times(volatility, squareRoot(horizon));
  const w = over(distance, spread);
  const at = valueOf(w);
  if (valueOf(strength) > seriesMax) {
    const theta = squareRoot(times(scaled(kappa, 2), variance));
    const turn = over(times(theta, distance), variance);
    const reach = over(times(theta, horizon), spread);
    // both tails have one exponent: weight - w²/2 - κT
    const exponent = valueOf(weight) - 0.5 * at * at - valueOf(strength);
    return plus(
      weightedLaw(minus(weight, turn), minus(reach, w), exponent),
      weightedLaw(plus(weight, turn), scaled(plus(reach, w), -1), exponent),
    );
  }
  const exponent = valueOf(weight) - 0.5 * at * at;
  const square = times(w, w);
  const edge = scaled(times(weightedDensity(weight, w, exponent), w), 2);
  const moment = scaled(weightedLaw(weight, scaled(w, -1), exponent), 2);
  const sum = scaled(moment, 1);
  const power = fixed(1);
  // past this many terms what is left is below a rounding, whatever the strength's sign
  const count = 16 + 3 * abs<f64>(valueOf(strength));
  const start = mark();
  for (let term: f64 = 1; term <= count; term++) {
    assign(moment, scaled(minus(edge, times(square, moment)), 1 / (2 * term - 1)));
    assign(power, scaled(times(power, strength), -1 / term));
    assign(sum, plus(sum, times(power, moment)));
    release(start);
  }
  return sum;
}
