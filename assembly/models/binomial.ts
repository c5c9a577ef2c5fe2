// Binomial trees: Cox, Ross and Rubinstein's and Leisen and Reimer's, exercised at expiry alone or at every step.
// Source: Cox, Ross & Rubinstein 1979, Option Pricing: A Simplified Approach, J. Financial Economics 7; Leisen & Reimer 1996, Binomial Models for Option
// Valuation (Peizer and Pratt's second inversion); Broadie & Detemple 1996, American Option Valuation, Rev. Fin. Studies 9 (Black–Scholes–Merton in place
// of the last step; extrapolation from half the steps); Pelsser & Vorst 1994 (the tree begun two steps early, so that three spots stand side by side now).
// Over a strike of 1: a step of dt multiplies the spot by u with chance p, else by d. Node (i, m), m from -1 to i + 1, is s d^i (u/d)^m: m = 0 and i = 0 is now,
// its neighbours are what Greeks in the spot are taken from. All nodes of a step go two side by side.
// Cox–Ross–Rubinstein: u = e^(σ√dt), d = 1/u, p = (e^((r-q)dt) - d)/(u - d). Where that is no chance (σ < |r - q|√dt) both are multiplied by e^((r-q)dt) and
// p = 1/(1 + u). Leisen–Reimer: p and p' by inversion of d2 and d1, u = e^((r-q)dt) p'/p, d = e^((r-q)dt) (1 - p')/(1 - p); an odd number of steps.
// Checked by the same trees in plain arithmetic, node by node, by their limit, and by published ones (tests/numerics/binomial).
import { exp } from "../math/exp";
import { growthRatio } from "../math/jet";
import { logRatio } from "../math/log-ratio";
import { normalLaw } from "../math/normal";
import { pair } from "./approximation";

export const treeCoxRossRubinstein: i32 = 0;
export const treeLeisenReimer: i32 = 1;

/** Steps at most. */
export const stepsMax: i32 = 2000;
/** Bytes of the two columns a tree needs: values, and spots up to a factor; four more than nodes, since the loops go by four. */
export const treeColumnBytes: usize = (<usize>stepsMax + 8) << 3;
export const treeBytes: usize = 2 * treeColumnBytes;

// What a tree leaves at `answer`: the value now and what it is worth to wait, at the spot below, at the spot, at the one above; and the logarithm between them.
export const answerBelow: usize = 0;
export const answerNow: usize = 8;
export const answerAbove: usize = 16;
export const answerGap: usize = 24;

/** As far as exponents of spots may go. */
const logMax: f64 = 690;
/** Exponent of a tail beyond which an inversion has no digits: the forward's tree is used. */
const tailMax: f64 = 600;

/** The number of steps a tree makes of the asked one. */
export function stepsOf(tree: i32, steps: i32): i32 {
  return tree == treeLeisenReimer ? steps | 1 : steps;
}

/** Half the steps, for the extrapolation; 0 where there is nothing to extrapolate from. */
export function halfSteps(tree: i32, steps: i32): i32 {
  const half = stepsOf(tree, steps >> 1);
  return half < stepsOf(tree, steps) ? half : 0;
}

/** e^-y of Peizer and Pratt's inversion of z over n steps. */
// @ts-ignore: decorator
@inline
function inversionExponent(z: f64, n: f64): f64 {
  const scaled = z / (n + 1.0 / 3.0 + 0.1 / (n + 1));
  return scaled * scaled * (n + 1.0 / 6.0);
}

/** The chance that z stands for, or of the other side. */
// @ts-ignore: decorator
@inline
function chance(z: f64, y: f64): f64 {
  // 1 - e^-y, and the smaller of the two chances, without cancellation
  const rest = sqrt<f64>(y / growthRatio(y));
  return z > 0 ? 0.5 * (1 + rest) : (0.5 * exp<f64>(-y)) / (1 + rest);
}

/**
 * Values of a tree over a strike of 1 at `answer`; the steps are as `stepsOf` gives them. False where its spots are too large for a double.
 */
