// Which options a ladder holds: what each rule picks around a forward, when it moves and when it does not.

import { describe, expect, test } from "bun:test";
import {
  expiryDateOf,
  type LadderOption,
  type LadderRule,
  type LadderState,
  type LadderView,
  ladderSymbolsMax,
  listingOf,
  moveLadder,
} from "../../../src/domain/strike-ladder";

const now = 1_767_225_600_000_000n; // 2026-01-01T00:00:00Z
const day = 86_400_000_000n;
const january = now + 15n * day;
const february = now + 43n * day;

function listing(
  strikes: readonly number[] = [90, 95, 100, 105, 110],
  expiries: readonly bigint[] = [january],
): LadderOption[] {
  return expiries.flatMap((expiry) =>
    strikes.flatMap((strike) =>
      (["call", "put"] as const).map((optionType) => ({
        symbol: `${expiryDateOf(expiry)} ${strike}${optionType === "call" ? "C" : "P"}`,
        expiry,
        strike,
        optionType,
      })),
    ),
  );
}

const rule = (changes: Partial<LadderRule> = {}): LadderRule => ({
  strikes: { kind: "atm", count: 1 },
  expiries: { kind: "nearest", count: 1 },
  side: "both",
  hysteresis: 0.1,
  restMicroseconds: 0n,
  ...changes,
});

const view = (
  forward: number | null,
  listed: readonly LadderOption[] = listing(),
  deltas: Record<string, number> = {},
): LadderView => ({
  listing: listingOf(listed),
  forwardOf: () => forward,
  deltaOf: (symbol) => deltas[symbol] ?? null,
});

/** Strikes and sides, without the day. */
const short = (symbols: Iterable<string>) => [...symbols].map((symbol) => symbol.slice(11));

describe("S4.29 strikes by rule", () => {
  test("at the money ± n are the strike nearest to the forward and n on each side", () => {
    const { symbols, added, removed, lacks, triggers } = moveLadder(rule(), view(101), null, now);
    expect(short(symbols)).toEqual(["95C", "95P", "100C", "100P", "105C", "105P"]);
    expect([...added]).toEqual([...symbols]);
    expect(removed).toEqual([]);
    expect([...lacks]).toEqual([]);
    expect([...triggers]).toEqual(["expiry"]);
  });

  test("of two strikes equally near the lower one is at the money", () => {
    const narrow = rule({ strikes: { kind: "atm", count: 0 } });
    expect(short(moveLadder(narrow, view(102.5), null, now).symbols)).toEqual(["100C", "100P"]);
  });

  test("at the listing's end fewer strikes are taken, and said to be missing", () => {
    const { symbols, lacks } = moveLadder(rule(), view(111), null, now);
    expect(short(symbols)).toEqual(["105C", "105P", "110C", "110P"]);
    expect([...lacks]).toEqual(["strike_not_listed"]);
  });

  test("a percentage is of the forward, both ends included", () => {
    const five = rule({ strikes: { kind: "percent", percent: 5 } });
    expect(short(moveLadder(five, view(100), null, now).symbols)).toEqual([
      "95C",
      "95P",
      "100C",
      "100P",
      "105C",
      "105P",
    ]);
    expect(short(moveLadder(five, view(100.01), null, now).symbols)).toEqual(["100C", "100P", "105C", "105P"]);
  });

  test("fixed strikes need no forward; one that is not listed is said to be missing and the others are taken", () => {
    const fixed = rule({ strikes: { kind: "fixed", strikes: [95, 97.5] } });
    const { symbols, lacks } = moveLadder(fixed, view(null), null, now);
    expect(short(symbols)).toEqual(["95C", "95P"]);
    expect([...lacks]).toEqual(["strike_not_listed"]);
  });

  test("a delta's target is met by calls and by puts, without the sign, the tolerance's ends included", () => {
    const byDelta = rule({ strikes: { kind: "delta", target: 0.25, tolerance: 0.05 } });
    const prefix = expiryDateOf(january);
    const deltas = {
      [`${prefix} 105C`]: 0.3,
      [`${prefix} 110C`]: 0.19,
      [`${prefix} 95P`]: -0.2,
      [`${prefix} 90P`]: -0.1,
    };
    expect(short(moveLadder(byDelta, view(100, listing(), deltas), null, now).symbols)).toEqual(["95P", "105C"]);
    const { symbols, lacks } = moveLadder(byDelta, view(100), null, now);
    expect(symbols.size).toBe(0);
    expect([...lacks]).toEqual(["no_delta"]);
  });

  test.each([
    ["calls", ["95C", "100C", "105C"]],
    ["puts", ["95P", "100P", "105P"]],
    ["out_of_the_money", ["95P", "100C", "100P", "105C"]],
    ["in_the_money", ["95C", "100C", "100P", "105P"]],
  ] as const)("the side %s takes %j", (side, expected) => {
    expect(short(moveLadder(rule({ side }), view(101), null, now).symbols)).toEqual([...expected]);
  });

  test("out of the money by fixed strikes goes by the forward itself", () => {
    const fixed = rule({ strikes: { kind: "fixed", strikes: [95, 105] }, side: "out_of_the_money" });
    expect(short(moveLadder(fixed, view(100), null, now).symbols)).toEqual(["95P", "105C"]);
    expect([...moveLadder(fixed, view(null), null, now).lacks]).toEqual(["no_forward"]);
  });

  test("a forward that is none counts as unknown: nothing is taken, and why is said", () => {
    for (const forward of [null, Number.NaN, 0, -1, Number.POSITIVE_INFINITY]) {
      const { symbols, lacks } = moveLadder(rule(), view(forward), null, now);
      expect(symbols.size).toBe(0);
      expect([...lacks]).toEqual(["no_forward"]);
    }
  });

  test("more than the greatest number of options are cut to those nearest to their centre, and stay so", () => {
    const strikes = Array.from({ length: ladderSymbolsMax }, (_, index) => 50 + index * 0.05);
    const wide = rule({ strikes: { kind: "percent", percent: 100 } });
    const first = moveLadder(wide, view(100, listing(strikes)), null, now);
    expect(first.isCut).toBe(true);
    expect(first.symbols.size).toBe(ladderSymbolsMax);
    expect([...first.symbols].every((symbol) => Math.abs(Number.parseFloat(symbol.slice(11)) - 100) <= 25)).toBe(true);
    const second = moveLadder(wide, view(100, listing(strikes)), first.state, now);
    expect([second.added.length, second.removed.length, second.triggers.size]).toEqual([0, 0, 0]);
  });
});

