// What a request for a subscription means, each way in which it can mean nothing, and the states told of one.

import { describe, expect, test } from "bun:test";
import {
  type AskedSubscription,
  definitionOf,
  fingerprintOf,
  isLadderOver,
  ruleOf,
  statusOf,
} from "../../../../src/features/subscriptions/rules";

const nameOf = (text: string) =>
  /^[a-z]+$/i.test(text) ? { symbol: text.toUpperCase() } : { fault: "is no name here" };
const faultsOf = (asked: AskedSubscription) => {
  try {
    definitionOf(asked, nameOf);
    return [];
  } catch (error) {
    const { code, reason, faults } = error as {
      code: string;
      reason: string;
      faults: { pointer: string; code: string }[];
    };
    expect([code, reason]).toEqual(["SUBSCRIPTION_INVALID", "invalid"]);
    return faults.map(({ pointer, code: which }) => `${pointer} ${which}`);
  }
};

describe("S4.27 what is asked for", () => {
  test.each([
    [{}, [" ONE_OF_REQUIRED"]],
    [
      { symbols: ["A"], underlying: "X", ladder: { atm: 1, nearest: 1 } },
      [" ONE_OF_REQUIRED", "/underlying NOT_ALLOWED"],
    ],
    [{ symbols: ["A"], underlying: "X" }, ["/underlying NOT_ALLOWED"]],
    [{ ladder: { atm: 1, nearest: 1 } }, ["/underlying REQUIRED"]],
    [{ symbols: ["A", "$", "B", "'; drop table"] }, ["/symbols/1 SYMBOL_INVALID", "/symbols/3 SYMBOL_INVALID"]],
    [{ underlying: "../x", ladder: { atm: 1, nearest: 1 } }, ["/underlying SYMBOL_INVALID"]],
    [{ underlying: "X", ladder: {} }, ["/ladder ONE_OF_REQUIRED", "/ladder ONE_OF_REQUIRED"]],
    [{ underlying: "X", ladder: { atm: 1, percent: 2, nearest: 1 } }, ["/ladder ONE_OF_REQUIRED"]],
    [{ underlying: "X", ladder: { atm: 1, nearest: 1, days: { from: 0, to: 1 } } }, ["/ladder ONE_OF_REQUIRED"]],
    [{ underlying: "X", ladder: { atm: 1, days: { from: 2, to: 1 } } }, ["/ladder/days/to OUT_OF_RANGE"]],
    [{ underlying: "X", ladder: { atm: 1, dates: ["2026-02-30"] } }, ["/ladder/dates/0 DATE_INVALID"]],
    [
      { underlying: "X", ladder: { strikes: [1, Number.POSITIVE_INFINITY, 1e13], nearest: 1 } },
      ["/ladder/strikes/1 OUT_OF_RANGE", "/ladder/strikes/2 OUT_OF_RANGE"],
    ],
  ] as [AskedSubscription, string[]][])("%j cannot be meant: %j", (asked, expected) => {
    expect(faultsOf(asked)).toEqual(expected);
  });

  test("of very many faults the first are told", () => {
    expect(faultsOf({ symbols: Array.from({ length: 500 }, () => "$") }).length).toBe(20);
  });

  test("is the same however it is written, and another where it differs", () => {
    const print = (asked: AskedSubscription) => fingerprintOf(definitionOf(asked, nameOf));
    expect(print({ symbols: ["a", "b", "A"] })).toBe(print({ symbols: ["B", "A"] }));
    const ladder = (each: object) => print({ underlying: "X", ladder: each as never });
    expect(ladder({ strikes: [2, 1, 2], dates: ["2026-03-01", "2026-02-01"] })).toBe(
      ladder({ dates: ["2026-02-01", "2026-03-01"], strikes: [1, 2], side: "both", hysteresis: 0.1, rest_seconds: 5 }),
    );
    const different = [
      { atm: 1, nearest: 1 },
      { atm: 2, nearest: 1 },
      { percent: 1, nearest: 1 },
      { atm: 1, nearest: 2 },
      { atm: 1, nearest: 1, side: "calls" },
      { atm: 1, nearest: 1, hysteresis: 0 },
      { atm: 1, nearest: 1, rest_seconds: 0 },
      { delta: { target: 1, tolerance: 0.5 }, days: { from: 0, to: 1 } },
    ];
    expect(new Set(different.map(ladder)).size).toBe(different.length);
  });

  test("is the rule it says", () => {
    const rule = (each: object) => {
      const definition = definitionOf({ underlying: "X", ladder: each as never }, nameOf);
      return ruleOf((definition as Extract<typeof definition, { kind: "ladder" }>).ladder);
    };
    expect(rule({ strikes: [2, 1], dates: ["2026-02-01"], rest_seconds: 0.5 })).toEqual({
      strikes: { kind: "fixed", strikes: [1, 2] },
      expiries: { kind: "fixed", dates: ["2026-02-01"] },
      side: "both",
      hysteresis: 0.1,
      restMicroseconds: 500_000n,
    });
    expect(rule({ atm: 0, nearest: 3 })).toMatchObject({
      strikes: { kind: "atm", count: 0 },
      expiries: { kind: "nearest", count: 3 },
      restMicroseconds: 5_000_000n,
    });
    expect(rule({ percent: 2.5, days: { from: 0, to: 7 } })).toMatchObject({
      strikes: { kind: "percent", percent: 2.5 },
      expiries: { kind: "days", from: 0, to: 7 },
    });
    expect(rule({ delta: { target: 0.25, tolerance: 0.05 }, nearest: 1, side: "puts" })).toMatchObject({
      strikes: { kind: "delta", target: 0.25, tolerance: 0.05 },
      side: "puts",
    });
  });
});

describe("S4.28 a subscription's state", () => {
  const standing = { wanted: new Set(["a", "b"]), isOver: false, lacks: new Set<never>(), isCut: false };
  test.each([
    [{ ...standing, wanted: null }, [], "waiting", ["not_looked_at_yet"]],
    [{ ...standing, wanted: new Set<string>() }, [], "waiting", ["nothing_listed"]],
    [standing, [], "waiting", ["not_confirmed"]],
    [standing, ["a"], "partial", ["not_confirmed"]],
    [standing, ["a", "b", "c"], "active", []],
    [{ ...standing, isCut: true }, ["a", "b"], "partial", ["cut_to_limit"]],
    [{ ...standing, lacks: new Set(["no_forward"] as const) }, ["a", "b"], "partial", ["no_forward"]],
    [{ ...standing, isOver: true }, ["a", "b"], "expired", []],
  ] as const)("%# is told by what it stands for and what is confirmed", (known, confirmed, status, reasons) => {
    const report = statusOf(known, new Set(confirmed));
    expect([report.status, [...report.reasons]] as unknown[]).toEqual([status, [...reasons]]);
  });

  test("over dates it is over after the last of them, else never", () => {
    const kept = { side: "both", hysteresis: 0, rest_seconds: 0 } as const;
    const dated = { ...kept, atm: 1, dates: ["2026-01-01", "2026-02-01"] };
    expect(isLadderOver(dated, "2026-02-01")).toBe(false);
    expect(isLadderOver(dated, "2026-02-02")).toBe(true);
    expect(isLadderOver({ ...kept, atm: 1, nearest: 1 }, "2999-01-01")).toBe(false);
  });
});
