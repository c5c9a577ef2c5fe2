// How long to wait before the next try.

import { describe, expect, test } from "bun:test";
import { backoffMilliseconds } from "../../../src/foundation/backoff";
import type { Random } from "../../../src/foundation/random";

const fixed = (unit: number): Random => ({ unit: () => unit, bytes: () => new Uint8Array() });

describe("backoffMilliseconds", () => {
  const rows: [attemptIndex: number, unit: number, milliseconds: number][] = [
    [0, 0, 5],
    [0, 0.5, 7.5],
    [1, 0, 10],
    [3, 0, 40],
    [4, 0, 50],
    [5, 0, 50],
    [1e9, 0, 50],
    [1e9, 0.999, 99.95],
  ];
  for (const [attemptIndex, unit, milliseconds] of rows) {
    test(`attempt ${attemptIndex} at ${unit} of its span waits ${milliseconds} ms (base 10, at most 100)`, () => {
      const random = fixed(unit);
      expect(backoffMilliseconds({ attemptIndex, baseMilliseconds: 10, waitMillisecondsMax: 100, random })).toBeCloseTo(
        milliseconds,
        9,
      );
    });
  }
});
