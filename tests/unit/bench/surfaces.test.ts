// The slice bench runs, tiny, so that it cannot rot; and its rivals do the same work.

import { describe, expect, test } from "bun:test";
import { benchSvi, floors, sampleQuotes, simplexCost, treePut } from "../../../bench/surfaces/svi";
import { systemClock } from "../../../src/foundation/clock";
import { fitSvi } from "../../../src/surfaces/svi-fit";

describe("S1.05 slice bench", () => {
  test("measures the fit beside its rivals and judges it against both", () => {
    const { measurements, ratios } = benchSvi({ clock: systemClock, rounds: 1, rowsPerRound: 2 });
    expect(measurements).toHaveLength(6);
    expect(measurements.every(({ bestNanoseconds }) => bestNanoseconds > 0)).toBeTrue();
    expect(ratios.map(({ floor }) => floor)).toEqual([floors.tree, floors.simplex]);
  });

  test("the simplex finds the same least squares as the fit", () => {
    const points = sampleQuotes(-0.3, 0.2);
    expect(simplexCost(points) / (fitSvi(points)!.rms ** 2 * 64)).toBeCloseTo(1, 6);
  });

  test("the tree prices an American put", () => {
    // Spot 100, strike 105, 3 %, 20 %, half a year: 8,000 steps give 7.85139, and the error falls as 1/steps.
    expect(Math.abs(treePut(200) - 7.85139)).toBeLessThan(0.01);
    expect(Math.abs(treePut(2000) - 7.85139)).toBeLessThan(0.001);
  });
});
