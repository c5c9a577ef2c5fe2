// What each part tells of itself as it stands in the metrics: checks that fail and recover, loops that die, messages, spans, files; and that
// a scrape asks for the checks before it tells of them.

import { describe, expect, test } from "bun:test";
import { createMetricsService, observeHealth, observeStorage } from "../../../../src/features/metrics/service";
import { Agent } from "../../../../src/foundation/agent";
import { ManualClock } from "../../../../src/foundation/clock";
import { metricDefinitions } from "../../../../src/telemetry/metric-definitions";
import { createMetrics } from "../../../../src/telemetry/metrics";

function setUp() {
  const clock = new ManualClock();
  const metrics = createMetrics();
  const storage = observeStorage(metrics);
  const health = observeHealth(metrics, ["database", "redis"]);
  const state = {
    check: async () => undefined as unknown,
    database: {
      groupCount: 2,
      writeCount: 7,
      busyCount: 1,
      queuedCount: 3,
      databaseBytes: 4096,
      walBytes: 12,
      isWritable: true,
    },
    outbox: { gatedCount: 6, pendingCount: 5, sentCount: 4, retriedCount: 3, givenUpCount: 2 },
  };
  const agent = new Agent({
    name: "loop",
    intervalMilliseconds: 1000,
    failuresMax: 1,
    clock,
    round: () => Promise.reject(new Error("no")),
    onFailure: () => undefined,
  });
  const service = createMetricsService({
    metrics,
    build: { version: "1.2.3", commit: "abc", buildTime: "2026-01-01T00:00:00Z" },
    engine: {
      info: { version: "1.2.3", wasmSha256: "f".repeat(64), simd: true, workers: 3 },
      activity: { batches: 2, workersRunning: 1, ownChunks: 10, workerChunks: 20, batchesDropped: 4 },
    },
    database: () => state.database,
    outbox: () => state.outbox,
    eventsDropped: () => 7,
    unforeseen: () => ({ unhandled_rejection: 2, uncaught_exception: 1 }),
    backups: () => ({
      everySeconds: 3600,
      newestMicroseconds: 1_750_000_000_500_000n,
      lastBytes: 12_288,
      lastSeconds: 0.25,
      madeCount: 6,
      failedCount: 7,
    }),
    spans: () => ({ sentCount: 8, droppedCount: 9 }),
    agents: () => [agent],
    readProcess: () => ({
      cpuSeconds: 1.5,
      residentBytes: 100,
      heapUsedBytes: 50,
      openFileCount: 12,
      openFileCountMax: 1024,
    }),
    check: () => state.check(),
    clock,
  });
  return { metrics, storage, health, service, state, agent };
}

