// Whether a smile has butterfly arbitrage, whether a later one crosses an earlier one, and where. Separate from fitting: what
// is checked here must not rest on how it was made. Pure.
//
// Source: butterflies: g ≥ 0 and w > 0 with wing slopes ≤ 2 (Roper 2010, theorem 2.9; Durrleman's function as in Gatheral &
//   Jacquier 2014, lemma 2.2; the bound on slopes: Lee 2004). Calendar spreads: w nondecreasing in time at every k (Gatheral &
//   Jacquier, lemma 2.1).
// Method for raw slices, exact up to rounding: with t = (k − m + √((k − m)² + σ²))/σ the sign of g is that of a polynomial of
//   degree 10 in t > 0; crossings of two slices are among the roots of a quartic in k (Gatheral & Jacquier, section 3.1).
//   Both go to polynomial.ts, which misses no root. Slices with a put wing are looked at on a grid that is dense wherever one of
//   the hyperbolas bends, and refined at every local minimum; beyond the grid the wings' slopes decide.
// Checked: tests/unit/surfaces/svi-arbitrage (Vogt's slice; both methods against each other), tests/property/surfaces (prices
//   convex in the strike and rising in time, found without any of this).

import { lowestBetween } from "./golden-section";
import { combination, type Interval, negativeIntervals, product } from "./polynomial";
import {
  durrleman,
  minimumTotalVariance,
  type RawSvi,
  type SviSlice,
  totalVariance,
  varianceJet,
  wingSlopes,
} from "./svi";
import { wingSlopeMax } from "./svi-fit";

/** What is wrong with a smile, if anything. */
export interface ArbitrageReport {
  readonly isFree: boolean;
  /** The least of what must not be negative, as far as it was looked at, and where that is. */
  readonly least: number;
  readonly at: number;
  /** Log-moneyness where it is negative; ends may be ±∞. */
  readonly intervals: readonly Interval[];
}

/** Rounding of sums of numbers this large is no arbitrage. */
const roundingShare = 1e-13;

/** Butterfly arbitrage of one slice: `least` is Durrleman's g. */
export function butterflyArbitrage(slice: SviSlice): ArbitrageReport {
  const g = (k: number) => durrleman(varianceJet(slice, k), k);
  const points = lookingPoints([slice]);
  const dense = lookedAt(g, points);
  const intervals = isRaw(slice) ? rawButterflies(slice) : [...dense.intervals];
  // Where w isn't positive there is no volatility, and g means nothing.
  const minimum = minimumTotalVariance(slice);
  if (!(minimum.w > 0)) {
    const negative = lookedAt((k) => totalVariance(slice, k), points).intervals;
    return { isFree: false, least: Number.NEGATIVE_INFINITY, at: minimum.k, intervals: negative };
  }
  const { left, right } = wingSlopes(slice);
  const reach = points.at(-1)!;
  if (left > wingSlopeMax && intervals.length === 0) intervals.push({ low: Number.NEGATIVE_INFINITY, high: -reach });
  if (right > wingSlopeMax && intervals.length === 0) intervals.push({ low: reach, high: Number.POSITIVE_INFINITY });
  let { least, at } = dense;
  for (const { low, high } of intervals) {
    const middle = within(low, high);
    if (g(middle) < least) [least, at] = [g(middle), middle];
  }
  return { isFree: intervals.length === 0, least, at, intervals };
}

/** Calendar arbitrage between two slices of one underlying: `least` is the later variance less the earlier. */
export function calendarArbitrage(earlier: SviSlice, later: SviSlice): ArbitrageReport {
  const difference = (k: number) => totalVariance(later, k) - totalVariance(earlier, k);
  const dense = lookedAt(difference, lookingPoints([earlier, later]), (k) => totalVariance(earlier, k));
  const intervals =
    isRaw(earlier) && isRaw(later) ? rawCrossings(earlier, later, dense.intervals) : [...dense.intervals];
  const [before, after] = [wingSlopes(earlier), wingSlopes(later)];
  const reach = Math.abs(dense.reach);
  if (after.left < before.left * (1 - roundingShare) && intervals[0]?.low !== Number.NEGATIVE_INFINITY)
    intervals.unshift({ low: Number.NEGATIVE_INFINITY, high: -reach });
  if (after.right < before.right * (1 - roundingShare) && intervals.at(-1)?.high !== Number.POSITIVE_INFINITY)
    intervals.push({ low: reach, high: Number.POSITIVE_INFINITY });
  let { least, at } = dense;
  for (const { low, high } of intervals) {
    const middle = within(low, high);
    if (difference(middle) < least) [least, at] = [difference(middle), middle];
  }
  return { isFree: intervals.length === 0, least, at, intervals };
}

