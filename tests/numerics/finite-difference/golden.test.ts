// The table of dividends that the executable carries holds, and a wrong price, a null or a refused row does not pass it.

import { beforeAll, expect, test } from "bun:test";
import type { Engine, PriceRequest, PriceResult } from "../../../src/engine/engine";
import { checkDividends } from "../../../src/engine/golden/dividends";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

test("S4.47 the table of dividends holds", () => {
  const checks = checkDividends((request) => engine.price(request));
  expect(checks.map(({ rows }) => rows)).toEqual([36, 36, 12, 12]);
  for (const check of checks) expect(check.passed, JSON.stringify(check)).toBe(true);
});

test("S4.47 the table of dividends fails where a price is off or null, where a row is refused, and where dividends are left out", () => {
  const spoiled = (spoil: (result: PriceResult) => void, ask = (request: PriceRequest) => request) =>
    checkDividends((request) => {
      const result = engine.price(ask(request));
      spoil(result);
      return result;
    }).filter(({ output }) => output === "price");
  const broken = [
    spoiled(({ columns }) => columns.price!.fill(Number.NaN, 5, 6)),
    spoiled(({ columns }) => columns.price!.fill(columns.price![5]! + 0.01, 5, 6)),
    spoiled(({ status }) => status.fill(21, 5, 6)),
    spoiled(
      () => undefined,
      (request) => ({ ...request, lists: undefined }),
    ),
  ];
  for (const checks of broken) for (const check of checks) expect(check.passed, JSON.stringify(check)).toBe(false);
});
