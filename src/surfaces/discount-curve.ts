// What a unit paid later is worth now, as a function of time: flat, from zero rates, or from par yields. Separate from parity,
// which reads single expiries out of quotes; here those figures, or somebody's rates, become a curve. Pure.
//
// Source: log-linear discount factors (constant forwards between pillars): the convention that can't make a negative forward
//   out of falling discounts. Monotone convex: Hagan & West, "Interpolation methods for curve construction", Applied Mathematical
//   Finance 13 (2006), section 6: continuous forwards that keep each stretch's average and stay above zero where the stretches do.
// Legend: D discount factor · r zero rate, continuous, r = −ln D/t · f instantaneous forward, f = −d ln D/dt · fᵈ a stretch's average
//   forward · x place in a stretch, 0 to 1 · g = f − fᵈ.
// Valid: times ≥ 0 in years. Before the first pillar the first stretch begins at 0; after the last its forward stays.
// Checked: tests/unit/surfaces/discount-curve (pillars, averages, positivity, forwards against differences, par bonds at par).

import { assert } from "../foundation/assert";

export interface DiscountCurve {
  /** D(t); 1 at 0. */
  discount(time: number): number;
  /** −ln D/t, continuous; at 0 the forward there. */
  zeroRate(time: number): number;
  /** −d ln D/dt; at a pillar of a log-linear curve that of the stretch after it. */
  forwardRate(time: number): number;
}

export const curveInterpolations = ["log_linear_discount", "monotone_convex"] as const;

export type CurveInterpolation = (typeof curveInterpolations)[number];

/** Zero rates at times. */
export interface ZeroPillars {
  /** Years, > 0, rising. */
  readonly times: readonly number[];
  /** Continuous. */
  readonly rates: readonly number[];
}

/** One rate for all times, continuous. */
export function flatCurve(rate: number): DiscountCurve {
  return { discount: (time) => Math.exp(-rate * time), zeroRate: () => rate, forwardRate: () => rate };
}

/** The continuous rate that grows as much as one compounded so many times a year. */
export function continuousRate(rate: number, compoundingsPerYear: number): number {
  return compoundingsPerYear * Math.log1p(rate / compoundingsPerYear);
}

/** A curve through zero rates. */
export function zeroCurve({ times, rates }: ZeroPillars, interpolation: CurveInterpolation): DiscountCurve {
  assert(times.length > 0 && times.length === rates.length, `${times.length} times have ${rates.length} rates`);
  times.forEach((time, index) => {
    assert(time > (times[index - 1] ?? 0), `time ${time} is not after the one before`);
    assert(Number.isFinite(rates[index]!), `rate ${rates[index]} is not finite`);
  });
  const stretches = stretchesOf(times, rates, interpolation);
  /** r·t and f. */
  const at = (time: number): { growth: number; forward: number } => {
    assert(time >= 0, `time ${time} is before now`);
    const stretch = stretches.find(({ end }) => time < end);
    if (stretch === undefined) {
      const last = stretches.at(-1)!;
      return { growth: last.endGrowth + last.endForward * (time - last.end), forward: last.endForward };
    }
    const { start, end, startGrowth, average, shape } = stretch;
    const x = (time - start) / (end - start);
    const { value, integral } = shape(x);
    return { growth: startGrowth + average * (time - start) + integral * (end - start), forward: average + value };
  };
  return {
    discount: (time) => Math.exp(-at(time).growth),
    zeroRate: (time) => (time === 0 ? at(0).forward : at(time).growth / time),
    forwardRate: (time) => at(time).forward,
  };
}

/** g and its integral from 0, at a place in a stretch. */
type Shape = (x: number) => { readonly value: number; readonly integral: number };

interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly startGrowth: number;
  readonly endGrowth: number;
  /** The forward for all times after, if this is the last. */
  readonly endForward: number;
  readonly average: number;
  readonly shape: Shape;
}

const level: Shape = () => ({ value: 0, integral: 0 });

function stretchesOf(
  times: readonly number[],
  rates: readonly number[],
  interpolation: CurveInterpolation,
): readonly Stretch[] {
  const starts = times.map((_, index) => times[index - 1] ?? 0);
  const growths = times.map((time, index) => rates[index]! * time);
  const averages = times.map((time, index) => (growths[index]! - (growths[index - 1] ?? 0)) / (time - starts[index]!));
  const ends = interpolation === "monotone_convex" ? forwardsAtPillars(times, starts, averages) : null;
  return times.map((end, index) => {
    const average = averages[index]!;
    return {
      start: starts[index]!,
      end,
      startGrowth: growths[index - 1] ?? 0,
      endGrowth: growths[index]!,
      endForward: ends?.[index + 1] ?? average,
      average,
      shape: ends === null ? level : convexShape(ends[index]! - average, ends[index + 1]! - average),
    };
  });
}

