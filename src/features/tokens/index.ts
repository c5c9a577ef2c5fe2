// The routes of tokens: the public keys for whoever wants to verify access tokens, and the keys' rotation for administrators.

import { Elysia } from "elysia";
import type { Principal, RequestOrigin } from "../../domain/principal";
import type { IdempotencyTicket } from "../../storage/idempotency";
import { JwksDocument, SigningKeyList, SigningKeyRequest } from "./model";
import { publishedSeconds } from "./rules";
import type { Tokens } from "./service";

export interface TokensRoutesDependencies {
  readonly tokens: Tokens;
  readonly principalOf: (request: Request) => Principal;
  readonly originOf: (request: Request) => RequestOrigin;
  readonly idempotencyOf: (request: Request) => IdempotencyTicket | null;
}

/** GET /.well-known/jwks.json, GET and POST /api/v1/admin/signing-keys. */
export function tokensRoutes({ tokens, principalOf, originOf, idempotencyOf }: TokensRoutesDependencies) {
  return new Elysia({ name: "tokens" })
    .get(
      "/.well-known/jwks.json",
      ({ set }) => {
        set.headers["cache-control"] = `public, max-age=${publishedSeconds}`;
        return tokens.jwks();
      },
      {
        response: { 200: JwksDocument },
        detail: {
          permission: "public",
          operationId: "getJwks",
          summary: "The public keys that verify access tokens",
          description: "A new key stands here before it signs, for as long as an answer may be kept.",
          tags: ["Identity"],
        },
      },
    )
    .get("/api/v1/admin/signing-keys", () => tokens.listKeys(), {
      response: { 200: SigningKeyList },
      detail: {
        permission: "admin",
        operationId: "listSigningKeys",
        summary: "The keys that sign and verify access tokens",
        tags: ["Identity"],
      },
    })
    .post(
      "/api/v1/admin/signing-keys",
      ({ request, body: { at_once: atOnce = false }, set }) => {
        set.status = 201;
        return tokens.rotate({
          userId: principalOf(request).userId,
          origin: originOf(request),
          atOnce,
          idempotency: idempotencyOf(request),
        });
      },
      {
        body: SigningKeyRequest,
        response: { 201: SigningKeyList },
        detail: {
          permission: "admin",
          operationId: "rotateSigningKey",
          summary: "Make the next key for access tokens",
          description: "Nobody is logged out: the key before goes on verifying until its last token is over.",
          tags: ["Identity"],
          idempotent: true,
        },
      },
    );
}
