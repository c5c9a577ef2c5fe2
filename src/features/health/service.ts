// Judges whether this process lives and should be sent requests. It knows no component: app.ts hands it a probe for
// each. However many ask at once, each component is asked once at a time and not again within the cache's life, so
// a thousand probes cost the database one ping. It must never wait longer than a probe's two seconds.

import { Agent } from "../../foundation/agent";
import { assert } from "../../foundation/assert";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import type { Check, CheckMessage, Liveness, Readiness } from "./model";

/** How a component was found. A probe that throws, or is not done in time, counts as failed. */
export type ProbeOutcome =
  | { readonly status: "ok" }
  | { readonly status: "failed" | "degraded"; readonly message: CheckMessage };

export interface Probe {
  /** Name on the wire, e.g. database. */
  readonly component: string;
  /** A required component that fails makes the server not ready; another only degrades it. */
  readonly isRequired: boolean;
  /** Asks the component. The signal aborts when time is up. */
  check(signal: AbortSignal): Promise<ProbeOutcome> | ProbeOutcome;
}

export interface Health {
  liveness(): Liveness;
  readiness(): Promise<Readiness>;
  /** The loop that measures the event loop's lag and is the process's heartbeat; app.ts starts and stops it. */
  readonly heartbeat: Agent;
  /** Wall time of the last heartbeat, or null before the first. */
  lastHeartbeat(): EpochMicroseconds | null;
}

export interface HealthOptions {
  readonly probes: readonly Probe[];
  readonly clock: Clock;
  /** True from the first moment of stopping: not ready any more, whatever the components say. */
  readonly isDraining: () => boolean;
  readonly eventLoopLagMillisecondsMax: number;
  /** Told of each check that was made. */
  readonly onChecked?: (check: Check) => void;
  /** Told at each beat how late it came. */
  readonly onBeat?: (lagMilliseconds: number) => void;
}

/** Each check's time limit (contract: 2 s). */
export const probeMillisecondsMax = 2000;
/** How long one readiness stands for all who ask. */
const readinessCacheMilliseconds = 1000;
const heartbeatIntervalMilliseconds = 250;
const heartbeatFailuresMax = 3;

/** Health over the given probes. Two probes of one component are a mistake and throw InvariantError. */
export function createHealth(options: HealthOptions): Health {
  const { clock, isDraining, onChecked, onBeat } = options;
  const checkers = options.probes.map((probe) => new Checker(probe, clock));
  assert(
    new Set(options.probes.map(({ component }) => component)).size === checkers.length,
    "a component has 2 probes",
  );

  let cached: { readonly checks: Check[]; readonly atMilliseconds: number } | null = null;
  let underWay: Promise<Check[]> | null = null;

  let lastLagMilliseconds = 0;
  let dueMilliseconds: number | null = null;
  let lastBeat: EpochMicroseconds | null = null;
  const heartbeat = new Agent({
    name: "heartbeat",
    intervalMilliseconds: heartbeatIntervalMilliseconds,
    failuresMax: heartbeatFailuresMax,
    clock,
    round: () => {
      const now = clock.monotonicMilliseconds();
      if (dueMilliseconds !== null) {
        lastLagMilliseconds = Math.max(0, now - dueMilliseconds);
        onBeat?.(lastLagMilliseconds);
      }
      dueMilliseconds = now + heartbeatIntervalMilliseconds;
      lastBeat = clock.nowMicroseconds();
    },
    onFailure: () => undefined,
  });

  async function checks(): Promise<Check[]> {
    if (cached && clock.monotonicMilliseconds() - cached.atMilliseconds < readinessCacheMilliseconds)
      return cached.checks;
    underWay ??= Promise.all(checkers.map((checker) => checker.check()))
      .then((found) => {
        cached = { checks: found, atMilliseconds: clock.monotonicMilliseconds() };
        if (onChecked) for (const check of found) onChecked(check);
        return found;
      })
      .finally(() => {
        underWay = null;
      });
    return underWay;
  }

  return {
    heartbeat,
    lastHeartbeat: () => lastBeat,
    liveness() {
      // A beat that is overdue now counts as much as one that came late.
      const overdue = dueMilliseconds === null ? 0 : clock.monotonicMilliseconds() - dueMilliseconds;
      const lag = Math.max(lastLagMilliseconds, overdue, 0);
      return { status: lag > options.eventLoopLagMillisecondsMax ? "failed" : "ok", event_loop_lag_ms: rounded(lag) };
    },
    async readiness() {
      const found = await checks();
      if (!isDraining()) return { status: worst(found), checks: found };
      const draining: Check = { component: "server", status: "failed", message: "draining", latency_ms: 0 };
      return { status: "failed", checks: [...found, draining] };
    },
  };
}

/** Failed where a started loop is dead: such a process looks alive and does none of its work. */
export function agentsProbe(agents: () => readonly Agent[]): Probe {
  return {
    component: "agents",
    isRequired: true,
    check: () =>
      agents().some(({ state }) => state === "dead")
        ? { status: "failed", message: "a loop has stopped" }
        : { status: "ok" },
  };
}

/** One component's checks: never two at once, each cut off in time. */
class Checker {
  readonly #probe: Probe;
  readonly #clock: Clock;
  /** The last check while it has not come back, even past its time: it must not pile up. */
  #pending: Promise<ProbeOutcome> | null = null;

  constructor(probe: Probe, clock: Clock) {
    this.#probe = probe;
    this.#clock = clock;
  }

  async check(): Promise<Check> {
    const { component, isRequired } = this.#probe;
    const start = this.#clock.monotonicMilliseconds();
    const timeUp = new AbortController();
    const outcome = await Promise.race([
      this.#ask(timeUp.signal),
      this.#clock
        .sleep(probeMillisecondsMax, timeUp.signal)
        .then((): ProbeOutcome => ({ status: "failed", message: "not reached in time" })),
    ]);
    timeUp.abort();
    const latency_ms = rounded(this.#clock.monotonicMilliseconds() - start);
    if (outcome.status === "ok") return { component, status: "ok", latency_ms };
    const status = outcome.status === "failed" && isRequired ? "failed" : "degraded";
    return { component, status, message: outcome.message, latency_ms };
  }

  #ask(signal: AbortSignal): Promise<ProbeOutcome> {
    this.#pending ??= Promise.resolve()
      .then(() => this.#probe.check(signal))
      // What went wrong in detail is the component's to log; the wire has a closed list.
      .catch((): ProbeOutcome => ({ status: "failed", message: "not reachable" }))
      .finally(() => {
        this.#pending = null;
      });
    return this.#pending;
  }
}

function worst(checks: readonly Check[]): Readiness["status"] {
  if (checks.some(({ status }) => status === "failed")) return "failed";
  return checks.some(({ status }) => status === "degraded") ? "degraded" : "ok";
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
