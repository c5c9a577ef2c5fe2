// The exercise boundary of an American put over a strike of 1, by collocation in the root of time. Separate from american.ts, which turns a
// boundary into prices: a boundary depends on rate, yield, volatility and time alone, so that a ladder of spots or a chain of strikes
// shares it. Calls come in with rate and yield exchanged (McDonald and Schroder 1998).
// Source: Kim (1990) for the integral equation, in the form that says that the price meets its payoff smoothly; Andersen, Lake and
// Offengenden (2016) for the transformation: H = ln²(B/B(0+)) is interpolated through Chebyshev's points in √τ; Andersen and Lake (2021) for
// rates below zero, where the upper and the lower boundary solve equations of their own until they meet.
// Where they iterate a fixed point, in one of two forms by the size of r - q, all nodes are solved for at once here by Newton's method: two to
// five passes, no choice of forms, and the same matrix gives the boundary's derivatives in volatility, rate and yield.
// Legend: r rate, q yield, v volatility, τ time left, B(τ) boundary, x = ln B(τ), y = ln B(u) for u < τ, s = τ - u,
// d = (x - y + (r - q + v²/2)s)/(v√s), h = |ln(B/B(0+))|. For the upper boundary, each τ:
//   e^(-qτ) N(d(τ, B/K)) + ∫ e^(-qs) [q N(d) - (r/B(u) - q) φ(d)/(v√s)] ds = 0;
// for the lower one N(d) - 1 stands for N(d) and the first term is missing. √s = √τ sin, √u = √τ cos, both rational in one parameter, so
// that the integrand is smooth at both ends; where the drift is strong the parameter is an exponential of the variable.
// Error: docs/numerics/american.md. Never traps: what does not converge is told.
import { exp } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import { mills } from "../math/mills";
import { normalDensity, normalLaw } from "../math/normal";
import {
  curveGrading,
  curveHasTangents,
  curveHorizon,
  curveLogStart,
  curvePointsKey,
  curveScheme,
  curveSign,
  curveState,
  curveTangents,
  curveValues,
  degreeMax,
  integralPointsMax,
  schemeAccurate,
  schemeFast,
  schemeReference,
  sideBytes,
  solveDrift,
  solveInverse,
  solveMatrix,
  solvePivots,
  solveResidual,
  solveSides,
  solveSlopes,
  solveSquares,
  solveWeight,
  tableGrading,
  tableIsMade,
  tableOf,
  tableRoots,
  tableRows,
  tableSines,
  tableWeights,
} from "./american-room";
import {
  chebyshev6,
  chebyshev12,
  chebyshev24,
  gauss8,
  gauss16,
  gauss32,
} from "./american-tables";

const inverseRootTwoPi: f64 = 0.3989422804014327;
/** Passes of Newton's method; five are usual. */
const passesMax: i32 = 40;
/** Squares of h are kept above this: interpolation may dip below zero where the boundary has hardly moved. */
const squareFloor: f64 = 1e-18;

/** Degree of the boundary's interpolation. */
// @ts-ignore: decorator
@inline
export function degreeOf(scheme: i32): usize {
  return scheme == schemeFast ? 6 : scheme == schemeAccurate ? 12 : 24;
}

// @ts-ignore: decorator
@inline
function pointsOf(scheme: i32): usize {
  return scheme == schemeFast ? 8 : scheme == schemeAccurate ? 16 : 32;
}

// @ts-ignore: decorator
@inline
function ruleOf(scheme: i32): usize {
  return scheme == schemeFast ? gauss8 : scheme == schemeAccurate ? gauss16 : gauss32;
}

// @ts-ignore: decorator
@inline
function chebyshevOf(scheme: i32): usize {
  return scheme == schemeFast ? chebyshev6 : scheme == schemeAccurate ? chebyshev12 : chebyshev24;
}

/** The relative step below which a pass was the last: convergence is quadratic, the next would be its square. */
// @ts-ignore: decorator
@inline
function settledOf(scheme: i32): f64 {
  return scheme == schemeFast ? 5e-3 : scheme == schemeAccurate ? 1e-5 : 1e-8;
}

// @ts-ignore: decorator
@inline
function at(address: usize, index: usize): f64 {
  return load<f64>(address + (index << 3));
}

