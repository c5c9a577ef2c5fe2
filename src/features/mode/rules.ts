// What mode the market is in, and when that changes: by the policy for simulation and by the hours of the calendar it goes by. Pure.

import type { MarketHours, MarketSession, SessionAt } from "../../domain/market-hours";
import { sessionAt } from "../../domain/market-hours";
import type { EpochMicroseconds } from "../../foundation/clock";

/** live: quotes come from outside, or may; simulated: from the simulated market; closed: nothing trades and nothing stands in. */
export const marketModes = ["live", "simulated", "closed"] as const;
export type MarketMode = (typeof marketModes)[number];

/** When a simulated market stands in for the real one. */
export const simulationPolicies = ["off", "when_closed", "always"] as const;
export type SimulationPolicy = (typeof simulationPolicies)[number];

/** The mode by a policy while its calendar is in a session; early and late sessions trade too. */
export function modeOf(policy: SimulationPolicy, session: MarketSession): MarketMode {
  if (policy === "always") return "simulated";
  if (session !== "closed") return "live";
  return policy === "when_closed" ? "simulated" : "closed";
}

/** Changes of session looked at until one changes the mode: a day has five at most. */
const changesLookedMax = 16;

/** When the mode changes next, if nobody changes the policy; null: never, or not as far as the calendar goes. */
export function nextModeChange(
  policy: SimulationPolicy,
  hours: MarketHours,
  now: EpochMicroseconds,
): { at: EpochMicroseconds; mode: MarketMode } | null {
  let found: SessionAt | null = sessionAt(hours, now);
  if (found === null) return null;
  const mode = modeOf(policy, found.session);
  for (let looked = 0; looked < changesLookedMax && found?.next; looked++) {
    const { at, session } = found.next;
    const following = modeOf(policy, session);
    if (following !== mode) return { at, mode: following };
    found = sessionAt(hours, at);
  }
  return null;
}
