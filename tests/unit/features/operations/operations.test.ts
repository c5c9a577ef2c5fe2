// What GET /api/v1/status and /api/v1/pricing/sla tell, from figures handed in.

import { expect, test } from "bun:test";
import { serviceLevels } from "../../../../src/domain/service-level";
import { operationsRoutes } from "../../../../src/features/operations";
import { createOperations } from "../../../../src/features/operations/service";
import { Agent } from "../../../../src/foundation/agent";
import { ManualClock } from "../../../../src/foundation/clock";
import { LatencyBook } from "../../../../src/telemetry/latency";
import { testServer } from "../../../harness/http";

function setUp() {
  const clock = new ManualClock(1_767_323_045_000_000n);
  const agent = (name: string) =>
    new Agent({ name, intervalMilliseconds: 1000, failuresMax: 1, clock, round: () => {}, onFailure: () => {} });
  const agents = [agent("running"), agent("idle")];
  agents[0]!.start();
  const beats: { last: bigint | null } = { last: null };
  const latencies = new LatencyBook(serviceLevels.map(({ name }) => name));
  const operations = createOperations({
    build: { version: "1.2.3", commit: "abc", buildTime: "2026-01-01T00:00:00Z" },
    environment: "test",
    engine: { version: "9", wasmSha256: "ab".repeat(32), simd: true, workers: 0 },
    agents: () => agents,
    counters: [
      { name: "active_sessions", read: () => 2 },
      { name: "total_signals", read: () => 3 },
      { name: "total_signals", read: () => 4 },
    ],
    lastHeartbeat: () => beats.last,
    latencies,
    clock,
  });
  return { clock, beats, latencies, server: testServer({ features: [operationsRoutes({ operations })] }) };
}

test("S2.07 the status has every field of the contract, counted by their own features", async () => {
  const { clock, beats, server } = setUp();
  beats.last = clock.nowMicroseconds();
  clock.advance(12_500);
  const { status, json } = await server.call("GET", "/api/v1/status", { key: "viewer" });
  expect(status).toBe(200);
  expect(json).toEqual({
    status: "ok",
    version: "1.2.3",
    build_time: "2026-01-01T00:00:00Z",
    start_time: "2026-01-02T03:04:05.000000Z",
    uptime_seconds: 12.5,
    active_agents: 1,
    active_sessions: 2,
    total_signals: 7,
    total_decisions: 0,
    last_heartbeat: "2026-01-02T03:04:05.000000Z",
    environment: "test",
    engine: { version: "9", wasm_sha256: "ab".repeat(32), simd: true, workers: 0 },
  });
});

test("S2.07 before the first heartbeat there is none to tell", async () => {
  const { server } = setUp();
  expect((await server.call("GET", "/api/v1/status", { key: "viewer" })).json.last_heartbeat).toBeNull();
});

test("S2.07 the status needs a key, and the least permission does", async () => {
  const { server } = setUp();
  expect((await server.call("GET", "/api/v1/status")).status).toBe(401);
  for (const role of ["viewer", "trader", "risk", "admin"]) {
    expect((await server.call("GET", "/api/v1/status", { key: role })).status).toBe(200);
  }
});

test("S1.05 S4.64 the published latencies stand beside the measured percentiles, met or not", async () => {
  const { latencies, server } = setUp();
  const levels = async () => (await server.call("GET", "/api/v1/pricing/sla", { key: "viewer" })).json.levels;
  const [untouched] = await levels();
  expect(untouched).toMatchObject({
    name: "single_option",
    p99_ms_max: 5,
    count: 0,
    p50_ms: null,
    p99_ms: null,
    is_met: null,
  });

  for (let milliseconds = 1; milliseconds <= 100; milliseconds++) latencies.record("single_option", milliseconds / 100);
  for (const milliseconds of [9, 11]) latencies.record("batch_of_1000", milliseconds);
  const [single, batch] = await levels();
  expect(single).toMatchObject({ count: 100, is_met: true });
  for (const [field, expected] of [
    ["p50_ms", 0.5],
    ["p95_ms", 0.95],
    ["p99_ms", 0.99],
    ["max_ms", 1],
  ] as const) {
    expect(Math.abs(single[field] - expected)).toBeLessThanOrEqual(expected * 0.002);
  }
  expect(batch).toMatchObject({
    name: "batch_of_1000",
    p99_ms_max: 10,
    requests_per_second_per_core: 500,
    count: 2,
    is_met: false,
  });
});
