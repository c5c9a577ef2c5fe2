// That nothing a client may send is without limit (S2.35): every text has a length, every list a count, every number a
// least and a greatest value. Read once at the start from the schemas of bodies, paths and queries, so that a field nobody
// thought about cannot be served. Answers are ours and need none.

import { Kind, type TSchema } from "@sinclair/typebox";

/**
 * The places in a schema of something sent that have no limit, as `name/property: what is missing`. Limited by their kind
 * (foundation/wire) are moments, whole numbers in queries and the models' numbers, which are doubles of any value: what one
 * means is told by its row's status.
 */
export function unlimitedPlaces(schema: TSchema, name: string): string[] {
  switch (schema[Kind]) {
    case "Literal":
    case "Null":
    case "Boolean":
    case "ModelNumber":
    case "QueryInteger":
    case "Timestamp":
    case "Void":
    case "Undefined":
      return [];
    case "String":
      return schema.maxLength === undefined && !hasBoundedPattern(schema) ? [`${name}: a text without maxLength`] : [];
    case "Number":
    case "Integer":
      return schema.minimum === undefined || schema.maximum === undefined
        ? [`${name}: a number without minimum and maximum`]
        : [];
    case "Array": {
      const own = schema.maxItems === undefined ? [`${name}: a list without maxItems`] : [];
      return [...own, ...unlimitedPlaces(schema.items as TSchema, `${name}/items`)];
    }
    case "Union":
      return (schema.anyOf as TSchema[]).flatMap((member, index) => unlimitedPlaces(member, `${name}|${index}`));
    case "Object": {
      const open = schema.additionalProperties !== false ? [`${name}: an object that takes any property`] : [];
      const properties = Object.entries((schema.properties ?? {}) as Record<string, TSchema>);
      return [...open, ...properties.flatMap(([key, child]) => unlimitedPlaces(child, `${name}/${key}`))];
    }
    default: {
      // Kinds of our own making that are unions of others, and whatever is new here: judged by its members, or not let in.
      const members = (schema.anyOf ?? schema.oneOf) as TSchema[] | undefined;
      if (members) return members.flatMap((member, index) => unlimitedPlaces(member, `${name}|${index}`));
      return [`${name}: a kind of value (${String(schema[Kind])}) whose limit is not known`];
    }
  }
}

/** From end to end, and nothing in it repeats without a count. */
function hasBoundedPattern({ pattern }: TSchema): boolean {
  if (typeof pattern !== "string" || !pattern.startsWith("^") || !pattern.endsWith("$")) return false;
  const outsideClasses = pattern.replace(/\\./g, "a").replace(/\[[^\]]*\]/g, "a");
  if (/[*+]|\{\d+,\}/.test(outsideClasses)) return false;
  // An alternative outside of all brackets would be anchored on one side only.
  let flat = outsideClasses;
  for (let last = ""; last !== flat; ) {
    last = flat;
    flat = flat.replace(/\([^()]*\)/g, "a");
  }
  return !flat.includes("|");
}
