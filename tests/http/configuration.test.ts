// Settings changed while a server runs, on whole applications over sockets and a real database: each one is changed by a request and
// must make the server behave otherwise without a restart; what is wrong changes nothing; what was changed outlives the process and
// reaches others on the database.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openIdentity } from "../../src/app";
import { loadConfig } from "../../src/config/config";
import { type LiveSettingKey, liveSettingKeys } from "../../src/config/live-settings";
import { operator } from "../../src/features/identity/service";
import { systemClock } from "../../src/foundation/clock";
import { type Log, silentLog } from "../../src/foundation/log";
import { systemRandom } from "../../src/foundation/random";
import { startApp } from "../harness/app";
import { until } from "../harness/storage";

type Started = Awaited<ReturnType<typeof startApp>>;
interface Said {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read fields of answers they then assert on
  readonly json: any;
}

const folder = mkdtempSync(join(tmpdir(), "bsopt-configuration-"));
const lines: { level: string; fields: Record<string, unknown>; message: string }[] = [];
const recorder = Object.fromEntries(
  ["debug", "info", "warn", "error"].map((level) => [
    level,
    (fields: object, message: string) => void lines.push({ level, fields: fields as Record<string, unknown>, message }),
  ]),
) as unknown as Log;
let spanCount = 0;
const collector = Bun.serve({
  port: 0,
  fetch: async (request) => {
    spanCount += (await request.text()).split('"traceId"').length - 1;
    return Response.json({});
  },
});
/** The harness switches limits off by the environment, which no change could undo; here the file does. */
const limitsOff = "rate_limits = 'off'\n";
let file = { name: "bsopt.toml", text: limitsOff };
let app: Started;
/** A person signed in, whose requests count by user, and a key of class standard. */
const email = "viewer@example.org";
const password = "staple battery horse correct";

beforeAll(async () => {
  const environment = { BSOPT_OTLP_URL: collector.url.origin, BSOPT_RATE_LIMITS: "" };
  app = await startApp(folder, environment, recorder, async () => file);
  const config = loadConfig({ flags: {}, environment: { BSOPT_DATA_DIR: join(folder, "data") }, file: null });
  const opened = await openIdentity({ config, clock: systemClock, random: systemRandom, log: silentLog });
  const hash = await opened.registration.hashPassword(password, email);
  await opened.identity.createUser({
    actor: operator,
    person: { email, name: "Viewer", role: "viewer", isVerified: true },
    also: (tx, { id: userId }, now) => opened.registration.setPassword(tx, { userId, hash, now }),
  });
  await opened.close();
});
afterAll(async () => {
  await app.stop();
  await collector.stop(true);
  rmSync(folder, { recursive: true });
});

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = { "x-api-key": app.key },
  url = app.url,
): Promise<Said> {
  const answer = await fetch(url + path, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, json: text.startsWith("{") ? JSON.parse(text) : text };
}
const patch = (change: object, headers: Record<string, string> = {}) =>
  call("PATCH", "/api/v1/admin/config", change, { "x-api-key": app.key, ...headers });
const show = (url = app.url) => call("GET", "/api/v1/admin/config", undefined, { "x-api-key": app.key }, url);
const settingOf = (said: Said, key: string) =>
  said.json.settings.find((setting: { key: string }) => setting.key === key);
const signIn = () => call("POST", "/api/v1/auth/login", { email, password }, {});

const option = {
  ...{ model: "black_scholes_merton", option_type: "call", spot: 100, strike: 105 },
  ...{ time_to_expiry: 0.5, rate: 0.03, dividend_yield: 0.01, volatility: 0.2 },
};
const price = (headers?: Record<string, string>) => call("POST", "/api/v1/pricing/price", option, headers);
const everyOutput = { outputs: ["price", "delta", "gamma", "vega", "theta", "speed", "zomma", "color", "ultima"] };
const batch = (count: number, more: object = {}) =>
  call("POST", "/api/v1/pricing/batch", {
    ...{ ...option, ...more },
    strike: Array.from({ length: count }, (_, index) => 50 + (index % 100)),
  });
const table = (count: number) => {
  const rows = Array.from({ length: count }, () => "call,100,105,0.5,0.03,0.01,0.2").join("\n");
  const head = "option_type,spot,strike,time_to_expiry,rate,dividend_yield,volatility";
  return call("POST", "/api/v1/pricing/batch?model=black_scholes_merton", `${head}\n${rows}\n`, {
    "x-api-key": app.key,
    "content-type": "text/csv",
  });
};
const standardKey = async () =>
  (await call("POST", "/api/v1/api-keys", { name: "one of many", scopes: ["pricing:read"], rate_class: "standard" }))
    .json.secret;
