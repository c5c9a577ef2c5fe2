// Numbers that carry their derivatives: a value and the Taylor coefficients in spot, volatility, time, rate, yield and strike that make up
// the Greeks. A formula written once over them gives its price and every Greek exactly, up to rounding: nothing is bumped and no
// derivative is written by hand. Separate because every closed formula of path-dependent options is evaluated over it.
// Method: truncated power series (Griewank and Walther, Evaluating Derivatives, 2008, chapter 13) modulo the monomials that no Greek
// needs. The kept ones, in order of place, with S spot, v volatility, t time, r rate, q yield, K strike:
//   1 S v t r q K SS | SSS vv vvv Sv SSv St vt SSt KK
// A product's coefficient is a sum over the kept pairs only, so a shorter degree gives the same bits in what it has.
// A jet is an address within the thread's room; rooms are walked upwards and wound back by `release`. Nothing is allocated otherwise.
// Never traps: a room that would overflow goes on in its last place and says so (`isFull`).
import { exp } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import { mills } from "../math/mills";
import { cappedMagnitude, gaussian } from "../math/normal";

/** Only the value; value and what the first derivatives and gamma need; everything. */
export const degreePrice: i32 = 0;
export const degreeFirst: i32 = 1;
export const degreeAll: i32 = 2;

// Places of the coefficients, in bytes.
export const atOne: usize = 0;
export const atSpot: usize = 8;
export const atVolatility: usize = 16;
export const atTime: usize = 24;
export const atRate: usize = 32;
export const atYield: usize = 40;
export const atStrike: usize = 48;
export const atSpotSpot: usize = 56;
export const atSpotSpotSpot: usize = 64;
export const atVolatilityTwice: usize = 72;
export const atVolatilityThrice: usize = 80;
export const atSpotVolatility: usize = 88;
export const atSpotSpotVolatility: usize = 96;
export const atSpotTime: usize = 104;
export const atVolatilityTime: usize = 112;
export const atSpotSpotTime: usize = 120;
export const atStrikeStrike: usize = 128;
const jetBytes: usize = 136;

/** e^x is taken as 0 below and the row as too large above. */
const exponentMax: f64 = 708;
const inverseRootTwoPi: f64 = 0.3989422804014327;

let top: usize = 0;
let end: usize = 0;
let degree: i32 = degreeAll;
/** That the room was too small: what was computed since is worthless. */
export let isFull: bool = false;

/** Begins anew in a room of so many bytes. */
export function openJets(room: usize, bytes: usize, wanted: i32): void {
  top = room;
  end = room + bytes - jetBytes;
  degree = wanted;
  isFull = false;
}

/** What `release` winds back to. */
// @ts-ignore: decorator
@inline
export function mark(): usize {
  return top;
}

/** Gives back every jet made since the mark. */
// @ts-ignore: decorator
@inline
export function release(from: usize): void {
  top = from;
}

/** Gives back every jet made since the mark but the one handed in, which moves there; returns where it is now. */
export function kept(from: usize, jet: usize): usize {
  if (jet < from) {
    top = from;
    return jet;
  }
  memory.copy(from, jet, jetBytes);
  top = from + jetBytes;
  return from;
}

/** Puts b's numbers in a's place: for sums that a loop gathers in a jet made before it. */
export function assign(a: usize, b: usize): void {
  memory.copy(a, b, jetBytes);
}

function place(): usize {
  const at = top;
  if (at >= end) isFull = true;
  else top += jetBytes;
  return at;
}

/** So many bytes of the room for numbers that are no jets; wound back like them. */
export function reserve(bytes: usize): usize {
  const at = top;
  top += bytes;
  if (top >= end) {
    isFull = true;
    top = at;
  }
  return at;
}

/** A number without derivatives. */
export function fixed(value: f64): usize {
  const to = place();
  memory.fill(to, 0, jetBytes);
  store<f64>(to, value);
  return to;
}

/** A variable: its derivative in itself, whose place is given, is 1. */
export function variable(value: f64, at: usize): usize {
  const to = fixed(value);
  store<f64>(to + at, 1);
  return to;
}

// @ts-ignore: decorator
@inline
export function valueOf(a: usize): f64 {
  return load<f64>(a);
}

// @ts-ignore: decorator
@inline
function bytesUsed(): usize {
  return degree == degreePrice ? 8 : degree == degreeFirst ? 64 : jetBytes;
}

