// What a book says to the outside: what is selected, what is null and why, what changed, and the page for a browser.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { UnderlyingBook } from "../../../src/book/book";
import type { BookSettings } from "../../../src/book/entries";
import { chainHtml, chainPage, chainStyleHash } from "../../../src/book/html";
import { formatSelection, parseSelection, type Selection } from "../../../src/book/selection";
import {
  ChainFollower,
  chain,
  chainJson,
  greeksJson,
  MarksFollower,
  quoteJson,
  surfaceJson,
} from "../../../src/book/view";
import {
  bookEngine,
  optionGrid,
  pricedQuotes,
  quoteOf,
  sessionStart,
  someDates,
  testSettings,
} from "../../harness/book";

const strikes = Array.from({ length: 21 }, (_, index) => 80 + 2 * index);
const instruments = optionGrid("XSP", someDates, strikes);
const second = 1_000_000n;

function freshBook(settings: Partial<BookSettings> = {}): UnderlyingBook {
  const book = new UnderlyingBook({
    underlying: "XSP",
    engine: bookEngine(),
    settings: { ...testSettings, ...settings },
  });
  book.list(instruments);
  return book;
}

function valuedBook(settings: Partial<BookSettings> = {}): UnderlyingBook {
  const book = freshBook(settings);
  book.apply(quoteOf("XSP", sessionStart, 99.99, 100.01), sessionStart);
  for (const quote of pricedQuotes(instruments, { spot: 100, at: sessionStart })) book.apply(quote, sessionStart);
  book.refit(sessionStart);
  book.value(sessionStart);
  return book;
}

const selected = (book: UnderlyingBook, selection: Selection) =>
  chain(book, selection).expiries.map(({ rows }) => rows.map(({ strike }) => strike));

describe("S4.29 selections", () => {
  test.each([
    ["all", "all"],
    ["2026-12-18", "2026-12-18"],
    ["atm~5", "atm~5"],
    ["atm~0", "atm~0"],
    ["percent~2.50", "percent~2.5"],
    ["delta~0.25~0.05", "delta~0.25~0.05"],
  ])("%s is read and written as %s", (text, written) => {
    const selection = parseSelection(text);
    expect(formatSelection(selection as Selection)).toBe(written);
    expect(parseSelection(written)).toEqual(selection);
  });

  test.each([
    "",
    "ALL",
    "atm",
    "atm~",
    "atm~-1",
    "atm~1.5",
    "atm~1001",
    "atm~1~2",
    "percent~0",
    "percent~101",
    "percent~1e1",
    "delta~0.25",
    "delta~0~0.1",
    "delta~0.5~2",
    "2026-13-01",
    "2026-12-18~1",
    "0x10",
  ])("%p is refused in words", (text) => {
    expect(parseSelection(text)).toHaveProperty("fault");
  });

  test("choose strikes by number, percent, delta and day", () => {
    const book = valuedBook();
    expect(selected(book, { kind: "all" })).toEqual([strikes, strikes, strikes]);
    expect(selected(book, { kind: "expiry", date: "2026-06-18" })).toEqual([strikes]);
    expect(selected(book, { kind: "expiry", date: "2026-06-19" })).toEqual([]);
    expect(selected(book, { kind: "atm", count: 1 })[0]).toEqual([98, 100, 102]);
    // December's forward is 102.4: the strike nearest to it is 102.
    expect(selected(book, { kind: "atm", count: 0 })[2]).toEqual([102]);
    expect(selected(book, { kind: "percent", percent: 2.5 })[0]).toEqual([98, 100, 102]);
    const near = chain(book, { kind: "delta", delta: 0.25, tolerance: 0.05 });
    for (const { rows } of near.expiries)
      for (const { call, put } of rows) {
        const isNear = (delta: number) => Math.abs(Math.abs(delta) - 0.25) <= 0.05;
        expect(isNear(call!.delta!) || isNear(put!.delta!)).toBe(true);
      }
    expect(near.expiries.flatMap(({ rows }) => rows).length).toBeGreaterThan(3);
  });
});

