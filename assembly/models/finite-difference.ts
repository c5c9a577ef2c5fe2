// The value of an option by finite differences in time and forward price, European or exercised at any time, on an asset that pays cash
// dividends. Separate from the batch, which knows rows and Greeks, and from the American model's integrals, of which it shares nothing: each
// checks the other.
// Source: Crank and Nicolson (1947); Rannacher (1984), the first steps implicit; Ikonen and Toivanen (2004), operator splitting for the
// right to exercise; Tavella and Randall (2000), nodes drawn together by a hyperbolic sine, jumps at dividends.
// Equation, for the undiscounted value u over the forward price F, τ years before expiry: u_τ = ½v²F²u_FF. Neither rate nor yield
// moves anything along the grid, so no drift is too strong for it, and u = 1 and u = F are kept exactly. Exercising pays
// s(e^(qτ)F - e^(rτ)) in the same terms, s 1 for calls and -1 for puts. A dividend D at τ takes u(F) to u(max(F - De^((r-q)τ), 0)):
// the asset falls by D, or to nothing.
// Nodes: 0, then e^(c sinh ξ), ξ in equal steps, one node at the strike. Where F is 0, and at the last node, u changes by exercise alone: it
// is a line there.
// Legend: h half a step of time, k a step, n the last node's index (odd), pairs see finite-difference-room.ts. Units: a strike of 1, years.
// Error: docs/numerics/finite-difference.md. Never traps.
import { listLength, listNumbers } from "../abi/layout";
import { exp } from "../math/exp";
import { logRatio } from "../math/log-ratio";
import {
  lineNodes,
  lineValues,
  pairBack,
  pairFactor,
  pairInner,
  pairInverse,
  pairNodes,
  pairOuter,
  pairExercised,
  pairPayoff,
  pairRight,
  pairSteps,
  pairValues,
  pointCurvature,
  pointSlope,
  pointValue,
} from "./finite-difference-room";

/** Steps of time, after expiry and after each dividend, that are made as two implicit halves each. */
const dampedSteps: i32 = 2;
/** Deviations that the grid reaches beyond strike and spot. */
const reach: f64 = 5;
/** Where the sine bends: at one deviation, and with the right to exercise at this share of the drift if that is more, by their squares. */
const drifted: f64 = 0.7;
/** With the right to exercise: of a stretch between dividends, where its first and second quarter of steps end. */
const firstShare: f64 = 0.0625;
const secondShare: f64 = 0.25;
/** Of the strike: a node that is worth less than exercising it by less is held all the same. */
const tolerance: f64 = 1e-14;
/** Passes over a step's exercised nodes; two are usual. */
const passesMax: i32 = 40;
/** Of the forward: as far as dividends draw the grid down. */
const lowestShare: f64 = 0.05;

// @ts-ignore: decorator
@inline
function at(line: usize, index: i32): f64 {
  return load<f64>(line + (<usize>index << 3));
}

// @ts-ignore: decorator
@inline
function put(line: usize, index: i32, value: f64): void {
  store<f64>(line + (<usize>index << 3), value);
}

// @ts-ignore: decorator
@inline
function arsinh(x: f64): f64 {
  const size = abs<f64>(x);
  const value = logRatio<f64>(size + sqrt<f64>(size * size + 1), 1);
  return x < 0 ? -value : value;
}

/** What the dividends between now and expiry take off the forward price, over the strike. */
function forwardOfDividends(dividends: usize, strike: f64, time: f64, drift: f64): f64 {
  const count = listLength(dividends);
  let sum: f64 = 0;
  for (let index: usize = 0; index < count; index += 2) {
    const when = load<f64>(listNumbers(dividends) + (index << 3));
    if (!(when > 0 && when <= time)) continue;
    sum += (load<f64>(listNumbers(dividends) + (index << 3), 8) / strike) * exp<f64>(drift * (time - when));
  }
  return sum;
}

