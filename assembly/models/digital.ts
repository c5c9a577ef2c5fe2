// Digital options over jets: cash, asset or gap at expiry, with barriers or without, and payments for touching a level or never touching it.
// Separate from barrier options because the payoffs differ; the formulas are those of barrier-legs.
// Source: Rubinstein and Reiner (1991), Unscrambling the binary code; Haug (2007), The Complete Guide to Option Pricing Formulas, 4.19.
// A call pays where the spot ends above the strike, a put below; nothing where it ends exactly there. A touch's level is the strike: above
// the spot for a call, below it for a put.
import { barrierDownOut, barrierUpOut, isBeyond, isDouble, isKnockIn, movedBarrier, sideOf } from "./barrier-kinds";
import { direct, hitDiscount, touched, withBarrier } from "./barrier-legs";
import { hitOne, survived } from "./double-barrier-legs";
import { fixed, minus, scaled, times, valueOf } from "./jet";
import { rateDiscount, spot, strike, yieldDiscount } from "./market";
import { isSureToTouch, sureMoment, surePayment } from "./sure-future";

// Words of `payoff`, by place.
export const payoffCash: i32 = 0;
export const payoffAsset: i32 = 1;
export const payoffGap: i32 = 2;
export const payoffOneTouch: i32 = 3;
export const payoffOneTouchAtExpiry: i32 = 4;
export const payoffNoTouch: i32 = 5;
export const payoffAssetTouch: i32 = 6;
export const payoffAssetTouchAtExpiry: i32 = 7;
export const payoffAssetNoTouch: i32 = 8;

/** The price of a payoff at expiry beyond the strike; `kind` is a barrier's or none. */
export function digitalValue(
  isSure: bool,
  isCall: bool,
  payoff: i32,
  cash: f64,
  gapStrike: f64,
  kind: i32,
  barrier: f64,
  upperBarrier: f64,
  interval: f64,
): usize {
  if (payoff >= payoffOneTouch) return touchValue(isSure, isCall, payoff, cash, kind, barrier, interval);
  const phi: f64 = isCall ? 1 : -1;
  const assets: f64 = payoff == payoffCash ? 0 : payoff == payoffAsset ? 1 : phi;
  const paid = fixed(payoff == payoffCash ? cash : payoff == payoffAsset ? 0 : -phi * gapStrike);
  if (kind < 0) {
    return isSure ? surePayment(phi, assets, paid, strike) : direct(assets, paid, strike, phi);
  }
  const isIn = isKnockIn(kind);
  if (isDouble(kind)) {
    const lower = movedBarrier(fixed(barrier), 1, interval, isSure);
    const upper = movedBarrier(fixed(upperBarrier), -1, interval, isSure);
    const isHit =
      isBeyond(lower, 1) || isBeyond(upper, -1) || (isSure && (isSureToTouch(lower, 1) || isSureToTouch(upper, -1)));
    if (isHit || isSure) {
      if (isHit != isIn) return fixed(0);
      return isSure ? surePayment(phi, assets, paid, strike) : direct(assets, paid, strike, phi);
    }
    const alive = survived(phi, assets, paid, strike, lower, upper);
    return isIn ? minus(direct(assets, paid, strike, phi), alive) : alive;
  }
  const side = sideOf(kind);
  const level = movedBarrier(fixed(barrier), side, interval, isSure);
  const isHit = isBeyond(level, side) || (isSure && isSureToTouch(level, side));
  if (isHit || isSure) {
    if (isHit != isIn) return fixed(0);
    return isSure ? surePayment(phi, assets, paid, strike) : direct(assets, paid, strike, phi);
  }
  return withBarrier(isIn, side, phi, assets, paid, strike, level);
}

/** Whether a touch's barrier has a meaning: a knock-out on the other side of the spot, and not where the hit is only paid for at expiry. */
export function isTouchBarrier(isCall: bool, payoff: i32, kind: i32): bool {
  if (kind < 0) return true;
  if (payoff == payoffOneTouchAtExpiry || payoff == payoffAssetTouchAtExpiry) return false;
  return kind == (isCall ? barrierDownOut : barrierUpOut);
}

function touchValue(
  isSure: bool,
  isCall: bool,
  payoff: i32,
  cash: f64,
  kind: i32,
  barrier: f64,
  interval: f64,
): usize {
  const side: f64 = isCall ? -1 : 1;
  const isAsset = payoff >= payoffAssetTouch;
  const when = isAsset ? payoff - (payoffAssetTouch - payoffOneTouch) : payoff;
  const level = movedBarrier(strike, side, interval, isSure);
  const assets: f64 = isAsset ? 1 : 0;
  const paid = fixed(isAsset ? 0 : cash);
  const isHit = isBeyond(level, side);
  const isTwo = kind >= 0;
  const other = isTwo ? movedBarrier(fixed(barrier), -side, interval, isSure) : level;
  if (isTwo && isBeyond(other, -side)) return fixed(0);
  if (!isHit && !isSure && valueOf(strike) > 0) {
    const lower = isCall ? other : level;
    const upper = isCall ? level : other;
    if (when != payoffOneTouch) {
      if (isTwo) return survived(1, assets, paid, lower, lower, upper);
      return touched(when == payoffOneTouchAtExpiry, side, assets, paid, level);
    }
    const chance = isTwo ? hitOne(!isCall, lower, upper) : hitDiscount(level, side);
    return isAsset ? times(strike, chance) : scaled(chance, cash);
  }
  // a level of 0 is never hit from above: what is left of two is the other
  if (isTwo && !isHit && !isSure && when == payoffNoTouch) return touched(false, -side, assets, paid, other);
  const isSoon = isHit || (isSure && isSureToTouch(level, side));
  if (isTwo && !isHit && isSure && isSureToTouch(other, -side)) return fixed(0);
  if ((when == payoffNoTouch) == isSoon) return fixed(0);
  if (when == payoffOneTouch) {
    if (isHit) return isAsset ? spot : fixed(cash);
    return times(isAsset ? strike : paid, sureMoment(level));
  }
  return isAsset ? times(spot, yieldDiscount) : times(paid, rateDiscount);
}
