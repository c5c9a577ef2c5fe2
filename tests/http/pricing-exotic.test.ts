// Digital, barrier, lookback and Asian options over the wire and from a shell: the contract's own words and lists, and what is refused. What the
// numbers are is tests/numerics' to say; here they are the engine's.

import { afterAll, describe, expect, test } from "bun:test";
import { runCommand } from "../harness/command-line";
import { type ExoticModel, type ExoticRow, exoticRequest } from "../harness/exotic";
import { openPricing } from "../harness/pricing";

const { engine, server } = openPricing();
afterAll(() => server.close());

const single = "/api/v1/pricing/price";
const batch = "/api/v1/pricing/batch";
const post = (path: string, body: unknown) => server.call("POST", path, { key: "viewer", body });

const market = { spot: 100, strike: 102, time_to_expiry: 0.5, rate: 0.05, dividend_yield: 0.01, volatility: 0.25 };
/** The terms of each model's contract as a body has them. */
const terms: Record<ExoticModel, Omit<ExoticRow, "isCall">> = {
  digital: { payoff: "gap", gap_strike: 101, barrier_type: "down_out", barrier: 80 },
  barrier: { barrier_type: "double_out", barrier: 80, upper_barrier: 140, rebate: 2, monitoring_interval: 0.004 },
  lookback: { strike_type: "floating", extreme_so_far: 96 },
  asian: { average: "geometric", fixings: [-0.25, 0.25, 0.5], average_so_far: 98 },
};
const models = Object.keys(terms) as ExoticModel[];
const body = (model: ExoticModel) => ({ model, option_type: "call", ...market, ...terms[model] });
const direct = (model: ExoticModel) =>
  engine.price(exoticRequest(model, [{ ...market, ...terms[model], isCall: true }], ["price"])).columns.price![0]!;

describe("S4.47 POST /api/v1/pricing/price of an exotic option", () => {
  test.each(models)("%s: takes the contract's own words, numbers and lists", async (model) => {
    const { json, status } = await post(single, body(model));
    expect(status).toBe(200);
    expect(json.status).toBe("ok");
    expect(json.price).toBe(direct(model));
    expect(json.price).toBeGreaterThan(0);
  });

  test.each([
    ["digital", "payoff", "/payoff"],
    ["barrier", "barrier_type", "/barrier_type"],
    ["barrier", "barrier", "/barrier"],
    ["lookback", "strike_type", "/strike_type"],
    ["lookback", "extreme_so_far", "/extreme_so_far"],
    ["asian", "average", "/average"],
  ] as const)("%s: asks for %s", async (model, name, pointer) => {
    const { [name]: _, ...rest } = body(model) as Record<string, unknown>;
    const { json, status } = await post(single, rest);
    expect(status).toBe(422);
    expect(json.errors).toContainEqual(expect.objectContaining({ pointer, code: "REQUIRED" }));
  });

  test("refuses a word that is none, and another model's input", async () => {
    expect((await post(single, { ...body("barrier"), barrier_type: "sideways" })).status).toBe(422);
    const { json, status } = await post(single, { ...body("lookback"), rebate: 1 });
    expect(status).toBe(422);
    expect(json.errors).toContainEqual(expect.objectContaining({ pointer: "/rebate", code: "UNKNOWN_FIELD" }));
  });

  test("gives every Greek", async () => {
    const outputs = ["price", "delta", "zomma", "ultima", "dual_gamma"];
    const { json } = await post(single, { ...body("barrier"), outputs, units: "raw" });
    for (const output of outputs.slice(1)) expect(json.greeks[output]).not.toBe(0);
  });

  test("has no implied volatility of them", async () => {
    const { volatility: _, ...rest } = body("barrier");
    expect((await post("/api/v1/pricing/implied-volatility", { ...rest, price: 5 })).status).toBe(422);
  });
});

describe("S4.47 batches of exotic options", () => {
  test("by rows mix all models, each with its own fields, in input order", async () => {
    const options = [...models, ...models.toReversed()].map(body);
    const { json, status } = await post(batch, { options, outputs: ["price"] });
    expect(status).toBe(200);
    expect(json.price).toEqual([...models, ...models.toReversed()].map(direct));
    expect(json.status).toEqual(options.map(() => 0));
  });

  test("by columns take a word, a number or a list a row; a bad value is its row's status", async () => {
    const { fixings: _, ...rest } = body("asian") as Record<string, unknown>;
    const { json } = await post(batch, {
      ...rest,
      average: ["geometric", "arithmetic", "geometric"],
      fixings: [[-0.25, 0.25, 0.5], [0.5], [0.7]],
      outputs: ["price"],
    });
    expect(json.price[0]).toBe(direct("asian"));
    expect(json.status).toEqual([0, 0, 21]);
    expect(json.price[2]).toBeNull();
  });
});

describe("S4.47 bsopt price of an exotic option", () => {
  test("takes the contract's words as flags", async () => {
    const line =
      "price --model barrier --spot 100 --strike 102 --time 0.5 --rate 0.05 --dividend-yield 0.01 --volatility 0.25 --type call --barrier-type double_out --barrier 80 --upper-barrier 140 --rebate 2 --monitoring-interval 0.004";
    const { out, code } = await runCommand([...line.split(" "), "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out).price).toBe(direct("barrier"));
    expect((await runCommand(line.split(" "))).out).toContain("barrier type double_out");
    expect((await runCommand(line.replace("double_out", "sideways").split(" "))).code).toBe(2);
  });
});
