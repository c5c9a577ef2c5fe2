// The pricing routes through the whole server: who may call, what a bad shape and a bad value come to, what the
// answers look like, and what is refused for its size. Each row is a request a client could send.

import { afterAll, describe, expect, test } from "bun:test";
import type { TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { dayCounts } from "../../src/domain/day-count";
import {
  BatchAnswer,
  BatchColumns,
  BatchRows,
  ImpliedVolatilityAnswer,
  ImpliedVolatilityBatchAnswer,
  ImpliedVolatilityBatchColumns,
  ImpliedVolatilityBatchRows,
  ImpliedVolatilityRequest,
  ModelsAnswer,
  PriceAnswer,
  PriceRequest,
} from "../../src/features/pricing/model";
import { testPrincipal } from "../harness/http";
import { example, openPricing, priceExample } from "../harness/pricing";

const { server, engine } = openPricing();
afterAll(() => server.close());

const price = "/api/v1/pricing/price";
const batch = "/api/v1/pricing/batch";
const volatility = "/api/v1/pricing/implied-volatility";
const volatilityBatch = "/api/v1/pricing/implied-volatility/batch";
const modelsPath = "/api/v1/pricing/models";

const post = (path: string, body: unknown) => server.call("POST", path, { key: "viewer", body });
const { time_to_expiry: _, ...timeless } = example;
const { volatility: __, ...volatile } = example;

const routes: readonly (readonly [string, string, unknown])[] = [
  ["POST", price, example],
  ["POST", batch, example],
  ["POST", volatility, priceExample],
  ["POST", volatilityBatch, priceExample],
  ["GET", modelsPath, undefined],
];

describe("S1.08 every pricing route", () => {
  for (const [method, path, body] of routes) {
    test(`${method} ${path} refuses a guest with 401 before looking at the body`, async () => {
      for (const sent of [body, method === "GET" ? undefined : "{ not json"]) {
        const answer = await server.call(method, path, { body: sent });
        expect(answer.status).toBe(401);
        expect(answer.headers.get("content-type")).toBe("application/problem+json");
      }
    });
    test(`${method} ${path} refuses a key without pricing:read with 403`, async () => {
      const narrow = openPricing({
        authenticator: { authenticate: () => testPrincipal("admin", ["market:read", "admin"]) },
      });
      expect((await narrow.server.call(method, path, { key: "admin", body })).status).toBe(403);
      await narrow.server.close();
    });
    test(`${method} ${path} answers every role with 200`, async () => {
      for (const key of ["viewer", "trader", "risk", "admin"] as const) {
        expect((await server.call(method, path, { key, body })).status).toBe(200);
      }
    });
    test(`${method} ${path} answers another method with 405`, async () => {
      const answer = await server.call(method === "GET" ? "POST" : "GET", path, { key: "viewer" });
      expect(answer.status).toBe(405);
      expect(answer.headers.get("allow")).toContain(method);
    });
  }
});

describe("S1.08 the examples of each schema", () => {
  const bodies: readonly (readonly [string, TSchema, TSchema])[] = [
    [price, PriceRequest, PriceAnswer],
    [batch, BatchColumns, BatchAnswer],
    [batch, BatchRows, BatchAnswer],
    [volatility, ImpliedVolatilityRequest, ImpliedVolatilityAnswer],
    [volatilityBatch, ImpliedVolatilityBatchColumns, ImpliedVolatilityBatchAnswer],
    [volatilityBatch, ImpliedVolatilityBatchRows, ImpliedVolatilityBatchAnswer],
  ];
  for (const [path, request, answerSchema] of bodies) {
    test(`${request.$id} are answered by ${path} with a ${answerSchema.$id} in which nothing is missing`, async () => {
      expect(request.examples.length).toBeGreaterThan(0);
      for (const body of request.examples) {
        const answer = await post(path, body);
        expect(answer.status).toBe(200);
        expect([...Value.Errors(answerSchema, answer.json)]).toEqual([]);
        const { status } = answer.json;
        if (typeof status === "string") expect(status).toBe("ok");
        else expect(new Set(status)).toEqual(new Set([0]));
      }
      for (const shown of answerSchema.examples) expect([...Value.Errors(answerSchema, shown)]).toEqual([]);
    });
  }
});

describe("S4.47 POST /api/v1/pricing/price", () => {
  test("has the contract's shape to the last field", async () => {
    const { json } = await post(price, {
      ...example,
      outputs: ["price", "delta", "gamma", "vega", "theta", "rho"],
      units: "market",
    });
    expect(Object.keys(json).sort()).toEqual([
      "engine",
      "greeks",
      "model",
      "price",
      "status",
      "time_to_expiry",
      "units",
    ]);
    expect(Object.keys(json.greeks)).toEqual(["delta", "gamma", "vega", "theta", "rho"]);
    expect(json).toMatchObject({ status: "ok", units: "market", model: "black_scholes_merton", time_to_expiry: 0.5 });
    expect(json.engine).toEqual({ version: "1.2.3", wasm_sha256: engine.info.wasmSha256 });
    expect(json.engine.wasm_sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  // John C. Hull, Options, Futures, and Other Derivatives, 7th edition; tolerance: the digits printed there.
  const hull = {
    model: "black_scholes_merton",
    option_type: "call",
    spot: 49,
    strike: 50,
    time_to_expiry: 0.3846,
    rate: 0.05,
    volatility: 0.2,
  };
  const printed: readonly (readonly [string, string, number, number])[] = [
    ["example 17.1, page 355", "delta", 0.522, 5e-4],
    ["example 17.4, page 364", "gamma", 0.066, 5e-4],
    ["example 17.7, page 368", "rho", 0.0891, 5e-5],
  ];
  for (const [place, output, value, tolerance] of printed) {
    test(`gives Hull's ${output} (${place})`, async () => {
      const { json } = await post(price, hull);
      expect(Math.abs(json.greeks[output] - value)).toBeLessThanOrEqual(tolerance);
    });
  }

  test("gives raw derivatives where asked: 60-digit values within 1e-13, the price within 1e-15 of its scale", async () => {
    // Computed at 60 digits from the closed formulas and checked against numerical derivatives.
    const { json } = await post(price, {
      model: "black_scholes_merton",
      option_type: "put",
      spot: 100,
      strike: 108.8629,
      rate: 0.0248,
      dividend_yield: 0.0359,
      volatility: 0.7258,
      time_to_expiry: 1.254091,
      units: "raw",
    });
    expect(Math.abs(json.price - 36.920040176757624)).toBeLessThanOrEqual(1e-15 * 108.8629);
    const greeks = {
      delta: -0.3708244084413207,
      gamma: 0.004505713603266029,
      vega: 41.01187246767033,
      theta: -11.363724217752283,
      rho: -92.80584542596858,
    };
    for (const [name, value] of Object.entries(greeks)) {
      expect(Math.abs(json.greeks[name] / value - 1)).toBeLessThanOrEqual(1e-13);
    }
  });

  // Well-formed JSON whose numbers make no sense is answered, with a status.
  const values: readonly (readonly [string, string])[] = [
    ['"spot":-1', "out_of_domain"],
    ['"strike":-0.5', "out_of_domain"],
    ['"volatility":-0.2', "out_of_domain"],
    ['"spot":1e999', "non_finite"],
    ['"rate":-1e999', "non_finite"],
    ['"time_to_expiry":1e999', "non_finite"],
    ['"time_to_expiry":-0.1', "expired"],
    ['"time_to_expiry":0', "expired"],
    ['"volatility":0', "zero_volatility"],
    ['"spot":0', "zero_underlying"],
    ['"spot":1e308', "out_of_domain"],
    ['"spot":5e-324', "out_of_domain"],
  ];
  for (const [field, status] of values) {
    test(`answers ${field} with 200 and ${status}`, async () => {
      const name = field.slice(0, field.indexOf(":"));
      const answer = await post(price, JSON.stringify(example).replace(new RegExp(`${name}:[^,}]+`), field));
      expect(answer.status).toBe(200);
      expect(answer.json.status).toBe(status);
      const isNull = status === "out_of_domain" || status === "non_finite";
      expect(answer.json.price === null).toBe(isNull);
      expect(Object.values(answer.json.greeks).every((value) => value === null)).toBe(isNull);
      expect([...Value.Errors(PriceAnswer, answer.json)]).toEqual([]);
    });
  }

  test("values at the edge answer as the contract's limits say", async () => {
    const put = await post(price, { ...example, option_type: "put", spot: 0 });
    expect(put.json.price).toBeCloseTo(105 * Math.exp(-0.03 * 0.5), 12);
    const kink = await post(price, { ...example, spot: 105, time_to_expiry: 0 });
    expect(kink.json).toMatchObject({
      price: 0,
      status: "expired",
      greeks: { delta: 0.5, gamma: null, theta: null, vega: 0, rho: 0 },
    });
  });
});

describe("S2.14 S2.35 a malformed body is refused with a pointer", () => {
  const rows: readonly (readonly [string, string, unknown, number, string | null])[] = [
    ["an unknown field", price, { ...example, colour: "red" }, 422, "/colour"],
    ["a mistyped field", price, { ...example, volatilty: 0.3 }, 422, "/volatilty"],
    ["another model's input", price, { ...example, forward: 100 }, 422, "/forward"],
    ["a missing model", price, { ...example, model: undefined }, 422, "/model"],
    ["a missing rate", price, { ...example, rate: undefined }, 422, "/rate"],
    ["a missing volatility", price, volatile, 422, "/volatility"],
    ["a missing time", price, timeless, 422, "/time_to_expiry"],
    ["both times", price, { ...example, expiry: "2030-01-01T00:00:00Z" }, 422, "/expiry"],
    ["a bare date", price, { ...timeless, expiry: "2030-01-01" }, 422, "/expiry"],
    [
      "an unknown day count",
      price,
      { ...timeless, expiry: "2030-01-01T00:00:00Z", day_count: "30/365" },
      422,
      "/day_count",
    ],
    [
      "a calendar where none counts",
      price,
      { ...timeless, expiry: "2030-01-01T00:00:00Z", calendar: "cboe" },
      422,
      "/calendar",
    ],
    [
      "an unknown calendar",
      price,
      { ...timeless, expiry: "2030-01-01T00:00:00Z", day_count: "business/252", calendar: "mars" },
      422,
      "/calendar",
    ],
    [
      "a calendar that is no name",
      price,
      { ...timeless, expiry: "2030-01-01T00:00:00Z", day_count: "business/252", calendar: ["cboe"] },
      422,
      "/calendar",
    ],
    [
      "an expiry that no calendar knows",
      batch,
      { ...timeless, expiry: ["2030-01-01T00:00:00Z", "2300-01-01T00:00:00Z"], day_count: "business/252" },
      422,
      "/expiry/1",
    ],
    ["an unknown model", price, { ...example, model: "tarot" }, 422, "/model"],
    ["an unknown type", price, { ...example, option_type: "Call" }, 422, "/option_type"],
    ["unknown units", price, { ...example, units: "percent" }, 422, "/units"],
    ["an unknown output", price, { ...example, outputs: ["price", "smile"] }, 422, "/outputs/1"],
    ["an output twice", price, { ...example, outputs: ["price", "price"] }, 422, "/outputs"],
    ["no outputs", price, { ...example, outputs: [] }, 422, "/outputs"],
    ["a number as text", price, { ...example, spot: "100" }, 422, "/spot"],
    ["a null", price, { ...example, spot: null }, 422, "/spot"],
    ["a boolean", price, { ...example, rate: true }, 422, "/rate"],
    ["a column for one option", price, { ...example, spot: [100] }, 422, "/spot"],
    ["an object for a number", price, { ...example, spot: { valueOf: 1 } }, 422, "/spot"],
    ["SQL in a word", price, { ...example, model: "x'; drop table users; --" }, 422, "/model"],
    ["a list for a body", price, [example], 422, ""],
    ["a number for a body", price, 42, 422, ""],
    ["null for a body", price, "null", 422, ""],
    ["NaN, which is no JSON", price, '{"spot":NaN}', 400, null],
    ["half a body", price, '{"spot":1', 400, null],
    ["an empty body", price, "", 400, null],
    ["a hundred thousand nested arrays", batch, `${"[".repeat(100_000)}${"]".repeat(100_000)}`, 400, null],

    ["columns of two lengths", batch, { ...example, spot: [1, 2], strike: [1, 2, 3] }, 422, "/strike"],
    ["a short column of types", batch, { ...example, strike: [1, 2], option_type: ["call"] }, 422, "/strike"],
    ["a null in a column", batch, { ...example, strike: [1, null, 3] }, 422, "/strike/1"],
    ["text in a column", batch, { ...example, strike: [1, 2, "3"] }, 422, "/strike/2"],
    ["a column in a column", batch, { ...example, strike: [1, [2]] }, 422, "/strike/1"],
    ["a bad type in a column", batch, { ...example, option_type: ["call", "straddle"] }, 422, "/option_type/1"],
    ["a missing column", batch, { ...example, rate: undefined }, 422, "/rate"],
    ["an unknown column", batch, { ...example, sport: [1] }, 422, "/sport"],
    ["a column of models", batch, { ...example, model: ["black_scholes_merton"] }, 422, "/model"],
    ["rows and columns at once", batch, { ...example, options: [example] }, 422, null],
    ["rows that are no list", batch, { options: example }, 422, "/options"],
    ["a bad row", batch, { options: [example, { ...example, spot: "x" }] }, 422, "/options/1/spot"],
    ["an unknown field in a row", batch, { options: [{ ...example, colour: 1 }] }, 422, "/options/0/colour"],
    [
      "a row without a strike",
      batch,
      { options: [example, { ...example, strike: undefined }] },
      422,
      "/options/1/strike",
    ],
    ["rows of other units", batch, { options: [example, { ...example, units: "raw" }] }, 422, "/options/1/units"],

    ["a volatility beside a price", volatility, { ...priceExample, volatility: 0.2 }, 422, "/volatility"],
    ["no price", volatility, { ...priceExample, price: undefined }, 422, "/price"],
    ["outputs for a volatility", volatility, { ...priceExample, outputs: ["price"] }, 422, "/outputs"],
    ["an unknown attitude", volatility, { ...priceExample, on_unattainable: "nan" }, 422, "/on_unattainable"],
    ["prices of another length", volatilityBatch, { ...priceExample, strike: [1, 2], price: [1] }, 422, "/price"],
    ["a bad price in a row", volatilityBatch, { options: [{ ...priceExample, price: null }] }, 422, "/options/0/price"],
  ];
  for (const [title, path, body, status, pointer] of rows) {
    test(`${path.slice("/api/v1/pricing/".length)}: ${title} is ${status}${pointer ? ` at ${pointer}` : ""}`, async () => {
      const answer = await post(path, body);
      expect(answer.status).toBe(status);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      expect(answer.json.error).toBe(answer.json.detail);
      if (pointer !== null) {
        expect(answer.json.errors.map((fault: { pointer: string }) => fault.pointer)).toContain(pointer);
      }
      expect(answer.text).not.toContain("    at ");
    });
  }
});

describe("S1.04 POST /api/v1/pricing/batch", () => {
  const contract = {
    model: "black_scholes_merton",
    option_type: ["call", "put"],
    spot: 100,
    strike: [95, 105],
    time_to_expiry: 0.5,
    rate: 0.03,
    dividend_yield: 0,
    volatility: [0.22, 0.2],
    outputs: ["price", "delta"],
  };
  test("has the contract's shape to the last field", async () => {
    const { json } = await post(batch, contract);
    expect(Object.keys(json).sort()).toEqual(["count", "delta", "engine", "model", "price", "status", "units"]);
    expect(json).toMatchObject({ count: 2, status: [0, 0], units: "market", model: "black_scholes_merton" });
    expect(json.price.length).toBe(2);
  });

  test("gives the digits that each option has alone", async () => {
    const together = (await post(batch, contract)).json;
    for (const index of [0, 1]) {
      const alone = (
        await post(price, {
          ...contract,
          option_type: contract.option_type[index],
          strike: contract.strike[index],
          volatility: contract.volatility[index],
        })
      ).json;
      expect([together.price[index], together.delta[index]]).toEqual([alone.price, alone.greeks.delta]);
    }
  });

  test("gives a bad value its row's status and null, and every other row its numbers", async () => {
    const text = JSON.stringify({ ...contract, option_type: "call", strike: [95, -1, 0, 105], volatility: 0.2 });
    const answer = await post(batch, text.replace("0,105", "1e999,105"));
    expect(answer.status).toBe(200);
    expect(answer.json.status).toEqual([0, 21, 20, 0]);
    expect(answer.json.price.map((value: number | null) => value === null)).toEqual([false, true, true, false]);
    expect(answer.json.delta.map((value: number | null) => value === null)).toEqual([false, true, true, false]);
  });

  test("answers an empty batch with empty columns", async () => {
    for (const body of [{ options: [] }, { ...example, strike: [] }]) {
      const answer = await post(batch, body);
      expect(answer.status).toBe(200);
      expect(answer.json).toMatchObject({ count: 0, price: [], status: [] });
      expect([...Value.Errors(BatchAnswer, answer.json)]).toEqual([]);
    }
  });

  test("prices a hundred thousand options in one request, in input order", async () => {
    const count = 100_000;
    const strike = Array.from({ length: count }, (_, index) => 50 + index / 1000);
    const answer = await post(batch, { ...example, strike, outputs: ["price"] });
    expect(answer.status).toBe(200);
    expect(answer.json.count).toBe(count);
    const prices: number[] = answer.json.price;
    // A call is worth less the higher its strike: any two rows exchanged would show.
    expect(prices.every((value, index) => index === 0 || value < prices[index - 1]!)).toBe(true);
  });

  test("one option past the limit is 422, and a body past its bytes is 413", async () => {
    const strike = new Array(100_001).fill(100);
    const answer = await post(batch, { ...example, strike });
    expect(answer.status).toBe(422);
    expect(answer.json.code).toBe("BATCH_TOO_LARGE");
    const small = openPricing({ batchBytesMax: 10_000 });
    const body = JSON.stringify({ ...example, strike: new Array(5000).fill(100) });
    expect((await small.server.call("POST", batch, { key: "viewer", body })).status).toBe(413);
    await small.server.close();
  });

  test("a single option's body past the default limit of 1 MiB is 413", async () => {
    expect((await post(price, { ...example, model: "x".repeat(1_048_576) })).status).toBe(413);
  });
});

describe("S4.47 POST /api/v1/pricing/implied-volatility", () => {
  test("has the contract's shape to the last field", async () => {
    const { json } = await post(volatility, priceExample);
    expect(Object.keys(json).sort()).toEqual([
      "attainable_error",
      "engine",
      "implied_volatility",
      "model",
      "status",
      "time_to_expiry",
    ]);
    expect(json.status).toBe("ok");
    const back = (await post(price, { ...volatile, volatility: json.implied_volatility })).json;
    expect(Math.abs(back.price - priceExample.price)).toBeLessThanOrEqual(1e-14 * 105);
  });

  test("attainable_error is 2⁻⁵³·(1 + price/(vega·volatility)) with the raw vega", async () => {
    const { json } = await post(volatility, priceExample);
    const { greeks } = (await post(price, { ...volatile, volatility: json.implied_volatility, units: "raw" })).json;
    const expected = 2 ** -53 * (1 + priceExample.price / (greeks.vega * json.implied_volatility));
    expect(Math.abs(json.attainable_error / expected - 1)).toBeLessThanOrEqual(1e-9);
  });

  const values: readonly (readonly [string, string])[] = [
    ["0", "below_intrinsic"],
    ["-1", "below_intrinsic"],
    ["100", "above_maximum"],
    ["1e999", "non_finite"],
  ];
  for (const [value, status] of values) {
    test(`answers a price of ${value} with 200 and ${status}`, async () => {
      const answer = await post(volatility, JSON.stringify(priceExample).replace('"price":4.1', `"price":${value}`));
      expect(answer.status).toBe(200);
      expect(answer.json).toMatchObject({ implied_volatility: null, attainable_error: null, status });
    });
  }

  test("a batch by columns and one by rows give the same, in input order", async () => {
    const prices = [0.5, 4.1, 30, 0];
    const columns = (await post(volatilityBatch, { ...priceExample, price: prices, on_unattainable: "zero" })).json;
    const options = prices.map((each) => ({ ...priceExample, price: each }));
    const rows = (await post(volatilityBatch, { options, on_unattainable: "zero" })).json;
    expect(rows).toEqual(columns);
    expect(columns.status).toEqual([0, 0, 0, 10]);
    expect(columns.implied_volatility[3]).toBe(0);
    expect(columns.attainable_error[3]).toBeNull();
  });
});

describe("S4.47 day counts over HTTP", () => {
  const moments = { expiry: "2026-12-18T16:00:00-05:00", valuation_time: "2026-06-18T16:00:00-04:00" };
  test("every convention that the models route lists is taken by every pricing route", async () => {
    const { day_counts } = (await server.call("GET", modelsPath, { key: "viewer" })).json;
    expect(day_counts).toEqual([...dayCounts]);
    const { time_to_expiry: _, ...priced } = priceExample;
    for (const day_count of day_counts) {
      const answers = [
        await post(price, { ...timeless, ...moments, day_count }),
        await post(batch, { ...timeless, ...moments, day_count }),
        await post(batch, { options: [{ ...timeless, ...moments, day_count }] }),
        await post(volatility, { ...priced, ...moments, day_count }),
        await post(volatilityBatch, { ...priced, ...moments, day_count }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
      const years = answers.map(({ json }) => [json.time_to_expiry].flat()[0]);
      expect(new Set(years).size).toBe(1);
      expect(years[0]).toBeGreaterThan(0.49);
    }
  });

  test("a refused calendar names the known ones and never what was sent", async () => {
    const body = { ...timeless, ...moments, day_count: "business/252", calendar: "<mars>" };
    const { json } = await post(price, body);
    expect(json.errors).toEqual([
      { pointer: "/calendar", code: "CALENDAR_UNKNOWN", detail: "is no calendar known here; known: cboe, new_york" },
    ]);
    expect(JSON.stringify(json)).not.toContain("mars");
  });
});

test("S1.08 GET /api/v1/pricing/models tells models, inputs, outputs and limits", async () => {
  const answer = await server.call("GET", modelsPath, { key: "viewer" });
  expect([...Value.Errors(ModelsAnswer, answer.json)]).toEqual([]);
  expect(answer.json.models[0].name).toBe("black_scholes_merton");
  expect(answer.json.models[0].limits.length).toBeGreaterThan(0);
});
