// Fits a slice, with its put wing if asked, under conditions: no butterfly arbitrage, and nowhere below an earlier slice.
// Separate from svi-fit, which has neither wing nor conditions and is a hundred times as fast. Pure.
//
// Method: Levenberg–Marquardt on Huber's loss of (fitted − quoted)/error, with analytic derivatives; each condition is a row
//   that counts only where it is broken (quadratic penalty), on points that include every one where the check of svi-arbitrage found it
//   broken. The penalty grows and points are added until that check passes. What still doesn't pass is drawn back towards a
//   slice that does, so that the answer always keeps the conditions that its start kept.
// Legend: as in svi.ts; loss: Huber (1964), quadratic up to `lossBend` errors.
// Checked: tests/unit/surfaces/svi-constrained (derivatives by what comes out, Vogt's slice repaired), tests/property/surfaces.

import { solveSymmetric } from "./linear";
import { type SviSlice, totalVariance, varianceJet, wingSlopes } from "./svi";
import { butterflyArbitrage, calendarArbitrage } from "./svi-arbitrage";
import { correlationMax, fitSvi, type SlicePoints, slicePointsMin, wingSlopeMax } from "./svi-fit";

/** An earlier slice to stay above, by `share` of its variance where the fit aims. */
export interface CalendarBound {
  readonly slice: SviSlice;
  readonly share: number;
}

export interface ConstrainedRequest {
  readonly points: SlicePoints;
  readonly start: SviSlice;
  readonly above?: CalendarBound | undefined;
}

export interface ConstrainedFit {
  readonly slice: SviSlice;
  /** Sum of Huber's losses; half a square for small residuals. */
  readonly loss: number;
  /** Whether every condition holds, by svi-arbitrage. */
  readonly isFree: boolean;
  /** Whether it had to be drawn back to a slice that keeps them. */
  readonly isDrawnBack: boolean;
}

/** Residuals beyond so many errors count linearly: a stale quote pulls no harder than that. */
const lossBend = 3;
/** g is kept this far above zero on the points, so that it isn't below between them. */
const durrlemanMargin = 1e-3;
const roundsMax = 10;
const stepsMax = 60;
const parameterCount = 8;
const wingParameterCount = 3;

/** Whether a slice has no butterfly arbitrage and none with the earlier slice. */
export function keepsConditions(slice: SviSlice, above: CalendarBound | undefined): boolean {
  return butterflyArbitrage(slice).isFree && (above === undefined || calendarArbitrage(above.slice, slice).isFree);
}

/** The slice nearest to the points that keeps the conditions; a wing is fitted where the start has one. */
export function fitConstrained(request: ConstrainedRequest): ConstrainedFit {
  const { points, start, above } = request;
  const problem = new Problem(points, start, above);
  let slice = start;
  let isFree = false;
  let penalty = 1;
  for (let round = 0; round < roundsMax && !isFree; round++, penalty *= 10) {
    slice = problem.solve(slice, penalty, stepsMax);
    const broken = brokenAt(slice, above);
    isFree = broken.length === 0;
    problem.addPoints(broken);
  }
  const isDrawnBack = !isFree;
  if (isDrawnBack) {
    const safe = [start, above?.slice, levelOf(points)].find(
      (candidate) => candidate !== undefined && keepsConditions(candidate, above),
    );
    if (safe !== undefined) {
      slice = drawnBack(slice, safe, above);
      isFree = true;
    }
  }
  return { slice, loss: lossOf(slice, points), isFree, isDrawnBack };
}

/** The same variance at every strike: the one slice that can't be wrong in itself. */
function levelOf({ w }: SlicePoints): SviSlice {
  return { a: w.reduce((sum, each) => sum + each, 0) / w.length, b: 0, rho: 0, m: 0, sigma: 1 };
}

/**
 * A start from the quotes alone, conditions aside: SVI about the money, and where asked and the quotes reach far enough below, a
 * put wing. Null where there are too few quotes.
 */
