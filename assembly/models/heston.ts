// European prices in Heston's model, from its characteristic function. Separate from the batch, which walks rows and judges inputs.
// Source: Lewis (2000), Option Valuation under Stochastic Volatility, on the line Im z = -1/2; Andersen and Piterbarg (2010), Interest Rate Modeling, 9.3, for
// Black's price as control variate; Andersen and Lake (2018), Robust high-precision option pricing by Fourier transforms, for the turned contour. With
// x = ln(F/K), m = u² + 1/4, and Black's total variance w chosen so that both functions agree at u = 0:
//   v(x) = v_Black(x; w) + e^(x/2)/π ∫₀^∞ Re[e^(iux) G(u)] du,  G(u) = (e^(-w m/2) - φ(u - i/2))/m.
// In x the integral is the difference of two time values over e^(x/2): v_xx - v_x gives it the factor -m, v_x the factor iu + 1/2.
//
// An expiry's curve: G at evenly spaced points, which all strikes share. The trapezoidal rule's error at x is the difference's own values at x ± 2π/step and beyond.
// How far out they matter the model's moments say (Chernoff's bound; explosions by Andersen and Piterbarg 2007): past the extent E the difference is below 1e-14, and a
// step of 2π/(E + X) serves all |x| <= X. Points end where both functions are too small for curvature to see.
//
// Where that takes over 2048 points (variance now and its long mean tiny beside its volatility, or |correlation| near 1: φ falls so slowly that no even spacing
// serves), and for strikes between X and E, each option has a contour of its own: u = t e^(iψ), ψ = ±π/12 where that makes e^(iux) and φ's own phase fall, else 0; t = e^(s - e^(-s)), steps in s
// halved until two sums agree. Where the finest do not, not_converged.
// Error of both: 2e-13 of the larger of F and K in price (tests/numerics/heston). Far wings are right absolutely, not relatively.
import { exp } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import { normalDensity, normalLaw } from "../math/normal";
import { angle, cosineOf, quarterTurns, sineOf, withoutTurns } from "../math/trigonometry";
import {
  formBytes,
  formCurve,
  formCurveTime,
  formCurveX,
  formTime,
  formValue,
  formVolatility,
  formX,
  formXTime,
} from "./forward-form";
import { storeCharacteristic } from "./heston-characteristic";
import {
  checkHestonRoom,
  columnImaginary,
  columnReal,
  columnStride,
  columnTimeImaginary,
  columnTimeReal,
  columnVarianceImaginary,
  columnVarianceReal,
  controlVariance,
  curveColumns,
  curveCount,
  curveExtent,
  curveKind,
  curveReach,
  curveStep,
  keyCorrelation,
  keyLongVariance,
  keyReversion,
  keyTime,
  keyVariance,
  keyVolatility,
  kindContour,
  kindCurve,
  kindFailed,
  kindNone,
  pairControl,
  pairProduct,
  pairPull,
  pairReversion,
  pairSquare,
  pairTime,
  pairVariance,
  point,
  pointImaginary,
  pointLogReal,
  pointReal,
  pointsMax,
  pointTimeImaginary,
  pointTimeReal,
  pointVarianceImaginary,
  pointVarianceReal,
  sumBytes,
  sumCurve,
  sumCurveX,
  sums,
  sumTime,
  sumTimeCurve,
  sumTimeX,
  sumValue,
  sumVariance,
  sumX,
} from "./heston-room";

const pi: f64 = 3.141592653589793;
const infinite: f64 = 1e300;
/** -ln of what the difference of two time values may be where it is taken to be none: 1e-14. */
const negligibleLog: f64 = 32.23619130191664;
/** Deviations that a curve serves at least, if there are so many. */
const reachLeast: f64 = 8;
/** A function has ended where its size times u, in deviations, is below it; a contour where what it adds is. */
const ended: f64 = 1e-11;
const endedContour: f64 = 1e-17;
/** How close two sums over a contour must come, in deviations, and their curvatures. */
const settled: f64 = 1e-13;
const settledCurve: f64 = 1e-11;
/** What the two functions, both near 1, leave of their difference: no sum of it comes closer. */
const rounding: f64 = 2e-15;
/** The contour's turn, and the steps in s that are tried. */
const turnCosine: f64 = 0.9659258262890683; // π/12
const turnSine: f64 = 0.25881904510252074;
const contourStart: f64 = -3.8;
const contourStep: f64 = 0.25;
const contourLevels: i32 = 8;
const contourPointsMax: i32 = 400;

