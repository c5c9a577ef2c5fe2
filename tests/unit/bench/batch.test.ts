// The benches of batches over HTTP, run tiny: that they measure what they say, whatever the figures are.

import { describe, expect, test } from "bun:test";
import { benchBatchInProcess, benchBatchOverSockets } from "../../../bench/http/batch";
import { benchMillion } from "../../../bench/http/million";

describe("S2.41 benches of batches over HTTP", () => {
  test("every format is measured beside the kernel alone, which takes no more than all", async () => {
    const figures = await benchBatchInProcess(2);
    expect(figures.length).toBe(5);
    for (const { optionsPerSecondBest, optionsPerSecondMedian, kernelShare } of figures) {
      expect(optionsPerSecondBest).toBeGreaterThanOrEqual(optionsPerSecondMedian);
      expect(kernelShare).toBeGreaterThan(0);
      expect(kernelShare).toBeLessThan(1);
    }
  });

  test("over sockets too", async () => {
    const rates = await benchBatchOverSockets(5);
    expect(rates.length).toBe(5);
    for (const { optionsPerSecondBest, optionsPerSecondMedian } of rates) {
      expect(optionsPerSecondBest).toBeGreaterThanOrEqual(optionsPerSecondMedian);
      expect(optionsPerSecondMedian).toBeGreaterThan(0);
    }
  }, 30_000);

  test("a large body is answered whole, plain and compressed, while /health is asked", async () => {
    const rows = 50_000;
    const figure = await benchMillion(2, rows);
    expect(figure.answerBytes).toBeGreaterThan(rows * 6 * 8);
    expect(figure.health.count).toBeGreaterThan(0);
    // Where the system tells what a process holds, it is told; the bound itself is for a million.
    expect(figure.peakBytes === 0 || figure.peakBytes < 600e6).toBe(true);
  }, 30_000);
});
