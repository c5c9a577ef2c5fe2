// The log of the whole application at level debug, filled with canaries: every place of a request that a client can write into, sign-up,
// sign-in, keys, wrong and right; none of it stands in any line. And which requests get a line, and what it says.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRequestLog } from "../../src/http/request-log";
import type { Answered } from "../../src/http/server";
import { createLog } from "../../src/telemetry/log";
import { startApp } from "../harness/app";
import { testPrincipal } from "../harness/http";

const folder = mkdtempSync(join(tmpdir(), "bsopt-log-"));
let app: Awaited<ReturnType<typeof startApp>>;
let said = "";
const lines = () =>
  said
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Words that stand nowhere but where a test sent them. */
let canaryCount = 0;
const canaries: string[] = [];
function canary(): string {
  canaryCount += 1;
  const word = `Canary${canaryCount}x${Bun.hash(String(canaryCount)).toString(36)}`;
  canaries.push(word);
  return word;
}

beforeAll(async () => {
  const destination = {
    write(line: string) {
      said += line;
    },
  };
  const log = createLog({ level: "debug", version: "0.0.0-test", destination });
  const environment = {
    BSOPT_LOG_LEVEL: "debug",
    BSOPT_REGISTRATION: "open",
    // Nobody listens there; both are tried, and what goes wrong is logged.
    BSOPT_SMTP_URL: `smtp://${canary()}:${canary()}@127.0.0.1:1`,
    BSOPT_REDIS_URL: `redis://${canary()}:${canary()}@127.0.0.1:1/0`,
    BSOPT_RATE_LIMITS: "on",
  };
  app = await startApp(folder, environment, log);
});
afterAll(async () => {
  await app.stop();
  rmSync(folder, { recursive: true });
});

