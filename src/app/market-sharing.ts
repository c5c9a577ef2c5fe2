// How the processes of one installation share a live market: one leads it, the others take its channels and its answers over the bus. Separate from the
// live market's composition, which is told when it leads and when it does not, and from app.ts.

import type { Names } from "../adapters/names";
import { natsBusLink } from "../adapters/nats/bus";
import { redisBusLink } from "../adapters/redis/bus";
import type { Config } from "../config/config";
import type { Probe } from "../features/health/service";
import type { Hub, StreamHub } from "../features/streaming/service";
import type { Agent } from "../foundation/agent";
import { type Bus, type BusLink, type BusSubscription, createBus } from "../foundation/bus";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import type { SecretBox } from "../foundation/secret-box";
import type { Elsewhere } from "../http/relay";
import type { Route } from "../http/routes";
import { createLeadership, type Leadership } from "../storage/leadership";
import type { Storage } from "../storage/storage";
import type { Metrics } from "../telemetry/metrics";
import { createStreamRelay, type RelayStatistics, type StreamRelay } from "./stream-relay";

export interface MarketSharingOptions {
  readonly config: Config;
  readonly storage: Storage;
  readonly secretBox: SecretBox;
  readonly names: Names;
  readonly metrics: Metrics;
  /** Answers what another process has taken; asked for once something comes. */
  readonly answerFor: (request: Uint8Array) => Promise<Uint8Array>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What changes with the lead. Neither may throw. */
export interface Led {
  /** Resolves once what is led has its state. */
  lead(): Promise<void>;
  follow(): Promise<void>;
}

export interface MarketSharing {
  readonly leadership: Leadership;
  /** The market's channels as its features are handed them, over the process's own hub; before `begin`. */
  attach(hub: StreamHub): Hub;
  /** The market is this process's, and has its state. */
  readonly isLeading: boolean;
  /** For the server: which routes are another process's now. */
  readonly elsewhere: Elsewhere;
  readonly agents: readonly Agent[];
  readonly probes: readonly Probe[];
  /** Settles who leads; before anything is served. */
  begin(led: Led): Promise<void>;
  close(): Promise<void>;
}

const httpSubject = "market.http";
const answerMillisecondsMax = 10_000;

/** Reaches nothing yet but the database: the bus's agent does. */
export function openMarketSharing(options: MarketSharingOptions): MarketSharing {
  const { config, storage, secretBox, metrics, answerFor, clock, random, log } = options;
  const self = Buffer.from(random.bytes(8)).toString("hex");
  const link = linkOf(options, self);
  const bus: Bus | null = link && createBus({ link, key: secretBox.keyFor("bus"), clock, random });
  const leadership = createLeadership({
    ...{ storage, databaseUrl: config.storage.databaseUrl, name: "market", self, clock, random, log },
  });
  let relay: StreamRelay | null = null;
  let isLeading = false;
  let answering: BusSubscription | null = null;
  let changing: Promise<void> = Promise.resolve();
  let stopListening = () => {};

  /** One change after another: a lead that is lost while it begins ends after it has begun. */
  function settle(led: Led): Promise<void> {
    changing = changing.then(async () => {
      const mustLead = leadership.isLeader;
      if (mustLead === isLeading) return;
      if (mustLead) {
        await led.lead();
        // Lost meanwhile: the next change ends it.
        if (!leadership.isLeader) return led.follow();
        isLeading = true;
        relay?.lead(leadership.fence);
        answering = bus?.answer(httpSubject, answerFor) ?? null;
      } else {
        isLeading = false;
        answering?.end();
        answering = null;
        relay?.follow();
        await led.follow();
      }
    });
    return changing;
  }

  observe(
    metrics,
    bus,
    () => relay?.statistics() ?? null,
    () => isLeading,
  );
  return {
    leadership,
    attach(hub) {
      relay = createStreamRelay({ hub, bus, clock, log });
      return relay.hub;
    },
    get isLeading() {
      return isLeading;
    },
    elsewhere: {
      has: (route) => !isLeading && isLed(route, bus !== null),
      ask(request) {
        if (bus !== null) return bus.request(httpSubject, request, answerMillisecondsMax);
        throw new BsoptError({ reason: "unavailable", code: "BUS_UNREACHABLE", detail: "There is no bus." });
      },
    },
    agents: [leadership.agent, ...(bus?.agents ?? [])],
    probes: bus
      ? [
          {
            component: "market_bus",
            isRequired: false,
            check: () => bus.ping().then(() => ({ status: "ok" as const })),
          },
        ]
      : [],
    async begin(led) {
      await leadership.open();
      stopListening = leadership.onChange(() => void settle(led));
      // What the archive has comes back beside serving; whoever takes over later waits for it.
      if (leadership.isLeader) await settle({ ...led, lead: async () => void led.lead() });
      if (bus !== null) relay?.agent.start();
    },
    async close() {
      stopListening();
      await changing;
      isLeading = false;
      await relay?.agent.stop();
      relay?.close();
      answering?.end();
      await leadership.close();
      await bus?.close();
    },
  };
}

/** What only the leader knows. Without a bus the others answer what the database they share tells. */
function isLed({ pattern, method }: Route, hasBus: boolean): boolean {
  if (pattern.startsWith("/api/v1/subscriptions")) return hasBus && method === "GET";
  if (pattern.startsWith("/api/v1/market/instruments")) return hasBus;
  return (
    pattern.startsWith("/api/v1/market/") ||
    pattern.startsWith("/api/v1/history/") ||
    pattern.startsWith("/api/v1/feeds")
  );
}

function linkOf(
  { config, names, clock, log }: Pick<MarketSharingOptions, "config" | "names" | "clock" | "log">,
  self: string,
): BusLink | null {
  const { redisUrl } = config.limits;
  const { natsUrl } = config.events;
  switch (config.market.sharing.bus) {
    case "none":
      return null;
    case "redis":
      if (redisUrl === null) throw unset("redis_url");
      return redisBusLink({ url: redisUrl, self, names, clock, log });
    case "nats":
      if (natsUrl === null) throw unset("nats_url");
      return natsBusLink({ url: natsUrl, self, clock, log });
  }
}

function unset(setting: string): BsoptError {
  return new BsoptError({
    reason: "invalid",
    code: "MARKET_BUS_UNSET",
    detail: `market_bus names a bus whose address is not set.`,
    hint: `Set ${setting}, or market_bus to none.`,
  });
}

function observe(
  metrics: Metrics,
  bus: Bus | null,
  relayed: () => RelayStatistics | null,
  isLeading: () => boolean,
): void {
  const one = (value: number) => [{ labels: {}, value }];
  metrics.feed("bsopt_market_leading", () => one(isLeading() ? 1 : 0));
  metrics.feed("bsopt_market_bus_connected", () => one(bus?.state === "connected" ? 1 : 0));
  metrics.feed("bsopt_market_bus_messages_total", () => {
    const counts = bus?.statistics();
    return [
      { labels: { outcome: "published" }, value: counts?.publishedCount ?? 0 },
      { labels: { outcome: "received" }, value: counts?.receivedCount ?? 0 },
      { labels: { outcome: "dropped" }, value: counts?.droppedCount ?? 0 },
      { labels: { outcome: "broken" }, value: counts?.brokenCount ?? 0 },
    ];
  });
  metrics.feed("bsopt_market_relayed_frames_total", () => one(relayed()?.relayedCount ?? 0));
  metrics.feed("bsopt_market_relay_gaps_total", () => one(relayed()?.gapCount ?? 0));
}
