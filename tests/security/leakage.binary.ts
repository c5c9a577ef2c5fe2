// Secrets that must stand nowhere but where they were given: after every way of signing in, failing and being refused, the log, the
// audit log, the answers, the database's rows, the command line and the files are searched for each one that was ever at hand. Error
// answers and the log of every other run in this folder are searched the same way, by the harness.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { type MailServer, startMailServer, tokenInMail } from "../harness/mail-server";
import { type Person, SecuredServer } from "../harness/secured-server";
import { until } from "../harness/storage";
import { totpOf } from "../harness/totp";

let server: SecuredServer;
let mail: MailServer;
let person: Person;
/** Everything secret of this run, by what it is. */
const secrets = new Map<string, string>();
const smtpPassword = "canary-smtp-password";
const mistyped = "canary typed a password where the address belongs";

function keep(name: string, secret: string): string {
  secrets.set(name, secret);
  return server.keep(name, secret);
}

beforeAll(async () => {
  mail = await startMailServer({ credentials: { user: "desk", password: smtpPassword } });
  server = await SecuredServer.start({
    mail,
    environment: { BSOPT_SMTP_URL: `smtp://desk:${smtpPassword}@127.0.0.1:${mail.port}?tls=off` },
  });
  keep("the mail server's password", smtpPassword);
  keep("the master key", readFileSync(server.installation.path("bsopt-data", "master-key"), "utf8").trim());
  for (const [role, key] of Object.entries(server.keys)) {
    keep(`the ${role}'s key`, key);
    keep(`the secret of the ${role}'s key`, key.split("_")[2]!);
  }
  await live();
}, 60_000);
afterAll(async () => {
  await server.close();
  await mail.close();
});

const post = (path: string, body: object, more: object = {}) =>
  server.call("POST", `/api/v1/${path}`, { body, headers: server.stranger(), ...more });

/** Somebody's whole life here, and everything that can go wrong in it. */
async function live(): Promise<void> {
  const email = server.keep("the address of who registers", "canary.registers@canary-mail.example");
  const password = keep("the password of who registers", "canary registering walrus-kettle");
  await post("auth/register", { email, password, name: "Canary" });
  await until("the mail to confirm came", () => mail.mails.length === 1);
  const token = keep("the token to confirm", tokenInMail(mail.mails[0]!.text));
  await post("auth/verify-email", { token: `${token.slice(0, -1)}A` });
  await post("auth/verify-email", { token });
  await post("auth/verify-email", { token });

  await post("auth/login", { email, password: keep("a wrong password", "canary wrong walrus-kettle") });
  await post("auth/login", { email: mistyped, password: "x" });
  await post("auth/login", { email, password, role: "admin" });
  keep("a password typed as the address", mistyped);
  person = await server.person("risk");
  keep("the password of the command line", person.password);
  const signedIn = await post("auth/login", { email, password });
  const bearer = keep("an access token", signedIn.json.access_token);
  const refresh = keep("a refresh token", signedIn.json.refresh_token);
  const browser = await post("auth/login", { email, password, cookie: true });
  keep("a session cookie", /=([^;]+)/.exec(browser.headers.get("set-cookie")!)![1]!);
  keep("a CSRF token", browser.json.csrf_token);
  await server.call("GET", "/api/v1/admin/users", { bearer });
  await server.call("GET", "/api/v1/pricing/models", { bearer: `${bearer.slice(0, -2)}AA` });
  await server.call("GET", `/api/v1/pricing/models?token=${bearer}&access_token=${refresh}`, { bearer });

  const made = await post("api-keys", { name: "canary", scopes: ["pricing:read"] }, { bearer });
  const key = keep("a person's key", made.json.secret);
  const [, id = "", secret = ""] = key.split("_");
  keep("the secret of a person's key", secret);
  const given = await post("oauth/token", { grant_type: "client_credentials", client_id: id, client_secret: secret });
  keep("a token for a key", given.json.access_token);
  await post("oauth/token", {
    grant_type: "client_credentials",
    client_id: id,
    client_secret: `${secret.slice(0, -1)}!`,
  });
  await server.call("GET", "/api/v1/pricing/models", {
    key: `bso_${id}_${keep("a guessed secret", "canaryguess".repeat(4))}`,
  });

  const renewed = await post("auth/refresh", { refresh_token: refresh });
  keep("the next refresh token", renewed.json.refresh_token);
  keep("the next access token", renewed.json.access_token);
  await post("auth/refresh", { refresh_token: refresh });

  const setup = await server.call("POST", "/api/v1/auth/totp/setup", { bearer });
  const totp = keep("a TOTP secret", setup.json.secret);
  await post("auth/totp/confirm", { code: "000000" }, { bearer });
  const confirmed = await post("auth/totp/confirm", { code: totpOf(totp, Date.now()) }, { bearer });
  for (const [index, code] of confirmed.json.recovery_codes.entries()) {
    keep(`recovery code ${index}`, code);
    keep(`recovery code ${index} without its dashes`, code.replaceAll("-", ""));
  }
  const challenged = await post("auth/login", { email, password });
  keep("an mfa token", challenged.json.mfa_token);
  await post("auth/login/totp", { mfa_token: challenged.json.mfa_token, code: "000000" });

  await post("auth/password/forgot", { email });
  await until("the mail to set a password came", () => mail.mails.length === 2);
  const reset = keep("the token to set a password", tokenInMail(mail.mails[1]!.text));
  const next = keep("the next password", "canary next walrus-kettle");
  await post("auth/password/reset", { token: reset, password: "password1" });
  await post("auth/password/reset", { token: reset, password: next });
  await post("auth/password/reset", { token: reset, password: next });
  await until("the mail about it came", () => mail.mails.length === 3);
  const { keyPair } = await server.signingKey();
  keep("the signing key", keyPair.privateJwk.d);
}

