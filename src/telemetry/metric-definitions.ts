// Every metric there is: one row each, from which the registry, docs/reference/metrics.md and the tests of alert rules and
// dashboards come. Separate from the registry because it is only data. A row that nothing feeds is a defect, and so is a label
// whose values a client could choose.

export type MetricKind = "counter" | "gauge" | "histogram";

export interface MetricDefinition {
  readonly kind: MetricKind;
  /** What it tells, in one sentence; printed with the metric and in the reference. */
  readonly help: string;
  /** Names of its labels, with what their values may be. */
  readonly labels: Readonly<Record<string, string>>;
  /** Upper bounds of a histogram's buckets, ascending. */
  readonly buckets?: readonly number[];
}

const requestSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const lagSeconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const diskSeconds = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];
const kernelSeconds = [0.000005, 0.00001, 0.000025, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 2.5];
const tickSeconds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const options = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];
const writes = [1, 2, 4, 8, 16, 32, 64, 128, 256];

const routeLabels = {
  method: "the route's method; HEAD counts as GET, `any` where there is no route",
  route: "the route's pattern, `unmatched` where there is none",
};
const operation = { operation: "an operation's id in the API document" };
const agent = { agent: "a background loop's name" };
const feed = { feed: "a kind of feed: simulated, replay, kite, deribit" };
const component = { component: "what is checked: database, agents; redis, smtp and feeds where configured" };

