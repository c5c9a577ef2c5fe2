// Attacks on how a request is read, against the executable: paths and methods that two readers could take differently, header and
// parameter tricks, bodies that are too much or not what they say. Whoever sends them is a stranger or has the narrowest key.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { type Operation, operationsOf, withValue } from "../harness/document-places";
import type { Loose } from "../harness/executable";
import { RawConnection, rawRequest } from "../harness/http-socket";
import { SecuredServer } from "../harness/secured-server";

let server: SecuredServer;
let document: Loose;
let operations: Operation[];

beforeAll(async () => {
  server = await SecuredServer.start();
  document = (await server.call("GET", "/openapi.json")).json;
  operations = operationsOf(document);
});
afterAll(() => server.close());

/** A request as its bytes, over a connection of its own. */
function raw(line: string, headers: readonly string[] = [], body = "") {
  return rawRequest(server.port, `${[line, "Host: localhost", ...headers].join("\r\n")}\r\n\r\n${body}`);
}

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

describe("auth bypass: a stranger", () => {
  const guarded = "/api/v1/status";
  const paths: readonly [name: string, target: string][] = [
    ["capital letters", "/API/V1/STATUS"],
    ["a doubled slash", "//api/v1/status"],
    ["a doubled slash inside", "/api//v1/status"],
    ["a slash at the end", "/api/v1/status/"],
    ["dot segments", "/health/../api/v1/status"],
    ["a single dot", "/api/./v1/status"],
    ["an encoded slash", "/api%2fv1%2fstatus"],
    ["an encoded letter", "/api/v1/%73tatus"],
    ["encoded dot segments", "/health/%2e%2e/api/v1/status"],
    ["a backslash", "/api\\v1\\status"],
    ["a path parameter", "/api/v1/status;x=/health"],
    ["a null byte", "/api/v1/status%00"],
    ["a space at the end", "/api/v1/status%20"],
    ["a suffix", "/api/v1/status.json"],
    ["a fragment", "/api/v1/status#/health"],
    ["wide letters", "/api/v1/%EF%BD%93tatus"],
  ];
  test.each(paths)("S4.54 auth bypass: does not get behind the guard with %s", async (_name, target) => {
    const answer = await raw(`GET ${target} HTTP/1.1`);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body).not.toContain("active_agents");
  });

  const targets: readonly [name: string, line: string, headers: readonly string[]][] = [
    ["an absolute target of a foreign host", "GET http://evil.example/api/v1/status HTTP/1.1", []],
    ["an absolute target of a host of one letter", "GET http://a/health/api/v1/status HTTP/1.1", []],
    ["X-Original-URL", `GET /health HTTP/1.1`, [`X-Original-URL: ${guarded}`]],
    ["X-Rewrite-URL", `GET /health HTTP/1.1`, [`X-Rewrite-URL: ${guarded}`]],
    ["HEAD", `HEAD ${guarded} HTTP/1.1`, []],
    ["TRACE", `TRACE ${guarded} HTTP/1.1`, []],
    ["CONNECT", `CONNECT ${guarded} HTTP/1.1`, []],
    ["a method override", `POST /health HTTP/1.1`, ["X-HTTP-Method-Override: GET", "Content-Length: 0"]],
  ];
  test.each(targets)("S4.54 auth bypass: is not let in by %s", async (_name, line, headers) => {
    const connection = new RawConnection(server.port);
    connection.send(`${[line, "Host: localhost", "Connection: close", ...headers].join("\r\n")}\r\n\r\n`);
    await connection.closed();
    expect(connection.rest).not.toContain("active_agents");
    expect(connection.rest).toMatch(/^HTTP\/1\.1 (4\d\d|200 OK)/);
    if (connection.rest.startsWith("HTTP/1.1 200")) expect(connection.rest).toEndWith('{"status":"ok"}');
  });

  const forwarded = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "forwarded",
    "via",
    "x-real-ip",
    "origin",
  ];
  test.each(forwarded)(
    "S4.54 auth bypass: does not see the metrics through a proxy, by a page or by saying %s",
    async (name) => {
      const value = name === "forwarded" ? "for=127.0.0.1" : name === "origin" ? "http://localhost" : "127.0.0.1";
      expect((await raw("GET /metrics HTTP/1.1", [`${name}: ${value}`])).status).toBe(401);
      expect((await raw("GET /metrics HTTP/1.1")).status).toBe(200);
    },
  );

  const claims: readonly [name: string, path: string, headers: Record<string, string>][] = [
    ["a role in a header", guarded, { "x-user-role": "admin", "x-role": "admin", "x-admin": "true" }],
    ["a user's name in a header", guarded, { "x-forwarded-user": "owner", "x-remote-user": "owner", "x-user-id": "1" }],
    [
      "an inside address in a header",
      guarded,
      { "x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", forwarded: "for=127.0.0.1" },
    ],
    [
      "a client certificate's name in a header",
      guarded,
      { "x-client-cert": "CN=owner", "x-ssl-client-verify": "SUCCESS" },
    ],
    ["an empty key", guarded, { "x-api-key": "" }],
    ["an empty bearer", guarded, { authorization: "Bearer " }],
    ["the word null", guarded, { authorization: "Bearer null" }],
    ["a basic login", guarded, { authorization: `Basic ${btoa("admin:admin")}` }],
    [
      "a session cookie of words",
      guarded,
      { cookie: "session=admin; __Host-bsopt-session=admin; __Host-session=admin" },
    ],
  ];
  test.each(claims)("S4.54 S3.02 auth bypass: is nobody for all of %s", async (_name, path, headers) => {
    expect((await server.call("GET", path, { headers })).status).toBe(401);
  });

  const keyTricks: readonly [name: string, (key: string) => { path?: string; headers?: Record<string, string> }][] = [
    ["in the query", (key) => ({ path: `${guarded}?api_key=${key}&x-api-key=${key}&token=${key}` })],
    ["in a cookie", (key) => ({ headers: { cookie: `x-api-key=${key}; api_key=${key}` } })],
    ["in capitals", (key) => ({ headers: { "x-api-key": key.toUpperCase() } })],
    ["without its last letter", (key) => ({ headers: { "x-api-key": key.slice(0, -1) } })],
    ["with one letter more", (key) => ({ headers: { "x-api-key": `${key}A` } })],
    [
      "with another last letter",
      (key) => ({ headers: { "x-api-key": key.slice(0, -1) + (key.endsWith("A") ? "B" : "A") } }),
    ],
    ["with its id alone", (key) => ({ headers: { "x-api-key": key.split("_").slice(0, 2).join("_") } })],
    ["twice", (key) => ({ headers: { "x-api-key": `${key}, ${key}` } })],
    ["and as a bearer too", (key) => ({ headers: { "x-api-key": key, authorization: `Bearer ${key}` } })],
    ["under Basic", (key) => ({ headers: { authorization: `Basic ${btoa(`:${key}`)}` } })],
  ];
  test.each(keyTricks)("S4.54 S3.02 auth bypass: a good key %s opens nothing", async (_name, trick) => {
    const { path = guarded, headers = {} } = trick(server.keys.admin);
    expect((await server.call("GET", path, { headers })).status).toBe(401);
  });

  test("S4.54 auth bypass: the id of one key with the secret of another opens nothing", async () => {
    const [, id] = server.keys.admin.split("_");
    const [, , secret] = server.keys.viewer.split("_");
    expect((await server.call("GET", guarded, { key: `bso_${id}_${secret}` })).status).toBe(401);
  });

  test("S2.13 every guarded operation, by every method, is 401 before its body, its parameters or its id are looked at", async () => {
    const guardedOnes = operations.filter(({ isPublic }) => !isPublic);
    expect(guardedOnes.length).toBeGreaterThanOrEqual(10);
    for (const { method, path } of guardedOnes) {
      const answer = await server.call(method, `${path.replace(/\{[^}]+\}/g, "x")}?nonsense=1`, {
        // From beyond this machine, where the metrics are guarded too.
        headers: { ...server.stranger(), ...(method !== "GET" && { "content-type": "text/plain" }) },
        ...(method !== "GET" && { body: "{" }),
      });
      expect([method, path, answer.status, answer.json.code]).toEqual([method, path, 401, "CREDENTIALS_MISSING"]);
    }
  });
});

