// The settings of the live market: instruments, quotes, streams, feeds, history. Separate from settings.ts, which joins them to the others,
// because there are many. A row here without a reader elsewhere is a defect.

import { Type } from "@sinclair/typebox";
import { type FeedsConfig, feedSettings, feedsConfigOf } from "./feed-settings";
import type { Setting } from "./setting";

/** When a simulated market stands in for the real one. */
export const simulationPolicies = ["off", "when_closed", "always"] as const;
export type SimulationPolicy = (typeof simulationPolicies)[number];

/** Calendars whose hours are known (domain/market-hours, which this room may not know; a test holds the two together). */
export const marketCalendars = ["cboe", "deribit", "new_york", "nse"] as const;
export type MarketCalendar = (typeof marketCalendars)[number];

export const marketSettings = [
  {
    key: "market_auto_list",
    schema: Type.Boolean(),
    default: true,
    description:
      "Whether a quote's symbol that nobody listed is listed by the rules of its exchange, its underlying with it. Off: such quotes are refused.",
    rule: "must be true or false",
  },
  {
    key: "market_batch_ms",
    schema: Type.Integer({ minimum: 0, maximum: 1_000 }),
    default: 1,
    description: "How long a quote waits for others to be worked off with, at most, in milliseconds.",
    rule: "must be a whole number from 0 to 1000",
  },
  {
    key: "market_batch_quotes",
    schema: Type.Integer({ minimum: 1, maximum: 10_000 }),
    default: 512,
    description: "Quotes that are worked off together at most.",
    rule: "must be a whole number from 1 to 10000",
  },
  {
    key: "market_bus",
    schema: Type.Union([Type.Literal("none"), Type.Literal("redis"), Type.Literal("nats")]),
    default: "none",
    description:
      "Over what several processes share one live market: redis (at redis_url), nats (at nats_url), or none: then only the process that leads the market serves it.",
    rule: "must be none, redis or nats",
  },
  {
    key: "market_candles_days",
    schema: Type.Integer({ minimum: 1, maximum: 36_500 }),
    default: 1_825,
    description: "For how many days candles are kept.",
    rule: "must be a whole number from 1 to 36500",
  },
  {
    key: "market_checkpoints_hours",
    schema: Type.Integer({ minimum: 1, maximum: 876_000 }),
    default: 24,
    description:
      "For how many hours every checkpoint of a chain is kept; of older ones the first of each hour is, so that past moments take longer to look up.",
    rule: "must be a whole number from 1 to 876000",
  },
  {
    key: "market_instruments_max",
    schema: Type.Integer({ minimum: 1, maximum: 5_000_000 }),
    default: 200_000,
    description:
      "Most instruments listed at once; each takes about half a kilobyte of memory. Further ones are left out.",
    rule: "must be a whole number from 1 to 5000000",
  },
  {
    key: "market_queue_quotes",
    schema: Type.Integer({ minimum: 10_000, maximum: 1_000_000 }),
    default: 65_536,
    description:
      "Quotes that may wait. From half of it on only the newest of each symbol waits, from nine tenths on the oldest goes, and what does not fit is refused.",
    rule: "must be a whole number from 10000 to 1000000",
  },
  {
    key: "market_quotes_days",
    schema: Type.Integer({ minimum: 1, maximum: 36_500 }),
    default: 30,
    description: "For how many days quotes are kept: any moment since can be asked for by as_of.",
    rule: "must be a whole number from 1 to 36500",
  },
  {
    key: "market_rate",
    schema: Type.Number({ minimum: -1, maximum: 1 }),
    default: undefined,
    description:
      "Continuous interest rate that live chains are discounted at, 0.04 being 4 %. Default: what put-call parity tells for each expiry.",
    rule: "must be a number from -1 to 1",
  },
  {
    key: "market_refit_ms",
    schema: Type.Integer({ minimum: 50, maximum: 3_600_000 }),
    default: 1_000,
    description:
      "Milliseconds between two fits of one underlying's forwards and volatilities, at least; in between they move with the spot.",
    rule: "must be a whole number from 50 to 3600000",
  },
  {
    key: "market_simulate",
    schema: Type.Union(simulationPolicies.map((policy) => Type.Literal(policy))),
    default: "off",
    description:
      "When a simulated market stands in for the real one: off, when_closed (whenever the exchange of market_simulate_calendar is closed), or always.",
    rule: "must be off, when_closed or always",
  },
  {
    key: "market_simulate_calendar",
    schema: Type.Union(marketCalendars.map((name) => Type.Literal(name))),
    default: "new_york",
    description:
      "The calendar by whose hours market_simulate goes: new_york, cboe, nse, or deribit, which never closes.",
    rule: "must be cboe, deribit, new_york or nse",
  },
  {
    key: "market_spot_stale_seconds",
    schema: Type.Integer({ minimum: 1, maximum: 604_800 }),
    default: 60,
    description:
      "Seconds after which an underlying's own quote no longer is its spot, where put-call parity of its options tells one.",
    rule: "must be a whole number from 1 to 604800",
  },
  {
    key: "market_stale_seconds",
    schema: Type.Integer({ minimum: 1, maximum: 604_800 }),
    default: 60,
    description: "Seconds after which an option's quote is marked stale and no longer used.",
    rule: "must be a whole number from 1 to 604800",
  },
  {
    key: "market_valuations_per_second",
    schema: Type.Integer({ minimum: 1, maximum: 1_000 }),
    default: 100,
    description: "How often one underlying's chain is valued in a second, at most.",
    rule: "must be a whole number from 1 to 1000",
  },
  {
    key: "market_volatility",
    schema: Type.Union([Type.Literal("surface"), Type.Literal("quote")]),
    default: "surface",
    description:
      "Volatility that live options are priced at: surface, the one fitted to all quotes of the underlying, or quote, the option's own; each stands in where the other is missing.",
    rule: "must be surface or quote",
  },
  {
    key: "stream_buffer_bytes",
    schema: Type.Integer({ minimum: 4096, maximum: 524_288 }),
    default: 65_536,
    description:
      "Bytes that may wait for a WebSocket client to read before it is taken off its channels until it has caught up.",
    rule: "must be a whole number from 4096 to 524288",
  },
  {
    key: "stream_channels_per_connection_max",
    schema: Type.Integer({ minimum: 1, maximum: 100_000 }),
    default: 200,
    description: "Most channels that one WebSocket connection may listen to.",
    rule: "must be a whole number from 1 to 100000",
  },
  {
    key: "stream_connections_max",
    schema: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    default: 20_000,
    description:
      "Most WebSocket connections to one process; further ones are told to come back. The limit of open files must allow them.",
    rule: "must be a whole number from 1 to 1000000",
  },
  {
    key: "stream_connections_per_address_max",
    schema: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    default: 1_000,
    description: "Most WebSocket connections from one address to one process.",
    rule: "must be a whole number from 1 to 1000000",
  },
  {
    key: "stream_connections_per_user_max",
    schema: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    default: 200,
    description: "Most WebSocket connections of one user to one process.",
    rule: "must be a whole number from 1 to 1000000",
  },
  {
    key: "stream_message_bytes_max",
    schema: Type.Integer({ minimum: 1024, maximum: 1_048_576 }),
    default: 65_536,
    description: "Largest message that a WebSocket client may send, in bytes.",
    rule: "must be a whole number from 1024 to 1048576",
  },
  {
    key: "stream_messages_per_second",
    schema: Type.Integer({ minimum: 1, maximum: 100_000 }),
    default: 50,
    description: "How many messages one WebSocket connection may send in a second; twice as many may come at once.",
    rule: "must be a whole number from 1 to 100000",
  },
  {
    key: "stream_slow_seconds",
    schema: Type.Integer({ minimum: 1, maximum: 600 }),
    default: 10,
    description:
      "How long a WebSocket client that was taken off its channels may take to catch up before it is closed.",
    rule: "must be a whole number from 1 to 600",
  },
  ...feedSettings,
  {
    key: "subscriptions_per_user_max",
    schema: Type.Integer({ minimum: 1, maximum: 10_000 }),
    default: 100,
    description: "Most subscriptions that one user may have, in all accounts together.",
    rule: "must be a whole number from 1 to 10000",
  },
] as const satisfies readonly Setting[];

