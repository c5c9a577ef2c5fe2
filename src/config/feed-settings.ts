// The settings of the market's feeds and of its recordings. Separate from market-settings.ts, which joins them to the others, because they are many
// and change with the venues. A row here without a reader elsewhere is a defect.

import { Type } from "@sinclair/typebox";
import type { Setting } from "./setting";

const webSocketPattern = "^wss?://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:\\d{1,5})?(/[^\\s?#@]*)?$";
const webSocketRule = "must be wss://HOST/PATH or ws://HOST:PORT/PATH, without user and parameters";

export const feedSettings = [
  {
    key: "market_deribit_currencies",
    schema: Type.Array(Type.String({ pattern: "^[A-Z0-9]{2,10}$" }), { maxItems: 20 }),
    default: ["BTC"],
    description: "Coins whose options and futures the feed from Deribit lists; separated by commas.",
    rule: "must be coins in capitals, such as BTC,ETH",
  },
  {
    key: "market_deribit_url",
    schema: Type.String({ pattern: webSocketPattern, maxLength: 300 }),
    default: "wss://www.deribit.com/ws/api/v2",
    description: "Where the feed from Deribit connects to.",
    rule: webSocketRule,
  },
  {
    key: "market_feed_silence_seconds",
    schema: Type.Integer({ minimum: 1, maximum: 3600 }),
    default: 60,
    description:
      "A feed that brings no quote for so long while its market is open is connected anew; so is a connection on which nothing at all comes.",
    rule: "must be a whole number from 1 to 3600",
  },
  {
    key: "market_feed_symbols",
    schema: Type.Array(Type.String({ minLength: 1, maxLength: 64, pattern: "^[^\\s,]+$" }), { maxItems: 1000 }),
    default: [],
    description:
      "Symbols that feeds are asked for in any case, beside those that somebody subscribes to; an underlying stands for all its contracts. Separated by commas.",
    rule: "must be symbols, separated by commas",
  },
  {
    key: "market_feeds",
    schema: Type.Array(Type.String({ pattern: "^(simulated|kite|deribit|replay:[^,\\x00-\\x1f]{1,1000})$" }), {
      maxItems: 20,
      uniqueItems: true,
    }),
    default: [],
    description:
      "Where quotes come from beside those that are posted: simulated, replay:FILE, kite, deribit; separated by commas. None by default.",
    rule: "must be simulated, kite, deribit or replay:FILE, each once, separated by commas",
  },
  {
    key: "market_kite_access_token",
    schema: Type.String({ pattern: "^[\\x21-\\x7e]{1,500}$" }),
    default: undefined,
    description:
      "Access token of the day for the feed from Kite. Better market_kite_access_token_file: it needs no restart.",
    rule: "must be a token without spaces",
    isSecret: true,
  },
  {
    key: "market_kite_access_token_file",
    schema: Type.String({ minLength: 1, maxLength: 4096 }),
    default: undefined,
    description: "File that holds Kite's access token of the day; read anew before each connection.",
    rule: "must be the path of a file",
  },
  {
    key: "market_kite_api_key",
    schema: Type.String({ pattern: "^[\\x21-\\x7e]{1,200}$" }),
    default: undefined,
    description: "API key for the feed from Kite.",
    rule: "must be a key without spaces",
    isSecret: true,
  },
  {
    key: "market_kite_instruments_file",
    schema: Type.String({ minLength: 1, maxLength: 4096 }),
    default: undefined,
    description: "Kite's list of instruments as downloaded (CSV): which number stands for which contract.",
    rule: "must be the path of a file",
  },
  {
    key: "market_kite_url",
    schema: Type.String({ pattern: webSocketPattern, maxLength: 300 }),
    default: "wss://ws.kite.trade",
    description: "Where the feed from Kite connects to.",
    rule: webSocketRule,
  },
  {
    key: "market_record_dir",
    schema: Type.String({ minLength: 1, maxLength: 4096 }),
    default: undefined,
    description:
      "Folder that quotes are recorded to, a file an hour, for replays. None by default: nothing is recorded.",
    rule: "must be the path of a folder",
  },
  {
    key: "market_record_megabytes_max",
    schema: Type.Integer({ minimum: 1, maximum: 10_000_000 }),
    default: 4096,
    description: "What all recordings may take together; the oldest are deleted.",
    rule: "must be a whole number from 1 to 10000000",
  },
  {
    key: "market_replay_speed",
    schema: Type.Number({ minimum: 0, maximum: 1_000_000 }),
    default: 1,
    description: "How many times as fast as it was received a recording is played; 0: as fast as the market takes it.",
    rule: "must be a number from 0 to 1000000",
  },
  {
    key: "market_replay_times",
    schema: Type.Union([Type.Literal("recorded"), Type.Literal("now")]),
    default: "now",
    description:
      "Whether a replay's quotes keep the moments they were recorded with, or are moved as though the session began now.",
    rule: "must be recorded or now",
  },
  {
    key: "market_simulated_agitation",
    schema: Type.Number({ minimum: 0, maximum: 100 }),
    default: 1,
    description: "How many times the usual volatility the simulated market's spots have.",
    rule: "must be a number from 0 to 100",
  },
  {
    key: "market_simulated_disturbances",
    schema: Type.Array(
      Type.Union([
        ...[Type.Literal("bursts"), Type.Literal("gaps"), Type.Literal("duplicates"), Type.Literal("late")],
        ...[Type.Literal("crossed"), Type.Literal("nonsense")],
      ]),
      { maxItems: 6 },
    ),
    default: [],
    description: "What the simulated market does wrong, for tests: bursts, gaps, duplicates, late, crossed, nonsense.",
    rule: "must be of bursts, gaps, duplicates, late, crossed, nonsense, separated by commas",
  },
  {
    key: "market_simulated_expiries",
    schema: Type.Integer({ minimum: 0, maximum: 40 }),
    default: 8,
    description: "Expiries of each underlying that the simulated market lists at a time.",
    rule: "must be a whole number from 0 to 40",
  },
  {
    key: "market_simulated_seed",
    schema: Type.Integer({ minimum: 0, maximum: 9_007_199_254_740_991 }),
    default: 1,
    description: "Seed of the simulated market: the same seed begun at the same moment gives the same quotes.",
    rule: "must be a whole number from 0 to 9007199254740991",
  },
  {
    key: "market_simulated_strikes",
    schema: Type.Integer({ minimum: 1, maximum: 1000 }),
    default: 40,
    description:
      "Strikes that an expiry of the simulated market has when it is listed; it may come to have twice as many.",
    rule: "must be a whole number from 1 to 1000",
  },
  {
    key: "market_simulated_ticks_per_second",
    schema: Type.Integer({ minimum: 1, maximum: 100_000 }),
    default: 100,
    description: "Quotes that the simulated market gives in a second; one in fifty is an underlying's.",
    rule: "must be a whole number from 1 to 100000",
  },
  {
    key: "market_simulated_underlyings",
    schema: Type.Array(Type.String({ pattern: "^[A-Z][A-Z0-9]{0,5}:[0-9]{1,5}(\\.[0-9]{1,3})?$" }), {
      minItems: 1,
      maxItems: 100,
    }),
    default: ["SPX:5800"],
    description: "Underlyings of the simulated market with the spot they begin at, as SPX:5800,AAPL:230.5.",
    rule: "must be NAME:SPOT, separated by commas",
  },
] as const satisfies readonly Setting[];

