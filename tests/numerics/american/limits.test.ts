// What an American option is at the edges of its domain: expiry, no volatility, no spot, no strike, what is outside, and the statuses.

import { beforeAll, describe, expect, test } from "bun:test";
import { type OutputName, statusCodes } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { type AmericanRow, americanOutputs, americanRequest } from "../../harness/american";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const usual: AmericanRow = {
  spot: 100,
  strike: 105,
  time_to_expiry: 1,
  rate: 0.05,
  dividend_yield: 0.02,
  volatility: 0.2,
};

function priced(row: Partial<AmericanRow>): { status: number; of: (output: OutputName) => number } {
  const { columns, status } = engine.price(americanRequest([{ ...usual, ...row }], "accurate"));
  return { status: status[0]!, of: (output) => columns[output]![0]! };
}

describe("S4.47 an expired American option", () => {
  test("is its payoff with no premium and no boundary", () => {
    const put = priced({ time_to_expiry: 0 });
    expect(put.status).toBe(statusCodes.expired);
    expect(put.of("price")).toBe(5);
    expect(put.of("delta")).toBe(-1);
    expect(put.of("vega")).toBe(0);
    expect(put.of("early_exercise_premium")).toBe(0);
    expect(put.of("exercise_boundary")).toBeNaN();
    expect(priced({ time_to_expiry: -1, isCall: true }).of("price")).toBe(0);
  });

  test("has no gamma and no theta at its kink", () => {
    const kink = priced({ time_to_expiry: 0, spot: 105 });
    expect(kink.of("delta")).toBe(-0.5);
    for (const output of ["gamma", "theta", "speed", "dual_gamma"] as const) expect(kink.of(output)).toBeNaN();
  });
});

describe("S4.47 without volatility", () => {
  /** The best of exercising at any of many moments. */
  const best = ({ isCall, spot, strike, time_to_expiry: time, rate, dividend_yield: yields }: AmericanRow) => {
    let most = 0;
    for (let step = 0; step <= 20_000; step++) {
      const t = (time * step) / 20_000;
      const forward = spot * Math.exp(-yields * t) - strike * Math.exp(-rate * t);
      most = Math.max(most, isCall ? forward : -forward);
    }
    return most;
  };
  const rows: [string, Partial<AmericanRow>][] = [
    ["a put best exercised now", {}],
    ["a put best exercised at expiry, its yield above the rate", { rate: 0.01, dividend_yield: 0.2 }],
    ["a put best exercised in between", { rate: 0.04, dividend_yield: 0.1, time_to_expiry: 20, spot: 80, strike: 100 }],
    ["a call best exercised at expiry", { isCall: true, spot: 110 }],
    ["a call best exercised now", { isCall: true, spot: 110, rate: 0.01, dividend_yield: 0.3 }],
    [
      "a call best exercised in between",
      { isCall: true, rate: 0.1, dividend_yield: 0.03, time_to_expiry: 30, spot: 120, strike: 100 },
    ],
    ["a worthless call", { isCall: true, spot: 50 }],
    ["a put at rates below zero", { rate: -0.02, dividend_yield: -0.05, time_to_expiry: 20, spot: 30, strike: 100 }],
  ];
  test.each(rows)("%s is worth the best of a sure future, and its Greeks are that's", (_, row) => {
    const { status, of } = priced({ ...row, volatility: 0 });
    const whole = { ...usual, ...row };
    expect(status).toBe(statusCodes.zero_volatility);
    expect(Math.abs(of("price") - best(whole))).toBeLessThan(1e-5);
    const bumped = (name: keyof AmericanRow, by: number) =>
      priced({ ...whole, volatility: 0, [name]: (whole[name] as number) + by }).of("price");
    const pairs: [OutputName, keyof AmericanRow, number][] = [
      ["delta", "spot", 1e-3],
      ["dual_delta", "strike", 1e-3],
      ["rho", "rate", 1e-6],
      ["dividend_rho", "dividend_yield", 1e-6],
    ];
    for (const [output, input, step] of pairs) {
      const expected = (bumped(input, step) - bumped(input, -step)) / (2 * step);
      expect(Math.abs(of(output) - expected), output).toBeLessThan(1e-4 * (1 + Math.abs(expected)));
    }
    const inTime = -(bumped("time_to_expiry", 1e-6) - bumped("time_to_expiry", -1e-6)) / 2e-6;
    expect(Math.abs(of("theta") - inTime), "theta").toBeLessThan(1e-4 * (1 + Math.abs(inTime)));
    const curvature = (bumped("spot", 1e-2) - 2 * of("price") + bumped("spot", -1e-2)) / 1e-4;
    expect(Math.abs(of("gamma") - curvature), "gamma").toBeLessThan(1e-4);
    for (const output of ["vega", "vanna", "volga", "veta", "zomma"] as const) expect(of(output)).toBe(0);
  });

  test("and with the little that is left of one, price and European price differ by the premium", () => {
    const { status, of } = priced({ volatility: 1e-9, spot: 105, isCall: true });
    expect(status).toBe(statusCodes.zero_volatility);
    expect(of("price")).toBeGreaterThan(0);
    expect(of("early_exercise_premium")).toBeGreaterThanOrEqual(0);
  });
});

