// What http knows about one request, beside the request itself: the caller, the route, the idempotency ticket and
// the timings. Carried by the request itself under a symbol of this file, so that it dies with it and features need
// no Elysia plugin to ask; a WeakMap would do the same and cost the collector an entry a request.
// It must never outlive its request, and nothing in it is sent back but the id.

import type { Principal, RequestOrigin } from "../domain/principal";
import { assert, InvariantError } from "../foundation/assert";
import { BsoptError } from "../foundation/errors";
import type { IdempotencyTicket } from "../storage/idempotency";
import type { Trace } from "../telemetry/tracing";
import type { BodyLease } from "./body-budget";
import { sessionCookieIn } from "./credentials";
import type { LimitVerdict } from "./limits";
import { acceptedFormat, type BodyFormat } from "./media";
import type { Problem } from "./problem";
import type { Route } from "./routes";

/** Who asks, as another process has found out. */
export interface Vouched {
  readonly principal: Principal;
  readonly address: string;
}

export interface RequestContext {
  readonly startMilliseconds: number;
  readonly requestId: string;
  /** The Host header as sent, or null where an HTTP/1.0 client sent none. */
  readonly host: string | null;
  route: Route | null;
  /** Whose request it is: the socket's peer, or who stands behind trusted proxies; "" where there is no socket. */
  readonly clientAddress: string;
  /** Asked by this machine itself, as far as can be told: from a loopback address and through no proxy. */
  readonly isLocal: boolean;
  /** As Elysia routes it: raw, percent-encoded, without the query. */
  readonly path: string;
  /** The gate has let it through; without that no handler runs. */
  isAdmitted: boolean;
  /** Read and checked by the gate, held until the handler is given it. */
  body: unknown;
  /** What a table route holds until its answer has gone out. */
  bodyLease?: BodyLease;
  /** What a table's columns are views of, until it has been answered. */
  tableBytes?: Uint8Array;
  principal: Principal | null;
  /** Who asks, as another process has found out, which took the request and let it in. */
  readonly vouched: Vouched | null;
  /** Another process answers it: the body is held as it came. Settled once, by the gate. */
  isElsewhere: boolean;
  /** What the limits said of it; null: it counts nowhere. */
  limit: LimitVerdict | null;
  ticket: IdempotencyTicket | null;
  /** The ticket is marked as running in this process and must be released. */
  ticketHeld: boolean;
  readonly timings: { readonly name: string; readonly durationMilliseconds: number }[];
  /** How many options it priced, where a feature said so. */
  optionCount: number | null;
  traceId: string | null;
  /** Set where the request is followed. */
  trace: Trace | null;
  /** It has become a socket, and the runtime has answered. */
  isSwitched: boolean;
  /** The answer stands, but tells that the server is unavailable. */
  isUnavailable: boolean;
  /** What a handler threw, until the answer is made of it. */
  failure: { readonly error: unknown } | null;
  /** What it was refused with. */
  problem: Problem | null;
}

/** Who sent a request, as far as can be told; each is a call into the socket. */
export interface Peers {
  addressOf(received: Request): string;
  isLocal(received: Request, host: string | null): boolean;
}

/** A class for its getters: most requests never ask for their peer, and an object with getters of its own takes twice as long to make. */
export class ReceivedContext implements RequestContext {
  readonly startMilliseconds: number;
  readonly requestId: string;
  readonly host: string | null;
  readonly path: string;
  route: Route | null = null;
  isAdmitted = false;
  body: unknown = undefined;
  declare bodyLease?: BodyLease;
  declare tableBytes?: Uint8Array;
  principal: Principal | null = null;
  readonly vouched: Vouched | null;
  isElsewhere = false;
  limit: LimitVerdict | null = null;
  ticket: IdempotencyTicket | null = null;
  ticketHeld = false;
  readonly timings: RequestContext["timings"] = [];
  optionCount: number | null = null;
  traceId: string | null = null;
  trace: Trace | null = null;
  isSwitched = false;
  isUnavailable = false;
  failure: RequestContext["failure"] = null;
  problem: Problem | null = null;
  readonly #received: Request;
  readonly #peers: Peers;
  #address: string | null = null;

