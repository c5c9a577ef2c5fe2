// What the three health routes say on the wire. Probes, balancers and orchestrators read these literally.

import { type Static, t } from "elysia";

const closed = { additionalProperties: false } as const;

export const HealthAnswer = t.Object(
  { status: t.Literal("ok") },
  { ...closed, $id: "Health", description: "The process lives.", examples: [{ status: "ok" }] },
);

export const LivenessAnswer = t.Object(
  {
    status: t.Union([t.Literal("ok"), t.Literal("failed")]),
    event_loop_lag_ms: t.Number({ minimum: 0, description: "How late the event loop ran its last timer." }),
  },
  {
    ...closed,
    $id: "Liveness",
    description: "Whether the event loop answers in time.",
    examples: [{ status: "ok", event_loop_lag_ms: 0.4 }],
  },
);

const ComponentState = t.Union([t.Literal("ok"), t.Literal("failed"), t.Literal("degraded")]);

/** Everything a check may say: a closed list, so that no address or secret of the inside gets out. */
const CheckMessage = t.Union([
  t.Literal("not reached in time"),
  t.Literal("not reachable"),
  t.Literal("reduced"),
  t.Literal("a loop has stopped"),
  t.Literal("draining"),
]);

export const ComponentCheck = t.Object(
  {
    component: t.String({ description: "What was checked, such as database or agents." }),
    status: ComponentState,
    message: t.Optional(CheckMessage),
    latency_ms: t.Number({ minimum: 0, description: "How long the check took." }),
  },
  { ...closed, $id: "ComponentCheck", examples: [{ component: "database", status: "ok", latency_ms: 0.31 }] },
);

export const ReadinessAnswer = t.Object(
  { status: ComponentState, checks: t.Array(ComponentCheck, { maxItems: 100 }) },
  {
    ...closed,
    $id: "Readiness",
    description: "Whether the server should be sent requests; `failed` comes with 503.",
    examples: [{ status: "ok", checks: [{ component: "database", status: "ok", latency_ms: 0.31 }] }],
  },
);

export type Liveness = Static<typeof LivenessAnswer>;
export type Readiness = Static<typeof ReadinessAnswer>;
export type Check = Static<typeof ComponentCheck>;
export type CheckMessage = Static<typeof CheckMessage>;
