// Makes the OpenAPI 3.1 document from the very routes and schemas the gate decides by, so that the two cannot differ.
// Separate from the pages that show it: this is a pure function. Our own, because what the plugins emit is refused by
// validators and knows neither the gate's problems nor its permissions. It must never describe what no route declares.

import type { TSchema } from "@sinclair/typebox";
import { textFormats } from "../adapters/tabular/text-body";
import { wireFormats } from "../adapters/tabular/wire-table";
import type { Access } from "../domain/permission";
import { assert } from "../foundation/assert";
import { jsonDepthMax } from "./body";
import { formMediaType } from "./form";
import { bodyFormats } from "./media";
import { type ProblemStatus, problemTitles, problemType } from "./problem";
import type { TableDetail, TextDetail } from "./route-detail";
import type { Route } from "./routes";

export interface DocumentInfo {
  readonly title: string;
  readonly version: string;
  readonly description: string;
}

/** A JSON value: the document is nothing else. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** The document of all routes not marked `detail.hide`. Throws InvariantError where a schema is not named, or two are named alike. */
export function openApiDocument(routes: readonly Route[], info: DocumentInfo): JsonObject {
  const shown = routes.filter((route) => route.detail.hide !== true);
  const schemas = new SchemaBook();
  const paths: Record<string, Record<string, Json>> = {};
  // Sorted, so that the document does not depend on the order in which features were added.
  const ordered = [...shown].sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
  for (const route of ordered) {
    const path = route.pattern.replace(/:([A-Za-z0-9_]+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route, schemas) };
  }
  const tags = [...new Set(shown.map(({ detail }) => detail.tags?.[0] as string))].sort();
  return {
    openapi: "3.1.0",
    info: {
      title: info.title,
      version: info.version,
      description: info.description,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "The server that gave out this document." }],
    tags: tags.map((name) => ({ name })),
    paths,
    components: {
      schemas: { ...schemas.components(), Problem: problemSchema, ProblemFault: problemFaultSchema },
      responses: problemResponses(),
      parameters: { IdempotencyKey: idempotencyParameter, IfMatch: ifMatchParameter },
      headers: { RequestId: requestIdHeader, IdempotencyReplayed: replayedHeader, ETag: etagHeader, ...limitHeaders },
      securitySchemes: {
        ApiKey: { type: "apiKey", in: "header", name: "X-API-Key", description: "A key: `bso_<id>_<secret>`." },
        Bearer: { type: "http", scheme: "bearer", description: "The same key as a bearer token." },
      },
    },
  };
}

function nameOf(route: Route): string {
  return `${route.pattern} ${route.method}`;
}

function operationOf(route: Route, schemas: SchemaBook): JsonObject {
  const { detail } = route;
  const isPublic = route.permission === "public";
  const needs = [
    needsOf(route.permission),
    ...(detail.deprecation
      ? [
          `Deprecated since ${detail.deprecation.since}; from ${detail.deprecation.sunset} on it may be gone. Use ${detail.deprecation.successor} instead.`,
        ]
      : []),
    ...(route.needsRecentSignIn
      ? ["The sign-in must not be older than five minutes, or be shown again (reauthenticate)."]
      : []),
  ].join(" ");
  const parameters = [
    ...parametersOf(route.parameters.params, "path", schemas),
    ...parametersOf(route.parameters.query, "query", schemas),
    ...(route.isIdempotent ? [{ $ref: "#/components/parameters/IdempotencyKey" }] : []),
    ...(detail.conditional && route.method !== "GET" ? [{ $ref: "#/components/parameters/IfMatch" }] : []),
  ];
  return {
    operationId: detail.operationId as string,
    summary: detail.summary as string,
    ...(detail.description || needs ? { description: [detail.description, needs].filter(Boolean).join("\n\n") } : {}),
    tags: detail.tags as string[],
    ...(route.deprecation && { deprecated: true }),
    security: isPublic ? [] : [{ ApiKey: [] }, { Bearer: [] }],
    ...(parameters.length > 0 && { parameters }),
    ...(route.body && {
      requestBody: {
        required: true,
        description: bodyDescription(route),
        content: {
          [bodyFormats.json]: mediaOf(route.body.schema, schemas, `${nameOf(route)} body`),
          ...(route.takesForm && { [formMediaType]: mediaOf(route.body.schema, schemas, `${nameOf(route)} body`) }),
          ...(route.tables &&
            !route.detail.answersJson &&
            tableContent(bodyTableDescription(route.tables), route.tables.examples)),
          ...(route.texts && textContent(route.texts)),
        },
      },
    }),
    responses: responsesOf(route, schemas),
  };
}

