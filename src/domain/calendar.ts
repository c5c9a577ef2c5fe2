// Days and exchange moments by arithmetic alone: civil dates, the New York offset by the rule of the law, and
// when a listed option stops living. Separate from day-count, which knows elapsed time but no place on Earth.
// Must never read a clock, a Date or a time zone table: the same text gives the same moment on every machine.
//
// Sources: days since 1970-01-01 by eras of 400 years, the year taken to begin in March so that the leap day ends it;
// Energy Policy Act of 2005, section 110 (daylight time from the second Sunday of March to the first
// Sunday of November, since 2007); Public Law 99-359 (first Sunday of April to last Sunday of October, 1987 to
// 2006); changes at 02:00 local. Settlement: Cboe's contract specifications (SPX settles on opening prices,
// SPXW on the close). Not known here: early closes, so a 13:00 close counts as 16:00; holidays are exchange-calendars.ts.

import type { EpochMicroseconds } from "../foundation/clock";

/** A day of the proleptic Gregorian calendar; month and day count from 1. */
export interface CivilDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** A wall-clock time of day. */
export interface TimeOfDay {
  readonly hour: number;
  readonly minute: number;
}

/** Whether an option is settled on opening or on closing prices of its expiry day. */
export type Settlement = "am" | "pm";

/** First year for which the New York rule is written down here. */
export const newYorkYearMin = 1987;

const microsecondsPerMinute = 60_000_000n;
const minutesPerDay = 1440;

/** Days in one era of the calendar: 400 years. */
const daysPerEra = 146_097;
/** Days from 0000-03-01, where an era begins, to 1970-01-01. */
const daysToEpoch = 719_468;

/** Days from 1970-01-01 to a day of the proleptic Gregorian calendar. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const monthFromMarch = (month + 9) % 12;
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * daysPerEra + dayOfEra - daysToEpoch;
}

/** The day that lies so many days after 1970-01-01; the inverse of `daysFromCivil`. */
export function civilFromDays(days: number): CivilDate {
  const era = Math.floor((days + daysToEpoch) / daysPerEra);
  const dayOfEra = days + daysToEpoch - era * daysPerEra;
  // A leap day ends each 4 years (1,461 days) but not each 100 (36,524), and ends the era.
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return {
    year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
  };
}

/** Whether February of the year has 29 days. */
export function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** Days in a month, leap years counted. */
export function daysInMonth(year: number, month: number): number {
  if (month === 2) return isLeapYear(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Whether the numbers name a day that exists (years 0 to 9999). */
export function isCivilDate({ year, month, day }: CivilDate): boolean {
  if (![year, month, day].every(Number.isInteger)) return false;
  return year >= 0 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month);
}

/** 0 for Sunday to 6 for Saturday. */
export function weekday({ year, month, day }: CivilDate): number {
  return weekdayOfDay(daysFromCivil(year, month, day));
}

/** The same for a day counted from 1970-01-01, which was a Thursday. */
export function weekdayOfDay(days: number): number {
  return (((days + 4) % 7) + 7) % 7;
}

/** The day before; used where an old symbol names the Saturday after the last trading day. */
export function previousDay({ year, month, day }: CivilDate): CivilDate {
  if (day > 1) return { year, month, day: day - 1 };
  if (month > 1) return { year, month: month - 1, day: daysInMonth(year, month - 1) };
  return { year: year - 1, month: 12, day: 31 };
}

/** A date as 2026-12-18. */
export function formatCivilDate({ year, month, day }: CivilDate): string {
  const two = (value: number) => value.toString().padStart(2, "0");
  return `${year.toString().padStart(4, "0")}-${two(month)}-${two(day)}`;
}

/** Reads 2026-12-18; null where the text is anything else or no such day exists. */
export function parseCivilDate(text: string): CivilDate | null {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!parts) return null;
  const date = { year: Number(parts[1]), month: Number(parts[2]), day: Number(parts[3]) };
  return isCivilDate(date) ? date : null;
}

/** The n-th given weekday of a month (n from 1), or its last one for n = -1, as a day of the month. */
export function nthWeekday(year: number, month: number, wantedWeekday: number, n: number): number {
  if (n > 0) {
    const first = weekday({ year, month, day: 1 });
    return 1 + ((wantedWeekday - first + 7) % 7) + 7 * (n - 1);
  }
  const lastDay = daysInMonth(year, month);
  return lastDay - ((weekday({ year, month, day: lastDay }) - wantedWeekday + 7) % 7);
}

/**
 * Minutes New York is ahead of UTC (−240 or −300) at a local time. The hour that happens twice in autumn counts as
 * daylight time; the hour skipped in spring counts as daylight time too. Years before `newYorkYearMin`: null.
 */
export function newYorkOffsetMinutes(date: CivilDate, time: TimeOfDay): number | null {
  const { year } = date;
  if (year < newYorkYearMin) return null;
  const [startMonth, startDay] = year >= 2007 ? [3, nthWeekday(year, 3, 0, 2)] : [4, nthWeekday(year, 4, 0, 1)];
  const [endMonth, endDay] = year >= 2007 ? [11, nthWeekday(year, 11, 0, 1)] : [10, nthWeekday(year, 10, 0, -1)];
  const local = date.month * 1e6 + date.day * 1e4 + time.hour * 100 + time.minute;
  const isDaylight = local >= startMonth * 1e6 + startDay * 1e4 + 200 && local < endMonth * 1e6 + endDay * 1e4 + 200;
  return isDaylight ? -240 : -300;
}

/** The moment at which a place `offsetMinutes` ahead of UTC shows this date and time. */
export function momentAtOffset(date: CivilDate, time: TimeOfDay, offsetMinutes: number): EpochMicroseconds {
  const minutes =
    daysFromCivil(date.year, date.month, date.day) * minutesPerDay + time.hour * 60 + time.minute - offsetMinutes;
  return BigInt(minutes) * microsecondsPerMinute;
}

/** The moment New York's clocks show this date and time; null before `newYorkYearMin`. */
export function newYorkMoment(date: CivilDate, time: TimeOfDay): EpochMicroseconds | null {
  const offsetMinutes = newYorkOffsetMinutes(date, time);
  return offsetMinutes === null ? null : momentAtOffset(date, time, offsetMinutes);
}

/** New York's opening and closing bell of a regular day. */
export const settlementTime: Readonly<Record<Settlement, TimeOfDay>> = {
  am: { hour: 9, minute: 30 },
  pm: { hour: 16, minute: 0 },
};

/**
 * The moment an option with this expiry date settles. A Saturday (how symbols named standard expiries until 2015)
 * means the Friday before it. Null before `newYorkYearMin`.
 */
export function settlementMoment(expiryDate: CivilDate, settlement: Settlement): EpochMicroseconds | null {
  const day = weekday(expiryDate) === 6 ? previousDay(expiryDate) : expiryDate;
  return newYorkMoment(day, settlementTime[settlement]);
}
