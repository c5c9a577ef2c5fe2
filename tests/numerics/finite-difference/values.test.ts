// Finite differences against what is known otherwise: the closed form, the American model's integrals, and, with cash dividends, integrals over
// where the asset stands at each of them.

import { beforeAll, describe, expect, test } from "bun:test";
import type { OutputName } from "../../../src/engine/catalog";
import type { Engine, PriceRequest } from "../../../src/engine/engine";
import { type DividendOption, quadratureGreeks } from "../../harness/dividend-quadrature";
import { type DividendRow, gridRequest, numberOf } from "../../harness/finite-difference";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

/** Options as a market has them, strikes of 100. */
const rows: readonly DividendRow[] = [0.1, 0.5, 1, 3].flatMap((time) =>
  [0.15, 0.3, 0.5].flatMap((volatility) =>
    [
      [0.02, 0.03],
      [0.06, 0],
      [0.06, 0.03],
    ].flatMap(([rate, dividendYield]) =>
      [80, 90, 100, 110, 125].flatMap((spot) =>
        [false, true].map((isCall) => ({
          isCall,
          spot,
          strike: 100,
          time_to_expiry: time,
          rate: rate!,
          dividend_yield: dividendYield!,
          volatility,
          dividends: [],
        })),
      ),
    ),
  ),
);

/** Root mean square and largest difference of each output from another model's. */
function errorsOf(request: PriceRequest, model: "black_scholes_merton" | "american") {
  const { exercise: _, space_steps: __, time_steps: ___, ...inputs } = request.inputs;
  const known = engine.price({
    ...request,
    model,
    inputs: model === "american" ? { ...inputs, scheme: 2 } : inputs,
    lists: undefined,
  });
  const { columns, status } = engine.price(request);
  expect(status.every((code) => code === 0)).toBe(true);
  return (output: OutputName) => {
    const errors = columns[output]!.map((value, row) => Math.abs(value - known.columns[output]![row]!));
    return {
      mean: Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length),
      max: Math.max(...errors),
    };
  };
}