function needsOf(access: Access): string {
  switch (access) {
    case "public":
      return "";
    case "local_or_admin":
      return "Open to whoever asks from this machine itself, without a proxy between; else needs the permission `admin`.";
    case "authenticated":
      return "Takes any credential.";
    case "person":
      return "Needs somebody signed in, not a key.";
    case "person_or_admin_key":
      return "Needs somebody signed in, or a key with the permission `admin`.";
    default:
      return `Needs the permission \`${access}\`.`;
  }
}

function bodyDescription({ bodyBytesMax, tables, texts }: Route): string {
  const words = `At most ${bodyBytesMax} bytes, nested at most ${jsonDepthMax} deep.`;
  if (texts !== null)
    return `JSON: ${words} CSV and NDJSON: at most ${texts.bytesMax} bytes. Any may be compressed with gzip or zstd (Content-Encoding); sizes are those before.`;
  if (tables === null) return words;
  return `JSON: ${words} CSV, NDJSON and Arrow: at most ${tables.bytesMax} bytes and ${tables.rowsMax} rows. Any may be compressed with gzip or zstd (Content-Encoding); sizes are those before.`;
}

function bodyTableDescription({ columns }: TableDetail): string {
  return `The columns of the JSON body: ${Object.keys(columns).join(", ")}. The rest stands in the address.`;
}

/** What else than JSON a body or an answer may be: texts, and bytes that no schema describes. */
function tableContent(description: string, examples?: TableDetail["examples"]): JsonObject {
  const media = (format: keyof typeof wireFormats, binary: boolean) => ({
    schema: { type: "string", description, ...(binary && { format: "binary" }) },
    ...(examples && format !== "arrow" && { examples: { [format]: { value: examples[format] } } }),
  });
  return {
    [wireFormats.ndjson]: media("ndjson", false),
    [wireFormats.csv]: media("csv", false),
    [wireFormats.arrow]: media("arrow", true),
  };
}

function textContent({ formats }: TextDetail): JsonObject {
  return Object.fromEntries(
    textFormats.map((format) => [
      wireFormats[format],
      {
        schema: { type: "string", description: formats[format].description },
        examples: { [format]: { value: formats[format].example } },
      },
    ]),
  );
}

/** Said in headers because a table has no place for it. */
const tableHeaders: JsonObject = {
  "Engine-Version": { description: "The program's version.", schema: { type: "string" } },
  "Engine-Wasm-Sha256": { description: "SHA-256 of the kernel that computed this.", schema: { type: "string" } },
  "Inputs-Hash": { description: "SHA-256 of what was priced, where it was asked for.", schema: { type: "string" } },
  "Valuation-Time": {
    description: "The moment that all rows were valued at, where an expiry was given.",
    schema: { type: "string", format: "date-time" },
  },
};

/** Of routes that are to go; written out where there are any, so that a document without them does not know the words. */
const deprecationHeaders: JsonObject = {
  Deprecation: { description: "Since when: @ and seconds since 1970 (RFC 9745).", schema: { type: "string" } },
  Sunset: { description: "From when on it may be gone (RFC 8594).", schema: { type: "string" } },
  Link: { description: 'What takes its place: rel="successor-version".', schema: { type: "string" } },
};