describe("S4.29 expiries by rule", () => {
  const evening = january + 6n * 3_600_000_000n;
  const listed = listing([100], [january, evening, february, now - day]);
  const dates = (expiries: LadderRule["expiries"], at = now) => [
    ...new Set([...moveLadder(rule({ expiries }), view(100, listed), null, at).symbols].map((s) => s.slice(0, 10))),
  ];

  test("the nearest k are dates: a morning and an evening settlement of one day count once and are both taken", () => {
    const { state } = moveLadder(rule(), view(100, listed), null, now);
    expect(state.map(({ expiry }) => expiry)).toEqual([january, evening]);
    expect(dates({ kind: "nearest", count: 2 })).toEqual(["2026-01-16", "2026-02-13"]);
    expect(dates({ kind: "nearest", count: 9 })).toEqual(["2026-01-16", "2026-02-13"]);
  });

  test("fixed dates are taken where they are listed and not over", () => {
    expect(dates({ kind: "fixed", dates: ["2026-02-13", "2026-03-20", "2025-12-31"] })).toEqual(["2026-02-13"]);
  });

  test("days away have both ends included", () => {
    expect(dates({ kind: "days", from: 15, to: 43 })).toEqual(["2026-01-16", "2026-02-13"]);
    expect(dates({ kind: "days", from: 16, to: 43 })).toEqual(["2026-02-13"]);
    expect(dates({ kind: "days", from: 0, to: 14 })).toEqual([]);
  });

  test("S4.28 at its expiry a contract is dropped and the next expiry rolls in", () => {
    const two = listing([95, 100, 105], [january, february]);
    const held = moveLadder(rule(), view(100, two), null, now);
    expect(dates({ kind: "nearest", count: 1 }, january - 1n)).toEqual(["2026-01-16"]);
    const { added, removed, triggers } = moveLadder(rule(), view(100, two), held.state, january);
    expect([...triggers]).toEqual(["expiry"]);
    expect(new Set(removed.map((symbol) => symbol.slice(0, 10)))).toEqual(new Set(["2026-01-16"]));
    expect(new Set(added.map((symbol) => symbol.slice(0, 10)))).toEqual(new Set(["2026-02-13"]));
  });
});

