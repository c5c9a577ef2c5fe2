// What a server refuses to start with: routes it could only guess about.

import { describe, expect, test } from "bun:test";
import { type TSchema, Type } from "@sinclair/typebox";
import { type AnyElysia, type DocumentDecoration, Elysia, t } from "elysia";
import { BsoptError } from "../../../src/foundation/errors";
import { testServer } from "../../harness/http";

const closed = { additionalProperties: false };
const Nothing = Type.Object({}, { ...closed, $id: "Nothing" });
const whole: DocumentDecoration = { permission: "admin", operationId: "read", summary: "Reads", tags: ["A"] };

function startWith(feature: AnyElysia): BsoptError | null {
  try {
    testServer({ features: [feature] });
    return null;
  } catch (error) {
    if (error instanceof BsoptError) return error;
    throw error;
  }
}

const route = (path: string, detail: DocumentDecoration) =>
  new Elysia().get(path, () => ({}), { response: { 200: Nothing }, detail });
const withBody = (body: TSchema) =>
  new Elysia().post("/x", () => ({}), { body, response: { 200: Nothing }, detail: whole });

describe("S1.08 the start", () => {
  test("succeeds with a whole declaration", () => {
    expect(startWith(route("/x", whole))).toBeNull();
  });

  const { permission: _p, ...noPermission } = whole;
  const rows: readonly (readonly [string, AnyElysia, string, string])[] = [
    ["a route without a permission", route("/x", noPermission), "ROUTE_INCOMPLETE", "GET /x"],
    [
      "a permission that does not exist",
      route("/x", { ...whole, permission: "pricing:write" as never }),
      "ROUTE_INCOMPLETE",
      "GET /x",
    ],
    [
      "an inherited name as permission",
      route("/x", { ...whole, permission: "toString" as never }),
      "ROUTE_INCOMPLETE",
      "GET /x",
    ],
    ["no operation id", route("/x", { ...whole, operationId: "" }), "ROUTE_INCOMPLETE", "GET /x"],
    ["an operation id in snake_case", route("/x", { ...whole, operationId: "read_it" }), "ROUTE_INCOMPLETE", "GET /x"],
    ["two tags", route("/x", { ...whole, tags: ["A", "B"] }), "ROUTE_INCOMPLETE", "GET /x"],
    ["no summary", route("/x", { ...whole, summary: "" }), "ROUTE_INCOMPLETE", "GET /x"],
    ["no response", new Elysia().get("/x", () => ({}), { detail: whole }), "ROUTE_INCOMPLETE", "GET /x"],
    ["a wildcard", route("/x/*", whole), "ROUTE_UNSUPPORTED", "GET /x/*"],
    ["an optional parameter", route("/x/:id?", whole), "ROUTE_UNSUPPORTED", "GET /x/:id?"],
    [
      "every method at once",
      new Elysia().all("/x", () => ({}), { response: { 200: Nothing }, detail: whole }),
      "ROUTE_UNSUPPORTED",
      "ALL /x",
    ],
    [
      "one operation id twice",
      new Elysia()
        .get("/x", () => ({}), { response: { 200: Nothing }, detail: whole })
        .get("/y", () => ({}), { response: { 200: Nothing }, detail: whole }),
      "ROUTE_AMBIGUOUS",
      "read",
    ],
    [
      "patterns that overlap",
      new Elysia()
        .get("/x/:id/b", () => ({}), { response: { 200: Nothing }, detail: whole })
        .post("/x/a/:other", () => ({}), { response: { 200: Nothing }, detail: { ...whole, operationId: "other" } }),
      "ROUTE_AMBIGUOUS",
      "/x/a/:other",
    ],
    ["a body that takes unknown fields", withBody(Type.Object({}, { $id: "Open" })), "SCHEMA_OPEN", "POST /x body"],
    [
      "one that does so deep inside",
      withBody(
        Type.Object({ a: Type.Array(Type.Union([Type.Null(), Type.Object({})])) }, { ...closed, $id: "OpenInside" }),
      ),
      "SCHEMA_OPEN",
      "POST /x body/a/items",
    ],
    [
      "a field that takes a text for a number",
      withBody(Type.Object({ count: t.Integer() }, { ...closed, $id: "Coerced" })),
      "ROUTE_UNSUPPORTED",
      "POST /x body/count",
    ],
    ["a body known by name only", withBody("Named" as never), "ROUTE_UNSUPPORTED", "POST /x body"],
  ];
  for (const [name, feature, code, named] of rows) {
    test(`fails with ${name} and names it`, () => {
      const error = startWith(feature);
      expect(error?.code).toBe(code);
      expect(error?.reason).toBe("internal");
      expect(error?.detail).toContain(named);
    });
  }

  test("fails where two features declare one route, of which only the later would run", () => {
    const features = [route("/x", whole), route("/x", { ...whole, operationId: "other" })];
    expect(() => testServer({ features })).toThrow("GET /x is declared twice");
  });

  test("fails where a feature hides a route in a group or behind a prefix", () => {
    const nested = new Elysia({ prefix: "/api" }).group("/v1", (group) => group.get("/x", () => ({})));
    expect(startWith(new Elysia().use(nested))?.detail).toContain("GET /api/v1/x");
  });
});
