// deploy/grafana/*.json, from short tables of panels: written by hand, Grafana's form is some sixty lines a panel of which three tell anything.
// A test holds every name in them to the metrics that there are.

export interface Panel {
  readonly title: string;
  /** Grafana's name of the unit. */
  readonly unit: string;
  /** What each line is called, and the expression it shows. `$instance` is chosen above the panels. */
  readonly lines: readonly (readonly [string, string])[];
}

const selected = 'job="bsopt",instance=~"$instance"';
const rate = (metric: string, more = "") => `rate(${metric}{${selected}${more}}[$__rate_interval])`;
const quantile = (share: number, metric: string, by = "", more = "") =>
  `histogram_quantile(${share}, sum by (${by}le) (${rate(`${metric}_bucket`, more)}))`;
const quantiles = (metric: string, more = ""): Panel["lines"] => [
  ["p50", quantile(0.5, metric, "", more)],
  ["p99", quantile(0.99, metric, "", more)],
];

const healthPanels: readonly Panel[] = [
  { title: "Health checks", unit: "percentunit", lines: [["{{component}}", `health_check_status{${selected}}`]] },
  { title: "Time of checks", unit: "ms", lines: [["{{component}}", `health_check_latency_ms{${selected}}`]] },
  {
    title: "Checks by outcome",
    unit: "cps",
    lines: [["{{component}} {{status}}", `sum by (component, status) (${rate("health_check_total")})`]],
  },
  { title: "Loops that run", unit: "bool_on_off", lines: [["{{agent}}", `bsopt_agent_up{${selected}}`]] },
  {
    title: "Failed rounds of loops",
    unit: "cps",
    lines: [["{{agent}}", `sum by (agent) (${rate("bsopt_agent_failures_total")})`]],
  },
  { title: "Lateness of the event loop", unit: "s", lines: quantiles("bsopt_event_loop_lag_seconds") },
  { title: "Processor", unit: "percentunit", lines: [["{{instance}}", rate("process_cpu_seconds_total")]] },
  {
    title: "Memory",
    unit: "bytes",
    lines: [
      ["resident {{instance}}", `process_resident_memory_bytes{${selected}}`],
      ["heap {{instance}}", `bsopt_heap_used_bytes{${selected}}`],
    ],
  },
  {
    title: "Open files",
    unit: "short",
    lines: [
      ["open {{instance}}", `process_open_fds{${selected}}`],
      ["most {{instance}}", `process_max_fds{${selected}}`],
    ],
  },
  {
    title: "Errors that nobody caught",
    unit: "short",
    lines: [["{{kind}}", `sum by (kind) (increase(bsopt_unforeseen_errors_total{${selected}}[$__rate_interval]))`]],
  },
  {
    title: "Age of the newest backup",
    unit: "s",
    lines: [
      ["{{instance}}", `time() - (bsopt_backup_last_success_timestamp_seconds{${selected}} > 0)`],
      ["wanted {{instance}}", `bsopt_backup_interval_seconds{${selected}} > 0`],
    ],
  },
  {
    title: "Backups",
    unit: "short",
    lines: [["{{outcome}}", `sum by (outcome) (increase(bsopt_backups_total{${selected}}[1d]))`]],
  },
  {
    title: "Size of backups",
    unit: "bytes",
    lines: [["{{instance}}", `bsopt_backup_last_bytes{${selected}}`]],
  },
  {
    title: "Time of backups",
    unit: "s",
    lines: [["{{instance}}", `bsopt_backup_last_duration_seconds{${selected}}`]],
  },
  {
    title: "Time since the start",
    unit: "s",
    lines: [["{{instance}}", `time() - process_start_time_seconds{${selected}}`]],
  },
  {
    title: "Spans of traces",
    unit: "cps",
    lines: [["{{outcome}}", `sum by (outcome) (${rate("bsopt_trace_spans_total")})`]],
  },
  { title: "What runs", unit: "short", lines: [["{{version}} {{commit}}", `bsopt_build_info{${selected}}`]] },
];

