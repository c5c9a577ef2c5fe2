// Books by random sessions: the same record gives the same bits, from its beginning or from a checkpoint anywhere in it, as one piece or
// through the codec, and with a refit worked out in steps while quotes go on coming.

import { describe, expect, test } from "bun:test";
import { UnderlyingBook } from "../../src/book/book";
import type { BookEntry } from "../../src/book/entries";
import { decodeEntries, encodeEntries } from "../../src/book/entry-codec";
import { ChainFollower, chainJson, marksJson, surfaceJson } from "../../src/book/view";
import { bookEngine, randomBy, randomSession, testSettings } from "../harness/book";

const seeds = [1, 2, 3, 4];

const emptyBook = (underlying: string) =>
  new UnderlyingBook({ underlying, engine: bookEngine(), settings: testSettings });

function replayed(entries: readonly BookEntry[], underlying: string): UnderlyingBook {
  const book = emptyBook(underlying);
  for (const entry of entries) book.enter(entry);
  return book;
}

const viewsOf = (book: UnderlyingBook) => [
  chainJson(book, { kind: "all" }),
  chainJson(book, { kind: "delta", delta: 0.3, tolerance: 0.2 }),
  surfaceJson(book),
  marksJson(book, "raw"),
];

describe.each([
  ["XSP", "XSP"],
  ["SPY", "SPY"],
])("a recorded session of %s", (root, underlying) => {
  const length = root === "SPY" ? 150 : 300;

  test("replayed twice ends in the same bits and says the same", () => {
    let [slices, prices] = [0, 0];
    for (const seed of seeds) {
      const entries = randomSession(seed, length, root);
      expect(entries.length).toBeGreaterThan(length);
      const [one, other] = [replayed(entries, underlying), replayed(decodeEntries(encodeEntries(entries)), underlying)];
      expect(other.stateHash(), `seed ${seed}`).toBe(one.stateHash());
      expect(viewsOf(other)).toEqual(viewsOf(one));
      // A session that fits and values nothing would prove nothing.
      slices += (surfaceJson(one).match(/"quote_count"/g) ?? []).length;
      prices += (chainJson(one, { kind: "all" }).match(/"price":\d/g) ?? []).length;
    }
    expect(slices).toBeGreaterThan(seeds.length);
    expect(prices).toBeGreaterThan(20 * seeds.length);
  });

  test("goes on from a checkpoint anywhere in it to the same bits", () => {
    for (const seed of seeds) {
      const random = randomBy(seed);
      const entries = randomSession(seed, length, root);
      const whole = replayed(entries, underlying).stateHash();
      let book = emptyBook(underlying);
      for (const entry of entries) {
        book.enter(entry);
        if (random() > 0.05) continue;
        const hash = book.stateHash();
        book = UnderlyingBook.restore(book.checkpoint(), { engine: bookEngine() });
        expect(book.stateHash()).toBe(hash);
      }
      expect(book.stateHash(), `seed ${seed}`).toBe(whole);
    }
  });

  test("with refits in steps is rebuilt by what it recorded", () => {
    for (const seed of seeds) {
      const recorded: BookEntry[] = [];
      const book = emptyBook(underlying);
      let steps: Generator<void, void> | null = null;
      let finished = 0;
      for (const entry of randomSession(seed, length, root)) {
        if (entry.kind === "refit" || entry.kind === "refit_begin") {
          steps ??= book.refitSteps(entry.at, (each) => recorded.push(each));
        } else {
          recorded.push(entry);
          book.enter(entry);
        }
        if (steps?.next().done !== true) continue;
        steps = null;
        finished += 1;
      }
      expect(finished).toBeGreaterThan(0);
      const again = replayed(recorded, underlying);
      expect(again.stateHash(), `seed ${seed}`).toBe(book.stateHash());
    }
  });

  test("a different quote gives another hash", () => {
    const entries = randomSession(seeds[0]!, 100, root);
    const book = emptyBook(underlying);
    const taken = entries.map((entry) =>
      entry.kind === "quote" ? book.apply(entry.quote, entry.receivedAt) : void book.enter(entry),
    );
    const place = taken.lastIndexOf("applied");
    const entry = entries[place] as Extract<BookEntry, { kind: "quote" }>;
    const changed = { ...entry, quote: { ...entry.quote, askSize: entry.quote.askSize + 1 } };
    expect(replayed(entries.with(place, changed), underlying).stateHash()).not.toBe(
      replayed(entries, underlying).stateHash(),
    );
  });
});

describe("ChainFollower", () => {
  test("its frames put together are the chain itself, whatever is selected", () => {
    for (const seed of seeds) {
      const book = emptyBook("XSP");
      const selection = { kind: "atm", count: 2 } as const;
      const follower = new ChainFollower(selection);
      let cells = new Map<string, unknown>();
      for (const entry of randomSession(seed, 400)) {
        book.enter(entry);
        if (entry.kind !== "value") continue;
        const frame = follower.next(book);
        if (frame !== null) {
          const data = JSON.parse(frame.data) as Frame;
          if (frame.kind === "snapshot") cells = new Map();
          for (const symbol of data.removed ?? []) cells.delete(symbol);
          for (const cell of cellsOf(data)) cells.set(cell.symbol, cell);
        }
        const whole = cellsOf(JSON.parse(chainJson(book, selection)) as Frame);
        expect(Object.fromEntries(cells), `seed ${seed}`).toEqual(
          Object.fromEntries(whole.map((cell) => [cell.symbol, cell])),
        );
      }
    }
  });
});

interface Frame {
  readonly removed?: readonly string[];
  readonly expiries: readonly { readonly rows: readonly { call?: Cell | null; put?: Cell | null }[] }[];
}

interface Cell {
  readonly symbol: string;
}

function cellsOf(frame: Frame): Cell[] {
  return frame.expiries
    .flatMap(({ rows }) => rows.flatMap(({ call, put }) => [call, put]))
    .filter((cell) => cell != null);
}
