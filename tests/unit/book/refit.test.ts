// Refits beyond the first: what they start from, what they keep, what they believe, and what others do meanwhile.

import { describe, expect, test } from "bun:test";
import { UnderlyingBook } from "../../../src/book/book";
import type { BookEntry, BookSettings } from "../../../src/book/entries";
import { ChainFollower, chain } from "../../../src/book/view";
import { totalVariance } from "../../../src/surfaces/svi";
import {
  bookEngine,
  optionGrid,
  plainSmile,
  pricedQuotes,
  quoteOf,
  type Smile,
  sessionStart,
  someDates,
  testSettings,
} from "../../harness/book";

const strikes = Array.from({ length: 21 }, (_, index) => 80 + 2 * index);
const all = { kind: "all" } as const;

function quotedBook(root: "XSP" | "SPY", settings: Partial<BookSettings> = {}) {
  const instruments = optionGrid(root, someDates, strikes);
  const book = new UnderlyingBook({
    underlying: root,
    engine: bookEngine(),
    settings: { ...testSettings, ...settings },
  });
  book.list(instruments);
  const spotTo = (spot: number, at: bigint) => book.apply(quoteOf(root, at, spot - 0.01, spot + 0.01), at);
  const quoteAll = (at: bigint, options: { spot?: number; smile?: Smile; half?: number; noise?: number } = {}) => {
    const { spot = 100, smile = plainSmile, half = 0.05, noise = 0 } = options;
    for (const [index, quote] of pricedQuotes(instruments, { spot, at, smile, half }).entries()) {
      const shift = noise * Math.sin(17 * index);
      book.apply({ ...quote, bid: Math.max(0, quote.bid + shift), ask: quote.ask + shift }, at);
    }
  };
  spotTo(100, sessionStart);
  quoteAll(sessionStart);
  book.refit(sessionStart);
  book.value(sessionStart);
  return { book, instruments, spotTo, quoteAll };
}

describe("a second refit", () => {
  test("follows the quotes where they went, from where the last one ended", () => {
    const { book, quoteAll } = quotedBook("XSP");
    const higher = { ...plainSmile, volatility: (k: number, time: number) => 1.15 * plainSmile.volatility(k, time) };
    const later = sessionStart + 1_000_000n;
    quoteAll(later, { smile: higher });
    book.refit(later);
    book.value(later);
    for (const { rows } of chain(book, all).expiries)
      for (const { call, put } of rows)
        for (const cell of [call!, put!]) {
          expect(cell.price!).toBeGreaterThanOrEqual(cell.bid! - 1e-9);
          expect(cell.price!).toBeLessThanOrEqual(cell.ask! + 1e-9);
        }
  });

  test("without usable quotes keeps each slice's volatility while its time runs out", () => {
    const { book, spotTo } = quotedBook("XSP");
    const atTheMoney = () =>
      book.layout.map(({ expiry }) => {
        const { svi, timeToExpiry } = expiry.fit!.slice!;
        return Math.sqrt(totalVariance(svi, 0) / timeToExpiry);
      });
    const before = atTheMoney();
    const later = sessionStart + 15n * 86_400_000_000n;
    spotTo(101, later);
    book.refit(later);
    book.value(later);
    const after = atTheMoney();
    after.forEach((volatility, index) => {
      expect(volatility).toBeCloseTo(before[index]!, 10);
    });
    expect(book.surface!.arbitrage().isFree).toBe(true);
    expect(book.layout[0]!.expiry.fit!.slice!.at).toBe(Number(sessionStart));
    expect(book.layout[0]!.expiry.fit!.timeToExpiry).toBeLessThan(0.01);
  });

  test("doubts quotes that lie on no line, unless their forward is surely another", () => {
    const { book, spotTo, quoteAll } = quotedBook("XSP");
    const sources = () => book.layout.map(({ expiry }) => [expiry.fit!.source, expiry.fit!.quality]);
    const later = sessionStart + 1_000_000n;
    quoteAll(later, { half: 0.004, noise: 0.02 });
    book.refit(later);
    expect(sources()).toEqual(someDates.map(() => ["carried", "sound"]));
    const last = later + 1_000_000n;
    // The spot stays, the options move by one: only the forward can have.
    spotTo(100, last);
    quoteAll(last, { spot: 101, half: 0.004, noise: 0.02 });
    book.refit(last);
    expect(sources()).toEqual(someDates.map(() => ["parity", "doubtful"]));
    expect(book.layout[0]!.expiry.fit!.forward).toBeGreaterThan(100.8);
  });
});