const servicePanels: readonly Panel[] = [
  {
    title: "Requests by status",
    unit: "reqps",
    lines: [["{{status}}", `sum by (status) (${rate("http_requests_total")})`]],
  },
  {
    title: "Requests by route",
    unit: "reqps",
    lines: [["{{method}} {{route}}", `topk(10, sum by (method, route) (${rate("http_requests_total")}))`]],
  },
  { title: "Time of all requests", unit: "s", lines: quantiles("http_request_duration_seconds") },
  {
    title: "p99 by route",
    unit: "s",
    lines: [["{{route}}", `topk(10, ${quantile(0.99, "http_request_duration_seconds", "route, ")})`]],
  },
  {
    title: "Requests refused for the load",
    unit: "reqps",
    lines: [["{{instance}}", rate("bsopt_requests_shed_total")]],
  },
  { title: "Requests in line", unit: "short", lines: [["{{instance}}", `bsopt_requests_waiting{${selected}}`]] },
  { title: "Requests in flight", unit: "short", lines: [["{{instance}}", `http_requests_in_flight{${selected}}`]] },
  {
    title: "Options priced",
    unit: "ops",
    lines: [["{{operation}}", `sum by (operation) (${rate("bsopt_pricing_options_sum")})`]],
  },
  { title: "Options in a request", unit: "short", lines: quantiles("bsopt_pricing_options") },
  {
    title: "p99 in the engine",
    unit: "s",
    lines: [["{{operation}}", quantile(0.99, "bsopt_pricing_kernel_seconds", "operation, ")]],
  },
  {
    title: "Large batches",
    unit: "short",
    lines: [
      ["under way", `sum(bsopt_engine_batches_under_way{${selected}})`],
      ["workers running", `sum(bsopt_engine_workers_running{${selected}})`],
      ["workers at most", `sum(bsopt_engine_workers_max{${selected}})`],
      ["dropped a second", `sum(${rate("bsopt_engine_batches_dropped_total")})`],
    ],
  },
  {
    title: "Chunks of large batches",
    unit: "ops",
    lines: [["{{thread}}", `sum by (thread) (${rate("bsopt_engine_chunks_total")})`]],
  },
  {
    title: "Writes",
    unit: "ops",
    lines: [
      ["committed", `sum(${rate("bsopt_database_writes_total")})`],
      ["commits", `sum(${rate("bsopt_database_commit_seconds_count")})`],
      ["found it busy", `sum(${rate("bsopt_database_busy_total")})`],
    ],
  },
  { title: "Writes waiting", unit: "short", lines: [["{{instance}}", `bsopt_database_writes_queued{${selected}}`]] },
  { title: "Takes writes", unit: "short", lines: [["{{instance}}", `bsopt_database_writable{${selected}}`]] },
  { title: "Time of a commit", unit: "s", lines: quantiles("bsopt_database_commit_seconds") },
  { title: "Writes in a commit", unit: "short", lines: quantiles("bsopt_database_commit_writes") },
  { title: "Time of a write", unit: "s", lines: quantiles("bsopt_database_write_seconds") },
  { title: "Time of a select", unit: "s", lines: quantiles("bsopt_database_read_seconds") },
  { title: "Size of the database", unit: "bytes", lines: [["{{file}}", `bsopt_database_file_bytes{${selected}}`]] },
  {
    title: "Let in, by credential",
    unit: "reqps",
    lines: [["{{credential}}", `sum by (credential) (${rate("bsopt_auth_admitted_total")})`]],
  },
  {
    title: "Kept out, by code",
    unit: "reqps",
    lines: [["{{code}}", `sum by (code) (${rate("bsopt_auth_refused_total")})`]],
  },
  {
    title: "Limits' decisions",
    unit: "reqps",
    lines: [["{{bucket}} {{decision}}", `sum by (bucket, decision) (${rate("bsopt_rate_limit_decisions_total")})`]],
  },
  {
    title: "Messages",
    unit: "cps",
    lines: [["{{outcome}}", `sum by (outcome) (${rate("bsopt_outbox_messages_total")})`]],
  },
  { title: "Messages waiting", unit: "short", lines: [["{{instance}}", `bsopt_outbox_messages_pending{${selected}}`]] },
  {
    title: "Events for NATS",
    unit: "short",
    lines: [
      ["waiting {{instance}}", `bsopt_events_waiting{${selected}}`],
      ["dropped {{instance}}", `increase(bsopt_events_dropped_total{${selected}}[5m])`],
    ],
  },
];

