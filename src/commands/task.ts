// What `price` and `iv` have in common before anything is read: the numbers a model takes as flags, the three ways of saying
// how long an option has to live, and what distinguishes one command from the other. The two ways of giving options are
// single.ts and book.ts.

import { type Command, Option } from "commander";
import { type TableColumn, type TableFormat, type TableSchema, tableFormats } from "../adapters/tabular/table";
import { type Counting, dayCounts, defaultDayCount, type Moment } from "../domain/day-count";
import { builtInCalendarNames } from "../domain/exchange-calendars";
import {
  type InputName,
  type ListName,
  type ModelDefinition,
  type ModelName,
  statusName,
  type Units,
} from "../engine/catalog";
import type { Column, Engine } from "../engine/engine";
import type { Lists } from "../engine/lists";
import type { EpochMicroseconds } from "../foundation/clock";
import { formatOption, momentArgument, numberArgument, type PrintFormat, placedMomentArgument } from "./arguments";
import { type CountingFlags, yearsOfFlags } from "./counting";
import { UsageError } from "./io";
import { addListOptions } from "./listed";
import { mapArgument, type NamePair } from "./naming";

/** A number the engine is given by name: a model's input, or the price of which the volatility is sought. */
export type BookInput = InputName | "price";

/** What distinguishes one command from the other. */
export interface BookTask {
  readonly label: string;
  /** Models the command offers. */
  readonly models: readonly ModelDefinition[];
  /** Numbers needed for that model beside the time; those with a default may be left out. */
  readonly inputs: (model: ModelDefinition) => readonly BookInputDefinition[];
  /** Columns in the order they are printed. */
  readonly compute: (
    engine: Engine,
    slice: BookSlice,
  ) => Promise<{ columns: readonly TableColumn[]; status: Int32Array }>;
  /** The single answer as JSON, in the API's shape. */
  readonly answer: (
    outputs: Readonly<Record<string, number | null>>,
    asked: { readonly units: Units },
  ) => Record<string, unknown>;
}

export interface BookInputDefinition {
  readonly name: BookInput;
  readonly title: string;
  readonly unit: string;
  /** The words it may be; then a value is a word's place in this list. */
  readonly words?: readonly string[] | undefined;
  readonly default?: number | undefined;
}

/** Rows handed to the engine at once. */
export interface BookSlice {
  readonly model: ModelName;
  readonly count: number;
  readonly isCall: Uint8Array;
  readonly inputs: Partial<Record<BookInput, Column>>;
  readonly lists: Partial<Record<ListName, Lists>>;
  readonly units: Units;
}

/** The flags of both commands; numbers under their wire names in camel case. */
export interface BookFlags extends CountingFlags {
  readonly model: ModelName;
  readonly type?: "call" | "put";
  readonly time?: number;
  readonly days?: number;
  readonly expiry?: Moment;
  readonly valuationTime?: EpochMicroseconds;
  readonly units?: Units;
  readonly format?: PrintFormat;
  readonly inputFormat?: TableFormat;
  /** The file's names for our columns. */
  readonly map?: readonly NamePair[];
  readonly json?: true;
  readonly output?: string;
  readonly [input: string]: unknown;
}

/** A model's numbers beside the time, which has flags of its own. */
export function modelInputs(model: ModelDefinition): readonly BookInputDefinition[] {
  return model.inputs.filter(({ name }) => name !== "time_to_expiry");
}

/** Columns of a book that are carried through untouched. */
export const carriedColumns = ["id", "symbol"] as const;

/** The columns a book may have where it is of one of these models. */
export function bookSchema(task: BookTask, models: readonly ModelDefinition[]): TableSchema {
  const names = (kind: "number" | "text", columns: readonly string[]) => columns.map((name) => [name, kind] as const);
  return Object.fromEntries([
    ...names("text", [...carriedColumns, "option_type"]),
    ...models.flatMap((model) =>
      task.inputs(model).map(({ name, words }) => [name, words ? ("text" as const) : ("number" as const)] as const),
    ),
    ...models.flatMap(({ lists = [] }) => lists.map(({ name }) => [name, "text" as const] as const)),
    ...names("number", ["time_to_expiry"]),
    ...names("text", ["expiry", "valuation_time"]),
  ]);
}

/** A flag that stands for an input of one model or of several, with what each of them means by it where that differs. */
function addInputOption(command: Command, task: BookTask, name: BookInput): void {
  const having = task.models.flatMap((model) => {
    const input = task.inputs(model).find((each) => each.name === name);
    if (input === undefined) return [];
    const byDefault = input.default === undefined ? "" : `default ${input.words?.[input.default] ?? input.default}`;
    const remarks = [input.words ? "" : input.unit, byDefault].filter((remark) => remark !== "");
    return [
      { model: model.name, input, text: `${input.title}${remarks.length === 0 ? "" : ` (${remarks.join(", ")})`}` },
    ];
  });
  const texts = [...new Set(having.map(({ text }) => text))];
  const usual = texts[0]!;
  const others = texts.slice(1).map((text) => {
    const models = having.filter((each) => each.text === text).map(({ model }) => model);
    return `; ${models.join(", ")}: ${text}`;
  });
  const words = [...new Set(having.flatMap(({ input }) => input.words ?? []))];
  if (words.length > 0) {
    command.addOption(new Option(`--${flagOf(name)} <word>`, usual + others.join("")).choices(words));
  } else command.option(`--${flagOf(name)} <number>`, usual + others.join(""), numberArgument);
}

