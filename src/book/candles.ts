// Bars of prices over time, by the venue's clock. Separate from whoever stores them: what a tick makes of a bar must be one rule, so that
// bars built live, from the record, or from finer bars are the same. Pure; the order of arrival decides only between equal moments.
//
// A bar of one tick, and the merging of two bars of one span, are all there is: a late tick is merged into the bar of its own moment, and five
// minutes are the merging of their minutes. Volumes come as the day's total; what each tick adds is worked out as it arrives.

import { unreachable } from "../foundation/assert";
import type { EpochMicroseconds } from "../foundation/clock";

export const candleIntervals = ["1s", "5s", "1m", "5m", "15m", "1h", "1d"] as const;

export type CandleInterval = (typeof candleIntervals)[number];

/** One bar. Moments are microseconds since the epoch. */
export interface Candle {
  /** Where its span begins. */
  readonly start: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  /** The venue's moments of its first and last tick. */
  readonly openAt: number;
  readonly closeAt: number;
  /** Traded within it, as far as told; 0 where nothing was. */
  readonly volume: number;
  readonly tickCount: number;
}

/** The length of an interval in microseconds. */
export function candleMicroseconds(interval: CandleInterval): number {
  switch (interval) {
    case "1s":
      return 1_000_000;
    case "5s":
      return 5_000_000;
    case "1m":
      return 60_000_000;
    case "5m":
      return 300_000_000;
    case "15m":
      return 900_000_000;
    case "1h":
      return 3_600_000_000;
    case "1d":
      return 86_400_000_000;
    default:
      return unreachable(interval);
  }
}

/** Where the span begins that a moment lies in; spans are counted from 1970-01-01T00:00:00Z. */
export function candleStart(interval: CandleInterval, at: number): number {
  const length = candleMicroseconds(interval);
  return Math.floor(at / length) * length;
}

/** The bar of one price alone. */
export function candleOfTick(interval: CandleInterval, tick: { at: number; price: number; volume: number }): Candle {
  const { at, price, volume } = tick;
  const all = { open: price, high: price, low: price, close: price, openAt: at, closeAt: at };
  return { start: candleStart(interval, at), ...all, volume, tickCount: 1 };
}

/**
 * Two bars as one that begins at `start`. Of ticks at one moment the ones that arrived in `earlier` open it and the ones in `later` close it;
 * otherwise it does not matter which is which.
 */
export function mergeCandles(earlier: Candle, later: Candle, start = earlier.start): Candle {
  const opens = later.openAt < earlier.openAt ? later : earlier;
  const closes = later.closeAt >= earlier.closeAt ? later : earlier;
  return {
    start,
    open: opens.open,
    high: Math.max(earlier.high, later.high),
    low: Math.min(earlier.low, later.low),
    close: closes.close,
    openAt: opens.openAt,
    closeAt: closes.closeAt,
    volume: earlier.volume + later.volume,
    tickCount: earlier.tickCount + later.tickCount,
  };
}

/** Finer bars in order of time as bars of a longer interval, a multiple of theirs. */
export function coarserCandles(interval: CandleInterval, finer: readonly Candle[]): Candle[] {
  const bars: Candle[] = [];
  for (const bar of finer) {
    const start = candleStart(interval, bar.start);
    const last = bars.at(-1);
    if (last?.start === start) bars[bars.length - 1] = mergeCandles(last, bar, start);
    else bars.push({ ...bar, start });
  }
  return bars;
}

/** What a tick of one symbol says: the venue's moment, last price, two sides' middle, the day's volume; NaN is not told. */
export interface CandleTick {
  readonly symbol: string;
  readonly at: EpochMicroseconds;
  readonly last: number;
  readonly mid: number;
  readonly dayVolume: number;
}

/** A bar that is new or has changed since it was last taken. */
export interface ChangedCandle {
  readonly symbol: string;
  readonly candle: Candle;
}

interface Volume {
  /** The venue's latest moment so far, and the day's total then. */
  at: number;
  total: number;
}

/**
 * Gathers ticks into bars of one second until they are taken. What is taken is what came since: merge it into what is kept, as `later`.
 * The price is the last where one is told, else the middle; a tick with neither makes no bar.
 */
export class CandleGatherer {
  readonly #interval: CandleInterval;
  #bars = new Map<string, Map<number, Candle>>();
  readonly #volumes = new Map<string, Volume>();

  constructor(interval: CandleInterval = "1s") {
    this.#interval = interval;
  }

  add({ symbol, at, last, mid, dayVolume }: CandleTick): void {
    const moment = Number(at);
    const price = Number.isNaN(last) ? mid : last;
    if (!Number.isFinite(price)) return;
    const bar = candleOfTick(this.#interval, { at: moment, price, volume: this.#traded(symbol, moment, dayVolume) });
    let bars = this.#bars.get(symbol);
    if (bars === undefined) {
      bars = new Map();
      this.#bars.set(symbol, bars);
    }
    const before = bars.get(bar.start);
    bars.set(bar.start, before === undefined ? bar : mergeCandles(before, bar));
  }

  /** How many bars wait to be taken. */
  get count(): number {
    let count = 0;
    for (const bars of this.#bars.values()) count += bars.size;
    return count;
  }

  /** Everything gathered since the last time, by symbol and time; begins anew. */
  take(): ChangedCandle[] {
    const taken: ChangedCandle[] = [];
    for (const [symbol, bars] of this.#bars)
      for (const candle of [...bars.values()].sort((left, right) => left.start - right.start))
        taken.push({ symbol, candle });
    this.#bars = new Map();
    return taken;
  }

  /** Forgets a symbol's day, once it is let go of. */
  forget(symbol: string): void {
    this.#volumes.delete(symbol);
  }

  /** What was traded since the last tick: totals rise within a day and fall where another begins; a late one's trades were counted. */
  #traded(symbol: string, at: number, total: number): number {
    if (Number.isNaN(total)) return 0;
    const before = this.#volumes.get(symbol);
    if (before === undefined) {
      // What was traded before the first tick is nobody's bar.
      this.#volumes.set(symbol, { at, total });
      return 0;
    }
    if (at < before.at) return 0;
    const traded = total >= before.total ? total - before.total : total;
    before.at = at;
    before.total = total;
    return traded;
  }
}
