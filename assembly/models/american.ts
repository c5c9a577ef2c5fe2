// Price and Greeks of an American put over a strike of 1 from its exercise boundary, by integrals whose derivatives in the spot are
// taken inside the integral, so that nothing is bumped. Separate from american-boundary.ts, which solves for the boundary, and from batch/american.ts,
// which knows rows, strikes and calls.
// Source: Kim (1990), Jacka (1991), Carr, Jarrow and Myneni (1992): the price is the European one and the interest that exercising
// earns, less the dividends it costs, while the spot is in the exercise region:
//   I = ∫ [r e^(-rs) N(-d') - q S e^(-qs) N(-d)] ds, d and d' = d - v√s at ln(S/B(u)), s = τ - u.
// Two boundaries (rates below zero, Andersen and Lake 2021): above the upper one its I alone counts, below the lower one the price is 1 - S
// less the I of the lower; after they have met both count, up to the time at which they meet.
// Derivatives in volatility, rate and yield are those of the integrand and of the boundary together, the latter from the matrix that
// solved for it. Theta, charm and veta follow from the pricing equation, V_τ = ½v²S²V_SS + (r - q)S V_S - rV, and its derivatives.
// Legend: x = ln S, w = r - qB(u), W = e^(-rs) φ(d') w/(v√s). Units: the strike is 1, years, per 1.00 of volatility and rate.
// Points are drawn together near s = 0 by an exponential where the spot is close to the boundary or the drift is strong: the integrand
// then changes over s of the size of (distance/v)².
// Error: docs/numerics/american.md. Never traps.
import {
  outputExerciseBoundary,
  outputCharm,
  outputDelta,
  outputDividendRho,
  outputGamma,
  outputEarlyExercisePremium,
  outputPrice,
  outputRho,
  outputSpeed,
  outputTheta,
  outputVanna,
  outputVega,
  outputVeta,
  outputVolga,
  outputZomma,
} from "../abi/layout";
import { exp } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import { mills } from "../math/mills";
import { normalDensity, normalLaw } from "../math/normal";
import { addTangents, degreeOf, interpolationAt, solveCurve, variableAt } from "./american-boundary";
import {
  curveGrading,
  curveHasTangents,
  curveHorizon,
  curveLogStart,
  curvePoints,
  curvePointsCount,
  curvePointsKey,
  curvePointsTangents,
  curvePointsTime,
  curveScheme,
  curveSign,
  curveTangents,
  curveValues,
  kindDouble,
  kindEuropean,
  kindFailed,
  kindSingle,
  memoryKind,
  memoryLower,
  memoryMeeting,
  memoryRate,
  memoryScheme,
  memoryTime,
  memoryUpper,
  memoryVolatility,
  memoryYield,
  pointColumnBytes,
  pricePointsMax,
  schemeAccurate,
  schemeFast,
  schemeReference,
  sideBytes,
} from "./american-room";
import { gauss20, gauss40, gauss96 } from "./american-tables";

const inverseRootTwoPi: f64 = 0.3989422804014327;
/** Interest that is less than this of the strike, over the option's life, is no reason to exercise. */
const interestMin: f64 = 1e-17;

/** Horizons tried for two boundaries; two are usual. */
const searchPassesMax: i32 = 40;

/** What is to be computed: price, delta and gamma always. */
export const needsParameters: u32 = 1;
export const needsFurther: u32 = 2;

// Columns of a curve's points.
const pointInverse: usize = 0; // 1/(v√s)
const pointDrift: usize = 1; // (r - q + v²/2)√s/v
const pointLog: usize = 2; // y
const pointRateWeight: usize = 3; // e^(-rs) ds
const pointYieldWeight: usize = 4; // e^(-qs) ds
const pointBoundary: usize = 5; // B(u)
const pointTime: usize = 6; // s
const pointTangents: usize = 7; // of y, in volatility, rate and yield

