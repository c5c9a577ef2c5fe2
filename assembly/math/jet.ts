// Derivatives by arithmetic: numbers that carry their own partial derivatives in a spot, a volatility, a rate, a yield and a time through every
// operation (truncated Taylor polynomials; Griewank and Walther, Evaluating Derivatives, 2008, ch. 13). Separate from the models because nothing here
// knows a formula: a model writes its formula once more in these and has every Greek without a difference quotient.
// A jet is 15 doubles, the coefficients of 1, s, s², σ, r, q, T, then s³, sσ, s²σ, σ², sT, s²T, σT, σ³ (derivatives over factorials). Both lists, the first
// 7 and all 15, hold the divisors of each member, so that what is cut off never comes back: no degree is above 3, and a function of a jet is its
// Taylor polynomial of degree 3. The first 7 are computed alike whether the rest are wanted or not: same bits.
// Jets are written one after the other into a room given at the start of a row and never freed; nothing is allocated.
import { normalDensity, normalLaw } from "./normal";
import { exp } from "./exp";
import { logRatio } from "./log-ratio";
import { mills } from "./mills";

/** Coefficients of a jet, and of its first part. */
export const jetSize: usize = 15;
export const jetBytes: usize = jetSize << 3;
/** Bytes of a room: as many jets as the longest formula has operations, a quarter to spare. */
export const jetRoomBytes: usize = 512 * jetBytes;

export const inSpot: usize = 1;
export const inSpotTwice: usize = 2;
export const inVolatility: usize = 3;
export const inRate: usize = 4;
export const inYield: usize = 5;
export const inTime: usize = 6;
export const inSpotThrice: usize = 7;
export const inSpotVolatility: usize = 8;
export const inSpotTwiceVolatility: usize = 9;
export const inVolatilityTwice: usize = 10;
export const inSpotTime: usize = 11;
export const inSpotTwiceTime: usize = 12;
export const inVolatilityTime: usize = 13;
export const inVolatilityThrice: usize = 14;

const inverseRootTwoPi: f64 = 0.3989422804014327;
const third: f64 = 0.3333333333333333;
const sixth: f64 = 0.16666666666666666;

let next: usize = 0;
let roomEnd: usize = 0;
let isWhole: bool = false;

/** Begins a row: jets are written from the room's start on, all coefficients of them or the first 7. */
export function beginJets(room: usize, wantsWhole: bool): void {
  next = room;
  roomEnd = room + jetRoomBytes;
  isWhole = wantsWhole;
}

/** The highest degree of what is computed: 3, or 2 of the first 7. */
export function jetDegree(): i32 {
  return isWhole ? 3 : 2;
}

/** A new jet's place. A formula longer than the room is our mistake: it traps. */
// @ts-ignore: decorator
@inline
function fresh(): usize {
  const place = next;
  next = place + jetBytes;
  if (next > roomEnd) unreachable();
  return place;
}

/** The place of the next jet, for `keep`. */
// @ts-ignore: decorator
@inline
export function mark(): usize {
  return next;
}

/** Moves a result to a marked place and gives back the room of what it was made from. */
export function keep(place: usize, jet: usize): usize {
  memory.copy(place, jet, jetBytes);
  next = place + jetBytes;
  return place;
}

/** One coefficient. */
// @ts-ignore: decorator
@inline
export function coefficient(jet: usize, index: usize): f64 {
  return load<f64>(jet + (index << 3));
}

// @ts-ignore: decorator
@inline
function set(jet: usize, index: usize, value: f64): void {
  store<f64>(jet + (index << 3), value);
}

/** A number without derivatives. */
export function fixed(value: f64): usize {
  const to = fresh();
  memory.fill(to, 0, jetBytes);
  set(to, 0, value);
  return to;
}

/** One of the five variables, by its coefficient's index. */
export function variable(value: f64, index: usize): usize {
  const to = fixed(value);
  set(to, index, 1);
  return to;
}

export function sum(a: usize, b: usize): usize {
  const to = fresh();
  const bytes: usize = isWhole ? jetBytes : 7 << 3;
  for (let at: usize = 0; at < bytes; at += 8) store<f64>(to + at, load<f64>(a + at) + load<f64>(b + at));
  return to;
}