export function startSlice(points: SlicePoints, wantsWing: boolean): SviSlice | null {
  const { k, w } = points;
  if (k.length < slicePointsMin) return null;
  let nearest = 0;
  for (let index = 1; index < k.length; index++) if (Math.abs(k[index]!) < Math.abs(k[nearest]!)) nearest = index;
  const scale = Math.sqrt(w[nearest]!);
  const isCore = (x: number) => Math.abs(x) <= coreDeviations * scale;
  const core = picked(points, isCore);
  const raw = (core.k.length >= corePointsMin ? fitSvi(core)?.raw : undefined) ?? fitSvi(points)?.raw;
  if (raw === undefined) return null;
  const low = k.reduce((least, x) => Math.min(least, x), 0);
  if (!wantsWing || low > -wingDeviations * scale || k.length < parameterCount + 1) return raw;

  let best: SviSlice = raw;
  let loss = Number.POSITIVE_INFINITY;
  const problem = new Problem(points, raw, undefined);
  for (const centre of [-2.5, -4])
    for (const width of [0.5, 1.5]) {
      const start = { ...raw, wing: { height: 0.03, centre: centre * scale, width: width * scale } };
      const slice = problem.solve(start, 0, startSteps);
      const next = lossOf(slice, points);
      if (next < loss) [best, loss] = [slice, next];
    }
  return best;
}

/** Quotes within so many √w of the money make the raw part's start; there must be enough of them. */
const coreDeviations = 2.5;
const corePointsMin = 8;
/** A wing is fitted where quotes reach so many √w below the money. */
const wingDeviations = 2.5;
const startSteps = 12;

function picked({ k, w, error }: SlicePoints, keep: (k: number) => boolean): SlicePoints {
  const isKept = (_: number, index: number) => keep(k[index]!);
  return { k: k.filter(isKept), w: w.filter(isKept), error: error.filter(isKept) };
}

/** Sum of Huber's losses. */
export function lossOf(slice: SviSlice, { k, w, error }: SlicePoints): number {
  let sum = 0;
  for (let index = 0; index < k.length; index++)
    sum += huber(Math.abs(totalVariance(slice, k[index]!) - w[index]!) / error[index]!);
  return sum;
}

function huber(size: number): number {
  return size <= lossBend ? (size * size) / 2 : lossBend * (size - lossBend / 2);
}

/** Log-moneyness where a condition is broken: the middles and the worst points. */
function brokenAt(slice: SviSlice, above: CalendarBound | undefined): number[] {
  const reports = [butterflyArbitrage(slice)];
  if (above !== undefined) reports.push(calendarArbitrage(above.slice, slice));
  return reports.flatMap(({ isFree, at, intervals }) => {
    if (isFree) return [];
    const middles = intervals.map(({ low, high }) => Math.max(low, -pointsReach) / 2 + Math.min(high, pointsReach) / 2);
    return [Math.min(Math.max(at, -pointsReach), pointsReach), ...middles];
  });
}

/** The slice nearest to `wanted`, on the line from `safe`, that keeps the conditions; found by halving. */
function drawnBack(wanted: SviSlice, safe: SviSlice, above: CalendarBound | undefined): SviSlice {
  // A wing of no height makes both of one kind.
  const none = { height: 0, centre: -1, width: 1 };
  const [from, to] = [safe.wing ?? wanted.wing ?? none, wanted.wing ?? safe.wing ?? none];
  const mix = (share: number): SviSlice => {
    const between = (a: number, b: number) => a + share * (b - a);
    const raw = {
      a: between(safe.a, wanted.a),
      b: between(safe.b, wanted.b),
      rho: between(safe.rho, wanted.rho),
      m: between(safe.m, wanted.m),
      sigma: between(safe.sigma, wanted.sigma),
    };
    if (safe.wing === undefined && wanted.wing === undefined) return raw;
    const height = between(safe.wing?.height ?? 0, wanted.wing?.height ?? 0);
    return {
      ...raw,
      wing: { height, centre: between(from.centre, to.centre), width: between(from.width, to.width) },
    };
  };
  let share = 0;
  for (let step = 0.5; step > 1e-4; step /= 2) if (keepsConditions(mix(share + step), above)) share += step;
  return share === 0 ? safe : mix(share);
}

