// Instruments over HTTP and through the whole application: who may list and look, every form a body may have, what goes to the quarantine, and
// what was listed at a past moment.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { builtInCalendars } from "../../src/domain/exchange-calendars";
import { instrumentFromSymbol } from "../../src/domain/instrument-symbol";
import { type Clock, formatTimestamp, systemClock } from "../../src/foundation/clock";
import { startApp } from "../harness/app";
import type { Loose } from "../harness/executable";
import { temporaryFolder, until } from "../harness/storage";

/** Begins on 2026-06-01 and goes on with the machine's. */
let ahead = 0n;
const begun = systemClock.nowMicroseconds();
const clock: Clock = {
  nowMicroseconds: () => 1_780_315_200_000_000n + systemClock.nowMicroseconds() - begun + ahead,
  monotonicMilliseconds: () => systemClock.monotonicMilliseconds() + Number(ahead) / 1000,
  sleep: (milliseconds, signal) => systemClock.sleep(Math.min(milliseconds, 50), signal),
};

let app: Awaited<ReturnType<typeof startApp>>;
// Before the folder goes.
afterAll(() => app.stop());
const folder = temporaryFolder();
beforeAll(async () => {
  const environment = {
    BSOPT_MARKET_INSTRUMENTS_MAX: "3000",
    BSOPT_TABLE_BYTES_MAX: "700000",
    BSOPT_TABLE_ROWS_MAX: "5000",
  };
  app = await startApp(folder, environment, undefined, undefined, undefined, clock);
});

const path = "/api/v1/market/instruments";
const ask = (query = "", headers: Record<string, string> = {}) =>
  fetch(`${app.url}${path}${query}`, { headers: { "x-api-key": app.key, ...headers } });
const look = async (query = ""): Promise<Loose> => (await ask(query)).json() as Promise<Loose>;
const bring = (body: string | Uint8Array | object, type = "application/json", headers: Record<string, string> = {}) =>
  fetch(`${app.url}${path}`, {
    method: "POST",
    headers: { "x-api-key": app.key, "content-type": type, ...headers },
    body: typeof body === "string" || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
  });
const brought = async (...all: Parameters<typeof bring>): Promise<Loose> => {
  const response = await bring(...all);
  expect([response.status, response.status === 200 ? "" : await response.clone().text()]).toEqual([200, ""]);
  return response.json() as Promise<Loose>;
};
const symbolsOf = (page: Loose): string[] => page.data.map(({ symbol }: Loose) => symbol);
const none = { received: 0, listed: 0, changed: 0, unchanged: 0, expired: 0, quarantined: 0, faults: [] };