/** Lays the nodes, in order and in pairs, and what each node's neighbours count; returns the last node's index. */
export function layGrid(
  room: usize,
  isAmerican: bool,
  spot: f64,
  strike: f64,
  time: f64,
  drift: f64,
  volatility: f64,
  dividends: usize,
  spaceSteps: i32,
): i32 {
  const last = spaceSteps + 1 + (spaceSteps & 1);
  const deviation = volatility * sqrt<f64>(time);
  const start = logRatio<f64>(spot, strike) + drift * time;
  const forward = exp<f64>(start);
  const taken = forwardOfDividends(dividends, strike, time, drift);
  const left = max<f64>(forward - taken, lowestShare * forward);
  const width = (reach + 0.5 * deviation) * deviation;
  const low = min<f64>(min<f64>(start, 0), logRatio<f64>(left, 1)) - width;
  const high = max<f64>(start, 0) + width;
  // where early exercise may begin the forward lies up to the drift away from the strike
  const wander = isAmerican ? drifted * drift * time : 0;
  const scale = sqrt<f64>(deviation * deviation + wander * wander);
  const first = arsinh(low / scale);
  const step = (arsinh(high / scale) - first) / <f64>(last - 1);
  const strikeIndex = 1 + <i32>nearest<f64>(-first / step);
  const nodes = room + lineNodes;
  put(nodes, 0, 0);
  for (let index = 1; index <= last; index++) {
    const grown = exp<f64>(<f64>(index - strikeIndex) * step);
    put(nodes, index, exp<f64>(0.5 * scale * (grown - 1 / grown)));
  }
  const pairs = (last + 1) >> 1;
  for (let pair = 0; pair < pairs; pair++) {
    for (let lane = 0; lane < 2; lane++) {
      const index = lane == 0 ? pair : last - pair;
      const to = room + (<usize>pair << 4) + (<usize>lane << 3);
      const node = at(nodes, index);
      store<f64>(to + pairNodes, node);
      if (pair == 0) {
        store<f64>(to + pairOuter, 0);
        store<f64>(to + pairInner, 0);
        continue;
      }
      const below = node - at(nodes, index - 1);
      const above = at(nodes, index + 1) - node;
      const both = node / (below + above);
      // half of F²u_FF by three points
      const lower = both * (node / below);
      const upper = both * (node / above);
      store<f64>(to + pairOuter, lane == 0 ? lower : upper);
      store<f64>(to + pairInner, lane == 0 ? upper : lower);
    }
  }
  return last;
}

/**
 * The factors of (1 - hA), A the equation's operator, but 1 in the rows of nodes that are exercised; returns what the middle's
 * two nodes are solved with.
 */
function factor(room: usize, pairs: i32, variance: f64, h: f64): f64 {
  const one = f64x2.splat(1);
  const weight = f64x2.splat(h * variance);
  let inverse = f64x2.splat(0);
  let inner = f64x2.splat(0);
  const end = room + (<usize>pairs << 4);
  for (let address = room; address < end; address += 16) {
    const held = v128.load(address + pairExercised);
    const outer = v128.andnot(f64x2.mul(weight, v128.load(address + pairOuter)), held);
    const next = v128.andnot(f64x2.mul(weight, v128.load(address + pairInner)), held);
    const diagonal = f64x2.sub(f64x2.add(one, f64x2.add(outer, next)), f64x2.mul(f64x2.mul(outer, inner), inverse));
    inverse = f64x2.div(one, diagonal);
    inner = next;
    v128.store(address + pairInverse, inverse);
    v128.store(address + pairFactor, f64x2.mul(outer, inverse));
    v128.store(address + pairBack, f64x2.mul(next, inverse));
  }
  return 1 / (1 - load<f64>(end - 16 + pairBack) * load<f64>(end - 16 + pairBack, 8));
}

