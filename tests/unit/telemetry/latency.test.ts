// The book of latencies: percentiles to three digits, bounds kept, unknown names left out; and which request counts where.

import { describe, expect, test } from "bun:test";
import { serviceLevelOf } from "../../../src/domain/service-level";
import { LatencyBook } from "../../../src/telemetry/latency";

describe("S1.05 a book of latencies", () => {
  test("tells percentiles within 0.2 % of what was recorded", () => {
    const book = new LatencyBook(["price"]);
    for (let index = 1; index <= 10_000; index++) book.record("price", index / 1000);
    const summary = book.summary("price");
    expect(summary.count).toBe(10_000);
    for (const [found, wanted] of [
      [summary.p50Milliseconds, 5],
      [summary.p95Milliseconds, 9.5],
      [summary.p99Milliseconds, 9.9],
      [summary.maxMilliseconds, 10],
    ] as const) {
      expect(Math.abs(found! - wanted)).toBeLessThanOrEqual(wanted * 0.002);
    }
  });

  test("keeps its bounds: what is shorter than a microsecond counts as one, what is longer than a minute as a minute", () => {
    const book = new LatencyBook(["price"]);
    book.record("price", 0);
    expect(book.summary("price").maxMilliseconds).toBe(0.001);
    book.record("price", 1e9);
    expect(Math.abs(book.summary("price").maxMilliseconds! - 60_000)).toBeLessThan(60);
  });

  test("has nothing to tell of a name nobody recorded, and counts no unknown one", () => {
    const book = new LatencyBook(["price"]);
    book.record("other", 1);
    const none = {
      count: 0,
      p50Milliseconds: null,
      p95Milliseconds: null,
      p99Milliseconds: null,
      maxMilliseconds: null,
    };
    expect([book.summary("price"), book.summary("other")]).toEqual([none, none]);
  });
});

describe("S1.04 a request counts in the published latency of its size", () => {
  test.each([
    ["price", null, "single_option"],
    ["price", 1, "single_option"],
    ["priceBatch", 1000, "batch_of_1000"],
    ["priceBatch", 1001, undefined],
    ["status", null, undefined],
  ] as const)("%s of %p options: %p", (operation, options, name) => {
    expect(serviceLevelOf(operation, options)?.name).toBe(name as never);
  });
});