/** Which secrets stand in a text. */
function found(text: string): string[] {
  const lower = text.toLowerCase();
  return [...secrets].filter(([, secret]) => lower.includes(secret.toLowerCase())).map(([name]) => name);
}

describe("S4.55 S4.54 secret leakage by a database that fails in the middle", () => {
  let broken: SecuredServer;
  beforeAll(async () => {
    broken = await SecuredServer.start();
    const database = broken.database();
    for (const table of ["users", "passwords", "api_keys", "outbox_messages", "login_sessions"]) {
      const fails = "select raise(abort, 'canary-fault')";
      await database.batch([`create trigger fail_${table} before insert on ${table} begin ${fails}; end`], "write");
    }
    database.close();
  });
  afterAll(() => broken.close());

  test("tells and logs neither what was to be written nor the statement's values", async () => {
    const email = broken.keep("an address that could not be written", "fails@canary-mail.example");
    const password = broken.keep("a password that could not be written", "canary failing dormouse-anvil");
    const name = broken.keep("a name that could not be written", "Canary Whose Name Is Not Written");
    for (const [path, body, key] of [
      ["auth/register", { email, password, name }, undefined],
      ["auth/password/forgot", { email }, undefined],
      ["admin/users", { email, name, role: "viewer" }, "admin"],
      ["api-keys", { name, scopes: ["pricing:read"] }, "admin"],
    ] as const) {
      const answer = await broken.call("POST", `/api/v1/${path}`, {
        body,
        ...(key && { key }),
        headers: broken.stranger(),
      });
      expect([path, answer.status, answer.json.code]).toEqual([path, 500, "INTERNAL"]);
      expect(answer.text).not.toMatch(/canary|insert|trigger/i);
    }
    const failures = broken
      .log()
      .split("\n")
      .filter((line) => line.includes("request failed"));
    expect(failures.length).toBe(4);
    // No hash either: neither a password's nor a key's.
    for (const line of failures) expect(line).not.toMatch(/\$argon2|[0-9a-f]{64}|insert into/i);
  });
});