/** Far enough that beyond it only the wings' slopes matter. */
const pointsReach = 8;

// The search runs over parameters that may have any value.
const [iA, iB, iRho, iM, iSigma, iHeight, iCentre, iWidth] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const tiny = 1e-12;

/** A start at the very bound of ρ could not leave it. */
const startCorrelationMax = 0.99;
/** The wing's width is at least so many √w at the money: narrower than the quotes tell, it would be a kink. */
const wingWidthMin = 0.25;

/** The penalised problem: its value at parameters, and the normal equations of its rows. */
class Problem {
  private readonly places: number[] = [];
  private readonly widthMin: number;
  private readonly normal = new Float64Array(parameterCount * parameterCount);
  private readonly gradient = new Float64Array(parameterCount);
  // Derivatives of w, w′ and w″ by the parameters at one k.
  private readonly dw = new Float64Array(parameterCount);
  private readonly ds = new Float64Array(parameterCount);
  private readonly dc = new Float64Array(parameterCount);
  private readonly row = new Float64Array(parameterCount);

  constructor(
    private readonly points: SlicePoints,
    start: SviSlice,
    private readonly above: CalendarBound | undefined,
  ) {
    const deviation = Math.sqrt(Math.max(totalVariance(start, 0), 1e-8));
    this.widthMin = wingWidthMin * deviation;
    const scale = deviation / 2;
    const reach = Math.asinh(pointsReach / scale);
    for (let step = -placeSteps; step <= placeSteps; step++)
      this.places.push(scale * Math.sinh((step * reach) / placeSteps));
  }

  addPoints(places: readonly number[]): void {
    this.places.push(...places);
  }

  /** The least there is near the start, for this weight of the conditions. */
  solve(start: SviSlice, penalty: number, steps: number): SviSlice {
    const hasWing = start.wing !== undefined;
    const size = hasWing ? parameterCount : parameterCount - wingParameterCount;
    let theta = this.parametersOf(start);
    let value = this.evaluate(theta, penalty, hasWing, true);
    let damping = 1e-3;
    for (let step = 0; step < steps; step++) {
      let next: Float64Array | null = null;
      let nextValue = value;
      for (let attempt = 0; attempt < 10 && next === null; attempt++) {
        const move = solveSymmetric(this.normal, this.gradient, size, parameterCount, damping);
        const candidate = theta.map((each, index) =>
          index < size ? each - Math.min(Math.max(move[index]!, -moveMax), moveMax) : each,
        );
        nextValue = this.evaluate(candidate, penalty, hasWing, false);
        if (nextValue < value) next = candidate;
        else damping *= 6;
      }
      if (next === null) break;
      const gain = value - nextValue;
      theta = next;
      value = this.evaluate(theta, penalty, hasWing, true);
      damping = Math.max(damping / 6, 1e-10);
      if (gain <= 1e-9 * (1 + value)) break;
    }
    return this.sliceOf(theta, hasWing);
  }

  private parametersOf({ a, b, rho, m, sigma, wing }: SviSlice): Float64Array {
    const theta = new Float64Array(parameterCount);
    theta[iA] = a;
    theta[iB] = Math.log(Math.max(b, tiny));
    theta[iRho] = Math.atanh(Math.min(Math.max(rho / correlationMax, -startCorrelationMax), startCorrelationMax));
    theta[iM] = m;
    theta[iSigma] = Math.log(sigma);
    theta[iHeight] = Math.log(Math.max(wing?.height ?? 0, tiny));
    theta[iCentre] = wing?.centre ?? 0;
    theta[iWidth] = Math.log(Math.max((wing?.width ?? 0) - this.widthMin, this.widthMin / 100));
    return theta;
  }

