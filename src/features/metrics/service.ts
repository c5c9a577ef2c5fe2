// What the process's parts tell of themselves, brought into the metrics: engine, database, outbox, background loops, health, the
// process. Separate from telemetry, which knows no part, and from the parts, which know no metrics. It must never keep a figure that
// its part keeps, and never wait longer for a scrape than a health check may take.

import type { BuildInfo } from "../../config/build-info";
import type { Engine } from "../../engine/engine";
import type { Agent } from "../../foundation/agent";
import type { Clock } from "../../foundation/clock";
import type { BackupStatistics } from "../../storage/backup-schedule";
import type { OutboxStatistics } from "../../storage/outbox";
import type { StorageObserver, StorageStatistics } from "../../storage/storage";
import { type Metrics, Tally } from "../../telemetry/metrics";
import type { ProcessReadings } from "../../telemetry/process-readings";

/** A health check's outcome, as far as it is counted. */
export interface CheckOutcome {
  readonly component: string;
  readonly status: "ok" | "degraded" | "failed";
  readonly latency_ms: number;
}

export interface HealthObserver {
  onChecked(check: CheckOutcome): void;
  onBeat(lagMilliseconds: number): void;
}

export interface MetricsSources {
  readonly metrics: Metrics;
  readonly build: BuildInfo;
  readonly engine: Pick<Engine, "info" | "activity">;
  readonly database: () => StorageStatistics;
  readonly outbox: () => OutboxStatistics;
  /** Events that were not kept. */
  readonly eventsDropped: () => number;
  /** Errors that nobody caught, by kind. */
  readonly unforeseen: () => Readonly<Record<string, number>>;
  /** Null where no backups are scheduled. */
  readonly backups: (() => BackupStatistics) | null;
  readonly spans: () => { readonly sentCount: number; readonly droppedCount: number };
  readonly agents: () => readonly Agent[];
  readonly readProcess: () => ProcessReadings;
  /** Makes the health checks, or answers at once where they were made within the last second. */
  readonly check: () => Promise<unknown>;
  readonly clock: Clock;
}

export interface MetricsService {
  readonly contentType: string;
  /** Everything, in Prometheus' text format. */
  text(): Promise<string>;
}

/** What storage tells as it happens. */
export function observeStorage(metrics: Metrics): StorageObserver {
  const commitWrites = metrics.recorder("bsopt_database_commit_writes", {});
  const commitSeconds = metrics.recorder("bsopt_database_commit_seconds", {});
  const writeSeconds = metrics.recorder("bsopt_database_write_seconds", {});
  const readSeconds = metrics.recorder("bsopt_database_read_seconds", {});
  return {
    committed(writeCount, commitMilliseconds) {
      commitWrites(writeCount);
      commitSeconds(commitMilliseconds / 1000);
    },
    read: (milliseconds) => readSeconds(milliseconds / 1000),
    wrote: (milliseconds) => writeSeconds(milliseconds / 1000),
  };
}

const statusValues = { ok: 1, degraded: 0.5, failed: 0 } as const;

/** What health tells of the components it checks. */
export function observeHealth(metrics: Metrics, components: readonly string[]): HealthObserver {
  const lagSeconds = metrics.recorder("bsopt_event_loop_lag_seconds", {});
  const last = new Map<string, CheckOutcome>();
  const counts = new Map(components.map((component) => [component, new Tally(Object.keys(statusValues))]));
  const each = <Value>(read: (check: CheckOutcome) => Value) =>
    [...last.values()].map((check) => ({ labels: { component: check.component }, value: read(check) }));
  metrics.feed("health_check_status", () => each(({ status }) => statusValues[status]));
  metrics.feed("health_check_latency_ms", () => each(({ latency_ms }) => latency_ms));
  metrics.feed("health_check_total", () =>
    [...counts].flatMap(([component, tally]) => tally.samples((status) => ({ component, status }))),
  );
  return {
    onChecked(check) {
      last.set(check.component, check);
      counts.get(check.component)?.add(check.status);
    },
    onBeat: (lagMilliseconds) => lagSeconds(lagMilliseconds / 1000),
  };
}

/** Feeds everything that is read when somebody asks. The process counts its life from this call. */
export function createMetricsService(sources: MetricsSources): MetricsService {
  const { metrics, check } = sources;
  feedEngine(sources);
  feedDatabase(sources);
  feedBackups(sources);
  feedAgents(sources);
  feedProcess(sources);
  return {
    contentType: metrics.contentType,
    async text() {
      // A scrape asks the components too, so that their state is known where nothing else probes.
      await check();
      return metrics.text();
    },
  };
}

