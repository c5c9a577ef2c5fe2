// What approximations and trees are at the edges of their domain: expiry, no volatility, no spot, no strike, what is outside, and the statuses.

import { beforeAll, describe, expect, test } from "bun:test";
import { modelNamed, type OutputName, statusCodes } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import type { AmericanRow } from "../../harness/american";
import { approximations, requestFor } from "../../harness/approximations";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const models = [...approximations, "binomial"] as const;
type Model = (typeof models)[number];

const usual: AmericanRow = {
  spot: 100,
  strike: 105,
  time_to_expiry: 1,
  rate: 0.05,
  dividend_yield: 0.02,
  volatility: 0.2,
};

function priced(model: Model, row: Partial<AmericanRow>, more: Record<string, number> = {}) {
  const { columns, status } = engine.price(requestFor(model, [{ ...usual, ...row }], modelNamed(model).outputs, more));
  return { status: status[0]!, of: (output: OutputName) => columns[output]![0]! };
}

describe("S4.47 at the edges", () => {
  test.each(models)("%s: expired it is the payoff, with nothing left to exercise early", (model) => {
    const put = priced(model, { time_to_expiry: 0 });
    expect([put.status, put.of("price"), put.of("delta"), put.of("vega")]).toEqual([statusCodes.expired, 5, -1, 0]);
    expect(put.of("early_exercise_premium")).toBe(0);
    const kink = priced(model, { time_to_expiry: -1, spot: 105 });
    expect([kink.of("price"), kink.of("delta")]).toEqual([0, -0.5]);
    expect(kink.of("gamma")).toBeNaN();
    if (model !== "binomial") expect(put.of("exercise_boundary")).toBeNaN();
  });

  test.each(models)("%s: without volatility it is exercised at the best moment, as the exact model says", (model) => {
    const rows: Partial<AmericanRow>[] = [
      {},
      { rate: 0.01, dividend_yield: 0.2 },
      { rate: 0.04, dividend_yield: 0.1, time_to_expiry: 20, spot: 80, strike: 100 },
      { isCall: true, spot: 110, rate: 0.01, dividend_yield: 0.3 },
      { volatility: 1e-9 },
    ];
    for (const row of rows) {
      const whole = { ...usual, volatility: 0, ...row };
      const exact = engine.price(requestFor("american", [whole], ["price", "delta", "rho"], { scheme: 0 }));
      const own = priced(model, whole);
      expect(own.status).toBe(statusCodes.zero_volatility);
      // of a volatility above 0 the exact model still counts the European price, which is more by its rounding
      expect(own.of("price")).toBeCloseTo(exact.columns.price![0]!, 12);
      expect(own.of("delta")).toBe(exact.columns.delta![0]!);
      expect(own.of("rho")).toBe(exact.columns.rho![0]!);
    }
  });

  test.each(models)("%s: without a spot a put is worth its strike, without a strike a call the asset", (model) => {
    const put = priced(model, { spot: 0 });
    expect([put.status, put.of("price"), put.of("delta")]).toEqual([statusCodes.zero_underlying, 105, -1]);
    expect(priced(model, { spot: 0, isCall: true }).of("price")).toBe(0);
    const call = priced(model, { strike: 0, isCall: true });
    expect([call.status, call.of("price"), call.of("delta")]).toEqual([statusCodes.ok, 100, 1]);
    expect(priced(model, { strike: 0 }).of("price")).toBe(0);
  });

  const refused: [string, Partial<AmericanRow>, number][] = [
    ["a NaN spot", { spot: Number.NaN }, statusCodes.non_finite],
    ["an infinite rate", { rate: Number.POSITIVE_INFINITY }, statusCodes.non_finite],
    ["a NaN volatility", { volatility: Number.NaN }, statusCodes.non_finite],
    ["a NaN time", { time_to_expiry: Number.NaN }, statusCodes.non_finite],
    ["a negative spot", { spot: -1 }, statusCodes.out_of_domain],
    ["a negative strike", { strike: -1 }, statusCodes.out_of_domain],
    ["a negative volatility", { volatility: -0.1 }, statusCodes.out_of_domain],
    ["a deviation above 64", { volatility: 65 }, statusCodes.out_of_domain],
    ["a volatility below 2^-200", { volatility: 1e-61 }, statusCodes.out_of_domain],
    ["a rate beyond the exponentials", { rate: 300 }, statusCodes.out_of_domain],
    ["a spot beyond 2^200", { spot: 1e61 }, statusCodes.out_of_domain],
  ];
  for (const model of models) {
    test.each(refused)(`${model}: %s is refused by its status, and every output is null`, (_, row, code) => {
      const { status, of } = priced(model, row);
      expect(status).toBe(code);
      for (const output of modelNamed(model).outputs) expect(of(output), output).toBeNaN();
    });
  }

  test("an output that the model does not offer is unsupported", () => {
    const { status } = engine.price(requestFor("binomial", [usual], ["price", "volga"]));
    expect(status[0]).toBe(statusCodes.unsupported_output);
  });
});

