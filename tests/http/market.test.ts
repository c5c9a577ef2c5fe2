// The market over HTTP, as the whole application composes it: quotes in in every format, chains, surfaces, quotes and Greeks out, as of now and of
// then; who may, what is refused and how; and what metrics and channels tell of it. Real books over the real kernel, a real market.db.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { App } from "../../src/app";
import { formatTimestamp, systemClock } from "../../src/foundation/clock";
import { startApp } from "../harness/app";

let app: App & { readonly key: string };
let folder: string;
const keys: Record<string, string> = {};
const expiry = "261218";
const strikes = [5600, 5700, 5750, 5800, 5850, 5900, 6000];
const symbolOf = (type: "C" | "P", strike: number) => `SPXW${expiry}${type}${String(strike * 1000).padStart(8, "0")}`;

async function call(
  method: string,
  path: string,
  options: { key?: string | null; body?: unknown; headers?: Record<string, string> } = {},
) {
  const { key = app.key, body, headers = {} } = options;
  const isRaw = typeof body === "string" || body instanceof Uint8Array;
  const response = await fetch(`${app.url}${path}`, {
    method,
    headers: {
      ...(key === null ? {} : { "x-api-key": key }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { body: isRaw ? (body as string) : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson =
    response.headers.get("content-type")?.includes("json") &&
    !response.headers.get("content-type")!.includes("x-ndjson");
  // biome-ignore lint/suspicious/noExplicitAny: tests read fields of answers they then assert on
  return { status: response.status, headers: response.headers, text, json: (isJson ? JSON.parse(text) : null) as any };
}

const now = (back = 0) => formatTimestamp(systemClock.nowMicroseconds() - BigInt(back));

/** A chain that put-call parity holds in, at a forward near the spot. */
function quotesOf(spot: number, ts: string) {
  const quotes: Record<string, unknown>[] = [{ symbol: "SPX", ts, bid: spot - 0.5, ask: spot + 0.5 }];
  for (const strike of strikes) {
    const time = 90 * Math.exp(-(((strike - spot) / 400) ** 2));
    for (const type of ["C", "P"] as const) {
      const mid = time + Math.max(type === "C" ? spot - strike : strike - spot, 0);
      quotes.push({ symbol: symbolOf(type, strike), ts, bid: mid - 1, ask: mid + 1, bid_size: 5, ask_size: 7 });
    }
  }
  return quotes;
}

async function until<T>(look: () => Promise<T | null | false | undefined>): Promise<T> {
  for (let tries = 0; tries < 400; tries++) {
    const found = await look();
    if (found) return found;
    await systemClock.sleep(10);
  }
  throw new Error("it never came");
}

const fitted = () =>
  until(async () => {
    const { json } = await call("GET", "/api/v1/market/chain/SPX");
    return json.fitted_at !== null && json.expiries[0]?.rows[0]?.call?.price !== null ? json : null;
  });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bsopt-market-"));
  app = await startApp(folder, { BSOPT_MARKET_REFIT_MS: "50" });
  for (const [name, scopes] of Object.entries({
    reader: ["market:read"],
    writer: ["market:write"],
    pricer: ["pricing:read"],
  })) {
    const made = await call("POST", "/api/v1/api-keys", { body: { name, scopes } });
    expect(made.status).toBe(201);
    keys[name] = made.json.key ?? made.json.secret ?? made.json.api_key;
  }
});

afterAll(async () => {
  await app.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("S4.30 quotes in, a chain out", () => {
  test("a chain of quotes comes back valued, fitted and with Greeks", async () => {
    const sent = await call("POST", "/api/v1/market/quotes", {
      key: keys.writer!,
      body: { quotes: quotesOf(5800, now()) },
    });
    expect(sent.status).toBe(200);
    expect(sent.json).toEqual({
      ...{ accepted: 15, duplicates: 0, late: 0, rejected_count: 0, rejected: [], durability: "process" },
    });
    const chain = await fitted();
    expect(chain).toMatchObject({ underlying: "SPX", spot: 5800, spot_source: "mid", units: "market" });
    const [dated] = chain.expiries;
    expect(dated.rows.map(({ strike }: { strike: number }) => strike)).toEqual(strikes);
    const { call: atm } = dated.rows[3];
    expect(atm.delta).toBeGreaterThan(0.3);
    expect(atm.delta).toBeLessThan(0.7);
    expect(Math.abs(atm.price - 90)).toBeLessThan(5);
  });

  test("S4.32 what is wrong is refused one by one; late and double ones are told apart", async () => {
    const ts = now();
    const body = {
      quotes: [
        { symbol: "SPX", ts, bid: 5799, ask: 5801 },
        { symbol: "SPX", ts, bid: 5799, ask: 5801 },
        { symbol: "SPX", ts: now(60_000_000), bid: 5000, ask: 5001 },
        { symbol: "not a symbol!", ts, bid: 1, ask: 2 },
        { symbol: "SPX", ts: "yesterday", bid: 1, ask: 2 },
        { symbol: "SPX", ts: now(), bid: -1, ask: 2 },
        { symbol: symbolOf("C", 5800), ts: now() },
      ],
    };
    const { json } = await call("POST", "/api/v1/market/quotes", { body });
    expect(json).toMatchObject({ accepted: 1, duplicates: 1, late: 1, rejected_count: 4 });
    expect(json.rejected.map(({ index, code }: { index: number; code: string }) => [index, code])).toEqual([
      [3, "SYMBOL_INVALID"],
      [4, "TS_INVALID"],
      [5, "NEGATIVE_PRICE"],
      [6, "NOTHING_TOLD"],
    ]);
  });

  test("one quote by itself, NDJSON and CSV mean the same as JSON", async () => {
    const one = await call("POST", "/api/v1/market/quotes", {
      body: { symbol: "SPX", ts: now(), bid: 5800, ask: 5802 },
    });
    expect(one.json.accepted).toBe(1);
    const headers = { "content-type": "application/x-ndjson" };
    const line = JSON.stringify({ symbol: "SPX", ts: now(), bid: 5801, ask: 5803 });
    const lines = await call("POST", "/api/v1/market/quotes", { body: `${line}\n`, headers });
    expect([lines.status, lines.json?.accepted]).toEqual([200, 1]);
    const csv = `symbol,ts,bid,ask,last\nSPX,${now()},5802,5804,\n`;
    const records = await call("POST", "/api/v1/market/quotes", { body: csv, headers: { "content-type": "text/csv" } });
    expect([records.status, records.json?.accepted]).toEqual([200, 1]);
    const { json } = await call("GET", "/api/v1/market/quotes?symbols=SPX");
    expect(json.data[0]).toMatchObject({ symbol: "SPX", bid: 5802, ask: 5804, last: null });
  });

  test("with source_seq the venue's own order counts: the same again changes nothing", async () => {
    const quote = { symbol: "SPX", ts: now(), bid: 5803, ask: 5805, source_seq: 10 };
    const send = async (body: unknown) => (await call("POST", "/api/v1/market/quotes", { body })).json;
    expect(await send(quote)).toMatchObject({ accepted: 1 });
    expect(await send(quote)).toMatchObject({ accepted: 0, duplicates: 1 });
    expect(await send({ ...quote, ts: now(), bid: 1, source_seq: 9 })).toMatchObject({ accepted: 0, late: 1 });
    expect(await send({ ...quote, ts: now(), bid: 5799, ask: 5801, source_seq: 11 })).toMatchObject({ accepted: 1 });
  });
});

describe("reading", () => {
  test("chains by number of strikes, by percent, by delta and of a day", async () => {
    const strikesOf = async (query: string) => {
      const { json } = await call("GET", `/api/v1/market/chain/SPX?${query}`, { key: keys.reader! });
      return json.expiries.flatMap(({ rows }: { rows: { strike: number }[] }) => rows.map(({ strike }) => strike));
    };
    expect(await strikesOf("strikes=1")).toEqual([5750, 5800, 5850]);
    expect(await strikesOf("percent=2")).toEqual([5700, 5750, 5800, 5850, 5900]);
    expect(await strikesOf("expiry=2026-12-18")).toEqual(strikes);
    expect(await strikesOf("expiry=2026-12-18&strikes=0")).toEqual([5800]);
    expect(await strikesOf("expiry=2026-12-17")).toEqual([]);
    expect(await strikesOf("delta=0.5&tolerance=0.2")).toContain(5800);
  });

  test("csv has a line an option with its negative numbers as numbers; html is a page that only its own style may change", async () => {
    const csv = await call("GET", "/api/v1/market/chain/SPX?format=csv&strikes=0");
    const [header, ...lines] = csv.text.trim().split("\n");
    expect(header).toStartWith("underlying,as_of,spot,expiry,forward,strike,option_type,symbol,");
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(/,-\d/);
    expect(csv.text).not.toContain("'-");
    for (const [path, headers] of [
      ["/api/v1/market/chain/SPX?format=html", {}],
      ["/api/v1/market/chain/SPX", { accept: "text/html,application/xhtml+xml" }],
    ] as const) {
      const page = await call("GET", path, { headers });
      expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(page.headers.get("content-security-policy")).toMatch(/style-src 'sha256-[^']+'/);
      expect(page.text).toContain("SPX option chain");
    }
  });

  test("greeks in both units, the surface, and quotes of a whole underlying", async () => {
    const symbol = symbolOf("C", 5800);
    const then = now();
    const greeks = async (units: string) =>
      (
        await call(
          "GET",
          `/api/v1/market/greeks?symbols=${symbol},SPX,NOPE260101C00001000&units=${units}&as_of=${then}`,
        )
      ).json;
    const [market, raw] = [await greeks("market"), await greeks("raw")];
    expect(raw.data[0].vega / market.data[0].vega).toBeCloseTo(100, 6);
    expect(market.missing).toContainEqual({ symbol: "SPX", reason: "not_an_option" });
    const surface = await call("GET", "/api/v1/market/surface/SPX");
    expect(surface.json.expiries[0].forward).toBeGreaterThan(5000);
    const all = await call("GET", "/api/v1/market/quotes?underlying=SPX&format=ndjson");
    expect(all.text.trim().split("\n")).toHaveLength(15);
    const own = await call("GET", "/api/v1/market/quotes");
    expect(own.json.data.map(({ symbol }: { symbol: string }) => symbol)).toEqual(["SPX"]);
    const table = await call("GET", "/api/v1/market/quotes?underlying=SPX", { headers: { accept: "text/csv" } });
    expect(table.text).toStartWith("symbol,ts,bid,ask,");
  });

  test("asking for what nobody quoted, or listening to it, lists nothing", async () => {
    const unheard = "ZZZ301220C00100000";
    for (const path of [`quotes?symbols=${unheard}`, `greeks?symbols=${unheard}`]) {
      const { status, json } = await call("GET", `/api/v1/market/${path}`);
      expect([path, status, json.data, json.missing.length]).toEqual([path, 200, [], 1]);
    }
    const socket = new WebSocket(`${app.url.replace("http", "ws")}/api/v1/ws`, {
      headers: { "x-api-key": app.key },
    } as never);
    const answers: { id: number; ok: boolean }[] = [];
    socket.onmessage = ({ data }) => void answers.push(JSON.parse(String(data)));
    await new Promise((resolve) => (socket.onopen = resolve));
    socket.send(JSON.stringify({ id: 1, op: "subscribe", channels: [`ticks/${unheard}`, `greeks/${unheard}/raw`] }));
    socket.send(JSON.stringify({ id: 2, op: "unsubscribe", channels: [`ticks/${unheard}`, "ticks/YYY"] }));
    await until(async () => answers.some(({ id }) => id === 2) || null);
    expect(answers.filter(({ id }) => id !== undefined)).toMatchObject([
      { id: 1, ok: true },
      { id: 2, ok: true },
    ]);
    socket.close();
    const made = await call("POST", "/api/v1/subscriptions", { body: { symbols: [unheard] } });
    expect(made.status).toBe(201);
    for (const underlying of ["ZZZ", "YYY"]) {
      const { json } = await call("GET", `/api/v1/market/instruments?underlying=${underlying}`);
      expect(json.data).toEqual([]);
    }
  });

  test("as_of answers what was known then, nothing later", async () => {
    const before = (await call("GET", "/api/v1/market/quotes?symbols=SPX")).json;
    const then = now();
    await systemClock.sleep(2);
    await call("POST", "/api/v1/market/quotes", {
      body: { symbol: "SPX", ts: now(), bid: 5900, ask: 5902, source_seq: 20 },
    });
    const past = await call("GET", `/api/v1/market/quotes?symbols=SPX&as_of=${then}`);
    expect(past.json).toEqual(before);
    expect((await call("GET", "/api/v1/market/quotes?symbols=SPX")).json.data[0].bid).toBe(5900);
    const chain = await call("GET", `/api/v1/market/chain/SPX?as_of=${then}`);
    expect(chain.json.as_of <= then).toBe(true);
    const never = await call("GET", "/api/v1/market/chain/SPX?as_of=2026-01-01T00:00:00Z");
    expect([never.status, never.json.code]).toEqual([404, "UNDERLYING_UNKNOWN"]);
  });
});

describe("who may, and what is refused", () => {
  test.each([
    ["POST", "/api/v1/market/quotes"],
    ["GET", "/api/v1/market/quotes?symbols=SPX"],
    ["GET", "/api/v1/market/greeks?symbols=SPX"],
    ["GET", "/api/v1/market/chain/SPX"],
    ["GET", "/api/v1/market/surface/SPX"],
  ])("%s %s is 401 for guests and 403 without its scope", async (method, path) => {
    const body = method === "POST" ? { body: { symbol: "SPX", ts: now(), bid: 1, ask: 2 } } : {};
    expect((await call(method, path, { key: null, ...body })).status).toBe(401);
    const other = method === "POST" ? keys.reader! : keys.pricer!;
    expect((await call(method, path, { key: other, ...body })).status).toBe(403);
  });

  test.each([
    ["/api/v1/market/quotes?symbols=SPX&underlying=SPX", "/query/symbols"],
    ["/api/v1/market/quotes?symbols=SPX,,", "/query/symbols"],
    ["/api/v1/market/quotes?symbols=SPX&as_of=2026-01-01", "/query/as_of"],
    ["/api/v1/market/quotes?symbols=SPX&as_of=2999-01-01T00:00:00Z", "/query/as_of"],
    ["/api/v1/market/chain/SPX?strikes=1&percent=2", "/query/percent"],
    ["/api/v1/market/chain/SPX?percent=0", "/query/percent"],
    ["/api/v1/market/chain/SPX?tolerance=0.1", "/query/tolerance"],
    ["/api/v1/market/chain/SPX?expiry=2026-13-01", "/query/expiry"],
    ["/api/v1/market/chain/SPX?strikes=x", "/query/strikes"],
    ["/api/v1/market/chain/SPX?format=xml", "/query/format"],
    ["/api/v1/market/greeks", "/query/symbols"],
  ])("%s is 422 and points to %s", async (path, pointer) => {
    const { status, json } = await call("GET", path);
    expect([status, json.errors[0].pointer]).toEqual([422, pointer]);
  });

  test("501 symbols, an unknown underlying, unknown fields and too many quotes", async () => {
    const many = Array.from({ length: 501 }, (_, index) => `A${index}`).join();
    expect((await call("GET", `/api/v1/market/greeks?symbols=${many}`)).status).toBe(422);
    const unknown = await call("GET", "/api/v1/market/chain/NOTHERE");
    expect([unknown.status, unknown.json.code]).toEqual([404, "UNDERLYING_UNKNOWN"]);
    expect((await call("GET", "/api/v1/market/surface/%20%20")).status).toBe(404);
    expect((await call("POST", "/api/v1/market/quotes", { body: { symbol: "SPX", ts: now(), price: 1 } })).status).toBe(
      422,
    );
    const quotes = Array.from({ length: 10_001 }, () => ({ symbol: "SPX", ts: now() }));
    expect((await call("POST", "/api/v1/market/quotes", { body: { quotes } })).status).toBe(422);
    expect((await call("POST", "/api/v1/market/quotes", { body: { quotes: [] } })).json.accepted).toBe(0);
  });
});

describe("S1.11 S4.61 what is told of it", () => {
  test("every stage and every tick metric has something to tell after quotes went through", async () => {
    const { text } = await call("GET", "/metrics", { key: null });
    const valueAt = (series: string) => {
      const line = text.split("\n").find((one) => one.startsWith(`${series} `));
      return line === undefined ? Number.NaN : Number(line.slice(series.length + 1));
    };
    for (const stage of ["ingest", "validate", "batch", "greeks", "publish", "persist"])
      expect(valueAt(`bsopt_market_stage_seconds_count{stage="${stage}"}`)).toBeGreaterThan(0);
    for (const series of [
      'tick_processing_seconds_count{kind="option"}',
      'tick_processing_seconds_count{kind="underlying"}',
      "greeks_calculation_seconds_count",
      "batch_flush_seconds_count",
      'ticks_published_total{kind="option"}',
      'tick_validation_errors_total{reason="negative_price"}',
      "batch_fill_rate",
      'underlying_price{underlying="SPX"}',
      'bsopt_market_quotes_total{outcome="late"}',
      "bsopt_market_refits_total",
      'bsopt_market_books{state="live"}',
    ])
      expect([series, valueAt(series) > 0]).toEqual([series, true]);
    for (const series of ["pending_batch_size", "active_accounts", 'tick_processing_errors_total{stage="greeks"}'])
      expect([series, valueAt(series)]).toEqual([series, 0]);
  });
});

describe("S4.38 a restart", () => {
  test("what was acknowledged is there again, and goes on", async () => {
    const before = (await call("GET", "/api/v1/market/quotes?underlying=SPX")).json;
    await app.stop();
    const { key } = app;
    app = Object.assign(await startApp(folder, { BSOPT_MARKET_REFIT_MS: "50" }), { key });
    const after = await until(async () => {
      const answer = await call("GET", "/api/v1/market/quotes?underlying=SPX");
      return answer.status === 200 ? answer.json : null;
    });
    expect(after).toEqual(before);
    expect((await fitted()).spot).toBe(5901);
  });
});
