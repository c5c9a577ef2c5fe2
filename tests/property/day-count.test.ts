// What holds of every pair of days: counting twice is counting once, forth is minus back, and the fast count of business
// days is the slow one.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type BusinessCalendar, businessCalendar, businessDaysBetween } from "../../src/domain/business-calendar";
import { civilFromDays, weekdayOfDay } from "../../src/domain/calendar";
import { type Counting, dayCounts, days360, type Moment, yearsToExpiry } from "../../src/domain/day-count";
import { builtInCalendars } from "../../src/domain/exchange-calendars";

const runs = { numRuns: 2000, seed: 20_261_218, verbose: 1 } as const;
const newYork = builtInCalendars().get("new_york")!;
const knownDay = fc.integer({ min: newYork.firstDay, max: newYork.lastDay });
const countings = dayCounts.map(
  (dayCount): Counting => (dayCount === "business/252" ? { dayCount, calendar: newYork } : { dayCount }),
);
const microsecondsPerDay = 86_400_000_000n;
const at = (day: number, offsetMinutes = 0): Moment => ({
  microseconds: BigInt(day) * microsecondsPerDay + microsecondsPerDay / 2n - BigInt(offsetMinutes) * 60_000_000n,
  offsetMinutes,
});
const years = (from: number, to: number, counting: Counting) =>
  yearsToExpiry(at(from).microseconds, at(to), counting) as number;

/** Goes through the days one by one. */
function slowCount(calendar: BusinessCalendar, from: number, to: number): number {
  const holidays = new Set(calendar.holidays);
  let count = 0;
  for (let day = from; day < to; day++) if (!calendar.isWeekend[weekdayOfDay(day)] && !holidays.has(day)) count++;
  return count;
}

describe("S4.47 business days", () => {
  const range = fc.tuple(fc.integer({ min: -40, max: 400 }), fc.integer({ min: -40, max: 400 }));
  test("counted by search are those counted one by one, whatever the calendar", () => {
    fc.assert(
      fc.property(
        range,
        fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: -50, max: 420 }), { maxLength: 60 }),
        ([one, other], weekend, closedDays) => {
          const calendar = businessCalendar({
            name: "any",
            firstDay: -40,
            lastDay: 400,
            weekend,
            closedDays: () => closedDays,
          });
          const [from, to] = [Math.min(one, other), Math.max(one, other)];
          expect(businessDaysBetween(calendar, from, to)).toBe(slowCount(calendar, from, to));
        },
      ),
      runs,
    );
  });

  test("from a to b and from b to c are those from a to c, forth and back", () => {
    fc.assert(
      fc.property(knownDay, knownDay, knownDay, (a, b, c) => {
        const between = (from: number, to: number) => businessDaysBetween(newYork, from, to);
        expect(between(a, b) + between(b, c)).toBe(between(a, c));
        expect(between(a, b) + between(b, a)).toBe(0);
      }),
      runs,
    );
  });
});

describe("S4.47 years", () => {
  test("of days back are minus those forth, by every convention", () => {
    fc.assert(
      fc.property(knownDay, knownDay, fc.constantFrom(...countings), (a, b, counting) => {
        expect(years(a, b, counting) + years(b, a, counting)).toBe(0);
      }),
      runs,
    );
  });

  test("do not depend on the offset in which both days are the same", () => {
    fc.assert(
      fc.property(
        knownDay,
        knownDay,
        fc.integer({ min: -1439, max: 1439 }),
        fc.constantFrom(...countings),
        (a, b, offset, counting) => {
          expect(yearsToExpiry(at(a, offset).microseconds, at(b, offset), counting)).toBe(years(a, b, counting));
        },
      ),
      runs,
    );
  });

  test("never fall when the expiry is a day later, away from the ends of thirty-day months", () => {
    fc.assert(
      fc.property(knownDay, fc.integer({ min: 0, max: 4000 }), fc.constantFrom(...countings), (a, length, counting) => {
        const b = Math.min(a + length, newYork.lastDay - 1);
        if (counting.dayCount.startsWith("30") && isOddPair(a, b)) return;
        expect(years(a, b + 1, counting)).toBeGreaterThanOrEqual(years(a, b, counting));
      }),
      runs,
    );
  });

  test("of act/act_isda add up within rounding", () => {
    const counting: Counting = { dayCount: "act/act_isda" };
    fc.assert(
      fc.property(knownDay, knownDay, knownDay, (a, b, c) => {
        // At most 210 years: each of three roundings below 210·2⁻⁵³.
        expect(Math.abs(years(a, b, counting) + years(b, c, counting) - years(a, c, counting))).toBeLessThan(1e-13);
      }),
      runs,
    );
  });
});

/** Days moved to the thirtieth stand still or step back against the last days of a month; there no order is promised. */
function isOddPair(from: number, to: number): boolean {
  const [first, last, next] = [from, to, to + 1].map(civilFromDays);
  return first!.day > 27 || last!.day > 27 || next!.day > 27;
}

describe("S4.47 days of thirty-day months", () => {
  const day = fc.integer({ min: 1, max: 27 });
  const month = fc.integer({ min: 1, max: 12 });
  const year = fc.integer({ min: 1900, max: 2200 });
  const date = fc.record({ year, month, day });
  const thirty = fc.constantFrom("30/360", "30/360_us", "30e/360", "30e/360_isda");
  test("add up and agree between the conventions where no day is past the 27th", () => {
    fc.assert(
      fc.property(date, date, date, thirty, (a, b, c, dayCount) => {
        expect(days360(a, b, dayCount) + days360(b, c, dayCount)).toBe(days360(a, c, dayCount));
        expect(days360(a, b, dayCount)).toBe(days360(a, b, "30e/360"));
      }),
      runs,
    );
  });

  test("are 30 for each month where both days have one number", () => {
    fc.assert(
      fc.property(date, fc.integer({ min: 1, max: 36 }), thirty, (from, months, dayCount) => {
        const ordinal = from.year * 12 + from.month - 1 + months;
        const to = { year: Math.floor(ordinal / 12), month: (ordinal % 12) + 1, day: from.day };
        expect(days360(from, to, dayCount)).toBe(30 * months);
      }),
      runs,
    );
  });
});
