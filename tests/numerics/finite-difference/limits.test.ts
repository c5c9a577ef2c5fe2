// Finite differences at their edges: expiry, no uncertainty, no spot, no strike, values outside the domain, and rows over all of it.

import { beforeAll, describe, expect, test } from "bun:test";
import { type OutputName, statusCodes } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import {
  americanDividendRequest,
  type DividendRow,
  gridOutputs,
  gridRequest,
  wildDividendRows,
} from "../../harness/finite-difference";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const base: DividendRow = {
  isCall: true,
  spot: 110,
  strike: 100,
  time_to_expiry: 1,
  rate: 0.05,
  dividend_yield: 0.01,
  volatility: 0.2,
  dividends: [0.5, 3],
};

describe("S4.47 statuses of finite differences", () => {
  const rows: readonly (readonly [string, Partial<DividendRow> & Record<string, unknown>, keyof typeof statusCodes])[] =
    [
      ["an ordinary row", {}, "ok"],
      ["expired", { time_to_expiry: 0 }, "expired"],
      ["long expired", { time_to_expiry: -1 }, "expired"],
      ["no volatility", { volatility: 0 }, "zero_volatility"],
      ["next to none", { volatility: 1e-7 }, "zero_volatility"],
      ["no spot", { spot: 0 }, "zero_underlying"],
      ["no strike", { strike: 0 }, "ok"],
      ["a negative spot", { spot: -1 }, "out_of_domain"],
      ["a negative strike", { strike: -1 }, "out_of_domain"],
      ["a negative volatility", { volatility: -0.2 }, "out_of_domain"],
      ["too large a deviation", { volatility: 21 }, "out_of_domain"],
      ["too large a rate", { rate: 300 }, "out_of_domain"],
      ["a spot that is no number", { spot: Number.NaN }, "non_finite"],
      ["an infinite volatility", { volatility: Number.POSITIVE_INFINITY }, "non_finite"],
      ["a negative dividend", { dividends: [0.5, -1] }, "out_of_domain"],
      ["a dividend that is no number", { dividends: [0.5, Number.NaN] }, "non_finite"],
      ["a moment that is none", { dividends: [Number.POSITIVE_INFINITY, 1] }, "non_finite"],
      ["dividends that are out of order", { dividends: [0.5, 1, 0.2, 1] }, "out_of_domain"],
    ];
  for (const [title, changes, status] of rows) {
    test(`${title}: ${status}, alike in both models and exercises`, () => {
      const row = { ...base, ...changes };
      for (const request of [
        gridRequest([row], "european", 50),
        gridRequest([row], "american", 50),
        americanDividendRequest([row], 0),
      ]) {
        const { columns, status: found } = engine.price(request);
        expect(found[0]).toBe(statusCodes[status]);
        const isNull = Object.values(columns).map((column) => Number.isNaN(column[0]!));
        if (found[0]! >= 10) expect(isNull.every(Boolean)).toBe(true);
        else expect(Number.isNaN(columns.price![0]!)).toBe(false);
      }
    });
  }

  test.each([
    ["space_steps", 9],
    ["space_steps", 1001],
    ["space_steps", 100.5],
    ["space_steps", Number.NaN],
    ["time_steps", 0],
    ["time_steps", 1001],
    ["exercise", 2],
  ])("%s %d is out of domain", (name, value) => {
    const request = gridRequest([base], "american", 50);
    const { status } = engine.price({ ...request, inputs: { ...request.inputs, [name]: value } });
    expect(status[0]).toBe(statusCodes.out_of_domain);
  });

  test.each([10, 11, 999, 1000])("%d steps each way are taken", (steps) => {
    const { columns, status } = engine.price(gridRequest([base], "american", steps, ["price"], 10));
    expect(status[0]).toBe(0);
    expect(Math.abs(columns.price![0]! - 14.9)).toBeLessThan(0.3);
  });
});