describe("header injection", () => {
  const echoed: readonly [name: string, header: string][] = [
    ["a request id", "X-Request-Id: abc%0d%0aSet-Cookie: a=b"],
    ["a trace", "traceparent: 00-%0d%0aSet-Cookie:a=b-00-01"],
    ["an origin", "Origin: https://x%0d%0aSet-Cookie: a=b"],
    ["an encoding", "Accept-Encoding: gzip%0d%0aSet-Cookie: a=b"],
  ];
  test.each(echoed)(
    "S2.14 S4.54 an encoded line break in %s stays what it is and makes no header",
    async (_name, header) => {
      const answer = await raw("GET /health HTTP/1.1", [header]);
      expect([...answer.headers.keys()]).not.toContain("set-cookie");
      expect(answer.headers.get("x-request-id") ?? "").not.toMatch(/[^\x21-\x7e]|set-cookie/i);
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    },
  );

  const broken: readonly [name: string, head: string][] = [
    [
      "a bare line feed in a value",
      "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\nSet-Cookie: a=b\r\n\r\n",
    ],
    [
      "a bare carriage return in a value",
      "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\rSet-Cookie: a=b\r\n\r\n",
    ],
    ["a null in a value", "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\0b\r\n\r\n"],
    ["a folded line", "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\r\n Set-Cookie: a=b\r\n\r\n"],
  ];
  test.each(broken)("S2.14 %s reaches no answer's headers", async (_name, head) => {
    const connection = new RawConnection(server.port);
    connection.send(head.replace("Host: localhost", "Host: localhost\r\nConnection: close"));
    await connection.closed();
    expect(connection.rest).toStartWith("HTTP/1.1 ");
    expect(connection.rest).not.toMatch(/^set-cookie/im);
  });

  test("S2.14 a line break in the path is told back in JSON alone", async () => {
    const answer = await raw("GET /nowhere%0d%0aSet-Cookie:%20a=b HTTP/1.1");
    expect(answer.status).toBe(404);
    expect(answer.headers.get("set-cookie")).toBeNull();
    expect(JSON.parse(answer.body).instance).toBe("/nowhere%0d%0aSet-Cookie:%20a=b");
  });

  test("S2.35 a control character in a name is refused, encoded in JSON or not", async () => {
    for (const name of ["a\r\nSet-Cookie: x=1", "a\u0000b", "a\u007fb", "\tb"]) {
      const answer = await server.call("POST", "/api/v1/api-keys", {
        key: "admin",
        body: { name, scopes: ["pricing:read"] },
      });
      expect([answer.status, answer.json.errors[0].pointer]).toEqual([422, "/name"]);
    }
  });

  const smuggling: readonly [name: string, head: string][] = [
    ["a length and chunks at once", "Content-Length: 4\r\nTransfer-Encoding: chunked"],
    ["two lengths", "Content-Length: 4\r\nContent-Length: 5"],
    ["a length with a sign", "Content-Length: +4"],
    ["a length in hexadecimal", "Content-Length: 0x4"],
    ["an unknown transfer coding", "Transfer-Encoding: xchunked"],
    ["chunks that are not last", "Transfer-Encoding: chunked, identity"],
    ["a transfer coding under a tab", "Transfer-Encoding:\tchunked\r\nContent-Length: 4"],
    ["a header's name with a space", "Transfer-Encoding : chunked\r\nContent-Length: 4"],
  ];
  test.each(smuggling)("S2.14 request smuggling: %s never lets a second request through", async (_name, head) => {
    const connection = new RawConnection(server.port);
    const hidden = `GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${server.keys.admin}\r\n\r\n`;
    connection.send(
      `POST /api/v1/pricing/price HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n${head}\r\n\r\n0\r\n\r\n${hidden}`,
    );
    await connection.closed();
    expect(connection.rest).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(connection.rest).not.toContain("active_agents");
  });
});