function responsesOf(route: Route, schemas: SchemaBook): JsonObject {
  const responses: Record<string, Json> = {};
  const declared = Object.entries(route.responses);
  assert(declared.length > 0, `${nameOf(route)} declares no response`);
  for (const [status, schema] of declared) {
    const isEmpty = schema.type === "void";
    responses[status] = {
      description: descriptionOf(status, schema),
      headers: {
        "X-Request-Id": { $ref: "#/components/headers/RequestId" },
        ...(route.isIdempotent && { "Idempotency-Replayed": { $ref: "#/components/headers/IdempotencyReplayed" } }),
        ...(route.tables && tableHeaders),
        ...(route.detail.conditional && { ETag: { $ref: "#/components/headers/ETag" } }),
        ...(!route.isUnlimited && limitHeaderReferences),
        ...(route.deprecation && deprecationHeaders),
      },
      ...(!isEmpty && {
        content: {
          [route.detail.answerMedia ?? bodyFormats.json]: mediaOf(
            schema,
            schemas,
            `${nameOf(route)} response ${status}`,
          ),
          ...(route.tables && !route.detail.answersJson && tableContent("The columns of the JSON answer.")),
          ...Object.fromEntries(
            (route.detail.answerFormats ?? []).map((format) => [
              wireFormats[format],
              format === "arrow"
                ? {
                    schema: {
                      type: "string",
                      format: "binary",
                      description: "The fields of the JSON answer's data as columns.",
                    },
                  }
                : {
                    schema: {
                      type: "string",
                      description: "The fields of one of the JSON answer's data in each line.",
                    },
                  },
            ]),
          ),
        },
      }),
    };
  }
  for (const status of problemsOf(route)) {
    responses[status] ??= { $ref: `#/components/responses/${problemResponseName(status)}` };
  }
  return responses;
}

/** Every status a route answers with, as far as its declaration tells: its own and its problems'. */
export function statusesOf(route: Route): readonly string[] {
  return [...new Set([route.successStatus, ...Object.keys(route.responses), ...problemsOf(route)].map(String))];
}

/** The statuses the gate and the mapper may answer for a route, read off what it declares. */
function problemsOf(route: Route): readonly ProblemStatus[] {
  const hasParameters = route.parameters.params !== undefined || route.parameters.query !== undefined;
  const found: ProblemStatus[] = [400, 500];
  // Outside the limits is a route only for whom it lets in.
  if (!route.isUnlimited || route.permission !== "public") found.push(429, 503);
  // A guarded route refuses parameters that it does not know, and what it is to change may be in another state.
  if (route.permission !== "public") found.push(401, 403, 422);
  if (route.permission !== "public" && route.method !== "GET" && !route.permission.endsWith(":read")) found.push(409);
  // What is open to all and takes a body is a way in: it may refuse what it is shown.
  else if (route.body) found.push(401, 403, 409);
  if (route.parameters.params) found.push(404);
  if (route.body) found.push(411, 413, 415, 422);
  if (hasParameters) found.push(422);
  if (route.isIdempotent) found.push(409, 422);
  if (route.detail.conditional && route.method !== "GET") found.push(412);
  return [...new Set(found)].sort((one, other) => one - other);
}

function descriptionOf(status: string, schema: TSchema): string {
  if (typeof schema.description === "string") return schema.description;
  switch (status) {
    case "201":
      return "Made.";
    case "204":
      return "Done; there is nothing to tell.";
    default:
      return "Answered.";
  }
}

/** The schema by reference, with its examples where a reader of the operation sees them. */
function mediaOf(schema: TSchema, schemas: SchemaBook, where: string): JsonObject {
  const members = isUnionOfNamed(schema) ? (schema.anyOf as TSchema[]) : [schema];
  assert(
    members.every(({ $id }) => $id !== undefined),
    `${where}: the schema is not named; give it an $id`,
  );
  const examples = members.flatMap((member) =>
    ((member.examples ?? []) as Json[]).map((value, index, all) => ({
      name: all.length === 1 ? `${member.$id}` : `${member.$id}${index + 1}`,
      value,
    })),
  );
  return {
    schema: schemas.reference(schema),
    ...(examples.length > 0 && {
      examples: Object.fromEntries(examples.map(({ name, value }) => [name, { value }])),
    }),
  };
}

function parametersOf(schema: TSchema | undefined, place: "path" | "query", schemas: SchemaBook): JsonObject[] {
  const properties = Object.entries((schema?.properties ?? {}) as Record<string, TSchema>);
  return properties.map(([name, property]) => {
    const { description, ...rest } = schemas.inline(property) as Record<string, Json>;
    return {
      name,
      in: place,
      required: place === "path" || ((schema?.required ?? []) as string[]).includes(name),
      ...(description !== undefined && { description }),
      schema: rest,
    };
  });
}

function isUnionOfNamed(schema: TSchema): boolean {
  const members = schema.anyOf as TSchema[] | undefined;
  return schema.$id === undefined && members !== undefined && members.every(({ $id }) => $id !== undefined);
}