/** Adds what both commands take: a flag for every input of any of their models, the time, and the forms of output. */
export function addBookOptions(command: Command, task: BookTask): Command {
  command
    .argument(
      "[book]",
      `file of options, a row each: csv, json, ndjson or arrow; - is standard input; columns: ${Object.keys(bookSchema(task, task.models)).join(", ")}; a flag stands for a column that is left out`,
    )
    .addOption(
      new Option("--model <model>", "how to price")
        .choices(task.models.map((model) => model.name))
        .default(task.models[0]!.name),
    )
    .addOption(new Option("--type <type>", "call or put").choices(["call", "put"]));
  const named = new Set(task.models.flatMap((model) => task.inputs(model).map(({ name }) => name)));
  for (const name of named) addInputOption(command, task, name);
  return addListOptions(command, task.models)
    .option("--time <years>", "time to expiry in years", numberArgument)
    .option("--days <days>", "time to expiry in days of a 365-day year", numberArgument)
    .option("--expiry <moment>", "moment of expiry, such as 2026-12-18T16:00:00-05:00", placedMomentArgument)
    .option("--valuation-time <moment>", "moment to value at, with an expiry; else now", momentArgument)
    .addOption(
      new Option("--day-count <convention>", `how an expiry becomes years, else ${defaultDayCount}`).choices(dayCounts),
    )
    .option(
      "--calendar <name>",
      `whose days business/252 counts: ${builtInCalendarNames.join(", ")} or one of your own`,
    )
    .option("--calendars <file>", "file of your own calendars, TOML or JSON; else the setting calendars")
    .addOption(formatOption())
    .addOption(
      new Option("--input-format <format>", "form of the book where its ending doesn't tell (default csv)").choices(
        tableFormats,
      ),
    )
    .option(
      "--map <pairs>",
      "the book's own names for columns, such as K=strike,IV=volatility; note=- reads over a column",
      mapArgument,
    )
    .option("--json", "the same as --format json")
    .option("-o, --output <file>", "write there; the ending tells the format");
}

/**
 * Throws UsageError where the flags give the time to expiry more than once, or say how to count the time to an expiry that
 * neither they nor a column give: an answer that silently ignored them would be that of another option.
 */
export function checkTimeFlags({ time, days, expiry, ...flags }: BookFlags, hasExpiryColumn: boolean): void {
  const given = [time, days, expiry].filter((value) => value !== undefined);
  if (given.length > 1) throw new UsageError("give only one of --time, --days and --expiry");
  if (expiry !== undefined || hasExpiryColumn) {
    for (const [flag, value] of Object.entries({ "--calendar": flags.calendar, "--calendars": flags.calendars }))
      if (value !== undefined && flags.dayCount !== "business/252")
        throw new UsageError(`${flag} means something only with --day-count business/252`);
    return;
  }
  for (const [flag, value] of Object.entries({
    "--day-count": flags.dayCount,
    "--calendar": flags.calendar,
    "--calendars": flags.calendars,
    "--valuation-time": flags.valuationTime,
  }))
    if (value !== undefined) throw new UsageError(`${flag} means something only with an expiry`);
}

/** A wire name as a flag without its dashes. */
export function flagOf(name: string): string {
  return name.replaceAll("_", "-");
}

/** The key commander keeps a flag's value under. */
export function keyOf(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** What a flag gave for an input; a word's place where it is one. */
export function givenNumber(flags: BookFlags, { name, words }: BookInputDefinition): number | undefined {
  const given = flags[keyOf(name)] as number | string | undefined;
  return typeof given === "string" ? words?.indexOf(given) : given;
}

/** The flags' time to expiry in years; undefined where they give none. Throws UsageError as `yearsOfFlags` does. */
export function timeOf(flags: BookFlags, now: EpochMicroseconds, counting: Counting): number | undefined {
  if (flags.time !== undefined) return flags.time;
  if (flags.days !== undefined) return flags.days / 365;
  if (flags.expiry === undefined) return undefined;
  return yearsOfFlags(flags.valuationTime ?? now, flags.expiry, counting);
}

/** Status as its code, and for rows without a result the reason by name. */
export function statusColumns(status: Int32Array, unreadable: ReadonlySet<number>): TableColumn[] {
  const reasons = Array.from(status, (code, row) => {
    if (code < 10) return null;
    return unreadable.has(row) ? "unreadable_row" : statusName(code);
  });
  return [
    { name: "status", kind: "integer", values: status },
    { name: "reason", kind: "text", values: reasons },
  ];
}