// @ts-ignore: decorator
@inline
function put(address: usize, index: usize, value: f64): void {
  store<f64>(address + (index << 3), value);
}

/** How strongly roots of time are drawn together near zero, in steps of a half, for a drift of that many deviations. */
export function gradingFor(drift: f64): f64 {
  if (!(drift > 3)) return 0;
  return ceil<f64>(2 * logRatio(min<f64>(drift, 1e6), 3)) * 0.5;
}

/** The drift over the time, in deviations: how sharp the integrands are. */
export function driftOf(rate: f64, dividendYield: f64, volatility: f64, time: f64): f64 {
  const drift = abs<f64>(rate - dividendYield) + 0.5 * volatility * volatility;
  return (max<f64>(drift, sqrt<f64>(2 * max<f64>(rate, 0)) * volatility) * sqrt<f64>(time)) / volatility;
}

/** The root of time, of the whole 1, at Chebyshev's variable z under a grading. */
function rootAt(z: f64, grading: f64): f64 {
  const half = 0.5 * (1 + z);
  if (grading == 0) return half;
  return (exp<f64>(grading * half) - 1) / (exp<f64>(grading) - 1);
}

/** Chebyshev's variable at a root of time. */
export function variableAt(root: f64, grading: f64): f64 {
  if (grading == 0) return 2 * root - 1;
  return (2 * logRatio(1 + root * (exp<f64>(grading) - 1), 1)) / grading - 1;
}

/**
 * The weight of each node in the interpolated value at z, node j at `to + j·stride`, node 0 left out since the value there is 0. Barycentric, second
 * form (Berrut and Trefethen 2004).
 */
export function interpolationAt(z: f64, scheme: i32, to: usize, stride: usize): void {
  const degree = degreeOf(scheme);
  const nodes = chebyshevOf(scheme);
  let sum: f64 = 0;
  for (let j: usize = 0; j <= degree; j++) {
    const distance = z - at(nodes, j);
    if (abs<f64>(distance) < 1e-15) {
      for (let other: usize = 1; other <= degree; other++) store<f64>(to + other * stride, other == j ? 1 : 0);
      return;
    }
    let weight = (j == 0 || j == degree ? 0.5 : 1.0) / distance;
    if (j & 1) weight = -weight;
    if (j > 0) store<f64>(to + j * stride, weight);
    sum += weight;
  }
  const scale = 1 / sum;
  for (let j: usize = 1; j <= degree; j++) store<f64>(to + j * stride, load<f64>(to + j * stride) * scale);
}

/** Makes a scheme's table for a grading, unless it is there. */
function prepareTable(table: usize, scheme: i32, grading: f64): void {
  if (load<i32>(table, tableIsMade) != 0 && load<f64>(table, tableGrading) == grading) return;
  const degree = degreeOf(scheme);
  const points = pointsOf(scheme);
  const rule = ruleOf(scheme);
  const nodes = chebyshevOf(scheme);
  store<f64>(table, grading, tableGrading);
  store<i32>(table, 1, tableIsMade);
  for (let i: usize = 0; i <= degree; i++) put(table + tableRoots, i, rootAt(at(nodes, i), grading));
  put(table + tableRoots, 0, 0);
  put(table + tableRoots, degree, 1);
  const scale: f64 = grading == 0 ? 1 : 1 / (exp<f64>(grading) - 1);
  for (let k: usize = 0; k < points; k++) {
    const variable = at(rule, k);
    let t = variable;
    let slope = at(rule, points + k);
    if (grading != 0) {
      const power = exp<f64>(grading * variable);
      t = (power - 1) * scale;
      slope *= grading * power * scale;
    }
    const square = t * t;
    const sine = (2 * t) / (1 + square);
    const cosine = (1 - square) / (1 + square);
    put(table + tableSines, k, sine);
    // of ds/τ = 2 sin cos dθ, dθ = 2 dt/(1 + t²)
    put(table + tableWeights, k, (4 * sine * cosine * slope) / (1 + square));
    for (let i: usize = 1; i <= degree; i++) {
      const row = table + tableRows + (((i - 1) * degree * points) << 3);
      const z = variableAt(at(table + tableRoots, i) * cosine, grading);
      interpolationAt(z, scheme, row + (k << 3) - (points << 3), points << 3);
    }
  }
}

