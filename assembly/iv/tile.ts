// Where the intermediates of a tile of rows lie between the stages of the implied volatility. Separate because the stages are
// small loops over the same columns (intermediates stay in the first-level cache) and a lane function can return one value only.
import { intermediate } from "../abi/layout";

// Numbers of the columns of intermediates.
export const columnLogMoneyness: usize = 0; // |ln(forward/strike)|
export const columnLogMoneynessLow: usize = 1; // what its rounding lost
export const columnMoneynessSign: usize = 2; // sign bit: forward below strike
export const columnCap: usize = 3; // m = min(S e^(-qT), K e^(-rT)), the largest time value
export const columnCapLow: usize = 4; // what its rounding lost
export const columnGap: usize = 5; // w = e^|ln(forward/strike)| - 1 = intrinsic value of the in-the-money side / m
export const columnTimeValue: usize = 6; // price less intrinsic: the price of the out-of-the-money side
export const columnTimeValueLow: usize = 7; // what its rounding lost
export const columnTarget: usize = 8; // time value / m
export const columnDeviation: usize = 9; // s = σ√T, first a guess, then the answer
export const columnDifference: usize = 10; // D at s
export const columnRegular: usize = 11; // mask: the lane's inputs suit the two-lane path
export const columnGapLow: usize = 14; // what the rounding of w lost
export const columnEta: usize = 15; // η of the guess
export const columnSpread: usize = 16; // h = |ln(forward/strike)|/s
export const columnSlope: usize = 17; // G(h)
export const columnSettled: usize = 18; // mask: no further step is needed
export const columnLogQuotient: usize = 19; // f of ln(spot/strike) = n ln 2 + 2 atanh f
export const columnLogHead: usize = 20; // n ln 2 + 2f
export const columnLogLow: usize = 21; // what that lost
export const columnSpreadLow: usize = 22; // what the rounding of h lost
export const columnDistance: usize = 23; // the price's distance to its upper bound; only where the scalar solver is asked
export const columnShiftedForward: usize = 24; // forward + displacement
export const columnShiftedStrike: usize = 25; // strike + displacement
export const columnShiftedForwardLow: usize = 26; // what those two sums lost
export const columnShiftedStrikeLow: usize = 27;
export const columnRateProduct: usize = 12; // rate·T
export const columnDividendProduct: usize = 13; // dividend_yield·T

/** Address of a column of intermediates at a byte offset into the tile. */
// @ts-ignore: decorator
@inline
export function cell(scratch: usize, column: usize, at: usize): usize {
  return intermediate(scratch, column) + at;
}
