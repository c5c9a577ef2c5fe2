// Keys' routes: declarations and one call each. What a route needs (permission, limits) is stated in its
// detail and enforced by http before the body is read; nothing here guards anything.

import { Elysia, t } from "elysia";
import type { Principal, RequestOrigin } from "../../domain/principal";
import type { IdempotencyTicket } from "../../storage/idempotency";
import {
  ApiKey,
  ApiKeyCreated,
  ApiKeyOwnerQuery,
  ApiKeyPage,
  ApiKeyPageQuery,
  ApiKeyPath,
  ApiKeyRequest,
} from "./model";
import { pageLimitDefault } from "./rules";
import type { Keys } from "./service";

export interface KeysRoutesDependencies {
  readonly keys: Keys;
  readonly principalOf: (request: Request) => Principal;
  readonly originOf: (request: Request) => RequestOrigin;
  readonly idempotencyOf: (request: Request) => IdempotencyTicket | null;
}

/** GET and POST /api/v1/api-keys, GET and DELETE /api/v1/api-keys/{id}. */
export function keysRoutes({ keys, principalOf, idempotencyOf, originOf }: KeysRoutesDependencies) {
  const byPrincipal = (request: Request) => ({ kind: "principal", principal: principalOf(request) }) as const;
  return new Elysia({ name: "keys" })
    .get(
      "/api/v1/api-keys",
      ({ request, query: { user_id, limit, cursor } }) =>
        keys.listKeys({
          of: { kind: "user", by: principalOf(request), ...(user_id === undefined ? {} : { userId: user_id }) },
          limit: limit === undefined ? pageLimitDefault : Number(limit),
          ...(cursor === undefined ? {} : { cursor }),
        }),
      {
        query: ApiKeyPageQuery,
        response: { 200: ApiKeyPage },
        detail: {
          permission: "person_or_admin_key",
          operationId: "listApiKeys",
          summary: "List your API keys, newest first",
          description: "An administrator may name another user.",
          tags: ["Identity"],
        },
      },
    )
    .post(
      "/api/v1/api-keys",
      ({ request, body, query: { user_id }, set }) => {
        set.status = 201;
        return keys.createKey({
          maker: byPrincipal(request),
          request: body,
          idempotency: idempotencyOf(request),
          origin: originOf(request),
          ...(user_id === undefined ? {} : { userId: user_id }),
        });
      },
      {
        body: ApiKeyRequest,
        query: ApiKeyOwnerQuery,
        response: { 201: ApiKeyCreated },
        detail: {
          permission: "person_or_admin_key",
          recentSignIn: true,
          operationId: "createApiKey",
          summary: "Make an API key",
          description: "The answer holds the key's text, which is shown this once.",
          tags: ["Identity"],
          idempotent: true,
        },
      },
    )
    .get("/api/v1/api-keys/:id", ({ request, params: { id } }) => keys.getKey({ by: byPrincipal(request), id }), {
      params: ApiKeyPath,
      response: { 200: ApiKey },
      detail: {
        permission: "person_or_admin_key",
        operationId: "getApiKey",
        summary: "Look at an API key",
        description: "Another user's key is 404, but to an administrator.",
        tags: ["Identity"],
      },
    })
    .delete(
      "/api/v1/api-keys/:id",
      async ({ request, params: { id }, set }) => {
        set.status = 204;
        await keys.revokeKey({ by: byPrincipal(request), id, origin: originOf(request) });
      },
      {
        params: ApiKeyPath,
        response: { 204: t.Void() },
        detail: {
          permission: "person_or_admin_key",
          operationId: "revokeApiKey",
          summary: "Revoke an API key",
          description:
            "It is refused from now on. Revoking it again changes nothing. Another user's key is 404, but to an administrator.",
          tags: ["Identity"],
        },
      },
    );
}
