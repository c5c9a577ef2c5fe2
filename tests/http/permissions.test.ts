// Every route × every role × a guest × keys, asked of the server itself and compared with the published table. The services behind are
// absent: whoever is let in finds nothing, and only the gate answers 401 and 403. A guard that vanished lets somebody in and fails here.

import { afterAll, describe, expect, test } from "bun:test";
import { declaredRoutes, yes } from "../../build/permissions-page";
import { declaredServer } from "../../src/app/routes";
import { buildInfo } from "../../src/config/build-info";
import { loadConfig } from "../../src/config/config";
import {
  type Access,
  type Permission,
  permissions,
  permissionsOfRole,
  type Role,
  roles,
} from "../../src/domain/permission";
import type { Authenticator, Principal } from "../../src/domain/principal";
import { systemClock } from "../../src/foundation/clock";
import { BsoptError } from "../../src/foundation/errors";
import { silentLog } from "../../src/foundation/log";
import { systemRandom } from "../../src/foundation/random";
import { answerOf, requestFor } from "../harness/http";
import { publishedPermissions } from "../harness/permission-rows";

const page = publishedPermissions();

/** A scope as a bearer token can hold it. */
const wordOf = (permission: Permission) => permission.replace(":", "-");

/** Tells who it is by a bearer token: `role.<role>` somebody signed in, `keys.<scope>` an administrator's key with just that scope. */
const authenticator: Authenticator = {
  authenticate({ bearerToken = "" }): Principal {
    const [kind, word = ""] = bearerToken.split(/\.(.*)/s);
    if (kind === "role") {
      const role = word as Role;
      const credential = { kind: "login_session", id: "s", via: "token" } as const;
      return { userId: "u", role, permissions: permissionsOfRole[role], credential, rateClass: "unlimited" };
    }
    if (kind === "keys") {
      const scopes = new Set<Permission>(permissions.filter((permission) => wordOf(permission) === word));
      const credential = { kind: "api_key", id: "k" } as const;
      return { userId: "u", role: "admin", permissions: scopes, credential, rateClass: "unlimited" };
    }
    throw new BsoptError({ reason: "unauthenticated", code: "TOKEN_INVALID", detail: "The token is not valid here." });
  },
  requireRecentSignIn: async () => {},
};

const server = declaredServer(
  {
    config: loadConfig({ flags: {}, environment: {}, file: null }),
    build: buildInfo,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  },
  authenticator,
);
afterAll(() => server.drain());

const nameOf = ({ method, pattern }: { method: string; pattern: string }) =>
  `${method} ${pattern.replace(/:([A-Za-z0-9_]+)/g, "{$1}")}`;

const routes = declaredRoutes().map(({ method, pattern }) => ({
  method,
  path: pattern.replace(/:[A-Za-z0-9_]+/g, "abcdefghijkl"),
  name: nameOf({ method, pattern }),
}));

/** 401, 403, or `yes` where the gate let the request pass to what follows, whatever that said. */
async function verdict(method: string, path: string, token: string | null): Promise<string> {
  const hasBody = method !== "GET" && method !== "DELETE";
  const request = requestFor(method, path, {
    ...(hasBody && { body: {} }),
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
  });
  const { status } = await answerOf(await server.handle(request));
  return status === 401 || status === 403 ? String(status) : yes;
}

describe("S2.13 the table of permissions", () => {
  test("has a row for every route, and for nothing else", () => {
    expect([...page.keys()].sort()).toEqual(routes.map(({ name }) => name).sort());
    expect(page.size).toBeGreaterThan(20);
  });

  for (const { method, path, name } of routes) {
    test(`is what ${name} answers a guest, each role and each key`, async () => {
      const row = page.get(name)!;
      expect([name, "guest", await verdict(method, path, null)]).toEqual([name, "guest", row.guest!]);
      const stranger = row.guest === yes ? yes : "401";
      expect([name, "made-up token", await verdict(method, path, "x")]).toEqual([name, "made-up token", stranger]);
      for (const role of roles) {
        expect([name, role, await verdict(method, path, `role.${role}`)]).toEqual([name, role, row[role]!]);
      }
      for (const scope of permissions) {
        const cell = row.key!;
        const isIn = cell === yes || cell === `\`${scope}\``;
        expect([name, scope, await verdict(method, path, `keys.${wordOf(scope)}`)]).toEqual([
          name,
          scope,
          isIn ? yes : "403",
        ]);
      }
    });
  }

  test("S4.54 a guard that vanished shows: with any one route turned public, what a guest gets differs from the table", async () => {
    for (const route of server.routes.routes) {
      if (route.permission === "public") continue;
      const { method, path, name } = routes.find((each) => each.name === nameOf(route))!;
      const declared = route.permission;
      const mutable = route as { permission: Access };
      mutable.permission = "public";
      try {
        expect([name, await verdict(method, path, null)]).not.toEqual([name, page.get(name)!.guest]);
      } finally {
        mutable.permission = declared;
      }
      expect([name, await verdict(method, path, null)]).toEqual([name, "401"]);
    }
  });

  test("lets a guest into nothing but what the contract names", () => {
    const open = [...page].filter(([, row]) => row.guest === yes).map(([name]) => name.split(" ")[1]!);
    const named =
      /^\/(health|liveness|readiness|metrics|openapi\.json|asyncapi\.json|(swagger|docs)(\/[a-z./]+)?|account\/(reset-password|verify-email)|\.well-known\/jwks\.json)$|^\/api\/v1\/(auth\/(register|verify-email|resend-verification|login|login\/totp|refresh|logout|password\/(forgot|reset))|oauth\/token)$/;
    expect(open.filter((path) => !named.test(path))).toEqual([]);
  });
});
