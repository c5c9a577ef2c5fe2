// Lookback options over jets: the strike is the best price that was, or the payoff is made by it. Separate from barrier options because here
// the whole law of an extreme is integrated.
// Source: Goldman, Sosin and Gatto (1979), Path dependent options; Conze and Viswanathan (1991). One form for all four:
//   call on the maximum  e^(-rT) max(M - K, 0) + call(S, X) + D S I(+1, X),  X = max(M, K)     (fixed strike)
//   put on the minimum   e^(-rT) max(K - M, 0) + put(S, X) + D S I(-1, X),   X = min(M, K)
//   maximum less spot    put(S, M) + D S I(+1, M)                                             (floating strike)
//   spot less minimum    call(S, M) + D S I(-1, M)
// M the extreme so far, k = ln(X/S), p = 2(r - q)/σ², s = σ√T, u± = (p ± 1)s/2,
//   I(η) = ∫ e^(pk') N(-η(k'/s + u-)) dk' beyond k = (η/p) (e^(ps²/2) N(η(u+ - k/s)) - e^(pk) N(-η(k/s + u-))),
// and where p s is small, the same by Gauss–Legendre's rule over the quotient's derivative in p: no digit is lost as r → q.
// Extremes seen in intervals: Broadie, Glasserman and Kou (1999), Connecting discrete and continuous path-dependent options.
import { direct } from "./barrier-legs";
import {
  assign,
  exponential,
  fixed,
  logarithm,
  mark,
  minus,
  over,
  plus,
  release,
  scaled,
  shifted,
  times,
  valueOf,
  weightedDensity,
  weightedLaw,
} from "./jet";
import {
  deviation,
  dividendYield,
  rate,
  rateDiscount,
  spot,
  strike,
  variance,
  volatility,
  yieldDiscount,
} from "./market";
import { sureExcess, sureVanilla } from "./sure-future";

export const strikeFixed: i32 = 0;
export const strikeFloating: i32 = 1;

/** |p s| below which the quotient is integrated. */
const quotientMin: f64 = 0.1;
/** -ζ(1/2)/√(2π). */
const continuityShift: f64 = 0.5825971579390107;

// Gauss–Legendre's points on [0, 1] and weights, degree 8.
const points: usize = memory.data<f64>([
  0.019855071751231884, 0.10166676129318664, 0.2372337950418355, 0.4082826787521751, 0.5917173212478249,
  0.7627662049581645, 0.8983332387068134, 0.9801449282487681,
]);
const weights: usize = memory.data<f64>([
  0.05061426814518813, 0.11119051722668724, 0.15685332293894363, 0.18134189168918100, 0.18134189168918100,
  0.15685332293894363, 0.11119051722668724, 0.05061426814518813,
]);
const pointsCount: usize = 8;

/** I(η, X), see the head. */
function extremeIntegral(eta: f64, level: usize): usize {
  if (valueOf(level) == 0) return fixed(0);
  const k = logarithm(level, spot);
  const p = over(scaled(minus(rate, dividendYield), 2), variance);
  const ratio = over(k, deviation);
  if (abs<f64>(valueOf(p) * valueOf(deviation)) > quotientMin) {
    const near = upperTail(eta, p, ratio);
    return scaled(over(minus(near, lowerTail(eta, p, k, ratio)), p), eta);
  }
  const sum = fixed(0);
  const halfSquare = scaled(times(deviation, deviation), 0.5);
  const start = mark();
  for (let point: usize = 0; point < pointsCount; point++) {
    const at = scaled(p, load<f64>(points + (point << 3)));
    const near = times(upperTail(eta, at, ratio), halfSquare);
    const far = times(lowerTail(eta, at, k, ratio), k);
    const x = plus(ratio, scaled(times(shifted(at, -1), deviation), 0.5));
    const weight = times(at, k);
    const exponent = valueOf(weight) - 0.5 * valueOf(x) * valueOf(x);
    const edge = times(weightedDensity(weight, x, exponent), deviation);
    const part = plus(scaled(minus(near, far), eta), edge);
    assign(sum, plus(sum, scaled(part, load<f64>(weights + (point << 3)))));
    release(start);
  }
  return sum;
}

/** e^(ps²/2) N(η(u+ - k/s)). */
function upperTail(eta: f64, p: usize, ratio: usize): usize {
  const x = scaled(minus(scaled(times(shifted(p, 1), deviation), 0.5), ratio), eta);
  const weight = scaled(times(p, times(deviation, deviation)), 0.5);
  return weightedLaw(weight, x, valueOf(weight) - 0.5 * valueOf(x) * valueOf(x));
}

/** e^(pk) N(-η(k/s + u-)). */
function lowerTail(eta: f64, p: usize, k: usize, ratio: usize): usize {
  const x = scaled(plus(ratio, scaled(times(shifted(p, -1), deviation), 0.5)), -eta);
  const weight = times(p, k);
  return weightedLaw(weight, x, valueOf(weight) - 0.5 * valueOf(x) * valueOf(x));
}

/** Price of a lookback; `extreme` is the maximum so far for calls with a fixed strike and puts with a floating one, else the minimum. */
export function lookbackValue(isSure: bool, isCall: bool, kind: i32, extreme: f64, interval: f64): usize {
  const phi: f64 = isCall ? 1 : -1;
  const isFixed = kind == strikeFixed;
  const eta: f64 = isFixed ? phi : -phi;
  // the spot itself is part of the past
  const isSpot = eta * (valueOf(spot) - extreme) > 0;
  const seen = isSpot ? spot : fixed(extreme);
  if (isSure) return sureValue(isFixed, eta, phi, seen);
  const step = exponential(scaled(volatility, eta * continuityShift * sqrt<f64>(interval)));
  const isMoved = interval > 0;
  const past = isMoved ? times(seen, step) : seen;
  const own = isMoved ? times(strike, step) : strike;
  const asset = times(spot, yieldDiscount);
  let value: usize;
  if (isFixed) {
    const isStrike = eta * (valueOf(own) - valueOf(past)) >= 0;
    const level = isStrike ? own : past;
    value = extremeLeg(eta, level);
    if (!isStrike) value = plus(value, scaled(times(minus(past, own), rateDiscount), eta));
    return isMoved ? over(value, step) : value;
  }
  value = plus(direct(phi, scaled(past, -phi), past, phi), extremeGain(eta, past));
  if (!isMoved) return value;
  // η(extreme - spot) where the extreme falls short by the step
  const whole = plus(scaled(value, eta), asset);
  return scaled(minus(over(whole, step), asset), eta);
}

function extremeGain(eta: f64, level: usize): usize {
  return times(times(spot, rateDiscount), extremeIntegral(eta, level));
}

/** η(extreme - X), where positive. */
function extremeLeg(eta: f64, level: usize): usize {
  return plus(direct(eta, scaled(level, -eta), level, eta), extremeGain(eta, level));
}

/** Without uncertainty the extreme is what was seen or the forward. */
function sureValue(isFixed: bool, eta: f64, phi: f64, seen: usize): usize {
  const isForward = eta * sureExcess(seen) > 0;
  const asset = times(spot, yieldDiscount);
  const reached = isForward ? asset : times(seen, rateDiscount);
  if (!isFixed) return scaled(minus(reached, asset), eta);
  if (isForward) return sureVanilla(phi, strike);
  const gain = eta * (valueOf(seen) - valueOf(strike));
  return gain > 0 ? scaled(times(minus(seen, strike), rateDiscount), eta) : fixed(0);
}
