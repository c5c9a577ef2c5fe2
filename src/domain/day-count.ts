// From two moments to a time in years, and from RFC 3339 text to a moment. Pure arithmetic on integers: no
// Date object, no time zone table, no clock, so the same text gives the same microsecond on every machine.
// Separate from engine because a kernel knows only years, and from features because the command line reads
// dates too. Never guesses: a date without a time and an offset is not a moment and is refused.
//
// Source: RFC 3339 section 5.6 (grammar, with its "T" and "Z" in either case); days since 1970-01-01 by
// counting 400-year eras of 146,097 days, the year taken to begin in March so that the leap day ends it.
// Day counts: act/365f elapsed time / 365 days, act/360 elapsed time / 360 days (ISDA 2006, 4.16 d and e),
// both on the elapsed microseconds rather than on whole days.

import { unreachable } from "../foundation/assert";
import type { EpochMicroseconds } from "../foundation/clock";

/** The conventions understood so far. Those that count dates rather than elapsed time are not among them yet. */
export const dayCounts = ["act/365f", "act/360"] as const;

export type DayCount = (typeof dayCounts)[number];

/** Years from one moment to another, negative where `to` comes first; exact to the rounding of one division. */
export function yearFraction(from: EpochMicroseconds, to: EpochMicroseconds, dayCount: DayCount): number {
  return Number(to - from) / (daysInYear(dayCount) * microsecondsPerDay);
}

/** The days one year holds by this convention. */
export function daysInYear(dayCount: DayCount): number {
  switch (dayCount) {
    case "act/365f":
      return 365;
    case "act/360":
      return 360;
    default:
      return unreachable(dayCount);
  }
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

/**
 * The moment an RFC 3339 text names, in microseconds since the epoch, or why it names none.
 * Years 0000 to 9999. One to nine decimals of a second; those beyond the sixth are dropped.
 */
export function parseTimestamp(text: string): EpochMicroseconds | TimestampFault {
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
  return BigInt(seconds) * 1_000_000n + BigInt(microseconds);
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

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01 to a day of the proleptic Gregorian calendar. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const monthFromMarch = (month + 9) % 12;
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