const limitSaid = async (key: string) => (await price({ "x-api-key": key })).headers.get("x-ratelimit-limit");

/** Opens a request whose body never ends; gives the way to end the connection. */
async function unfinished(bodyBytes: number, sentBytes: number): Promise<() => void> {
  const { hostname, port } = new URL(app.url);
  const socket = await new Promise<Socket>((resolve) => {
    const opened = connect(Number(port), hostname, () => resolve(opened));
  });
  socket.on("error", () => undefined);
  socket.write(
    `POST /api/v1/pricing/batch HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${app.key}\r\n` +
      `content-type: text/csv\r\ncontent-length: ${bodyBytes}\r\n\r\n${" ".repeat(sentBytes)}`,
  );
  await Bun.sleep(200);
  return () => socket.destroy();
}

/** What the server does under a setting: a word that differs between the two values. */
const rows: readonly {
  readonly change: Partial<Record<LiveSettingKey, unknown>>;
  readonly look: () => Promise<unknown>;
  readonly before: unknown;
  readonly after: unknown;
}[] = [
  {
    change: { log_level: "debug" },
    // Only that lines of requests are made; that the log lets them through is tried on the executable.
    look: async () => {
      lines.length = 0;
      await price();
      return lines.some(({ level, message }) => level === "debug" && message === "request");
    },
    before: false,
    after: true,
  },
  {
    change: { slow_request_ms: 1 },
    look: async () => {
      lines.length = 0;
      // Milliseconds, and on a busy machine no second: a password's hash lets everybody else go first.
      await batch(10_000, everyOutput);
      return lines.some(({ level, message }) => level === "info" && message === "request");
    },
    before: false,
    after: true,
  },
  {
    change: { trace_percent: 100 },
    look: async () => {
      spanCount = 0;
      for (let index = 0; index < 5; index++) await price();
      const deadline = Date.now() + 1500;
      while (spanCount < 5 && Date.now() < deadline) await Bun.sleep(20);
      return spanCount >= 5;
    },
    before: false,
    after: true,
  },
  {
    change: { registration: "closed" },
    look: async () =>
      (await call("POST", "/api/v1/auth/register", { email: "new@example.org", password: "horse battery 11" }, {}))
        .status,
    before: 202,
    after: 403,
  },
  {
    change: { cors_origins: ["https://desk.example"] },
    look: async () =>
      (await price({ "x-api-key": app.key, origin: "https://desk.example" })).headers.get(
        "access-control-allow-origin",
      ),
    before: null,
    after: "https://desk.example",
  },
  { change: { rate_limits: "on" }, look: async () => limitSaid(await standardKey()), before: null, after: "100" },
  {
    change: { rate_limits: "on", user_limit: "7/min burst 7" },
    look: async () => limitSaid(await standardKey()),
    before: null,
    after: "7",
  },
  {
    change: { rate_limits: "on", address_limit: "9/min burst 9" },
    look: async () =>
      (await call("GET", "/api/v1/nothing", undefined, {})).headers.get("x-ratelimit-limit") ??
      (await call("GET", "/.well-known/jwks.json", undefined, {})).headers.get("x-ratelimit-limit"),
    before: null,
    after: "9",
  },
  {
    change: { rate_limits: "on", bot_limit: "11/min burst 11" },
    look: async () => {
      const made = await call("POST", "/api/v1/api-keys", { name: "b", scopes: ["pricing:read"], rate_class: "bot" });
      return limitSaid(made.json.secret);
    },
    before: null,
    after: "11",
  },
  {
    change: { rate_limits: "on", endpoint_limits: ["POST /api/v1/pricing/price=3/min burst 3"] },
    look: async () => limitSaid(await standardKey()),
    before: null,
    after: "3",
  },
  {
    change: { request_bytes_max: 1024 },
    look: async () => (await call("POST", "/api/v1/api-keys", { name: "x".repeat(2000), scopes: [] })).status,
    before: 422,
    after: 413,
  },
  { change: { batch_bytes_max: 1024 }, look: async () => (await batch(500)).status, before: 200, after: 413 },
  { change: { batch_rows_max: 10 }, look: async () => (await batch(11)).status, before: 200, after: 422 },
  {
    change: { batch_rows_max: 10 },
    look: async () => (await call("GET", "/api/v1/pricing/models")).json.batch_rows_max,
    before: 100_000,
    after: 10,
  },
  { change: { table_bytes_max: 1024 }, look: async () => (await table(500)).status, before: 200, after: 413 },
  {
    change: { table_bytes_max: 2048 },
    look: async () =>
      JSON.stringify((await call("GET", "/openapi.json")).json.paths["/api/v1/pricing/batch"]).includes("2048 bytes"),
    before: false,
    after: true,
  },
  { change: { table_rows_max: 10 }, look: async () => (await table(11)).status, before: 200, after: 422 },
  {
    change: { large_bodies_bytes_max: 2_000_000 },
    look: async () => {
      const close = await unfinished(8_000_000, 1_900_000);
      const { status } = await table(60_000);
      close();
      return status;
    },
    before: 200,
    after: 503,
  },
  {
    change: { large_batches_max: 1 },
    look: async () => {
      const answers = await Promise.all(Array.from({ length: 6 }, () => batch(100_000, everyOutput)));
      return answers.some(({ status, json }) => status === 503 && json.code === "BATCHES_WAITING");
    },
    before: false,
    after: true,
  },
  {
    change: { requests_in_flight_max: 1 },
    look: async () => {
      const close = await unfinished(8_000_000, 1000);
      const { status } = await price();
      close();
      await until("the connection's end was seen", async () => (await price()).status === 200);
      return status;
    },
    before: 200,
    after: 503,
  },
  {
    change: { access_token_minutes: 1 },
    look: async () => (await signIn()).json.expires_in,
    before: 900,
    after: 60,
  },
  {
    change: { session_hours: 1 },
    look: async () => {
      const authorization = `Bearer ${(await signIn()).json.access_token}`;
      const { data } = (await call("GET", "/api/v1/auth/sessions", undefined, { authorization })).json;
      const { created_at, expires_at } = data.find((each: { is_current: boolean }) => each.is_current);
      return Math.round((Date.parse(expires_at) - Date.parse(created_at)) / 3_600_000);
    },
    before: 720,
    after: 1,
  },
  {
    change: { cookie_session_hours: 2 },
    look: async () => {
      const opened = await call("POST", "/api/v1/auth/login", { email, password, cookie: true }, {});
      const cookie = opened.headers.get("set-cookie")!.split(";")[0]!;
      const { data } = (await call("GET", "/api/v1/auth/sessions", undefined, { cookie })).json;
      const { created_at, expires_at } = data.find((each: { is_current: boolean }) => each.is_current);
      return Math.round((Date.parse(expires_at) - Date.parse(created_at)) / 3_600_000);
    },
    before: 12,
    after: 2,
  },
  {
    change: { sessions_per_user_max: 1 },
    look: async () => {
      await signIn();
      const authorization = `Bearer ${(await signIn()).json.access_token}`;
      return (await call("GET", "/api/v1/auth/sessions", undefined, { authorization })).json.data.length === 1;
    },
    before: false,
    after: true,
  },
];

