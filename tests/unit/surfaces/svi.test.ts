// The formulas of a slice against published figures, against differences, and against prices.

import { describe, expect, test } from "bun:test";
import {
  durrleman,
  impliedDensity,
  jumpWingsOf,
  minimumTotalVariance,
  naturalFromRaw,
  rawFromJumpWings,
  rawFromNatural,
  type SviSlice,
  totalVariance,
  varianceJet,
  wingSlopes,
} from "../../../src/surfaces/svi";

/** Axel Vogt's slice, T = 1: Gatheral & Jacquier (2014), example 3.1. */
const vogt = { a: -0.041, b: 0.1331, rho: 0.306, m: 0.3586, sigma: 0.4153 };
const smile = { a: 0.0032, b: 0.0612, rho: -0.7443, m: 0.0488, sigma: 0.0844 };
const winged: SviSlice = { ...smile, wing: { height: 0.0436, centre: -0.3833, width: 0.156 } };

describe("SVI slices", () => {
  test("Vogt's slice has the jump-wing parameters that Gatheral and Jacquier print (example 5.1)", () => {
    const wings = jumpWingsOf(vogt, 1);
    expect(wings.atmVariance).toBeCloseTo(0.01742625, 8);
    expect(wings.atmSkew).toBeCloseTo(-0.1752111, 7);
    expect(wings.putWing).toBeCloseTo(0.6997381, 7);
    expect(wings.callWing).toBeCloseTo(1.316798, 6);
    expect(wings.minimumVariance).toBeCloseTo(0.0116249, 7);
  });

  test.each([
    ["Vogt's", vogt, 1],
    ["an index's", smile, 0.54],
    ["one tilted to the calls", { ...smile, rho: 0.6, m: -0.1 }, 2],
  ])("%s slice comes back from natural and from jump-wing parameters", (_, raw, time) => {
    const natural = rawFromNatural(naturalFromRaw(raw));
    const wings = rawFromJumpWings(jumpWingsOf(raw, time), time)!;
    for (const key of ["a", "b", "rho", "m", "sigma"] as const) {
      expect(natural[key]).toBeCloseTo(raw[key], 13);
      expect(wings[key]).toBeCloseTo(raw[key], 12);
    }
  });

  const wings = jumpWingsOf(vogt, 1);
  test.each([
    ["no wings", { ...wings, putWing: 0, callWing: 0 }],
    ["a skew beyond the call wing", { ...wings, atmSkew: 2 }],
    ["a put wing that falls", { ...wings, putWing: -0.1 }],
    ["its lowest point at the money", { ...wings, minimumVariance: wings.atmVariance }],
    ["a lowest point above the money's", { ...wings, minimumVariance: 2 * wings.atmVariance }],
  ])("no slice has %s", (_, given) => {
    expect(rawFromJumpWings(given, 1)).toBeNull();
  });

  test.each([
    ["raw", vogt],
    ["with a put wing", winged],
  ])("derivatives of a %s slice agree with differences of it", (_, slice) => {
    for (const k of [-2, -0.4, -0.1, 0, 0.05, 0.3, 1.5]) {
      const h = 1e-4;
      const { w, slope, curvature } = varianceJet(slice, k);
      const [down, up] = [totalVariance(slice, k - h), totalVariance(slice, k + h)];
      expect(w).toBeCloseTo(totalVariance(slice, k), 15);
      expect(slope).toBeCloseTo((up - down) / (2 * h), 6);
      expect(curvature).toBeCloseTo((up - 2 * w + down) / (h * h), 5);
    }
  });

  test("a put wing adds a slope of twice its height far left and nothing far right", () => {
    const { height, centre, width } = winged.wing!;
    const added = (k: number) => totalVariance(winged, k) - totalVariance(smile, k);
    // h(√(x² + s²) − x) at x = ∓1000: 2000h + hs²/2000, and hs²/2000.
    expect(added(centre - 1000)).toBeCloseTo(2000 * height + (height * width ** 2) / 2000, 9);
    expect(added(centre + 1000)).toBeCloseTo((height * width ** 2) / 2000, 12);
    expect(wingSlopes(winged).left).toBeCloseTo(0.0612 * 1.7443 + 2 * height, 15);
    expect(wingSlopes(winged).right).toBeCloseTo(0.0612 * 0.2557, 15);
  });

  test.each([
    ["raw", vogt],
    ["with a put wing", winged],
    ["with a put wing of no height", { ...smile, wing: { height: 0, centre: 0, width: 1 } }],
    ["with a put wing on a line that only falls", { ...winged, rho: -0.999999 }],
  ])("nothing is below the lowest point of a slice %s", (_, slice: SviSlice) => {
    const { k, w } = minimumTotalVariance(slice);
    expect(totalVariance(slice, k)).toBeCloseTo(w, 14);
    for (let x = -3; x <= 3; x += 0.01) expect(totalVariance(slice, x)).toBeGreaterThanOrEqual(w - 1e-14);
    expect(Math.abs(varianceJet(slice, k).slope)).toBeLessThan(1e-8);
  });

  test("the lowest point of a level is anywhere, of a falling line where it bends", () => {
    expect(minimumTotalVariance({ a: 0.04, b: 0, rho: 0, m: 0.3, sigma: 1 })).toEqual({ k: 0.3, w: 0.04 });
    expect(minimumTotalVariance({ a: 0.04, b: 0.1, rho: -1, m: 0.3, sigma: 0.1 }).k).toBe(0.3);
  });

  test("on a level smile g is 1 and the density the lognormal one", () => {
    const jet = varianceJet({ a: 0.04, b: 0, rho: 0, m: 0, sigma: 1 }, 0.1);
    expect(durrleman(jet, 0.1)).toBe(1);
    // x = ln(S/F) is normal with mean −w/2 and variance w: exp(−(0.1 + 0.02)²/0.08)/√(0.08π).
    expect(impliedDensity(jet, 0.1)).toBeCloseTo(Math.exp(-(0.12 ** 2) / 0.08) / Math.sqrt(0.08 * Math.PI), 14);
  });

  test("the density of an arbitrage-free slice sums to 1 and has the forward for its mean", () => {
    let mass = 0;
    let mean = 0;
    const h = 1e-3;
    for (let k = -6; k <= 3; k += h) {
      const p = impliedDensity(varianceJet(winged, k), k) * h;
      mass += p;
      mean += p * Math.exp(k);
    }
    expect(mass).toBeCloseTo(1, 6);
    expect(mean).toBeCloseTo(1, 6);
  });
});
