// From two moments to a time in years, and from RFC 3339 text to a moment. Pure arithmetic on integers: no
// Date object, no time zone table, no clock, so the same text gives the same microsecond on every machine.
// Separate from engine because a kernel knows only years, and from features because the command line reads
// dates too. Never guesses: a date without a time and an offset is not a moment and is refused.
//
// Source of the text: RFC 3339 section 5.6 (grammar, with its "T" and "Z" in either case).
// Conventions, from a start day Y1-M1-D1 to an end day Y2-M2-D2 (ISDA: 2006 ISDA Definitions, section 4.16):
//   act/365f, act/360  elapsed microseconds / 365 or 360 days (ISDA d, e), not whole days
//   act/act_isda       days in leap years / 366 + days in other years / 365 (ISDA b)
//   30/360 and kin     (360 (Y2 - Y1) + 30 (M2 - M1) + D2 - D1) / 360, with D1 and D2 first moved as `days360` says:
//                      30/360 ISDA f; 30/360_us Standard Securities Calculation Methods (Mayle, 1993); 30e/360 ISDA g;
//                      30e/360_isda ISDA h
//   business/252       business days from the start up to but not including the end / 252 (Brazil's rule)
// All but the first two count civil days as the expiry's own offset shows them: zero where both fall on one day.
// Checked against ISDA's published examples (tests/golden/day-count.json). Explained in docs/numerics/day-count.md.

import { unreachable } from "../foundation/assert";
import type { EpochMicroseconds } from "../foundation/clock";
import { type BusinessCalendar, businessDaysBetween, knowsDay } from "./business-calendar";
import { type CivilDate, civilFromDays, daysFromCivil, daysInMonth, isLeapYear } from "./calendar";

/** The conventions by their wire names. */
export const dayCounts = [
  "act/365f",
  "act/360",
  "act/act_isda",
  "30/360",
  "30/360_us",
  "30e/360",
  "30e/360_isda",
  "business/252",
] as const;

export type DayCount = (typeof dayCounts)[number];

/** Conventions that count elapsed time rather than days of a calendar. */
export type ElapsedDayCount = "act/365f" | "act/360";

/** Conventions of months that have thirty days. */
export type ThirtyDayCount = "30/360" | "30/360_us" | "30e/360" | "30e/360_isda";

/** A convention with the calendar it needs. */
export type Counting =
  | { readonly dayCount: Exclude<DayCount, "business/252"> }
  | { readonly dayCount: "business/252"; readonly calendar: BusinessCalendar };

/** What counts where nothing else is asked for. */
export const defaultDayCount = "act/365f";

/** A moment as a text gave it: when it is, and what the clocks of its place show. */
export interface Moment {
  readonly microseconds: EpochMicroseconds;
  /** Minutes that place is ahead of UTC. */
  readonly offsetMinutes: number;
}

/** Which of two moments falls on a day that the calendar does not know; the valuation's is told first. */
export interface OutsideCalendar {
  readonly field: "valuation_time" | "expiry";
  readonly calendar: BusinessCalendar;
}

/**
 * Years from a moment to an expiry, negative where the expiry has gone by. Conventions of days count the days that the
 * expiry's offset shows; of an expiry gone by they give the negative of the years from it.
 */
export function yearsToExpiry(
  valuation: EpochMicroseconds,
  expiry: Moment,
  counting: Counting,
): number | OutsideCalendar {
  const { dayCount } = counting;
  if (dayCount === "act/365f" || dayCount === "act/360") return yearFraction(valuation, expiry.microseconds, dayCount);
  const start = dayAt(valuation, expiry.offsetMinutes);
  const end = dayAt(expiry.microseconds, expiry.offsetMinutes);
  if (dayCount === "business/252") {
    const { calendar } = counting;
    if (!knowsDay(calendar, start)) return { field: "valuation_time", calendar };
    if (!knowsDay(calendar, end)) return { field: "expiry", calendar };
    return businessDaysBetween(calendar, start, end) / 252;
  }
  return end < start ? 0 - yearsOfDays(end, start, dayCount) : yearsOfDays(start, end, dayCount);
}

