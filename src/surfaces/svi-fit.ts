// Fits a raw SVI slice to total variances. Separate from svi.ts, which only states the formulas, and from repairing, which
// costs a hundred times as much and is seldom needed. Pure; no allocation in the loops, since a live market fits thousands
// a second.
//
// Source: De Marco & Martini, "Quasi-explicit calibration of Gatheral's SVI model", Zeliade (2009): for given m and σ the
//   best level, tilt and depth are a linear problem, so that two parameters are left to search. They are searched by
//   Levenberg–Marquardt on the variable-projection Jacobian of Kaufman, "A variable projection method for solving
//   separable nonlinear least squares problems", BIT 15 (1975), in place of the paper's simplex: 5 to 12 steps, not 200.
// Legend: y = (k − m)/σ · s = √(y² + 1) · w = a + d·y + c·s, c = bσ, d = ρbσ.
// Valid: at least five quotes at distinct k. |ρ| ≤ 0.999; the slice may still have arbitrage, which svi-arbitrage finds and
//   svi-repair takes out.
// Checked: tests/unit/surfaces/svi-fit (parameters come back; no worse than a search by brute force), the real chain.

import type { RawSvi } from "./svi";

/** Quotes of one expiry: log-moneyness, total variance, and the error that the variance may have (> 0). */
export interface SlicePoints {
  readonly k: Float64Array;
  readonly w: Float64Array;
  readonly error: Float64Array;
}

export interface SviFit {
  readonly raw: RawSvi;
  /** Root mean square of (fitted − given)/error. */
  readonly rms: number;
  readonly stepCount: number;
}

/** Steeper wings than this have arbitrage; the search keeps out of there. */
export const wingSlopeMax = 2;
/** Fewer quotes than parameters fit anything. */
export const slicePointsMin = 5;
/** How near to ±1 the fit lets ρ come. */
export const correlationMax = 0.999;

const stepsMax = 60;
/** Widths and centres that the search starts from, in parts of the quotes' range. */
const startWidths = [0.05, 0.2, 0.7];
const startCentres = [0.2, 0.5, 0.8, 1];
/** The search stays within so many ranges of the quotes; σ is not below a thousandth of a range. */
const widthPartMin = 1e-3;
const widthPartMax = 10;
const centrePartMax = 3;

