// Which schemas of what a client sends are limited, and that no route is served without.

import { describe, expect, test } from "bun:test";
import { Kind, type TSchema, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { BsoptError } from "../../../src/foundation/errors";
import { modelNumber, oneOf, queryInteger, timestamp } from "../../../src/foundation/wire";
import { unlimitedPlaces } from "../../../src/http/schema-limits";
import { testServer } from "../../harness/http";

const closed = { additionalProperties: false };
const text = Type.String({ maxLength: 5 });

describe("S2.35 a schema of something sent", () => {
  const rows: readonly { name: string; schema: TSchema; places: readonly string[] }[] = [
    { name: "a text", schema: Type.String(), places: ["x: a text without maxLength"] },
    {
      name: "a text with a format alone",
      schema: Type.String({ format: "email" }),
      places: ["x: a text without maxLength"],
    },
    {
      name: "a text with a least length alone",
      schema: Type.String({ minLength: 1 }),
      places: ["x: a text without maxLength"],
    },
    { name: "a text with a length", schema: text, places: [] },
    { name: "a pattern of a fixed length", schema: Type.String({ pattern: "^[0-9a-f*+]{64}$" }), places: [] },
    {
      name: "a pattern with a greatest length",
      schema: Type.String({ pattern: "^(?:a|b)?\\+[a-z]{1,9}$" }),
      places: [],
    },
    ...["^[a-z]+$", "^[a-z]*$", "^[a-z]{2,}$", "^(ab)+$", "[a-z]{3}", "^a", "a$", "^a|b$", "^(a|(b|c))|.$"].map(
      (pattern) => ({
        name: `the pattern ${pattern}`,
        schema: Type.String({ pattern }),
        places: ["x: a text without maxLength"],
      }),
    ),
    { name: "a number", schema: Type.Number(), places: ["x: a number without minimum and maximum"] },
    {
      name: "a number from zero",
      schema: Type.Number({ minimum: 0 }),
      places: ["x: a number without minimum and maximum"],
    },
    {
      name: "a whole number to ten",
      schema: Type.Integer({ maximum: 10 }),
      places: ["x: a number without minimum and maximum"],
    },
    { name: "a number between", schema: Type.Number({ minimum: 0, maximum: 1 }), places: [] },
    { name: "a list", schema: Type.Array(text), places: ["x: a list without maxItems"] },
    {
      name: "a list of texts",
      schema: Type.Array(Type.String(), { maxItems: 3 }),
      places: ["x/items: a text without maxLength"],
    },
    { name: "a list with a count", schema: Type.Array(text, { maxItems: 3 }), places: [] },
    { name: "an object that is open", schema: Type.Object({}), places: ["x: an object that takes any property"] },
    {
      name: "an object of objects",
      schema: Type.Object({ a: Type.Object({ b: Type.String() }, closed), c: Type.Optional(Type.Number()) }, closed),
      places: ["x/a/b: a text without maxLength", "x/c: a number without minimum and maximum"],
    },
    {
      name: "a union",
      schema: Type.Union([text, Type.String(), Type.Null()]),
      places: ["x|1: a text without maxLength"],
    },
    {
      name: "a record",
      schema: Type.Record(Type.String(), text),
      places: ["x: a kind of value (Record) whose limit is not known"],
    },
    { name: "anything", schema: Type.Any(), places: ["x: a kind of value (Any) whose limit is not known"] },
    {
      name: "something unknown",
      schema: Type.Unknown(),
      places: ["x: a kind of value (Unknown) whose limit is not known"],
    },
    {
      name: "a literal, nothing, yes or no",
      schema: Type.Union([Type.Literal("a"), Type.Null(), Type.Boolean()]),
      places: [],
    },
    {
      name: "the kinds of our own",
      schema: Type.Object(
        { a: modelNumber(), b: timestamp(), c: queryInteger({ minimum: 1, maximum: 2 }), d: oneOf(["a", "b"]) },
        closed,
      ),
      places: [],
    },
  ];
  test.each(rows)("$name", ({ schema, places }) => {
    expect(unlimitedPlaces(schema, "x")).toEqual([...places]);
  });

  test.each([
    ["body", { body: Type.Object({ a: Type.String() }, closed) }, "POST /x body/a"],
    ["query", { query: Type.Object({ a: Type.Optional(Type.String()) }, closed) }, "POST /x query/a"],
  ])("a route with an unlimited %s is not served", (_, schemas, place) => {
    const feature = new Elysia().post("/x", () => ({}), {
      ...schemas,
      response: { 200: Type.Object({}, { ...closed, $id: "Nothing" }) },
      detail: { permission: "admin", operationId: "make", summary: "Makes", tags: ["A"] },
    });
    let thrown: unknown;
    try {
      testServer({ features: [feature] });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(BsoptError);
    expect(thrown).toMatchObject({ code: "SCHEMA_UNLIMITED", detail: `${place}: a text without maxLength` });
  });

  test("a kind that is new must be given a limit here before it is served", () => {
    const fresh = Type.Unsafe<string>({ [Kind]: "Fresh", type: "string" });
    expect(unlimitedPlaces(fresh, "x")).toEqual(["x: a kind of value (Fresh) whose limit is not known"]);
  });
});
