// Which faults a wrong body is told, for every kind of schema a feature may write.

import { describe, expect, test } from "bun:test";
import { type TSchema, Type } from "@sinclair/typebox";
import { modelNumber, queryInteger, timestamp } from "../../../src/foundation/wire";
import { faultsMax, faultsOf } from "../../../src/http/schema-faults";

const closed = { additionalProperties: false };
const Columns = Type.Object(
  { spot: Type.Union([modelNumber(), Type.Array(modelNumber(), { maxItems: 3 })]), strike: modelNumber() },
  { ...closed, $id: "Columns" },
);
const Rows = Type.Object(
  { options: Type.Array(Type.Object({ spot: modelNumber() }, closed), { minItems: 1 }) },
  { ...closed, $id: "Rows" },
);
const OneOrMany = Type.Union([Type.Array(modelNumber()), Type.Array(Type.Array(modelNumber()))]);
const Shape = Type.Union([
  Type.Object({ kind: Type.Literal("circle"), radius: Type.Number() }, closed),
  Type.Object({ kind: Type.Literal("square"), radius: Type.Number(), side: Type.Number() }, closed),
]);

const ByModel = Type.Union([
  Type.Object({ model: Type.Literal("black"), spot: modelNumber(), strike: modelNumber() }, closed),
  Type.Object({ options: Type.Array(modelNumber()) }, closed),
]);

const rows: readonly (readonly [string, TSchema, unknown, readonly (readonly [string, string, string])[]])[] = [
  [
    "a misspelt constant that only one kind of object has",
    ByModel,
    { model: "blakc", spot: 1, strike: 2 },
    [["/model", "NOT_ALLOWED", 'must be "black"']],
  ],
  [
    "the constant of another kind of object",
    ByModel,
    { model: "black", options: [] },
    [["/model", "UNKNOWN_FIELD", "is not a field of this request"]],
  ],
  [
    "too many digits of a moment",
    timestamp(),
    "2".repeat(36),
    [["", "WRONG_TYPE", "must be an RFC 3339 date and time"]],
  ],
  [
    "a query's number past its bounds",
    queryInteger({ minimum: 1, maximum: 200 }),
    "201",
    [["", "WRONG_TYPE", "must be a whole number from 1 to 200"]],
  ],
  ["a missing field, once", Type.Object({ a: Type.Number() }, closed), {}, [["/a", "REQUIRED", "is required"]]],
  [
    "an unknown field by name",
    Type.Object({}, closed),
    { spto: 1 },
    [["/spto", "UNKNOWN_FIELD", "is not a field of this request"]],
  ],
  [
    "a field with a slash and a tilde, escaped",
    Type.Object({}, closed),
    { "a/b~c": 1 },
    [["/a~1b~0c", "UNKNOWN_FIELD", "is not a field of this request"]],
  ],
  ["not an object", Type.Object({}, closed), [], [["", "WRONG_TYPE", "must be an object"]]],
  ["null for an object", Type.Object({}, closed), null, [["", "WRONG_TYPE", "must be an object"]]],
  ["a text for a number", Type.Number(), "1", [["", "WRONG_TYPE", "must be a number"]]],
  ["Infinity for a finite number", Type.Number(), Number.POSITIVE_INFINITY, [["", "WRONG_TYPE", "must be a number"]]],
  ["a fraction for a whole number", Type.Integer(), 1.5, [["", "WRONG_TYPE", "must be a whole number"]]],
  ["a text for a model number", modelNumber(), "1", [["", "WRONG_TYPE", "must be a number"]]],
  ["a number for a boolean", Type.Boolean(), 1, [["", "WRONG_TYPE", "must be a boolean"]]],
  ["a number for an array", Type.Array(Type.Number()), 1, [["", "WRONG_TYPE", "must be an array"]]],
  ["a number for null", Type.Null(), 1, [["", "WRONG_TYPE", "must be null"]]],
  ["too small", Type.Number({ minimum: 1 }), 0, [["", "OUT_OF_RANGE", "must be at least 1"]]],
  ["too large", Type.Integer({ maximum: 1 }), 2, [["", "OUT_OF_RANGE", "must be at most 1"]]],
  ["not above", Type.Number({ exclusiveMinimum: 0 }), 0, [["", "OUT_OF_RANGE", "must be greater than 0"]]],
  ["not below", Type.Number({ exclusiveMaximum: 1 }), 1, [["", "OUT_OF_RANGE", "must be less than 1"]]],
  ["too short", Type.String({ minLength: 2 }), "a", [["", "TOO_SHORT", "must have at least 2 characters"]]],
  ["too long", Type.String({ maxLength: 1 }), "ab", [["", "TOO_LONG", "must have at most 1 characters"]]],
  ["of another form", Type.String({ pattern: "^a$" }), "b", [["", "WRONG_FORM", "must match ^a$"]]],
  ["too few", Type.Array(Type.Number(), { minItems: 1 }), [], [["", "TOO_FEW", "must have at least 1 item"]]],
  ["too many", Type.Array(Type.Number(), { maxItems: 1 }), [1, 2], [["", "TOO_MANY", "must have at most 1 items"]]],
  ["repeated", Type.Array(Type.Number(), { uniqueItems: true }), [1, 1], [["", "REPEATED", "must not repeat an item"]]],
  ["another constant", Type.Literal("a"), "b", [["", "NOT_ALLOWED", 'must be "a"']]],
  [
    "none of the constants",
    Type.Union([Type.Literal("call"), Type.Literal("put")]),
    "cal",
    [["", "NOT_ALLOWED", 'must be one of "call", "put"']],
  ],
  [
    "neither a number nor an array",
    Columns,
    { spot: "x", strike: 1 },
    [["/spot", "NOT_ALLOWED", "must be one of a number, an array"]],
  ],
  [
    "a wrong item of a column, by its index",
    Columns,
    { spot: [1, "x"], strike: 1 },
    [["/spot/1", "WRONG_TYPE", "must be a number"]],
  ],
  [
    "too long a column",
    Columns,
    { spot: [1, 2, 3, 4], strike: 1 },
    [["/spot", "TOO_MANY", "must have at most 3 items"]],
  ],
  [
    "a union of objects, read as the nearest: columns",
    Type.Union([Columns, Rows]),
    { spot: 1, stirke: 2 },
    [
      ["/strike", "REQUIRED", "is required"],
      ["/stirke", "UNKNOWN_FIELD", "is not a field of this request"],
    ],
  ],
  [
    "a union of objects, read as the nearest: rows",
    Type.Union([Columns, Rows]),
    { options: [{ spot: 1 }, { spot: "x", strike: 1 }] },
    [
      ["/options/1/strike", "UNKNOWN_FIELD", "is not a field of this request"],
      ["/options/1/spot", "WRONG_TYPE", "must be a number"],
    ],
  ],
  [
    "a list or a list of lists, read as what it holds first: a list",
    Type.Object({ lists: OneOrMany }, closed),
    { lists: [1, "x"] },
    [["/lists/1", "WRONG_TYPE", "must be a number"]],
  ],
  [
    "a list or a list of lists, read as what it holds first: lists",
    Type.Object({ lists: OneOrMany }, closed),
    { lists: [[1], [2, "x"], 3] },
    [
      ["/lists/1/1", "WRONG_TYPE", "must be a number"],
      ["/lists/2", "WRONG_TYPE", "must be an array"],
    ],
  ],
  [
    "a union told apart by a constant",
    Shape,
    { kind: "circle", radius: 1, side: 2 },
    [["/side", "UNKNOWN_FIELD", "is not a field of this request"]],
  ],
  [
    "a union none of whose members is of that kind",
    Type.Union([Columns, Rows]),
    5,
    [["", "NOT_ALLOWED", "must be an object"]],
  ],
  [
    "an inherited name",
    Shape,
    { kind: "circle", radius: 1, constructor: 1 },
    [["/constructor", "UNKNOWN_FIELD", "is not a field of this request"]],
  ],
];