describe("a refit in steps", () => {
  test("does not take what it solved over what was quoted meanwhile", () => {
    const { book, instruments } = quotedBook("XSP");
    const later = sessionStart + 1_000_000n;
    const steps = book.refitSteps(later);
    steps.next();
    const { symbol } = instruments[20]!;
    const [quote] = pricedQuotes([instruments[20]!], { spot: 100, at: later, half: 0.05 });
    book.apply({ ...quote!, bid: quote!.bid + 1, ask: quote!.ask + 1 }, later);
    book.value(later);
    const row = book.rows.rowOf(symbol);
    const solved = book.rows.columns.quoteVolatility[row]!;
    while (!steps.next().done);
    expect(book.rows.columns.quoteVolatility[row]).toBe(solved);
  });

  test("ends without a result where instruments come or go, and leaves what was fitted", () => {
    const { book, instruments } = quotedBook("XSP");
    const before = book.layout.map(({ expiry }) => expiry.fit);
    const recorded: BookEntry["kind"][] = [];
    const steps = book.refitSteps(sessionStart + 1n, ({ kind }) => recorded.push(kind));
    steps.next();
    book.unlist([instruments[0]!.symbol]);
    expect(steps.next().done).toBe(true);
    expect(recorded).toEqual(["refit_begin"]);
    expect(book.layout.map(({ expiry }) => expiry.fit)).toEqual(before);
    for (const _ of book.refitSteps(sessionStart + 2n, ({ kind }) => recorded.push(kind)));
    expect(recorded).toEqual(["refit_begin", "refit_begin", "refit"]);
  });

  test("a checkpoint taken in its middle goes on to the same end", () => {
    const { book, quoteAll } = quotedBook("XSP");
    const later = sessionStart + 1_000_000n;
    quoteAll(later, { spot: 100.1 });
    const steps = book.refitSteps(later);
    steps.next();
    const other = UnderlyingBook.restore(book.checkpoint(), { engine: bookEngine() });
    while (!steps.next().done);
    other.refit(later);
    expect(other.stateHash()).toBe(book.stateHash());
  });
});

describe("American options", () => {
  test("that are best exercised at once are worth their payoff, to the bit, wherever the spot goes", () => {
    const { book, instruments, spotTo } = quotedBook("SPY", { rate: 0.04 });
    const put = instruments.find(({ strike, optionType }) => strike === 120 && optionType === "put")!;
    const row = book.rows.rowOf(put.symbol);
    const { columns } = book.rows;
    for (const [index, spot] of [99.9, 100.1, 100.2].entries()) {
      spotTo(spot, sessionStart + BigInt(index + 1));
      book.value(sessionStart);
      expect(columns.price[row]).toBe(120 - book.spot);
      expect([columns.delta[row], columns.gamma[row], columns.vega[row]]).toEqual([-1, 0, 0]);
    }
  });
});

describe("ChainFollower", () => {
  test("tells whole what comes into its selection, changed or not", () => {
    const book = new UnderlyingBook({ underlying: "XSP", engine: bookEngine(), settings: testSettings });
    book.list(optionGrid("XSP", [someDates[0]], strikes));
    book.apply(quoteOf("XSP", sessionStart, 99.99, 100.01), sessionStart);
    book.value(sessionStart);
    const follower = new ChainFollower({ kind: "atm", count: 0 });
    follower.next(book);
    // Nothing has a value, so that nothing changes but where the money is.
    book.apply(quoteOf("XSP", sessionStart + 1n, 101.99, 102.01), sessionStart);
    book.value(sessionStart);
    const { expiries, removed } = JSON.parse(follower.next(book)!.data);
    expect(removed).toHaveLength(2);
    expect(expiries[0].rows).toMatchObject([{ strike: 102, call: { price: null }, put: { price: null } }]);
  });
});
