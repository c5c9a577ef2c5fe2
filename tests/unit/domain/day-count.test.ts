// The table of texts that name a moment and of those that name none, and the two day counts.

import { describe, expect, test } from "bun:test";
import {
  daysFromCivil,
  daysInYear,
  parseTimestamp,
  timestampFaultDetail,
  yearFraction,
} from "../../../src/domain/day-count";
import { formatTimestamp } from "../../../src/foundation/clock";
import { seededRandom } from "../../../src/foundation/random";

describe("S4.47 RFC 3339 text", () => {
  const moments: readonly (readonly [string, bigint])[] = [
    ["1970-01-01T00:00:00Z", 0n],
    ["1970-01-01T00:00:00.000001Z", 1n],
    ["1969-12-31T23:59:59.999999Z", -1n],
    ["1970-01-01t00:00:00z", 0n],
    ["1970-01-01T05:30:00+05:30", 0n],
    ["1969-12-31T19:00:00-05:00", 0n],
    ["1970-01-01T00:00:00-00:00", 0n],
    ["2000-02-29T12:00:00Z", 951_825_600_000_000n],
    ["2026-12-18T16:00:00-05:00", 1_797_627_600_000_000n],
    ["2026-12-18T21:00:00.5Z", 1_797_627_600_500_000n],
    ["2026-12-18T21:00:00.123456Z", 1_797_627_600_123_456n],
    ["2026-12-18T21:00:00.123456999Z", 1_797_627_600_123_456n],
    ["2026-12-18T21:00:00.000000999-23:59", 1_797_713_940_000_000n],
    ["0000-01-01T00:00:00Z", -62_167_219_200_000_000n],
    ["9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999n],
  ];
  for (const [text, microseconds] of moments) {
    test(`${text} names microsecond ${microseconds}`, () => expect(parseTimestamp(text)).toBe(microseconds));
  }

  const refused: readonly (readonly [string, string])[] = [
    ["", "not_rfc3339"],
    ["tomorrow", "not_rfc3339"],
    ["2026-12-18", "no_time"],
    ["2026-12-18T", "not_rfc3339"],
    ["2026-12-18T16:00", "not_rfc3339"],
    ["2026-12-18T16:00Z", "not_rfc3339"],
    ["2026-12-18 16:00:00Z", "not_rfc3339"],
    ["2026-12-18T16:00:00", "no_offset"],
    ["2026-12-18T16:00:00.5", "no_offset"],
    ["2026-12-18T16:00:00.Z", "not_rfc3339"],
    ["2026-12-18T16:00:00,5Z", "not_rfc3339"],
    ["2026-12-18T16:00:00.1234567890Z", "not_rfc3339"],
    ["2026-12-18T16:00:00Z ", "not_rfc3339"],
    ["2026-12-18T16:00:00Z[UTC]", "not_rfc3339"],
    [" 2026-12-18T16:00:00Z", "not_rfc3339"],
    ["2026-12-18T16:00:00+0500", "not_rfc3339"],
    ["2026-12-18T16:00:00+05", "not_rfc3339"],
    ["2026-12-18T16:00:00+05:0", "not_rfc3339"],
    ["2026-12-18T16:00:00+05:000", "not_rfc3339"],
    ["2026-12-18T16:00:00+-5:00", "not_rfc3339"],
    ["2026-12-18T16:00:00EST", "not_rfc3339"],
    ["2026-12-18T16:00:00+24:00", "no_such_time"],
    ["2026-12-18T16:00:00+05:60", "no_such_time"],
    ["2026-12-18T24:00:00Z", "no_such_time"],
    ["2026-12-18T16:60:00Z", "no_such_time"],
    ["2026-12-18T16:00:61Z", "no_such_time"],
    ["2016-12-31T23:59:60Z", "leap_second"],
    ["2026-13-01T00:00:00Z", "no_such_day"],
    ["2026-00-01T00:00:00Z", "no_such_day"],
    ["2026-04-31T00:00:00Z", "no_such_day"],
    ["2026-12-00T00:00:00Z", "no_such_day"],
    ["2026-02-29T00:00:00Z", "no_such_day"],
    ["1900-02-29T00:00:00Z", "no_such_day"],
    ["20261218T160000Z", "not_rfc3339"],
    ["+02026-12-18T16:00:00Z", "not_rfc3339"],
    ["-001-12-18T16:00:00Z", "not_rfc3339"],
    ["٢٠٢٦-12-18T16:00:00Z", "not_rfc3339"],
    ["1797627600", "not_rfc3339"],
    ["2026-12-18T16:00:00Z".padEnd(100_000, "0"), "not_rfc3339"],
  ];
  for (const [text, fault] of refused) {
    test(`${JSON.stringify(text.slice(0, 40))} is refused as ${fault}`, () => {
      const outcome = parseTimestamp(text);
      expect(outcome).toBe(fault as never);
      expect(timestampFaultDetail[outcome as keyof typeof timestampFaultDetail]).toMatch(/^(must|names) /);
    });
  }

  test("a moment written by the clock is read back to the microsecond, over ten thousand random moments", () => {
    const seed = 20_261_218n;
    const random = seededRandom(seed);
    for (let index = 0; index < 10_000; index++) {
      const microseconds = BigInt(Math.floor(random.unit() * 2 ** 52)) * (random.unit() < 0.5 ? -1n : 1n);
      const text = formatTimestamp(microseconds);
      expect(`${seed} ${text} ${parseTimestamp(text)}`).toBe(`${seed} ${text} ${microseconds}`);
    }
  });
});

test("days of the civil calendar run without a gap from 1599 to 2401", () => {
  let expected = daysFromCivil(1599, 1, 1);
  for (let year = 1599; year <= 2401; year++) {
    const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
    for (const [index, length] of [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].entries()) {
      for (let day = 1; day <= length; day++) expect(daysFromCivil(year, index + 1, day)).toBe(expected++);
    }
  }
});

describe("S4.47 time to expiry", () => {
  const day = 86_400_000_000n;
  test("act/365f is elapsed time over 365 days", () => {
    expect(yearFraction(0n, 365n * day, "act/365f")).toBe(1);
    expect(yearFraction(0n, day / 2n, "act/365f")).toBe(0.5 / 365);
  });
  test("act/360 is elapsed time over 360 days", () => {
    expect(yearFraction(0n, 360n * day, "act/360")).toBe(1);
    expect(yearFraction(0n, 365n * day, "act/360")).toBe(365 / 360);
    expect(daysInYear("act/360")).toBe(360);
  });
  test("one microsecond counts, and an expiry gone by is negative", () => {
    expect(yearFraction(0n, 1n, "act/365f")).toBe(1 / (365 * 86_400_000_000));
    expect(yearFraction(day, 0n, "act/365f")).toBe(-1 / 365);
  });
  test("a convention from outside the list stops", () => {
    expect(() => yearFraction(0n, 1n, "30/360" as never)).toThrow("30/360");
  });
});