/** Tried on their parts, where time is moved by hand: see the tests named after them. */
const triedElsewhere: readonly LiveSettingKey[] = [
  "overload_turn_ms",
  "event_loop_lag_max_ms",
  "session_idle_hours",
  "cookie_session_idle_minutes",
  "backup_every_hours",
  "backup_keep",
];

describe("S5.12 a setting changed while the server runs", () => {
  test("is tried below, each that may be", () => {
    const tried = new Set<string>([...triedElsewhere, ...rows.flatMap(({ change }) => Object.keys(change))]);
    expect([...tried].sort()).toEqual([...liveSettingKeys].sort());
  });

  for (const { change, look, before, after } of rows) {
    test(`${JSON.stringify(change)} turns ${JSON.stringify(before)} into ${JSON.stringify(after)}, and back`, async () => {
      expect(await look()).toEqual(before);
      const changed = await patch(change);
      expect([changed.status, changed.json.code]).toEqual([200, undefined]);
      expect(await look()).toEqual(after);
      const back = Object.fromEntries(Object.keys(change).map((key) => [key, null]));
      expect((await patch(back)).status).toBe(200);
      expect(await look()).toEqual(before);
    }, 20_000);
  }
});

describe("S5.12 GET /api/v1/admin/config", () => {
  test("names every setting with its source and its bounds, and no secret's value", async () => {
    const said = await show();
    expect(said.status).toBe(200);
    expect(settingOf(said, "otlp_headers")).toMatchObject({ secret: true, value: null, live: false });
    expect(settingOf(said, "environment")).toMatchObject({
      value: "test",
      source: "environment",
      origin: "BSOPT_ENVIRONMENT",
      values: ["production", "development", "test"],
    });
    expect(settingOf(said, "slow_request_ms")).toMatchObject({
      value: 1000,
      source: "default",
      live: true,
      minimum: 1,
      maximum: 600_000,
      rule: "must be a whole number from 1 to 600000",
    });
  });

  test("tells a change's source, and counts changes in the ETag", async () => {
    const before = await show();
    const tag = before.headers.get("etag");
    expect(tag).toBe(`"${before.json.revision}"`);
    const changed = await patch({ slow_request_ms: 500 }, { "if-match": tag! });
    expect(changed.headers.get("etag")).toBe(`"${before.json.revision + 1}"`);
    expect(settingOf(changed, "slow_request_ms")).toMatchObject({ value: 500, source: "database" });
    expect((await show()).json).toEqual(changed.json);
  });
});

