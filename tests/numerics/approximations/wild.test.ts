// The approximations over the whole domain: rates and yields of any sign, volatilities from 1 to 300 % and far smaller ones, half a day to 30 years. Every row
// has all of its numbers and none is worth less than its payoff or the European option; how far each is from the exact price is asserted where it
// is known to be below it (a strategy cannot be worth more), and told in docs/numerics for the others.

import { beforeAll, describe, expect, test } from "bun:test";
import type { Engine } from "../../../src/engine/engine";
import { type AmericanRow, wildRows } from "../../harness/american";
import { approximationOutputs, approximations, requestFor } from "../../harness/approximations";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const payoffOf = ({ isCall, spot, strike }: AmericanRow) => Math.max(isCall ? spot - strike : strike - spot, 0);

const pricesBy = (
  model: "american" | "black_scholes_merton" | "binomial" | (typeof approximations)[number],
  rows: readonly AmericanRow[],
) => engine.price(requestFor(model, rows, ["price"], model === "american" ? { scheme: 1 } : {})).columns.price!;

/** That every row has its numbers and a price that nobody could take advantage of. */
function expectSound(model: (typeof approximations)[number], rows: readonly AmericanRow[]): void {
  const { columns, status } = engine.price(requestFor(model, rows));
  const european = pricesBy("black_scholes_merton", rows);
  for (const [index, row] of rows.entries()) {
    const shown = `${model} ${JSON.stringify(row)}`;
    expect(status[index], shown).toBe(0);
    for (const output of approximationOutputs) {
      const value = columns[output]![index]!;
      const mayBeNull = output === "exercise_boundary" || (output === "lambda" && columns.price![index] === 0);
      if (!mayBeNull) expect(Number.isFinite(value), `${output} ${shown}`).toBe(true);
    }
    const price = columns.price![index]!;
    // the European price is another kernel's: both round
    const rounding = 4e-15 * (Math.max(row.spot, row.strike) + price);
    expect(price, shown).toBeGreaterThanOrEqual(payoffOf(row));
    expect(price, shown).toBeGreaterThanOrEqual(european[index]! - rounding);
  }
}

describe("S4.47 wild rows", () => {
  test.each(approximations)("%s: 2,000 have every number and are never below payoff nor European price", (model) => {
    expectSound(model, wildRows(2000, 1987));
  });

  test.each(approximations)("%s: tiny volatilities and lives have too", (model) => {
    const rows = wildRows(600, 5).flatMap((row, index) => [
      { ...row, volatility: 10 ** (-1.5 - 3 * ((index * 0.618) % 1)) },
      { ...row, time_to_expiry: 10 ** (-6 * ((index * 0.414) % 1)), volatility: Math.max(row.volatility, 0.001) },
    ]);
    // what is worth less than 1e-7 of the strike has the status of no volatility
    const alive = rows.filter(({ volatility, time_to_expiry: time, rate, dividend_yield: yields }) => {
      const v = volatility * Math.sqrt(time);
      return v / Math.max(1, (Math.abs(rate - yields) * time) / v) > 1e-6;
    });
    expect(alive.length).toBeGreaterThan(900);
    const { columns, status } = engine.price(
      requestFor(model, alive, ["price", "delta", "gamma", "vega", "theta", "rho"]),
    );
    const european = pricesBy("black_scholes_merton", alive);
    for (const [index, row] of alive.entries()) {
      const shown = `${model} ${JSON.stringify(row)}`;
      expect(status[index], shown).toBe(0);
      const price = columns.price![index]!;
      const rounding = 4e-15 * (Math.max(row.spot, row.strike) + price);
      expect(price, shown).toBeGreaterThanOrEqual(Math.max(payoffOf(row), european[index]! - rounding));
      for (const column of Object.values(columns)) expect(Number.isFinite(column[index]!), shown).toBe(true);
    }
  });

  test("bjerksund_stensland_2002: a tiny volatility makes no reflection a fortune", () => {
    // far below their boundaries: worth nothing, their reflections' powers are e^1000 and more
    const rows: AmericanRow[] = [
      {
        isCall: true,
        spot: 74.3528,
        strike: 100,
        time_to_expiry: 0.0079,
        rate: 0.0806,
        dividend_yield: 0.253,
        volatility: 0.0117,
      },
      {
        isCall: false,
        spot: 105.494,
        strike: 100,
        time_to_expiry: 0.00138438,
        rate: 0.0220895,
        dividend_yield: 0.0110411,
        volatility: 0.00124738,
      },
    ];
    for (const price of pricesBy("bjerksund_stensland_2002", rows)) expect(price).toBeWithin(0, 1e-200);
  });

  test("bjerksund_stensland_2002: where reflections weigh far more than the path, as its formula at 30 digits says", () => {
    const usual = { isCall: true, strike: 100 };
    const rows: AmericanRow[] = [
      { ...usual, spot: 209.85, time_to_expiry: 4.96, rate: 0.2688, dividend_yield: 0.0376, volatility: 0.1385 },
      { ...usual, spot: 93.45, time_to_expiry: 14.24, rate: 0.1511, dividend_yield: 0.0457, volatility: 0.098 },
    ];
    const prices = pricesBy("bjerksund_stensland_2002", rows);
    expect(Math.abs(prices[0]! - 148.17177457681379)).toBeLessThan(2e-8);
    expect(Math.abs(prices[1]! - 38.76642320024132)).toBeLessThan(2e-8);
  });

  test.each(["bjerksund_stensland_1993", "bjerksund_stensland_2002"] as const)(
    "%s, a strategy anybody could follow, is never worth more than the option",
    (model) => {
      // the exact model's own error is 2e-6 of the larger of spot and strike
      const rows = wildRows(1500, 93);
      const exact = pricesBy("american", rows);
      const prices = pricesBy(model, rows);
      for (const [index, row] of rows.entries()) {
        if (Number.isNaN(exact[index]!)) continue;
        const excess = (prices[index]! - exact[index]!) / (Math.max(row.spot, row.strike) + exact[index]!);
        expect(excess, JSON.stringify({ row, price: prices[index], exact: exact[index] })).toBeLessThanOrEqual(2e-6);
      }
    },
  );

  // measured, of formulas that the twins hold: no more than that is promised. Strike 100; rates to 10 %, yields to 8 %, volatilities 10 to 60 %, a month to three years: what a market has
  test.each([
    ["barone_adesi_whaley", 0.85],
    ["ju_zhong", 0.13],
    ["bjerksund_stensland_1993", 0.33],
    ["bjerksund_stensland_2002", 0.54],
  ] as const)("%s is within %d of the exact price of usual options over a strike of 100", (model, most) => {
    const rows = Array.from({ length: 1000 }, (_, row): AmericanRow => {
      const part = (stride: number) => (row * stride) % 1;
      return {
        isCall: row % 2 === 0,
        spot: 80 + 45 * part(0.2360679774997897),
        strike: 100,
        time_to_expiry: 0.08 + 2.9 * part(0.41421356237309503),
        rate: 0.1 * part(0.7320508075688772),
        dividend_yield: 0.08 * part(0.6180339887498949),
        volatility: 0.1 + 0.5 * part(0.6457513110645907),
      };
    });
    const exact = pricesBy("american", rows);
    const worst = Math.max(...pricesBy(model, rows).map((price, row) => Math.abs(price - exact[row]!)));
    expect(worst).toBeLessThanOrEqual(most);
  });
});
