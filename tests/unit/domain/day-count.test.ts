// The table of texts that name a moment and of those that name none, and the day counts: ISDA's own examples, then what
// an option adds to them (the expiry's offset, one day, an expiry gone by, a calendar's end).

import { describe, expect, test } from "bun:test";
import { businessCalendar } from "../../../src/domain/business-calendar";
import { civilFromDays, daysFromCivil, parseCivilDate } from "../../../src/domain/calendar";
import {
  type Counting,
  type DayCount,
  dayCounts,
  days360,
  daysInYear,
  type Moment,
  parseMoment,
  parseTimestamp,
  type ThirtyDayCount,
  timestampFaultDetail,
  yearFraction,
  yearsToExpiry,
} from "../../../src/domain/day-count";
import { builtInCalendars } from "../../../src/domain/exchange-calendars";
import { formatTimestamp } from "../../../src/foundation/clock";
import { seededRandom } from "../../../src/foundation/random";
import golden from "../../golden/day-count.json";

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

test("S4.47 a moment keeps the offset it was written in", () => {
  const offsets = ["Z", "-05:00", "+05:30", "-00:00", "+23:59"].map((offset) => {
    const moment = parseMoment(`2026-12-18T16:00:00${offset}`);
    return typeof moment === "string" ? moment : moment.offsetMinutes;
  });
  expect(offsets).toEqual([0, -300, 330, -0, 1439]);
});

