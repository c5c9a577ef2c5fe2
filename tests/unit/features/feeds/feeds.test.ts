// The supervisor of feeds: what it starts and ends, hands on, conflates, notices and counts. Feeds here do what a test tells them to.

import { afterEach, describe, expect, test } from "bun:test";
import type { Feed, FeedSink, FeedState } from "../../../../src/adapters/feeds/feed";
import type { Instrument } from "../../../../src/domain/instrument";
import type { Quote } from "../../../../src/domain/quote";
import {
  Conflation,
  conflatedSymbolsMax,
  FaultGauge,
  faultsPerMinuteMax,
  patienceMilliseconds,
} from "../../../../src/features/feeds/rules";
import {
  createFeeds,
  type FeedPlan,
  type Feeds,
  type FeedsOptions,
  isTroubled,
  observeFeeds,
} from "../../../../src/features/feeds/service";
import { ManualClock } from "../../../../src/foundation/clock";
import { Interest } from "../../../../src/foundation/interest";
import { silentLog } from "../../../../src/foundation/log";
import { nextTurn } from "../../../../src/foundation/turn";
import { createMetrics } from "../../../../src/telemetry/metrics";
import { quoteOf } from "../../../harness/feeds";

class ToldFeed implements Feed {
  readonly kind = "told";
  state: FeedState = "connecting";
  confirmed = new Set<string>();
  lastMessageAt: bigint | null = null;
  sink: FeedSink | null = null;
  wanted: ReadonlySet<string> | null = null;
  stopCount = 0;

  start(sink: FeedSink): void {
    this.sink = sink;
    sink.state("live");
  }
  want(symbols: ReadonlySet<string>): void {
    this.wanted = symbols;
  }
  async stop(): Promise<void> {
    this.stopCount += 1;
  }
}

const open: Feeds[] = [];
afterEach(async () => {
  for (const feeds of open.splice(0)) {
    for (const agent of feeds.agents) void agent.stop();
    await feeds.close();
  }
});

function supervise(change: Partial<FeedPlan> = {}, more: Partial<FeedsOptions> = {}) {
  const clock = new ManualClock();
  const made: ToldFeed[] = [];
  const taken: Quote[][] = [];
  const listed: Instrument[] = [];
  const market = { isFull: false };
  const interest = new Interest();
  const plan: FeedPlan = {
    ...{ name: "deribit", kind: "deribit", gives: "wanted", canWait: false, isOpen: () => true },
    create: () => {
      const feed = new ToldFeed();
      made.push(feed);
      return feed;
    },
    ...change,
  };
  const feeds = createFeeds({
    plans: [plan],
    taker: {
      ingest(batch) {
        if (market.isFull) return "full";
        taken.push([...batch]);
        return { accepted: batch.length };
      },
    },
    list: (some) => listed.push(...some),
    underlyingOf: (symbol) => (symbol.includes("-") ? symbol.split("-")[0]! : null),
    ...{ interest, silenceMillisecondsMax: 10_000, clock, log: silentLog },
    ...more,
  });
  open.push(feeds);
  for (const agent of feeds.agents) agent.start();
  const pass = async (milliseconds: number) => {
    for (let left = milliseconds; left > 0; left -= 1000) {
      clock.advance(Math.min(1000, left));
      for (let turn = 0; turn < 3; turn++) await nextTurn();
    }
  };
  const status = () => feeds.statuses()[0]!;
  return { clock, made, taken, listed, market, interest, feeds, pass, status };
}

const quote = (symbol: string, number: number, at = BigInt(number)) => quoteOf({ symbol, at, sourceSequence: number });

