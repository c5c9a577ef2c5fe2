// Cash dividends over the wire: a list for each option, in every form of body, with the engine's own numbers, one hash whatever form they came in,
// and a pointer to each item that is none.

import { afterAll, describe, expect, test } from "bun:test";
import { columnFromArray, float64, tableFromColumns, tableToIPC, utf8 } from "@uwdata/flechette";
import { listsOf } from "../../src/engine/lists";
import { openPricing } from "../harness/pricing";

const { engine, server, clock } = openPricing();
afterAll(() => server.close());

const single = "/api/v1/pricing/price";
const batch = "/api/v1/pricing/batch";
const volatility = "/api/v1/pricing/implied-volatility";
const put = {
  model: "american",
  option_type: "put",
  spot: 100,
  strike: 105,
  time_to_expiry: 1,
  rate: 0.05,
  volatility: 0.3,
} as const;
const post = (path: string, body: unknown) => server.call("POST", path, { key: "viewer", body });
const faultsOf = (json: { errors?: { pointer: string; code: string }[] }) =>
  (json.errors ?? []).map(({ pointer, code }) => `${pointer} ${code}`);

/** The engine's own prices of the put over some strikes, with a list each. */
function direct(lists: readonly (readonly number[])[], strikes: readonly number[] = lists.map(() => 105)): number[] {
  return [
    ...engine.price({
      model: "american",
      count: lists.length,
      isCall: false,
      inputs: { spot: 100, strike: Float64Array.from(strikes), time_to_expiry: 1, rate: 0.05, volatility: 0.3 },
      lists: { discrete_dividends: listsOf(lists) },
      outputs: ["price"],
      units: "raw",
    }).columns.price!,
  ];
}

describe("S4.47 POST /api/v1/pricing/price with dividends", () => {
  test("takes them by time, in any order, and none where they are left out", async () => {
    const dividends = [
      { time: 0.75, amount: 2 },
      { time: 0.25, amount: 1 },
    ];
    const { json } = await post(single, { ...put, discrete_dividends: dividends });
    expect([json.status, json.price]).toEqual(["ok", direct([[0.25, 1, 0.75, 2]])[0]]);
    expect((await post(single, put)).json.price).toBe(direct([[]])[0]);
    expect((await post(single, { ...put, discrete_dividends: [] })).json.price).toBe(direct([[]])[0]);
    const grid = await post(single, {
      ...put,
      model: "finite_difference",
      exercise: "american",
      discrete_dividends: dividends,
    });
    expect(Math.abs(grid.json.price - json.price)).toBeLessThan(0.01);
  });

  test("takes them by date, counted from the valuation as the expiry is", async () => {
    const { time_to_expiry: _, ...dated } = { ...put, expiry: "2027-01-01T00:00:00Z" };
    const discrete_dividends = [{ date: "2026-07-02T14:00:00+02:00", amount: 2 }];
    const body = { ...dated, valuation_time: "2026-01-01T00:00:00Z", discrete_dividends };
    expect((await post(single, body)).json.price).toBe(direct([[0.5, 2]])[0]);
    const now = Number(clock.nowMicroseconds() / 1000n);
    const at = (days: number) => new Date(now + days * 86_400_000).toISOString();
    const fromNow = { ...dated, expiry: at(365), discrete_dividends: [{ date: at(182.5), amount: 2 }] };
    expect((await post(single, fromNow)).json.price).toBe(direct([[0.5, 2]])[0]);
  });

  const faults: readonly (readonly [string, unknown, readonly string[]])[] = [
    ["neither time nor date", [{ amount: 1 }], ["/discrete_dividends/0/time REQUIRED"]],
    ["both", [{ time: 1, date: "2026-07-02T14:00:00Z", amount: 1 }], ["/discrete_dividends/0/date TIME_AMBIGUOUS"]],
    [
      "a date beside years",
      [{ date: "2026-07-02T14:00:00Z", amount: 1 }],
      ["/discrete_dividends/0/date TIME_AMBIGUOUS"],
    ],
    ["no amount", [{ time: 1 }], ["/discrete_dividends/0/amount REQUIRED"]],
    ["a word for an amount", [{ time: 1, amount: "much" }], ["/discrete_dividends/0/amount WRONG_TYPE"]],
    ["an unknown member", [{ time: 1, amount: 1, tax: 2 }], ["/discrete_dividends/0/tax UNKNOWN_FIELD"]],
    ["a number for a list", 3, ["/discrete_dividends WRONG_TYPE"]],
    ["a list of numbers", [1, 2], ["/discrete_dividends/0 WRONG_TYPE", "/discrete_dividends/1 WRONG_TYPE"]],
    ["too many", Array.from({ length: 257 }, () => ({ time: 1, amount: 1 })), ["/discrete_dividends TOO_MANY"]],
  ];
  test.each(faults)("points at what is none: %s", async (_, discrete_dividends, expected) => {
    const { status, json } = await post(single, { ...put, discrete_dividends });
    expect(status).toBe(422);
    expect(faultsOf(json)).toEqual([...expected]);
  });

  test("answers a bad value with its status, and another model's list with 422", async () => {
    const bad = await post(single, { ...put, discrete_dividends: [{ time: 0.5, amount: -1 }] });
    expect([bad.status, bad.json.status, bad.json.price]).toEqual([200, "out_of_domain", null]);
    const foreign = await post(single, { ...put, model: "black_scholes_merton", discrete_dividends: [] });
    expect(faultsOf(foreign.json)).toEqual(["/discrete_dividends UNKNOWN_FIELD"]);
  });

  test("finds the volatility behind a price", async () => {
    const discrete_dividends = [{ time: 0.5, amount: 2 }];
    const { volatility: _, ...known } = { ...put, discrete_dividends };
    const price = direct([[0.5, 2]])[0];
    const { json } = await post(volatility, { ...known, price });
    expect(json.status).toBe("ok");
    expect(json.implied_volatility).toBeCloseTo(0.3, 9);
  });
});