/** The feeds' part of the configuration. */
export interface FeedsConfig {
  /** simulated, kite, deribit, replay:FILE. */
  readonly names: readonly string[];
  readonly symbols: readonly string[];
  readonly silenceMilliseconds: number;
  readonly replay: { readonly speed: number; readonly times: "recorded" | "now" };
  readonly simulated: {
    readonly seed: number;
    readonly underlyings: readonly { readonly symbol: string; readonly spot: number }[];
    readonly expiryCount: number;
    readonly strikeCount: number;
    readonly ticksPerSecond: number;
    readonly agitation: number;
    readonly disturbances: readonly string[];
  };
  readonly kite: {
    readonly url: string;
    /** A secret. */
    readonly apiKey: string | null;
    /** A secret. */
    readonly accessToken: string | null;
    readonly accessTokenFile: string | null;
    readonly instrumentsFile: string | null;
  };
  readonly deribit: { readonly url: string; readonly currencies: readonly string[] };
  /** Null: nothing is recorded. */
  readonly record: { readonly folder: string; readonly bytesMax: number } | null;
}

/** What the settings' values say. */
export function feedsConfigOf(get: <T>(key: (typeof feedSettings)[number]["key"]) => T): FeedsConfig {
  const folder = get<string | undefined>("market_record_dir");
  return Object.freeze({
    names: get<string[]>("market_feeds"),
    symbols: get<string[]>("market_feed_symbols"),
    silenceMilliseconds: get<number>("market_feed_silence_seconds") * 1000,
    replay: Object.freeze({
      speed: get<number>("market_replay_speed"),
      times: get<"recorded" | "now">("market_replay_times"),
    }),
    simulated: Object.freeze({
      seed: get<number>("market_simulated_seed"),
      underlyings: get<string[]>("market_simulated_underlyings").map((text) => {
        const [symbol = "", spot] = text.split(":");
        return { symbol, spot: Number(spot) };
      }),
      expiryCount: get<number>("market_simulated_expiries"),
      strikeCount: get<number>("market_simulated_strikes"),
      ticksPerSecond: get<number>("market_simulated_ticks_per_second"),
      agitation: get<number>("market_simulated_agitation"),
      disturbances: get<string[]>("market_simulated_disturbances"),
    }),
    kite: Object.freeze({
      url: get<string>("market_kite_url"),
      apiKey: get<string | undefined>("market_kite_api_key") ?? null,
      accessToken: get<string | undefined>("market_kite_access_token") ?? null,
      accessTokenFile: get<string | undefined>("market_kite_access_token_file") ?? null,
      instrumentsFile: get<string | undefined>("market_kite_instruments_file") ?? null,
    }),
    deribit: Object.freeze({
      url: get<string>("market_deribit_url"),
      currencies: get<string[]>("market_deribit_currencies"),
    }),
    record: folder === undefined ? null : { folder, bytesMax: get<number>("market_record_megabytes_max") * 2 ** 20 },
  });
}
