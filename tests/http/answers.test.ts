// What every answer carries, whatever it answers; who may read it from another origin; and how a server stops.

import { afterAll, describe, expect, test } from "bun:test";
import { ManualClock, systemClock } from "../../src/foundation/clock";
import { BsoptError } from "../../src/foundation/errors";
import { testConfig, testServer } from "../harness/http";
import { RawConnection, rawRequest } from "../harness/http-socket";
import { recordingLog } from "../harness/storage";
import { probeRoutes } from "./probe-routes";

const probe = testServer({ features: [probeRoutes()] });

describe("S2.16 every answer", () => {
  const rows: readonly (readonly [string, string, string, Parameters<typeof probe.call>[2]])[] = [
    ["a success", "GET", "/open", {}],
    ["a success behind a key", "GET", "/api/v1/things/a", { key: "viewer" }],
    ["an empty success", "DELETE", "/api/v1/things/a", { key: "admin" }],
    ["a refusal of the gate", "GET", "/api/v1/things/a", {}],
    ["an unknown route", "GET", "/nowhere", {}],
    ["a foreign host", "GET", "/open", { headers: { host: "evil.example" } }],
    ["a wrong body", "POST", "/api/v1/things", { key: "trader", body: {} }],
    ["options", "OPTIONS", "/open", {}],
    ["the page", "GET", "/docs", {}],
    ["the document", "GET", "/openapi.json", {}],
    ["the page's script", "GET", "/docs/assets/reference.js", {}],
  ];
  for (const [name, method, path, call] of rows) {
    test(`${name} has an id, its timing and the security headers`, async () => {
      const { headers } = await probe.call(method, path, call);
      expect(headers.get("x-request-id")).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
      expect(headers.get("server-timing")).toMatch(/^total;dur=\d+\.\d{3}/);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("content-security-policy")).toStartWith("default-src 'none'");
      expect(headers.get("access-control-allow-origin")).toBeNull();
      expect(headers.get("strict-transport-security")).toBeNull();
    });
  }

  test("request ids differ", async () => {
    const [one, other] = [await probe.call("GET", "/open"), await probe.call("GET", "/open")];
    expect(one.headers.get("x-request-id")).not.toBe(other.headers.get("x-request-id"));
  });

  const inbound: readonly (readonly [string, boolean])[] = [
    ["abc-1.2_3", true],
    ["a".repeat(64), true],
    ["a".repeat(65), false],
    ["a b", false],
    ["a<script>", false],
    ["", false],
  ];
  for (const [id, isTaken] of inbound) {
    test(`an inbound id ${JSON.stringify(id.slice(0, 12))} of ${id.length} is ${isTaken ? "taken" : "replaced"}`, async () => {
      const { headers } = await probe.call("GET", "/open", { headers: { "x-request-id": id } });
      expect(headers.get("x-request-id") === id).toBe(isTaken);
    });
  }

  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const traceparents: readonly (readonly [string, string, boolean])[] = [
    ["version 0", `00-${trace}-00f067aa0ba902b7-01`, true],
    ["a later version with more", `01-${trace}-00f067aa0ba902b7-01-more`, true],
    ["version ff", `ff-${trace}-00f067aa0ba902b7-01`, false],
    ["a zero trace", `00-${"0".repeat(32)}-00f067aa0ba902b7-01`, false],
    ["a zero parent", `00-${trace}-${"0".repeat(16)}-01`, false],
    ["capitals", `00-${trace.toUpperCase()}-00f067aa0ba902b7-01`, false],
    ["rubbish", "rubbish", false],
  ];
  for (const [name, traceparent, isTaken] of traceparents) {
    test(`a traceparent of ${name} ${isTaken ? "names the trace" : "is ignored"}`, async () => {
      const { json } = await probe.call("GET", "/nowhere", { headers: { traceparent } });
      expect(json.trace_id).toMatch(/^[0-9a-f]{32}$/);
      expect(json.trace_id === traceparent.split("-")[1]).toBe(isTaken);
    });
  }

  test("a feature's own timing stands beside the total", async () => {
    const { headers } = await probe.call("POST", "/api/v1/things", { key: "trader", body: { name: "one" } });
    expect(headers.get("server-timing")).toMatch(/^total;dur=\d+\.\d{3}, work;dur=0\.250$/);
  });

  test("answers behind a key and problems are not stored by caches", async () => {
    for (const path of ["/api/v1/things/a", "/nowhere"]) {
      const { headers } = await probe.call("GET", path, { key: "viewer" });
      expect(headers.get("cache-control")).toBe("no-store");
    }
  });
});