describe("S4.39 instruments that somebody brings", () => {
  test("one, by its symbol alone in any spelling, is listed with all its rules say, and its underlying with it", async () => {
    expect(await brought({ symbol: ".SPXW261218C5800" })).toEqual({ ...none, received: 1, listed: 1 });
    const page = await look();
    expect(symbolsOf(page)).toEqual(["SPX", "SPXW261218C05800000"]);
    const { listed_at, ...shown } = page.data[1];
    expect(Date.parse(listed_at)).toBeGreaterThan(Date.parse("2026-06-01"));
    expect(shown).toEqual({
      symbol: "SPXW261218C05800000",
      kind: "option",
      underlying: "SPX",
      root: "SPXW",
      expiry: "2026-12-18T21:00:00.000000Z",
      strike: 5800,
      option_type: "call",
      style: "european",
      settlement: "pm",
      multiplier: 100,
      tick_size: 0.05,
      currency: "USD",
      calendar: "cboe",
      source: "import",
      expired_at: null,
    });
    expect(page).toMatchObject({ next_cursor: null, has_more: false });
  });

  test("many, with what their symbols don't say, and the same again, and with other terms", async () => {
    const many = {
      instruments: [
        { symbol: "nse:NIFTY26NOV24000CE", multiplier: "75" },
        { symbol: "deribit:BTC-25DEC26-50000-C", tick_size: 0.0005, expiry: "2026-12-25" },
        { symbol: "ESZ26", kind: "future", underlying: "SPX", expiry: "2026-12-18T14:30:00Z", multiplier: 50 },
      ],
    };
    expect(await brought(many)).toEqual({ ...none, received: 3, listed: 3 });
    expect(await brought(many)).toEqual({ ...none, received: 3, unchanged: 3 });
    many.instruments[0]!.multiplier = "65";
    expect(await brought(many)).toEqual({ ...none, received: 3, changed: 1, unchanged: 2 });
    expect(await look("/nse%3ANIFTY26NOV24000CE")).toMatchObject({ multiplier: 65, underlying: "nse:NIFTY" });
    expect(await look("/ESZ26")).toMatchObject({ kind: "future", underlying: "SPX", multiplier: 50, style: null });
  });

  test("NDJSON, with its bad lines in quarantine and the others listed", async () => {
    const lines = [
      '{"symbol":"SPXW261218P05800000"}',
      "",
      "{",
      "[1]",
      '{"symbol":"SPXW261318P05800000"}',
      '{"symbol":"SPXW261218P05900000","strike":5800}',
      '{"symbol":"SPXW261218P05900000","colour":"red"}',
      '{"symbol":"SPXW261218P05900000","strike":true}',
      '{"symbol":"SPXW260529P05900000"}',
      '{"symbol":"SPXW261218P05900000","expiry":"2026-12-19"}',
      '{"symbol":"SPXW261218P05900000","expiry":"2027-01-18T21:00:00Z"}',
      '{"symbol":"SPXW261218P05900000","kind":"future"}',
      '{"symbol":"SPXW261218P05900000","multiplier":0}',
      '{"symbol":"SPXW261218P05900000","calendar":"mars"}',
      '{"multiplier":1}',
      '{"symbol":"XYZ","kind":"future"}',
      '{"symbol":"SPXW261218P05900000","underlying":"no such"}',
      '{"symbol":"SPX","expiry":"2026-12-18"}',
      '{"symbol":"SPX","style":"european","underlying":"NDX"}',
      '{"symbol":"SPXW261218P05900000","currency":"usd","root":"*","expiry":"soon","option_type":"both"}',
    ];
    const answer = await brought(lines.join("\n"), "application/x-ndjson");
    expect(answer).toMatchObject({ received: 19, listed: 1, expired: 1, quarantined: 17 });
    const told = Object.fromEntries(answer.faults.map(({ line, detail }: Loose) => [line, detail]));
    expect(told).toEqual({
      3: "it is not JSON",
      4: "it is not an object",
      5: '"SPXW261318P05800000" names an expiry day that is in no calendar',
      6: "strike is not what SPXW261218P05900000 says",
      7: '"colour" is no field of an instrument',
      8: "strike is neither text nor a number",
      10: "expiry is not what SPXW261218P05900000 says; a moment would be taken",
      11: "expiry lies more than a week from what SPXW261218P05900000 says",
      12: "kind is not what SPXW261218P05900000 says; style is not what SPXW261218P05900000 says",
      13: "multiplier is no number above 0 of at most 8 decimals",
      14: "calendar is none that this server knows",
      15: "it has no symbol",
      16: "a future of this name needs its expiry; a future of this name needs its underlying",
      17: "underlying is not the name of an option, a future or an underlying that this server reads",
      18: "SPX has no expiry",
      19: "style is not what SPX says; underlying is not what SPX says",
      20: expect.stringContaining("option_type is none of call, put"),
    });
    expect(symbolsOf(await look("?underlying=SPX&option_type=put"))).toEqual(["SPXW261218P05800000"]);
  });

  test("what is in quarantine is there to be looked at, the newest first, a page at a time", async () => {
    const first = await look("/quarantine?limit=10");
    expect(first.data).toHaveLength(10);
    expect(first.has_more).toBe(true);
    const second = await look(`/quarantine?limit=10&cursor=${first.next_cursor}`);
    const all = [...first.data, ...second.data];
    expect(all).toHaveLength(17);
    expect(second.has_more).toBe(false);
    expect(all.find(({ line }: Loose) => line === 5)).toMatchObject({
      format: "ndjson",
      content: '{"symbol":"SPXW261318P05800000"}',
      detail: '"SPXW261318P05800000" names an expiry day that is in no calendar',
    });
    expect((await ask("/quarantine?cursor=x")).status).toBe(422);
  });

  test("CSV, compressed, with the columns that the server itself gives", async () => {
    const text =
      "symbol,multiplier,listed_at\nSPXW261218C06000000,100,x\nSPXW261218C06100000,,\n\nSPXW261218C06200000\n";
    const answer = await brought(gzipSync(text), "text/csv", { "content-encoding": "gzip" });
    expect(answer).toMatchObject({ received: 3, listed: 2, quarantined: 1 });
    expect(answer.faults).toEqual([{ line: 5, detail: "it has 1 fields where the header has 3" }]);
  });

  test("a quote table as Cboe's site gives it", async () => {
    const header = "Calls,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest";
    const row = (date: string, code: string, strike: string) =>
      `${date},SPXW${code}C0${strike}000,0,0,1,2,0,0.1,0.5,0.1,0,${strike}.00,SPXW${code}P0${strike}000,0,0,1,2,0,0.1,-0.5,0.1,0`;
    const table = [
      "",
      "S&P 500 INDEX,Last: 6711.20,Change: 1",
      '"Date: October 1, 2025 at 6:01 PM EDT",Bid: 1,Ask: 2,Size: 1*1,Volume: 0',
      `Expiration Date,${header.replace("Calls", "Calls,Last Sale")},Strike,${header.replace("Calls", "Puts,Last Sale")}`,
      row("Fri Dec 18 2026", "261218", "6500"),
      row("Fri Dec 18 2026", "261218", "6510"),
    ].join("\r\n");
    expect(await brought(table, "text/csv")).toMatchObject({ received: 4, listed: 4, quarantined: 0 });
  });

  test("a symbol that comes twice is taken twice, the last word standing", async () => {
    const twice = {
      instruments: [{ symbol: "AAPL261218C00150000" }, { symbol: "AAPL261218C00150000", multiplier: 10 }],
    };
    expect(await brought(twice)).toMatchObject({ received: 2, listed: 1, changed: 1 });
    expect(await look("/AAPL261218C00150000")).toMatchObject({ multiplier: 10 });
  });

  test("are answered once for one key, and told to the audit log", async () => {
    const headers = { "idempotency-key": "an-import-of-one" };
    const text = "symbol\nMSFT261218C00400000\n";
    const first = await bring(text, "text/csv", headers);
    const again = await bring(text, "text/csv", headers);
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await again.json()).toEqual(await first.json());
    expect((await bring(`${text}X\n`, "text/csv", headers)).status).toBe(422);
    const events = await fetch(`${app.url}/api/v1/audit?event_type=market.instruments.imported&limit=1`, {
      headers: { "x-api-key": app.key },
    });
    expect(((await events.json()) as Loose).data[0]).toMatchObject({
      action: "import",
      status: "success",
      details: { format: "csv", received: 1, listed: 1 },
    });
  });

  test("past the limit stay out, and are told of", async () => {
    const calls = Array.from({ length: 3000 }, (_, at) => `SPY261218C00${String(300_000 + at * 100)}`);
    const answer = await brought(`symbol\n${calls.join("\n")}\n`, "text/csv");
    const listed = answer.listed as number;
    expect(answer).toMatchObject({ received: 3000, listed, quarantined: 3000 - listed });
    expect(answer.faults).toHaveLength(Math.min(100, 3000 - listed));
    expect(answer.faults[0].detail).toContain("no room");
    expect(listed).toBeGreaterThan(2900);
    // What is in there can be changed all the same.
    expect(await brought({ symbol: calls[0]!, multiplier: 10 })).toMatchObject({ changed: 1, quarantined: 0 });
  });
});