export function difference(a: usize, b: usize): usize {
  const to = fresh();
  const bytes: usize = isWhole ? jetBytes : 7 << 3;
  for (let at: usize = 0; at < bytes; at += 8) store<f64>(to + at, load<f64>(a + at) - load<f64>(b + at));
  return to;
}

/** a·factor. */
export function scaled(a: usize, factor: f64): usize {
  const to = fresh();
  const bytes: usize = isWhole ? jetBytes : 7 << 3;
  for (let at: usize = 0; at < bytes; at += 8) store<f64>(to + at, load<f64>(a + at) * factor);
  return to;
}

/** a·factor + offset. */
export function shifted(a: usize, factor: f64, offset: f64): usize {
  const to = scaled(a, factor);
  set(to, 0, coefficient(to, 0) + offset);
  return to;
}

export function product(a: usize, b: usize): usize {
  const to = fresh();
  const a0 = coefficient(a, 0);
  const b0 = coefficient(b, 0);
  const a1 = coefficient(a, inSpot);
  const b1 = coefficient(b, inSpot);
  const a2 = coefficient(a, inSpotTwice);
  const b2 = coefficient(b, inSpotTwice);
  const a3 = coefficient(a, inVolatility);
  const b3 = coefficient(b, inVolatility);
  const a6 = coefficient(a, inTime);
  const b6 = coefficient(b, inTime);
  set(to, 0, a0 * b0);
  set(to, inSpot, a0 * b1 + a1 * b0);
  set(to, inSpotTwice, a0 * b2 + a1 * b1 + a2 * b0);
  set(to, inVolatility, a0 * b3 + a3 * b0);
  set(to, inRate, a0 * coefficient(b, inRate) + coefficient(a, inRate) * b0);
  set(to, inYield, a0 * coefficient(b, inYield) + coefficient(a, inYield) * b0);
  set(to, inTime, a0 * b6 + a6 * b0);
  if (!isWhole) return to;
  const a8 = coefficient(a, inSpotVolatility);
  const b8 = coefficient(b, inSpotVolatility);
  const a10 = coefficient(a, inVolatilityTwice);
  const b10 = coefficient(b, inVolatilityTwice);
  const a11 = coefficient(a, inSpotTime);
  const b11 = coefficient(b, inSpotTime);
  set(to, inSpotThrice, a0 * coefficient(b, inSpotThrice) + a1 * b2 + a2 * b1 + coefficient(a, inSpotThrice) * b0);
  set(to, inSpotVolatility, a0 * b8 + a1 * b3 + a3 * b1 + a8 * b0);
  const b9 = coefficient(b, inSpotTwiceVolatility);
  const a9 = coefficient(a, inSpotTwiceVolatility);
  set(to, inSpotTwiceVolatility, a0 * b9 + a1 * b8 + a2 * b3 + a3 * b2 + a8 * b1 + a9 * b0);
  set(to, inVolatilityTwice, a0 * b10 + a3 * b3 + a10 * b0);
  set(to, inSpotTime, a0 * b11 + a1 * b6 + a6 * b1 + a11 * b0);
  const b12 = coefficient(b, inSpotTwiceTime);
  const a12 = coefficient(a, inSpotTwiceTime);
  set(to, inSpotTwiceTime, a0 * b12 + a1 * b11 + a2 * b6 + a6 * b2 + a11 * b1 + a12 * b0);
  const b13 = coefficient(b, inVolatilityTime);
  const a13 = coefficient(a, inVolatilityTime);
  set(to, inVolatilityTime, a0 * b13 + a3 * b6 + a6 * b3 + a13 * b0);
  const b14 = coefficient(b, inVolatilityThrice);
  const a14 = coefficient(a, inVolatilityThrice);
  set(to, inVolatilityThrice, a0 * b14 + a3 * b10 + a10 * b3 + a14 * b0);
  return to;
}