describe("S2.35 faults", () => {
  for (const [name, schema, value, expected] of rows) {
    test(name, () => {
      expect(faultsOf(schema, value).map(({ pointer, code, detail }) => [pointer, code, detail])).toEqual(
        expected as [string, string, string][],
      );
    });
  }

  test(`stop at ${faultsMax}, however many there are`, () => {
    const many = Array.from({ length: 100_000 }, () => "x");
    expect(faultsOf(Type.Array(Type.Number()), many)).toHaveLength(faultsMax);
  });

  test("of a batch by rows that also names a model above speak of the rows' form, not of missing columns", () => {
    const columns = Type.Object(
      { model: Type.String(), strike: Type.Number(), rate: Type.Number() },
      { additionalProperties: false },
    );
    const rows = Type.Object({ options: Type.Array(Type.Object({})) }, { additionalProperties: false });
    const union = Type.Union([columns, rows]);
    const pointersOf = (value: unknown) => faultsOf(union, value).map(({ pointer }) => pointer);
    expect(pointersOf({ model: "x", options: [] })).toEqual(["/model"]);
    expect(pointersOf({ model: "x" })).toEqual(["/strike", "/rate"]);
  });

  test("are never none", () => {
    expect(faultsOf(Type.Number(), 1)).toEqual([{ pointer: "", code: "INVALID", detail: "does not fit the schema" }]);
  });
});
