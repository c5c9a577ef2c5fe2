// Extended SSVI: its own formula, its bounds against the exact checks, and fits that never leave them.

import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../src/foundation/random";
import { fitSsvi, hasNoButterflies, hasNoCalendars, rawFromSsvi, type SsviSlice } from "../../../src/surfaces/ssvi";
import { totalVariance } from "../../../src/surfaces/svi";
import { butterflyArbitrage, calendarArbitrage } from "../../../src/surfaces/svi-arbitrage";
import type { SlicePoints } from "../../../src/surfaces/svi-fit";

function quoted(slice: SsviSlice, count = 41): SlicePoints {
  const k = Float64Array.from({ length: count }, (_, index) => -0.5 + (0.8 * index) / (count - 1));
  const raw = rawFromSsvi(slice);
  const w = k.map((x) => totalVariance(raw, x));
  return { k, w, error: w.map((each) => each / 200) };
}

const seed = 5n;

describe("extended SSVI", () => {
  test("its raw slice is the paper's formula", () => {
    const { theta, rho, psi } = { theta: 0.04, rho: -0.6, psi: 0.3 };
    const phi = psi / theta;
    for (const k of [-1, -0.2, 0, 0.4]) {
      const paper = (theta / 2) * (1 + rho * phi * k + Math.sqrt((phi * k + rho) ** 2 + 1 - rho * rho));
      expect(totalVariance(rawFromSsvi({ theta, rho, psi }), k)).toBeCloseTo(paper, 15);
    }
  });

  test(`what keeps the bounds has no butterfly, and what keeps both no calendar arbitrage: 1,000 random pairs (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const between = (low: number, high: number) => low + (high - low) * random.unit();
    let [butterflyCount, pairCount] = [0, 0];
    const slice = (): SsviSlice => ({ theta: between(0.005, 0.2), rho: between(-0.95, 0.95), psi: between(0.01, 1.2) });
    for (let count = 0; count < 1000; count++) {
      const earlier = slice();
      const later = { ...slice(), theta: earlier.theta * between(0.95, 2), psi: earlier.psi * between(0.95, 1.8) };
      for (const each of [earlier, later])
        if (hasNoButterflies(each)) {
          butterflyCount += 1;
          expect(butterflyArbitrage(rawFromSsvi(each)).isFree).toBeTrue();
        }
      if (hasNoCalendars(earlier, later)) {
        pairCount += 1;
        expect(calendarArbitrage(rawFromSsvi(earlier), rawFromSsvi(later)).isFree).toBeTrue();
      }
    }
    expect(butterflyCount).toBeGreaterThan(200);
    expect(pairCount).toBeGreaterThan(30);
  });

  const earlier = { theta: 0.03, rho: -0.5, psi: 0.2 };
  test.each([
    ["less variance at the money", { ...earlier, theta: 0.029 }],
    ["a flatter left wing", { ...earlier, theta: 0.04, rho: -0.4 }],
    ["a flatter right wing", { ...earlier, theta: 0.04, rho: -0.6 }],
    ["a higher φ", { ...earlier, theta: 0.03, psi: 0.3 }],
  ])("the bounds refuse %s", (_, later) => {
    expect(hasNoCalendars(earlier, later)).toBeFalse();
  });

  test.each([
    ["too steep", { theta: 4, rho: 0.5, psi: 3 }],
    ["too curved", { theta: 0.01, rho: 0.5, psi: 0.2 }],
    ["no variance", { theta: 0, rho: 0, psi: 0.1 }],
  ])("the bounds refuse a slice: %s", (_, slice) => {
    expect(hasNoButterflies(slice)).toBeFalse();
  });

  test.each([
    [{ theta: 0.02, rho: -0.7, psi: 0.15 }],
    [{ theta: 0.09, rho: 0.3, psi: 0.4 }],
    [{ theta: 0.25, rho: -0.2, psi: 0.5 }],
  ])("a slice comes back from its quotes: %p", (slice) => {
    const found = fitSsvi(quoted(slice), null, 0)!;
    expect(found.theta / slice.theta).toBeCloseTo(1, 3);
    expect(found.rho).toBeCloseTo(slice.rho, 2);
    expect(found.psi / slice.psi).toBeCloseTo(1, 2);
  });

  test("with an earlier slice the answer keeps both bounds, whatever the quotes say", () => {
    const random = seededRandom(9n);
    for (let count = 0; count < 40; count++) {
      const between = (low: number, high: number) => low + (high - low) * random.unit();
      const wanted = { theta: between(0.01, 0.08), rho: between(-0.9, 0.5), psi: between(0.05, 0.3) };
      const before = { theta: between(0.01, 0.05), rho: between(-0.9, 0.5), psi: between(0.05, 0.15) };
      if (!hasNoButterflies(before)) continue;
      const found = fitSsvi(quoted(wanted), before, 0.01)!;
      expect(hasNoButterflies(found)).toBeTrue();
      expect(hasNoCalendars(before, found)).toBeTrue();
      expect(found.theta).toBeGreaterThanOrEqual(before.theta * 1.01 * (1 - 1e-12));
    }
  });

  test("quotes on one side of the money only are enough, four are not", () => {
    const points = quoted({ theta: 0.02, rho: -0.7, psi: 0.15 });
    const side = (keep: (k: number) => boolean): SlicePoints => ({
      k: points.k.filter(keep),
      w: points.w.filter((_, index) => keep(points.k[index]!)),
      error: points.error.filter((_, index) => keep(points.k[index]!)),
    });
    for (const keep of [(k: number) => k < 0, (k: number) => k > 0])
      expect(Math.abs(fitSsvi(side(keep), null, 0)!.theta / 0.02 - 1)).toBeLessThan(0.1);
    expect(fitSsvi(quoted({ theta: 0.02, rho: -0.7, psi: 0.15 }, 4), null, 0)).toBeNull();
  });
});