// @ts-ignore: decorator
@inline
function storePair(room: usize, pair: usize, value: f64): void {
  store<f64>(room + pair, value);
  store<f64>(room + pair, value, 8);
}

// @ts-ignore: decorator
@inline
function sine(x: f64): f64 {
  const turns = quarterTurns<f64>(x);
  return sineOf<f64>(withoutTurns<f64>(x, turns), turns);
}

// @ts-ignore: decorator
@inline
function cosine(x: f64): f64 {
  const turns = quarterTurns<f64>(x);
  return cosineOf<f64>(withoutTurns<f64>(x, turns), turns);
}

/**
 * Makes the room hold what an expiry's options share, unless it does; all parameters are positive but reversion, long variance and variance now, which may be 0
 * as long as there is some variance. Returns a kind.
 */
export function prepareHeston(
  room: usize,
  variance: f64,
  reversion: f64,
  longVariance: f64,
  volatility: f64,
  correlation: f64,
  time: f64,
): i32 {
  checkHestonRoom();
  const kind = load<i32>(room, curveKind);
  if (
    kind != kindNone &&
    load<f64>(room, keyVariance) == variance &&
    load<f64>(room, keyReversion) == reversion &&
    load<f64>(room, keyLongVariance) == longVariance &&
    load<f64>(room, keyVolatility) == volatility &&
    load<f64>(room, keyCorrelation) == correlation &&
    load<f64>(room, keyTime) == time
  ) {
    return kind;
  }
  store<f64>(room, variance, keyVariance);
  store<f64>(room, reversion, keyReversion);
  store<f64>(room, longVariance, keyLongVariance);
  store<f64>(room, volatility, keyVolatility);
  store<f64>(room, correlation, keyCorrelation);
  store<f64>(room, time, keyTime);
  storePair(room, pairReversion, reversion);
  storePair(room, pairProduct, correlation * volatility);
  storePair(room, pairSquare, volatility * volatility);
  storePair(room, pairTime, time);
  storePair(room, pairPull, reversion * longVariance);
  storePair(room, pairVariance, variance);
  storeCharacteristic<f64>(room, 0, -0.5);
  const control = -8 * load<f64>(room + point, pointLogReal);
  store<f64>(room, control, controlVariance);
  storePair(room, pairControl, -0.5 * control);
  let made = kindFailed;
  if (control > 0 && control < 4096) made = makeCurve(room, control) ? kindCurve : kindContour;
  store<i32>(room, made, curveKind);
  return made;
}

/**
 * Stores the values of the points at u and u + apart at the given places of the columns: G and its derivatives in time and in the variance now. Returns the larger of both functions' sizes,
 * at the nearer point.
 */
