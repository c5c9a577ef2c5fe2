// Every decision about a request before its handler runs, in the contract's order: host, route, address limit,
// authentication, permission, principal's limit, size, parse, schema, idempotency. What comes before "size" is
// decided before a byte of the body is read. It runs before Elysia does, on the very path Elysia then routes by, so it
// depends on none of Elysia's guards. It must never know a feature.

import { TextBody, textFormats } from "../adapters/tabular/text-body";
import { readWireTable } from "../adapters/tabular/wire";
import { recentArrowSchemas } from "../adapters/tabular/wire-arrow";
import type { Access } from "../domain/permission";
import { type Authenticator, isAdmitted, type Principal } from "../domain/principal";
import { assert } from "../foundation/assert";
import { BsoptError, type FieldFault } from "../foundation/errors";
import { nextTurn } from "../foundation/turn";
import { extentOf, parseJson, readBody, requireFormat, requireJsonMediaType } from "./body";
import type { BodyBudget } from "./body-budget";
import type { BodyPatience } from "./body-patience";
import { credentialsOf } from "./credentials";
import type { CrossOrigin } from "./cross-origin";
import { isForm, parseForm } from "./form";
import type { HostRule } from "./host";
import { hashOfRequest, type IdempotencyStore, type RunningTickets, readKey, replayOf } from "./idempotency";
import type { Limits, LimitVerdict } from "./limits";
import { type BodyFormat, bodyFormats, formatOfContentType } from "./media";
import { detailOfFaults, Refusal } from "./problem";
import type { RequestContext } from "./request-context";
import type { TableDetail, TextDetail } from "./route-detail";
import type { Route, RouteMatch, RouteTable } from "./routes";
import { faultsMax, faultsOf } from "./schema-faults";
import { requireUpgrade, socketCredentialsOf } from "./socket-upgrade";

export interface GateOptions {
  readonly hosts: HostRule;
  readonly routes: RouteTable;
  readonly limits: Limits;
  readonly authenticator: Authenticator;
  readonly crossOrigin: CrossOrigin;
  readonly idempotencyStore: IdempotencyStore;
  readonly running: RunningTickets;
  readonly bodyBudget: BodyBudget;
  readonly bodyPatience: BodyPatience;
  /** Another process answers the route: its body is read here and judged there. */
  readonly isElsewhere?: (route: Route) => boolean;
}

/** Undefined: the handler may run, and the context says so. A response: the answer is known already. Throws Refusal or BsoptError. */
export type Gate = (request: Request, context: RequestContext) => Promise<Response | undefined>;

