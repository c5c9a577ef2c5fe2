// Arithmetic averages over fixings, conditioned on the geometric one, over jets: a lower bound that is closed and far nearer than moments are, and by
// simulation what is left above it. Separate from asian.ts because nothing here is an approximation by a law.
// Source: Rogers and Shi (1995), The value of an Asian option; Curran (1994), Valuing Asian and portfolio options by conditioning; the bound's closed form over
// fixings after Nielsen and Sandmann (2003), Pricing bounds on Asian options. Simulation: Kemna and Vorst's control (1990), taken at its best moment.
// Legend: N fixings to come at t_i of n in all, X = K less what is known, Z the geometric average's standardised logarithm,
//   m_i = Σ_j min(t_i, t_j)/N, v = Σ m_i/N, c_i = Cov(ln S_i, Z) = σ m_i/√v,  E[A | Z = z] = Σ F_i e^(c_i z - c_i²/2)/n, which grows with z and is X at z*.
//   call ≥ D (Σ F_i N(c_i - z*)/n - X N(-z*)) = D E[(A - X); Z > z*]
// z* is where the bound is largest, so its own derivatives do not matter to first order: one step of Newton's over jets gives the bound's to third.
// What is left is D E|A - X| where A and Z are on different sides of X and z*: small, rare, and its mean is all that is simulated (sixteen scramblings of Sobol's
// points by Brownian bridges, whose means also tell the error).
import { bridgePath, bridgeRowBytes, prepareBridge } from "../math/brownian-bridge";
import { exp } from "../math/exp";
import { inverseNormal } from "../math/inverse-normal";
import { logRatio } from "../math/log-ratio";
import { randomBits, uniformOf } from "../math/random";
import { scrambled, sobolWord } from "../math/sobol";
import {
  assign,
  atTime,
  exponential,
  fixed,
  law,
  logarithm,
  mark,
  minus,
  over,
  plus,
  release,
  reserve,
  scaled,
  squareRoot,
  times,
  valueOf,
  variable,
} from "./jet";
import { dividendYield, rate, rateDiscount, spot, volatility } from "./market";

/** Fixings to come that can be simulated: Sobol's dimensions. */
export const simulatedFixingsMax: usize = 64;
const replicates: u32 = 16;
const newtonSteps: i32 = 60;

/** The standard error of the last simulation. */
export let standardError: f64 = 0;

export function clearStandardError(): void {
  standardError = 0;
}

// @ts-ignore: decorator
@inline
function timeAt(list: usize, index: usize): f64 {
  return load<f64>(list + (index << 3));
}

/** z* as a number: Newton's method on ln E[A|z], which is convex and almost straight. */
function boundaryNumber(list: usize, count: usize, target: f64, carry: f64, sigma: f64, root: f64): f64 {
  let z: f64 = 0;
  for (let step = 0; step < newtonSteps; step++) {
    let sum: f64 = 0;
    let slope: f64 = 0;
    let before: f64 = 0;
    for (let index: usize = 0; index < count; index++) {
      const t = timeAt(list, index);
      before += t;
      const c = (sigma * (before + <f64>(count - index - 1) * t)) / (<f64>count * root);
      const part = exp<f64>(max<f64>(-700, min<f64>(700, carry * t + c * (z - 0.5 * c))));
      sum += part;
      slope += c * part;
    }
    const change = (logRatio<f64>(sum, target) * sum) / slope;
    z -= change;
    if (!(abs<f64>(change) > 1e-13 * (1 + abs<f64>(z)))) break;
  }
  return z;
}