describe("S4.29 when a ladder moves", () => {
  /** Follows the forwards one after another, a second each; tells the centre after each. */
  function follow(which: LadderRule, forwards: readonly (number | null)[], listed = listing()): (number | null)[] {
    let state: LadderState | null = null;
    return forwards.map((forward, index) => {
      ({ state } = moveLadder(which, view(forward, listed), state, now + BigInt(index) * 1_000_000n));
      return state[0]!.centre;
    });
  }

  test("a new strike is at the money only past the midpoint by a tenth of the spacing, and back the same way", () => {
    // 100 | midpoint 102.5, left past 103 | 105, left below 102.
    expect(follow(rule(), [101, 102.6, 103, 103.01, 102.5, 102, 101.99])).toEqual([100, 100, 100, 105, 105, 105, 100]);
  });

  test("without a hysteresis the nearest strike it is", () => {
    expect(follow(rule({ hysteresis: 0 }), [101, 102.51, 102.49])).toEqual([100, 105, 100]);
  });

  test("a jump over several strikes lands at the nearest", () => {
    expect(follow(rule(), [91, 109])).toEqual([90, 110]);
  });

  test("after a move it rests", () => {
    const resting = rule({ restMicroseconds: 3_000_000n });
    expect(follow(resting, [100, 106, 106, 106, 100, 100, 100])).toEqual([100, 100, 100, 105, 105, 105, 100]);
  });

  test("a percentage's centre follows a forward that has left it by a share of the spacing", () => {
    const wide = rule({ strikes: { kind: "percent", percent: 5 } });
    expect(follow(wide, [100, 100.5, 100.51, 100.02, 100])).toEqual([100, 100, 100.51, 100.51, 100]);
  });

  test("a forward that goes away changes nothing", () => {
    expect(follow(rule(), [101, null, Number.NaN, 106])).toEqual([100, 100, 100, 105]);
    expect(follow(rule({ strikes: { kind: "percent", percent: 5 } }), [101, null])).toEqual([101, 101]);
  });

  test("what moved it is told, with what is added and removed", () => {
    const first = moveLadder(rule(), view(100), null, now);
    const still = moveLadder(rule(), view(101), first.state, now);
    expect([still.triggers.size, still.added.length, still.removed.length]).toEqual([0, 0, 0]);
    const moved = moveLadder(rule(), view(104), still.state, now);
    expect([...moved.triggers]).toEqual(["forward"]);
    expect([short(moved.added), short(moved.removed)]).toEqual([
      ["110C", "110P"],
      ["95C", "95P"],
    ]);
  });

  test("a strike that is listed anew joins, one that is gone leaves, and a centre that is gone is replaced", () => {
    const first = moveLadder(rule(), view(101), null, now);
    const joined = moveLadder(rule(), view(101, listing([90, 95, 97.5, 100, 102.5, 105])), first.state, now);
    expect([...joined.triggers]).toEqual(["listing"]);
    expect(short(joined.symbols)).toEqual(["97.5C", "97.5P", "100C", "100P", "102.5C", "102.5P"]);
    const gone = moveLadder(rule(), view(101, listing([90, 95, 105, 110])), first.state, now);
    expect(short(gone.symbols)).toEqual(["95C", "95P", "105C", "105P", "110C", "110P"]);
  });

  test("an option held by its delta leaves only past the tolerance and a share of it, and stays while nothing is known", () => {
    const byDelta = rule({ strikes: { kind: "delta", target: 0.25, tolerance: 0.05 }, hysteresis: 0.2 });
    const symbol = `${expiryDateOf(january)} 105C`;
    let state: LadderState | null = null;
    const holds = (delta: number | null) => {
      const move = moveLadder(byDelta, view(100, listing(), delta === null ? {} : { [symbol]: delta }), state, now);
      ({ state } = move);
      return move.symbols.has(symbol);
    };
    expect([0.31, 0.3, 0.305, 0.31, 0.3101, 0.305, null].map(holds)).toEqual([
      false,
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
    expect([0.3, null, null, 0.4].map(holds)).toEqual([true, true, true, false]);
  });
});