describe("S4.39 a body that is none", () => {
  type Row = readonly [what: string, body: string, type: string, status: number, code: string];
  const rows: readonly Row[] = [
    ["no JSON", "{", "application/json", 400, "BODY_MALFORMED"],
    ["a field too many", '{"symbol":"SPX","colour":1}', "application/json", 422, "SCHEMA_INVALID"],
    ["nothing in the list", '{"instruments":[]}', "application/json", 422, "SCHEMA_INVALID"],
    ["an unknown column", "symbol,colour\nSPX,1\n", "text/csv", 422, "UNKNOWN_COLUMN"],
    ["no symbol's column", "multiplier\n1\n", "text/csv", 422, "MISSING_COLUMN"],
    ["empty", "\n", "text/csv", 422, "EMPTY_FILE"],
    ["no text", "\u0000", "application/x-ndjson", 422, "NOT_TEXT"],
    ["another format", "x", "text/plain", 415, "CONTENT_TYPE_UNSUPPORTED"],
    ["a table of bytes", "x", "application/vnd.apache.arrow.stream", 415, "CONTENT_TYPE_UNSUPPORTED"],
    ["too large", `symbol\n${"SPX\n".repeat(175_001)}`, "text/csv", 413, "BODY_TOO_LARGE"],
  ];
  test.each(rows)("%s is refused", async (_what, body, type, status, code) => {
    const response = await bring(body, type);
    expect([response.status, ((await response.json()) as Loose).code]).toEqual([status, code]);
  });

  test("that breaks off half way keeps what came before, and says so in the audit log", async () => {
    const text = `symbol\nSPXW261218C05800000\n"unclosed\n`;
    expect((await bring(text, "text/csv")).status).toBe(422);
    const events = await fetch(`${app.url}/api/v1/audit?event_type=market.instruments.imported&limit=1`, {
      headers: { "x-api-key": app.key },
    });
    expect(((await events.json()) as Loose).data[0]).toMatchObject({ status: "failure" });
  });

  test("of too many rows is refused", async () => {
    expect((await bring(`symbol\n${"SPX\n".repeat(5001)}`, "text/csv")).status).toBeGreaterThanOrEqual(413);
  });
});

