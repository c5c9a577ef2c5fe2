// Bjerksund and Stensland's approximations of American options: exercise at a flat boundary (1993), or at one flat boundary up to the golden section of
// the life and at a lower one from there on (2002). Both are worth what a strategy anybody could follow is worth, so never more than the option; but that of a
// long life with b < 0 the second boundary may be the higher one, and the formula, taken as printed, is no strategy's.
// Source: Bjerksund & Stensland 1993, Closed-Form Approximation of American Options, Scand. J. Management 9; 2002, Closed Form Valuation of American
// Options, NHH discussion paper; both in Haug 2007, section 3.2, whose notation and boundaries these are.
// Everything is a call over a strike of 1; a put is a call whose spot is the strike and whose rate is the yield (their eq. for puts). b = r - q,
// μ(1) = b + σ²/2, μ(0) = b - σ²/2, R = √(μ(1)² + 2qσ²) = μ(β), β = 1 + (R - μ(1))/σ² and β' = 1 - (R + μ(1))/σ² the powers of s that solve the pricing equation.
// Every reflected term is a power (I/s)^κ, which may be huge, times a tail, which is then small: both go into one exponential (math/scaled-law), so no
// volatility is too small. Where the published boundary would lie below that of no time left it is that one: where (r - q)T < -2σ√T.
// Domain: q > 0 (a put: r > 0); else early exercise never pays and the option is European. r of any sign.
import { exp } from "../math/exp";
import { goldenCorrelation, goldenLaw, goldenRest, liftMax } from "../math/golden-law";
import {
  coefficient,
  difference,
  exponential,
  fixed,
  fromGradient,
  jetDegree,
  keep,
  logarithm,
  mark,
  product,
  quotient,
  root,
  scaled,
  scaledLaw as scaledLawOf,
  shifted,
  sum,
} from "../math/jet";
import { logRatio } from "../math/log-ratio";
import { scaledLaw } from "../math/scaled-law";
import {
  europeanUnit,
  jetCarry,
  jetDeviation,
  jetLog,
  jetOf,
  jetRate,
  jetTime,
  jetVariance,
  jetYield,
  pair,
  settle,
} from "./approximation";
import { evaluate, gather, layOut, layOutSpreads } from "./two-periods";

/** Where the life is cut, as a part of it. */
const golden: f64 = 0.6180339887498949;
const rootGolden: f64 = 0.7861513777574233;
/** Where a row works beyond what its price leaves: where its jets will be. */
const workOffset: usize = 512;

/** What a killed path weighs: e^c (N(d) - (barrier/s)^κ N(d reflected)), by logarithms. */
// @ts-ignore: decorator
@inline
function killed(c: f64, reflection: f64, d: f64, reflected: f64): f64 {
  const laws = scaledLaw<v128>(pair(c, c + reflection), pair(d, reflected));
  return f64x2.extract_lane(laws, 0) - f64x2.extract_lane(laws, 1);
}

/** What touching a barrier within the time pays, the payment being 1: l = ln(s/barrier) < 0, R·t, v = σ√t. */
// @ts-ignore: decorator
@inline
function touched(l: f64, beta: f64, otherBeta: f64, drift: f64, v: f64): f64 {
  const laws = scaledLaw<v128>(pair(beta * l, otherBeta * l), pair((l + drift) / v, (l - drift) / v));
  return f64x2.extract_lane(laws, 0) + f64x2.extract_lane(laws, 1);
}