/** f of a jet, from f's value and Taylor coefficients (its derivatives over factorials) at the jet's own value. */
function composed(a: usize, f0: f64, f1: f64, f2: f64, f3: f64): usize {
  const to = fresh();
  const a1 = coefficient(a, inSpot);
  const a2 = coefficient(a, inSpotTwice);
  const a3 = coefficient(a, inVolatility);
  const a6 = coefficient(a, inTime);
  set(to, 0, f0);
  set(to, inSpot, f1 * a1);
  set(to, inSpotTwice, f1 * a2 + f2 * (a1 * a1));
  set(to, inVolatility, f1 * a3);
  set(to, inRate, f1 * coefficient(a, inRate));
  set(to, inYield, f1 * coefficient(a, inYield));
  set(to, inTime, f1 * a6);
  if (!isWhole) return to;
  const a8 = coefficient(a, inSpotVolatility);
  const a10 = coefficient(a, inVolatilityTwice);
  const a11 = coefficient(a, inSpotTime);
  const twice = f2 + f2;
  const thrice = 3 * f3;
  set(to, inSpotThrice, f1 * coefficient(a, inSpotThrice) + twice * (a1 * a2) + f3 * (a1 * a1 * a1));
  set(to, inSpotVolatility, f1 * a8 + twice * (a1 * a3));
  set(
    to,
    inSpotTwiceVolatility,
    f1 * coefficient(a, inSpotTwiceVolatility) + twice * (a1 * a8 + a2 * a3) + thrice * (a1 * a1 * a3),
  );
  set(to, inVolatilityTwice, f1 * a10 + f2 * (a3 * a3));
  set(to, inSpotTime, f1 * a11 + twice * (a1 * a6));
  set(
    to,
    inSpotTwiceTime,
    f1 * coefficient(a, inSpotTwiceTime) + twice * (a1 * a11 + a2 * a6) + thrice * (a1 * a1 * a6),
  );
  set(to, inVolatilityTime, f1 * coefficient(a, inVolatilityTime) + twice * (a3 * a6));
  set(
    to,
    inVolatilityThrice,
    f1 * coefficient(a, inVolatilityThrice) + twice * (a3 * a10) + f3 * (a3 * a3 * a3),
  );
  return to;
}

/** 1/a. */
export function reciprocal(a: usize): usize {
  const f = 1 / coefficient(a, 0);
  return composed(a, f, -f * f, f * f * f, -f * f * f * f);
}

export function quotient(a: usize, b: usize): usize {
  return product(a, reciprocal(b));
}

/** √a, a positive. */
export function root(a: usize): usize {
  const value = coefficient(a, 0);
  const f = sqrt<f64>(value);
  const f1 = 0.5 / f;
  const f2 = (-0.25 * f1) / value;
  return composed(a, f, f1, f2, (-0.5 * f2) / value);
}

/** e^a; below -708 that is 0. */
export function exponential(a: usize): usize {
  const value = coefficient(a, 0);
  const f = value < -708 ? 0 : exp<f64>(min<f64>(value, 708));
  return composed(a, f, f, 0.5 * f, sixth * f);
}

/** ln a, a positive. */
export function logarithm(a: usize): usize {
  const value = coefficient(a, 0);
  const f1 = 1 / value;
  return composed(a, logRatio(value, 1), f1, -0.5 * f1 * f1, third * f1 * f1 * f1);
}

/** N(a). */
export function law(a: usize): usize {
  const x = coefficient(a, 0);
  const density = normalDensity<f64>(x);
  return composed(a, normalLaw<f64>(x), density, -0.5 * x * density, sixth * (x * x - 1) * density);
}

/** φ(a). */
export function density(a: usize): usize {
  const x = coefficient(a, 0);
  const f = normalDensity<f64>(x);
  return composed(a, f, -x * f, 0.5 * (x * x - 1) * f, sixth * x * (3 - x * x) * f);
}

/** y/(1 - e^-y) and 1 at 0: what a rate makes of 1/T. */
export function growthRatio(y: f64): f64 {
  return abs<f64>(y) < 0.5 ? growthSeries(y * y, y) : y / (1 - exp<f64>(-y));
}

/** The series in Bernoulli's numbers, to 1e-17 where |y| < 1/2. */
// @ts-ignore: decorator
@inline
function growthSeries(w: f64, y: f64): f64 {
  let even: f64 = 1.3382536530684679e-11;
  even = even * w - 5.284190138687493e-10;
  even = even * w + 2.08767569878681e-08;
  even = even * w - 8.267195767195768e-07;
  even = even * w + 3.306878306878307e-05;
  even = even * w - 0.001388888888888889;
  even = even * w + 0.08333333333333333;
  return 1 + 0.5 * y + even * w;
}

