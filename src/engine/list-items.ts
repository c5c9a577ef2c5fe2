// Lists as people and files write them, and as the kernel reads them. Separate from lists.ts, which lays numbers out for the kernel,
// because bodies, tables and flags all come through here: one text in one cell, JSON's arrays, and one order of the numbers. It
// decides about shapes and never about a value: a dividend below zero is its row's status.
//
// As text a list is its items with semicolons between: moments as years or RFC 3339 texts ("0.25;0.5"), amounts behind their moment
// and a colon ("0.25:1.2;2026-12-18T16:00:00-05:00:1.2"); or the JSON array. An empty text is an empty list.

import type { ListDefinition, WrittenItem } from "./catalog";

/** Why an item is none. */
export interface ItemFault {
  /** Of the list, or null where the whole list is at fault. */
  readonly index: number | null;
  /** The item's member, where one is at fault. */
  readonly member?: string;
  readonly code: string;
  readonly detail: string;
}

/** Tells years from a moment's text, or what is wrong with it. */
export type YearsOf = (text: string) => number | { readonly code: string; readonly detail: string };

type Items = ListDefinition["items"];

/** What a text has to look like, for whoever gets it wrong. */
export function listForm(items: Items): string {
  return items === "moments"
    ? "years or moments with semicolons between, such as 0.25;0.5"
    : "time:amount with semicolons between, such as 0.25:1.2;0.5:1.2";
}

/** Reads a text as a list; a fault where it is none, or longer than the definition allows. */
export function readList(text: string, { items, lengthMax }: ListDefinition): readonly WrittenItem[] | ItemFault {
  const trimmed = text.trim();
  const fault: ItemFault = { index: null, code: "WRONG_FORM", detail: `must be ${listForm(items)}` };
  const found = trimmed.startsWith("[") ? parsedJson(trimmed) : trimmed === "" ? [] : trimmed.split(";");
  if (found === null) return fault;
  if (found.length > lengthMax) return tooLong(lengthMax);
  const read: WrittenItem[] = [];
  for (const [index, each] of found.entries()) {
    const item = trimmed.startsWith("[") ? checkedItem(each, items) : itemOfText(String(each).trim(), items);
    if (item === null) return { ...fault, index };
    read.push(item);
  }
  return read;
}

export function tooLong(lengthMax: number): ItemFault {
  return { index: null, code: "TOO_MANY", detail: `must have at most ${lengthMax} items` };
}

function parsedJson(text: string): readonly unknown[] | null {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** What JSON holds as an item, or null where it is none. */
function checkedItem(value: unknown, items: Items): WrittenItem | null {
  if (items === "moments") return typeof value === "number" || typeof value === "string" ? value : null;
  if (typeof value !== "object" || value === null) return null;
  const { time, date, amount, ...further } = value as Record<string, unknown>;
  if (typeof amount !== "number" || Object.keys(further).length > 0) return null;
  if (time !== undefined && typeof time !== "number") return null;
  if (date !== undefined && typeof date !== "string") return null;
  return { ...(time !== undefined && { time }), ...(date !== undefined && { date }), amount };
}

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function itemOfText(text: string, items: Items): WrittenItem | null {
  if (items === "moments") return decimal.test(text) ? Number(text) : isMoment(text) ? text : null;
  // The last colon: a moment has some of its own.
  const colon = text.lastIndexOf(":");
  const [when, what] = [text.slice(0, Math.max(colon, 0)).trim(), text.slice(colon + 1).trim()];
  if (!decimal.test(what)) return null;
  if (decimal.test(when)) return { time: Number(when), amount: Number(what) };
  return isMoment(when) ? { date: when, amount: Number(what) } : null;
}

/** Whether a text is meant for a moment; what is wrong with it is told by whoever reads it. */
function isMoment(text: string): boolean {
  return /^\d{4}-/.test(text);
}

/** The items as the kernel's numbers, soonest first; or what is wrong with them, up to `faultsMax`. */
export function numbersOfItems(
  written: readonly WrittenItem[],
  items: Items,
  yearsOf: YearsOf,
  faultsMax: number,
): number[] | ItemFault[] {
  const faults: ItemFault[] = [];
  const pairs: [number, number][] = [];
  for (let index = 0; index < written.length && faults.length < faultsMax; index++) {
    const item = written[index]!;
    const { time, date, amount } = typeof item === "object" ? item : { ...momentOf(item), amount: 0 };
    const member = typeof item === "object" ? { member: "date" } : {};
    if (time !== undefined && date !== undefined) {
      faults.push({
        index,
        ...member,
        code: "TIME_AMBIGUOUS",
        detail: "cannot stand beside time: give one of the two",
      });
    } else if (time === undefined && date === undefined) {
      faults.push({ index, member: "time", code: "REQUIRED", detail: "is required, or date in its place" });
    } else if (time !== undefined) pairs.push([time, amount]);
    else {
      const years = yearsOf(date!);
      if (typeof years === "number") pairs.push([years, amount]);
      else faults.push({ index, ...member, ...years });
    }
  }
  if (faults.length > 0) return faults;
  // What is no number has no order; its row is refused whatever order it has.
  if (pairs.every(([time]) => !Number.isNaN(time))) pairs.sort(([one], [other]) => one - other);
  return items === "moments" ? pairs.map(([time]) => time) : pairs.flat();
}

function momentOf(item: number | string): { time?: number; date?: string } {
  return typeof item === "number" ? { time: item } : { date: item };
}

/** True where `numbersOfItems` gave numbers. */
export function areNumbers(found: number[] | ItemFault[]): found is number[] {
  return typeof found[0] !== "object";
}

/** The items as one text, as `readList` reads it. */
export function listText(written: readonly WrittenItem[]): string {
  return written
    .map((item) => (typeof item === "object" ? `${item.time ?? item.date}:${item.amount}` : String(item)))
    .join(";");
}
