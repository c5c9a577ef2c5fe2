// The catalog is the contract that schemas, documents and columns derive from: its names, codes and factors are fixed here.

import { describe, expect, test } from "bun:test";
import {
  defaultOutputs,
  defaultOutputsOf,
  type ModelName,
  modelNamed,
  models,
  type OutputName,
  statusCodes,
  statusName,
  type Units,
  unitFactor,
} from "../../../src/engine/catalog";

describe("S4.47 catalog", () => {
  test("offers Black–Scholes–Merton with six inputs, of which only the dividend yield has a default", () => {
    const model = modelNamed("black_scholes_merton");
    expect(models).toContain(model);
    expect(model.inputs.map(({ name }) => name)).toEqual([
      "spot",
      "strike",
      "time_to_expiry",
      "rate",
      "dividend_yield",
      "volatility",
    ]);
    expect(model.inputs.filter((input) => input.default !== undefined).map(({ name }) => name)).toEqual([
      "dividend_yield",
    ]);
    expect(model.inputs.find(({ name }) => name === "dividend_yield")?.default).toBe(0);
    expect(model.impliedVolatility).toBe(true);
  });

  test("offers the family: each model's own inputs, all outputs, and no dividend_rho where there is a forward", () => {
    const inputsOf = (name: ModelName) => modelNamed(name).inputs.map((input) => input.name);
    const all = modelNamed("black_scholes_merton").outputs;
    expect(all).toHaveLength(18);
    expect(inputsOf("black_76")).toEqual(["forward", "strike", "time_to_expiry", "rate", "volatility"]);
    expect(inputsOf("garman_kohlhagen")).toEqual([
      "spot",
      "strike",
      "time_to_expiry",
      "rate",
      "foreign_rate",
      "volatility",
    ]);
    expect(inputsOf("displaced_black")).toEqual([
      "forward",
      "strike",
      "time_to_expiry",
      "rate",
      "volatility",
      "displacement",
    ]);
    expect(modelNamed("garman_kohlhagen").outputs).toEqual(all);
    for (const name of ["black_76", "displaced_black"] as const) {
      expect(modelNamed(name).outputs).toEqual(all.filter((output) => output !== "dividend_rho"));
    }
  });

  test("asks for price and the five first Greeks unless told otherwise, and every model but the simulation offers them", () => {
    expect(defaultOutputs).toEqual(["price", "delta", "gamma", "vega", "theta", "rho"]);
    for (const model of models) {
      if (model.name === "monte_carlo") continue;
      for (const output of defaultOutputs) expect(model.outputs, model.name).toContain(output);
      expect(defaultOutputsOf([model])).toEqual(defaultOutputs);
    }
  });

  test("asks for what all of the asked models offer", () => {
    const simulated = ["price", "delta", "vega", "rho"] as const;
    expect(defaultOutputsOf([modelNamed("monte_carlo")])).toEqual(simulated);
    expect(defaultOutputsOf([modelNamed("heston"), modelNamed("monte_carlo")])).toEqual(simulated);
    expect(defaultOutputsOf([])).toEqual(defaultOutputs);
  });

  test("refuses a model it does not know", () => {
    expect(() => modelNamed("tarot" as ModelName)).toThrow("no model is named tarot");
  });

  test("has ids, names and inputs each once", () => {
    expect(new Set(models.map(({ id }) => id)).size).toBe(models.length);
    expect(new Set(models.map(({ name }) => name)).size).toBe(models.length);
    for (const { inputs } of models) expect(new Set(inputs.map(({ name }) => name)).size).toBe(inputs.length);
  });
});

describe("status codes", () => {
  test("never change", () => {
    expect(statusCodes).toEqual({
      ok: 0,
      expired: 1,
      zero_volatility: 2,
      zero_underlying: 3,
      below_intrinsic: 10,
      above_maximum: 11,
      not_converged: 12,
      non_finite: 20,
      out_of_domain: 21,
      unsupported_output: 22,
    });
  });

  test("have a name each, and no other number has one", () => {
    for (const [name, code] of Object.entries(statusCodes)) expect(statusName(code) as string).toBe(name);
    expect(() => statusName(4)).toThrow("no status has the code 4");
  });
});

describe("unit factors", () => {
  const rows: [OutputName, number][] = [
    ["price", 1],
    ["delta", 1],
    ["gamma", 1],
    ["vega", 1 / 100],
    ["theta", 1 / 365],
    ["rho", 1 / 100],
    ["dividend_rho", 1 / 100],
    ["vanna", 1 / 100],
    ["volga", 1 / 1e4],
    ["charm", 1 / 365],
    ["veta", 1 / 36_500],
    ["speed", 1],
    ["zomma", 1 / 100],
    ["color", 1 / 365],
    ["ultima", 1 / 1e6],
    ["dual_delta", 1],
    ["dual_gamma", 1],
    ["lambda", 1],
  ];
  for (const [output, factor] of rows) {
    test(`${output}: market is raw times ${factor}, raw is raw`, () => {
      expect(unitFactor(output, "market")).toBe(factor);
      expect(unitFactor(output, "raw")).toBe(1);
    });
  }

  test("stop at a unit or an output that does not exist", () => {
    expect(() => unitFactor("vega", "metric" as Units)).toThrow("unreachable");
    expect(() => unitFactor("aura" as OutputName, "market")).toThrow("unreachable");
  });
});
