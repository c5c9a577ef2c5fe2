// Which days count as business days, and how many lie between two of them. Separate from the rules and files that say
// which days an exchange is closed: here a calendar is its weekend and a sorted list of further closed days, whoever
// made it. Counting costs two searches of that list whatever the distance. Must never guess about days its maker said
// nothing of: a calendar has a first and a last day, and whoever counts asks `knowsDay` first.

import { assert } from "../foundation/assert";
import { civilFromDays, formatCivilDate, weekdayOfDay } from "./calendar";

/** Days are counted from 1970-01-01, as `daysFromCivil` gives them. */
export interface BusinessCalendar {
  readonly name: string;
  /** First and last day it knows anything about. */
  readonly firstDay: number;
  readonly lastDay: number;
  /** Whether each weekday, Sunday first, is never a business day. */
  readonly isWeekend: readonly boolean[];
  /** Further closed days, ascending, none of them on a weekend. */
  readonly holidays: Int32Array;
}

/** Calendars by name. */
export type Calendars = ReadonlyMap<string, BusinessCalendar>;

/** What a calendar is made of; closed days may repeat, fall on weekends and come in any order. */
export interface BusinessCalendarParts {
  readonly name: string;
  readonly firstDay: number;
  readonly lastDay: number;
  /** Weekdays, 0 for Sunday to 6 for Saturday; not all seven. */
  readonly weekend: readonly number[];
  readonly closedDays: () => Iterable<number>;
}

/** A calendar ready to count. Its closed days are asked for when it first counts: most processes never do. */
export function businessCalendar(parts: BusinessCalendarParts): BusinessCalendar {
  const { name, firstDay, lastDay, weekend } = parts;
  const isWeekend = Array.from({ length: 7 }, (_, weekday) => weekend.includes(weekday));
  assert(isWeekend.includes(false), `the calendar ${name} has no business day`);
  let holidays: Int32Array | undefined;
  return {
    name,
    firstDay,
    lastDay,
    isWeekend,
    get holidays() {
      holidays ??= closedWeekdays(parts, isWeekend);
      return holidays;
    },
  };
}

function closedWeekdays(parts: BusinessCalendarParts, isWeekend: readonly boolean[]): Int32Array {
  const closed = new Set<number>();
  for (const day of parts.closedDays()) {
    if (day >= parts.firstDay && day <= parts.lastDay && !isWeekend[weekdayOfDay(day)]) closed.add(day);
  }
  return Int32Array.from(closed).sort();
}

/** Whether the calendar says anything about that day. */
export function knowsDay({ firstDay, lastDay }: BusinessCalendar, day: number): boolean {
  return day >= firstDay && day <= lastDay;
}

/** A sentence for a day it does not know, to follow the name of whatever holds that day. */
export function outsideCalendar({ name, firstDay, lastDay }: BusinessCalendar): string {
  const [first, last] = [firstDay, lastDay].map((day) => formatCivilDate(civilFromDays(day)));
  return `falls on a day outside ${first} to ${last}, which is all that the calendar ${name} knows`;
}

/** Whether the calendar, which must know the day, has it as a business day. */
export function isBusinessDay(calendar: BusinessCalendar, day: number): boolean {
  return businessDaysBetween(calendar, day, day + 1) === 1;
}

/**
 * Business days from one day up to but not including another, which is how many nights of business lie between them
 * where both are business days; negative where `to` comes first. Both must be known, or one past the last.
 */
export function businessDaysBetween(calendar: BusinessCalendar, from: number, to: number): number {
  if (to < from) return 0 - businessDaysBetween(calendar, to, from);
  assert(knowsDay(calendar, from) && to <= calendar.lastDay + 1, `${from} or ${to} outside ${calendar.name}`);
  const { isWeekend, holidays } = calendar;
  const weeks = Math.floor((to - from) / 7);
  let weekdays = weeks * isWeekend.filter((each) => !each).length;
  for (let day = from + 7 * weeks; day < to; day++) if (!isWeekend[weekdayOfDay(day)]) weekdays++;
  return weekdays - (countBelow(holidays, to) - countBelow(holidays, from));
}

/** How many of the ascending values are below the limit. */
function countBelow(values: Int32Array, limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
