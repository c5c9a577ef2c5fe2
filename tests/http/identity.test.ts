// A user's own routes and the administrator's, through the whole server on a real database: who may, what is taken, what is answered.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import type { Role } from "../../src/domain/permission";
import { identityRoutes } from "../../src/features/identity";
import { MePatch, User, UserExport, UserPage, UserPatch } from "../../src/features/identity/model";
import { keysRoutes } from "../../src/features/keys";
import { idempotencyOf, originOf, principalOf } from "../../src/http/request-context";
import { type TestServer, testServer } from "../harness/http";
import { type IdentityFixture, openIdentity, withPersons } from "../harness/identity";

let fixture: IdentityFixture;
let server: TestServer;
/** The first administrator's key. */
let adminKey: string;
let people: Record<Role, string>;
beforeEach(async () => {
  fixture = await openIdentity();
  const { identity, keys, storage } = fixture;
  server = testServer({
    features: [
      identityRoutes({ identity, principalOf, originOf }),
      keysRoutes({ keys, principalOf, originOf, idempotencyOf }),
    ],
    authenticator: withPersons(fixture),
  });
  adminKey = (await keys.ensureFirstAdminKey(fixture.keyFile))!;
  const userIn = async (role: Role) => {
    const person = { email: `${role}@example.org`, name: `a ${role}`, role, isVerified: true };
    const now = fixture.clock.nowMicroseconds();
    return (await storage.write((tx) => identity.insertPerson(tx, { ...person, now }))).id;
  };
  people = {
    viewer: await userIn("viewer"),
    trader: await userIn("trader"),
    risk: await userIn("risk"),
    admin: await userIn("admin"),
  };
});
afterEach(async () => {
  await server.close();
  await fixture.close();
});

const me = "/api/v1/auth/me";
const users = "/api/v1/admin/users";

const call = (who: Role | null, method: string, where: string, body?: unknown) =>
  server.call(method, where, {
    ...(body !== undefined && { body }),
    headers: who === null ? {} : { authorization: `Bearer person.${people[who]}` },
  });
const withKey = (key: string, method: string, where: string, body?: unknown) =>
  server.call(method, where, { key, ...(body !== undefined && { body }) });
const keyOf = async (who: Role, scopes: readonly string[]): Promise<string> => {
  const answer = await call(who, "POST", "/api/v1/api-keys", { name: "a key", scopes });
  expect(answer.status).toBe(201);
  return answer.json.secret;
};

const own: readonly (readonly [string, string, unknown])[] = [
  ["GET", me, undefined],
  ["PATCH", me, { name: "x" }],
  ["DELETE", me, undefined],
  ["GET", `${me}/export`, undefined],
];
const admins = (id: string): readonly (readonly [string, string, unknown])[] => [
  ["GET", users, undefined],
  ["GET", `${users}/${id}`, undefined],
  ["PATCH", `${users}/${id}`, { name: "x" }],
  ["DELETE", `${users}/${id}`, undefined],
];

describe("S2.13 a guest", () => {
  for (const [method, where, body] of [...own, ...admins("somebody")]) {
    test(`at ${method} ${where} is refused with 401`, async () => {
      expect((await call(null, method, where, body)).status).toBe(401);
    });
  }
});

describe("S2.13 a key", () => {
  for (const [method, where, body] of own) {
    const status = method === "GET" && where === me ? 200 : 403;
    test(`at ${method} ${where} answers ${status}, even an administrator's`, async () => {
      for (const key of [adminKey, await keyOf("trader", ["pricing:read"])]) {
        expect((await withKey(key, method, where, body)).status).toBe(status);
      }
    });
  }
  test("shows its owner at GET /api/v1/auth/me", async () => {
    const answer = await withKey(await keyOf("trader", ["pricing:read"]), "GET", me);
    expect([answer.json.id, answer.json.role]).toEqual([people.trader, "trader"]);
  });
  test("with the scope admin does what an administrator does, and one without it does not", async () => {
    for (const [method, where, body] of admins(people.viewer)) {
      expect((await withKey(adminKey, method, where, body)).status).toBeLessThan(300);
      const lesser = await withKey(await keyOf("admin", ["pricing:read", "audit:read"]), method, where, body);
      expect([lesser.status, lesser.json.code]).toEqual([403, "PERMISSION_MISSING"]);
    }
  });
});

