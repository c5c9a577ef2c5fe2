// When a listed contract stops living: the moment of its settlement by the rules of its exchange, holidays and early closes counted. Separate
// from calendar.ts, which knows the clocks of New York but no exchange's days. Pure; a calendar that does not know a day leaves it as it is.
//
// Sources: Cboe's contract specifications (AM settlement on opening prices, PM on closing prices; an expiry on a holiday moves to the business
// day before); Deribit's contract specifications (08:00 UTC of the expiry day); NSE's contract specifications (15:30 IST; monthly contracts
// expire on the last Thursday of the month, from September 2025 on the last Tuesday, or the business day before: circular of NSE of June 2025
// after SEBI's of May 2025). Not known here: indexes whose monthly day was another one between 2021 and 2024 (BANKNIFTY, FINNIFTY,
// MIDCPNIFTY); an import that states the expiry has the last word.

import type { EpochMicroseconds } from "../foundation/clock";
import { type BusinessCalendar, isBusinessDay, knowsDay } from "./business-calendar";
import {
  type CivilDate,
  civilFromDays,
  daysFromCivil,
  momentAtOffset,
  newYorkMoment,
  nthWeekday,
  type Settlement,
  settlementTime,
  weekday,
} from "./calendar";
import { closesEarly } from "./early-closes";

/** When New York's exchanges close on a short day. */
export const earlyCloseTime = { hour: 13, minute: 0 } as const;

/** Minutes that India's clocks are ahead of UTC. */
export const indiaOffsetMinutes = 330;

const thursday = 4;
const tuesday = 2;
const saturday = 6;
/** First month whose NSE contracts expire on a Tuesday, as year × 12 + month. */
const nseTuesdayFrom = 2025 * 12 + 9;
/** Closed days in a row that an expiry is moved over, at most: the longest closure was of six. */
const movedDaysMax = 10;

/** The last business day up to and including that one, in days from 1970-01-01. */
function businessDayUpTo(day: number, calendar: BusinessCalendar | undefined): number {
  for (let at = day; calendar && at > day - movedDaysMax && knowsDay(calendar, at); at--) {
    if (isBusinessDay(calendar, at)) return at;
  }
  return day;
}

/**
 * When a US option with this expiry date settles. A Saturday (how symbols named standard expiries until 2015) means the Friday before it, a
 * holiday the business day before it; on a short day closing prices are those of 13:00. Null before 1987.
 */
export function usExpiryMoment(
  expiryDate: CivilDate,
  settlement: Settlement,
  calendar: BusinessCalendar | undefined,
): EpochMicroseconds | null {
  const named = daysFromCivil(expiryDate.year, expiryDate.month, expiryDate.day);
  const day = businessDayUpTo(weekday(expiryDate) === saturday ? named - 1 : named, calendar);
  const isShort = settlement === "pm" && calendar !== undefined && knowsDay(calendar, day) && closesEarly(day);
  return newYorkMoment(civilFromDays(day), isShort ? earlyCloseTime : settlementTime[settlement]);
}

/** When a Deribit contract with this expiry date settles. */
export function deribitExpiryMoment(expiryDate: CivilDate): EpochMicroseconds {
  return momentAtOffset(expiryDate, { hour: 8, minute: 0 }, 0);
}

/** When an NSE contract settles: of its day where its name tells one, else of its month. */
export function nseExpiryMoment(
  { year, month, day }: { readonly year: number; readonly month: number; readonly day: number | null },
  calendar: BusinessCalendar | undefined,
): EpochMicroseconds {
  const rule = nthWeekday(year, month, year * 12 + month >= nseTuesdayFrom ? tuesday : thursday, -1);
  const named = daysFromCivil(year, month, day ?? rule);
  // A weekly name holds the day that the exchange moved it to.
  const moved = day === null ? businessDayUpTo(named, calendar) : named;
  return momentAtOffset(civilFromDays(moved), { hour: 15, minute: 30 }, indiaOffsetMinutes);
}
