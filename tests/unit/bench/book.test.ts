// The bench of live books runs, tiny, so that it cannot rot; and what it measures does the work it says.

import { describe, expect, test } from "bun:test";
import { benchBook, floors, tickedBook } from "../../../bench/streaming/book";
import { systemClock } from "../../../src/foundation/clock";

describe("S4.33 bench of live books", () => {
  test("measures valuations beside the engine alone and a tree, and judges both", () => {
    const { measurements, ratios } = benchBook({ clock: systemClock, rounds: 1, rowsPerRound: 1 });
    expect(measurements).toHaveLength(12);
    expect(measurements.every(({ bestNanoseconds }) => bestNanoseconds > 0)).toBeTrue();
    expect(ratios.map(({ floor }) => floor)).toEqual([floors.tree, floors.engine]);
  });

  test("every tick changes the value of every option", () => {
    const { book, tick } = tickedBook("XSP", 250, {});
    for (let round = 0; round < 3; round++) {
      const { version } = book;
      expect(tick()).toEqual({ optionCount: 250, nullCount: 0 });
      expect(book.rowsChangedSince(version)).toHaveLength(250);
    }
  });
});
