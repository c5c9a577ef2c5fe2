// Candles out of the market's log: the same whatever part of them lies in rows and what is still in the log, as they were known at any moment, amended by late
// ticks, in whole bars a page; and the Greeks of their closes.

import { describe, expect, test } from "bun:test";
import { type Candle, type CandleInterval, candleIntervals, candleMicroseconds } from "../../../../src/book/candles";
import type { CandleQuestion, History } from "../../../../src/features/history/service";
import { ManualClock } from "../../../../src/foundation/clock";
import { seededRandom } from "../../../../src/foundation/random";
import { bookEngine } from "../../../harness/book";
import { aaplOption, historyStart, openTestHistory, spxOption } from "../../../harness/history";

const seed = BigInt(process.env.BSOPT_TEST_SEED ?? 20_261_122);
const second = 1_000_000n;
const minute = 60n * second;
const day = 86_400n * second;

const asking = (symbol: string, interval: CandleInterval, more: Partial<CandleQuestion> = {}): CandleQuestion => ({
  ...{ symbol, interval, from: historyStart - day, to: null, limit: 5_000, after: null, asOf: null },
  ...more,
});

async function everyPage(history: History, question: CandleQuestion): Promise<Candle[]> {
  const candles: Candle[] = [];
  let { after } = question;
  for (let page = 0; page < 1_000; page++) {
    const answer = await history.candles({ ...question, after });
    candles.push(...answer.candles);
    if (answer.next === null) return candles;
    after = answer.next;
  }
  throw new Error("pages without end");
}

interface Tick {
  readonly at: bigint;
  readonly price: number;
  readonly knownAt: bigint;
  readonly total: number | null;
}

/** Bars straight from the ticks known at a moment, by the definition of a bar. */
function barsOf(ticks: readonly Tick[], interval: CandleInterval, knownAt: bigint) {
  const length = BigInt(candleMicroseconds(interval));
  let newest: { at: bigint; total: number } | null = null;
  const spans = new Map<bigint, { ticks: Tick[]; volume: number }>();
  for (const tick of ticks) {
    if (tick.knownAt > knownAt) break;
    let volume = 0;
    if (tick.total !== null && (newest === null || tick.at >= newest.at)) {
      if (newest !== null) volume = tick.total >= newest.total ? tick.total - newest.total : tick.total;
      newest = { at: tick.at, total: tick.total };
    }
    const start = (tick.at / length) * length;
    const span = spans.get(start) ?? { ticks: [], volume: 0 };
    span.ticks.push(tick);
    span.volume += volume;
    spans.set(start, span);
  }
  return [...spans]
    .sort(([one], [other]) => Number(one - other))
    .map(([start, { ticks, volume }]) => {
      const inOrder = ticks.toSorted((one, other) => Number(one.at - other.at));
      const prices = ticks.map(({ price }) => price);
      return {
        start: Number(start),
        open: inOrder[0]!.price,
        high: Math.max(...prices),
        low: Math.min(...prices),
        close: inOrder.at(-1)!.price,
        volume,
        tickCount: ticks.length,
      };
    });
}

const shown = ({ start, open, high, low, close, volume, tickCount }: Candle) => ({
  ...{ start, open, high, low, close, volume, tickCount },
});

