// One expiry's smile as total variance over log-moneyness: the raw SVI hyperbola, on request with a second one for the far
// puts; its derivatives, its other parametrisations, and what follows from it (Durrleman's function, the implied density).
// Separate from fitting and checking because both, and everybody who reads a fitted surface, share these formulas. Pure.
//
// Source: Gatheral & Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14 (2014): raw (3.1),
//   natural (3.2), jump-wing (3.5) and their conversions (lemmas 3.1, 3.2); g in (2.1); density in (2.2).
//   The put wing is ours: h·(√((k − c)² + s²) − (k − c)), a second hyperbola whose right asymptote is 0. See docs/numerics/svi.md.
// Legend: k = ln(K/F) · w = σ²T total variance · a, b, ρ, m, σ as in the paper · h, c, s height, centre and width of the
//   put wing · T years · d2 = −k/√w − √w/2.
// Valid: b ≥ 0, |ρ| < 1, σ > 0, h ≥ 0, s > 0 and w > 0 everywhere. σ is the hyperbola's own width, not a volatility.
// Checked: tests/unit/surfaces/svi (published values, derivatives against differences, density against prices).

import { assert } from "../foundation/assert";

/** w(k) = a + b·(ρ(k − m) + √((k − m)² + σ²)). */
export interface RawSvi {
  readonly a: number;
  readonly b: number;
  readonly rho: number;
  readonly m: number;
  readonly sigma: number;
}

/** Adds h·(√((k − c)² + s²) − (k − c)): a slope of −2h far left, nothing far right. */
export interface PutWing {
  readonly height: number;
  readonly centre: number;
  readonly width: number;
}

/** A raw SVI slice, and where `wing` is there, the put wing on top. */
export interface SviSlice extends RawSvi {
  readonly wing?: PutWing | undefined;
}

/** w(k) = Δ + ω/2·(1 + ζρ(k − μ) + √((ζ(k − μ) + ρ)² + 1 − ρ²)). */
export interface NaturalSvi {
  readonly delta: number;
  readonly mu: number;
  readonly rho: number;
  readonly omega: number;
  readonly zeta: number;
}

/** What a trader reads off the smile; scaled so that it hardly changes with the expiry. */
export interface JumpWingSvi {
  /** Variance per year at the money. */
  readonly atmVariance: number;
  /** d√w/dk at the money: the volatility's own slope times √T. */
  readonly atmSkew: number;
  /** Slope of the left wing (puts) over √w at the money. */
  readonly putWing: number;
  /** Slope of the right wing (calls) over √w at the money. */
  readonly callWing: number;
  /** The least variance there is, per year. */
  readonly minimumVariance: number;
}

/** Total variance at log-moneyness k. */
export function totalVariance({ a, b, rho, m, sigma, wing }: SviSlice, k: number): number {
  const x = k - m;
  const w = a + b * (rho * x + Math.sqrt(x * x + sigma * sigma));
  return wing === undefined ? w : w + wing.height * openLeft(k - wing.centre, wing.width);
}

/** √(x² + s²) − x without cancellation on the right. */
function openLeft(x: number, s: number): number {
  const root = Math.sqrt(x * x + s * s);
  return x <= 0 ? root - x : (s * s) / (root + x);
}

/** w, w′ and w″. */
export interface VarianceJet {
  readonly w: number;
  readonly slope: number;
  readonly curvature: number;
}

/** w, w′ and w″ at k. */
export function varianceJet({ a, b, rho, m, sigma, wing }: SviSlice, k: number): VarianceJet {
  const x = k - m;
  const root = Math.sqrt(x * x + sigma * sigma);
  const w = a + b * (rho * x + root);
  const slope = b * (rho + x / root);
  const curvature = (b * sigma * sigma) / (root * root * root);
  if (wing === undefined) return { w, slope, curvature };
  const z = k - wing.centre;
  const s = wing.width;
  const wingRoot = Math.sqrt(z * z + s * s);
  const rise = openLeft(z, s);
  return {
    w: w + wing.height * rise,
    slope: slope - (wing.height * rise) / wingRoot,
    curvature: curvature + (wing.height * s * s) / (wingRoot * wingRoot * wingRoot),
  };
}

/** Durrleman's function: the slice has no butterfly arbitrage where it is nowhere negative (and w > 0). */
export function durrleman({ w, slope, curvature }: VarianceJet, k: number): number {
  const first = 1 - (k * slope) / (2 * w);
  return first * first - 0.25 * slope * slope * (1 / w + 0.25) + curvature / 2;
}

/** The density of ln(S_T/F) that the slice implies, per unit of k; negative where there is butterfly arbitrage. */
export function impliedDensity(jet: VarianceJet, k: number): number {
  const d2 = -k / Math.sqrt(jet.w) - Math.sqrt(jet.w) / 2;
  return (durrleman(jet, k) / Math.sqrt(2 * Math.PI * jet.w)) * Math.exp(-0.5 * d2 * d2);
}

