// The rules for New York's and Cboe's closed days against lists that others published, year by year, and counting between
// two days against going through them one by one.

import { describe, expect, test } from "bun:test";
import {
  type BusinessCalendar,
  businessCalendar,
  businessDaysBetween,
  isBusinessDay,
  knowsDay,
  outsideCalendar,
} from "../../../src/domain/business-calendar";
import {
  civilFromDays,
  daysFromCivil,
  formatCivilDate,
  parseCivilDate,
  weekdayOfDay,
} from "../../../src/domain/calendar";
import { builtInCalendarNames, builtInCalendars, easterSunday } from "../../../src/domain/exchange-calendars";
import golden from "../../golden/exchange-holidays.json";

const calendars = builtInCalendars();
const newYork = calendars.get("new_york")!;
const cboe = calendars.get("cboe")!;
const day = (text: string) => {
  const { year, month, day } = parseCivilDate(text)!;
  return daysFromCivil(year, month, day);
};

/** The weekdays of a year on which the calendar is closed. */
function closedWeekdays(calendar: BusinessCalendar, year: number): string[] {
  const found: string[] = [];
  for (let each = daysFromCivil(year, 1, 1); each < daysFromCivil(year + 1, 1, 1); each++) {
    const weekday = weekdayOfDay(each);
    if (weekday !== 0 && weekday !== 6 && !isBusinessDay(calendar, each))
      found.push(formatCivilDate(civilFromDays(each)));
  }
  return found;
}

describe("S4.49 exchange holidays by rule", () => {
  for (const { calendar, source, years } of golden.lists) {
    describe(`${calendar} against ${source}`, () => {
      for (const [year, expected] of Object.entries(years) as [string, string[]][]) {
        test(`${year} has ${expected.length} closed weekdays`, () => {
          expect(closedWeekdays(calendars.get(calendar)!, Number(year))).toEqual(expected);
        });
      }
    });
  }

  test("every year from 1990 to 2028 has been compared", () => {
    const compared = golden.lists
      .filter(({ calendar }) => calendar === "new_york")
      .flatMap(({ years }) => Object.keys(years));
    expect(
      Array.from({ length: 39 }, (_, index) => String(1990 + index)).filter((year) => !compared.includes(year)),
    ).toEqual([]);
  });

  // Sessions of a year as they are commonly counted.
  test.each([
    [1996, 254],
    [2001, 248],
    [2008, 253],
    [2012, 250],
    [2018, 251],
    [2020, 253],
    [2023, 250],
    [2024, 252],
    [2025, 250],
  ])("%d had %d trading days", (year, count) => {
    expect(businessDaysBetween(newYork, daysFromCivil(year, 1, 1), daysFromCivil(year + 1, 1, 1))).toBe(count);
  });

  test("Cboe is closed when New York is, from 1998 on", () => {
    for (let year = 1998; year <= 2199; year++)
      expect(closedWeekdays(cboe, year)).toEqual(closedWeekdays(newYork, year));
  });

  test("no year has more than 10 closed weekdays by rule, nor fewer than 8", () => {
    for (let year = 2026; year <= 2199; year++) {
      const count = closedWeekdays(newYork, year).length;
      expect(count === 9 || count === 10).toBeTrue();
    }
  });

  test("a Saturday's New Year is not kept on the last day of the year before", () => {
    for (const text of ["1993-12-31", "1999-12-31", "2010-12-31", "2021-12-31", "2027-12-31"])
      expect(isBusinessDay(newYork, day(text))).toBeTrue();
  });

  test("the names that a file cannot take are those of the built-in calendars", () => {
    expect([...calendars.keys()]).toEqual([...builtInCalendarNames]);
  });
});

describe("Easter Sunday", () => {
  // US Naval Observatory and every church calendar.
  test.each([
    "1818-03-22",
    "1943-04-25",
    "1961-04-02",
    "1981-04-19",
    "2000-04-23",
    "2008-03-23",
    "2024-03-31",
    "2025-04-20",
    "2026-04-05",
    "2038-04-25",
    "2049-04-18",
    "2076-04-19",
    "2285-03-22",
  ])("%s", (text) => expect(formatCivilDate(easterSunday(Number(text.slice(0, 4))))).toBe(text));

  test("is a Sunday from 22 March to 25 April for 600 years", () => {
    for (let year = 1700; year < 2300; year++) {
      const { month, day: dayOfMonth } = easterSunday(year);
      const date = daysFromCivil(year, month, dayOfMonth);
      expect(weekdayOfDay(date)).toBe(0);
      expect(date >= daysFromCivil(year, 3, 22) && date <= daysFromCivil(year, 4, 25)).toBeTrue();
    }
  });
});

describe("S4.47 counting business days", () => {
  const small = businessCalendar({
    name: "small",
    firstDay: day("2026-01-01"),
    lastDay: day("2026-12-31"),
    weekend: [5],
    // Out of order, twice, on a weekend (2026-01-02 is a Friday), outside.
    closedDays: () => [day("2026-03-04"), day("2026-01-05"), day("2026-03-04"), day("2026-01-02"), day("2027-01-05")],
  });

  test("closed days are kept once, in order, without weekends and strangers", () => {
    expect([...small.holidays]).toEqual([day("2026-01-05"), day("2026-03-04")]);
  });

  test.each([
    ["2026-01-01", "2026-01-01", 0],
    ["2026-01-01", "2026-01-02", 1],
    ["2026-01-02", "2026-01-03", 0],
    ["2026-01-01", "2026-01-06", 3],
    ["2026-01-06", "2026-01-01", -3],
    ["2026-01-01", "2026-12-31", 310],
  ])("from %s up to %s there are %d", (from, to, count) => {
    expect(businessDaysBetween(small, day(from), day(to))).toBe(count);
  });

  test("a day outside is our mistake, and has words for the user's", () => {
    expect(knowsDay(small, day("2025-12-31"))).toBeFalse();
    expect(knowsDay(small, day("2026-12-31"))).toBeTrue();
    expect(() => businessDaysBetween(small, day("2025-12-31"), day("2026-01-01"))).toThrow("outside small");
    expect(() => businessDaysBetween(small, day("2026-12-31"), day("2027-01-02"))).toThrow("outside small");
    expect(outsideCalendar(small)).toBe(
      "falls on a day outside 2026-01-01 to 2026-12-31, which is all that the calendar small knows",
    );
    expect(() => businessCalendar({ ...small, weekend: [0, 1, 2, 3, 4, 5, 6], closedDays: () => [] })).toThrow(
      "no business day",
    );
  });
});