export function plus(a: usize, b: usize): usize {
  const to = place();
  const bytes = bytesUsed();
  for (let at: usize = 0; at < bytes; at += 8) store<f64>(to + at, load<f64>(a + at) + load<f64>(b + at));
  return to;
}

export function minus(a: usize, b: usize): usize {
  const to = place();
  const bytes = bytesUsed();
  for (let at: usize = 0; at < bytes; at += 8) store<f64>(to + at, load<f64>(a + at) - load<f64>(b + at));
  return to;
}

/** a + number. */
export function shifted(a: usize, number: f64): usize {
  const to = place();
  memory.copy(to, a, jetBytes);
  store<f64>(to, load<f64>(a) + number);
  return to;
}

/** number · a. */
export function scaled(a: usize, number: f64): usize {
  const to = place();
  const bytes = bytesUsed();
  for (let at: usize = 0; at < bytes; at += 8) store<f64>(to + at, load<f64>(a + at) * number);
  return to;
}

/** a · b. */
export function times(a: usize, b: usize): usize {
  const to = place();
  const a0 = load<f64>(a);
  const b0 = load<f64>(b);
  store<f64>(to, a0 * b0);
  if (degree == degreePrice) return to;
  const a1 = load<f64>(a, 8);
  const b1 = load<f64>(b, 8);
  const a2 = load<f64>(a, 16);
  const b2 = load<f64>(b, 16);
  const a3 = load<f64>(a, 24);
  const b3 = load<f64>(b, 24);
  const a4 = load<f64>(a, 32);
  const b4 = load<f64>(b, 32);
  const a5 = load<f64>(a, 40);
  const b5 = load<f64>(b, 40);
  const a6 = load<f64>(a, 48);
  const b6 = load<f64>(b, 48);
  const a7 = load<f64>(a, 56);
  const b7 = load<f64>(b, 56);
  store<f64>(to, a0 * b1 + a1 * b0, 8);
  store<f64>(to, a0 * b2 + a2 * b0, 16);
  store<f64>(to, a0 * b3 + a3 * b0, 24);
  store<f64>(to, a0 * b4 + a4 * b0, 32);
  store<f64>(to, a0 * b5 + a5 * b0, 40);
  store<f64>(to, a0 * b6 + a6 * b0, 48);
  store<f64>(to, a0 * b7 + a7 * b0 + a1 * b1, 56);
  if (degree == degreeFirst) return to;
  const a8 = load<f64>(a, 64);
  const b8 = load<f64>(b, 64);
  const a9 = load<f64>(a, 72);
  const b9 = load<f64>(b, 72);
  const a10 = load<f64>(a, 80);
  const b10 = load<f64>(b, 80);
  const a11 = load<f64>(a, 88);
  const b11 = load<f64>(b, 88);
  const a12 = load<f64>(a, 96);
  const b12 = load<f64>(b, 96);
  const a13 = load<f64>(a, 104);
  const b13 = load<f64>(b, 104);
  const a14 = load<f64>(a, 112);
  const b14 = load<f64>(b, 112);
  const a15 = load<f64>(a, 120);
  const b15 = load<f64>(b, 120);
  const a16 = load<f64>(a, 128);
  const b16 = load<f64>(b, 128);
  store<f64>(to, a0 * b8 + a8 * b0 + a1 * b7 + a7 * b1, 64);
  store<f64>(to, a0 * b9 + a9 * b0 + a2 * b2, 72);
  store<f64>(to, a0 * b10 + a10 * b0 + a2 * b9 + a9 * b2, 80);
  store<f64>(to, a0 * b11 + a11 * b0 + a1 * b2 + a2 * b1, 88);
  store<f64>(to, a0 * b12 + a12 * b0 + a1 * b11 + a11 * b1 + a2 * b7 + a7 * b2, 96);
  store<f64>(to, a0 * b13 + a13 * b0 + a1 * b3 + a3 * b1, 104);
  store<f64>(to, a0 * b14 + a14 * b0 + a2 * b3 + a3 * b2, 112);
  store<f64>(to, a0 * b15 + a15 * b0 + a1 * b13 + a13 * b1 + a3 * b7 + a7 * b3, 120);
  store<f64>(to, a0 * b16 + a16 * b0 + a6 * b6, 128);
  return to;
}

