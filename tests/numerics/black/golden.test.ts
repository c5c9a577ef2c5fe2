// Black–Scholes–Merton against values that nobody here computed with the kernel: 600 cases at 60 digits, and what books print.

import { beforeAll, describe, expect, test } from "bun:test";
import { defaultOutputs, type OutputName } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import {
  checkBlackScholesMerton,
  goldenColumn,
  goldenRequest,
  greekTolerance,
  priceTolerance,
  smallGreekTolerance,
} from "../../../src/engine/golden/black-scholes-merton";
import { pricePlain } from "../../../src/engine/plain";
import published from "../../golden/european-published.json";
import { priceOne, testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

describe("S4.47 golden table", () => {
  test("holds 600 rows over every output, and its tolerances are the contract's", () => {
    expect(goldenRequest().count).toBe(600);
    expect([priceTolerance, greekTolerance, smallGreekTolerance]).toEqual([1e-15, 1e-13, 1e-24]);
    for (const output of defaultOutputs) expect(goldenColumn(output).every(Number.isFinite)).toBe(true);
  });

  // measured worst errors with some air: a loss of digits shows long before the contract's tolerance is reached
  const measured: Record<OutputName, number> = {
    price: 3.5e-16,
    delta: 1.2e-14,
    gamma: 2.5e-14,
    vega: 2.5e-14,
    theta: 1.6e-14,
    rho: 1.2e-14,
  };

  for (const output of defaultOutputs) {
    test(`${output} is within ${output === "price" ? priceTolerance : greekTolerance} and within its measured ${measured[output]}`, () => {
      const checks = checkBlackScholesMerton((request) => engine.price(request)).filter(
        (check) => check.output === output,
      );
      expect(checks).toHaveLength(output === "price" ? 1 : 2);
      for (const check of checks) expect(check.passed, JSON.stringify(check)).toBe(true);
      expect(checks[0]!.worst).toBeLessThanOrEqual(measured[output]);
      expect(checks.reduce((sum, check) => sum + check.rows, 0)).toBe(600);
    });
  }

  test("a row that is refused, or null in one output, fails the check", () => {
    const refused = checkBlackScholesMerton((request) => {
      const result = engine.price(request);
      result.status[17] = 21;
      return result;
    });
    expect(refused.every((check) => !check.passed)).toBe(true);
    const holed = checkBlackScholesMerton((request) => {
      const result = engine.price(request);
      result.columns.vega![3] = Number.NaN;
      return result;
    });
    expect(holed.filter((check) => !check.passed).map((check) => check.output)).toContain("vega");
    const missing = checkBlackScholesMerton((request) => ({ ...engine.price(request), columns: {} }));
    expect(missing.every((check) => !check.passed)).toBe(true);
  });

  test("the plain twin reaches 1e-12 on the same table, and 1e-15 on prices", () => {
    const checks = checkBlackScholesMerton(pricePlain);
    for (const { output, measure, worst } of checks) {
      if (measure.startsWith("relative")) expect(worst).toBeLessThan(output === "price" ? 1e-15 : 1e-12);
    }
  });
});

describe("S4.47 printed values", () => {
  for (const row of published.cases) {
    const { option_type, output, expected, tolerance, source, ...inputs } = row;
    test(`${source}: ${option_type} ${output} is ${expected} to ${tolerance}`, () => {
      const result = priceOne(engine, { ...inputs, isCall: option_type === "call" });
      expect(result.status).toBe(0);
      expect(Math.abs(result[output as OutputName] - expected)).toBeLessThanOrEqual(tolerance);
    });
  }
});