describe("S4.47 the limits of options on an asset that pays dividends", () => {
  const valuesOf = (
    changes: Partial<DividendRow>,
    exercise: "european" | "american",
    outputs: readonly OutputName[] = gridOutputs,
  ) => {
    const { columns } = engine.price(gridRequest([{ ...base, ...changes }], exercise, 50, outputs));
    return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column[0]!]));
  };

  test("at expiry are the payoff's", () => {
    expect(valuesOf({ time_to_expiry: 0 }, "american", ["price", "delta", "gamma"])).toEqual({
      price: 10,
      delta: 1,
      gamma: 0,
    });
    expect(valuesOf({ time_to_expiry: 0, spot: 100 }, "american", ["price", "delta", "gamma"])).toEqual({
      price: 0,
      delta: 0.5,
      gamma: Number.NaN,
    });
  });

  const paid = 3 * Math.exp(-0.05 * 0.5 - 0.01 * 0.5);
  const held = 110 * Math.exp(-0.01) - paid;
  const sure: readonly (readonly [string, Partial<DividendRow>, "european" | "american", number, number])[] = [
    ["a European call at its forward", {}, "european", held - 100 * Math.exp(-0.05), Math.exp(-0.01)],
    ["a European put out of the money at nothing", { isCall: false }, "european", 0, 0],
    [
      "a European put at its forward",
      { isCall: false, strike: 150 },
      "european",
      150 * Math.exp(-0.05) - held,
      -Math.exp(-0.01),
    ],
    ["an American put in the money now", { isCall: false, strike: 150 }, "american", 40, -1],
    [
      "an American put in the money after the dividend",
      { isCall: false, strike: 150, dividends: [0.5, 30] },
      "american",
      150 * Math.exp(-0.025) - (110 * Math.exp(-0.005) - 30 * Math.exp(-0.025)),
      -Math.exp(-0.005),
    ],
    [
      "an American call just before a large dividend",
      { dividends: [0.5, 30] },
      "american",
      110 * Math.exp(-0.005) - 100 * Math.exp(-0.025),
      Math.exp(-0.005),
    ],
    [
      "an American call at expiry, where it is worth waiting",
      { dividends: [0.5, 0.1] },
      "american",
      110 * Math.exp(-0.01) - 0.1 * Math.exp(-0.03) - 100 * Math.exp(-0.05),
      Math.exp(-0.01),
    ],
    ["an American call now, where the yield is high", { dividend_yield: 0.2, rate: 0.01 }, "american", 10, 1],
    ["a call on an asset that is taken whole", { dividends: [0.5, 500] }, "european", 0, 0],
    [
      "a put on an asset that is taken whole",
      { isCall: false, dividends: [0.5, 500] },
      "european",
      100 * Math.exp(-0.05),
      0,
    ],
  ];
  test.each(sure)("without volatility are the sure gain's: %s", (_, changes, exercise, price, delta) => {
    const values = valuesOf({ volatility: 0, ...changes }, exercise);
    expect(Math.abs(values.price! - price)).toBeLessThanOrEqual(1e-12 * 110);
    expect(Math.abs(values.delta! - delta)).toBeLessThanOrEqual(1e-14);
    expect([values.gamma, values.vega, values.vanna]).toEqual([0, 0, 0]);
    // nearly without, they are near to them
    const near = valuesOf({ volatility: 1e-4, ...changes }, exercise, ["price"]);
    expect(Math.abs(near.price! - price)).toBeLessThanOrEqual(2e-2);
  });

  test("without volatility have the slopes of the sure gain in rate, yield and passing time", () => {
    const h = 1e-5;
    for (const [, changes, exercise] of sure) {
      const at = (more: Partial<DividendRow>) =>
        valuesOf({ volatility: 0, ...changes, ...more }, exercise, ["price"]).price!;
      const row = { ...base, ...changes };
      const { rho, dividend_rho, theta } = valuesOf({ volatility: 0, ...changes }, exercise);
      const slope = (name: "rate" | "dividend_yield") =>
        (at({ [name]: row[name] + h }) - at({ [name]: row[name] - h })) / (2 * h);
      expect(Math.abs(rho! - slope("rate"))).toBeLessThanOrEqual(2e-5);
      expect(Math.abs(dividend_rho! - slope("dividend_yield"))).toBeLessThanOrEqual(2e-5);
      const later = (passed: number) =>
        at({ time_to_expiry: 1 - passed, dividends: [row.dividends[0]! - passed, row.dividends[1]!] });
      expect(Math.abs(theta! - (later(h) - later(-h)) / (2 * h))).toBeLessThanOrEqual(2e-4);
    }
  });

  test("without volatility are exercised between dividends where that is best", () => {
    // a call with q > 0 and both negative to wait for: the gain is level at ln(qS/(rK))/(q - r)
    const row = { ...base, spot: 200, rate: 0.08, dividend_yield: 0.05, time_to_expiry: 40, dividends: [39, 0.001] };
    const moment = Math.log((0.05 * 200) / (0.08 * 100)) / (0.05 - 0.08);
    expect(moment).toBeLessThan(0);
    const put = { ...row, isCall: false, spot: 100, strike: 100, rate: -0.02, dividend_yield: -0.06, volatility: 0 };
    const best = Math.log((-0.06 * 100) / (-0.02 * 100)) / (-0.06 + 0.02);
    const gain = (t: number) => 100 * Math.exp(0.02 * t) - 100 * Math.exp(0.06 * t);
    expect(best).toBeLessThan(0);
    const price = valuesOf(put, "american", ["price"]).price!;
    expect(Math.abs(price - Math.max(gain(0), 0))).toBeLessThanOrEqual(1e-9);
    const call = {
      ...row,
      spot: 100,
      strike: 120,
      rate: 0.08,
      dividend_yield: 0.02,
      volatility: 0,
      time_to_expiry: 60,
      dividends: [59, 1],
    };
    const level = Math.log((0.02 * 100) / (0.08 * 120)) / (0.02 - 0.08);
    expect(level).toBeGreaterThan(0);
    const found = valuesOf(call, "american", ["price"]).price!;
    expect(Math.abs(found - (100 * Math.exp(-0.02 * level) - 120 * Math.exp(-0.08 * level)))).toBeLessThanOrEqual(1e-9);
  });

  test("without a spot a put is the strike, now or discounted; without a strike a call is the asset", () => {
    expect(valuesOf({ spot: 0, isCall: false }, "american", ["price", "delta"])).toEqual({ price: 100, delta: 0 });
    const late = valuesOf({ spot: 0, isCall: false }, "european", ["price"]).price!;
    expect(Math.abs(late - 100 * Math.exp(-0.05))).toBeLessThanOrEqual(1e-12);
    expect(valuesOf({ spot: 0 }, "american", ["price", "lambda"])).toEqual({ price: 0, lambda: Number.NaN });
    expect(valuesOf({ strike: 0 }, "american", ["price", "delta"])).toEqual({ price: 110, delta: 1 });
    expect(valuesOf({ strike: 0, isCall: false }, "american", ["price"])).toEqual({ price: 0 });
  });
});

