// Every kernel bench runs, tiny, so that it cannot rot; and the harness that judges ratios counts as it says.

import { describe, expect, test } from "bun:test";
import { compare, describe as describeFigures, ratioOf } from "../../../bench/compare";
import { benchBlack } from "../../../bench/kernels/black";
import { benchImpliedVolatility } from "../../../bench/kernels/implied-volatility";
import { type Clock, systemClock } from "../../../src/foundation/clock";

const tiny = { clock: systemClock, rounds: 1, rowsPerRound: 4096 };

describe("S1.05 kernel benches", () => {
  test("price and Greeks measures kernel and twin and judges one ratio with the floor 2.5", async () => {
    const { measurements, ratios } = await benchBlack(tiny);
    expect(measurements.every(({ bestNanoseconds }) => bestNanoseconds > 0)).toBe(true);
    expect(ratios.map(({ floor }) => floor)).toEqual([2.5]);
  });

  test("implied volatility measures kernel and twin and judges one ratio with the floor 2.8", async () => {
    const { measurements, ratios } = await benchImpliedVolatility(tiny);
    expect(measurements).toHaveLength(2);
    expect(ratios.map(({ floor }) => floor)).toEqual([2.8]);
  });
});

describe("comparing", () => {
  /** A clock that only the contenders move. */
  function stepped(): { clock: Clock; pass: (milliseconds: number) => void } {
    let now = 0;
    return {
      clock: { ...systemClock, monotonicMilliseconds: () => now },
      pass: (milliseconds) => {
        now += milliseconds;
      },
    };
  }

  test("takes turns, leaves the first round out, and gives best and median an option", () => {
    const { clock, pass } = stepped();
    const order: string[] = [];
    let slowness = 50;
    const measurements = compare(
      [
        {
          name: "a",
          rows: 10,
          run: () => {
            order.push("a");
            pass(slowness--);
          },
        },
        {
          name: "b",
          rows: 20,
          run: () => {
            order.push("b");
            pass(10);
          },
        },
      ],
      { clock, rounds: 3, rowsPerRound: 20 },
    );
    expect(order.join("")).toBe("aabaabaabaab");
    // a: two calls a round, 48+47, 46+45, 44+43 milliseconds over 20 options
    expect(measurements[0]).toEqual({ name: "a", rows: 10, bestNanoseconds: 87e6 / 20, medianNanoseconds: 91e6 / 20 });
    expect(measurements[1]).toEqual({ name: "b", rows: 20, bestNanoseconds: 5e5, medianNanoseconds: 5e5 });
    const ratio = ratioOf(measurements, { name: "b over a", fast: "b", slow: "a", floor: 2 });
    expect(ratio).toEqual({ name: "b over a", ratio: 8.7, floor: 2 });
    const text = describeFigures("title", measurements, [ratio]);
    expect(text).toContain('RATIO {"name":"b over a","ratio":8.7,"floor":2}');
    expect(text).toContain("b over a: 8.70 times");
  });

  test("refuses a ratio of what was not measured", () => {
    expect(() => ratioOf([], { name: "x", fast: "a", slow: "b", floor: 1 })).toThrow("b was not measured");
  });
});
