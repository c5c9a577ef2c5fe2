// The laws that Bjerksund and Stensland's formulas are made of, by themselves: of two normal variables whose correlation is the golden section's, of one
// times a power, and what a rate makes of 1/T. Against conditioning on one variable and plain formulas at their best.

import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { buildProbe } from "../../../build/wasm";
import { law } from "../../harness/approximations";
import { integral } from "../../harness/exotic-twin";

interface Probe {
  golden_law(c: number, a: number, b: number, sign: number): number;
  scaled_law(a: number, x: number): number;
  growth_ratio(y: number): number;
}

let probe: Probe;

beforeAll(async () => {
  const module = new WebAssembly.Module(readFileSync((await buildProbe()).path));
  const memory = new WebAssembly.Memory({ initial: 4 });
  probe = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Probe;
});

const rho = Math.sqrt((Math.sqrt(5) - 1) / 2);

/** P(X ≤ a, Y ≤ b) by the law of Y given X. */
function conditioned(a: number, b: number, correlation: number): number {
  const rest = Math.sqrt(1 - correlation * correlation);
  const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  return integral((x) => density(x) * law((b - correlation * x) / rest), -12, Math.min(a, 12), [-6, 0, 6]);
}

describe("S4.47 the law of two variables", () => {
  test("is right to 3e-12 over all signs and sizes", () => {
    let worst = 0;
    for (let a = -7; a <= 7; a += 0.73) {
      for (let b = -7; b <= 7; b += 0.61) {
        for (const sign of [1, -1]) {
          const error = Math.abs(probe.golden_law(0, a, b, sign) - conditioned(a, b, sign * rho));
          worst = Math.max(worst, error);
        }
      }
    }
    expect(worst).toBeLessThanOrEqual(3e-12);
    expect(worst).toBeGreaterThan(1e-13);
  });

  test("has one value on either side of the power from which another form is taken", () => {
    for (let a = -7; a <= 4; a += 0.83) {
      for (let b = -7; b <= 4; b += 0.71) {
        for (const sign of [1, -1]) {
          const below = probe.golden_law(4.5, a, b, sign);
          const above = probe.golden_law(4.5 + 1e-14, a, b, sign);
          expect(Math.abs(above - below), `${a} ${b} ${sign}`).toBeLessThan(4e-11 * Math.exp(4.5));
        }
      }
    }
  });

  test("is no more than what is there where both bounds are low and the variables against each other, however large the power", () => {
    // a product less an integral of its size would be e^1000 times their rounding
    expect(probe.golden_law(1000, -25, -25, -1)).toBeWithin(0, 1e-300);
    expect(probe.golden_law(60, -8, -7, -1)).toBeWithin(0, 1e-60);
  });

  test("takes a power that is large where the law is small", () => {
    for (const sign of [1, -1]) {
      // N(-30) is 5e-198, so e^400 M is of size 1e-25 and e^452 M some 0.02
      const expected = Math.exp(452 - 450) / Math.sqrt(2 * Math.PI) / (30 + 1 / (30 + 2 / (30 + 3 / 30)));
      expect(probe.golden_law(400, -30, 20, sign)).toBe(0);
      expect(probe.golden_law(452, -30, 60, sign) / expected).toBeCloseTo(1, 6);
      expect(probe.golden_law(1e4, -200, 1, sign)).toBe(0);
    }
  });
});

describe("S4.47 the law of one variable times a power", () => {
  test("is e^a N(x) to 6e-15 where both are doubles, and their product where neither is", () => {
    for (let x = -8; x <= 8; x += 0.37) {
      for (const a of [-2, 0, 1.5]) {
        expect(Math.abs(probe.scaled_law(a, x) / (Math.exp(a) * law(x)) - 1)).toBeLessThan(6e-15);
      }
    }
    // e^5000 N(-100) = φ(0) R(100)
    const ratio = 1 / (100 + 1 / (100 + 2 / (100 + 3 / 100)));
    expect(probe.scaled_law(5000, -100) * Math.sqrt(2 * Math.PI)).toBeCloseTo(ratio, 12);
    expect(probe.scaled_law(0, -1e300)).toBeLessThan(1e-300);
  });
});

describe("S4.47 y/(1 - e^-y)", () => {
  test("is right to 4e-16 through 0 and at both of its forms' seam", () => {
    for (const y of [-256, -3, -0.5, -0.4999, -1e-3, -1e-12, 1e-300, 1e-9, 0.3, 0.4999, 0.5, 2, 256]) {
      expect(Math.abs(probe.growth_ratio(y) / (y / -Math.expm1(-y)) - 1), String(y)).toBeLessThan(5e-16);
    }
    expect(probe.growth_ratio(0)).toBe(1);
  });
});
