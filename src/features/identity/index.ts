// Identity's routes: a user's own data under /api/v1/auth/me, and everybody's under /api/v1/admin/users for administrators. Declarations and
// one call each; what a route needs is stated in its detail and enforced by http before the body is read.

import { Elysia, t } from "elysia";
import type { Principal, RequestOrigin } from "../../domain/principal";
import { MePatch, pageLimitDefault, User, UserExport, UserPage, UserPageQuery, UserPatch, UserPath } from "./model";
import type { Actor, Identity } from "./service";

export interface IdentityRoutesDependencies {
  readonly identity: Identity;
  readonly principalOf: (request: Request) => Principal;
  readonly originOf: (request: Request) => RequestOrigin;
}

/** GET, PATCH and DELETE /api/v1/auth/me, GET …/me/export; GET /api/v1/admin/users, GET, PATCH and DELETE …/users/{id}. */
export function identityRoutes({ identity, principalOf, originOf }: IdentityRoutesDependencies) {
  const actorOf = (request: Request): Actor => ({ userId: principalOf(request).userId, origin: originOf(request) });
  return new Elysia({ name: "identity" })
    .get("/api/v1/auth/me", ({ request }) => identity.getUser(principalOf(request).userId), {
      response: { 200: User },
      detail: {
        permission: "authenticated",
        operationId: "getMe",
        summary: "Who you are",
        description: "For a key, its owner.",
        tags: ["Identity"],
      },
    })
    .patch(
      "/api/v1/auth/me",
      ({ request, body }) =>
        identity.changeUser({ actor: actorOf(request), userId: principalOf(request).userId, patch: body }),
      {
        body: MePatch,
        response: { 200: User },
        detail: { permission: "person", operationId: "updateMe", summary: "Change your name", tags: ["Identity"] },
      },
    )
    .delete(
      "/api/v1/auth/me",
      async ({ request, set }) => {
        set.status = 204;
        await identity.eraseUser({ actor: actorOf(request), userId: principalOf(request).userId });
      },
      {
        response: { 204: t.Void() },
        detail: {
          permission: "person",
          recentSignIn: true,
          operationId: "eraseMe",
          summary: "Erase yourself",
          description:
            "Blanks your name, address and everything else that names you, and ends your keys and login sessions. It cannot be undone.",
          tags: ["Identity"],
        },
      },
    )
    .get(
      "/api/v1/auth/me/export",
      ({ request }) => identity.exportUser({ actor: actorOf(request), userId: principalOf(request).userId }),
      {
        response: { 200: UserExport },
        detail: {
          permission: "person",
          operationId: "exportMe",
          summary: "Everything held about you",
          tags: ["Identity"],
        },
      },
    )
    .get(
      "/api/v1/admin/users",
      ({ query: { limit, cursor, role, email, disabled } }) =>
        identity.listUsers({
          filter: {
            ...(role === undefined ? {} : { role }),
            ...(email === undefined ? {} : { email }),
            ...(disabled === undefined ? {} : { isDisabled: disabled === "true" }),
          },
          limit: limit === undefined ? pageLimitDefault : Number(limit),
          ...(cursor === undefined ? {} : { cursor }),
        }),
      {
        query: UserPageQuery,
        response: { 200: UserPage },
        detail: {
          permission: "admin",
          operationId: "listUsers",
          summary: "List users, newest first",
          tags: ["Identity"],
        },
      },
    )
    .get("/api/v1/admin/users/:id", ({ params: { id } }) => identity.getUser(id), {
      params: UserPath,
      response: { 200: User },
      detail: { permission: "admin", operationId: "getUser", summary: "Look at a user", tags: ["Identity"] },
    })
    .patch(
      "/api/v1/admin/users/:id",
      ({ request, params: { id }, body }) => identity.changeUser({ actor: actorOf(request), userId: id, patch: body }),
      {
        params: UserPath,
        body: UserPatch,
        response: { 200: User },
        detail: {
          permission: "admin",
          operationId: "updateUser",
          summary: "Change a user's name or role, disable or enable",
          description:
            "A change of role or state ends the user's login sessions. The last administrator who can act stays one (409).",
          tags: ["Identity"],
        },
      },
    )
    .delete(
      "/api/v1/admin/users/:id",
      async ({ request, params: { id }, set }) => {
        set.status = 204;
        await identity.eraseUser({ actor: actorOf(request), userId: id });
      },
      {
        params: UserPath,
        response: { 204: t.Void() },
        detail: {
          permission: "admin",
          operationId: "eraseUser",
          summary: "Erase a user",
          description: "Blanks what names the person and ends their keys and login sessions. The id stays.",
          tags: ["Identity"],
        },
      },
    );
}