/** The same of a jet in rate, yield and time alone: no product of two of these is kept, so its first derivative is all there is. */
export function growthRatioOf(a: usize): usize {
  const y = coefficient(a, 0);
  const f = growthRatio(y);
  const e = exp<f64>(-y);
  const f1 = abs<f64>(y) < 0.5 ? 0.5 + y * slopeSeries(y * y) : (1 - f * e) / (1 - e);
  return composed(a, f, f1, 0, 0);
}

// @ts-ignore: decorator
@inline
function slopeSeries(w: f64): f64 {
  let f: f64 = 1.873555114295855e-10;
  f = f * w - 6.3410281664249915e-9;
  f = f * w + 2.08767569878681e-7;
  f = f * w - 6.613756613756614e-6;
  f = f * w + 0.0001984126984126984;
  f = f * w - 0.005555555555555556;
  f = f * w + 0.16666666666666666;
  return f;
}

/** From this argument on Mills' ratio and its derivatives are their asymptotic series, of 9 terms. */
const seriesFrom: f64 = 24;

/** Mills' ratio R(a) = N(-a)/φ(a), a not negative: R' = aR - 1, which at large arguments is a small difference of large numbers. */
function millsRatio(a: usize): usize {
  const y = coefficient(a, 0);
  if (y < seriesFrom) {
    const f = mills<f64>(y);
    const f1 = y * f - 1;
    const f2 = f + y * f1;
    return composed(a, f, f1, 0.5 * f2, sixth * (2 * f1 + y * f2));
  }
  // R = Σ (-1)^k (2k-1)!! y^(-2k-1), and its derivatives term by term
  const w = 1 / (y * y);
  let term = 1 / y;
  let f: f64 = 0;
  let f1: f64 = 0;
  let f2: f64 = 0;
  let f3: f64 = 0;
  for (let k = 0; k < 9; k++) {
    const power = <f64>(2 * k + 1);
    f += term;
    f1 -= (term * power) / y;
    f2 += term * power * (power + 1) * w;
    f3 -= (term * power * (power + 1) * (power + 2) * w) / y;
    term *= -power * w;
  }
  return composed(a, f, f1, 0.5 * f2, sixth * f3);
}

/**
 * e^a N(b), where e^a may be as large as the tail is small: of a tail both exponents are added before either is taken. Beyond where the
 * whole is below e^-708 it is 0.
 */
export function scaledLaw(a: usize, b: usize): usize {
  const place = mark();
  if (coefficient(b, 0) > 0) return keep(place, product(exponential(a), law(b)));
  const exponent = sum(a, scaled(product(b, b), -0.5));
  return keep(place, scaled(product(exponential(exponent), millsRatio(scaled(b, -1))), inverseRootTwoPi));
}

/**
 * A function f(a, b) e^c from its value and its partial derivatives in a and b, themselves jets: each coefficient is what the derivatives say along
 * the ray, by degree (Euler's identity). In c it is its own derivative: `whole` is the function as far as it is known, and one degree more
 * is right afterwards.
 */
export function fromGradient(value: f64, inA: usize, a: usize, inB: usize, b: usize, whole: usize, c: usize): usize {
  const slope = sum(sum(product(inA, degrees(a)), product(inB, degrees(b))), product(whole, degrees(c)));
  const to = fresh();
  const size: usize = isWhole ? jetSize : 7;
  for (let index: usize = 1; index < size; index++) set(to, index, coefficient(slope, index) / degreeOf(index));
  set(to, 0, value);
  return to;
}

/** Each coefficient times its degree. */
function degrees(a: usize): usize {
  const to = fresh();
  const size: usize = isWhole ? jetSize : 7;
  for (let index: usize = 0; index < size; index++) set(to, index, coefficient(a, index) * degreeOf(index));
  return to;
}

// @ts-ignore: decorator
@inline
function degreeOf(index: usize): f64 {
  if (index == 0) return 0;
  if (index == inSpotTwice || index == inSpotVolatility || index == inVolatilityTwice) return 2;
  if (index == inSpotTime || index == inVolatilityTime) return 2;
  return index < 7 ? 1 : 3;
}
