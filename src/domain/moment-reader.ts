// Texts of moments to moments, and moments to years, each once while it is among the last ones asked: a batch names few moments in many
// rows. Separate from day-count.ts, which is arithmetic and remembers nothing. Of a text that is no moment it tells what is wrong.

import type { EpochMicroseconds } from "../foundation/clock";
import type { Calendars } from "./business-calendar";
import {
  type Counting,
  type DayCount,
  defaultDayCount,
  type Moment,
  type OutsideCalendar,
  parseMoment,
  type TimestampFault,
  yearsToExpiry,
} from "./day-count";
import { defaultCalendarName } from "./exchange-calendars";

/** Texts, and answers to them, kept by a reader: a column has few expiries, in whatever order. */
const rememberedMax = 1024;

/** Reads moments, each text once while it is among the last ones: a column repeats a few. */
export class MomentReader {
  readonly #known = new Map<string, Moment | TimestampFault>();
  #text: string | null = null;
  #outcome: Moment | TimestampFault = "not_rfc3339";

  read(text: string): Moment | TimestampFault {
    if (text === this.#text) return this.#outcome;
    this.#text = text;
    const known = this.#known.get(text);
    if (known !== undefined) {
      this.#outcome = known;
    } else {
      if (this.#known.size >= rememberedMax) this.#known.clear();
      this.#outcome = parseMoment(text);
      this.#known.set(text, this.#outcome);
    }
    return this.#outcome;
  }
}

/** Counts years, each expiry once while valuation and convention stay the same: a batch has few expiries. */
export class YearCounter {
  readonly #calendars: Calendars;
  readonly #known = new Map<Moment, number | OutsideCalendar>();
  #counting: Counting = { dayCount: defaultDayCount };
  #valuation: EpochMicroseconds | null = null;
  #dayCount: DayCount | undefined;
  #calendar: string | undefined;
  #expiry: Moment | null = null;
  #outcome: number | OutsideCalendar = Number.NaN;

  constructor(calendars: Calendars) {
    this.#calendars = calendars;
  }

  count(
    valuation: EpochMicroseconds,
    expiry: Moment,
    dayCount: DayCount | undefined,
    calendar: string | undefined,
  ): number | OutsideCalendar {
    if (valuation !== this.#valuation || dayCount !== this.#dayCount || calendar !== this.#calendar) {
      this.#valuation = valuation;
      this.#dayCount = dayCount;
      this.#calendar = calendar;
      this.#counting = this.#countingOf(dayCount ?? defaultDayCount, calendar);
      this.#known.clear();
    } else if (expiry === this.#expiry) {
      return this.#outcome;
    }
    this.#expiry = expiry;
    const known = this.#known.get(expiry);
    if (known !== undefined) {
      this.#outcome = known;
    } else {
      if (this.#known.size >= rememberedMax) this.#known.clear();
      this.#outcome = yearsToExpiry(valuation, expiry, this.#counting);
      this.#known.set(expiry, this.#outcome);
    }
    return this.#outcome;
  }

  #countingOf(dayCount: DayCount, calendar = defaultCalendarName): Counting {
    // That a calendar is known has been checked with the body's other fields.
    return dayCount === "business/252" ? { dayCount, calendar: this.#calendars.get(calendar)! } : { dayCount };
  }
}
