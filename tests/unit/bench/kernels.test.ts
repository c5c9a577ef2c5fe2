// Every kernel bench runs, tiny, so that it cannot rot; and the harness that judges ratios counts as it says.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { compare, describe as describeFigures, ratioOf } from "../../../bench/compare";
import { benchAmerican, treePut } from "../../../bench/kernels/american";
import { benchApproximations } from "../../../bench/kernels/approximations";
import { bareKernel } from "../../../bench/kernels/bare";
import { benchBlack } from "../../../bench/kernels/black";
import { benchExotic } from "../../../bench/kernels/exotic";
import { benchFiniteDifference } from "../../../bench/kernels/finite-difference";
import { benchImpliedVolatility } from "../../../bench/kernels/implied-volatility";
import { sampleOptions } from "../../../bench/kernels/sample";
import { benchStochastic } from "../../../bench/kernels/stochastic";
import { buildWasm } from "../../../build/wasm";
import { createEngine } from "../../../src/engine/engine";
import { type Clock, systemClock } from "../../../src/foundation/clock";

const tiny = { clock: systemClock, rounds: 1, rowsPerRound: 4096 };

describe("S1.05 kernel benches", () => {
  test("price and Greeks judges the kernel in place against the twin, its outputs, a chain and C++ where there is g++", async () => {
    const { measurements, ratios, notes } = await benchBlack(tiny);
    expect(measurements.every(({ bestNanoseconds }) => bestNanoseconds > 0)).toBe(true);
    const hasCompiler = Bun.which("g++") !== null;
    expect(ratios.map(({ floor }) => floor)).toEqual([3.8, 2.5, 1 / 1.4, 1.6, ...(hasCompiler ? [2.8] : [])]);
    // the prices of both were compared, or it is said why not
    expect(notes.join("\n")).toMatch(hasCompiler ? /agree on every price to \d/ : /no g\+\+/);
  });

  test("a bare kernel gives the engine's bits, and refuses more requests than it has places", async () => {
    const wasmBytes = readFileSync((await buildWasm()).path);
    const request = sampleOptions(300);
    const bare = bareKernel({ wasmBytes, places: 1, rowsMax: 300 });
    const loaded = bare.load(request);
    loaded.run();
    const engine = createEngine({ wasmBytes, version: "bench" });
    expect(loaded.prices()).toEqual(engine.price(request).columns.price!);
    expect(() => bare.load(request)).toThrow("all 1 places are taken");
  });

  test("implied volatility measures kernel and twin and judges one ratio with the floor 2.8", async () => {
    const { measurements, ratios } = await benchImpliedVolatility(tiny);
    expect(measurements).toHaveLength(2);
    expect(ratios.map(({ floor }) => floor)).toEqual([2.8]);
  });
});

describe("S1.05 the bench of American options", () => {
  test("measures every scheme beside a tree that is right to a few hundredths, and judges four ratios", async () => {
    const { measurements, ratios, treeError } = await benchAmerican({ ...tiny, rowsPerRound: 256 });
    expect(measurements).toHaveLength(6);
    expect(ratios.map(({ floor }) => floor)).toEqual([3.3, 0.33, 0.4, 27]);
    expect(treeError).toBeGreaterThan(1e-3);
    expect(treeError).toBeLessThan(0.05);
    // Hull's example of an American put by a tree of many steps: 4.278 to 4.288
    expect(treePut(50, 50, 5 / 12, 0.1, 0, 0.4)).toBeCloseTo(4.28, 1);
  });
});

describe("S1.05 the bench of approximations and trees", () => {
  test("measures each by price, five Greeks and all beside the tree, and judges five ratios", async () => {
    const { measurements, ratios } = await benchApproximations({ ...tiny, rowsPerRound: 32 });
    expect(measurements).toHaveLength(16);
    expect(ratios.map(({ floor }) => floor)).toEqual([57, 57, 57, 57, 1.6]);
  });
});

describe("S1.05 the bench of finite differences", () => {
  test("measures grids and dividends beside the tree, and judges five ratios", async () => {
    const { measurements, ratios } = await benchFiniteDifference({ ...tiny, rowsPerRound: 128 });
    expect(measurements.map(({ rows }) => rows)).toEqual([128, 128, 128, 128, 128, 128]);
    expect(ratios.map(({ floor }) => floor)).toEqual([0.8, 0.5, 0.4, 0.13, 0.07]);
  });
});

describe("S1.05 the bench of exotic options", () => {
  test("measures every model beside the tree, with five Greeks and with all, and judges five ratios", async () => {
    const { measurements, ratios } = await benchExotic({ ...tiny, rowsPerRound: 64 });
    expect(measurements).toHaveLength(17);
    expect(ratios.map(({ floor }) => floor)).toEqual([65, 20, 12, 4, 11]);
  });
});

describe("S1.05 the bench of stochastic volatility", () => {
  test("measures chains, single options and simulations beside the tree, and judges five ratios", async () => {
    const { measurements, ratios } = await benchStochastic({ ...tiny, rowsPerRound: 64 });
    expect(measurements).toHaveLength(8);
    expect(ratios.map(({ floor }) => floor)).toEqual([0.4, 0.23, 13, 65, 0.5]);
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