describe("S4.47 finite differences without dividends", () => {
  // measured: means 7.2e-3, 1.8e-3 and 4.5e-4; largest 2.4e-2, 6.0e-3 and 1.5e-3
  test.each([
    [100, 8e-3, 2.6e-2, 1.1e-4],
    [200, 2e-3, 6.5e-3, 2.8e-5],
    [400, 5e-4, 1.7e-3, 7e-6],
  ])("are the closed form's, European, within their error: %d steps", (steps, mean, max, delta) => {
    const errors = errorsOf(gridRequest(rows, "european", steps, ["price", "delta", "gamma"]), "black_scholes_merton");
    expect(errors("price").mean).toBeLessThanOrEqual(mean);
    expect(errors("price").max).toBeLessThanOrEqual(max);
    expect(errors("delta").mean).toBeLessThanOrEqual(delta);
    expect(errors("gamma").max).toBeLessThanOrEqual((4e-5 * 200 ** 2) / steps ** 2);
  });

  test("come closer by the square of their steps", () => {
    const [coarse, fine] = [100, 200].map((steps) =>
      errorsOf(gridRequest(rows, "european", steps, ["price", "delta"]), "black_scholes_merton"),
    );
    for (const output of ["price", "delta"] as const) {
      const ratio = coarse!(output).mean / fine!(output).mean;
      expect(ratio).toBeGreaterThan(3.9);
      expect(ratio).toBeLessThan(4.1);
    }
  });

  test("do not ring at the strike where there are few steps in time", () => {
    const row = { ...rows.find(({ spot, time_to_expiry: time }) => spot === 100 && time === 0.5)!, isCall: true };
    for (const spot of [99, 100, 101]) {
      const { columns } = engine.price(gridRequest([{ ...row, spot }], "european", 800, ["gamma"], 12));
      const {
        exercise: _,
        space_steps: __,
        time_steps: ___,
        ...inputs
      } = gridRequest([{ ...row, spot }], "european", 10).inputs;
      const known = engine.price({
        model: "black_scholes_merton",
        count: 1,
        isCall: true,
        inputs,
        outputs: ["gamma"],
        units: "raw",
      });
      expect(Math.abs(columns.gamma![0]! / known.columns.gamma![0]! - 1)).toBeLessThanOrEqual(0.02);
    }
  });

  test("keep put and call apart by the forward exactly: neither rate nor yield moves along the grid", () => {
    const puts = rows.filter(({ isCall }) => !isCall);
    const price = (isCall: boolean) =>
      engine.price(
        gridRequest(
          puts.map((row) => ({ ...row, isCall })),
          "european",
          50,
          ["price"],
        ),
      ).columns.price!;
    const [calls, others] = [price(true), price(false)];
    for (const [index, row] of puts.entries()) {
      const { spot, rate, dividend_yield: dividendYield, time_to_expiry: time } = row;
      const forward = spot * Math.exp(-dividendYield * time) - 100 * Math.exp(-rate * time);
      expect(Math.abs(calls[index]! - others[index]! - forward)).toBeLessThanOrEqual(2e-11);
    }
  });

  // measured: means 7.2e-3, 1.8e-3 and 4.7e-4; largest 2.4e-2, 6.1e-3 and 1.6e-3
  test.each([
    [100, 8e-3, 2.7e-2, 1.3e-4],
    [200, 2.1e-3, 7e-3, 5e-5],
    [400, 5.5e-4, 1.9e-3, 2e-5],
  ])("are the American model's, exercised at any time, within their error: %d steps", (steps, mean, max, delta) => {
    const errors = errorsOf(gridRequest(rows, "american", steps, ["price", "delta", "theta"]), "american");
    expect(errors("price").mean).toBeLessThanOrEqual(mean);
    expect(errors("price").max).toBeLessThanOrEqual(max);
    expect(errors("delta").mean).toBeLessThanOrEqual(delta);
    // where it begins to be exercised theta jumps
    expect(errors("theta").mean).toBeLessThanOrEqual((6e-3 * 100) / steps);
  });

  test("have Greeks in volatility, rate and yield, best away from where exercise begins", () => {
    const european = errorsOf(gridRequest(rows, "european", 200), "black_scholes_merton");
    const american = errorsOf(gridRequest(rows, "american", 200), "american");
    // of 20 to 60 and of 10 to 200
    const means = { vega: [6e-3, 8e-3], rho: [8e-3, 8e-2], dividend_rho: [8e-3, 8e-2], vanna: [1e-3, 2e-2] } as const;
    for (const [output, [once, anyTime]] of Object.entries(means)) {
      expect(european(output as OutputName).mean, output).toBeLessThanOrEqual(once);
      expect(american(output as OutputName).mean, output).toBeLessThanOrEqual(anyTime);
    }
  });
});