describe("S4.36 HIST-001 candles", () => {
  test(`random ticks, late ones too (seed ${seed}): every interval is what its ticks make, also made in rounds, reopened and as of any moment`, async () => {
    const random = seededRandom(seed);
    const below = (count: number) => Math.floor(random.unit() * count);
    const clock = new ManualClock(historyStart);
    let open = openTestHistory({ clock });
    const ticks: Tick[] = [];
    let total = 1_000;
    for (let step = 0; step < 700; step++) {
      clock.advance(below(20) === 0 ? below(900_000) : below(8_000));
      const knownAt = clock.nowMicroseconds();
      const at = knownAt - (below(6) === 0 ? BigInt(below(400)) * second : 0n);
      const price = 5_000 + below(1_000) / 4;
      total = below(150) === 0 ? below(5) : total + below(9);
      const told = below(3) === 0 ? null : total;
      ticks.push({ at, price, knownAt, total: told });
      open.tick("SPX", at, price - 0.1, { last: price, ...(told !== null && { volume: told }) });
      open.tick(spxOption, at, 10 + below(40) / 4);
      if (below(12) === 0) await open.history.gather();
      if (step === 350) {
        await open.archive.close();
        open = openTestHistory({ clock, path: open.path });
        await open.archive.latest("SPX");
      }
    }
    const now = clock.nowMicroseconds();
    const ask = async (asOf: bigint | null, limit: number) => {
      for (const interval of candleIntervals) {
        const expected = barsOf(ticks, interval, asOf ?? now);
        const found = await everyPage(open.history, asking("SPX", interval, { asOf, limit }));
        expect(found.map(shown)).toEqual(expected);
      }
    };
    await ask(null, 5_000);
    await ask(null, 7);
    for (let look = 0; look < 6; look++) await ask(ticks[below(ticks.length)]!.knownAt + BigInt(below(3)), 400);
    // A stretch in the middle: bars that begin within it.
    const [from, to] = [ticks[200]!.at, ticks[400]!.at];
    const expected = barsOf(ticks, "5m", now).filter(({ start }) => start >= Number(from) && start < Number(to));
    expect((await everyPage(open.history, asking("SPX", "5m", { from, to, limit: 3 }))).map(shown)).toEqual(expected);
  }, 120_000);

  test("a late tick amends the bar of its own moment, also one that was answered before", async () => {
    const { history, tick, clock, archive } = openTestHistory();
    tick("SPX", historyStart, 100);
    clock.advance(61_000);
    await archive.kept();
    await history.gather();
    const [before] = (await history.candles(asking("SPX", "1m"))).candles;
    expect(before).toMatchObject({ high: 100.1, tickCount: 1 });
    const asOf = clock.nowMicroseconds();
    clock.advance(1_000);
    tick("SPX", historyStart + second, 120);
    const [live] = (await history.candles(asking("SPX", "1m"))).candles;
    expect(live).toMatchObject({ high: 120.1, close: 120.1, tickCount: 2 });
    clock.advance(61_000);
    await history.gather();
    const [after] = (await history.candles(asking("SPX", "1m"))).candles;
    expect(after).toEqual(live!);
    const [then] = (await history.candles(asking("SPX", "1m", { asOf }))).candles;
    expect(then).toEqual(before!);
  });

  test("a round that is cut short counts no tick twice", async () => {
    const { history, tick, clock, file, archive } = openTestHistory();
    for (let index = 0n; index < 5n; index++) tick("SPX", historyStart + index * minute, 100);
    clock.advance(600_000);
    await archive.kept();
    const storage = await file.open();
    const { write } = storage;
    let writes = 0;
    // The rows are written, and the mark is not: as where the process is killed in between.
    storage.write = (work) => {
      writes += 1;
      if (writes === 2) throw new Error("killed");
      return write(work);
    };
    await expect(history.gather()).rejects.toThrow("killed");
    storage.write = write;
    expect((await history.candles(asking("SPX", "1m"))).candles.map(({ tickCount }) => tickCount)).toEqual([
      1, 1, 1, 1, 1,
    ]);
    tick("SPX", historyStart + second, 101);
    clock.advance(60_000);
    await history.gather();
    expect((await history.candles(asking("SPX", "1m"))).candles.map(({ tickCount }) => tickCount)).toEqual([
      2, 1, 1, 1, 1,
    ]);
  });

  test("a quote without a price makes no bar; two sides without a trade make one of their middle", async () => {
    const { history, tick } = openTestHistory();
    tick("SPX", historyStart, Number.NaN, { ask: Number.NaN });
    expect(await history.candles(asking("SPX", "1m"))).toEqual({ candles: [], next: null, reason: "no_data" });
    tick("SPX", historyStart, 100);
    expect((await history.candles(asking("SPX", "1m"))).candles).toMatchObject([{ open: 100.1, volume: 0 }]);
  });

  test("missing data is said: an unknown symbol, a known one without quotes, a moment before what is kept", async () => {
    const { history, clock } = openTestHistory();
    await expect(history.candles(asking("no such thing", "1m"))).rejects.toMatchObject({
      code: "SYMBOL_UNKNOWN",
      reason: "not-found",
    });
    expect(await history.candles(asking("SPX", "1d"))).toMatchObject({ reason: "no_data" });
    const asOf = clock.nowMicroseconds() - 31n * day;
    await expect(history.candles(asking("SPX", "1m", { asOf }))).rejects.toMatchObject({ code: "HISTORY_NOT_KEPT" });
  });

  test("without a beginning it is the last ones, up to the limit", async () => {
    const { history, tick, clock } = openTestHistory();
    for (let index = 0n; index < 10n; index++) tick("SPX", historyStart + index * minute, 100 + Number(index));
    clock.advance(10 * 60_000 - 1);
    const { candles, next } = await history.candles(asking("SPX", "1m", { from: null, limit: 3 }));
    expect(candles.map(({ open }) => Math.floor(open))).toEqual([107, 108, 109]);
    expect(next).toBeNull();
  });

  test("candles past their days go, and the rest stays", async () => {
    const { history, tick, clock, archive } = openTestHistory();
    tick("SPX", historyStart, 100);
    clock.advance(61_000);
    await archive.kept();
    await history.gather();
    clock.advance(59 * 86_400_000);
    tick("SPX", clock.nowMicroseconds(), 200);
    clock.advance(2 * 86_400_000);
    await history.gather();
    const { candles } = await history.candles(asking("SPX", "1d"));
    expect(candles.map(({ open }) => Math.floor(open))).toEqual([200]);
  });
});