describe("S2.17 CORS", () => {
  const desk = "https://desk.example";
  const allowing = testServer({ features: [probeRoutes()], config: { corsOrigins: [desk] } });

  test("an origin on the list may read answers and problems, by its own name and without credentials", async () => {
    for (const path of ["/open", "/nowhere"]) {
      const { headers } = await allowing.call("GET", path, { headers: { origin: desk } });
      expect(headers.get("access-control-allow-origin")).toBe(desk);
      expect(headers.get("access-control-expose-headers")).toContain("X-Request-Id");
      expect(headers.get("access-control-allow-credentials")).toBeNull();
      expect(headers.get("vary")).toBe("Origin");
    }
  });

  for (const origin of [
    "https://evil.example",
    "https://desk.example.evil",
    "https://evil.desk.example",
    "https://desk.example:8443",
    "https://desk.example/",
    "https://DESK.example",
    "http://desk.example",
    "https://desk.example, https://evil.example",
    "null",
    "*",
    "",
  ]) {
    test(`the origin "${origin}" is not on the list`, async () => {
      const { headers } = await allowing.call("GET", "/open", { headers: { origin } });
      expect(headers.get("access-control-allow-origin")).toBeNull();
      expect(headers.get("vary")).toBe("Origin");
    });
  }

  test("a preflight asks for no key, tells methods and headers, and runs nothing", async () => {
    const headers = { origin: desk, "access-control-request-method": "POST" };
    const answer = await allowing.call("OPTIONS", "/api/v1/things", { headers });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe(desk);
    expect(answer.headers.get("access-control-allow-methods")).toBe("POST, OPTIONS");
    expect(answer.headers.get("access-control-allow-headers")).toContain("X-API-Key");
    expect(answer.headers.get("access-control-max-age")).toBe("600");
  });

  test("no answer to anybody names every origin, or allows credentials", async () => {
    for (const server of [allowing, probe]) {
      for (const method of ["GET", "OPTIONS", "POST"]) {
        for (const origin of [desk, "null", "*", "https://evil.example"]) {
          const { headers } = await server.call(method, "/api/v1/things", { headers: { origin } });
          expect(headers.get("access-control-allow-origin")).not.toBe("*");
          expect(headers.get("access-control-allow-origin")).not.toBe("null");
          expect(headers.get("access-control-allow-credentials")).toBeNull();
        }
      }
    }
  });

  test("a page on the list may read where it stands with its limits", async () => {
    const { headers } = await allowing.call("GET", "/open", { headers: { origin: desk } });
    const exposed = headers.get("access-control-expose-headers")?.toLowerCase().split(", ") ?? [];
    const told = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit", "ratelimit-policy"];
    for (const name of [...told, "retry-after"]) expect(exposed).toContain(name);
  });

  test("a preflight of another origin, or without a list, is told nothing", async () => {
    for (const server of [allowing, probe]) {
      const answer = await server.call("OPTIONS", "/api/v1/things", { headers: { origin: "https://evil.example" } });
      expect(answer.headers.get("access-control-allow-methods")).toBeNull();
    }
  });
});

describe("the page", () => {
  test("S2.46 names no other host and runs under its own policy", async () => {
    for (const path of ["/docs", "/swagger"]) {
      const page = await probe.call("GET", path);
      expect(page.headers.get("content-type")).toStartWith("text/html");
      expect(page.text).not.toMatch(/https?:|\/\/[a-z]/i);
      const policy = page.headers.get("content-security-policy") ?? "";
      // Left out, the page would send the document's address to a validator elsewhere.
      expect(page.text).toContain('"validatorUrl":null');
      expect(policy).not.toMatch(/https?:/);
      expect(policy).toContain("connect-src 'self'");
      const inline = /<script>([\s\S]*?)<\/script>/.exec(page.text)?.[1] ?? "";
      expect(policy).toContain(new Bun.CryptoHasher("sha256").update(inline).digest("base64"));
      for (const [, address] of page.text.matchAll(/(?:src|href)="([^"]+)"/g)) {
        expect((await probe.call("GET", address!)).status).toBe(200);
      }
    }
  });
});

describe("the page on accuracy", () => {
  test("S2.46 shows the generated table to anybody, as text that cannot become markup", async () => {
    const page = await probe.call("GET", "/docs/accuracy");
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(page.text).toContain("black_scholes_merton");
    expect(page.text.match(/<[a-z!/][^>]*>/g)).toEqual([
      "<!doctype html>",
      '<meta charset="utf-8">',
      "<title>",
      "</title>",
      "<pre>",
      "</pre>",
    ]);
  });
});

