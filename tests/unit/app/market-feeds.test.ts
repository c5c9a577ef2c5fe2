// The feeds as settings name them: each speaks to its server or plays its file, a folder of recordings fills, and what is lacking is said in words.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRecordingFile, recordingLine } from "../../../src/adapters/feeds/recording";
import { type MarketFeeds, type MarketFeedsOptions, openMarketFeeds } from "../../../src/app/market-feeds";
import { loadConfig } from "../../../src/config/config";
import type { FeedsConfig } from "../../../src/config/feed-settings";
import { builtInCalendars } from "../../../src/domain/exchange-calendars";
import type { Instrument } from "../../../src/domain/instrument";
import { instrumentFromSymbol } from "../../../src/domain/instrument-symbol";
import type { Quote } from "../../../src/domain/quote";
import type { Ticked } from "../../../src/features/market/service";
import { systemClock } from "../../../src/foundation/clock";
import { BsoptError } from "../../../src/foundation/errors";
import { createEventBus, type EventBus } from "../../../src/foundation/event-bus";
import { Interest } from "../../../src/foundation/interest";
import { silentLog } from "../../../src/foundation/log";
import { seededRandom } from "../../../src/foundation/random";
import { createMetrics } from "../../../src/telemetry/metrics";
import { quoteOf, until } from "../../harness/feeds";
import { DeribitServer, KiteServer, kiteMessage, kitePacket } from "../../harness/venue-servers";

let folder = "";
const closes: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "market-feeds-"));
});
afterEach(async () => {
  for (const close of closes.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true });
});

const calendars = builtInCalendars();

function feedsConfig(settings: Record<string, string>): FeedsConfig {
  return loadConfig({ flags: {}, environment: settings, file: null }).market.feeds;
}

function open(settings: Record<string, string>, more: Partial<MarketFeedsOptions> = {}) {
  const taken: Quote[] = [];
  const listed = new Map<string, Instrument>();
  const listeners: ((listed: readonly Instrument[]) => void)[] = [];
  const endings: ((gone: readonly Instrument[]) => void)[] = [];
  const bus = createEventBus({ clock: systemClock });
  const ticked = bus.topic<Ticked>({ name: "market.ticked", overflow: "drop_oldest" });
  const interest = new Interest();
  const metrics = createMetrics();
  const opened = openMarketFeeds({
    config: feedsConfig(settings),
    market: {
      interest,
      ticked,
      ingest(batch) {
        taken.push(...batch);
        void ticked.publish({ underlying: "any", quotes: batch, at: systemClock.nowMicroseconds() });
        return { accepted: batch.length };
      },
    },
    instruments: {
      find: (symbol) => {
        const found = listed.get(symbol) ?? instrumentFromSymbol(symbol, { calendars });
        return typeof found === "string" ? null : found;
      },
      list(some) {
        for (const instrument of some) listed.set(instrument.symbol, instrument);
        for (const told of listeners) told(some);
      },
      ofUnderlying: (underlying) => [...listed.values()].filter((each) => each.underlying === underlying),
      onListed: (told) => listeners.push(told),
      onUnlisted: (told) => endings.push(told),
    },
    ...{ calendars, metrics, clock: systemClock, random: seededRandom(1n), log: silentLog },
    ...more,
  });
  closes.push(() => stop(opened, bus));
  for (const agent of opened.agents) agent.start();
  return {
    ...opened,
    taken,
    listed,
    interest,
    metrics,
    bus,
    unlist: (gone: Instrument[]) => endings.map((told) => told(gone)),
  };
}

async function stop(opened: MarketFeeds, bus: EventBus) {
  await opened.stop();
  await bus.drain();
  await opened.close();
  await Promise.all(opened.agents.map((agent) => agent.stop()));
}

