// A second door, for tests only: the math routines by themselves, one lane or two, so that each routine's stated error is
// held without a model around it. In batch/ because it reaches into math and iv. Never part of the executable.
import { bridgePath, prepareBridge } from "../math/brownian-bridge";
import { exp, expLessOne, expOfSum } from "../math/exp";
import { exp2, storeThreeExp2s } from "../math/exp2";
import { goldenLaw } from "../math/golden-law";
import { inverseNormal } from "../math/inverse-normal";
import { logOnePlus } from "../math/log-one-plus";
import { growthRatio } from "../math/jet";
import { logRatio } from "../math/log-ratio";
import { mills } from "../math/mills";
import { millsWeighted, storeTwoMillsWeighted } from "../math/mills-weighted";
import { normalDensity, normalLaw } from "../math/normal";
import { randomBits } from "../math/random";
import { scaledLaw } from "../math/scaled-law";
import { scrambled, sobolWord } from "../math/sobol";
import { angle, cosineOf, quarterTurns, sineOf, withoutTurns } from "../math/trigonometry";

export { evaluate_implied_volatility } from "../iv/probe";

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
      return normalDensity<T>(a);
    case 5:
      return normalLaw<T>(a);
    case 6:
      return exp2<T>(a);
    case 20:
      return sineOf<T>(withoutTurns<T>(a, quarterTurns<T>(a)), quarterTurns<T>(a));
    case 21:
      return cosineOf<T>(withoutTurns<T>(a, quarterTurns<T>(a)), quarterTurns<T>(a));
    case 22:
      return angle<T>(a, b);
    case 23:
      return expLessOne<T>(a);
    case 24:
      return logOnePlus<T>(a);
    default:
      return millsWeighted<T>(a);
  }
}

/** Beyond the single routines: 10, 11, 12 the parts of storeThreeExp2s(a, b, a), 13 and 14 those of storeTwoMillsWeighted(a, b). */
// @ts-ignore: decorator
@inline
function evaluateWoven<T>(routine: i32, a: T, b: T, space: usize): T {
  if (routine < 13) {
    storeThreeExp2s<T>(a, b, a, space, space + 16, space + 32);
    return load<T>(space + (<usize>(routine - 10) << 4));
  }
  storeTwoMillsWeighted<T>(a, b, space, space + 16);
  return load<T>(space + (<usize>(routine - 13) << 4));
}

/** out[i] = routine(a[i], b[i]) for an even number of values, two lanes at a time; `space` is 48 bytes to work in. */
export function evaluate_pairs(routine: i32, count: i32, a: usize, b: usize, out: usize, space: usize): void {
  for (let at: usize = 0; at < <usize>count << 3; at += 16) {
    const x = load<v128>(a + at);
    const y = load<v128>(b + at);
    store<v128>(out + at, routine < 10 || routine >= 20 ? evaluate<v128>(routine, x, y) : evaluateWoven<v128>(routine, x, y, space));
  }
}

/** The same, one lane at a time. */
export function evaluate_singles(routine: i32, count: i32, a: usize, b: usize, out: usize, space: usize): void {
  for (let at: usize = 0; at < <usize>count << 3; at += 8) {
    const x = load<f64>(a + at);
    const y = load<f64>(b + at);
    store<f64>(out + at, routine < 10 || routine >= 20 ? evaluate<f64>(routine, x, y) : evaluateWoven<f64>(routine, x, y, space));
  }
}

/** What is drawn by number, and the normal number that a probability stands for. */
export function evaluate_inverse_normal(p: f64): f64 {
  return inverseNormal(p);
}
export function random_bits(seed: u64, first: u32, second: u32, third: u32, fourth: u32): u64 {
  return randomBits(seed, first, second, third, fourth);
}
export function sobol_word(dimension: usize, index: u32): u32 {
  return sobolWord(dimension, index);
}
export function scrambled_word(word: u32, key: u32): u32 {
  return scrambled(word, key);
}
export function bridge_path(times: usize, count: usize, table: usize, normals: usize, path: usize): void {
  prepareBridge(times, count, table);
  bridgePath(table, count, normals, path);
}

/** e^c M(a, b, ±ρ) of the golden section's correlation, e^a N(x), and y/(1 - e^-y). */
export function golden_law(c: f64, a: f64, b: f64, sign: f64): f64 {
  return goldenLaw(c, a, b, sign);
}
export function scaled_law(a: f64, x: f64): f64 {
  return scaledLaw<f64>(a, x);
}
export function growth_ratio(y: f64): f64 {
  return growthRatio(y);
}