describe("parameter pollution", () => {
  const queries = [
    "limit=1&limit=200",
    "limit[]=1",
    "limit[0]=1",
    "limit[$gt]=0",
    "limit=1;cursor=x",
    "Limit=1",
    "%6cimit=1&limit=2",
    "limit=1%00",
    "limit=1e2",
    "limit=0x10",
    "limit=%201",
    "limit=99999999999999999999",
    "limit=1&user_id=x&user_id=y",
    "_method=DELETE",
    "__proto__[limit]=1",
    "constructor.prototype.limit=1",
  ];
  test.each(queries)("S2.14 S2.35 ?%s is 422", async (query) => {
    const answer = await server.call("GET", `/api/v1/api-keys?${query}`, { key: "admin" });
    expect([answer.status, answer.json.code]).toEqual([422, "SCHEMA_INVALID"]);
  });

  test.each(["X-API-Key", "Authorization", "Host"])("S2.14 two headers %s mean nobody", async (name) => {
    const value =
      name === "Host" ? "localhost" : name === "Authorization" ? `Bearer ${server.keys.admin}` : server.keys.admin;
    const answer = await raw("GET /api/v1/status HTTP/1.1", [
      ...(name === "Host" ? [`X-API-Key: ${server.keys.admin}`] : []),
      `${name}: ${value}`,
      ...(name === "Host" ? [] : [`${name}: ${value}`]),
    ]);
    expect(answer.status).toBe(name === "Host" ? 400 : 401);
  });

  test("S2.14 two idempotency keys are no key", async () => {
    const answer = await raw(
      "POST /api/v1/api-keys HTTP/1.1",
      [
        `X-API-Key: ${server.keys.admin}`,
        "Content-Type: application/json",
        "Content-Length: 44",
        "Idempotency-Key: a",
        "Idempotency-Key: b",
      ],
      '{"name":"twice","scopes":["pricing:read"]  }',
    );
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, "IDEMPOTENCY_KEY_MALFORMED"]);
  });
});

