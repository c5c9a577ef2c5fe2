// e^a N(x) over one or two lanes, where e^a may be as large as N(x) is small: what a reflected path weighs. Separate from normal because of a tail
// both exponents are added before either is taken, so that neither overflows.
// Error: 6e-15 relative for |x| ≤ 8, growing like 2^-53 of the exponents' size (tests/numerics/math). Beyond |x| of 39 the Mills fit goes on within 4e-13 to 60, 3e-12 at all.
import { abs, add, constant, larger, lessThan, mul, select, smaller, sub } from "../lane/lane";
import { exp } from "./exp";
import { mills } from "./mills";

const table: usize = memory.data<f64>(
  [
    708.0, 708.0, // 0: as far as the exponential goes
    -708.0, -708.0, // 16
    -0.5, -0.5, // 32
    0.3989422804014327, 0.3989422804014327, // 48: 1/√(2π)
    0.0, 0.0, // 64
    1e9, 1e9, // 80: beyond it every tail is 0
  ],
  16,
);

/** e^a N(x). What is below e^-708 may be that; what would be above e^708 is that. */
// @ts-ignore: decorator
@inline
export function scaledLaw<T>(a: T, x: T): T {
  const magnitude = smaller<T>(abs<T>(x), constant<T>(table + 80));
  const exponent = add<T>(a, mul<T>(mul<T>(magnitude, magnitude), constant<T>(table + 32)));
  const tail = mul<T>(mul<T>(bounded<T>(exponent), mills<T>(magnitude)), constant<T>(table + 48));
  return select<T>(lessThan<T>(x, constant<T>(table + 64)), tail, sub<T>(bounded<T>(a), tail));
}

/** e^x, cut at both ends. */
// @ts-ignore: decorator
@inline
function bounded<T>(x: T): T {
  return exp<T>(larger<T>(smaller<T>(x, constant<T>(table)), constant<T>(table + 16)));
}
