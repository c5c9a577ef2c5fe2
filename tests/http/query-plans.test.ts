// Every statement that the running application gives the database, explained: none may read a whole table that grows. The statements are
// taken where the driver prepares them, while every route is driven to success and every loop has made its rounds, so a new route or
// query is judged without anybody listing it. What reads a whole table on purpose stands below with its reason.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import type { App } from "../../src/app";
import type { OnUnforeseen, UnforeseenKind } from "../../src/app/unforeseen";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { startApp } from "../harness/app";
import type { Loose } from "../harness/executable";
import { tokenInMail } from "../harness/mail-server";
import { recordingLog, temporaryFolder, until } from "../harness/storage";
import { StreamClient } from "../harness/stream-client";
import { totpOf } from "../harness/totp";

/** Tables that stay small whatever the server does. */
const smallTables = [
  "changed_settings",
  "tracked_errors",
  "schema_migrations",
  "signing_keys",
  "tuned_connection",
  "instrument_quarantine",
  // A parameter.
  "json_each",
  // A row an underlying.
  "archive_underlyings",
];

/** Statements that read a whole table on purpose. */
const allowed: readonly { readonly statement: RegExp; readonly why: string }[] = [
  {
    statement: /^select .* from "(users|audit_events)"( left join \S+ on \S+ = \S+)? order by [^()]* desc limit \?$/i,
    why: "the newest first, in an index's order: it ends after as many rows as a page has",
  },
  {
    statement: /^select .* from "users" where "users"."disabled_at" is not null order by .* desc limit \?$/,
    why: "the same in an index that holds nobody else",
  },
  { statement: /^select "id" from "users" limit \?$/, why: "whether there is anybody: it ends at the first row" },
  { statement: /^SELECT id, hash FROM audit_events ORDER BY id DESC LIMIT 1$/, why: "the last row, by its number" },
  {
    statement: /^select "revision" from "instruments" order by "instruments"."revision" desc limit \?$/,
    why: "the last revision, by its index",
  },
  {
    statement: /^select .* from "market_mode_changes" order by "market_mode_changes"."at" desc limit \?$/,
    why: "the last row, by its key",
  },
  {
    statement:
      /^select .* from "subscriptions" order by "subscriptions"."created_at" asc, "subscriptions"."id" asc limit \?$/,
    why: "all of them, which who leads the market must know, a page at a time in an index's order",
  },
  { statement: /^select .* from "audit_checkpoints" order by .* desc limit \?$/, why: "there is one at most" },
  { statement: /^select .* from "audit_erasures" where .* limit \?$/, why: "a row stands there for two minutes" },
  {
    statement: /^select "timestamp", "id" from "audit_events" order by .* desc limit \? offset \?$/,
    why: "the end of a window of 2,000 rows, by the index alone",
  },
  {
    statement: /^select .* from "audit_events" .* where "audit_events"."status" = \? order by .* desc limit \?$/,
    why: "asked only where the log is no longer than one window of 2,000 rows; else it says where the window ends",
  },
];

const prepared = new Set<string>();
const prototype = Database.prototype as { prepare(sql: string): unknown };
const original = prototype.prepare;

/** The machine's clock, which the test sets on; what sleeps longer than a quarter of a second wakes up then, so that each loop is soon round. */
class ForwardClock implements Clock {
  aheadMicroseconds = 0n;
  nowMicroseconds = () => systemClock.nowMicroseconds() + this.aheadMicroseconds;
  monotonicMilliseconds = () => systemClock.monotonicMilliseconds() + Number(this.aheadMicroseconds) / 1000;
  sleep = (milliseconds: number, signal?: AbortSignal) => systemClock.sleep(Math.min(milliseconds, 250), signal);
}

const clock = new ForwardClock();
const log = recordingLog();
let app: App & { readonly key: string };
// Before the folder goes.
afterAll(async () => {
  prototype.prepare = original;
  await app.stop();
});
const folder = temporaryFolder();
/** Tells the application of an error that nobody caught. */
let tell: ((kind: UnforeseenKind, error: unknown) => void) | null = null;
/** What the documents call each route that has answered as asked. */
const succeeded = new Set<string>();
let document: Loose;