/** The price of a call over a strike of 1, settled at `row`; returns its kind. */
export function flatPrice(
  isTwoStep: bool,
  x: f64,
  s: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  time: f64,
  row: usize,
): i32 {
  const rootTime = sqrt<f64>(time);
  const v = volatility * rootTime;
  const variance = volatility * volatility;
  const carry = rate - dividendYield;
  const rateTime = rate * time;
  const yieldTime = dividendYield * time;
  const d1 = (x + carry * time) / v + 0.5 * v;
  const discounts = exp<v128>(pair(-rateTime, -yieldTime));
  const european = europeanUnit(1, s, d1, v, f64x2.extract_lane(discounts, 0), f64x2.extract_lane(discounts, 1));
  const payoff = s - 1;
  if (!(dividendYield > 0)) return settle(row, 0, european, payoff, f64.NaN);
  const drift1 = carry + 0.5 * variance;
  const drift0 = carry - 0.5 * variance;
  const rho = sqrt<f64>(drift1 * drift1 + 2 * dividendYield * variance);
  // β - 1 and β' - 1, of which one form each has no cancellation
  const excess = drift1 > 0 ? (2 * dividendYield) / (drift1 + rho) : (rho - drift1) / variance;
  const otherExcess = drift1 > 0 ? -(drift1 + rho) / variance : (-2 * dividendYield) / (rho - drift1);
  const start = max<f64>(1, rate / dividendYield);
  // how far the boundary of all time lies above that of no time
  const reach = rate > dividendYield ? reachAbove(carry, dividendYield, variance, rho) : 1 / excess;
  const slope = isTwoStep ? 1 / (reach * start) : start / reach;
  // the boundary of the whole life, and of the first period alone
  const first = golden * time;
  const rootFirst = rootGolden * rootTime;
  const growths = exp<v128>(
    pair(growthOf(carry, time, volatility, rootTime, slope), growthOf(carry, first, volatility, rootFirst, slope)),
  );
  const levels = f64x2.add(f64x2.splat(start), f64x2.mul(f64x2.splat(reach), f64x2.sub(f64x2.splat(1), growths)));
  const logs = logRatio<v128>(levels, f64x2.splat(1));
  const level = f64x2.extract_lane(levels, 0);
  const log = f64x2.extract_lane(logs, 0);
  const l = x - log;
  if (l >= 0) return settle(row, payoff, european, payoff, log);
  const beta = 1 + excess;
  const otherBeta = 1 + otherExcess;
  const inverseVariance = 1 / variance;
  const kappa1 = 2 * drift1 * inverseVariance;
  const kappa0 = kappa1 - 2;
  if (!isTwoStep) {
    const inverseV = 1 / v;
    const asset = x - yieldTime;
    const far = 2 * l * inverseV;
    const dBarrier1 = -(l + drift1 * time) * inverseV;
    const dStrike1 = -(x + drift1 * time) * inverseV;
    const dBarrier0 = -(l + drift0 * time) * inverseV;
    const dStrike0 = -(x + drift0 * time) * inverseV;
    const shares =
      killed(asset, -kappa1 * l, dBarrier1, dBarrier1 + far) - killed(asset, -kappa1 * l, dStrike1, dStrike1 + far);
    const loans =
      killed(-rateTime, -kappa0 * l, dBarrier0, dBarrier0 + far) - killed(-rateTime, -kappa0 * l, dStrike0, dStrike0 + far);
    const value = (level - 1) * touched(l, beta, otherBeta, rho * time, v) + shares - loans;
    return settle(row, value, european, payoff, log);
  }
  const lower = f64x2.extract_lane(levels, 1);
  const logLower = f64x2.extract_lane(logs, 1);
  const v1 = volatility * rootFirst;
  const touch = (level - 1) * touched(l, beta, otherBeta, rho * first, v1);
  const remaining = time - first;
  const power = beta * (x - logLower);
  const kappaBeta = 2 * rho * inverseVariance;
  // what reflections lift far wants each law by itself
  const gap = logLower - x;
  const lift = max<f64>(max<f64>(liftOf(power, kappaBeta, l, gap), liftOf(x - yieldTime, kappa1, l, gap)), liftOf(-rateTime, kappa0, l, gap));
  if (lift > liftMax) {
    const value =
      touch +
      upTo(x - dividendYield * first, kappa1, drift1 * first, v1, x, log, log) -
      upTo(x - dividendYield * first, kappa1, drift1 * first, v1, x, logLower, log) -
      upTo(-rate * first, kappa0, drift0 * first, v1, x, log, log) +
      upTo(-rate * first, kappa0, drift0 * first, v1, x, logLower, log) +
      (lower - 1) *
        (upTo(power, kappaBeta, rho * first, v1, x, logLower, log) -
          throughout(power, kappaBeta, rho, first, v1, time, v, x, logLower, log, logLower)) +
      throughout(x - yieldTime, kappa1, drift1, first, v1, time, v, x, logLower, log, logLower) -
      throughout(x - yieldTime, kappa1, drift1, first, v1, time, v, x, 0, log, logLower) -
      throughout(-rateTime, kappa0, drift0, first, v1, time, v, x, logLower, log, logLower) +
      throughout(-rateTime, kappa0, drift0, first, v1, time, v, x, 0, log, logLower);
    return settle(row, value, european, payoff, log);
  }
  const work = row + workOffset;
  layOutSpreads(work, pair(dividendYield * remaining, rate * remaining));
  const over1 = 1 / v1;
  const over = 1 / v;
  layOut(work, 0, power, kappaBeta, rho, first, time, over1, over, x, log, logLower);
  layOut(work, 1, x - yieldTime, kappa1, drift1, first, time, over1, over, x, log, logLower);
  layOut(work, 2, -rateTime, kappa0, drift0, first, time, over1, over, x, log, logLower);
  evaluate(work);
  const kept = gather(work, 0);
  const shares = gather(work, 1);
  const loans = gather(work, 2);
  const value = touch + (lower - 1) * kept + shares - loans;
  return settle(row, value, european, payoff, log);
}

