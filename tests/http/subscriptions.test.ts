// The subscription routes through the whole server, on a real database: who comes in, what is refused and where, pages and filters, and what
// somebody with bad intentions gets.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { subscriptionsRoutes } from "../../src/features/subscriptions";
import {
  Subscription,
  SubscriptionDetail,
  SubscriptionPage,
  SubscriptionRequest,
} from "../../src/features/subscriptions/model";
import { idempotencyOf, originOf, principalOf } from "../../src/http/request-context";
import { find } from "../../src/storage/idempotency";
import { type TestServer, testServer } from "../harness/http";
import { withPersons } from "../harness/identity";
import { openSubscriptions, type SubscriptionsFixture } from "../harness/subscriptions";

let fixture: SubscriptionsFixture;
let server: TestServer;
let ada: string;
let bob: string;
beforeEach(async () => {
  fixture = await openSubscriptions();
  const { subscriptions, people } = fixture;
  server = testServer({
    features: [subscriptionsRoutes({ subscriptions, principalOf, originOf, idempotencyOf })],
    authenticator: withPersons(people),
    idempotencyStore: { find: (scope) => find(people.storage.read, scope) },
  });
  await people.keys.ensureFirstAdminKey(people.keyFile);
  ada = await fixture.userNamed("ada");
  bob = await fixture.userNamed("bob");
});
afterEach(async () => {
  await server.close();
  await fixture.close();
});

const path = "/api/v1/subscriptions";
const someId = "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10";
const as = (userId: string, method: string, where = path, body?: unknown, headers: Record<string, string> = {}) =>
  server.call(method, where, {
    ...(body !== undefined && { body }),
    headers: { authorization: `Bearer person.${userId}`, ...headers },
  });
const make = async (userId: string, body: object) => {
  const answer = await as(userId, "POST", path, body);
  expect([answer.status, answer.text]).toEqual([201, answer.text]);
  return answer.json as { id: string };
};

describe("S4.27 every subscription route", () => {
  for (const [method, where, body] of [
    ["GET", path, undefined],
    ["POST", path, { symbols: ["AAA"] }],
    ["GET", `${path}/${someId}`, undefined],
    ["DELETE", `${path}/${someId}`, undefined],
  ] as const) {
    test(`${method} ${where} refuses a guest with 401 and a key without its scope with 403`, async () => {
      expect((await server.call(method, where, { ...(body && { body }) })).status).toBe(401);
      const { secret } = await fixture.people.keys.createKey({
        maker: { kind: "operator" },
        request: { name: "prices only", scopes: ["pricing:read", "audit:read"] },
      });
      expect((await server.call(method, where, { key: secret!, ...(body && { body }) })).status).toBe(403);
    });
  }
});

describe("S4.27 POST /api/v1/subscriptions", () => {
  test("answers its examples with 201 and what is kept", async () => {
    for (const body of SubscriptionRequest.examples as object[]) {
      const answer = await as(ada, "POST", path, body);
      expect([answer.status, answer.text]).toEqual([201, answer.text]);
      expect([...Value.Errors(SubscriptionDetail, answer.json)]).toEqual([]);
    }
    for (const schema of [Subscription, SubscriptionDetail, SubscriptionPage])
      for (const shown of schema.examples) expect([...Value.Errors(schema, shown)]).toEqual([]);
    const { json } = await as(ada, "GET");
    expect(json.data.map(({ account_id }: { account_id: string }) => account_id).sort()).toEqual([
      "desk-2",
      "main",
      "main",
    ]);
    expect([...Value.Errors(SubscriptionPage, json)]).toEqual([]);
  });

  test("is done once under an Idempotency-Key, and asked for again without one changes nothing", async () => {
    const headers = { "idempotency-key": "k1" };
    const first = await as(ada, "POST", path, { symbols: ["AAA"] }, headers);
    const replay = await as(ada, "POST", path, { symbols: ["AAA"] }, headers);
    expect(replay.headers.get("idempotency-replayed")).toBe("true");
    expect([replay.status, replay.text]).toEqual([first.status, first.text]);
    expect((await as(ada, "POST", path, { symbols: ["BBB"] }, headers)).status).toBe(422);
    expect((await make(ada, { symbols: ["AAA"] })).id).toBe(first.json.id);
    expect((await as(ada, "GET")).json.data.length).toBe(1);
  });

  test.each([
    [{}, ""],
    [{ symbols: [] }, "/symbols"],
    [{ symbols: ["x".repeat(65)] }, "/symbols/0"],
    [{ symbols: Array.from({ length: 501 }, (_, index) => `A${index}`) }, "/symbols"],
    [{ symbols: ["AAA", "bad name"] }, "/symbols/1"],
    [{ symbols: ["AAA"], extra: 1 }, "/extra"],
    [{ underlying: "SPX", ladder: { atm: -1, nearest: 1 } }, "/ladder/atm"],
    [{ underlying: "SPX", ladder: { atm: 1.5, nearest: 1 } }, "/ladder/atm"],
    [{ underlying: "SPX", ladder: { atm: 201, nearest: 1 } }, "/ladder/atm"],
    [{ underlying: "SPX", ladder: { percent: 0, nearest: 1 } }, "/ladder/percent"],
    [{ underlying: "SPX", ladder: { delta: { target: 2, tolerance: 0.1 }, nearest: 1 } }, "/ladder/delta/target"],
    [{ underlying: "SPX", ladder: { delta: { target: 0.2 }, nearest: 1 } }, "/ladder/delta/tolerance"],
    [{ underlying: "SPX", ladder: { atm: 1, nearest: 0 } }, "/ladder/nearest"],
    [{ underlying: "SPX", ladder: { atm: 1, nearest: 1, side: "left" } }, "/ladder/side"],
    [{ underlying: "SPX", ladder: { atm: 1, nearest: 1, hysteresis: 0.6 } }, "/ladder/hysteresis"],
    [{ underlying: "SPX", ladder: { atm: 1, nearest: 1, rest_seconds: 1e6 } }, "/ladder/rest_seconds"],
    [{ underlying: "SPX", ladder: { atm: 1, dates: ["2026-13-01"] } }, "/ladder/dates/0"],
    [{ account_id: "../../etc", symbols: ["AAA"] }, "/account_id"],
    [{ account_id: "a' or 1=1 --", symbols: ["AAA"] }, "/account_id"],
    [{ account_id: "", symbols: ["AAA"] }, "/account_id"],
    [{ account_id: "x".repeat(65), symbols: ["AAA"] }, "/account_id"],
    [{ account_id: "ä", symbols: ["AAA"] }, "/account_id"],
    [{ account_id: 7, symbols: ["AAA"] }, "/account_id"],
  ] as [object, string][])("refuses %j with 422 at %s", async (body, pointer) => {
    const answer = await as(ada, "POST", path, body);
    expect(answer.status).toBe(422);
    expect(answer.json.errors.map((each: { pointer: string }) => each.pointer)).toContain(pointer);
    expect((await as(ada, "GET")).json.data).toEqual([]);
  });
});

