// A second door, for tests only: the math routines by themselves, one lane or two, so that each routine's stated error is
// held without a model around it. Never part of the executable.
import { exp, expOfSum } from "./math/exp";
import { logRatio } from "./math/log-ratio";
import { mills, millsFine } from "./math/mills";
import { normalDensity, normalLaw } from "./math/normal";

export function heap_base(): usize {
  return __heap_base;
}

// @ts-ignore: decorator
@inline
function evaluate<T>(routine: i32, a: T, b: T): T {
  switch (routine) {
    case 0:
      return exp<T>(a);
    case 1:
      return expOfSum<T>(a, b);
    case 2:
      return logRatio<T>(a, b);
    case 3:
      return mills<T>(a);
    case 4:
      return millsFine<T>(a);
    case 5:
      return normalDensity<T>(a);
    default:
      return normalLaw<T>(a);
  }
}

/** out[i] = routine(a[i], b[i]) for an even number of values, two lanes at a time. */
export function evaluate_pairs(routine: i32, count: i32, a: usize, b: usize, out: usize): void {
  for (let at: usize = 0; at < <usize>count << 3; at += 16) {
    store<v128>(out + at, evaluate<v128>(routine, load<v128>(a + at), load<v128>(b + at)));
  }
}

/** The same, one lane at a time. */
export function evaluate_singles(routine: i32, count: i32, a: usize, b: usize, out: usize): void {
  for (let at: usize = 0; at < <usize>count << 3; at += 8) {
    store<f64>(out + at, evaluate<f64>(routine, load<f64>(a + at), load<f64>(b + at)));
  }
}