describe("S4.47 wild rows by finite differences", () => {
  test.each(["european", "american"] as const)(
    "all have numbers, worth no less than the sure value (%s)",
    (exercise) => {
      const rows = wildDividendRows(200, 21n);
      const { columns, status } = engine.price(gridRequest(rows, exercise, 60));
      const sure = engine.price(
        gridRequest(
          rows.map((row) => ({ ...row, volatility: 0 })),
          exercise,
          60,
          ["price", "delta"],
        ),
      );
      for (const [index, row] of rows.entries()) {
        const shown = JSON.stringify(row);
        expect(status[index]!, shown).toBeLessThan(10);
        for (const output of gridOutputs)
          if (output !== "lambda") expect(Number.isFinite(columns[output]![index]!), `${output} ${shown}`).toBe(true);
        // an asset that dividends take whole is worth more uncertain to a call, less to a put
        if (sure.columns.delta![index] !== 0)
          expect(columns.price![index]!, shown).toBeGreaterThanOrEqual(sure.columns.price![index]!);
        expect(columns.price![index]!, shown).toBeGreaterThanOrEqual(0);
        const most = row.isCall
          ? row.spot * Math.max(1, Math.exp(-row.dividend_yield * row.time_to_expiry))
          : row.strike * Math.max(1, Math.exp(-row.rate * row.time_to_expiry));
        expect(columns.price![index]!, shown).toBeLessThanOrEqual(most * (1 + 1e-9));
      }
    },
  );

  test("exercised at any time are worth no less than at expiry alone", () => {
    const rows = wildDividendRows(200, 22n);
    const american = engine.price(gridRequest(rows, "american", 60, ["price"])).columns.price!;
    const european = engine.price(gridRequest(rows, "european", 60, ["price"])).columns.price!;
    for (const [index, row] of rows.entries()) {
      const scale = Math.max(row.spot, row.strike, european[index]!);
      // their steps in time differ: those of the right to exercise are short near expiry
      expect(american[index]! - european[index]!, JSON.stringify(row)).toBeGreaterThanOrEqual(-2e-4 * scale);
    }
  });
});