describe("S2.13 the administrator's routes", () => {
  for (const role of ["viewer", "trader", "risk"] as const) {
    for (const [method, where] of admins("{id}")) {
      test(`${method} ${where} refuses a ${role} with 403, for other users and for oneself`, async () => {
        for (const id of [people.admin, people[role], "nobody"]) {
          const row = admins(id).find((each) => each[0] === method && (each[1] === users) === (where === users))!;
          expect((await call(role, ...row)).status).toBe(403);
        }
      });
    }
  }

  test("list users newest first, by role, address and state, in pages", async () => {
    const all = await call("admin", "GET", users);
    expect([...Value.Errors(UserPage, all.json)]).toEqual([]);
    expect(all.json.data.length).toBe(5);
    const ids = async (query: string) =>
      (await call("admin", "GET", `${users}?${query}`)).json.data.map(({ id }: { id: string }) => id);
    expect(await ids("role=risk")).toEqual([people.risk]);
    expect(await ids("email=TRADER%40example.org")).toEqual([people.trader]);
    expect(await ids("email=nobody%40example.org")).toEqual([]);
    await call("admin", "PATCH", `${users}/${people.viewer}`, { disabled: true });
    expect(await ids("disabled=true")).toEqual([people.viewer]);
    expect((await ids("disabled=false")).length).toBe(4);
    const first = await call("admin", "GET", `${users}?limit=3`);
    expect([first.json.data.length, first.json.has_more]).toEqual([3, true]);
    const second = await call("admin", "GET", `${users}?limit=3&cursor=${first.json.next_cursor}`);
    expect([second.json.data.length, second.json.has_more]).toEqual([2, false]);
  });

  for (const query of [
    "limit=0",
    "limit=201",
    "limit=x",
    "cursor=",
    "cursor=x",
    "role=owner",
    "role=",
    "email=x",
    "email=nobody",
    "email=%27%20or%201%3D1--",
    "disabled=1",
    "disabled=maybe",
    "name=x",
    "role=admin&role=viewer",
  ]) {
    test(`S2.35 list nothing with ?${query}: 422`, async () => {
      expect((await call("admin", "GET", `${users}?${query}`)).status).toBe(422);
    });
  }

  test("show one user, and answer 404 for one that is not", async () => {
    const answer = await call("admin", "GET", `${users}/${people.trader}`);
    expect([...Value.Errors(User, answer.json)]).toEqual([]);
    expect(answer.json).toMatchObject({ id: people.trader, email: "trader@example.org", role: "trader" });
    for (const [method, where, body] of admins("nobody").slice(1)) {
      const missing = await call("admin", method, where, body);
      expect([missing.status, missing.json.code]).toEqual([404, "USER_NOT_FOUND"]);
    }
  });

  test("change role and state, which hold from the next request on", async () => {
    for (const patch of UserPatch.examples) {
      expect((await call("admin", "PATCH", `${users}/${people.risk}`, patch)).status).toBe(200);
    }
    const key = await keyOf("viewer", ["pricing:read"]);
    await call("admin", "PATCH", `${users}/${people.viewer}`, { role: "admin" });
    expect((await call("viewer", "GET", users)).status).toBe(200);
    await call("admin", "PATCH", `${users}/${people.viewer}`, { role: "trader" });
    expect((await call("viewer", "GET", users)).status).toBe(403);
    expect((await withKey(key, "GET", me)).status).toBe(200);
    await call("admin", "PATCH", `${users}/${people.viewer}`, { disabled: true });
    expect((await withKey(key, "GET", me)).json.code).toBe("USER_DISABLED");
    expect((await call("viewer", "GET", me)).status).toBe(401);
    await call("admin", "PATCH", `${users}/${people.viewer}`, { disabled: false });
    expect((await withKey(key, "GET", me)).status).toBe(200);
  });

  test("do not end the last administrator who can act: 409", async () => {
    const ownerId = (await withKey(adminKey, "GET", me)).json.id;
    expect((await call("admin", "DELETE", `${users}/${ownerId}`)).status).toBe(204);
    const acts = [
      ["PATCH", { role: "viewer" }],
      ["PATCH", { disabled: true }],
      ["DELETE", undefined],
    ] as const;
    for (const [method, body] of acts) {
      const answer = await call("admin", method, `${users}/${people.admin}`, body);
      expect([answer.status, answer.json.code]).toEqual([409, "LAST_ADMINISTRATOR"]);
    }
    expect((await call("admin", "DELETE", me)).json.code).toBe("LAST_ADMINISTRATOR");
    expect((await call("admin", "GET", users)).status).toBe(200);
  });

  const bad: readonly (readonly [string, unknown, number, string | null])[] = [
    ["nothing", {}, 422, null],
    ["an unknown role", { role: "root" }, 422, "/role"],
    ["a role of the prototype", { role: "__proto__" }, 422, "/role"],
    ["a null role", { role: null }, 422, "/role"],
    ["a text for disabled", { disabled: "true" }, 422, "/disabled"],
    ["an empty name", { name: "" }, 422, "/name"],
    ["a name of a hundred and one characters", { name: "x".repeat(101) }, 422, "/name"],
    ["a name with a line's end", { name: "a\r\nb" }, 422, "/name"],
    ["an address", { email: "new@example.org" }, 422, "/email"],
    ["a moment of verification", { email_verified_at: "2026-01-01T00:00:00Z" }, 422, "/email_verified_at"],
    ["an id", { id: "x", name: "y" }, 422, "/id"],
    ["a prototype", '{"name":"x","__proto__":{"role":"admin"}}', 400, null],
    ["a constructor", { name: "x", constructor: { prototype: {} } }, 422, "/constructor"],
    ["a list", [], 422, null],
    ["half a body", '{"name":', 400, null],
  ];
  for (const [title, body, status, pointer] of bad) {
    test(`S2.35 take no change with ${title}: ${status}, and nothing is changed`, async () => {
      const before = await fixture.identity.findUser(people.trader);
      const answer = await call("admin", "PATCH", `${users}/${people.trader}`, body);
      expect(answer.status).toBe(status);
      if (pointer !== null) {
        expect(answer.json.errors.map((fault: { pointer: string }) => fault.pointer)).toContain(pointer);
      }
      expect(await fixture.identity.findUser(people.trader)).toEqual(before);
    });
  }

  for (const id of ["..", "%27%20or%201=1", "a".repeat(41), "a%00b", "a%2Fb"]) {
    test(`S2.14 find nobody called ${id.slice(0, 20)}`, async () => {
      expect([400, 404, 422]).toContain((await call("admin", "GET", `${users}/${id}`)).status);
    });
  }
});