describe("S5.12 a change", () => {
  test("over a state that is no more is 412 and changes nothing; a weak tag never fits; a star always does", async () => {
    const { headers, json } = await patch({ slow_request_ms: 600 });
    for (const tag of [`"${json.revision - 1}"`, `W/${headers.get("etag")}`, '"x"', ""]) {
      const refused = await patch({ slow_request_ms: 700 }, { "if-match": tag });
      expect([refused.status, refused.json.code]).toEqual([412, "CONFIGURATION_CHANGED"]);
    }
    expect(settingOf(await show(), "slow_request_ms").value).toBe(600);
    expect((await patch({ slow_request_ms: 700 }, { "if-match": `"0", ${headers.get("etag")}` })).status).toBe(200);
    expect((await patch({ slow_request_ms: 800 }, { "if-match": "*" })).status).toBe(200);
  });

  test("of which one part is wrong changes none of it, and every fault is told", async () => {
    const before = await show();
    const refused = await patch({
      slow_request_ms: 1234,
      endpoint_limits: ["GET /nowhere=5/min", "POST /api/v1/pricing/price=5/min", "/also/nowhere*=5/min"],
    });
    expect([refused.status, refused.json.code]).toEqual([422, "CONFIGURATION_INVALID"]);
    expect(refused.json.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      "/endpoint_limits",
      "/endpoint_limits",
    ]);
    expect((await show()).json).toEqual(before.json);
    for (const wrong of [{ slow_request_ms: 0 }, { port: 1 }, { registration: "perhaps" }, {}, { data_dir: "/" }]) {
      expect((await patch(wrong)).status).toBe(422);
    }
    expect((await show()).json).toEqual(before.json);
  });

  test("of what a flag or the environment holds is refused with its name", async () => {
    const held = await startApp(join(folder, "held"), { BSOPT_LOG_LEVEL: "warn" });
    try {
      const refused = await call(
        "PATCH",
        "/api/v1/admin/config",
        { log_level: "debug", slow_request_ms: 3 },
        { "x-api-key": held.key },
        held.url,
      );
      expect([refused.status, refused.json.code]).toEqual([409, "SETTING_HELD"]);
      expect(refused.json.errors).toEqual([
        { pointer: "/log_level", code: "SETTING_HELD", detail: "is held by BSOPT_LOG_LEVEL, which is stronger" },
      ]);
    } finally {
      await held.stop();
    }
  });

  test("sent twice under one key is made once, and its lines in the audit name old and new", async () => {
    const headers = { "idempotency-key": "config-once" };
    const [first, second] = [
      await patch({ slow_request_ms: 901 }, headers),
      await patch({ slow_request_ms: 901 }, headers),
    ];
    expect([first.status, second.status, second.headers.get("idempotency-replayed")]).toEqual([200, 200, "true"]);
    expect(second.json).toEqual(first.json);
    const { data } = (await call("GET", "/api/v1/audit?event_type=config.update&limit=1")).json;
    expect(data[0]).toMatchObject({
      resource: "config/slow_request_ms",
      action: "update",
      status: "success",
      details: { before: "800", after: "901", source: "database" },
    });
    expect(data[0].user_id).not.toBeNull();
  });

  test("reaches another server on the database within seconds, and holds after a restart of both", async () => {
    const shared = join(folder, "shared");
    const [one, other] = [await startApp(shared), await startApp(shared)];
    const headers = { "x-api-key": one.key };
    const valueAt = async (url: string) =>
      settingOf(await call("GET", "/api/v1/admin/config", undefined, headers, url), "batch_rows_max").value;
    try {
      expect((await call("PATCH", "/api/v1/admin/config", { batch_rows_max: 5 }, headers, one.url)).status).toBe(200);
      await until("the other has heard", async () => (await valueAt(other.url)) === 5);
      const rowsOf6 = { ...option, strike: [1, 2, 3, 4, 5, 6] };
      expect((await call("POST", "/api/v1/pricing/batch", rowsOf6, headers, other.url)).status).toBe(422);
    } finally {
      await one.stop();
      await other.stop();
    }
    const again = await startApp(shared);
    try {
      expect(await valueAt(again.url)).toBe(5);
    } finally {
      await again.stop();
    }
  });

  test("that this executable cannot use is left out and told, and the start goes on", async () => {
    const older = join(folder, "older");
    const first = await startApp(older);
    await call("PATCH", "/api/v1/admin/config", { slow_request_ms: 77 }, { "x-api-key": first.key }, first.url);
    await first.stop();
    const config = loadConfig({ flags: {}, environment: { BSOPT_DATA_DIR: join(older, "data") }, file: null });
    const { Database } = await import("bun:sqlite");
    const database = new Database(config.storage.databaseUrl.replace("file:", ""));
    const settings = JSON.stringify({ slow_request_ms: 77, log_level: "loud", not_known: 1, port: 1 });
    database.run("UPDATE changed_settings SET settings = ?", [settings]);
    database.close();
    lines.length = 0;
    const second = await startApp(older, {}, recorder);
    try {
      const headers = { "x-api-key": first.key };
      const said = await call("GET", "/api/v1/admin/config", undefined, headers, second.url);
      expect(settingOf(said, "slow_request_ms").value).toBe(77);
      expect(settingOf(said, "log_level")).toMatchObject({ value: "info", source: "default" });
      expect(lines.find(({ message }) => message.includes("of no use"))?.fields).toEqual({
        settings: ["log_level", "not_known", "port"],
      });
    } finally {
      await second.stop();
    }
  });
});

