// The route that Prometheus scrapes: open to this machine itself, to anybody else with the permission admin.

import { Elysia } from "elysia";
import { MetricsAnswer } from "./model";
import type { MetricsService } from "./service";

/** GET /metrics. */
export function metricsRoutes({ metrics }: { readonly metrics: MetricsService }) {
  return new Elysia({ name: "metrics" }).get(
    "/metrics",
    async () =>
      new Response(await metrics.text(), {
        headers: { "content-type": metrics.contentType, "cache-control": "no-store" },
      }),
    {
      response: { 200: MetricsAnswer },
      detail: {
        permission: "local_or_admin",
        operationId: "metrics",
        summary: "Metrics in Prometheus' text format",
        tags: ["Health"],
        answerMedia: "text/plain",
      },
    },
  );
}
