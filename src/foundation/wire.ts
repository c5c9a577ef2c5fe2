// Kinds of wire value that the schema library lacks, for every feature's model.ts to share. Numbers and moments
// are deliberately loose: only their type is checked, because what a *value* means is decided later, by a row's
// status or by a parser with a better message. Never put a business rule here.

import { Kind, type TUnsafe, Type, TypeRegistry } from "@sinclair/typebox";

const timestampLengthMax = 35;

TypeRegistry.Set("ModelNumber", (_schema, value) => typeof value === "number");
TypeRegistry.Set("Timestamp", (_schema, value) => typeof value === "string" && value.length <= timestampLengthMax);
TypeRegistry.Set("QueryInteger", (schema: { minimum: number; maximum: number }, value) => {
  if (typeof value !== "string" || !/^(0|-?[1-9]\d{0,8})$/.test(value)) return false;
  return Number(value) >= schema.minimum && Number(value) <= schema.maximum;
});

export interface WireOptions {
  readonly description?: string;
  readonly title?: string;
  readonly default?: number | string;
  readonly examples?: readonly (number | string)[];
}

/**
 * A JSON number that may have overflowed: 1e999 arrives as Infinity and is a value like any other, to be
 * answered by its row's status. `Type.Number()` would refuse it as if it were a word.
 */
export function modelNumber(options: WireOptions = {}): TUnsafe<number> {
  return Type.Unsafe<number>({ ...options, [Kind]: "ModelNumber", type: "number" });
}

/** An RFC 3339 text; domain/day-count reads it and says what is wrong with it. */
export function timestamp(options: WireOptions = {}): TUnsafe<string> {
  return Type.Unsafe<string>({ ...options, [Kind]: "Timestamp", type: "string", format: "date-time" });
}

/**
 * A whole number in a query string, documented as the integer it is. The value stays the text that was sent,
 * already known to be digits within the bounds; the route says Number() where it reads it.
 */
export function queryInteger(options: WireOptions & { minimum: number; maximum: number }): TUnsafe<string> {
  return Type.Unsafe<string>({ ...options, [Kind]: "QueryInteger", type: "integer" });
}

/** One word of a closed list. The list is the source: its type comes along, which a mapped union would lose. */
export function oneOf<Word extends string>(words: readonly Word[], options: WireOptions = {}): TUnsafe<Word> {
  return Type.Unsafe<Word>(
    Type.Union(
      words.map((word) => Type.Literal(word)),
      options,
    ),
  );
}