function isRaw({ wing }: SviSlice): boolean {
  return wing === undefined || wing.height === 0;
}

/** Some point inside an interval whose ends may be infinite. */
function within(low: number, high: number): number {
  if (low === Number.NEGATIVE_INFINITY) return high === Number.POSITIVE_INFINITY ? 0 : high - 1 - Math.abs(high);
  return high === Number.POSITIVE_INFINITY ? low + 1 + Math.abs(low) : (low + high) / 2;
}

/** Where g < 0, by the polynomial in t; w must be positive. */
function rawButterflies({ a, b, rho, m, sigma }: RawSvi): Interval[] {
  if (b === 0) return [];
  const half = (b * sigma) / 2;
  // w = W/t, k = K/t, w′ = b·V/(t² + 1).
  const W = [half * (1 - rho), a, half * (1 + rho)];
  const K = [-sigma / 2, m, sigma / 2];
  const V = [-(1 - rho), 0, 1 + rho];
  const square = [1, 0, 1];
  const sumOf = (w: readonly number[], k: readonly number[], v: readonly number[], sign: 1 | -1) => {
    const first = combination([1, product(w, square)], [(sign * b) / 2, product(k, v)]);
    const second = product(product(v, v), combination([1, [0, ...w]], [0.25, product(w, w)]));
    return combination(
      [1, product(product(first, first), square)],
      [(sign * b * b) / 4, product(second, square)],
      [(4 * b) / sigma, [0, 0, 0, ...product(w, w)]],
    );
  };
  const absolute = (polynomial: readonly number[]) => polynomial.map(Math.abs);
  const toMoneyness = (t: number) => (t === 0 ? Number.NEGATIVE_INFINITY : m + (sigma / 2) * (t - 1 / t));
  const magnitudes = sumOf(absolute(W), absolute(K), absolute(V), 1);
  return negativeIntervals(sumOf(W, K, V, -1), magnitudes).map(({ low, high }) => ({
    low: toMoneyness(low),
    high: toMoneyness(high),
  }));
}

/**
 * Where the later slice lies below the earlier, between the roots of the quartic that both sides squared twice give. Where one
 * slice is nearly a line, a crossing and a root that squaring made come in pairs that rounding hides; `seen` adds their ends.
 */
function rawCrossings(earlier: RawSvi, later: RawSvi, seen: readonly Interval[]): Interval[] {
  // R² of each as a polynomial in k, times b².
  const squared = ({ b, m, sigma }: RawSvi) => [b * b * (m * m + sigma * sigma), -2 * b * b * m, b * b];
  const level = ({ a, b, rho, m }: RawSvi) => a - b * rho * m;
  const line = [level(later) - level(earlier), later.b * later.rho - earlier.b * earlier.rho];
  const [one, two] = [squared(earlier), squared(later)];
  const middle = combination([1, one], [1, two], [-1, product(line, line)]);
  const quartic = combination([1, product(middle, middle)], [-4, product(one, two)]);
  const absolute = (polynomial: readonly number[]) => polynomial.map(Math.abs);
  const size = combination([1, absolute(one)], [1, absolute(two)], [1, product(absolute(line), absolute(line))]);
  const magnitudes = combination([1, product(size, size)], [4, product(absolute(one), absolute(two))]);
  const mirrored = quartic.map((coefficient, power) => (power % 2 === 0 ? coefficient : -coefficient));
  const ends = (intervals: readonly Interval[]) =>
    intervals.flatMap(({ low, high }) => [low, high]).filter(Number.isFinite);
  const breaks = [
    ...ends(seen),
    ...ends(negativeIntervals(mirrored, magnitudes)).map((end) => -end),
    ...ends(negativeIntervals(quartic, magnitudes)),
    0,
  ].sort((left, right) => left - right);

  const intervals: Interval[] = [];
  const edges = [Number.NEGATIVE_INFINITY, ...breaks, Number.POSITIVE_INFINITY];
  edges.slice(1).forEach((high, index) => {
    const low = edges[index]!;
    if (low === high) return;
    const k = within(low, high);
    const before = totalVariance(earlier, k);
    if (totalVariance(later, k) - before >= -roundingShare * before) return;
    const last = intervals.at(-1);
    if (last !== undefined && last.high === low) intervals[intervals.length - 1] = { low: last.low, high };
    else intervals.push({ low, high });
  });
  return intervals;
}