describe("parameter pollution of the one form", () => {
  const id = "4fJ0aVb7QkXz";
  const grant = "grant_type=client_credentials";
  const forms: readonly [name: string, form: string, statuses: readonly number[]][] = [
    ["a field twice", `${grant}&client_id=${id}&client_id=x&client_secret=y`, [400, 422]],
    ["the grant twice", `${grant}&grant_type=password&client_id=${id}&client_secret=y`, [400, 422]],
    ["a field that no form has", `${grant}&client_id=${id}&client_secret=y&role=admin`, [400, 422]],
    ["a prototype", `${grant}&__proto__[scope]=admin&__proto__=x`, [400, 422]],
    ["brackets", `${grant}&client_id[]=${id}&client_secret=y`, [400, 422]],
    ["semicolons for ampersands", `${grant};client_id=${id};client_secret=y`, [400, 401, 422]],
    ["broken encoding", `${grant}&client_id=%zz&client_secret=%ff`, [400, 401, 422]],
    ["a null byte", `${grant}&client_id=${id}%00&client_secret=y%00`, [400, 401, 422]],
    ["another grant", `grant_type=password&username=admin&password=admin`, [400, 422]],
    ["the grant of the implicit flow", `grant_type=implicit&client_id=${id}&client_secret=y`, [400, 422]],
    ["too much", `${grant}&client_secret=${"y".repeat(2_000_000)}`, [413]],
    ["100,000 fields", Array.from({ length: 100_000 }, (_, index) => `f${index}=1`).join("&"), [400, 422]],
    ["JSON", `{"grant_type":"client_credentials"}`, [400, 401, 422]],
  ];
  test.each(forms)("S2.14 S3.02 a form with %s gets no token", async (_name, form, statuses) => {
    const answer = await server.call("POST", "/api/v1/oauth/token", {
      body: form,
      headers: { "content-type": "application/x-www-form-urlencoded", ...server.stranger() },
    });
    expect(statuses).toContain(answer.status);
    expect(answer.text).not.toContain("access_token");
  });

  test("S3.02 the same fields in the address instead of the body get no token", async () => {
    const [, key = "", secret = ""] = server.keys.viewer.split("_");
    const answer = await server.call("POST", `/api/v1/oauth/token?${grant}&client_id=${key}&client_secret=${secret}`, {
      body: "",
      headers: { "content-type": "application/x-www-form-urlencoded", ...server.stranger() },
    });
    expect([400, 401, 422]).toContain(answer.status);
  });
});