describe("feeds by the settings", () => {
  test("named none are none: no loop, no check, no socket", () => {
    const { agents, probes, feeds } = open({});
    expect(agents).toEqual([]);
    expect(probes).toEqual([]);
    expect(feeds.statuses()).toEqual([]);
  });

  test("simulated: the market that is set", async () => {
    const { taken, listed, feeds, probes } = open({
      ...{ BSOPT_MARKET_FEEDS: "simulated", BSOPT_MARKET_SIMULATED_UNDERLYINGS: "SPX:5800,AAPL:230.5" },
      ...{
        BSOPT_MARKET_SIMULATED_EXPIRIES: "2",
        BSOPT_MARKET_SIMULATED_STRIKES: "10",
        BSOPT_MARKET_SIMULATED_SEED: "7",
      },
      ...{ BSOPT_MARKET_SIMULATED_TICKS_PER_SECOND: "5000", BSOPT_MARKET_SIMULATED_DISTURBANCES: "duplicates,late" },
      BSOPT_MARKET_SIMULATED_AGITATION: "2.5",
    });
    await until(() => taken.length > 300, "quotes");
    expect(taken.slice(0, 2).map(({ symbol }) => symbol)).toEqual(["SPX", "AAPL"]);
    expect(listed.size).toBeGreaterThanOrEqual(2 + 2 * 2 * 10 * 2);
    expect(taken.some((quote, index) => index > 0 && quote === taken[index - 1])).toBe(true);
    expect(feeds.statuses()[0]).toMatchObject({ name: "simulated", state: "live" });
    expect(await probes[0]!.check(new AbortController().signal)).toEqual({ status: "ok" });
  });

  test("a recording by its name without its folder, at the speed that is set", async () => {
    const path = join(folder, "session.ndjson");
    const at = 1_795_186_800_000_000n;
    const lines = [0n, 86_400n].map((seconds) => {
      const receivedAt = at + seconds * 1_000_000n;
      return recordingLine({ receivedAt, quote: quoteOf({ symbol: "SPX", at: receivedAt }) });
    });
    writeFileSync(path, lines.join(""));
    const { taken, feeds } = open({
      ...{
        BSOPT_MARKET_FEEDS: `replay:${path}`,
        BSOPT_MARKET_REPLAY_SPEED: "0",
        BSOPT_MARKET_REPLAY_TIMES: "recorded",
      },
    });
    await until(() => feeds.statuses()[0]!.state === "ended", "its end");
    expect(taken.map(({ at }) => at)).toEqual([at, at + 86_400_000_000n]);
    expect(feeds.statuses()[0]!.name).toBe("replay:session.ndjson");
  });

  test("deribit: its contracts, all of those that are set to be wanted in any case", async () => {
    const server = new DeribitServer();
    closes.push(() => server.stop());
    server.list("BTC-25DEC26-90000-C");
    server.list("BTC-25DEC26-95000-C");
    const { taken, feeds, interest, listed, unlist } = open({
      ...{
        BSOPT_MARKET_FEEDS: "deribit",
        BSOPT_MARKET_DERIBIT_URL: server.url,
        BSOPT_MARKET_FEED_SYMBOLS: "deribit:BTC",
      },
    });
    await until(() => feeds.statuses()[0]!.confirmedCount === 3, "the subscriptions");
    server.ticker("BTC-25DEC26-95000-C");
    await until(() => taken.length === 1, "a quote");
    expect(taken[0]!.symbol).toBe("deribit:BTC-25DEC26-95000-C");
    unlist([listed.get("deribit:BTC-25DEC26-95000-C")!]);
    expect(interest.has("deribit:BTC-25DEC26-95000-C")).toBe(false);
    await until(() => feeds.statuses()[0]!.confirmedCount === 2, "one subscription less");
  });

  test("TKN-001 kite: the token that its file holds at the time of each connection", async () => {
    const server = new KiteServer();
    closes.push(() => server.stop());
    const [tokens, list] = [join(folder, "token"), join(folder, "instruments.csv")];
    writeFileSync(tokens, "monday's\n");
    const token = 45_001 * 256 + 2;
    writeFileSync(
      list,
      `instrument_token,tradingsymbol,strike,tick_size,lot_size,instrument_type,exchange\n${token},NIFTY26NOV24000CE,24000,0.05,65,CE,NFO\n`,
    );
    const { taken, feeds, interest } = open({
      ...{ BSOPT_MARKET_FEEDS: "kite", BSOPT_MARKET_KITE_URL: server.url, BSOPT_MARKET_KITE_API_KEY: "key" },
      ...{ BSOPT_MARKET_KITE_ACCESS_TOKEN_FILE: tokens, BSOPT_MARKET_KITE_INSTRUMENTS_FILE: list },
    });
    interest.want(["nse:NIFTY26NOV24000CE"]);
    await until(() => server.modes.get(token) === "full", "a subscription");
    server.send(kiteMessage([kitePacket(184, { 0: token, 4: 10_000, 60: 1_795_166_100 })]));
    await until(() => taken.length === 1, "a quote");
    writeFileSync(tokens, "tuesday's");
    server.hangUp();
    await until(() => server.connectionCount === 2, "a second connection");
    expect(server.searches.map((search) => search.get("access_token"))).toEqual(["monday's", "tuesday's"]);
    expect(feeds.statuses()[0]).toMatchObject({ kind: "kite", reconnectCount: 1 });
  });

  test.each([
    [
      "a token's file that is not there",
      { BSOPT_MARKET_KITE_ACCESS_TOKEN_FILE: "/nowhere/token" },
      "the access token's file cannot be read",
    ],
    [
      "a token's file without a token",
      { BSOPT_MARKET_KITE_ACCESS_TOKEN_FILE: "/dev/null" },
      "the access token's file holds no token",
    ],
    [
      "a list that is not there",
      { BSOPT_MARKET_KITE_ACCESS_TOKEN: "t", list: "/nowhere/list" },
      "the list of Kite's instruments cannot be read",
    ],
  ])("TKN-002 kite with %s tells so without its folder", async (_, settings: Record<string, string>, trouble) => {
    const list = join(folder, "list.csv");
    writeFileSync(list, "instrument_token,tradingsymbol,strike,tick_size,lot_size,instrument_type,exchange\n");
    const { list: other, ...rest } = settings;
    const { feeds } = open({
      ...{
        BSOPT_MARKET_FEEDS: "kite",
        BSOPT_MARKET_KITE_API_KEY: "k",
        BSOPT_MARKET_KITE_INSTRUMENTS_FILE: other ?? list,
      },
      ...rest,
    });
    await until(() => feeds.statuses()[0]!.lastTrouble !== null, "a trouble");
    expect(feeds.statuses()[0]!.lastTrouble).toBe(trouble);
  });

  test.each([
    [{}, "market_kite_api_key"],
    [{ BSOPT_MARKET_KITE_API_KEY: "k" }, "market_kite_instruments_file"],
    [{ BSOPT_MARKET_KITE_API_KEY: "k", BSOPT_MARKET_KITE_INSTRUMENTS_FILE: "x" }, "market_kite_access_token"],
  ])("kite without all it needs stops the start and says what is lacking: %j", (settings, lacking) => {
    expect(() => open({ BSOPT_MARKET_FEEDS: "kite", ...settings } as Record<string, string>)).toThrow(BsoptError);
    expect(() => open({ BSOPT_MARKET_FEEDS: "kite", ...settings } as Record<string, string>)).toThrow(lacking);
  });

  test("the market's mode may run the simulated feed though no setting names it, and only then", async () => {
    const { feeds, taken } = open({}, { maySimulate: true });
    expect(feeds.statuses()[0]!.state).toBe("idle");
    feeds.permit("simulated", true);
    await until(() => taken.length > 0, "quotes");
  });

  test("a folder of recordings holds what the market took, ready to be played", async () => {
    const { taken, metrics } = open({
      ...{ BSOPT_MARKET_FEEDS: "simulated", BSOPT_MARKET_RECORD_DIR: join(folder, "records") },
      ...{ BSOPT_MARKET_RECORD_MEGABYTES_MAX: "1", BSOPT_MARKET_SIMULATED_TICKS_PER_SECOND: "2000" },
    });
    await until(() => taken.length > 100, "quotes");
    const close = closes.pop()!;
    await close();
    const [name] = readdirSync(join(folder, "records"));
    const symbols: string[] = [];
    for await (const item of readRecordingFile(join(folder, "records", name!)))
      if ("quote" in item) symbols.push(item.quote.symbol);
    expect(symbols.length).toBeGreaterThan(100);
    expect(symbols).toEqual(taken.map(({ symbol }) => symbol));
    expect(await metrics.text()).toContain(`bsopt_recording_quotes_total ${symbols.length}`);
  });

  test.each([
    ["BSOPT_MARKET_FEEDS", "nasdaq"],
    ["BSOPT_MARKET_FEEDS", "simulated,simulated"],
    ["BSOPT_MARKET_SIMULATED_UNDERLYINGS", "SPX"],
    ["BSOPT_MARKET_SIMULATED_DISTURBANCES", "earthquakes"],
    ["BSOPT_MARKET_DERIBIT_URL", "https://deribit.com"],
    ["BSOPT_MARKET_KITE_URL", "wss://user:password@ws.kite.trade"],
    ["BSOPT_MARKET_REPLAY_SPEED", "-1"],
    ["BSOPT_MARKET_REPLAY_SPEED", "fast"],
    ["BSOPT_MARKET_FEED_SYMBOLS", "A B"],
  ])("a setting %s=%s is refused", (name, value) => {
    expect(() => feedsConfig({ [name]: value })).toThrow();
  });
});
