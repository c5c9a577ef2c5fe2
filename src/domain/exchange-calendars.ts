// The days on which New York's stock exchange and Cboe's options exchanges are closed, by rule, with the closures that
// no rule foretells as a table. Separate from business-calendar.ts, which counts, and from the user's own calendars.
// Full days only: a day that ends at 13:00 is a business day. Must never be asked outside its years.
//
// Sources: NYSE Rule 7.2 (the ten holidays; a Saturday's is kept on the Friday before unless that ends an accounting
// period, so a Saturday's New Year is not kept at all; a Sunday's on the Monday after); Martin Luther King Day from 1998,
// Juneteenth from 2022. Easter: the anonymous Gregorian rule printed in Nature 13, p. 487 (1876), good for every year of
// that calendar. Cboe closes its options exchanges on the same full days; its own notices confirm it for holidays and for
// 2025-01-09, and lists of its closed days agree from 1998, which is where its calendar begins here.
// Checked against published lists for every year from 1990 to 2028 (tests/golden/exchange-holidays.json).
// Valid: New York 1990 to 2199, Cboe 1998 to 2199, the future by the rules as they stood at the end of 2025.

import { type BusinessCalendar, businessCalendar, type Calendars } from "./business-calendar";
import { type CivilDate, daysFromCivil, nthWeekday, weekdayOfDay } from "./calendar";

const newYorkYearMin = 1990;
const cboeYearMin = 1998;
const yearMax = 2199;

const sunday = 0;
const monday = 1;
const thursday = 4;
const saturday = 6;

/** Closed for the whole day though no rule says so. */
const unforeseen: readonly (readonly [year: number, month: number, day: number])[] = [
  [1994, 4, 27], // day of mourning for President Nixon
  [2001, 9, 11], // attacks on New York and Washington, to the 14th
  [2001, 9, 12],
  [2001, 9, 13],
  [2001, 9, 14],
  [2004, 6, 11], // day of mourning for President Reagan
  [2007, 1, 2], // day of mourning for President Ford
  [2012, 10, 29], // hurricane Sandy, two days
  [2012, 10, 30],
  [2018, 12, 5], // day of mourning for President George H. W. Bush
  [2025, 1, 9], // day of mourning for President Carter
];

/** The calendars every installation has, by name. */
export function builtInCalendars(): Calendars {
  const calendars = [exchangeCalendar("new_york", newYorkYearMin), exchangeCalendar("cboe", cboeYearMin)];
  return new Map(calendars.map((calendar) => [calendar.name, calendar]));
}

/** Their names, which a user's file cannot take. */
export const builtInCalendarNames = ["new_york", "cboe"] as const;

/** The calendar that stands where none is named. */
export const defaultCalendarName = "new_york";

function exchangeCalendar(name: (typeof builtInCalendarNames)[number], yearMin: number): BusinessCalendar {
  return businessCalendar({
    name,
    firstDay: daysFromCivil(yearMin, 1, 1),
    lastDay: daysFromCivil(yearMax, 12, 31),
    weekend: [sunday, saturday],
    closedDays: () => closedDays(yearMin),
  });
}

function* closedDays(yearMin: number): Generator<number> {
  for (const [year, month, day] of unforeseen) yield daysFromCivil(year, month, day);
  for (let year = yearMin; year <= yearMax; year++) yield* newYorkHolidays(year);
}

/** The days of a year on which the rule closes New York's exchange, in days since 1970-01-01. */
function newYorkHolidays(year: number): number[] {
  const easter = easterSunday(year);
  const days = [
    daysFromCivil(year, 2, nthWeekday(year, 2, monday, 3)), // Washington's Birthday
    daysFromCivil(year, easter.month, easter.day) - 2, // Good Friday
    daysFromCivil(year, 5, nthWeekday(year, 5, monday, -1)), // Memorial Day
    observed(daysFromCivil(year, 7, 4)), // Independence Day
    daysFromCivil(year, 9, nthWeekday(year, 9, monday, 1)), // Labor Day
    daysFromCivil(year, 11, nthWeekday(year, 11, thursday, 4)), // Thanksgiving Day
    observed(daysFromCivil(year, 12, 25)), // Christmas Day
  ];
  const newYear = daysFromCivil(year, 1, 1);
  if (weekdayOfDay(newYear) !== saturday) days.push(observed(newYear));
  if (year >= 1998) days.push(daysFromCivil(year, 1, nthWeekday(year, 1, monday, 3))); // Martin Luther King Day
  if (year >= 2022) days.push(observed(daysFromCivil(year, 6, 19))); // Juneteenth
  return days;
}

/** Where a holiday of fixed date is kept: the Friday before a Saturday, the Monday after a Sunday. */
function observed(day: number): number {
  const weekday = weekdayOfDay(day);
  return weekday === saturday ? day - 1 : weekday === sunday ? day + 1 : day;
}

/** Easter Sunday of the Gregorian calendar; the letters are the source's. */
export function easterSunday(year: number): CivilDate {
  const a = year % 19;
  const b = Math.floor(year / 100);
  const c = year % 100;
  const d = Math.floor(b / 4);
  const e = b % 4;
  const f = Math.floor((b + 8) / 25);
  const g = Math.floor((b - f + 1) / 3);
  const h = (19 * a + b - d - g + 15) % 30;
  const i = Math.floor(c / 4);
  const k = c % 4;
  const l = (32 + 2 * e + 2 * i - h - k) % 7;
  const m = Math.floor((a + 11 * h + 22 * l) / 451);
  const month = Math.floor((h + l - 7 * m + 114) / 31);
  return { year, month, day: ((h + l - 7 * m + 114) % 31) + 1 };
}
