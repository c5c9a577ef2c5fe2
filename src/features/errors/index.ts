// The routes of errors that nobody foresaw, for administrators.

import { Elysia } from "elysia";
import type { Principal, RequestOrigin } from "../../domain/principal";
import { pageLimitDefault, TrackedError, TrackedErrorPage, TrackedErrorPath, TrackedErrorQuery } from "./model";
import type { ErrorTracking } from "./service";

export interface ErrorsRoutesDependencies {
  readonly errors: ErrorTracking;
  readonly principalOf: (request: Request) => Principal;
  readonly originOf: (request: Request) => RequestOrigin;
}

/** GET /api/v1/admin/errors, POST /api/v1/admin/errors/{id}/resolve. */
export function errorsRoutes({ errors, principalOf, originOf }: ErrorsRoutesDependencies) {
  return new Elysia({ name: "errors" })
    .get(
      "/api/v1/admin/errors",
      ({ query: { state, limit, cursor } }) =>
        errors.list({
          ...(state !== undefined && { isResolved: state === "resolved" }),
          limit: limit === undefined ? pageLimitDefault : Number(limit),
          ...(cursor !== undefined && { cursor }),
        }),
      {
        query: TrackedErrorQuery,
        response: { 200: TrackedErrorPage },
        detail: {
          permission: "admin",
          operationId: "listErrors",
          summary: "Errors that nobody foresaw, what was seen last first",
          description:
            "A row for each kind of error, by its name and where it arose, of every server on the database; written within seconds. Nothing of a request is kept but its route's pattern and its trace.",
          tags: ["Operations"],
        },
      },
    )
    .post(
      "/api/v1/admin/errors/:id/resolve",
      ({ request, params: { id } }) =>
        errors.resolve({ id, userId: principalOf(request).userId, origin: originOf(request) }),
      {
        params: TrackedErrorPath,
        response: { 200: TrackedError },
        detail: {
          permission: "admin",
          operationId: "resolveError",
          summary: "Say that an error is dealt with",
          description: "Where it comes again, it is open again, and told again. A second time changes nothing.",
          tags: ["Operations"],
        },
      },
    );
}
