// The HTTP server: one Elysia app made of the features' routes, the gate before it, the one error mapper behind it,
// and what every answer carries. The gate stands before Elysia, not in one of its hooks: Elysia reads a hook's source
// text to guess whether it returns anything, and a wrong guess would let every refused request through. Separate from app.ts, which decides what is served. It must never read a setting
// or the time by itself, and never let a body be read before the gate says so.

import { type AnyElysia, Elysia } from "elysia";
import type { HttpConfig } from "../config/config";
import type { Authenticator, Principal, RequestOrigin } from "../domain/principal";
import { assert, InvariantError } from "../foundation/assert";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import { RepeatCounter } from "../foundation/repeats";
import type { Trace, Tracing } from "../telemetry/tracing";
import { BodyBudget } from "./body-budget";
import { BodyPatience } from "./body-patience";
import { clientAddressRule, localRule } from "./client-address";
import { type CrossOrigin, crossOriginOf } from "./cross-origin";
import { setDeprecationHeaders } from "./deprecation";
import { documentRoutes } from "./documents";
import { createGate } from "./gate";
import { hostRule } from "./host";
import { type IdempotencyStore, RunningTickets, racedCode, replayOf } from "./idempotency";
import { type Limits, type LimitVerdict, noLimits, setLimitHeaders } from "./limits";
import type { DocumentInfo } from "./openapi";
import { createOverload } from "./overload";
import {
  type DenialKind,
  denialOf,
  isServerFault,
  type Problem,
  problemOf,
  problemResponse,
  unavailableResponse,
} from "./problem";
import { type Elsewhere, packedAnswer, relayedAnswer, takenRequest } from "./relay";
import {
  attachContext,
  contextOf,
  originOf,
  type Peers,
  pathOf,
  ReceivedContext,
  type RequestContext,
} from "./request-context";
import { buildRouteTable, type Route, type RouteTable } from "./routes";
import { createShedAnswer, shedCode } from "./shed-answer";
import type { Connection, Sockets } from "./socket";
import { finishedTable } from "./table-answer";
import { requestNames, traceParentOf } from "./trace";

export interface HttpServerOptions {
  readonly features: readonly AnyElysia[];
  readonly authenticator: Authenticator;
  readonly idempotencyStore: IdempotencyStore;
  readonly config: HttpConfig;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly documents: DocumentInfo;
  /** Where routes are answered that this process must not; left out, all are answered here. */
  readonly elsewhere?: Elsewhere;
  /** Default: nothing is limited. */
  readonly limits?: Limits;
  /** Makes sockets of requests that ask for one; left out, no route may be a handshake. */
  readonly sockets?: Sockets;
  /** Follows requests; left out, none is followed. */
  readonly tracing?: Tracing;
  /** Told of every answer; must return at once and never throw. */
  readonly onAnswered?: (answered: Answered) => void;
  /** Told of every error that nobody foresaw (500); must return at once and never throw. */
  readonly onFailed?: (failed: Failed) => void;
  /** Told of every request that was kept out; must return at once and never throw. */
  readonly onRefused?: (refused: Refused) => void;
}

/** What is told of an answer. */
export interface Answered {
  /** Null: nothing stands at the address, or it answers another method. */
  readonly route: Route | null;
  readonly method: string;
  readonly status: number;
  readonly requestId: string;
  /** The gate let it through. */
  readonly isAdmitted: boolean;
  /** Who asked, where that was proven. */
  readonly principal: Principal | null;
  readonly limit: LimitVerdict | null;
  /** What it was refused with. */
  readonly problem: Problem | null;
  /** How many options were priced, where the feature said so. */
  readonly optionCount: number | null;
  /** Time in the engine. */
  readonly engineMilliseconds: number;
  /** From the request's head to the answer, before its body is sent. */
  readonly milliseconds: number;
}

/** What is told of a request that met an error which nobody foresaw. */
export interface Failed {
  readonly error: unknown;
  /** The route's pattern; null: none was found. */
  readonly route: string | null;
  readonly traceId: string;
}

/** What is told of a request that was kept out. */
export interface Refused {
  readonly kind: DenialKind;
  readonly code: string;
  readonly method: string;
  /** The route's pattern: what was asked for, without the ids that were sent. Null: an address where nothing is. */
  readonly route: string | null;
  /** Who asked, where that was proven. */
  readonly userId: string | null;
  readonly origin: RequestOrigin;
}