function storePoints(room: usize, u: f64, apart: f64, first: usize, second: usize): f64 {
  const us = f64x2.replace_lane(f64x2.splat(u), 1, u + apart);
  storeCharacteristic<v128>(room, us, f64x2.splat(-0.5));
  const m = f64x2.add(f64x2.mul(us, us), f64x2.splat(0.25));
  const exponent = f64x2.pmax(f64x2.mul(v128.load(room + pairControl), m), f64x2.splat(-700));
  const black = exp<v128>(exponent);
  const at = room + point;
  const re = v128.load(at, pointReal);
  const im = v128.load(at, pointImaginary);
  const tr = v128.load(at, pointTimeReal);
  const ti = v128.load(at, pointTimeImaginary);
  const per = f64x2.div(f64x2.splat(1), m);
  const gr = f64x2.mul(f64x2.sub(black, re), per);
  const gi = f64x2.neg(f64x2.mul(im, per));
  const hr = f64x2.mul(f64x2.sub(f64x2.mul(im, ti), f64x2.mul(re, tr)), per);
  const hi = f64x2.neg(f64x2.mul(f64x2.add(f64x2.mul(re, ti), f64x2.mul(im, tr)), per));
  store<f64>(room + first, f64x2.extract_lane(gr, 0), columnReal);
  store<f64>(room + second, f64x2.extract_lane(gr, 1), columnReal);
  store<f64>(room + first, f64x2.extract_lane(gi, 0), columnImaginary);
  store<f64>(room + second, f64x2.extract_lane(gi, 1), columnImaginary);
  store<f64>(room + first, f64x2.extract_lane(hr, 0), columnTimeReal);
  store<f64>(room + second, f64x2.extract_lane(hr, 1), columnTimeReal);
  store<f64>(room + first, f64x2.extract_lane(hi, 0), columnTimeImaginary);
  store<f64>(room + second, f64x2.extract_lane(hi, 1), columnTimeImaginary);
  const br = v128.load(at, pointVarianceReal);
  const bi = v128.load(at, pointVarianceImaginary);
  const vr = f64x2.mul(f64x2.sub(f64x2.mul(im, bi), f64x2.mul(re, br)), per);
  const vi = f64x2.neg(f64x2.mul(f64x2.add(f64x2.mul(re, bi), f64x2.mul(im, br)), per));
  store<f64>(room + first, f64x2.extract_lane(vr, 0), columnVarianceReal);
  store<f64>(room + second, f64x2.extract_lane(vr, 1), columnVarianceReal);
  store<f64>(room + first, f64x2.extract_lane(vi, 0), columnVarianceImaginary);
  store<f64>(room + second, f64x2.extract_lane(vi, 1), columnVarianceImaginary);
  const size = max<f64>(abs<f64>(f64x2.extract_lane(re, 0)), abs<f64>(f64x2.extract_lane(im, 0)));
  return max<f64>(size, f64x2.extract_lane(black, 0));
}

/** Fills the columns for an expiry; false where they would be too long. */
function makeCurve(room: usize, control: f64): bool {
  const deviation = sqrt<f64>(control);
  const extent = max<f64>(extentTo(room, 1, deviation), extentTo(room, -1, deviation));
  const reach = max<f64>(extent / 3, min<f64>(extent, reachLeast * deviation));
  const step = (2 * pi) / (extent + reach);
  store<f64>(room, step, curveStep);
  store<f64>(room, reach, curveReach);
  store<f64>(room, extent, curveExtent);
  let count: usize = 0;
  for (;;) {
    if (count + 4 > pointsMax) return false;
    const u = step * <f64>count;
    const size = storePoints(room, u, step, count << 3, (count + 1) << 3);
    storePoints(room, u + 2 * step, step, (count + 2) << 3, (count + 3) << 3);
    count += 4;
    if (size * u * deviation < ended && u > 0) break;
    if (!(size <= 2)) return false;
  }
  // the first point counts half
  for (let column: usize = 0; column < curveColumns; column++) {
    const at = room + columnReal + column * columnStride;
    store<f64>(at, 0.5 * load<f64>(at));
  }
  store<i32>(room, <i32>count, curveCount);
  return true;
}

/**
 * How far in x, on one side, the difference of time values over e^(x/2) may exceed `negligible`: the least of (ln φ(-ia) - ln negligible)/|a - 1/2| over the moments a
 * that are finite, a quasiconvex function whose least value is found to a twentieth. Half a moment away from 1/2 is always there: the forward's own.
 */