/** ln of start over the boundary that time never reaches, or 0 where there is none. */
function logPerpetual(rate: f64, dividendYield: f64, volatility: f64, logStart: f64): f64 {
  const variance = volatility * volatility;
  const slope = (2 * (rate - dividendYield)) / variance - 1;
  const discriminant = slope * slope + (8 * rate) / variance;
  if (!(discriminant > 0) || !(rate > 0)) return 0;
  // λ/(λ - 1) with λ < 0, without cancellation in λ
  const root = sqrt<f64>(discriminant);
  const lambda = slope > 0 ? -0.5 * (slope + root) : (4 * rate) / (variance * (slope - root));
  const ratio = lambda / (lambda - 1);
  if (!(ratio > 1e-300)) return 0;
  return logStart - logRatio(ratio, 1);
}

/** A first guess at h: the boundary's short-time behaviour, bent towards where it ends. */
function firstGuess(
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  tau: f64,
  isSmoothStart: bool,
  perpetual: f64,
): f64 {
  let square: f64 = 0.41;
  if (!isSmoothStart) {
    const drift = (rate - dividendYield) / volatility;
    const inverse = 8 * 3.141592653589793 * tau * (drift * drift + tau * rate * rate);
    square = inverse < 0.05 ? logRatio(1, max<f64>(inverse, 1e-60)) : 3;
    square = max<f64>(square, 1.0986122886681098);
  }
  const short = volatility * sqrt<f64>(tau * square);
  return perpetual > 0 ? perpetual * (1 - exp<f64>(-min<f64>(short / perpetual, 700))) : short;
}

/** h by the quadratic approximation at one time (MacMillan 1986, Barone-Adesi and Whaley 1987), from a guess. */
function quadraticGuess(
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  tau: f64,
  logStart: f64,
  guess: f64,
): f64 {
  const variance = volatility * volatility;
  const rateDiscount = exp<f64>(-rate * tau);
  const yieldDiscount = exp<f64>(-dividendYield * tau);
  const shrinking = abs<f64>(rate * tau) < 1e-7 ? 1 / tau : rate / (1 - rateDiscount);
  const slope = (2 * (rate - dividendYield)) / variance - 1;
  const lambda = -0.5 * (slope + sqrt<f64>(slope * slope + (8 * shrinking) / variance));
  const deviation = volatility * sqrt<f64>(tau);
  const drift = (rate - dividendYield + 0.5 * variance) * tau;
  let h = guess;
  for (let pass = 0; pass < 6; pass++) {
    const x = logStart - h;
    const boundary = exp<f64>(max<f64>(x, -700));
    const d1 = (x + drift) / deviation;
    const asset = boundary * (1 - yieldDiscount * normalLaw<f64>(-d1));
    const gain = max<f64>(1 - rateDiscount * normalLaw<f64>(deviation - d1) - asset, 1e-12);
    const value = asset + lambda * gain;
    const change = asset + (boundary * yieldDiscount * normalDensity<f64>(d1)) / deviation - lambda * asset;
    const step = value / change;
    if (!(step - step == 0)) break;
    const bounded = max<f64>(-0.5 * h, min<f64>(step, h));
    h += bounded;
    if (abs<f64>(bounded) < 1e-2 * h) break;
  }
  return h;
}

/** Sets every h to a first approximation. */
function startCurve(curve: usize, table: usize, degree: usize, rate: f64, dividendYield: f64, volatility: f64): void {
  const horizon = load<f64>(curve, curveHorizon);
  const logStart = load<f64>(curve, curveLogStart);
  const isUpper = load<f64>(curve, curveSign) < 0;
  const isSmoothStart = !isUpper || logStart < 0;
  const perpetual: f64 = isUpper ? logPerpetual(rate, dividendYield, volatility, logStart) : 0;
  const values = curve + curveValues;
  put(values, 0, 0);
  for (let i: usize = 1; i <= degree; i++) {
    const root = at(table + tableRoots, i);
    const tau = horizon * root * root;
    let h: f64;
    if (i == 1 || isSmoothStart) {
      h = firstGuess(rate, dividendYield, volatility, tau, isSmoothStart, perpetual);
    } else {
      // goes on as a power of time, the last one or nearly the square root
      const rootBefore = at(table + tableRoots, i - 1);
      const before = at(values, i - 1);
      let power: f64 = 0.85;
      if (i > 2) {
        const trend =
          logRatio(before, at(values, i - 2)) / logRatio(rootBefore, at(table + tableRoots, i - 2));
        power = max<f64>(0.05, min<f64>(1, 0.95 * trend));
      }
      h = before * exp<f64>(power * logRatio(root, rootBefore));
    }
    if (!isSmoothStart) h = quadraticGuess(rate, dividendYield, volatility, tau, logStart, h);
    put(values, i, h > 1e-12 ? h : 1e-12);
  }
}

