// The routes of candles and historical Greeks through the whole server, on a real log: who comes in, what is refused and where, pages, formats, and what was
// known at a moment.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { tableFromIPC } from "@uwdata/flechette";
import { historyRoutes } from "../../src/features/history";
import { CandlePageOnWire, GreeksPageOnWire } from "../../src/features/history/model";
import { formatTimestamp } from "../../src/foundation/clock";
import { acceptedFormatOf } from "../../src/http/request-context";
import { historyStart, openTestHistory, spxOption } from "../harness/history";
import { type TestServer, testServer } from "../harness/http";

const minute = 60_000_000n;
const fixture = openTestHistory();
let server: TestServer;
let middle = "";
beforeAll(async () => {
  server = testServer({ features: [historyRoutes({ history: fixture.history, acceptedFormatOf })] });
  const { tick, clock, archive, history } = fixture;
  for (let index = 0n; index < 6n; index++) {
    tick("SPX", historyStart + index * minute, 0, { last: 5_700 + Number(index), volume: 100 + Number(index) });
    tick(spxOption, historyStart + index * minute, 0, { last: index === 5n ? 1e6 : 250 });
    if (index === 2n) middle = formatTimestamp(clock.nowMicroseconds());
    clock.advance(60_000);
  }
  await archive.kept();
  await history.gather();
});
afterAll(() => server.close());

const from = "2026-03-02T15:00:00Z";
const ask = (
  where: string,
  query: Record<string, string>,
  headers: Record<string, string> = { "x-api-key": "bso_test_viewer" },
) => server.call("GET", `${where}?${new URLSearchParams(query)}`, { headers });
const candlesPath = "/api/v1/history/candles";
const greeksPath = "/api/v1/history/greeks";
const spx = { symbol: "SPX", interval: "1m", from };

describe("S4.36 S4.37 every route of the history", () => {
  for (const path of [candlesPath, "/api/v1/market/candles", greeksPath]) {
    test(`${path} refuses a guest with 401`, async () => {
      expect((await ask(path, spx, {})).status).toBe(401);
    });

    test.each([
      { query: { interval: "1m" }, pointer: "/query/symbol", status: 422 },
      { query: { symbol: "SPX", interval: "2m" }, pointer: "/query/interval", status: 422 },
      { query: { ...spx, limit: "0" }, pointer: "/query/limit", status: 422 },
      { query: { ...spx, limit: "5001" }, pointer: "/query/limit", status: 422 },
      { query: { ...spx, colour: "red" }, pointer: "/query/colour", status: 422 },
      { query: { ...spx, from: "yesterday" }, pointer: "/query/from", status: 422 },
      { query: { ...spx, as_of: "2026-03-02" }, pointer: "/query/as_of", status: 422 },
      { query: { ...spx, to: from }, pointer: "/query/to", status: 422 },
      { query: { ...spx, cursor: "!!" }, pointer: "/query/cursor", status: 422 },
      { query: { ...spx, format: "xml" }, pointer: "/query/format", status: 422 },
    ])(`${path} says what is wrong with $query`, async ({ query, pointer, status }) => {
      const answer = await ask(path, query as Record<string, string>);
      expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(`"${pointer}"`)]);
    });

    test(`${path} answers 404 for what nobody knows`, async () => {
      expect(await ask(path, { ...spx, symbol: "no-such" })).toMatchObject({
        status: 404,
        json: { code: "SYMBOL_UNKNOWN" },
      });
    });
  }
});

