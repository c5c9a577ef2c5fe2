// The benches of single requests over HTTP, run tiny: that they measure what they say, whatever the figures are.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { benchHttpPrice, type Servers, startServers } from "../../../bench/http/price";
import { benchServiceLevels } from "../../../bench/http/service-level";
import { openLoop } from "../../../bench/open-loop";
import { processorSecondsOf } from "../../../bench/processes";
import { systemClock } from "../../../src/foundation/clock";

describe("S1.05 benches of requests over HTTP", () => {
  let servers: Servers;
  beforeAll(async () => {
    servers = await startServers();
  });
  afterAll(() => servers.stop());

  test("every load is asked in full of both servers, answered with 200, and its percentiles rise", async () => {
    const { barePort, wholePort, pid, key } = servers;
    const targets = [
      { name: "bare", port: barePort, pid, key },
      { name: "whole", port: wholePort, pid, key },
    ];
    const figures = await benchServiceLevels(targets, { seconds: 0.05, rounds: 1, loadShare: 0.02 });
    expect(figures.map(({ load, target }) => `${load.requestsPerSecond} ${load.operation} ${target}`)).toEqual([
      "10000 price bare",
      "10000 price whole",
      "500 priceBatch bare",
      "500 priceBatch whole",
      "20000 price bare",
      "20000 price whole",
    ]);
    for (const {
      askedCount,
      answeredCount,
      refusedCount,
      p50Milliseconds,
      p95Milliseconds,
      p99Milliseconds,
    } of figures) {
      expect([answeredCount, refusedCount]).toEqual([askedCount, 0]);
      expect(p50Milliseconds).toBeGreaterThan(0);
      expect(p95Milliseconds).toBeGreaterThanOrEqual(p50Milliseconds);
      expect(p99Milliseconds).toBeGreaterThanOrEqual(p95Milliseconds);
    }
  }, 30_000);

  test("an answer that comes late counts from when its request was due, a refusal as refused", async () => {
    const lateMilliseconds = 40;
    const late = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        // By turns of the loop: timers do not come due beside a client that never sleeps.
        const until = systemClock.monotonicMilliseconds() + lateMilliseconds;
        while (systemClock.monotonicMilliseconds() < until) await new Promise((resolve) => setImmediate(resolve));
        return new Response("x".repeat(100_000), { status: request.url.endsWith("/no") ? 429 : 200 });
      },
    });
    const ask = (path: string) => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const loop = (path: string) =>
      openLoop({ port: late.port!, request: ask(path), requestsPerSecond: 1000, seconds: 0.1, clock: systemClock });
    const answered = await loop("/yes");
    expect([answered.askedCount, answered.answeredCount, answered.refusedCount]).toEqual([100, 100, 0]);
    // A hundred requests over 32 connections: most wait behind another that takes as long.
    expect(answered.p50Milliseconds).toBeGreaterThan(lateMilliseconds - 2);
    expect((await loop("/no")).refusedCount).toBe(100);
    await late.stop(true);
  }, 30_000);

  test("closed loop gives best and median for four contenders", async () => {
    const figures = await benchHttpPrice(10);
    expect(figures.map(({ rows }) => rows)).toEqual([1, 1, 1000, 1000]);
    for (const { requestsPerSecondBest, requestsPerSecondMedian, kernelShare } of figures) {
      expect(requestsPerSecondBest).toBeGreaterThanOrEqual(requestsPerSecondMedian);
      expect(requestsPerSecondMedian).toBeGreaterThan(0);
      expect(kernelShare === null || kernelShare > 0).toBe(true);
    }
  }, 30_000);

  test("a process that is not there has used no known time, this one more and more where the system tells", () => {
    expect(processorSecondsOf(2 ** 30)).toBeNull();
    const before = processorSecondsOf(process.pid);
    let sum = 0;
    for (let index = 0; index < 3e6; index++) sum += Math.sqrt(index);
    expect(sum).toBeGreaterThan(0);
    const after = processorSecondsOf(process.pid);
    if (process.platform === "linux") expect(after!).toBeGreaterThan(before!);
    else expect([before, after]).toEqual([null, null]);
  });
});