beforeAll(async () => {
  prototype.prepare = function (sql: string) {
    prepared.add(sql);
    return original.call(this, sql);
  };
  const environment = { BSOPT_REGISTRATION: "open", BSOPT_AUDIT_RETENTION_DAYS: "365" };
  const onUnforeseen: OnUnforeseen = (listener) => {
    tell = listener;
    return () => undefined;
  };
  app = await startApp(folder, environment, log, undefined, onUnforeseen, clock);
  document = await (await fetch(`${app.url}/openapi.json`)).json();
}, 60_000);

interface Asked {
  readonly bearer?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

/** One request; its answer's body. Throws where the answer is a refusal. */
async function ask(method: string, path: string, { bearer = app.key, headers = {}, body }: Asked = {}): Promise<Loose> {
  const answer = await fetch(`${app.url}${path}`, {
    method,
    headers: {
      ...(bearer !== "" && { authorization: `Bearer ${bearer}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  const place = path.split("?")[0]!;
  const pattern = Object.keys(document.paths)
    .sort((one, other) => Number(other === place) - Number(one === place))
    .find((known) => new RegExp(`^${known.replace(/\{[^}]+\}/g, "(?!me$)[^/]+")}$`).test(place));
  const operation = document.paths[pattern ?? ""]?.[method.toLowerCase()];
  if (operation) succeeded.add(operation.operationId);
  const isJson = answer.headers.get("content-type")?.includes("json") && !path.includes("format=");
  return isJson && text !== "" ? JSON.parse(text) : text;
}

const post = (path: string, body?: unknown, more: Asked = {}) => ask("POST", `/api/v1/${path}`, { ...more, body });
const once = (key: string) => ({ headers: { "idempotency-key": key } });

/** The newest token mailed to the address, once it has come. */
async function mailed(to: string, subject: string): Promise<string> {
  const mails = join(folder, "data", "mail");
  let found: string | undefined;
  await until(`a mail "${subject}" has come to ${to}`, () => {
    const texts = readdirSafe(mails).map((name) => readFileSync(join(mails, name), "utf8"));
    found = texts.find((text) => text.includes(to) && text.includes(`Subject: ${subject}`));
    return found !== undefined;
  });
  return tokenInMail(found!);
}

function readdirSafe(path: string): string[] {
  try {
    return readdirSync(path).filter((name) => name.endsWith(".eml"));
  } catch {
    return [];
  }
}

const ada = "ada@example.org";
const first = "seven-green-boats";
const second = "eight-blue-trains";

/** Somebody's whole life: registering, signing in each way, a second factor, keys, leaving for good. */
async function live(): Promise<void> {
  const open = { bearer: "" };
  await post("auth/register", { email: ada, password: first, name: "Ada" }, open);
  await mailed(ada, "Confirm your address");
  await post("auth/register", { email: "late@example.org", password: first, name: "Late" }, open);
  await post("auth/resend-verification", { email: ada }, open);
  await post("auth/register", { email: ada, password: first, name: "Ada" }, open);
  const tokens = async (subject: string) => mailed(ada, subject);
  await until("Ada's address is confirmed", async () => {
    const texts = readdirSafe(join(folder, "data", "mail")).map((name) =>
      readFileSync(join(folder, "data", "mail", name), "utf8"),
    );
    for (const token of texts.map(tokenInMail)) {
      const done = await post("auth/verify-email", { token }, open).catch(() => null);
      if (done) return true;
    }
    return false;
  });
  await post("auth/password/forgot", { email: ada }, open);
  await post("auth/password/reset", { token: await tokens("Set a new password"), password: second }, open);
  const signed = await post("auth/login", { email: ada, password: second }, open);
  await post("auth/login", { email: ada, password: "wrong-horse-battery" }, open).catch(() => null);
  await post("auth/login", { email: "nobody@example.org", password: second }, open).catch(() => null);
  const fresh = await post("auth/refresh", { refresh_token: signed.refresh_token }, open);
  await post("auth/refresh", { refresh_token: signed.refresh_token }, open).catch(() => null);
  const me = { bearer: fresh.access_token as string };
  await post("auth/reauthenticate", { password: second }, me);
  await ask("GET", "/api/v1/auth/me", me);
  await ask("PATCH", "/api/v1/auth/me", { ...me, body: { name: "Ada Lovelace" } });
  await ask("GET", "/api/v1/auth/me/export", me);
  await ask("GET", "/api/v1/auth/sessions", me);
  const other = await post("auth/login", { email: ada, password: second }, open);
  const sessions = (await ask("GET", "/api/v1/auth/sessions", me)).data as Loose[];
  await ask("DELETE", `/api/v1/auth/sessions/${sessions.find((session) => !session.current)?.id}`, me);
  await post("auth/login", { email: ada, password: second }, open);
  await ask("DELETE", "/api/v1/auth/sessions", me);
  await post("auth/refresh", { refresh_token: other.refresh_token }, open).catch(() => null);
  const { secret } = await post("auth/totp/setup", undefined, me);
  // A code counts once, and the one of the half minute before is still taken.
  await post("auth/totp/confirm", { code: totpOf(secret, Date.now() - 30_000) }, me);
  const asked = await post("auth/login", { email: ada, password: second }, open);
  const code = totpOf(secret, Date.now());
  await post("auth/login/totp", { mfa_token: asked.mfa_token, code }, open);
  await post("auth/totp/disable", { password: second }, me);
  const kept = await fetch(`${app.url}/api/v1/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: ada, password: second, cookie: true }),
  });
  const cookie = kept.headers.get("set-cookie")!.split(";")[0]!;
  const { csrf_token: csrf } = await ask("GET", "/api/v1/auth/csrf", { bearer: "", headers: { cookie } });
  await post("auth/logout", undefined, { bearer: "", headers: { cookie, origin: app.url, "x-csrf-token": csrf } });
  await post("auth/password", { current_password: second, new_password: first }, me);
  const again = { bearer: (await post("auth/login", { email: ada, password: first }, open)).access_token as string };
  const made = await post("api-keys", { name: "bot", scopes: ["pricing:read"] }, { ...again, ...once("a-key") });
  await post("api-keys", { name: "bot", scopes: ["pricing:read"] }, { ...again, ...once("a-key") });
  await ask("GET", "/api/v1/api-keys?limit=1", again);
  await ask("GET", `/api/v1/api-keys/${made.id}`, again);
  const [, id, key] = /^bso_([^_]+)_(.+)$/.exec(made.secret)!;
  const credentials = { grant_type: "client_credentials", client_id: id, client_secret: key, scope: "pricing:read" };
  const token = await post("oauth/token", credentials, open);
  const { ticket } = await post("ws/tickets", undefined, again);
  await (await StreamClient.open(app.url, { path: `/api/v1/ws?ticket=${ticket}` })).close();
  await ask("GET", "/api/v1/pricing/models", { bearer: token.access_token });
  await ask("DELETE", `/api/v1/api-keys/${made.id}`, again);
  await ask("DELETE", "/api/v1/auth/me", again);
}

/** What an administrator does and looks at, page by page and by every filter. */
async function administer(): Promise<void> {
  const people: string[] = [];
  for (const name of ["grace", "alan", "edsger"]) {
    const body = { email: `${name}@example.org`, name, role: "trader" };
    people.push((await post("admin/users", body, once(`user-${name}`))).user.id);
  }
  await ask("GET", `/api/v1/admin/users/${people[0]}`);
  await ask("PATCH", `/api/v1/admin/users/${people[0]}`, { body: { role: "viewer" } });
  await ask("PATCH", `/api/v1/admin/users/${people[1]}`, { body: { disabled: true } });
  await post(`api-keys?user_id=${people[0]}`, { name: "theirs", scopes: ["pricing:read"] }, once("their-key"));
  await ask("GET", `/api/v1/api-keys?user_id=${people[0]}`);
  await ask("DELETE", `/api/v1/admin/users/${people[2]}`);
  await everyPage("/api/v1/admin/users?limit=2");
  await everyPage("/api/v1/api-keys?limit=1");
  for (const filter of ["role=trader", "email=grace@example.org", "disabled=true", "disabled=false&role=viewer"])
    await everyPage(`/api/v1/admin/users?limit=1&${filter}`);
  const from = new Date(Date.now() - 3_600_000).toISOString();
  const filters = [
    "event_type=auth.login.success",
    `user_id=${people[0]}`,
    "status=failure",
    `from=${from}`,
    `to=${from}`,
  ];
  for (let chosen = 0; chosen < 2 ** filters.length; chosen++) {
    const query = filters.filter((_, index) => chosen & (2 ** index)).join("&");
    await everyPage(`/api/v1/audit?limit=40&${query}`);
    if (chosen % 5 === 0) await ask("GET", `/api/v1/audit?format=csv&${query}`);
  }
  await ask("GET", "/api/v1/audit?event_type=auth.login.success,auth.login.failure&format=ndjson").catch(() => null);
  for (const name of ["one", "other"]) tell!("unhandled_rejection", Object.assign(new Error(name), { name }));
  let errors: Loose[] = [];
  await until("the errors are listed", async () => {
    errors = (await ask("GET", "/api/v1/admin/errors")).data;
    return errors.length === 2;
  });
  await post(`admin/errors/${errors[0].id}/resolve`);
  for (const state of ["open", "resolved"]) await everyPage(`/api/v1/admin/errors?limit=1&state=${state}`);
  await everyPage("/api/v1/admin/errors?limit=1");
  tell!("unhandled_rejection", Object.assign(new Error("again"), { name: "one" }));
  await ask("GET", "/api/v1/admin/config");
  await ask("PATCH", "/api/v1/admin/config", { body: { slow_request_ms: 900 }, ...once("config") });
  await ask("GET", "/api/v1/admin/signing-keys");
  await post("admin/signing-keys", {}, once("rotation"));
  await ask("GET", "/.well-known/jwks.json");
}

async function everyPage(path: string): Promise<void> {
  let cursor: string | null = null;
  for (let page = 0; page < 50; page++) {
    const { next_cursor: next } = await ask("GET", cursor === null ? path : `${path}&cursor=${cursor}`);
    if (next === null || next === undefined) return;
    cursor = next;
  }
}

/** Instruments come, change, are asked for in every way, now and as of before, and expire. */
async function list(): Promise<void> {
  const soon = new Date(Date.now() + 20 * 86_400_000);
  const month = soon.toLocaleString("en-US", { month: "short", timeZone: "UTC" }).toUpperCase();
  const symbol = `deribit:BTC-${soon.getUTCDate()}${month}${soon.getUTCFullYear() - 2000}-50000-C`;
  await post("market/instruments", { instruments: [{ symbol }, { symbol: "no such" }] }, once("a-list"));
  await post("market/instruments", { symbol, multiplier: 10 });
  const asOf = new Date().toISOString();
  const bounds =
    "expiry_gte=2020-01-01&expiry_lte=2099-01-01&strike_gte=1&strike_lte=100000&kind=option&option_type=call";
  const of = "underlying=deribit:BTC";
  for (const query of ["limit=1", of, bounds, `as_of=${asOf}`, `${of}&as_of=${asOf}`, `${bounds}&${of}&as_of=${asOf}`])
    await everyPage(`/api/v1/market/instruments?${query}`);
  await ask("GET", "/api/v1/market/instruments?format=csv");
  await ask("GET", `/api/v1/market/instruments/${encodeURIComponent(symbol)}`);
  await ask("GET", `/api/v1/market/instruments/${encodeURIComponent(symbol)}?as_of=2099-01-01T00:00:00Z`);
  await everyPage("/api/v1/market/instruments/quarantine?limit=1");
  await ask("GET", `/api/v1/market/mode?as_of=${asOf}`);
  const ts = new Date().toISOString();
  await ask("POST", "/api/v1/market/quotes", { body: { symbol: "SPX", ts, bid: 5800, ask: 5801 } });
  for (const path of ["quotes?underlying=SPX", "greeks?symbols=SPX", "chain/SPX", "surface/SPX"])
    await ask("GET", `/api/v1/market/${path}`);
  await ask("GET", `/api/v1/market/quotes?symbols=SPX&as_of=${new Date().toISOString()}`);
  const { id } = await post("subscriptions", { symbols: [symbol] }, once("a-subscription"));
  for (const query of ["limit=1", `limit=1&${of}`, "limit=1&account_id=main"])
    await everyPage(`/api/v1/subscriptions?${query}`);
  await ask("GET", `/api/v1/subscriptions/${id}`);
  await ask("DELETE", `/api/v1/subscriptions/${id}`);
}

/** Routes that come to no table but the credentials'. */
async function price(): Promise<void> {
  for (const [path, methods] of Object.entries<Loose>(document.paths)) {
    for (const [method, operation] of Object.entries<Loose>(methods)) {
      if (succeeded.has(operation.operationId) || /admin|auth|keys|audit/.test(path)) continue;
      const example = Object.values<Loose>(operation.requestBody?.content["application/json"].examples ?? {})[0];
      // What it cannot do without, by the document's own examples.
      const wanted = (operation.parameters ?? []).filter((parameter: Loose) => parameter.required === true);
      const exampleOf = ({ schema }: Loose) =>
        encodeURIComponent(schema.examples?.[0] ?? schema.anyOf?.[0]?.const ?? schema.enum?.[0] ?? "SPX");
      const place = path.replace(/\{([^}]+)\}/g, (_, name) =>
        exampleOf(wanted.find((one: Loose) => one.name === name)),
      );
      const query = wanted
        .filter((one: Loose) => one.in === "query")
        .map((one: Loose) => `${one.name}=${exampleOf(one)}`);
      const address = query.length === 0 ? place : `${place}?${query.join("&")}`;
      await ask(method.toUpperCase(), address, example && { body: example.value });
    }
  }
}