export interface HttpServer {
  readonly app: AnyElysia;
  readonly routes: RouteTable;
  /** Opens the socket. Throws BsoptError `unavailable` LISTEN_FAILED where the address is taken or not ours. */
  listen(address: { host: string; port: number }): { url: string; port: number };
  /** Answers one request as the socket would; for tests and tools. */
  handle(request: Request): Promise<Response>;
  /** Answers what another process has taken and let in. */
  answerFor(request: Uint8Array): Promise<Uint8Array>;
  /** Compiles what requests would otherwise compile first, one schema a step, for a quiet moment after the start. */
  warmUp(): Generator<void, void, void>;
  /** Requests whose answer is being made. */
  readonly underWayCount: number;
  /** Requests that wait in line to be served. */
  readonly waitingCount: number;
  /** Requests refused for the load, before anything of them was looked at; onAnswered is not told of them. */
  readonly shedCount: number;
  /** True from the first moment of drain(). */
  readonly isDraining: boolean;
  /** Asks clients to leave, then stops listening and waits for the requests under way, up to the deadline. */
  drain(): Promise<void>;
}

/**
 * Bun answers an over-long declared body itself, before any handler, with a bare 413: an anonymous client would be
 * told so instead of 401. So its own limit is out of reach, and the gate and body.ts hold every route's limit.
 */
const serverBodyBytesMax = Number.MAX_SAFE_INTEGER;

/** Undefined: the request has become a socket. */
type Answering = Response | Promise<Response | undefined>;

/** What the runtime answers to a handshake. */
const switchedStatus = 101;

/** Seconds a connection may be silent; slow senders are cut sooner by Bun's own header timeout. */
const idleTimeoutSeconds = 10;

const answerHeaders: readonly (readonly [string, string])[] = [
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["referrer-policy", "no-referrer"],
];
const apiContentPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/**
 * Builds the server around the features. Throws BsoptError `internal` naming the route where one declares no
 * permission or could be routed in two ways (see routes.ts): a server that would guess does not start.
 */