describe("prototype pollution", () => {
  const bodies = [
    '{"__proto__":{"scopes":["admin"],"name":"x"}}',
    '{"name":"x","scopes":["pricing:read"],"__proto__":{"rate_class":"unlimited"}}',
    '{"name":"x","scopes":["pricing:read"],"constructor":{"prototype":{"isAdmin":true}}}',
    '{"name":"x","scopes":["pricing:read"],"\\u005f\\u005fproto\\u005f\\u005f":{"admin":true}}',
    '{"name":"x","scopes":["pricing:read"],"prototype":{"admin":true}}',
    '{"name":"x","scopes":{"__proto__":[],"0":"admin","length":1}}',
    '{"name":{"toString":"x"},"scopes":["pricing:read"]}',
    '{"name":"x","scopes":["__proto__"]}',
    '{"name":"x","scopes":["constructor"]}',
    '{"name":"x","scopes":["pricing:read"],"rate_class":"toString"}',
  ];
  test.each(bodies)("S2.14 the body %s is refused", async (body) => {
    const answer = await server.call("POST", "/api/v1/api-keys", { key: "admin", body });
    expect([400, 422]).toContain(answer.status);
  });

  test.each(["toString", "__proto__", "constructor", "hasOwnProperty"])(
    "S2.14 %s is no model, no output, no unit and no calendar",
    async (word) => {
      for (const body of [
        { ...option, model: word },
        { ...option, outputs: [word] },
        { ...option, units: word },
        { ...option, option_type: word },
        { ...option, day_count: word },
        {
          ...option,
          day_count: "business/252",
          calendar: word,
          time_to_expiry: undefined,
          expiry: "2099-01-01T00:00:00Z",
        },
      ]) {
        const answer = await server.call("POST", "/api/v1/pricing/price", { key: "viewer", body });
        expect([JSON.stringify(body), answer.status]).toEqual([JSON.stringify(body), 422]);
      }
    },
  );

  test("S2.14 cookies and queries that name prototypes change nothing for whoever comes next", async () => {
    for (const query of ["__proto__[role]=admin", "constructor[prototype][role]=admin", "__proto__.role=admin"]) {
      await server.call("GET", `/health?${query}`, { headers: { cookie: "__proto__=x; constructor=y; toString=z" } });
    }
    expect((await server.call("GET", "/api/v1/admin/signing-keys", { key: "viewer" })).status).toBe(403);
    const empty = await server.call("POST", "/api/v1/api-keys", { key: "admin", body: {} });
    expect(empty.json.errors.map(({ pointer }: Loose) => pointer).sort()).toEqual(["/name", "/scopes"]);
    expect((await server.call("GET", "/health")).text).toBe('{"status":"ok"}');
  });
});

describe("mass assignment", () => {
  const wanted = {
    role: "admin",
    is_admin: true,
    isAdmin: true,
    admin: true,
    permissions: ["admin"],
    scopes: ["admin"],
    user_id: "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10",
    owner_id: "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10",
    id: "000000000000",
    email_verified: true,
    email_verified_at: "2026-01-02T03:04:05Z",
    disabled_at: null,
    sessions_valid_from: 0,
    created_at: "2026-01-02T03:04:05Z",
    revoked_at: null,
    created_by_key_id: null,
    secret_hash: "0".repeat(64),
    password_hash: "x",
    rate_class: "unlimited",
    $where: "1",
  };

  test("S4.54 S2.35 a field that no request has is 422 in every body of every route", async () => {
    const taken: string[] = [];
    let tried = 0;
    for (const operation of operations) {
      const credentials = await server.credentialsFor(operation);
      for (const base of operation.bodies) {
        for (const [name, value] of Object.entries(wanted)) {
          if (isDeclared(document, operation, name)) continue;
          const answer = await server.call(operation.method, operation.path.replace(/\{[^}]+\}/g, "019a9f3c5d1e"), {
            ...credentials,
            headers: server.stranger(),
            body: withValue(base, [name], value),
          });
          tried += 1;
          const found = answer.json?.errors?.some(
            ({ pointer, code }: Loose) => pointer === `/${name}` && code === "UNKNOWN_FIELD",
          );
          if (answer.status !== 422 || !found)
            taken.push(`${operation.method} ${operation.path} ${name} → ${answer.status}`);
        }
      }
    }
    expect(taken).toEqual([]);
    expect(tried).toBeGreaterThan(100);
  });

  /** Whether some shape of the operation's body has a field of that name. */
  function isDeclared(whole: Loose, { path, method }: Operation, name: string): boolean {
    const schema = whole.paths[path][method.toLowerCase()].requestBody.content["application/json"].schema;
    const has = (node: Loose): boolean => {
      const at = typeof node.$ref === "string" ? whole.components.schemas[node.$ref.split("/").at(-1)!] : node;
      return Object.hasOwn(at.properties ?? {}, name) || [...(at.oneOf ?? []), ...(at.anyOf ?? [])].some(has);
    };
    return has(schema);
  }
});