describe("the supervisor of feeds", () => {
  test("starts a feed, tells it what is wanted with what that is on, and hands on what it gives", async () => {
    const { made, interest, taken, listed, status, clock } = supervise();
    await nextTurn();
    interest.want(["BTC-1", "BTC-2"]);
    expect([...made[0]!.wanted!]).toEqual(["BTC", "BTC-1", "BTC-2"]);
    made[0]!.sink!.instruments([{ symbol: "BTC-1" } as Instrument]);
    expect(listed.map(({ symbol }) => symbol)).toEqual(["BTC-1"]);
    const at = clock.nowMicroseconds() - 2_500_000n;
    expect(made[0]!.sink!.quotes([quote("BTC-1", 1), quote("BTC-1", 2, at)])).toBe(true);
    expect(taken).toHaveLength(1);
    expect(status()).toMatchObject({
      ...{ name: "deribit", state: "live", wantedCount: 3, batchCount: 1, quoteCount: 2, lagSeconds: 2.5 },
      lastQuoteAt: clock.nowMicroseconds(),
    });
    interest.unwant(["BTC-2"]);
    expect(status().wantedCount).toBe(2);
  });

  test("does not tell a feed that gives all it has what is wanted", async () => {
    const { made, interest, status } = supervise({ gives: "all" });
    await nextTurn();
    interest.want(["A"]);
    expect(made[0]!.wanted).toBeNull();
    expect(status().wantedCount).toBeNull();
  });

  test("S4.34 conflates what a full market can't take, keeps each symbol's order, and hands it over as soon as it can", async () => {
    const { made, taken, market, clock, status } = supervise();
    await nextTurn();
    const { sink } = made[0]!;
    market.isFull = true;
    for (const number of [1, 2, 3]) expect(sink!.quotes([quote("A", number), quote("B", number)])).toBe(true);
    sink!.quotes([quote("A", 4)]);
    expect(taken).toEqual([]);
    market.isFull = false;
    // Nothing may overtake what waits.
    sink!.quotes([quote("B", 4)]);
    expect(taken).toEqual([]);
    clock.advance(5);
    while (taken.length === 0) await nextTurn();
    expect(taken.flat().map(({ symbol, sourceSequence }) => `${symbol}${sourceSequence}`)).toEqual(["A4", "B4"]);
    expect(status()).toMatchObject({ conflatedCount: 6, droppedCount: 0, quoteCount: 8 });
    await nextTurn();
    sink!.quotes([quote("A", 5)]);
    expect(taken.flat().at(-1)!.sourceSequence).toBe(5);
  });

  test("S4.34 tells a feed that can wait that the market is full", async () => {
    const { made, market, taken } = supervise({ canWait: true, kind: "replay" });
    await nextTurn();
    market.isFull = true;
    expect(made[0]!.sink!.quotes([quote("A", 1)])).toBe(false);
    market.isFull = false;
    expect(made[0]!.sink!.quotes([quote("A", 1)])).toBe(true);
    expect(taken).toHaveLength(1);
  });

  test("connects a silent feed anew, ever more patiently while that is of no use, and counts it", async () => {
    const { made, interest, pass, status } = supervise();
    interest.want(["A"]);
    await pass(9_000);
    expect(made).toHaveLength(1);
    await pass(2_000);
    expect(made).toHaveLength(2);
    expect(made[0]!.stopCount).toBe(1);
    expect(status()).toMatchObject({
      state: "live",
      reconnectCount: 1,
      lastTrouble: expect.stringContaining("no quote"),
    });
    await pass(18_000);
    expect(made).toHaveLength(2);
    await pass(3_000);
    expect(made).toHaveLength(3);
    made[2]!.sink!.quotes([quote("A", 1)]);
    await pass(11_000);
    expect(made).toHaveLength(4);
    // What the first connection says now is nobody's any more.
    made[0]!.sink!.state("ended");
    made[0]!.sink!.fault("late");
    made[0]!.sink!.gap(5, "late");
    made[0]!.sink!.instruments([]);
    made[0]!.sink!.quotes([quote("A", 9)]);
    expect(status()).toMatchObject({ state: "live", faultCount: 0, gapCount: 0, quoteCount: 1 });
  });

  test("S5.17 takes no silence for one while the market is closed, nothing is wanted, or a recording is silent", async () => {
    let isOpen = false;
    const closed = supervise({ isOpen: () => isOpen });
    closed.interest.want(["A"]);
    await closed.pass(60_000);
    expect(closed.made).toHaveLength(1);
    // Nor does the night's silence count at the open.
    isOpen = true;
    await closed.pass(5_000);
    expect(closed.made).toHaveLength(1);
    await closed.pass(10_000);
    expect(closed.made).toHaveLength(2);
    const idle = supervise();
    await idle.pass(60_000);
    expect(idle.made).toHaveLength(1);
    const replay = supervise({ canWait: true, gives: "all" });
    await replay.pass(60_000);
    expect(replay.made).toHaveLength(1);
  });

  test("leaves a feed alone for a minute that sends too much garbage, then tries it again", async () => {
    const { made, pass, status } = supervise();
    await nextTurn();
    const { sink } = made[0]!;
    for (let count = 0; count < faultsPerMinuteMax; count++) sink!.fault("garbage");
    expect(status().state).toBe("live");
    sink!.fault("gar\u001bbage");
    expect(status()).toMatchObject({ state: "resting", faultCount: faultsPerMinuteMax + 1 });
    expect(status().lastTrouble).not.toContain("\u001b");
    expect(isTroubled(status(), 0n)).toBe(true);
    await pass(58_000);
    expect(made).toHaveLength(1);
    expect(made[0]!.stopCount).toBe(1);
    await pass(4_000);
    expect(made).toHaveLength(2);
    expect(status().state).toBe("live");
  });

  test("S4.50 ends a feed that may not run, and starts it again when it may", async () => {
    const { made, feeds, pass, status } = supervise({ kind: "simulated", gives: "all" });
    await pass(1_000);
    feeds.permit("kite", false);
    await pass(2_000);
    expect(status().state).toBe("live");
    feeds.permit("simulated", false);
    await pass(2_000);
    expect(status().state).toBe("idle");
    expect(made[0]!.stopCount).toBe(1);
    feeds.permit("simulated", true);
    await pass(2_000);
    expect(made).toHaveLength(2);
    expect(status().state).toBe("live");
  });

  test("runs feeds only where this process feeds the market", async () => {
    let isLeading = false;
    const { made, pass, status } = supervise({}, { isLeading: () => isLeading });
    await pass(3_000);
    expect(made).toHaveLength(0);
    expect(status().state).toBe("idle");
    isLeading = true;
    await pass(2_000);
    expect(made).toHaveLength(1);
    isLeading = false;
    await pass(2_000);
    expect(made[0]!.stopCount).toBe(1);
  });

  test("does not play a recording twice that has ended", async () => {
    const { made, pass, status } = supervise({ kind: "replay", gives: "all", canWait: true });
    await nextTurn();
    made[0]!.sink!.state("ended");
    await pass(10_000);
    expect(made).toHaveLength(1);
    expect(status().state).toBe("ended");
    expect(isTroubled(status(), 10n ** 18n)).toBe(false);
  });

  test("counts gaps with what is known to be missing, losses, and how long it has been without a connection", async () => {
    const { made, clock, status } = supervise();
    await nextTurn();
    const { sink } = made[0]!;
    sink!.gap(7, "skipped");
    sink!.gap(Number.NaN, "closed with 1006");
    sink!.state("connecting");
    expect(status()).toMatchObject({ gapCount: 2, missingCount: 7, reconnectCount: 1, state: "connecting" });
    expect(isTroubled(status(), clock.nowMicroseconds() + 29_000_000n)).toBe(false);
    expect(isTroubled(status(), clock.nowMicroseconds() + 30_000_000n)).toBe(true);
    sink!.state("live");
    expect(isTroubled(status(), clock.nowMicroseconds() + 60_000_000n)).toBe(false);
  });

  test("a feed that cannot be made is tried again, each failure counted", async () => {
    let attempts = 0;
    const { feeds, pass } = supervise({
      create: () => {
        attempts += 1;
        throw new Error("no");
      },
    });
    await pass(10_000);
    expect(attempts).toBeGreaterThan(2);
    expect(feeds.agents[0]!.failureCount).toBe(attempts);
  });

  test("brings what it counts into the metrics, with every kind from the start", async () => {
    const { made, feeds } = supervise();
    await nextTurn();
    made[0]!.sink!.quotes([quote("A", 1)]);
    const metrics = createMetrics();
    observeFeeds(metrics, feeds);
    const text = await metrics.text();
    expect(text).toContain('bsopt_feed_quotes_total{feed="deribit"} 1');
    expect(text).toContain('bsopt_feed_live{feed="deribit"} 1');
    for (const kind of ["simulated", "replay", "kite"])
      expect(text).toContain(`bsopt_feed_quotes_total{feed="${kind}"} 0`);
  });

  test("closed, ends its feeds and starts none", async () => {
    const { feeds, made, pass, status } = supervise();
    await nextTurn();
    await feeds.close();
    await pass(5_000);
    expect(made).toHaveLength(1);
    expect(made[0]!.stopCount).toBe(1);
    expect(status().state).toBe("stopped");
  });
});