/** Log-moneynesses in order, dense around every bend and reaching far beyond all. */
export function lookingPoints(slices: readonly SviSlice[]): Float64Array {
  const bends: [centre: number, width: number][] = [];
  for (const slice of slices) {
    bends.push([slice.m, slice.sigma]);
    if (slice.wing !== undefined) bends.push([slice.wing.centre, slice.wing.width]);
    const { k, w } = minimumTotalVariance(slice);
    // g bends where w is small, on the scale of √w about the money and about the lowest point.
    if (w > 0) bends.push([0, Math.sqrt(w)], [k, Math.sqrt(w * slice.sigma)]);
  }
  const points = new Float64Array(bends.length * (2 * stepsPerBend + 1));
  let count = 0;
  for (const [centre, width] of bends)
    for (let step = -stepsPerBend; step <= stepsPerBend; step++)
      points[count++] = centre + width * Math.sinh((step * reachOfBend) / stepsPerBend);
  return points.sort();
}

/** ±60 steps of 0.15 reach ±4,051 widths. */
const stepsPerBend = 60;
const reachOfBend = 9;

/** The least value of f over the points, local minima refined, and the intervals where it is negative beyond rounding. */
function lookedAt(
  f: (k: number) => number,
  points: Float64Array,
  scale: (k: number) => number = () => 1,
): { least: number; at: number; reach: number; intervals: Interval[] } {
  const values = points.map(f);
  let least = Number.POSITIVE_INFINITY;
  let at = 0;
  const isNegative = (k: number, value: number) => value < -roundingShare * scale(k);
  const intervals: Interval[] = [];
  const add = (low: number, high: number) => {
    const last = intervals.at(-1);
    if (last !== undefined && last.high >= low) intervals[intervals.length - 1] = { low: last.low, high };
    else intervals.push({ low, high });
  };
  const final = points.length - 1;
  for (let index = 0; index <= final; index++) {
    const [k, value] = [points[index]!, values[index]!];
    if (value < least) [least, at] = [value, k];
    if (isNegative(k, value)) {
      const low = index === 0 ? Number.NEGATIVE_INFINITY : signChange(f, points[index - 1]!, k);
      const high = index === final ? Number.POSITIVE_INFINITY : signChange(f, points[index + 1]!, k);
      add(low, high);
      continue;
    }
    if (index === 0 || index === final || values[index - 1]! < value || values[index + 1]! < value) continue;
    const bottom = lowestBetween(f, points[index - 1]!, points[index + 1]!, 50);
    const depth = f(bottom);
    if (depth < least) [least, at] = [depth, bottom];
    if (isNegative(bottom, depth))
      add(signChange(f, points[index - 1]!, bottom), signChange(f, points[index + 1]!, bottom));
  }
  return { least, at, reach: Math.max(-points[0]!, points[final]!), intervals };
}

/** Where f changes sign between a point where it is not negative (if so) and one where it is; bisected. */
function signChange(f: (k: number) => number, from: number, negative: number): number {
  if (f(from) < 0) return from;
  let [outside, inside] = [from, negative];
  for (let count = 0; count < 60; count++) {
    const middle = (outside + inside) / 2;
    if (f(middle) < 0) inside = middle;
    else outside = middle;
  }
  return inside;
}
