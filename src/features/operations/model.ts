// What GET /api/v1/status says on the wire.

import { type Static, Type } from "@sinclair/typebox";
import { timestamp } from "../../foundation/wire";

const closed = { additionalProperties: false } as const;
const count = (description: string) => Type.Integer({ minimum: 0, description });

export const EngineInformation = Type.Object(
  {
    version: Type.String({ description: "Version of the kernel's numbers." }),
    wasm_sha256: Type.String({ description: "SHA-256 of the kernel, in hexadecimal." }),
    simd: Type.Boolean({ description: "Whether the kernel runs two lanes at once." }),
    workers: count("Workers beside the main thread."),
  },
  { ...closed, $id: "EngineInformation" },
);

export const StatusAnswer = Type.Object(
  {
    status: Type.Literal("ok"),
    version: Type.String(),
    build_time: timestamp({ description: "When this executable was built." }),
    start_time: timestamp({ description: "When this process started." }),
    uptime_seconds: Type.Number({ minimum: 0 }),
    active_agents: count("Supervised background loops that run."),
    active_sessions: count("Trading sessions that are active."),
    total_signals: count("Signals since the beginning."),
    total_decisions: count("Decisions since the beginning."),
    last_heartbeat: Type.Union([timestamp({ description: "When the process last beat." }), Type.Null()]),
    environment: Type.Union([Type.Literal("production"), Type.Literal("development"), Type.Literal("test")]),
    engine: EngineInformation,
  },
  {
    ...closed,
    $id: "Status",
    examples: [
      {
        status: "ok",
        version: "0.1.0",
        build_time: "2026-01-02T03:04:05Z",
        start_time: "2026-01-03T00:00:00.000000Z",
        uptime_seconds: 12.5,
        active_agents: 3,
        active_sessions: 0,
        total_signals: 0,
        total_decisions: 0,
        last_heartbeat: "2026-01-03T00:00:12.250000Z",
        environment: "production",
        engine: {
          version: "1",
          wasm_sha256: "0000000000000000000000000000000000000000000000000000000000000000",
          simd: true,
          workers: 0,
        },
      },
    ],
  },
);

export type Status = Static<typeof StatusAnswer>;

const milliseconds = (description: string) => Type.Union([Type.Number({ minimum: 0, description }), Type.Null()]);

const MeasuredLevel = Type.Object(
  {
    name: Type.String({ description: "Which published figure." }),
    operation: Type.String({ description: "The operation whose answers count, by its id in this document." }),
    options_max: count("Requests of at most this many options count."),
    p99_ms_max: Type.Number({ description: "The published 99th percentile, in milliseconds." }),
    requests_per_second_per_core: count("The load the figure is published for."),
    count: count("Answers counted since the start."),
    p50_ms: milliseconds("Half of the answers took at most this; null while there are none."),
    p95_ms: milliseconds("95 % took at most this."),
    p99_ms: milliseconds("99 % took at most this."),
    max_ms: milliseconds("The slowest."),
    is_met: Type.Union([
      Type.Boolean({ description: "Whether the measured p99 is within the published one." }),
      Type.Null(),
    ]),
  },
  { ...closed, $id: "MeasuredLevel" },
);

export const ServiceLevelsAnswer = Type.Object(
  {
    since: timestamp({ description: "When counting began: the start of this process." }),
    levels: Type.Array(MeasuredLevel),
  },
  {
    ...closed,
    $id: "ServiceLevels",
    examples: [
      {
        since: "2026-01-03T00:00:00.000000Z",
        levels: [
          {
            name: "single_option",
            operation: "price",
            options_max: 1,
            p99_ms_max: 5,
            requests_per_second_per_core: 10000,
            count: 3,
            p50_ms: 0.06,
            p95_ms: 0.2,
            p99_ms: 0.2,
            max_ms: 0.2,
            is_met: true,
          },
        ],
      },
    ],
  },
);

export type ServiceLevelsOnWire = Static<typeof ServiceLevelsAnswer>;
