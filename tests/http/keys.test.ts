// The API key routes through the whole server, on a real database, with identity itself deciding who comes in.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import type { Role } from "../../src/domain/permission";
import { operator } from "../../src/features/identity/service";
import { keysRoutes } from "../../src/features/keys";
import { ApiKey, ApiKeyCreated, ApiKeyPage, ApiKeyRequest } from "../../src/features/keys/model";
import { idempotencyOf, originOf, principalOf } from "../../src/http/request-context";
import { find } from "../../src/storage/idempotency";
import { type TestServer, testServer } from "../harness/http";
import { type IdentityFixture, openIdentity, withPersons } from "../harness/identity";

let fixture: IdentityFixture;
let server: TestServer;
/** The first administrator's key. */
let admin: string;
beforeEach(async () => {
  fixture = await openIdentity();
  const { keys, storage } = fixture;
  server = testServer({
    features: [keysRoutes({ keys, principalOf, originOf, idempotencyOf })],
    authenticator: withPersons(fixture),
    idempotencyStore: { find: (scope) => find(storage.read, scope) },
  });
  admin = (await keys.ensureFirstAdminKey(fixture.keyFile))!;
});
afterEach(async () => {
  await server.close();
  await fixture.close();
});

const path = "/api/v1/api-keys";
const request = { name: "market maker", scopes: ["pricing:read", "market:read"] };

const call = (method: string, where = path, body?: unknown, key: string | null = admin, headers = {}) =>
  server.call(method, where, { ...(key !== null && { key }), ...(body !== undefined && { body }), headers });
const make = async (body: object = request, key = admin): Promise<{ id: string; secret: string }> => {
  const answer = await call("POST", path, body, key);
  expect(answer.status).toBe(201);
  return answer.json;
};

/** A user in that role, without any key. */
async function userIn(role: Role): Promise<string> {
  const { identity, storage } = fixture;
  const person = { email: `${role}@example.org`, name: role, role, isVerified: true, now: 1n };
  return (await storage.write((tx) => identity.insertPerson(tx, person))).id;
}
const asPerson = (userId: string, method: string, where: string, body?: unknown) =>
  call(method, where, body, null, { authorization: `Bearer person.${userId}` });

const routes: readonly (readonly [string, string, unknown])[] = [
  ["GET", path, undefined],
  ["POST", path, request],
  ["GET", `${path}/abcdefghijkl`, undefined],
  ["DELETE", `${path}/abcdefghijkl`, undefined],
];

describe("S1.08 every key route", () => {
  for (const [method, where, body] of routes) {
    test(`${method} ${where} refuses a guest and a made-up key with 401`, async () => {
      for (const key of [null, "bso_x", `bso_abcdefghijkl_${"s".repeat(43)}`, `${admin.slice(0, -1)}-`]) {
        const answer = await call(method, where, body, key);
        expect(answer.status).toBe(401);
        expect(answer.headers.get("www-authenticate")).toContain("ApiKey");
      }
    });
    test(`${method} ${where} refuses a key without the scope admin with 403`, async () => {
      const { secret } = await make({ name: "all but admin", scopes: ["pricing:read", "orders:write", "audit:read"] });
      expect((await call(method, where, body, secret)).status).toBe(403);
    });
    test(`${method} ${where} refuses a revoked key with 401`, async () => {
      const { id, secret } = await make({ name: "short", scopes: ["admin"] });
      expect((await call("DELETE", `${path}/${id}`, undefined, secret)).status).toBe(204);
      expect((await call(method, where, body, secret)).status).toBe(401);
    });
  }
  test("takes the key as a bearer as well", async () => {
    expect((await call("GET", path, undefined, null, { authorization: `Bearer ${admin}` })).status).toBe(200);
  });
});

