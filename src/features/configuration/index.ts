// Configuration's routes, for administrators: every setting, and the change of those that may change while the server runs.

import { Elysia } from "elysia";
import type { Principal, RequestOrigin } from "../../domain/principal";
import type { IdempotencyTicket } from "../../storage/idempotency";
import { ConfigAnswer, ConfigPatch } from "./model";
import type { Configuration } from "./service";

export interface ConfigurationRoutesDependencies {
  readonly configuration: Configuration;
  readonly principalOf: (request: Request) => Principal;
  readonly originOf: (request: Request) => RequestOrigin;
  readonly idempotencyOf: (request: Request) => IdempotencyTicket | null;
}

/** GET and PATCH /api/v1/admin/config. */
export function configurationRoutes(dependencies: ConfigurationRoutesDependencies) {
  const { configuration, principalOf, originOf, idempotencyOf } = dependencies;
  return new Elysia({ name: "configuration" })
    .get(
      "/api/v1/admin/config",
      ({ set }) => {
        const { etag, config } = configuration.show();
        set.headers.etag = etag;
        return config;
      },
      {
        response: { 200: ConfigAnswer },
        detail: {
          permission: "admin",
          operationId: "getConfig",
          summary: "Every setting, and where its value comes from",
          description: "As it holds in the process that answers. Secrets are withheld.",
          tags: ["Operations"],
          conditional: true,
        },
      },
    )
    .patch(
      "/api/v1/admin/config",
      async ({ request, body, set }) => {
        const { etag, config } = await configuration.change({
          change: body,
          userId: principalOf(request).userId,
          origin: originOf(request),
          ifMatch: request.headers.get("if-match"),
          idempotency: idempotencyOf(request),
        });
        set.headers.etag = etag;
        return config;
      },
      {
        body: ConfigPatch,
        response: { 200: ConfigAnswer },
        detail: {
          permission: "admin",
          operationId: "updateConfig",
          summary: "Change settings while the servers run",
          description:
            "All of it or, where anything is wrong, nothing. Holds here at once, in every other server on the database within seconds, and after a restart. What a flag or the environment says is stronger: changing that is 409.",
          tags: ["Operations"],
          idempotent: true,
          conditional: true,
        },
      },
    );
}