/** The slice nearest to the points in units of their errors, or null where there are too few. */
export function fitSvi(points: SlicePoints): SviFit | null {
  const count = points.k.length;
  if (count < slicePointsMin) return null;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < count; index++) {
    low = Math.min(low, points.k[index]!);
    high = Math.max(high, points.k[index]!);
  }
  const range = high - low;
  if (!(range > 0)) return null;

  const search = new Search(points);
  let m = low;
  let sigma = range;
  let best = Number.POSITIVE_INFINITY;
  for (const width of startWidths)
    for (const centre of startCentres) {
      const cost = search.costAt(low + centre * range, width * range);
      if (cost < best) {
        best = cost;
        m = low + centre * range;
        sigma = width * range;
      }
    }
  if (best === Number.POSITIVE_INFINITY) return { ...search.level(low, range), stepCount: 0 };
  search.costAt(m, sigma);

  let damping = 1e-3;
  let steps = 0;
  for (; steps < stepsMax; steps++) {
    search.linearise();
    let hasMoved = false;
    let isSettled = false;
    // A step that makes it worse is tried again, shorter and nearer to steepest descent.
    for (let attempt = 0; attempt < 12; attempt++) {
      search.step(damping);
      const nextM = clamp(m + search.stepCentre * sigma, low - centrePartMax * range, high + centrePartMax * range);
      const nextSigma = clamp(
        sigma * Math.exp(clamp(search.stepWidth, -2, 2)),
        widthPartMin * range,
        widthPartMax * range,
      );
      const cost = search.costAt(nextM, nextSigma);
      if (cost <= best) {
        const gain = best - cost;
        isSettled = gain <= 1e-9 * best && Math.abs(nextM - m) <= 1e-5 * sigma;
        hasMoved = nextM !== m || nextSigma !== sigma;
        m = nextM;
        sigma = nextSigma;
        best = cost;
        damping = Math.max(damping / 10, 1e-12);
        break;
      }
      damping *= 8;
    }
    if (!hasMoved || isSettled) break;
  }
  search.costAt(m, sigma);
  return {
    raw: { a: search.a, b: search.c / sigma, rho: search.c > 0 ? search.d / search.c : 0, m, sigma },
    rms: Math.sqrt(best / count),
    stepCount: steps,
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** The problem at one (m, σ): its best linear parameters, and how the cost leans there. */
class Search {
  a = 0;
  c = 0;
  d = 0;
  stepCentre = 0;
  stepWidth = 0;
  private m = 0;
  private sigma = 1;
  /** Which columns the linear part has: 0 is (1, y, s); ±1 is (1, s ± ρmax·y), where ρ is at its bound; 2 is (1). */
  private face = 0;
  // Normal equations of the columns, lower triangle, as Cholesky's factor.
  private l11 = 0;
  private l21 = 0;
  private l22 = 0;
  private l31 = 0;
  private l32 = 0;
  private l33 = 0;
  // The projected Jacobian's products.
  private j11 = 0;
  private j12 = 0;
  private j22 = 0;
  private g1 = 0;
  private g2 = 0;
  private readonly k: Float64Array;
  private readonly w: Float64Array;
  private readonly weight: Float64Array;

  constructor({ k, w, error }: SlicePoints) {
    this.k = k;
    this.w = w;
    this.weight = new Float64Array(k.length);
    for (let index = 0; index < k.length; index++) this.weight[index] = 1 / (error[index]! * error[index]!);
  }

  /** Sum of squares at the best a, c, d for this centre and width; keeps them. */
  costAt(m: number, sigma: number): number {
    const { k, w, weight } = this;
    this.m = m;
    this.sigma = sigma;
    const inverse = 1 / sigma;
    let s1 = 0;
    let sy = 0;
    let ss = 0;
    let syy = 0;
    let sys = 0;
    let sw = 0;
    let syw = 0;
    let ssw = 0;
    for (let index = 0; index < k.length; index++) {
      const y = (k[index]! - m) * inverse;
      const s = Math.sqrt(y * y + 1);
      const p = weight[index]!;
      const v = w[index]! * p;
      const py = p * y;
      s1 += p;
      sy += py;
      ss += p * s;
      syy += py * y;
      sys += py * s;
      sw += v;
      syw += v * y;
      ssw += v * s;
    }
    // Σp·s² = Σp·y² + Σp.
    const sss = syy + s1;
    this.face = 0;
    this.l11 = Math.sqrt(s1);
    this.l21 = sy / this.l11;
    this.l31 = ss / this.l11;
    const r22 = syy - this.l21 * this.l21;
    this.l22 = Math.sqrt(r22);
    this.l32 = (sys - this.l31 * this.l21) / this.l22;
    const r33 = sss - this.l31 * this.l31 - this.l32 * this.l32;
    if (r22 > 1e-14 * syy && r33 > 1e-13 * sss) {
      this.l33 = Math.sqrt(r33);
      const z1 = sw / this.l11;
      const z2 = (syw - this.l21 * z1) / this.l22;
      const z3 = (ssw - this.l31 * z1 - this.l32 * z2) / this.l33;
      this.c = z3 / this.l33;
      this.d = (z2 - this.l32 * this.c) / this.l22;
      this.a = (z1 - this.l21 * this.d - this.l31 * this.c) / this.l11;
      if (this.c > 0 && Math.abs(this.d) <= correlationMax * this.c)
        return this.c + Math.abs(this.d) <= wingSlopeMax * sigma ? this.cost() : Number.POSITIVE_INFINITY;
    }
    // On the bound of ρ: the better of the two lines; where both open downwards, a level.
    let best = Number.POSITIVE_INFINITY;
    for (const side of [-1, 1]) {
      const tilt = side * correlationMax;
      const su = ss + tilt * sy;
      const suu = sss + 2 * tilt * sys + tilt * tilt * syy;
      const suw = ssw + tilt * syw;
      const spread = suu - (su * su) / s1;
      const c = (suw - (su * sw) / s1) / spread;
      if (!(spread > 1e-14 * suu) || !(c > 0) || c * (1 + correlationMax) > wingSlopeMax * sigma) continue;
      this.keep((sw - c * su) / s1, c, tilt * c);
      const cost = this.cost();
      if (cost < best) {
        best = cost;
        this.face = side;
      }
    }
    if (best < Number.POSITIVE_INFINITY) {
      const tilt = this.face * correlationMax;
      const su = ss + tilt * sy;
      const suu = sss + 2 * tilt * sys + tilt * tilt * syy;
      const c = (ssw + tilt * syw - (su * sw) / s1) / (suu - (su * su) / s1);
      this.keep((sw - c * su) / s1, c, tilt * c);
      this.l21 = su / this.l11;
      this.l22 = Math.sqrt(suu - this.l21 * this.l21);
      return best;
    }
    this.face = 2;
    this.keep(sw / s1, 0, 0);
    return this.cost();
  }

  /** The best slice without slopes: where the quotes are steeper than any slice may be. */
  level(m: number, sigma: number): { raw: RawSvi; rms: number } {
    const { w, weight } = this;
    const sum = weight.reduce((total, each) => total + each, 0);
    this.keep(w.reduce((total, each, index) => total + each * weight[index]!, 0) / sum, 0, 0);
    return { raw: { a: this.a, b: 0, rho: 0, m, sigma }, rms: Math.sqrt(this.cost() / w.length) };
  }

  private keep(a: number, c: number, d: number): void {
    this.a = a;
    this.c = c;
    this.d = d;
  }

  private cost(): number {
    const { k, w, weight, m, a, c, d } = this;
    const inverse = 1 / this.sigma;
    let sum = 0;
    for (let index = 0; index < k.length; index++) {
      const y = (k[index]! - m) * inverse;
      const r = a + d * y + c * Math.sqrt(y * y + 1) - w[index]!;
      sum += weight[index]! * r * r;
    }
    return sum;
  }

  /** The Jacobian in (m/σ, ln σ) at what `costAt` last left, what the linear part can take up projected out. */
  linearise(): void {
    const { k, w, weight, m, a, c, d, face } = this;
    const inverse = 1 / this.sigma;
    const tilt = face * correlationMax;
    let t1c = 0;
    let t2c = 0;
    let t3c = 0;
    let t1w = 0;
    let t2w = 0;
    let t3w = 0;
    let jcc = 0;
    let jcw = 0;
    let jww = 0;
    let gc = 0;
    let gw = 0;
    for (let index = 0; index < k.length; index++) {
      const y = (k[index]! - m) * inverse;
      const s = Math.sqrt(y * y + 1);
      const p = weight[index]!;
      const r = a + d * y + c * s - w[index]!;
      // ∂w/∂(m/σ) and ∂w/∂ln σ with a, c, d held.
      const centre = -(d + (c * y) / s);
      const width = centre * y;
      const u = face === 0 ? y : s + tilt * y;
      const pc = p * centre;
      const pw = p * width;
      t1c += pc;
      t2c += pc * u;
      t3c += pc * s;
      t1w += pw;
      t2w += pw * u;
      t3w += pw * s;
      jcc += pc * centre;
      jcw += pc * width;
      jww += pw * width;
      gc += pc * r;
      gw += pw * r;
    }
    const z1c = t1c / this.l11;
    const z1w = t1w / this.l11;
    let z2c = 0;
    let z2w = 0;
    let z3c = 0;
    let z3w = 0;
    if (face !== 2) {
      z2c = (t2c - this.l21 * z1c) / this.l22;
      z2w = (t2w - this.l21 * z1w) / this.l22;
    }
    if (face === 0) {
      z3c = (t3c - this.l31 * z1c - this.l32 * z2c) / this.l33;
      z3w = (t3w - this.l31 * z1w - this.l32 * z2w) / this.l33;
    }
    this.j11 = jcc - z1c * z1c - z2c * z2c - z3c * z3c;
    this.j12 = jcw - z1c * z1w - z2c * z2w - z3c * z3w;
    this.j22 = jww - z1w * z1w - z2w * z2w - z3w * z3w;
    this.g1 = gc;
    this.g2 = gw;
  }

  /** The damped step from what `linearise` found. */
  step(damping: number): void {
    const h11 = this.j11 * (1 + damping) + Number.MIN_VALUE;
    const h22 = this.j22 * (1 + damping) + Number.MIN_VALUE;
    const determinant = h11 * h22 - this.j12 * this.j12;
    if (!(determinant > 0)) {
      this.stepCentre = h11 > 0 ? -this.g1 / h11 : 0;
      this.stepWidth = h22 > 0 ? -this.g2 / h22 : 0;
    } else {
      this.stepCentre = (this.j12 * this.g2 - h22 * this.g1) / determinant;
      this.stepWidth = (this.j12 * this.g1 - h11 * this.g2) / determinant;
    }
    this.stepCentre = Math.min(Math.max(this.stepCentre, -10), 10);
  }
}