describe("S4.47 where exercising early never pays", () => {
  test.each(approximations)(
    "%s: a call without yield and a put without rate are European, or their payoff",
    (model) => {
      const rows: AmericanRow[] = [
        { ...usual, isCall: true, dividend_yield: 0 },
        { ...usual, isCall: true, dividend_yield: -0.03 },
        { ...usual, rate: 0 },
        { ...usual, rate: -0.02 },
      ];
      const outputs = ["price", "delta", "gamma", "vega", "rho", "speed", "ultima"] as const;
      const own = engine.price(
        requestFor(model, rows, [...outputs, "exercise_boundary", "early_exercise_premium"]),
      ).columns;
      const european = engine.price(requestFor("black_scholes_merton", rows, outputs)).columns;
      for (const output of outputs) {
        for (const row of rows.keys()) {
          const expected = european[output]![row]!;
          expect(Math.abs(own[output]![row]! - expected), output).toBeLessThan(1e-12 * (1 + Math.abs(expected)));
        }
      }
      expect([...own.exercise_boundary!].every(Number.isNaN)).toBe(true);
      expect([...own.early_exercise_premium!]).toEqual([0, 0, 0, 0]);
      // rates below the yield, both below 0: waiting for ever costs
      const deep = { ...usual, isCall: true, spot: 200, rate: -0.2, dividend_yield: -0.01 };
      expect(engine.price(requestFor(model, [deep], ["price", "delta"])).columns.price![0]).toBe(95);
    },
  );
});

describe("S4.47 what is no tree", () => {
  const wrong: [string, Record<string, number>][] = [
    ["no steps", { steps: 0 }],
    ["half a step", { steps: 10.5 }],
    ["2,001 steps", { steps: 2001 }],
    ["NaN steps", { steps: Number.NaN }],
    ["a tree that is none", { tree: 2 }],
    ["an exercise that is none", { exercise: 0.5 }],
    ["a smoothing that is none", { smoothing: -1 }],
    ["an extrapolation that is none", { extrapolation: 2 }],
    ["a tree whose spots no double holds", { steps: 2000, volatility: 20 }],
  ];
  test.each(wrong)("%s is out of the domain, and its neighbour is priced", (_, { volatility = 0.2, ...more }) => {
    const request = requestFor("binomial", [{ ...usual, volatility }, usual], ["price", "vega"]);
    const columns = Object.entries(more).map(([name, value]) => {
      const fallback = modelNamed("binomial").inputs.find((input) => input.name === name)!.default!;
      return [name, Float64Array.of(value, name === "steps" && value === 2000 ? 10 : fallback)];
    });
    const { status, columns: values } = engine.price({
      ...request,
      inputs: { ...request.inputs, ...Object.fromEntries(columns) },
    });
    expect([...status]).toEqual([statusCodes.out_of_domain, statusCodes.ok]);
    expect(values.price![0]).toBeNaN();
    expect(values.price![1]).toBeGreaterThan(5);
  });
});
