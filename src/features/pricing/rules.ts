// What pricing decides about the *shape* of a request: which fields a model takes, how long columns are, which
// settings rows must share, and which time fields go together. Pure, so each rule is a table in the tests. It
// never judges a value: a negative spot or an infinite rate is that row's status, and the engine's to say.

import { type DayCount, parseTimestamp, type TimestampFault } from "../../domain/day-count";
import type { InputName, ModelDefinition, ModelName, OutputName } from "../../engine/catalog";
import type { EpochMicroseconds } from "../../foundation/clock";
import { BsoptError, type FieldFault } from "../../foundation/errors";

/** Faults told of at most; a body can have a hundred thousand. */
export const faultCountMax = 20;

/** Gathers faults up to the limit and throws them together. */
export class Faults {
  readonly #list: FieldFault[] = [];

  get isFull(): boolean {
    return this.#list.length >= faultCountMax;
  }

  add(pointer: string, code: string, detail: string): void {
    // One text read for every row of a column is one fault.
    if (this.isFull || this.#list.some((fault) => fault.pointer === pointer && fault.code === code)) return;
    this.#list.push({ pointer, code, detail });
  }

  /** Throws `invalid` if there are any. */
  throwIfAny(): void {
    const first = this.#list[0];
    if (!first) return;
    throw new BsoptError({
      reason: "invalid",
      code: first.code,
      detail: `${first.pointer} ${first.detail}`,
      faults: this.#list,
    });
  }
}

/** What is asked of a model: a price from a volatility, or a volatility from a price. */
export type Question = "price" | "implied_volatility";

/** A number a body names itself. Time is apart; `price` stands in for volatility where that is asked. */
export type FieldName = Exclude<InputName, "time_to_expiry"> | "price";

export interface Fields {
  /** All that the model takes for this question, in the catalog's order. */
  readonly taken: readonly FieldName[];
  readonly required: readonly FieldName[];
  /** What other models take and this one does not know. */
  readonly foreign: readonly FieldName[];
}

/** The number fields of a model for a question, seen among all models of a catalog. */
export function fieldsOf(model: ModelDefinition, question: Question, catalog: readonly ModelDefinition[]): Fields {
  const named = (inputs: ModelDefinition["inputs"]): FieldName[] =>
    inputs.flatMap(({ name }) =>
      name === "time_to_expiry" || (name === "volatility" && question === "implied_volatility") ? [] : [name],
    );
  const extra: FieldName[] = question === "implied_volatility" ? ["price"] : [];
  const taken = [...named(model.inputs), ...extra];
  return {
    taken,
    required: [...named(model.inputs.filter((input) => input.default === undefined)), ...extra],
    foreign: [...new Set(catalog.flatMap((other) => named(other.inputs)))].filter((name) => !taken.includes(name)),
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
    if (!Array.isArray(column)) continue;
    first ??= { name, length: column.length };
    if (column.length !== first.length) {
      const detail = `has ${rowsInWords(column.length)} where /${first.name} has ${first.length}`;
      faults.add(`/${name}`, "LENGTH_MISMATCH", detail);
    }
  }
  return first?.length ?? 1;
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
}

/** Names of the time fields that may be columns. */
export const timeColumnNames = ["time_to_expiry", "expiry", "valuation_time"] as const;

/** Adds a fault unless exactly one of time_to_expiry and expiry is there, and nothing beside the first. */
export function checkTimeFields(body: Readonly<Record<string, unknown>>, at: string, faults: Faults): void {
  const hasExpiry = body.expiry !== undefined;
  if (hasExpiry && body.time_to_expiry !== undefined) {
    faults.add(`${at}/expiry`, "TIME_AMBIGUOUS", "cannot stand beside time_to_expiry: give one of the two");
  }
  if (hasExpiry) return;
  if (body.time_to_expiry === undefined) {
    faults.add(`${at}/time_to_expiry`, "REQUIRED", "is required, or expiry in its place");
  }
  for (const name of ["valuation_time", "day_count"]) {
    if (body[name] !== undefined) {
      faults.add(`${at}/${name}`, "TIME_AMBIGUOUS", "means something only with expiry");
    }
  }
}

/** Reads moments, remembering the last text: a column mostly repeats one. */
export class MomentReader {
  #text = "";
  #outcome: EpochMicroseconds | TimestampFault = parseTimestamp("");

  read(text: string): EpochMicroseconds | TimestampFault {
    if (text !== this.#text) {
      this.#text = text;
      this.#outcome = parseTimestamp(text);
    }
    return this.#outcome;
  }
}

/** Whether two lists of outputs ask for the same, in whatever order. */
export function sameOutputs(one: readonly OutputName[], other: readonly OutputName[]): boolean {
  return one === other || (one.length === other.length && one.every((name) => other.includes(name)));
}
