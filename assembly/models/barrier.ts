// Barrier options over jets: calls and puts that begin or end where the spot hits a barrier, or one of two, with a rebate. Separate from the
// parts they are made of, which digital options share.
// Source: Merton (1973); Reiner and Rubinstein (1991), Breaking down the barriers; two barriers: Kunitomo and Ikeda (1992).
// A knock-out's rebate is paid when it is hit, a knock-in's at expiry if it never was. Where the spot is at a barrier or beyond it the
// option has been knocked: it is worth its rebate, or the plain option.
import { isBeyond, isDouble, isKnockIn, movedBarrier, sideOf } from "./barrier-kinds";
import { direct, hitDiscount, touched, withBarrier } from "./barrier-legs";
import { hitDiscountOfTwo, survived } from "./double-barrier-legs";
import { fixed, minus, plus, scaled, times, valueOf } from "./jet";
import { rateDiscount, strike } from "./market";
import { isSureToTouch, sureMoment, sureVanilla } from "./sure-future";

export function barrierValue(
  isSure: bool,
  isCall: bool,
  kind: i32,
  barrier: f64,
  upperBarrier: f64,
  rebate: f64,
  interval: f64,
): usize {
  const phi: f64 = isCall ? 1 : -1;
  if (kind < 0) return plainValue(isSure, phi);
  const isIn = isKnockIn(kind);
  const isTwo = isDouble(kind);
  const side: f64 = isTwo ? 1 : sideOf(kind);
  const level = movedBarrier(fixed(barrier), side, interval, isSure);
  const upper = isTwo ? movedBarrier(fixed(upperBarrier), -1, interval, isSure) : level;
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

function plainValue(isSure: bool, phi: f64): usize {
  return isSure ? sureVanilla(phi, strike) : direct(phi, scaled(strike, -phi), strike, phi);
}
