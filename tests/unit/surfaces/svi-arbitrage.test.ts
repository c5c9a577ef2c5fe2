// What must be found in slices known to be wrong, and not in others; both ways of looking against each other.

import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../src/foundation/random";
import { combination, negativeIntervals, product } from "../../../src/surfaces/polynomial";
import { jumpWingsOf, type RawSvi, rawFromJumpWings, type SviSlice } from "../../../src/surfaces/svi";
import { butterflyArbitrage, calendarArbitrage } from "../../../src/surfaces/svi-arbitrage";

const vogt = { a: -0.041, b: 0.1331, rho: 0.306, m: 0.3586, sigma: 0.4153 };
const smile = { a: 0.0032, b: 0.0612, rho: -0.7443, m: 0.0488, sigma: 0.0844 };
/** The same slice, to be looked at as one with a put wing. */
const asWinged = (slice: RawSvi): SviSlice => ({ ...slice, wing: { height: 1e-300, centre: 0, width: 1 } });

describe("butterfly arbitrage", () => {
  test("is found in Vogt's slice, where call prices are not convex (Gatheral & Jacquier, figure 2)", () => {
    const report = butterflyArbitrage(vogt);
    expect(report.isFree).toBeFalse();
    expect(report.intervals).toHaveLength(1);
    // g by a dense grid of our own: below zero from 0.6424 to 1.2569, least −0.03286 at 0.8793.
    expect(report.intervals[0]!.low).toBeCloseTo(0.64241, 5);
    expect(report.intervals[0]!.high).toBeCloseTo(1.25691, 5);
    expect(report.least).toBeCloseTo(-0.032864, 6);
    expect(report.at).toBeCloseTo(0.87933, 4);
  });

  test.each([
    ["the guaranteed one", 0.3493158, 0.01548182],
    ["the optimised one", 0.8564763, 0.0116249],
  ])("is in neither of the paper's two mends (example 5.1): %s", (_, callWing, minimumVariance) => {
    const mended = rawFromJumpWings({ ...jumpWingsOf(vogt, 1), callWing, minimumVariance }, 1)!;
    expect(butterflyArbitrage(mended)).toMatchObject({ isFree: true, intervals: [] });
  });

  test.each([
    ["left", { ...smile, b: 1.3, rho: -0.8 }],
    ["right", { ...smile, b: 1.3, rho: 0.8 }],
    ["left, of a put wing", { ...smile, wing: { height: 1, centre: -0.4, width: 0.2 } }],
  ])("is there where the %s wing is steeper than 2", (side, slice) => {
    const { isFree, intervals } = butterflyArbitrage(slice);
    expect(isFree).toBeFalse();
    expect(side === "right" ? intervals.at(-1)!.high : intervals[0]!.low).toBe(
      side === "right" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY,
    );
  });

  test("is there where variance is negative, and the report says where", () => {
    const { isFree, least, intervals } = butterflyArbitrage({ a: -0.01, b: 0.1, rho: 0, m: 0, sigma: 0.05 });
    expect(isFree).toBeFalse();
    expect(least).toBe(Number.NEGATIVE_INFINITY);
    // |k| < √(0.1² − 0.05²)
    expect(intervals[0]!.low).toBeCloseTo(-Math.sqrt(0.0075), 9);
    expect(intervals[0]!.high).toBeCloseTo(Math.sqrt(0.0075), 9);
  });

  test("is not in a level smile", () => {
    expect(butterflyArbitrage({ a: 0.04, b: 0, rho: 0, m: 0, sigma: 1 })).toMatchObject({ isFree: true, least: 1 });
  });

  test("is found alike by the polynomial and by looking, on 400 random slices of which many have some", () => {
    const random = seededRandom(7n);
    let wrongCount = 0;
    for (let count = 0; count < 400; count++) {
      const between = (low: number, high: number) => low + (high - low) * random.unit();
      const [b, rho, sigma] = [between(0.02, 0.9), between(-0.95, 0.95), between(0.02, 0.6)];
      const a = -b * sigma * Math.sqrt(1 - rho * rho) + between(0.0005, 0.05);
      const slice = { a, b, rho, m: between(-0.4, 0.4), sigma };
      const exact = butterflyArbitrage(slice);
      const seen = butterflyArbitrage(asWinged(slice));
      // Between −1e-9 and 0 the two may differ by rounding.
      if (Math.abs(exact.least) < 1e-9) continue;
      expect(seen.isFree).toBe(exact.isFree);
      if (exact.isFree) continue;
      wrongCount += 1;
      expect(seen.intervals).toHaveLength(exact.intervals.length);
      exact.intervals.forEach(({ low, high }, index) => {
        if (Number.isFinite(low)) expect(seen.intervals[index]!.low).toBeCloseTo(low, 5);
        if (Number.isFinite(high)) expect(seen.intervals[index]!.high).toBeCloseTo(high, 5);
      });
    }
    expect(wrongCount).toBeGreaterThan(50);
    expect(wrongCount).toBeLessThan(350);
  });
});