// @ts-ignore: decorator
@inline
function columnOf(curve: usize, column: usize): usize {
  return curve + curvePoints + column * pointColumnBytes;
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

// @ts-ignore: decorator
@inline
function pointsOf(scheme: i32): usize {
  return scheme == schemeFast ? 20 : scheme == schemeAccurate ? 40 : 96;
}

// @ts-ignore: decorator
@inline
function ruleOf(scheme: i32): usize {
  return scheme == schemeFast ? gauss20 : scheme == schemeAccurate ? gauss40 : gauss96;
}

/** What kind of boundary a put has. */
export function kindOf(rate: f64, dividendYield: f64, time: f64): i32 {
  if (rate < 0) return dividendYield < rate ? kindDouble : kindEuropean;
  if (dividendYield >= 0 && rate * time <= interestMin) return kindEuropean;
  return kindSingle;
}

/**
 * Has the memory hold the boundaries of the put: leaves it as it is where it does. Returns the kind; kindFailed where none was found.
 */
export function recall(
  room: usize,
  memory: usize,
  scheme: i32,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  time: f64,
): i32 {
  const held = load<i32>(memory, memoryKind);
  if (
    held != 0 &&
    load<i32>(memory, memoryScheme) == scheme &&
    load<f64>(memory, memoryRate) == rate &&
    load<f64>(memory, memoryYield) == dividendYield &&
    load<f64>(memory, memoryVolatility) == volatility &&
    load<f64>(memory, memoryTime) == time
  ) {
    return held;
  }
  store<i32>(memory, scheme, memoryScheme);
  store<f64>(memory, rate, memoryRate);
  store<f64>(memory, dividendYield, memoryYield);
  store<f64>(memory, volatility, memoryVolatility);
  store<f64>(memory, time, memoryTime);
  let kind = kindOf(rate, dividendYield, time);
  if (kind == kindSingle) {
    const logStart: f64 = dividendYield > rate ? logRatio(rate, dividendYield) : 0;
    const upper = memory + memoryUpper;
    if (!solveCurve(room, upper, scheme, rate, dividendYield, volatility, time, logStart, -1, false)) kind = kindFailed;
  } else if (kind == kindDouble) {
    kind = kindFailed;
    // where two curves meet is too rough by the fast scheme
    for (let finer = max<i32>(scheme, schemeAccurate); finer <= schemeReference && kind == kindFailed; finer++) {
      if (solveBoth(room, memory, finer, rate, dividendYield, volatility, time)) kind = kindDouble;
    }
  }
  store<i32>(memory, kind, memoryKind);
  return kind;
}

/** The logarithm of a curve's boundary at a time up to its horizon. */
function logBoundaryAt(room: usize, curve: usize, time: f64): f64 {
  const horizon = load<f64>(curve, curveHorizon);
  const scheme = load<i32>(curve, curveScheme);
  const degree = degreeOf(scheme);
  const values = curve + curveValues;
  let h: f64;
  if (time >= horizon) {
    h = at(values, degree);
  } else {
    const row = columnOf(curve, pointInverse); // points are not held while a curve is sought
    store<f64>(curve, -1, curvePointsKey);
    interpolationAt(variableAt(sqrt<f64>(time / horizon), load<f64>(curve, curveGrading)), scheme, row, 8);
    let square: f64 = 0;
    for (let j: usize = 1; j <= degree; j++) square += at(row, j) * at(values, j) * at(values, j);
    h = sqrt<f64>(max<f64>(square, 0));
  }
  return load<f64>(curve, curveLogStart) + load<f64>(curve, curveSign) * h;
}

/** Upper boundary less lower, in logarithms. */
function gapAt(room: usize, memory: usize, time: f64): f64 {
  return logBoundaryAt(room, memory + memoryUpper, time) - logBoundaryAt(room, memory + memoryLower, time);
}

/**
 * Both boundaries of a rate below zero with a yield still lower, up to the time where they meet or the option's. Each solves an equation of
 * its own as if the other were not there, which holds until they meet; where one of them ends soon after, the horizon is drawn in.
 */
function solveBoth(
  room: usize,
  memory: usize,
  scheme: i32,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  time: f64,
): bool {
  const upper = memory + memoryUpper;
  const lower = memory + memoryLower;
  const logLower = logRatio(rate, dividendYield);
  // where they would meet by their short-time behaviour, and some more
  const apart = logLower / (1.75 * volatility);
  let horizon = min<f64>(time, 1.5 * apart * apart);
  let longest: f64 = 0; // the longest horizon up to which they have been seen apart
  let shortest: f64 = f64.MAX_VALUE; // the shortest one that had no solution
  for (let pass = 0; pass < searchPassesMax; pass++) {
    const isSolved =
      solveCurve(room, upper, scheme, rate, dividendYield, volatility, horizon, 0, -1, true) &&
      solveCurve(room, lower, scheme, rate, dividendYield, volatility, horizon, logLower, 1, true);
    if (!isSolved) {
      shortest = horizon;
      horizon = longest > 0 ? 0.5 * (longest + shortest) : 0.6 * horizon;
    } else if (gapAt(room, memory, horizon) > 0) {
      // apart up to here: all there is to know, or without a solution a little further, where they meet
      if (horizon >= time || shortest < horizon * (1 + 1e-6)) {
        store<f64>(memory, horizon, memoryMeeting);
        return true;
      }
      longest = horizon;
      horizon = shortest < f64.MAX_VALUE ? 0.5 * (longest + shortest) : min<f64>(time, 2 * horizon);
    } else {
      let near: f64 = 0;
      let far = horizon;
      for (let halving = 0; halving < 50; halving++) {
        const middle = 0.5 * (near + far);
        if (gapAt(room, memory, middle) > 0) near = middle;
        else far = middle;
      }
      if (near >= 0.5 * horizon) {
        store<f64>(memory, near, memoryMeeting);
        return true;
      }
      // solved anew, so that few of the nodes are spent beyond where they meet
      horizon = 1.05 * near;
    }
  }
  return false;
}

/** Has the curve hold its points for a price at a time to expiry, the boundary being in force from `end` on. */
function preparePoints(
  curve: usize,
  scheme: i32,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  time: f64,
  end: f64,
  grading: f64,
  panels: usize,
  withTangents: bool,
): void {
  const perPanel = pointsOf(scheme);
  const count = perPanel * panels;
  if (
    load<f64>(curve, curvePointsKey) == grading &&
    load<i32>(curve, curvePointsCount) == <i32>count &&
    load<i32>(curve, curvePointsTangents) >= <i32>withTangents &&
    load<f64>(curve, curvePointsTime) == time &&
    load<f64>(curve, curvePointsTime + 8) == end
  ) {
    return;
  }
  store<f64>(curve, grading, curvePointsKey);
  store<i32>(curve, <i32>count, curvePointsCount);
  store<i32>(curve, <i32>withTangents, curvePointsTangents);
  store<f64>(curve, time, curvePointsTime);
  store<f64>(curve, end, curvePointsTime + 8);
  const rule = ruleOf(scheme);
  const curveOrder = load<i32>(curve, curveScheme);
  const degree = degreeOf(curveOrder);
  const values = curve + curveValues;
  const logStart = load<f64>(curve, curveLogStart);
  const sign = load<f64>(curve, curveSign);
  const curveDraw = load<f64>(curve, curveGrading);
  const share = sqrt<f64>(end / load<f64>(curve, curveHorizon));
  const drift = (rate - dividendYield + 0.5 * volatility * volatility) / volatility;
  const scale: f64 = grading == 0 ? 1 : 1 / (exp<f64>(grading) - 1);
  const width: f64 = 1 / <f64>panels;
  const hasMovingStart = logStart != 0;
  const startInRate: f64 = hasMovingStart ? 1 / rate : 0;
  const startInYield: f64 = hasMovingStart ? -1 / dividendYield : 0;
  const row = columnOf(curve, pointTangents + 3); // its first cells, as the weights of one point
  for (let k: usize = 0; k < count; k++) {
    const panel = k / perPanel;
    const node = k - panel * perPanel;
    const variable = (at(rule, node) + <f64>panel) * width;
    let t = variable;
    let slope = at(rule, perPanel + node) * width;
    if (grading != 0) {
      const power = exp<f64>(grading * variable);
      t = (power - 1) * scale;
      slope *= grading * power * scale;
    }
    const square = t * t;
    const sine = (2 * t) / (1 + square);
    const cosine = (1 - square) / (1 + square);
    const s = time - end + end * sine * sine;
    const root = sqrt<f64>(s);
    const weight = (end * 4 * sine * cosine * slope) / (1 + square);
    interpolationAt(variableAt(min<f64>(1, share * cosine), curveDraw), curveOrder, row, 8);
    let h2: f64 = 0;
    for (let j: usize = 1; j <= degree; j++) h2 += at(row, j) * (at(values, j) * at(values, j));
    const h = sqrt<f64>(max<f64>(h2, 1e-18));
    const y = logStart + sign * h;
    put(columnOf(curve, pointInverse), k, 1 / (volatility * root));
    put(columnOf(curve, pointDrift), k, drift * root);
    put(columnOf(curve, pointLog), k, y);
    put(columnOf(curve, pointRateWeight), k, weight * exp<f64>(-rate * s));
    put(columnOf(curve, pointYieldWeight), k, weight * exp<f64>(-dividendYield * s));
    put(columnOf(curve, pointBoundary), k, exp<f64>(max<f64>(y, -700)));
    put(columnOf(curve, pointTime), k, s);
    if (withTangents) {
      for (let side: usize = 0; side < 3; side++) {
        const tangents = curve + curveTangents + side * sideBytes;
        let sum: f64 = 0;
        for (let j: usize = 1; j <= degree; j++) sum += at(row, j) * (at(values, j) * at(tangents, j));
        const start: f64 = side == 0 ? 0 : side == 1 ? startInRate : startInYield;
        put(columnOf(curve, pointTangents + side), k, start + (sign * sum) / h);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function sumOf(pair: v128): f64 {
  return f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
}

/** N(-x) from e^(-x²/2)/√(2π). */
// @ts-ignore: decorator
@inline
function upperTail(x: v128, density: v128): v128 {
  const tail = f64x2.mul(density, mills<v128>(f64x2.pmin(f64x2.splat(39), f64x2.abs(x))));
  return v128.bitselect(f64x2.sub(f64x2.splat(1), tail), tail, f64x2.lt(x, f64x2.splat(0)));
}

// @ts-ignore: decorator
@inline
function densityOf(x: v128): v128 {
  const exponent = f64x2.mul(f64x2.mul(x, x), f64x2.splat(-0.5));
  return f64x2.mul(exp<v128>(f64x2.pmax(f64x2.splat(-700), exponent)), f64x2.splat(inverseRootTwoPi));
}

// @ts-ignore: decorator
@inline
function raise(values: usize, output: usize, by: f64): void {
  put(values, output, at(values, output) + by);
}

/** Adds the curve's I, times `share` (1 or -1), and its derivatives to the values. */
function addIntegral(
  curve: usize,
  x: f64,
  spot: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  needs: u32,
  share: f64,
  values: usize,
): void {
  const bytes = <usize>load<i32>(curve, curvePointsCount) << 3;
  const xs = f64x2.splat(x);
  const spots = f64x2.splat(spot);
  const rates = f64x2.splat(rate);
  const yields = f64x2.splat(dividendYield);
  const inverseSpot = f64x2.splat(1 / spot);
  const one = f64x2.splat(1);
  const withParameters = (needs & needsParameters) != 0;
  const withFurther = (needs & needsFurther) != 0;
  const inverseVolatility = f64x2.splat(1 / volatility);
  let prices = f64x2.splat(0);
  let deltas = f64x2.splat(0);
  let gammas = f64x2.splat(0);
  let vegas = f64x2.splat(0);
  let rhos = f64x2.splat(0);
  let yieldRhos = f64x2.splat(0);
  let vannas = f64x2.splat(0);
  let speeds = f64x2.splat(0);
  let zommas = f64x2.splat(0);
  for (let k: usize = 0; k < bytes; k += 16) {
    const inverse = v128.load(columnOf(curve, pointInverse) + k);
    const d = f64x2.add(
      f64x2.mul(f64x2.sub(xs, v128.load(columnOf(curve, pointLog) + k)), inverse),
      v128.load(columnOf(curve, pointDrift) + k),
    );
    const lower = f64x2.sub(d, f64x2.div(one, inverse));
    const rateWeight = v128.load(columnOf(curve, pointRateWeight) + k);
    const yieldWeight = v128.load(columnOf(curve, pointYieldWeight) + k);
    const boundary = v128.load(columnOf(curve, pointBoundary) + k);
    const upperDensity = densityOf(d);
    const lowerDensity = densityOf(lower);
    const assetLaw = f64x2.mul(yieldWeight, upperTail(d, upperDensity));
    const cashLaw = f64x2.mul(rateWeight, upperTail(lower, lowerDensity));
    const weighted = f64x2.mul(rateWeight, lowerDensity);
    const edge = f64x2.mul(f64x2.mul(weighted, f64x2.sub(rates, f64x2.mul(yields, boundary))), inverse);
    const edgeOverSpot = f64x2.mul(edge, inverseSpot);
    prices = f64x2.add(prices, f64x2.sub(f64x2.mul(rates, cashLaw), f64x2.mul(f64x2.mul(yields, spots), assetLaw)));
    deltas = f64x2.sub(deltas, f64x2.add(f64x2.mul(yields, assetLaw), edgeOverSpot));
    const assetDensity = f64x2.mul(f64x2.mul(f64x2.mul(yields, yieldWeight), upperDensity), f64x2.mul(inverse, inverseSpot));
    const curvature = f64x2.mul(edgeOverSpot, inverseSpot);
    const lowerSlope = f64x2.mul(lower, inverse);
    gammas = f64x2.add(gammas, f64x2.add(assetDensity, f64x2.add(curvature, f64x2.mul(curvature, lowerSlope))));
    if (withParameters) {
      const s = v128.load(columnOf(curve, pointTime) + k);
      const inVolatility = v128.load(columnOf(curve, pointTangents) + k);
      const direct = f64x2.sub(f64x2.mul(rates, d), f64x2.mul(f64x2.mul(yields, boundary), lower));
      vegas = f64x2.add(
        vegas,
        f64x2.add(f64x2.mul(f64x2.mul(weighted, direct), inverseVolatility), f64x2.mul(edge, inVolatility)),
      );
      const inRate = f64x2.sub(v128.load(columnOf(curve, pointTangents + 1) + k), s);
      rhos = f64x2.add(
        rhos,
        f64x2.add(f64x2.mul(cashLaw, f64x2.sub(one, f64x2.mul(rates, s))), f64x2.mul(edge, inRate)),
      );
      const inYield = f64x2.add(v128.load(columnOf(curve, pointTangents + 2) + k), s);
      const asset = f64x2.mul(f64x2.mul(spots, assetLaw), f64x2.sub(one, f64x2.mul(yields, s)));
      yieldRhos = f64x2.add(yieldRhos, f64x2.sub(f64x2.mul(edge, inYield), asset));
      if (withFurther) {
        const moved = f64x2.mul(inVolatility, inverse);
        const upperInVolatility = f64x2.neg(f64x2.add(f64x2.mul(lower, inverseVolatility), moved));
        const lowerInVolatility = f64x2.neg(f64x2.add(f64x2.mul(d, inverseVolatility), moved));
        const edgeInVolatility = f64x2.sub(
          f64x2.mul(edge, f64x2.neg(f64x2.add(f64x2.mul(lower, lowerInVolatility), inverseVolatility))),
          f64x2.mul(f64x2.mul(weighted, f64x2.mul(yields, boundary)), moved),
        );
        const assetDensityInVolatility = f64x2.neg(
          f64x2.add(f64x2.mul(d, upperInVolatility), inverseVolatility),
        );
        vannas = f64x2.add(
          vannas,
          f64x2.sub(
            f64x2.mul(f64x2.mul(f64x2.mul(yields, yieldWeight), upperDensity), upperInVolatility),
            f64x2.mul(edgeInVolatility, inverseSpot),
          ),
        );
        const edgeTerm = f64x2.mul(f64x2.mul(inverseSpot, inverseSpot), edgeInVolatility);
        const slopeTerm = f64x2.add(
          f64x2.mul(edgeTerm, lowerSlope),
          f64x2.mul(
            f64x2.mul(curvature, inverse),
            f64x2.sub(lowerInVolatility, f64x2.mul(lower, inverseVolatility)),
          ),
        );
        zommas = f64x2.add(
          zommas,
          f64x2.add(f64x2.mul(assetDensity, assetDensityInVolatility), f64x2.add(edgeTerm, slopeTerm)),
        );
      }
    }
    if (withFurther) {
      // the integrand of gamma once more in the spot
      const assetPart = f64x2.mul(assetDensity, f64x2.add(one, f64x2.mul(d, inverse)));
      const two = f64x2.splat(2);
      const bracket = f64x2.sub(
        f64x2.mul(inverse, f64x2.sub(inverse, f64x2.mul(f64x2.mul(lower, lower), inverse))),
        f64x2.add(f64x2.mul(f64x2.splat(3), lowerSlope), two),
      );
      speeds = f64x2.add(speeds, f64x2.mul(f64x2.sub(f64x2.mul(curvature, bracket), assetPart), inverseSpot));
    }
  }
  raise(values, outputPrice, share * sumOf(prices));
  raise(values, outputDelta, share * sumOf(deltas));
  raise(values, outputGamma, share * sumOf(gammas));
  if (withParameters) {
    raise(values, outputVega, share * sumOf(vegas));
    raise(values, outputRho, share * sumOf(rhos));
    raise(values, outputDividendRho, share * sumOf(yieldRhos));
    raise(values, outputVanna, share * sumOf(vannas));
    raise(values, outputZomma, share * sumOf(zommas));
  }
  if (withFurther) raise(values, outputSpeed, share * sumOf(speeds));
}

/** The curve's part of a value: its points, drawn together as the spot demands, and its integral. */
function addCurve(
  room: usize,
  curve: usize,
  scheme: i32,
  x: f64,
  spot: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  time: f64,
  end: f64,
  needs: u32,
  share: f64,
  values: usize,
): bool {
  const withTangents = (needs & needsParameters) != 0;
  if (withTangents && !addTangents(room, curve, rate, dividendYield, volatility)) return false;
  const deviation = volatility * sqrt<f64>(time);
  const drift = abs<f64>(rate - dividendYield) * (sqrt<f64>(time) / volatility) + 0.5 * deviation;
  const degree = degreeOf(load<i32>(curve, curveScheme));
  const last = load<f64>(curve, curveLogStart) + load<f64>(curve, curveSign) * at(curve + curveValues, degree);
  // past the boundary's end nothing is sharper than what has diffused since
  const distance = max<f64>(abs<f64>(x - last), volatility * sqrt<f64>(max<f64>(time - end, 0)));
  let sharpness = max<f64>(drift, deviation / max<f64>(distance, 1e-300));
  sharpness = min<f64>(sharpness, 1e6);
  const grading: f64 = sharpness > 1 ? ceil<f64>(logRatio(sharpness, 1)) : 0;
  const panelsMax = <f64>(pricePointsMax / pointsOf(scheme));
  const panels = <usize>max<f64>(1, min<f64>(panelsMax, ceil<f64>(drift * 0.125)));
  preparePoints(curve, scheme, rate, dividendYield, volatility, time, end, grading, panels, withTangents);
  addIntegral(curve, x, spot, rate, dividendYield, volatility, needs, share, values);
  return true;
}

/** The European put: every value but the premium and the boundary. */
export function european(x: f64, spot: f64, rate: f64, dividendYield: f64, volatility: f64, time: f64, values: usize): void {
  const root = sqrt<f64>(time);
  const deviation = volatility * root;
  const d1 = x / deviation + ((rate - dividendYield) * root) / volatility + 0.5 * deviation;
  const d2 = d1 - deviation;
  const rateDiscount = exp<f64>(-rate * time);
  const yieldDiscount = exp<f64>(-dividendYield * time);
  const cash = rateDiscount * normalLaw<f64>(-d2);
  const share = yieldDiscount * normalLaw<f64>(-d1);
  const density = yieldDiscount * normalDensity<f64>(d1);
  const gamma = density / (spot * deviation);
  const vega = spot * density * root;
  put(values, outputPrice, max<f64>(cash - spot * share, 0));
  put(values, outputDelta, -share);
  put(values, outputGamma, gamma);
  put(values, outputVega, vega);
  put(values, outputRho, -time * cash);
  put(values, outputDividendRho, time * spot * share);
  put(values, outputVanna, (-density * d2) / volatility);
  put(values, outputVolga, (vega * d1 * d2) / volatility);
  put(values, outputSpeed, (-gamma / spot) * (d1 / deviation + 1));
  put(values, outputZomma, (gamma * (d1 * d2 - 1)) / volatility);
}

/** A put whose holder exercises now, or the start of one that does so sooner or later. */
function exercised(spot: f64, values: usize): void {
  memory.fill(values, 0, 32 << 3);
  put(values, outputPrice, 1 - spot);
  put(values, outputDelta, -1);
}

/**
 * The values, raw and by output id, of a put over a strike of 1 at ln(spot) = x, from the memory that holds its boundaries: all but volga where
 * there is a boundary (it is the European one's then), and the duals. The boundary is its logarithm, NaN where there is none at this time.
 * False where a sensitivity cannot be had.
 */
export function putValues(
  room: usize,
  memory: usize,
  x: f64,
  needs: u32,
  values: usize,
): bool {
  const kind = load<i32>(memory, memoryKind);
  const scheme = load<i32>(memory, memoryScheme);
  const rate = load<f64>(memory, memoryRate);
  const dividendYield = load<f64>(memory, memoryYield);
  const volatility = load<f64>(memory, memoryVolatility);
  const time = load<f64>(memory, memoryTime);
  const spot = exp<f64>(x);
  const upper = memory + memoryUpper;
  const lower = memory + memoryLower;
  european(x, spot, rate, dividendYield, volatility, time, values);
  const plain = at(values, outputPrice);
  let boundary: f64 = f64.NaN;
  if (kind != kindEuropean) {
    const meeting: f64 = kind == kindDouble ? load<f64>(memory, memoryMeeting) : time;
    const hasBoundary = time <= meeting;
    if (hasBoundary) boundary = lastOf(upper);
    if (hasBoundary && x <= boundary) {
      exercised(spot, values);
      if (kind == kindDouble && x < lastOf(lower)) {
        if (!addCurve(room, lower, scheme, x, spot, rate, dividendYield, volatility, time, time, needs, -1, values)) return false;
        fillTimes(values, spot, rate, dividendYield, volatility);
      }
    } else {
      if (!addCurve(room, upper, scheme, x, spot, rate, dividendYield, volatility, time, meeting, needs, 1, values)) return false;
      if (!hasBoundary) {
        if (!addCurve(room, lower, scheme, x, spot, rate, dividendYield, volatility, time, meeting, needs, -1, values)) return false;
      }
      fillTimes(values, spot, rate, dividendYield, volatility);
    }
  } else {
    fillTimes(values, spot, rate, dividendYield, volatility);
  }
  const price = max<f64>(max<f64>(at(values, outputPrice), 1 - spot), plain);
  put(values, outputPrice, price);
  put(values, outputEarlyExercisePremium, price - plain);
  put(values, outputExerciseBoundary, boundary);
  return true;
}

/** The logarithm of a boundary at its horizon. */
// @ts-ignore: decorator
@inline
function lastOf(curve: usize): f64 {
  const degree = degreeOf(load<i32>(curve, curveScheme));
  return load<f64>(curve, curveLogStart) + load<f64>(curve, curveSign) * at(curve + curveValues, degree);
}

/** Theta, charm and veta from the pricing equation. */
function fillTimes(values: usize, spot: f64, rate: f64, dividendYield: f64, volatility: f64): void {
  const carry = rate - dividendYield;
  const half = 0.5 * volatility * volatility;
  const price = at(values, outputPrice);
  const delta = at(values, outputDelta);
  const gamma = at(values, outputGamma);
  const vega = at(values, outputVega);
  const inSpot = spot * gamma;
  put(values, outputTheta, rate * price - carry * spot * delta - half * spot * inSpot);
  const speed = spot * spot * at(values, outputSpeed);
  put(values, outputCharm, rate * delta - carry * (delta + inSpot) - half * (speed + 2 * inSpot));
  const zomma = spot * spot * at(values, outputZomma);
  put(
    values,
    outputVeta,
    rate * vega - carry * spot * at(values, outputVanna) - half * zomma - volatility * spot * inSpot,
  );
}
