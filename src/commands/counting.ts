// How the flags say to count the time to an expiry: a day count and, for business days, whose. Separate from task.ts
// because a user's own calendars lie in a file that the flags, the environment or bsopt.toml names.

import { Command } from "commander";
import { type Calendars, outsideCalendar } from "../domain/business-calendar";
import { type Counting, type DayCount, defaultDayCount, type Moment, yearsToExpiry } from "../domain/day-count";
import { builtInCalendars, defaultCalendarName } from "../domain/exchange-calendars";
import type { EpochMicroseconds } from "../foundation/clock";
import { quoted } from "../foundation/printable";
import type { PricingCommandDependencies } from "./arguments";
import { readCalendars } from "./calendar-file";
import { UsageError } from "./io";
import { readSettings } from "./settings-options";

/** The flags that say how. */
export interface CountingFlags {
  readonly dayCount?: DayCount;
  /** Whose business days count. */
  readonly calendar?: string;
  /** File of further calendars. */
  readonly calendars?: string;
}

/** The convention asked for, with its calendar. Throws UsageError where flags contradict or no such calendar is known. */
export async function countingOf(
  dependencies: PricingCommandDependencies,
  { dayCount = defaultDayCount, calendar = defaultCalendarName, calendars: path }: CountingFlags,
): Promise<Counting> {
  if (dayCount !== "business/252") return { dayCount };
  const known = await knownCalendars(dependencies, calendar, path);
  const found = known.get(calendar);
  if (found) return { dayCount, calendar: found };
  throw new UsageError(
    `${quoted(calendar)} is no calendar known here; known: ${[...known.keys()].sort().join(", ")}`,
    "--calendars names a file with more",
  );
}

/** The settings are read only where a name is not built in: nothing else in them concerns pricing. */
async function knownCalendars(
  { io, environment }: PricingCommandDependencies,
  calendar: string,
  path: string | undefined,
): Promise<Calendars> {
  if (path !== undefined) return readCalendars(io, path);
  const builtIn = builtInCalendars();
  if (builtIn.has(calendar)) return builtIn;
  const { pricing } = await readSettings(new Command(), { io, environment });
  return readCalendars(io, pricing.calendarsFile);
}

/** Years to an expiry that a flag gave. Throws UsageError where the calendar does not know one of the days. */
export function yearsOfFlags(valuation: EpochMicroseconds, expiry: Moment, counting: Counting): number {
  const years = yearsToExpiry(valuation, expiry, counting);
  if (typeof years === "number") return years;
  throw new UsageError(
    `${years.field === "expiry" ? "--expiry" : "the valuation time"} ${outsideCalendar(years.calendar)}`,
  );
}