describe("S4.47 POST /api/v1/pricing/batch with dividends", () => {
  const strikes = [95, 105, 115];
  const lists = [
    [{ time: 0.25, amount: 1 }],
    [],
    [
      { time: 0.5, amount: 2 },
      { time: 0.75, amount: 3 },
    ],
  ];
  const numbers = [[0.25, 1], [], [0.5, 2, 0.75, 3]];
  const texts = ["0.25:1", "", "0.5:2;0.75:3"];
  const columns = { ...put, strike: strikes, outputs: ["price"] };
  const query = `${batch}?model=american&outputs=price&inputs_hash=true&format=json`;
  const send = async (type: string, body: string | Uint8Array) => {
    const answer = await server.call("POST", query, { key: "viewer", body, headers: { "content-type": type } });
    return answer.json;
  };

  test("gives each row its own by columns, or all of them one", async () => {
    expect((await post(batch, { ...columns, discrete_dividends: lists })).json.price).toEqual(direct(numbers, strikes));
    const one = await post(batch, { ...columns, discrete_dividends: lists[2] });
    expect(one.json.price).toEqual(direct([numbers[2]!, numbers[2]!, numbers[2]!], strikes));
    const wrong = await post(batch, { ...columns, discrete_dividends: lists.slice(1) });
    expect(faultsOf(wrong.json)).toEqual(["/discrete_dividends LENGTH_MISMATCH"]);
    const bad = await post(batch, { ...columns, discrete_dividends: [[], [], [{ time: 1, amount: "x" }]] });
    expect(faultsOf(bad.json)).toEqual(["/discrete_dividends/2/0/amount WRONG_TYPE"]);
  });

  test("gives them by rows, beside rows of models that have none", async () => {
    const options = [
      ...strikes.map((strike, row) => ({ ...put, strike, discrete_dividends: lists[row] })),
      { ...put, model: "black_scholes_merton" },
    ];
    const { json } = await post(batch, { options, outputs: ["price"] });
    expect(json.price.slice(0, 3)).toEqual(direct(numbers, strikes));
    expect(json.status).toEqual([0, 0, 0, 0]);
  });

  test("has one hash by columns, by rows, as CSV, NDJSON and Arrow, and another with other dividends", async () => {
    const hashed = { ...columns, inputs_hash: true, discrete_dividends: lists };
    const byColumns = (await post(batch, hashed)).json;
    const rows = strikes.map((strike, row) => ({ ...put, strike, discrete_dividends: lists[row] }));
    const byRows = (await post(batch, { options: rows, outputs: ["price"], inputs_hash: true })).json;
    const names = ["option_type", "spot", "strike", "time_to_expiry", "rate", "volatility"] as const;
    const csv = [
      [...names, "discrete_dividends"].join(","),
      ...strikes.map((strike, row) => [...names.map((name) => ({ ...put, strike })[name]), texts[row]].join(",")),
    ].join("\n");
    const ndjson = (list: readonly unknown[]) =>
      strikes
        .map((strike, row) => {
          const { model: _, ...option } = { ...put, strike };
          return JSON.stringify({ ...option, discrete_dividends: list[row] });
        })
        .join("\n");
    const arrow = tableToIPC(
      tableFromColumns([
        ...names.map((name): [string, ReturnType<typeof columnFromArray>] => {
          const values = strikes.map((strike) => ({ ...put, strike })[name]);
          return [name, columnFromArray(values, name === "option_type" ? utf8() : float64())];
        }),
        ["discrete_dividends", columnFromArray(texts, utf8())],
      ]),
      { format: "stream" },
    )!;
    const tables = [
      await send("text/csv", csv),
      await send("application/x-ndjson", ndjson(lists)),
      await send("application/x-ndjson", ndjson(texts)),
      await send("application/vnd.apache.arrow.stream", arrow),
    ];
    for (const answer of [byColumns, byRows, ...tables]) {
      expect(answer.price).toEqual(direct(numbers, strikes));
      expect(answer.inputs_hash).toBe(byColumns.inputs_hash);
    }
    const none = (await post(batch, { ...columns, inputs_hash: true })).json.inputs_hash;
    const empty = (await post(batch, { ...columns, inputs_hash: true, discrete_dividends: [] })).json.inputs_hash;
    const others = (await post(batch, { ...hashed, discrete_dividends: [[], ...lists.slice(1)] })).json.inputs_hash;
    expect(empty).toBe(none);
    expect(new Set([none, others, byColumns.inputs_hash]).size).toBe(3);
  });

  test("points at a cell that holds no list", async () => {
    const csv =
      "option_type,spot,strike,time_to_expiry,rate,volatility,discrete_dividends\nput,100,105,1,0.05,0.3,soon\n";
    expect(faultsOf(await send("text/csv", csv))).toEqual(["/discrete_dividends/0/0 WRONG_FORM"]);
  });
});

test("S1.08 GET /api/v1/pricing/models tells lists beside inputs", async () => {
  const { json } = await server.call("GET", "/api/v1/pricing/models", { key: "viewer" });
  const american = json.models.find(({ name }: { name: string }) => name === "american");
  expect(american.lists).toEqual([
    {
      name: "discrete_dividends",
      title: "Cash dividends of the underlying and when it pays them",
      unit: "currency",
      items: "dated_amounts",
      required: false,
      items_max: 256,
      domain: "amounts of 0 and more; those paid up to now or after expiry do not count",
      example: [{ time: 0.25, amount: 1.2 }],
    },
  ]);
});
