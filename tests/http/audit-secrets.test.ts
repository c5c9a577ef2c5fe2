// No secret reaches the audit log, whichever way it comes: every way in that takes one is used on the whole application, rightly and
// wrongly, and then every byte of the log's tables is looked through.

import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client/sqlite3";
import { startApp } from "../harness/app";

test("S4.55 S2.32 keys, passwords and tokens that were sent, made or guessed are in no row of the audit log, and addresses only where erasing reaches them", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bsopt-secrets-"));
  const app = await startApp(folder);
  const secrets = new Set<string>();
  /** Only what is behind the last underscore is secret of a key; its id is public. */
  const secretOf = (text: string) => text.split("_").at(-1)!;
  const keep = (secret: string) => {
    secrets.add(secret);
    return secret;
  };
  const send = async (
    method: string,
    path: string,
    options: { headers?: Record<string, string>; body?: unknown } = {},
  ) => {
    const { headers = {}, body } = options;
    const answer = await fetch(`${app.url}${path}`, {
      method,
      headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, json: text.startsWith("{") ? JSON.parse(text) : {} };
  };
  const admin = { "x-api-key": app.key };
  keep(secretOf(app.key));
  const email = "canary.person@example.org";
  try {
    const made = await send("POST", "/api/v1/api-keys", {
      headers: admin,
      body: { name: "bot", scopes: ["pricing:read"] },
    });
    expect(made.status).toBe(201);
    keep(secretOf(made.json.secret));
    const guessed = keep("CanaryGuessedSecretCanaryGuessedSecretCanar");
    const token = `eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJjYW5hcnkifQ.${keep("CanarySignature".repeat(4))}`;
    const password = keep("canary password correct horse");
    const wrong = keep("canary password wrong battery");

    const kept: readonly (readonly [string, string, Parameters<typeof send>[2], number])[] = [
      ["GET", "/api/v1/audit", { headers: { "x-api-key": `bso_AAAAAAAAAAAA_${guessed}` } }, 401],
      ["GET", "/api/v1/audit", { headers: { authorization: `Bearer ${token}` } }, 401],
      ["GET", "/api/v1/audit", { headers: { authorization: `Basic ${keep("Y2FuYXJ5OmNhbmFyeQ")}==` } }, 401],
      ["GET", "/api/v1/audit", { headers: { cookie: `__Host-session=${keep("canarycookiecanarycookie")}` } }, 401],
      ["GET", "/api/v1/audit", { headers: { "user-agent": `mine ${app.key} and ${token}` } }, 401],
      ["GET", `/api/v1/audit?event_type=${guessed}`, { headers: admin }, 422],
      [
        "POST",
        "/api/v1/api-keys",
        { headers: { "x-api-key": made.json.secret }, body: { name: guessed, scopes: ["admin"] } },
        403,
      ],
      ["POST", "/api/v1/auth/register", { body: { email, password, name: "Canary Person" } }, 202],
      ["POST", "/api/v1/auth/login", { body: { email, password: wrong } }, 401],
      [
        "POST",
        "/api/v1/auth/refresh",
        { body: { refresh_token: keep("canaryrefreshcanaryrefreshcanaryrefreshcana") } },
        401,
      ],
      [
        "POST",
        "/api/v1/auth/verify-email",
        { body: { token: keep("canaryverifycanaryverifycanaryverifycanaryv") } },
        0,
      ],
      ["POST", "/api/v1/auth/password/forgot", { body: { email } }, 202],
      [
        "POST",
        "/api/v1/auth/password/reset",
        { body: { token: keep("canaryresetcanaryresetcanaryresetcanaryrese"), password: wrong } },
        0,
      ],
      [
        "POST",
        "/api/v1/auth/login/totp",
        { body: { mfa_token: keep("canarymfacanarymfacanarymfacanarymfacanary1"), code: "123456" } },
        0,
      ],
    ];
    for (const [method, path, options, status] of kept) {
      const answer = await send(method, path, options);
      // 0: refused in one of several ways, which is that route's own test.
      if (status === 0) expect([401, 404, 409, 422]).toContain(answer.status);
      else expect({ path, status: answer.status }).toEqual({ path, status });
    }
    expect((await send("DELETE", `/api/v1/api-keys/${made.json.id}`, { headers: admin })).status).toBe(204);
  } finally {
    await app.stop();
  }

  const client = createClient({ url: `file:${join(folder, "data", "bsopt.db")}`, intMode: "bigint", concurrency: 1 });
  const dump = async (table: string) =>
    JSON.stringify((await client.execute(`SELECT * FROM ${table}`)).rows, (_, value) =>
      typeof value === "bigint" ? String(value) : value,
    );
  const [events, personal] = [await dump("audit_events"), await dump("audit_personal")];
  client.close();
  rmSync(folder, { recursive: true });

  for (const type of [
    "authz.access.denied",
    "apikey.created",
    "apikey.revoked",
    "auth.register",
    "auth.login.failure",
  ]) {
    expect(events).toContain(type);
  }
  for (const secret of secrets) expect(events + personal).not.toContain(secret);
  expect(events).not.toContain(email);
  expect(events).not.toContain("Canary Person");
  // What a client said of itself is kept, with what was secret in it withheld.
  expect(personal).toContain("[withheld]");
}, 30_000);