describe("S4.39 looking at what is listed", () => {
  const rows: readonly (readonly [query: string, symbols: readonly string[]])[] = [
    ["?kind=underlying", ["AAPL", "MSFT", "SPX", "SPY", "deribit:BTC", "nse:NIFTY"]],
    ["?kind=future", ["ESZ26"]],
    ["?underlying=deribit:BTC", ["deribit:BTC", "deribit:BTC-25DEC26-50000-C"]],
    ["?underlying=%5ESPX&option_type=put&strike_gte=5900&strike_lte=6500.5", ["SPXW261218P06500000"]],
    ["?underlying=SPX&kind=option&strike_lte=5800", ["SPXW261218C05800000", "SPXW261218P05800000"]],
    ["?expiry_gte=2026-12-25&expiry_lte=2026-12-25", ["deribit:BTC-25DEC26-50000-C"]],
    ["?expiry_lte=2026-11-24T10:00:00Z", ["nse:NIFTY26NOV24000CE"]],
    ["?expiry_gte=2027-01-01", []],
  ];
  test.each(rows)("%s", async (query, symbols) => {
    expect(symbolsOf(await look(query))).toEqual([...symbols]);
  });

  test("a page at a time misses none and repeats none", async () => {
    const seen: string[] = [];
    for (let cursor = ""; ; ) {
      const page = await look(`?limit=700${cursor}`);
      seen.push(...symbolsOf(page));
      if (!page.has_more) break;
      cursor = `&cursor=${page.next_cursor}`;
    }
    expect(seen).toHaveLength(3000);
    expect(seen).toEqual([...new Set(seen)].sort());
  });

  test("as NDJSON and CSV the whole is one stream of the same", async () => {
    const page = await look("?underlying=AAPL");
    const ndjson = await (await ask("?underlying=AAPL", { accept: "application/x-ndjson" })).text();
    expect(
      ndjson
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(page.data);
    const response = await ask("?underlying=AAPL&format=csv");
    expect(response.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    const [header, underlying, option] = (await response.text()).split("\n");
    expect(header).toBe(Object.keys(page.data[0]).join(","));
    expect(underlying).toStartWith("AAPL,underlying,AAPL,AAPL,,,");
    expect(option).toStartWith(
      "AAPL261218C00150000,option,AAPL,AAPL,2026-12-18T21:00:00.000000Z,150,call,american,pm,10,",
    );
    const all = await (await ask("?format=csv")).text();
    expect(all.trimEnd().split("\n")).toHaveLength(3001);
    // What the server gives it takes.
    expect(await brought(all, "text/csv")).toMatchObject({ received: 3000, quarantined: 0, unchanged: 3000 });
  });

  const refused: readonly (readonly [query: string, status: number, pointer: string])[] = [
    ["?limit=0", 422, "/query/limit"],
    ["?kind=share", 422, "/query/kind"],
    ["?colour=red", 422, "/query/colour"],
    ["?underlying=no%20such", 422, "/query/underlying"],
    ["?expiry_gte=tomorrow!", 422, "/query/expiry_gte"],
    ["?expiry_gte=2026-12-18&expiry_lte=2026-12-17", 422, "/query/expiry_lte"],
    ["?strike_gte=2&strike_lte=1", 422, "/query/strike_lte"],
    ["?strike_gte=-1", 422, "/query/strike_gte"],
    ["?as_of=2026", 422, "/query/as_of"],
    ["?cursor=Zm9v", 422, "/query/cursor"],
    ["?cursor=bm9zdWNo&format=csv", 422, "/query/cursor"],
    ["/SPX261318C05800000", 422, "/params/symbol"],
    ["/SPX?as_of=2026", 422, "/query/as_of"],
  ];
  test.each(refused)("%s is %i at %s", async (query, status, pointer) => {
    const response = await ask(query);
    const problem = (await response.json()) as Loose;
    expect([response.status, problem.errors?.[0]?.pointer]).toEqual([status, pointer]);
  });

  test("one that was never listed is 404, by its symbol in any spelling", async () => {
    expect((await ask("/TSLA")).status).toBe(404);
    expect(await look("/O%3ASPXW261218C05800000")).toMatchObject({ symbol: "SPXW261218C05800000" });
  });
});

describe("S4.39 who may", () => {
  const keyWith = async (scopes: string[]) => {
    const response = await fetch(`${app.url}/api/v1/api-keys`, {
      method: "POST",
      headers: { "x-api-key": app.key, "content-type": "application/json" },
      body: JSON.stringify({ name: "narrow", scopes }),
    });
    return ((await response.json()) as Loose).secret as string;
  };
  test("nobody without a key; a key that may read cannot write, one that may not read cannot look", async () => {
    const guest = await fetch(`${app.url}${path}`);
    expect(guest.status).toBe(401);
    const reader = await keyWith(["market:read"]);
    expect((await ask("", { "x-api-key": reader })).status).toBe(200);
    expect((await bring({ symbol: "SPX" }, undefined, { "x-api-key": reader })).status).toBe(403);
    const other = await keyWith(["pricing:read"]);
    for (const place of ["", "/SPX", "/quarantine"])
      expect((await ask(place, { "x-api-key": other })).status).toBe(403);
  });
});

describe("S4.48 what was listed at a moment", () => {
  test("is told as it was known then: before, with its first terms, with others, and gone", async () => {
    const symbol = "SPY261218C00300000";
    const listedAt = Date.parse((await look("/SPY261218C00300100")).listed_at);
    const at = (moment: number) => new Date(moment).toISOString().replace("Z", "999Z");
    expect(symbolsOf(await look(`?as_of=2026-05-01T00:00:00Z`))).toEqual([]);
    expect((await ask(`/${symbol}?as_of=2026-05-01T00:00:00Z`)).status).toBe(404);
    // Its first terms were the symbol's own; they were changed by the import after.
    const first = await look(`/${symbol}?as_of=${at(listedAt + 1)}`);
    expect(first).toMatchObject({ multiplier: 100, expired_at: null });
    const then = await look(`?underlying=SPY&strike_lte=300&as_of=${at(listedAt + 1)}`);
    expect(then.data.find((one: Loose) => one.symbol === symbol)).toMatchObject({ multiplier: 100 });
    expect(await look(`/${symbol}`)).toMatchObject({ multiplier: 10 });

    const expiry = instrumentFromSymbol(symbol, { calendars: builtInCalendars() });
    if (typeof expiry === "string") throw new Error(expiry);
    ahead += expiry.expiry! - clock.nowMicroseconds() + 1_000_000n;
    // At once, whether or not it has been retired.
    expect(symbolsOf(await look("?underlying=SPY"))).toEqual(["SPY"]);
    await until("it is retired", async () => (await look(`/${symbol}`)).expired_at !== null);
    expect(await look(`/${symbol}`)).toMatchObject({ expired_at: formatTimestamp(expiry.expiry!) });
    const before = formatTimestamp(expiry.expiry! - 1n);
    expect(await look(`/${symbol}?as_of=${before}`)).toMatchObject({ expired_at: null, multiplier: 10 });
    expect(symbolsOf(await look(`?underlying=SPY&strike_lte=300&as_of=${before}`))).toContain(symbol);
    expect(symbolsOf(await look(`?underlying=SPY&as_of=${formatTimestamp(expiry.expiry!)}`))).toEqual(["SPY"]);
    expect(await brought({ symbol })).toMatchObject({ expired: 1, listed: 0 });
  });
});