const marketPanels: readonly Panel[] = [
  { title: "Feeds that deliver", unit: "short", lines: [["{{feed}}", `sum by (feed) (bsopt_feed_live{${selected}})`]] },
  {
    title: "Quotes of feeds",
    unit: "cps",
    lines: [
      ["quotes {{feed}}", `sum by (feed) (${rate("bsopt_feed_quotes_total")})`],
      ["batches {{feed}}", `sum by (feed) (${rate("bsopt_feed_batches_total")})`],
    ],
  },
  { title: "Lag of feeds", unit: "s", lines: [["{{feed}}", `max by (feed) (bsopt_feed_lag_seconds{${selected}})`]] },
  {
    title: "Troubles of feeds",
    unit: "short",
    lines: [
      ["gaps {{feed}}", `sum by (feed) (increase(bsopt_feed_gaps_total{${selected}}[5m]))`],
      ["faults {{feed}}", `sum by (feed) (increase(bsopt_feed_faults_total{${selected}}[5m]))`],
      ["reconnects {{feed}}", `sum by (feed) (increase(bsopt_feed_reconnects_total{${selected}}[5m]))`],
    ],
  },
  {
    title: "Quotes that a full market did not take",
    unit: "cps",
    lines: [
      ["conflated {{feed}}", `sum by (feed) (${rate("bsopt_feed_conflated_total")})`],
      ["dropped {{feed}}", `sum by (feed) (${rate("bsopt_feed_dropped_total")})`],
    ],
  },
  {
    title: "Quotes recorded",
    unit: "cps",
    lines: [
      ["written {{instance}}", rate("bsopt_recording_quotes_total")],
      ["dropped {{instance}}", rate("bsopt_recording_dropped_total")],
    ],
  },
  {
    title: "Quotes by what became of them",
    unit: "cps",
    lines: [
      ["{{outcome}}", `sum by (outcome) (${rate("bsopt_market_quotes_total")})`],
      ["told {{kind}}", `sum by (kind) (${rate("ticks_published_total")})`],
    ],
  },
  {
    title: "Quotes refused, and books that failed",
    unit: "short",
    lines: [
      ["{{reason}}", `sum by (reason) (increase(tick_validation_errors_total{${selected}}[5m]))`],
      ["failed in {{stage}}", `sum by (stage) (increase(tick_processing_errors_total{${selected}}[5m]))`],
    ],
  },
  {
    title: "A quote's time, to the end of its batch",
    unit: "s",
    lines: [
      ["quote {{kind}} p99", quantile(0.99, "tick_processing_seconds", "kind, ")],
      ["batch p99", quantile(0.99, "batch_flush_seconds")],
      ["Greeks p99", quantile(0.99, "greeks_calculation_seconds")],
    ],
  },
  {
    title: "Time in each stage",
    unit: "s",
    lines: [["{{stage}} p99", quantile(0.99, "bsopt_market_stage_seconds", "stage, ")]],
  },
  {
    title: "Batches",
    unit: "short",
    lines: [
      ["full {{instance}}", `batch_fill_rate{${selected}}`],
      ["waiting {{instance}}", `pending_batch_size{${selected}}`],
    ],
  },
  {
    title: "Pressure",
    unit: "short",
    lines: [
      ["level {{instance}}", `bsopt_market_pressure{${selected}}`],
      ["{{level}} entered", `sum by (level) (increase(bsopt_market_pressure_entered_total{${selected}}[5m]))`],
    ],
  },
  { title: "Spot", unit: "short", lines: [["{{underlying}}", `max by (underlying) (underlying_price{${selected}})`]] },
  { title: "Books", unit: "short", lines: [["{{state}}", `sum by (state) (bsopt_market_books{${selected}})`]] },
  {
    title: "Valuations and fits",
    unit: "cps",
    lines: [
      ["valuations {{instance}}", rate("bsopt_market_valuations_total")],
      ["fits {{instance}}", rate("bsopt_market_refits_total")],
    ],
  },
  {
    title: "Work of the pipeline",
    unit: "percentunit",
    lines: [["{{work}}", `sum by (work) (${rate("bsopt_market_busy_seconds_total")})`]],
  },
  {
    title: "Events within the process",
    unit: "cps",
    lines: [["{{topic}} {{outcome}}", `sum by (topic, outcome) (${rate("bsopt_event_bus_events_total")})`]],
  },
  {
    title: "Events that wait",
    unit: "short",
    lines: [["{{topic}} {{handler}}", `sum by (topic, handler) (bsopt_event_bus_waiting{${selected}})`]],
  },
  {
    title: "Subscriptions",
    unit: "short",
    lines: [
      ["subscriptions", `sum(bsopt_subscriptions{${selected}})`],
      ["active accounts", `sum(active_accounts{${selected}})`],
      ["instruments {{state}}", `sum by (state) (bsopt_subscribed_instruments{${selected}})`],
      ["ladders moved", `sum(increase(bsopt_ladder_moves_total{${selected}}[5m]))`],
    ],
  },
  {
    title: "Who leads, and the bus between processes",
    unit: "bool_on_off",
    lines: [
      ["leads {{instance}}", `bsopt_market_leading{${selected}}`],
      ["bus {{instance}}", `bsopt_market_bus_connected{${selected}}`],
    ],
  },
  {
    title: "Messages between processes",
    unit: "cps",
    lines: [
      ["{{outcome}}", `sum by (outcome) (${rate("bsopt_market_bus_messages_total")})`],
      ["frames sent on", `sum(${rate("bsopt_market_relayed_frames_total")})`],
      ["gaps", `sum(${rate("bsopt_market_relay_gaps_total")})`],
    ],
  },
  {
    title: "Connections of streams",
    unit: "short",
    lines: [
      ["open {{instance}}", `bsopt_stream_connections{${selected}}`],
      ["opened", `sum(increase(bsopt_stream_connections_opened_total{${selected}}[5m]))`],
      ["closed {{by}}", `sum by (by) (increase(bsopt_stream_connections_closed_total{${selected}}[5m]))`],
    ],
  },
  {
    title: "Channels",
    unit: "short",
    lines: [
      ["channels {{instance}}", `bsopt_stream_channels{${selected}}`],
      ["subscriptions {{instance}}", `bsopt_stream_subscriptions{${selected}}`],
    ],
  },
  {
    title: "Frames",
    unit: "cps",
    lines: [
      ["published", `sum(${rate("bsopt_stream_frames_published_total")})`],
      ["sent", `sum(${rate("bsopt_stream_frames_sent_total")})`],
      ["messages {{outcome}}", `sum by (outcome) (${rate("bsopt_stream_messages_total")})`],
      ["lags", `sum(${rate("bsopt_stream_lags_total")})`],
    ],
  },
  {
    title: "Bytes of streams",
    unit: "bytes",
    lines: [
      ["sent a second", `sum(${rate("bsopt_stream_bytes_sent_total")})`],
      ["kept for who resumes {{instance}}", `bsopt_stream_replay_bytes{${selected}}`],
    ],
  },
];