export function createServer(options: HttpServerOptions): HttpServer {
  const { config, log, clock, random, idempotencyStore, tracing, sockets, elsewhere, onAnswered, onFailed, onRefused } =
    options;
  const names = requestNames(random);
  const overload = createOverload({
    clock,
    get requestsInFlightMax() {
      return config.requestsInFlightMax;
    },
    get turnMillisecondsMax() {
      return config.overloadTurnMilliseconds;
    },
    underWayCount: () => underWayCount,
  });
  const running = new RunningTickets();
  const unavailable = new RepeatCounter<object>({ windowMilliseconds: 10_000, kindCountMax: 100 });
  const crossOrigin = crossOriginOf(config);
  let socket: Bun.Server<Connection> | null = null;
  let isDraining = false;
  let underWayCount = 0;
  let shedCount = 0;
  const shedAnswer = createShedAnswer(names, [...answerHeaders, ["content-security-policy", apiContentPolicy]]);

  const features = [...options.features, documentRoutes({ info: options.documents, routes: () => routes.routes })];
  const routes = buildRouteTable(features, config);
  const limits = options.limits ?? noLimits;
  limits.prepare(routes.routes);
  const clientAddressOf = clientAddressRule(config.trustedProxies);
  const isLocal = localRule(config);
  const addressOf = (received: Request) => socket?.requestIP(received)?.address ?? "";
  const peers: Peers = {
    addressOf: (received) => clientAddressOf(addressOf(received), received.headers.get("x-forwarded-for")),
    isLocal: (received, host) => isLocal(addressOf(received), host, received.headers),
  };

  // Elysia reads and checks no body: the gate has, before routing.
  const app = new Elysia({
    // Else it routes from a fixed offset into the address, and a short Host shifts the path.
    handler: { standardHostname: false },
    strictPath: true,
    // Else it drops what an answer's schema does not know instead of failing the answer.
    normalize: false,
    precompile: false,
  })
    .onError({ as: "global" }, ({ request, error }) => {
      // The answer is made outside, where no half-set status or header of the handler can leak into it.
      contextOf(request).failure = { error };
      return new Response(null);
    })
    .derive({ as: "global" }, ({ request, route, set }) => {
      const context = contextOf(request);
      // Never seen to fail. If an upgrade of Elysia ever routes by other rules, nothing must run that was not admitted.
      if (!context.isAdmitted || context.route?.pattern !== route)
        throw new InvariantError(`gate and router disagree at ${route}`);
      set.status = context.route.successStatus;
      const { body } = context;
      context.body = undefined;
      return { body };
    })
    // The name of Elysia's parser that reads nothing; its types know it on single routes only.
    .onParse({ as: "global" }, { fn: "none" } as never);
  for (const feature of features) app.use(feature);
  assert(app.routes.length === routes.routes.length, "the app serves routes that the gate does not know");
  const gate = createGate({
    hosts: hostRule(config),
    routes,
    limits,
    authenticator: options.authenticator,
    crossOrigin,
    idempotencyStore,
    running,
    // Beside the event loop where it can be; done at once it would stop everyone for tens of milliseconds.
    bodyBudget: new BodyBudget(
      () => config.largeBodiesBytesMax,
      () => Bun.gc(false),
    ),
    bodyPatience: new BodyPatience(clock),
    ...(elsewhere && { isElsewhere: (route: Route) => elsewhere.has(route) }),
  });
  app.compile();

  function handle(received: Request): Answering {
    // Probes and the metrics are answered whatever the load: whoever watches must see it.
    if (overload.servesNow(underWayCount) || isAlwaysAnswered(pathOf(received.url))) return answered(received);
    const verdict = overload.wait(announcedBytes(received));
    return verdict === null
      ? shed(received)
      : verdict.then((word) => (word === "serve" ? answered(received) : shed(received)));
  }

  function isAlwaysAnswered(path: string): boolean {
    return routes.match(path)?.methods.get("GET")?.isUnlimited === true;
  }

  function shed(request: Request): Response {
    shedCount += 1;
    const { answer, requestId, traceId } = shedAnswer(request);
    if (isDraining) answer.headers.set("connection", "close");
    if (config.corsOrigins.length > 0) setCrossOrigin(answer.headers, request, crossOrigin);
    tellUnavailable(shedCode, { code: shedCode, trace_id: traceId, request_id: requestId, method: request.method });
    return answer;
  }

  async function answered(received: Request, vouched: RequestContext["vouched"] = null): Promise<Response | undefined> {
    const request = addressed(received);
    const hostHeader = request.headers.get("host");
    const context = new ReceivedContext(received, peers, {
      startMilliseconds: clock.monotonicMilliseconds(),
      requestId: names.requestId(request),
      // A request made inside this process has no Host header and is judged by its address instead.
      host: hostHeader ?? (request === received ? new URL(request.url).host : null),
      path: pathOf(request.url),
      vouched,
    });
    attachContext(request, context);
    underWayCount += 1;
    const trace = tracing?.begin(traceParentOf(request)) ?? null;
    context.trace = trace;
    context.traceId = trace?.traceId ?? null;
    let response: Response;
    try {
      response = trace
        ? await tracing!.run(trace, () => admittedAnswer(received, request, context))
        : ((await gate(request, context)) ?? (await admitted(received, request, context)));
      if (context.failure !== null) response = await failedOrReplayed(request, context);
      else if (context.isUnavailable) response = unavailableResponse(response);
    } catch (error) {
      response = failed(request, error);
    } finally {
      underWayCount -= 1;
      if (context.ticketHeld && context.ticket) running.release(context.ticket);
    }
    if (context.isSwitched) {
      const total = clock.monotonicMilliseconds() - context.startMilliseconds;
      const answer = { status: switchedStatus };
      if (context.trace !== null) endTrace(context.trace, answer, request, context, total);
      if (onAnswered) tellAnswer(answer, request, context, total, onAnswered);
      return undefined;
    }
    if (context.route?.tables) {
      if (response.ok && context.tableBytes) letGo(context.tableBytes);
      response = finishedTable(response, request, context.bodyLease);
    } else context.bodyLease?.release();
    return finished(response, request, context);
  }

  async function admittedAnswer(received: Request, request: Request, context: RequestContext): Promise<Response> {
    return (await gate(request, context)) ?? (await admitted(received, request, context));
  }
  function admitted(received: Request, request: Request, context: RequestContext): Response | Promise<Response> {
    if (context.route?.isSocket) return switched(received, request, context);
    return elsewhere && context.isElsewhere ? relayedAnswer(elsewhere, request, context) : app.fetch(request);
  }

  /** The runtime has answered the handshake by itself: what is returned here tells nobody anything. */
  function switched(received: Request, request: Request, context: RequestContext): Response {
    assert(sockets !== undefined && socket !== null, "a handshake came, and there are no sockets");
    sockets.upgrade(received, request, context);
    context.isSwitched = true;
    return new Response(null, { status: 204 });
  }

  /** A loser of a race between processes answers what the winner stored; every other failure is a problem. */
  async function failedOrReplayed(request: Request, context: RequestContext): Promise<Response> {
    const error = context.failure?.error;
    if (error instanceof BsoptError && error.code === racedCode && context.ticket) {
      try {
        const replay = await replayOf(idempotencyStore, context.ticket);
        if (replay) return replay;
      } catch (lookupError) {
        return failed(request, lookupError);
      }
    }
    return failed(request, error);
  }

  function failed(request: Request, error: unknown): Response {
    const context = contextOf(request);
    context.traceId ??= names.traceId(request);
    const told = problemOf(error);
    context.problem = told;
    // Work given up because the client has left is no failure of ours.
    const isGivenUp = request.signal.aborted && error instanceof BsoptError && error.reason === "unavailable";
    if (told.status >= 500 && !isGivenUp) {
      const fields = { error, code: told.code, trace_id: context.traceId, request_id: context.requestId };
      const line = { ...fields, route: context.route?.pattern, method: request.method };
      if (told.status === 500) {
        log.error(line, "request failed");
        onFailed?.({ error, route: context.route?.pattern ?? null, traceId: context.traceId });
      } else tellUnavailable(told.code, line);
    }
    if (onRefused) tellRefusal(request, context, told, onRefused);
    return problemResponse(told, { traceId: context.traceId, path: context.path });
  }

  /** What is refused for want of room comes in floods: the first is told at once, the others as a number. */
  function tellUnavailable(code: string, line: object): void {
    const now = clock.monotonicMilliseconds();
    tellRepeats(now);
    if (unavailable.isFirst(code, line, now)) log.error(line, "request failed");
  }

  function tellRepeats(now: number): void {
    for (const { value, count } of unavailable.takeEnded(now))
      log.error({ ...value, count }, "further requests failed");
  }

  /**
   * What a public route refuses (a wrong password) it records itself, with what only it knows; so does every feature with limits of its own.
   * Told here are the gate's.
   */
  function tellRefusal(
    request: Request,
    { route, principal, isAdmitted }: RequestContext,
    told: Problem,
    tell: (refused: Refused) => void,
  ): void {
    const kind = denialOf(told);
    if (kind === null) return;
    if (kind === "too-many-requests" ? isAdmitted : route?.permission === "public") return;
    tell({
      kind,
      code: told.code,
      method: request.method,
      route: route?.pattern ?? null,
      userId: principal?.userId ?? null,
      origin: originOf(request),
    });
  }

  function finished(response: Response, request: Request, context: RequestContext): Response {
    const { headers } = response;
    for (const [name, value] of answerHeaders) headers.set(name, value);
    if (!headers.has("content-security-policy")) headers.set("content-security-policy", apiContentPolicy);
    headers.set("x-request-id", context.requestId);
    if (context.principal !== null && !headers.has("cache-control")) headers.set("cache-control", "no-store");
    if (context.limit !== null) setLimitHeaders(headers, context.limit);
    if (context.route?.deprecation) {
      const { pattern, deprecation } = context.route;
      setDeprecationHeaders(headers, deprecation, { pattern, path: context.path });
    }
    if (config.corsOrigins.length > 0) setCrossOrigin(headers, request, crossOrigin);
    const total = clock.monotonicMilliseconds() - context.startMilliseconds;
    let timing = `total;dur=${toMicroseconds(total)}`;
    for (const part of context.timings) timing += `, ${part.name};dur=${toMicroseconds(part.durationMilliseconds)}`;
    headers.set("server-timing", timing);
    if (isDraining) headers.set("connection", "close");
    if (context.trace !== null) endTrace(context.trace, response, request, context, total);
    if (onAnswered) tellAnswer(response, request, context, total, onAnswered);
    return response;
  }

  function tellAnswer(
    { status }: Pick<Response, "status">,
    { method }: Request,
    context: RequestContext,
    milliseconds: number,
    tell: (answered: Answered) => void,
  ): void {
    const { route, requestId, isAdmitted, principal, limit, problem, optionCount } = context;
    let engineMilliseconds = 0;
    for (const part of context.timings) if (part.name === "engine") engineMilliseconds += part.durationMilliseconds;
    tell({
      route,
      method,
      status,
      requestId,
      isAdmitted,
      principal,
      limit,
      problem,
      optionCount,
      engineMilliseconds,
      milliseconds,
    });
  }

  /** What goes out where answering itself failed: never the runtime's own page. Who asked is not known here. */
  function lastAnswer(): Response {
    const unknown = new Request("http://localhost/");
    const answer = problemResponse(problemOf(null), { traceId: names.traceId(unknown), path: "" });
    for (const [name, value] of answerHeaders) answer.headers.set(name, value);
    answer.headers.set("content-security-policy", apiContentPolicy);
    answer.headers.set("x-request-id", names.requestId(unknown));
    answer.headers.set("server-timing", "total");
    return answer;
  }

  function listen(address: { host: string; port: number }): { url: string; port: number } {
    assert(socket === null, "listen() was called twice");
    try {
      socket = Bun.serve<Connection>({
        hostname: address.host,
        port: address.port,
        fetch: handle,
        error: lastAnswer,
        maxRequestBodySize: serverBodyBytesMax,
        idleTimeout: idleTimeoutSeconds,
        development: false,
        reusePort: config.reusePort,
        ...(sockets && { websocket: sockets.handler }),
      } as Bun.Serve.Options<Connection>);
    } catch (cause) {
      throw new BsoptError({
        reason: "unavailable",
        code: "LISTEN_FAILED",
        detail: `cannot listen on ${address.host} port ${address.port}`,
        hint: "another process may hold the port, or the address is not this machine's",
        cause,
      });
    }
    sockets?.attach(socket);
    app.server = socket as typeof app.server;
    return { url: socket.url.origin, port: socket.port ?? address.port };
  }

  async function drain(): Promise<void> {
    if (isDraining) return;
    isDraining = true;
    tellRepeats(Number.POSITIVE_INFINITY);
    if (socket === null) return;
    await Promise.all([clock.sleep(config.drainMilliseconds), sockets?.drain(config.drainMilliseconds)]);
    const stopping = socket.stop(false);
    const deadline = new AbortController();
    await Promise.race([stopping, clock.sleep(config.stopDeadlineMilliseconds, deadline.signal)]);
    deadline.abort();
    await socket.stop(true);
  }

  return {
    app,
    routes,
    listen,
    handle: async (request) => {
      const answer = await handle(request);
      assert(answer !== undefined, "a socket was made of a request that came over none");
      return answer;
    },
    async answerFor(bytes) {
      const { request, vouched } = takenRequest(bytes);
      return packedAnswer((await answered(request, vouched))!);
    },
    drain,
    *warmUp() {
      for (const { body } of routes.routes) {
        // No body is undefined, so this only compiles.
        body?.fits(undefined);
        yield;
      }
    },
    get underWayCount() {
      return underWayCount;
    },
    get waitingCount() {
      return overload.waitingCount;
    },
    get shedCount() {
      return shedCount;
    },
    get isDraining() {
      return isDraining;
    },
  };
}

