// What GET /api/v1/status tells, from figures handed in.

import { expect, test } from "bun:test";
import { operationsRoutes } from "../../../../src/features/operations";
import { createOperations } from "../../../../src/features/operations/service";
import { Agent } from "../../../../src/foundation/agent";
import { ManualClock } from "../../../../src/foundation/clock";
import { testServer } from "../../../harness/http";

function setUp() {
  const clock = new ManualClock(1_767_323_045_000_000n);
  const agent = (name: string) =>
    new Agent({ name, intervalMilliseconds: 1000, failuresMax: 1, clock, round: () => {}, onFailure: () => {} });
  const agents = [agent("running"), agent("idle")];
  agents[0]!.start();
  const beats: { last: bigint | null } = { last: null };
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
    clock,
  });
  return { clock, beats, server: testServer({ features: [operationsRoutes({ operations })] }) };
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
