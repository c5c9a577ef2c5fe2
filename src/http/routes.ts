// The gate's own table of routes, built once from the features'. The gate must decide about the very route Elysia will
// run, so both see the same raw path and this table refuses at start whatever the two could read differently:
// wildcards, optional parameters, overlapping patterns. It must never normalise a path.

import { TransformKind, type TSchema } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";
import type { AnyElysia, DocumentDecoration } from "elysia";
import { type Access, isAccess } from "../domain/permission";
import { assert } from "../foundation/assert";
import { BsoptError } from "../foundation/errors";
import { checkSuccessors, type Deprecation, readDeprecation } from "./deprecation";
import type { TableDetail, TextDetail } from "./route-detail";
import { unlimitedPlaces } from "./schema-limits";

export const routeMethods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
export type RouteMethod = (typeof routeMethods)[number];

export interface Route {
  readonly method: RouteMethod;
  /** As declared, e.g. /api/v1/api-keys/:id. */
  readonly pattern: string;
  readonly permission: Access;
  /** May change between two requests. */
  readonly bodyBytesMax: number;
  /** What else than JSON the route takes and gives; null: nothing. */
  readonly tables: TableDetail | null;
  /** What text the route takes and reads by itself; null: none. */
  readonly texts: TextDetail | null;
  /** The body may be a form as well as JSON. */
  readonly takesForm: boolean;
  readonly isIdempotent: boolean;
  /** Null: it stays. */
  readonly deprecation: Deprecation | null;
  /** What the handshake of a WebSocket asks for. */
  readonly isSocket: boolean;
  /** Only for whoever has shown the password or a code lately. */
  readonly needsRecentSignIn: boolean;
  /** Health routes answer whatever host a probe names. */
  readonly isHostExempt: boolean;
  /** Outside every limit: health routes and metrics. */
  readonly isUnlimited: boolean;
  readonly body: { readonly schema: TSchema; readonly fits: (value: unknown) => boolean } | null;
  /** What an answer's status is unless the handler names another: the only one declared, else 200. */
  readonly successStatus: number;
  /** Success status → schema. */
  readonly responses: Readonly<Record<string, TSchema>>;
  readonly parameters: { readonly params?: TSchema; readonly query?: TSchema };
  readonly detail: DocumentDecoration;
}

export interface RouteMatch {
  readonly methods: ReadonlyMap<string, Route>;
  /** The value of an Allow header. */
  readonly allow: string;
}

interface Pattern extends RouteMatch {
  readonly segments: readonly string[];
}

export interface RouteTable {
  readonly routes: readonly Route[];
  /** The methods known for a raw path, or null. Exact: no decoding, no trailing slash, no empty segment. */
  match(path: string): RouteMatch | null;
}

/** Paths that probes and balancers call with whatever host they like. */
const hostExemptPatterns: ReadonlySet<string> = new Set(["/health", "/liveness", "/readiness"]);

/** What watches the server must see it while it refuses others. */
const unlimitedPatterns: ReadonlySet<string> = new Set([...hostExemptPatterns, "/metrics"]);

/** How Elysia keeps a route, as far as this table reads it. */
interface DeclaredRoute {
  readonly method: string;
  readonly path: string;
  readonly hooks: {
    readonly detail?: DocumentDecoration;
    readonly body?: unknown;
    readonly params?: unknown;
    readonly query?: unknown;
    readonly response?: unknown;
  };
}

/**
 * The table of everything the features serve. It reads them before they are joined into one app, because joining
 * silently drops the first of two equal routes and writes into their schemas. Throws BsoptError `internal`: ROUTE_INCOMPLETE where a route declares no
 * permission, operation id, summary, single tag or response, or a deprecation that makes no sense; ROUTE_AMBIGUOUS where two overlap; ROUTE_UNSUPPORTED for shapes
 * the gate does not decide about; SCHEMA_UNLIMITED where something sent has no limit; SCHEMA_OPEN where an object schema does not say `additionalProperties: false`.
 */
