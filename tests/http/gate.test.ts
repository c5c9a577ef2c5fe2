// The order of decisions: what is refused, with which number, and which refusal comes first.

import { afterAll, describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { BsoptError } from "../../src/foundation/errors";
import { attachContext, type RequestContext } from "../../src/http/request-context";
import { type CallOptions, requestFor, testAuthenticator, testServer } from "../harness/http";
import { RawConnection, rawRequest } from "../harness/http-socket";
import { probeRoutes } from "./probe-routes";

const probe = testServer({ features: [probeRoutes()] });
const live = testServer({ features: [probeRoutes()] });
const { port } = live.listen();
afterAll(() => live.close());

const thing = { name: "one" };

describe("S2.16 a request that breaks several rules", () => {
  // Each row breaks its own rule and every later one, so the status shows which came first.
  const rows: readonly {
    name: string;
    method: string;
    path: string;
    call: CallOptions;
    status: number;
    code: string;
  }[] = [
    {
      name: "a foreign host comes before an unknown route",
      method: "POST",
      path: "/nowhere",
      call: { headers: { host: "evil.example" }, body: "{" },
      status: 400,
      code: "HOST_NOT_ALLOWED",
    },
    {
      name: "an unknown route comes before missing credentials",
      method: "POST",
      path: "/nowhere",
      call: { body: "{" },
      status: 404,
      code: "ROUTE_UNKNOWN",
    },
    {
      name: "a wrong method comes before missing credentials",
      method: "PUT",
      path: "/api/v1/things",
      call: { body: "{" },
      status: 405,
      code: "METHOD_NOT_ALLOWED",
    },
    {
      name: "missing credentials come before the size",
      method: "POST",
      path: "/api/v1/things",
      call: { body: "x".repeat(5000) },
      status: 401,
      code: "CREDENTIALS_MISSING",
    },
    {
      name: "wrong credentials come before the size",
      method: "POST",
      path: "/api/v1/things",
      call: { key: "bso_wrong", body: "x".repeat(5000) },
      status: 401,
      code: "CREDENTIALS_WRONG",
    },
    {
      name: "a missing permission comes before the size",
      method: "POST",
      path: "/api/v1/things",
      call: { key: "viewer", body: "x".repeat(5000) },
      status: 403,
      code: "PERMISSION_MISSING",
    },
    {
      name: "the size comes before the media type",
      method: "POST",
      path: "/api/v1/things",
      call: { key: "trader", body: "x".repeat(5000), headers: { "content-type": "text/plain" } },
      status: 413,
      code: "BODY_TOO_LARGE",
    },
    {
      name: "a missing length comes before the media type",
      method: "POST",
      path: "/api/v1/things",
      call: { key: "trader", headers: { "content-type": "text/plain" } },
      status: 411,
      code: "LENGTH_REQUIRED",
    },
    {
      name: "the media type comes before the parse",
      method: "POST",
      path: "/api/v1/things",
      call: { key: "trader", body: "{", headers: { "content-type": "text/plain" } },
      status: 415,
      code: "CONTENT_TYPE_UNSUPPORTED",
    },
    {
      name: "the parse comes before the schema",
      method: "POST",
      path: "/api/v1/things",
      call: { key: "trader", body: "{" },
      status: 400,
      code: "BODY_MALFORMED",
    },
    {
      name: "the schema comes before the idempotency key",
      method: "POST",
      path: "/api/v1/things",
      call: { key: "trader", body: {}, headers: { "idempotency-key": "with space" } },
      status: 422,
      code: "SCHEMA_INVALID",
    },
  ];
  for (const { name, method, path, call, status, code } of rows) {
    test(name, async () => {
      const answer = await probe.call(method, path, call);
      expect(answer.json).toMatchObject({ status, code });
      expect(answer.status).toBe(status);
    });
  }
});

describe("S2.16 every problem", () => {
  test("has all fields of the contract and says detail twice", async () => {
    const { json, headers } = await probe.call("POST", "/api/v1/things", {
      key: "trader",
      body: { size: "x", colour: 1 },
    });
    expect(headers.get("content-type")).toBe("application/problem+json");
    expect(Object.keys(json).sort()).toEqual(
      ["type", "title", "status", "detail", "instance", "code", "trace_id", "retryable", "errors", "error"].sort(),
    );
    expect(json.type).toBe("urn:bsopt:problem:schema-invalid");
    expect(json.instance).toBe("/api/v1/things");
    expect(json.error).toBe(json.detail);
    expect(json.retryable).toBe(false);
    expect(json.trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(json.errors).toEqual([
      { pointer: "/name", code: "REQUIRED", detail: "is required" },
      { pointer: "/colour", code: "UNKNOWN_FIELD", detail: "is not a field of this request" },
      { pointer: "/size", code: "WRONG_TYPE", detail: "must be a number" },
    ]);
  });

  test("S2.14 repeats no submitted value", async () => {
    const secret = "hunter2-hunter2-hunter2";
    for (const body of [{ name: secret, size: secret }, { name: [secret] }, `{"name":"${secret}`, `"${secret}"`]) {
      const answer = await probe.call("POST", `/api/v1/things?x=${secret}`, { key: "trader", body });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.text).not.toContain(secret);
    }
    const wrongKey = await probe.call("POST", "/api/v1/things", { key: secret, body: thing });
    expect(wrongKey.text).not.toContain(secret);
  });

  test("a 500 carries a trace id that the log has too, and nothing of the inside", async () => {
    const logged: object[] = [];
    const inside = "SELECT secret FROM inside";
    const server = testServer({
      features: [
        probeRoutes({
          onMake: () => {
            throw new Error(inside);
          },
        }),
      ],
      log: { debug() {}, info() {}, warn() {}, error: (fields) => void logged.push(fields) },
    });
    const answer = await server.call("POST", "/api/v1/things", { key: "trader", body: thing });
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('inside"');
    expect(answer.text).not.toContain("SELECT");
    expect(answer.text).not.toContain(".ts");
    expect(answer.json.code).toBe("INTERNAL");
    expect(logged).toMatchObject([{ trace_id: answer.json.trace_id, route: "/api/v1/things" }]);
  });

  test("where even the log throws, the answer is still a bare problem and not the runtime's page", async () => {
    const server = testServer({
      features: [
        probeRoutes({
          onMake: () => {
            throw new Error("SELECT secret FROM inside");
          },
        }),
      ],
      log: {
        debug() {},
        info() {},
        warn() {},
        error: () => {
          throw new Error("ENOSPC");
        },
      },
    });
    const { url } = server.listen();
    const headers = { "content-type": "application/json", "x-api-key": "bso_test_trader" };
    const response = await fetch(`${url}/api/v1/things`, { method: "POST", headers, body: JSON.stringify(thing) });
    expect([response.status, response.headers.get("content-type")]).toEqual([500, "application/problem+json"]);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f]{16}-/);
    expect(await response.json()).toMatchObject({
      code: "INTERNAL",
      trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    await server.close();
  });

  test("a service's error keeps its code, its faults and its time to retry", async () => {
    const error = new BsoptError({
      reason: "unavailable",
      code: "WORKERS_BUSY",
      detail: "All workers are busy",
      faults: [{ pointer: "/name", code: "BUSY", detail: "is being made" }],
      retryAfterSeconds: 2.2,
    });
    const server = testServer({ features: [probeRoutes({ onMake: () => Promise.reject(error) })] });
    const answer = await server.call("POST", "/api/v1/things", { key: "trader", body: thing });
    expect(answer.json).toMatchObject({
      status: 503,
      code: "WORKERS_BUSY",
      retryable: true,
      errors: [{ code: "BUSY" }],
    });
    expect(answer.headers.get("retry-after")).toBe("3");
  });

  test("an error after a success status was set tells its own status", async () => {
    const feature = new Elysia().post(
      "/late",
      ({ set }) => {
        set.status = 201;
        set.headers["x-half-done"] = "1";
        throw new BsoptError({ reason: "not-found", code: "GONE", detail: "It is gone" });
      },
      {
        response: { 201: Type.Void() },
        detail: { permission: "public", operationId: "late", summary: "Fails late", tags: ["Probe"] },
      },
    );
    const answer = await testServer({ features: [feature] }).call("POST", "/late");
    expect(answer.status).toBe(404);
    expect(answer.headers.get("x-half-done")).toBeNull();
  });

  test("an answer that does not fit its own schema is our fault, told as 500", async () => {
    const feature = new Elysia().get("/wrong", () => ({ open: "leaked-value" }) as never, {
      response: { 200: Type.Object({ open: Type.Literal(true) }, { additionalProperties: false, $id: "Right" }) },
      detail: { permission: "public", operationId: "wrong", summary: "Answers wrongly", tags: ["Probe"] },
    });
    const answer = await testServer({ features: [feature] }).call("GET", "/wrong");
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain("leaked-value");
  });

  test("an answer with a field that its schema does not know is told as 500, not sent and not trimmed", async () => {
    const feature = new Elysia().get("/more", () => ({ open: true, secret: "leaked-value" }) as never, {
      response: { 200: Type.Object({ open: Type.Literal(true) }, { additionalProperties: false, $id: "Right" }) },
      detail: { permission: "public", operationId: "more", summary: "Answers too much", tags: ["Probe"] },
    });
    const answer = await testServer({ features: [feature] }).call("GET", "/more");
    expect([answer.status, answer.text.includes("leaked-value")]).toEqual([500, false]);
  });
});

describe("S2.01 host", () => {
  const rows: readonly (readonly [string, string, number])[] = [
    ["localhost", "localhost", 200],
    ["with a port", "localhost:8080", 200],
    ["in capitals", "LOCALHOST", 200],
    ["IPv4 loopback", "127.0.0.1:1", 200],
    ["IPv6 loopback", "[::1]:8080", 200],
    ["configured", "desk.example", 200],
    ["foreign", "evil.example", 400],
    ["foreign with a known prefix", "localhost.evil.example", 400],
    ["empty", "", 400],
    ["with a path", "localhost/x", 400],
    ["with a user", "user@localhost", 400],
    ["with a query", "localhost?x", 400],
    ["with a space", "local host", 400],
    ["with a wrong port", "localhost:port", 400],
    ["two in one", "localhost, localhost", 400],
  ];
  const hosted = testServer({ features: [probeRoutes()], config: { allowedHosts: ["desk.example"] } });
  const socket = hosted.listen();
  afterAll(() => hosted.close());
  for (const [name, host, status] of rows) {
    test(`${name} answers ${status}`, async () => {
      const answer = await rawRequest(socket.port, `GET /open HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      expect(answer.status).toBe(status);
      if (status === 400) expect(JSON.parse(answer.body).code).toMatch(/^HOST_/);
    });
  }

  test("two Host headers answer 400, health included, even where both are allowed", async () => {
    for (const path of ["/open", "/health"]) {
      const answer = await rawRequest(
        socket.port,
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n`,
      );
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, "HOST_REPEATED"]);
    }
  });

  test("no Host header at all answers 400 to an HTTP/1.0 client", async () => {
    const open = await rawRequest(socket.port, "GET /open HTTP/1.0\r\n\r\n");
    expect([open.status, JSON.parse(open.body).code]).toEqual([400, "HOST_MISSING"]);
  });

  test("a one-letter host shifts no route", async () => {
    const server = testServer({ features: [probeRoutes()], config: { allowedHosts: ["a"] } });
    const opened = server.listen();
    const shifted = await rawRequest(opened.port, "GET /zz/open HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(shifted.status).toBe(404);
    const straight = await rawRequest(opened.port, "GET /open HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(straight.status).toBe(200);
    await server.close();
  });
});

describe("routes", () => {
  const rows: readonly (readonly [string, string, number])[] = [
    ["the path itself", "/open", 200],
    ["a query", "/open?x=1&x=2", 200],
    ["an empty query", "/open?", 200],
    ["a dot segment, resolved before anyone sees it", "/api/../open", 200],
    ["an encoded dot segment", "/api/%2e%2e/open", 200],
    ["backslashes, which become slashes", "/api\\..\\open", 200],
    ["a full address in the request line", "http://evil.example/open", 200],
    ["a trailing slash", "/open/", 404],
    ["a double slash", "//open", 404],
    ["an encoded letter", "/%6fpen", 404],
    ["an encoded slash", "/%2fopen", 404],
    ["another case", "/OPEN", 404],
    ["a fragment", "/open#x", 404],
    ["a semicolon parameter", "/open;x=1", 404],
    ["a null byte", "/open%00", 404],
    ["a prefix", "/ope", 404],
    ["the root", "/", 404],
    ["an inherited property's name", "/constructor", 404],
    ["a parameter of a guarded route", "/api/v1/things/a", 401],
    ["a guarded route by full address", "http://evil.example/api/v1/things/a", 401],
    ["an encoded slash inside a parameter", "/api/v1/things/a%2Fb", 401],
    ["an empty parameter", "/api/v1/things/", 404],
    ["a double slash before a parameter", "/api/v1/things//a", 404],
    ["a parameter too many", "/api/v1/things/a/b", 404],
    ["a parameter that is not decodable", "/api/v1/things/%zz", 400],
    ["a parameter that is not UTF-8", "/api/v1/things/%ff", 400],
  ];
  for (const [name, target, status] of rows) {
    test(`S2.14 ${name} answers ${status}`, async () => {
      const answer = await rawRequest(port, `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      expect(answer.status).toBe(status);
    });
  }

  test("the parameter reaches the handler decoded", async () => {
    const { json } = await probe.call("GET", "/api/v1/things/a%2Fb", { key: "viewer" });
    expect(json).toEqual({ id: "a/b", seen: null });
  });

  test("S2.14 the gate and the router read the same route for odd paths", async () => {
    // A route that nobody asked for must never run: what runs tells its own pattern, and the gate's must be the same.
    const ran: string[] = [];
    const declare = (operationId: string) =>
      ({ permission: "public", operationId, summary: "Tells its pattern", tags: ["Probe"], hide: true }) as never;
    const odd = new Elysia()
      .get("/a/:x", () => void ran.push("/a/:x"), { detail: declare("one") })
      .get("/a/b", () => void ran.push("/a/b"), { detail: declare("two") })
      .delete("/a/:x", () => void ran.push("DELETE /a/:x"), { detail: declare("three") });
    const server = testServer({ features: [odd] });
    const rows: readonly (readonly [string, string, number, string | null])[] = [
      ["GET", "/a/b", 200, "/a/b"],
      ["GET", "/a/%62", 200, "/a/:x"],
      ["GET", "/a/c", 200, "/a/:x"],
      ["GET", "/a/b/", 404, null],
      // The router would run /a/:x here; the gate has judged /a/b, which has no DELETE.
      ["DELETE", "/a/b", 405, null],
      ["DELETE", "/a/c", 200, "DELETE /a/:x"],
    ];
    for (const [method, path, status, pattern] of rows) {
      ran.length = 0;
      expect([method, path, (await server.call(method, path)).status]).toEqual([method, path, status]);
      expect(ran).toEqual(pattern === null ? [] : [pattern]);
    }
  });

  test("405 names the methods in Allow", async () => {
    const answer = await probe.call("PATCH", "/api/v1/things/a");
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD, DELETE, OPTIONS"]);
    expect((await probe.call("TRACE" as string, "/open")).status).toBe(405);
  });

  test("HEAD answers as GET without a body, and is guarded like it", async () => {
    const open = await rawRequestHead("HEAD /open HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(open).toMatch(/^HTTP\/1\.1 200 /);
    expect(open.toLowerCase()).toContain("content-length: 13");
    const guarded = await rawRequestHead("HEAD /api/v1/things/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(guarded).toMatch(/^HTTP\/1\.1 401 /);
  });

  test("OPTIONS names the methods and runs nothing", async () => {
    const answer = await probe.call("OPTIONS", "/api/v1/things");
    expect([answer.status, answer.headers.get("allow"), answer.text]).toEqual([204, "POST, OPTIONS", ""]);
  });
});

describe("S2.14 body, before it is read", () => {
  test("an anonymous 50 MB is answered 401 while not a byte of it was sent", async () => {
    const connection = new RawConnection(port);
    connection.send(
      "POST /api/v1/things HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50000000\r\n\r\n",
    );
    expect((await connection.answer()).status).toBe(401);
    connection.close();
  });

  test("an anonymous malformed body is answered 401", async () => {
    const answer = await rawRequest(
      port,
      "POST /api/v1/things HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{",
    );
    expect(answer.status).toBe(401);
  });

  test("an anonymous endless chunked body is answered 401 at its headers", async () => {
    const connection = new RawConnection(port);
    connection.send("POST /api/v1/things HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    expect((await connection.answer()).status).toBe(401);
    connection.close();
  });

  test("the wrong scope is answered 403 while not a byte was sent", async () => {
    const connection = new RawConnection(port);
    connection.send(
      "POST /api/v1/things HTTP/1.1\r\nHost: localhost\r\nX-API-Key: bso_test_viewer\r\nContent-Length: 50000000\r\n\r\n",
    );
    expect((await connection.answer()).status).toBe(403);
    connection.close();
  });

  test("an allowed 200 MB is answered 413 while not a byte was sent", async () => {
    const connection = new RawConnection(port);
    connection.send(
      "POST /api/v1/things HTTP/1.1\r\nHost: localhost\r\nX-API-Key: bso_test_trader\r\nContent-Length: 200000000\r\n\r\n",
    );
    const answer = await connection.answer();
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([413, "BODY_TOO_LARGE"]);
    connection.close();
  });

  test("a body beyond what is left to drain is cut off", async () => {
    const connection = new RawConnection(port);
    connection.send(
      "POST /api/v1/things HTTP/1.1\r\nHost: localhost\r\nX-API-Key: bso_test_trader\r\nContent-Length: 300000000\r\n\r\n",
    );
    const answer = await connection.answer();
    expect([answer.status, answer.headers.get("connection")?.toLowerCase()]).toEqual([413, "close"]);
    await connection.closed();
  });

  test("a chunked body is counted while it streams: 413 before its end, and the connection closes", async () => {
    const connection = new RawConnection(port);
    connection.send(
      "POST /api/v1/things HTTP/1.1\r\nHost: localhost\r\nX-API-Key: bso_test_trader\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    // 4,097 bytes, one more than the route takes, and the body never ends.
    connection.send(`1001\r\n${" ".repeat(4097)}\r\n`);
    const answer = await connection.answer();
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([413, "BODY_TOO_LARGE"]);
    await connection.closed();
  });

  test("a chunked body within the limit is read", async () => {
    const json = JSON.stringify(thing);
    const [one, other] = [json.slice(0, 5), json.slice(5)];
    const answer = await rawRequest(
      port,
      `POST /api/v1/things HTTP/1.1\r\nHost: localhost\r\nX-API-Key: bso_test_trader\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${one.length.toString(16)}\r\n${one}\r\n${other.length.toString(16)}\r\n${other}\r\n0\r\n\r\n`,
    );
    expect([answer.status, JSON.parse(answer.body).name]).toEqual([201, "one"]);
  });

  test("a connection refused with its body on the way serves the next request", async () => {
    const connection = new RawConnection(port);
    connection.send(
      'POST /api/v1/things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n\r\n{"name":"one"}GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n',
    );
    expect([(await connection.answer()).status, (await connection.answer()).status]).toEqual([401, 200]);
    connection.close();
  });

  test("a body on a route that takes none is left alone", async () => {
    const answer = await probe.call("DELETE", "/api/v1/things/a", { key: "admin", body: "{" });
    expect(answer.status).toBe(204);
  });
});

describe("S2.35 the address's parameters", () => {
  const rows: readonly (readonly [string, string, readonly (readonly [string, string])[]])[] = [
    ["fitting", "/api/v1/boxes/a?name=abc", []],
    ["an unknown one", "/api/v1/boxes/a?nmae=abc", [["/query/nmae", "UNKNOWN_FIELD"]]],
    ["too long a one", "/api/v1/boxes/a?name=hunter2", [["/query/name", "TOO_LONG"]]],
    ["one sent twice", "/api/v1/boxes/a?name=a&name=b", [["/query/name", "REPEATED"]]],
    ["one where the route takes none", "/api/v1/things/a?hunter3=1", [["/query/hunter3", "UNKNOWN_FIELD"]]],
    ["one with a slash in its name", "/api/v1/boxes/a?a%2Fb=1", [["/query/a~1b", "UNKNOWN_FIELD"]]],
    ["an inherited name", "/api/v1/boxes/a?__proto__=1", [["/query/__proto__", "UNKNOWN_FIELD"]]],
    ["one in the path of another form", "/api/v1/boxes/HUNTER2", [["/path/id", "WRONG_FORM"]]],
  ];
  for (const [name, path, faults] of rows) {
    test(`${name}: ${faults.length === 0 ? 200 : 422}`, async () => {
      const { status, json, text } = await probe.call("GET", path, { key: "viewer" });
      expect(status).toBe(faults.length === 0 ? 200 : 422);
      const told = (json.errors ?? []).map((fault: { pointer: string; code: string }) => [fault.pointer, fault.code]);
      expect(told).toEqual(faults as never);
      expect(text.replace(json.instance, "")).not.toMatch(/hunter2/i);
    });
  }
});

describe("S2.16 credentials", () => {
  const rows: readonly (readonly [string, Record<string, string>, number, string | null])[] = [
    ["none", {}, 401, "CREDENTIALS_MISSING"],
    ["a key", { "x-api-key": "bso_test_viewer" }, 200, null],
    ["a key as bearer", { authorization: "Bearer bso_test_viewer" }, 200, null],
    ["a key as bearer, scheme in small letters", { authorization: "bearer bso_test_viewer" }, 200, null],
    ["both", { "x-api-key": "bso_test_viewer", authorization: "Bearer bso_test_viewer" }, 401, "CREDENTIALS_AMBIGUOUS"],
    ["another scheme", { authorization: "Basic dXNlcjpwYXNz" }, 401, "CREDENTIALS_MALFORMED"],
    ["an empty bearer", { authorization: "Bearer " }, 401, "CREDENTIALS_MALFORMED"],
    ["two bearers in one", { authorization: "Bearer a, Bearer b" }, 401, "CREDENTIALS_MALFORMED"],
    ["an unknown key", { "x-api-key": "bso_test_nobody" }, 401, "CREDENTIALS_WRONG"],
    ["an empty key", { "x-api-key": "" }, 401, "CREDENTIALS_WRONG"],
    ["two keys joined", { "x-api-key": "bso_test_viewer, bso_test_viewer" }, 401, "CREDENTIALS_WRONG"],
  ];
  for (const [name, headers, status, code] of rows) {
    test(`${name} answers ${status}`, async () => {
      const answer = await probe.call("GET", "/api/v1/things/a", { headers });
      expect(answer.status).toBe(status);
      if (code !== null) expect(answer.json.code).toBe(code);
      if (status === 401) expect(answer.headers.get("www-authenticate")).toContain("Bearer");
    });
  }

  test("a public route asks nobody, whatever is shown", async () => {
    const server = testServer({
      features: [probeRoutes()],
      authenticator: {
        authenticate: () => {
          throw new Error("asked");
        },
      },
    });
    expect((await server.call("GET", "/open", { key: "admin" })).status).toBe(200);
  });

  test("the authenticator gets the socket's peer", async () => {
    const peers: string[] = [];
    const server = testServer({
      features: [probeRoutes()],
      authenticator: {
        authenticate(credentials) {
          peers.push(credentials.peerAddress);
          return testAuthenticator.authenticate(credentials);
        },
      },
    });
    const { url } = server.listen();
    await fetch(`${url}/api/v1/things/a`, { headers: { "x-api-key": "bso_test_viewer" } });
    expect(peers).toEqual(["127.0.0.1"]);
    await server.close();
  });

  test("S1.08 every route that is not public answers 401 without a key, by every method it has", async () => {
    let guarded = 0;
    for (const route of probe.server.routes.routes) {
      const path = route.pattern.replace(/:[^/]+/g, "a");
      const answer = await probe.call(route.method, path);
      if (route.permission === "public") expect(answer.status).not.toBe(401);
      else {
        guarded += 1;
        expect([route.method, path, answer.status]).toEqual([route.method, path, 401]);
      }
    }
    expect(guarded).toBe(4);
  });
});

test("the app without the server around it runs no handler", async () => {
  // The gate finds no context and stops; there is no second way in.
  expect(async () => await probe.server.app.handle(requestFor("GET", "/open"))).toThrow("did not come through");
});

test("a request that the gate has not admitted reaches no handler, even inside the app", async () => {
  const route = probe.server.routes.match("/open")?.methods.get("GET") ?? null;
  const context = (isAdmitted: boolean, pattern: string): RequestContext => ({
    startMilliseconds: 0,
    requestId: "r",
    host: "localhost",
    path: "/open",
    route: route && { ...route, pattern },
    isAdmitted,
    vouched: null,
    isElsewhere: false,
    clientAddress: "",
    isLocal: false,
    limit: null,
    body: undefined,
    principal: null,
    ticket: null,
    ticketHeld: false,
    timings: [],
    optionCount: null,
    traceId: null,
    trace: null,
    isUnavailable: false,
    isSwitched: false,
    failure: null,
    problem: null,
  });
  const rows = [
    [context(true, "/open"), '{"open":true}'],
    [context(false, "/open"), ""],
    [context(true, "/other"), ""],
  ] as const;
  for (const [given, text] of rows) {
    const request = requestFor("GET", "/open");
    attachContext(request, given);
    const response = (await probe.server.app.handle(request)) as Response;
    expect(await response.text()).toBe(text);
    expect(given.failure !== null).toBe(text === "");
  }
});

async function rawRequestHead(text: string): Promise<string> {
  const connection = new RawConnection(port);
  connection.send(text.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  await connection.closed();
  return connection.rest;
}
