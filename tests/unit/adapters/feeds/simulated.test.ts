// The simulated market: the same seed gives the same market to the bit, its prices make sense, what it does wrong it does on request only,
// and it holds no more after a year than after a day.

import { describe, expect, test } from "bun:test";
import { SimulatedFeed } from "../../../../src/adapters/feeds/simulated";
import {
  type Disturbance,
  SimulatedMarket,
  type SimulatedMarketOptions,
  type SimulatedTick,
} from "../../../../src/adapters/feeds/simulated-market";
import { normal, simulatedPrice, smileVolatility } from "../../../../src/adapters/feeds/simulated-prices";
import { builtInCalendars } from "../../../../src/domain/exchange-calendars";
import type { Instrument } from "../../../../src/domain/instrument";
import { instrumentFromSymbol } from "../../../../src/domain/instrument-symbol";
import type { Quote } from "../../../../src/domain/quote";
import { pricePlain } from "../../../../src/engine/plain";
import { formatTimestamp, ManualClock } from "../../../../src/foundation/clock";
import { CollectingSink, until } from "../../../harness/feeds";

/** A Friday's morning in New York, before the expiries of that day. */
const startAt = 1_795_186_800_000_000n;
const daySeconds = 86_400n;

const options: SimulatedMarketOptions = {
  seed: 11,
  underlyings: [
    { symbol: "SPX", spot: 5800 },
    { symbol: "AAPL", spot: 231.5 },
  ],
  expiryCount: 6,
  strikeCount: 20,
  ticksPerSecond: 200,
  startAt,
};

function ticks(count: number, change: Partial<SimulatedMarketOptions> = {}): SimulatedTick[] {
  const market = new SimulatedMarket({ ...options, ...change });
  return Array.from({ length: count }, () => market.next());
}

const quotesOf = (events: readonly SimulatedTick[]): Quote[] => events.flatMap(({ quotes }) => quotes);
const hashOf = (events: readonly SimulatedTick[]) =>
  Bun.hash(
    JSON.stringify(events, (_, value) =>
      typeof value === "bigint" ? value.toString() : Number.isNaN(value) ? "NaN" : value,
    ),
  );