export function buildRouteTable(features: readonly AnyElysia[], options: { requestBytesMax: number }): RouteTable {
  const routes = features.flatMap((feature) =>
    (feature.routes as readonly DeclaredRoute[]).map((declared) => readRoute(declared, options)),
  );
  const patterns = new Map<string, { segments: readonly string[]; methods: Map<string, Route> }>();
  const operationIds = new Set<string>();
  for (const route of routes) {
    const name = `${route.method} ${route.pattern}`;
    const known = patterns.get(route.pattern);
    if (known?.methods.has(route.method)) throw refuse("ROUTE_AMBIGUOUS", `${name} is declared twice`);
    if (known) known.methods.set(route.method, route);
    else
      patterns.set(route.pattern, {
        segments: route.pattern.split("/").slice(1),
        methods: new Map([[route.method, route]]),
      });
    const operationId = route.detail.operationId as string;
    if (operationIds.has(operationId)) throw refuse("ROUTE_AMBIGUOUS", `operation id ${operationId} is used twice`);
    operationIds.add(operationId);
  }
  checkSuccessors(routes);
  const fixed = new Map<string, Pattern>();
  const open: Pattern[] = [];
  for (const [pattern, { segments, methods }] of patterns) {
    const entry: Pattern = { segments, methods, allow: allowOf(methods) };
    if (segments.some((segment) => segment.startsWith(":"))) {
      for (const other of open) {
        if (overlaps(entry.segments, other.segments)) {
          throw refuse("ROUTE_AMBIGUOUS", `${pattern} and /${other.segments.join("/")} match the same paths`);
        }
      }
      open.push(entry);
    } else fixed.set(pattern, entry);
  }
  return {
    routes,
    match: (path) => fixed.get(path) ?? matchOpen(open, path),
  };
}

function matchOpen(open: readonly Pattern[], path: string): RouteMatch | null {
  if (open.length === 0) return null;
  const parts = path.split("/").slice(1);
  for (const pattern of open) {
    if (pattern.segments.length !== parts.length) continue;
    if (pattern.segments.every((segment, index) => accepts(segment, parts[index]!))) return pattern;
  }
  return null;
}

function accepts(segment: string, part: string): boolean {
  return segment.startsWith(":") ? part !== "" : segment === part;
}

function overlaps(one: readonly string[], other: readonly string[]): boolean {
  return (
    one.length === other.length &&
    one.every((segment, index) => segment.startsWith(":") || other[index]!.startsWith(":") || segment === other[index])
  );
}

function allowOf(methods: ReadonlyMap<string, Route>): string {
  const names = routeMethods.filter((method) => methods.has(method)) as string[];
  if (methods.has("GET")) names.splice(1, 0, "HEAD");
  return [...names, "OPTIONS"].join(", ");
}

