// Stochastic volatility and jumps against published prices, and against the tables at 34 and 50 digits that the executable carries.

import { beforeAll, describe, expect, test } from "bun:test";
import type { ModelName } from "../../../src/engine/catalog";
import type { Engine, PriceRequest } from "../../../src/engine/engine";
import { checkStochastic, stochasticTables } from "../../../src/engine/golden/stochastic";
import published from "../../golden/stochastic-published.json";
import { testEngine } from "../../harness/kernel";
import { priceOne } from "../../harness/stochastic";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

describe("S4.47 published prices", () => {
  const sources = Object.entries(Object.groupBy(published.rows, ({ source }) => source));
  test.each(sources)("of %s are met within the tolerance their source states", (_, rows) => {
    for (const { model, is_call: isCall, inputs, price, tolerance } of rows!) {
      const found = priceOne(engine, model as ModelName, { ...inputs, isCall: isCall === 1 });
      expect(found.status).toBe(0);
      expect(Math.abs(found.price - price), JSON.stringify(inputs)).toBeLessThanOrEqual(tolerance);
    }
  });

  test("in the wings are met absolutely, to 1e-17 of the forward", () => {
    const wings = published.rows.filter(({ source }) => source.includes("multi-precision"));
    expect(wings.length).toBe(22);
    for (const { inputs, is_call: isCall, price } of wings) {
      const found = priceOne(engine, "heston", { ...inputs, isCall: isCall === 1 }).price;
      expect(Math.abs(found - price)).toBeLessThanOrEqual(2e-16 * Math.max(1, inputs.strike));
    }
  });
});

describe("S4.47 tables at 34 and 50 digits", () => {
  test("are met in every output", () => {
    const checks = checkStochastic((request) => engine.price(request));
    expect(checks.filter(({ passed }) => !passed)).toEqual([]);
    expect(checks.length).toBe(4 + 17 + 8);
    // the stated errors are the real ones, not generous
    for (const { output, worst } of checks) if (output === "price") expect(worst).toBeLessThan(1e-15);
  });

  test.each(Object.keys(stochasticTables) as ModelName[])(
    "notice %s when one output of one row is off, or null",
    (model) => {
      for (const wrong of [(value: number) => value * (1 + 1e-7), () => Number.NaN]) {
        const checks = checkStochastic((request: PriceRequest) => {
          const result = engine.price(request);
          if (request.model === model) result.columns.delta![0] = wrong(result.columns.delta![0]!);
          return result;
        });
        expect(checks.filter(({ passed }) => !passed).map(({ table, output }) => [table, output])).toEqual([
          [model, "delta"],
        ]);
      }
    },
  );
});
