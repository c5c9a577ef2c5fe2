// The benches of large batches run, tiny, so that they cannot rot. Apart from the kernel's own because they start threads
// and servers.

import { describe, expect, test } from "bun:test";
import { compareAwaited } from "../../../bench/compare";
import { benchCores } from "../../../bench/kernels/cores";
import { benchWorkers } from "../../../bench/kernels/workers";
import { systemClock } from "../../../src/foundation/clock";

const tiny = { clock: systemClock, rounds: 1, rowsPerRound: 4096 };

describe("S4.64 benches of large batches", () => {
  test("threads measures one and two, alone and four at a time, for prices and volatilities", async () => {
    const { measurements, ratios } = await benchWorkers(tiny);
    expect(measurements).toHaveLength(8);
    expect(ratios.map(({ floor }) => floor)).toEqual([1.8, 1.8, 1.8, 1.8]);
  });

  test("a second core is measured by two threads that share nothing", async () => {
    const { best, median } = await benchCores({ rounds: 1, clock: systemClock });
    expect(best).toBeGreaterThan(0);
    expect(median).toBe(best);
  });

  test("work that is waited for is measured to its end, in turns", async () => {
    let now = 0;
    const order: string[] = [];
    const contender = (name: string, milliseconds: number) => ({
      name,
      rows: 1,
      run: async () => {
        order.push(name);
        await Promise.resolve();
        now += milliseconds;
      },
    });
    const measurements = await compareAwaited([contender("a", 3), contender("b", 5)], {
      clock: { ...systemClock, monotonicMilliseconds: () => now },
      rounds: 2,
      rowsPerRound: 1,
    });
    expect(order.join("")).toBe("ababab");
    expect(measurements.map(({ medianNanoseconds }) => medianNanoseconds)).toEqual([3e6, 5e6]);
  });
});