describe("S1.08 POST /api/v1/api-keys", () => {
  test("answers its examples with 201 and the key's whole text, which then opens the door", async () => {
    for (const body of ApiKeyRequest.examples) {
      const answer = await call("POST", path, body);
      expect(answer.status).toBe(201);
      expect([...Value.Errors(ApiKeyCreated, answer.json)]).toEqual([]);
      expect(answer.json).toMatchObject({
        name: body.name,
        scopes: body.scopes,
        rate_class: body.rate_class ?? "standard",
      });
      expect(answer.json.secret).toMatch(new RegExp(`^bso_${answer.json.id}_[0-9A-Za-z]{43}$`));
      expect(answer.headers.get("cache-control")).toContain("no-store");
    }
    for (const schema of [ApiKey, ApiKeyCreated, ApiKeyPage]) {
      for (const shown of schema.examples) expect([...Value.Errors(schema, shown)]).toEqual([]);
    }
    const { secret } = await make({ name: "second", scopes: ["admin"] });
    expect((await call("GET", path, undefined, secret)).status).toBe(200);
  });

  test("gives moments in UTC with microseconds and remembers who made it", async () => {
    const { json } = await call("POST", path, { ...request, expires_at: "2099-01-01T00:00:00.5+01:00" });
    expect(json).toMatchObject({
      created_at: "2025-06-15T15:06:40.000000Z",
      expires_at: "2098-12-31T23:00:00.500000Z",
      created_by_key_id: admin.split("_")[1],
      revoked_at: null,
      last_used_at: null,
      ip_allow: null,
    });
  });

  test("does not let a maker give a scope it has not", async () => {
    const { secret } = await make({ name: "keymaster", scopes: ["admin"] });
    const answer = await call("POST", path, { name: "more", scopes: ["admin", "orders:write"] }, secret);
    expect(answer.status).toBe(403);
    expect(answer.json.errors).toEqual([
      { pointer: "/scopes/1", code: "SCOPE_NOT_HELD", detail: "the maker does not hold orders:write" },
    ]);
  });

  const bad: readonly (readonly [string, unknown, number, string | null])[] = [
    ["no name", { scopes: ["admin"] }, 422, "/name"],
    ["an empty name", { ...request, name: "" }, 422, "/name"],
    ["a name of a hundred and one characters", { ...request, name: "x".repeat(101) }, 422, "/name"],
    ["a name with a line's end", { ...request, name: "a\nb" }, 422, "/name"],
    ["a name with a space in front", { ...request, name: " a" }, 422, "/name"],
    ["a name with a null character", { ...request, name: "a\u0000" }, 422, "/name"],
    ["a number for a name", { ...request, name: 7 }, 422, "/name"],
    ["no scopes", { name: "x" }, 422, "/scopes"],
    ["an empty list of scopes", { ...request, scopes: [] }, 422, "/scopes"],
    ["an unknown scope", { ...request, scopes: ["root"] }, 422, "/scopes/0"],
    ["a scope of the prototype", { ...request, scopes: ["constructor"] }, 422, "/scopes/0"],
    ["a scope twice", { ...request, scopes: ["admin", "admin"] }, 422, "/scopes"],
    ["scopes as text", { ...request, scopes: "admin" }, 422, "/scopes"],
    ["an unknown class", { ...request, rate_class: "fast" }, 422, "/rate_class"],
    ["a null class", { ...request, rate_class: null }, 422, "/rate_class"],
    ["an expiry gone by", { ...request, expires_at: "2001-01-01T00:00:00Z" }, 422, "/expires_at"],
    ["a bare date", { ...request, expires_at: "2099-01-01" }, 422, "/expires_at"],
    ["a number for an expiry", { ...request, expires_at: 4_070_908_800 }, 422, "/expires_at"],
    ["an address with bits behind its prefix", { ...request, ip_allow: ["10.0.0.1/8"] }, 422, "/ip_allow/0"],
    ["a host name for an address", { ...request, ip_allow: ["10.0.0.0/8", "example.org"] }, 422, "/ip_allow/1"],
    ["an empty list of addresses", { ...request, ip_allow: [] }, 422, "/ip_allow"],
    ["sixty-five addresses", { ...request, ip_allow: new Array(65).fill("10.0.0.0/8") }, 422, "/ip_allow"],
    ["an id of one's own", { ...request, id: "abcdefghijkl" }, 422, "/id"],
    ["another user", { ...request, user_id: "somebody" }, 422, "/user_id"],
    ["a list", [request], 422, null],
    ["half a body", '{"name":', 400, null],
    ["a body of more than 1 MiB", { ...request, name: "x".repeat(1_048_576) }, 413, null],
  ];
  for (const [title, body, status, pointer] of bad) {
    test(`S2.35 with ${title} is ${status}${pointer ? ` at ${pointer}` : ""}, and nothing is made`, async () => {
      const answer = await call("POST", path, body);
      expect(answer.status).toBe(status);
      if (pointer !== null) {
        expect(answer.json.errors.map((fault: { pointer: string }) => fault.pointer)).toContain(pointer);
      }
      expect((await call("GET")).json.data.length).toBe(1);
    });
  }

  test("S3.08 takes a name full of SQL as a name", async () => {
    const name = "x'); drop table api_keys; --";
    await make({ ...request, name });
    expect((await call("GET")).json.data.map((key: { name: string }) => key.name)).toContain(name);
  });
});

