// The routines of the implied volatility by themselves, for tests only (see assembly/probe.ts): each one's stated error is held
// without the rest around it. Never part of the executable.
import { exp } from "../math/exp";
import { add, mul, splat, sub } from "../lane/lane";
import { productLow, sumLow } from "../math/error-free";
import { guessDeviation, guessEta } from "./guess";
import { millsSlope } from "../math/mills-slope";
import { millsDifferenceSeries, millsShifted } from "./mills-difference";

// @ts-ignore: decorator
@inline
function evaluate<T>(routine: i32, a: T, b: T): T {
  switch (routine) {
    case 0:
      return millsSlope<T>(a);
    case 1:
      return millsShifted<T>(a);
    case 2: // h and t
      return millsDifferenceSeries<T>(millsSlope<T>(a), a, b);
    case 3:
      return productLow<T>(a, b, mul<T>(a, b));
    case 4:
      return sumLow<T>(a, b, add<T>(a, b));
    default: {
      // |ln(forward/strike)| and time value / m
      const gap = sub<T>(exp<T>(a), splat<T>(1));
      return guessDeviation<T>(a, gap, b, guessEta<T>(gap, b));
    }
  }
}

/** out[i] = routine(a[i], b[i]): pairs of values two lanes at a time, an odd last one by itself. */
export function evaluate_implied_volatility(routine: i32, count: i32, a: usize, b: usize, out: usize): void {
  const last: usize = (<usize>count & ~1) << 3;
  for (let at: usize = 0; at < last; at += 16) {
    v128.store(out + at, evaluate<v128>(routine, v128.load(a + at), v128.load(b + at)));
  }
  if ((count & 1) != 0) store<f64>(out + last, evaluate<f64>(routine, load<f64>(a + last), load<f64>(b + last)));
}