function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  return fetch(app.url + path, {
    method,
    headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
}

describe("S4.55 S2.36 a canary in every place, at level debug", () => {
  const admin = () => ({ "x-api-key": app.key });

  test("of a request's head", async () => {
    await send("GET", `/${canary()}/${canary()}?${canary()}=${canary()}`);
    await send("GET", `/api/v1/status?${canary()}=1`, undefined, admin());
    await send("GET", `/api/v1/api-keys/${canary()}`, undefined, admin());
    await send("GET", `/api/v1/admin/users?email=${canary()}@desk.example`, undefined, admin());
    const names = ["user-agent", "referer", "cookie", "origin", "x-forwarded-for", "idempotency-key", "accept"];
    for (const name of [...names, "traceparent", "x-canary", "content-type"]) {
      await send("POST", "/api/v1/pricing/price", "{}", { ...admin(), [name]: canary() });
    }
    await send("GET", "/api/v1/status", undefined, { "x-api-key": canary() });
    await send("GET", "/api/v1/status", undefined, { "x-api-key": `bso_${canary()}_${canary()}` });
    await send("GET", "/api/v1/status", undefined, { authorization: `Bearer ${canary()}` });
    await send("GET", "/api/v1/status", undefined, { authorization: `Basic ${btoa(`${canary()}:${canary()}`)}` });
    await send("GET", "/api/v1/auth/csrf", undefined, { cookie: `__Host-bsopt=${canary()}` });
    await send(canary().toUpperCase(), "/health");
  });

  test("of a request's body", async () => {
    for (const body of [`{"${canary()}":`, `"${canary()}"`, { [canary()]: canary() }, { spot: canary() }]) {
      for (const path of [
        "/api/v1/pricing/price",
        "/api/v1/api-keys",
        "/api/v1/auth/password",
        "/api/v1/admin/users",
      ]) {
        await send("POST", path, body, admin());
      }
    }
  });

  test("of signing up, in, and what comes of it", async () => {
    const email = `${canary()}@desk.example`;
    const person = { email, password: `${canary()}-long-enough`, name: canary() };
    expect((await send("POST", "/api/v1/auth/register", person)).status).toBe(202);
    for (let round = 0; round < 3; round++) {
      await send("POST", "/api/v1/auth/login", { email, password: canary() });
      await send("POST", "/api/v1/auth/login", { email: `${canary()}@desk.example`, password: canary() });
    }
    await send("POST", "/api/v1/auth/login", { email, password: person.password });
    await send("POST", "/api/v1/auth/login/totp", { mfa_token: canary(), code: "123456" });
    await send("POST", "/api/v1/auth/verify-email", { token: canary() });
    await send("POST", "/api/v1/auth/refresh", { refresh_token: canary() });
    await send("POST", "/api/v1/auth/password/forgot", { email });
    await send("POST", "/api/v1/auth/password/reset", { token: canary(), password: `${canary()}-long-enough` });
    await send("POST", "/api/v1/oauth/token", {
      grant_type: "client_credentials",
      client_id: canary(),
      client_secret: canary(),
    });
    const invited = { email: `${canary()}@desk.example`, name: canary(), role: "trader" };
    expect((await send("POST", "/api/v1/admin/users", invited, admin())).status).toBe(201);
  });

  test("of a key that was made: its name and its secret", async () => {
    const made = await send("POST", "/api/v1/api-keys", { name: canary(), scopes: ["pricing:read"] }, admin());
    const { secret } = (await made.json()) as { secret: string };
    canaries.push(secret, secret.split("_")[2]!, app.key, app.key.split("_")[2]!);
    expect((await send("GET", "/api/v1/status", undefined, { "x-api-key": secret })).status).toBe(200);
  });

  test("stands in no line, and every line is JSON", async () => {
    // The sender looks twice a second; its first failure is what is waited for.
    while (!said.includes("could not be delivered")) await Bun.sleep(20);
    const found = canaries.filter((word) => said.toLowerCase().includes(word.toLowerCase()));
    expect(found).toEqual([]);
    expect(canaries.length).toBeGreaterThan(50);
    expect(said).not.toContain("@desk.example");
    expect(lines().length).toBeGreaterThan(30);
  });
});

describe("S4.55 a request's line", () => {
  test("at level debug every request has one: id, user, method, route, status and duration", async () => {
    const id = "a-request-of-this-test";
    await send("GET", "/api/v1/status", undefined, { "x-api-key": app.key, "x-request-id": id });
    const [line, ...others] = lines().filter((each) => each.request_id === id && each.message === "request");
    expect(others).toEqual([]);
    expect(line).toMatchObject({ level: "debug", method: "GET", route: "/api/v1/status", status: 200 });
    expect(line!.user_id).toBeString();
    expect(line!.duration_ms).toBeGreaterThan(0);
  });

  const answered: Answered = {
    route: null,
    method: "GET",
    status: 200,
    requestId: "r",
    isAdmitted: true,
    principal: testPrincipal("viewer"),
    limit: null,
    problem: null,
    optionCount: null,
    engineMilliseconds: 0,
    milliseconds: 5,
  };
  const rows: readonly (readonly [string, Partial<Answered>, "info" | "debug", string | null])[] = [
    ["quick and well", {}, "info", null],
    ["quick and well, at debug", {}, "debug", "debug"],
    ["just not slow", { milliseconds: 99.9 }, "info", null],
    ["slow", { milliseconds: 100 }, "info", "info"],
    ["slow, at debug", { milliseconds: 100 }, "debug", "info"],
    ["refused", { status: 422 }, "info", null],
    ["failed", { status: 500 }, "info", "info"],
    ["unavailable", { status: 503 }, "info", "info"],
  ];
  test.each(rows)("is written at its level of one that is %s", (_, more, level, expected) => {
    const written: Record<string, unknown>[] = [];
    const destination = { write: (line: string) => void written.push(JSON.parse(line)) };
    const log = createLog({ level, version: "1", destination });
    const tell = createRequestLog({ log, isEveryLogged: level === "debug", slowRequestMilliseconds: 100 });
    tell({ ...answered, ...more });
    expect(written.map((line) => line.level)).toEqual(expected === null ? [] : [expected]);
  });

  test("repeats no method that a client made up", () => {
    const written: Record<string, unknown>[] = [];
    const destination = { write: (line: string) => void written.push(JSON.parse(line)) };
    const log = createLog({ level: "debug", version: "1", destination });
    const tell = createRequestLog({ log, isEveryLogged: true, slowRequestMilliseconds: 100 });
    tell({ ...answered, method: "STEAL", principal: null });
    expect(written[0]).toMatchObject({ method: "other", route: null, user_id: null });
  });
});