test("days of the civil calendar run without a gap from 1599 to 2401", () => {
  let expected = daysFromCivil(1599, 1, 1);
  for (let year = 1599; year <= 2401; year++) {
    const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
    for (const [index, length] of [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].entries()) {
      for (let day = 1; day <= length; day++) {
        expect(civilFromDays(expected)).toEqual({ year, month: index + 1, day });
        expect(daysFromCivil(year, index + 1, day)).toBe(expected++);
      }
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

const newYork = builtInCalendars().get("new_york")!;
const countingOf = (dayCount: DayCount): Counting =>
  dayCount === "business/252" ? { dayCount, calendar: newYork } : { dayCount };
const placed = (text: string) => parseMoment(text) as Moment;
/** Years between two texts, of which the second brings the offset. */
const years = (from: string, to: string, dayCount: DayCount) =>
  yearsToExpiry(placed(from).microseconds, placed(to), countingOf(dayCount));
const ofDays = (from: string, to: string, dayCount: DayCount) =>
  years(`${from}T12:00:00Z`, `${to}T12:00:00Z`, dayCount) as number;
const thirty = dayCounts.filter((name): name is ThirtyDayCount => name.startsWith("30"));
const dateCounting = dayCounts.filter((name) => name !== "act/365f" && name !== "act/360");

describe("S4.47 day counts against the published examples", () => {
  for (const { day_count, source, tolerance, rows } of golden.sections) {
    describe(`${day_count}: ${source}`, () => {
      for (const row of rows as readonly GoldenRow[]) {
        const [from, to] = [parseCivilDate(row.start)!, parseCivilDate(row.end)!];
        if (row.years !== undefined) {
          test(`${row.start} to ${row.end} is ${row.years} years`, () => {
            expect(Math.abs(ofDays(row.start, row.end, day_count as DayCount) - row.years!)).toBeLessThanOrEqual(
              tolerance,
            );
          });
          continue;
        }
        const endsDeal = row.termination === undefined || row.termination === row.end;
        const ending = row.termination === undefined ? "" : ` of a deal until ${row.termination}`;
        test(`${row.start} to ${row.end}${ending} is ${row.days} days`, () => {
          expect(days360(from, to, day_count as ThirtyDayCount, endsDeal)).toBe(row.days!);
          if (endsDeal) expect(ofDays(row.start, row.end, day_count as DayCount)).toBe(row.days! / 360);
        });
      }
    });
  }
  test("has every convention that counts dates of no exchange", () => {
    expect(golden.sections.map((section) => section.day_count as string).sort()).toEqual(
      dateCounting.filter((name) => name !== "business/252").sort(),
    );
  });
});

interface GoldenRow {
  readonly start: string;
  readonly end: string;
  readonly termination?: string;
  readonly days?: number;
  readonly years?: number;
}

describe("S4.47 where the 30/360 conventions part", () => {
  const rows: readonly (readonly [string, string, readonly [number, number, number, number]])[] = [
    // 30/360, 30/360_us, 30e/360, 30e/360_isda
    ["2026-01-30", "2026-03-31", [60, 60, 60, 60]],
    ["2026-01-29", "2026-03-31", [62, 62, 61, 61]],
    ["2026-02-28", "2026-03-31", [33, 30, 32, 30]],
    ["2024-02-28", "2024-02-29", [1, 1, 1, 1]],
    // An expiry is the deal's last day, so the end of February is not moved by ISDA's rule.
    ["2026-01-31", "2026-02-28", [28, 28, 28, 28]],
    ["2024-02-29", "2025-02-28", [359, 360, 359, 358]],
  ];
  test.each(rows)("%s to %s", (from, to, expected) => {
    const conventions = ["30/360", "30/360_us", "30e/360", "30e/360_isda"] as const;
    expect(conventions.map((name) => ofDays(from, to, name))).toEqual(expected.map((days) => days / 360));
  });
});

describe("S4.47 conventions that count dates", () => {
  test.each(dateCounting)("%s: two moments of one day are no time apart, in either order", (dayCount) => {
    for (const day of ["2026-02-28", "2026-12-31", "2024-02-29", "2026-12-19"]) {
      expect(years(`${day}T00:00:00-05:00`, `${day}T23:59:59.999999-05:00`, dayCount)).toBe(0);
      expect(years(`${day}T23:59:59.999999-05:00`, `${day}T00:00:00-05:00`, dayCount)).toBe(0);
    }
  });

  test.each(dateCounting)("%s: the valuation's date is the one that expiry's offset shows", (dayCount) => {
    // 02:00 UTC on Wednesday is Tuesday evening in New York and Wednesday noon in Tokyo.
    const valuation = "2026-06-17T02:00:00Z";
    const [newYorks, tokyos] = [
      years(valuation, "2026-06-18T16:00:00-04:00", dayCount) as number,
      years(valuation, "2026-06-18T16:00:00+09:00", dayCount) as number,
    ];
    const perYear = dayCount === "act/act_isda" ? 365 : dayCount === "business/252" ? 252 : 360;
    expect([newYorks, tokyos]).toEqual([2 / perYear, 1 / perYear]);
  });

  test("one microsecond before midnight is still the day before, and years before 1970 have days too", () => {
    expect(years("2026-06-16T23:59:59.999999Z", "2026-06-17T00:00:00Z", "30/360")).toBe(1 / 360);
    expect(years("1969-12-30T00:00:00Z", "1969-12-31T23:59:59.999999Z", "act/act_isda")).toBe(1 / 365);
    expect(years("0000-01-01T00:00:00+05:00", "0000-01-01T00:00:00+05:00", "act/act_isda")).toBe(0);
    expect(years("9999-12-31T23:59:59.999999Z", "9999-12-31T00:00:00Z", "30e/360")).toBe(0);
  });

  test.each(dateCounting)("%s: an expiry gone by is the negative of the years from it", (dayCount) => {
    for (const [one, other] of [
      ["2026-01-31", "2026-03-31"],
      ["2023-11-01", "2024-05-01"],
      ["2026-06-18", "2026-06-22"],
    ] as const)
      expect(ofDays(other, one, dayCount)).toBe(0 - ofDays(one, other, dayCount));
  });

  test("act/act_isda gives a leap year's days 1/366 each and whole years 1", () => {
    expect(ofDays("2024-01-01", "2025-01-01", "act/act_isda")).toBe(1);
    expect(ofDays("2024-02-29", "2024-03-01", "act/act_isda")).toBe(1 / 366);
    expect(ofDays("2023-12-31", "2024-01-02", "act/act_isda")).toBe(1 / 365 + 1 / 366);
    expect(ofDays("2000-01-01", "2100-01-01", "act/act_isda")).toBe(100);
  });
});

describe("S4.47 business/252", () => {
  const rows = [
    ["2026-06-17", "2026-06-18", 1],
    // Juneteenth and the weekend do not count; the day of valuation does, the day of expiry does not.
    ["2026-06-18", "2026-06-22", 1],
    ["2026-06-19", "2026-06-22", 0],
    ["2026-06-20", "2026-06-23", 1],
    ["2026-12-24", "2026-12-28", 1],
    ["2026-01-01", "2027-01-01", 251],
    ["2025-01-01", "2026-01-01", 250],
  ] as const;
  test.each(rows)("from %s to %s there are %d of New York's days", (from, to, days) => {
    expect(ofDays(from, to, "business/252")).toBe(days / 252);
  });

  test("a day that the calendar does not know is told, the valuation's first", () => {
    const calendar = businessCalendar({
      name: "short",
      firstDay: daysFromCivil(2026, 1, 1),
      lastDay: daysFromCivil(2026, 12, 31),
      weekend: [],
      closedDays: () => [],
    });
    const count = (from: string, to: string) =>
      yearsToExpiry(placed(`${from}T12:00:00Z`).microseconds, placed(`${to}T12:00:00Z`), {
        dayCount: "business/252",
        calendar,
      });
    expect(count("2026-01-01", "2026-12-31")).toBe(364 / 252);
    expect(count("2025-12-31", "2026-12-31")).toEqual({ field: "valuation_time", calendar });
    expect(count("2026-01-01", "2027-01-01")).toEqual({ field: "expiry", calendar });
    expect(count("2027-01-01", "2025-01-01")).toEqual({ field: "valuation_time", calendar });
  });
});

test("S4.47 every convention answers, and no two of them alike", () => {
  const all = dayCounts.map((name) =>
    [
      years("2023-02-28T12:00:00Z", "2024-08-31T18:00:00Z", name),
      years("2024-02-29T12:00:00Z", "2025-02-28T18:00:00Z", name),
    ].join(),
  );
  expect(new Set(all).size).toBe(dayCounts.length);
  expect(thirty.length).toBe(4);
});