/** What of each point does not depend on the boundary. */
function prepareRows(room: usize, table: usize, scheme: i32, horizon: f64, rate: f64, dividendYield: f64, volatility: f64): void {
  const degree = degreeOf(scheme);
  const points = pointsOf(scheme);
  const rootHorizon = sqrt<f64>(horizon);
  const drift = (rate - dividendYield + 0.5 * volatility * volatility) / volatility;
  for (let i: usize = 1; i <= degree; i++) {
    const root = at(table + tableRoots, i) * rootHorizon;
    const tau = root * root;
    const row = ((i - 1) * points) << 3;
    for (let k: usize = 0; k < points; k += 2) {
      const place = row + (k << 3);
      const roots = f64x2.mul(v128.load(table + tableSines + (k << 3)), f64x2.splat(root));
      const decay = exp<v128>(f64x2.mul(f64x2.mul(roots, roots), f64x2.splat(-dividendYield)));
      v128.store(room + solveInverse + place, f64x2.div(f64x2.splat(1), f64x2.mul(roots, f64x2.splat(volatility))));
      v128.store(room + solveDrift + place, f64x2.mul(roots, f64x2.splat(drift)));
      const weight = f64x2.mul(v128.load(table + tableWeights + (k << 3)), f64x2.splat(tau));
      v128.store(room + solveWeight + place, f64x2.mul(weight, decay));
    }
  }
}

// @ts-ignore: decorator
@inline
function sumOf(pair: v128): f64 {
  return f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
}

