// The feeds that the settings name, and the recorder: made here, because only here are both the venues' adapters and the market known. Separate
// from the live market's composition, which hands over what they need. A feed that was not asked for costs nothing.

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { DeribitFeed } from "../adapters/feeds/deribit";
import { KiteFeed } from "../adapters/feeds/kite";
import { type KiteInstruments, readKiteInstruments } from "../adapters/feeds/kite-instruments";
import { Recorder } from "../adapters/feeds/recorder";
import { ReplayFeed } from "../adapters/feeds/replay";
import { SimulatedFeed } from "../adapters/feeds/simulated";
import type { Disturbance } from "../adapters/feeds/simulated-market";
import type { FeedsConfig } from "../config/feed-settings";
import type { Calendars } from "../domain/business-calendar";
import type { Instrument } from "../domain/instrument";
import { marketHours, sessionAt } from "../domain/market-hours";
import {
  createFeeds,
  type FeedPlan,
  type Feeds,
  isTroubled,
  observeFeeds,
  type QuoteTaker,
} from "../features/feeds/service";
import type { Probe } from "../features/health/service";
import type { Ticked } from "../features/market/service";
import type { Agent } from "../foundation/agent";
import type { Clock, EpochMicroseconds } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import type { Topic } from "../foundation/event-bus";
import type { Interest } from "../foundation/interest";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import type { Metrics } from "../telemetry/metrics";