/** Copies the middle's pair, its nodes exchanged, to where the middle's inner neighbours are looked for. */
// @ts-ignore: decorator
@inline
function fold(end: usize, column: usize): void {
  const last = v128.load(end - 16 + column);
  v128.store(end + column, v128.shuffle<f64>(last, last, 1, 0));
}

/** What a pair's values gain from their neighbours', per year and unit of variance. */
// @ts-ignore: decorator
@inline
function flow(address: usize, before: v128, value: v128, next: v128): v128 {
  return f64x2.add(
    f64x2.mul(v128.load(address + pairOuter), f64x2.sub(before, value)),
    f64x2.mul(v128.load(address + pairInner), f64x2.sub(next, value)),
  );
}

/** The middle's two nodes from what is left of their equations. */
// @ts-ignore: decorator
@inline
function middlePair(end: usize, solved: v128, middle: f64): v128 {
  const upper = f64x2.extract_lane(solved, 1);
  const lower = (f64x2.extract_lane(solved, 0) + load<f64>(end - 16 + pairBack) * upper) * middle;
  return f64x2.replace_lane(f64x2.splat(lower), 1, upper + load<f64>(end - 16 + pairBack, 8) * lower);
}

/** One step: explicit by `explicit` years, then implicit by the h that the factors were made for. */
function advance(room: usize, pairs: i32, variance: f64, explicit: f64, middle: f64): void {
  const end = room + (<usize>pairs << 4);
  fold(end, pairValues);
  const weight = f64x2.splat(explicit * variance);
  let solved = f64x2.splat(0);
  let before = f64x2.splat(0);
  let value = v128.load(room + pairValues);
  for (let address = room; address < end; address += 16) {
    const next = v128.load(address + pairValues, 16);
    const right = f64x2.add(value, f64x2.mul(weight, flow(address, before, value, next)));
    solved = f64x2.add(
      f64x2.mul(right, v128.load(address + pairInverse)),
      f64x2.mul(v128.load(address + pairFactor), solved),
    );
    v128.store(address + pairSteps, solved);
    before = value;
    value = next;
  }
  let found = middlePair(end, solved, middle);
  for (let address = end - 16; ; address -= 16) {
    v128.store(address + pairValues, found);
    if (address == room) return;
    found = f64x2.add(v128.load(address - 16 + pairSteps), f64x2.mul(v128.load(address - 16 + pairBack), found));
  }
}

/**
 * The same with the right to exercise, for s(slope·F - level) now: nodes are exercised or held until no held one is worth less and
 * no exercised one would rather be held (policy iteration, which ends for this matrix). Returns the middle's factor.
 */