/** The boundary of all time less r/q, its value at no time, where r > q: without cancellation as σ goes to 0. */
// @ts-ignore: decorator
@inline
function reachAbove(carry: f64, dividendYield: f64, variance: f64, rho: f64): f64 {
  const rest = (variance * (carry + 0.25 * variance + 2 * dividendYield)) / (rho + carry);
  return (0.5 * variance + rest) / (2 * dividendYield);
}

/** The largest exponent before a law: of a path and its reflections above, below and in both. */
// @ts-ignore: decorator
@inline
function liftOf(c: f64, kappa: f64, l: f64, gap: f64): f64 {
  return max<f64>(max<f64>(c, c - kappa * l), max<f64>(c + kappa * gap, c + kappa * (gap + l)));
}

/** The exponent of how a boundary goes from the start to its end, never above 0. */
// @ts-ignore: decorator
@inline
function growthOf(carry: f64, time: f64, volatility: f64, rootTime: f64, slope: f64): f64 {
  return max<f64>(min<f64>(-(carry * time + 2 * volatility * rootTime) * slope, 0), -700);
}

/** Below a level at a time, the barrier not having been touched: Bjerksund and Stensland's φ, e^c before it. */
// @ts-ignore: decorator
@inline
function upTo(c: f64, kappa: f64, drift: f64, v: f64, x: f64, level: f64, barrier: f64): f64 {
  const d = -(x - level + drift) / v;
  return killed(c, kappa * (barrier - x), d, d - (2 * (barrier - x)) / v);
}

/** Below a level at the end, neither barrier having been touched in its time: their Ψ, e^c before it. */
function throughout(
  c: f64,
  kappa: f64,
  drift: f64,
  first: f64,
  v1: f64,
  time: f64,
  v: f64,
  x: f64,
  level: f64,
  upper: f64,
  lower: f64,
): f64 {
  const near = x - lower;
  const far = 2 * upper - x - lower;
  const drift1 = drift * first;
  const drift2 = drift * time;
  const over1 = 1 / v1;
  const over = 1 / v;
  return (
    goldenLaw(c, -(near + drift1) * over1, -(x - level + drift2) * over, 1) -
    goldenLaw(c + kappa * (upper - x), -(far + drift1) * over1, -(2 * upper - x - level + drift2) * over, 1) -
    goldenLaw(c + kappa * (lower - x), -(near - drift1) * over1, -(2 * lower - x - level + drift2) * over, -1) +
    goldenLaw(
      c + kappa * (lower - upper),
      -(far - drift1) * over1,
      -(x + 2 * lower - 2 * upper - level + drift2) * over,
      -1,
    )
  );
}