describe("S1.08 Idempotency-Key on making a key", () => {
  const headers = { "idempotency-key": "once-7" };
  test("sent again gives the first answer without the secret, and makes nothing", async () => {
    const first = await call("POST", path, request, admin, headers);
    const again = await call("POST", path, request, admin, headers);
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(again.json).toEqual({ ...first.json, secret: null });
    expect((await call("GET")).json.data.length).toBe(2);
  });
  test("sent again with another body is 422", async () => {
    await call("POST", path, request, admin, headers);
    expect((await call("POST", path, { ...request, name: "other" }, admin, headers)).status).toBe(422);
    expect((await call("GET")).json.data.length).toBe(2);
  });
  test("sent sixteen times at once makes one key", async () => {
    const answers = await Promise.all(Array.from({ length: 16 }, () => call("POST", path, request, admin, headers)));
    const shown = answers.filter((answer) => typeof answer.json.secret === "string");
    expect(shown.length).toBe(1);
    for (const answer of answers) expect([201, 409]).toContain(answer.status);
    expect((await call("GET")).json.data.length).toBe(2);
  });
});

describe("S1.08 GET /api/v1/api-keys", () => {
  test("pages through all keys newest first, and shows no secret", async () => {
    const made: string[] = [];
    const secrets: string[] = [];
    for (let index = 0; index < 5; index++) {
      fixture.clock.advance(1);
      const key = await make({ ...request, name: `key ${index}` });
      made.unshift(key.id);
      secrets.push(key.secret.split("_")[2]!);
    }
    const seen: string[] = [];
    let next = "";
    for (let page = 0; page < 3; page++) {
      const answer = await call("GET", `${path}?limit=2${next}`);
      expect(answer.status).toBe(200);
      expect([...Value.Errors(ApiKeyPage, answer.json)]).toEqual([]);
      for (const secret of secrets) expect(answer.text).not.toContain(secret);
      seen.push(...answer.json.data.map((key: { id: string }) => key.id));
      expect(answer.json.has_more).toBe(page < 2);
      next = `&cursor=${answer.json.next_cursor}`;
    }
    expect(seen).toEqual([...made, admin.split("_")[1]!]);
  });

  const bad = [
    "?limit=0",
    "?limit=201",
    "?limit=-1",
    "?limit=1.5",
    "?limit=ten",
    "?limit=",
    "?cursor=",
    "?cursor=x",
    "?cursor=%27%20or%201%3D1",
    "?colour=red",
    `?cursor=${"A".repeat(101)}`,
  ];
  for (const query of bad) {
    test(`S2.35 with ${query.slice(0, 30)} is 422`, async () => {
      expect((await call("GET", `${path}${query}`)).status).toBe(422);
    });
  }
  test("takes the smallest and the largest page", async () => {
    expect((await call("GET", `${path}?limit=1`)).status).toBe(200);
    expect((await call("GET", `${path}?limit=200`)).status).toBe(200);
  });
});

