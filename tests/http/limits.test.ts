// Rate limits over the whole server: who counts where, what every limited answer says, and which tricks do not help.

import { afterAll, describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { parseEndpointLimit } from "../../src/config/rate-limits";
import type { Authenticator, Principal, RateClass, RequestOrigin } from "../../src/domain/principal";
import { ManualClock, systemClock } from "../../src/foundation/clock";
import { BsoptError } from "../../src/foundation/errors";
import { type BucketStore, MemoryBucketStore } from "../../src/foundation/token-bucket";
import { createLimits } from "../../src/http/limits";
import { originOf } from "../../src/http/request-context";
import { type Answer, type CallOptions, type TestServer, testPrincipal, testServer } from "../harness/http";
import { RawConnection, rawRequest } from "../harness/http-socket";
import { probeRoutes } from "./probe-routes";

/** Knows keys bso_<class>_<role>_<name>; every key is a user of its own name. */
const authenticator: Authenticator = {
  authenticate({ apiKey = "" }) {
    const match = /^bso_(standard|bot|unlimited)_(viewer|trader|admin)_([a-z0-9]+)$/.exec(apiKey);
    if (!match) throw new BsoptError({ reason: "unauthenticated", code: "CREDENTIALS_WRONG", detail: "Not valid" });
    const known = principals.get(apiKey);
    if (known) return known;
    const principal: Principal = {
      ...testPrincipal(match[2] as "viewer"),
      userId: match[3]!,
      credential: { kind: "api_key", id: apiKey },
      rateClass: match[1] as RateClass,
    };
    principals.set(apiKey, principal);
    return principal;
  },
};
const principals = new Map<string, Principal>();

interface Setup {
  readonly endpoints?: readonly string[];
  readonly store?: BucketStore;
  readonly trustedProxies?: readonly string[];
  readonly address?: { perMinute: number; burst: number };
}

function limited(setup: Setup = {}): TestServer & { clock: ManualClock } {
  // Stopping a server waits by the machine's time; the limits have their own.
  const clock = Object.assign(new ManualClock(), { sleep: systemClock.sleep });
  const server = testServer({
    features: [probeRoutes()],
    authenticator,
    clock,
    config: { trustedProxies: setup.trustedProxies ?? [] },
    limits: createLimits({
      store: setup.store ?? new MemoryBucketStore({ clock }),
      clock,
      address: setup.address ?? { perMinute: 1000, burst: 100 },
      user: { perMinute: 100, burst: 10 },
      bot: { perMinute: 600, burst: 20 },
      endpoints: (setup.endpoints ?? []).map((text) => parseEndpointLimit(text)!),
    }),
  });
  return Object.assign(server, { clock });
}

const read = "/api/v1/things/a";

/** How many of so many requests were not 429, one after the other. */
async function passed(server: TestServer, count: number, method: string, path: string, call: CallOptions = {}) {
  let passes = 0;
  for (let i = 0; i < count; i++) if ((await server.call(method, path, call)).status !== 429) passes += 1;
  return passes;
}

function told({ headers }: Pick<Answer, "headers">) {
  const names = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit-policy", "ratelimit"];
  return [...names, "retry-after"].map((name) => headers.get(name));
}
const untold = [null, null, null, null, null, null];

describe("S2.30 what a limited answer says", () => {
  test("S2.28 counts a user down, then 429 with a time, then up again", async () => {
    const server = limited();
    const key = "bso_standard_viewer_ann";
    expect(told(await server.call("GET", read, { key }))).toEqual([
      "100",
      "9",
      "1",
      '"user";q=100;w=60',
      '"user";r=9;t=1',
      null,
    ]);
    expect(await passed(server, 9, "GET", read, { key })).toBe(9);
    const refused = await server.call("GET", read, { key });
    expect(refused.status).toBe(429);
    expect(refused.json).toMatchObject({ code: "RATE_LIMITED", retryable: true, title: "Too many requests" });
    expect(told(refused)).toEqual(["100", "0", "6", '"user";q=100;w=60', '"user";r=0;t=6', "1"]);
    server.clock.advance(600);
    expect((await server.call("GET", read, { key })).status).toBe(200);
    expect((await server.call("GET", read, { key })).status).toBe(429);
  });

  test("S2.27 counts strangers by address: 100 at once, 1000 a minute", async () => {
    const server = limited();
    expect(told(await server.call("GET", "/open"))).toEqual([
      "1000",
      "99",
      "1",
      '"address";q=1000;w=60',
      '"address";r=99;t=1',
      null,
    ]);
    expect(await passed(server, 200, "GET", "/open")).toBe(99);
    server.clock.advance(60_000);
    let passes = 0;
    for (let i = 0; i < 600; i++) {
      passes += await passed(server, 3, "GET", "/open");
      server.clock.advance(100);
    }
    // The burst and a minute of pay, less what is due at its very end.
    expect(passes).toBe(100 + 1000 - 2);
  });

  const everywhere: readonly { name: string; method: string; path: string; call: CallOptions; status: number }[] = [
    { name: "a public route", method: "GET", path: "/open", call: {}, status: 200 },
    { name: "its HEAD", method: "HEAD", path: "/open", call: {}, status: 200 },
    { name: "OPTIONS", method: "OPTIONS", path: "/open", call: {}, status: 204 },
    { name: "nothing there", method: "GET", path: "/nowhere", call: {}, status: 404 },
    { name: "a wrong method", method: "PUT", path: "/open", call: {}, status: 405 },
    { name: "a foreign host", method: "GET", path: "/open", call: { headers: { host: "evil.example" } }, status: 400 },
    { name: "a broken path", method: "GET", path: "/api/v1/things/%zz", call: {}, status: 400 },
    { name: "no key", method: "GET", path: read, call: {}, status: 401 },
    { name: "a wrong key", method: "GET", path: read, call: { key: "bso_wrong" }, status: 401 },
    {
      name: "two keys",
      method: "GET",
      path: read,
      call: { key: "bso_wrong", headers: { authorization: "Bearer x" } },
      status: 401,
    },
    {
      name: "no permission",
      method: "DELETE",
      path: read,
      call: { key: "bso_standard_viewer_ann" },
      status: 403,
    },
    {
      name: "no permission of a key without limits",
      method: "DELETE",
      path: read,
      call: { key: "bso_unlimited_viewer_ann" },
      status: 403,
    },
  ];
  test.each(everywhere)("S4.54 $name counts by address and says so", async ({ method, path, call, status }) => {
    const server = limited({ address: { perMinute: 60, burst: 2 } });
    const answer = await server.call(method, path, call);
    expect(answer.status).toBe(status);
    expect(told(answer).slice(0, 5)).toEqual(["60", "1", "1", '"address";q=60;w=60', '"address";r=1;t=1']);
    expect((await server.call(method, path, call)).status).toBe(status);
    // The third of anybody there: what exists is refused, what does not is told as before.
    expect((await server.call("GET", "/open")).status).toBe(429);
    const again = await server.call(method, path, call);
    expect(again.status).toBe([400, 404, 405].includes(status) ? status : 429);
    expect(again.headers.get("x-ratelimit-remaining")).toBe("0");
  });

  test("a key without limits is told nothing and never refused, the address's tokens untouched", async () => {
    const server = limited({ address: { perMinute: 1000, burst: 5 } });
    const key = "bso_unlimited_viewer_ann";
    for (let i = 0; i < 300; i++) {
      const answer = await server.call("GET", read, { key });
      expect([answer.status, ...told(answer)]).toEqual([200, ...untold]);
    }
    expect(await passed(server, 10, "GET", "/open")).toBe(5);
  });

  test("a problem of a handler's or of a body counts where the request did", async () => {
    const server = limited();
    const answer = await server.call("POST", "/api/v1/things", { key: "bso_standard_trader_ann", body: {} });
    expect([answer.status, ...told(answer)]).toEqual([
      422,
      "100",
      "9",
      "1",
      '"user";q=100;w=60',
      '"user";r=9;t=1',
      null,
    ]);
  });

  test("headers are whole numbers and structured fields whatever the state", async () => {
    const server = limited();
    for (let i = 0; i < 150; i++) {
      const [limit, remaining, reset, policy, state] = told(await server.call("GET", "/open"));
      expect([limit, remaining, reset].join(" ")).toMatch(/^\d+ \d+ \d+$/);
      expect(policy).toMatch(/^"[a-z0-9-]+";q=\d+;w=\d+$/);
      expect(state).toMatch(/^"[a-z0-9-]+";r=\d+;t=\d+$/);
      server.clock.advance(7);
    }
  });
});

describe("S2.30 what watches the server", () => {
  const answered = Type.Object({}, { additionalProperties: false, $id: "Watched" });
  const paths = ["/health", "/liveness", "/readiness", "/metrics"];
  const watched = () => {
    const clock = new ManualClock();
    const rate = { perMinute: 60, burst: 2 };
    let feature = new Elysia();
    for (const [index, path] of paths.entries()) {
      const detail = {
        operationId: `watch${index}`,
        summary: "Watches",
        tags: ["Watch"],
        permission: "public" as const,
      };
      feature = feature.get(path, () => ({}), { response: { 200: answered }, detail }) as never;
    }
    const store = new MemoryBucketStore({ clock });
    const limits = createLimits({ store, clock, address: rate, user: rate, bot: rate, endpoints: [] });
    return testServer({ features: [probeRoutes(), feature], clock, limits });
  };

  test.each(paths)("%s is outside the limits, for every method, and costs nobody a token", async (path) => {
    const server = watched();
    for (let i = 0; i < 20; i++) {
      for (const [method, status] of [
        ["GET", 200],
        ["HEAD", 200],
        ["OPTIONS", 204],
        ["POST", 405],
      ] as const) {
        const answer = await server.call(method, path);
        expect([method, answer.status, ...told(answer)]).toEqual([method, status, ...untold]);
      }
    }
    expect(await passed(server, 10, "GET", "/open")).toBe(2);
    expect((await server.call("GET", path)).status).toBe(200);
    // What only looks like it is something else.
    expect(told(await server.call("GET", `${path}/`))[1]).toBe("0");
  });
});

test("S2.32 the address of a client that left before the act was done is known all the same", async () => {
  const begun = Promise.withResolvers<void>();
  const origin = Promise.withResolvers<RequestOrigin>();
  const acting = new Elysia().post(
    "/act",
    async ({ request }) => {
      const left = new Promise((resolve) => request.signal.addEventListener("abort", resolve));
      begun.resolve();
      await left;
      origin.resolve(originOf(request));
      return {};
    },
    {
      response: { 200: Type.Object({}, { additionalProperties: false, $id: "Acted" }) },
      detail: { permission: "orders:write", operationId: "act", summary: "Acts", tags: ["Act"] },
    },
  );
  const server = testServer({ features: [acting] });
  const { port } = server.listen();
  const connection = new RawConnection(port);
  const head = "X-API-Key: bso_test_trader\r\nUser-Agent: leaver\r\nContent-Length: 0";
  connection.send(`POST /act HTTP/1.1\r\nHost: localhost\r\n${head}\r\n\r\n`);
  await begun.promise;
  connection.close();
  expect(await origin.promise).toEqual({ ipAddress: "127.0.0.1", userAgent: "leaver" });
  await server.close();
});

describe("S2.29 classes and endpoints", () => {
  test("a bot's key counts by key, and neither by its user, nor the address, nor the endpoint", async () => {
    const server = limited({
      endpoints: ["GET /api/v1/things/:id=10/min burst 1"],
      address: { perMinute: 60, burst: 3 },
    });
    const answer = await server.call("GET", read, { key: "bso_bot_viewer_ann" });
    expect(told(answer)).toEqual(["600", "19", "1", '"bot";q=600;w=60', '"bot";r=19;t=1', null]);
    expect(await passed(server, 100, "GET", read, { key: "bso_bot_viewer_ann" })).toBe(19);
    expect(await passed(server, 100, "GET", read, { key: "bso_bot_viewer_bob" })).toBe(20);
    expect(await passed(server, 10, "GET", "/open")).toBe(3);
  });

  test("a user's keys share the user's pace; another user has his own", async () => {
    const server = limited();
    expect(await passed(server, 7, "GET", read, { key: "bso_standard_viewer_ann" })).toBe(7);
    expect(await passed(server, 7, "GET", read, { key: "bso_standard_admin_ann" })).toBe(3);
    expect(await passed(server, 20, "GET", read, { key: "bso_standard_viewer_bob" })).toBe(10);
  });

  test("what the user's pace refuses costs the address nothing, and the other way round", async () => {
    const server = limited({ address: { perMinute: 60, burst: 12 } });
    expect(await passed(server, 50, "GET", read, { key: "bso_standard_viewer_ann" })).toBe(10);
    expect(await passed(server, 50, "GET", read, { key: "bso_standard_viewer_bob" })).toBe(2);
    server.clock.advance(1000);
    expect(await passed(server, 50, "GET", read, { key: "bso_standard_viewer_cat" })).toBe(1);
    server.clock.advance(9000);
    expect(await passed(server, 50, "GET", read, { key: "bso_standard_viewer_cat" })).toBe(9);
  });

  test("S2.16 a principal's limit comes after permission and before the size", async () => {
    const server = limited();
    const large = "x".repeat(5000);
    const make = (key: string) => server.call("POST", "/api/v1/things", { key, body: large });
    expect((await make("bso_standard_trader_ann")).status).toBe(413);
    await passed(server, 9, "GET", read, { key: "bso_standard_trader_ann" });
    expect((await make("bso_standard_trader_ann")).status).toBe(429);
    expect((await make("bso_standard_viewer_ann")).status).toBe(403);
  });

  test("an endpoint's pace holds for each user, on top of the others, for that route alone", async () => {
    const server = limited({ endpoints: ["POST /api/v1/things=10/min burst 2", "/api/v1/boxes/*=50/min"] });
    const call = { key: "bso_standard_trader_ann", body: { name: "one" } };
    const first = await server.call("POST", "/api/v1/things", call);
    expect(told(first)).toEqual(["10", "1", "6", '"endpoint-1";q=10;w=60', '"endpoint-1";r=1;t=6', null]);
    expect(await passed(server, 5, "POST", "/api/v1/things", call)).toBe(1);
    expect(await passed(server, 3, "GET", read, call)).toBe(3);
    expect(await passed(server, 9, "POST", "/api/v1/things", { ...call, key: "bso_standard_trader_bob" })).toBe(2);
    server.clock.advance(60_000);
    // A pace without a burst has a tenth of it; the user's ten come first here.
    expect(await passed(server, 20, "GET", "/api/v1/boxes/a", { key: "bso_standard_trader_cat" })).toBe(5);
    expect((await server.call("GET", "/api/v1/boxes/b", { key: "bso_standard_trader_cat" })).status).toBe(429);
  });

  test("a public route's pace holds for each address", async () => {
    const server = limited({ endpoints: ["GET /open=6/min burst 1"] });
    expect(await passed(server, 5, "GET", "/open")).toBe(1);
    expect(await passed(server, 5, "HEAD", "/open")).toBe(0);
    server.clock.advance(10_000);
    expect(await passed(server, 5, "HEAD", "/open")).toBe(1);
  });

  test("the first limit that fits holds, and off switches it off", async () => {
    const exempt = limited({ endpoints: ["GET /open=1/min burst 1 off", "/*=1/min burst 1"] });
    expect(await passed(exempt, 50, "GET", "/open")).toBe(50);
    expect(await passed(exempt, 5, "GET", read, { key: "bso_standard_viewer_ann" })).toBe(1);
  });

  test("a limit of no route stops the start", () => {
    for (const text of ["POST /api/v1/thing=1/min", "PUT /open=1/min", "/nowhere/*=1/min", "/api/v1/things/a=1/min"]) {
      expect(() => limited({ endpoints: [text] })).toThrow("there is no such route");
    }
  });
});

describe("S2.27 an address without tokens", () => {
  test("refuses without looking at credentials, but not a key of another class", async () => {
    const server = limited({ address: { perMinute: 60, burst: 30 } });
    const [bot, unlimited] = ["bso_bot_viewer_ann", "bso_unlimited_viewer_ann"];
    for (const key of [bot, unlimited]) expect((await server.call("GET", read, { key })).status).toBe(200);
    await passed(server, 100, "GET", "/open");
    for (const key of [bot, unlimited]) expect((await server.call("GET", read, { key })).status).toBe(200);
    for (const key of ["bso_standard_viewer_ann", "bso_wrong"]) {
      const answer = await server.call("GET", read, { key });
      expect([key, answer.status, answer.json.code]).toEqual([key, 429, "RATE_LIMITED"]);
    }
    // One that was never seen is among the few that are looked at; where those have gone it must wait.
    expect((await server.call("GET", read, { key: "bso_bot_viewer_new" })).status).toBe(200);
    expect(await passed(server, 20, "GET", read, { key: "bso_wrong" })).toBe(0);
    expect((await server.call("GET", read, { key: "bso_bot_viewer_newer" })).status).toBe(429);
    for (const key of [bot, unlimited]) expect((await server.call("GET", read, { key })).status).toBe(200);
    // Its failures cost it what they cost anybody.
    expect((await server.call("DELETE", read, { key: bot })).status).toBe(429);
    server.clock.advance(1000);
    expect((await server.call("GET", read, { key: "bso_wrong" })).status).toBe(401);
    expect((await server.call("GET", read, { key: "bso_wrong" })).status).toBe(429);
  });

  test("lets a flood of wrong keys cost a few look-ups", async () => {
    let asked = 0;
    const clock = new ManualClock();
    const server = testServer({
      features: [probeRoutes()],
      authenticator: {
        authenticate: (credentials) => {
          asked += 1;
          return authenticator.authenticate(credentials);
        },
      },
      limits: createLimits({
        store: new MemoryBucketStore({ clock }),
        clock,
        address: { perMinute: 60, burst: 5 },
        user: { perMinute: 60, burst: 5 },
        bot: { perMinute: 60, burst: 5 },
        endpoints: [],
      }),
    });
    expect(await passed(server, 1000, "GET", read, { key: "bso_guess" })).toBe(5);
    expect(asked).toBe(5 + 5);
  });
});

describe("S4.54 tricks that do not help", () => {
  const burst = 4;
  const live = limited({ address: { perMinute: 60, burst } });
  const { port } = live.listen();
  const behind = limited({ address: { perMinute: 60, burst }, trustedProxies: ["127.0.0.1"] });
  const { port: behindPort } = behind.listen();
  afterAll(() => Promise.all([live.close(), behind.close()]));

  const get = (path: string, ...lines: string[]) =>
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;

  /** The statuses of these requests from an address whose tokens have just gone. */
  async function tried(to: number, server: { clock: ManualClock }, requests: readonly string[]): Promise<number[]> {
    server.clock.advance(60_000);
    for (let i = 0; i < burst; i++) await rawRequest(to, get("/open"));
    const statuses: number[] = [];
    for (const text of requests) statuses.push((await rawRequest(to, text)).status);
    return statuses;
  }

  test("headers that claim another address", async () => {
    const names = [
      "X-Forwarded-For",
      "x-forwarded-for",
      "X-Real-IP",
      "X-Client-IP",
      "X-Originating-IP",
      "X-Remote-IP",
      "X-Remote-Addr",
      "X-Cluster-Client-IP",
      "True-Client-IP",
      "CF-Connecting-IP",
      "Fastly-Client-IP",
      "X-ProxyUser-Ip",
      "Via",
      "X-Forwarded",
      "Forwarded-For",
    ];
    const requests = [
      ...names.map((name) => get("/open", `${name}: 198.51.100.${names.indexOf(name)}`)),
      get("/open", "Forwarded: for=198.51.100.7;proto=https"),
      get("/open", "X-Forwarded-For: 198.51.100.7", "X-Forwarded-For: 198.51.100.8"),
      get("/open", "X-Forwarded-For: 127.0.0.1"),
      get("/open", "X-Forwarded-Host: other.example"),
    ];
    expect(await tried(port, live, requests)).toEqual(requests.map(() => 429));
  });

  test("the same behind a proxy: only what the proxy itself wrote is believed", async () => {
    const through = (client: string, ...sent: string[]) =>
      get("/open", `X-Forwarded-For: ${[...sent, client].join(", ")}`);
    behind.clock.advance(60_000);
    for (let i = 0; i < burst; i++) expect((await rawRequest(behindPort, through("192.0.2.7"))).status).toBe(200);
    const spoofed = [
      through("192.0.2.7", "198.51.100.1"),
      through("192.0.2.7", "127.0.0.1"),
      through("192.0.2.7", "198.51.100.1", "198.51.100.2"),
      through("192.0.2.7:4711"),
      through("::ffff:192.0.2.7"),
      through("::ffff:c000:207", "::1"),
      get("/open", "X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 192.0.2.7"),
      get("/open", "X-Forwarded-For: 192.0.2.7", "X-Real-IP: 198.51.100.1", "Forwarded: for=198.51.100.1"),
    ];
    for (const text of spoofed) expect([text, (await rawRequest(behindPort, text)).status]).toEqual([text, 429]);
    // Another client of the same proxy is another client.
    expect((await rawRequest(behindPort, through("192.0.2.8"))).status).toBe(200);
  });

  test("rotating through the addresses of one IPv6 network", async () => {
    behind.clock.advance(60_000);
    const from = (address: string) => get("/open", `X-Forwarded-For: ${address}`);
    const statuses: number[] = [];
    for (let i = 0; i < 50; i++) {
      const host = (0x9e37_79b9n * BigInt(i + 1)).toString(16);
      const text = from(`2001:db8:5:6:${host.slice(0, 4)}:${host.slice(4, 8) || 0}::${i.toString(16)}`);
      statuses.push((await rawRequest(behindPort, text)).status);
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(burst);
    expect((await rawRequest(behindPort, from("2001:db8:5:7::1"))).status).toBe(200);
  });

  test("other spellings of a path are other paths, which do not exist, and cost as much", async () => {
    const paths = [
      "/OPEN",
      "/Open",
      "/open/",
      "//open",
      "/./open",
      "/x/../open",
      "/open.",
      "/open%2e",
      "/open%00",
      "/open%20",
      "/open;a=b",
      "/open/.",
      "/%6fpen",
      "/%2e/open",
      "/open%2f",
      "/open%3f",
      "\\open",
    ];
    const statuses = await tried(
      port,
      live,
      paths.map((path) => get(path)),
    );
    for (const [index, status] of statuses.entries())
      expect([paths[index], status < 300]).toEqual([paths[index], false]);
    expect((await rawRequest(port, get("/open?x=1"))).status).toBe(429);
    expect((await rawRequest(port, get("/open?"))).status).toBe(429);
    expect((await rawRequest(port, get("/open#x"))).status).not.toBe(200);
  });

  test("another method, or a header that names one", async () => {
    const requests = [
      "OPTIONS /open HTTP/1.1\r\nHost: localhost\r\n\r\n",
      get("/open", "X-HTTP-Method-Override: OPTIONS"),
      get("/open", "X-HTTP-Method: HEAD"),
      get("/open", "X-Method-Override: PUT"),
      get("/open?_method=OPTIONS"),
    ];
    expect(await tried(port, live, requests)).toEqual(requests.map(() => 429));
    // By a client that knows an answer to HEAD has no body.
    expect((await fetch(`http://127.0.0.1:${port}/open`, { method: "HEAD" })).status).toBe(429);
  });

  test("another Host, user agent, origin, or key that is none", async () => {
    const requests = [
      "GET /open HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
      "GET /open HTTP/1.1\r\nHost: [::1]\r\n\r\n",
      get("/open", "User-Agent: other"),
      get("/open", "Origin: https://desk.example"),
      get("/open", "X-API-Key: bso_unlimited_viewer_none", "Cookie: a=b"),
      get(read, "X-API-Key: bso_wrong"),
      get(read, "Authorization: Bearer abc"),
      get(read),
    ];
    expect(await tried(port, live, requests)).toEqual(requests.map(() => 429));
  });

  test("100 at once: as many pass as one after the other", async () => {
    live.clock.advance(60_000);
    const answers = await Promise.all(Array.from({ length: 100 }, () => rawRequest(port, get("/open"))));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(burst);
    for (const answer of answers) expect(told(answer).slice(0, 5)).not.toContain(null);
  });
});

describe("S2.35 the head of a request", () => {
  const server = testServer({ features: [probeRoutes()] });
  const { port } = server.listen();
  afterAll(() => server.close());
  const withHeaders = (count: number, size: number) =>
    `GET /open HTTP/1.1\r\nHost: localhost\r\n${Array.from({ length: count }, (_, index) => `h${index}: ${"a".repeat(size)}\r\n`).join("")}\r\n`;

  test.each([
    ["150 headers", withHeaders(150, 1), 200],
    ["200 headers", withHeaders(200, 1), 431],
    ["5,000 headers", withHeaders(5_000, 1), 431],
    ["a header of 15 KB", withHeaders(1, 15_000), 200],
    ["a header of 16 KiB", withHeaders(1, 16_384), 431],
    ["an address of 16 KiB", `GET /open?x=${"a".repeat(16_384)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 431],
    ["a header over two lines", "GET /open HTTP/1.1\r\nHost: localhost\r\na: b\r\n c\r\n\r\n", 400],
    ["a header without a name", "GET /open HTTP/1.1\r\nHost: localhost\r\n: b\r\n\r\n", 400],
    ["a space before the colon", "GET /open HTTP/1.1\r\nHost: localhost\r\na : b\r\n\r\n", 400],
    ["a lone carriage return", "GET /open HTTP/1.1\r\nHost: localhost\r\na: b\rc: d\r\n\r\n", 400],
  ])("%s", async (_, text, status) => {
    expect((await rawRequest(port, text)).status).toBe(status);
  });
});
