// The volatility behind an American price: the price comes back, the statuses say why there is none, and bits depend on the row alone.

import { beforeAll, describe, expect, test } from "bun:test";
import { statusCodes } from "../../../src/engine/catalog";
import type { Engine, ImpliedVolatilityResult } from "../../../src/engine/engine";
import { type AmericanRow, americanRequest, type schemes, wildRows } from "../../harness/american";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

type Scheme = keyof typeof schemes;

function solved(
  rows: readonly AmericanRow[],
  price: Float64Array,
  scheme: Scheme,
  onUnattainable: "null" | "zero" = "null",
): ImpliedVolatilityResult {
  const { model, count, isCall, inputs } = americanRequest(rows, scheme);
  const { volatility: _, ...known } = inputs;
  return engine.impliedVolatility({ model, count, isCall, inputs: known, price, onUnattainable });
}

const prices = (rows: readonly AmericanRow[], scheme: Scheme) =>
  engine.price(americanRequest(rows, scheme, ["price", "vega"])).columns;

/** Rows whose price still depends on their volatility: what is left of it beyond the payoff, and how it moves. */
function alive(rows: readonly AmericanRow[], scheme: Scheme): AmericanRow[] {
  const { price, vega } = prices(rows, scheme);
  return rows.filter(({ isCall, spot, strike }, row) => {
    const payoff = Math.max(isCall ? spot - strike : strike - spot, 0);
    return price![row]! - payoff > 1e-6 && vega![row]! > 1e-3;
  });
}

describe("S4.47 an American option's implied volatility", () => {
  test.each([
    ["fast", 120],
    ["accurate", 60],
    ["reference", 8],
  ] as const)("gives the price back within 1e-8, whatever rates and yields are (%s)", (scheme, count) => {
    const rows = alive(
      wildRows(count, 2026).map((row) => ({ ...row, volatility: Math.max(row.volatility, 0.05) })),
      scheme,
    );
    const { price } = prices(rows, scheme);
    const { impliedVolatility, attainableError, status } = solved(rows, price!, scheme);
    const back = prices(
      rows.map((row, index) => ({ ...row, volatility: impliedVolatility[index]! })),
      scheme,
    ).price!;
    expect(rows.length).toBeGreaterThan(count / 2);
    for (const [index, row] of rows.entries()) {
      const shown = JSON.stringify({ row, found: impliedVolatility[index] });
      expect(status[index], shown).toBe(statusCodes.ok);
      expect(Math.abs(back[index]! - price![index]!), shown).toBeLessThanOrEqual(1e-8);
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

  test("tells the attainable error by price and vega", () => {
    const { price, vega } = prices([usual], "accurate");
    const { attainableError } = solved([usual], price!, "accurate");
    expect(attainableError[0]! / (2 ** -53 * (1 + price![0]! / (vega![0]! * 0.2)))).toBeCloseTo(1, 8);
  });

  test.each<[string, Partial<AmericanRow>, number, number]>([
    ["at the payoff, where any small volatility gives it", {}, 5, statusCodes.below_intrinsic],
    ["below the payoff", {}, 4.9, statusCodes.below_intrinsic],
    ["below zero", { spot: 150 }, -1, statusCodes.below_intrinsic],
    [
      "at the sure value of a later exercise",
      { isCall: true, spot: 120, dividend_yield: 0 },
      15,
      statusCodes.below_intrinsic,
    ],
    ["of a put at its strike", {}, 105, statusCodes.above_maximum],
    ["of a call at its spot", { isCall: true }, 100, statusCodes.above_maximum],
    ["that is no number", {}, Number.NaN, statusCodes.non_finite],
    ["of an expired option", { time_to_expiry: 0 }, 7, statusCodes.expired],
    ["on no spot", { spot: 0 }, 7, statusCodes.out_of_domain],
    ["for no strike", { strike: 0 }, 7, statusCodes.out_of_domain],
  ])("of a price %s is null with its status", (_, row, price, code) => {
    const result = solved([{ ...usual, ...row }], Float64Array.of(price), "fast");
    expect(result.status[0]).toBe(code);
    expect(result.impliedVolatility[0]).toBeNaN();
    expect(result.attainableError[0]).toBeNaN();
    const zero = solved([{ ...usual, ...row }], Float64Array.of(price), "fast", "zero").impliedVolatility[0];
    if (code === statusCodes.below_intrinsic) expect(zero).toBe(0);
    else expect(zero).toBeNaN();
  });

  test("has the same bits alone, in a batch, backwards and in steps", async () => {
    const rows = alive(wildRows(40, 3), "fast");
    const { price } = prices(rows, "fast");
    const together = solved(rows, price!, "fast");
    const backwards = solved(rows.toReversed(), price!.toReversed(), "fast");
    const { model, count, isCall, inputs } = americanRequest(rows, "fast");
    const { volatility: _, ...known } = inputs;
    const request = { model, count, isCall, inputs: known, price: price!, onUnattainable: "null" } as const;
    const inSteps = await engine.impliedVolatilityAsync(request);
    expect(inSteps).toEqual(together);
    for (const [index, row] of rows.entries()) {
      const alone = solved([row], price!.slice(index, index + 1), "fast");
      expect(alone.impliedVolatility[0]).toBe(together.impliedVolatility[index]!);
      expect(backwards.impliedVolatility[rows.length - 1 - index]).toBe(together.impliedVolatility[index]!);
    }
  });
});
