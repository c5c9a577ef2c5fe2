// Finds, in the API's own document, every place of every operation where a caller may put text: path and query parameters and
// each string of each body, optional ones too. Attacks are generated from it, so a new route is attacked without anybody
// remembering to. It must never skip a shape it does not know: it throws.

import type { Loose } from "./executable";

export interface Operation {
  readonly method: string;
  /** With its parameters in braces. */
  readonly path: string;
  readonly operationId: string;
  readonly isPublic: boolean;
  readonly pathParameters: readonly string[];
  readonly queryParameters: readonly { readonly name: string; readonly isText: boolean }[];
  /** Content types that a body may have. */
  readonly bodyTypes: readonly string[];
  /** One example body for each documented shape; none where the route takes no body. */
  readonly bodies: readonly Loose[];
  /** Where a body takes text: an example and the path into it. */
  readonly bodyPlaces: readonly { readonly base: Loose; readonly at: readonly (string | number)[] }[];
}

/** Every operation of the document, in its order. */
export function operationsOf(document: Loose): Operation[] {
  const resolve = (schema: Loose): Loose => {
    let found = schema;
    for (let hops = 0; typeof found?.$ref === "string"; hops++) {
      if (hops > 8) throw new Error(`${schema.$ref} points in circles`);
      found = found.$ref
        .slice(2)
        .split("/")
        .reduce((node: Loose, name: string) => node[name], document);
    }
    return found;
  };
  const operations: Operation[] = [];
  for (const [path, methods] of Object.entries<Loose>(document.paths)) {
    for (const [method, operation] of Object.entries<Loose>(methods)) {
      const parameters = (operation.parameters ?? []).map(resolve) as Loose[];
      const media = operation.requestBody?.content?.["application/json"];
      const bodies: Loose[] = media === undefined ? [] : examplesOf(media, resolve);
      if (media !== undefined && bodies.length === 0) throw new Error(`${method} ${path} shows no example body`);
      operations.push({
        method: method.toUpperCase(),
        path,
        operationId: operation.operationId,
        isPublic: operation.security?.length === 0,
        pathParameters: parameters.filter((one) => one.in === "path").map((one) => one.name),
        queryParameters: parameters
          .filter((one) => one.in === "query")
          .map((one) => ({ name: one.name, isText: takesText(resolve(one.schema), resolve, 0) })),
        bodyTypes: Object.keys(operation.requestBody?.content ?? {}),
        bodies,
        bodyPlaces: bodies.flatMap((base) =>
          textPlaces(resolve(media.schema), base, resolve).map((at) => ({ base, at })),
        ),
      });
    }
  }
  return operations;
}

/** The example with another value at a place; places that the example lacks are made. */
export function withValue(base: Loose, at: readonly (string | number)[], value: unknown): Loose {
  const [head, ...rest] = at;
  if (head === undefined) return value;
  const copy: Loose = Array.isArray(base) ? [...base] : { ...(base ?? {}) };
  copy[head] = withValue(copy[head], rest, value);
  return copy;
}

function examplesOf(media: Loose, resolve: (schema: Loose) => Loose): Loose[] {
  const shown = Object.values<Loose>(media.examples ?? {}).map(({ value }) => value);
  if (shown.length > 0) return shown;
  return (resolve(media.schema).examples ?? []) as Loose[];
}

function membersOf(schema: Loose): Loose[] {
  return [...(schema.oneOf ?? []), ...(schema.anyOf ?? []), ...(schema.allOf ?? [])];
}

function takesText(schema: Loose, resolve: (schema: Loose) => Loose, depth: number): boolean {
  if (depth > 12) return false;
  const types = [schema.type].flat();
  if (
    types.includes("string") ||
    typeof schema.const === "string" ||
    schema.enum?.some((word: unknown) => typeof word === "string")
  )
    return true;
  return membersOf(schema).some((member) => takesText(resolve(member), resolve, depth + 1));
}

/** Paths into a body at which its schema takes a string: through objects, the first item of lists, and every branch of a union. */
function textPlaces(schema: Loose, base: Loose, resolve: (schema: Loose) => Loose, depth = 0): (string | number)[][] {
  if (depth > 12) return [];
  const found = new Map<string, (string | number)[]>();
  const add = (at: (string | number)[]) => found.set(JSON.stringify(at), at);
  if (takesText(schema, resolve, depth)) add([]);
  for (const [name, child] of Object.entries<Loose>(schema.properties ?? {})) {
    for (const rest of textPlaces(resolve(child), base?.[name], resolve, depth + 1)) add([name, ...rest]);
  }
  if (schema.items) {
    for (const rest of textPlaces(resolve(schema.items), base?.[0], resolve, depth + 1)) add([0, ...rest]);
  }
  for (const member of membersOf(schema)) {
    for (const at of textPlaces(resolve(member), base, resolve, depth + 1)) add(at);
  }
  return [...found.values()];
}
