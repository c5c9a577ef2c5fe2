// Turns a body that fails its schema into named faults: where, which, in words. Separate from the check itself,
// which is compiled and only says yes or no; this is the slow half, run on refusals alone. It must never repeat a
// submitted value (field names are named, cut to a length), and it stops after a bounded number of faults.

import { Kind, type TSchema } from "@sinclair/typebox";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import { Value } from "@sinclair/typebox/value";
import type { FieldFault } from "../foundation/errors";

export const faultsMax = 32;
const choicesNamedMax = 30;
const unionDepthMax = 8;

/** The faults of a value that does not fit the schema, at most 32, in document order; never empty. */
export function faultsOf(schema: TSchema, value: unknown): FieldFault[] {
  const faults = new Map<string, FieldFault>();
  collect(Value.Errors(schema, value), faults, 0);
  if (faults.size === 0) return [{ pointer: "", code: "INVALID", detail: "does not fit the schema" }];
  return [...faults.values()];
}

function collect(errors: Iterable<ValueError>, faults: Map<string, FieldFault>, depth: number): void {
  for (const error of errors) {
    if (faults.size >= faultsMax) return;
    if (error.type === ValueErrorType.Union && depth < unionDepthMax) {
      const member = nearestMember(error.schema, error.value);
      if (member !== null) {
        collect(error.errors[member] ?? [], faults, depth + 1);
        continue;
      }
    }
    // TypeBox reports a missing field twice, first as missing and then as undefined being no number.
    if (!faults.has(error.path)) faults.set(error.path, faultOf(error));
  }
}

/** Which member of a union the value was most likely meant for, or null where no member is of its kind at all. */
function nearestMember(schema: TSchema, value: unknown): number | null {
  const members = (schema.anyOf ?? []) as TSchema[];
  const met = new Set(members.flatMap((member) => constantsMet(member, value)));
  let best: { index: number; score: number } | null = null;
  for (const [index, member] of members.entries()) {
    const score = likeness(member, value, met);
    if (score !== null && (best === null || score > best.score)) best = { index, score };
  }
  return best?.index ?? null;
}

/** The fields whose constant the value has, such as a model's name. */
function constantsMet(schema: TSchema, value: unknown): string[] {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, TSchema>);
  return properties
    .filter(([name, property]) => "const" in property && property.const === Object(value)[name])
    .map(([name]) => name);
}

/**
 * Higher is nearer; null where the value is not even of the member's JSON kind, or the member is a constant. `met`: fields
 * whose word is the constant of some member, and so tell which is meant; a word that no member has is only misspelt.
 */
function likeness(schema: TSchema, value: unknown, met: ReadonlySet<string>): number | null {
  if ("const" in schema) return null;
  if (Array.isArray(value)) {
    if (schema.type !== "array") return null;
    // Lists of lists are told from lists by what they hold first.
    const items = schema.items as TSchema | undefined;
    return items === undefined || value.length === 0 || Array.isArray(value[0]) !== (items.type === "array") ? 0 : 1;
  }
  if (typeof value === "object" && value !== null) {
    if (schema.type !== "object") return null;
    const properties = (schema.properties ?? {}) as Record<string, TSchema>;
    let score = 0;
    for (const [key, child] of Object.entries(value)) {
      const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
      if (property === undefined) score -= 1;
      else if ("const" in property && property.const !== child && met.has(key)) score -= 100;
      else score += 1;
    }
    // Between members that know as many of the fields, the one that lacks the least was meant.
    const required = (schema.required ?? []) as readonly string[];
    const missing = required.filter((key) => !Object.hasOwn(value, key));
    return required.length === 0 ? score : score - missing.length / required.length;
  }
  return schema.type === typeof value || (schema.type === "integer" && typeof value === "number") ? 0 : null;
}

function faultOf(error: ValueError): FieldFault {
  const { schema, path: pointer } = error;
  const fault = (code: string, detail: string): FieldFault => ({ pointer, code, detail });
  switch (error.type) {
    case ValueErrorType.ObjectRequiredProperty:
      return fault("REQUIRED", "is required");
    case ValueErrorType.ObjectAdditionalProperties:
    case ValueErrorType.Never:
      return fault("UNKNOWN_FIELD", "is not a field of this request");
    case ValueErrorType.Literal:
    case ValueErrorType.Union:
      return fault("NOT_ALLOWED", wordsOfUnion(schema));
    case ValueErrorType.NumberMinimum:
    case ValueErrorType.IntegerMinimum:
      return fault("OUT_OF_RANGE", `must be at least ${schema.minimum}`);
    case ValueErrorType.NumberMaximum:
    case ValueErrorType.IntegerMaximum:
      return fault("OUT_OF_RANGE", `must be at most ${schema.maximum}`);
    case ValueErrorType.NumberExclusiveMinimum:
    case ValueErrorType.IntegerExclusiveMinimum:
      return fault("OUT_OF_RANGE", `must be greater than ${schema.exclusiveMinimum}`);
    case ValueErrorType.NumberExclusiveMaximum:
    case ValueErrorType.IntegerExclusiveMaximum:
      return fault("OUT_OF_RANGE", `must be less than ${schema.exclusiveMaximum}`);
    case ValueErrorType.StringMinLength:
      return fault("TOO_SHORT", `must have at least ${schema.minLength} characters`);
    case ValueErrorType.StringMaxLength:
      return fault("TOO_LONG", `must have at most ${schema.maxLength} characters`);
    case ValueErrorType.StringPattern:
      return fault("WRONG_FORM", `must match ${schema.pattern}`);
    case ValueErrorType.StringFormat:
      return fault("WRONG_FORM", `must be a ${schema.format}`);
    case ValueErrorType.ArrayMinItems:
      return fault("TOO_FEW", `must have at least ${schema.minItems} ${schema.minItems === 1 ? "item" : "items"}`);
    case ValueErrorType.ArrayMaxItems:
      return fault("TOO_MANY", `must have at most ${schema.maxItems} items`);
    case ValueErrorType.ArrayUniqueItems:
      return fault("REPEATED", "must not repeat an item");
    default:
      return fault("WRONG_TYPE", `must be ${kindWord(schema)}`);
  }
}

function wordsOfUnion(schema: TSchema): string {
  const members = (schema.anyOf ?? [schema]) as TSchema[];
  const words = members.map((member) => ("const" in member ? JSON.stringify(member.const) : kindWord(member)));
  const named = [...new Set(words)].slice(0, choicesNamedMax);
  return named.length === 1 ? `must be ${named[0]}` : `must be one of ${named.join(", ")}`;
}

function kindWord(schema: TSchema): string {
  if (schema.format === "date-time") return "an RFC 3339 date and time";
  switch (schema.type) {
    case "object":
      return "an object";
    case "array":
      return "an array";
    case "integer":
      return schema.minimum === undefined || schema.maximum === undefined
        ? "a whole number"
        : `a whole number from ${schema.minimum} to ${schema.maximum}`;
    case "null":
      return "null";
    case undefined:
      return schema[Kind] === "Union" ? wordsOfUnion(schema).replace(/^must be /, "") : "of another kind";
    default:
      return `a ${schema.type}`;
  }
}