describe("S4.50 the simulated market", () => {
  test("follows from its seed and its first moment to the bit", () => {
    const hash = hashOf(ticks(20_000));
    expect(hashOf(ticks(20_000))).toBe(hash);
    expect(hashOf(ticks(20_000, { seed: 12 }))).not.toBe(hash);
    expect(hashOf(ticks(20_000, { startAt: startAt + 1n }))).not.toBe(hash);
  });

  test("quotes every underlying first, and nothing that it has not listed before", () => {
    const events = ticks(5_000);
    expect(events.slice(0, 2).flatMap(({ quotes }) => quotes.map(({ symbol }) => symbol))).toEqual(["SPX", "AAPL"]);
    const listed = new Set<string>();
    for (const { listed: more, quotes } of events) {
      for (const { symbol } of more) {
        expect(listed.has(symbol)).toBe(false);
        listed.add(symbol);
      }
      for (const { symbol } of quotes) expect(listed.has(symbol)).toBe(true);
    }
  });

  test("lists what its symbols say", () => {
    const instruments = ticks(1).flatMap(({ listed }) => listed);
    expect(instruments).toHaveLength(2 + 2 * 6 * 20 * 2);
    for (const instrument of instruments.filter(({ kind }) => kind === "option")) {
      const said = instrumentFromSymbol(instrument.symbol, { calendars: builtInCalendars() });
      expect({ ...instrument, tickSize: null }).toEqual({ ...(said as Instrument), tickSize: null });
    }
  });

  test("left undisturbed has quotes in order, uncrossed, numbered without a hole, at its pace", () => {
    const events = ticks(20_000);
    const last = new Map<string, Quote>();
    for (const quote of quotesOf(events)) {
      const before = last.get(quote.symbol);
      if (before) {
        expect(quote.at).toBeGreaterThan(before.at);
        expect(quote.sourceSequence).toBe(before.sourceSequence! + 1);
        expect(quote.volume).toBeGreaterThanOrEqual(before.volume);
      }
      if (Number.isFinite(quote.bid)) expect(quote.bid).toBeLessThan(quote.ask);
      expect(quote.ask).toBeGreaterThan(0);
      last.set(quote.symbol, quote);
    }
    expect(Number(events.at(-1)!.at - startAt) / 1e6).toBeCloseTo(20_000 / 200, 1);
    const spotShare = quotesOf(events).filter(({ symbol }) => symbol.length <= 4).length / 20_000;
    expect(spotShare).toBeGreaterThan(0.01);
    expect(spotShare).toBeLessThan(0.03);
  });

  test("at one spot prices calls falling and puts rising in the strike, within their spreads", () => {
    // So many ticks in one second that the spot does not move by a tick of an option.
    const quotes = quotesOf(ticks(40_000, { ticksPerSecond: 1_000_000, agitation: 0 }));
    const chains = Map.groupBy(
      quotes.filter(({ symbol }) => symbol.length > 4),
      ({ symbol }) => symbol.slice(0, -8),
    );
    expect(chains.size).toBe(24);
    for (const chain of chains.values()) {
      const byStrike = [...new Map(chain.map((quote) => [quote.symbol, quote])).values()].sort((one, other) =>
        one.symbol < other.symbol ? -1 : 1,
      );
      const isCall = byStrike[0]!.symbol.at(-9) === "C";
      for (const [index, quote] of byStrike.entries()) {
        const next = byStrike[index + 1];
        if (!next) continue;
        const [cheap, dear] = isCall ? [next, quote] : [quote, next];
        expect(Number.isFinite(cheap.bid) ? cheap.bid : 0).toBeLessThanOrEqual(dear.ask);
      }
    }
  });

  const disturbed = (kind: Disturbance, count = 20_000) => ticks(count, { disturbances: [kind] });

  test("duplicates on request: some quotes twice, equal in all", () => {
    const doubles = disturbed("duplicates").filter(({ quotes }) => quotes.length === 2);
    expect(doubles.length).toBeGreaterThan(200);
    for (const { quotes } of doubles) expect(quotes[0]).toEqual(quotes[1]!);
  });

  test("late ones on request: a quote after the one that followed it, by its moment and its number", () => {
    const pairs = disturbed("late").filter(({ quotes }) => quotes.length === 2);
    expect(pairs.length).toBeGreaterThan(100);
    for (const { quotes } of pairs) {
      expect(quotes[1]!.at).toBeLessThan(quotes[0]!.at);
      expect(quotes[1]!.sourceSequence!).toBeLessThan(quotes[0]!.sourceSequence!);
    }
  });

  test("crossed quotes and nonsense on request", () => {
    expect(quotesOf(disturbed("crossed")).filter(({ bid, ask }) => bid > ask).length).toBeGreaterThan(100);
    const nonsense = quotesOf(disturbed("nonsense"));
    expect(nonsense.filter(({ bid }) => bid < 0).length).toBeGreaterThan(10);
    expect(nonsense.filter(({ ask }) => ask > 1e12).length).toBeGreaterThan(10);
    expect(nonsense.filter(({ symbol }) => symbol.startsWith("QQQQQQ")).length).toBeGreaterThan(10);
  });

  test("bursts on request: ten times as many ticks in two seconds of thirty", () => {
    const events = disturbed("bursts", 12_000);
    const perSecond = Map.groupBy(events, ({ at }) => Number((at - startAt) / 1_000_000n));
    expect(perSecond.get(10)!.length).toBe(200);
    expect(perSecond.get(28)!.length).toBe(2000);
    expect(perSecond.get(29)!.length).toBe(2000);
    expect(perSecond.get(31)!.length).toBe(200);
  });

  test("gaps on request: five seconds of nothing in forty-five, told with what is lost", () => {
    const events = disturbed("gaps", 12_000);
    const silences = events.flatMap((event, index) => {
      const next = events[index + 1];
      return next && next.at - event.at >= 5_000_000n ? [event] : [];
    });
    expect(silences).toHaveLength(1);
    expect(silences.map(({ missingCount }) => missingCount)).toEqual([1000]);
    expect(events.filter(({ missingCount }) => missingCount > 0)).toHaveLength(1);
  });

  test("agitated has spots that move many times as far", () => {
    const spread = (agitation: number) => {
      const spots = quotesOf(ticks(40_000, { agitation, ticksPerSecond: 1 }))
        .filter(({ symbol }) => symbol === "SPX")
        .map(({ last }) => last);
      return Math.max(...spots) / Math.min(...spots) - 1;
    };
    expect(spread(10)).toBeGreaterThan(3 * spread(1));
  });

  test("rolls: an expired contract is quoted no more, another expiry is listed, and what is held stays bounded for a year", () => {
    const market = new SimulatedMarket({ ...options, ticksPerSecond: 1 });
    let instrumentCountMax = 0;
    const expiries = new Set<string>();
    const expiryOf = new Map<string, bigint>();
    for (let day = 0; day < 365; day++) {
      for (let count = 0; count < 60; count++) {
        const { at, quotes, listed } = market.next();
        for (const { kind, expiry, symbol } of listed) {
          if (kind !== "option") continue;
          expiryOf.set(symbol, expiry!);
          expect(expiry!).toBeGreaterThan(at);
          if (symbol.startsWith("SPXW")) expiries.add(formatTimestamp(expiry!).slice(0, 10));
        }
        for (const { symbol } of quotes) {
          expect(expiryOf.get(symbol) ?? at + 1n).toBeGreaterThan(at);
        }
      }
      market.skip(daySeconds * 1_000_000n - 60n * 1_000_000n);
      instrumentCountMax = Math.max(instrumentCountMax, market.instrumentCount);
    }
    expect(instrumentCountMax).toBeLessThanOrEqual(2 + 2 * 6 * 2 * 20 * 2);
    expect([...expiries].slice(0, 6)).toEqual([
      ...["2026-11-20", "2026-11-27", "2026-12-04", "2026-12-11", "2026-12-18", "2027-01-15"],
    ]);
    // A Friday each week, Good Friday's on its Thursday, and two months ahead.
    expect(expiries.size).toBeGreaterThanOrEqual(56);
    expect(expiries).toContain("2027-03-25");
  });

  test("begun in the second of an expiry lists the next one", () => {
    const atExpiry = 1_795_208_400_000_000n;
    expect(formatTimestamp(atExpiry)).toStartWith("2026-11-20T21:00:00");
    const [first] = ticks(1, { startAt: atExpiry, expiryCount: 1 });
    const expiries = new Set(first!.listed.map(({ expiry }) => expiry));
    expect([...expiries]).toEqual([null, 1_795_802_400_000_000n]);
  });

  test.each([0, 1])("of %i expiries and one strike runs", (expiryCount) => {
    const events = ticks(500, { expiryCount, strikeCount: 1 });
    expect(quotesOf(events).length).toBeGreaterThanOrEqual(500);
  });
});

