// The API key routes through the whole server, on a real database, with identity itself deciding who comes in.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { eq } from "drizzle-orm";
import { identityRoutes } from "../../src/features/identity";
import { ApiKey, ApiKeyCreated, ApiKeyPage, ApiKeyRequest } from "../../src/features/identity/model";
import { insertUser } from "../../src/features/identity/repository";
import { apiKeys } from "../../src/features/identity/table";
import { idempotencyOf, originOf, principalOf } from "../../src/http/request-context";
import { find } from "../../src/storage/idempotency";
import { type TestServer, testServer } from "../harness/http";
import { type IdentityFixture, openIdentity } from "../harness/identity";

let fixture: IdentityFixture;
let server: TestServer;
/** The first administrator's key. */
let admin: string;
beforeEach(async () => {
  fixture = await openIdentity();
  const { identity, storage } = fixture;
  server = testServer({
    features: [identityRoutes({ identity, principalOf, originOf, idempotencyOf })],
    authenticator: identity,
    idempotencyStore: { find: (scope) => find(storage.read, scope) },
  });
  admin = (await identity.ensureFirstAdminKey(fixture.keyFile))!;
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

const routes: readonly (readonly [string, string, unknown])[] = [
  ["GET", path, undefined],
  ["POST", path, request],
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
    const { id, secret } = await make({ name: "theirs", scopes: ["pricing:read", "admin"] });
    await fixture.storage.write(async (tx) => {
      await insertUser(tx, { id: "another", name: "another", role: "admin", now: 1n });
      await tx.update(apiKeys).set({ userId: "another" }).where(eq(apiKeys.id, id));
    });
    const theirs = await call("DELETE", `${path}/${id}`);
    const nobodys = await call("DELETE", `${path}/abcdefghijkl`);
    expect([theirs.status, nobodys.status]).toEqual([404, 404]);
    expect(theirs.json.detail).toBe(nobodys.json.detail);
    expect((await call("GET", path, undefined, secret)).status).toBe(200);
    expect((await call("GET")).json.data.map((key: { id: string }) => key.id)).not.toContain(id);
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
