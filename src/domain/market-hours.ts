// Whether a market is open at a moment, and when that changes next: for each calendar its sessions of a trading day, its holidays and short
// days. Separate from calendars, which know whole days only. Pure: a moment comes in as a value. Must never guess about days its calendar does
// not know: there it says nothing at all.
//
// Sources: NYSE, "Holidays and Trading Hours" (core 9:30–16:00, early from 4:00, late to 20:00; short days to 13:00, late to 17:00); Cboe,
// "Hours and Holidays" (index options: regular 9:30–16:15, global 20:15–9:25 of the evening before, curb 16:15–17:00; short days to 13:15); NSE, "Market
// Timings" (pre-open 9:00–9:15, normal 9:15–15:30, closing session 15:40–16:00); Deribit trades always. Shares' options at Cboe close at
// 16:00: the calendar tells the longest of what it holds. Not known: sessions that an exchange holds on a holiday, such as Cboe's global one,
// and NSE's evening hour of Diwali.

import type { EpochMicroseconds } from "../foundation/clock";
import { type BusinessCalendar, type Calendars, isBusinessDay, knowsDay } from "./business-calendar";
import { civilFromDays, momentAtOffset, newYorkMoment } from "./calendar";
import { closesEarly } from "./early-closes";
import { indiaOffsetMinutes } from "./expiry";

/** What a market does: nothing, its early session, its main one, its late one. */
export const marketSessions = ["closed", "pre", "open", "after"] as const;
export type MarketSession = (typeof marketSessions)[number];

interface Period {
  readonly session: Exclude<MarketSession, "closed">;
  /** Minutes from the trading day's midnight; below 0 on the evening before. */
  readonly from: number;
  readonly to: number;
}

/** When one market trades. */
export interface MarketHours {
  /** The calendar's name. */
  readonly name: string;
  /** Trading days; null: it trades always. */
  readonly days: BusinessCalendar | null;
  /** False where no list of holidays is known: all that is known are weekends. */
  readonly knowsHolidays: boolean;
  readonly zone: "new_york" | "india";
  readonly periods: readonly Period[];
  /** Those of a short day; null: it has none. */
  readonly shortPeriods: readonly Period[] | null;
}

/** What holds at a moment, since when, and until when. */
export interface SessionAt {
  readonly session: MarketSession;
  /** Null: always. */
  readonly since: EpochMicroseconds | null;
  /** Null: for ever, or as far as the calendar goes. */
  readonly next: { readonly at: EpochMicroseconds; readonly session: MarketSession } | null;
}

const at = (hour: number, minute = 0) => hour * 60 + minute;

const newYorkPeriods: readonly Period[] = [
  { session: "pre", from: at(4), to: at(9, 30) },
  { session: "open", from: at(9, 30), to: at(16) },
  { session: "after", from: at(16), to: at(20) },
];
const newYorkShort: readonly Period[] = [
  { session: "pre", from: at(4), to: at(9, 30) },
  { session: "open", from: at(9, 30), to: at(13) },
  { session: "after", from: at(13), to: at(17) },
];
const cboePeriods: readonly Period[] = [
  { session: "pre", from: at(20, 15) - at(24), to: at(9, 25) },
  { session: "open", from: at(9, 30), to: at(16, 15) },
  { session: "after", from: at(16, 15), to: at(17) },
];
const cboeShort: readonly Period[] = [
  { session: "pre", from: at(20, 15) - at(24), to: at(9, 25) },
  { session: "open", from: at(9, 30), to: at(13, 15) },
];
const nsePeriods: readonly Period[] = [
  { session: "pre", from: at(9), to: at(9, 15) },
  { session: "open", from: at(9, 15), to: at(15, 30) },
  { session: "after", from: at(15, 40), to: at(16) },
];

/** The names of the calendars whose hours are known here. */
export const marketNames = ["cboe", "deribit", "new_york", "nse"] as const;