describe("calendar arbitrage", () => {
  test("two slices that cross twice are told where: the later lies below between", () => {
    const earlier = { a: 0.04, b: 0, rho: 0, m: 0, sigma: 1 };
    // 0.02 + 0.1·√(k² + 0.01) = 0.04 at k = ±√(0.2² − 0.1²)
    const later = { a: 0.02, b: 0.1, rho: 0, m: 0, sigma: 0.1 };
    for (const report of [calendarArbitrage(earlier, later), calendarArbitrage(earlier, asWinged(later))]) {
      expect(report.isFree).toBeFalse();
      expect(report.intervals).toHaveLength(1);
      expect(report.intervals[0]!.low).toBeCloseTo(-Math.sqrt(0.03), 9);
      expect(report.intervals[0]!.high).toBeCloseTo(Math.sqrt(0.03), 9);
      expect(report.least).toBeCloseTo(-0.01, 9);
    }
  });

  test.each([
    ["left", -0.8],
    ["right", -0.7],
  ])("a later slice with a flatter %s wing is wrong however far out they cross", (side, rho) => {
    const later = { ...smile, a: 5, rho };
    for (const report of [calendarArbitrage(smile, later), calendarArbitrage(smile, asWinged(later))]) {
      expect(report.isFree).toBeFalse();
      // −0.8 flattens the right wing, −0.7 the left one.
      if (side === "left") expect(report.intervals.at(-1)!.high).toBe(Number.POSITIVE_INFINITY);
      else expect(report.intervals[0]!.low).toBe(Number.NEGATIVE_INFINITY);
    }
  });

  test("none where the later slice lies above, or is the same", () => {
    expect(calendarArbitrage(smile, { ...smile, a: smile.a + 1e-6 })).toMatchObject({ isFree: true, intervals: [] });
    expect(calendarArbitrage(smile, smile).isFree).toBeTrue();
    expect(calendarArbitrage(asWinged(smile), asWinged(smile)).isFree).toBeTrue();
  });

  test("is found alike by the quartic and by looking, on 400 random pairs of which many cross", () => {
    const random = seededRandom(11n);
    let wrongCount = 0;
    for (let count = 0; count < 400; count++) {
      const between = (low: number, high: number) => low + (high - low) * random.unit();
      const slice = () => ({
        a: between(0, 0.03),
        b: between(0.05, 0.2),
        rho: between(-0.9, 0.3),
        m: between(-0.2, 0.2),
        sigma: between(0.05, 0.4),
      });
      const [earlier, first] = [slice(), slice()];
      const later = { ...first, a: first.a + 0.02, b: first.b + 0.1 };
      const exact = calendarArbitrage(earlier, later);
      const seen = calendarArbitrage(asWinged(earlier), asWinged(later));
      expect(seen.isFree).toBe(exact.isFree);
      if (exact.isFree) continue;
      wrongCount += 1;
      // What starts beyond the grid is only told by its slope.
      const near = exact.intervals.filter(({ low, high }) => Math.min(Math.abs(low), Math.abs(high)) < 50);
      for (const { low, high } of near) {
        const twin = seen.intervals.find((other) => other.low < high && other.high > low)!;
        if (Math.abs(low) < 50) expect(twin.low).toBeCloseTo(low, 5);
        if (Math.abs(high) < 50) expect(twin.high).toBeCloseTo(high, 5);
      }
    }
    expect(wrongCount).toBeGreaterThan(100);
    expect(wrongCount).toBeLessThan(390);
  });
});

describe("negative pieces of a polynomial", () => {
  const roots = (...values: number[]) =>
    values.reduce<number[]>((polynomial, root) => product(polynomial, [-root, 1]), [1]);
  const pieces = (polynomial: readonly number[]) => negativeIntervals(polynomial, polynomial.map(Math.abs));

  test.each([
    ["two roots", roots(0.5, 3), [[0.5, 3]]],
    [
      "three roots",
      roots(1e-4, 2, 5000),
      [
        [0, 1e-4],
        [2, 5000],
      ],
    ],
    ["roots near each other", roots(1, 1.001), [[1, 1.001]]],
    ["a double root, where it only touches", roots(2, 2), []],
    ["only negative roots", roots(-1, -2), []],
    ["a negative leading coefficient", [1, -1], [[1, Number.POSITIVE_INFINITY]]],
    ["nothing but zeros", [0, 0, 0], []],
    ["nothing but negative coefficients", [-1, -2], [[0, Number.POSITIVE_INFINITY]]],
  ])("%s", (_, polynomial, expected) => {
    const found = pieces(polynomial);
    expect(found).toHaveLength(expected.length);
    found.forEach(({ low, high }, index) => {
      const [from, to] = expected[index]!;
      expect(Math.abs(low - from!)).toBeLessThanOrEqual(1e-8 * from!);
      expect(high === to || Math.abs(high / to! - 1) < 1e-8).toBeTrue();
    });
  });

  test("what cancels to rounding is no root: the difference of two equal polynomials has no negative piece", () => {
    const one = roots(0.1, 0.2, 0.3, 0.4);
    const other = product(roots(0.1, 0.3), roots(0.2, 0.4));
    const magnitudes = combination([1, one.map(Math.abs)], [1, other.map(Math.abs)]);
    expect(negativeIntervals(combination([1, one], [-1, other]), magnitudes)).toEqual([]);
  });

  test("what is no number is refused, and so is a constant", () => {
    expect(() => pieces([1, Number.NaN])).toThrow("not all numbers");
    expect(() => pieces([1])).toThrow("no variable");
  });
});