function advanceAmerican(
  room: usize,
  pairs: i32,
  variance: f64,
  explicit: f64,
  h: f64,
  middle: f64,
  slope: f64,
  level: f64,
): f64 {
  const end = room + (<usize>pairs << 4);
  const none = f64x2.splat(0);
  const slopes = f64x2.splat(slope);
  const levels = f64x2.splat(level);
  const slack = f64x2.splat(abs<f64>(level) * tolerance);
  const weight = f64x2.splat(explicit * variance);
  const implicit = f64x2.splat(h * variance);
  fold(end, pairValues);
  let factored = middle;
  for (let pass = 0; pass < passesMax; pass++) {
    let solved = none;
    let before = none;
    let value = v128.load(room + pairValues);
    for (let address = room; address < end; address += 16) {
      let right: v128;
      let payoff: v128;
      if (pass == 0) {
        const next = v128.load(address + pairValues, 16);
        right = f64x2.add(value, f64x2.mul(weight, flow(address, before, value, next)));
        payoff = f64x2.pmax(none, f64x2.sub(f64x2.mul(slopes, v128.load(address + pairNodes)), levels));
        v128.store(address + pairRight, right);
        v128.store(address + pairPayoff, payoff);
        before = value;
        value = next;
      } else {
        right = v128.load(address + pairRight);
        payoff = v128.load(address + pairPayoff);
      }
      right = v128.bitselect(payoff, right, v128.load(address + pairExercised));
      solved = f64x2.add(
        f64x2.mul(right, v128.load(address + pairInverse)),
        f64x2.mul(v128.load(address + pairFactor), solved),
      );
      v128.store(address + pairSteps, solved);
    }
    let found = middlePair(end, solved, factored);
    let inside = v128.shuffle<f64>(found, found, 1, 0);
    let changes = none;
    for (let address = end - 16; ; address -= 16) {
      // the pair before the first counts for nothing
      const outside = f64x2.add(v128.load(address - 16 + pairSteps), f64x2.mul(v128.load(address - 16 + pairBack), found));
      const payoff = v128.load(address + pairPayoff);
      const was = v128.load(address + pairExercised);
      // what is missing to the equation at an exercised node, and whether a held one is worth less than its payoff
      const missing = f64x2.sub(
        f64x2.sub(found, f64x2.mul(implicit, flow(address, outside, found, inside))),
        v128.load(address + pairRight),
      );
      const isBelow = f64x2.lt(f64x2.add(found, slack), payoff);
      const stays = v128.and(was, f64x2.ge(f64x2.add(missing, slack), none));
      const is = v128.or(v128.andnot(isBelow, was), stays);
      v128.store(address + pairExercised, is);
      v128.store(address + pairValues, f64x2.pmax(found, payoff));
      changes = v128.or(changes, v128.xor(is, was));
      if (address == room) break;
      inside = found;
      found = outside;
    }
    if (!v128.any_true(changes)) break;
    factored = factor(room, pairs, variance, h);
  }
  return factored;
}

/** The values in order of their nodes. */
function unfold(room: usize, last: i32): void {
  const pairs = (last + 1) >> 1;
  for (let pair = 0; pair < pairs; pair++) {
    const from = room + (<usize>pair << 4) + pairValues;
    put(room + lineValues, pair, load<f64>(from));
    put(room + lineValues, last - pair, load<f64>(from, 8));
  }
}

/** Value of the polynomial of third order through four nodes from `first` on. */
// @ts-ignore: decorator
@inline
function cubicAt(nodes: usize, values: usize, first: i32, x: f64): f64 {
  const a = at(nodes, first);
  const b = at(nodes, first + 1);
  const c = at(nodes, first + 2);
  const d = at(nodes, first + 3);
  const ab = (at(values, first + 1) - at(values, first)) / (b - a);
  const bc = (at(values, first + 2) - at(values, first + 1)) / (c - b);
  const cd = (at(values, first + 3) - at(values, first + 2)) / (d - c);
  const abc = (bc - ab) / (c - a);
  const bcd = (cd - bc) / (d - b);
  const abcd = (bcd - abc) / (d - a);
  return at(values, first) + (x - a) * (ab + (x - b) * (abc + (x - c) * abcd));
}

/** Takes the values over a dividend of that forward price: each node's becomes that of the forward without it. */
function pay(room: usize, last: i32, dividend: f64): void {
  unfold(room, last);
  const nodes = room + lineNodes;
  const values = room + lineValues;
  let below = 0;
  for (let index = 0; index <= last; index++) {
    const x = max<f64>(at(nodes, index) - dividend, 0);
    while (below + 1 < last && at(nodes, below + 1) <= x) below++;
    const first = min<i32>(below - 1, last - 3);
    let value: f64;
    if (first < 1) {
      const share = (x - at(nodes, below)) / (at(nodes, below + 1) - at(nodes, below));
      value = at(values, below) + share * (at(values, below + 1) - at(values, below));
    } else value = cubicAt(nodes, values, first, x);
    const isLower = index <= last >> 1;
    const pair = isLower ? index : last - index;
    store<f64>(room + pairValues + (<usize>pair << 4) + (isLower ? 0 : 8), value);
  }
}

