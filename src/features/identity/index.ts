// Identity's routes: declarations and one call each. What a route needs (permission, limits) is stated in its
// detail and enforced by http before the body is read; nothing here guards anything.

import { Elysia, t } from "elysia";
import type { Principal, RequestOrigin } from "../../domain/principal";
import type { IdempotencyTicket } from "../../storage/idempotency";
import { ApiKeyCreated, ApiKeyPage, ApiKeyPageQuery, ApiKeyPath, ApiKeyRequest } from "./model";
import { pageLimitDefault } from "./rules";
import type { Identity } from "./service";

export interface IdentityRoutesDependencies {
  readonly identity: Identity;
  readonly principalOf: (request: Request) => Principal;
  readonly originOf: (request: Request) => RequestOrigin;
  readonly idempotencyOf: (request: Request) => IdempotencyTicket | null;
}

/** GET and POST /api/v1/api-keys, DELETE /api/v1/api-keys/{id}. */
export function identityRoutes({ identity, principalOf, originOf, idempotencyOf }: IdentityRoutesDependencies) {
  return new Elysia({ name: "identity" })
    .get(
      "/api/v1/api-keys",
      ({ request, query: { limit, cursor } }) =>
        identity.listKeys({
          userId: principalOf(request).userId,
          limit: limit === undefined ? pageLimitDefault : Number(limit),
          ...(cursor === undefined ? {} : { cursor }),
        }),
      {
        query: ApiKeyPageQuery,
        response: { 200: ApiKeyPage },
        detail: {
          permission: "admin",
          operationId: "listApiKeys",
          summary: "List your API keys, newest first",
          tags: ["Identity"],
        },
      },
    )
    .post(
      "/api/v1/api-keys",
      ({ request, body, set }) => {
        set.status = 201;
        const maker = { kind: "principal", principal: principalOf(request) } as const;
        return identity.createKey({
          maker,
          request: body,
          idempotency: idempotencyOf(request),
          origin: originOf(request),
        });
      },
      {
        body: ApiKeyRequest,
        response: { 201: ApiKeyCreated },
        detail: {
          permission: "admin",
          operationId: "createApiKey",
          summary: "Make an API key",
          description: "The answer holds the key's text, which is shown this once.",
          tags: ["Identity"],
          idempotent: true,
        },
      },
    )
    .delete(
      "/api/v1/api-keys/:id",
      async ({ request, params: { id }, set }) => {
        set.status = 204;
        const principal = principalOf(request);
        const maker = { kind: "principal", principal } as const;
        await identity.revokeKey({ userId: principal.userId, id, maker, origin: originOf(request) });
      },
      {
        params: ApiKeyPath,
        response: { 204: t.Void() },
        detail: {
          permission: "admin",
          operationId: "revokeApiKey",
          summary: "Revoke an API key",
          description: "It is refused from now on. Revoking it again changes nothing.",
          tags: ["Identity"],
        },
      },
    );
}