  private sliceOf(theta: Float64Array, hasWing: boolean): SviSlice {
    const raw = {
      a: theta[iA]!,
      b: Math.exp(theta[iB]!),
      rho: correlationMax * Math.tanh(theta[iRho]!),
      m: theta[iM]!,
      sigma: Math.exp(theta[iSigma]!),
    };
    if (!hasWing) return raw;
    const width = this.widthMin + Math.exp(theta[iWidth]!);
    return { ...raw, wing: { height: Math.exp(theta[iHeight]!), centre: theta[iCentre]!, width } };
  }

  /** The loss and the penalties; with `withNormal` also the normal equations. */
  private evaluate(theta: Float64Array, penalty: number, hasWing: boolean, withNormal: boolean): number {
    const { points, above } = this;
    const slice = this.sliceOf(theta, hasWing);
    if (withNormal) {
      this.normal.fill(0);
      this.gradient.fill(0);
    }
    let sum = 0;
    for (let index = 0; index < points.k.length; index++) {
      const k = points.k[index]!;
      const error = points.error[index]!;
      const residual = (totalVariance(slice, k) - points.w[index]!) / error;
      const size = Math.abs(residual);
      sum += huber(size);
      if (!withNormal) continue;
      this.differentiate(slice, theta, k, false);
      const weight = size <= lossBend ? 1 : lossBend / size;
      this.addRow(this.dw, 1 / error, residual, weight);
    }
    if (penalty === 0) return sum;
    const count = points.k.length;
    const weight = penalty * count;
    for (const k of this.places) {
      const { w, slope, curvature } = varianceJet(slice, k);
      // Variance must be positive before g means anything.
      const floor = above === undefined ? varianceMin : totalVariance(above.slice, k) * (1 + above.share);
      const missing = floor * (1 + calendarMargin) - w;
      if (missing > 0) {
        // One in a hundred of the variance weighs as much as all quotes an error away.
        const scale = 100 / floor;
        sum += 0.5 * weight * (missing * scale) ** 2;
        if (withNormal) {
          this.differentiate(slice, theta, k, false);
          this.addRow(this.dw, -scale, missing * scale, weight);
        }
      }
      const positive = Math.max(w, varianceMin);
      const first = 1 - (k * slope) / (2 * positive);
      const g = first * first - 0.25 * slope * slope * (1 / positive + 0.25) + curvature / 2;
      const lacking = durrlemanMargin - g;
      if (!(lacking > 0)) continue;
      sum += 0.5 * weight * (lacking * durrlemanScale) ** 2;
      if (!withNormal) continue;
      this.differentiate(slice, theta, k, true);
      const byW = (first * k * slope + (slope * slope) / 4) / (positive * positive);
      const bySlope = -(first * k) / positive - (slope / 2) * (1 / positive + 0.25);
      for (let index = 0; index < parameterCount; index++)
        this.row[index] = byW * this.dw[index]! + bySlope * this.ds[index]! + 0.5 * this.dc[index]!;
      this.addRow(this.row, -durrlemanScale, lacking * durrlemanScale, weight);
    }
    return sum + this.slopePenalties(slice, theta, weight, withNormal);
  }

  /** Wings not steeper than allowed, nor flatter than the earlier slice's. */
  private slopePenalties(slice: SviSlice, theta: Float64Array, weight: number, withNormal: boolean): number {
    const slopes = wingSlopes(slice);
    const before = this.above && wingSlopes(this.above.slice);
    let sum = 0;
    for (const side of ["left", "right"] as const) {
      const low = before === undefined ? 0 : before[side] * (1 + calendarMargin);
      const missing = low - slopes[side];
      const excess = slopes[side] - wingSlopeMax * (1 - calendarMargin);
      const short = missing > 0 ? missing : Math.max(excess, 0);
      if (!(short > 0)) continue;
      sum += 0.5 * weight * (short * slopeScale) ** 2;
      if (!withNormal) continue;
      const { b, rho, wing } = slice;
      const sign = side === "left" ? -1 : 1;
      this.row.fill(0);
      this.row[iB] = b * (1 + sign * rho);
      this.row[iRho] = sign * b * this.rhoSlope(theta);
      if (side === "left") this.row[iHeight] = 2 * (wing?.height ?? 0);
      this.addRow(this.row, missing > 0 ? -slopeScale : slopeScale, short * slopeScale, weight);
    }
    return sum;
  }

