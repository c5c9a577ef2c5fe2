// Gathers what an operator wants to know about the running process. It owns no figure: app.ts hands in the counters
// that other features keep, the build and the engine's description.

import type { BuildInfo } from "../../config/build-info";
import { serviceLevels } from "../../domain/service-level";
import type { Agent } from "../../foundation/agent";
import { type Clock, type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import type { LatencyBook } from "../../telemetry/latency";
import type { ServiceLevelsOnWire, Status } from "./model";

/** A figure of the status that another feature keeps; one that nobody keeps yet is 0. */
export interface StatusCounter {
  readonly name: "active_sessions" | "total_signals" | "total_decisions";
  read(): number;
}

export interface Operations {
  status(): Status;
  /** The published latencies beside what was measured since the start. */
  serviceLevels(): ServiceLevelsOnWire;
}

export interface OperationsOptions {
  readonly build: BuildInfo;
  readonly environment: Status["environment"];
  readonly engine: {
    readonly version: string;
    readonly wasmSha256: string;
    readonly simd: boolean;
    readonly workers: number;
  };
  readonly agents: () => readonly Agent[];
  readonly counters: readonly StatusCounter[];
  readonly lastHeartbeat: () => EpochMicroseconds | null;
  /** What http has measured, by the service level's name. */
  readonly latencies: LatencyBook;
  readonly clock: Clock;
}

/** The process counts its uptime from this call. */
export function createOperations(options: OperationsOptions): Operations {
  const { build, environment, engine, agents, counters, lastHeartbeat, latencies, clock } = options;
  const startTime = formatTimestamp(clock.nowMicroseconds());
  const startMilliseconds = clock.monotonicMilliseconds();
  const total = (name: StatusCounter["name"]) =>
    counters.reduce((sum, counter) => (counter.name === name ? sum + counter.read() : sum), 0);

  return {
    status() {
      const beat = lastHeartbeat();
      return {
        status: "ok",
        version: build.version,
        build_time: build.buildTime,
        start_time: startTime,
        uptime_seconds: (clock.monotonicMilliseconds() - startMilliseconds) / 1000,
        active_agents: agents().filter(({ state }) => state === "running").length,
        active_sessions: total("active_sessions"),
        total_signals: total("total_signals"),
        total_decisions: total("total_decisions"),
        last_heartbeat: beat === null ? null : formatTimestamp(beat),
        environment,
        engine: {
          version: engine.version,
          wasm_sha256: engine.wasmSha256,
          simd: engine.simd,
          workers: engine.workers,
        },
      };
    },
    serviceLevels() {
      const levels = serviceLevels.map((level) => {
        const measured = latencies.summary(level.name);
        const p99 = measured.p99Milliseconds;
        return {
          name: level.name,
          operation: level.operation,
          options_max: level.optionsMax,
          p99_ms_max: level.p99MillisecondsMax,
          requests_per_second_per_core: level.requestsPerSecondPerCore,
          count: measured.count,
          p50_ms: measured.p50Milliseconds,
          p95_ms: measured.p95Milliseconds,
          p99_ms: p99,
          max_ms: measured.maxMilliseconds,
          is_met: p99 === null ? null : p99 <= level.p99MillisecondsMax,
        };
      });
      return { since: startTime, levels };
    },
  };
}
