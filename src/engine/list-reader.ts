// Reads the lists of a batch's rows into what the kernel takes: moments become years by each row's own valuation, and lists that rows share are
// read once. Separate from list-items.ts, which knows one list. Values are nobody's business here; shapes are told as faults.

import { type Calendars, outsideCalendar } from "../domain/business-calendar";
import { type DayCount, type Moment, timestampFaultDetail } from "../domain/day-count";
import { MomentReader, YearCounter } from "../domain/moment-reader";
import type { EpochMicroseconds } from "../foundation/clock";
import { newColumn } from "../foundation/column";
import { BsoptError } from "../foundation/errors";
import { type Faults, faultCountMax } from "../foundation/faults";
import type { ListDefinition, WrittenItem } from "./catalog";
import { areNumbers, type ItemFault, numbersOfItems, type YearsOf } from "./list-items";
import { type Lists, ListsBuilder, listNumbersMax } from "./lists";

/** A list as a body has it. */
export type WrittenList = readonly WrittenItem[];

/** What the moments of a row are counted by. */
export interface MomentSource {
  expiry(row: number): string | undefined;
  valuation(row: number): string | undefined;
  dayCount(row: number): DayCount | undefined;
  calendar(row: number): string | undefined;
}

/** Whose lists are read: where each stands, and what its moments are counted by. */
export interface ListSource {
  readonly definition: ListDefinition;
  readonly times: MomentSource;
  /** Undefined where it was left out. */
  list(index: number): WrittenList | undefined;
  /** The row, as `times` counts them. */
  row(index: number): number;
  pointer(index: number): string;
}

const emptyList: WrittenList = [];

/** A fault of a list, or of an item in it. */
export function addItemFault(faults: Faults, at: string, { index, member, code, detail }: ItemFault): void {
  faults.add([at, ...(index === null ? [] : [index]), ...(member ? [member] : [])].join("/"), code, detail);
}

/** The lists of some rows. Adds a fault for each item that is none, up to the limit. Throws `limit-breached` past the room for lists. */
export function readLists(
  count: number,
  source: ListSource,
  { calendars, now }: { readonly calendars: Calendars; readonly now: EpochMicroseconds },
  faults: Faults,
): Lists {
  const { definition, times } = source;
  const moments = new MomentReader();
  const counter = new YearCounter(calendars);
  const builder = new ListsBuilder();
  /** Where lists met before begin, while moments mean the same years. */
  const known = new Map<WrittenList, number>();
  let knownAt = "";
  const starts = newColumn(count);
  for (let index = 0; index < count && !faults.isFull; index++) {
    const list = source.list(index) ?? emptyList;
    const row = source.row(index);
    const valuationText = times.valuation(row);
    const [dayCount, calendar] = [times.dayCount(row), times.calendar(row)];
    const at = `${valuationText} ${dayCount} ${calendar} ${times.expiry(row) === undefined}`;
    if (at !== knownAt) known.clear();
    knownAt = at;
    const met = known.get(list);
    if (met !== undefined) {
      starts[index] = met;
      continue;
    }
    const yearsOf: YearsOf = (text) => {
      if (times.expiry(row) === undefined)
        return { code: "TIME_AMBIGUOUS", detail: "means something only with expiry; give years" };
      const moment = moments.read(text);
      if (typeof moment === "string") return { code: "TIMESTAMP_INVALID", detail: timestampFaultDetail[moment] };
      // That the valuation is a moment has been checked with the expiries.
      const valuation = valuationText === undefined ? now : (moments.read(valuationText) as Moment).microseconds;
      const outcome = counter.count(valuation, moment, dayCount, calendar);
      if (typeof outcome === "number") return outcome;
      return { code: "DATE_OUTSIDE_CALENDAR", detail: outsideCalendar(outcome.calendar) };
    };
    const found = numbersOfItems(list, definition.items, yearsOf, faultCountMax);
    if (!areNumbers(found)) {
      for (const fault of found) addItemFault(faults, source.pointer(index), fault);
      continue;
    }
    const start = builder.add(found);
    if (start === null) throw listsTooLarge();
    known.set(list, start);
    starts[index] = start;
  }
  return builder.finish(starts);
}

function listsTooLarge(): BsoptError {
  const detail = `The lists of a batch hold ${listNumbersMax} numbers at most; these hold more.`;
  return new BsoptError({ reason: "limit-breached", code: "BATCH_TOO_LARGE", detail });
}
