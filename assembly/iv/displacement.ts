// Forward and strike with a displacement added, in two words each, for the implied volatility of the displaced model. Separate because no
// other model needs it: the stages of time-value see the sums, and what those lost is put in here, after two of them.
// Source: Rubinstein 1983; ln((S + ε)/(K + δ)) = ln(S/K) + ε/S - δ/K with ε/S, δ/K <= 2^-53, whose squares count nothing.
import { add, div, lessThan, mul, or, select, splat, sub } from "../lane/lane";
import { sumLow } from "../math/error-free";
import {
  cell,
  columnCap,
  columnCapLow,
  columnLogLow,
  columnMoneynessSign,
  columnShiftedForward,
  columnShiftedForwardLow,
  columnShiftedStrike,
  columnShiftedStrikeLow,
} from "./tile";

/** Before the first stage: the sums. */
// @ts-ignore: decorator
@inline
export function storeShifted<T>(scratch: usize, at: usize, forward: T, strike: T, displacement: T): void {
  const shiftedForward = add<T>(forward, displacement);
  const shiftedStrike = add<T>(strike, displacement);
  store<T>(cell(scratch, columnShiftedForward, at), shiftedForward);
  store<T>(cell(scratch, columnShiftedStrike, at), shiftedStrike);
  store<T>(cell(scratch, columnShiftedForwardLow, at), sumLow<T>(forward, displacement, shiftedForward));
  store<T>(cell(scratch, columnShiftedStrikeLow, at), sumLow<T>(strike, displacement, shiftedStrike));
}

/** After the stage of the logarithm: what its low word lacks. */
// @ts-ignore: decorator
@inline
export function addToLogRatio<T>(scratch: usize, at: usize): void {
  const forward = div<T>(
    load<T>(cell(scratch, columnShiftedForwardLow, at)),
    load<T>(cell(scratch, columnShiftedForward, at)),
  );
  const strike = div<T>(
    load<T>(cell(scratch, columnShiftedStrikeLow, at)),
    load<T>(cell(scratch, columnShiftedStrike, at)),
  );
  const low = cell(scratch, columnLogLow, at);
  store<T>(low, add<T>(load<T>(low), sub<T>(forward, strike)));
}

/** After the stage of the cap: the low word of its base, discounted like the base. */
// @ts-ignore: decorator
@inline
export function addToCap<T>(scratch: usize, at: usize): void {
  const isForwardLow = lessThan<T>(
    or<T>(splat<T>(1), load<T>(cell(scratch, columnMoneynessSign, at))),
    splat<T>(0),
  );
  const base = select<T>(
    isForwardLow,
    load<T>(cell(scratch, columnShiftedForward, at)),
    load<T>(cell(scratch, columnShiftedStrike, at)),
  );
  const baseLow = select<T>(
    isForwardLow,
    load<T>(cell(scratch, columnShiftedForwardLow, at)),
    load<T>(cell(scratch, columnShiftedStrikeLow, at)),
  );
  const low = cell(scratch, columnCapLow, at);
  const discounted = div<T>(mul<T>(baseLow, load<T>(cell(scratch, columnCap, at))), base);
  store<T>(low, add<T>(load<T>(low), discounted));
}
