// The laws in Bjerksund and Stensland's formula of 2002, all twenty of two variables and those of one they share, in stages over a row: what goes into powers and
// ratios is laid out, each kind is evaluated several at a time, then gathered. Separate from flat-boundary because it is a matter of speed: law by law the
// processor waits for one chain after the other (half as long again).
// A row has three measures: kept (of the power β of the spot), shares, loans. In each a path has four images, in two pairs: itself and its reflection above; below and in both, whose
// correlation's sign is turned. a is of the lower boundary at the end of the first period, b of the lower boundary or the strike at the end of the second.
import {
  alikeLaw,
  bounded,
  distanceOf,
  oppositeLaw,
  poweredLaw,
  storeRatios,
  storeTwoStrips,
  stripDistance,
  stripPlace,
  stripPower,
  tailPower,
} from "../math/golden-law";
import { storeThreeExp2s } from "../math/exp2";
import { pair } from "./approximation";

const inverseLog2: f64 = 1.4426950408889634;

// A row's places, pairs of doubles. Powers: of 10 strips, then of each measure whole, turned whole and its tails, then the spreads. Tails are in order of a, turned a, b, turned b of the lower
// boundary, a of the upper one, b and turned b of the strike; the first four alone where kept.
const powers: usize = 0;
const powerCount: usize = 36;
const spreads: usize = 34 << 4;
const ratios: usize = powers + (powerCount << 4);
const ratioCount: usize = 28;
const distances: usize = ratios + (ratioCount << 4);
const places: usize = distances + (10 << 4);
const arguments: usize = places + (10 << 4);

const kept: i32 = 0;

/** Of a measure, in bytes: its strips, its powers after them, its tails among ratios and arguments. */
// @ts-ignore: decorator
@inline
function stripsOf(measure: i32): usize {
  return measure == kept ? 0 : <usize>(measure * 64 - 32);
}
// @ts-ignore: decorator
@inline
function powersOf(measure: i32): usize {
  return measure == kept ? 160 : <usize>(measure * 144 + 112);
}
// @ts-ignore: decorator
@inline
function tailsOf(measure: i32): usize {
  return measure == kept ? 0 : <usize>(measure * 112 - 48);
}

/** Lays out what a payment weighs more at the end of the first period than of the second: e^shares, e^loans. */
export function layOutSpreads(work: usize, exponents: v128): void {
  v128.store(work, bounded<v128>(f64x2.mul(exponents, f64x2.splat(inverseLog2))), spreads);
  // what is left over
  v128.store(work, f64x2.splat(0), spreads + 16);
}

/** Lays a measure out: e^c before all, (barrier/s)^κ of a reflection, drift a year. */
export function layOut(
  work: usize,
  measure: i32,
  c: f64,
  kappa: f64,
  drift: f64,
  first: f64,
  time: f64,
  over1: f64,
  over: f64,
  x: f64,
  upper: f64,
  lower: f64,
): void {
  const power = c * inverseLog2;
  const slope = kappa * inverseLog2;
  const own = pair(power, power + slope * (upper - x));
  const turned = pair(power + slope * (lower - x), power + slope * (lower - upper));
  const ends = pair(x, 2 * upper - x);
  const turnedEnds = pair(2 * lower - x, x + 2 * (lower - upper));
  const a = f64x2.mul(f64x2.sub(f64x2.splat(lower - drift * first), ends), f64x2.splat(over1));
  const turnedA = f64x2.mul(f64x2.sub(f64x2.splat(lower + drift * first), ends), f64x2.splat(over1));
  const low = f64x2.splat(lower - drift * time);
  const b = f64x2.mul(f64x2.sub(low, ends), f64x2.splat(over));
  const turnedB = f64x2.mul(f64x2.sub(low, turnedEnds), f64x2.splat(over));
  const at = work + powersOf(measure);
  v128.store(at, bounded<v128>(own));
  v128.store(at, bounded<v128>(turned), 16);
  const tails = work + tailsOf(measure);
  layTail(tails, at + 32, own, a);
  layTail(tails + 16, at + 48, turned, turnedA);
  layTail(tails + 32, at + 64, own, b);
  layTail(tails + 48, at + 80, turned, turnedB);
  const strips = work + stripsOf(measure);
  layStrip(strips, own, f64x2.sub(a, b), f64x2.add(a, b));
  layStrip(strips + 16, turned, f64x2.add(turnedA, turnedB), f64x2.sub(turnedA, turnedB));
  if (measure == kept) return;
  layTail(tails + 64, at + 96, own, f64x2.mul(f64x2.sub(f64x2.splat(upper - drift * first), ends), f64x2.splat(over1)));
  const bare = f64x2.splat(-drift * time);
  const strikeB = f64x2.mul(f64x2.sub(bare, ends), f64x2.splat(over));
  const turnedStrikeB = f64x2.mul(f64x2.sub(bare, turnedEnds), f64x2.splat(over));
  layTail(tails + 80, at + 112, own, strikeB);
  layTail(tails + 96, at + 128, turned, turnedStrikeB);
  layStrip(strips + 32, own, f64x2.sub(a, strikeB), f64x2.add(a, strikeB));
  layStrip(strips + 48, turned, f64x2.add(turnedA, turnedStrikeB), f64x2.sub(turnedA, turnedStrikeB));
}

