// American options over the whole domain: whatever rates, yields, volatilities and times are, no row is without a price, none is worth less
// than exercising it at once or never, and calls and puts agree with finite differences that know of no boundary.

import { beforeAll, describe, expect, test } from "bun:test";
import { statusCodes } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { seededRandom } from "../../../src/foundation/random";
import { type AmericanRow, americanOutputs, americanRequest, type schemes, wildRows } from "../../harness/american";
import { gridValue } from "../../harness/american-grid";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const mayBeNull: readonly string[] = ["exercise_boundary", "lambda"];

/** That every row has all of its numbers and a price that nobody could take advantage of. */
function expectSound(rows: readonly AmericanRow[], scheme: keyof typeof schemes): Int32Array {
  const { columns, status } = engine.price(americanRequest(rows, scheme));
  const { scheme: _, ...inputs } = americanRequest(rows, scheme).inputs;
  const european = engine.price({
    ...americanRequest(rows, scheme),
    model: "black_scholes_merton",
    inputs,
    outputs: ["price"],
  }).columns.price!;
  for (const [index, row] of rows.entries()) {
    const shown = `${scheme} ${JSON.stringify(row)}`;
    expect(status[index]!, shown).toBeLessThan(10);
    for (const output of americanOutputs) {
      if (!mayBeNull.includes(output))
        expect(Number.isFinite(columns[output]![index]!), `${output} ${shown}`).toBe(true);
    }
    const price = columns.price![index]!;
    const intrinsic = row.isCall ? row.spot - row.strike : row.strike - row.spot;
    expect(price, shown).toBeGreaterThanOrEqual(Math.max(intrinsic, 0));
    expect(price - european[index]!, shown).toBeGreaterThanOrEqual(
      -1e-13 * Math.max(row.spot, row.strike, european[index]!),
    );
    expect(columns.early_exercise_premium![index]!, shown).toBeGreaterThanOrEqual(0);
  }
  return status;
}

describe("S4.47 wild rows", () => {
  for (const scheme of ["fast", "accurate"] as const) {
    test(`of any sign of rate and yield, 1 to 300 % and up to 30 years, are priced by ${scheme}, all of them`, () => {
      const status = expectSound(wildRows(200, 4711), scheme);
      expect(status.every((code) => code === 0)).toBe(true);
    });
  }

  test("of a tiny volatility are priced too, where it no longer matters as if there were none", () => {
    const source = seededRandom(31n);
    const random = () => source.unit();
    const rows = wildRows(100, 5).map((row) => ({ ...row, volatility: 10 ** (-8 + 6 * random()) }));
    const status = expectSound(rows, "accurate");
    const counted = (code: number) => status.filter((each) => each === code).length;
    expect(counted(statusCodes.ok)).toBeGreaterThan(20);
    expect(counted(statusCodes.zero_volatility)).toBeGreaterThan(20);
    expect(counted(statusCodes.ok) + counted(statusCodes.zero_volatility)).toBe(rows.length);
  });

  test("of a huge volatility or a tiny time are priced too", () => {
    expectSound(
      wildRows(60, 6).map((row) => ({ ...row, volatility: 6, time_to_expiry: Math.min(row.time_to_expiry, 4) })),
      "accurate",
    );
    expectSound(
      wildRows(60, 7).map((row) => ({ ...row, time_to_expiry: row.time_to_expiry * 1e-9 })),
      "accurate",
    );
  });

  test("differ between accurate and reference by a millionth of the larger of spot and strike", () => {
    const rows = wildRows(80, 8);
    const accurate = engine.price(americanRequest(rows, "accurate", ["price"])).columns.price!;
    const reference = engine.price(americanRequest(rows, "reference", ["price"])).columns.price!;
    for (const [index, row] of rows.entries()) {
      const error = Math.abs(accurate[index]! - reference[index]!);
      expect(error, JSON.stringify(row)).toBeLessThanOrEqual(2e-6 * Math.max(row.spot, row.strike));
    }
  });
});

describe("S4.47 finite differences", () => {
  const row = (
    isCall: boolean,
    spot: number,
    time: number,
    rate: number,
    dividendYield: number,
    volatility: number,
  ): AmericanRow => ({
    isCall,
    spot,
    strike: 100,
    time_to_expiry: time,
    rate,
    dividend_yield: dividendYield,
    volatility,
  });
  const rows: [string, AmericanRow][] = [
    ["a put at the money", row(false, 100, 1, 0.05, 0.02, 0.2)],
    ["a put without dividends", row(false, 95, 0.5, 0.08, 0, 0.3)],
    ["a put whose yield is above the rate", row(false, 90, 2, 0.03, 0.07, 0.4)],
    ["a put with a yield below zero", row(false, 100, 1, 0.03, -0.04, 0.25)],
    ["a put at rate zero with a yield below zero", row(false, 100, 1, 0, -0.05, 0.2)],
    ["a call whose yield is above the rate", row(true, 110, 2, 0.03, 0.07, 0.4)],
    ["a call whose rate is above the yield", row(true, 100, 1, 0.08, 0.05, 0.2)],
    ["a call out of the money", row(true, 80, 3, 0.02, 0.06, 0.35)],
    ["a call at a rate below zero", row(true, 100, 2, -0.02, 0.03, 0.3)],
    ["a call without dividends, which is European", row(true, 100, 1, 0.05, 0, 0.2)],
    ["a put above both of its boundaries", row(false, 100, 1, -0.01, -0.05, 0.1)],
    ["a put between its boundaries", row(false, 60, 5, -0.01, -0.05, 0.1)],
    ["a put below its lower boundary", row(false, 30, 3, -0.02, -0.06, 0.25)],
    ["a put whose boundaries have met", row(false, 60, 12, -0.01, -0.05, 0.3)],
    ["a call whose boundaries have met", row(true, 100, 5, -0.06, -0.02, 0.3)],
    ["a call above its upper boundary", row(true, 420, 3, -0.06, -0.02, 0.25)],
  ];
  // The grid's own error: about 1e-4 in price (its extrapolation assumes a second order that the exercise makes a little less).
  test.each(rows)("agree on %s in price, delta and gamma", (_, option) => {
    const { isCall, spot, strike, time_to_expiry: time, rate, dividend_yield: dividendYield, volatility } = option;
    const grid = gridValue({ isCall: isCall === true, spot, strike, time, rate, dividendYield, volatility }, 160);
    const { columns, status } = engine.price(americanRequest([option], "accurate", ["price", "delta", "gamma"]));
    expect(status[0]).toBe(0);
    expect(Math.abs(columns.price![0]! - grid.price)).toBeLessThanOrEqual(1e-3);
    expect(Math.abs(columns.delta![0]! - grid.delta)).toBeLessThanOrEqual(5e-5);
    expect(Math.abs(columns.gamma![0]! - grid.gamma)).toBeLessThanOrEqual(5e-5);
  });
});
