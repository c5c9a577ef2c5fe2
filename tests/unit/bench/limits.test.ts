// The bench of the limits, run tiny: that it measures what it says, whatever the figures are.

import { expect, test } from "bun:test";
import { benchBuckets, benchLimitedRequests } from "../../../bench/http/limits";
import { systemClock } from "../../../src/foundation/clock";

test("S2.30 the bench of limits measures buckets, and requests with every class beside none", async () => {
  const options = { clock: systemClock, rounds: 1, rowsPerRound: 20 };
  expect(benchBuckets(options).map(({ name }) => name)).toHaveLength(3);
  const { measurements, ratios } = await benchLimitedRequests(options);
  expect(measurements.map(({ name }) => name)).toEqual([
    "no limits",
    "limits, unlimited",
    "limits, bot",
    "limits, standard",
  ]);
  expect(ratios).toHaveLength(2);
  for (const { bestNanoseconds } of measurements) expect(bestNanoseconds).toBeGreaterThan(0);
});