function extentTo(room: usize, side: f64, deviation: f64): f64 {
  let best = 2 * negligibleLog;
  let low = 0.5;
  let at = max<f64>(0.75, sqrt<f64>(2 * negligibleLog) / deviation);
  // down to a moment that is finite
  let least = momentExtent(room, side, at);
  let high = at;
  for (let halving = 0; halving < 60 && !(least < infinite); halving++) {
    high = at;
    at = sqrt<f64>(low * at);
    if (at < 0.51) return best;
    least = momentExtent(room, side, at);
  }
  if (high == at) high = 4 * at;
  if (least < best) best = least;
  // then halve, in the logarithm, whichever side of the best point promises less
  for (let step = 0; step < 10; step++) {
    const above = sqrt<f64>(at * high);
    const valueAbove = momentExtent(room, side, above);
    if (valueAbove < least) {
      low = at;
      at = above;
      least = valueAbove;
    } else {
      const below = sqrt<f64>(low * at);
      const valueBelow = momentExtent(room, side, below);
      if (valueBelow < least) {
        high = at;
        at = below;
        least = valueBelow;
      } else {
        low = below;
        high = above;
      }
    }
    if (high < 1.1 * low) break;
  }
  return min<f64>(best, least);
}

/** The bound that the moment 1/2 + side · y gives, infinite where there is no such moment at the time. Andersen and Piterbarg (2007), proposition 3.1. */
function momentExtent(room: usize, side: f64, y: f64): f64 {
  const a = 0.5 + side * y;
  const b = load<f64>(room, pairReversion) - load<f64>(room, pairProduct) * a;
  const square = b * b - load<f64>(room, pairSquare) * (a * a - a);
  const time = load<f64>(room, keyTime);
  if (square >= 0) {
    const root = sqrt<f64>(square);
    // finite for ever where b is positive
    if (b <= 0 && !(time * root < logRatio<f64>(root - b, max<f64>(-b - root, 1e-300)))) return infinite;
  } else {
    const root = sqrt<f64>(-square);
    if (!(0.5 * time * root < angle<f64>(root, -b))) return infinite;
  }
  storeCharacteristic<f64>(room, 0, -a);
  const moment = load<f64>(room + point, pointLogReal);
  return moment - moment == 0 ? (max<f64>(moment, 0) + negligibleLog) / y : infinite;
}