/** Hagan & West's forwards at 0 and at every pillar, kept between 0 and twice their neighbours where those are above 0. */
function forwardsAtPillars(times: readonly number[], starts: readonly number[], averages: readonly number[]): number[] {
  const last = times.length - 1;
  if (last === 0) return [averages[0]!, averages[0]!];
  const inner = averages.slice(0, last).map((before, index) => {
    const after = averages[index + 1]!;
    const share = (times[index]! - starts[index]!) / (times[index + 1]! - starts[index]!);
    return within(share * after + (1 - share) * before, Math.min(before, after));
  });
  const first = averages[0]! - (inner[0]! - averages[0]!) / 2;
  const final = averages[last]! - (inner[last - 1]! - averages[last]!) / 2;
  return [within(first, averages[0]!), ...inner, within(final, averages[last]!)];
}

/** Between 0 and twice a positive bound; as it is where the bound isn't positive, since then nothing is to be kept. */
function within(forward: number, bound: number): number {
  return bound > 0 ? Math.min(Math.max(forward, 0), 2 * bound) : forward;
}

/** g on a stretch that begins at g0 and ends at g1 with integral 0, monotone where both ends allow it (the paper's four regions). */
function convexShape(g0: number, g1: number): Shape {
  if (g0 === 0 && g1 === 0) return level;
  const hasOneSign = g0 * g1 >= 0;
  if (hasOneSign) {
    const turn = g1 / (g1 + g0);
    const bottom = (-g0 * g1) / (g0 + g1);
    return twoParabolas(g0, bottom, g1, turn);
  }
  // Opposite signs: how steep the end is against the beginning decides where it stays level.
  const steepness = -g1 / g0;
  if (steepness > 2) {
    const turn = (g1 + 2 * g0) / (g1 - g0);
    return twoParabolas(g0, g0, g1, turn);
  }
  if (steepness < 0.5) {
    const turn = (3 * g1) / (g1 - g0);
    return twoParabolas(g0, g1, g1, turn);
  }
  return (x) => ({
    value: g0 * (1 - 4 * x + 3 * x * x) + g1 * (-2 * x + 3 * x * x),
    integral: g0 * (x - 2 * x * x + x * x * x) + g1 * (x * x * x - x * x),
  });
}

/** Falls from g0 to `bottom` at `turn` and rises to g1, each along a parabola that is level at the turn. */
function twoParabolas(g0: number, bottom: number, g1: number, turn: number): Shape {
  const before = (x: number) => (turn === 0 ? 0 : (turn - (turn - x) ** 3 / (turn * turn)) / 3);
  return (x) => {
    if (x <= turn) {
      const rest = turn === 0 ? 0 : (turn - x) / turn;
      return { value: bottom + (g0 - bottom) * rest * rest, integral: bottom * x + (g0 - bottom) * before(x) };
    }
    const part = (x - turn) / (1 - turn);
    return {
      value: bottom + (g1 - bottom) * part * part,
      integral: bottom * x + (g0 - bottom) * before(turn) + ((g1 - bottom) * (x - turn) * part * part) / 3,
    };
  };
}

/** Par yields of bonds with equal coupons. */
export interface ParYields {
  /** Years to maturity, rising; above one coupon period a whole number of periods. */
  readonly maturities: readonly number[];
  /** A year, as quoted: 0.04 pays 0.04/couponsPerYear each period. */
  readonly yields: readonly number[];
  readonly couponsPerYear: number;
}

/**
 * The zero rates at the maturities at which each bond is worth 1, discounts log-linear between them (bootstrapped, shortest first).
 * Up to one coupon period a bond pays once, with simple interest. Null where a yield is so high that no discount makes its bond worth 1.
 */
export function bootstrapPar({ maturities, yields, couponsPerYear }: ParYields): ZeroPillars | null {
  assert(maturities.length === yields.length, `${maturities.length} maturities have ${yields.length} yields`);
  const period = 1 / couponsPerYear;
  const rates: number[] = [];
  for (const [index, maturity] of maturities.entries()) {
    const periods = Math.round(maturity * couponsPerYear);
    const parYield = yields[index]!;
    if (maturity <= period) {
      rates.push(Math.log1p(parYield * maturity) / maturity);
      continue;
    }
    assert(Math.abs(periods - maturity * couponsPerYear) < 1e-9, `maturity ${maturity} is not a number of periods`);
    const times = maturities.slice(0, index + 1);
    /** The bond's worth less 1 where the rate of its maturity is this: falls with the rate. */
    const excess = (rate: number) => {
      const curve = zeroCurve({ times, rates: [...rates, rate] }, "log_linear_discount");
      let worth = curve.discount(maturity);
      for (let coupon = 1; coupon <= periods; coupon++) worth += parYield * period * curve.discount(coupon * period);
      return worth - 1;
    };
    let [low, high] = [-rateReach, rateReach];
    if (!(excess(low) > 0 && excess(high) < 0)) return null;
    for (let count = 0; count < 80; count++) {
      const middle = (low + high) / 2;
      if (excess(middle) > 0) low = middle;
      else high = middle;
    }
    rates.push((low + high) / 2);
  }
  return { times: maturities, rates };
}

/** Zero rates beyond ±200 % aren't looked for. */
const rateReach = 2;

/** A rate and the day from which it holds. */
export interface RateChange {
  /** Days since 1970-01-01. */
  readonly day: number;
  readonly rate: number;
}

/** The rate that held on a day, out of changes in order; null before the first. */
export function rateOn(changes: readonly RateChange[], day: number): number | null {
  return changes.findLast((change) => change.day <= day)?.rate ?? null;
}
