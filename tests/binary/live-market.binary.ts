// A bot's day at a live market, on the executable: it lists a chain, brings quotes, reads chain, surface and candles, listens over a WebSocket,
// asks for the past, and finds all of it again after the process was killed. Everything is asked as the contract says it, by whoever knows no more.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Installation, type Serving } from "../harness/executable";
import { until } from "../harness/storage";

// biome-ignore lint/suspicious/noExplicitAny: answers are read as a stranger reads them
type Json = any;

const installation = new Installation();
let serving: Serving;
let key: string;
const underlying = "SPX";
const rate = 0.04;
const dividendYield = 0.012;
const spot = 6000;
const volatility = 0.18;

const nowMicroseconds = () => BigInt(Date.now()) * 1000n;
const expiryDay = new Date(Date.now() + 40 * 86_400_000);
// Any Friday is a day that SPXW expires on, unless it is a holiday: the fourth of a month at the earliest is taken.
while (expiryDay.getUTCDay() !== 5) expiryDay.setUTCDate(expiryDay.getUTCDate() + 1);
const two = (value: number) => String(value).padStart(2, "0");
const yymmdd = `${two(expiryDay.getUTCFullYear() % 100)}${two(expiryDay.getUTCMonth() + 1)}${two(expiryDay.getUTCDate())}`;
const strikes = Array.from({ length: 41 }, (_, index) => 5000 + index * 50);
const symbolOf = (type: "call" | "put", strike: number) =>
  `SPXW${yymmdd}${type === "call" ? "C" : "P"}${String(strike * 1000).padStart(8, "0")}`;

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${serving.url}${path}`, {
    method,
    headers: { "x-api-key": key, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  let json: Json = null;
  try {
    json = JSON.parse(text);
  } catch {}
  return { status: response.status, json, text, headers: response.headers };
}

/** What a flat market quotes: prices of the server's own engine, a tick of 0.1 to either side. */
async function flatQuotes(ts: string): Promise<Json[]> {
  const rows = strikes.flatMap((strike) => [
    { type: "call" as const, strike },
    { type: "put" as const, strike },
  ]);
  const expiry = await expiryOf();
  const { status, json } = await call("POST", "/api/v1/pricing/batch", {
    model: "black_scholes_merton",
    option_type: rows.map(({ type }) => type),
    strike: rows.map(({ strike }) => strike),
    ...{ spot, rate, dividend_yield: dividendYield, volatility },
    expiry,
    valuation_time: ts,
    outputs: ["price"],
  });
  expect(status).toBe(200);
  return rows.map(({ type, strike }, index) => ({
    symbol: symbolOf(type, strike),
    ts,
    bid: Math.max(0.05, Number((json.price[index] - 0.05).toFixed(4))),
    ask: Number((json.price[index] + 0.05).toFixed(4)),
    bid_size: 10,
    ask_size: 12,
    source_seq: 1,
  }));
}

async function expiryOf(): Promise<string> {
  const { json } = await call("GET", `/api/v1/market/instruments?underlying=${underlying}&kind=option&limit=1`);
  return json.data[0].expiry;
}

const timestamp = () => new Date(Number(nowMicroseconds() / 1000n)).toISOString();

interface Listener {
  readonly frames: Json[];
  send(message: object): void;
  /** The first message from now on, or kept, that fits. */
  next(fits: (message: Json) => boolean): Promise<Json>;
  close(): void;
}

function listen(path = "/api/v1/ws", headers: Record<string, string> = { "x-api-key": key }): Promise<Listener> {
  const socket = new WebSocket(`${serving.url.replace("http", "ws")}${path}`, { headers } as never);
  const frames: Json[] = [];
  socket.onmessage = ({ data }) => void frames.push(JSON.parse(String(data)));
  return new Promise((resolve, reject) => {
    socket.onerror = () => reject(new Error("the socket was refused"));
    socket.onopen = () =>
      resolve({
        frames,
        send: (message) => socket.send(JSON.stringify(message)),
        async next(fits) {
          await until("a message fits", () => frames.some(fits));
          return frames.find(fits);
        },
        close: () => socket.close(),
      });
  });
}

beforeAll(async () => {
  serving = await installation.serve();
  key = serving.key();
}, 60_000);
afterAll(async () => {
  installation.remove();
});

describe("S1.11 S4.30 a bot at a live market", () => {
  let listener: Listener;
  let firstKnownAt: string;
  let firstChain: Json;

  test("S4.39 lists its contracts, and finds them with what their names say", async () => {
    const { status, json } = await call("POST", "/api/v1/market/instruments", {
      instruments: [
        { symbol: underlying, kind: "underlying" },
        ...strikes.flatMap((strike) => [{ symbol: symbolOf("call", strike) }, { symbol: symbolOf("put", strike) }]),
      ],
    });
    expect([200, 201]).toContain(status);
    expect(json).toBeObject();
    const page = await call("GET", `/api/v1/market/instruments?underlying=${underlying}&kind=option&limit=5`);
    expect(page.status).toBe(200);
    expect(page.json).toMatchObject({ has_more: true, next_cursor: expect.any(String) });
    expect(page.json.data[0]).toMatchObject({
      symbol: symbolOf("call", 5000),
      kind: "option",
      underlying,
      root: "SPXW",
      option_type: "call",
      style: "european",
      settlement: "pm",
      currency: "USD",
    });
  });

  test("S4.41 listens with its key, and is refused without one", async () => {
    listener = await listen();
    listener.send({
      id: 1,
      op: "subscribe",
      channels: [
        `ticks/${underlying}`,
        `chain/${underlying}/all/raw`,
        `marks/${underlying}`,
        `greeks/${symbolOf("call", 6000)}/raw`,
      ],
      snapshot: true,
    });
    expect(await listener.next(({ id }) => id === 1)).toMatchObject({ id: 1, ok: true });
    const bare = await fetch(`${serving.url}/api/v1/ws`, {
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
      },
    });
    expect(bare.status).toBe(401);
    expect(
      await listen(`/ws?token=wrong`, {}).then(
        () => "open",
        () => "refused",
      ),
    ).toBe("refused");
  });

  test("S4.41 gets a ticket that opens one socket", async () => {
    const { status, json } = await call("POST", "/api/v1/ws/tickets", {});
    expect([200, 201]).toContain(status);
    const once = await listen(`/ws?ticket=${json.ticket}`, {});
    once.close();
    expect(
      await listen(`/ws?ticket=${json.ticket}`, {}).then(
        () => "open",
        () => "refused",
      ),
    ).toBe("refused");
  });

  test("S4.31 brings quotes, and reads a chain with the forward, volatilities and Greeks they imply", async () => {
    const ts = timestamp();
    const quotes = await flatQuotes(ts);
    const { status, json } = await call("POST", "/api/v1/market/quotes", {
      quotes: [{ symbol: underlying, ts, bid: spot - 0.25, ask: spot + 0.25, last: spot, source_seq: 1 }, ...quotes],
    });
    expect([200, 202]).toContain(status);
    expect(json.accepted).toBe(quotes.length + 1);
    await until("the chain is priced", async () => {
      const { json } = await call("GET", `/api/v1/market/chain/${underlying}`);
      const row = json.expiries?.[0]?.rows?.find((row: Json) => row.strike === 6000);
      return typeof row?.call?.delta === "number" && typeof row?.put?.vega === "number";
    });
    const chain = await call("GET", `/api/v1/market/chain/${underlying}`);
    expect(chain.json.underlying).toBe(underlying);
    expect(chain.json.spot).toBeCloseTo(spot, 6);
    const [expiry] = chain.json.expiries;
    const years = (Date.parse(expiry.expiry) - Date.parse(chain.json.as_of)) / (365 * 86_400_000);
    expect(expiry.forward / (spot * Math.exp((rate - dividendYield) * years))).toBeCloseTo(1, 4);
    expect(expiry.discount).toBeCloseTo(Math.exp(-rate * years), 3);
    expect(expiry.rows).toHaveLength(strikes.length);
    for (const row of expiry.rows) {
      if (Math.abs(row.strike - spot) > 500) continue;
      const priced = await call("POST", "/api/v1/pricing/price", {
        model: "black_scholes_merton",
        option_type: "call",
        ...{ spot, strike: row.strike, rate, dividend_yield: dividendYield, volatility },
        time_to_expiry: years,
      });
      expect(Math.abs(row.call.delta - priced.json.greeks.delta)).toBeLessThan(0.003);
      expect(Math.abs(row.call.vega / priced.json.greeks.vega - 1)).toBeLessThan(0.02);
      expect(row.call.gamma).toBeCloseTo(row.put.gamma, 6);
    }
    firstChain = (await call("GET", `/api/v1/market/chain/${underlying}`)).json;
    firstKnownAt = new Date().toISOString();
  });

  test("S4.35 hears a snapshot, then every change in order and without a gap", async () => {
    const channel = `chain/${underlying}/all/raw`;
    await listener.next(({ ch }) => ch === channel);
    const seen = listener.frames.length;
    await call("POST", "/api/v1/market/quotes", {
      quotes: [{ symbol: underlying, ts: timestamp(), bid: 6009.75, ask: 6010.25, last: 6010, source_seq: 2 }],
    });
    await until("the chain moves", () =>
      listener.frames.slice(seen).some(({ ch, data }) => ch === channel && data.spot === 6010),
    );
    const frames = listener.frames.filter(({ ch, seq }) => ch === channel && seq !== undefined);
    expect(frames[0].type).toBe("snapshot");
    for (const [index, frame] of frames.entries()) {
      if (index === 0 || frame.type === "snapshot") continue;
      expect(frame.prev).toBe(frames[index - 1].seq);
      expect(frame.seq).toBeGreaterThan(frame.prev);
    }
    expect(listener.frames.some(({ ch }) => ch === `ticks/${underlying}`)).toBeTrue();
    expect(listener.frames.some(({ ch }) => ch === `marks/${underlying}`)).toBeTrue();
    expect(listener.frames.some(({ ch }) => ch === `greeks/${symbolOf("call", 6000)}/raw`)).toBeTrue();
  });

  test("reads what was known before the last quote, and nothing later", async () => {
    const now = await call("GET", `/api/v1/market/chain/${underlying}`);
    expect(now.json.spot).toBe(6010);
    const past = await call("GET", `/api/v1/market/chain/${underlying}?as_of=${encodeURIComponent(firstKnownAt)}`);
    expect(past.status).toBe(200);
    expect(past.json.spot).toBe(spot);
    expect(past.json.expiries[0].rows).toEqual(firstChain.expiries[0].rows);
    const before = await call("GET", `/api/v1/market/chain/${underlying}?as_of=2020-01-01T00:00:00Z`);
    expect([200, 404]).toContain(before.status);
    expect(JSON.stringify(before.json)).not.toContain("6000.25");
  });

  test("S4.36 S4.37 reads surface, quotes, Greeks, candles and the market's mode", async () => {
    for (const path of [
      `surface/${underlying}`,
      `quotes?symbols=${underlying},${symbolOf("call", 6000)}`,
      `greeks?symbols=${symbolOf("call", 6000)}`,
      `candles?symbol=${underlying}&interval=1m`,
      "mode",
    ]) {
      const { status, json } = await call("GET", `/api/v1/market/${path}`);
      expect({ path, status }).toEqual({ path, status: 200 });
      expect(JSON.stringify(json).length).toBeGreaterThan(20);
    }
    const table = await call("GET", `/api/v1/market/chain/${underlying}?format=html`);
    expect(table.headers.get("content-type")).toStartWith("text/html");
    expect(table.text).toContain("<table");
  });

  test("S4.27 keeps its subscriptions, and another user's are not found", async () => {
    const made = await call("POST", "/api/v1/subscriptions", { symbols: [symbolOf("call", 6000)] });
    expect(made.status).toBe(201);
    const listed = await call("GET", "/api/v1/subscriptions");
    expect(listed.json.data.map(({ id }: Json) => id)).toContain(made.json.id);
    expect((await call("GET", `/api/v1/subscriptions/${made.json.id}`)).status).toBe(200);
    const other = await call("GET", "/api/v1/subscriptions/00000000-0000-7000-8000-000000000000");
    expect([404, 422]).toContain(other.status);
  });

  test("S4.32 is told of every quote that is none", async () => {
    const good = { symbol: symbolOf("call", 6000), ts: timestamp(), bid: 1, ask: 2 };
    const { status, json } = await call("POST", "/api/v1/market/quotes", {
      quotes: [
        { ...good, symbol: "not a symbol" },
        { ...good, bid: -1 },
        { ...good, ts: "2020-01-01T00:00:00Z" },
      ],
    });
    expect([200, 202, 422]).toContain(status);
    if (status !== 422) {
      expect(json.accepted).toBe(0);
      expect(json.rejected).toHaveLength(3);
    }
    expect((await call("POST", "/api/v1/market/quotes", { quotes: [{ symbol: 5 }] })).status).toBe(422);
    expect((await call("POST", "/api/v1/market/quotes", "{")).status).toBe(400);
  });

  test("S4.38 finds quotes, chain and history again after the process was killed", async () => {
    const before = await call("GET", `/api/v1/market/quotes?symbols=${symbolOf("put", 5900)}`);
    listener.close();
    await serving.kill();
    serving = await installation.serve();
    key = serving.key();
    await until(
      "the chain is back",
      async () => (await call("GET", `/api/v1/market/chain/${underlying}`)).json?.spot === 6010,
    );
    const after = await call("GET", `/api/v1/market/quotes?symbols=${symbolOf("put", 5900)}`);
    const bare = ({ json }: Json) => JSON.stringify(json.data?.[0]?.bid ?? json.quotes?.[0]?.bid);
    expect(bare(after)).toBe(bare(before));
    const past = await call("GET", `/api/v1/market/chain/${underlying}?as_of=${encodeURIComponent(firstKnownAt)}`);
    expect(past.json.expiries[0].rows).toEqual(firstChain.expiries[0].rows);
  });
});
