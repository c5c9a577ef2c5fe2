// Deribit's protocol over real sockets: what is listed, subscribed, confirmed and quoted; heartbeats answered; everything done again after a loss.

import { afterEach, describe, expect, test } from "bun:test";
import { DeribitFeed } from "../../../../src/adapters/feeds/deribit";
import {
  deribitInstrument,
  indexChannel,
  quoteFromIndex,
  quoteFromTicker,
} from "../../../../src/adapters/feeds/deribit-messages";
import { systemClock } from "../../../../src/foundation/clock";
import { seededRandom } from "../../../../src/foundation/random";
import { CollectingSink, until } from "../../../harness/feeds";
import { DeribitServer, tickerOf } from "../../../harness/venue-servers";

const option = "BTC-25DEC26-90000-C";
const at = 1_795_186_800_123_000n;

describe("S4.30 Deribit's messages", () => {
  test("have prices of options on a coin in dollars, by the price of the option's own future", () => {
    expect(quoteFromTicker(tickerOf(option))).toEqual({
      ...{ symbol: `deribit:${option}`, at, bid: 4520, ask: 4746, last: 4610.4, bidSize: 12.5, askSize: 3 },
      ...{ volume: 33.1, openInterest: 812.4, sourceSequence: null },
    });
  });

  test.each([
    ["BTC_USDC-25DEC26-90000-C", 0.05],
    ["BTC-25DEC26", 0.05],
    ["BTC-PERPETUAL", 0.05],
    ["XRP_USDC-25DEC26-2d5-P", 0.05],
  ])("have prices of %s as they are", (name, bid) => {
    expect(quoteFromTicker(tickerOf(name))).toMatchObject({ bid });
  });

  test("tell no side where there is none, and no price in dollars without the future's", () => {
    const none = Number.NaN;
    expect(
      quoteFromTicker(tickerOf(option, { best_bid_price: 0, best_ask_price: null, last_price: null })),
    ).toMatchObject({
      ...{ bid: none, ask: none, last: none },
    });
    expect(quoteFromTicker(tickerOf(option, { underlying_price: undefined }))).toMatchObject({ bid: none, ask: none });
    expect(quoteFromTicker(tickerOf(option, { stats: null, open_interest: "many" }))).toMatchObject({
      ...{ volume: none, openInterest: none },
    });
  });

  test.each([
    [null, "a ticker names no instrument"],
    [[1], "a ticker names no instrument"],
    [tickerOf(option, { timestamp: "now" }), "a ticker has no timestamp"],
    [tickerOf(option, { timestamp: 0 }), "a ticker has no timestamp"],
    [tickerOf(option, { timestamp: 1e300 }), "a ticker has no timestamp"],
  ])("that are no tickers say why: %j", (data, fault) => {
    expect(quoteFromTicker(data)).toBe(fault);
  });

  test.each([
    ["btc_usd", "deribit:BTC"],
    ["eth_usdc", "deribit:ETH_USDC"],
  ])("of the index %s are the spot of %s", (index_name, symbol) => {
    expect(quoteFromIndex({ index_name, price: 90_000.5, timestamp: 1_795_186_800_123 })).toMatchObject({
      symbol,
      at,
      last: 90_000.5,
    });
    expect(indexChannel(symbol)).toBe(`deribit_price_index.${index_name}`);
  });

  test.each([
    [{}, "an index has no name"],
    [{ index_name: "btc_usd", price: 1 }, "an index has no timestamp"],
    [{ index_name: "btc_usd", timestamp: 1, price: 0 }, "an index has no price"],
  ])("that are no index say why: %j", (data, fault) => {
    expect(quoteFromIndex(data)).toBe(fault);
  });

  test("list options by their rules, in dollars, with the exchange's own moment of expiry", () => {
    const listed = {
      instrument_name: option,
      tick_size: 0.0001,
      contract_size: 1,
      expiration_timestamp: 1_798_185_600_000,
    };
    expect(deribitInstrument(listed)).toEqual({
      ...{ symbol: `deribit:${option}`, kind: "option", underlying: "deribit:BTC", root: "BTC", strike: 90_000 },
      ...{ expiry: 1_798_185_600_000_000n, optionType: "call", style: "european", settlement: null, multiplier: 1 },
      ...{ tickSize: null, currency: "USD", calendar: "deribit" },
    });
    const linear = { ...listed, instrument_name: "SOL_USDC-25DEC26-150-P", tick_size: 0.01, contract_size: 10 };
    expect(deribitInstrument(linear)).toMatchObject({ currency: "USDC", tickSize: 0.01, multiplier: 10 });
  });

  test.each([
    null,
    5,
    {},
    { instrument_name: 5 },
    { instrument_name: "BTC-CS-28NOV26-90000_95000" },
    { instrument_name: "BTC" },
  ])("list nothing we have no name for: %j", (listed) => expect(deribitInstrument(listed)).toBeNull());
});

