// The server inside the executable, seen from outside: first start, keys, refusals, durability, stopping.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { Installation, rawExchange, readJson, type Serving } from "../harness/executable";

const option = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.03,
  dividend_yield: 0.01,
  volatility: 0.2,
};

/** A POST with the given text as its body. */
function post(url: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
}

describe("serve, alone in an empty folder", () => {
  const installation = new Installation();
  let serving: Serving;

  beforeAll(async () => {
    serving = await installation.serve();
  });
  afterAll(async () => {
    installation.remove();
  });

  test("S1.06 the first start makes the database and one admin key that only its owner can read", async () => {
    expect(readdirSync(installation.path("bsopt-data")).sort()).toContain("admin-api-key");
    expect(statSync(installation.path("bsopt-data", "admin-api-key")).mode & 0o777).toBe(0o600);
    expect(statSync(installation.path("bsopt-data")).mode & 0o077).toBe(0);
    expect(serving.key()).toMatch(/^bso_[0-9A-Za-z]+_[0-9A-Za-z]{40,}$/);
    expect((await fetch(`${serving.url}/readiness`)).status).toBe(200);
  });

  test("S3.22 the key is not printed where standard error is no terminal; its file is named", () => {
    expect(serving.said()).not.toContain(serving.key());
    expect(serving.said()).toContain("admin-api-key");
  });

  test("S2.12 what answers requests wakes up at once, whatever threads in the background do, on Linux since 6.12", () => {
    const told = existsSync("/proc/self/sched") ? readFileSync("/proc/self/sched", "utf8") : "";
    const slice = /^se\.slice *: *(\d+)/m;
    if (!slice.test(told)) return;
    expect(slice.exec(readFileSync(`/proc/${serving.pid}/sched`, "utf8"))![1]).toBe("100000");
  });

  test("S2.01 S2.02 S2.03 health routes answer without a key and whatever the Host", async () => {
    for (const path of ["/health", "/liveness", "/readiness"]) {
      const response = await fetch(serving.url + path, { headers: { host: "10.1.2.3" } });
      expect([path, response.status]).toEqual([path, 200]);
    }
    expect(await readJson(fetch(`${serving.url}/health`))).toEqual({ status: "ok" });
  });

  test("S2.07 status tells version, build, agents and the kernel's hash", async () => {
    const status = await readJson(fetch(`${serving.url}/api/v1/status`, { headers: { "x-api-key": serving.key() } }));
    expect(status).toMatchObject({
      status: "ok",
      environment: "production",
      active_sessions: 0,
      engine: { simd: true },
    });
    expect(status.build_time).toMatch(/^20\d\d-/);
    expect(status.engine.wasm_sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(status.active_agents).toBeGreaterThanOrEqual(1);
  });

  test("S1.04 S4.47 the key prices an option; the same numbers come out of a batch", async () => {
    const headers = { "x-api-key": serving.key() };
    const single = await readJson(post(`${serving.url}/api/v1/pricing/price`, JSON.stringify(option), headers));
    expect(single.status).toBe("ok");
    expect(Math.abs(single.price - 3.9656959945341868)).toBeLessThan(1.05e-13);
    const batch = await readJson(
      post(`${serving.url}/api/v1/pricing/batch`, JSON.stringify({ ...option, strike: [105, 105] }), headers),
    );
    expect(batch.price).toEqual([single.price, single.price]);
    expect(batch.delta[1]).toBe(single.greeks.delta);
    const solved = await readJson(
      post(
        `${serving.url}/api/v1/pricing/implied-volatility`,
        JSON.stringify({ ...option, volatility: undefined, price: single.price }),
        {
          authorization: `Bearer ${serving.key()}`,
        },
      ),
    );
    expect(Math.abs(solved.implied_volatility - 0.2)).toBeLessThan(1e-14);
  });

  test("S2.13 S2.15 every route of the document that is not public answers 401 without a key, each method", async () => {
    const document = await readJson(fetch(`${serving.url}/openapi.json`));
    const guarded: string[] = [];
    for (const [path, methods] of Object.entries<Record<string, { security?: unknown[] }>>(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const response = await fetch(serving.url + path.replace(/\{[^}]+\}/g, "x"), {
          method: method.toUpperCase(),
          body: method === "get" ? undefined : "{",
          // As through a proxy: /metrics is open to this very machine.
          headers: { "x-forwarded-for": "203.0.113.9" },
        });
        const isPublic = Array.isArray(operation.security) && operation.security.length === 0;
        expect([method, path, response.status === 401]).toEqual([method, path, !isPublic]);
        if (!isPublic) guarded.push(path);
      }
    }
    expect(guarded.length).toBeGreaterThanOrEqual(8);
  });

  test("S2.14 an anonymous 50 MB body is refused with 401 before it is read", async () => {
    const head = `POST /api/v1/pricing/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 52428800\r\n\r\n`;
    expect(await rawExchange(serving.url, head)).toStartWith("HTTP/1.1 401 ");
  });

  test("S2.14 a body of 200 MB with a key is refused with 413 before it is read", async () => {
    const head = `POST /api/v1/pricing/batch HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${serving.key()}\r\nContent-Type: application/json\r\nContent-Length: 209715200\r\n\r\n`;
    expect(await rawExchange(serving.url, head)).toStartWith("HTTP/1.1 413 ");
  });

  test("S2.14 two Host headers are 400, a foreign Host is refused", async () => {
    const twice = `GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nX-API-Key: ${serving.key()}\r\n\r\n`;
    expect(await rawExchange(serving.url, twice)).toStartWith("HTTP/1.1 400 ");
    const foreign = await rawExchange(
      serving.url,
      `GET /api/v1/status HTTP/1.1\r\nHost: evil.example\r\nX-API-Key: ${serving.key()}\r\n\r\n`,
    );
    expect(foreign).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(foreign).toContain("application/problem+json");
  });

  const bad: { name: string; path?: string; method?: string; body?: string; status: number }[] = [
    { name: "malformed JSON", body: '{"spot":', status: 400 },
    { name: "NaN", body: JSON.stringify(option).replace("100", "NaN"), status: 400 },
    { name: "100,000 nested arrays", body: "[".repeat(100_000) + "]".repeat(100_000), status: 400 },
    { name: "an unknown field", body: JSON.stringify({ ...option, strik: 1 }), status: 422 },
    { name: "text for a number", body: JSON.stringify({ ...option, spot: "100" }), status: 422 },
    { name: "an unknown model", body: JSON.stringify({ ...option, model: "magic" }), status: 422 },
    { name: "an unknown output", body: JSON.stringify({ ...option, outputs: ["vibes"] }), status: 422 },
    { name: "an array for an object", body: "[]", status: 422 },
    {
      name: "columns of unequal length",
      path: "/api/v1/pricing/batch",
      body: JSON.stringify({ ...option, spot: [1, 2], strike: [1, 2, 3] }),
      status: 422,
    },
    { name: "a wrong method", path: "/api/v1/pricing/price", method: "PUT", body: "{}", status: 405 },
    { name: "no such route", path: "/api/v1/pricing/prices", body: "{}", status: 404 },
    { name: "a path that climbs", path: "/api/v1/../../etc/passwd", body: "{}", status: 404 },
  ];
  test.each(bad)(
    "S2.14 S2.16 S2.35 $name is a problem document and nothing of the inside",
    async ({ path = "/api/v1/pricing/price", method = "POST", body, status }) => {
      const response = await fetch(serving.url + path, {
        method,
        body: body ?? null,
        headers: { "content-type": "application/json", "x-api-key": serving.key() },
      });
      expect(response.status).toBe(status);
      expect(response.headers.get("content-type")).toStartWith("application/problem+json");
      const problem = await readJson(response);
      expect(problem).toMatchObject({
        status,
        code: expect.stringMatching(/^[A-Z][A-Z0-9_]+$/),
        retryable: false,
        error: problem.detail,
      });
      expect(JSON.stringify(problem)).not.toMatch(/node_modules|\$bunfs|\.ts:|SELECT|at \w+ \(/);
    },
  );

  test("1e999 and a negative spot are values: the answer is 200 with a status and no number", async () => {
    for (const [body, status] of [
      [JSON.stringify(option).replace("100", "1e999"), "non_finite"],
      [JSON.stringify({ ...option, spot: -1 }), "out_of_domain"],
    ]) {
      const response = await post(`${serving.url}/api/v1/pricing/price`, body!, { "x-api-key": serving.key() });
      expect(response.status).toBe(200);
      expect(await readJson(response)).toMatchObject({ status, price: null });
    }
  });

  test("S2.13 a key made by the command line beside the live server works, in its scopes, until it is revoked", async () => {
    const made = await installation.run(["key", "create", "--name", "bot", "--scopes", "market:read"]);
    expect(made).toMatchObject({ code: 0 });
    const key = made.stdout.trim();
    expect(key).toMatch(/^bso_\w+$/);
    expect((await fetch(`${serving.url}/api/v1/pricing/models`, { headers: { "x-api-key": key } })).status).toBe(403);
    expect(
      (await fetch(`${serving.url}/api/v1/pricing/models`, { headers: { "x-api-key": serving.key() } })).status,
    ).toBe(200);
    const revoked = await installation.run(["key", "revoke", key.split("_")[1]!]);
    expect(revoked.code).toBe(0);
    const deadline = Date.now() + 10_000;
    let status = 403;
    while (status === 403 && Date.now() < deadline)
      status = (await fetch(`${serving.url}/api/v1/pricing/models`, { headers: { "x-api-key": key } })).status;
    expect(status).toBe(401);
  });

  test("S1.01 an Idempotency-Key makes one key out of two requests, and keeps its promise over a kill", async () => {
    const send = () =>
      post(`${serving.url}/api/v1/api-keys`, JSON.stringify({ name: "once", scopes: ["pricing:read"] }), {
        "x-api-key": serving.key(),
        "idempotency-key": "make-it-once",
      });
    const first = await send();
    expect(first.status).toBe(201);
    const made = await readJson(first);
    await serving.kill();
    serving = await installation.serve();
    const second = await send();
    expect([second.status, second.headers.get("idempotency-replayed")]).toEqual([201, "true"]);
    const replayed = await readJson(second);
    expect(replayed.id).toBe(made.id);
    expect(JSON.stringify(replayed)).not.toContain(made.key ?? made.secret);
    const list = await readJson(fetch(`${serving.url}/api/v1/api-keys`, { headers: { "x-api-key": serving.key() } }));
    expect(list.data.filter(({ name }: { name: string }) => name === "once")).toHaveLength(1);
  });

  test("S5.19 keys acknowledged before SIGKILL are there afterwards, each", async () => {
    const made: string[] = [];
    for (let index = 0; index < 20; index++) {
      const response = await post(
        `${serving.url}/api/v1/api-keys`,
        JSON.stringify({ name: `k${index}`, scopes: ["pricing:read"] }),
        { "x-api-key": serving.key() },
      );
      if (response.status === 201) made.push((await readJson(response)).id);
    }
    await serving.kill();
    serving = await installation.serve();
    const list = await readJson(
      fetch(`${serving.url}/api/v1/api-keys?limit=100`, { headers: { "x-api-key": serving.key() } }),
    );
    const found = new Set(list.data.map(({ id }: { id: string }) => id));
    expect(made).toHaveLength(20);
    expect(made.filter((id) => !found.has(id))).toEqual([]);
  });

  test("the documents' page and everything it loads come from this server", async () => {
    for (const path of ["/docs", "/swagger"]) {
      const response = await fetch(serving.url + path);
      expect(response.status).toBe(200);
      const html = await response.text();
      const sources = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map((match) => match[1]!);
      expect(sources.filter((source) => /^(https?:)?\/\//.test(source))).toEqual([]);
      for (const source of sources)
        expect([source, (await fetch(new URL(source, `${serving.url}${path}`))).status]).toEqual([source, 200]);
    }
  });

  test("SIGTERM lets it stop in order, with exit code 0", async () => {
    expect(await serving.stop()).toBe(0);
  });
});

describe("serve and its surroundings", () => {
  test("it runs from a folder that is read-only but for the data folder and TMPDIR", async () => {
    const installation = new Installation();
    try {
      const serving = await installation.serve({ args: ["--data-dir", installation.path("tmp", "data")] });
      chmodSync(installation.folder, 0o555);
      expect((await fetch(`${serving.url}/readiness`)).status).toBe(200);
      expect(await serving.stop()).toBe(0);
      expect(readdirSync(installation.folder).sort()).toEqual(["bsopt", "tmp"]);
    } finally {
      chmodSync(installation.folder, 0o755);
      installation.remove();
    }
  });

  test("S5.10 .env and bunfig.toml of the working folder are not read", async () => {
    const installation = new Installation();
    try {
      writeFileSync(installation.path(".env"), "BSOPT_LOG_LEVEL=nonsense\n");
      writeFileSync(installation.path("bunfig.toml"), 'preload = ["./evil.ts"]\n');
      writeFileSync(installation.path("evil.ts"), 'require("node:fs").writeFileSync("ran", "");\n');
      const serving = await installation.serve();
      expect(await serving.stop()).toBe(0);
      expect(existsSync(installation.path("ran"))).toBe(false);
    } finally {
      installation.remove();
    }
  });

  test("S5.10 S2.39 wrong settings stop the start with every fault on a line and exit code 2", async () => {
    const installation = new Installation();
    try {
      const done = await installation.run(["serve", "--port", "http"], {
        environment: { BSOPT_LOG_LEVEL: "loud", BSOPT_PROT: "1" },
      });
      expect(done.code).toBe(2);
      for (const name of ["--port", "BSOPT_LOG_LEVEL", "BSOPT_PROT"]) expect(done.stderr).toContain(`\n  ${name} `);
      expect(existsSync(installation.path("bsopt-data"))).toBe(false);
    } finally {
      installation.remove();
    }
  });

  test("a TMPDIR that cannot be written is told in words, and pricing needs none", async () => {
    const installation = new Installation();
    try {
      const environment = { TMPDIR: "/proc/nowhere" };
      const served = await installation.run(["serve", "--port", "0"], { environment });
      expect(served.code).toBe(1);
      expect(served.stderr).toContain("TMPDIR");
      const priced = await installation.run(
        [
          "price",
          "--spot",
          "100",
          "--strike",
          "100",
          "--days",
          "30",
          "--rate",
          "0.03",
          "--volatility",
          "0.2",
          "--type",
          "call",
        ],
        { environment },
      );
      expect(priced.code).toBe(0);
    } finally {
      installation.remove();
    }
  });

  test("a second signal ends it at once, though it is another one than the first", async () => {
    const installation = new Installation();
    try {
      const serving = await installation.serve({ args: ["--drain-ms", "60000"] });
      process.kill(serving.pid, "SIGTERM");
      while (!serving.said().includes('"stopping"')) await Bun.sleep(5);
      process.kill(serving.pid, "SIGINT");
      expect(await serving.exited).not.toBe(0);
    } finally {
      installation.remove();
    }
  });

  test("S1.06 a database elsewhere leaves the key in a data folder that the start makes", async () => {
    const installation = new Installation();
    try {
      const serving = await installation.serve({ args: ["--database-url", "file:elsewhere/prices.db"] });
      const headers = { "x-api-key": serving.key() };
      expect((await fetch(`${serving.url}/api/v1/status`, { headers })).status).toBe(200);
      expect(readdirSync(installation.path("bsopt-data")).sort()).toEqual(["admin-api-key", "master-key"]);
      expect(existsSync(installation.path("elsewhere", "prices.db"))).toBe(true);
      await serving.stop();
    } finally {
      installation.remove();
    }
  });

  test("a port that is taken is told in words, with exit code 1", async () => {
    const installation = new Installation();
    try {
      const serving = await installation.serve();
      const second = await installation.run(["serve", "--port", new URL(serving.url).port, "--data-dir", "other"]);
      expect(second.code).toBe(1);
      expect(second.stderr).toContain("error: ");
      expect(second.stderr).not.toContain("    at ");
      await serving.stop();
    } finally {
      installation.remove();
    }
  });
});
