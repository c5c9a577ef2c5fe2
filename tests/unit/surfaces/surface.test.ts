// Reading a surface: on its slices, between, before and after them; local volatility and density against what they are by definition.

import { describe, expect, test } from "bun:test";
import { Surface, type SurfaceSlice } from "../../../src/surfaces/surface";
import { durrleman, totalVariance } from "../../../src/surfaces/svi";

const smile = { a: 0.0032, b: 0.0612, rho: -0.7443, m: 0.0488, sigma: 0.0844 };
const slices: SurfaceSlice[] = [
  { timeToExpiry: 0.5, forward: 102, discount: 0.98, svi: smile },
  { timeToExpiry: 1, forward: 104, discount: 0.955, svi: { ...smile, a: 0.012, b: 0.075 } },
  {
    timeToExpiry: 2,
    forward: 108,
    discount: 0.91,
    svi: { ...smile, a: 0.03, b: 0.08, wing: { height: 0.02, centre: -0.6, width: 0.2 } },
  },
];
const surface = new Surface(slices, 100);
const level = (variance: number) => ({ a: variance, b: 0, rho: 0, m: 0, sigma: 1 });

describe("a volatility surface", () => {
  test.each([0, 1, 2])("is its slice at the time of slice %d", (index) => {
    const { timeToExpiry, forward, discount, svi } = slices[index]!;
    expect(surface.forward(timeToExpiry)).toBeCloseTo(forward, 12);
    expect(surface.discount(timeToExpiry)).toBeCloseTo(discount, 14);
    for (const strike of [60, 100, 104, 130])
      expect(surface.volatility(strike, timeToExpiry)).toBeCloseTo(
        Math.sqrt(totalVariance(svi, Math.log(strike / forward)) / timeToExpiry),
        14,
      );
  });

  test("between slices total variance is linear in time at equal moneyness, forwards and discounts log-linear", () => {
    for (const k of [-0.5, 0, 0.2]) {
      const [early, late] = [surface.jet(k, 0.5), surface.jet(k, 1)];
      const between = surface.jet(k, 0.7);
      for (const key of ["w", "slope", "curvature"] as const)
        expect(between[key]).toBeCloseTo(0.6 * early[key] + 0.4 * late[key], 15);
    }
    expect(surface.forward(0.7)).toBeCloseTo(102 ** 0.6 * 104 ** 0.4, 11);
    expect(surface.discount(0.7)).toBeCloseTo(0.98 ** 0.6 * 0.955 ** 0.4, 14);
  });

  test("before the first slice variance is proportional to time, and the forward comes from the spot", () => {
    expect(surface.jet(-0.3, 0.1).w).toBeCloseTo(0.2 * totalVariance(smile, -0.3), 15);
    expect(surface.volatility(surface.forward(0.1), 0.1)).toBeCloseTo(surface.volatility(102, 0.5), 13);
    expect(surface.forward(0)).toBeCloseTo(100, 12);
    expect(surface.forward(0.25)).toBeCloseTo(Math.sqrt(100 * 102), 11);
    expect(surface.discount(0)).toBe(1);
    expect(new Surface(slices).forward(0.1)).toBeCloseTo(102, 12);
  });

  test("after the last slice variance grows by the money's own, the forward as in the last stretch", () => {
    const growth = surface.jet(0, 2).w - surface.jet(0, 1).w;
    for (const k of [-0.5, 0, 0.2]) expect(surface.jet(k, 5).w).toBeCloseTo(surface.jet(k, 2).w + 3 * growth, 14);
    expect(surface.forward(3)).toBeCloseTo(108 * (108 / 104), 10);
    expect(surface.discount(3)).toBeCloseTo((0.91 * 0.91) / 0.955, 13);
  });

  test("one slice alone keeps its volatility in both directions", () => {
    const lone = new Surface([slices[0]!], 100);
    expect(lone.jet(0, 3).w).toBeCloseTo(6 * totalVariance(smile, 0), 14);
    expect(lone.jet(0, 0.1).w).toBeCloseTo(0.2 * totalVariance(smile, 0), 14);
    expect(lone.forward(1)).toBeCloseTo(102 * 1.02, 10);
    expect(new Surface([slices[0]!]).forward(1)).toBeCloseTo(102, 10);
    expect(lone.arbitrage()).toMatchObject({ isFree: true, calendars: [] });
  });

  test("local volatility is the growth of variance over g, by differences of the surface itself", () => {
    for (const time of [0.2, 0.8, 1.5, 4])
      for (const strike of [70, 95, 104, 125]) {
        const { localVolatility, k, ...jet } = surface.at(strike, time);
        const h = 1e-5;
        const growth = (surface.jet(k, time + h).w - surface.jet(k, time - h).w) / (2 * h);
        expect(localVolatility ** 2).toBeCloseTo(growth / durrleman(jet, k), 7);
      }
  });

  test("without a smile local volatility is the forward volatility", () => {
    const flat = new Surface([
      { timeToExpiry: 1, forward: 100, discount: 1, svi: level(0.04) },
      { timeToExpiry: 2, forward: 100, discount: 1, svi: level(0.13) },
    ]);
    expect(flat.at(80, 0.5).localVolatility).toBeCloseTo(0.2, 14);
    expect(flat.at(80, 1.5).localVolatility).toBeCloseTo(0.3, 14);
    expect(flat.at(80, 3).localVolatility).toBeCloseTo(0.3, 14);
  });

  test("the density sums to 1 and has the forward for its mean", () => {
    const time = 0.7;
    let mass = 0;
    let mean = 0;
    for (let strike = 0.05; strike < 400; strike += 0.1) {
      const { density } = surface.at(strike, time);
      mass += density * 0.1;
      mean += density * strike * 0.1;
    }
    expect(mass).toBeCloseTo(1, 4);
    expect(mean).toBeCloseTo(surface.forward(time), 2);
  });

  test("where slices cross or g is negative there is no local volatility, and the report says which", () => {
    const vogt = { a: -0.041, b: 0.1331, rho: 0.306, m: 0.3586, sigma: 0.4153 };
    const wrong = new Surface([
      { timeToExpiry: 1, forward: 100, discount: 1, svi: vogt },
      { timeToExpiry: 2, forward: 100, discount: 1, svi: level(0.05) },
    ]);
    const { isFree, butterflies, calendars, leastBetween } = wrong.arbitrage();
    expect(isFree).toBeFalse();
    expect(butterflies.map((report) => report.isFree)).toEqual([false, true]);
    expect(calendars.map((report) => report.isFree)).toEqual([false]);
    expect(leastBetween).toBeLessThan(0);
    // g < 0 at k = 0.88 of Vogt's; the level lies below Vogt's left wing at k = −1.
    expect(wrong.at(100 * Math.exp(0.88), 0.9999).localVolatility).toBeNaN();
    expect(wrong.at(100 * Math.exp(0.88), 1).density).toBeLessThan(0);
    expect(wrong.at(100 * Math.exp(-1), 1.5).localVolatility).toBeNaN();
  });

  test.each([
    ["no slices", []],
    ["slices out of order", [slices[1]!, slices[0]!]],
    ["a slice at no time", [{ ...slices[0]!, timeToExpiry: 0 }]],
  ])("there is none of %s", (_, given) => {
    expect(() => new Surface(given)).toThrow();
  });

  test("there is none before now", () => {
    expect(() => surface.forward(-0.1)).toThrow("before now");
  });
});