describe("S1.08 DELETE /api/v1/api-keys/{id}", () => {
  test("answers 204 with nothing, ends the key at once, and may be repeated", async () => {
    const { id, secret } = await make({ name: "x", scopes: ["admin"] });
    expect((await call("GET", path, undefined, secret)).status).toBe(200);
    for (let time = 0; time < 2; time++) {
      const answer = await call("DELETE", `${path}/${id}`);
      expect([answer.status, answer.text]).toEqual([204, ""]);
    }
    const refused = await call("GET", path, undefined, secret);
    expect([refused.status, refused.json.code]).toEqual([401, "API_KEY_REVOKED"]);
    const listed = (await call("GET")).json.data.find((key: { id: string }) => key.id === id);
    expect(listed.revoked_at).toBe("2025-06-15T15:06:40.000000Z");
  });

  test("of another user's key is 404, as of one that never was, and the key goes on", async () => {
    const { id, secret } = await make({ name: "theirs", scopes: ["admin"] });
    const stranger = await userIn("trader");
    for (const method of ["DELETE", "GET"]) {
      const theirs = await asPerson(stranger, method, `${path}/${id}`);
      const nobodys = await asPerson(stranger, method, `${path}/abcdefghijkl`);
      expect([theirs.status, nobodys.status]).toEqual([404, 404]);
      expect(theirs.json.detail).toBe(nobodys.json.detail);
    }
    expect((await call("GET", path, undefined, secret)).status).toBe(200);
    expect((await asPerson(stranger, "GET", path)).json.data).toEqual([]);
  });

  for (const id of ["x", "abcdefghijklm", "abcdefghijk-", "..", "%27%20or%201=1"]) {
    test(`S2.14 of ${id}, which is no id, is 404 or 422`, async () => {
      expect([404, 422]).toContain((await call("DELETE", `${path}/${id}`)).status);
    });
  }
});

test("S2.14 a key tied to addresses is refused from a socket elsewhere and taken from its own", async () => {
  const here = await make({ name: "here", scopes: ["admin"], ip_allow: ["127.0.0.0/8", "::1"] });
  const elsewhere = await make({ name: "elsewhere", scopes: ["admin"], ip_allow: ["10.0.0.0/8"] });
  const { url } = server.listen();
  const status = async (key: string) =>
    (await fetch(`${url}${path}`, { headers: { "x-api-key": key, "x-forwarded-for": "10.1.2.3" } })).status;
  expect(await status(here.secret)).toBe(200);
  expect(await status(elsewhere.secret)).toBe(401);
});