describe("what simulated options are worth", () => {
  test("is Black's price as the engine's plain twin has it, within 1e-12 of the forward", () => {
    for (const optionType of ["call", "put"] as const) {
      for (const strike of [2000, 4000, 5500, 5800, 6100, 8000, 12000]) {
        for (const years of [0.002, 0.1, 1, 3]) {
          const terms = { forward: 5800, strike, years, volatility: 0.23, discount: Math.exp(-0.03 * years) };
          const { columns } = pricePlain({
            ...{ model: "black_76", count: 1, isCall: optionType === "call", outputs: ["price"], units: "raw" },
            inputs: { forward: 5800, strike, time_to_expiry: years, rate: 0.03, volatility: 0.23 },
          });
          const price = columns.price![0]!;
          expect(Math.abs(simulatedPrice(optionType, terms) - price)).toBeLessThan(1e-12 * 5800);
        }
      }
    }
  });

  test("at expiry is the payoff", () => {
    const terms = { forward: 105, strike: 100, years: 0, volatility: 0.2, discount: 1 };
    expect(simulatedPrice("call", terms)).toBe(5);
    expect(simulatedPrice("put", terms)).toBe(0);
  });

  test("comes from a smile that is its own level at the money and steeper below for equities", () => {
    const smile = { longVolatility: 0.2, shortVolatility: 0.3, correlation: -0.6, wings: 0.8 };
    expect(smileVolatility(smile, 0, 100, 1)).toBeCloseTo(0.2, 12);
    expect(smileVolatility(smile, 0, 1e-6, 1)).toBeCloseTo(0.3, 5);
    expect(smileVolatility(smile, 0, 1, 2)).toBe(2 * smileVolatility(smile, 0, 1, 1));
    expect(smileVolatility(smile, -0.1, 1, 1)).toBeGreaterThan(smileVolatility(smile, 0.1, 1, 1));
  });

  test("the normal law has its published values", () => {
    // Abramowitz and Stegun, table 26.1.
    expect(normal(0)).toBeCloseTo(0.5, 14);
    expect(normal(1)).toBeCloseTo(0.841344746068543, 14);
    expect(normal(-3)).toBeCloseTo(0.00134989803163, 14);
    expect(normal(-8)).toBeCloseTo(6.22096057427e-16, 22);
    expect(normal(-40)).toBe(0);
  });
});

