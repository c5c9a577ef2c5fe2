// The approximations of American options against the tables their authors and others printed, and a tree against Hull's.

import { beforeAll, describe, expect, test } from "bun:test";
import type { Engine } from "../../../src/engine/engine";
import { checkApproximations } from "../../../src/engine/golden/approximations";
import published from "../../../src/engine/golden/approximations.json";
import { approximations, requestFor } from "../../harness/approximations";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

describe("S4.47 published values", () => {
  for (const model of approximations) {
    const { rows, source, tolerance } = published.models[model];
    test(`of ${model}: ${rows.length} options within ${tolerance} (${source})`, () => {
      for (const [isCall, spot, strike, time, rate, dividendYield, volatility, expected] of rows as number[][]) {
        const row = {
          isCall: isCall === 1,
          spot: spot!,
          strike: strike!,
          time_to_expiry: time!,
          rate: rate!,
          dividend_yield: dividendYield!,
          volatility: volatility!,
        };
        const { columns, status } = engine.price(requestFor(model, [row], ["price"]));
        expect(status[0]).toBe(0);
        expect(Math.abs(columns.price![0]! - expected!), JSON.stringify(row)).toBeLessThanOrEqual(tolerance);
      }
    });
  }

  test("hold in the tables that the executable carries, Hull's trees too", () => {
    const checks = checkApproximations((request) => engine.price(request));
    expect(checks.map(({ table }) => table).toSorted()).toEqual([...approximations, "binomial"].toSorted());
    for (const check of checks) expect(check.passed, JSON.stringify(check)).toBe(true);
  });

  test("fail where a price is null, not ok or off", () => {
    const spoils: ((price: Float64Array, status: Int32Array) => void)[] = [
      (price) => price.fill(Number.NaN, 2, 3),
      (_, status) => status.fill(12, 2, 3),
      (price) => price.fill(price[2]! + 0.01, 2, 3),
    ];
    for (const spoil of spoils) {
      const checks = checkApproximations((request) => {
        const result = engine.price(request);
        spoil(result.columns.price!, result.status);
        return result;
      });
      expect(checks.some(({ passed }) => passed)).toBe(false);
    }
  });
});