describe("what a book says of an option", () => {
  const cellOf = (book: UnderlyingBook, index = 0) => JSON.parse(greeksJson(book, instruments[index]!.symbol)!);

  test("before anything is known: no spot; with a spot alone: no forward", () => {
    const book = freshBook();
    expect(book.value(sessionStart)).toEqual({ optionCount: 126, nullCount: 126 });
    expect(cellOf(book)).toMatchObject({ price: null, delta: null, reason: "no_spot", quote: "no_quote", spot: null });
    book.apply(quoteOf("XSP", sessionStart, 99.99, 100.01), sessionStart);
    book.refit(sessionStart);
    book.value(sessionStart);
    expect(cellOf(book)).toMatchObject({ price: null, reason: "no_forward", spot: 100 });
  });

  test("in quote mode without a surface, what its quote lacks", () => {
    const book = freshBook({ volatility: "quote", rate: 0.04 });
    book.apply(quoteOf("XSP", sessionStart, 99.99, 100.01), sessionStart);
    const quotes = pricedQuotes(instruments, { spot: 100, at: sessionStart });
    // Two pairs are enough for a forward at a given rate, and too few for a smile.
    for (const { symbol } of instruments.filter(({ strike }) => strike === 100 || strike === 104)) {
      const quote = quotes.find((each) => each.symbol === symbol)!;
      book.apply(quote, sessionStart);
    }
    const tell = (index: number, sides: { bid: number; ask: number }, receivedAt = sessionStart) =>
      book.apply(quoteOf(instruments[index]!.symbol, sessionStart, sides.bid, sides.ask), receivedAt);
    tell(0, { bid: Number.NaN, ask: 20 });
    tell(1, { bid: 3, ask: 2 });
    tell(2, { bid: 1, ask: 1.1 });
    tell(3, { bid: 500, ask: 501 });
    tell(4, { bid: 16, ask: 16.1 }, sessionStart - 61n * second);
    book.refit(sessionStart);
    book.value(sessionStart);
    expect(book.surface).toBeNull();
    const reasons = [0, 1, 2, 3, 4, 5].map((index) => cellOf(book, index).reason);
    expect(reasons).toEqual(["one_sided", "crossed", "below_intrinsic", "above_maximum", "stale", "no_quote"]);
    const money = instruments.findIndex(({ strike }) => strike === 100);
    expect(cellOf(book, money)).toMatchObject({ reason: null, volatility_source: "quote", quote: "ok" });
  });

  test("a stale, crossed or one-sided quote is priced by the surface, and marked", () => {
    const book = valuedBook({ volatility: "quote" });
    const [stale, crossed] = [instruments[0]!.symbol, instruments[1]!.symbol];
    const later = sessionStart + 30n * second;
    for (const quote of pricedQuotes(instruments.slice(1), { spot: 100, at: later })) book.apply(quote, later);
    book.apply(quoteOf(crossed, later + 1n, 3, 2), later);
    book.apply(quoteOf("XSP", later, 99.99, 100.01), later);
    book.value(sessionStart + 61n * second);
    const say = (symbol: string) => JSON.parse(greeksJson(book, symbol)!);
    expect(say(stale)).toMatchObject({ quote: "stale", volatility_source: "surface", reason: null });
    expect(say(crossed)).toMatchObject({ quote: "crossed", volatility_source: "surface", reason: null });
    expect(say(instruments[20]!.symbol)).toMatchObject({ quote: "ok", volatility_source: "quote" });
  });

  test("S4.48 an expired option keeps the payoff at the first spot known after its moment, whatever the spot does then", () => {
    const book = valuedBook();
    const call = instruments.find(({ strike, optionType }) => strike === 90 && optionType === "call")!;
    const late = call.expiry! + 5n * second;
    book.apply(quoteOf("XSP", late, 97.99, 98.01), late);
    book.value(late);
    const say = () => JSON.parse(greeksJson(book, call.symbol)!);
    expect(say()).toMatchObject({ price: 8, delta: 0, vega: 0, reason: "expired" });
    book.apply(quoteOf("XSP", late + 1n, 119.99, 120.01), late);
    book.value(late + second);
    expect(say()).toMatchObject({ spot: 120, price: 8, reason: "expired" });
    book.unlist([call.symbol]);
    expect(greeksJson(book, call.symbol)).toBeNull();
  });

  test("raw units are market units undone", () => {
    const book = valuedBook();
    const { symbol } = instruments[20]!;
    const market = JSON.parse(greeksJson(book, symbol)!);
    const raw = JSON.parse(greeksJson(book, symbol, "raw")!);
    expect(market.vega).toBeCloseTo(raw.vega / 100, 12);
    expect(market.theta).toBeCloseTo(raw.theta / 365, 12);
    expect(market.delta).toBe(raw.delta);
  });

  test("the spot is the middle, else the last, else parity's, else an old one, and says which", () => {
    const book = valuedBook();
    const sourceAt = (at: bigint) => {
      book.value(at);
      return [book.spotSource, Math.round(book.spot * 100) / 100];
    };
    expect(sourceAt(sessionStart)).toEqual(["mid", 100]);
    expect(sourceAt(sessionStart + 61n * second)).toEqual(["stale", 100]);
    const later = sessionStart + 61n * second;
    for (const quote of pricedQuotes(instruments, { spot: 101, at: later })) book.apply(quote, later);
    book.refit(later);
    const [source, spot] = sourceAt(later);
    expect(source).toBe("parity");
    // The nearest prepaid forward lacks that expiry's dividends: 101·e^(−0.01·0.05).
    expect(spot as number).toBeCloseTo(100.95, 1);
    book.apply(quoteOf("XSP", later + 1n, 0, Number.NaN, { last: 101.5 }), later);
    expect(sourceAt(later)).toEqual(["last", 101.5]);
  });

  test("its last quote, and null where there is none", () => {
    const book = valuedBook();
    const { symbol } = instruments[20]!;
    book.apply(quoteOf(symbol, sessionStart + 7n, 1.5, 1.75, { sourceSequence: 3, volume: 12 }), sessionStart + 9n);
    expect(JSON.parse(quoteJson(book, symbol)!)).toEqual({
      symbol,
      ts: "2026-03-02T15:00:00.000007Z",
      bid: 1.5,
      ask: 1.75,
      bid_size: 10,
      ask_size: 12,
      last: null,
      volume: 12,
      open_interest: null,
      source_seq: 3,
      received_at: "2026-03-02T15:00:00.000009Z",
    });
    expect(quoteJson(book, "XSP")).toContain('"bid":99.99');
    expect(quoteJson(book, "NOBODY")).toBeNull();
    expect(quoteJson(freshBook(), symbol)).toBeNull();
  });
});

