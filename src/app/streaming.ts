// The stream as the process has it: the hub that features publish to, the sockets that clients are at, and the channels that say nothing of
// the market. Separate from app.ts, which hands it what it needs and has the loops started and stopped.

import type { Config } from "../config/config";
import type { Authenticator } from "../domain/principal";
import type { Audit } from "../features/audit/service";
import type { Readiness } from "../features/health/model";
import type { Sessions } from "../features/sessions/service";
import { createTickets, type StreamHub, type Tickets } from "../features/streaming/service";
import { createHub, type HealthView, healthStream, testStream } from "../features/streaming/stream";
import type { Agent } from "../foundation/agent";
import type { Clock } from "../foundation/clock";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import { closedBy, createSockets, type Sockets } from "../http/socket";
import type { Storage } from "../storage/storage";
import type { Metrics } from "../telemetry/metrics";

export interface Streaming {
  readonly hub: StreamHub;
  readonly sockets: Sockets;
  readonly tickets: Tickets;
  /** The sessions', but that it takes tickets too. */
  readonly authenticator: Authenticator;
  readonly agents: readonly Agent[];
  /** Ends what runs behind the channels. */
  close(): void;
}

export interface StreamingOptions {
  readonly config: Config;
  readonly storage: Pick<Storage, "write" | "read">;
  readonly sessions: Sessions;
  readonly audit: Pick<Audit, "note">;
  readonly metrics: Metrics;
  /** Whether this process is ready, and each of its components. */
  readonly readiness: () => Promise<HealthView>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export function openStreaming(options: StreamingOptions): Streaming {
  const { config, storage, sessions, audit, metrics, readiness, clock, random, log } = options;
  const hub = createHub({ clock, log, limits: config.market.stream });
  const tickets = createTickets({ storage, sessions, clock, random, log });
  const authenticator: Authenticator = {
    authenticate: (shown) => (shown.ticket === undefined ? sessions : tickets).authenticate(shown),
    requireRecentSignIn: (principal) => sessions.requireRecentSignIn(principal),
    stillHolds: (principal, peerAddress) => sessions.stillHolds(principal, peerAddress),
  };
  const sockets = createSockets({
    hub,
    authenticator,
    limits: config.market.stream,
    corsOrigins: () => config.http.corsOrigins,
    clock,
    log,
    traceId: () => Buffer.from(random.bytes(16)).toString("hex"),
    onRefused: ({ kind, code, op, principal, address }) =>
      audit.note({
        eventType: kind === "too-many-requests" ? "limit.exceeded" : "authz.access.denied",
        userId: principal.userId,
        resource: "/api/v1/ws",
        action: op ?? "message",
        status: "failure",
        details: { kind, code },
        origin: { ipAddress: address === "" ? null : address, userAgent: null },
      }),
  });
  const own = [testStream({ hub, clock }), healthStream({ hub, clock, check: readiness })];
  for (const { family } of own) hub.open(family);
  observe(metrics, hub, sockets);
  const close = () => {
    for (const each of own) each.stop();
  };
  return { hub, sockets, tickets, authenticator, agents: [sockets.agent, tickets.agent], close };
}

function observe(metrics: Metrics, hub: StreamHub, sockets: Sockets): void {
  const one = (value: number) => [{ labels: {}, value }];
  metrics.feed("bsopt_stream_connections", () => one(sockets.statistics().connections));
  metrics.feed("bsopt_stream_connections_opened_total", () => one(sockets.statistics().opened));
  metrics.feed("bsopt_stream_connections_closed_total", () => {
    const { closed } = sockets.statistics();
    return closedBy.map((by) => ({ labels: { by }, value: closed[by] }));
  });
  metrics.feed("bsopt_stream_messages_total", () => {
    const { accepted, refused } = sockets.statistics().messages;
    return [
      { labels: { outcome: "accepted" }, value: accepted },
      { labels: { outcome: "refused" }, value: refused },
    ];
  });
  metrics.feed("bsopt_stream_channels", () => one(hub.statistics().channels));
  metrics.feed("bsopt_stream_subscriptions", () => one(hub.statistics().subscriptions));
  metrics.feed("bsopt_stream_frames_published_total", () => one(hub.statistics().framesPublished));
  metrics.feed("bsopt_stream_frames_sent_total", () => one(hub.statistics().framesSent));
  metrics.feed("bsopt_stream_bytes_sent_total", () => one(hub.statistics().bytesSent));
  metrics.feed("bsopt_stream_lags_total", () => one(hub.statistics().lags));
  metrics.feed("bsopt_stream_replay_bytes", () => one(hub.statistics().replayBytes));
}

/** What the channel tells of readiness. */
export function healthView({ status, checks }: Readiness): HealthView {
  return { status, components: Object.fromEntries(checks.map((check) => [check.component, check.status])) };
}