describe("a body that is too much", () => {
  const path = "/api/v1/pricing/price";
  const tooMuch: readonly [name: string, body: () => string, status: number][] = [
    ["33 levels of arrays", () => `${"[".repeat(33)}${"]".repeat(33)}`, 400],
    ["100,000 levels of arrays", () => "[".repeat(100_000), 400],
    ["100,000 levels of objects", () => '{"a":'.repeat(100_000), 400],
    ["a megabyte and one byte", () => `{"model":"${"x".repeat(1_048_566)}"}`, 413],
    ["100,000 fields", () => `{${Array.from({ length: 60_000 }, (_, index) => `"f${index}":1`).join(",")}}`, 422],
    ["a field's name of a megabyte", () => `{"${"n".repeat(1_000_000)}":1}`, 422],
    ["a text of a megabyte", () => JSON.stringify({ ...option, model: "m".repeat(1_000_000) }), 422],
    ["a number of a million digits", () => `{"model":${"9".repeat(1_000_000)}}`, 422],
    ["a list of 100,000 outputs", () => JSON.stringify({ ...option, outputs: Array(100_000).fill("price") }), 422],
    ["invalid UTF-8", () => '{"model":"\xff\xfe"}', 400],
    ["a byte order mark", () => `\uFEFF${JSON.stringify(option)}`, 400],
    ["two values", () => `${JSON.stringify(option)}{}`, 400],
    ["a comment", () => `/* */${JSON.stringify(option)}`, 400],
    ["nothing", () => "", 400],
  ];
  test.each(tooMuch)("S2.14 S2.35 %s is told in words and does no harm", async (name, body, status) => {
    const bytes = name === "invalid UTF-8" ? Buffer.from(body(), "latin1") : Buffer.from(body());
    const answer = await server.call("POST", path, { key: "viewer", body: bytes });
    expect(answer.status).toBe(status);
    expect(answer.text.length).toBeLessThan(20_000);
    expect(answer.json.status).toBe(status);
  });

  test("S2.14 a body without a length is cut at the limit, whatever more is sent", async () => {
    const connection = new RawConnection(server.port);
    connection.send(
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${server.keys.viewer}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
    for (let sent = 0; sent < 20; sent++) connection.send(chunk);
    expect((await connection.answer()).status).toBe(413);
    connection.close();
  });

  test("S2.14 a compressed body is refused where none is taken, and a bomb is cut where one is", async () => {
    const headers = { "content-encoding": "gzip" };
    const small = await server.call("POST", path, { key: "viewer", body: gzipSync(JSON.stringify(option)), headers });
    expect([small.status, small.json.code]).toEqual([415, "CONTENT_ENCODING_UNSUPPORTED"]);
    const bomb = gzipSync(Buffer.alloc(200_000_000, 0x20));
    const answer = await server.call("POST", "/api/v1/pricing/batch", { key: "viewer", body: bomb, headers });
    expect([answer.status, answer.json.code]).toEqual([413, "BODY_TOO_LARGE"]);
    const nested = await server.call("POST", "/api/v1/pricing/batch", {
      key: "viewer",
      body: gzipSync(bomb),
      headers: { "content-encoding": "gzip, gzip" },
    });
    expect(nested.status).toBe(415);
  });

  test("S2.14 a head of more than 16 KiB is refused by number", async () => {
    expect((await raw(`GET /health?${"x".repeat(20_000)} HTTP/1.1`)).status).toBe(431);
    expect((await raw("GET /health HTTP/1.1", [`X-Filler: ${"x".repeat(20_000)}`])).status).toBe(431);
  });
});

describe("a body that is not what it says", () => {
  const types = [
    "text/plain",
    "text/plain; charset=utf-8",
    "text/html",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "text/xml",
    "application/x-yaml",
    "application/octet-stream",
    "application/json; charset=utf-16",
    "application/json, text/plain",
    "application/jsonp",
    "application/json\t;evil",
    "*/*",
  ];
  test.each(types)("S2.14 S4.54 CSRF: %s is 415 at every route that takes a body", async (type) => {
    for (const operation of operations.filter(({ bodies }) => bodies.length > 0)) {
      const { method, path, bodies, bodyTypes } = operation;
      if (bodyTypes.includes(type)) continue;
      const answer = await server.call(method, path.replace(/\{[^}]+\}/g, "019a9f3c5d1e"), {
        ...(await server.credentialsFor(operation)),
        body: bodies[0],
        headers: { "content-type": type },
      });
      expect([method, path, answer.status]).toEqual([method, path, 415]);
    }
  });
});