export interface MarketFeedsOptions {
  readonly config: FeedsConfig;
  readonly market: QuoteTaker & { readonly interest: Interest; readonly ticked: Topic<Ticked> };
  readonly instruments: {
    find(symbol: string): Instrument | null;
    list(listed: readonly Instrument[]): unknown;
    ofUnderlying(underlying: string): readonly Instrument[];
    onListed(told: (listed: readonly Instrument[]) => void): unknown;
    onUnlisted(told: (gone: readonly Instrument[]) => void): unknown;
  };
  readonly calendars: Calendars;
  /** Whether this process is the one that feeds the market. */
  readonly isLeading?: () => boolean;
  /** The mode of the market runs the simulated feed though the settings do not name it. */
  readonly maySimulate?: boolean;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface MarketFeeds {
  readonly feeds: Feeds;
  readonly agents: readonly Agent[];
  readonly probes: readonly Probe[];
  /** Ends the feeds: the market gets nothing more of them. */
  stop(): Promise<void>;
  /** Writes what was told to the last; once the market has told everything. */
  close(): Promise<void>;
}

/** Makes everything and starts nothing: the agents do. Throws BsoptError `invalid` where a feed lacks what it needs. */
export function openMarketFeeds(options: MarketFeedsOptions): MarketFeeds {
  const { config, market, instruments, metrics, clock, log } = options;
  const feeds = createFeeds({
    plans: plansOf(options),
    taker: market,
    list: (listed) => instruments.list(listed),
    interest: market.interest,
    underlyingOf: (symbol) => instruments.find(symbol)?.underlying ?? null,
    ...(options.isLeading && { isLeading: options.isLeading }),
    silenceMillisecondsMax: config.silenceMilliseconds,
    ...{ clock, log },
  });
  // Until the market's mode says so.
  if (!config.names.includes("simulated")) feeds.permit("simulated", false);
  observeFeeds(metrics, feeds);
  if (config.symbols.length > 0) wantAlways(config.symbols, options);
  const recorder = config.record && new Recorder({ ...config.record, clock, log });
  if (recorder) market.ticked.subscribe("recorder", ({ quotes, at }) => recorder.record(quotes, at));
  metrics.feed("bsopt_recording_quotes_total", () => [{ labels: {}, value: recorder?.writtenCount ?? 0 }]);
  metrics.feed("bsopt_recording_dropped_total", () => [{ labels: {}, value: recorder?.droppedCount ?? 0 }]);
  return {
    feeds,
    agents: [...feeds.agents, ...(recorder ? [recorder.agent] : [])],
    probes: feeds.agents.length === 0 ? [] : [feedsProbe(feeds, clock)],
    stop: () => feeds.close(),
    async close() {
      await recorder?.flush().catch((error: unknown) => log.error({ err: error }, "the last quotes are not recorded"));
    },
  };
}

function feedsProbe(feeds: Feeds, clock: Clock): Probe {
  return {
    component: "feeds",
    isRequired: false,
    check: () =>
      feeds.statuses().some((status) => isTroubled(status, clock.nowMicroseconds()))
        ? { status: "degraded", message: "a feed delivers nothing" }
        : { status: "ok" },
  };
}

/** Symbols that the settings name are wanted as long as the process runs, an underlying's contracts as long as they are listed. */
function wantAlways(symbols: readonly string[], { market, instruments }: MarketFeedsOptions): void {
  const named = new Set(symbols);
  const wanted = new Set(symbols);
  const isNamed = ({ symbol, underlying }: Instrument) => named.has(symbol) || named.has(underlying);
  const add = (listed: readonly Instrument[]) => {
    const added = listed.filter((instrument) => isNamed(instrument) && !wanted.has(instrument.symbol));
    for (const { symbol } of added) wanted.add(symbol);
    market.interest.want(added.map(({ symbol }) => symbol));
  };
  market.interest.want(symbols);
  for (const symbol of symbols) add(instruments.ofUnderlying(symbol));
  instruments.onListed(add);
  instruments.onUnlisted((gone) => {
    const ended = gone.filter(({ symbol }) => wanted.delete(symbol)).map(({ symbol }) => symbol);
    market.interest.unwant(ended);
  });
}

function plansOf(options: MarketFeedsOptions): FeedPlan[] {
  const names = [...options.config.names];
  if (options.maySimulate && !names.includes("simulated")) names.push("simulated");
  return names.map((name) => planOf(name, options));
}

function planOf(name: string, { config, calendars, clock, random }: MarketFeedsOptions): FeedPlan {
  const always = () => true;
  const { silenceMilliseconds } = config;
  const connection = { clock, random, silenceMillisecondsMax: silenceMilliseconds };
  if (name.startsWith("replay:")) {
    const path = name.slice("replay:".length);
    const create = () => new ReplayFeed({ path, ...config.replay, clock });
    return { name: `replay:${basename(path)}`, kind: "replay", create, gives: "all", canWait: true, isOpen: always };
  }
  switch (name) {
    case "simulated": {
      const disturbances = config.simulated.disturbances as readonly Disturbance[];
      const create = () => new SimulatedFeed({ ...config.simulated, disturbances, clock });
      return { name, kind: "simulated", create, gives: "all", canWait: false, isOpen: always };
    }
    case "deribit": {
      const create = () => new DeribitFeed({ ...config.deribit, ...connection });
      return { name, kind: "deribit", create, gives: "wanted", canWait: false, isOpen: always };
    }
    default: {
      const { apiKey, instrumentsFile } = config.kite;
      if (apiKey === null) throw lacking("market_kite_api_key");
      if (instrumentsFile === null) throw lacking("market_kite_instruments_file");
      if (config.kite.accessToken === null && config.kite.accessTokenFile === null) {
        throw lacking("market_kite_access_token or market_kite_access_token_file");
      }
      const create = () =>
        new KiteFeed({
          ...{ url: config.kite.url, apiKey, accessToken: () => kiteToken(config.kite), ...connection },
          instruments: () => kiteInstruments(instrumentsFile),
        });
      const hours = marketHours(calendars).get("nse");
      const isOpen = (at: EpochMicroseconds) => !hours || sessionAt(hours, at)?.session === "open";
      return { name: "kite", kind: "kite", create, gives: "wanted", canWait: false, isOpen };
    }
  }
}

function lacking(what: string): BsoptError {
  return new BsoptError({
    reason: "invalid",
    code: "FEED_INCOMPLETE",
    detail: `The feed from Kite needs ${what}.`,
    hint: "Set it, or take kite out of market_feeds.",
  });
}

/** What went wrong is told to whoever may read the market: without the folder. */
async function kiteInstruments(path: string): Promise<KiteInstruments> {
  try {
    return await readKiteInstruments(createReadStream(path), basename(path));
  } catch (cause) {
    throw cause instanceof BsoptError ? cause : new Error("the list of Kite's instruments cannot be read", { cause });
  }
}

/** A new day's token is in the file before the day's first connection. */
async function kiteToken({ accessToken, accessTokenFile }: FeedsConfig["kite"]): Promise<string> {
  if (accessTokenFile === null) return accessToken!;
  let text: string;
  try {
    text = (await readFile(accessTokenFile, "utf8")).trim();
  } catch {
    throw new Error("the access token's file cannot be read");
  }
  if (!/^[\x21-\x7e]{1,500}$/.test(text)) throw new Error("the access token's file holds no token");
  return text;
}