/** Values at no time left, or what exercising gives where that is more. */
function raise(room: usize, pairs: i32, slope: f64, level: f64, isStart: bool, isAmerican: bool): void {
  const end = room + (<usize>pairs << 4);
  const none = f64x2.splat(0);
  for (let address = room; address < end; address += 16) {
    const payoff = f64x2.pmax(
      none,
      f64x2.sub(f64x2.mul(f64x2.splat(slope), v128.load(address + pairNodes)), f64x2.splat(level)),
    );
    const value = isStart ? payoff : v128.load(address + pairValues);
    v128.store(address + pairValues, f64x2.pmax(value, payoff));
    const isExercised = v128.and(f64x2.ge(payoff, value), f64x2.gt(payoff, none));
    v128.store(address + pairExercised, isAmerican ? isExercised : none);
  }
}

/** Steps from one time before expiry to an earlier moment; with the right to exercise they are shorter at first. */
function span(
  room: usize,
  pairs: i32,
  isCall: bool,
  isAmerican: bool,
  from: f64,
  to: f64,
  steps: i32,
  rate: f64,
  dividendYield: f64,
  variance: f64,
): void {
  if (!isAmerican || steps < 8) {
    stretch(room, pairs, isCall, isAmerican, from, to, steps, dampedSteps, rate, dividendYield, variance);
    return;
  }
  const quarter = steps >> 2;
  const first = from + firstShare * (to - from);
  const second = from + secondShare * (to - from);
  stretch(room, pairs, isCall, true, from, first, quarter, dampedSteps, rate, dividendYield, variance);
  stretch(room, pairs, isCall, true, first, second, quarter, 0, rate, dividendYield, variance);
  stretch(room, pairs, isCall, true, second, to, steps - 2 * quarter, 0, rate, dividendYield, variance);
}

/** Equal steps, the first of them in two implicit halves each. */
function stretch(
  room: usize,
  pairs: i32,
  isCall: bool,
  isAmerican: bool,
  from: f64,
  to: f64,
  steps: i32,
  damped: i32,
  rate: f64,
  dividendYield: f64,
  variance: f64,
): void {
  const length = (to - from) / <f64>steps;
  const h = 0.5 * length;
  const sign: f64 = isCall ? 1 : -1;
  let middle = factor(room, pairs, variance, h);
  // the payoff's terms, and what they grow by over half a step
  let slope = sign * exp<f64>(dividendYield * from);
  let level = sign * exp<f64>(rate * from);
  const slopeGrowth = exp<f64>(dividendYield * h);
  const levelGrowth = exp<f64>(rate * h);
  for (let half = 0; half < 2 * steps; half++) {
    slope *= slopeGrowth;
    level *= levelGrowth;
    const isDamped = half < 2 * damped;
    if (!isDamped && (half & 1) == 0) continue;
    const explicit = isDamped ? 0 : h;
    if (isAmerican) middle = advanceAmerican(room, pairs, variance, explicit, h, middle, slope, level);
    else advance(room, pairs, variance, explicit, middle);
  }
}

/** Solves for the values now, over the nodes that were laid; they are left in order too. */
export function solveGrid(
  room: usize,
  last: i32,
  isCall: bool,
  isAmerican: bool,
  strike: f64,
  time: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  dividends: usize,
  timeSteps: i32,
): void {
  const pairs = (last + 1) >> 1;
  const variance = volatility * volatility;
  const sign: f64 = isCall ? 1 : -1;
  raise(room, pairs, sign, sign, true, isAmerican);
  let done: f64 = 0;
  for (let index = <i32>listLength(dividends) - 2; index >= 0; index -= 2) {
    const dividend = listNumbers(dividends) + (<usize>index << 3);
    const when = load<f64>(dividend);
    const amount = load<f64>(dividend, 8) / strike;
    if (!(when > 0 && when <= time) || amount == 0) continue;
    const left = time - when;
    if (left > done) {
      const steps = max<i32>(1, <i32>nearest<f64>((<f64>timeSteps * (left - done)) / time));
      span(room, pairs, isCall, isAmerican, done, left, steps, rate, dividendYield, variance);
      done = left;
    }
    pay(room, last, amount * exp<f64>((rate - dividendYield) * left));
    if (isAmerican) raise(room, pairs, sign * exp<f64>(dividendYield * left), sign * exp<f64>(rate * left), false, true);
  }
  if (time > done) {
    const steps = max<i32>(1, <i32>nearest<f64>((<f64>timeSteps * (time - done)) / time));
    span(room, pairs, isCall, isAmerican, done, time, steps, rate, dividendYield, variance);
  }
  unfold(room, last);
}

