// What exotic options are worth where nothing is uncertain: at expiry, without volatility, without a spot. The spot then grows steadily to its
// forward, so a barrier between both is hit, at a known moment. Separate from the formulas because these rows are few and full of
// decisions. Jets carry the derivatives; where the payoff has its kink they are the mean of both sides, and what has no limit is named by
// `edge` for the caller to make null.
import { exponential, exponentialOf, fixed, logarithm, minus, over, plus, scaled, times, valueOf } from "./jet";
import { dividendYield, forward, rate, rateDiscount, spot, time, yieldDiscount } from "./market";

/** Nothing to make null; the payoff's kink; a jump of the payoff itself. */
export const edgeNone: i32 = 0;
export const edgeKink: i32 = 1;
export const edgeJump: i32 = 2;
/** What the last row met. */
export let edge: i32 = edgeNone;

export function setEdge(met: i32): void {
  edge = met;
}

/** The forward less the level, in a form that is exact where there is no carry. */
export function sureExcess(level: usize): f64 {
  const hasCarry = valueOf(rate) * valueOf(time) != valueOf(dividendYield) * valueOf(time);
  if (!hasCarry) return valueOf(spot) - valueOf(level);
  return valueOf(spot) * valueOf(yieldDiscount) - valueOf(level) * valueOf(rateDiscount);
}

/** So many assets and so much cash at expiry. */
export function sureLeg(assets: f64, cash: usize): usize {
  return plus(scaled(times(spot, yieldDiscount), assets), times(cash, rateDiscount));
}

/** A payment if the forward is beyond the level, above it for φ = 1. Where it is there exactly nothing is paid, and what jumps there has no derivative. */
export function surePayment(phi: f64, assets: f64, cash: usize, level: usize): usize {
  const excess = phi * sureExcess(level);
  if (excess > 0) return sureLeg(assets, cash);
  if (excess == 0 && (valueOf(spot) > 0 || valueOf(level) > 0)) edge = edgeJump;
  return fixed(0);
}

/** max(φ(S - K), 0) at expiry. */
export function sureVanilla(phi: f64, strike: usize): usize {
  const excess = phi * sureExcess(strike);
  if (excess > 0) return sureLeg(phi, scaled(strike, -phi));
  if (excess < 0 || (valueOf(spot) == 0 && valueOf(strike) == 0)) return fixed(0);
  edge = edgeKink;
  const half = scaled(sureLeg(phi, scaled(strike, -phi)), 0.5);
  store<f64>(half, 0);
  return half;
}

/** Whether the way from spot to forward meets the level, which the spot has not yet. */
export function isSureToTouch(level: usize, side: f64): bool {
  return side * sureExcess(level) <= 0;
}

/** Whether the sure way is at the level or beyond it at a moment. */
export function isBeyondAt(level: usize, side: f64, at: f64): bool {
  const there = valueOf(spot) * exponentialOf((valueOf(rate) - valueOf(dividendYield)) * at);
  return side * (there - valueOf(level)) <= 0;
}

/** e^(-rτ), τ the moment at which the way to the forward meets the level. */
export function sureMoment(level: usize): usize {
  const moment = over(logarithm(level, spot), minus(rate, dividendYield));
  return exponential(scaled(times(rate, moment), -1));
}

/** The level itself, or where the forward lies beyond it on the side given, the forward: extremes of the way. */
export function sureExtreme(isMaximum: bool, level: usize): usize {
  const sign: f64 = isMaximum ? 1 : -1;
  return sign * sureExcess(level) > 0 ? forward : level;
}