/** The formula's value over a strike of 1 as a jet; the row's variables are made, mirrored for a put. */
export function flatJet(isTwoStep: bool, row: usize): usize {
  const r = jetOf(row, jetRate);
  const q = jetOf(row, jetYield);
  const t = jetOf(row, jetTime);
  const carry = jetOf(row, jetCarry);
  const variance = jetOf(row, jetVariance);
  const half = scaled(variance, 0.5);
  const drift1 = sum(carry, half);
  const drift0 = difference(carry, half);
  const twice = scaled(product(q, variance), 2);
  const rho = root(sum(product(drift1, drift1), twice));
  const isRising = coefficient(drift1, 0) > 0;
  const both = isRising ? sum(drift1, rho) : difference(rho, drift1);
  const small = quotient(scaled(q, 2), both);
  const large = quotient(both, variance);
  const excess = isRising ? small : large;
  const otherExcess = scaled(isRising ? large : small, -1);
  const beta = shifted(excess, 1, 1);
  const otherBeta = shifted(otherExcess, 1, 1);
  const isAbove = coefficient(r, 0) > coefficient(q, 0);
  const start = isAbove ? quotient(r, q) : fixed(1);
  const reach = isAbove ? reachJet(carry, q, variance, rho) : quotient(fixed(1), excess);
  const slope = isTwoStep ? quotient(fixed(1), product(reach, start)) : quotient(start, reach);
  const level = levelJet(row, start, reach, slope, 1, 1);
  const log = logarithm(level);
  const x = jetOf(row, jetLog);
  const l = difference(x, log);
  const kappa1 = scaled(quotient(drift1, variance), 2);
  const kappa0 = shifted(kappa1, 1, -2);
  const rateTime = product(r, t);
  const yieldTime = product(q, t);
  const v = jetOf(row, jetDeviation);
  if (!isTwoStep) {
    const asset = difference(x, yieldTime);
    const loan = scaled(rateTime, -1);
    const drift1Time = product(drift1, t);
    const drift0Time = product(drift0, t);
    const zero = fixed(0);
    const shares = difference(
      upToJet(asset, kappa1, drift1Time, v, x, log, log),
      upToJet(asset, kappa1, drift1Time, v, x, zero, log),
    );
    const loans = difference(
      upToJet(loan, kappa0, drift0Time, v, x, log, log),
      upToJet(loan, kappa0, drift0Time, v, x, zero, log),
    );
    const paid = product(shifted(level, 1, -1), touchedJet(l, beta, otherBeta, product(rho, t), v));
    return sum(paid, difference(shares, loans));
  }
  const first = scaled(t, golden);
  const lower = levelJet(row, start, reach, slope, golden, rootGolden);
  const logLower = logarithm(lower);
  const kappaBeta = scaled(quotient(rho, variance), 2);
  const power = product(beta, difference(x, logLower));
  const v1 = scaled(v, rootGolden);
  const asset1 = difference(x, product(q, first));
  const loan1 = scaled(product(r, first), -1);
  const asset = difference(x, yieldTime);
  const loan = scaled(rateTime, -1);
  const drift1First = product(drift1, first);
  const drift0First = product(drift0, first);
  const rhoFirst = product(rho, first);
  const drift1Time = product(drift1, t);
  const drift0Time = product(drift0, t);
  const zero = fixed(0);
  let value = product(shifted(level, 1, -1), touchedJet(l, beta, otherBeta, rhoFirst, v1));
  value = sum(value, upToJet(asset1, kappa1, drift1First, v1, x, log, log));
  value = difference(value, upToJet(asset1, kappa1, drift1First, v1, x, logLower, log));
  value = difference(value, upToJet(loan1, kappa0, drift0First, v1, x, log, log));
  value = sum(value, upToJet(loan1, kappa0, drift0First, v1, x, logLower, log));
  const kept = difference(
    upToJet(power, kappaBeta, rhoFirst, v1, x, logLower, log),
    throughoutJet(power, kappaBeta, rhoFirst, v1, product(rho, t), v, x, logLower, log, logLower),
  );
  value = sum(value, product(shifted(lower, 1, -1), kept));
  value = sum(value, throughoutJet(asset, kappa1, drift1First, v1, drift1Time, v, x, logLower, log, logLower));
  value = difference(value, throughoutJet(asset, kappa1, drift1First, v1, drift1Time, v, x, zero, log, logLower));
  value = difference(value, throughoutJet(loan, kappa0, drift0First, v1, drift0Time, v, x, logLower, log, logLower));
  return sum(value, throughoutJet(loan, kappa0, drift0First, v1, drift0Time, v, x, zero, log, logLower));
}

function reachJet(carry: usize, q: usize, variance: usize, rho: usize): usize {
  const brackets = sum(sum(carry, scaled(variance, 0.25)), scaled(q, 2));
  const rest = quotient(product(variance, brackets), sum(rho, carry));
  return quotient(sum(scaled(variance, 0.5), rest), scaled(q, 2));
}

