// The bench of the metrics, run tiny: that it measures what it says, whatever the figures are.

import { expect, test } from "bun:test";
import { benchCounting, benchMeasuredRequests, benchScrape } from "../../../bench/http/metrics";
import { systemClock } from "../../../src/foundation/clock";

test("S2.09 the bench of metrics measures counting, requests with and without, and a scrape", async () => {
  const options = { clock: systemClock, rounds: 1, rowsPerRound: 5 };
  const { measurements, ratios } = await benchMeasuredRequests(options);
  const found = [...benchCounting(options), ...measurements, ...(await benchScrape(options))];
  expect(found).toHaveLength(4);
  for (const { bestNanoseconds } of found) expect(bestNanoseconds).toBeGreaterThan(0);
  expect(ratios).toHaveLength(1);
});
