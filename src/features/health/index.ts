// The three health routes, public and outside every limit, for probes and balancers.

import { Elysia } from "elysia";
import { HealthAnswer, LivenessAnswer, ReadinessAnswer } from "./model";
import type { Health } from "./service";

export interface HealthRoutesDependencies {
  readonly health: Health;
  /** Makes the answer to this request say that the server is unavailable, with the body as it is. */
  readonly markUnavailable: (request: Request) => void;
}

/** GET /health, /liveness, /readiness. */
export function healthRoutes({ health, markUnavailable }: HealthRoutesDependencies) {
  return new Elysia({ name: "health" })
    .get("/health", () => ({ status: "ok" as const }), {
      response: { 200: HealthAnswer },
      detail: { permission: "public", operationId: "health", summary: "Does the process live?", tags: ["Health"] },
    })
    .get(
      "/liveness",
      ({ request }) => {
        const liveness = health.liveness();
        if (liveness.status === "failed") markUnavailable(request);
        return liveness;
      },
      {
        response: { 200: LivenessAnswer, 503: LivenessAnswer },
        detail: {
          permission: "public",
          operationId: "liveness",
          summary: "Does the event loop answer in time?",
          tags: ["Health"],
        },
      },
    )
    .get(
      "/readiness",
      async ({ request }) => {
        const readiness = await health.readiness();
        if (readiness.status === "failed") markUnavailable(request);
        return readiness;
      },
      {
        response: { 200: ReadinessAnswer, 503: ReadinessAnswer },
        detail: {
          permission: "public",
          operationId: "readiness",
          summary: "Is every dependency reached?",
          description: "Each component is asked within 2 s; one that is not required only degrades the answer.",
          tags: ["Health"],
        },
      },
    );
}