describe("SEC-002 S4.27 somebody else's", () => {
  test("subscription is 404 to look at and to end, as one that never was", async () => {
    const { id } = await make(ada, { symbols: ["AAA"] });
    const answers = [];
    for (const method of ["GET", "DELETE"])
      for (const where of [`${path}/${id}`, `${path}/${someId}`]) {
        const { status, json } = await as(bob, method, where);
        answers.push([status, json.code]);
      }
    expect(answers).toEqual(Array.from({ length: 4 }, () => [404, "SUBSCRIPTION_NOT_FOUND"]));
    expect((await as(ada, "GET", `${path}/${id}`)).status).toBe(200);
  });

  test("account of the same name shows nothing of theirs", async () => {
    await make(ada, { account_id: "main", symbols: ["AAA"] });
    expect((await as(bob, "GET", `${path}?account_id=main`)).json.data).toEqual([]);
  });

  test.each([
    "../../etc/passwd",
    "' OR '1'='1",
    "1; DROP TABLE subscriptions",
    "<script>alert(1)</script>",
    "%00",
    "main\u0000",
    "x".repeat(65),
    "-leading",
    "{}",
  ])("account_id=%j as a filter is refused, and nothing is harmed", async (accountId) => {
    const { id } = await make(ada, { symbols: ["AAA"] });
    const answer = await as(ada, "GET", `${path}?account_id=${encodeURIComponent(accountId)}`);
    expect([400, 422]).toContain(answer.status);
    expect(answer.text).not.toContain(accountId);
    expect((await as(ada, "GET", `${path}/${id}`)).status).toBe(200);
  });

  test.each(["1", "abc", "../x", "' OR 1=1", `${someId}x`, someId.toUpperCase()])(
    "id %j is refused or nobody's",
    async (id) => {
      for (const method of ["GET", "DELETE"]) {
        const { status } = await as(ada, method, `${path}/${encodeURIComponent(id)}`);
        expect([400, 404, 422]).toContain(status);
      }
    },
  );
});

describe("S4.27 GET /api/v1/subscriptions", () => {
  test("pages through all of them once, newest first, by account and by underlying", async () => {
    const made: string[] = [];
    for (let index = 0; index < 7; index++) {
      fixture.people.clock.advance(1);
      made.unshift(
        (await make(ada, { account_id: `desk-${index % 2}`, symbols: [index < 5 ? `AAA-${index}` : `BBB-${index}`] }))
          .id,
      );
    }
    const walk = async (query: string) => {
      const ids: string[] = [];
      let cursor: string | null = null;
      do {
        const { json, status } = await as(ada, "GET", `${path}?limit=2${query}${cursor ? `&cursor=${cursor}` : ""}`);
        expect(status).toBe(200);
        ids.push(...json.data.map(({ id }: { id: string }) => id));
        expect(json.has_more).toBe(json.next_cursor !== null);
        cursor = json.next_cursor;
      } while (cursor !== null);
      return ids;
    };
    expect(await walk("")).toEqual(made);
    expect(await walk("&account_id=desk-0")).toEqual(made.filter((_, index) => index % 2 === 0));
    expect(await walk("&underlying=BBB")).toEqual(made.slice(0, 2));
    expect(await walk("&account_id=desk-1&underlying=AAA")).toEqual([made[3]!, made[5]!]);
    expect(await walk("&account_id=none")).toEqual([]);
  });

  test.each(["limit=0", "limit=201", "limit=x", "cursor=!!", "account_id=", "unknown=1"])(
    "refuses ?%s",
    async (query) => {
      expect([400, 422]).toContain((await as(ada, "GET", `${path}?${query}`)).status);
    },
  );
});

describe("S4.27 DELETE /api/v1/subscriptions/{id}", () => {
  test("ends it with 204; again it is 404", async () => {
    const { id } = await make(ada, { symbols: ["AAA"] });
    expect((await as(ada, "DELETE", `${path}/${id}`)).status).toBe(204);
    expect((await as(ada, "DELETE", `${path}/${id}`)).status).toBe(404);
    expect((await as(ada, "GET", `${path}/${id}`)).status).toBe(404);
  });
});
