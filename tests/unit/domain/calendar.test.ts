// Civil days, New York's offset and settlement moments, against dates anyone can look up.

import { describe, expect, test } from "bun:test";
import {
  formatCivilDate,
  isCivilDate,
  momentAtOffset,
  newYorkMoment,
  newYorkOffsetMinutes,
  parseCivilDate,
  previousDay,
  settlementMoment,
  weekday,
} from "../../../src/domain/calendar";
import { formatTimestamp } from "../../../src/foundation/clock";

const date = (text: string) => parseCivilDate(text)!;

describe("civil dates", () => {
  const days = [
    ["1970-01-01", 4],
    ["2000-02-29", 2],
    ["2025-10-01", 3],
    ["2026-12-18", 5],
    ["1900-03-01", 4],
    ["1969-12-31", 3],
  ] as const;
  test.each(days)("%s falls on weekday %d", (text, expected) => {
    expect(weekday(date(text))).toBe(expected);
    expect(formatCivilDate(date(text))).toBe(text);
  });

  test.each(["2026-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "2026-4-1", "26-04-01", "", "2026-04-01T00:00Z"])(
    "%p is no day",
    (text) => expect(parseCivilDate(text)).toBeNull(),
  );

  test("fractions and years past 9999 are no days", () => {
    expect(isCivilDate({ year: 2026, month: 1.5, day: 1 })).toBeFalse();
    expect(isCivilDate({ year: 10_000, month: 1, day: 1 })).toBeFalse();
  });

  test.each([
    ["2026-03-01", "2026-02-28"],
    ["2024-03-01", "2024-02-29"],
    ["2026-01-01", "2025-12-31"],
    ["2026-01-17", "2026-01-16"],
  ])("the day before %s is %s", (text, before) => expect(formatCivilDate(previousDay(date(text)))).toBe(before));
});

describe("S4.47 New York's offset by the rule of the law", () => {
  const cases = [
    // Since 2007: second Sunday of March to first Sunday of November, changing at 02:00 local.
    ["2025-03-09", 1, 59, -300],
    ["2025-03-09", 2, 0, -240],
    ["2025-11-02", 1, 59, -240],
    ["2025-11-02", 2, 0, -300],
    ["2026-03-08", 12, 0, -240],
    ["2026-03-07", 12, 0, -300],
    ["2026-07-01", 12, 0, -240],
    ["2026-12-18", 9, 30, -300],
    ["2007-03-11", 12, 0, -240],
    // 1987 to 2006: first Sunday of April to last Sunday of October.
    ["2006-04-01", 12, 0, -300],
    ["2006-04-02", 12, 0, -240],
    ["2006-10-29", 1, 0, -240],
    ["2006-10-29", 3, 0, -300],
    ["1987-04-05", 12, 0, -240],
    ["1986-07-01", 12, 0, null],
  ] as const;
  test.each(cases)("%s %d:%d is %p minutes from UTC", (text, hour, minute, offset) =>
    expect(newYorkOffsetMinutes(date(text), { hour, minute })).toBe(offset),
  );

  test("it agrees with the machine's own time zone table on every noon of thirty years", () => {
    const format = new Intl.DateTimeFormat("en-US", { timeZone: "America/New_York", timeZoneName: "longOffset" });
    for (let day = Date.UTC(2000, 0, 1, 17); day < Date.UTC(2030, 0, 1); day += 86_400_000) {
      const utc = new Date(day);
      const civil = { year: utc.getUTCFullYear(), month: utc.getUTCMonth() + 1, day: utc.getUTCDate() };
      const shown = format.formatToParts(utc).find((part) => part.type === "timeZoneName")!.value;
      const hours = newYorkOffsetMinutes(civil, { hour: 12, minute: 0 })! / 60;
      expect(`${utc.toISOString()} GMT-0${-hours}:00`).toBe(`${utc.toISOString()} ${shown}`);
    }
  });

  test("before the rule begins there is no moment", () => {
    expect(newYorkMoment(date("1980-01-04"), { hour: 12, minute: 0 })).toBeNull();
  });
});

describe("S4.47 settlement moments", () => {
  test.each([
    ["2026-12-18", "am", "2026-12-18T14:30:00.000000Z"],
    ["2026-06-18", "am", "2026-06-18T13:30:00.000000Z"],
    ["2026-06-30", "pm", "2026-06-30T20:00:00.000000Z"],
    ["2026-12-31", "pm", "2026-12-31T21:00:00.000000Z"],
    // Until 2015 a standard expiry was named by the Saturday after its last trading day.
    ["2013-01-19", "pm", "2013-01-18T21:00:00.000000Z"],
  ] as const)("%s %s settles at %s", (text, settlement, expected) =>
    expect(formatTimestamp(settlementMoment(date(text), settlement)!)).toBe(expected),
  );

  test("a printed zone is an offset: 6:01 PM EDT is 22:01 UTC", () => {
    const moment = momentAtOffset(date("2025-10-01"), { hour: 18, minute: 1 }, -240);
    expect(formatTimestamp(moment)).toBe("2025-10-01T22:01:00.000000Z");
  });
});
