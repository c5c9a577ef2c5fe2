// Barrier options over jets: calls and puts that begin or end where the spot hits a barrier, or one of two, with a rebate. Separate from the
// parts they are made of, which digital options share.
// Source: Merton (1973); Reiner and Rubinstein (1991), Breaking down the barriers; two barriers: Kunitomo and Ikeda (1992).
// A knock-out's rebate is paid when it is hit, a knock-in's at expiry if it never was. Where the spot is at a barrier or beyond it the
// option has been knocked: it is worth its rebate, or the plain option.
import { isBeyond, isDouble, isKnockIn, movedBarrier, sideOf } from "./barrier-kinds";
import { direct, hitDiscount, touched, withBarrier } from "./barrier-legs";
import { survivedWindow } from "./barrier-window";
import { hitDiscountOfTwo, survived } from "./double-barrier-legs";
import { fixed, minus, plus, scaled, times, valueOf } from "./jet";
import { rateDiscount, strike, time } from "./market";
import { isBeyondAt, isSureToTouch, sureMoment, sureVanilla } from "./sure-future";

export function barrierValue(
  isSure: bool,
  isCall: bool,
  kind: i32,
  barrier: f64,
  upperBarrier: f64,
  rebate: f64,
  interval: f64,
  start: f64,
  end: f64,
): usize {
  const phi: f64 = isCall ? 1 : -1;
  if (kind < 0) return plainValue(isSure, phi);
  const isIn = isKnockIn(kind);
  const isTwo = isDouble(kind);
  const side: f64 = isTwo ? 1 : sideOf(kind);
  const level = movedBarrier(fixed(barrier), side, interval, isSure);
  const upper = isTwo ? movedBarrier(fixed(upperBarrier), -1, interval, isSure) : level;
  const isWindow = start > 0 || end < valueOf(time);
  if (isWindow && valueOf(time) > 0) return windowValue(isSure, isIn, side, phi, level, rebate, max<f64>(start, 0), end);
  if (isBeyond(level, side) || (isTwo && isBeyond(upper, -1))) return isIn ? plainValue(isSure, phi) : fixed(rebate);
  if (isSure) {
    const first = isSureToTouch(level, side);
    if (first || (isTwo && isSureToTouch(upper, -1))) {
      return isIn ? plainValue(true, phi) : scaled(sureMoment(first ? level : upper), rebate);
    }
    return isIn ? scaled(rateDiscount, rebate) : plainValue(true, phi);
  }
  const owed = scaled(strike, -phi);
  if (!isTwo) {
    const option = withBarrier(isIn, side, phi, phi, owed, strike, level);
    if (rebate == 0) return option;
    const paid = isIn ? touched(false, side, 0, fixed(1), level) : hitDiscount(level, side);
    return plus(option, scaled(paid, rebate));
  }
  const alive = survived(phi, phi, owed, strike, level, upper);
  const option = isIn ? minus(direct(phi, owed, strike, phi), alive) : alive;
  if (rebate == 0) return option;
  // two bounds that include each other: whatever strike, all that survives is paid
  const paid = isIn ? survived(1, 0, fixed(1), level, level, upper) : hitDiscountOfTwo(level, upper);
  return plus(option, scaled(paid, rebate));
}

/** A barrier that holds from one moment to another; a rebate is a knock-in's. */
function windowValue(
  isSure: bool,
  isIn: bool,
  side: f64,
  phi: f64,
  level: usize,
  rebate: f64,
  start: f64,
  end: f64,
): usize {
  const isHit = start == 0 && isBeyond(level, side);
  if (isHit || isSure) {
    if (isHit || isBeyondAt(level, side, start) || isBeyondAt(level, side, end)) {
      return isIn ? plainValue(isSure, phi) : fixed(0);
    }
    return isIn ? scaled(rateDiscount, rebate) : plainValue(true, phi);
  }
  const owed = scaled(strike, -phi);
  const alive = survivedWindow(side, phi, false, phi, owed, strike, level, start, end);
  if (!isIn) return alive;
  const option = minus(plainValue(false, phi), alive);
  if (rebate == 0) return option;
  return plus(option, scaled(survivedWindow(side, phi, true, 0, fixed(1), strike, level, start, end), rebate));
}

function plainValue(isSure: bool, phi: f64): usize {
  return isSure ? sureVanilla(phi, strike) : direct(phi, scaled(strike, -phi), strike, phi);
}
