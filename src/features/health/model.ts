// What the three health routes say on the wire. Probes, balancers and orchestrators read these literally.

import { type Static, Type } from "@sinclair/typebox";

const closed = { additionalProperties: false } as const;

export const HealthAnswer = Type.Object(
  { status: Type.Literal("ok") },
  { ...closed, $id: "Health", description: "The process lives.", examples: [{ status: "ok" }] },
);

export const LivenessAnswer = Type.Object(
  {
    status: Type.Union([Type.Literal("ok"), Type.Literal("failed")]),
    event_loop_lag_ms: Type.Number({ minimum: 0, description: "How late the event loop ran its last timer." }),
  },
  {
    ...closed,
    $id: "Liveness",
    description: "Whether the event loop answers in time.",
    examples: [{ status: "ok", event_loop_lag_ms: 0.4 }],
  },
);

const ComponentState = Type.Union([Type.Literal("ok"), Type.Literal("failed"), Type.Literal("degraded")]);

/** Everything a check may say: a closed list, so that no address or secret of the inside gets out. */
const CheckMessage = Type.Union([
  Type.Literal("not reached in time"),
  Type.Literal("not reachable"),
  Type.Literal("reduced"),
  Type.Literal("a loop has stopped"),
  Type.Literal("draining"),
  Type.Literal("being checked"),
  Type.Literal("damaged"),
  Type.Literal("the last backup failed"),
  Type.Literal("takes no writes"),
  Type.Literal("entries are not kept"),
  Type.Literal("out of use until the next start"),
  Type.Literal("a feed delivers nothing"),
]);

export const ComponentCheck = Type.Object(
  {
    component: Type.String({ description: "What was checked, such as database or agents." }),
    status: ComponentState,
    message: Type.Optional(CheckMessage),
    latency_ms: Type.Number({ minimum: 0, description: "How long the check took." }),
  },
  { ...closed, $id: "ComponentCheck", examples: [{ component: "database", status: "ok", latency_ms: 0.31 }] },
);

export const ReadinessAnswer = Type.Object(
  { status: ComponentState, checks: Type.Array(ComponentCheck, { maxItems: 100 }) },
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