/** Sums the curve at x, which it must reach: every sum where `hasGreeks`, else the value's alone. The same bits either way. */
function sumCurveAt(room: usize, x: f64, hasGreeks: bool): void {
  const out = room + sums;
  const count = <usize>load<i32>(room, curveCount);
  const step = load<f64>(room, curveStep);
  const c = cosine(step * x);
  const s = sine(step * x);
  const c2 = c * c - s * s;
  const s2 = 2 * c * s;
  // two pairs of points side by side, each turned by four steps at a time, so that neither waits for the other
  const turnCos = f64x2.splat(c2 * c2 - s2 * s2);
  const turnSin = f64x2.splat(2 * c2 * s2);
  let cos = f64x2.replace_lane(f64x2.splat(1), 1, c);
  let sin = f64x2.replace_lane(f64x2.splat(0), 1, s);
  let cosNext = f64x2.replace_lane(f64x2.splat(c2), 1, c * c2 - s * s2);
  let sinNext = f64x2.replace_lane(f64x2.splat(s2), 1, c * s2 + s * c2);
  let u = f64x2.replace_lane(f64x2.splat(0), 1, step);
  const twice = f64x2.splat(2 * step);
  let value = f64x2.splat(0);
  let valueNext = f64x2.splat(0);
  const end = room + (count << 3);
  if (!hasGreeks) {
    for (let at = room; at < end; at += 32) {
      const first = f64x2.sub(f64x2.mul(v128.load(at, columnReal), cos), f64x2.mul(v128.load(at, columnImaginary), sin));
      const second = f64x2.sub(
        f64x2.mul(v128.load(at, columnReal + 16), cosNext),
        f64x2.mul(v128.load(at, columnImaginary + 16), sinNext),
      );
      value = f64x2.add(value, first);
      valueNext = f64x2.add(valueNext, second);
      const turned = f64x2.sub(f64x2.mul(cos, turnCos), f64x2.mul(sin, turnSin));
      const turnedNext = f64x2.sub(f64x2.mul(cosNext, turnCos), f64x2.mul(sinNext, turnSin));
      sin = f64x2.add(f64x2.mul(sin, turnCos), f64x2.mul(cos, turnSin));
      sinNext = f64x2.add(f64x2.mul(sinNext, turnCos), f64x2.mul(cosNext, turnSin));
      cos = turned;
      cosNext = turnedNext;
    }
    store<f64>(out, (step / pi) * total(f64x2.add(value, valueNext)), sumValue);
    return;
  }
  const quarter = f64x2.splat(0.25);
  let valueX = f64x2.splat(0);
  let curve = f64x2.splat(0);
  let curveX = f64x2.splat(0);
  let time = f64x2.splat(0);
  let timeX = f64x2.splat(0);
  let timeCurve = f64x2.splat(0);
  let variance = f64x2.splat(0);
  for (let at = room; at < end; at += 32) {
    for (let half: usize = 0; half < 32; half += 16) {
      const gr = v128.load(at + half, columnReal);
      const gi = v128.load(at + half, columnImaginary);
      const real = f64x2.sub(f64x2.mul(gr, cos), f64x2.mul(gi, sin));
      const m = f64x2.add(f64x2.mul(u, u), quarter);
      const slope = f64x2.mul(u, f64x2.add(f64x2.mul(gr, sin), f64x2.mul(gi, cos)));
      value = f64x2.add(value, real);
      valueX = f64x2.sub(valueX, slope);
      curve = f64x2.sub(curve, f64x2.mul(m, real));
      curveX = f64x2.add(curveX, f64x2.mul(m, slope));
      const tr = v128.load(at + half, columnTimeReal);
      const ti = v128.load(at + half, columnTimeImaginary);
      const timeReal = f64x2.sub(f64x2.mul(tr, cos), f64x2.mul(ti, sin));
      time = f64x2.add(time, timeReal);
      timeX = f64x2.sub(timeX, f64x2.mul(u, f64x2.add(f64x2.mul(tr, sin), f64x2.mul(ti, cos))));
      timeCurve = f64x2.sub(timeCurve, f64x2.mul(m, timeReal));
      const varianceReal = f64x2.mul(v128.load(at + half, columnVarianceReal), cos);
      variance = f64x2.add(
        variance,
        f64x2.sub(varianceReal, f64x2.mul(v128.load(at + half, columnVarianceImaginary), sin)),
      );
      u = f64x2.add(u, twice);
      // the two pairs change places: what is turned now is next but one
      const turned = f64x2.sub(f64x2.mul(cos, turnCos), f64x2.mul(sin, turnSin));
      const turnedSin = f64x2.add(f64x2.mul(sin, turnCos), f64x2.mul(cos, turnSin));
      cos = cosNext;
      sin = sinNext;
      cosNext = turned;
      sinNext = turnedSin;
      const swap = value;
      value = valueNext;
      valueNext = swap;
    }
  }
  const scale = step / pi;
  store<f64>(out, scale * total(f64x2.add(value, valueNext)), sumValue);
  store<f64>(out, scale * total(valueX), sumX);
  store<f64>(out, scale * total(curve), sumCurve);
  store<f64>(out, scale * total(curveX), sumCurveX);
  store<f64>(out, scale * total(time), sumTime);
  store<f64>(out, scale * total(timeX), sumTimeX);
  store<f64>(out, scale * total(timeCurve), sumTimeCurve);
  store<f64>(out, scale * total(variance), sumVariance);
}

// @ts-ignore: decorator
@inline
function total(pair: v128): f64 {
  return f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
}

// What a contour's points add up to so far; the sums of heston-room.ts before their scale.
// @ts-ignore: decorator
@inline
function addTo(out: usize, sum: usize, value: f64): void {
  store<f64>(out + sum, load<f64>(out + sum) + value);
}

