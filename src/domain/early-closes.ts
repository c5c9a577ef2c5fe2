// The days on which New York's exchanges, and Cboe's options with them, stop at 13:00. Separate from exchange-calendars.ts, where such a
// day is a business day like any other: only what happens at a time of day asks for this.
//
// Sources: NYSE, "Holidays and Trading Hours": the day after Thanksgiving, Christmas Eve from Monday to Thursday, and July 3rd on a business
// day before the 4th; until 2012 a July 4th on a Thursday shortened the Friday after it instead. The years agree with NYSE's list of closings
// and special closings. Not known: what an exchange announces for one day only, but for 2003-12-26.
// Valid: 1999 to 2199, where `cboe` and `new_york` know the day.

import { civilFromDays, daysFromCivil, nthWeekday, weekdayOfDay } from "./calendar";

const wednesday = 3;
const thursday = 4;
const friday = 5;

/** Early closes that no rule foretells. */
const unforeseen = new Set([daysFromCivil(2003, 12, 26)]);

/** Whether New York's exchanges close at 13:00 on that day, which must be a business day of theirs. Days from 1970-01-01. */
export function closesEarly(day: number): boolean {
  const { year, month, day: dayOfMonth } = civilFromDays(day);
  const weekday = weekdayOfDay(day);
  if (month === 11) return dayOfMonth === nthWeekday(year, 11, thursday, 4) + 1;
  if (month === 12) return (dayOfMonth === 24 && weekday >= 1 && weekday <= thursday) || unforeseen.has(day);
  if (month !== 7) return false;
  if (dayOfMonth === 5) return weekday === friday && year <= 2012;
  return dayOfMonth === 3 && weekday >= 1 && weekday <= thursday && (weekday !== wednesday || year >= 2013);
}
