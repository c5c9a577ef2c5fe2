// Approximations of American options and binomial trees over the wire and from a shell: a tree's words and steps, what is refused, and volatilities. What the
// numbers are is tests/numerics' to say; here they are the engine's.

import { afterAll, describe, expect, test } from "bun:test";
import { approximations, requestFor } from "../harness/approximations";
import { runCommand } from "../harness/command-line";
import { openPricing } from "../harness/pricing";

const { engine, server } = openPricing();
afterAll(() => server.close());

const post = (path: string, body: unknown) => server.call("POST", `/api/v1/pricing/${path}`, { key: "viewer", body });
const market = { spot: 100, strike: 105, time_to_expiry: 0.5, rate: 0.05, dividend_yield: 0.01, volatility: 0.25 };
const put = { option_type: "put", ...market };

const treePrice = (more: Record<string, number>) =>
  engine.price(requestFor("binomial", [market], ["price"], more)).columns.price![0]!;

describe("S4.47 POST /api/v1/pricing/price", () => {
  test.each(approximations)("by %s gives price and Greeks, and its volatility comes back", async (model) => {
    const outputs = ["price", "delta", "ultima", "color", "early_exercise_premium", "exercise_boundary"];
    const { json, status } = await post("price", { model, ...put, outputs, units: "raw" });
    expect(status).toBe(200);
    const { columns } = engine.price(requestFor(model, [market]));
    expect(json.price).toBe(columns.price![0]);
    for (const output of outputs.slice(1)) {
      expect(json.greeks[output], output).toBe(columns[output as "ultima"]![0]);
    }
    const { volatility, ...known } = put;
    const back = await post("implied-volatility", { model, ...known, price: json.price });
    expect(back.json.implied_volatility).toBeCloseTo(volatility, 12);
  });

  test("by a tree takes its words, and is Cox, Ross and Rubinstein's of 200 steps without any", async () => {
    const words = {
      tree: "leisen_reimer",
      exercise: "european",
      smoothing: "black_scholes",
      extrapolation: "richardson",
    };
    const { json } = await post("price", { model: "binomial", ...put, ...words, steps: 51 });
    expect(json.price).toBe(treePrice({ tree: 1, exercise: 0, smoothing: 1, extrapolation: 1, steps: 51 }));
    const bare = await post("price", { model: "binomial", ...put });
    expect(bare.json.price).toBe(treePrice({ tree: 0, exercise: 1, smoothing: 0, extrapolation: 0, steps: 200 }));
    const { volatility, ...known } = put;
    const back = await post("implied-volatility", { model: "binomial", ...known, price: bare.json.price });
    expect(back.json.implied_volatility).toBeCloseTo(volatility, 12);
  });

  test("refuses a word that is none and another model's input, and gives steps that are none their status", async () => {
    const wrong = await post("price", { model: "binomial", ...put, tree: "trinomial" });
    expect(wrong.status).toBe(422);
    const foreign = await post("price", { model: "ju_zhong", ...put, steps: 10 });
    expect(foreign.json.errors).toContainEqual(expect.objectContaining({ pointer: "/steps", code: "UNKNOWN_FIELD" }));
    const many = await post("price", { model: "binomial", ...put, steps: 2001 });
    expect([many.status, many.json.status, many.json.price]).toEqual([200, "out_of_domain", null]);
  });

  test("a batch has a tree and steps a row", async () => {
    const { json } = await post("batch", {
      model: "binomial",
      option_type: "put",
      ...market,
      tree: ["leisen_reimer", "cox_ross_rubinstein"],
      steps: [31, 30],
      outputs: ["price"],
    });
    expect(json.price).toEqual([treePrice({ tree: 1, steps: 31 }), treePrice({ tree: 0, steps: 30 })]);
  });
});

describe("S4.47 bsopt price", () => {
  test("takes a tree's flags", async () => {
    const line =
      "price --model binomial --spot 100 --strike 105 --time 0.5 --rate 0.05 --dividend-yield 0.01 --volatility 0.25 --type put --tree leisen_reimer --steps 31";
    const { out, code } = await runCommand([...line.split(" "), "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out).price).toBe(treePrice({ tree: 1, steps: 31 }));
    expect((await runCommand(line.replace("leisen_reimer", "oak").split(" "))).code).toBe(2);
  });
});
