// The operator's route. It needs only the permission every role has: it tells nothing of anyone's data.

import { Elysia } from "elysia";
import { StatusAnswer } from "./model";
import type { Operations } from "./service";

/** GET /api/v1/status. */
export function operationsRoutes({ operations }: { readonly operations: Operations }) {
  return new Elysia({ name: "operations" }).get("/api/v1/status", () => operations.status(), {
    response: { 200: StatusAnswer },
    detail: {
      permission: "pricing:read",
      operationId: "status",
      summary: "What runs here, since when, and how busy it is",
      tags: ["Operations"],
    },
  });
}
