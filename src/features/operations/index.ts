// The operator's routes. They need only the permission every role has: they tell nothing of anyone's data.

import { Elysia } from "elysia";
import { ServiceLevelsAnswer, StatusAnswer } from "./model";
import type { Operations } from "./service";

/** GET /api/v1/status and /api/v1/pricing/sla. */
export function operationsRoutes({ operations }: { readonly operations: Operations }) {
  return new Elysia({ name: "operations" })
    .get("/api/v1/status", () => operations.status(), {
      response: { 200: StatusAnswer },
      detail: {
        permission: "pricing:read",
        operationId: "status",
        summary: "What runs here, since when, and how busy it is",
        tags: ["Operations"],
      },
    })
    .get("/api/v1/pricing/sla", () => operations.serviceLevels(), {
      response: { 200: ServiceLevelsAnswer },
      detail: {
        permission: "pricing:read",
        operationId: "serviceLevels",
        summary: "The published latencies beside those measured since the start",
        description:
          "Measured inside the server, from a request's head to its answer; only answers of status 200 count.",
        tags: ["Operations"],
      },
    });
}