describe("XSS: what a browser is told", () => {
  test("S4.54 XSS: every documented address answers with nosniff, a policy and no framing, good or bad", async () => {
    for (const { method, path } of operations) {
      const { headers } = await server.call(method, path.replace(/\{[^}]+\}/g, "<script>"), {});
      expect([path, headers.get("x-content-type-options")]).toEqual([path, "nosniff"]);
      expect([path, headers.get("x-frame-options")]).toEqual([path, "DENY"]);
      expect([path, headers.get("content-security-policy")]).toEqual([
        path,
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      ]);
      expect([path, headers.get("referrer-policy")]).toEqual([path, "no-referrer"]);
      expect([path, headers.get("x-powered-by"), headers.get("server")]).toEqual([path, null, null]);
    }
  });

  test("S4.54 XSS: the pages run only scripts that this server serves, and none that an address brings", async () => {
    for (const path of ["/docs", "/swagger"]) {
      const plain = await server.call("GET", path);
      const policy = plain.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'none'");
      expect(/script-src ([^;]+)/.exec(policy)?.[1]).toMatch(/^'self'( 'sha256-[A-Za-z0-9+/=]+')*$/);
      expect(policy).toContain("base-uri 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      const attacked = await server.call(
        "GET",
        `${path}?url=https://evil.example/x.json&configUrl=//evil.example&x=<script>alert(1)</script>`,
      );
      expect(attacked.text).toBe(plain.text);
    }
  });

  test("S4.54 XSS: an address that does not exist is told as JSON, not as a page", async () => {
    const answer = await server.call("GET", "/%3Cscript%3Ealert(1)%3C/script%3E");
    expect([answer.status, answer.headers.get("content-type")]).toEqual([404, "application/problem+json"]);
    const unescaped = await raw("GET /<script>alert(1)</script> HTTP/1.1");
    expect(unescaped.status).toBeGreaterThanOrEqual(400);
    expect(unescaped.headers.get("content-type") ?? "none").not.toContain("html");
  });

  test("S4.54 XSS: a name kept with tags in it comes back as JSON text", async () => {
    const name = "<img src=x onerror=alert(1)>";
    const made = await server.call("POST", "/api/v1/api-keys", {
      key: "admin",
      body: { name, scopes: ["pricing:read"] },
    });
    server.keep("a key made under a name with tags", made.json.secret);
    const list = await server.call("GET", "/api/v1/api-keys?limit=10", {
      key: "admin",
      headers: { accept: "text/html" },
    });
    expect(list.headers.get("content-type")).toStartWith("application/json");
    expect(list.json.data.map((key: Loose) => key.name)).toContain(name);
  });

  test("S4.54 XSS: a cell of a table that begins a formula is not one any more", async () => {
    const csv =
      "option_type,spot,strike,time_to_expiry,rate,dividend_yield,volatility\ncall,100,105,0.5,0.03,0.01,=HYPERLINK(1)\n";
    const answer = await server.call("POST", "/api/v1/pricing/batch?model=black_scholes_merton&format=csv", {
      key: "viewer",
      body: csv,
      headers: { "content-type": "text/csv" },
    });
    expect(answer.text).not.toMatch(/(^|[,\n"])[=+@]/);
  });
});

describe("cross-origin calls", () => {
  const foreign = ["https://evil.example", "null", "http://localhost.evil.example", "https://localhost", "file://"];
  test.each(foreign)("S2.17 %s may read nothing and gets no preflight", async (origin) => {
    for (const method of ["GET", "OPTIONS"]) {
      const { headers } = await server.call(method, "/api/v1/status", {
        headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "x-api-key" },
      });
      for (const name of [...headers.keys()]) expect(name).not.toStartWith("access-control-");
    }
  });

  test("S2.17 with an allow-list, the exact origin alone is named, never a star", async () => {
    const allowed = await SecuredServer.start({ environment: { BSOPT_CORS_ORIGINS: "https://desk.example" } });
    try {
      const ask = async (origin: string) =>
        (await allowed.call("GET", "/health", { headers: { origin } })).headers.get("access-control-allow-origin");
      expect(await ask("https://desk.example")).toBe("https://desk.example");
      for (const origin of [
        "https://DESK.example",
        "https://desk.example.evil",
        "http://desk.example",
        "https://desk.example:444",
        "https://xdesk.example",
        "null",
      ]) {
        expect([origin, await ask(origin)]).toEqual([origin, null]);
      }
    } finally {
      await allowed.close();
    }
  });
});
