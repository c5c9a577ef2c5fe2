// American options over the wire and from a shell: the model's own input is a word, which every form of body takes and no other model knows.
// What the numbers are is tests/numerics' to say; here they are the engine's.

import { afterAll, describe, expect, test } from "bun:test";
import { type WireColumn, WireTable } from "../../src/adapters/tabular/wire-table";
import type { OutputName } from "../../src/engine/catalog";
import { runCommand } from "../harness/command-line";
import { answerOf, openPricing } from "../harness/pricing";

const { engine, pricing, server } = openPricing();
afterAll(() => server.close());

const put = {
  model: "american" as const,
  option_type: "put" as const,
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.05,
  dividend_yield: 0.01,
  volatility: 0.25,
};
const single = "/api/v1/pricing/price";
const batch = "/api/v1/pricing/batch";
const post = (path: string, body: unknown) => server.call("POST", path, { key: "viewer", body });

/** The engine's own price by the scheme of that place. */
function direct(scheme: number, output: OutputName = "price"): number {
  const { model, option_type: _, ...inputs } = put;
  return engine.price({
    model,
    count: 1,
    isCall: false,
    inputs: { ...inputs, scheme },
    outputs: [output],
    units: "raw",
  }).columns[output]![0]!;
}

describe("S4.47 POST /api/v1/pricing/price of an American option", () => {
  test("takes each scheme by its word, and is accurate without one", async () => {
    const schemes = ["fast", "accurate", "reference"];
    for (const [place, scheme] of schemes.entries()) {
      expect((await post(single, { ...put, scheme })).json.price).toBe(direct(place));
    }
    expect(new Set(schemes.map((_, place) => direct(place))).size).toBe(3);
    expect((await post(single, put)).json.price).toBe(direct(1));
  });

  test("answers with premium and boundary where they are asked for, and null where there is no boundary", async () => {
    const outputs = ["price", "early_exercise_premium", "exercise_boundary"];
    const { json } = await post(single, { ...put, outputs });
    expect(json.greeks.early_exercise_premium).toBe(direct(1, "early_exercise_premium"));
    expect(json.greeks.exercise_boundary).toBe(direct(1, "exercise_boundary"));
    const call = await post(single, { ...put, option_type: "call", dividend_yield: 0, outputs });
    expect(call.json.greeks).toEqual({ early_exercise_premium: 0, exercise_boundary: null });
    expect(call.json.status).toBe("ok");
  });

  test("refuses another word, a number, and a scheme beside another model", async () => {
    expect((await post(single, { ...put, scheme: "slow" })).status).toBe(422);
    expect((await post(single, { ...put, scheme: 1 })).status).toBe(422);
    const { status, json } = await post(single, { ...put, model: "black_scholes_merton", scheme: "fast" });
    expect(status).toBe(422);
    expect(json.errors).toContainEqual(expect.objectContaining({ pointer: "/scheme", code: "UNKNOWN_FIELD" }));
  });

  test("an output that only it offers is another model's unsupported_output", async () => {
    const body = { ...put, model: "black_scholes_merton", outputs: ["exercise_boundary"] };
    expect((await post(single, body)).json.status).toBe("unsupported_output");
  });
});

describe("S4.47 a batch of American options", () => {
  test("by columns takes one word for all or one a row", async () => {
    const all = await post(batch, { ...put, spot: [90, 100], scheme: "fast", outputs: ["price"] });
    const each = await post(batch, {
      ...put,
      spot: [90, 100, 100],
      scheme: ["fast", "fast", "accurate"],
      outputs: ["price"],
    });
    expect(each.json.price.slice(0, 2)).toEqual(all.json.price);
    expect(each.json.price.slice(1)).toEqual([direct(0), direct(1)]);
    const wrong = await post(batch, { ...put, spot: [90, 100], scheme: ["fast"] });
    expect(wrong.status).toBe(422);
  });

  test("by rows each has its own, beside rows of other models", async () => {
    const { scheme: _, ...european } = { ...put, scheme: "", model: "black_scholes_merton" };
    const { json } = await post(batch, {
      options: [{ ...put, scheme: "fast" }, european, put, { ...put, scheme: "reference" }],
      outputs: ["price"],
    });
    expect([json.price[0], json.price[2], json.price[3]]).toEqual([direct(0), direct(1), direct(2)]);
    expect(json.price[1]).toBeLessThan(json.price[2]);
  });

  test("as a table has a column of words; one that is none is that row's fault", async () => {
    const numbers = ["spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility"] as const;
    const table = (words: string[], codes: number[]) => {
      const columns = new Map<string, WireColumn>(
        numbers.map((name) => [name, { kind: "number", values: new Float64Array(codes.length).fill(put[name]) }]),
      );
      columns.set("option_type", { kind: "word", words: ["put"], codes: new Int32Array(codes.length) });
      columns.set("scheme", { kind: "word", words, codes: Int32Array.from(codes) });
      return new WireTable(codes.length, columns);
    };
    const query = { model: "american", outputs: "price" } as const;
    const answer = answerOf<{ price: number[] }>(
      await pricing.priceBatch(table(["reference", "fast"], [1, 0, 1]), { query }),
    );
    expect(answer.price).toEqual([direct(0), direct(2), direct(0)]);
    const refused = pricing.priceBatch(table(["fast", "slow"], [0, 1]), { query });
    await expect(refused).rejects.toThrow("/scheme/1 must be one of");
  });

  test("of any size leaves its bits alone and is computed in steps", async () => {
    const spot = Array.from({ length: 60 }, (_, row) => 80 + row);
    const { json } = await post(batch, { ...put, spot, outputs: ["price"] });
    expect(json.count).toBe(60);
    expect(json.price[20]).toBe(direct(1));
  });
});

describe("S4.47 bsopt price of an American option", () => {
  const words =
    "price --model american --spot 100 --strike 105 --time 0.5 --rate 0.05 --dividend-yield 0.01 --volatility 0.25 --type put";
  const run = (line: string, surroundings = {}) => runCommand(line.split(" "), surroundings);

  test("takes --scheme by its word and shows it", async () => {
    const fast = await run(`${words} --scheme fast --json`);
    expect(JSON.parse(fast.out).price).toBe(direct(0));
    expect((await run(`${words} --scheme fast`)).out).toContain("scheme fast");
    expect((await run(`${words} --scheme fast --format csv`)).out).toContain(",fast,");
    expect((await run(words)).out).toContain("scheme accurate");
    expect((await run(`${words} --scheme slow`)).code).toBe(2);
  });

  test("reads a book's column of words; a row with another is not priced and says so", async () => {
    const header = "option_type,spot,strike,time_to_expiry,rate,dividend_yield,volatility,scheme";
    const line = "put,100,105,0.5,0.05,0.01,0.25";
    const files = { "book.csv": `${header}\n${line},fast\n${line},slow\n${line},accurate\n` };
    const { code, out, err } = await run("price --model american book.csv --outputs price", { files });
    expect(code).toBe(3);
    expect(out).toContain(String(direct(0)));
    expect(out).toContain(String(direct(1)));
    expect(out.split("\n")[2]).toContain("unreadable_row");
    expect(err).toContain('line 3, scheme: "slow" is none of fast, accurate, reference');
  });
});
