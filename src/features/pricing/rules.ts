// From a body on the wire to columns for the engine: which fields a model takes, how long columns are, which time
// fields go together, how two moments become years. Both questions (a price, a volatility) and both forms of batch
// come through here and leave as one shape, a Sheet. Pure: the moment "now" comes in. Numbers go from the body's
// arrays straight into columns; no object is made for a row. It decides about shapes and never about a value: a
// negative spot or an infinite rate is that row's status, and the engine's to say.

import type { WireTable, WordColumn } from "../../adapters/tabular/wire-table";
import { type Calendars, outsideCalendar } from "../../domain/business-calendar";
import { type DayCount, type Moment, type TimestampFault, timestampFaultDetail } from "../../domain/day-count";
import { MomentReader, YearCounter } from "../../domain/moment-reader";
import type {
  InputName,
  ListDefinition,
  ListName,
  ModelDefinition,
  ModelName,
  OutputName,
  WrittenItem,
} from "../../engine/catalog";
import type { Column } from "../../engine/engine";
import { readList } from "../../engine/list-items";
import { addItemFault, type MomentSource, readLists, type WrittenList } from "../../engine/list-reader";
import type { Lists } from "../../engine/lists";
import { placed, type Written } from "../../engine/words";
import { type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import { newColumn } from "../../foundation/column";
import { BsoptError } from "../../foundation/errors";
import { Faults } from "../../foundation/faults";

/** What is asked of a model: a price from a volatility, or a volatility from a price. */
export type Question = "price" | "implied_volatility";

/** A number a body names itself. Time is apart; `price` stands in for volatility where that is asked. */
export type FieldName = Exclude<InputName, "time_to_expiry"> | "price";

export interface Fields {
  /** All that the model takes for this question, in the catalog's order. */
  readonly taken: readonly FieldName[];
  /** The lists it takes beside them. */
  readonly lists: readonly ListDefinition[];
  readonly required: readonly (FieldName | ListName)[];
  /** What other models take and this one does not know. */
  readonly foreign: readonly (FieldName | ListName)[];
  /** The words of those taken that are words: a column holds their places. */
  readonly words: Readonly<Partial<Record<FieldName, readonly string[]>>>;
  /** All that may be columns but the lists. */
  readonly columns: readonly string[];
}

/** The number fields of a model for a question, seen among all models of a catalog. */
export function fieldsOf(model: ModelDefinition, question: Question, catalog: readonly ModelDefinition[]): Fields {
  const named = (inputs: ModelDefinition["inputs"]): FieldName[] =>
    inputs.flatMap(({ name }) =>
      name === "time_to_expiry" || (name === "volatility" && question === "implied_volatility") ? [] : [name],
    );
  const extra: FieldName[] = question === "implied_volatility" ? ["price"] : [];
  const taken = [...named(model.inputs), ...extra];
  const { lists = [] } = model;
  const known: readonly string[] = [...taken, ...lists.map(({ name }) => name)];
  const all = catalog.flatMap((other) => [...named(other.inputs), ...(other.lists ?? []).map(({ name }) => name)]);
  return {
    taken,
    lists,
    required: [
      ...named(model.inputs.filter((input) => input.default === undefined)),
      ...lists.flatMap(({ name, isRequired }) => (isRequired ? [name] : [])),
      ...extra,
    ],
    foreign: [...new Set(all)].filter((name) => !known.includes(name)),
    words: Object.fromEntries(model.inputs.flatMap(({ name, words }) => (words ? [[name, words]] : []))),
    columns: ["option_type", ...taken, ...timeColumnNames],
  };
}

/** Adds a fault for each field the model misses or does not know. `at` is the pointer of the object. */
export function checkFields(
  body: Readonly<Record<string, unknown>>,
  model: ModelName,
  fields: Fields,
  at: string,
  faults: Faults,
): void {
  for (const name of fields.required) {
    if (body[name] === undefined) faults.add(`${at}/${name}`, "REQUIRED", `is required by ${model}`);
  }
  for (const name of fields.foreign) {
    if (body[name] !== undefined) faults.add(`${at}/${name}`, "UNKNOWN_FIELD", `is not an input of ${model}`);
  }
}

/**
 * The number of rows of a body by columns: the length its arrays share, or 1 where there is none.
 * Adds a fault for each array of another length than the first.
 */
export function rowCountOf(
  body: Readonly<Record<string, unknown>>,
  columnNames: readonly string[],
  faults: Faults,
): number {
  let first: { name: string; length: number } | null = null;
  for (const name of columnNames) {
    const column = body[name];
    if (!isColumn(column)) continue;
    first ??= { name, length: column.length };
    if (column.length !== first.length) {
      const detail = `has ${rowsInWords(column.length)} where /${first.name} has ${first.length}`;
      faults.add(`/${name}`, "LENGTH_MISMATCH", detail);
    }
  }
  return first?.length ?? 1;
}

function isColumn(value: unknown): value is { readonly length: number } {
  return Array.isArray(value) || ArrayBuffer.isView(value);
}

function rowsInWords(count: number): string {
  return count === 1 ? "1 row" : `${count} rows`;
}

/** Throws `limit-breached` where a batch has more rows than are taken at once. */
export function requireRowCount(count: number, countMax: number): void {
  if (count <= countMax) return;
  throw new BsoptError({
    reason: "limit-breached",
    code: "BATCH_TOO_LARGE",
    detail: `A batch has ${countMax} options at most; this one has ${count}.`,
  });
}

/** What says when an option expires, in one request or one row. */
export interface TimeFields {
  readonly time_to_expiry?: number;
  readonly expiry?: string;
  readonly valuation_time?: string;
  readonly day_count?: DayCount;
  readonly calendar?: string;
}

/** Names of the time fields that may be columns. */
export const timeColumnNames = ["time_to_expiry", "expiry", "valuation_time"] as const;

/**
 * Adds a fault unless exactly one of time_to_expiry and expiry is there, and beside either only what means something
 * with it: nothing beside the first, and a known calendar only where business days are counted.
 */
export function checkTimeFields(
  body: Readonly<Record<string, unknown>>,
  at: string,
  calendars: Calendars,
  faults: Faults,
): void {
  const hasExpiry = body.expiry !== undefined;
  if (hasExpiry && body.time_to_expiry !== undefined) {
    faults.add(`${at}/expiry`, "TIME_AMBIGUOUS", "cannot stand beside time_to_expiry: give one of the two");
  }
  if (hasExpiry) {
    checkCalendar(body, at, calendars, faults);
    return;
  }
  if (body.time_to_expiry === undefined) {
    faults.add(`${at}/time_to_expiry`, "REQUIRED", "is required, or expiry in its place");
  }
  for (const name of ["valuation_time", "day_count", "calendar"]) {
    if (body[name] !== undefined) {
      faults.add(`${at}/${name}`, "TIME_AMBIGUOUS", "means something only with expiry");
    }
  }
}

function checkCalendar(
  { calendar, day_count: dayCount }: Readonly<Record<string, unknown>>,
  at: string,
  calendars: Calendars,
  faults: Faults,
): void {
  if (calendar === undefined) return;
  if (dayCount !== "business/252") {
    faults.add(`${at}/calendar`, "TIME_AMBIGUOUS", "means something only with the day_count business/252");
  } else if (!calendars.has(calendar as string)) {
    const known = [...calendars.keys()].sort().join(", ");
    faults.add(`${at}/calendar`, "CALENDAR_UNKNOWN", `is no calendar known here; known: ${known}`);
  }
}

/** Whether two lists of outputs ask for the same, in whatever order. */
export function sameOutputs(one: readonly OutputName[], other: readonly OutputName[]): boolean {
  return one === other || (one.length === other.length && one.every((name) => other.includes(name)));
}

/** A body, or a row of one, seen by name; its schema has been checked. */
export type Body = Readonly<Record<string, unknown>> & { readonly model: ModelName };

/** Rows of one model, as columns. */
export interface Group {
  readonly model: ModelDefinition;
  readonly count: number;
  /** Where each row stands in the request; null: the group is all of it, in order. */
  readonly positions: Int32Array | null;
  readonly isCall: boolean | Uint8Array;
  readonly fields: Readonly<Partial<Record<FieldName, Column>>>;
  readonly lists: Readonly<Partial<Record<ListName, Lists>>>;
  readonly years: Column;
}

/** A whole request as columns. */
export interface Sheet {
  readonly count: number;
  readonly groups: readonly Group[];
  /** One name where all rows share it, else one a row. */
  readonly model: ModelName | ModelName[];
  /** Time to expiry in years: a number where it is the same for all rows. */
  readonly years: Column;
  /** The moment valued at, where an expiry was given: one, or one a row where they differ (null: years were given). */
  readonly valuationTime: string | (string | null)[] | null;
}

/** The models that answer a question, by name, each with the fields it takes for it. */
export type KnownModels = ReadonlyMap<ModelName, { readonly model: ModelDefinition; readonly fields: Fields }>;

/** What a catalog knows about a question; made once, used for every request. */
export function knownModels(question: Question, catalog: readonly ModelDefinition[]): KnownModels {
  return new Map(catalog.map((model) => [model.name, { model, fields: fieldsOf(model, question, catalog) }]));
}

export interface SheetOptions {
  readonly known: KnownModels;
  readonly calendars: Calendars;
  readonly now: EpochMicroseconds;
  readonly rowCountMax: number;
}

/** A body by columns, or a single request, which is one of a single row. Throws `invalid`, `limit-breached`. */
export function sheetOfColumns(body: Body, options: SheetOptions, faults = new Faults()): Sheet {
  const { model, fields } = options.known.get(body.model)!;
  checkFields(body, body.model, fields, "", faults);
  checkTimeFields(body, "", options.calendars, faults);
  const listColumns = fields.lists.flatMap(({ name }) => (isListColumn(body[name]) ? [name] : []));
  const count = rowCountOf(body, [...fields.columns, ...listColumns], faults);
  faults.throwIfAny();
  requireRowCount(count, options.rowCountMax);
  const { years, valuationTime } = timesOfColumns(body, count, options, faults);
  faults.throwIfAny();
  const lists = listsOfColumns(body, count, fields.lists, options, faults);
  faults.throwIfAny();
  const columns: Partial<Record<FieldName, Column>> = {};
  for (const name of fields.taken) {
    const value = body[name] as Written | Written[] | Float64Array | undefined;
    if (value !== undefined) columns[name] = columnOf(placed(value, fields.words[name]));
  }
  const isCall = isCallOf(body.option_type as string | string[] | Uint8Array);
  const group: Group = { model, count, positions: null, isCall, fields: columns, lists, years };
  return { count, groups: [group], model: body.model, years, valuationTime };
}

/** What stands in the address beside a table: words for all of its rows. */
export interface TableParameters {
  readonly model?: ModelName;
  readonly day_count?: DayCount;
  readonly calendar?: string;
}

const parameterNames: readonly string[] = ["model", "day_count", "calendar"];

/** A table, whose columns are known ones, with the parameters beside it. Throws `invalid`, `limit-breached`. */
export function sheetOfTable({ columns, count }: WireTable, parameters: TableParameters, options: SheetOptions): Sheet {
  const faults = new Faults((pointer) => (parameterNames.includes(pointer.slice(1)) ? `/query${pointer}` : pointer));
  const { model, day_count: dayCount, calendar } = parameters;
  if (model === undefined) faults.add("/model", "REQUIRED", "is required beside a table");
  const body: Record<string, unknown> = { model, day_count: dayCount, calendar };
  const fieldsOfModel = model && options.known.get(model)?.fields;
  const wordsOf = (name: string) => fieldsOfModel?.words[name as FieldName];
  for (const [name, column] of columns) {
    const list = fieldsOfModel?.lists.find((each) => each.name === name);
    if (column.kind === "number") body[name] = column.values;
    else if (list !== undefined) body[name] = listsOfWords(list, column, faults);
    else if (name === "option_type") body[name] = placesOfWords(name, column, ["put", "call"], faults);
    else if (wordsOf(name) !== undefined) {
      body[name] = Float64Array.from(placesOfWords(name, column, wordsOf(name)!, faults));
    } else body[name] = textsOf(name, column, count, faults);
  }
  if (body.option_type === undefined) faults.add("/option_type", "REQUIRED", "is required");
  faults.throwIfAny();
  return sheetOfColumns(body as Body, options, faults);
}

/** Each row's place among the words that are allowed. Adds a fault for each row that says none of them. */
function placesOfWords(
  name: string,
  { words, codes }: WordColumn,
  allowed: readonly string[],
  faults: Faults,
): Uint8Array {
  const meanings = words.map((word) => allowed.indexOf(word));
  const places = new Uint8Array(codes.length);
  for (let row = 0; row < codes.length && !faults.isFull; row++) {
    const meaning = codes[row]! < 0 ? -1 : meanings[codes[row]!]!;
    if (meaning < 0) faults.add(`/${name}/${row}`, "NOT_ALLOWED", `must be one of ${quoted(allowed)}`);
    places[row] = meaning;
  }
  return places;
}

const emptyList: readonly WrittenItem[] = [];

/** Each row's list; rows that say the same have the same one. Adds a fault for each row whose text is none. */
function listsOfWords(
  definition: ListDefinition,
  { words, codes }: WordColumn,
  faults: Faults,
): (readonly WrittenItem[])[] {
  const lists = words.map((word) => readList(word, definition));
  return Array.from(codes, (code, row) => {
    const list = code < 0 ? emptyList : lists[code]!;
    if (!("code" in list)) return list;
    addItemFault(faults, `/${definition.name}/${row}`, list);
    return emptyList;
  });
}

function quoted(words: readonly string[]): string {
  return words
    .map((word) => `"${word}"`)
    .toSorted()
    .join(", ");
}

/** One text where all rows share it. Adds a fault for each row that has none. */
function textsOf(name: string, { words, codes }: WordColumn, count: number, faults: Faults): string | string[] {
  const [only] = words;
  if (words.length === 1 && only !== undefined && !codes.includes(-1)) return only;
  const texts = new Array<string>(count);
  for (let row = 0; row < count && !faults.isFull; row++) {
    const code = codes[row]!;
    if (code < 0) faults.add(`/${name}/${row}`, "REQUIRED", "is missing");
    else texts[row] = words[code]!;
  }
  return texts;
}

/** A body by rows, which may mix models. Throws `invalid`, `limit-breached`. */
export function sheetOfRows(rows: readonly Body[], options: SheetOptions): Sheet {
  requireRowCount(rows.length, options.rowCountMax);
  const faults = new Faults();
  const { known } = options;
  for (let index = 0; index < rows.length && !faults.isFull; index++) {
    const row = rows[index]!;
    checkFields(row, row.model, known.get(row.model)!.fields, `/options/${index}`, faults);
    checkTimeFields(row, `/options/${index}`, options.calendars, faults);
  }
  faults.throwIfAny();
  const { years, valuationTime } = timesOfRows(rows, options, faults);
  faults.throwIfAny();
  const groups = positionsByModel(rows).map(([name, positions]): Group => {
    const count = positions?.length ?? rows.length;
    const { model, fields: taken } = known.get(name)!;
    const isCall = new Uint8Array(count);
    for (let index = 0; index < count; index++) {
      isCall[index] = rows[positions?.[index] ?? index]!.option_type === "call" ? 1 : 0;
    }
    const fields = columnsOfRows(rows, positions, count, model, taken);
    const lists = listsOfRows(rows, positions, count, taken.lists, options, faults);
    return { model, count, positions, isCall, fields, lists, years: positions ? pick(years, positions) : years };
  });
  faults.throwIfAny();
  const isMixed = groups.length !== 1;
  return {
    count: rows.length,
    groups,
    model: isMixed ? rows.map((row) => row.model) : groups[0]!.model.name,
    years,
    valuationTime,
  };
}

function columnOf(value: number | number[] | Float64Array): Column {
  if (typeof value === "number" || value instanceof Float64Array) return value;
  const column = newColumn(value.length);
  column.set(value);
  return column;
}

function isCallOf(optionType: string | string[] | Uint8Array): boolean | Uint8Array {
  if (optionType instanceof Uint8Array) return optionType;
  if (typeof optionType === "string") return optionType === "call";
  const isCall = new Uint8Array(optionType.length);
  for (let index = 0; index < isCall.length; index++) isCall[index] = optionType[index] === "call" ? 1 : 0;
  return isCall;
}

function pick(column: Float64Array, positions: Int32Array): Float64Array {
  const picked = new Float64Array(positions.length);
  for (let index = 0; index < positions.length; index++) picked[index] = column[positions[index]!]!;
  return picked;
}

/** One column a field that any row of the group gives; where a row leaves it out, the catalog's default stands. */
function columnsOfRows(
  rows: readonly Body[],
  positions: Int32Array | null,
  count: number,
  model: ModelDefinition,
  fields: Fields,
): Partial<Record<FieldName, Column>> {
  const columns: Partial<Record<FieldName, Column>> = {};
  for (const name of fields.taken) {
    const fallback = model.inputs.find((input) => input.name === name)?.default ?? Number.NaN;
    const column = new Float64Array(count);
    for (let index = 0; index < count; index++) {
      const value = rows[positions?.[index] ?? index]![name] as Written | undefined;
      column[index] = value === undefined ? fallback : (placed(value, fields.words[name]) as number);
    }
    columns[name] = column;
  }
  return columns;
}

/** The rows of each model, in order of first appearance; null positions where one model has them all. */
function positionsByModel(rows: readonly Body[]): [ModelName, Int32Array | null][] {
  const byModel = new Map<ModelName, number[]>();
  for (let index = 0; index < rows.length; index++) {
    const { model } = rows[index]!;
    const positions = byModel.get(model);
    if (positions) positions.push(index);
    else byModel.set(model, [index]);
  }
  return [...byModel].map(([model, positions]) => [model, byModel.size === 1 ? null : Int32Array.from(positions)]);
}

interface Times<Years extends Column> {
  readonly years: Years;
  readonly valuationTime: Sheet["valuationTime"];
}

function timesOfColumns(body: Body, count: number, options: SheetOptions, faults: Faults): Times<Column> {
  const { time_to_expiry: given, expiry, valuation_time: valuation } = body as TimeColumns;
  if (expiry === undefined) return { years: columnOf(given!), valuationTime: null };
  const isColumn = Array.isArray(expiry) || Array.isArray(valuation);
  const times = resolveTimes(isColumn ? count : 1, options, faults, timeSourceOfColumns(body));
  return isColumn ? times : { years: times.years[0]!, valuationTime: times.valuationTime };
}

function timeSourceOfColumns(body: Body): TimeSource {
  const { expiry, valuation_time: valuation, day_count: dayCount, calendar } = body as TimeColumns;
  return {
    years: () => undefined,
    expiry: (index) => (Array.isArray(expiry) ? expiry[index] : expiry),
    valuation: (index) => (Array.isArray(valuation) ? valuation[index] : valuation),
    dayCount: () => dayCount,
    calendar: () => calendar,
    pointer: (index, name) => (Array.isArray(body[name]) ? `/${name}/${index}` : `/${name}`),
  };
}

function timesOfRows(rows: readonly Body[], options: SheetOptions, faults: Faults): Times<Float64Array> {
  return resolveTimes(rows.length, options, faults, timeSourceOfRows(rows));
}

function timeSourceOfRows(rows: readonly Body[]): TimeSource {
  const timeOf = (index: number) => rows[index] as TimeFields;
  return {
    years: (index) => timeOf(index).time_to_expiry,
    expiry: (index) => timeOf(index).expiry,
    valuation: (index) => timeOf(index).valuation_time,
    dayCount: (index) => timeOf(index).day_count,
    calendar: (index) => timeOf(index).calendar,
    pointer: (index, name) => `/options/${index}/${name}`,
  };
}

interface TimeColumns {
  readonly time_to_expiry?: number | number[];
  readonly expiry?: string | string[];
  readonly valuation_time?: string | string[];
  readonly day_count?: DayCount;
  readonly calendar?: string;
}

/** Where the time fields of a row stand, in whichever form of body. */
interface TimeSource extends MomentSource {
  years(index: number): number | undefined;
  pointer(index: number, name: "expiry" | "valuation_time"): string;
}

/** Years to expiry row by row. Adds a fault for each text that names no moment or no known day, up to the limit. */
function resolveTimes(
  count: number,
  { now, calendars }: SheetOptions,
  faults: Faults,
  source: TimeSource,
): Times<Float64Array> {
  const years = new Float64Array(count);
  const expiries = new MomentReader();
  const valuations = new MomentReader();
  const counter = new YearCounter(calendars);
  let firstValuation: EpochMicroseconds | null = null;
  let valuationsEach: (EpochMicroseconds | null)[] | null = null;
  for (let index = 0; index < count && !faults.isFull; index++) {
    const expiryText = source.expiry(index);
    if (expiryText === undefined) {
      years[index] = source.years(index)!;
      valuationsEach?.push(null);
      continue;
    }
    const valuationText = source.valuation(index);
    const expiry = expiries.read(expiryText);
    const valuation = valuationText === undefined ? now : momentOf(valuations.read(valuationText));
    if (typeof expiry === "string") {
      faults.add(source.pointer(index, "expiry"), "TIMESTAMP_INVALID", timestampFaultDetail[expiry]);
    } else if (typeof valuation === "string") {
      faults.add(source.pointer(index, "valuation_time"), "TIMESTAMP_INVALID", timestampFaultDetail[valuation]);
    } else {
      const outcome = counter.count(valuation, expiry, source.dayCount(index), source.calendar(index));
      if (typeof outcome === "number") years[index] = outcome;
      else faults.add(source.pointer(index, outcome.field), "DATE_OUTSIDE_CALENDAR", outsideCalendar(outcome.calendar));
      firstValuation ??= valuation;
      // Only where a second moment turns up does each row need its own; the rows before had the first or none.
      if (valuation !== firstValuation && valuationsEach === null) {
        const shared = firstValuation;
        valuationsEach = Array.from({ length: index }, (_, before) =>
          source.expiry(before) === undefined ? null : shared,
        );
      }
      valuationsEach?.push(valuation);
    }
  }
  const text = (moment: EpochMicroseconds | null) => (moment === null ? null : formatTimestamp(moment));
  return { years, valuationTime: valuationsEach === null ? text(firstValuation) : valuationsEach.map(text) };
}

function momentOf(outcome: Moment | TimestampFault): EpochMicroseconds | TimestampFault {
  return typeof outcome === "string" ? outcome : outcome.microseconds;
}

/** A list a row; one list for all rows is an array of items, none of which is an array. */
function isListColumn(value: unknown): value is readonly WrittenList[] {
  return Array.isArray(value) && Array.isArray(value[0]);
}

function listsOfColumns(
  body: Body,
  count: number,
  definitions: readonly ListDefinition[],
  options: SheetOptions,
  faults: Faults,
): Group["lists"] {
  const lists: Partial<Record<ListName, Lists>> = {};
  for (const definition of definitions) {
    const { name } = definition;
    const value = body[name] as WrittenList | readonly WrittenList[] | undefined;
    if (value === undefined) continue;
    const isColumn = isListColumn(value);
    const list = isColumn ? (index: number) => value[index] : () => value as WrittenList;
    const source = { definition, times: timeSourceOfColumns(body), list, row: (index: number) => index };
    // One list means other years in rows that are valued at other moments.
    const isEach = isColumn || (Array.isArray(body.valuation_time) && (value as WrittenList).some(isDated));
    const pointer = (index: number) => (isColumn ? `/${name}/${index}` : `/${name}`);
    const read = readLists(isEach ? count : 1, { ...source, pointer }, options, faults);
    lists[name] = isEach ? read : { ...read, starts: (read.starts as Float64Array)[0]! };
  }
  return lists;
}

function isDated(item: WrittenItem): boolean {
  return typeof item === "object" ? item.date !== undefined : typeof item === "string";
}

function listsOfRows(
  rows: readonly Body[],
  positions: Int32Array | null,
  count: number,
  definitions: readonly ListDefinition[],
  options: SheetOptions,
  faults: Faults,
): Group["lists"] {
  const lists: Partial<Record<ListName, Lists>> = {};
  const row = (index: number) => positions?.[index] ?? index;
  for (const definition of definitions) {
    const { name } = definition;
    const list = (index: number) => rows[row(index)]![name] as WrittenList | undefined;
    const pointer = (index: number) => `/options/${row(index)}/${name}`;
    const source = { definition, times: timeSourceOfRows(rows), list, row, pointer };
    lists[name] = readLists(count, source, options, faults);
  }
  return lists;
}