describe("S1.03 whoever is signed in", () => {
  test("sees and renames themselves, and nothing else of theirs", async () => {
    const answer = await call("trader", "PATCH", me, MePatch.examples[0]);
    expect([answer.status, answer.json.name]).toEqual([200, "Ada Lovelace"]);
    expect((await call("trader", "GET", me)).json).toEqual(answer.json);
    for (const body of [{ role: "admin" }, { disabled: false }, { name: "x", role: "admin" }, {}, { name: "\u0007" }]) {
      expect((await call("trader", "PATCH", me, body)).status).toBe(422);
    }
    expect((await call("trader", "GET", me)).json.role).toBe("trader");
  });

  test("gets all that is held about them as one document, without secrets and without anybody else", async () => {
    const secret = (await keyOf("trader", ["pricing:read"])).split("_")[2]!;
    await keyOf("risk", ["pricing:read"]);
    const answer = await call("trader", "GET", `${me}/export`);
    expect(answer.status).toBe(200);
    expect([...Value.Errors(UserExport, answer.json)]).toEqual([]);
    expect(answer.json.user.id).toBe(people.trader);
    expect(answer.json.api_keys.map((key: { user_id: string }) => key.user_id)).toEqual([people.trader]);
    expect(answer.text).not.toContain(secret);
    expect(answer.text).not.toContain("secret_hash");
    for (const other of [people.risk, "risk@example.org"]) expect(answer.text).not.toContain(other);
    expect(answer.headers.get("cache-control")).toContain("no-store");
  });

  test("erases themselves: from then on refused with all their keys, and nobody's else", async () => {
    const key = await keyOf("trader", ["pricing:read"]);
    const others = await keyOf("risk", ["pricing:read"]);
    const answer = await call("trader", "DELETE", me);
    expect([answer.status, answer.text]).toEqual([204, ""]);
    expect((await call("trader", "GET", me)).status).toBe(401);
    expect((await withKey(key, "GET", me)).status).toBe(401);
    expect((await withKey(others, "GET", me)).status).toBe(200);
    const shown = (await call("admin", "GET", `${users}/${people.trader}`)).json;
    expect([shown.name, shown.email, shown.erased_at === null]).toEqual(["erased", null, false]);
    expect((await call("admin", "PATCH", `${users}/${people.trader}`, { disabled: false })).json.code).toBe(
      "USER_ERASED",
    );
    expect((await call("admin", "DELETE", `${users}/${people.trader}`)).status).toBe(204);
  });
});

test("S2.32 what a request does to a user carries where the request came from", async () => {
  await server.call("PATCH", me, {
    body: { name: "x" },
    headers: { authorization: `Bearer person.${people.trader}`, "user-agent": "a browser" },
  });
  expect(fixture.auditLines.at(-1)).toMatchObject({ eventType: "user.updated", origin: { userAgent: "a browser" } });
});
