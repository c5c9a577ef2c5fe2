// A book: what quotes do to it, what a refit finds, what a valuation says and why it says nothing.

import { describe, expect, test } from "bun:test";
import { UnderlyingBook } from "../../../src/book/book";
import type { BookSettings } from "../../../src/book/entries";
import { chain } from "../../../src/book/view";
import {
  bookEngine,
  optionGrid,
  plainSmile,
  pricedQuotes,
  quoteOf,
  sessionStart,
  someDates,
  testSettings,
} from "../../harness/book";

const strikes = Array.from({ length: 21 }, (_, index) => 80 + 2 * index);

function quotedBook(root: string, settings: Partial<BookSettings> = {}, spot = 100) {
  const instruments = optionGrid(root, someDates, strikes);
  const underlying = instruments[0]!.underlying;
  const book = new UnderlyingBook({ underlying, engine: bookEngine(), settings: { ...testSettings, ...settings } });
  book.list(instruments);
  book.apply(quoteOf(underlying, sessionStart, spot - 0.01, spot + 0.01), sessionStart);
  for (const quote of pricedQuotes(instruments, { spot, at: sessionStart })) book.apply(quote, sessionStart);
  return { book, instruments, underlying };
}

describe("UnderlyingBook", () => {
  test("finds the rates its quotes were made with and prices every option within its quote (S4.47)", () => {
    const { book } = quotedBook("XSP");
    book.refit(sessionStart);
    const report = book.value(sessionStart);
    expect(report).toEqual({ optionCount: 126, nullCount: 0 });
    const view = chain(book, { kind: "all" });
    expect(view.spot).toBe(100);
    expect(view.spot_source).toBe("mid");
    expect(view.expiries).toHaveLength(3);
    for (const expiry of view.expiries) {
      expect(expiry.forward_source).toBe("parity");
      expect(expiry.rate!).toBeCloseTo(plainSmile.rate, 6);
      expect(expiry.dividend_yield!).toBeCloseTo(plainSmile.dividendYield, 6);
      for (const { call, put } of expiry.rows)
        for (const cell of [call!, put!]) {
          expect(cell.price!).toBeGreaterThanOrEqual(cell.bid! - 1e-9);
          expect(cell.price!).toBeLessThanOrEqual(cell.ask! + 1e-9);
          expect(cell.reason).toBeNull();
        }
    }
  });

  test("takes early exercise out of American prices and prices them within their quotes", () => {
    const { book } = quotedBook("SPY", { rate: 0.04 });
    book.refit(sessionStart);
    const report = book.value(sessionStart);
    expect(report.nullCount).toBe(0);
    for (const expiry of chain(book, { kind: "all" }).expiries) {
      expect(expiry.de_americanised).toBe(true);
      expect(Math.abs(expiry.dividend_yield! - plainSmile.dividendYield)).toBeLessThan(2e-4);
      for (const { call, put } of expiry.rows)
        for (const cell of [call!, put!]) {
          expect(cell.price!).toBeGreaterThanOrEqual(cell.bid! - 0.01);
          expect(cell.price!).toBeLessThanOrEqual(cell.ask! + 0.01);
        }
    }
  });

  test("tells duplicates, late quotes and strangers apart (S5.15)", () => {
    const { book, instruments } = quotedBook("XSP");
    const { symbol } = instruments[0]!;
    const quote = quoteOf(symbol, sessionStart + 1n, 20, 21, { sourceSequence: 7 });
    expect(book.apply(quote, sessionStart)).toBe("applied");
    expect(book.apply(quote, sessionStart)).toBe("duplicate");
    expect(book.apply({ ...quote, at: sessionStart + 2n, sourceSequence: 6 }, sessionStart)).toBe("late");
    expect(book.apply({ ...quote, at: sessionStart, sourceSequence: null }, sessionStart)).toBe("late");
    expect(book.apply({ ...quote, symbol: "NOBODY" }, sessionStart)).toBe("unknown");
    expect(book.apply({ ...quote, at: sessionStart + 20_000_000n, sourceSequence: 1 }, sessionStart)).toBe("applied");
    expect(book.quoted(symbol)!.sequence).toBe(1);
  });
});