/** By name, in the order of the reference. Seconds and bytes throughout, but for the health checks' milliseconds. */
export const metricDefinitions = {
  http_requests_total: {
    kind: "counter",
    help: "Requests answered.",
    labels: { ...routeLabels, status: "the answer's status" },
  },
  http_request_duration_seconds: {
    kind: "histogram",
    help: "From a request's head to its answer, before the answer's body is sent.",
    labels: routeLabels,
    buckets: requestSeconds,
  },
  http_requests_in_flight: { kind: "gauge", help: "Requests that are being answered now.", labels: {} },
  bsopt_requests_waiting: { kind: "gauge", help: "Requests that wait in line to be served.", labels: {} },
  bsopt_requests_shed_total: {
    kind: "counter",
    help: "Requests answered with 503 OVERLOADED before anything of them was looked at; in http_requests_total they are `unmatched`.",
    labels: {},
  },
  bsopt_pricing_options: {
    kind: "histogram",
    help: "Options in each request that was priced or solved; the sum is all of them.",
    labels: operation,
    buckets: options,
  },
  bsopt_pricing_kernel_seconds: {
    kind: "histogram",
    help: "Time in the engine of each request that was priced or solved.",
    labels: operation,
    buckets: kernelSeconds,
  },
  bsopt_engine_batches_under_way: { kind: "gauge", help: "Large batches being computed or waiting.", labels: {} },
  bsopt_engine_batches_dropped_total: {
    kind: "counter",
    help: "Large batches given up because whoever asked went away.",
    labels: {},
  },
  bsopt_engine_chunks_total: {
    kind: "counter",
    help: "Chunks of large batches that were computed.",
    labels: { thread: "main or worker" },
  },
  bsopt_engine_workers_running: { kind: "gauge", help: "Worker threads that run now.", labels: {} },
  bsopt_engine_workers_max: { kind: "gauge", help: "Worker threads that large batches may start.", labels: {} },
  bsopt_database_writes_queued: { kind: "gauge", help: "Writes waiting for their transaction.", labels: {} },
  bsopt_database_writable: {
    kind: "gauge",
    help: "1, but 0 from the first write that the database refused until a trial write is taken.",
    labels: {},
  },
  bsopt_database_writes_total: { kind: "counter", help: "Writes whose transaction was committed.", labels: {} },
  bsopt_database_commit_writes: {
    kind: "histogram",
    help: "Writes in each committed transaction.",
    labels: {},
    buckets: writes,
  },
  bsopt_database_commit_seconds: {
    kind: "histogram",
    help: "Time of each COMMIT, its flush to the disk included.",
    labels: {},
    buckets: diskSeconds,
  },
  bsopt_database_write_seconds: {
    kind: "histogram",
    help: "Time of each write from when it was asked for until it was settled, waiting included.",
    labels: {},
    buckets: diskSeconds,
  },
  bsopt_backup_interval_seconds: {
    kind: "gauge",
    help: "Time between two scheduled backups; 0 where none are scheduled.",
    labels: {},
  },
  bsopt_backup_last_success_timestamp_seconds: {
    kind: "gauge",
    help: "When the newest scheduled backup that stands was made, by whichever process, in seconds since 1970; 0 where there is none.",
    labels: {},
  },
  bsopt_backup_last_bytes: {
    kind: "gauge",
    help: "Size of the database in the last backup that this process made.",
    labels: {},
  },
  bsopt_backup_last_duration_seconds: {
    kind: "gauge",
    help: "How long the last backup took that this process made.",
    labels: {},
  },
  bsopt_backups_total: {
    kind: "counter",
    help: "Scheduled backups that this process made or failed to make.",
    labels: { outcome: "made or failed" },
  },
  bsopt_trace_spans_total: {
    kind: "counter",
    help: "Spans of traces; dropped ones found no room, or no collector that took them.",
    labels: { outcome: "sent or dropped" },
  },
  bsopt_database_busy_total: {
    kind: "counter",
    help: "Times that another process held the database when a transaction was to begin.",
    labels: {},
  },
  bsopt_database_read_seconds: {
    kind: "histogram",
    help: "Time of each select.",
    labels: {},
    buckets: diskSeconds,
  },
  bsopt_database_file_bytes: {
    kind: "gauge",
    help: "Size of the database's files.",
    labels: { file: "database or wal" },
  },
  bsopt_auth_admitted_total: {
    kind: "counter",
    help: "Requests that were let in by a credential.",
    labels: { credential: "api_key, key_token, access_token or cookie" },
  },
  bsopt_auth_refused_total: {
    kind: "counter",
    help: "Requests answered with 401 or 403.",
    labels: {
      kind: "unauthenticated or forbidden",
      code: "the problem's code, `OTHER` where it is none of those listed",
    },
  },
  bsopt_rate_limit_decisions_total: {
    kind: "counter",
    help: "Requests that counted against a limit, by the tightest bucket.",
    labels: { bucket: "address, user, bot or endpoint-N, the Nth of endpoint_limits", decision: "allowed or refused" },
  },
  bsopt_outbox_messages_pending: {
    kind: "gauge",
    help: "Messages but events neither delivered nor given up, when the sender last looked.",
    labels: {},
  },
  bsopt_outbox_messages_total: {
    kind: "counter",
    help: "What became of messages; retried counts attempts.",
    labels: { outcome: "sent, retried or given_up" },
  },
  bsopt_events_waiting: {
    kind: "gauge",
    help: "Events that NATS has not taken yet, when the sender last looked.",
    labels: {},
  },
  bsopt_events_dropped_total: {
    kind: "counter",
    help: "Events that were not kept because too many waited.",
    labels: {},
  },
  bsopt_agent_up: {
    kind: "gauge",
    help: "1 while a background loop runs, 0 where it is dead or stopped.",
    labels: agent,
  },
  bsopt_agent_failures_total: { kind: "counter", help: "Rounds of a background loop that failed.", labels: agent },
  health_check_status: {
    kind: "gauge",
    help: "What the last check found: 1 ok, 0.5 degraded, 0 failed.",
    labels: component,
  },
  health_check_latency_ms: { kind: "gauge", help: "How long the last check took, in milliseconds.", labels: component },
  health_check_total: {
    kind: "counter",
    help: "Checks made.",
    labels: { ...component, status: "ok, degraded or failed" },
  },
  tick_processing_seconds: {
    kind: "histogram",
    help: "From a quote's arrival until its book had taken it, it was told and handed to be kept.",
    labels: { kind: "underlying, option or future" },
    buckets: tickSeconds,
  },
  greeks_calculation_seconds: {
    kind: "histogram",
    help: "Valuing all options of one underlying once.",
    labels: {},
    buckets: kernelSeconds,
  },
  batch_flush_seconds: {
    kind: "histogram",
    help: "Working off one batch of quotes, valuations that follow included.",
    labels: {},
    buckets: tickSeconds,
  },
  ticks_published_total: {
    kind: "counter",
    help: "Quotes that their book took and that were told to whoever listens.",
    labels: { kind: "underlying, option or future" },
  },
  tick_processing_errors_total: {
    kind: "counter",
    help: "Times that an underlying's book failed; it is then made anew from what is kept.",
    labels: { stage: "ingest, validate, batch, greeks, publish or persist" },
  },
  tick_validation_errors_total: {
    kind: "counter",
    help: "Quotes refused by themselves.",
    labels: { reason: "why, from the list in docs/guides/live-market.md" },
  },
  batch_fill_rate: {
    kind: "gauge",
    help: "How full the last batch of quotes was, from 0 to 1.",
    labels: {},
  },
  pending_batch_size: { kind: "gauge", help: "Quotes waiting to be worked off.", labels: {} },
  underlying_price: {
    kind: "gauge",
    help: "The spot that each underlying was last valued at, of the hundred first there were; `none` stands where there is none.",
    labels: { underlying: "an underlying's symbol" },
  },
  active_accounts: {
    kind: "gauge",
    help: "Accounts with a subscription that is not expired; 0 in a process that does not lead.",
    labels: {},
  },
  bsopt_market_stage_seconds: {
    kind: "histogram",
    help: "Time in each stage of the pipeline: of a batch in ingest and validate, waiting in batch, else of one underlying's part of it.",
    labels: { stage: "ingest, validate, batch, greeks, publish or persist" },
    buckets: kernelSeconds,
  },
  bsopt_market_quotes_total: {
    kind: "counter",
    help: "Quotes by what became of them: conflated ones gave way to newer ones of their symbol, dropped ones to others, refused ones found no room.",
    labels: { outcome: "applied, duplicate, late, rejected, conflated, dropped or refused" },
  },
  bsopt_market_pressure: {
    kind: "gauge",
    help: "How full the queue of quotes is: 0 ok, 1 warn (only the newest of a symbol waits), 2 critical (the oldest goes).",
    labels: {},
  },
  bsopt_market_pressure_entered_total: {
    kind: "counter",
    help: "Times that each level of pressure was entered.",
    labels: { level: "ok, warn or critical" },
  },
  bsopt_market_books: {
    kind: "gauge",
    help: "Underlyings by the state of their book.",
    labels: { state: "loading, live or failed" },
  },
  bsopt_market_valuations_total: { kind: "counter", help: "Chains valued.", labels: {} },
  bsopt_market_refits_total: {
    kind: "counter",
    help: "Fits of one underlying's forwards and volatilities.",
    labels: {},
  },
  bsopt_market_busy_seconds_total: {
    kind: "counter",
    help: "Time that the pipeline worked, by what on.",
    labels: { work: "greeks (valuing and fitting) or other" },
  },
  bsopt_event_bus_events_total: {
    kind: "counter",
    help: "Events within the process by what became of them, one for each handler.",
    labels: {
      topic: "the topic's name",
      handler: "the handler's name",
      outcome: "handled, failed, dropped, conflated or skipped",
    },
  },
  bsopt_event_bus_waiting: {
    kind: "gauge",
    help: "Events that wait for a handler.",
    labels: { topic: "the topic's name", handler: "the handler's name" },
  },
  bsopt_event_loop_lag_seconds: {
    kind: "histogram",
    help: "How late a timer ran, looked at four times a second.",
    labels: {},
    buckets: lagSeconds,
  },
  bsopt_unforeseen_errors_total: {
    kind: "counter",
    help: "Errors that nobody caught: each is a defect. After an exception the process stops in order.",
    labels: { kind: "unhandled_rejection or uncaught_exception" },
  },
  bsopt_heap_used_bytes: { kind: "gauge", help: "Bytes in use on the JavaScript heap.", labels: {} },
  bsopt_build_info: {
    kind: "gauge",
    help: "Always 1; the labels tell what runs.",
    labels: {
      version: "the program's version",
      commit: "the commit it was built from",
      wasm_sha256: "SHA-256 of the kernel",
    },
  },
  bsopt_stream_connections: { kind: "gauge", help: "WebSocket connections that are open.", labels: {} },
  bsopt_market_leading: { kind: "gauge", help: "1 where this process leads the market, else 0.", labels: {} },
  bsopt_market_bus_connected: {
    kind: "gauge",
    help: "1 while the bus between processes is reached, else 0; 0 where there is none.",
    labels: {},
  },
  bsopt_market_bus_messages_total: {
    kind: "counter",
    help: "Messages over the bus between processes.",
    labels: {
      outcome: "published, received, dropped (the bus was away or full) or broken (under another key, or incomplete)",
    },
  },
  bsopt_market_relayed_frames_total: {
    kind: "counter",
    help: "Frames of channels that were sent on from the process that leads.",
    labels: {},
  },
  bsopt_market_relay_gaps_total: {
    kind: "counter",
    help: "Times that frames from the process that leads were missing, and the whole state was asked for.",
    labels: {},
  },
  bsopt_subscriptions: {
    kind: "gauge",
    help: "Subscriptions of all accounts; 0 in a process that does not lead.",
    labels: {},
  },
  bsopt_subscribed_instruments: {
    kind: "gauge",
    help: "Instruments that subscriptions stand for.",
    labels: {
      state: "wanted, missing (not confirmed by any source) or orphan (confirmed, and wanted by no subscription)",
    },
  },
  bsopt_ladder_moves_total: { kind: "counter", help: "Times that a ladder of strikes has moved.", labels: {} },
  bsopt_stream_connections_opened_total: {
    kind: "counter",
    help: "WebSocket connections that were opened.",
    labels: {},
  },
  bsopt_stream_connections_closed_total: {
    kind: "counter",
    help: "WebSocket connections that ended.",
    labels: {
      by: "draining, unsupported, too_big, expired, forbidden, rate or too_slow: the reason they were closed for; protocol: a frame that no client may send; silent: no answer to pings; client: the client went",
    },
  },
  bsopt_stream_messages_total: {
    kind: "counter",
    help: "Messages from WebSocket clients that were answered.",
    labels: { outcome: "accepted or refused" },
  },
  bsopt_stream_channels: {
    kind: "gauge",
    help: "Channels that somebody listens to, or did half a minute ago.",
    labels: {},
  },
  bsopt_stream_subscriptions: { kind: "gauge", help: "Channels that connections listen to, all together.", labels: {} },
  bsopt_stream_frames_published_total: { kind: "counter", help: "Frames that were published to channels.", labels: {} },
  bsopt_stream_frames_sent_total: {
    kind: "counter",
    help: "Frames handed to connections, each counted once for each.",
    labels: {},
  },
  bsopt_stream_bytes_sent_total: { kind: "counter", help: "Bytes of those frames.", labels: {} },
  bsopt_stream_lags_total: {
    kind: "counter",
    help: "Times that a client read too slowly and was told what it missed.",
    labels: {},
  },
  bsopt_stream_replay_bytes: { kind: "gauge", help: "Bytes of frames kept for clients that resume.", labels: {} },
  bsopt_feed_live: { kind: "gauge", help: "Feeds that deliver now.", labels: feed },
  bsopt_feed_batches_total: { kind: "counter", help: "Batches of quotes that feeds delivered.", labels: feed },
  bsopt_feed_quotes_total: { kind: "counter", help: "Quotes that feeds delivered.", labels: feed },
  bsopt_feed_gaps_total: { kind: "counter", help: "Times that a source skipped something or was lost.", labels: feed },
  bsopt_feed_faults_total: { kind: "counter", help: "Messages of a source that could not be read.", labels: feed },
  bsopt_feed_reconnects_total: { kind: "counter", help: "Times that a feed was connected anew.", labels: feed },
  bsopt_feed_conflated_total: {
    kind: "counter",
    help: "Quotes that a later one of their symbol took the place of while the market was full.",
    labels: feed,
  },
  bsopt_feed_dropped_total: {
    kind: "counter",
    help: "Quotes dropped because more symbols waited for a full market than are kept.",
    labels: feed,
  },
  bsopt_feed_lag_seconds: {
    kind: "gauge",
    help: "From the venue's moment to ours, of the last quote; 0 where there was none.",
    labels: feed,
  },
  bsopt_recording_quotes_total: { kind: "counter", help: "Quotes written to recordings.", labels: {} },
  bsopt_recording_dropped_total: {
    kind: "counter",
    help: "Quotes that recordings lack, because writing failed or fell behind.",
    labels: {},
  },
  process_cpu_seconds_total: { kind: "counter", help: "Processor time of the process, user and system.", labels: {} },
  process_resident_memory_bytes: { kind: "gauge", help: "Resident memory.", labels: {} },
  process_start_time_seconds: { kind: "gauge", help: "When the process started, in seconds since 1970.", labels: {} },
  process_open_fds: { kind: "gauge", help: "Open files and sockets; 0 where the system does not tell.", labels: {} },
  process_max_fds: {
    kind: "gauge",
    help: "Files and sockets that may be open; 0 where the system does not tell.",
    labels: {},
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof metricDefinitions;

type NameOfKind<Kind extends MetricKind> = {
  [Name in MetricName]: (typeof metricDefinitions)[Name]["kind"] extends Kind ? Name : never;
}[MetricName];

export type HistogramName = NameOfKind<"histogram">;
export type ValueName = NameOfKind<"counter" | "gauge">;

/** A value for each of a metric's labels. */
export type LabelsOf<Name extends MetricName> = {
  readonly [Label in keyof (typeof metricDefinitions)[Name]["labels"]]: string;
};