/** The hours of every market, with the user's holidays where there are any: NSE's stand in a calendar named nse. */
export function marketHours(calendars: Calendars): ReadonlyMap<string, MarketHours> {
  const nse = calendars.get("nse") ?? null;
  const hours: MarketHours[] = [
    {
      ...{ name: "cboe", days: calendars.get("cboe") ?? null, knowsHolidays: true, zone: "new_york" },
      ...{ periods: cboePeriods, shortPeriods: cboeShort },
    },
    { name: "deribit", days: null, knowsHolidays: true, zone: "new_york", periods: [], shortPeriods: null },
    {
      ...{ name: "new_york", days: calendars.get("new_york") ?? null, knowsHolidays: true, zone: "new_york" },
      ...{ periods: newYorkPeriods, shortPeriods: newYorkShort },
    },
    {
      ...{ name: "nse", days: nse ?? weekdaysOnly, knowsHolidays: nse !== null, zone: "india" },
      ...{ periods: nsePeriods, shortPeriods: null },
    },
  ];
  return new Map(hours.map((each) => [each.name, each]));
}

/** 1970 to 2199. */
const weekdaysOnly: BusinessCalendar = {
  ...{ name: "nse", firstDay: 0, lastDay: 84_005, holidays: new Int32Array(0) },
  isWeekend: [true, false, false, false, false, false, true],
};

interface Stretch {
  readonly from: EpochMicroseconds;
  readonly to: EpochMicroseconds;
  readonly session: MarketSession;
}

const microsecondsPerDay = 86_400_000_000n;
/** Days that are looked at on either side: further than any market was ever closed. */
const daysLookedMax = 40;

/** What the market does at that moment; null where its calendar does not know the day. */
export function sessionAt(hours: MarketHours, moment: EpochMicroseconds): SessionAt | null {
  const { days } = hours;
  if (days === null) return { session: "open", since: null, next: null };
  const today = Number(
    (moment - (((moment % microsecondsPerDay) + microsecondsPerDay) % microsecondsPerDay)) / microsecondsPerDay,
  );
  if (!knowsDay(days, today)) return null;
  // The evening before belongs to a trading day, and so may the morning after in UTC.
  let current: Stretch | null = null;
  let before: Stretch | null = null;
  for (let day = today + 2; day >= today - daysLookedMax && before === null && current === null; day--) {
    for (const stretch of stretchesOf(hours, day).reverse()) {
      if (stretch.from <= moment && moment < stretch.to) current = stretch;
      else if (stretch.to <= moment) before ??= stretch;
    }
  }
  let following: Stretch | null = null;
  for (let day = today - 1; day <= today + daysLookedMax && following === null; day++)
    following = stretchesOf(hours, day).find(({ from }) => from > moment) ?? null;
  const opening = following && { at: following.from, session: following.session };
  if (current === null) return { session: "closed", since: before?.to ?? null, next: opening };
  const isAdjacent = opening !== null && opening.at === current.to;
  return {
    ...{ session: current.session, since: current.from },
    next: isAdjacent ? opening : { at: current.to, session: "closed" },
  };
}

/** What the market does on a trading day, in order; none on any other. */
function stretchesOf({ days, zone, periods, shortPeriods }: MarketHours, day: number): Stretch[] {
  if (days === null || !knowsDay(days, day) || !isBusinessDay(days, day)) return [];
  const told = shortPeriods !== null && closesEarly(day) ? shortPeriods : periods;
  return told.map(({ session, from, to }) => ({
    session,
    from: momentOf(zone, day, from),
    to: momentOf(zone, day, to),
  }));
}

function momentOf(zone: MarketHours["zone"], day: number, minutes: number): EpochMicroseconds {
  const date = civilFromDays(day + Math.floor(minutes / 1440));
  const ofDay = ((minutes % 1440) + 1440) % 1440;
  const time = { hour: Math.floor(ofDay / 60), minute: ofDay % 60 };
  // The calendars of New York begin when its clocks are known, in 1987.
  return zone === "india" ? momentAtOffset(date, time, indiaOffsetMinutes) : newYorkMoment(date, time)!;
}
