// Every route × every role × keys of every scope, asked of the executable and compared with the published table; and what belongs to
// somebody, asked for by somebody else. A request that would do something is made to fail after the gate has judged it: by a parameter
// that no guarded route takes.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Permission, permissions, permissionsOfRole, type Role, roles } from "../../src/domain/permission";
import { publishedPermissions } from "../harness/permission-rows";
import { type Person, SecuredServer, type SignedIn } from "../harness/secured-server";

const yes = "yes";
const table = publishedPermissions();

let server: SecuredServer;
const people = {} as Record<Role, Person>;
const tokens = {} as Record<Role, SignedIn>;
const scoped = {} as Record<Permission, string>;

beforeAll(async () => {
  server = await SecuredServer.start();
  for (const role of roles) {
    people[role] = await server.person(role);
    tokens[role] = await server.signIn(people[role]);
  }
  for (const scope of permissions) {
    const made = await server.call("POST", "/api/v1/api-keys", {
      key: "admin",
      body: { name: `only ${scope}`, scopes: [scope] },
    });
    scoped[scope] = server.keep(`the key for ${scope}`, made.json.secret);
  }
}, 60_000);
afterAll(() => server.close());

/** 401, 403, or `yes` where the gate let it pass to what follows. */
async function verdict(name: string, who: { bearer?: string; key?: string }): Promise<string> {
  const [method = "", path = ""] = name.split(" ");
  const isPublic = table.get(name)!.guest === yes;
  const address = `${path.replace(/\{[^}]+\}/g, "abcdefghijkl")}${isPublic ? "" : "?nonsense=1"}`;
  const { status } = await server.call(method, address, {
    ...who,
    headers: server.stranger(),
    ...(method !== "GET" && method !== "DELETE" && { body: "{" }),
  });
  if (status === 401 && isPublic) return yes;
  if (status === 401 || status === 403) return String(status);
  // Nothing that was let in did anything: it failed where it had to.
  if (!isPublic && status !== 400 && status !== 422) throw new Error(`${name} answered ${status}`);
  return yes;
}