/** Years from one moment to another, negative where `to` comes first; exact to the rounding of one division. */
export function yearFraction(from: EpochMicroseconds, to: EpochMicroseconds, dayCount: ElapsedDayCount): number {
  return Number(to - from) / (daysInYear(dayCount) * microsecondsPerDay);
}

/** The days one year holds by this convention. */
export function daysInYear(dayCount: ElapsedDayCount): number {
  switch (dayCount) {
    case "act/365f":
      return 365;
    case "act/360":
      return 360;
    default:
      return unreachable(dayCount);
  }
}

/** Years from one day to a later or the same, days counted from 1970-01-01. */
function yearsOfDays(start: number, end: number, dayCount: ThirtyDayCount | "act/act_isda"): number {
  if (start === end) return 0;
  const [from, to] = [civilFromDays(start), civilFromDays(end)];
  return dayCount === "act/act_isda" ? actualYears(from, to) : days360(from, to, dayCount) / 360;
}

/** act/act_isda: the whole years between, and the parts of the first and the last year as parts of their own lengths. */
function actualYears(from: CivilDate, to: CivilDate): number {
  const dayOfYear = ({ year, month, day }: CivilDate) => daysFromCivil(year, month, day) - daysFromCivil(year, 1, 1);
  const length = (year: number) => (isLeapYear(year) ? 366 : 365);
  if (from.year === to.year) return (dayOfYear(to) - dayOfYear(from)) / length(to.year);
  const rest = (length(from.year) - dayOfYear(from)) / length(from.year);
  return rest + (to.year - from.year - 1) + dayOfYear(to) / length(to.year);
}

/**
 * Days from one date to another where every month has thirty. `endsDeal`: whether `to` is the deal's last day, which
 * 30e/360_isda asks about the end of February; an option's expiry is.
 */
export function days360(from: CivilDate, to: CivilDate, dayCount: ThirtyDayCount, endsDeal = true): number {
  const [first, last] = movedDays(from, to, dayCount, endsDeal);
  return 360 * (to.year - from.year) + 30 * (to.month - from.month) + last - first;
}

/** The days of the month, moved as the convention says. */
function movedDays(
  from: CivilDate,
  to: CivilDate,
  dayCount: ThirtyDayCount,
  endsDeal: boolean,
): readonly [first: number, last: number] {
  const isFromFebruaryEnd = isFebruaryEnd(from);
  const isToFebruaryEnd = isFebruaryEnd(to);
  switch (dayCount) {
    case "30/360": {
      const first = Math.min(from.day, 30);
      return [first, first === 30 ? Math.min(to.day, 30) : to.day];
    }
    case "30/360_us": {
      const first = isFromFebruaryEnd ? 30 : Math.min(from.day, 30);
      const last = isFromFebruaryEnd && isToFebruaryEnd ? 30 : to.day;
      return [first, first === 30 ? Math.min(last, 30) : last];
    }
    case "30e/360":
      return [Math.min(from.day, 30), Math.min(to.day, 30)];
    case "30e/360_isda":
      return [
        isFromFebruaryEnd ? 30 : Math.min(from.day, 30),
        isToFebruaryEnd && !endsDeal ? 30 : Math.min(to.day, 30),
      ];
    default:
      return unreachable(dayCount);
  }
}

function isFebruaryEnd({ year, month, day }: CivilDate): boolean {
  return month === 2 && day === daysInMonth(year, 2);
}

/** The day, counted from 1970-01-01, that a place so many minutes ahead of UTC has at a moment. */
function dayAt(moment: EpochMicroseconds, offsetMinutes: number): number {
  const shifted = moment + BigInt(offsetMinutes) * 60_000_000n;
  const perDay = BigInt(microsecondsPerDay);
  const day = Number(shifted / perDay);
  return shifted % perDay < 0n ? day - 1 : day;
}