/** Gathers named schemas as they are met and writes each once. */
class SchemaBook {
  readonly #components = new Map<string, { readonly text: string; readonly json: Json }>();

  /** All named schemas, sorted by name. */
  components(): Record<string, Json> {
    const names = [...this.#components.keys()].sort();
    return Object.fromEntries(names.map((name) => [name, this.#components.get(name)!.json]));
  }

  /** A `$ref` to a named schema, `oneOf` over a union of named ones, the schema itself otherwise. */
  reference(schema: TSchema): Json {
    const name = schema.$id;
    if (name === undefined) return this.inline(schema);
    assert(/^[A-Z][A-Za-z0-9]*$/.test(name), `schema name ${name} is not PascalCase`);
    const text = JSON.stringify(schema);
    const known = this.#components.get(name);
    assert(known === undefined || known.text === text, `two different schemas are named ${name}`);
    if (known === undefined) {
      // Entered before it is written, so that a schema met within itself would not loop.
      this.#components.set(name, { text, json: null });
      this.#components.set(name, { text, json: this.inline(schema) });
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  /** The schema written out as JSON Schema 2020-12; only its named parts become references. */
  inline(schema: TSchema): Json {
    if (schema.anyOf) return this.#union(schema);
    const written: Record<string, Json> = {};
    for (const [key, value] of Object.entries(schema)) {
      switch (key) {
        case "$id":
          break;
        case "properties":
          written[key] = Object.fromEntries(
            Object.entries(value as Record<string, TSchema>).map(([name, child]) => [name, this.reference(child)]),
          );
          break;
        case "items":
          written[key] = this.reference(value);
          break;
        case "patternProperties": {
          // How TypeBox writes a record: one pattern for every key.
          const [values] = Object.values(value as Record<string, TSchema>);
          if (values) written.additionalProperties = this.reference(values);
          break;
        }
        case "additionalProperties":
          if (!("patternProperties" in schema)) written[key] = value as Json;
          break;
        default:
          written[key] = JSON.parse(JSON.stringify(value)) as Json;
      }
    }
    return written;
  }

  #union(schema: TSchema): Json {
    const { $id: _, anyOf, ...words } = schema;
    const members = anyOf as TSchema[];
    const isNull = (member: TSchema) => member.type === "null";
    const constants = members.filter((member) => "const" in member);
    const said = JSON.parse(JSON.stringify(words)) as JsonObject;
    if (constants.length === members.length) {
      const values = constants.map((member) => member.const as Json);
      const [type, ...others] = new Set(values.map((value) => typeof value));
      return { ...said, ...(others.length === 0 && { type: type as string }), enum: values };
    }
    if (isUnionOfNamed(schema)) return { ...said, oneOf: members.map((member) => this.reference(member)) };
    const written = members.map((member) => this.reference(member));
    const other = written[members.findIndex((member) => !isNull(member))] as JsonObject;
    if (members.length === 2 && members.some(isNull) && typeof other.type === "string" && !("enum" in other)) {
      return { ...said, ...other, type: [other.type, "null"] };
    }
    return { ...said, anyOf: written };
  }
}

const problemFaultSchema: JsonObject = {
  type: "object",
  description: "One fault inside the request.",
  required: ["pointer", "code", "detail"],
  properties: {
    pointer: { type: "string", description: "Where, as a JSON Pointer (RFC 6901) into the body." },
    code: { type: "string", description: "Which fault; stable." },
    detail: { type: "string", description: "The fault in words." },
  },
  additionalProperties: false,
};

const problemSchema: JsonObject = {
  type: "object",
  description: "Why a request failed (RFC 9457).",
  required: ["type", "title", "status", "detail", "instance", "code", "trace_id", "retryable", "errors", "error"],
  properties: {
    type: { type: "string", format: "uri", description: "The kind of problem; stable." },
    title: { type: "string", description: "The status in words." },
    status: { type: "integer", description: "The HTTP status." },
    detail: { type: "string", description: "This problem in words." },
    instance: { type: "string", format: "uri-reference", description: "The address asked for." },
    code: { type: "string", description: "The kind of problem as one word; stable." },
    trace_id: { type: "string", description: "Finds the request in the server's log." },
    retryable: { type: "boolean", description: "Whether the same request may succeed later." },
    errors: { type: "array", items: { $ref: "#/components/schemas/ProblemFault" } },
    error: { type: "string", description: "The same as detail, for simple clients." },
  },
  additionalProperties: false,
  examples: [
    {
      type: problemType("SCHEMA_INVALID"),
      title: problemTitles[422],
      status: 422,
      detail: "/spot is required",
      instance: "/api/v1/pricing/price",
      code: "SCHEMA_INVALID",
      trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
      retryable: false,
      errors: [{ pointer: "/spot", code: "REQUIRED", detail: "is required" }],
      error: "/spot is required",
    },
  ],
};

const problemDescriptions: Readonly<Record<ProblemStatus, string>> = {
  400: "The request is malformed: its host, its address or its body.",
  401: "No credentials, or none that hold.",
  403: "The credentials do not allow this.",
  404: "There is no such thing, or it is another user's.",
  405: "The address does not answer this method; Allow tells which it does.",
  409: "It conflicts with what is, or the first request with this Idempotency-Key still runs.",
  411: "A body is needed, and neither its length nor chunked transfer coding was sent.",
  412: "It was changed since If-Match's state was answered.",
  413: "The body is larger than the route takes.",
  415: "The body is of a media type, or under a coding, that the route does not take.",
  422: "Well-formed, but not what the schema or the rules allow.",
  426: "The address speaks another protocol.",
  429: "Too many requests; Retry-After tells when to come back.",
  500: "A fault of the server; the trace id finds it in the log.",
  503: "Not available now; Retry-After tells when to come back.",
};

/** Where a client stands with whatever limited it most; absent where nothing does. */
const limitHeaders: Readonly<Record<string, JsonObject>> = {
  "X-RateLimit-Limit": { description: "Requests that come back in a minute.", schema: { type: "integer" } },
  "X-RateLimit-Remaining": { description: "Requests that may follow at once.", schema: { type: "integer" } },
  "X-RateLimit-Reset": { description: "Seconds until all may that ever may at once.", schema: { type: "integer" } },
  "RateLimit-Policy": { description: "The same as a structured field: name, q, w.", schema: { type: "string" } },
  RateLimit: { description: "The same as a structured field: name, r, t.", schema: { type: "string" } },
};

const limitHeaderReferences: JsonObject = Object.fromEntries(
  Object.keys(limitHeaders).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
);

const headersOfProblem: Readonly<Partial<Record<ProblemStatus, JsonObject>>> = {
  401: { "WWW-Authenticate": { schema: { type: "string" }, description: "The ways to authenticate." } },
  429: { ...limitHeaderReferences, "Retry-After": { schema: { type: "integer" }, description: "Seconds." } },
  503: { "Retry-After": { schema: { type: "integer" }, description: "Seconds." } },
};

function problemResponseName(status: ProblemStatus): string {
  return `Problem${status}`;
}

function problemResponses(): JsonObject {
  const statuses = Object.keys(problemTitles).map(Number) as ProblemStatus[];
  // A method that an address does not answer belongs to no operation, so 405 is told in words only.
  return Object.fromEntries(
    statuses
      .filter((status) => status !== 405)
      .map((status) => [
        problemResponseName(status),
        {
          description: problemDescriptions[status],
          headers: { "X-Request-Id": { $ref: "#/components/headers/RequestId" }, ...headersOfProblem[status] },
          content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
        },
      ]),
  );
}

const idempotencyParameter: JsonObject = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description:
    "Names this request, so that sending it again within 24 hours gets the stored answer and makes nothing twice.",
  schema: {
    type: "string",
    minLength: 1,
    maxLength: 255,
    pattern: "^[\\x21-\\x7e]+$",
    examples: ["order-2026-01-02-1"],
  },
};

const ifMatchParameter: JsonObject = {
  name: "If-Match",
  in: "header",
  required: false,
  description: "The ETag of the state that is to be changed; where it is another one by now, nothing is done (412).",
  schema: { type: "string", maxLength: 1000, examples: ['"3"'] },
};

const etagHeader: JsonObject = {
  description: "Names the state that was answered.",
  schema: { type: "string" },
};

const requestIdHeader: JsonObject = {
  description: "Names this request in the server's log; a well-formed one that was sent comes back.",
  schema: { type: "string" },
};

const replayedHeader: JsonObject = {
  description: "`true` where the answer is the stored one of an earlier request.",
  schema: { type: "string", enum: ["true"] },
};