export function createGate(options: GateOptions): Gate {
  const { hosts, routes, limits, authenticator, crossOrigin, idempotencyStore, running, bodyBudget, bodyPatience } =
    options;

  const arrowSchemas = recentArrowSchemas();

  return async function decide(request, context) {
    const { headers } = request;
    const { path } = context;

    const match = routes.match(path);
    const isProbe = match?.methods.get("GET")?.isUnlimited === true;
    let route: Route;
    try {
      // Only the exemption is read from the route here; that the route exists at all is told after the host is judged.
      if (context.vouched === null) hosts(context.host, match?.methods.get("GET")?.isHostExempt === true);
      if (match === null) {
        throw new Refusal({ kind: "route-unknown", code: "ROUTE_UNKNOWN", detail: "There is nothing at this address" });
      }
      if (request.method === "OPTIONS") {
        if (!isProbe) await countAddress(context, null);
        return answerOptions(match, headers.get("origin"), crossOrigin);
      }
      route = routeFor(match, request.method);
      requireDecodable(path);
    } catch (error) {
      // Told as it is, since it costs nothing to tell, and counted: who asks for nothing that exists comes to his limit.
      if (!isProbe && context.limit === null) context.limit = await limits.byAddress(context, null);
      throw error;
    }
    context.route = route;
    // Asked before anything is waited for: whoever closes the connection early must not be without address in the audit.
    if (!isReading(route)) void context.clientAddress;

    if (context.vouched !== null) vouchedFor(context, route, context.vouched.principal);
    else if (route.permission === "public") await countAddress(context, route);
    else if (route.permission !== "local_or_admin" || !context.isLocal) await admitted(request, context, route);

    if (options.isElsewhere?.(route) === true) {
      context.isElsewhere = true;
      if (route.body !== null) context.body = await bytesOf(request, route, context);
      context.isAdmitted = true;
      return undefined;
    }
    if (route.tables !== null) context.body = await tableOrJson(request, route, route.tables, context);
    else if (route.texts !== null) context.body = await textOrJson(request, route, route.texts, context);
    else if (route.body !== null) context.body = await bodyFor(request, route, context);
    requireKnownQuery(request, route);
    if (route.isSocket) requireUpgrade(request);
    if (route.isIdempotent && context.principal !== null) {
      const replay = await hold(request, context, context.principal);
      if (replay) return replay;
    }
    context.isAdmitted = true;
    return undefined;
  };

  /** Who asks was found out, and counted, where the request came in. */
  function vouchedFor(context: RequestContext, route: Route, principal: Principal): void {
    context.principal = principal;
    if (isAdmitted(principal, route.permission)) return;
    throw new Refusal({ kind: "forbidden", code: "PERMISSION_MISSING", detail: detailOfMissing(route.permission) });
  }

  /** The body as it came, for another process. Throws 411 and 413. */
  function bytesOf(request: Request, route: Route, context: RequestContext): Promise<Uint8Array> {
    const lease = bodyBudget.lease();
    context.bodyLease = lease;
    const isJson = (formatOfContentType(request.headers.get("content-type")) ?? "json") === "json";
    const bytesMax = isJson ? null : (route.tables?.bytesMax ?? route.texts?.bytesMax ?? null);
    const bound = bytesMax === null ? route : { bodyBytesMax: bytesMax };
    return readBody(request, bound, extentOf(request, bound), { lease, patience: bodyPatience });
  }

  /** Takes a token of the address. Throws 429 where there is none. */
  async function countAddress(context: RequestContext, route: Route | null): Promise<void> {
    requireAllowed(context, await limits.byAddress(context, route));
  }

  /** Who asks, if he may and not too often. Throws 429, 401 or 403; what fails here counts by address. */
  async function admitted(request: Request, context: RequestContext, route: Route): Promise<void> {
    let credential = "";
    // What is outside the limits is so for whom it lets in: nobody may try keys there without end.
    const counted = route.isUnlimited ? null : route;
    let principal: Principal;
    try {
      const credentials = route.isSocket ? socketCredentialsOf(request, context) : credentialsOf(request, context);
      const { apiKey, bearerToken, sessionCookie, ticket } = credentials;
      credential = apiKey ?? bearerToken ?? sessionCookie ?? ticket ?? "";
      const spent = limits.spentAddress(context);
      const verdict = spent instanceof Promise ? await spent : spent;
      if (verdict !== null && !limits.mayBeClassed(context, credential)) requireAllowed(context, verdict);
      principal = await authenticator.authenticate(credentials);
    } catch (error) {
      if (context.limit === null) await countAddress(context, counted);
      throw error;
    }
    // Before it is known whether it is let in: whoever is not, is named where refusals are told.
    context.principal = principal;
    if (!isAdmitted(principal, route.permission)) {
      await countAddress(context, counted);
      throw new Refusal({ kind: "forbidden", code: "PERMISSION_MISSING", detail: detailOfMissing(route.permission) });
    }
    const verdict = limits.byPrincipal(principal, context, route, credential);
    requireAllowed(context, verdict instanceof Promise ? await verdict : verdict);
    if (!route.needsRecentSignIn || principal.credential.kind !== "login_session") return;
    assert(
      authenticator.requireRecentSignIn !== undefined,
      `nobody can say who signed in lately, for ${route.pattern}`,
    );
    await authenticator.requireRecentSignIn(principal);
  }

  /** Marks a keyed request as running; its stored answer where it ran before. */
  async function hold(request: Request, context: RequestContext, principal: Principal): Promise<Response | null> {
    const key = readKey(request);
    if (key === null) return null;
    const search = request.url.includes("?") ? request.url.slice(request.url.indexOf("?")) : "";
    const ticket = {
      principalId: principal.userId,
      route: `${request.method} ${context.path}`,
      key,
      bodyHash: hashOfRequest(search, context.body),
    };
    running.hold(ticket);
    context.ticket = ticket;
    context.ticketHeld = true;
    return replayOf(idempotencyStore, ticket);
  }

  /** The body as its schema wants it. Throws 411, 413, 415, 400 or 422, in this order. */
  async function bodyFor(request: Request, route: Route, context: RequestContext): Promise<unknown> {
    const extent = extentOf(request, route);
    const takesForm = route.takesForm && isForm(request);
    if (!takesForm) requireJsonMediaType(request);
    const lease = bodyBudget.lease();
    context.bodyLease = lease;
    const bytes = await readBody(request, route, extent, { lease, patience: bodyPatience });
    return fitting(takesForm ? parseForm(bytes) : parseJson(bytes), route);
  }

  /** The same where the body may be text: JSON as its schema wants it, or a TextBody. Also throws 503. */
  async function textOrJson(
    request: Request,
    route: Route,
    texts: TextDetail,
    context: RequestContext,
  ): Promise<unknown> {
    const lease = bodyBudget.lease();
    context.bodyLease = lease;
    const claimed = formatOfContentType(request.headers.get("content-type")) ?? "json";
    const bound = claimed === "json" ? route : { bodyBytesMax: texts.bytesMax };
    const extent = extentOf(request, bound);
    const { format, coding } = requireFormat(request, ["json", ...textFormats]);
    const bytes = await readBody(request, bound, extent, { coding, lease, patience: bodyPatience });
    return format === "json" ? fitting(parseJson(bytes), route) : new TextBody(format, bytes);
  }

  /** The same where the body may be a table: JSON as its schema wants it, or a WireTable of known columns. Also throws 503. */
  async function tableOrJson(
    request: Request,
    route: Route,
    tables: TableDetail,
    context: RequestContext,
  ): Promise<unknown> {
    const lease = bodyBudget.lease();
    context.bodyLease = lease;
    // Which limit holds depends on what the body says it is; that it is nothing known is told after its size.
    const claimed = formatOfContentType(request.headers.get("content-type")) ?? "json";
    const bound = claimed === "json" ? route : { bodyBytesMax: tables.bytesMax };
    const extent = extentOf(request, bound);
    const { format, coding } = requireFormat(request, allFormats);
    const bytes = await readBody(request, bound, extent, { coding, lease, patience: bodyPatience });
    if (format === "json") return fitting(parseJson(bytes), route);
    context.tableBytes = bytes;
    try {
      return await readWireTable(format, bytes, tables.columns, tables, nextTurn, arrowSchemas);
    } catch (error) {
      // Bytes that are not what they say are told without a place; a table of a wrong shape with one for each fault.
      if (error instanceof BsoptError && error.reason === "invalid" && error.faults.length === 0) {
        throw new Refusal({ kind: "malformed", code: error.code, detail: error.detail });
      }
      throw error;
    }
  }
}