/** The live market's part of the configuration. */
export interface MarketConfig {
  readonly feeds: FeedsConfig;
  readonly pipeline: {
    readonly queueMax: number;
    readonly batchMax: number;
    readonly flushMilliseconds: number;
    readonly valuationsPerSecond: number;
    readonly refitMilliseconds: number;
  };
  /** What every book judges and values by. */
  readonly book: {
    readonly volatility: "surface" | "quote";
    readonly staleMicroseconds: number;
    readonly spotStaleMicroseconds: number;
    readonly rate: number | null;
    readonly dividendYield: number | null;
  };
  readonly sharing: { readonly bus: "none" | "redis" | "nats" };
  readonly subscriptions: { readonly perUserMax: number };
  readonly instruments: { readonly isAutoListed: boolean; readonly instrumentsMax: number };
  readonly simulation: { readonly policy: SimulationPolicy; readonly calendar: MarketCalendar };
  readonly history: {
    readonly quotesDays: number;
    readonly checkpointsHours: number;
    readonly candlesDays: number;
  };
  readonly stream: {
    readonly bufferBytesMax: number;
    readonly slowMillisecondsMax: number;
    readonly messageBytesMax: number;
    readonly messagesPerSecond: number;
    readonly channelsPerConnectionMax: number;
    readonly connectionsMax: number;
    readonly connectionsPerUserMax: number;
    readonly connectionsPerAddressMax: number;
  };
}