const source = { type: "prometheus", uid: "$source" };
const columns = 3;
const [width, height] = [24 / columns, 8];

function panelOf({ title, unit, lines }: Panel, index: number): object {
  return {
    id: index + 1,
    type: "timeseries",
    title,
    datasource: source,
    gridPos: { x: (index % columns) * width, y: Math.floor(index / columns) * height, w: width, h: height },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } },
    targets: lines.map(([legendFormat, expr], line) => ({
      refId: String.fromCharCode(65 + line),
      datasource: source,
      expr,
      legendFormat,
    })),
  };
}

/** A dashboard as Grafana imports it; the data source and the instances are chosen above the panels. */
function dashboardText(uid: string, title: string, panels: readonly Panel[]): string {
  const dashboard = {
    uid,
    title,
    tags: ["bsopt"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    timezone: "browser",
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    templating: {
      list: [
        { name: "source", type: "datasource", query: "prometheus", label: "Data source" },
        {
          name: "instance",
          type: "query",
          label: "Instance",
          datasource: source,
          query: { query: 'label_values(bsopt_build_info{job="bsopt"}, instance)', refId: "instance" },
          refresh: 2,
          multi: true,
          includeAll: true,
          allValue: ".*",
        },
      ],
    },
    panels: panels.map(panelOf),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

/** deploy/grafana/health.json: whether it lives, and how the process fares. */
export const healthDashboard = () => dashboardText("bsopt-health", "bsopt: health", healthPanels);

/** deploy/grafana/service.json: what it does. */
export const serviceDashboard = () => dashboardText("bsopt-service", "bsopt: requests, pricing, data", servicePanels);

/** deploy/grafana/market.json: quotes on their way in, through the books and out to who listens. */
export const marketDashboard = () => dashboardText("bsopt-market", "bsopt: the live market", marketPanels);
