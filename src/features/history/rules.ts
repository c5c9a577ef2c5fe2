// The pure part of candles: ticks of the log gathered by symbol and second, seconds packed into their minute, and where a page begins and ends. Separate from
// the service, which reads and writes. What a tick makes of a bar is src/book/candles.ts' to say.

import {
  type Candle,
  type CandleInterval,
  candleMicroseconds,
  candleOfTick,
  candleStart,
  mergeCandles,
} from "../../book/candles";
import { midOf, type Quote } from "../../domain/quote";
import { assert } from "../../foundation/assert";

/** The day's total as last told, and the venue's moment then. */
export interface DayTotal {
  readonly at: number;
  readonly total: number;
}

/** Ticks of one symbol since the last look: bars of one second in order, and the day's total after them. */
export interface GatheredSymbol {
  readonly seconds: Map<number, Candle>;
  total: DayTotal | null;
}

/** What was traded since the last tick: totals rise within a day and fall where another begins; a late tick's trades were counted. */
function tradedSince(before: DayTotal | null, at: number, total: number): number {
  if (before === null || at < before.at) return 0;
  return total >= before.total ? total - before.total : total;
}

/** Takes a quote into a symbol's bars. One with neither a last price nor two sides makes no bar. */
export function gather(gathered: GatheredSymbol, quote: Quote): void {
  const price = Number.isFinite(quote.last) ? quote.last : midOf(quote);
  if (!Number.isFinite(price)) return;
  const at = Number(quote.at);
  let volume = 0;
  if (Number.isFinite(quote.volume)) {
    volume = tradedSince(gathered.total, at, quote.volume);
    if (gathered.total === null || at >= gathered.total.at) gathered.total = { at, total: quote.volume };
  }
  const bar = candleOfTick("1s", { at, price, volume });
  const before = gathered.seconds.get(bar.start);
  gathered.seconds.set(bar.start, before === undefined ? bar : mergeCandles(before, bar));
}

/** Bars of one second by the minute they lie in, each in order. */
export function byMinute(seconds: Iterable<Candle>): Map<number, Candle[]> {
  const minutes = new Map<number, Candle[]>();
  for (const bar of [...seconds].sort((one, other) => one.start - other.start)) {
    const minute = candleStart("1m", bar.start);
    const bars = minutes.get(minute);
    if (bars === undefined) minutes.set(minute, [bar]);
    else bars.push(bar);
  }
  return minutes;
}

/** Two lists of bars of the same length in order as one; of two of the same span the one that came `later` is merged into the other. */
export function mergedBars(earlier: readonly Candle[], later: readonly Candle[]): Candle[] {
  const bars = new Map(earlier.map((bar) => [bar.start, bar]));
  for (const bar of later) {
    const before = bars.get(bar.start);
    bars.set(bar.start, before === undefined ? bar : mergeCandles(before, bar));
  }
  return [...bars.values()].sort((one, other) => one.start - other.start);
}

/** Offset in seconds, four prices, two offsets in microseconds, volume, ticks. */
const packedBytes = 1 + 4 * 8 + 4 + 4 + 8 + 4;

/** Bars of one second of the minute that begins there, end to end. */
export function packSeconds(minute: number, bars: readonly Candle[]): Uint8Array {
  const packed = new Uint8Array(bars.length * packedBytes);
  const view = new DataView(packed.buffer);
  for (const [index, bar] of bars.entries()) {
    const offset = index * packedBytes;
    view.setUint8(offset, (bar.start - minute) / 1_000_000);
    view.setFloat64(offset + 1, bar.open, true);
    view.setFloat64(offset + 9, bar.high, true);
    view.setFloat64(offset + 17, bar.low, true);
    view.setFloat64(offset + 25, bar.close, true);
    view.setUint32(offset + 33, bar.openAt - minute, true);
    view.setUint32(offset + 37, bar.closeAt - minute, true);
    view.setFloat64(offset + 41, bar.volume, true);
    view.setUint32(offset + 49, bar.tickCount, true);
  }
  return packed;
}

/** The bars again. */
export function unpackSeconds(minute: number, packed: Uint8Array): Candle[] {
  assert(packed.byteLength % packedBytes === 0, `${packed.byteLength} bytes are no seconds of a minute`);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  return Array.from({ length: packed.byteLength / packedBytes }, (_, index) => {
    const offset = index * packedBytes;
    return {
      start: minute + view.getUint8(offset) * 1_000_000,
      open: view.getFloat64(offset + 1, true),
      high: view.getFloat64(offset + 9, true),
      low: view.getFloat64(offset + 17, true),
      close: view.getFloat64(offset + 25, true),
      openAt: minute + view.getUint32(offset + 33, true),
      closeAt: minute + view.getUint32(offset + 37, true),
      volume: view.getFloat64(offset + 41, true),
      tickCount: view.getUint32(offset + 49, true),
    };
  });
}

/** The first moment at or after this one at which a bar of the interval begins. */
export function spanFrom(interval: CandleInterval, at: number): number {
  const start = candleStart(interval, at);
  return start === at ? at : start + candleMicroseconds(interval);
}