describe("what waits for a full market", () => {
  test("is the latest of each symbol by number, by moment where there is none", () => {
    const conflation = new Conflation();
    const unnumbered = (at: bigint) => ({ ...quote("B", 0, at), sourceSequence: null });
    conflation.add([quote("A", 2), quote("A", 1), unnumbered(5n), unnumbered(4n), unnumbered(6n)]);
    expect(conflation.first(10).map(({ at }) => at)).toEqual([2n, 6n]);
    expect(conflation.conflatedCount).toBe(3);
  });

  test("keeps what came while the first were handed over", () => {
    const conflation = new Conflation();
    conflation.add([quote("A", 1), quote("B", 1)]);
    const first = conflation.first(2);
    conflation.add([quote("A", 2)]);
    conflation.remove(first);
    expect(conflation.first(9)).toEqual([quote("A", 2)]);
  });

  test("is bounded: of more symbols the one longest without a quote goes", () => {
    const conflation = new Conflation();
    conflation.add(Array.from({ length: conflatedSymbolsMax }, (_, index) => quote(`S${index}`, 1)));
    conflation.add([quote("S0", 2), quote("new", 1)]);
    expect(conflation.count).toBe(conflatedSymbolsMax);
    expect(conflation.droppedCount).toBe(1);
    expect(conflation.first(1)[0]!.symbol).toBe("S2");
  });
});

describe("patience", () => {
  test.each([
    [10_000, 0, 10_000],
    [10_000, 1, 20_000],
    [10_000, 3, 80_000],
    [10_000, 6, 600_000],
    [10_000, 1000, 600_000],
    [3_600_000, 0, 3_600_000],
    [3_600_000, 5, 3_600_000],
  ])("of %i ms after %i fruitless connections is %i ms", (silence, fruitless, milliseconds) => {
    expect(patienceMilliseconds(silence, fruitless)).toBe(milliseconds);
  });

  test("with garbage begins anew each minute", () => {
    const gauge = new FaultGauge();
    const fill = (at: number) => Array.from({ length: faultsPerMinuteMax }, () => gauge.note(at)).some(Boolean);
    expect(fill(0)).toBe(false);
    expect(gauge.note(59_999)).toBe(true);
    expect(fill(60_000)).toBe(false);
    expect(gauge.note(60_001)).toBe(true);
  });
});