describe("S4.47 finite differences with cash dividends", () => {
  const option = (changes: Partial<DividendOption>): DividendOption => ({
    isCall: true,
    isAmerican: false,
    spot: 100,
    strike: 100,
    time: 1,
    rate: 0.06,
    dividendYield: 0,
    volatility: 0.3,
    dividends: [[0.3, 4]],
    ...changes,
  });
  const rowOf = ({ isCall, spot, strike, time, rate, dividendYield, volatility, dividends }: DividendOption) => ({
    isCall,
    spot,
    strike,
    time_to_expiry: time,
    rate,
    dividend_yield: dividendYield,
    volatility,
    dividends: dividends.flat(),
  });
  const both: readonly (readonly [string, DividendOption])[] = [
    ["a call", option({})],
    ["a put", option({ isCall: false })],
    ["a put in the money", option({ isCall: false, strike: 125 })],
    [
      "a call in the money that is exercised before a late dividend",
      option({ isAmerican: true, strike: 80, dividends: [[0.9, 5]] }),
    ],
    ["a call out of the money", option({ strike: 125, isAmerican: true })],
    ["a dividend tomorrow", option({ dividends: [[0.003, 3]] })],
    ["a dividend at expiry", option({ dividends: [[1, 5]], isCall: false })],
    ["a yield beside dividends", option({ dividendYield: 0.04, rate: 0.02 })],
    ["a large dividend", option({ dividends: [[0.5, 30]], isAmerican: true })],
    ["a dividend that may take all there is", option({ dividends: [[0.5, 70]], isCall: false, volatility: 0.6 })],
    [
      "two dividends",
      option({
        time: 0.5,
        dividends: [
          [1 / 6, 2],
          [5 / 12, 2],
        ],
        isAmerican: true,
      }),
    ],
    [
      "a put on two dividends",
      option({
        time: 2,
        dividends: [
          [0.7, 3],
          [1.6, 3],
        ],
        isCall: false,
      }),
    ],
  ];
  test.each(both)("are those of the integral: %s", (_, asked) => {
    const truth = quadratureGreeks(engine, asked);
    const request = gridRequest([rowOf(asked)], asked.isAmerican ? "american" : "european", 400, [
      "price",
      "delta",
      "gamma",
    ]);
    const { columns, status } = engine.price(request);
    expect(status[0]).toBe(0);
    expect(Math.abs(columns.price![0]! - truth.price)).toBeLessThanOrEqual(7e-4);
    expect(Math.abs(columns.delta![0]! - truth.delta)).toBeLessThanOrEqual(2.5e-5);
    expect(Math.abs(columns.gamma![0]! - truth.gamma)).toBeLessThanOrEqual(3e-5);
  });

  test("know the asset's fall to nothing, where puts are worth their discounted strike", () => {
    const asked = { ...rowOf(option({ isCall: false, dividends: [[0.5, 1e6]] })) };
    const price = numberOf(engine, gridRequest([asked], "european", 100), "price");
    expect(Math.abs(price - 100 * Math.exp(-0.06))).toBeLessThanOrEqual(1e-9);
    expect(numberOf(engine, gridRequest([{ ...asked, isCall: true }], "european", 100), "price")).toBeLessThanOrEqual(
      1e-9,
    );
  });

  test("are above the price that takes the dividends' value off the spot: 3.67 (Hull, 5th edition, page 253)", () => {
    const hull = option({
      spot: 40,
      strike: 40,
      time: 0.5,
      rate: 0.09,
      dividends: [
        [1 / 6, 0.5],
        [5 / 12, 0.5],
      ],
    });
    const value = hull.dividends.reduce((sum, [when, amount]) => sum + amount * Math.exp(-0.09 * when), 0);
    const escrowed = engine.price({
      model: "black_scholes_merton",
      count: 1,
      isCall: true,
      inputs: { spot: 40 - value, strike: 40, time_to_expiry: 0.5, rate: 0.09, volatility: 0.3 },
      outputs: ["price"],
      units: "raw",
    }).columns.price![0]!;
    expect(Math.abs(escrowed - 3.67)).toBeLessThanOrEqual(0.01);
    // all of the asset is uncertain here, there only what is left of it
    const price = numberOf(engine, gridRequest([rowOf(hull)], "european", 400), "price");
    expect(Math.abs(price - quadratureGreeks(engine, hull).price)).toBeLessThanOrEqual(2e-4);
    expect(price).toBeGreaterThan(escrowed + 0.04);
  });

  test("do not count dividends up to now, after expiry or of nothing", () => {
    const row = rowOf(option({ isCall: false }));
    const bits = (dividends: readonly number[]) => {
      const { columns } = engine.price(gridRequest([{ ...row, dividends }], "american", 50));
      return Object.values(columns).map((column) => column[0]);
    };
    const none = bits([]);
    expect(bits([-1, 5, 0, 7, 1.0001, 9])).toEqual(none);
    expect(bits([0.5, 0])).toEqual(none);
    expect(bits([0.5, 1])).not.toEqual(none);
    expect(bits([1, 1])).not.toEqual(none);
  });

  test("make calls cheaper and puts dearer the more they are", () => {
    for (const isCall of [true, false]) {
      const price = (amount: number) =>
        numberOf(
          engine,
          gridRequest([{ ...rowOf(option({ isCall })), dividends: [0.4, amount] }], "american", 100),
          "price",
        );
      const prices = [0, 1, 2, 4, 8].map(price);
      for (let at = 1; at < prices.length; at++) {
        const rise = prices[at]! - prices[at - 1]!;
        expect(isCall ? -rise : rise).toBeGreaterThan(0);
      }
    }
  });

  test("have a theta that is what passing time costs, dividends coming nearer too", () => {
    for (const isCall of [true, false]) {
      const row = rowOf(option({ isCall }));
      const later = (passed: number) => ({
        ...row,
        time_to_expiry: 1 - passed,
        dividends: [0.3 - passed, 4],
      });
      const price = (passed: number) => numberOf(engine, gridRequest([later(passed)], "american", 400), "price");
      const theta = numberOf(engine, gridRequest([row], "american", 400), "theta");
      expect(Math.abs((price(0.01) - price(-0.01)) / 0.02 - theta)).toBeLessThanOrEqual(6e-3);
    }
  });
});