/** What the settings' values say. */
export function marketConfigOf(get: <T>(key: (typeof marketSettings)[number]["key"]) => T): MarketConfig {
  return Object.freeze({
    feeds: feedsConfigOf(get),
    pipeline: Object.freeze({
      queueMax: get<number>("market_queue_quotes"),
      batchMax: get<number>("market_batch_quotes"),
      flushMilliseconds: get<number>("market_batch_ms"),
      valuationsPerSecond: get<number>("market_valuations_per_second"),
      refitMilliseconds: get<number>("market_refit_ms"),
    }),
    book: Object.freeze({
      volatility: get<"surface" | "quote">("market_volatility"),
      staleMicroseconds: get<number>("market_stale_seconds") * 1e6,
      spotStaleMicroseconds: get<number>("market_spot_stale_seconds") * 1e6,
      rate: get<number | undefined>("market_rate") ?? null,
      dividendYield: null,
    }),
    sharing: Object.freeze({ bus: get<"none" | "redis" | "nats">("market_bus") }),
    subscriptions: Object.freeze({ perUserMax: get<number>("subscriptions_per_user_max") }),
    instruments: Object.freeze({
      isAutoListed: get<boolean>("market_auto_list"),
      instrumentsMax: get<number>("market_instruments_max"),
    }),
    simulation: Object.freeze({
      policy: get<SimulationPolicy>("market_simulate"),
      calendar: get<MarketCalendar>("market_simulate_calendar"),
    }),
    history: Object.freeze({
      quotesDays: get<number>("market_quotes_days"),
      checkpointsHours: get<number>("market_checkpoints_hours"),
      candlesDays: get<number>("market_candles_days"),
    }),
    stream: Object.freeze({
      bufferBytesMax: get<number>("stream_buffer_bytes"),
      slowMillisecondsMax: get<number>("stream_slow_seconds") * 1000,
      messageBytesMax: get<number>("stream_message_bytes_max"),
      messagesPerSecond: get<number>("stream_messages_per_second"),
      channelsPerConnectionMax: get<number>("stream_channels_per_connection_max"),
      connectionsMax: get<number>("stream_connections_max"),
      connectionsPerUserMax: get<number>("stream_connections_per_user_max"),
      connectionsPerAddressMax: get<number>("stream_connections_per_address_max"),
    }),
  });
}