/** In the order in which a refusal names them. */
const allFormats = Object.keys(bodyFormats) as BodyFormat[];

function fitting(value: unknown, { body }: Route): unknown {
  if (body === null || body.fits(value)) return value;
  const faults = faultsOf(body.schema, value);
  throw new Refusal({ kind: "schema-mismatch", code: "SCHEMA_INVALID", detail: detailOfFaults(faults), faults });
}

/**
 * A parameter sent twice means two things to two readers; one that a guarded route does not take may be a typo that
 * would answer something else than was asked. Both are 422. Values are checked where Elysia unpacks them.
 */
function requireKnownQuery(request: Request, route: Route): void {
  const start = request.url.indexOf("?");
  if (start === -1 || route.permission === "public") return;
  const known = (route.parameters.query?.properties ?? {}) as object;
  const faults = new Map<string, FieldFault>();
  const seen = new Set<string>();
  for (const name of new URLSearchParams(request.url.slice(start)).keys()) {
    const pointer = `/query/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (!Object.hasOwn(known, name)) {
      faults.set(name, { pointer, code: "UNKNOWN_FIELD", detail: "is not a parameter of this request" });
    } else if (seen.has(name)) faults.set(name, { pointer, code: "REPEATED", detail: "is sent more than once" });
    seen.add(name);
    if (faults.size >= faultsMax) break;
  }
  if (faults.size === 0) return;
  const found = [...faults.values()];
  throw new Refusal({ kind: "schema-mismatch", code: "SCHEMA_INVALID", detail: detailOfFaults(found), faults: found });
}

function detailOfMissing(access: Access): string {
  switch (access) {
    case "local_or_admin":
      return "This needs the permission admin, but for this machine itself";
    case "person":
      return "This needs somebody signed in, not a key";
    case "person_or_admin_key":
      return "This needs somebody signed in, or a key with the permission admin";
    default:
      return `This needs the permission ${access}`;
  }
}

function routeFor(match: RouteMatch, method: string): Route {
  const route = match.methods.get(method === "HEAD" ? "GET" : method);
  if (route) return route;
  throw new Refusal({
    kind: "method-wrong",
    code: "METHOD_NOT_ALLOWED",
    detail: `This address answers ${match.allow}`,
    headers: { allow: match.allow },
  });
}

function answerOptions(match: RouteMatch, origin: string | null, crossOrigin: CrossOrigin): Response {
  return new Response(null, {
    status: 204,
    headers: { allow: match.allow, ...crossOrigin.preflightHeaders(origin, match.allow) },
  });
}

/** Elysia hands a parameter it cannot decode to the handler as null; such a path is refused instead. */
function requireDecodable(path: string): void {
  if (!path.includes("%")) return;
  try {
    decodeURIComponent(path);
  } catch {
    throw new Refusal({ kind: "malformed", code: "PATH_MALFORMED", detail: "The address is not properly encoded" });
  }
}

/** Notes what the limits said, for the answer's headers. Throws 429 where they refuse. */
function requireAllowed(context: RequestContext, verdict: LimitVerdict | null): void {
  context.limit = verdict;
  if (verdict === null || verdict.decision.allowed) return;
  throw new Refusal({
    kind: "too-many-requests",
    code: "RATE_LIMITED",
    detail: "Too many requests; retry after the time the answer names",
    headers: { "retry-after": String(Math.max(1, verdict.decision.retryAfterSeconds)) },
  });
}

/** It writes nothing, so nobody asks later where it came from. */
function isReading({ method, permission }: Route): boolean {
  return method === "GET" || permission.endsWith(":read");
}