/** f(a) from f and its first three derivatives at a's value. */
export function composed(a: usize, f0: f64, f1: f64, f2: f64, f3: f64): usize {
  const to = place();
  store<f64>(to, f0);
  if (degree == degreePrice) return to;
  const half = 0.5 * f2;
  const s = load<f64>(a, 8);
  const v = load<f64>(a, 16);
  const t = load<f64>(a, 24);
  const k = load<f64>(a, 48);
  const ss = load<f64>(a, 56);
  store<f64>(to, f1 * s, 8);
  store<f64>(to, f1 * v, 16);
  store<f64>(to, f1 * t, 24);
  store<f64>(to, f1 * load<f64>(a, 32), 32);
  store<f64>(to, f1 * load<f64>(a, 40), 40);
  store<f64>(to, f1 * k, 48);
  store<f64>(to, f1 * ss + half * (s * s), 56);
  if (degree == degreeFirst) return to;
  const sixth = f3 / 6;
  const vv = load<f64>(a, 72);
  const sv = load<f64>(a, 88);
  const st = load<f64>(a, 104);
  store<f64>(to, f1 * load<f64>(a, 64) + f2 * (s * ss) + sixth * (s * s * s), 64);
  store<f64>(to, f1 * vv + half * (v * v), 72);
  store<f64>(to, f1 * load<f64>(a, 80) + f2 * (v * vv) + sixth * (v * v * v), 80);
  store<f64>(to, f1 * sv + f2 * (s * v), 88);
  store<f64>(to, f1 * load<f64>(a, 96) + f2 * (s * sv + v * ss) + 0.5 * f3 * (s * s * v), 96);
  store<f64>(to, f1 * st + f2 * (s * t), 104);
  store<f64>(to, f1 * load<f64>(a, 112) + f2 * (v * t), 112);
  store<f64>(to, f1 * load<f64>(a, 120) + f2 * (s * st + t * ss) + 0.5 * f3 * (s * s * t), 120);
  store<f64>(to, f1 * load<f64>(a, 128) + half * (k * k), 128);
  return to;
}

/** 1/a. */
export function inverse(a: usize): usize {
  const f = 1 / load<f64>(a);
  return composed(a, f, -f * f, 2 * f * f * f, -6 * f * f * f * f);
}

/** a/b. */
export function over(a: usize, b: usize): usize {
  return times(a, inverse(b));
}

export function squareRoot(a: usize): usize {
  const value = load<f64>(a);
  const f = sqrt<f64>(value);
  return composed(a, f, 0.5 / f, -0.25 / (f * value), 0.375 / (f * value * value));
}

/** e^x, 0 where too small for a double, infinite where too large. */
export function exponentialOf(x: f64): f64 {
  if (!(x >= -exponentMax)) return 0;
  return x > exponentMax ? Infinity : exp<f64>(x);
}

/** e^a. */
export function exponential(a: usize): usize {
  const f = exponentialOf(load<f64>(a));
  return composed(a, f, f, f, f);
}

/** ln(a/b), without cancellation where they are near. */
export function logarithm(a: usize, b: usize): usize {
  const f = 1 / load<f64>(a);
  const g = 1 / load<f64>(b);
  const upper = composed(a, logRatio(load<f64>(a), load<f64>(b)), f, -f * f, 2 * f * f * f);
  return minus(upper, composed(b, 0, g, -g * g, 2 * g * g * g));
}

/** e^exponent R(|x|)/√(2π), R the Mills ratio: the tail of the normal law beyond |x| where the exponent holds -x²/2. */
function tailOf(exponent: f64, x: f64): f64 {
  const size = abs<f64>(x);
  if (!(size > 38)) return exponentialOf(exponent) * inverseRootTwoPi * mills<f64>(size);
  // beyond the fit: the asymptotic series, whose ninth term is below 2^-53
  const z = 1 / (size * size);
  let sum: f64 = 1;
  for (let term: f64 = 15; term > 0; term -= 2) sum = 1 - term * z * sum;
  return (exponentialOf(exponent) * inverseRootTwoPi * sum) / size;
}