describe("S4.37 HIST-002 Greeks of candles", () => {
  const rates = { rate: 0.04, dividendYield: 0.01, units: "market" as const };

  test.each([
    {
      symbol: spxOption,
      underlying: "SPX",
      spot: 5_700,
      model: "black_scholes_merton" as const,
      isCall: true,
      strike: 5_800,
    },
    { symbol: aaplOption, underlying: "AAPL", spot: 240, model: "american" as const, isCall: false, strike: 250 },
  ])("$symbol: each candle has delta, gamma, theta, vega and rho, those of its close by $model", async (row) => {
    const { symbol, underlying, spot, model, isCall, strike } = row;
    const { history, tick, clock } = openTestHistory();
    const engine = bookEngine();
    const expiry = symbol === spxOption ? 1_797_604_200_000_000n : 1_797_627_600_000_000n;
    const volatility = 0.22;
    for (let index = 0n; index < 4n; index++) {
      const at = historyStart + index * minute;
      const inputs = { spot: spot + Number(index), strike, rate: 0.04, dividend_yield: 0.01, volatility };
      const time_to_expiry = Number(expiry - at) / (365 * 86_400e6);
      const asked = { model, count: 1, isCall, inputs: { ...inputs, time_to_expiry }, units: "market" as const };
      const price = engine.price({ ...asked, outputs: ["price"] }).columns.price![0]!;
      tick(underlying, at, 0, { last: spot + Number(index) });
      tick(symbol, at, 0, { last: price });
    }
    // One without a candle of the underlying, one below its intrinsic value.
    tick(symbol, historyStart + 10n * minute, 0, { last: 30 });
    tick(underlying, historyStart + 11n * minute, 0, { last: isCall ? 7_000 : 100 });
    tick(symbol, historyStart + 11n * minute, 0, { last: 1 });
    clock.advance(15 * 60_000);
    const page = await history.greeks({ ...asking(symbol, "1m"), ...rates });
    expect(page).toMatchObject({ underlying, model, next: null, reason: null });
    expect(page.rows.map(({ reason }) => reason)).toEqual([null, null, null, null, "no_underlying", "below_intrinsic"]);
    for (const { candle, underlyingClose, impliedVolatility, greeks } of page.rows.slice(0, 4)) {
      expect(impliedVolatility).toBeCloseTo(volatility, 6);
      const time_to_expiry = (Number(expiry) - candle.closeAt) / (365 * 86_400e6);
      const inputs = { spot: underlyingClose, strike, rate: 0.04, dividend_yield: 0.01, time_to_expiry };
      const outputs = ["delta", "gamma", "theta", "vega", "rho"] as const;
      const { columns } = engine.price({
        ...{ model, count: 1, isCall, outputs, units: "market" },
        inputs: { ...inputs, volatility: impliedVolatility },
      });
      expect(greeks).toEqual(outputs.map((name) => columns[name]![0]!));
    }
    for (const { impliedVolatility, greeks } of page.rows.slice(4))
      expect([impliedVolatility, ...greeks].every(Number.isNaN)).toBe(true);
  });

  test("only options have Greeks, and an unknown symbol none", async () => {
    const { history } = openTestHistory();
    await expect(history.greeks({ ...asking("SPX", "1m"), ...rates })).rejects.toMatchObject({
      code: "NOT_AN_OPTION",
      reason: "invalid",
    });
    await expect(history.greeks({ ...asking("nothing", "1m"), ...rates })).rejects.toMatchObject({
      code: "SYMBOL_UNKNOWN",
    });
    expect((await history.greeks({ ...asking(spxOption, "1m"), ...rates })).reason).toBe("no_data");
  });
});
