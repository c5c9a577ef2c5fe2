// The live market as the process has it: what is listed, the books and their record, what is told of them. Separate from app.ts, which hands it
// what it needs and has its loops started and stopped. At rest it holds nothing but empty maps: the first quote, or what the archive has,
// makes a book.

import type { UnderlyingBook } from "../book/book";
import { UnderlyingBook as Book } from "../book/book";
import { defaultQuoteLimits, judgeQuote, quoteVerdicts } from "../book/validate";
import type { Config } from "../config/config";
import type { Calendars } from "../domain/business-calendar";
import { builtInCalendars } from "../domain/exchange-calendars";
import { marketHours } from "../domain/market-hours";
import type { Engine } from "../engine/engine";
import type { Audit } from "../features/audit/service";
import type { Feeds } from "../features/feeds/service";
import type { Probe } from "../features/health/service";
import type { History } from "../features/history/service";
import { createInstruments, type Instruments } from "../features/instruments/service";
import { createMarket, type Market } from "../features/market/service";
import { openMarketStream } from "../features/market/stream";
import { createMode, type Mode } from "../features/mode/service";
import type { Hub } from "../features/streaming/service";
import { createSubscriptions, type Subscriptions } from "../features/subscriptions/service";
import { Agent } from "../foundation/agent";
import type { Clock } from "../foundation/clock";
import { createEventBus, type EventBus } from "../foundation/event-bus";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import { createLongWork } from "../storage/long-work";
import type { Storage } from "../storage/storage";
import type { Metrics } from "../telemetry/metrics";
import type { Tracing } from "../telemetry/tracing";
import { type BookArchive, namedInstruments, openMarketArchive } from "./market-archive";
import { openMarketFeeds } from "./market-feeds";
import { feedMarketMetrics, marketWatch } from "./market-metrics";
import type { Led } from "./market-sharing";
import { feedSubscriptionMetrics, subscribedMarket, wantsOf } from "./subscribed-market";

export interface LiveMarketOptions {
  readonly config: Config;
  readonly storage: Storage;
  readonly audit: Audit;
  readonly engine: Engine;
  readonly metrics: Metrics;
  readonly tracing?: Tracing | undefined;
  readonly calendars?: Calendars | undefined;
  /** The module that threads start from. */
  readonly entrance: string;
  /** Whether the market is this process's. */
  readonly isLeading: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface LiveMarket {
  /** What the routes stand on. */
  readonly services: {
    readonly history: History;
    readonly instruments: Instruments;
    readonly market: Market<UnderlyingBook>;
    readonly mode: Mode;
    readonly feeds: Feeds;
    readonly subscriptions: Subscriptions;
    readonly clock: Clock;
  };
  /** What changes where this process comes to lead the market. */
  readonly led: Led;
  readonly market: Market<UnderlyingBook>;
  readonly archive: BookArchive;
  readonly bus: EventBus;
  readonly agents: readonly Agent[];
  readonly probes: readonly Probe[];
  /** Opens the market's channels. */
  stream(hub: Hub): void;
  /** Works off what was taken and keeps it; before the agents are stopped. */
  close(): Promise<void>;
}

/** A recording tells of its own time, however long ago. */
const recordedQuoteLimits = { ...defaultQuoteLimits, ageMicrosecondsMax: 1e17, aheadMicrosecondsMax: 1e17 };
const restoreMilliseconds = 60_000;

export function openLiveMarket(options: LiveMarketOptions): LiveMarket {
  const { config, storage, audit, engine, metrics, tracing, entrance, clock, random, log } = options;
  const { calendars = builtInCalendars() } = options;
  const hours = marketHours(calendars);
  const instruments = createInstruments({
    ...{ storage, audit, clock, random, log, calendars },
    calendarNames: new Set([...hours.keys(), ...calendars.keys()]),
    limits: config.market.instruments,
  });
  const mode = createMode({ storage, clock, log, hours, simulation: config.market.simulation });
  const settings = config.market.book;
  const longWork = createLongWork(entrance);
  const opened = openMarketArchive({ config, engine, settings, longWork, clock, random, log });
  const { archive, probe } = opened;
  const history = opened.history(namedInstruments(instruments, { calendars }));
  const bus = createEventBus({
    clock,
    onFailure: ({ topic, handler, error }) => log.error({ err: error, topic, handler }, "an event was not handled"),
  });
  const market = createMarket<UnderlyingBook>({
    ...{ instruments, archive, bus, settings, clock, random, log },
    newBook: (underlying) => new Book({ underlying, engine, settings }),
    judge: (quote, instrument, now, source) =>
      judgeQuote(quote, instrument, null, now, source === "replay" ? recordedQuoteLimits : defaultQuoteLimits),
    limits: config.market.pipeline,
    watch: marketWatch({ metrics, tracing, rejectionReasons: quoteVerdicts.filter((verdict) => verdict !== "ok") }),
  });
  const maySimulate = config.market.simulation.policy !== "off";
  const feeds = openMarketFeeds({
    ...{ config: config.market.feeds, market, instruments, calendars, metrics, clock, random, log },
    ...{ maySimulate, isLeading: options.isLeading },
  });
  if (maySimulate) mode.onMode((now) => feeds.feeds.permit("simulated", now === "simulated"));
  const wants = wantsOf(market.interest, () => feeds.feeds.confirmed());
  const subscriptions = createSubscriptions({
    ...{ storage, audit, clock, random, log, isLeading: options.isLeading },
    market: subscribedMarket(instruments, market),
    upstream: wants,
    get perUserMax() {
      return config.market.subscriptions.perUserMax;
    },
  });
  feedMarketMetrics({ metrics, market, bus, activeAccounts: () => subscriptions.statistics().activeAccountCount });
  feedSubscriptionMetrics(metrics, subscriptions);
  let endStream = () => {};
  let isRestored = false;
  async function restored(): Promise<void> {
    if (isRestored) return;
    await instruments.ready;
    await market.restore();
    isRestored = true;
  }
  const restore = new Agent({
    name: "market-restore",
    intervalMilliseconds: restoreMilliseconds,
    failuresMax: 3,
    clock,
    round: () => (options.isLeading() ? restored() : undefined),
    onFailure: (error) => log.warn({ err: error }, "the market's books could not be brought back; it is tried again"),
  });
  return {
    ...{
      services: { history, instruments, mode, market, clock, feeds: feeds.feeds, subscriptions },
      market,
      archive,
      bus,
    },
    led: {
      // What fails is tried again by the agent.
      lead: () => restored().catch((error) => log.warn({ err: error }, "the market's books could not be brought back")),
      follow: async () => undefined,
    },
    agents: [
      ...instruments.agents,
      ...mode.agents,
      ...archive.agents,
      ...history.agents,
      restore,
      ...feeds.agents,
      subscriptions.agent,
    ],
    probes: [probe, ...feeds.probes],
    stream(hub) {
      endStream = openMarketStream({ hub, market, instruments, clock });
    },
    async close() {
      endStream();
      await feeds.stop();
      subscriptions.close();
      await market.stop();
      await feeds.close();
      bus.close();
      await instruments.close();
      for (const agent of [...history.agents, ...archive.agents]) await agent.stop();
      await archive.close();
      longWork.stop();
    },
  };
}