export function treeValues(
  space: usize,
  sign: f64,
  tree: i32,
  isAmerican: bool,
  isSmoothed: bool,
  steps: i32,
  x: f64,
  rate: f64,
  dividendYield: f64,
  volatility: f64,
  time: f64,
  answer: usize,
): bool {
  const n = <f64>steps;
  const dt = time / n;
  const step = volatility * sqrt<f64>(dt);
  const drift = (rate - dividendYield) * dt;
  let logUp = step;
  let logDown = -step;
  let up: f64 = 0;
  let isFound = false;
  if (tree == treeCoxRossRubinstein) {
    if (step < logMax) {
      up = (exp<f64>(drift) - exp<f64>(-step)) / (exp<f64>(step) - exp<f64>(-step));
      isFound = up > 0 && up < 1;
    }
  } else {
    const v = volatility * sqrt<f64>(time);
    const d1 = (x + (rate - dividendYield) * time) / v + 0.5 * v;
    const d2 = d1 - v;
    const y1 = inversionExponent(d1, n);
    const y2 = inversionExponent(d2, n);
    if (y1 < tailMax && y2 < tailMax) {
      up = chance(d2, y2);
      logUp = drift + logRatio(chance(d1, y1), up);
      logDown = drift + logRatio(chance(-d1, y1), chance(-d2, y2));
      isFound = up > 0 && up < 1 && logUp > logDown;
    }
  }
  if (!isFound) {
    if (!(step < logMax)) return false;
    logUp = drift + step;
    logDown = drift - step;
    up = 1 / (1 + exp<f64>(step));
  }
  const gap = logUp - logDown;
  const reach = (n + 2) * max<f64>(abs<f64>(logUp), abs<f64>(logDown)) + gap;
  if (!(abs<f64>(x) + reach < logMax) || !(gap > 0)) return false;
  const discount = exp<f64>(-rate * dt);
  const upper = discount * up;
  const lower = discount * (1 - up);
  const values = space;
  const spots = space + treeColumnBytes;
  // sign · s (u/d)^(m - n/2): times d^i (u/d)^(n/2) a step's spots
  const middle = 0.5 * n;
  for (let node = 0; node < steps + 7; node++) {
    const m = <f64>(min<i32>(node, steps + 2) - 1);
    store<f64>(spots + (<usize>node << 3), sign * exp<f64>(x + (m - middle) * gap));
  }
  let last = steps;
  const final = exp<f64>(n * logDown + middle * gap);
  for (let node = 0; node < steps + 7; node++) {
    store<f64>(values + (<usize>node << 3), max<f64>(load<f64>(spots + (<usize>node << 3)) * final - sign, 0));
  }
  if (isSmoothed) {
    last = steps - 1;
    const factor = exp<f64>(<f64>last * logDown + middle * gap);
    const shift = drift / step + 0.5 * step;
    const yieldDiscount = exp<f64>(-dividendYield * dt);
    for (let node = 0; node < steps + 6; node++) {
      const m = <f64>(min<i32>(node, steps + 1) - 1);
      const payoff = load<f64>(spots + (<usize>node << 3)) * factor - sign;
      const d1 = (x + <f64>last * logDown + m * gap) / step + shift;
      const laws = normalLaw<v128>(pair(sign * d1, sign * (d1 - step)));
      const held =
        (payoff + sign) * yieldDiscount * f64x2.extract_lane(laws, 0) -
        sign * discount * f64x2.extract_lane(laws, 1);
      store<f64>(values + (<usize>node << 3), isAmerican && last > 0 ? max<f64>(held, payoff) : held);
    }
  }
  for (let i = last - 1; i >= 0; i--) {
    // now itself is for the caller to decide, who knows the payoff exactly
    if (isAmerican && i > 0) holdOrExercise(values, spots, i + 3, upper, lower, exp<f64>(<f64>i * logDown + middle * gap), sign);
    else hold(values, i + 3, upper, lower);
  }
  store<f64>(answer + answerBelow, load<f64>(values));
  store<f64>(answer + answerNow, load<f64>(values, 8));
  store<f64>(answer + answerAbove, load<f64>(values, 16));
  store<f64>(answer + answerGap, gap);
  return true;
}

/** One step back over so many nodes, in place. */
function hold(values: usize, nodes: i32, upper: f64, lower: f64): void {
  const up = f64x2.splat(upper);
  const down = f64x2.splat(lower);
  const end = values + (<usize>nodes << 3);
  for (let at = values; at < end; at += 32) {
    const first = v128.load(at);
    const second = v128.load(at, 16);
    const firstUp = v128.load(at, 8);
    const secondUp = v128.load(at, 24);
    v128.store(at, f64x2.add(f64x2.mul(firstUp, up), f64x2.mul(first, down)));
    v128.store(at, f64x2.add(f64x2.mul(secondUp, up), f64x2.mul(second, down)), 16);
  }
}

/** The same where exercising may be better. */
function holdOrExercise(
  values: usize,
  spots: usize,
  nodes: i32,
  upper: f64,
  lower: f64,
  factor: f64,
  sign: f64,
): void {
  const up = f64x2.splat(upper);
  const down = f64x2.splat(lower);
  const scale = f64x2.splat(factor);
  const strike = f64x2.splat(sign);
  const end = values + (<usize>nodes << 3);
  let from = spots;
  for (let at = values; at < end; at += 32) {
    const first = v128.load(at);
    const second = v128.load(at, 16);
    const firstUp = v128.load(at, 8);
    const secondUp = v128.load(at, 24);
    const firstHeld = f64x2.add(f64x2.mul(firstUp, up), f64x2.mul(first, down));
    const secondHeld = f64x2.add(f64x2.mul(secondUp, up), f64x2.mul(second, down));
    const firstPaid = f64x2.sub(f64x2.mul(v128.load(from), scale), strike);
    const secondPaid = f64x2.sub(f64x2.mul(v128.load(from, 16), scale), strike);
    v128.store(at, f64x2.pmax(firstHeld, firstPaid));
    v128.store(at, f64x2.pmax(secondHeld, secondPaid), 16);
    from += 32;
  }
}
