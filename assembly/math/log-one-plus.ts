// ln(1 + t) for t > -1, over one or two lanes, with all digits as t goes to 0, where 1 + t keeps none of them. Separate from log-ratio because the
// correction costs a division that ratios do not need.
// Method (Kahan): with w the double nearest 1 + t, ln(1 + t) = ln w + (t - (w - 1))/w, up to the square of the last term.
// Error: at most 4 units of 2^-53 relative to the result (tests/numerics/math). No libm.
import { add, constant, div, sub } from "../lane/lane";
import { logRatio } from "./log-ratio";

const one: usize = memory.data<f64>([1.0, 1.0], 16);

/** ln(1 + t); 1 + t is positive and normal. */
// @ts-ignore: decorator
@inline
export function logOnePlus<T>(t: T): T {
  const w = add<T>(constant<T>(one), t);
  const lost = sub<T>(t, sub<T>(w, constant<T>(one)));
  return add<T>(logRatio<T>(w, constant<T>(one)), div<T>(lost, w));
}
