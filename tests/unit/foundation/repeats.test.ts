// What happens again and again is told once and counted, within bounds.

import { describe, expect, test } from "bun:test";
import { RepeatCounter } from "../../../src/foundation/repeats";

const counter = () => new RepeatCounter<string>({ windowMilliseconds: 100, kindCountMax: 3 });

describe("a counter of repeats", () => {
  test("lets the first of each kind through and counts what follows, the last of it kept", () => {
    const repeats = counter();
    expect(repeats.isFirst("a", "a1", 0)).toBe(true);
    expect(repeats.isFirst("b", "b1", 10)).toBe(true);
    expect(repeats.isFirst("a", "a2", 20)).toBe(false);
    expect(repeats.isFirst("a", "a3", 30)).toBe(false);
    expect(repeats.takeEnded(99)).toEqual([]);
    expect(repeats.takeEnded(100)).toEqual([{ value: "a3", count: 2, isOverflow: false }]);
    expect(repeats.takeEnded(1000)).toEqual([]);
  });

  test("begins anew once a window has been taken, and counts on where it has not", () => {
    const repeats = counter();
    repeats.isFirst("a", "a1", 0);
    expect(repeats.isFirst("a", "a2", 500)).toBe(false);
    expect(repeats.takeEnded(500)).toEqual([{ value: "a2", count: 1, isOverflow: false }]);
    expect(repeats.isFirst("a", "a3", 501)).toBe(true);
  });

  test("counts kinds past its limit together, and tells so", () => {
    const repeats = counter();
    for (const kind of ["a", "b", "c"]) expect(repeats.isFirst(kind, kind, 0)).toBe(true);
    for (const kind of ["d", "e", "d", "f"]) expect(repeats.isFirst(kind, kind, 50)).toBe(false);
    expect(repeats.takeEnded(100)).toEqual([]);
    expect(repeats.takeEnded(150)).toEqual([{ value: "f", count: 4, isOverflow: true }]);
    expect(repeats.isFirst("d", "d", 151)).toBe(true);
  });

  test("gives everything at the end of time", () => {
    const repeats = counter();
    for (const kind of ["a", "a", "b", "c", "d"]) repeats.isFirst(kind, kind, 0);
    expect(repeats.takeEnded(Number.POSITIVE_INFINITY).map(({ count }) => count)).toEqual([1, 1]);
  });

  test("without a window or a kind is our mistake", () => {
    expect(() => new RepeatCounter({ windowMilliseconds: 0, kindCountMax: 1 })).toThrow();
    expect(() => new RepeatCounter({ windowMilliseconds: 1, kindCountMax: 0 })).toThrow();
  });
});