describe("S5.12 the file read anew", () => {
  const reload = async (text: string) => {
    file = { name: "bsopt.toml", text: limitsOff + text };
    lines.length = 0;
    await app.reload();
  };

  test("changes what may change, names what waits for the next start, and is audited", async () => {
    await patch({ slow_request_ms: null });
    await reload('slow_request_ms = 222\nport = 4711\nregistration = "invite"\n');
    const said = await show();
    expect(settingOf(said, "slow_request_ms")).toMatchObject({ value: 222, source: "file" });
    expect(settingOf(said, "port")).toMatchObject({ value: 0, restart_needed: false });
    expect(lines.find(({ message }) => message === "settings read anew")?.fields.settings).toEqual([
      "slow_request_ms",
      "registration",
    ]);
    const { data } = (await call("GET", "/api/v1/audit?event_type=config.update&limit=2")).json;
    expect(data.map(({ resource, action, user_id }: Record<string, unknown>) => [resource, action, user_id])).toEqual([
      ["config/registration", "reload", null],
      ["config/slow_request_ms", "reload", null],
    ]);
    expect(data[1].details).toMatchObject({ by: "operator", before: "1000", after: "222", source: "file" });
    await reload("mail_from = 'desk@example.org'\n");
    expect(settingOf(await show(), "mail_from")).toMatchObject({
      value: "bsopt <bsopt@localhost>",
      restart_needed: true,
    });
    expect(lines.find(({ level }) => level === "warn")?.fields.settings).toEqual(["mail_from"]);
  });

  test("with a fault in it changes nothing: all faults are logged at once, and the attempt is audited", async () => {
    await reload("slow_request_ms = 333\n");
    const before = await show();
    await reload(
      'slow_request_ms = 0\ntrusted_proxies = ["10.0.0.1/8", "10.0.0.0/8", "::1/1"]\nendpoint_limits = ["/no=1/min"]\nprot = 1\n',
    );
    expect((await show()).json).toEqual(before.json);
    const told = lines.filter(({ level }) => level === "error");
    expect(told).toHaveLength(1);
    expect(told[0]!.fields.faults).toHaveLength(5);
    const { data } = (await call("GET", "/api/v1/audit?event_type=config.update&limit=1")).json;
    expect(data[0]).toMatchObject({ resource: "config", action: "reload", status: "failure" });
    await reload("this is no toml");
    expect(lines.find(({ level }) => level === "error")!.fields.faults).toEqual(["bsopt.toml must be valid TOML"]);
    expect((await show()).json).toEqual(before.json);
  });

  test("yields to what was changed by a request", async () => {
    await patch({ slow_request_ms: 444 });
    await reload("slow_request_ms = 555\n");
    expect(settingOf(await show(), "slow_request_ms")).toMatchObject({ value: 444, source: "database" });
    await patch({ slow_request_ms: null });
    expect(settingOf(await show(), "slow_request_ms")).toMatchObject({ value: 555, source: "file" });
  });
});
