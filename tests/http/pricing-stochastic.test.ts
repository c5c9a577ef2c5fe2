// Stochastic volatility and simulations over the wire and from a shell: inputs and words of their own, outputs that only they offer, and what is computed unasked
// where a model lacks some of the first Greeks. What the numbers are is tests/numerics' to say; here they are the engine's.

import { afterAll, describe, expect, test } from "bun:test";
import type { InputName, ModelName, OutputName } from "../../src/engine/catalog";
import { runCommand } from "../harness/command-line";
import { openPricing } from "../harness/pricing";

const { engine, server } = openPricing();
afterAll(() => server.close());

const market = { option_type: "call", strike: 105, time_to_expiry: 0.5, rate: 0.03 };
const heston = {
  ...market,
  model: "heston",
  spot: 100,
  dividend_yield: 0.01,
  v0: 0.04,
  kappa: 1.5,
  long_variance: 0.05,
  vol_of_vol: 0.6,
  correlation: -0.7,
};
const sabr = {
  ...market,
  model: "sabr",
  forward: 100,
  initial_volatility: 0.25,
  vol_of_vol: 0.5,
  correlation: -0.3,
};
const simulated = {
  ...market,
  model: "monte_carlo",
  spot: 100,
  volatility: 0.25,
  paths: 1024,
  exercise: "american",
  option_type: "put",
};
const single = "/api/v1/pricing/price";
const batch = "/api/v1/pricing/batch";
const post = (path: string, body: unknown) => server.call("POST", path, { key: "viewer", body });

function direct(
  model: ModelName,
  isCall: boolean,
  inputs: Partial<Record<InputName, number>>,
  output: OutputName,
): number {
  return engine.price({ model, count: 1, isCall, inputs, outputs: [output], units: "raw" }).columns[output]![0]!;
}
const numbersOf = ({ option_type: _, model: __, ...inputs }: Record<string, unknown>) =>
  inputs as Partial<Record<InputName, number>>;

describe("S4.47 POST /api/v1/pricing/price of stochastic volatility", () => {
  test("takes the parameters by the contract's names and answers with the five Greeks unasked", async () => {
    const { status, json } = await post(single, heston);
    expect(status).toBe(200);
    expect(json.status).toBe("ok");
    expect(json.price).toBe(direct("heston", true, numbersOf(heston), "price"));
    expect(Object.keys(json.greeks)).toEqual(["delta", "gamma", "vega", "theta", "rho"]);
    expect(json.greeks.vega).toBeCloseTo(direct("heston", true, numbersOf(heston), "vega") / 100, 12);
  });

  test("refuses a volatility, which the model has none of, and a parameter that is missing", async () => {
    const { status, json } = await post(single, { ...heston, volatility: 0.2 });
    expect(status).toBe(422);
    expect(json.errors).toContainEqual(expect.objectContaining({ pointer: "/volatility", code: "UNKNOWN_FIELD" }));
    const { kappa: _, ...without } = heston;
    expect((await post(single, without)).json.errors[0].pointer).toBe("/kappa");
    // there is no volatility to imply
    const { status: implied } = await post("/api/v1/pricing/implied-volatility", { ...heston, price: 5 });
    expect(implied).toBe(422);
  });

  test("gives SABR's volatility where it is asked for, beta 1 unless given", async () => {
    const outputs = ["price", "black_volatility"];
    const { json } = await post(single, { ...sabr, outputs });
    const expected = direct("sabr", true, { ...numbersOf(sabr), beta: 1 }, "black_volatility");
    expect(json.greeks.black_volatility).toBe(expected);
    expect((await post(single, { ...heston, outputs })).json.status).toBe("unsupported_output");
  });

  test("gives a jump diffusion's implied volatility back", async () => {
    const { v0: _, kappa: __, long_variance: ___, vol_of_vol: ____, correlation: _____, ...rest } = heston;
    const jumps = { ...rest, model: "merton_jump", jump_intensity: 1, jump_mean: -0.1, jump_volatility: 0.2 };
    const { json } = await post(single, { ...jumps, volatility: 0.22 });
    const { json: implied } = await post("/api/v1/pricing/implied-volatility", { ...jumps, price: json.price });
    expect(implied.status).toBe("ok");
    expect(implied.implied_volatility).toBeCloseTo(0.22, 12);
  });
});

describe("S4.47 POST /api/v1/pricing/price of a simulation", () => {
  test("takes its words, computes unasked what it has of the first Greeks, and tells its error", async () => {
    const { status, json } = await post(single, simulated);
    expect(status).toBe(200);
    expect(Object.keys(json.greeks)).toEqual(["delta", "vega", "rho"]);
    const again = await post(single, { ...simulated, outputs: ["price", "standard_error"], seed: 1 });
    expect(again.json.price).toBe(json.price);
    expect(again.json.greeks.standard_error).toBeGreaterThan(0);
    const other = await post(single, { ...simulated, seed: 2, sampling: "pseudo_random", variance_reduction: "none" });
    expect(other.json.price).not.toBe(json.price);
    const inputs = { ...numbersOf(simulated), exercise: 1 };
    expect(json.price).toBe(direct("monte_carlo", false, inputs, "price"));
  });

  test("refuses a word it does not know; a number that is not whole is that row's status", async () => {
    expect((await post(single, { ...simulated, exercise: "bermudan" })).status).toBe(422);
    const { status, json } = await post(single, { ...simulated, paths: 1000.5 });
    expect(status).toBe(200);
    expect(json.status).toBe("out_of_domain");
  });

  test("beside rows of other models leaves out what it lacks, unless it is asked for", async () => {
    const rows = [heston, simulated];
    const { json } = await post(batch, { options: rows });
    expect(json.status).toEqual([0, 0]);
    expect(
      Object.keys(json).filter((name) => Array.isArray(json[name]) && name !== "status" && name !== "model"),
    ).toEqual(["price", "delta", "vega", "rho"]);
    const asked = await post(batch, { options: rows, outputs: ["price", "gamma"] });
    expect(asked.json.status).toEqual([0, 22]);
    const alone = await post(batch, { options: [heston, heston] });
    expect(alone.json.gamma).toHaveLength(2);
  });
});

describe("S4.47 bsopt price of stochastic volatility", () => {
  const run = (line: string) => runCommand(line.split(" "), {});

  test("takes the parameters as flags", async () => {
    const line =
      "price --model heston --spot 100 --strike 105 --time 0.5 --rate 0.03 --dividend-yield 0.01 --v0 0.04 --kappa 1.5 --long-variance 0.05 --vol-of-vol 0.6 --correlation -0.7 --type call --json";
    const { out, code } = await run(line);
    expect(code).toBe(0);
    expect(JSON.parse(out).price).toBe(direct("heston", true, numbersOf(heston), "price"));
  });

  test("of a simulation computes what it has", async () => {
    const line =
      "price --model monte_carlo --spot 100 --strike 105 --time 0.5 --rate 0.03 --volatility 0.25 --paths 1024 --type put --json";
    const { out, code } = await run(line);
    expect(code).toBe(0);
    expect(Object.keys(JSON.parse(out).greeks)).toEqual(["delta", "vega", "rho"]);
  });
});
