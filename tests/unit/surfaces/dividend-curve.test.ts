// Forwards by each kind of dividend against its closed form, all kinds together by hand, and yields that return.

import { describe, expect, test } from "bun:test";
import { flatCurve, zeroCurve } from "../../../src/surfaces/discount-curve";
import {
  continuousDividends,
  type DividendCurve,
  equivalentYield,
  forwardPrice,
  impliedYield,
  presentValueOfCash,
} from "../../../src/surfaces/dividend-curve";
import { testEngine } from "../../harness/command-line";

const rates = flatCurve(0.05);
const none = continuousDividends(0);
const quarterly = [0.1, 0.35, 0.6, 0.85].map((time) => ({ time, amount: 1.5 }));

describe("forwards with dividends", () => {
  test("a continuous yield: S·exp((r − q)·T), also on a curve that isn't flat", () => {
    const dividends = continuousDividends(0.02);
    expect(forwardPrice({ spot: 100, rates, dividends, time: 2 })).toBeCloseTo(100 * Math.exp(0.06), 12);
    const curve = zeroCurve({ times: [1, 2], rates: [0.03, 0.04] }, "monotone_convex");
    expect(forwardPrice({ spot: 100, rates: curve, dividends, time: 2 })).toBeCloseTo(100 * Math.exp(0.04), 12);
  });

  test("cash: (S − present value of the dividends)·exp(rT); those after the time don't count, one on the day does", () => {
    const dividends: DividendCurve = { ...none, cash: quarterly };
    const worth = (until: number) =>
      quarterly.filter(({ time }) => time <= until).reduce((sum, { time }) => sum + 1.5 * Math.exp(-0.05 * time), 0);
    for (const time of [0.05, 0.1, 0.5, 0.85, 3]) {
      expect(presentValueOfCash(dividends, rates, time)).toBeCloseTo(worth(time), 14);
      expect(forwardPrice({ spot: 100, rates, dividends, time })).toBeCloseTo(
        (100 - worth(time)) * Math.exp(0.05 * time),
        11,
      );
    }
  });

  test("proportional: S·Π(1 − share)·exp(rT)", () => {
    const dividends: DividendCurve = { ...none, proportional: [0.5, 1.5].map((time) => ({ time, share: 0.03 })) };
    expect(forwardPrice({ spot: 100, rates, dividends, time: 1 })).toBeCloseTo(97 * Math.exp(0.05), 12);
    expect(forwardPrice({ spot: 100, rates, dividends, time: 2 })).toBeCloseTo(97 * 0.97 * Math.exp(0.1), 12);
  });

  test("Hull's call on a share with two dividends (5th edition, page 253): 3.67, by Black's formula on this forward", () => {
    const dividends: DividendCurve = { ...none, cash: [2, 5].map((month) => ({ time: month / 12, amount: 0.5 })) };
    const forward = forwardPrice({ spot: 40, rates: flatCurve(0.09), dividends, time: 0.5 });
    const { columns } = testEngine().price({
      model: "black_76",
      count: 1,
      isCall: true,
      inputs: { forward, strike: 40, time_to_expiry: 0.5, rate: 0.09, volatility: 0.3 },
      outputs: ["price"],
      units: "raw",
    });
    // The tolerance is the book's two decimals.
    expect(Math.abs(columns.price![0]! - 3.67)).toBeLessThan(0.005);
  });

  test("all kinds, out of order, on one day the share before the cash", () => {
    const dividends: DividendCurve = {
      dividendYield: 0.01,
      cash: [
        { time: 0.75, amount: 2 },
        { time: 0.25, amount: 1 },
      ],
      proportional: [{ time: 0.75, share: 0.1 }],
    };
    const quarter = Math.exp(0.04 * 0.25);
    const first = 100 * quarter - 1;
    const second = first * quarter * quarter * 0.9 - 2;
    expect(forwardPrice({ spot: 100, rates, dividends, time: 1 })).toBeCloseTo(second * quarter, 11);
  });

  test("dividends gone by don't count; none is left of a price that they exceed", () => {
    const gone: DividendCurve = { ...none, cash: [{ time: -0.1, amount: 5 }] };
    expect(forwardPrice({ spot: 100, rates, dividends: gone, time: 1 })).toBeCloseTo(100 * Math.exp(0.05), 12);
    expect(presentValueOfCash(gone, rates, 1)).toBe(0);
    expect(
      forwardPrice({ spot: 100, rates, dividends: { ...none, cash: [{ time: 0.5, amount: 110 }] }, time: 1 }),
    ).toBeNaN();
  });

  test("the equivalent yield makes the same forward alone", () => {
    const request = { spot: 100, rates, dividends: { ...none, cash: quarterly }, time: 1 };
    const dividends = continuousDividends(equivalentYield(request));
    expect(forwardPrice({ ...request, dividends })).toBeCloseTo(forwardPrice(request), 11);
  });

  test("the yield beside known dividends comes back from the forward", () => {
    for (const dividendYield of [-0.03, 0, 0.012, 0.4]) {
      const dividends: DividendCurve = {
        dividendYield,
        cash: quarterly,
        proportional: [{ time: 0.4, share: 0.02 }],
      };
      const request = { spot: 100, rates, dividends, time: 1 };
      const forward = forwardPrice(request);
      expect(impliedYield({ ...request, dividends: { ...dividends, dividendYield: 0.9 }, forward })).toBeCloseTo(
        dividendYield,
        12,
      );
    }
  });

  test.each([
    ["far above", 1e6],
    ["below zero", -1],
    ["no number", Number.NaN],
  ])("a forward %s has no yield", (_, forward) => {
    expect(impliedYield({ spot: 100, rates, dividends: none, time: 1, forward })).toBeNaN();
  });
});