/** What EXPLAIN QUERY PLAN says of a statement, a line each. */
function planOf(database: Loose, sql: string): string[] {
  const statement = original.call(database, `EXPLAIN QUERY PLAN ${sql}`) as Loose;
  return statement.all().map((row: Loose) => row.detail as string);
}

test("S3.05 no statement that the application gives the database reads a whole table that grows", async () => {
  await live();
  await administer();
  await list();
  await price();
  const operations = Object.values<Loose>(document.paths).flatMap((methods) =>
    Object.values<Loose>(methods).map(({ operationId }) => operationId as string),
  );
  expect(operations.filter((operation) => !succeeded.has(operation))).toEqual([]);

  // Past every term, so that what sweeps finds something to sweep.
  clock.aheadMicroseconds += 400n * 86_400_000_000n;
  const database = new Database(join(folder, "data", "bsopt.db")) as Loose;
  const market = new Database(join(folder, "data", "market.db")) as Loose;
  const count = (table: string) => {
    const statement = original.call(database, `SELECT count(*) AS count FROM ${table}`) as Loose;
    return Number(statement.get().count);
  };
  const swept = ["refresh_tokens", "login_challenges", "mailed_tokens", "idempotency_answers", "login_sessions"];
  await until("what has run out is swept away", () => swept.every((table) => count(table) === 0));
  await until("who never confirmed is gone", () => count("users WHERE confirm_by IS NOT NULL") === 0);

  const statements = [...prepared].filter((sql) => /^\s*(select|insert|update|delete|with)\b/i.test(sql));
  expect(statements.length).toBeGreaterThan(150);
  // Each reason is needed: one whose statement is gone, or finds an index now, is taken off the list.
  const needed = new Set<RegExp>();
  const faults: string[] = [];
  for (const sql of statements) {
    // The market's log is a database of its own.
    const place = /\b(archive|history|candle)_/.test(sql) ? market : database;
    const read = planOf(place, sql).flatMap((line) => /^SCAN (?!(?:\d+ )?CONSTANT)(\S+)/.exec(line)?.slice(1) ?? []);
    // What the database says of itself is as long as its schema.
    const whole = read.filter((name) => !smallTables.includes(name) && !/^(pragma_|sqlite_schema$)/.test(name));
    if (whole.length === 0) continue;
    const reason = allowed.find(({ statement }) => statement.test(sql));
    if (reason) needed.add(reason.statement);
    else faults.push(`${whole.join(", ")}: ${sql}\n   ${planOf(place, sql).join("\n   ")}`);
  }
  database.close();
  market.close();
  expect(faults).toEqual([]);
  expect(allowed.filter(({ statement }) => !needed.has(statement))).toEqual([]);
}, 60_000);