describe("S4.50 the simulated feed", () => {
  const { startAt: _, ...market } = options;
  const start = () => {
    const clock = new ManualClock(startAt);
    const feed = new SimulatedFeed({ ...market, clock });
    const sink = new CollectingSink();
    feed.start(sink);
    return { clock, feed, sink };
  };

  test("gives what is due at its pace, having listed it", async () => {
    const { clock, feed, sink } = start();
    await until(() => sink.taken.length === 1, "the first quote");
    expect(sink.listed.length).toBe(2 + 2 * 6 * 20 * 2);
    for (let round = 0; round < 100; round++) {
      clock.advance(10);
      await until(() => sink.taken.length >= 1 + 2 * (round + 1), "two quotes a round");
    }
    expect(sink.taken).toHaveLength(201);
    expect(sink.taken).toEqual(quotesOf(ticks(201)));
    expect(feed.state).toBe("live");
    expect(feed.lastMessageAt).toBe(clock.nowMicroseconds());
    expect(feed.confirmed).toEqual(new Set(sink.taken.map(({ symbol }) => symbol)));
    await feed.stop();
    expect(feed.state).toBe("stopped");
  });

  test("after a sleep of the machine goes on where it was, having said so, and does not hurry", async () => {
    const { clock, feed, sink } = start();
    await until(() => sink.taken.length === 1, "the first quote");
    clock.advance(60_000);
    await until(() => sink.taken.length === 2, "one quote, now due");
    clock.advance(10);
    await until(() => sink.taken.length === 4, "the pace again");
    expect(sink.gaps).toEqual([{ missingCount: Number.NaN, detail: expect.stringContaining("left out") }]);
    await feed.stop();
  });

  test("tells a taker that is full what it lost", async () => {
    const { clock, feed, sink } = start();
    await until(() => sink.taken.length === 1, "the first quote");
    sink.isFull = true;
    clock.advance(10);
    await until(() => sink.gaps.length === 1, "a gap");
    expect(sink.gaps).toEqual([{ missingCount: 2, detail: "the taker was full" }]);
    sink.isFull = false;
    clock.advance(10);
    await until(() => sink.taken.length === 3, "more quotes");
    await feed.stop();
  });

  test("gives no more than what is wanted once that was said", async () => {
    const { clock, feed, sink } = start();
    await until(() => sink.taken.length === 1, "the first quote");
    feed.want(new Set(["AAPL"]));
    for (let round = 0; round < 50; round++) {
      clock.advance(10);
      await Promise.resolve();
    }
    await until(() => sink.taken.length > 2, "more of it");
    expect(new Set(sink.taken.slice(1).map(({ symbol }) => symbol))).toEqual(new Set(["AAPL"]));
    await feed.stop();
  });
});