describe("S4.55 S4.54 secret leakage", () => {
  test("a whole life leaves none in the log at level debug, nor any mail address", () => {
    expect(secrets.size).toBeGreaterThan(40);
    const log = server.log();
    expect(log).toContain('"level":"info"');
    expect(found(log)).toEqual([]);
    expect(log).not.toMatch(/canary-mail\.example/i);
  });

  test("the audit log has its events, and no secret in any format", async () => {
    for (const format of ["json", "ndjson", "csv"]) {
      const answer = await server.call(
        "GET",
        `/api/v1/audit?format=${format}${format === "json" ? "&limit=200" : ""}`,
        { key: "admin" },
      );
      expect([format, answer.status]).toEqual([format, 200]);
      for (const type of ["auth.login.success", "auth.login.failure", "apikey.created", "auth.password.reset"]) {
        expect(answer.text).toContain(type);
      }
      expect([format, found(answer.text)]).toEqual([format, []]);
    }
  });

  test("the audit log names an address only where erasure finds it: in the field for what is personal", async () => {
    const { json } = await server.call("GET", "/api/v1/audit?limit=200", { key: "admin" });
    for (const { personal, ...rest } of json.data) {
      expect(JSON.stringify(rest)).not.toMatch(/canary-mail\.example/i);
      expect(Object.keys(personal ?? {}).filter((name) => name !== "email")).toEqual([]);
    }
  });

  test("the command line's export of the audit log has none, nor do its other words", async () => {
    for (const args of [
      ["verify", "audit"],
      ["user", "list", "--json"],
      ["key", "list", "--json"],
      ["serve", "--help"],
      ["config", "show"],
      ["config", "check"],
      ["doctor"],
    ]) {
      const { stdout, stderr } = await server.installation.run(args, {
        environment: {
          BSOPT_SMTP_URL: `smtp://desk:${smtpPassword}@127.0.0.1:${mail.port}?tls=off`,
          BSOPT_REDIS_URL: `redis://desk:${smtpPassword}@127.0.0.1:1/0`,
        },
      });
      expect(stdout + stderr).not.toBe("");
      expect([args, found(stdout + stderr)]).toEqual([args, []]);
    }
  });

  test("a backup is for its owner alone and opens nothing: no key goes along unless asked for", async () => {
    const done = await server.run(["backup", "copy"]);
    expect([done.code, found(done.stdout + done.stderr)]).toEqual([0, []]);
    const names = readdirSync(server.installation.path("copy"));
    expect(names).not.toContain("master-key");
    expect(names).not.toContain("admin-api-key");
    for (const name of names) {
      const path = server.installation.path("copy", name);
      expect([name, statSync(path).mode & 0o077]).toEqual([name, 0]);
      const text = readFileSync(path, "latin1");
      for (const secret of ["the master key", "the admin's key", "the signing key", "the password of who registers"]) {
        expect([name, secret, text.includes(secrets.get(secret)!)]).toEqual([name, secret, false]);
      }
    }
  });

  test("a setting that holds a secret and is wrong is told without its value", async () => {
    const done = await server.installation.run(["serve", "--port", "0"], {
      environment: {
        BSOPT_SMTP_URL: `smpt://desk:${smtpPassword}@127.0.0.1`,
        BSOPT_REDIS_URL: `radis://desk:${smtpPassword}@127.0.0.1`,
      },
    });
    expect(done.code).toBe(2);
    expect(done.stderr).toContain("BSOPT_SMTP_URL");
    expect(done.stderr).toContain("BSOPT_REDIS_URL");
    expect(found(done.stdout + done.stderr)).toEqual([]);
  });

  test("no row of the database holds one: what opens something is hashed or sealed", async () => {
    const database = server.database();
    try {
      const { rows } = await database.execute("select name from sqlite_master where type = 'table'");
      const kept: string[] = [];
      for (const { name } of rows) {
        const content = (await database.execute(`select * from "${name}"`)).rows;
        const text = JSON.stringify(content, (_, value) => (typeof value === "bigint" ? String(value) : value));
        for (const secret of found(text)) kept.push(`${secret} in ${name}`);
      }
      expect(kept).toEqual([]);
    } finally {
      database.close();
    }
  });

  test("only the files made for them hold a key, and all files are for their owner alone", () => {
    const folder = server.installation.path("bsopt-data");
    expect(statSync(folder).mode & 0o077).toBe(0);
    for (const name of readdirSync(folder)) {
      const path = server.installation.path("bsopt-data", name);
      expect([name, statSync(path).mode & 0o077]).toEqual([name, 0]);
      if (name === "master-key" || name === "admin-api-key") continue;
      const text = readFileSync(path, "latin1");
      for (const secret of ["the master key", "the admin's key", "the signing key", "the password of who registers"]) {
        expect([name, secret, text.includes(secrets.get(secret)!)]).toEqual([name, secret, false]);
      }
    }
  });

  test("what is public is: keys without their private half, documents without anything of this server", async () => {
    const jwks = await server.call("GET", "/.well-known/jwks.json");
    for (const key of jwks.json.keys) expect(Object.keys(key).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x"]);
    for (const path of [
      "/.well-known/jwks.json",
      "/openapi.json",
      "/docs",
      "/health",
      "/readiness",
      "/account/reset-password",
    ]) {
      expect([path, found((await server.call("GET", path)).text)]).toEqual([path, []]);
    }
  });

  test("lists and looks never show a secret again, and a replay withholds it", async () => {
    const headers = { "idempotency-key": "canary-replay" };
    const body = { name: "made once", scopes: ["pricing:read"] };
    const first = await server.call("POST", "/api/v1/api-keys", { key: "admin", body, headers });
    keep("a key made once", first.json.secret);
    const second = await server.call("POST", "/api/v1/api-keys", { key: "admin", body, headers });
    expect([second.status, second.headers.get("idempotency-replayed"), second.json.secret]).toEqual([
      201,
      "true",
      null,
    ]);
    for (const path of [
      "/api/v1/api-keys?limit=200",
      `/api/v1/api-keys/${first.json.id}`,
      "/api/v1/admin/users",
      "/api/v1/admin/signing-keys",
      "/api/v1/auth/me",
    ]) {
      expect([path, found((await server.call("GET", path, { key: "admin" })).text)]).toEqual([path, []]);
    }
  });

  test("an error tells back nothing that was sent", async () => {
    const canary = "canaryEcho7f3a";
    for (const [path, body] of [
      ["auth/login", { email: `${canary}@canary-mail.example`, password: canary, [canary.slice(0, 5)]: canary }],
      ["auth/login", { email: [canary], password: { value: canary } }],
      ["auth/register", { email: canary, password: canary }],
      ["auth/refresh", { refresh_token: canary }],
      ["auth/verify-email", { token: canary }],
      ["auth/password/reset", { token: canary, password: canary }],
      ["auth/login/totp", { mfa_token: canary, code: canary }],
      ["oauth/token", { grant_type: canary, client_id: canary, client_secret: canary }],
      ["api-keys", { name: { canary }, scopes: [canary], ip_allow: [canary], expires_at: canary }],
    ] as const) {
      const answer = await post(path, body, path === "api-keys" ? { key: "admin" } : {});
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect([path, answer.text.includes(canary)]).toEqual([path, false]);
      for (const [name, value] of answer.headers) expect([name, value.includes(canary)]).toEqual([name, false]);
    }
  });

  test("S2.12 a password set anew by mail is not the second factor: signing in with it still asks for that", async () => {
    const answer = await post("auth/login", {
      email: "canary.registers@canary-mail.example",
      password: secrets.get("the next password")!,
    });
    expect([answer.status, Object.keys(answer.json).sort()]).toEqual([200, ["mfa_required", "mfa_token"]]);
    keep("an mfa token after a reset", answer.json.mfa_token);
  });

  test("answers about somebody are kept by no cache", async () => {
    const { accessToken } = await server.signIn(person);
    for (const path of [
      "/api/v1/auth/me",
      "/api/v1/auth/me/export",
      "/api/v1/auth/sessions",
      "/api/v1/api-keys",
      "/api/v1/audit",
    ]) {
      const { status, headers } = await server.call("GET", path, { bearer: accessToken });
      expect([path, status, headers.get("cache-control")]).toEqual([path, 200, "no-store"]);
    }
    const exported = await server.call("GET", "/api/v1/auth/me/export", { bearer: accessToken });
    expect(found(exported.text)).toEqual([]);
  });

  test("a formula sent as an agent's name is a text in the audit log's table", async () => {
    await server.call("GET", "/api/v1/admin/users", {
      key: "viewer",
      headers: { ...server.stranger(), "user-agent": '=HYPERLINK("https://evil.example")' },
    });
    await until(
      "the refusal was written",
      async () => {
        const { text } = await server.call("GET", "/api/v1/audit?format=csv&event_type=authz.access.denied", {
          key: "admin",
        });
        if (!text.includes("HYPERLINK")) return false;
        expect(text).not.toMatch(/(^|[,\n"])=HYPERLINK/m);
        return true;
      },
      90_000,
    );
  }, 100_000);
});