describe("S4.36 HIST-001 fetching candles", () => {
  test("under both names, with timestamp, open, high, low and close, in pages", async () => {
    const answer = await ask(candlesPath, spx);
    expect(answer.status).toBe(200);
    const page = answer.json as CandlePage;
    expect([...Value.Errors(CandlePageOnWire, page)]).toEqual([]);
    expect(page.data.map(({ start, close, volume }) => [start, close, volume])).toEqual(
      Array.from({ length: 6 }, (_, index) => [
        `2026-03-02T15:0${index}:00.000000Z`,
        5_700 + index,
        index === 0 ? 0 : 1,
      ]),
    );
    expect((await ask("/api/v1/market/candles", spx)).json).toEqual(page);
    const first = (await ask(candlesPath, { ...spx, limit: "4" })).json as CandlePage;
    expect([first.data.length, first.has_more]).toEqual([4, true]);
    const second = (await ask(candlesPath, { ...spx, limit: "4", cursor: first.next_cursor! })).json as CandlePage;
    expect([...first.data, ...second.data]).toEqual(page.data);
    expect([second.has_more, second.next_cursor]).toEqual([false, null]);
  });

  test("as_of: what was known then, and nothing later", async () => {
    const { data, as_of } = (await ask(candlesPath, { ...spx, as_of: middle })).json as CandlePage;
    expect([data.length, as_of]).toEqual([3, middle]);
  });

  test("missing data is empty with its reason", async () => {
    const answer = await ask(candlesPath, { symbol: "AAPL", interval: "1d" });
    expect(answer).toMatchObject({ status: 200, json: { data: [], reason: "no_data", has_more: false } });
  });

  test("as CSV, NDJSON and Arrow, by format and by Accept", async () => {
    const csv = await ask(candlesPath, { ...spx, format: "csv", limit: "2" });
    expect(csv.text).toBe(
      "start,open,high,low,close,volume,tick_count\n2026-03-02T15:00:00.000000Z,5700,5700,5700,5700,0,1\n2026-03-02T15:01:00.000000Z,5701,5701,5701,5701,1,1\n",
    );
    const cursor = csv.headers.get("x-next-cursor")!;
    const rest = await ask(candlesPath, { ...spx, format: "csv", cursor });
    expect(rest.text.split("\n")).toHaveLength(6);
    const viewer = { "x-api-key": "bso_test_viewer" };
    const lines = await ask(candlesPath, spx, { ...viewer, accept: "application/x-ndjson" });
    expect(
      lines.text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).close),
    ).toEqual([0, 1, 2, 3, 4, 5].map((index) => 5_700 + index));
    const arrow = await server.server.handle(
      new Request(`http://localhost${candlesPath}?${new URLSearchParams({ ...spx, format: "arrow" })}`, {
        headers: viewer,
      }),
    );
    expect(arrow.headers.get("content-type")).toBe("application/vnd.apache.arrow.stream");
    const table = tableFromIPC(new Uint8Array(await arrow.arrayBuffer()));
    expect([table.numRows, table.getChild("close").at(5)]).toEqual([6, 5_705]);
  });
});

describe("S4.37 HIST-002 Greeks of candles", () => {
  const option = { symbol: spxOption, interval: "1m", from, rate: "0.04" };
  test("each candle has delta, gamma, theta, vega and rho; one that cannot says why", async () => {
    const answer = await ask(greeksPath, option);
    expect(answer.status).toBe(200);
    const page = answer.json as GreeksPage;
    expect([...Value.Errors(GreeksPageOnWire, page)]).toEqual([]);
    expect(page).toMatchObject({
      underlying: "SPX",
      model: "black_scholes_merton",
      rate: 0.04,
      dividend_yield: 0,
      units: "market",
    });
    expect(page.data).toHaveLength(6);
    for (const row of page.data.slice(0, 5)) {
      expect(row.reason).toBeNull();
      expect(row.delta).toBeGreaterThan(0.3);
      expect(row.delta).toBeLessThan(0.8);
    }
    expect(page.data[5]).toMatchObject({
      reason: "above_maximum",
      delta: null,
      implied_volatility: null,
      underlying_close: 5_705,
    });
    const raw = (await ask(greeksPath, { ...option, units: "raw" })).json as GreeksPage;
    expect(raw.data[0]!.vega! / page.data[0]!.vega!).toBeCloseTo(100, 9);
    const csv = await ask(greeksPath, { ...option, format: "csv" });
    expect(csv.text.split("\n")[6]).toBe("2026-03-02T15:05:00.000000Z,1000000,5705,,,,,,,above_maximum");
  });

  test.each([{ rate: "four" }, { rate: "0x1" }, { dividend_yield: "1e9" }, { units: "raw,market" }])(
    "refuses %p",
    async (more) => {
      expect((await ask(greeksPath, { ...option, ...more })).status).toBe(422);
    },
  );

  test("an underlying has none", async () => {
    expect((await ask(greeksPath, spx)).text).toContain("NOT_AN_OPTION");
  });
});

interface CandlePage {
  readonly data: { start: string; close: number; volume: number }[];
  readonly as_of: string | null;
  readonly next_cursor: string | null;
  readonly has_more: boolean;
}

interface GreeksPage {
  readonly data: {
    delta: number | null;
    vega: number | null;
    reason: string | null;
    underlying_close: number | null;
  }[];
}