/** Adds the contour's point at s to the sums; returns its size, in deviations, curvature counted. */
function addContourPoint(room: usize, x: f64, turnCos: f64, turnSin: f64, s: f64, deviation: f64): f64 {
  const back = exp<f64>(-s);
  const t = exp<f64>(min<f64>(s - back, 600)) / deviation;
  const weight = t * (1 + back);
  const re = t * turnCos;
  const im = t * turnSin;
  storeCharacteristic<f64>(room, re, im - 0.5);
  const at = room + point;
  const mr = re * re - im * im + 0.25;
  const mi = 2 * re * im;
  const half = -0.5 * load<f64>(room, controlVariance);
  const size = exp<f64>(max<f64>(half * mr, -700));
  const pr = load<f64>(at, pointReal);
  const pi = load<f64>(at, pointImaginary);
  const dr = size * cosine(half * mi) - pr;
  const di = size * sine(half * mi) - pi;
  // e^(iux) e^(iψ) weight/m
  const fall = weight * exp<f64>(max<f64>(-im * x, -700));
  const waveCos = cosine(re * x);
  const waveSin = sine(re * x);
  const kr = fall * (waveCos * turnCos - waveSin * turnSin);
  const ki = fall * (waveCos * turnSin + waveSin * turnCos);
  const per = 1 / (mr * mr + mi * mi);
  const er = (kr * mr + ki * mi) * per;
  const ei = (ki * mr - kr * mi) * per;
  const fr = er * dr - ei * di;
  const fi = er * di + ei * dr;
  const lr = load<f64>(at, pointTimeReal);
  const li = load<f64>(at, pointTimeImaginary);
  const sr = -(pr * lr - pi * li);
  const si = -(pr * li + pi * lr);
  const tr = er * sr - ei * si;
  const ti = er * si + ei * sr;
  const br = load<f64>(at, pointVarianceReal);
  const bi = load<f64>(at, pointVarianceImaginary);
  const out = room + sums;
  addTo(out, sumVariance, ei * (pr * bi + pi * br) - er * (pr * br - pi * bi));
  // m f and iu f
  const cr = mr * fr - mi * fi;
  const ci = mr * fi + mi * fr;
  addTo(out, sumValue, fr);
  addTo(out, sumX, -im * fr - re * fi);
  addTo(out, sumCurve, -cr);
  addTo(out, sumCurveX, im * cr + re * ci);
  addTo(out, sumTime, tr);
  addTo(out, sumTimeX, -im * tr - re * ti);
  addTo(out, sumTimeCurve, mi * ti - mr * tr);
  return max<f64>((abs<f64>(fr) + abs<f64>(fi)) / deviation, (abs<f64>(cr) + abs<f64>(ci)) * deviation);
}

/** Integrates one option along a contour of its own; false where the sums do not settle. */
function sumContour(room: usize, x: f64): bool {
  const out = room + sums;
  const deviation = sqrt<f64>(load<f64>(room, controlVariance));
  // where φ's own phase, of ln φ's slope far out, runs with the option's the turn makes both fall
  const expected = load<f64>(room, keyVariance) + load<f64>(room, pairPull) * load<f64>(room, keyTime);
  const phase = x - (load<f64>(room, keyCorrelation) * expected) / load<f64>(room, keyVolatility);
  const isTurned = phase * x > 0;
  const turnCos = isTurned ? turnCosine : 1;
  const turnSin = isTurned ? (x > 0 ? turnSine : -turnSine) : 0;
  memory.fill(out, 0, sumBytes);
  let step = contourStep;
  let count = 0;
  let quiet = 0;
  for (; count < contourPointsMax && quiet < 4; count++) {
    const size = addContourPoint(room, x, turnCos, turnSin, contourStart + step * <f64>count, deviation);
    if (!(size - size == 0)) return false;
    quiet = count > 24 && size < endedContour ? quiet + 1 : 0;
  }
  if (quiet < 4) return false;
  let value = load<f64>(out, sumValue) * step;
  let curve = load<f64>(out, sumCurve) * step;
  for (let level = 0; level < contourLevels; level++) {
    for (let index = 0; index < count; index++) {
      addContourPoint(room, x, turnCos, turnSin, contourStart + step * (<f64>index + 0.5), deviation);
    }
    step *= 0.5;
    count *= 2;
    const nextValue = load<f64>(out, sumValue) * step;
    const nextCurve = load<f64>(out, sumCurve) * step;
    const isSettled =
      abs<f64>(nextValue - value) <= settled * deviation + rounding && abs<f64>(nextCurve - curve) * deviation <= settledCurve;
    value = nextValue;
    curve = nextCurve;
    if (isSettled) {
      const scale = step / pi;
      for (let at: usize = 0; at < sumBytes; at += 8) store<f64>(out + at, scale * load<f64>(out + at));
      return true;
    }
  }
  return false;
}

