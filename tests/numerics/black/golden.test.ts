// The Black family against values that nobody here computed with the kernel: cases at 60 digits, and what books print.

import { beforeAll, describe, expect, test } from "bun:test";
import { type ModelName, modelNamed, type OutputName } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { blackModels, blackTables, checkBlack } from "../../../src/engine/golden/black";
import {
  checkPriceTable,
  greekTolerance,
  priceTolerance,
  smallGreekTolerance,
  tableColumn,
  tableRequest,
} from "../../../src/engine/golden/price-table";
import { pricePlain } from "../../../src/engine/plain";
import published from "../../golden/european-published.json";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

describe("S4.47 golden tables", () => {
  test("hold 600 rows, and 120 for each further model, over every output; their tolerances are the contract's", () => {
    expect(blackModels.map((model) => tableRequest(model, blackTables[model]).count)).toEqual([600, 120, 120, 120]);
    expect([priceTolerance, greekTolerance, smallGreekTolerance]).toEqual([1e-15, 1e-13, 1e-24]);
    for (const model of blackModels) {
      for (const output of modelNamed(model).outputs) {
        expect(tableColumn(blackTables[model], output).every(Number.isFinite), `${model} ${output}`).toBe(true);
      }
    }
  });

  // measured worst errors over all four tables with some air: a loss of digits shows long before the contract's tolerance
  const measured: Partial<Record<OutputName, number>> = {
    price: 4e-16,
    delta: 2.5e-14,
    gamma: 2e-14,
    vega: 2e-14,
    theta: 5.5e-14,
    rho: 3.5e-14,
    dividend_rho: 2.5e-14,
    vanna: 2e-14,
    volga: 2.5e-14,
    charm: 1.5e-14,
    veta: 2e-14,
    speed: 2e-14,
    zomma: 5e-14,
    color: 4e-14,
    ultima: 3e-14,
    dual_delta: 2.5e-14,
    dual_gamma: 2e-14,
    lambda: 4.5e-14,
  };

  for (const model of blackModels) {
    for (const output of modelNamed(model).outputs) {
      test(`${model} ${output} is within the contract's tolerance and within its measured ${measured[output]}`, () => {
        const checks = checkBlack((request) => engine.price(request), [model]).filter(
          (check) => check.output === output,
        );
        expect(checks.length).toBeGreaterThan(0);
        for (const check of checks) expect(check.passed, JSON.stringify(check)).toBe(true);
        expect(checks[0]!.worst).toBeLessThanOrEqual(measured[output]!);
        expect(checks.reduce((sum, check) => sum + check.rows, 0)).toBe(blackTables[model].rows.length);
      });
    }
  }

  test("fail where a row is refused, null in one output, or not there at all", () => {
    const name = "black_scholes_merton";
    const check = (price: Engine["price"]) => checkPriceTable(name, blackTables[name], price);
    const refused = check((request) => {
      const result = engine.price(request);
      result.status[17] = 21;
      return result;
    });
    expect(refused.every(({ passed }) => !passed)).toBe(true);
    for (const output of ["vega", "lambda", "charm"] as const) {
      const holed = check((request) => {
        const result = engine.price(request);
        result.columns[output]![3] = Number.NaN;
        return result;
      });
      expect(holed.filter(({ passed }) => !passed).map((failed) => failed.output)).toContain(output);
    }
    const missing = check((request) => ({ ...engine.price(request), columns: {} }));
    expect(missing.every(({ passed }) => !passed)).toBe(true);
  });

  test("are met by the plain twin to 5e-12, and to 1e-15 on prices", () => {
    for (const { table, output, measure, worst } of checkBlack(pricePlain)) {
      if (!measure.startsWith("relative")) continue;
      expect(worst, `${table} ${output}`).toBeLessThan(output === "price" ? 1e-15 : 5e-12);
    }
  });
});

describe("S4.47 printed values", () => {
  for (const row of published.cases) {
    const { model, option_type, output, expected, tolerance, source, ...inputs } = row;
    test(`${source}: ${model} ${option_type} ${output} is ${expected} to ${tolerance}`, () => {
      const { columns, status } = engine.price({
        model: model as ModelName,
        count: 1,
        isCall: option_type === "call",
        inputs,
        outputs: [output as OutputName],
        units: "raw",
      });
      expect(status[0]).toBe(inputs.volatility === 0 ? 2 : 0);
      expect(Math.abs(columns[output as OutputName]![0]! - expected)).toBeLessThanOrEqual(tolerance);
    });
  }
});
