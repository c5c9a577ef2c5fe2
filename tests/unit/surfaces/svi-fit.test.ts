// The fits: parameters that come back, minima that nothing beats, and conditions that hold whatever the quotes say.

import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../src/foundation/random";
import { solveSymmetric } from "../../../src/surfaces/linear";
import { type SviSlice, totalVariance } from "../../../src/surfaces/svi";
import { butterflyArbitrage, calendarArbitrage } from "../../../src/surfaces/svi-arbitrage";
import { fitConstrained, lossOf, startSlice } from "../../../src/surfaces/svi-constrained";
import { fitSvi, type SlicePoints } from "../../../src/surfaces/svi-fit";

const smile = { a: 0.0032, b: 0.0612, rho: -0.7443, m: 0.0488, sigma: 0.0844 };
const winged: SviSlice = { ...smile, wing: { height: 0.0436, centre: -0.3833, width: 0.156 } };
const vogt = { a: -0.041, b: 0.1331, rho: 0.306, m: 0.3586, sigma: 0.4153 };

/** Quotes on a slice, `noise` errors off it by turns; an error is a hundredth of the variance. */
function quoted(slice: SviSlice, low: number, high: number, count = 64, noise = 0): SlicePoints {
  const k = Float64Array.from({ length: count }, (_, index) => low + ((high - low) * index) / (count - 1));
  const exact = k.map((x) => totalVariance(slice, x));
  const error = exact.map((w) => Math.abs(w) / 100 + 1e-6);
  return { k, w: exact.map((w, index) => w + error[index]! * noise * Math.sin(7.3 * index)), error };
}

const [seed, sliceCount] = [20_251_001n, 500];