describe("S2.09 the metrics of the parts", () => {
  test.each([
    ["bsopt_engine_batches_under_way", 2],
    ["bsopt_engine_batches_dropped_total", 4],
    ['bsopt_engine_chunks_total{thread="main"}', 10],
    ['bsopt_engine_chunks_total{thread="worker"}', 20],
    ["bsopt_engine_workers_running", 1],
    ["bsopt_engine_workers_max", 3],
    ["bsopt_database_writes_queued", 3],
    ["bsopt_database_writable", 1],
    ["bsopt_database_writes_total", 7],
    ["bsopt_database_busy_total", 1],
    ['bsopt_database_file_bytes{file="database"}', 4096],
    ['bsopt_database_file_bytes{file="wal"}', 12],
    ['bsopt_unforeseen_errors_total{kind="unhandled_rejection"}', 2],
    ['bsopt_unforeseen_errors_total{kind="uncaught_exception"}', 1],
    ["bsopt_backup_interval_seconds", 3600],
    ["bsopt_backup_last_success_timestamp_seconds", 1_750_000_000.5],
    ["bsopt_backup_last_bytes", 12_288],
    ["bsopt_backup_last_duration_seconds", 0.25],
    ['bsopt_backups_total{outcome="made"}', 6],
    ['bsopt_backups_total{outcome="failed"}', 7],
    ["bsopt_outbox_messages_pending", 5],
    ['bsopt_outbox_messages_total{outcome="sent"}', 4],
    ['bsopt_outbox_messages_total{outcome="retried"}', 3],
    ['bsopt_outbox_messages_total{outcome="given_up"}', 2],
    ['bsopt_trace_spans_total{outcome="sent"}', 8],
    ['bsopt_trace_spans_total{outcome="dropped"}', 9],
    ["process_cpu_seconds_total", 1.5],
    ["process_resident_memory_bytes", 100],
    ["bsopt_heap_used_bytes", 50],
    ["process_open_fds", 12],
    ["process_max_fds", 1024],
    ["process_start_time_seconds", 1_750_000_000],
    [`bsopt_build_info{version="1.2.3",commit="abc",wasm_sha256="${"f".repeat(64)}"}`, 1],
  ])("%s tells %p", async (series, value) => {
    expect(await setUp().service.text()).toContain(`\n${series} ${value}\n`);
  });

  test("nothing of the table is left to feed but what http and the live market tell", () => {
    const left: readonly string[] = setUp().metrics.unfed();
    expect([...left].sort()).toEqual(
      Object.keys(metricDefinitions)
        .filter(
          (name) =>
            /^(http_|bsopt_(auth|rate_limit|pricing|requests)_)/.test(name) ||
            /^bsopt_(market|event_bus|feed|recording|stream|ladder)_|^bsopt_(subscriptions|subscribed_instruments)$/.test(
              name,
            ) ||
            !/^(bsopt|http|process|health)_/.test(name),
        )
        .sort(),
    );
  });

  test("S2.08 a check that fails, degrades and recovers moves its status, its time and its count", async () => {
    const { health, service } = setUp();
    for (const [status, latency_ms, shown] of [
      ["ok", 0.5, 1],
      ["failed", 2000, 0],
      ["degraded", 30, 0.5],
      ["ok", 0.25, 1],
    ] as const) {
      health.onChecked({ component: "redis", status, latency_ms });
      const text = await service.text();
      expect(text).toContain(`health_check_status{component="redis"} ${shown}\n`);
      expect(text).toContain(`health_check_latency_ms{component="redis"} ${latency_ms}\n`);
    }
    const text = await service.text();
    expect(text).toContain('health_check_total{component="redis",status="ok"} 2\n');
    expect(text).toContain('health_check_total{component="redis",status="failed"} 1\n');
    expect(text).toContain('health_check_total{component="redis",status="degraded"} 1\n');
    expect(text).toContain('health_check_total{component="database",status="failed"} 0\n');
  });

  test("a scrape has the checks made before it tells of them", async () => {
    const { health, service, state } = setUp();
    state.check = async () => health.onChecked({ component: "database", status: "failed", latency_ms: 1 });
    expect(await service.text()).toContain('health_check_status{component="database"} 0\n');
  });

  test("a loop that dies is down and its failures are counted", async () => {
    const { service, agent } = setUp();
    expect(await service.text()).toContain('bsopt_agent_up{agent="loop"} 0\n');
    agent.start();
    while (agent.failureCount === 0) await Promise.resolve();
    const text = await service.text();
    expect(text).toContain('bsopt_agent_up{agent="loop"} 0\n');
    expect(text).toContain('bsopt_agent_failures_total{agent="loop"} 1\n');
    await agent.stop();
  });

  test("commits, writes and selects are told in seconds", async () => {
    const { storage, health, service } = setUp();
    storage.committed(3, 2);
    storage.wrote(20);
    storage.read(0.2);
    health.onBeat(30);
    const text = await service.text();
    expect(text).toContain("bsopt_database_commit_writes_sum 3\n");
    expect(text).toContain("bsopt_database_commit_seconds_sum 0.002\n");
    expect(text).toContain("bsopt_database_write_seconds_sum 0.02\n");
    expect(text).toContain("bsopt_database_read_seconds_sum 0.0002\n");
    expect(text).toContain('bsopt_event_loop_lag_seconds_bucket{le="0.025"} 0\n');
    expect(text).toContain('bsopt_event_loop_lag_seconds_bucket{le="0.05"} 1\n');
  });
});
