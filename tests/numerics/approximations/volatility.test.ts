// The volatility behind a price of an approximation or a tree: the price comes back, the statuses say why there is none, and bits depend on the row alone.

import { beforeAll, describe, expect, test } from "bun:test";
import { statusCodes } from "../../../src/engine/catalog";
import type { Engine, ImpliedVolatilityResult } from "../../../src/engine/engine";
import { type AmericanRow, wildRows } from "../../harness/american";
import { approximations, requestFor } from "../../harness/approximations";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const models = [...approximations, "binomial"] as const;
type Model = (typeof models)[number];
const moreOf = (model: Model) => (model === "binomial" ? { steps: 51, tree: 1 } : {});

function solved(
  model: Model,
  rows: readonly AmericanRow[],
  price: Float64Array,
  options: { onUnattainable?: "null" | "zero"; more?: Record<string, number> } = {},
): ImpliedVolatilityResult {
  const { onUnattainable = "null", more = moreOf(model) } = options;
  const { count, isCall, inputs } = requestFor(model, rows, ["price"], more);
  const { volatility: _, ...known } = inputs;
  return engine.impliedVolatility({ model, count, isCall, inputs: known, price, onUnattainable });
}

const pricesOf = (model: Model, rows: readonly AmericanRow[]) =>
  engine.price(requestFor(model, rows, ["price", "vega"], moreOf(model))).columns;

/** Rows whose price still depends on their volatility. */
function alive(model: Model, rows: readonly AmericanRow[]): AmericanRow[] {
  const { price, vega } = pricesOf(model, rows);
  return rows.filter(({ isCall, spot, strike }, row) => {
    const payoff = Math.max(isCall ? spot - strike : strike - spot, 0);
    return price![row]! - payoff > 1e-6 && vega![row]! > 1e-3;
  });
}

describe("S4.47 the implied volatility of", () => {
  test.each(models)("%s gives the price back to 1e-12 of the larger of spot and strike", (model) => {
    const rows = alive(model, wildRows(model === "binomial" ? 150 : 400, 2027));
    const { price } = pricesOf(model, rows);
    const { impliedVolatility, attainableError, status } = solved(model, rows, price!);
    const found = rows.map((row, index) => ({ ...row, volatility: impliedVolatility[index]! }));
    const back = pricesOf(model, found).price!;
    expect(rows.length).toBeGreaterThan(60);
    for (const [index, row] of rows.entries()) {
      const shown = JSON.stringify({ model, row, found: impliedVolatility[index], price: price![index] });
      expect(status[index], shown).toBe(statusCodes.ok);
      const scale = Math.max(row.spot, row.strike) + price![index]!;
      expect(Math.abs(back[index]! - price![index]!) / scale, shown).toBeLessThanOrEqual(1e-12);
      expect(attainableError[index]!, shown).toBeGreaterThan(0);
    }
  });

  const usual: AmericanRow = {
    spot: 100,
    strike: 105,
    time_to_expiry: 1,
    rate: 0.05,
    dividend_yield: 0.02,
    volatility: 0.2,
  };

  test.each(models)("%s is the one that was used, with the error that the price's rounding allows", (model) => {
    const { price, vega } = pricesOf(model, [usual]);
    const { impliedVolatility, attainableError } = solved(model, [usual], price!);
    expect(Math.abs(impliedVolatility[0]! - 0.2)).toBeLessThan(1e-13);
    expect(attainableError[0]! / (2 ** -53 * (1 + price![0]! / (vega![0]! * 0.2)))).toBeCloseTo(1, 1);
  });

  const cases: [string, Partial<AmericanRow>, number, number][] = [
    ["at the payoff, where any small volatility gives it", {}, 5, statusCodes.below_intrinsic],
    ["below zero", { spot: 150 }, -1, statusCodes.below_intrinsic],
    ["at the forward's payoff", { isCall: true, spot: 120, dividend_yield: 0 }, 15, statusCodes.below_intrinsic],
    ["of a put at its strike", {}, 105, statusCodes.above_maximum],
    ["of a call at its spot", { isCall: true }, 100, statusCodes.above_maximum],
    ["that is no number", {}, Number.NaN, statusCodes.non_finite],
    ["of an expired option", { time_to_expiry: 0 }, 7, statusCodes.expired],
    ["on no spot", { spot: 0 }, 7, statusCodes.out_of_domain],
    ["for no strike", { strike: 0 }, 7, statusCodes.out_of_domain],
  ];
  for (const model of models) {
    test.each(cases)(`${model}: of a price %s is null with its status`, (_, row, price, code) => {
      const rows = [{ ...usual, ...row }];
      const result = solved(model, rows, Float64Array.of(price));
      expect(result.status[0]).toBe(code);
      expect(result.impliedVolatility[0]).toBeNaN();
      expect(result.attainableError[0]).toBeNaN();
      const zero = solved(model, rows, Float64Array.of(price), { onUnattainable: "zero" }).impliedVolatility[0];
      if (code === statusCodes.below_intrinsic) expect(zero).toBe(0);
      else expect(zero).toBeNaN();
    });
  }

  test("a European tree is judged by what a European option can be worth, and a tree that is none refused", () => {
    const european = { exercise: 0, steps: 51, tree: 1 };
    const status = (price: number, more: Record<string, number>, row: Partial<AmericanRow> = {}) =>
      solved("binomial", [{ ...usual, ...row }], Float64Array.of(price), { more }).status[0]!;
    // below the payoff of 40 but above that of the forward
    expect(status(38, european, { spot: 65, rate: 0.08, dividend_yield: 0 })).toBe(statusCodes.ok);
    expect(status(38, { ...european, exercise: 1 }, { spot: 65, rate: 0.08 })).toBe(statusCodes.below_intrinsic);
    expect(status(104, european)).toBe(statusCodes.above_maximum);
    expect(status(7, { ...european, steps: 0 })).toBe(statusCodes.out_of_domain);
    // so near its bound that the spots of a tree would be too large for a double before it is reached
    const dear = { isCall: true, spot: 461, strike: 126, time_to_expiry: 0.28, rate: 0.19, dividend_yield: 0.05 };
    expect(status(460.9999999, { steps: 2000, tree: 0 }, dear)).toBe(statusCodes.out_of_domain);
  });

  test.each(models)("%s has the same bits alone, in a batch, backwards and in steps", async (model) => {
    const rows = alive(model, wildRows(60, 3));
    const { price } = pricesOf(model, rows);
    const together = solved(model, rows, price!);
    const backwards = solved(model, rows.toReversed(), price!.toReversed());
    const { count, isCall, inputs } = requestFor(model, rows, ["price"], moreOf(model));
    const { volatility: _, ...known } = inputs;
    const request = { model, count, isCall, inputs: known, price: price!, onUnattainable: "null" } as const;
    expect(await engine.impliedVolatilityAsync(request)).toEqual(together);
    for (const [index, row] of rows.entries()) {
      const alone = solved(model, [row], price!.slice(index, index + 1));
      expect(alone.impliedVolatility[0]).toBe(together.impliedVolatility[index]!);
      expect(backwards.impliedVolatility[rows.length - 1 - index]).toBe(together.impliedVolatility[index]!);
    }
  });
});
