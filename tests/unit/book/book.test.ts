// A book: what quotes do to it, what a refit finds, what a valuation says and why it says nothing.

import { describe, expect, test } from "bun:test";
import { UnderlyingBook } from "../../../src/book/book";
import type { BookSettings } from "../../../src/book/entries";
import { yearsBetween } from "../../../src/book/expiry";
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

  test("options quoted in the coin they are on are fitted in its price, and told in the coin again", () => {
    const dollars = optionGrid(
      "XSP",
      someDates,
      strikes.map((strike) => 500 * strike),
    );
    const underlying = "deribit:BTC";
    const coins = dollars.map((each) => ({
      ...each,
      symbol: `${underlying}-${each.symbol}`,
      underlying,
      currency: "BTC",
    }));
    const book = new UnderlyingBook({ underlying, engine: bookEngine(), settings: testSettings });
    book.list(coins);
    const spot = 50_000;
    book.apply(quoteOf(underlying, sessionStart, Number.NaN, Number.NaN, { last: spot }), sessionStart);
    for (const quote of pricedQuotes(coins, { spot, at: sessionStart, half: 5 }))
      book.apply({ ...quote, bid: quote.bid / spot, ask: quote.ask / spot }, sessionStart);
    book.refit(sessionStart);
    expect(book.value(sessionStart).nullCount).toBe(0);
    for (const { rate, forward, rows } of chain(book, { kind: "all" }).expiries) {
      expect(rate!).toBeCloseTo(plainSmile.rate, 6);
      expect(forward!).toBeGreaterThan(spot);
      for (const { call, put } of rows)
        for (const cell of [call!, put!]) {
          expect(cell.price!).toBeGreaterThanOrEqual(cell.bid! - 1e-9);
          expect(cell.price!).toBeLessThanOrEqual(cell.ask! + 1e-9);
          expect(Math.abs(cell.delta!)).toBeLessThanOrEqual(1);
        }
    }
    const later = sessionStart + 1n;
    const [ticked] = pricedQuotes([coins[20]!], { spot, at: later, half: 5 });
    book.apply({ ...ticked!, bid: ticked!.bid / spot, ask: ticked!.ask / spot }, later);
    const before = book.rows.columns.quoteVolatility[book.rows.rowOf(ticked!.symbol)]!;
    book.value(later);
    expect(book.rows.columns.quoteVolatility[book.rows.rowOf(ticked!.symbol)]!).toBeCloseTo(before, 6);
    const expiry = coins[0]!.expiry! + 1n;
    book.apply(quoteOf(underlying, expiry, Number.NaN, Number.NaN, { last: 60_000 }), expiry);
    book.value(expiry);
    const call = chain(book, { kind: "all" }).expiries[0]!.rows.find(({ strike }) => strike === 48_000)!.call!;
    expect(call.price!).toBeCloseTo(12_000 / 60_000, 12);
  });

  test("between refits a smile moves with the spot in surface mode and stands at its strike in quote mode", () => {
    const volatilityAfterMove = (volatility: "surface" | "quote") => {
      const { book, instruments, underlying } = quotedBook("XSP", { volatility });
      book.refit(sessionStart);
      book.value(sessionStart);
      const row = book.rows.rowOf(instruments[21]!.symbol);
      const before = book.rows.columns.volatility[row]!;
      book.apply(quoteOf(underlying, sessionStart + 1n, 101.99, 102.01), sessionStart);
      book.value(sessionStart);
      return { before, after: book.rows.columns.volatility[row]! };
    };
    const quoted = volatilityAfterMove("quote");
    expect(quoted.after).toBe(quoted.before);
    // The strike is further below the money now, where this smile is higher.
    const fitted = volatilityAfterMove("surface");
    expect(fitted.after).toBeGreaterThan(fitted.before + 5e-4);
  });

  test("expiries without quotes of their own take a future, else their neighbours, and then what they had", () => {
    const { book, instruments, underlying } = quotedBook("XSP");
    const strangers = optionGrid("XSP", [{ year: 2026, month: 9, day: 18 }], strikes);
    book.list(strangers);
    book.refit(sessionStart);
    book.value(sessionStart);
    const sources = () => chain(book, { kind: "all" }).expiries.map(({ forward_source }) => forward_source);
    expect(sources()).toEqual(["parity", "parity", "interpolated", "parity"]);
    expect(chain(book, { kind: "all" }).expiries[2]!.rows[5]!.call!.volatility_source).toBe("surface");
    const future = {
      ...strangers[0]!,
      symbol: "FUTURE",
      kind: "future" as const,
      strike: null,
      optionType: null,
      style: null,
    };
    book.list([future]);
    book.apply(quoteOf("FUTURE", sessionStart, 101.9, 102.1), sessionStart);
    book.refit(sessionStart);
    book.value(sessionStart);
    expect(sources()).toEqual(["parity", "parity", "future", "parity"]);
    expect(chain(book, { kind: "all" }).expiries[2]!.forward).toBeCloseTo(102, 9);
    const later = sessionStart + 61_000_000n;
    book.apply(quoteOf(underlying, later, 100.99, 101.01), later);
    book.refit(later);
    book.value(later);
    expect(sources()).toEqual(["carried", "carried", "interpolated", "carried"]);
    const view = chain(book, { kind: "all" }).expiries[0]!;
    expect(view.forward! / 101).toBeCloseTo(Math.exp(0.03 * view.time_to_expiry), 6);
    expect(view.rows[10]!.call).toMatchObject({ quote: "stale", volatility_source: "surface", reason: null });
    book.unlist(instruments.map(({ symbol }) => symbol));
    book.refit(later);
    expect(book.value(later)).toEqual({ optionCount: 42, nullCount: 42 });
  });

  test("American options between full valuations: within 2e-4 of price and 5e-4 of delta for a move of a quarter percent", () => {
    const { book, underlying } = quotedBook("SPY", { rate: 0.04 });
    book.refit(sessionStart);
    book.value(sessionStart);
    const fullAt = book.rows.columns.premiumSpot.slice(0, 126);
    book.apply(quoteOf(underlying, sessionStart + 1n, 100.24, 100.26), sessionStart);
    book.value(sessionStart);
    const { columns } = book.rows;
    expect(columns.premiumSpot.slice(0, 126)).toEqual(fullAt);
    const fitOf = (row: number) => book.expiries[columns.expiryIndex[row]!]!;
    const column = (of: (row: number) => number) => Float64Array.from({ length: 126 }, (_, row) => of(row));
    const full = bookEngine().price({
      model: "american",
      count: 126,
      isCall: book.rows.isCall.slice(0, 126),
      inputs: {
        spot: book.spot,
        strike: columns.strike.slice(0, 126),
        time_to_expiry: column((row) => yearsBetween(Number(sessionStart), fitOf(row).at)),
        rate: column((row) => fitOf(row).fit!.rate),
        dividend_yield: column((row) => fitOf(row).fit!.dividendYield),
        volatility: columns.volatility.slice(0, 126),
        scheme: 0,
      },
      outputs: ["price", "delta", "gamma"],
      units: "raw",
    }).columns;
    const worst = (name: "price" | "delta" | "gamma") =>
      full[name]!.reduce((most, value, row) => Math.max(most, Math.abs(value - columns[name][row]!)), 0);
    expect(worst("price")).toBeLessThan(2e-4);
    expect(worst("delta")).toBeLessThan(5e-4);
    expect(worst("gamma")).toBeLessThan(5e-3);
    // Further off, rows are valued in full, so many at a time, until all are.
    book.apply(quoteOf(underlying, sessionStart + 2n, 101.99, 102.01), sessionStart);
    for (let round = 0; round < 3; round++) book.value(sessionStart);
    expect(columns.premiumSpot.slice(0, 126)).toEqual(new Float64Array(126).fill(102));
  });
});
