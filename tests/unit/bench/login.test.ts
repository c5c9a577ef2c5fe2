// The bench of signing in, run tiny: that it measures what it says, whatever the figures are.

import { describe, expect, test } from "bun:test";
import { benchFlood, benchGuard, benchTiming, withLoginServer } from "../../../bench/http/login";

describe("S2.12 the bench of signing in", () => {
  test("looks at a key, a token and a cookie, each of which is taken", async () => {
    const figures = await benchGuard(10);
    expect(figures.map(({ credential }) => credential)).toEqual(["API key", "access token", "cookie"]);
    for (const { microseconds } of figures) expect(microseconds).toBeGreaterThan(0);
  });

  test("times refused sign-ins of known and unknown addresses, and pricing beside a flood of them", async () => {
    await withLoginServer(2, async (server) => {
      const { knownMilliseconds, unknownMilliseconds, ratio } = await benchTiming(server, 2);
      expect(Math.min(knownMilliseconds, unknownMilliseconds)).toBeGreaterThan(0);
      expect(ratio).toBeGreaterThanOrEqual(1);
      const load = { seconds: 0.1, pricesPerSecond: 100, loginsPerSecond: 100, isDistributed: true };
      const { statuses } = await benchFlood(server, load);
      expect(Object.keys(statuses).every((status) => status === "401" || status === "503")).toBe(true);
    });
  });
});