/** N(x), the normal law. */
export function law(x: usize): usize {
  const at = load<f64>(x);
  const size = cappedMagnitude<f64>(at);
  const density = gaussian<f64>(size) * inverseRootTwoPi;
  const tail = density * mills<f64>(size);
  return composed(x, at < 0 ? tail : 1 - tail, density, -at * density, (at * at - 1) * density);
}

/** e^(a - its value). */
function growth(a: usize): usize {
  return composed(a, 1, 1, 1, 1);
}

/**
 * e^a N(x), where e^a may be too large and N(x) too small for a double; `exponent` is a - x²/2, which callers know without the
 * cancellation that forming it here would suffer.
 */
export function weightedLaw(a: usize, x: usize, exponent: f64): usize {
  const at = load<f64>(x);
  const tail = tailOf(exponent, at);
  const density = exponentialOf(exponent) * inverseRootTwoPi;
  const value = at < 0 ? tail : exponentialOf(load<f64>(a)) - tail;
  return times(composed(x, value, density, -at * density, (at * at - 1) * density), growth(a));
}

/** e^a φ(x), φ the normal density; `exponent` as above. */
export function weightedDensity(a: usize, x: usize, exponent: f64): usize {
  const at = load<f64>(x);
  const f = exponentialOf(exponent) * inverseRootTwoPi;
  return times(composed(x, f, -at * f, (at * at - 1) * f, (3 - at * at) * at * f), growth(a));
}

const third: f64 = 1 / 3.0;
const twoThirds: f64 = 2 / 3.0;

// @ts-ignore: decorator
@inline
function gather(sum: usize, at: usize, value: f64): void {
  store<f64>(sum + at, load<f64>(sum + at) + value);
}

/**
 * Adds to a sum the derivatives that a function has by way of one argument x: its own derivative in x, a jet, is the slope. A function
 * of several arguments is made of its value and one such call each: so the law of two normal variables is known to every order from its
 * value and slopes. What is gathered is each coefficient's share ∫ slope dx, along one of its variables.
 */
export function gatherSlope(sum: usize, slope: usize, x: usize): void {
  if (degree == degreePrice) return;
  const f0 = load<f64>(slope, 0);
  const f1 = load<f64>(slope, 8);
  const x1 = load<f64>(x, 8);
  const x2 = load<f64>(x, 16);
  const x3 = load<f64>(x, 24);
  const x4 = load<f64>(x, 32);
  const x5 = load<f64>(x, 40);
  const x6 = load<f64>(x, 48);
  const x7 = load<f64>(x, 56);
  gather(sum, 8, f0 * x1);
  gather(sum, 16, f0 * x2);
  gather(sum, 24, f0 * x3);
  gather(sum, 32, f0 * x4);
  gather(sum, 40, f0 * x5);
  gather(sum, 48, f0 * x6);
  gather(sum, 56, 0.5 * (f1 * x1) + f0 * x7);
  if (degree == degreeFirst) return;
  const f2 = load<f64>(slope, 16);
  const f6 = load<f64>(slope, 48);
  const f7 = load<f64>(slope, 56);
  const f9 = load<f64>(slope, 72);
  const x8 = load<f64>(x, 64);
  const x9 = load<f64>(x, 72);
  const x10 = load<f64>(x, 80);
  const x11 = load<f64>(x, 88);
  const x12 = load<f64>(x, 96);
  const x13 = load<f64>(x, 104);
  const x14 = load<f64>(x, 112);
  const x15 = load<f64>(x, 120);
  const x16 = load<f64>(x, 128);
  gather(sum, 64, third * (f7 * x1) + twoThirds * (f1 * x7) + f0 * x8);
  gather(sum, 72, 0.5 * (f2 * x2) + f0 * x9);
  gather(sum, 80, third * (f9 * x2) + twoThirds * (f2 * x9) + f0 * x10);
  gather(sum, 88, f1 * x2 + f0 * x11);
  gather(sum, 96, f7 * x2 + f1 * x11 + f0 * x12);
  gather(sum, 104, f1 * x3 + f0 * x13);
  gather(sum, 112, f2 * x3 + f0 * x14);
  gather(sum, 120, f7 * x3 + f1 * x13 + f0 * x15);
  gather(sum, 128, 0.5 * (f6 * x6) + f0 * x16);
}

/** Whether derivatives are wanted at all. */
// @ts-ignore: decorator
@inline
export function hasDerivatives(): bool {
  return degree != degreePrice;
}
