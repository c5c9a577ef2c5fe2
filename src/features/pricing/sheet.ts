// From a body on the wire to columns for the engine. Separate from the service because both questions (a price, a
// volatility) and both forms of batch come through here and leave as one shape. Pure: the moment "now" comes in.
// Numbers go from the body's arrays straight into the engine's columns; no object is made for a row. It checks
// shapes only, with rules.ts, and never a value.

import { type DayCount, timestampFaultDetail, yearFraction } from "../../domain/day-count";
import type { ModelDefinition, ModelName } from "../../engine/catalog";
import type { Column } from "../../engine/engine";
import { type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import {
  checkFields,
  checkTimeFields,
  Faults,
  type FieldName,
  type Fields,
  fieldsOf,
  MomentReader,
  type Question,
  requireRowCount,
  rowCountOf,
  type TimeFields,
  timeColumnNames,
} from "./rules";

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
  readonly now: EpochMicroseconds;
  readonly rowCountMax: number;
}

/** A body by columns, or a single request, which is one of a single row. Throws `invalid`, `limit-breached`. */
export function sheetOfColumns(body: Body, options: SheetOptions): Sheet {
  const faults = new Faults();
  const { model, fields } = options.known.get(body.model)!;
  checkFields(body, body.model, fields, "", faults);
  checkTimeFields(body, "", faults);
  const count = rowCountOf(body, ["option_type", ...fields.taken, ...timeColumnNames], faults);
  faults.throwIfAny();
  requireRowCount(count, options.rowCountMax);
  const { years, valuationTime } = timesOfColumns(body, count, options.now, faults);
  faults.throwIfAny();
  const columns: Partial<Record<FieldName, Column>> = {};
  for (const name of fields.taken) {
    const value = body[name] as number | number[] | undefined;
    if (value !== undefined) columns[name] = columnOf(value);
  }
  const isCall = isCallOf(body.option_type as string | string[]);
  const group: Group = { model, count, positions: null, isCall, fields: columns, years };
  return { count, groups: [group], model: body.model, years, valuationTime };
}

/** A body by rows, which may mix models. Throws `invalid`, `limit-breached`. */
export function sheetOfRows(rows: readonly Body[], options: SheetOptions): Sheet {
  requireRowCount(rows.length, options.rowCountMax);
  const faults = new Faults();
  const { known } = options;
  for (let index = 0; index < rows.length && !faults.isFull; index++) {
    const row = rows[index]!;
    checkFields(row, row.model, known.get(row.model)!.fields, `/options/${index}`, faults);
    checkTimeFields(row, `/options/${index}`, faults);
  }
  faults.throwIfAny();
  const { years, valuationTime } = timesOfRows(rows, options.now, faults);
  faults.throwIfAny();
  const groups = positionsByModel(rows).map(([name, positions]): Group => {
    const count = positions?.length ?? rows.length;
    const { model, fields: taken } = known.get(name)!;
    const isCall = new Uint8Array(count);
    for (let index = 0; index < count; index++) {
      isCall[index] = rows[positions?.[index] ?? index]!.option_type === "call" ? 1 : 0;
    }
    const fields = columnsOfRows(rows, positions, count, model, taken);
    return { model, count, positions, isCall, fields, years: positions ? pick(years, positions) : years };
  });
  const isMixed = groups.length !== 1;
  return {
    count: rows.length,
    groups,
    model: isMixed ? rows.map((row) => row.model) : groups[0]!.model.name,
    years,
    valuationTime,
  };
}

function columnOf(value: number | number[]): Column {
  return typeof value === "number" ? value : Float64Array.from(value);
}

function isCallOf(optionType: string | string[]): boolean | Uint8Array {
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
      column[index] = (rows[positions?.[index] ?? index]![name] as number | undefined) ?? fallback;
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

function timesOfColumns(body: Body, count: number, now: EpochMicroseconds, faults: Faults): Times<Column> {
  const { time_to_expiry: given, expiry, valuation_time: valuation, day_count: dayCount } = body as TimeColumns;
  if (expiry === undefined) return { years: columnOf(given!), valuationTime: null };
  const isColumn = Array.isArray(expiry) || Array.isArray(valuation);
  const times = resolveTimes(isColumn ? count : 1, now, faults, {
    years: () => undefined,
    expiry: (index) => (typeof expiry === "string" ? expiry : expiry[index]!),
    valuation: (index) => (Array.isArray(valuation) ? valuation[index] : valuation),
    dayCount: () => dayCount,
    pointer: (index, name) => (Array.isArray(body[name]) ? `/${name}/${index}` : `/${name}`),
  });
  return isColumn ? times : { years: times.years[0]!, valuationTime: times.valuationTime };
}

function timesOfRows(rows: readonly Body[], now: EpochMicroseconds, faults: Faults): Times<Float64Array> {
  const timeOf = (index: number) => rows[index] as TimeFields;
  return resolveTimes(rows.length, now, faults, {
    years: (index) => timeOf(index).time_to_expiry,
    expiry: (index) => timeOf(index).expiry,
    valuation: (index) => timeOf(index).valuation_time,
    dayCount: (index) => timeOf(index).day_count,
    pointer: (index, name) => `/options/${index}/${name}`,
  });
}

interface TimeColumns {
  readonly time_to_expiry?: number | number[];
  readonly expiry?: string | string[];
  readonly valuation_time?: string | string[];
  readonly day_count?: DayCount;
}

/** Where the time fields of a row stand, in whichever form of body. */
interface TimeSource {
  years(index: number): number | undefined;
  expiry(index: number): string | undefined;
  valuation(index: number): string | undefined;
  dayCount(index: number): DayCount | undefined;
  pointer(index: number, name: "expiry" | "valuation_time"): string;
}

/** Years to expiry row by row. Adds a fault for each text that names no moment, up to the limit. */
function resolveTimes(count: number, now: EpochMicroseconds, faults: Faults, source: TimeSource): Times<Float64Array> {
  const years = new Float64Array(count);
  const expiries = new MomentReader();
  const valuations = new MomentReader();
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
    const valuation = valuationText === undefined ? now : valuations.read(valuationText);
    if (typeof expiry !== "bigint") {
      faults.add(source.pointer(index, "expiry"), "TIMESTAMP_INVALID", timestampFaultDetail[expiry]);
    } else if (typeof valuation !== "bigint") {
      faults.add(source.pointer(index, "valuation_time"), "TIMESTAMP_INVALID", timestampFaultDetail[valuation]);
    } else {
      years[index] = yearFraction(valuation, expiry, source.dayCount(index) ?? "act/365f");
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
