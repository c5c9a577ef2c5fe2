// Where rate limits attach to the gate: once by address before authentication, once by principal after permission.
// Only the shape and the limiter that limits nothing live here; what counts and how fast is decided elsewhere.

import type { Principal } from "../domain/principal";
import type { Route } from "./routes";

export interface LimitDecision {
  readonly allowed: boolean;
  /** Seconds until a retry makes sense; only read where not allowed. */
  readonly retryAfterSeconds: number;
}

export interface Limits {
  /** Before authentication, by the socket's peer. */
  byAddress(peerAddress: string, route: Route): LimitDecision;
  /** After permission, by the caller. */
  byPrincipal(principal: Principal, route: Route): LimitDecision;
}

const allowed: LimitDecision = { allowed: true, retryAfterSeconds: 0 };

/** Lets everything through. */
export const noLimits: Limits = { byAddress: () => allowed, byPrincipal: () => allowed };