/**
 * Writes the slots of forward-form.ts at `form` for the expiry last prepared, a call's for x < 0, else a put's; the value alone unless `hasGreeks`. False where
 * no integral settles.
 */
export function hestonForm(room: usize, x: f64, hasGreeks: bool, form: usize): bool {
  const size = abs<f64>(x);
  if (load<i32>(room, curveKind) == kindCurve && size <= load<f64>(room, curveReach)) sumCurveAt(room, x, hasGreeks);
  else if (size >= load<f64>(room, curveExtent)) memory.fill(room + sums, 0, sumBytes);
  else if (!sumContour(room, x)) return false;
  memory.fill(form, 0, formBytes);
  writeBlack(load<f64>(room, controlVariance), x, form);
  const out = room + sums;
  const scale = exp<f64>(0.5 * x);
  const value = load<f64>(out, sumValue);
  store<f64>(form, load<f64>(form, formValue) + scale * value, formValue);
  if (!hasGreeks) return true;
  const curve = load<f64>(out, sumCurve);
  const time = load<f64>(out, sumTime);
  const timeCurve = load<f64>(out, sumTimeCurve);
  store<f64>(form, load<f64>(form, formX) + scale * (load<f64>(out, sumX) + 0.5 * value), formX);
  store<f64>(form, load<f64>(form, formCurve) + scale * curve, formCurve);
  store<f64>(form, load<f64>(form, formCurveX) + scale * (load<f64>(out, sumCurveX) + 0.5 * curve), formCurveX);
  store<f64>(form, scale * time, formTime);
  store<f64>(form, scale * (load<f64>(out, sumTimeX) + 0.5 * time), formXTime);
  store<f64>(form, scale * timeCurve, formCurveTime);
  // in √v0
  store<f64>(form, 2 * sqrt<f64>(load<f64>(room, keyVariance)) * scale * load<f64>(out, sumVariance), formVolatility);
  return true;
}

/** Black's value of a total variance and its derivatives in x, a call's for x < 0, else a put's. */
function writeBlack(variance: f64, x: f64, form: usize): void {
  const root = sqrt<f64>(variance);
  const side: f64 = x < 0 ? 1 : -1;
  const d2 = x / root - 0.5 * root;
  const asset = exp<f64>(x) * normalLaw<f64>(side * (d2 + root));
  const p = normalDensity<f64>(d2) / root;
  store<f64>(form, side * (asset - normalLaw<f64>(side * d2)), formValue);
  store<f64>(form, side * asset, formX);
  store<f64>(form, p, formCurve);
  store<f64>(form, -(d2 / root) * p, formCurveX);
}

/** The same slots where variance is no chance: Black's with the variance that the time to expiry gathers, `pace` of it a year at the end and `slope` of it a volatility now. */
export function sureVarianceForm(variance: f64, pace: f64, slope: f64, x: f64, form: usize): void {
  memory.fill(form, 0, formBytes);
  writeBlack(variance, x, form);
  const root = sqrt<f64>(variance);
  const h = (x / root - 0.5 * root) / root;
  const p0 = load<f64>(form, formCurve);
  const p1 = load<f64>(form, formCurveX);
  const p2 = (h * h - 1 / variance) * p0;
  store<f64>(form, 0.5 * slope * p0, formVolatility);
  store<f64>(form, 0.5 * pace * p0, formTime);
  store<f64>(form, 0.5 * pace * p1, formXTime);
  store<f64>(form, 0.5 * pace * (p2 - p1), formCurveTime);
}