describe("stopping", () => {
  test("a draining server answers and asks to close, then lets requests under way finish, then is gone", async () => {
    const started = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const server = testServer({
      features: [
        probeRoutes({
          onMake: async () => {
            started.resolve();
            await goOn.promise;
          },
        }),
      ],
      clock: {
        ...systemClock,
        sleep: (milliseconds, signal) =>
          milliseconds === 500 ? drained.promise : systemClock.sleep(milliseconds, signal),
      },
      config: { drainMilliseconds: 500, stopDeadlineMilliseconds: 60_000 },
    });
    const drained = Promise.withResolvers<void>();
    const { url, port } = server.listen();
    const underWay = fetch(`${url}/api/v1/things`, {
      method: "POST",
      headers: { "x-api-key": "bso_test_trader", "content-type": "application/json" },
      body: '{"name":"one"}',
    });
    await started.promise;

    const stopping = server.close();
    const late = await rawRequest(port, "GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect([late.status, late.headers.get("connection")?.toLowerCase()]).toEqual([200, "close"]);

    drained.resolve();
    goOn.resolve();
    expect((await underWay).status).toBe(201);
    await stopping;
    const connection = new RawConnection(port);
    await connection.closed();
    expect(connection.rest).toBe("");
  });

  test("a request that never ends is cut at the deadline", async () => {
    const started = Promise.withResolvers<void>();
    const clock = new ManualClock();
    const server = testServer({
      features: [
        probeRoutes({
          onMake: () => {
            started.resolve();
            return new Promise(() => undefined);
          },
        }),
      ],
      clock,
      config: { drainMilliseconds: 500, stopDeadlineMilliseconds: 10_000 },
    });
    const { port } = server.listen();
    const connection = new RawConnection(port);
    connection.send(
      'POST /api/v1/things HTTP/1.1\r\nHost: localhost\r\nX-API-Key: bso_test_trader\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"name":"one"}',
    );
    await started.promise;
    const stopping = server.close();
    clock.advance(500);
    // Let the drain's own step run before its deadline is reached.
    await Promise.resolve();
    await Promise.resolve();
    clock.advance(10_000);
    await stopping;
    await connection.closed();
    expect(connection.rest).toBe("");
  });

  test("stopping twice, or before listening, is no fault", async () => {
    const server = testServer({ features: [probeRoutes()] });
    await server.close();
    await server.close();
    expect(server.server.isDraining).toBe(true);
  });

  test("an address that is taken is told in words", async () => {
    const holder = testServer({ features: [probeRoutes()] });
    const { port } = holder.listen();
    const second = testServer({ features: [probeRoutes()] });
    expect(() => second.server.listen({ host: "127.0.0.1", port })).toThrow(`cannot listen on 127.0.0.1 port ${port}`);
    await holder.close();
  });
});

const hosted = testServer({ features: [probeRoutes()], config: { host: "::1" } });
afterAll(() => hosted.close());

test("the listening address is an allowed host, IPv6 in brackets", async () => {
  expect((await hosted.call("GET", "/open", { headers: { host: "[::1]:8080" } })).status).toBe(200);
});

test("two servers in one process know nothing of each other", async () => {
  const other = testServer({ features: [], config: testConfig });
  expect((await other.call("GET", "/open")).status).toBe(404);
  expect((await probe.call("GET", "/open")).status).toBe(200);
});

describe("S2.36 the log of requests that failed", () => {
  const failing = (reason: "unavailable" | "internal") => {
    const log = recordingLog();
    const clock = new ManualClock();
    const onRead = () => {
      throw new BsoptError({ reason, code: "PROBE_FAILED", detail: "The probe fails.", retryAfterSeconds: 1 });
    };
    const server = testServer({ features: [probeRoutes({ onRead })], log, clock });
    const ask = () => server.call("GET", "/api/v1/things/a", { key: "viewer" });
    const told = () => log.lines.map(({ message, fields }) => [message, (fields as { count?: number }).count ?? null]);
    return { clock, ask, told, server };
  };

  test("tells the first of a flood of 503 at once and the others as a number ten seconds on", async () => {
    const { clock, ask, told } = failing("unavailable");
    for (let count = 0; count < 50; count++) expect((await ask()).status).toBe(503);
    expect(told()).toEqual([["request failed", null]]);
    clock.advance(10_000);
    await ask();
    expect(told().slice(1)).toEqual([
      ["further requests failed", 49],
      ["request failed", null],
    ]);
  });

  test("tells what was counted when the server stops", async () => {
    const { ask, told, server } = failing("unavailable");
    for (let count = 0; count < 3; count++) await ask();
    await server.close();
    expect(told()).toEqual([
      ["request failed", null],
      ["further requests failed", 2],
    ]);
  });

  test("tells every 500, for each has a trace id to be found by", async () => {
    const { ask, told } = failing("internal");
    for (let count = 0; count < 3; count++) expect((await ask()).status).toBe(500);
    expect(told()).toEqual(Array(3).fill(["request failed", null]));
  });
});
