// Re-pricing a book of 5,000 European options, price and five Greeks each, on a tick of the underlying: by the fitted surface and by the
// options' own quotes, beside the engine's bare call on the same options and beside one American option by a plain tree of 200 steps, a unit
// of work that every machine has. American options, a whole refit, views and the record's bytes are told and not judged.

import { UnderlyingBook } from "../../src/book/book";
import type { BookEntry, BookSettings } from "../../src/book/entries";
import { decodeEntries, encodeEntries } from "../../src/book/entry-codec";
import { chainJson, marksJson } from "../../src/book/view";
import type { Engine } from "../../src/engine/engine";
import { systemClock } from "../../src/foundation/clock";
import { bookEngine, optionGrid, pricedQuotes, quoteOf, sessionStart, testSettings } from "../../tests/harness/book";
import { type CompareOptions, compare, describe, type Measurement, type Ratio, ratioOf } from "../compare";
import { treePut } from "../surfaces/svi";

/** What a valuation must be worth: its options cost less than so many to a tree, and most of it is the engine's own time. */
export const floors = { tree: 600, engine: 0.25 };

const optionCount = 5000;
const expiryCount = 25;

/** A quoted and fitted book of so many options, and a way to move its spot and value it. */
export function tickedBook(root: "XSP" | "SPY", count: number, settings: Partial<BookSettings>) {
  const dates = Array.from({ length: expiryCount }, (_, index) => ({
    year: 2026 + Math.floor((3 + index) / 12),
    month: ((3 + index) % 12) + 1,
    day: 18,
  }));
  const strikeCount = Math.max(5, count / expiryCount / 2);
  const strikes = Array.from({ length: strikeCount }, (_, index) => 60 + (index * 80) / strikeCount);
  const instruments = optionGrid(root, dates, strikes);
  const book = new UnderlyingBook({
    underlying: root,
    engine: bookEngine(),
    settings: { ...testSettings, ...settings },
  });
  const quotes = pricedQuotes(instruments, { spot: 100, at: sessionStart });
  book.list(instruments);
  book.apply(quoteOf(root, sessionStart, 99.99, 100.01), sessionStart);
  for (const quote of quotes) book.apply(quote, sessionStart);
  book.refit(sessionStart);
  book.value(sessionStart);
  let at = sessionStart;
  const tick = () => {
    at += 10_000n;
    const spot = 100 + 0.1 * Math.sin(Number(at - sessionStart) / 1e6);
    book.apply(quoteOf(root, at, spot - 0.01, spot + 0.01), at);
    return book.value(at);
  };
  return { book, tick, refit: () => book.refit(at), quotes };
}

/** The engine's call that a valuation rests on. */
function bareCall(engine: Engine, book: UnderlyingBook): () => unknown {
  const { rows } = book;
  const count = rows.optionCount;
  const constant = (value: number) => new Float64Array(count).fill(value);
  const request = {
    model: "black_scholes_merton" as const,
    count,
    isCall: rows.isCall.slice(0, count),
    inputs: {
      spot: 100,
      strike: rows.columns.strike.slice(0, count),
      time_to_expiry: constant(0.5),
      rate: constant(0.04),
      dividend_yield: constant(0.01),
      volatility: rows.columns.volatility.slice(0, count),
    },
    outputs: ["price", "delta", "gamma", "vega", "theta", "rho"] as const,
    units: "raw" as const,
  };
  return () => engine.price(request);
}

/** Measures all; few rounds make a smoke test. A row is one option, quote or tree. */
export function benchBook(options: CompareOptions): { measurements: Measurement[]; ratios: Ratio[] } {
  const bySurface = tickedBook("XSP", optionCount, { volatility: "surface" });
  const byQuote = tickedBook("XSP", optionCount, { volatility: "quote" });
  const american = tickedBook("SPY", 250, { rate: 0.04 });
  const entries: BookEntry[] = bySurface.quotes.map((quote) => ({ kind: "quote", quote, receivedAt: quote.at }));
  const bytes = encodeEntries(entries);
  const measurements = compare(
    [
      { name: "tree of 200 steps", rows: 1, run: () => treePut(200) },
      { name: "engine alone", rows: optionCount, run: bareCall(bookEngine(), bySurface.book) },
      { name: "valued by surface", rows: optionCount, run: bySurface.tick },
      { name: "valued by quote", rows: optionCount, run: byQuote.tick },
      { name: "valued, American", rows: 250, run: american.tick },
      { name: "refit", rows: optionCount, run: bySurface.refit },
      { name: "refit, American", rows: 250, run: american.refit },
      { name: "chain as JSON", rows: optionCount, run: () => chainJson(bySurface.book, { kind: "all" }) },
      { name: "marks as JSON", rows: optionCount, run: () => marksJson(bySurface.book) },
      { name: "entries to bytes", rows: optionCount, run: () => encodeEntries(entries) },
      { name: "entries from bytes", rows: optionCount, run: () => decodeEntries(bytes) },
      { name: "checkpoint", rows: optionCount, run: () => bySurface.book.checkpoint() },
    ],
    options,
  );
  return {
    measurements,
    ratios: [
      ratioOf(measurements, {
        name: "an option of a live book against a tree of 200 steps",
        fast: "valued by surface",
        slow: "tree of 200 steps",
        floor: floors.tree,
      }),
      ratioOf(measurements, {
        name: "share of the engine in valuing a live book",
        fast: "valued by surface",
        slow: "engine alone",
        floor: floors.engine,
      }),
    ],
  };
}

if (import.meta.main) {
  const { measurements, ratios } = benchBook({ clock: systemClock, rounds: 31, rowsPerRound: optionCount });
  process.stdout.write(describe("a live book", measurements, ratios));
  const valued = measurements.find(({ name }) => name === "valued by surface")!;
  const milliseconds = (nanoseconds: number) => ((nanoseconds * valued.rows) / 1e6).toFixed(2);
  process.stdout.write(
    `5,000 options on one tick: best ${milliseconds(valued.bestNanoseconds)} ms, median ${milliseconds(valued.medianNanoseconds)} ms\n`,
  );
}
