// Forward and strike pushed above zero by a displacement, before anything takes their logarithm. Separate from black.ts because one
// model needs it. Source: Rubinstein 1983, displaced diffusion.
// A sum of two doubles loses a low word, and near the money ln(S/K) lives on the difference of the two: the low words go into the
// carry, where ln((S + ε)/(K + δ)) = ln(S/K) + ε/S - δ/K. Error of that: the squares of ε/S, nothing.
import { inputsMax, tileBytes } from "../abi/layout";
import { add, div, sub } from "../lane/lane";

/** Shifted forwards and strikes, and what their low words add to the logarithm. */
export const shiftedSpotColumn: usize = (inputsMax + 20) * tileBytes;
export const shiftedStrikeColumn: usize = shiftedSpotColumn + tileBytes;
export const shiftCarryColumn: usize = shiftedStrikeColumn + tileBytes;

/** What the rounded sum lacks (Knuth's two-sum). */
// @ts-ignore: decorator
@inline
function lowOfSum<T>(a: T, b: T, sum: T): T {
  const second = sub<T>(sum, a);
  return add<T>(sub<T>(a, sub<T>(sum, second)), sub<T>(b, second));
}

/** Fills the three columns for `bytes` of rows. */
export function shift<T>(forwards: usize, strikes: usize, displacements: usize, scratch: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += sizeof<T>()) {
    const cell = scratch + at;
    const forward = load<T>(forwards + at);
    const strike = load<T>(strikes + at);
    const displacement = load<T>(displacements + at);
    const spot = add<T>(forward, displacement);
    const shiftedStrike = add<T>(strike, displacement);
    const spotLow = lowOfSum<T>(forward, displacement, spot);
    const strikeLow = lowOfSum<T>(strike, displacement, shiftedStrike);
    store<T>(cell, spot, shiftedSpotColumn);
    store<T>(cell, shiftedStrike, shiftedStrikeColumn);
    store<T>(cell, sub<T>(div<T>(spotLow, spot), div<T>(strikeLow, shiftedStrike)), shiftCarryColumn);
  }
}