/** Why a text is not a moment: closed, so that callers can word it. */
export type TimestampFault = "not_rfc3339" | "no_time" | "no_offset" | "no_such_day" | "no_such_time" | "leap_second";

/** A sentence for each fault, fit for a client. */
export const timestampFaultDetail: Readonly<Record<TimestampFault, string>> = {
  not_rfc3339: "must be an RFC 3339 date and time with an offset, such as 2026-12-18T16:00:00-05:00",
  no_time: "must have a time and an offset: a bare date does not say when on that day",
  no_offset: "must end in Z or an offset such as -05:00",
  no_such_day: "names a day that is in no calendar",
  no_such_time: "names a time or an offset that is on no clock",
  leap_second: "must not name a leap second",
};

/** The moment an RFC 3339 text names, in microseconds since the epoch, or why it names none; as `parseMoment` reads it. */
export function parseTimestamp(text: string): EpochMicroseconds | TimestampFault {
  const moment = parseMoment(text);
  return typeof moment === "string" ? moment : moment.microseconds;
}

/**
 * The moment an RFC 3339 text names with the offset it names it in, or why it names none.
 * Years 0000 to 9999. One to nine decimals of a second; those beyond the sixth are dropped.
 */
export function parseMoment(text: string): Moment | TimestampFault {
  if (text.length > textLengthMax) return "not_rfc3339";
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  if (year < 0 || month < 0 || day < 0 || text[4] !== "-" || text[7] !== "-") return "not_rfc3339";
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return "no_such_day";
  if (text.length === 10) return "no_time";

  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  const second = digits(text, 17, 2);
  if ((text[10] !== "T" && text[10] !== "t") || text[13] !== ":" || text[16] !== ":") return "not_rfc3339";
  if (hour < 0 || minute < 0 || second < 0) return "not_rfc3339";
  if (second === 60) return "leap_second";
  if (hour > 23 || minute > 59 || second > 59) return "no_such_time";

  let index = 19;
  let microseconds = 0;
  if (text[index] === ".") {
    const start = index + 1;
    for (index = start; index - start < fractionDigitsMax; index++) {
      const digit = digits(text, index, 1);
      if (digit < 0) break;
      if (index - start < 6) microseconds += digit * 10 ** (5 - (index - start));
    }
    if (index === start) return "not_rfc3339";
  }

  let offsetMinutes = 0;
  const mark = text[index];
  if (mark === undefined) return "no_offset";
  if (mark === "Z" || mark === "z") {
    if (text.length !== index + 1) return "not_rfc3339";
  } else {
    const offsetHour = digits(text, index + 1, 2);
    const offsetMinute = digits(text, index + 4, 2);
    if ((mark !== "+" && mark !== "-") || text[index + 3] !== ":" || text.length !== index + 6) return "not_rfc3339";
    if (offsetHour < 0 || offsetMinute < 0) return "not_rfc3339";
    if (offsetHour > 23 || offsetMinute > 59) return "no_such_time";
    offsetMinutes = (mark === "-" ? -1 : 1) * (offsetHour * 60 + offsetMinute);
  }

  // Seconds of four-digit years stay below 2^39, so only the last step needs more than a double holds.
  const seconds = daysFromCivil(year, month, day) * 86_400 + hour * 3600 + (minute - offsetMinutes) * 60 + second;
  return { microseconds: BigInt(seconds) * 1_000_000n + BigInt(microseconds), offsetMinutes };
}

const microsecondsPerDay = 86_400_000_000;
const fractionDigitsMax = 9;
/** "2026-12-18T16:00:00.123456789-05:00" */
const textLengthMax = 35;

/** The unsigned number in `count` characters from `start`, or −1 where one is no ASCII digit. */
function digits(text: string, start: number, count: number): number {
  let value = 0;
  for (let index = start; index < start + count; index++) {
    const digit = text.charCodeAt(index) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}
