// A barrier that holds for part of an option's life, from t₁ to t₂, over jets. Separate from barrier-legs, whose formulas these become where the
// window is the whole life, because three moments are looked at instead of one.
// Source: Heynen and Kat (1994), Partial barrier options, for windows at either end; the general one after Armstrong (2001), Valuation formulae for
// window barrier options. A spot at or beyond the barrier when the window opens knocks the option.
// Legend as in barrier-legs; X = ln(S_t/S), side +1 for a barrier below. By reflection at t₁ and Girsanov's theorem
//   P(not hit, X_T beyond z) = P(X₁ > h, X₂ > h, X_T beyond z) - e^(2νh/σ²) P(X₁ < -h, X₂ > -h, X_T beyond z - 2h),
// each the law of a chain of three normal variables; > and < as the side has it.
import { lawOfChain, lawOfTwo } from "./joint-law";
import {
  atTime,
  exponential,
  fixed,
  kept,
  law,
  logarithm,
  mark,
  minus,
  over,
  plus,
  scaled,
  squareRoot,
  times,
  valueOf,
  variable,
} from "./jet";
import { deviation, drift, rateDiscount, spot, time, variance, volatility, yieldDiscount } from "./market";

/** Largest |2νh/σ²|, both with spot and cash as the unit: past it the image's weight is too large for a double. */
export const weightMax: f64 = 600;

/** Whether the weights of both images are within bounds. */
export function isWithinWeight(barrier: f64): bool {
  const h = valueOf(logarithm(fixed(barrier), spot));
  const ratio = (2 * valueOf(drift)) / valueOf(variance);
  return abs<f64>(ratio * h) <= weightMax && abs<f64>((ratio + 2) * h) <= weightMax;
}

/** A moment before expiry: it comes nearer as expiry does. */
// @ts-ignore: decorator
@inline
function moment(t: f64): usize {
  return variable(t, atTime);
}

/** σ√t; of a later one √(early/late) and √((late - early)/late). */
function spreadAt(at: usize): usize {
  return times(volatility, squareRoot(at));
}

/** One of the two probabilities: first one reflected or not. */
function chance(
  isMirrored: bool,
  own: usize,
  h: usize,
  z: usize,
  side: f64,
  phi: f64,
  isAll: bool,
  start: f64,
  end: f64,
): usize {
  const begin = mark();
  const sign: f64 = isMirrored ? -1 : 1;
  const hasStart = start > 0;
  const isShort = end < valueOf(time);
  const late = isShort ? moment(end) : time;
  const lateSpread = isShort ? spreadAt(late) : deviation;
  // standardised so that each condition is Z ≤ its bound
  const b = scaled(over(minus(times(own, late), scaled(h, sign)), lateSpread), side);
  const target = isMirrored ? minus(z, scaled(h, 2)) : z;
  const c = scaled(over(minus(times(own, time), target), deviation), phi);
  // with the window's end at expiry both conditions are on one variable
  const isAlong = side == phi;
  if (!hasStart) {
    if (isAll) return kept(begin, law(b));
    if (!isShort) {
      const bound = -valueOf(c);
      if (isAlong) return kept(begin, law(valueOf(c) < valueOf(b) ? c : b));
      if (bound >= valueOf(b)) return fixed(0);
      return kept(begin, minus(law(b), law(scaled(c, -1))));
    }
    return kept(begin, lawOfTwo(b, c, scaled(squareRoot(over(late, time)), side * phi), squareRoot(over(minus(time, late), time))));
  }
  const early = moment(start);
  const a = scaled(over(minus(times(own, early), scaled(h, sign)), spreadAt(early)), side * sign);
  const rho = scaled(squareRoot(over(early, late)), sign);
  const kappa = squareRoot(over(minus(late, early), late));
  if (isAll) return kept(begin, lawOfTwo(a, b, rho, kappa));
  if (!isShort) {
    const bound = -valueOf(c);
    if (isAlong) return kept(begin, lawOfTwo(a, valueOf(c) < valueOf(b) ? c : b, rho, kappa));
    if (bound >= valueOf(b)) return fixed(0);
    return kept(begin, minus(lawOfTwo(a, b, rho, kappa), lawOfTwo(a, scaled(c, -1), rho, kappa)));
  }
  const rhoLast = scaled(squareRoot(over(late, time)), side * phi);
  const kappaLast = squareRoot(over(minus(time, late), time));
  const rhoEnds = scaled(squareRoot(over(early, time)), sign * side * phi);
  const kappaEnds = squareRoot(over(minus(time, early), time));
  return kept(begin, lawOfChain(a, b, c, rho, kappa, rhoLast, kappaLast, rhoEnds, kappaEnds));
}

/** The probability of not hitting the barrier in the window and ending beyond the level, or anywhere. */
function living(isAsset: bool, level: usize, barrier: usize, side: f64, phi: f64, isAll: bool, start: f64, end: f64): usize {
  const own = isAsset ? plus(drift, variance) : drift;
  const h = logarithm(barrier, spot);
  const z = isAll ? h : logarithm(level, spot);
  const weight = exponential(scaled(over(times(own, h), variance), 2));
  const direct = chance(false, own, h, z, side, phi, isAll, start, end);
  const image = chance(true, own, h, z, side, phi, isAll, start, end);
  return minus(direct, times(weight, image));
}

/** A payment beyond the strike (for `isAll` anywhere) if the barrier was not hit between the moments. */
export function survivedWindow(
  side: f64,
  phi: f64,
  isAll: bool,
  assets: f64,
  cash: usize,
  strike: usize,
  barrier: usize,
  start: f64,
  end: f64,
): usize {
  // all is above a level of 0, nothing is below
  const isEverywhere = isAll || valueOf(strike) == 0;
  if (isEverywhere && !isAll && phi < 0) return fixed(0);
  const begin = mark();
  const paid = kept(
    begin,
    times(times(cash, rateDiscount), living(false, strike, barrier, side, phi, isEverywhere, start, end)),
  );
  if (assets == 0) return paid;
  const asset = times(times(spot, yieldDiscount), living(true, strike, barrier, side, phi, isEverywhere, start, end));
  return kept(begin, plus(paid, scaled(asset, assets)));
}