// @ts-ignore: decorator
@inline
function isExercisedAt(room: usize, last: i32, index: i32): bool {
  const isLower = index <= last >> 1;
  const pair = isLower ? index : last - index;
  return load<u64>(room + pairExercised + (<usize>pair << 4) + (isLower ? 0 : 8)) != 0;
}

/**
 * The value at a forward price and its first two derivatives, by the polynomial through the five nodes nearest, stored at `point`.
 * Values bend where exercise begins, so a held price is read off held nodes alone, as far as there are five. False where it is exercised.
 */
export function readGrid(room: usize, last: i32, forward: f64, point: usize): bool {
  const nodes = room + lineNodes;
  const values = room + lineValues;
  let low = 1;
  let high = last;
  while (high - low > 1) {
    const between = (low + high) >> 1;
    if (at(nodes, between) <= forward) low = between;
    else high = between;
  }
  const isLowExercised = isExercisedAt(room, last, low);
  if (isLowExercised && isExercisedAt(room, last, high)) return false;
  const nearestIndex = forward - at(nodes, low) < at(nodes, high) - forward ? low : high;
  let first = max<i32>(1, min<i32>(nearestIndex - 2, last - 4));
  for (let moved = 0; moved < 3 && first + 5 < last && first <= low && isExercisedAt(room, last, first); moved++) first++;
  for (let moved = 0; moved < 3 && first > 1 && first + 4 >= high && isExercisedAt(room, last, first + 4); moved++) first--;
  // Newton's differences, and the polynomial with its derivatives from the last down
  let c0 = at(values, first);
  let c1 = at(values, first + 1);
  let c2 = at(values, first + 2);
  let c3 = at(values, first + 3);
  let c4 = at(values, first + 4);
  const n0 = at(nodes, first);
  const n1 = at(nodes, first + 1);
  const n2 = at(nodes, first + 2);
  const n3 = at(nodes, first + 3);
  const n4 = at(nodes, first + 4);
  c4 = (c4 - c3) / (n4 - n3);
  c3 = (c3 - c2) / (n3 - n2);
  c2 = (c2 - c1) / (n2 - n1);
  c1 = (c1 - c0) / (n1 - n0);
  c4 = (c4 - c3) / (n4 - n2);
  c3 = (c3 - c2) / (n3 - n1);
  c2 = (c2 - c1) / (n2 - n0);
  c4 = (c4 - c3) / (n4 - n1);
  c3 = (c3 - c2) / (n3 - n0);
  c4 = (c4 - c3) / (n4 - n0);
  let value = c4;
  let slope: f64 = 0;
  let bow: f64 = 0;
  bow = 2 * slope + (forward - n3) * bow;
  slope = value + (forward - n3) * slope;
  value = c3 + (forward - n3) * value;
  bow = 2 * slope + (forward - n2) * bow;
  slope = value + (forward - n2) * slope;
  value = c2 + (forward - n2) * value;
  bow = 2 * slope + (forward - n1) * bow;
  slope = value + (forward - n1) * slope;
  value = c1 + (forward - n1) * value;
  bow = 2 * slope + (forward - n0) * bow;
  slope = value + (forward - n0) * slope;
  value = c0 + (forward - n0) * value;
  store<f64>(point + pointValue, value);
  store<f64>(point + pointSlope, slope);
  store<f64>(point + pointCurvature, bow);
  return true;
}