/** A boundary, of a part of the life and that part's root. */
function levelJet(row: usize, start: usize, reach: usize, slope: usize, part: f64, rootPart: f64): usize {
  const drift = scaled(product(jetOf(row, jetCarry), jetOf(row, jetTime)), part);
  const spread = scaled(jetOf(row, jetDeviation), 2 * rootPart);
  const growth = scaled(product(sum(drift, spread), slope), -1);
  const value = coefficient(growth, 0);
  if (value >= 0) return start;
  return sum(start, product(reach, shifted(exponential(growth), -1, 1)));
}

function touchedJet(l: usize, beta: usize, otherBeta: usize, drift: usize, v: usize): usize {
  return sum(
    scaledLawOf(product(beta, l), quotient(sum(l, drift), v)),
    scaledLawOf(product(otherBeta, l), quotient(difference(l, drift), v)),
  );
}

function upToJet(c: usize, kappa: usize, drift: usize, v: usize, x: usize, level: usize, barrier: usize): usize {
  const place = mark();
  const d = scaled(quotient(sum(difference(x, level), drift), v), -1);
  const gap = difference(barrier, x);
  const reflected = difference(d, scaled(quotient(gap, v), 2));
  return keep(place, difference(scaledLawOf(c, d), scaledLawOf(sum(c, product(kappa, gap)), reflected)));
}

/** How many deviations below 0 something is. */
// @ts-ignore: decorator
@inline
function distance(from: usize, v: usize): usize {
  return scaled(quotient(from, v), -1);
}

function throughoutJet(
  c: usize,
  kappa: usize,
  drift1: usize,
  v1: usize,
  drift2: usize,
  v: usize,
  x: usize,
  level: usize,
  upper: usize,
  lower: usize,
): usize {
  const near = difference(x, lower);
  const far = difference(difference(scaled(upper, 2), x), lower);
  const end = difference(x, level);
  const twiceUpper = scaled(upper, 2);
  const twiceLower = scaled(lower, 2);
  let value = goldenJet(c, distance(sum(near, drift1), v1), distance(sum(end, drift2), v), 1);
  value = difference(
    value,
    goldenJet(
      sum(c, product(kappa, difference(upper, x))),
      distance(sum(far, drift1), v1),
      distance(sum(difference(difference(twiceUpper, x), level), drift2), v),
      1,
    ),
  );
  value = difference(
    value,
    goldenJet(
      sum(c, product(kappa, difference(lower, x))),
      distance(difference(near, drift1), v1),
      distance(sum(difference(difference(twiceLower, x), level), drift2), v),
      -1,
    ),
  );
  return sum(
    value,
    goldenJet(
      sum(c, product(kappa, difference(lower, upper))),
      distance(difference(far, drift1), v1),
      distance(sum(sum(end, difference(twiceLower, twiceUpper)), drift2), v),
      -1,
    ),
  );
}

/** e^c M(a, b, ±ρ): by its gradient, in which e^c and the densities share one exponential; in c it is its own derivative, degree by degree. */
function goldenJet(c: usize, a: usize, b: usize, sign: f64): usize {
  const place = mark();
  // what is nothing yet may have derivatives: they are nothing later, 1e-22 here
  const lesser = min<f64>(min<f64>(coefficient(a, 0), coefficient(b, 0)), 0);
  if (coefficient(c, 0) - 0.5 * lesser * lesser < -50) return fixed(0);
  const value = goldenLaw(coefficient(c, 0), coefficient(a, 0), coefficient(b, 0), sign);
  const inA = edge(c, a, b, sign);
  const inB = edge(c, b, a, sign);
  let whole = fixed(value);
  const degrees = jetDegree();
  for (let degree = 0; degree < degrees; degree++) whole = fromGradient(value, inA, a, inB, b, whole, c);
  return keep(place, whole);
}

/** ∂/∂a of e^c M(a, b, ±ρ): e^c φ(a) N((b ∓ ρa)/√(1 - ρ²)), whose law may again be a small tail. */
function edge(c: usize, a: usize, b: usize, sign: f64): usize {
  const exponent = sum(c, scaled(product(a, a), -0.5));
  const rest = scaled(difference(b, scaled(a, sign * goldenCorrelation)), 1 / goldenRest);
  return scaled(scaledLawOf(exponent, rest), 0.3989422804014327);
}