describe("fitting SVI", () => {
  test(`the parameters of ${sliceCount} random slices come back to 1e-7 (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const between = (low: number, high: number) => low + (high - low) * random.unit();
    for (let count = 0; count < sliceCount; count++) {
      const slice = {
        a: between(0.002, 0.04),
        b: between(0.02, 0.32),
        rho: between(-0.95, 0.65),
        m: between(-0.15, 0.15),
        sigma: between(0.03, 0.43),
      };
      const { raw, rms, stepCount } = fitSvi(quoted(slice, -0.6, 0.4))!;
      expect(rms).toBeLessThan(1e-7);
      expect(stepCount).toBeLessThan(40);
      for (const key of ["a", "b", "rho", "m", "sigma"] as const) expect(raw[key]).toBeCloseTo(slice[key], 7);
    }
  });

  test("among noisy quotes no change of a parameter makes it better", () => {
    const points = quoted(smile, -0.3, 0.2, 40, 1);
    const { raw, rms } = fitSvi(points)!;
    const squares = (slice: SviSlice) =>
      points.k.reduce((sum, k, i) => sum + ((totalVariance(slice, k) - points.w[i]!) / points.error[i]!) ** 2, 0);
    expect(Math.sqrt(squares(raw) / 40)).toBeCloseTo(rms, 10);
    for (const key of ["a", "b", "rho", "m", "sigma"] as const)
      for (const step of [1.001, 0.999])
        expect(squares({ ...raw, [key]: raw[key] * step })).toBeGreaterThan(squares(raw));
  });

  test("quotes with a small error weigh more", () => {
    const points = quoted(smile, -0.3, 0.2, 40, 1);
    const sure = { ...points, error: points.error.map((each, index) => (index === 20 ? each / 100 : each)) };
    const off = (given: SlicePoints) =>
      Math.abs(totalVariance(fitSvi(given)!.raw, given.k[20]!) - given.w[20]!) / points.error[20]!;
    expect(off(sure)).toBeLessThan(off(points) / 10);
  });

  test.each([
    ["falling", -1],
    ["rising", 1],
  ])("on a %s line ρ goes to its bound and no further", (_, side) => {
    const points = quoted({ a: 0.05, b: 0.1, rho: side, m: -0.8 * side, sigma: 0.05 }, -0.4, 0.4);
    const { raw, rms } = fitSvi(points)!;
    expect(Math.abs(raw.rho)).toBeCloseTo(0.999, 6);
    expect(Math.sign(raw.rho)).toBe(side);
    expect(rms).toBeLessThan(0.5);
  });

  test("a frown becomes the best level, since no slice bends down", () => {
    const k = Float64Array.from([-0.2, -0.1, 0, 0.1, 0.2]);
    const { raw, rms } = fitSvi({ k, w: k.map((x) => 0.05 - x * x), error: k.map(() => 0.01) })!;
    expect(raw.b).toBeLessThan(1e-3);
    expect(totalVariance(raw, 0)).toBeCloseTo(0.03, 3);
    expect(rms).toBeLessThan(2);
  });

  test("quotes steeper than any slice may be give the level of least squares", () => {
    const k = Float64Array.from([-0.2, -0.1, 0, 0.1, 0.2]);
    const { raw, stepCount } = fitSvi({ k, w: k.map((x) => 1 + 100 * Math.abs(x)), error: k.map(() => 1) })!;
    expect(raw).toMatchObject({ b: 0, rho: 0 });
    // 1 + 100·(0.2 + 0.1 + 0 + 0.1 + 0.2)/5
    expect(raw.a).toBeCloseTo(13, 12);
    expect(stepCount).toBe(0);
  });

  test.each([
    ["four quotes", quoted(smile, -0.2, 0.2, 4)],
    ["one strike five times", { ...quoted(smile, -0.2, 0.2, 5), k: new Float64Array(5).fill(0.1) }],
  ])("%s fit nothing", (_, points) => {
    expect(fitSvi(points)).toBeNull();
  });
});

describe("fitting with a put wing and conditions", () => {
  test("a slice with a put wing comes back, its eight parameters to 1e-5", () => {
    const points = quoted(winged, -1.6, 0.25, 140);
    const start = startSlice(points, true)!;
    const { slice, loss, isFree, isDrawnBack } = fitConstrained({ points, start });
    expect({ isFree, isDrawnBack }).toEqual({ isFree: true, isDrawnBack: false });
    expect(loss).toBeLessThan(1e-6);
    for (const key of ["a", "b", "rho", "m", "sigma"] as const) expect(slice[key]).toBeCloseTo(smile[key], 5);
    for (const key of ["height", "centre", "width"] as const)
      expect(slice.wing![key]).toBeCloseTo(winged.wing![key], 5);
  });

  test.each([
    ["is not asked for", -1.6, false],
    ["could not be told from so few far puts", -0.2, true],
  ])("no wing where it %s", (_, low, wantsWing) => {
    expect(startSlice(quoted(winged, low, 0.25), wantsWing)!.wing).toBeUndefined();
  });

  test("too few quotes give no start; few about the money still one", () => {
    expect(startSlice(quoted(smile, -0.1, 0.1, 4), true)).toBeNull();
    expect(startSlice({ ...quoted(smile, 0, 1, 5), k: new Float64Array(5) }, true)).toBeNull();
    expect(startSlice(quoted(winged, -1.6, -0.4, 20), true)).not.toBeNull();
  });

  test("of Vogt's quotes the nearest slice without arbitrage is found, nearer than the paper's by its own measure", () => {
    const points = quoted(vogt, -1, 1.5, 60);
    const { slice, loss, isFree, isDrawnBack } = fitConstrained({ points, start: fitSvi(points)!.raw });
    expect({ isFree, isDrawnBack }).toEqual({ isFree: true, isDrawnBack: false });
    expect(butterflyArbitrage(slice).least).toBeGreaterThanOrEqual(0);
    const optimised = { a: -0.030519905, b: 0.10271679, rho: 0.10071761, m: 0.27234421, sigma: 0.41239806 };
    expect(butterflyArbitrage(optimised).isFree).toBeTrue();
    expect(loss).toBeLessThan(lossOf(optimised, points));
  });

  test("a stale quote pulls no harder than three errors do", () => {
    const points = quoted(winged, -1.6, 0.25, 140);
    const wrong = { ...points, w: points.w.map((w, index) => (index === 70 ? 3 * w : w)) };
    const { slice } = fitConstrained({ points: wrong, start: startSlice(wrong, true)! });
    const off = points.k.map((k, index) => Math.abs(totalVariance(slice, k) - points.w[index]!) / points.error[index]!);
    expect(Math.max(...off)).toBeLessThan(1.5);
  });

  test("a slice that the quotes put below the earlier one is lifted above it, and not further", () => {
    const points = quoted(winged, -1.6, 0.25, 140);
    const earlier = { ...winged, a: winged.a + 0.004 };
    const above = { slice: earlier, share: 0.001 };
    const { slice, isFree, isDrawnBack } = fitConstrained({ points, start: startSlice(points, true)!, above });
    expect({ isFree, isDrawnBack }).toEqual({ isFree: true, isDrawnBack: false });
    expect(calendarArbitrage(earlier, slice).isFree).toBeTrue();
    for (const k of points.k) {
      expect(totalVariance(slice, k)).toBeGreaterThanOrEqual(totalVariance(earlier, k));
      expect(totalVariance(slice, k)).toBeLessThan(totalVariance(earlier, k) * 1.05);
    }
  });

  test("flatter wings than the earlier slice's are steepened to them", () => {
    const points = quoted({ ...smile, a: 0.02, b: 0.03 }, -0.2, 0.15, 40);
    const { slice, isFree } = fitConstrained({
      points,
      start: fitSvi(points)!.raw,
      above: { slice: smile, share: 0.01 },
    });
    expect(isFree).toBeTrue();
    expect(slice.b * (1 - slice.rho)).toBeGreaterThanOrEqual(smile.b * (1 - smile.rho));
    expect(slice.b * (1 + slice.rho)).toBeGreaterThanOrEqual(smile.b * (1 + smile.rho));
  });

  test.each([
    ["a zigzag", (k: number, index: number) => 0.04 * (1 + 0.8 * (index % 2)) + 0.3 * k * k],
    ["a spike", (k: number) => 0.01 + 3 * Math.max(0, 0.02 - Math.abs(k - 0.1))],
    ["a cliff", (k: number) => (k < 0 ? 0.4 : 0.001)],
    ["far too steep a line", (k: number) => 3 - 5 * k],
    ["negative variances", (k: number) => -0.02 + 0.01 * k],
  ])("whatever the quotes are, the answer keeps the conditions: %s", (_, w) => {
    const k = Float64Array.from({ length: 30 }, (_each, index) => -0.6 + index * 0.035);
    const points = { k, w: k.map(w), error: k.map(() => 1e-4) };
    for (const start of [smile, winged, { ...smile, b: 1.9 }])
      for (const above of [undefined, { slice: winged, share: 0.01 }]) {
        const { slice, isFree } = fitConstrained({ points, start, above });
        const honest =
          butterflyArbitrage(slice).isFree && (above === undefined || calendarArbitrage(above.slice, slice).isFree);
        expect(isFree).toBe(honest);
        // Only negative variances with nothing to stay above leave no slice at all.
        if (above !== undefined || points.w[0]! > 0) expect(isFree).toBeTrue();
      }
  });
});

describe("small symmetric systems", () => {
  test("are solved, with the damping on the diagonal", () => {
    // (4 2; 2 3)·x = (2, 5) → x = (−0.5, 2); with damping 1 (8 2; 2 6): (1/22, 9/11).
    const normal = Float64Array.from([4, 0, 2, 3]);
    const [u, v] = solveSymmetric(normal, Float64Array.from([2, 5]), 2, 2, 0);
    expect(u).toBeCloseTo(-0.5, 14);
    expect(v).toBeCloseTo(2, 14);
    const [x, y] = solveSymmetric(normal, Float64Array.from([2, 5]), 2, 2, 1);
    expect(x).toBeCloseTo(1 / 22, 14);
    expect(y).toBeCloseTo(9 / 11, 14);
  });

  test("a direction nothing is known about stays where it is", () => {
    const normal = Float64Array.from([4, 0, 0, 0]);
    expect([...solveSymmetric(normal, Float64Array.from([2, 5]), 2, 2, 0)]).toEqual([0.5, 0]);
  });
});