  private rhoSlope(theta: Float64Array): number {
    const t = Math.tanh(theta[iRho]!);
    return correlationMax * (1 - t * t);
  }

  /** Adds a row with these derivatives times `factor` and this residual. */
  private addRow(derivatives: Float64Array, factor: number, residual: number, weight: number): void {
    const { normal, gradient } = this;
    for (let row = 0; row < parameterCount; row++) {
      const left = derivatives[row]! * factor * weight;
      if (left === 0) continue;
      gradient[row]! += left * residual;
      for (let column = 0; column <= row; column++)
        normal[row * parameterCount + column]! += left * derivatives[column]! * factor;
    }
  }

  /** Fills dw, and where asked ds and dc, with the derivatives at k. */
  private differentiate(slice: SviSlice, theta: Float64Array, k: number, isWhole: boolean): void {
    const { dw, ds, dc } = this;
    const { b, rho, m, sigma, wing } = slice;
    const rhoSlope = this.rhoSlope(theta);
    const x = k - m;
    const root = Math.sqrt(x * x + sigma * sigma);
    const variance = sigma * sigma;
    dw[iA] = 1;
    dw[iB] = b * (rho * x + root);
    dw[iRho] = b * x * rhoSlope;
    dw[iM] = -b * (rho + x / root);
    dw[iSigma] = (b * variance) / root;
    dw.fill(0, iHeight);
    const cube = root * root * root;
    if (isWhole) {
      ds[iA] = 0;
      ds[iB] = b * (rho + x / root);
      ds[iRho] = b * rhoSlope;
      ds[iM] = (-b * variance) / cube;
      ds[iSigma] = (-b * x * variance) / cube;
      ds.fill(0, iHeight);
      dc[iA] = 0;
      dc[iB] = (b * variance) / cube;
      dc[iRho] = 0;
      dc[iM] = (3 * b * variance * x) / (cube * root * root);
      dc[iSigma] = (b * variance * (2 - (3 * variance) / (root * root))) / cube;
      dc.fill(0, iHeight);
    }
    if (wing === undefined) return;
    const { height, centre, width } = wing;
    const z = k - centre;
    const square = width * width;
    const wingRoot = Math.sqrt(z * z + square);
    const wingCube = wingRoot * wingRoot * wingRoot;
    const rise = z <= 0 ? wingRoot - z : square / (wingRoot + z);
    dw[iHeight] = height * rise;
    dw[iCentre] = (height * rise) / wingRoot;
    // The width is its least plus an exponential: d(width)/dθ is what it is above the least.
    const stretch = (width - this.widthMin) / width;
    dw[iWidth] = ((height * square) / wingRoot) * stretch;
    if (!isWhole) return;
    ds[iHeight] = (-height * rise) / wingRoot;
    ds[iCentre] = (-height * square) / wingCube;
    ds[iWidth] = ((-height * z * square) / wingCube) * stretch;
    dc[iHeight] = (height * square) / wingCube;
    dc[iCentre] = (3 * height * square * z) / (wingCube * wingRoot * wingRoot);
    dc[iWidth] = ((height * square * (2 - (3 * square) / (wingRoot * wingRoot))) / wingCube) * stretch;
  }
}

const placeSteps = 40;
const moveMax = 1;
const varianceMin = 1e-10;
const calendarMargin = 1e-6;
const durrlemanScale = 30;
const slopeScale = 100;