function readRoute(declared: DeclaredRoute, options: { requestBytesMax: number }): Route {
  const name = `${declared.method} ${declared.path}`;
  const detail = declared.hooks.detail ?? {};
  if (!(routeMethods as readonly string[]).includes(declared.method)) {
    throw refuse("ROUTE_UNSUPPORTED", `${name}: the method is not one of ${routeMethods.join(", ")}`);
  }
  if (!/^(\/(:?[A-Za-z0-9._-]+))+$|^\/$/.test(declared.path)) {
    throw refuse("ROUTE_UNSUPPORTED", `${name}: only plain segments and :parameters can be routed`);
  }
  const permission = detail.permission;
  if (permission === undefined || !isAccess(permission)) {
    throw refuse("ROUTE_INCOMPLETE", `${name} declares no permission`, "give the route detail.permission");
  }
  if (detail.recentSignIn && permission !== "person" && permission !== "person_or_admin_key") {
    throw refuse("ROUTE_UNSUPPORTED", `${name} asks for a recent sign-in, and is not for people alone`);
  }
  if (!/^[a-z][A-Za-z0-9]*$/.test(detail.operationId ?? "")) {
    throw refuse("ROUTE_INCOMPLETE", `${name} declares no camelCase operationId`);
  }
  if (!detail.summary || detail.tags?.length !== 1) {
    throw refuse("ROUTE_INCOMPLETE", `${name} needs a summary and exactly one tag`);
  }
  if (detail.hide !== true && declared.hooks.response === undefined) {
    throw refuse("ROUTE_INCOMPLETE", `${name} declares no response`);
  }
  const body = schemaOf(declared.hooks.body, `${name} body`);
  const params = schemaOf(declared.hooks.params, `${name} params`);
  const query = schemaOf(declared.hooks.query, `${name} query`);
  const unlimited = [body, params, query].flatMap((schema, index) =>
    schema === null ? [] : unlimitedPlaces(schema, `${name} ${["body", "params", "query"][index]}`),
  );
  if (unlimited.length > 0) {
    throw refuse("SCHEMA_UNLIMITED", unlimited.slice(0, 5).join("; "), "whatever a client may send has a limit");
  }
  const responses = responsesOf(declared.hooks.response, name);
  const [onlyStatus, ...otherStatuses] = Object.keys(responses).filter((status) => status.startsWith("2"));
  return {
    method: declared.method as RouteMethod,
    pattern: declared.path,
    permission,
    get bodyBytesMax() {
      const { bodyBytesMax = options.requestBytesMax } = detail;
      return typeof bodyBytesMax === "number" ? bodyBytesMax : bodyBytesMax();
    },
    get tables() {
      return detail.tables?.() ?? null;
    },
    get texts() {
      return detail.texts?.() ?? null;
    },
    takesForm: detail.form === true,
    isIdempotent: detail.idempotent === true,
    deprecation: detail.deprecation ? readDeprecation(name, declared.path, detail.deprecation) : null,
    isSocket: detail.upgrade === true,
    needsRecentSignIn: detail.recentSignIn === true,
    isHostExempt: hostExemptPatterns.has(declared.path),
    isUnlimited: unlimitedPatterns.has(declared.path),
    body: body === null ? null : { schema: body, fits: compiledOnFirstUse(body) },
    successStatus: onlyStatus !== undefined && otherStatuses.length === 0 ? Number(onlyStatus) : 200,
    responses,
    parameters: { ...(params && { params }), ...(query && { query }) },
    detail,
  };
}

/** Compiling takes milliseconds a schema, which the start has not to spare and the first request does not feel. */
function compiledOnFirstUse(schema: TSchema): (value: unknown) => boolean {
  let check: TypeCheck<TSchema> | null = null;
  return (value) => {
    check ??= TypeCompiler.Compile(schema);
    return check.Check(value);
  };
}

function responsesOf(declared: unknown, name: string): Record<string, TSchema> {
  if (declared === undefined) return {};
  assert(typeof declared === "object" && declared !== null, `${name} response is not a schema`);
  if ("type" in declared || "anyOf" in declared) return { 200: schemaOf(declared, `${name} response`)! };
  return Object.fromEntries(
    Object.entries(declared).map(([status, schema]) => [status, schemaOf(schema, `${name} response ${status}`)!]),
  );
}

function schemaOf(declared: unknown, name: string): TSchema | null {
  if (declared === undefined || declared === null) return null;
  if (typeof declared !== "object") throw refuse("ROUTE_UNSUPPORTED", `${name} is not a TypeBox schema`);
  requireClosed(declared as TSchema, name);
  return declared as TSchema;
}

/** Unknown fields are refused because every object says so itself, at every level; and no text passes for a number. */
function requireClosed(schema: TSchema, name: string): void {
  if (TransformKind in schema) {
    throw refuse("ROUTE_UNSUPPORTED", `${name} turns one type into another`, "use TypeBox's own Type, not Elysia's t");
  }
  if (schema.type === "object" && schema.additionalProperties === undefined) {
    throw refuse("SCHEMA_OPEN", `${name} does not say additionalProperties`, "say additionalProperties: false");
  }
  for (const [key, child] of Object.entries((schema.properties ?? {}) as Record<string, TSchema>)) {
    requireClosed(child, `${name}/${key}`);
  }
  const lists = [schema.anyOf, schema.oneOf, schema.allOf, Array.isArray(schema.items) ? schema.items : []];
  for (const member of lists.flatMap((list) => (list ?? []) as TSchema[])) requireClosed(member, name);
  if (schema.items && !Array.isArray(schema.items)) requireClosed(schema.items, `${name}/items`);
  if (typeof schema.additionalProperties === "object") requireClosed(schema.additionalProperties, `${name}/*`);
}

function refuse(code: string, detail: string, hint?: string): BsoptError {
  return new BsoptError({ reason: "internal", code, detail, ...(hint !== undefined && { hint }) });
}