  constructor(
    received: Request,
    peers: Peers,
    known: Pick<RequestContext, "startMilliseconds" | "requestId" | "host" | "path" | "vouched">,
  ) {
    this.vouched = known.vouched;
    this.#received = received;
    this.#peers = peers;
    this.startMilliseconds = known.startMilliseconds;
    this.requestId = known.requestId;
    this.host = known.host;
    this.path = known.path;
  }

  get clientAddress(): string {
    this.#address ??= this.vouched?.address ?? this.#peers.addressOf(this.#received);
    return this.#address;
  }

  get isLocal(): boolean {
    return this.vouched === null && this.#peers.isLocal(this.#received, this.host);
  }
}

/** Where a request carries its context. */
const contextKey = Symbol("context");

type Carrier = Request & { [contextKey]?: RequestContext };

export function attachContext(request: Request, context: RequestContext): void {
  (request as Carrier)[contextKey] = context;
}

/** The context of a request this server is handling. */
export function contextOf(request: Request): RequestContext {
  const context = (request as Carrier)[contextKey];
  assert(context !== undefined, "this request did not come through the server");
  return context;
}

/** Who calls. Throws InvariantError on a public route, where nobody was asked. */
export function principalOf(request: Request): Principal {
  const { principal, route } = contextOf(request);
  if (principal === null) throw new InvariantError(`no principal on public route ${route?.pattern}`);
  return principal;
}

/** The session cookie a request was let in by. Throws BsoptError `unsupported` where it was let in by something else. */
export function sessionCookieOf(request: Request): string {
  const { credential } = principalOf(request);
  const cookie = sessionCookieIn(request.headers.get("cookie"));
  if (credential.kind === "login_session" && credential.via === "cookie" && cookie !== null) return cookie;
  throw new BsoptError({
    reason: "unsupported",
    code: "COOKIE_SESSION_NEEDED",
    detail: "Only a session by cookie has a CSRF token.",
  });
}

const userAgentLengthMax = 512;

/** Where a request comes from, for audit lines. */
export function originOf(request: Request): RequestOrigin {
  const { clientAddress } = contextOf(request);
  return {
    ipAddress: clientAddress === "" ? null : clientAddress,
    userAgent: request.headers.get("user-agent")?.slice(0, userAgentLengthMax) ?? null,
  };
}

/** The ticket of a request sent with an Idempotency-Key to a route that honours it; else null: the act just runs. */
export function idempotencyOf(request: Request): IdempotencyTicket | null {
  return contextOf(request).ticket;
}

const timingsMax = 16;

/** Adds `name;dur=` (a token, milliseconds) to the answer's Server-Timing. Past 16 entries it is dropped. */
export function recordTiming(request: Request, name: string, durationMilliseconds: number): void {
  const { timings, trace } = contextOf(request);
  trace?.part(name, "internal", durationMilliseconds);
  if (!/^[a-z][a-z0-9_-]*$/.test(name)) throw new InvariantError(`timing name ${name} is no token`);
  if (timings.length < timingsMax) timings.push({ name, durationMilliseconds });
}

/** Notes how many options a request priced, for the latencies that are told by size. */
export function recordOptions(request: Request, count: number): void {
  contextOf(request).optionCount = count;
}

/** The format that a request's Accept header wants an answer in; JSON where it wants none that there is. */
export function acceptedFormatOf(request: Request): BodyFormat {
  return acceptedFormat(request.headers.get("accept"));
}

/** Gives the answer to this request the status of an unavailable server, its body left as it is: for health routes. */
export function markUnavailable(request: Request): void {
  contextOf(request).isUnavailable = true;
}

/** The path exactly as Elysia takes it from an absolute address (its `standardHostname: false`): raw, without the query. */
export function pathOf(url: string): string {
  const start = url.indexOf("/", "http://".length);
  const end = url.indexOf("?", start + 1);
  return url.substring(start, end === -1 ? undefined : end);
}
