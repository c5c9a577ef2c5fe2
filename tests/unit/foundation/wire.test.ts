// What the extra kinds of wire value let through, compiled as http compiles them.

import { describe, expect, test } from "bun:test";
import { type TSchema, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { modelNumber, oneOf, queryInteger, timestamp } from "../../../src/foundation/wire";

const accepts = (schema: TSchema, value: unknown) =>
  TypeCompiler.Compile(Type.Object({ x: schema })).Check({ x: value });

describe("S2.35 wire values", () => {
  const rows: readonly (readonly [string, TSchema, readonly unknown[], readonly unknown[]])[] = [
    [
      "a model number is any number, overflow and all",
      modelNumber(),
      [0, -1.5, 1e308, Number.POSITIVE_INFINITY, Number.NaN],
      ["1", null, undefined, true, [1], {}, 1n],
    ],
    [
      "a timestamp is a short text, read later",
      timestamp(),
      ["2026-12-18T16:00:00Z", "2026-12-18", ""],
      [20261218, null, "x".repeat(36), {}, undefined],
    ],
    [
      "a query integer is digits within its bounds",
      queryInteger({ minimum: 1, maximum: 200 }),
      ["1", "50", "200"],
      ["0", "201", "", " 5", "5 ", "+5", "05", "5.0", "1e2", "0x5", "-0", "99999999999", 5, null],
    ],
    [
      "a bound below zero takes a sign",
      queryInteger({ minimum: -5, maximum: 5 }),
      ["-5", "0", "5"],
      ["-6", "--5", "-05"],
    ],
    [
      "one of a closed list is one of its words",
      oneOf(["call", "put"]),
      ["call", "put"],
      ["Call", "", 0, null, "callput"],
    ],
  ];
  for (const [title, schema, good, bad] of rows) {
    test(title, () => {
      for (const value of good) expect(`${String(value)} ${accepts(schema, value)}`).toBe(`${String(value)} true`);
      for (const value of bad) expect(`${String(value)} ${accepts(schema, value)}`).toBe(`${String(value)} false`);
    });
  }

  test("the document shows plain types", () => {
    expect(JSON.parse(JSON.stringify([modelNumber(), timestamp(), queryInteger({ minimum: 1, maximum: 2 })]))).toEqual([
      { type: "number" },
      { type: "string", format: "date-time" },
      { type: "integer", minimum: 1, maximum: 2 },
    ]);
  });
});