describe("S4.47 without a spot or a strike", () => {
  test("a put on nothing is worth its strike now, or later where rates are below zero; a call nothing", () => {
    const put = priced({ spot: 0 });
    expect([put.status, put.of("price"), put.of("delta")]).toEqual([statusCodes.zero_underlying, 105, -1]);
    expect(priced({ spot: 0, rate: -0.05 }).of("price")).toBeCloseTo(105 * Math.exp(0.05), 10);
    expect(priced({ spot: 0, isCall: true }).of("price")).toBe(0);
  });

  test("a call for nothing is worth the asset, a put for nothing nothing", () => {
    const call = priced({ strike: 0, isCall: true });
    expect([call.status, call.of("price"), call.of("delta")]).toEqual([statusCodes.ok, 100, 1]);
    expect(priced({ strike: 0 }).of("price")).toBe(0);
  });
});

describe("S4.47 the boundary", () => {
  test("is between payoff and strike, and null where exercising early never pays", () => {
    const put = priced({});
    expect(put.of("exercise_boundary")).toBeGreaterThan(70);
    expect(put.of("exercise_boundary")).toBeLessThan(105);
    expect(priced({ isCall: true }).of("exercise_boundary")).toBeGreaterThan(105);
    expect(priced({ isCall: true, dividend_yield: 0 }).of("exercise_boundary")).toBeNaN();
    expect(priced({ rate: -0.01, dividend_yield: 0.01 }).of("exercise_boundary")).toBeNaN();
    expect(priced({ rate: 0, dividend_yield: 0.01 }).of("exercise_boundary")).toBeNaN();
  });

  test("is where holding and exercising are worth the same", () => {
    for (const isCall of [false, true]) {
      const boundary = priced({ isCall }).of("exercise_boundary");
      const side = isCall ? -1 : 1;
      const near = priced({ isCall, spot: boundary * (1 + side * 1e-3) });
      const payoff = isCall ? boundary * (1 - 1e-3) - 105 : 105 - boundary * (1 + 1e-3);
      expect(near.of("price") - payoff).toBeGreaterThan(0);
      expect(near.of("price") - payoff).toBeLessThan(1e-3);
      expect(Math.abs(near.of("delta"))).toBeGreaterThan(0.97);
    }
  });
});

describe("S4.47 what is no option", () => {
  const rows: [string, Partial<AmericanRow>, number][] = [
    ["a NaN spot", { spot: Number.NaN }, statusCodes.non_finite],
    ["an infinite rate", { rate: Number.POSITIVE_INFINITY }, statusCodes.non_finite],
    ["a NaN volatility", { volatility: Number.NaN }, statusCodes.non_finite],
    ["a NaN time", { time_to_expiry: Number.NaN }, statusCodes.non_finite],
    ["a negative spot", { spot: -1 }, statusCodes.out_of_domain],
    ["a negative strike", { strike: -1 }, statusCodes.out_of_domain],
    ["a negative volatility", { volatility: -0.1 }, statusCodes.out_of_domain],
    ["a deviation above 64", { volatility: 65 }, statusCodes.out_of_domain],
    ["a rate beyond the exponentials", { rate: 300 }, statusCodes.out_of_domain],
    ["a spot beyond 2^200", { spot: 1e61 }, statusCodes.out_of_domain],
  ];
  test.each(rows)("%s is refused by its status, and every output is null", (_, row, code) => {
    const { status, of } = priced(row);
    expect(status).toBe(code);
    for (const output of americanOutputs) expect(of(output), output).toBeNaN();
  });

  test("nor is a scheme that is none, while its neighbours are priced", () => {
    const request = americanRequest([usual, usual, usual, usual], "fast");
    const scheme = Float64Array.of(0, 3, 0.5, Number.NaN);
    const { status } = engine.price({ ...request, inputs: { ...request.inputs, scheme } });
    const refused = statusCodes.out_of_domain;
    expect([...status]).toEqual([0, refused, refused, refused]);
  });

  test("an output that the model does not offer is unsupported", () => {
    const { status } = engine.price(americanRequest([usual], "fast", ["price", "color"]));
    expect(status[0]).toBe(statusCodes.unsupported_output);
  });
});
