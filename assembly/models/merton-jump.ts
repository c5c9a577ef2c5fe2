// Merton's jump diffusion: between jumps the asset is Black and Scholes', jumps come at a steady rate and multiply it by a lognormal factor. Given how many
// jumps there are the price is Black's, so the price is a sum over Poisson's law. Separate from batch/ as every set of formulas is.
// Source: Merton (1976), Option pricing when underlying stock returns are discontinuous, equation 19. With l = jumps a year, ln J normal with mean m and
// deviation d, g = m + d²/2, k = e^g - 1 and n jumps:
//   v = Σ [P'(n) e^x N(d1) - P(n) N(d2)],  w = s²T + n d²,  d2 = (x - l k T + n g - w/2)/√w,  d1 = d2 + √w,
//   P Poisson's weight for l T, P' for l' T = l T e^g (the jumps as the asset itself counts them).
// Every Greek is the term's own, with p = φ(d2)/√w, p_w = (p_xx - p_x)/2, and the weights' derivatives P(n) (n/T - l).
// Terms end where both laws' remaining mass is below 1e-17: what is left out is below 1e-17 of the larger of F and K. Error in all: 1e-14 of it, from Poisson's
// weights by recurrence over up to some 700 terms (tests/numerics/merton-jump). Valid for lT and l'T up to 512, s√T up to 64, |g| up to 64.
import { exp } from "../math/exp";
import { normalDensity, normalLaw } from "../math/normal";
import {
  formCurve,
  formCurveTime,
  formCurveVolatility,
  formCurveX,
  formTime,
  formValue,
  formVolatility,
  formVolatilityThrice,
  formVolatilityTime,
  formVolatilityTwice,
  formX,
  formXTime,
  formXVolatility,
} from "./forward-form";

/** Most jumps that may be expected, as the bank and as the asset counts them. */
export const jumpsMax: f64 = 512;
/** Largest |m + d²/2|. */
export const jumpGrowthMax: f64 = 64;

const termsMax: i32 = 2048;
const negligible: f64 = 1e-18;
/** Stands for a variance of zero: deviations of it are endless beside any moneyness a double can hold. */
const leastVariance: f64 = 1e-200;

/**
 * Writes the slots of forward-form.ts at `form`, a call's for x < 0, else a put's. Returns false at the kink of a payoff that a term without variance still
 * has: curvature and what follows from it have no limit there.
 */
export function mertonForm(
  x: f64,
  time: f64,
  volatility: f64,
  intensity: f64,
  jumpMean: f64,
  jumpVolatility: f64,
  form: usize,
): bool {
  const isCall = x < 0;
  const side: f64 = isCall ? 1 : -1;
  const jumpVariance = jumpVolatility * jumpVolatility;
  const growth = jumpMean + 0.5 * jumpVariance;
  const factor = exp<f64>(growth);
  const cashJumps = intensity * time;
  const assetJumps = cashJumps * factor;
  const assetIntensity = intensity * factor;
  const pull = assetIntensity - intensity; // l k
  const forward = exp<f64>(x);
  const variance = volatility * volatility;
  const expected = max<f64>(cashJumps, assetJumps);
  let cash = exp<f64>(-cashJumps);
  let asset = exp<f64>(-assetJumps);
  let value: f64 = 0;
  let valueX: f64 = 0;
  let weights: f64 = 0; // what Poisson's weights' own derivatives in time give
  let weightsX: f64 = 0;
  let p0: f64 = 0; // sums of p and its derivatives in x
  let p1: f64 = 0;
  let p2: f64 = 0;
  let p3: f64 = 0;
  let p4: f64 = 0;
  let weightsP: f64 = 0;
  let isSmooth = true;
  for (let n = 0; n < termsMax; n++) {
    const count = <f64>n;
    const w = max<f64>(variance * time + count * jumpVariance, leastVariance);
    const root = sqrt<f64>(w);
    const shift = x - pull * time + count * growth;
    const d2 = shift / root - 0.5 * root;
    const d1 = shift / root + 0.5 * root;
    const assetLaw = asset * forward * normalLaw<f64>(side * d1);
    const cashLaw = cash * normalLaw<f64>(side * d2);
    const assetPace = count / time - assetIntensity;
    const cashPace = count / time - intensity;
    value += side * (assetLaw - cashLaw);
    valueX += side * assetLaw;
    weights += side * (assetLaw * assetPace - cashLaw * cashPace);
    weightsX += side * (assetLaw * assetPace);
    if (w == leastVariance && shift == 0 && cash > 0) isSmooth = false;
    const p = (cash * normalDensity<f64>(d2)) / root;
    if (p > 0) {
      const h = d2 / root;
      const u = 1 / w;
      p0 += p;
      p1 -= h * p;
      p2 += (h * h - u) * p;
      p3 -= h * (h * h - 3 * u) * p;
      p4 += (h * h * h * h - 6 * h * h * u + 3 * u * u) * p;
      weightsP += cashPace * p;
    }
    if (count > expected && (cash + asset) * (1 + count) < negligible) break;
    cash *= cashJumps / (count + 1);
    asset *= assetJumps / (count + 1);
  }
  const spread = volatility * time; // w_s / 2
  const bend = p2 - p1;
  const curveTime = weightsP - pull * p1 + 0.5 * variance * bend;
  store<f64>(form, value, formValue);
  store<f64>(form, valueX, formX);
  store<f64>(form, p0, formCurve);
  store<f64>(form, p1, formCurveX);
  store<f64>(form, weights + 0.5 * variance * p0, formTime);
  store<f64>(form, weightsX - pull * p0 + 0.5 * variance * p1, formXTime);
  store<f64>(form, curveTime, formCurveTime);
  store<f64>(form, spread * p0, formVolatility);
  store<f64>(form, spread * p1, formXVolatility);
  store<f64>(form, spread * bend, formCurveVolatility);
  store<f64>(form, time * p0 + spread * spread * bend, formVolatilityTwice);
  store<f64>(
    form,
    3 * spread * time * bend + spread * spread * spread * (p4 - 2 * p3 + p2),
    formVolatilityThrice,
  );
  store<f64>(form, volatility * p0 + spread * curveTime, formVolatilityTime);
  return isSmooth;
}