/** OpenTelemetry's names for a request's span (semantic conventions for HTTP 1.x); nothing of who asked. */
function endTrace(
  trace: Trace,
  { status }: Pick<Response, "status">,
  { method }: Request,
  { route, requestId, problem, optionCount }: RequestContext,
  milliseconds: number,
): void {
  trace.end({
    name: route === null ? method : `${route.method} ${route.pattern}`,
    attributes: {
      "http.request.method": method,
      "http.response.status_code": status,
      ...(route && { "http.route": route.pattern }),
      ...(problem && { "error.type": problem.code }),
      ...(optionCount !== null && { "bsopt.options": optionCount }),
      "bsopt.request_id": requestId,
    },
    isFault: isServerFault(status),
    milliseconds,
  });
}

/**
 * A request whose Host cannot stand in an address arrives with a bare path for its URL, which nothing can route by.
 * It is given a stand-in address, and goes on without its body, so that the gate can judge the Host it sent.
 */
function addressed(request: Request): Request {
  const { url } = request;
  if (url.startsWith("http://") || url.startsWith("https://")) return request;
  const path = url.startsWith("/") ? url : "/";
  return new Request(`http://localhost${path}`, { method: request.method, headers: request.headers });
}

/** How large a body says it will be; null where it does not. */
function announcedBytes({ method, headers }: Request): number | null {
  if (method === "GET" || method === "HEAD") return 0;
  const bytes = Number(headers.get("content-length") ?? Number.NaN);
  return bytes >= 0 ? bytes : null;
}

const releasedBytesMin = 1_048_576;

/** Large arrays live until the next collection; these bytes are the greatest part of a request and go at once. */
function letGo({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength && byteLength > releasedBytesMin)
    buffer.transfer(0);
}

/** Milliseconds with three decimals, as toFixed(3) does; that takes far longer. */
function toMicroseconds(milliseconds: number): string {
  const count = Math.round(milliseconds * 1000);
  const [whole, rest] = [Math.floor(count / 1000), count % 1000];
  return `${whole}.${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}`;
}

function setCrossOrigin(headers: Headers, request: Request, crossOrigin: CrossOrigin): void {
  const origin = request.headers.get("origin");
  for (const [name, value] of Object.entries(crossOrigin.answerHeaders(origin))) {
    if (!headers.has(name)) headers.set(name, value);
    else if (name === "vary") headers.append(name, value);
  }
}