/** The bound of an option, φ = 1 a call, on what is to come against X; `list` holds the fixings to come, all after now, of `whole` in all. */
export function conditionedValue(
  phi: f64,
  list: usize,
  count: usize,
  whole: f64,
  left: usize,
  paths: u32,
  seed: u64,
): usize {
  const carry = minus(rate, dividendYield);
  const n = <f64>count;
  // v as a jet
  const v = fixed(0);
  const before = fixed(0);
  let start = mark();
  for (let index: usize = 0; index < count; index++) {
    const at = variable(timeAt(list, index), atTime);
    assign(before, plus(before, at));
    assign(v, plus(v, scaled(plus(before, scaled(at, <f64>(count - index - 1))), 1 / (n * n))));
    release(start);
  }
  const rootV = squareRoot(v);
  const sigmaPerRoot = over(volatility, scaled(rootV, n));
  const target = (valueOf(left) * whole) / valueOf(spot);
  const root = valueOf(rootV);
  const z0 = boundaryNumber(list, count, target, valueOf(carry), valueOf(volatility), root);
  // one step of Newton's over jets
  const sum = fixed(0);
  assign(before, fixed(0));
  start = mark();
  let slope: f64 = 0;
  for (let index: usize = 0; index < count; index++) {
    const at = variable(timeAt(list, index), atTime);
    assign(before, plus(before, at));
    const c = times(plus(before, scaled(at, <f64>(count - index - 1))), sigmaPerRoot);
    const part = exponential(plus(times(carry, at), minus(scaled(c, z0), scaled(times(c, c), 0.5))));
    slope += valueOf(c) * valueOf(part);
    assign(sum, plus(sum, part));
    release(start);
  }
  const off = logarithm(times(sum, spot), scaled(left, whole));
  const z = minus(fixed(z0), scaled(off, valueOf(sum) / slope));
  // the bound
  const value = fixed(0);
  assign(before, fixed(0));
  start = mark();
  for (let index: usize = 0; index < count; index++) {
    const at = variable(timeAt(list, index), atTime);
    assign(before, plus(before, at));
    const c = times(plus(before, scaled(at, <f64>(count - index - 1))), sigmaPerRoot);
    const part = times(exponential(times(carry, at)), law(scaled(minus(c, z), phi)));
    assign(value, plus(value, part));
    release(start);
  }
  const gain = scaled(
    minus(scaled(times(value, spot), 1 / whole), times(left, law(scaled(z, -phi)))),
    phi,
  );
  const bound = times(gain, rateDiscount);
  if (paths == 0) return bound;
  const rest = remainder(list, count, whole, valueOf(left), valueOf(z), valueOf(carry), root, paths, seed);
  standardError *= valueOf(rateDiscount);
  return plus(bound, fixed(rest * valueOf(rateDiscount)));
}

/** E|A - X| where A - X and Z - z* differ in sign, by simulation. */
function remainder(
  list: usize,
  count: usize,
  whole: f64,
  left: f64,
  boundary: f64,
  carry: f64,
  root: f64,
  paths: u32,
  seed: u64,
): f64 {
  const keys = reserve(simulatedFixingsMax << 2);
  const table = reserve(simulatedFixingsMax * bridgeRowBytes);
  const normals = reserve(simulatedFixingsMax << 3);
  const path = reserve(simulatedFixingsMax << 3);
  const growths = reserve(simulatedFixingsMax << 3);
  prepareBridge(list, count, table);
  const sigma = valueOf(volatility);
  for (let index: usize = 0; index < count; index++) {
    const t = timeAt(list, index);
    store<f64>(growths + (index << 3), (valueOf(spot) / whole) * exp<f64>((carry - 0.5 * sigma * sigma) * t));
  }
  const points = (paths + replicates - 1) / replicates;
  let total: f64 = 0;
  let squares: f64 = 0;
  for (let replicate: u32 = 0; replicate < replicates; replicate++) {
    for (let index: usize = 0; index < count; index++) {
      store<u32>(keys + (index << 2), <u32>randomBits(seed, <u32>index, 0, replicate, 1));
    }
    let sum: f64 = 0;
    for (let point: u32 = 0; point < points; point++) {
      for (let index: usize = 0; index < count; index++) {
        const word = scrambled(sobolWord(<u32>index, point), load<u32>(keys + (index << 2)));
        store<f64>(normals + (index << 3), inverseNormal(uniformOf(word)));
      }
      bridgePath(table, count, normals, path);
      let average: f64 = 0;
      let brownian: f64 = 0;
      for (let index: usize = 0; index < count; index++) {
        const w = load<f64>(path + (index << 3));
        brownian += w;
        average += load<f64>(growths + (index << 3)) * exp<f64>(sigma * w);
      }
      const excess = average - left;
      if (excess > 0 != brownian / (<f64>count * root) > boundary) sum += abs<f64>(excess);
    }
    const mean = sum / <f64>points;
    total += mean;
    squares += mean * mean;
  }
  const n = <f64>replicates;
  const mean = total / n;
  standardError = sqrt<f64>(max<f64>(0, squares - n * mean * mean) / (n * (n - 1)));
  return mean;
}