describe("S2.13 S3.02 the published table of permissions", () => {
  test("is of this executable: it knows each documented operation", async () => {
    const { json } = await server.call("GET", "/openapi.json");
    const documented = Object.entries<object>(json.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(documented.filter((name) => !table.has(name))).toEqual([]);
    expect(documented.length).toBeGreaterThan(30);
  });

  for (const [name, row] of table) {
    test(`is what ${name} answers a guest, people in each role and keys of each scope`, async () => {
      const said: Record<string, string> = { guest: await verdict(name, {}) };
      for (const role of roles) said[role] = await verdict(name, { bearer: tokens[role].accessToken });
      expect([name, said]).toEqual([
        name,
        { guest: row.guest, viewer: row.viewer, trader: row.trader, risk: row.risk, admin: row.admin },
      ]);
      for (const scope of permissions) {
        const isIn = row.key === yes || row.key === `\`${scope}\``;
        expect([name, scope, await verdict(name, { key: scoped[scope] })]).toEqual([name, scope, isIn ? yes : "403"]);
      }
    });
  }
});

describe("S2.13 what belongs to somebody", () => {
  /** Makes a key of somebody's own; its id. */
  async function keyOf(role: Role): Promise<string> {
    const made = await server.call("POST", "/api/v1/api-keys", {
      bearer: tokens[role].accessToken,
      body: { name: `own key of ${role}`, scopes: ["pricing:read"] },
    });
    server.keep(`the own key of ${role}`, made.json.secret);
    return made.json.id;
  }

  const sessionOf = async (role: Role): Promise<string> =>
    (await server.call("GET", "/api/v1/auth/sessions", { bearer: tokens[role].accessToken })).json.data[0].id;

  const subscriptionOf = async (role: Role): Promise<string> => {
    const made = await server.call("POST", "/api/v1/subscriptions", {
      bearer: tokens[role].accessToken,
      body: { symbols: ["SPX"], account_id: `own-${subscriptionCount++}` },
    });
    return made.json.id;
  };
  let subscriptionCount = 0;

  const owned: Readonly<Record<string, (role: Role) => Promise<string>>> = {
    "GET /api/v1/api-keys/{id}": keyOf,
    "DELETE /api/v1/api-keys/{id}": keyOf,
    "DELETE /api/v1/auth/sessions/{id}": sessionOf,
    "GET /api/v1/subscriptions/{id}": subscriptionOf,
    "DELETE /api/v1/subscriptions/{id}": subscriptionOf,
  };
  /** What the market knows is everybody's who may read it. */
  const shared = /^GET \/api\/v1\/market\//;

  test("is every route with an id that is not for administrators alone", () => {
    const withId = [...table].filter(([name, row]) => name.includes("{") && row.viewer === yes).map(([name]) => name);
    expect(withId.filter((name) => !shared.test(name)).sort()).toEqual(Object.keys(owned).sort());
  });

  test.each(Object.entries(owned))(
    "S4.53 %s: another's id is 404 and does nothing; one's own works",
    async (name, make) => {
      const [method = "", path = ""] = name.split(" ");
      const id = await make("trader");
      const at = path.replace("{id}", id);
      const unknown = await server.call(
        method,
        path.replace(
          "{id}",
          id.replace(/.$/, (last) => (last === "0" ? "1" : "0")),
        ),
        {
          bearer: tokens.viewer.accessToken,
        },
      );
      for (const role of ["viewer", "risk"] as const) {
        const answer = await server.call(method, at, { bearer: tokens[role].accessToken });
        expect(answer.status).toBe(404);
        // What is there is told no differently than what is not.
        expect({ ...answer.json, trace_id: "", instance: "" }).toEqual({ ...unknown.json, trace_id: "", instance: "" });
      }
      expect((await server.call("GET", "/api/v1/auth/me", { bearer: tokens.trader.accessToken })).status).toBe(200);
      const own = await server.call(method, at, { bearer: tokens.trader.accessToken });
      expect([200, 204]).toContain(own.status);
      tokens.trader = await server.signIn(people.trader);
    },
  );

  test("S4.54 lists hold one's own alone, and naming another user is 404", async () => {
    await keyOf("trader");
    const mine = await server.call("GET", "/api/v1/api-keys", { bearer: tokens.viewer.accessToken });
    expect(mine.json.data.filter((key: { user_id: string }) => key.user_id !== people.viewer.id)).toEqual([]);
    for (const query of [
      `user_id=${people.trader.id}`,
      `user_id=${people.admin.id}`,
      "user_id=019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10",
    ]) {
      const other = await server.call("GET", `/api/v1/api-keys?${query}`, { bearer: tokens.viewer.accessToken });
      expect([other.status, other.json.code]).toEqual([404, "USER_NOT_FOUND"]);
    }
    const made = await server.call("POST", `/api/v1/api-keys?user_id=${people.admin.id}`, {
      bearer: tokens.viewer.accessToken,
      body: { name: "theirs", scopes: ["pricing:read"] },
    });
    expect(made.status).toBe(404);
    const sessions = await server.call("GET", "/api/v1/auth/sessions", { bearer: tokens.viewer.accessToken });
    expect(sessions.json.data).toHaveLength(1);
  });

  test.each(["trader", "risk", "viewer"] as const)(
    "S2.13 S4.54 a %s can give a key nothing the role lacks, nor a class",
    async (role) => {
      for (const scope of permissions) {
        const holds = permissionsOfRole[role].has(scope);
        const made = await server.call("POST", "/api/v1/api-keys", {
          bearer: tokens[role].accessToken,
          body: { name: "wider", scopes: [scope] },
        });
        expect([scope, made.status]).toEqual([scope, holds ? 201 : 403]);
        if (made.status === 201) server.keep(`a key for ${scope} of ${role}`, made.json.secret);
      }
      for (const rateClass of ["bot", "unlimited"]) {
        const made = await server.call("POST", "/api/v1/api-keys", {
          bearer: tokens[role].accessToken,
          body: { name: "faster", scopes: ["pricing:read"], rate_class: rateClass },
        });
        expect(made.status).toBe(403);
      }
    },
  );

  test("S2.13 a key does no more than its owner may by now: demoted or disabled, it shrinks or dies", async () => {
    const person = await server.person("risk");
    const { accessToken } = await server.signIn(person);
    const made = await server.call("POST", "/api/v1/api-keys", {
      bearer: accessToken,
      body: { name: "risk's", scopes: ["pricing:read", "audit:read"] },
    });
    const key = server.keep("the key of who was demoted", made.json.secret);
    expect((await server.call("GET", "/api/v1/audit", { key })).status).toBe(200);
    const change = (body: object) => server.call("PATCH", `/api/v1/admin/users/${person.id}`, { key: "admin", body });
    expect((await change({ role: "viewer" })).status).toBe(200);
    expect((await server.call("GET", "/api/v1/audit", { key })).status).toBe(403);
    expect((await server.call("GET", "/api/v1/pricing/models", { key })).status).toBe(200);
    // The sessions of the time before are over: they were another role's.
    expect((await server.call("GET", "/api/v1/audit", { bearer: accessToken })).status).toBe(401);
    expect((await change({ disabled: true })).status).toBe(200);
    expect((await server.call("GET", "/api/v1/pricing/models", { key })).status).toBe(401);
  });
});