/** Residuals and their matrix in h; with `withSides` also the derivatives in volatility, rate and yield. */
function assemble(
  room: usize,
  curve: usize,
  table: usize,
  scheme: i32,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  withSides: bool,
): void {
  const degree = degreeOf(scheme);
  const points = pointsOf(scheme);
  const pointBytes = points << 3;
  const sign = load<f64>(curve, curveSign);
  const isUpper = sign < 0;
  const logStart = load<f64>(curve, curveLogStart);
  const rootHorizon = sqrt<f64>(load<f64>(curve, curveHorizon));
  const values = curve + curveValues;
  const squares = room + solveSquares;
  for (let j: usize = 1; j <= degree; j++) put(squares, j, at(values, j) * at(values, j));
  const startInverse = exp<f64>(-logStart);
  const rateAtStart = f64x2.splat(rate * startInverse);
  const yields = f64x2.splat(dividendYield);
  const one = f64x2.splat(1);
  const signs = f64x2.splat(sign);
  const slopes = room + solveSlopes;
  // by how much the start moves with rate and yield, where it does
  const startInRate: f64 = logStart != 0 || !isUpper ? 1 / rate : 0;
  const startInYield: f64 = logStart != 0 || !isUpper ? -1 / dividendYield : 0;
  const inverseVolatility = f64x2.splat(1 / volatility);
  for (let i: usize = 1; i <= degree; i++) {
    const root = at(table + tableRoots, i) * rootHorizon;
    const tau = root * root;
    const h = at(values, i);
    let residual: f64 = 0;
    let inOwn: f64 = 0;
    let side0: f64 = 0;
    let side1: f64 = 0;
    let side2: f64 = 0;
    if (isUpper) {
      const deviation = volatility * root;
      const d = (logStart - h) / deviation + (rate - dividendYield + 0.5 * volatility * volatility) * (root / volatility);
      const decay = exp<f64>(-dividendYield * tau);
      const density = decay * normalDensity<f64>(d);
      residual = decay * normalLaw<f64>(d);
      inOwn = density / deviation;
      if (withSides) {
        side0 = (-density * (d - deviation)) / volatility;
        side1 = (density * root) / volatility;
        side2 = -tau * residual - side1;
      }
    }
    const row = ((i - 1) * points) << 3;
    const weights = table + tableRows + (((i - 1) * degree * points) << 3);
    const h2 = f64x2.splat(h);
    let residuals = f64x2.splat(0);
    let owns = f64x2.splat(0);
    let others = f64x2.splat(0);
    let sides0 = f64x2.splat(0);
    let sides1 = f64x2.splat(0);
    let sides2 = f64x2.splat(0);
    for (let k: usize = 0; k < pointBytes; k += 16) {
      let square = f64x2.splat(0);
      let from = weights + k;
      for (let j: usize = 1; j <= degree; j++) {
        square = f64x2.add(square, f64x2.mul(v128.load(from), v128.load64_splat(squares + (j << 3))));
        from += pointBytes;
      }
      const isAbove = f64x2.gt(square, f64x2.splat(squareFloor));
      const there = f64x2.sqrt(f64x2.pmax(f64x2.splat(squareFloor), square));
      const rise = exp<v128>(f64x2.neg(f64x2.mul(signs, f64x2.pmin(f64x2.splat(700), there))));
      const rateOver = f64x2.mul(rateAtStart, rise);
      const gain = f64x2.sub(rateOver, yields);
      const inverse = v128.load(room + solveInverse + row + k);
      const d = f64x2.add(
        f64x2.mul(f64x2.mul(signs, f64x2.sub(h2, there)), inverse),
        v128.load(room + solveDrift + row + k),
      );
      const density = f64x2.mul(
        exp<v128>(f64x2.pmax(f64x2.splat(-700), f64x2.mul(f64x2.mul(d, d), f64x2.splat(-0.5)))),
        f64x2.splat(inverseRootTwoPi),
      );
      const tail = f64x2.mul(density, mills<v128>(f64x2.pmin(f64x2.splat(39), f64x2.abs(d))));
      let law = v128.bitselect(tail, f64x2.sub(one, tail), f64x2.lt(d, f64x2.splat(0)));
      if (!isUpper) law = f64x2.sub(law, one);
      const weight = v128.load(room + solveWeight + row + k);
      const slope = f64x2.mul(density, inverse);
      const paid = f64x2.mul(gain, slope);
      const flow = f64x2.sub(f64x2.mul(yields, law), paid);
      residuals = f64x2.add(residuals, f64x2.mul(weight, flow));
      const inX = f64x2.add(f64x2.mul(yields, slope), f64x2.mul(f64x2.mul(paid, d), inverse));
      const inY = f64x2.sub(f64x2.mul(rateOver, slope), inX);
      owns = f64x2.add(owns, f64x2.mul(weight, inX));
      const weighted = f64x2.mul(weight, inY);
      others = f64x2.add(others, weighted);
      v128.store(slopes + k, v128.and(f64x2.div(f64x2.mul(weighted, signs), there), isAbove));
      if (withSides) {
        const deviation = f64x2.div(one, inverse);
        const roots = f64x2.mul(deviation, inverseVolatility);
        const lower = f64x2.sub(d, deviation);
        const weightedDensity = f64x2.mul(weight, density);
        const inVolatility = f64x2.add(
          f64x2.mul(yields, lower),
          f64x2.mul(f64x2.mul(gain, f64x2.sub(f64x2.mul(d, lower), one)), inverse),
        );
        sides0 = f64x2.sub(sides0, f64x2.mul(f64x2.mul(weightedDensity, inVolatility), inverseVolatility));
        const common = f64x2.add(
          f64x2.mul(f64x2.mul(yields, roots), inverseVolatility),
          f64x2.mul(f64x2.mul(gain, d), f64x2.mul(inverseVolatility, inverseVolatility)),
        );
        const perBoundary = f64x2.mul(f64x2.mul(f64x2.splat(startInverse), rise), inverse);
        sides1 = f64x2.add(sides1, f64x2.mul(weightedDensity, f64x2.sub(common, perBoundary)));
        const rest = f64x2.sub(f64x2.add(law, slope), f64x2.mul(f64x2.mul(roots, roots), flow));
        sides2 = f64x2.add(sides2, f64x2.sub(f64x2.mul(weight, rest), f64x2.mul(weightedDensity, common)));
      }
    }
    inOwn += sumOf(owns);
    const matrixRow = room + solveMatrix + (((i - 1) * degree) << 3);
    let from = weights;
    for (let j: usize = 1; j <= degree; j++) {
      let sum = f64x2.splat(0);
      for (let k: usize = 0; k < pointBytes; k += 16) {
        sum = f64x2.add(sum, f64x2.mul(v128.load(slopes + k), v128.load(from + k)));
      }
      put(matrixRow, j - 1, sumOf(sum) * at(values, j));
      from += pointBytes;
    }
    put(matrixRow, i - 1, at(matrixRow, i - 1) + sign * inOwn);
    put(room + solveResidual, i - 1, -(residual + sumOf(residuals)));
    if (withSides) {
      const moved = inOwn + sumOf(others);
      put(room + solveSides, i - 1, -(side0 + sumOf(sides0)));
      put(room + solveSides + sideBytes, i - 1, -(side1 + sumOf(sides1) + startInRate * moved));
      put(room + solveSides + 2 * sideBytes, i - 1, -(side2 + sumOf(sides2) + startInYield * moved));
    }
  }
}

