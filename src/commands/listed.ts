// Inputs that are lists, such as dividends, on the command line: a flag's text, or a text in a book's cell. Separate from task.ts, which knows
// numbers: a list's dates become years only once an expiry and a valuation are known.

import { type Command, InvalidArgumentError } from "commander";
import { outsideCalendar } from "../domain/business-calendar";
import { type Counting, parseMoment, timestampFaultDetail, yearsToExpiry } from "../domain/day-count";
import type { ListDefinition, ModelDefinition, WrittenItem } from "../engine/catalog";
import { areNumbers, type ItemFault, listForm, numbersOfItems, readList, type YearsOf } from "../engine/list-items";
import type { EpochMicroseconds } from "../foundation/clock";
import { quoted } from "../foundation/printable";
import { UsageError } from "./io";

/** Adds a flag for every list of any of the models. */
export function addListOptions(command: Command, models: readonly ModelDefinition[]): Command {
  const definitions = new Map(models.flatMap(({ lists = [] }) => lists.map((list) => [list.name, list] as const)));
  for (const definition of definitions.values()) {
    const { name, title, items, isRequired } = definition;
    const inWords = `${title}: ${listForm(items)}${isRequired ? "" : " (default none)"}`;
    command.option(`--${name.replaceAll("_", "-")} <list>`, inWords, (text: string) => listArgument(text, definition));
  }
  return command;
}

function listArgument(text: string, definition: ListDefinition): readonly WrittenItem[] {
  const read = readList(text, definition);
  if (!("code" in read)) return read;
  throw new InvalidArgumentError(`${quoted(text)} ${read.detail}.`);
}

/** A text of a book's cell as a list's numbers, or what is wrong with it. */
export function numbersOfCell(text: string, definition: ListDefinition, yearsOf: YearsOf): number[] | string {
  const read = readList(text, definition);
  if ("code" in read) return `${quoted(text)} ${read.detail}`;
  const found = numbersOfItems(read, definition.items, yearsOf, 1);
  return areNumbers(found) ? found : inWords(found[0]!);
}

/** The flag's list as numbers. Throws UsageError where a moment in it cannot be counted. */
export function numbersOfFlag(written: readonly WrittenItem[], definition: ListDefinition, yearsOf: YearsOf): number[] {
  const found = numbersOfItems(written, definition.items, yearsOf, 1);
  if (areNumbers(found)) return found;
  throw new UsageError(`--${definition.name.replaceAll("_", "-")}: ${inWords(found[0]!)}`);
}

/** Years to a moment in a list, from the valuation; a fault where there is no expiry whose counting could be followed. */
export function momentsBy(valuation: EpochMicroseconds | null, counting: Counting): YearsOf {
  return (text) => {
    if (valuation === null)
      return { code: "TIME_AMBIGUOUS", detail: "means something only with an expiry; give years" };
    const moment = parseMoment(text);
    if (typeof moment === "string") return { code: "TIMESTAMP_INVALID", detail: timestampFaultDetail[moment] };
    const years = yearsToExpiry(valuation, moment, counting);
    if (typeof years === "number") return years;
    return { code: "DATE_OUTSIDE_CALENDAR", detail: outsideCalendar(years.calendar) };
  };
}

function inWords({ index, member, detail }: ItemFault): string {
  return `item ${(index ?? 0) + 1}${member === undefined ? "" : `, ${member}`} ${detail}`;
}