describe("S4.30 the feed from Deribit", () => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  function connect(silence = 60_000) {
    const server = new DeribitServer();
    server.list(option);
    server.list("BTC-25DEC26", { kind: "future" });
    server.list("BTC-CS-28NOV26-90000_95000", { kind: "option_combo" });
    const feed = new DeribitFeed({
      ...{ url: server.url, currencies: ["BTC"], clock: systemClock, random: seededRandom(2n) },
      silenceMillisecondsMax: silence,
      backoff: { baseMilliseconds: 2, waitMillisecondsMax: 10 },
    });
    const sink = new CollectingSink();
    feed.want(new Set([`deribit:${option}`, "deribit:BTC", "nse:NIFTY"]));
    stops.push(
      () => server.stop(),
      () => feed.stop(),
    );
    feed.start(sink);
    return { server, feed, sink };
  }

  test("lists, subscribes to what is wanted, knows what is confirmed, and gives its quotes", async () => {
    const { server, feed, sink } = connect();
    await until(() => feed.confirmed.size === 2 && sink.listed.length === 2, "the subscriptions and the list");
    expect([...server.channels].sort()).toEqual([
      ...["deribit_price_index.btc_usd", "instrument.state.future.BTC", "instrument.state.option.BTC"],
      `ticker.${option}.100ms`,
    ]);
    expect(sink.listed.map(({ symbol }) => symbol)).toEqual([`deribit:${option}`, "deribit:BTC-25DEC26"]);
    server.notify("deribit_price_index.btc_usd", {
      index_name: "btc_usd",
      price: 90_000,
      timestamp: 1_795_186_800_123,
    });
    server.ticker(option);
    await until(() => sink.taken.length === 2, "two quotes");
    expect(sink.taken.map(({ symbol }) => symbol)).toEqual(["deribit:BTC", `deribit:${option}`]);
    expect(sink.faults).toEqual([]);
  });

  test("answers when it is asked whether it lives, and takes a heartbeat for a sign of life", async () => {
    const { server } = connect(200);
    await until(() => server.channels.size === 4, "the subscriptions");
    for (let beat = 0; beat < 6; beat++) {
      server.heartbeat("heartbeat");
      await Bun.sleep(60);
    }
    expect(server.connectionCount).toBe(1);
    server.heartbeat("test_request");
    await until(() => server.requests.some(({ method }) => method === "public/test"), "the answer");
    expect(server.requests.find(({ method }) => method === "public/set_heartbeat")!.params).toEqual({ interval: 10 });
    await until(() => server.connectionCount === 2, "a second connection after a silence");
  });

  test("after a loss says so, lists and subscribes again", async () => {
    const { server, feed, sink } = connect();
    await until(() => feed.confirmed.size === 2, "the subscriptions");
    server.hangUp();
    await until(() => sink.states.length >= 3 && feed.confirmed.size === 2, "the subscriptions again");
    expect(sink.states).toEqual(["live", "connecting", "live"]);
    expect(sink.gaps).toEqual([{ missingCount: Number.NaN, detail: "closed with 1001" }]);
    server.ticker(option);
    await until(() => sink.taken.length === 1, "a quote");
  });

  test("takes on and lets go what is wanted, and drops what comes all the same", async () => {
    const { server, feed, sink } = connect();
    await until(() => feed.confirmed.size === 2, "the subscriptions");
    feed.want(new Set(["deribit:BTC-25DEC26"]));
    await until(() => feed.confirmed.size === 1 && feed.confirmed.has("deribit:BTC-25DEC26"), "the exchange");
    server.ticker(option);
    server.ticker("BTC-25DEC26");
    await until(() => sink.taken.length === 1, "one quote");
    expect(sink.taken[0]!.symbol).toBe("deribit:BTC-25DEC26");
  });

  test("tells channels that are not confirmed and does not count them", async () => {
    const { server, feed, sink } = connect();
    await until(() => feed.confirmed.size === 2, "the subscriptions");
    server.refused.add("ticker.BTC-1JAN27-1-C.100ms");
    feed.want(new Set(["deribit:BTC-1JAN27-1-C", "deribit:BTC"]));
    await until(() => sink.faults.length === 1, "a fault");
    expect(sink.faults[0]).toBe("1 of 1 channels were not subscribed to");
    expect([...feed.confirmed]).toEqual(["deribit:BTC"]);
  });

  test("asks for a contract that comes to be, and lists it", async () => {
    const { server, feed, sink } = connect();
    await until(() => feed.confirmed.size === 2 && sink.listed.length === 2, "the list");
    server.list("BTC-1JAN27-95000-P", { expiration_timestamp: 1_798_790_400_000 });
    const told = (state: string) =>
      server.notify("instrument.state.option.BTC", { timestamp: 1, state, instrument_name: "BTC-1JAN27-95000-P" });
    told("closed");
    told("created");
    await until(() => sink.listed.length === 3, "the contract");
    expect(sink.listed[2]!.symbol).toBe("deribit:BTC-1JAN27-95000-P");
    expect(server.requests.filter(({ method }) => method === "public/get_instrument")).toHaveLength(1);
  });

  test("garbage, errors, answers to nothing and quotes of other channels are told, and what follows is read", async () => {
    const { server, feed, sink } = connect();
    await until(() => feed.confirmed.size === 2 && sink.listed.length === 2, "the subscriptions");
    server.send("{");
    server.send(new Uint8Array([1, 2, 3]));
    server.send("[]");
    server.send(JSON.stringify({ jsonrpc: "2.0", id: 999_999, result: "?" }));
    server.send(
      JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        error: { code: 10_028, message: `too_many_requests${"!".repeat(500)}` },
      }),
    );
    server.send(JSON.stringify({ jsonrpc: "2.0", method: "subscription", params: null }));
    server.notify(`ticker.${option}.100ms`, tickerOf("BTC-25DEC26"));
    server.notify(`ticker.${option}.100ms`, { instrument_name: option });
    server.ticker(option);
    await until(() => sink.taken.length === 1, "the quote behind it all");
    expect(sink.faults.map((fault) => fault.slice(0, 45))).toEqual([
      ...["a message is neither an answer nor a notifica", "a message is neither an answer nor a notifica"],
      ...["a message is neither an answer nor a notifica", "an answer to nothing that was asked"],
      ...["Deribit says: 10028 too_many_requests!!!!!!!!", "a notification names no channel"],
      ...["a notification is not of its channel", "a ticker has no timestamp"],
    ]);
    for (const fault of sink.faults) expect(fault.length).toBeLessThan(130);
  });

  test("gives up a server that answers nothing", async () => {
    const { server, feed, sink } = connect();
    await until(() => feed.confirmed.size === 2, "the subscriptions");
    server.isDeaf = true;
    for (let beat = 0; beat < 1_010; beat++) server.heartbeat("test_request");
    await until(() => sink.gaps.length === 1, "its end");
    expect(sink.gaps[0]!.detail).toBe("requests are not answered");
  });

  test("subscribes in batches of 200, to 5,000 at most", async () => {
    const { server, feed } = connect();
    await until(() => feed.confirmed.size === 2, "the subscriptions");
    feed.want(new Set(Array.from({ length: 6_000 }, (_, strike) => `deribit:BTC-25DEC26-${strike + 1}-P`)));
    await until(() => feed.confirmed.size === 5_000, "5,000 confirmed");
    const sizes = server.requests
      .filter(({ method }) => method === "public/subscribe")
      .map(({ params }) => (params.channels as string[]).length);
    expect(Math.max(...sizes)).toBe(200);
  });

  test("S4.34 tells a taker that is full what it lost", async () => {
    const { server, feed, sink } = connect();
    await until(() => feed.confirmed.size === 2, "the subscriptions");
    sink.isFull = true;
    server.ticker(option);
    await until(() => sink.gaps.length === 1, "a gap");
    expect(sink.gaps).toEqual([{ missingCount: 1, detail: "the taker was full" }]);
  });
});
