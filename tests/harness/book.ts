// A small market for tests of books: instruments of one underlying, quotes priced from known rates and a known smile, and sessions
// drawn by a seed that list, quote, refit, value and let go of instruments in any order.

import type { BookEntry, BookSettings } from "../../src/book/entries";
import { defaultBookSettings } from "../../src/book/entries";
import { contractFromParts, type Instrument } from "../../src/domain/instrument";
import type { Quote } from "../../src/domain/quote";
import { createEngine, type Engine } from "../../src/engine/engine";
import { kernelWasmBytes } from "../../src/storage/assets";

let engine: Engine | undefined;

/** One engine for all tests of a process. */
export function bookEngine(): Engine {
  engine ??= createEngine({ wasmBytes: kernelWasmBytes(), version: "test" });
  return engine;
}

/** 2026-03-02T15:00:00Z, a Monday. */
export const sessionStart = 1_772_463_600_000_000n;

export const microsecondsPerYear = 365 * 86_400_000_000;

/** The instrument of an OSI contract. */
export function optionInstrument(
  root: string,
  date: { year: number; month: number; day: number },
  optionType: "call" | "put",
  strike: number,
): Instrument {
  const contract = contractFromParts({
    root,
    expiryDate: date,
    optionType,
    strikeThousandths: Math.round(strike * 1000),
  });
  return {
    symbol: contract.symbol,
    kind: "option",
    underlying: contract.underlying,
    root,
    expiry: contract.expiry,
    strike: contract.strike,
    optionType,
    style: contract.style,
    settlement: contract.settlement,
    multiplier: 100,
    tickSize: null,
    currency: "USD",
    calendar: "XNYS",
  };
}

/** A quote with everything told but what is given otherwise. */
export function quoteOf(symbol: string, at: bigint, bid: number, ask: number, more: Partial<Quote> = {}): Quote {
  return {
    symbol,
    at,
    bid,
    ask,
    bidSize: 10,
    askSize: 12,
    last: Number.NaN,
    volume: Number.NaN,
    openInterest: Number.NaN,
    sourceSequence: null,
    ...more,
  };
}

export interface Smile {
  readonly rate: number;
  readonly dividendYield: number;
  /** Volatility at log-moneyness k and a time in years. */
  volatility(k: number, time: number): number;
}

export const plainSmile: Smile = {
  rate: 0.04,
  dividendYield: 0.01,
  volatility: (k, time) => Math.sqrt((0.03 * time + 0.02 * time * (-0.6 * k + Math.sqrt(k * k + 0.04))) / time),
};

/** Quotes of options around their worth by the smile, `half` to either side. */
export function pricedQuotes(
  instruments: readonly Instrument[],
  { spot, at, smile = plainSmile, half = 0.05 }: { spot: number; at: bigint; smile?: Smile; half?: number },
): Quote[] {
  const { rate, dividendYield } = smile;
  const time = instruments.map(({ expiry }) => Number(expiry! - at) / microsecondsPerYear);
  const forward = time.map((each) => spot * Math.exp((rate - dividendYield) * each));
  const isAmerican = instruments[0]?.style === "american";
  const { columns } = bookEngine().price({
    model: isAmerican ? "american" : "black_scholes_merton",
    count: instruments.length,
    isCall: Uint8Array.from(instruments, ({ optionType }) => (optionType === "call" ? 1 : 0)),
    inputs: {
      spot,
      strike: Float64Array.from(instruments, ({ strike }) => strike!),
      time_to_expiry: Float64Array.from(time),
      rate,
      dividend_yield: dividendYield,
      volatility: Float64Array.from(instruments, ({ strike }, index) =>
        smile.volatility(Math.log(strike! / forward[index]!), time[index]!),
      ),
    },
    outputs: ["price"],
    units: "raw",
  });
  return instruments.map(({ symbol }, index) => {
    const price = columns.price![index]!;
    return quoteOf(symbol, at, Math.max(0, price - half), price + half);
  });
}

/** Calls and puts at each strike of each day. */
export function optionGrid(
  root: string,
  dates: readonly { year: number; month: number; day: number }[],
  strikes: readonly number[],
): Instrument[] {
  return dates.flatMap((date) =>
    strikes.flatMap((strike) => (["call", "put"] as const).map((type) => optionInstrument(root, date, type, strike))),
  );
}

export const someDates = [
  { year: 2026, month: 3, day: 20 },
  { year: 2026, month: 6, day: 18 },
  { year: 2026, month: 12, day: 18 },
] as const;

export const testSettings: BookSettings = { ...defaultBookSettings };

/** Numbers from 0 to 1 by a seed (mulberry32). */
export function randomBy(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A session of one underlying by a seed: everything that may enter a book, in an order that a market may bring. */
export function randomSession(seed: number, length: number, root = "XSP"): BookEntry[] {
  const random = randomBy(seed);
  const pick = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)]!;
  const strikes = Array.from({ length: 9 }, (_, index) => 80 + 5 * index);
  const all = optionGrid(root, [{ year: 2026, month: 3, day: 2 }, ...someDates], strikes);
  const underlying = all[0]!.underlying;
  const entries: BookEntry[] = [{ kind: "list", instruments: all.filter(() => random() < 0.8) }];
  for (const quote of pricedQuotes(all, { spot: 100, at: sessionStart, half: 0.05 }))
    if (random() < 0.8) entries.push({ kind: "quote", quote, receivedAt: sessionStart });
  const lengthInAll = entries.length + length;
  let at = sessionStart;
  let spot = 100;
  let sequence = 0;
  while (entries.length < lengthInAll) {
    at += BigInt(Math.floor(random() * (random() < 0.005 ? 4e9 : 2e5)));
    spot *= 1 + 0.002 * (random() - 0.5);
    const draw = random();
    const told = random() < 0.5 ? { sourceSequence: random() < 0.9 ? ++sequence : sequence } : {};
    if (draw < 0.25) {
      const half = random() < 0.05 ? -0.02 : 0.02;
      const quote = quoteOf(underlying, at, spot - half, spot + half, told);
      entries.push({ kind: "quote", quote, receivedAt: at + 500n });
    } else if (draw < 0.8) {
      const instrument = pick(all);
      const venueAt = at - (random() < 0.05 ? 10_000_000n : 0n);
      const [priced] = pricedQuotes([instrument], { spot, at: venueAt, half: 0.05 * random() });
      const sides = random() < 0.1 ? { bid: Number.NaN } : random() < 0.05 ? { bid: 99, ask: 1 } : {};
      const last = random() < 0.3 ? priced!.ask : Number.NaN;
      entries.push({ kind: "quote", quote: { ...priced!, ...sides, last, ...told }, receivedAt: at + 500n });
    } else if (draw < 0.86) entries.push({ kind: "refit", at });
    else if (draw < 0.89) entries.push({ kind: "refit_begin", at });
    else if (draw < 0.97) entries.push({ kind: "value", at });
    else if (draw < 0.98) entries.push({ kind: "unlist", symbols: [pick(all).symbol, pick(all).symbol] });
    else if (draw < 0.99) entries.push({ kind: "list", instruments: [pick(all), pick(all)] });
    else {
      const volatility = pick(["surface", "quote"] as const);
      entries.push({ kind: "settings", settings: { ...testSettings, volatility } });
    }
  }
  return entries;
}
