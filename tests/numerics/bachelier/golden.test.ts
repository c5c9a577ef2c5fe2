// The normal model against values that nobody here computed with the kernel: 600 cases whose price is at 100 digits and whose Greeks are
// numerical derivatives of it, and what others print.

import { beforeAll, describe, expect, test } from "bun:test";
import { benchBachelier } from "../../../bench/kernels/bachelier";
import type { OutputName } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { bachelierTable, checkBachelier } from "../../../src/engine/golden/bachelier";
import { greekTolerance, priceTolerance, tableColumn, tableRequest } from "../../../src/engine/golden/price-table";
import { pricePlainBachelier } from "../../../src/engine/plain-bachelier";
import { ManualClock } from "../../../src/foundation/clock";
import { normalOutputs, priceNormal } from "../../harness/bachelier";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

// measured worst errors with some air: a loss of digits shows long before the contract's tolerance is reached
const measured: Partial<Record<OutputName, number>> = { price: 3.5e-16, theta: 8e-15, charm: 8e-15, rho: 1.5e-15 };
const measuredElsewhere = 1.3e-15;

describe("S4.47 golden table of the normal model", () => {
  test("holds 600 rows over all 17 outputs, forwards and strikes of either sign, and its tolerances are the contract's", () => {
    expect(tableRequest("bachelier", bachelierTable).count).toBe(600);
    expect([priceTolerance, greekTolerance]).toEqual([1e-15, 1e-13]);
    expect(normalOutputs).toHaveLength(17);
    for (const output of normalOutputs) expect(tableColumn(bachelierTable, output).every(Number.isFinite)).toBe(true);
    for (const input of ["forward", "strike"]) {
      const column = tableColumn(bachelierTable, input);
      expect(column.filter((value) => value < 0).length).toBeGreaterThan(100);
      expect(column.filter((value) => value > 0).length).toBeGreaterThan(100);
    }
  });

  for (const output of normalOutputs) {
    const limit = measured[output] ?? measuredElsewhere;
    test(`${output} is within the contract's tolerance and within its measured ${limit}`, () => {
      const checks = checkBachelier((request) => engine.price(request)).filter((check) => check.output === output);
      for (const check of checks) expect(check.passed, JSON.stringify(check)).toBe(true);
      expect(checks[0]!.worst).toBeLessThanOrEqual(limit);
      expect(checks.reduce((sum, check) => sum + check.rows, 0)).toBe(600);
    });
  }

  test("the plain twin reaches 1e-15 on its prices, and 1e-9 on the Greeks where nothing cancels", () => {
    const { columns, status } = pricePlainBachelier(tableRequest("bachelier", bachelierTable));
    expect(status.every((code) => code === 0)).toBe(true);
    const checks = checkBachelier(pricePlainBachelier);
    expect(checks.find(({ output }) => output === "price")!.worst).toBeLessThan(2e-14);
    for (const output of ["delta", "gamma", "vega", "vanna", "volga", "veta", "speed", "dual_delta"] as const) {
      const worst = checks.find((check) => check.output === output)!.worst;
      expect(worst, output).toBeLessThan(1e-9);
      expect(columns[output]!.every(Number.isFinite)).toBe(true);
    }
  });
});

describe("S4.47 printed values of the normal model", () => {
  // QuantLib's cached Bachelier values (its calculator's test of basic values): deviation 20 over one year, no discounting
  const rows = [
    { isCall: true, strike: 100, volatility: 20, expected: 7.978845608028654 },
    { isCall: true, strike: 90, volatility: 20, expected: 13.95593114802612 },
    { isCall: true, strike: 110, volatility: 20, expected: 3.9559311480261217 },
    { isCall: true, strike: 100, volatility: 0, expected: 0 },
    { isCall: true, strike: 0, volatility: 20, expected: 100.00000106923312 },
  ];
  for (const { isCall, strike, volatility, expected } of rows) {
    test(`a call at ${strike} on a forward of 100 with volatility ${volatility} is worth ${expected} to 1e-8`, () => {
      const row = { isCall, forward: 100, strike, time_to_expiry: 1, rate: 0, volatility };
      expect(Math.abs(priceNormal(engine, row).price - expected)).toBeLessThan(1e-8);
    });
  }
});

describe("S1.15 the normal model's bench", () => {
  test("measures kernel and twin in a few rounds and tells two ratios with their floors", async () => {
    const { measurements, ratios } = await benchBachelier({ clock: new ManualClock(), rounds: 1, rowsPerRound: 4096 });
    expect(measurements).toHaveLength(5);
    expect(ratios.map(({ floor }) => floor)).toEqual([1.4, 2.8]);
  });
});
