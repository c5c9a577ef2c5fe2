// Fitting a slice of 64 quotes: raw SVI as a live market does it at every tick, beside the paper's own search (Nelder–Mead over centre
// and width, De Marco & Martini 2009) and beside one American option by a plain binomial tree of 200 steps, a unit of work that every
// machine has. The fit with put wing and conditions, and the arbitrage check, are told and not judged.

import { systemClock } from "../../src/foundation/clock";
import { totalVariance } from "../../src/surfaces/svi";
import { butterflyArbitrage } from "../../src/surfaces/svi-arbitrage";
import { fitConstrained, startSlice } from "../../src/surfaces/svi-constrained";
import { fitSvi, type SlicePoints } from "../../src/surfaces/svi-fit";
import { type CompareOptions, compare, describe, type Measurement, type Ratio, ratioOf } from "../compare";

const quoteCount = 64;

/** What the fit must be worth: half a tree of 200 steps, and a fifth of the simplex. */
export const floors = { tree: 2, simplex: 5 };

/** Quotes off a slice by up to 0.4 % of variance, which is also their error. */
export function sampleQuotes(low: number, high: number, count = quoteCount): SlicePoints {
  const slice = {
    ...{ a: 0.0032, b: 0.0612, rho: -0.7443, m: 0.0488, sigma: 0.0844 },
    wing: low < -1 ? { height: 0.0436, centre: -0.3833, width: 0.156 } : undefined,
  };
  const k = Float64Array.from({ length: count }, (_, index) => low + ((high - low) * index) / (count - 1));
  const exact = k.map((x) => totalVariance(slice, x));
  const error = exact.map((w) => 0.004 * w);
  return { k, w: exact.map((w, index) => w + error[index]! * Math.sin(7.3 * index)), error };
}

/** Cost of the best level, tilt and depth at one centre and width, by normal equations. */
function linearCost({ k, w, error }: SlicePoints, m: number, sigma: number): number {
  const normal = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  const right = [0, 0, 0];
  for (let index = 0; index < k.length; index++) {
    const y = (k[index]! - m) / sigma;
    const row = [1, y, Math.sqrt(y * y + 1)];
    const weight = 1 / error[index]! ** 2;
    for (let i = 0; i < 3; i++) {
      right[i]! += weight * row[i]! * w[index]!;
      for (let j = 0; j < 3; j++) normal[3 * i + j]! += weight * row[i]! * row[j]!;
    }
  }
  for (let i = 0; i < 3; i++)
    for (let j = i + 1; j < 3; j++) {
      const factor = normal[3 * j + i]! / normal[3 * i + i]!;
      for (let column = i; column < 3; column++) normal[3 * j + column]! -= factor * normal[3 * i + column]!;
      right[j]! -= factor * right[i]!;
    }
  const c = right[2]! / normal[8]!;
  const d = (right[1]! - normal[5]! * c) / normal[4]!;
  const a = (right[0]! - normal[1]! * d - normal[2]! * c) / normal[0]!;
  let sum = 0;
  for (let index = 0; index < k.length; index++) {
    const y = (k[index]! - m) / sigma;
    sum += ((a + d * y + c * Math.sqrt(y * y + 1) - w[index]!) / error[index]!) ** 2;
  }
  return sum;
}

/** The least cost by Nelder and Mead's simplex (1965) over (m, ln σ), to 1e-9. */
export function simplexCost(points: SlicePoints): number {
  const cost = ([m, logSigma]: readonly number[]) => linearCost(points, m!, Math.exp(logSigma!));
  type Vertex = { at: number[]; value: number };
  const vertex = (at: number[]): Vertex => ({ at, value: cost(at) });
  let simplex = [vertex([0, -2]), vertex([0.1, -2]), vertex([0, -1.5])];
  for (let step = 0; step < 400; step++) {
    simplex = simplex.toSorted((left, right) => left.value - right.value);
    const [best, good, worst] = simplex as [Vertex, Vertex, Vertex];
    if (worst.value - best.value <= 1e-9 * best.value) break;
    const along = (share: number) =>
      vertex([0, 1].map((i) => (best.at[i]! + good.at[i]!) * 0.5 * (1 + share) - worst.at[i]! * share));
    const reflected = along(1);
    let next = reflected;
    if (reflected.value < best.value) {
      const expanded = along(2);
      if (expanded.value < reflected.value) next = expanded;
    } else if (reflected.value >= good.value) next = along(reflected.value < worst.value ? 0.5 : -0.5);
    if (next.value < worst.value) simplex = [best, good, next];
    else simplex = [best, ...[good, worst].map(({ at }) => vertex(at.map((x, i) => (x + best.at[i]!) / 2)))];
  }
  return Math.min(...simplex.map(({ value }) => value));
}

/** An American put by Cox, Ross and Rubinstein's tree (1979). */
export function treePut(stepCount: number): number {
  const [spot, strike, rate, volatility, time] = [100, 105, 0.03, 0.2, 0.5];
  const step = time / stepCount;
  const up = Math.exp(volatility * Math.sqrt(step));
  const discount = Math.exp(-rate * step);
  const chance = (Math.exp(rate * step) - 1 / up) / (up - 1 / up);
  const values = new Float64Array(stepCount + 1);
  for (let node = 0; node <= stepCount; node++)
    values[node] = Math.max(0, strike - spot * up ** (2 * node - stepCount));
  for (let level = stepCount - 1; level >= 0; level--) {
    let price = spot * up ** -level;
    for (let node = 0; node <= level; node++) {
      const held = discount * (chance * values[node + 1]! + (1 - chance) * values[node]!);
      values[node] = Math.max(held, strike - price);
      price *= up * up;
    }
  }
  return values[0]!;
}

/** Measures all; few rounds make a smoke test. A row is one slice, check or tree. */
export function benchSvi(options: CompareOptions): { measurements: Measurement[]; ratios: Ratio[] } {
  const near = sampleQuotes(-0.3, 0.2);
  const wide = sampleQuotes(-1.6, 0.25);
  const start = startSlice(wide, true)!;
  const fitted = fitConstrained({ points: wide, start }).slice;
  const measurements = compare(
    [
      { name: "tree of 200 steps", rows: 1, run: () => treePut(200) },
      { name: "SVI by simplex", rows: 1, run: () => simplexCost(near) },
      { name: "SVI slice fit", rows: 1, run: () => fitSvi(near) },
      { name: "with put wing", rows: 1, run: () => fitConstrained({ points: wide, start: startSlice(wide, true)! }) },
      { name: "with put wing, warm", rows: 1, run: () => fitConstrained({ points: wide, start: fitted }) },
      { name: "butterfly check", rows: 1, run: () => butterflyArbitrage(fitted) },
    ],
    options,
  );
  const fast = "SVI slice fit";
  return {
    measurements,
    ratios: [
      ratioOf(measurements, {
        name: "SVI slice fit against a tree of 200 steps",
        fast,
        slow: "tree of 200 steps",
        floor: floors.tree,
      }),
      ratioOf(measurements, {
        name: "SVI slice fit against the simplex",
        fast,
        slow: "SVI by simplex",
        floor: floors.simplex,
      }),
    ],
  };
}

if (import.meta.main) {
  const { measurements, ratios } = benchSvi({ clock: systemClock, rounds: 31, rowsPerRound: 100 });
  process.stdout.write(describe("slices of 64 quotes", measurements, ratios));
}
