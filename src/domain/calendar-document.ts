// A user's own calendars, from the value a TOML or JSON file holds: each name with its weekend and its closed days.
// Separate from reading the file, which needs the disk, and from counting. Finds every fault rather than the first, and
// never takes half a document: whoever calls stops where there is any.

import type { FieldFault } from "../foundation/errors";
import { quoted } from "../foundation/printable";
import { type BusinessCalendar, businessCalendar } from "./business-calendar";
import { daysFromCivil, parseCivilDate } from "./calendar";
import { builtInCalendarNames } from "./exchange-calendars";

/** Weekdays as a calendar's file names them, Sunday first. */
export const weekdayNames = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"] as const;

/** Calendars of one file, closed days of one calendar, and faults told of, at most. */
export const calendarLimits = { calendarsMax: 100, holidaysMax: 20_000, faultsMax: 100 } as const;

const keys = ["weekend", "holidays", "first", "last"];
const namePattern = /^[a-z][a-z0-9_]{0,39}$/;

/** What a document holds: its calendars, or the faults that make it useless. */
export interface CalendarDocument {
  readonly calendars: readonly BusinessCalendar[];
  /** At most `faultsMax`; empty: all is well. Pointers are `name/key/index`. */
  readonly faults: readonly FieldFault[];
}

/**
 * Reads `{ name: { holidays: ["2026-12-25", …], weekend?: ["saturday", "sunday"], first?: "2020-01-01", last?: … } }`.
 * Without `first` and `last` a calendar knows the years from its first holiday's to its last one's; without a holiday
 * both must be there. A calendar that ran on past its list would count holidays as business days.
 */
export function calendarsOfDocument(document: unknown): CalendarDocument {
  const faults: FieldFault[] = [];
  const fault = (pointer: string, detail: string) => {
    if (faults.length < calendarLimits.faultsMax) faults.push({ pointer, code: "CALENDAR_INVALID", detail });
  };
  if (!isRecord(document)) {
    fault("", "must hold calendars by name");
    return { calendars: [], faults };
  }
  const entries = Object.entries(document);
  if (entries.length > calendarLimits.calendarsMax)
    fault("", `must hold at most ${calendarLimits.calendarsMax} calendars`);
  const calendars: BusinessCalendar[] = [];
  for (const [name, value] of entries.slice(0, calendarLimits.calendarsMax)) {
    const calendar = calendarOf(name, value, fault);
    if (calendar) calendars.push(calendar);
  }
  return { calendars: faults.length === 0 ? calendars : [], faults };
}

type Fault = (pointer: string, detail: string) => void;

function calendarOf(name: string, value: unknown, fault: Fault): BusinessCalendar | null {
  const at = namePattern.test(name) ? name : quoted(name);
  if (at !== name) fault(at, "must be named by a small letter, then at most 39 small letters, digits and underscores");
  if (builtInCalendarNames.some((builtIn) => builtIn === name)) fault(at, "is built in and cannot be replaced");
  if (!isRecord(value)) {
    fault(at, "must be a table with holidays");
    return null;
  }
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) fault(`${at}/${quoted(key)}`, `is unknown; known: ${keys.join(", ")}`);
  }
  const weekend = weekendOf(value.weekend, at, fault);
  const holidays = holidaysOf(value.holidays, at, fault);
  const [first, last] = (["first", "last"] as const).map((key) => {
    const text = value[key];
    if (text === undefined) return undefined;
    const day = dayOf(text);
    if (day === null) fault(`${at}/${key}`, dayRule);
    return day;
  });
  if (weekend === null || holidays === null || first === null || last === null) return null;
  const years = holidays.map(({ year }) => year);
  if (years.length === 0 && (first === undefined || last === undefined)) {
    fault(at, "must say its first and last day, because no holiday tells its years");
    return null;
  }
  const firstDay =
    first?.day ??
    daysFromCivil(
      years.reduce((one, other) => Math.min(one, other)),
      1,
      1,
    );
  const lastDay =
    last?.day ??
    daysFromCivil(
      years.reduce((one, other) => Math.max(one, other)),
      12,
      31,
    );
  if (firstDay > lastDay) {
    fault(`${at}/last`, "must not lie before the first day");
    return null;
  }
  for (const [index, { day }] of holidays.entries()) {
    if (day < firstDay || day > lastDay) fault(`${at}/holidays/${index}`, "lies outside the calendar's first and last");
  }
  return businessCalendar({ name, firstDay, lastDay, weekend, closedDays: () => holidays.map(({ day }) => day) });
}

function weekendOf(value: unknown, at: string, fault: Fault): number[] | null {
  if (value === undefined) return [0, 6];
  const indexes = Array.isArray(value) ? value.map((name) => weekdayNames.indexOf(name)) : null;
  if (indexes && !indexes.includes(-1) && new Set(indexes).size === indexes.length && indexes.length < 7)
    return indexes;
  fault(`${at}/weekend`, `must list weekdays, each once and not all: ${weekdayNames.join(", ")}`);
  return null;
}

interface Day {
  readonly day: number;
  readonly year: number;
}

const dayRule = "must be a day such as 2026-12-25";

function holidaysOf(value: unknown, at: string, fault: Fault): Day[] | null {
  if (!Array.isArray(value)) {
    fault(`${at}/holidays`, `must list days; ${dayRule.replace("must be", "each is")}`);
    return null;
  }
  if (value.length > calendarLimits.holidaysMax) {
    fault(`${at}/holidays`, `must have at most ${calendarLimits.holidaysMax} days`);
    return null;
  }
  const days = value.map((text, index) => {
    const day = dayOf(text);
    if (day === null) fault(`${at}/holidays/${index}`, dayRule);
    return day;
  });
  return days.includes(null) ? null : (days as Day[]);
}

function dayOf(value: unknown): Day | null {
  const date = typeof value === "string" ? parseCivilDate(value) : null;
  return date && { day: daysFromCivil(date.year, date.month, date.day), year: date.year };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