/** Factors the matrix in place with row exchanges; false where it has no inverse. */
function factor(matrix: usize, pivots: usize, degree: usize): bool {
  const rowBytes = degree << 3;
  for (let k: usize = 0; k < degree; k++) {
    let best = k;
    let largest = abs<f64>(at(matrix + k * rowBytes, k));
    for (let i = k + 1; i < degree; i++) {
      const size = abs<f64>(at(matrix + i * rowBytes, k));
      if (size > largest) {
        largest = size;
        best = i;
      }
    }
    if (!(largest > 0)) return false;
    store<i32>(pivots + (k << 2), <i32>best);
    const pivotRow = matrix + k * rowBytes;
    if (best != k) {
      const other = matrix + best * rowBytes;
      for (let j: usize = 0; j < rowBytes; j += 8) {
        const kept = load<f64>(pivotRow + j);
        store<f64>(pivotRow + j, load<f64>(other + j));
        store<f64>(other + j, kept);
      }
    }
    const inverse = 1 / at(pivotRow, k);
    for (let i = k + 1; i < degree; i++) {
      const row = matrix + i * rowBytes;
      const multiple = at(row, k) * inverse;
      put(row, k, multiple);
      let j = k + 1;
      if (((degree - j) & 1) != 0) {
        put(row, j, at(row, j) - multiple * at(pivotRow, j));
        j++;
      }
      const multiples = f64x2.splat(multiple);
      for (; j < degree; j += 2) {
        const place = j << 3;
        v128.store(
          row + place,
          f64x2.sub(v128.load(row + place), f64x2.mul(multiples, v128.load(pivotRow + place))),
        );
      }
    }
  }
  return true;
}

/** Solves the factored equations for one right-hand side, in its place. */
function solveFor(matrix: usize, pivots: usize, degree: usize, side: usize): void {
  const rowBytes = degree << 3;
  for (let k: usize = 0; k < degree; k++) {
    const other = <usize>load<i32>(pivots + (k << 2));
    const kept = at(side, k);
    put(side, k, at(side, other));
    put(side, other, kept);
  }
  for (let i: usize = 1; i < degree; i++) {
    let sum = at(side, i);
    for (let j: usize = 0; j < i; j++) sum -= at(matrix + i * rowBytes, j) * at(side, j);
    put(side, i, sum);
  }
  for (let i = degree; i > 0; i--) {
    const row = matrix + (i - 1) * rowBytes;
    let sum = at(side, i - 1);
    for (let j = i; j < degree; j++) sum -= at(row, j) * at(side, j);
    put(side, i - 1, sum / at(row, i - 1));
  }
}