describe("S2.13 keys of people", () => {
  const ids = (answer: { json: { data: { id: string }[] } }) => answer.json.data.map(({ id }) => id);

  test("are made, shown and ended by whoever is signed in, within what their role allows", async () => {
    const trader = await userIn("trader");
    const made = await asPerson(trader, "POST", path, { name: "bot", scopes: ["pricing:read", "orders:write"] });
    expect(made.status).toBe(201);
    expect(made.json).toMatchObject({ user_id: trader, created_by_key_id: null, rate_class: "standard" });
    expect(ids(await asPerson(trader, "GET", path))).toEqual([made.json.id]);
    const shown = await asPerson(trader, "GET", `${path}/${made.json.id}`);
    expect([...Value.Errors(ApiKey, shown.json)]).toEqual([]);
    expect(shown.text).not.toContain(made.json.secret.split("_")[2]);
    expect((await asPerson(trader, "DELETE", `${path}/${made.json.id}`)).status).toBe(204);
    const tooMuch = await asPerson(trader, "POST", path, { name: "bot", scopes: ["pricing:read", "risk:write"] });
    expect([tooMuch.status, tooMuch.json.errors[0].pointer]).toEqual([403, "/scopes/1"]);
  });

  for (const [role, status] of [
    ["viewer", 403],
    ["trader", 403],
    ["risk", 403],
    ["admin", 201],
  ] as const) {
    test(`with another rate class than standard asked for by a ${role} answer ${status}`, async () => {
      const person = await userIn(role);
      for (const rate_class of ["bot", "unlimited"]) {
        const answer = await asPerson(person, "POST", path, { name: "fast", scopes: ["pricing:read"], rate_class });
        expect(answer.status).toBe(status);
        if (status === 403) expect(answer.json.code).toBe("RATE_CLASS_NOT_ALLOWED");
      }
      const plain = { name: "plain", scopes: ["pricing:read"], rate_class: "standard" };
      expect((await asPerson(person, "POST", path, plain)).status).toBe(201);
    });
  }

  test("of others are seen, made and ended by an administrator who names the user", async () => {
    const [trader, boss] = [await userIn("trader"), await userIn("admin")];
    const made = await asPerson(boss, "POST", `${path}?user_id=${trader}`, request);
    expect(made.status).toBe(201);
    expect(made.json.user_id).toBe(trader);
    expect((await call("GET", "/api/v1/api-keys", undefined, made.json.secret)).status).toBe(403);
    expect(ids(await asPerson(boss, "GET", `${path}?user_id=${trader}`))).toEqual([made.json.id]);
    expect(ids(await asPerson(boss, "GET", path))).toEqual([]);
    expect(ids(await asPerson(trader, "GET", `${path}?user_id=${trader}`))).toEqual([made.json.id]);
    expect((await asPerson(boss, "GET", `${path}/${made.json.id}`)).status).toBe(200);
    expect((await asPerson(boss, "DELETE", `${path}/${made.json.id}`)).status).toBe(204);
    const refused = await call("GET", path, undefined, made.json.secret);
    expect([refused.status, refused.json.code]).toEqual([401, "API_KEY_REVOKED"]);
  });

  test("for others carry no scope that the owner's role lacks, and none is made for a disabled user", async () => {
    const [viewer, boss] = [await userIn("viewer"), await userIn("admin")];
    const tooMuch = await asPerson(boss, "POST", `${path}?user_id=${viewer}`, { name: "x", scopes: ["orders:write"] });
    expect([tooMuch.status, tooMuch.json.errors[0].detail]).toEqual([403, "the owner does not hold orders:write"]);
    await fixture.identity.changeUser({ actor: operator, userId: viewer, patch: { disabled: true } });
    const late = await asPerson(boss, "POST", `${path}?user_id=${viewer}`, { name: "x", scopes: ["pricing:read"] });
    expect([late.status, late.json.code]).toEqual([409, "USER_DISABLED"]);
  });

  test("of others are 404 to anybody else, as those of nobody are", async () => {
    const [trader, risk] = [await userIn("trader"), await userIn("risk")];
    await asPerson(trader, "POST", path, request);
    for (const userId of [trader, "nobody", admin.split("_")[1]]) {
      for (const [method, body] of [
        ["GET", undefined],
        ["POST", request],
      ] as const) {
        const answer = await asPerson(risk, method, `${path}?user_id=${userId}`, body);
        expect([answer.status, answer.json.code]).toEqual([404, "USER_NOT_FOUND"]);
      }
    }
    expect((await call("GET", `${path}?user_id=nobody`)).status).toBe(404);
  });

  for (const query of ["?user_id=", "?user_id=%27%20or%201=1", `?user_id=${"a".repeat(41)}`, "?user_id=a&user_id=b"]) {
    test(`S2.35 with ${query.slice(0, 30)} are 422`, async () => {
      expect((await call("GET", `${path}${query}`)).status).toBe(422);
      expect((await call("POST", `${path}${query}`, request)).status).toBe(422);
    });
  }

  test("made and ended leave their lines in the audit, without their secrets, a second ending none", async () => {
    const trader = await userIn("trader");
    const made = await asPerson(trader, "POST", path, request);
    for (let time = 0; time < 2; time++) await asPerson(trader, "DELETE", `${path}/${made.json.id}`);
    const lines = fixture.auditLines.filter(({ resource }) => resource === `api_keys/${made.json.id}`);
    expect(lines.map(({ eventType, userId, status }) => [eventType, userId, status])).toEqual([
      ["apikey.created", trader, "success"],
      ["apikey.revoked", trader, "success"],
    ]);
    expect(JSON.stringify(lines)).not.toContain(made.json.secret.split("_")[2]);
  });
});
