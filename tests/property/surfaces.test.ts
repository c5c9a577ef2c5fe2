// Fitted surfaces judged by nothing but prices: calls convex and falling in the strike, rising in time at equal moneyness. The prices
// are made by a Black formula of the test's own, so that no formula under test judges itself.

import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../src/foundation/random";
import { Surface, type SurfaceSlice } from "../../src/surfaces/surface";
import { type SviSlice, totalVariance } from "../../src/surfaces/svi";
import { fitConstrained, startSlice } from "../../src/surfaces/svi-constrained";
import { priceFaults } from "../harness/price-arbitrage";

const [seed, surfaceCount] = [20_251_002n, 40];

describe(`surfaces fitted to random quotes (seed ${seed})`, () => {
  test(`${surfaceCount} surfaces of four expiries, noisy and crossing: no arbitrage is left in prices, on slices and between`, () => {
    const random = seededRandom(seed);
    const between = (low: number, high: number) => low + (high - low) * random.unit();
    let crossedCount = 0;
    for (let count = 0; count < surfaceCount; count++) {
      const slices: SurfaceSlice[] = [];
      let time = 0;
      let before: SviSlice | undefined;
      for (let index = 0; index < 4; index++) {
        const step = between(0.05, 0.5);
        time += step;
        const variance = between(0.02, 0.09) * time;
        const scale = Math.sqrt(variance);
        const truth: SviSlice = {
          a: variance * between(0.1, 0.6),
          b: scale * between(0.1, 0.4),
          rho: between(-0.9, 0.3),
          m: scale * between(-0.3, 0.5),
          sigma: scale * between(0.3, 1.2),
          wing: {
            height: scale * between(0, 0.15),
            centre: -scale * between(1.5, 4),
            width: scale * between(0.5, 1.5),
          },
        };
        const k = Float64Array.from({ length: 50 }, (_, at) => scale * (-5 + (7.5 * at) / 49));
        const exact = k.map((x) => totalVariance(truth, x));
        const error = exact.map((w) => w * 0.01);
        const points = { k, w: exact.map((w, at) => w + error[at]! * 2 * (random.unit() - 0.5)), error };
        if (before !== undefined && k.some((x, at) => totalVariance(before!, x) > points.w[at]!)) crossedCount += 1;
        const own = startSlice(points, true)!;
        const start = own.wing === undefined && before?.wing ? { ...own, wing: before.wing } : own;
        const share = before === undefined ? 0 : (0.01 * step) / (time - step);
        const fit = fitConstrained({ points, start, above: before && { slice: before, share } });
        expect(fit.isFree).toBeTrue();
        before = fit.slice;
        slices.push({ timeToExpiry: time, forward: 100, discount: 1, svi: fit.slice });
      }
      const surface = new Surface(slices, 100);
      expect(surface.arbitrage().isFree).toBeTrue();
      expect(priceFaults(surface)).toEqual([]);
    }
    // Otherwise nothing was repaired and nothing shown.
    expect(crossedCount).toBeGreaterThan(surfaceCount);
  });

  test("the judge sees what is wrong: Vogt's slice, and two that cross", () => {
    const vogt = { a: -0.041, b: 0.1331, rho: 0.306, m: 0.3586, sigma: 0.4153 };
    const slice = (timeToExpiry: number, svi: SviSlice) => ({ timeToExpiry, forward: 100, discount: 1, svi });
    expect(priceFaults(new Surface([slice(1, vogt)])).some((fault) => fault.startsWith("not convex"))).toBeTrue();
    const level = (a: number) => ({ a, b: 0, rho: 0, m: 0, sigma: 1 });
    expect(priceFaults(new Surface([slice(1, level(0.05)), slice(2, level(0.04))]))[0]).toStartWith("falls in time");
  });
});