/** Steepness far left (as a positive number) and far right: above 2 call prices rise with the strike (Lee 2004). */
export function wingSlopes({ b, rho, wing }: SviSlice): { readonly left: number; readonly right: number } {
  return { left: b * (1 - rho) + 2 * (wing?.height ?? 0), right: b * (1 + rho) };
}

/** Where total variance is least, and how much it is there; −∞ at an infinity where a side doesn't rise. */
export function minimumTotalVariance(slice: SviSlice): { readonly k: number; readonly w: number } {
  const { b, rho, m, sigma, wing } = slice;
  const complement = Math.sqrt(Math.max(0, (1 - rho) * (1 + rho)));
  if (wing === undefined || wing.height === 0) {
    if (b === 0 || complement === 0) return { k: m, w: totalVariance(slice, m) };
    return { k: m - (rho * sigma) / complement, w: slice.a + b * sigma * complement };
  }
  // Convex, and the wing only moves the lowest point to the right: bisect on the slope.
  let low = complement === 0 ? m : m - (rho * sigma) / complement;
  let step = sigma;
  let high = low;
  for (let count = 0; count < 60 && varianceJet(slice, high).slope < 0; count++, step *= 2) high += step;
  for (let count = 0; count < 80 && high - low > 1e-12 * (1 + Math.abs(low)); count++) {
    const middle = (low + high) / 2;
    if (varianceJet(slice, middle).slope < 0) low = middle;
    else high = middle;
  }
  return { k: high, w: totalVariance(slice, high) };
}

/** The same hyperbola in natural parameters; |ρ| < 1. */
export function naturalFromRaw({ a, b, rho, m, sigma }: RawSvi): NaturalSvi {
  const complement = Math.sqrt((1 - rho) * (1 + rho));
  const omega = (2 * b * sigma) / complement;
  return {
    delta: a - (omega / 2) * complement * complement,
    mu: m + (rho * sigma) / complement,
    rho,
    omega,
    zeta: complement / sigma,
  };
}

/** The raw parameters of a hyperbola given in natural ones; ζ > 0. */
export function rawFromNatural({ delta, mu, rho, omega, zeta }: NaturalSvi): RawSvi {
  const complement = Math.sqrt((1 - rho) * (1 + rho));
  return {
    a: delta + (omega / 2) * complement * complement,
    b: (omega * zeta) / 2,
    rho,
    m: mu - rho / zeta,
    sigma: complement / zeta,
  };
}

/** The slice's level, skew, wings and lowest point; of a slice with a put wing they are those of the sum. */
export function jumpWingsOf(slice: SviSlice, timeToExpiry: number): JumpWingSvi {
  assert(timeToExpiry > 0, `time to expiry ${timeToExpiry} is not above zero`);
  const { w, slope } = varianceJet(slice, 0);
  const scale = Math.sqrt(w);
  const { left, right } = wingSlopes(slice);
  return {
    atmVariance: w / timeToExpiry,
    atmSkew: slope / (2 * scale),
    putWing: left / scale,
    callWing: right / scale,
    minimumVariance: minimumTotalVariance(slice).w / timeToExpiry,
  };
}

/**
 * The raw slice with these jump-wing parameters, or null where there is none or many: the skew must lie strictly between the
 * wings and the least variance strictly below the one at the money.
 */
export function rawFromJumpWings(wings: JumpWingSvi, timeToExpiry: number): RawSvi | null {
  const { atmVariance, atmSkew, putWing, callWing, minimumVariance } = wings;
  const scale = Math.sqrt(atmVariance * timeToExpiry);
  const b = (scale / 2) * (callWing + putWing);
  if (!(b > 0)) return null;
  const rho = 1 - (putWing * scale) / b;
  // β = m/√(m² + σ²) is the sine of the angle whose cosine is σ/√(m² + σ²).
  const beta = rho - (2 * atmSkew * scale) / b;
  if (!(Math.abs(beta) < 1) || !(Math.abs(rho) < 1)) return null;
  const cosine = Math.sqrt((1 - beta) * (1 + beta));
  const complement = Math.sqrt((1 - rho) * (1 + rho));
  // With R = √(m² + σ²): m = βR, σ = cosine·R, and w − w_min = bR(1 − ρβ − complement·cosine).
  const span = 1 - rho * beta - complement * cosine;
  const rise = (atmVariance - minimumVariance) * timeToExpiry;
  // Where the smile's lowest point is at the money, the width of the curve can't be told from these five numbers.
  if (!(span > 0) || !(rise > 0)) return null;
  const radius = rise / (b * span);
  const sigma = cosine * radius;
  return { a: minimumVariance * timeToExpiry - b * sigma * complement, b, rho, m: beta * radius, sigma };
}
