// Ways around a rate limit, against the executable: once an address or a user has nothing left, no spelling of a path, a header, a key
// or an address gets another answer than 429. The pace is one a minute, so nothing comes back while a test runs.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rawRequest } from "../harness/http-socket";
import { SecuredServer } from "../harness/secured-server";

const addressBurst = 6;
const userBurst = 4;
const limited = {
  BSOPT_RATE_LIMITS: "on",
  BSOPT_ADDRESS_LIMIT: `1/min burst ${addressBurst}`,
  BSOPT_USER_LIMIT: `1/min burst ${userBurst}`,
};
const open = "/.well-known/jwks.json";
const guarded = "/api/v1/pricing/models";

describe("behind a trusted proxy, a stranger whose address is spent", () => {
  let server: SecuredServer;
  let nextAddress = 1;

  beforeAll(async () => {
    server = await SecuredServer.start({
      environment: { ...limited, BSOPT_TRUSTED_PROXIES: "127.0.0.0/8,10.0.0.0/8" },
    });
  });
  afterAll(() => server.close());

  const ask = async (address: string, path = open, headers: Record<string, string> = {}) =>
    (await server.call("GET", path, { headers: { "x-forwarded-for": address, ...headers } })).status;

  /** An address of its own with nothing left. */
  async function spent(write = (index: number) => `192.0.2.${index}`): Promise<string> {
    const address = write(nextAddress++);
    for (let count = 0; count < addressBurst; count++) expect(await ask(address)).toBe(200);
    expect(await ask(address)).toBe(429);
    return address;
  }

  test("S2.30 is told 429 with when to come back and where it stands", async () => {
    const address = await spent();
    const answer = await server.call("GET", open, { headers: { "x-forwarded-for": address } });
    expect([answer.status, answer.json.code, answer.json.retryable]).toEqual([429, "RATE_LIMITED", true]);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(answer.headers.get("x-ratelimit-remaining")).toBe("0");
    for (const name of ["x-ratelimit-limit", "x-ratelimit-reset", "ratelimit", "ratelimit-policy"]) {
      expect([name, answer.headers.has(name)]).toEqual([name, true]);
    }
  });

  test("S4.54 rate-limit bypass: an invented hop left of the proxy's does not make another address", async () => {
    const address = await spent();
    for (const front of [
      "203.0.113.9",
      "127.0.0.1",
      "10.0.0.1",
      "::1",
      "unknown",
      "203.0.113.9, 203.0.113.10",
      ",,,",
      "<x>",
    ]) {
      expect([front, await ask(`${front}, ${address}`)]).toEqual([front, 429]);
    }
  });

  test("S4.54 rate-limit bypass: a header filled to the brim does not make the caller the proxy", async () => {
    const address = await spent();
    expect(await ask(`${"1.1.1.1, ".repeat(500)}${address}`)).toBe(429);
    expect(await ask(`${"1".repeat(5000)}, ${address}`)).toBe(429);
  });

  test("S4.54 rate-limit bypass: other headers about addresses are not read", async () => {
    const address = await spent();
    for (const name of [
      "x-real-ip",
      "x-client-ip",
      "true-client-ip",
      "cf-connecting-ip",
      "x-cluster-client-ip",
      "x-originating-ip",
      "x-remote-addr",
      "x-forwarded",
      "forwarded-for",
      "via",
    ]) {
      expect([name, await ask(address, open, { [name]: "203.0.113.77" })]).toEqual([name, 429]);
    }
    expect(await ask(address, open, { forwarded: "for=203.0.113.77" })).toBe(429);
  });

  test("S4.54 rate-limit bypass: other spellings of an IPv4 address are the same address", async () => {
    const address = await spent();
    const [, , , last] = address.split(".");
    for (const spelling of [
      `::ffff:${address}`,
      `::FFFF:c000:2${Number(last).toString(16).padStart(2, "0")}`,
      `0:0:0:0:0:ffff:${address}`,
      `${address}:443`,
      ` ${address} `,
    ]) {
      expect([spelling, await ask(spelling)]).toEqual([spelling, 429]);
    }
  });

  test("S4.54 S2.27 rate-limit bypass: all addresses of an IPv6 network of 64 bits are one", async () => {
    const address = await spent((index) => `2001:db8:0:${index.toString(16)}::1`);
    const network = address.replace("::1", "");
    for (const other of [
      `${network}::2`,
      `${network}:ffff:ffff:ffff:ffff`,
      `[${network}::3]`,
      `[${network}::4]:8080`,
      address.toUpperCase(),
      address.replace("2001:db8", "2001:0db8"),
    ]) {
      expect([other, await ask(other)]).toEqual([other, 429]);
    }
  });

  test("S4.54 rate-limit bypass: no other address, query, case or method of a route is counted apart", async () => {
    const address = await spent();
    for (const path of [`${open}?x=1`, `${open}?${"y".repeat(500)}`, "/docs", "/openapi.json", "/swagger/json"]) {
      expect([path, await ask(address, path)]).toEqual([path, 429]);
    }
    const head = await server.call("HEAD", open, { headers: { "x-forwarded-for": address } });
    expect(head.status).toBe(429);
    // Nothing stands at other spellings, and nothing is served there either.
    for (const path of [
      "/.well-known/JWKS.json",
      "//.well-known/jwks.json",
      "/.well-known/jwks.json/",
      "/.well-known/jwks%2Ejson",
    ]) {
      const head = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${address}\r\n\r\n`;
      expect([path, (await rawRequest(server.port, head)).status]).toEqual([path, 404]);
    }
    const options = await server.call("OPTIONS", open, { headers: { "x-forwarded-for": address } });
    expect(options.status).toBe(429);
  });

  test("S4.54 rate-limit bypass: other hosts, agents, origins, languages and protocols are the same caller", async () => {
    const address = await spent();
    const disguises: Record<string, string>[] = [
      { host: "127.0.0.1" },
      { "user-agent": "Googlebot" },
      { origin: "https://desk.example", referer: "https://desk.example" },
      { "accept-language": "xx" },
      { "x-request-id": "another" },
      { "x-forwarded-proto": "https", "x-forwarded-host": "other", "x-forwarded-port": "1" },
      { connection: "close" },
      { cookie: "a=b" },
    ];
    for (const headers of disguises) expect([headers, await ask(address, open, headers)]).toEqual([headers, 429]);
  });

  test("S4.54 rate-limit bypass: invented credentials do not buy a look, and wrong ones count", async () => {
    const address = await spent();
    for (const headers of [
      { "x-api-key": `bso_${"A".repeat(12)}_${"B".repeat(43)}` },
      { "x-api-key": "nonsense" },
      { authorization: `Bearer ${btoa("{}")}.${btoa("{}")}.AAAA` },
      { authorization: "Bearer x" },
    ]) {
      expect(await ask(address, guarded, headers)).toBe(429);
    }
    const guessing = "198.51.100.7";
    const statuses: number[] = [];
    for (let count = 0; count < addressBurst + 2; count++) {
      statuses.push(await ask(guessing, guarded, { "x-api-key": `bso_${"A".repeat(12)}_${String(count).repeat(43)}` }));
    }
    expect(statuses).toEqual([...Array(addressBurst).fill(401), 429, 429]);
  });

  test("S4.54 rate-limit bypass: what is not there and what is not allowed counts too", async () => {
    const address = "198.51.100.8";
    for (let count = 0; count < addressBurst; count++) expect(await ask(address, `/nowhere/${count}`)).toBe(404);
    expect(await ask(address)).toBe(429);
    const denied = "198.51.100.9";
    for (let count = 0; count < addressBurst; count++) {
      expect(await ask(denied, "/api/v1/admin/signing-keys", { "x-api-key": server.keys.viewer })).toBe(403);
    }
    expect(await ask(denied)).toBe(429);
  });

  test("S4.54 rate-limit bypass: many connections and pipelined requests are one caller", async () => {
    const address = await spent();
    const request = `GET ${open} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${address}\r\n\r\n`;
    // One connection after the other: together they would make one long turn, whose last requests wait in line, and the runtime ends a connection
    // that brings a request while one before it waits.
    const statuses: number[] = [];
    for (let count = 0; count < 20; count++) statuses.push((await rawRequest(server.port, request.repeat(5))).status);
    expect(statuses).toEqual(Array(20).fill(429));
  });

  test("S2.27 health stays reachable for whoever is limited, and answers nothing else", async () => {
    const address = await spent();
    expect(await ask(address, "/health")).toBe(200);
    expect(await ask(address, "/readiness")).toBe(200);
  });

  test("S2.28 S4.54 rate-limit bypass: a user's keys, however shown and from wherever, share what the user has", async () => {
    const use = async (key: string, index: number, headers: Record<string, string> = { "x-api-key": key }) =>
      ask(`100.64.${index}.1`, guarded, headers);
    const statuses: number[] = [];
    for (let count = 0; count < userBurst; count++) statuses.push(await use(server.keys.viewer, count));
    expect(statuses).toEqual(Array(userBurst).fill(200));
    // All three keys are the same user's; each comes from an address with a full bucket.
    expect(await use(server.keys.viewer, 10)).toBe(429);
    expect(await use(server.keys.trader, 11)).toBe(429);
    expect(await use(server.keys.risk, 12)).toBe(429);
    expect(await use("", 13, { authorization: `Bearer ${server.keys.viewer}` })).toBe(429);
    expect(await use("", 14, { authorization: `bEaReR   ${server.keys.viewer}` })).toBe(429);
  });

  test("S2.29 S4.54 rate-limit bypass: a key cannot give itself a class", async () => {
    const made = await server.call("POST", "/api/v1/api-keys", {
      key: "viewer",
      headers: { "x-forwarded-for": "198.51.100.20" },
      body: { name: "faster", scopes: ["pricing:read"], rate_class: "unlimited" },
    });
    expect(made.status).toBe(403);
  });
});

describe("with the limits as they come", () => {
  let server: SecuredServer;
  beforeAll(async () => {
    server = await SecuredServer.start({ environment: { BSOPT_RATE_LIMITS: "on" } });
  });
  afterAll(() => server.close());

  const costly: readonly [path: string, body: (index: number) => object][] = [
    [
      "register",
      (index) => ({ email: `flood-${index}@canary-mail.example`, password: "canary flooding gannet-plough" }),
    ],
    ["resend-verification", (index) => ({ email: `flood-${index}@canary-mail.example` })],
    ["password/forgot", (index) => ({ email: `flood-${index}@canary-mail.example` })],
    ["password/reset", () => ({ token: "A".repeat(43), password: "canary flooding gannet-plough" })],
  ];
  test.each(costly)(
    "S2.29 S4.54 a flood of %s from one address costs it, and nobody else: no hash and no mail past twenty",
    async (path, body) => {
      const headers = server.stranger();
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          server.call("POST", `/api/v1/auth/${path}`, { body: body(index), headers }),
        ),
      );
      const refused = answers.filter(({ status, json }) => status === 429 && json.code === "RATE_LIMITED");
      expect(refused.length).toBeGreaterThanOrEqual(39);
      const other = await server.call("POST", `/api/v1/auth/${path}`, { body: body(100), headers: server.stranger() });
      expect(other.status).not.toBe(429);
    },
  );

  test("S4.54 trying passwords with a stolen token has a pace of its own", async () => {
    const person = await server.person("viewer");
    const { accessToken } = await server.signIn(person);
    const statuses: number[] = [];
    for (let index = 0; index < 12; index++) {
      const answer = await server.call("POST", "/api/v1/auth/password", {
        bearer: accessToken,
        headers: server.stranger(),
        body: { current_password: `guess ${index}`, new_password: "canary stolen gannet-plough" },
      });
      statuses.push(answer.status);
    }
    expect(statuses).toContain(429);
    expect(statuses).not.toContain(200);
  });
});

describe("with no trusted proxy", () => {
  let server: SecuredServer;
  beforeAll(async () => {
    server = await SecuredServer.start({ environment: { ...limited, BSOPT_TRUSTED_PROXIES: "" } });
  });
  afterAll(() => server.close());

  test("S4.54 rate-limit bypass: X-Forwarded-For is a word like any other, in one header or many", async () => {
    const statuses: number[] = [];
    for (let index = 0; index < addressBurst + 3; index++) {
      const answer = await server.call("GET", open, { headers: { "x-forwarded-for": `203.0.113.${index}` } });
      statuses.push(answer.status);
    }
    expect(statuses).toEqual([...Array(addressBurst).fill(200), 429, 429, 429]);
    const twice = await rawRequest(
      server.port,
      `GET ${open} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.1\r\nX-Forwarded-For: 203.0.113.2\r\n\r\n`,
    );
    expect(twice.status).toBe(429);
  });
});