// @ts-ignore: decorator
@inline
function layTail(tail: usize, at: usize, power: v128, x: v128): void {
  const distance = distanceOf<v128>(x);
  v128.store(tail + arguments, x);
  v128.store(tail + ratios + 160, distance);
  v128.store(at, tailPower<v128>(power, distance));
}

// @ts-ignore: decorator
@inline
function layStrip(strip: usize, power: v128, d: v128, s: v128): void {
  const y = stripDistance<v128>(d);
  v128.store(strip + ratios, y);
  v128.store(strip + distances, y);
  v128.store(strip + places, stripPlace<v128>(s));
  v128.store(strip + powers, stripPower<v128>(power, d, s));
}

/** Powers, ratios and strips of all that is laid out, in place. */
export function evaluate(work: usize): void {
  for (let at = work; at < work + (powerCount << 4); at += 48) {
    storeThreeExp2s<v128>(v128.load(at), v128.load(at, 16), v128.load(at, 32), at, at + 16, at + 32);
  }
  storeRatios(work + ratios, work + ratios + (ratioCount << 4));
  for (let at: usize = work; at < work + 160; at += 32) storeTwoStrips(at + places, at + distances, at + ratios, at);
}

/** What waiting is worth in a measure: for shares and loans φ between the boundaries, times the spread, and Ψ between strike and lower boundary; kept, φ below that less Ψ. */
export function gather(work: usize, measure: i32): f64 {
  const at = work + powersOf(measure);
  const tails = work + tailsOf(measure);
  const strips = work + stripsOf(measure);
  const whole = v128.load(at);
  const turnedWhole = v128.load(at, 16);
  const a = v128.load(tails, arguments);
  const tailA = tailAt(tails, at + 32);
  const turnedA = v128.load(tails, arguments + 16);
  const turnedTailA = tailAt(tails + 16, at + 48);
  const below = poweredLaw<v128>(whole, a, tailA);
  const atLower = f64x2.sub(
    alikeLaw<v128>(whole, a, tailA, v128.load(tails, arguments + 32), tailAt(tails + 32, at + 64), v128.load(strips)),
    oppositeLaw<v128>(
      turnedWhole,
      turnedA,
      turnedTailA,
      v128.load(tails, arguments + 48),
      tailAt(tails + 48, at + 80),
      v128.load(strips, 16),
    ),
  );
  if (measure == kept) return ownLessReflected(f64x2.sub(below, atLower));
  const spread = v128.load64_splat(work + spreads + (<usize>(measure - 1) << 3));
  const between = f64x2.sub(poweredLaw<v128>(whole, v128.load(tails, arguments + 64), tailAt(tails + 64, at + 96)), below);
  const atStrike = f64x2.sub(
    alikeLaw<v128>(whole, a, tailA, v128.load(tails, arguments + 80), tailAt(tails + 80, at + 112), v128.load(strips, 32)),
    oppositeLaw<v128>(
      turnedWhole,
      turnedA,
      turnedTailA,
      v128.load(tails, arguments + 96),
      tailAt(tails + 96, at + 128),
      v128.load(strips, 48),
    ),
  );
  return ownLessReflected(f64x2.add(f64x2.mul(between, spread), f64x2.sub(atLower, atStrike)));
}

// @ts-ignore: decorator
@inline
function tailAt(tail: usize, at: usize): v128 {
  return f64x2.mul(v128.load(tail, ratios + 160), v128.load(at));
}

// @ts-ignore: decorator
@inline
function ownLessReflected(images: v128): f64 {
  return f64x2.extract_lane(images, 0) - f64x2.extract_lane(images, 1);
}
