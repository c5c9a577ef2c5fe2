// Which barriers a contract has, as words of the wire by place, and what each means. Separate because barrier options and digital ones
// share them. A barrier that is looked at in intervals is moved away from the spot by 0.5826 deviations of one interval (Broadie,
// Glasserman and Kou 1997, A continuity correction for discrete barrier options, theorem 1.1; β = -ζ(1/2)/√(2π)): right to o(√interval).
import { exponential, scaled, times, valueOf } from "./jet";
import { spot, volatility } from "./market";

export const barrierDownIn: i32 = 0;
export const barrierDownOut: i32 = 1;
export const barrierUpIn: i32 = 2;
export const barrierUpOut: i32 = 3;
export const barrierDoubleIn: i32 = 4;
export const barrierDoubleOut: i32 = 5;
/** Of a digital option without a barrier. */
export const barrierNone: i32 = -1;

/** -ζ(1/2)/√(2π). */
const continuityShift: f64 = 0.5825971579390107;

// @ts-ignore: decorator
@inline
export function isKnockIn(kind: i32): bool {
  return (kind & 1) == 0;
}

// @ts-ignore: decorator
@inline
export function isDouble(kind: i32): bool {
  return kind >= barrierDoubleIn;
}

/** 1 where the barrier lies below the spot, -1 above. */
// @ts-ignore: decorator
@inline
export function sideOf(kind: i32): f64 {
  return kind <= barrierDownOut ? 1 : -1;
}

/** The barrier as continuous monitoring would have it; without uncertainty it stays where it is. */
export function movedBarrier(barrier: usize, side: f64, interval: f64, isSure: bool): usize {
  if (interval == 0 || isSure) return barrier;
  return times(barrier, exponential(scaled(volatility, -side * continuityShift * sqrt<f64>(interval))));
}

/** Whether the spot is at the barrier or beyond it. */
// @ts-ignore: decorator
@inline
export function isBeyond(barrier: usize, side: f64): bool {
  return side * (valueOf(spot) - valueOf(barrier)) <= 0;
}

