// Bars: what ticks make of them in any order, and what finer bars make of longer ones.

import { describe, expect, test } from "bun:test";
import {
  CandleGatherer,
  candleIntervals,
  candleMicroseconds,
  candleStart,
  coarserCandles,
  mergeCandles,
} from "../../../src/book/candles";
import { randomBy, sessionStart } from "../../harness/book";

const tick = (seconds: number, last: number, dayVolume = Number.NaN) => ({
  symbol: "A",
  at: sessionStart + BigInt(Math.round(seconds * 1e6)),
  last,
  mid: Number.NaN,
  dayVolume,
});

describe("CandleGatherer", () => {
  test("opens, closes and bounds a bar by the venue's clock; a late tick amends its own bar (S4.30)", () => {
    const gatherer = new CandleGatherer("1s");
    for (const each of [tick(0.5, 10), tick(1.2, 12), tick(0.9, 9), tick(0.1, 11)]) gatherer.add(each);
    const bars = gatherer.take().map(({ candle }) => candle);
    expect(bars).toMatchObject([
      { open: 11, high: 11, low: 9, close: 9, tickCount: 3, start: Number(sessionStart) },
      { open: 12, close: 12, tickCount: 1 },
    ]);
    expect(gatherer.take()).toEqual([]);
  });

  test("bars taken at any moments merge into the bars of one go, whatever the interval", () => {
    const random = randomBy(5);
    const ticks = Array.from({ length: 500 }, (_, index) => tick(index * 0.7 - 3 * random(), 100 + random()));
    const inOneGo = new CandleGatherer("5s");
    const inParts = new CandleGatherer("5s");
    const kept = new Map<number, ReturnType<typeof mergeCandles>>();
    for (const each of ticks) {
      inOneGo.add(each);
      inParts.add(each);
      if (random() < 0.8) continue;
      for (const { candle } of inParts.take()) {
        const before = kept.get(candle.start);
        kept.set(candle.start, before === undefined ? candle : mergeCandles(before, candle));
      }
    }
    for (const { candle } of inParts.take())
      kept.set(candle.start, mergeCandles(kept.get(candle.start) ?? candle, candle));
    const whole = inOneGo.take().map(({ candle }) => candle);
    const parts = [...kept.values()].sort((left, right) => left.start - right.start);
    expect(parts.slice(0, -1)).toEqual(whole.slice(0, -1));
    const minutes = new CandleGatherer("1m");
    for (const each of ticks) minutes.add(each);
    expect(coarserCandles("1m", whole)).toEqual(minutes.take().map(({ candle }) => candle));
  });

  test("counts what was traded since the tick before, begins anew with a day, and counts nothing twice (S5.15)", () => {
    const gatherer = new CandleGatherer("1s");
    for (const each of [tick(0, 1, 500), tick(0.2, 1, 530), tick(0.1, 1, 510), tick(1, 1, 7)]) gatherer.add(each);
    expect(gatherer.take().map(({ candle }) => candle.volume)).toEqual([30, 7]);
    expect(gatherer.count).toBe(0);
    gatherer.forget("A");
    gatherer.add(tick(2, 1, 100));
    expect(gatherer.take().map(({ candle }) => candle.volume)).toEqual([0]);
  });

  test("of ticks at one moment the first to arrive opens and the last closes", () => {
    const gatherer = new CandleGatherer();
    for (const price of [3, 5, 4]) gatherer.add(tick(0, price));
    expect(gatherer.take()).toMatchObject([{ candle: { open: 3, high: 5, low: 3, close: 4 } }]);
  });

  test("takes the middle where no last is told, and no bar of neither", () => {
    const gatherer = new CandleGatherer();
    gatherer.add({ ...tick(0, Number.NaN), mid: 3 });
    gatherer.add(tick(0, Number.NaN));
    expect(gatherer.take()).toMatchObject([{ symbol: "A", candle: { open: 3, tickCount: 1 } }]);
  });

  test("every interval divides the next, and a moment's span holds it", () => {
    for (const interval of candleIntervals) {
      const start = candleStart(interval, Number(sessionStart) + 1);
      expect(start).toBeLessThanOrEqual(Number(sessionStart) + 1);
      expect(start % candleMicroseconds(interval)).toBe(0);
    }
  });
});