function feedEngine({ metrics, engine, build }: MetricsSources): void {
  const level = (read: () => number) => () => [{ labels: {}, value: read() }];
  metrics.feed(
    "bsopt_engine_batches_under_way",
    level(() => engine.activity.batches),
  );
  metrics.feed(
    "bsopt_engine_batches_dropped_total",
    level(() => engine.activity.batchesDropped),
  );
  metrics.feed(
    "bsopt_engine_workers_running",
    level(() => engine.activity.workersRunning),
  );
  metrics.feed(
    "bsopt_engine_workers_max",
    level(() => engine.info.workers),
  );
  metrics.feed("bsopt_engine_chunks_total", () => [
    { labels: { thread: "main" }, value: engine.activity.ownChunks },
    { labels: { thread: "worker" }, value: engine.activity.workerChunks },
  ]);
  const { version, commit } = build;
  metrics.feed("bsopt_build_info", () => [
    { labels: { version, commit, wasm_sha256: engine.info.wasmSha256 }, value: 1 },
  ]);
}

function feedDatabase({ metrics, database, outbox, eventsDropped }: MetricsSources): void {
  metrics.feed("bsopt_database_writes_queued", () => [{ labels: {}, value: database().queuedCount }]);
  metrics.feed("bsopt_database_writable", () => [{ labels: {}, value: database().isWritable ? 1 : 0 }]);
  metrics.feed("bsopt_database_writes_total", () => [{ labels: {}, value: database().writeCount }]);
  metrics.feed("bsopt_database_busy_total", () => [{ labels: {}, value: database().busyCount }]);
  metrics.feed("bsopt_database_file_bytes", () => {
    const { databaseBytes, walBytes } = database();
    return [
      { labels: { file: "database" }, value: databaseBytes },
      { labels: { file: "wal" }, value: walBytes },
    ];
  });
  metrics.feed("bsopt_outbox_messages_pending", () => [{ labels: {}, value: outbox().pendingCount }]);
  metrics.feed("bsopt_events_waiting", () => [{ labels: {}, value: outbox().gatedCount }]);
  metrics.feed("bsopt_events_dropped_total", () => [{ labels: {}, value: eventsDropped() }]);
  metrics.feed("bsopt_outbox_messages_total", () => {
    const { sentCount, retriedCount, givenUpCount } = outbox();
    return [
      { labels: { outcome: "sent" }, value: sentCount },
      { labels: { outcome: "retried" }, value: retriedCount },
      { labels: { outcome: "given_up" }, value: givenUpCount },
    ];
  });
}

/** Without a schedule all of them are 0, and so is the time between two, which the alert asks first. */
function feedBackups({ metrics, backups }: MetricsSources): void {
  const level = (read: (found: BackupStatistics) => number) => () => [
    { labels: {}, value: backups === null ? 0 : read(backups()) },
  ];
  metrics.feed(
    "bsopt_backup_interval_seconds",
    level(({ everySeconds }) => everySeconds),
  );
  metrics.feed(
    "bsopt_backup_last_success_timestamp_seconds",
    level(({ newestMicroseconds }) => Number(newestMicroseconds ?? 0n) / 1e6),
  );
  metrics.feed(
    "bsopt_backup_last_bytes",
    level(({ lastBytes }) => lastBytes),
  );
  metrics.feed(
    "bsopt_backup_last_duration_seconds",
    level(({ lastSeconds }) => lastSeconds),
  );
  metrics.feed("bsopt_backups_total", () => {
    const { madeCount, failedCount } = backups?.() ?? { madeCount: 0, failedCount: 0 };
    return [
      { labels: { outcome: "made" }, value: madeCount },
      { labels: { outcome: "failed" }, value: failedCount },
    ];
  });
}

function feedAgents({ metrics, agents, spans }: MetricsSources): void {
  metrics.feed("bsopt_trace_spans_total", () => {
    const { sentCount, droppedCount } = spans();
    return [
      { labels: { outcome: "sent" }, value: sentCount },
      { labels: { outcome: "dropped" }, value: droppedCount },
    ];
  });
  metrics.feed("bsopt_agent_up", () =>
    agents().map(({ name, state }) => ({ labels: { agent: name }, value: state === "running" ? 1 : 0 })),
  );
  metrics.feed("bsopt_agent_failures_total", () =>
    agents().map(({ name, failureCount }) => ({ labels: { agent: name }, value: failureCount })),
  );
}

function feedProcess({ metrics, readProcess, unforeseen, clock }: MetricsSources): void {
  metrics.feed("bsopt_unforeseen_errors_total", () =>
    Object.entries(unforeseen()).map(([kind, value]) => ({ labels: { kind }, value })),
  );
  const startSeconds = Number(clock.nowMicroseconds()) / 1e6;
  const reading = (read: (readings: ProcessReadings) => number) => () => [{ labels: {}, value: read(readProcess()) }];
  metrics.feed(
    "process_cpu_seconds_total",
    reading(({ cpuSeconds }) => cpuSeconds),
  );
  metrics.feed(
    "process_resident_memory_bytes",
    reading(({ residentBytes }) => residentBytes),
  );
  metrics.feed(
    "bsopt_heap_used_bytes",
    reading(({ heapUsedBytes }) => heapUsedBytes),
  );
  metrics.feed(
    "process_open_fds",
    reading(({ openFileCount }) => openFileCount),
  );
  metrics.feed(
    "process_max_fds",
    reading(({ openFileCountMax }) => openFileCountMax),
  );
  metrics.feed("process_start_time_seconds", () => [{ labels: {}, value: startSeconds }]);
}