describe("frames", () => {
  test("marks tell all once, then what changed, and all again when rows come or go", () => {
    const book = valuedBook();
    const follower = new MarksFollower();
    const first = follower.next(book)!;
    expect(first.kind).toBe("snapshot");
    const all = JSON.parse(first.data);
    expect(all.symbols).toHaveLength(126);
    expect(follower.next(book)).toBeNull();
    const { symbol } = instruments[5]!;
    book.apply(quoteOf(symbol, sessionStart + 1n, 1, 2), sessionStart);
    const changed = follower.next(book)!;
    expect(changed.kind).toBe("delta");
    expect(JSON.parse(changed.data).rows.map((row: number) => all.symbols[row])).toEqual([symbol]);
    book.unlist([symbol]);
    expect(follower.next(book)!.kind).toBe("snapshot");
    expect(JSON.parse(follower.next(freshBook())!.data).price).toEqual(new Array(126).fill(null));
  });

  test("a chain tells what left its selection", () => {
    const book = valuedBook();
    const follower = new ChainFollower({ kind: "atm", count: 0 });
    follower.next(book);
    expect(follower.next(book)).toBeNull();
    book.apply(quoteOf("XSP", sessionStart + 1n, 103.99, 104.01), sessionStart);
    book.value(sessionStart);
    const data = JSON.parse(follower.next(book)!.data);
    expect(data.removed.length).toBeGreaterThanOrEqual(2);
    expect(data.expiries[0].rows[0].strike).toBe(104);
  });

  test("the surface tells its slices' parameters, and null where there is none", () => {
    const view = JSON.parse(surfaceJson(valuedBook()));
    expect(view.expiries).toHaveLength(3);
    for (const { slice, forward } of view.expiries) {
      expect(slice.quote_count).toBeGreaterThan(5);
      expect(slice.atm_volatility).toBeGreaterThan(0.1);
      expect(forward).toBeGreaterThan(100);
    }
    expect(JSON.parse(surfaceJson(freshBook())).expiries[0].slice).toBeNull();
  });
});

describe("chainHtml", () => {
  test("puts strikes between calls and puts, marks the one at the money, and gives reasons in words", () => {
    const page = chainHtml(valuedBook(), { kind: "atm", count: 2 });
    expect(page).toContain("<title>XSP option chain</title>");
    expect(page.match(/<tr class="atm">/g)).toHaveLength(3);
    expect(page.match(/scope="row"/g)).toHaveLength(15);
    expect(page).not.toContain("<script");
    expect(page).not.toMatch(/ style=| on[a-z]+=/);
    const fresh = freshBook();
    expect(/pending/.test(chainHtml(fresh, { kind: "all" }))).toBe(true);
    fresh.value(sessionStart);
    expect(/no spot/.test(chainHtml(fresh, { kind: "all" }))).toBe(true);
  });

  test("carries the style sheet whose hash it tells", () => {
    const style = /<style>([\s\S]*?)<\/style>/.exec(chainHtml(freshBook(), { kind: "all" }))![1]!;
    expect(`sha256-${createHash("sha256").update(style).digest("base64")}`).toBe(chainStyleHash);
  });

  test("escapes what came from outside", () => {
    const view = chain(freshBook(), { kind: "expiry", date: "2030-01-01" });
    const page = chainPage({ ...view, underlying: `<img src=x onerror="alert('1')">&` });
    expect(page).not.toContain("<img");
    expect(page).toContain("&#60;img src=x onerror=&#34;alert(&#39;1&#39;)&#34;&#62;&#38;");
    expect(page).toContain("No options are listed here.");
  });

  test("of the whole chain its JSON parses to what it shows", () => {
    const book = valuedBook();
    expect(JSON.parse(chainJson(book, { kind: "all" }))).toEqual(chain(book, { kind: "all" }));
  });
});