/** Newton's method from where the curve is; false where it does not settle. */
function iterate(
  room: usize,
  curve: usize,
  table: usize,
  scheme: i32,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
): bool {
  const degree = degreeOf(scheme);
  const values = curve + curveValues;
  const settled = settledOf(scheme);
  const matrix = room + solveMatrix;
  const pivots = room + solvePivots;
  const steps = room + solveResidual;
  for (let pass = 0; pass < passesMax; pass++) {
    assemble(room, curve, table, scheme, rate, dividendYield, volatility, false);
    if (!factor(matrix, pivots, degree)) return false;
    solveFor(matrix, pivots, degree, steps);
    let largest: f64 = 0;
    let scale: f64 = 1;
    for (let i: usize = 1; i <= degree; i++) {
      const step = at(steps, i - 1);
      const h = at(values, i);
      if (!(step - step == 0)) return false;
      largest = max<f64>(largest, abs<f64>(step) / h);
      // no h may fall below a third of itself, nor grow by more than one and a half
      scale = min<f64>(scale, step < 0 ? (-0.7 * h) / step : (1.5 * h) / max<f64>(step, 1e-300));
    }
    for (let i: usize = 1; i <= degree; i++) put(values, i, at(values, i) + scale * at(steps, i - 1));
    if (largest < settled) return true;
  }
  return false;
}

/**
 * Solves for a curve up to a horizon, by the scheme or, where that finds none, by a finer one. `logStart` is the logarithm of the boundary
 * at no time left, `sign` -1 for the upper boundary and 1 for the lower. A try goes no further than the scheme. Returns whether it was found.
 */
export function solveCurve(
  room: usize,
  curve: usize,
  scheme: i32,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  horizon: f64,
  logStart: f64,
  sign: f64,
  isTry: bool,
): bool {
  if (degreeOf(schemeReference) > degreeMax || pointsOf(schemeReference) > integralPointsMax) unreachable();
  const drift = driftOf(rate, dividendYield, volatility, horizon);
  const grading = gradingFor(drift);
  // a boundary that bends within a small part of its time asks for more nodes than the scheme's
  const coarsest = drift > 24 ? schemeReference : drift > 8 ? max<i32>(scheme, schemeAccurate) : scheme;
  store<f64>(curve, horizon, curveHorizon);
  store<f64>(curve, logStart, curveLogStart);
  store<f64>(curve, sign, curveSign);
  store<f64>(curve, grading, curveGrading);
  store<i32>(curve, 0, curveHasTangents);
  store<f64>(curve, -1, curvePointsKey);
  for (let finer = coarsest; finer <= (isTry ? coarsest : schemeReference); finer++) {
    const table = tableOf(room, finer);
    prepareTable(table, finer, grading);
    startCurve(curve, table, degreeOf(finer), rate, dividendYield, volatility);
    prepareRows(room, table, finer, horizon, rate, dividendYield, volatility);
    if (iterate(room, curve, table, finer, rate, dividendYield, volatility)) {
      store<i32>(curve, finer, curveScheme);
      store<i32>(curve, 1, curveState);
      return true;
    }
  }
  store<i32>(curve, 2, curveState);
  return false;
}

/** Adds the curve's derivatives in volatility, rate and yield, unless they are there. False where they cannot be had. */
export function addTangents(room: usize, curve: usize, rate: f64, dividendYield: f64, volatility: f64): bool {
  if (load<i32>(curve, curveHasTangents) != 0) return true;
  const scheme = load<i32>(curve, curveScheme);
  const degree = degreeOf(scheme);
  const table = tableOf(room, scheme);
  prepareTable(table, scheme, load<f64>(curve, curveGrading));
  prepareRows(room, table, scheme, load<f64>(curve, curveHorizon), rate, dividendYield, volatility);
  assemble(room, curve, table, scheme, rate, dividendYield, volatility, true);
  if (!factor(room + solveMatrix, room + solvePivots, degree)) return false;
  for (let side: usize = 0; side < 3; side++) {
    const from = room + solveSides + side * sideBytes;
    const to = curve + curveTangents + side * sideBytes;
    solveFor(room + solveMatrix, room + solvePivots, degree, from);
    put(to, 0, 0);
    for (let i: usize = 0; i < degree; i++) {
      if (!(at(from, i) - at(from, i) == 0)) return false;
      put(to, i + 1, at(from, i));
    }
  }
  store<i32>(curve, 1, curveHasTangents);
  store<f64>(curve, -1, curvePointsKey);
  return true;
}
