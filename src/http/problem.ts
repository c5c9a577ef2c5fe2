// The one place that knows HTTP's numbers for failure, and the one mapper from anything thrown to an RFC 9457
// problem document. Separate so that no feature ever names a status. It must never put into an answer a submitted
// value, a stack, or anything of the inside of a 500.

import type { TSchema } from "@sinclair/typebox";
import { ValidationError } from "elysia";
import { unreachable } from "../foundation/assert";
import { BsoptError, type FieldFault, type Reason } from "../foundation/errors";
import { faultsOf } from "./schema-faults";

/** Why http itself refuses a request, before any feature sees it. */
export type RefusalKind =
  | "malformed"
  | "unauthenticated"
  | "forbidden"
  | "route-unknown"
  | "method-wrong"
  | "conflict"
  | "length-missing"
  | "too-large"
  | "media-unsupported"
  | "schema-mismatch"
  | "too-many-requests"
  | "upgrade-needed"
  | "unavailable";

export interface RefusalOptions {
  readonly kind: RefusalKind;
  /** Stable, UPPER_SNAKE; part of the contract. */
  readonly code: string;
  /** Public sentence; never a submitted value. */
  readonly detail: string;
  /** Headers the status demands: Allow, WWW-Authenticate, Retry-After, Connection. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly faults?: readonly FieldFault[];
}

/** A request http refuses by itself. Thrown inside http only; features throw BsoptError. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly kind: RefusalKind;
  readonly code: string;
  readonly detail: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly faults: readonly FieldFault[];

  constructor(options: RefusalOptions) {
    super(options.detail);
    this.kind = options.kind;
    this.code = options.code;
    this.detail = options.detail;
    this.headers = options.headers ?? {};
    this.faults = options.faults ?? [];
  }
}

/** Everything an answer says about a failure; the wire document is made from it. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly code: string;
  readonly detail: string;
  readonly retryable: boolean;
  readonly faults: readonly FieldFault[];
  readonly headers: Readonly<Record<string, string>>;
}

/** Titles by status: the same words for every problem of one status (RFC 9457 section 3.1.4). */
export const problemTitles = {
  400: "Malformed request",
  401: "Not authenticated",
  403: "Not allowed",
  404: "Not found",
  405: "Method not allowed",
  409: "Conflict",
  411: "Length required",
  412: "Precondition failed",
  413: "Too large",
  415: "Unsupported media type",
  422: "Not processable",
  426: "Upgrade required",
  429: "Too many requests",
  500: "Internal error",
  503: "Unavailable",
} as const satisfies Record<number, string>;

/** What is answered where there is no route, or none by that method. */
export const unmatchedStatuses = [204, 400, 404, 405, 429, 500];

export type ProblemStatus = keyof typeof problemTitles;

/** The problem's type: a URN, so that it stays the same wherever the server stands. */
export function problemType(code: string): string {
  return `urn:bsopt:problem:${code.toLowerCase().replaceAll("_", "-")}`;
}

const pointerLengthMax = 256;
const instanceLengthMax = 512;
const faultsNamedInDetailMax = 3;

/** What the client is told about anything thrown. Unknown errors become a bare 500. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Refusal) {
    return problem(statusOfRefusal(error.kind), error.code, error.detail, error.faults, error.headers);
  }
  if (error instanceof BsoptError) {
    const status = statusOfReason(error.reason, error.retryAfterSeconds !== undefined);
    if (status === 500) return internalProblem;
    const headers: Record<string, string> = {};
    if (error.retryAfterSeconds !== undefined) headers["retry-after"] = String(Math.ceil(error.retryAfterSeconds));
    else if (status === 503) headers["retry-after"] = "1";
    if (status === 401) headers["www-authenticate"] = challenge;
    const told = problem(status, error.code, error.detail, error.faults, headers);
    return error.retryAfterSeconds === undefined ? told : { ...told, retryable: true };
  }
  if (error instanceof ValidationError && (error.type === "params" || error.type === "query")) {
    // Bodies are checked by the gate; these two are left to Elysia, which has unpacked them. Its message would echo them.
    const place = error.type === "params" ? "path" : "query";
    const faults = faultsOf((error.validator as { schema: TSchema }).schema, error.value).map((fault) => ({
      ...fault,
      pointer: `/${place}${fault.pointer}`,
    }));
    return problem(422, "SCHEMA_INVALID", detailOfFaults(faults), faults, {});
  }
  return internalProblem;
}

/** Whether an answer tells of a fault of this side. */
export function isServerFault(status: number): boolean {
  return status >= 500;
}

/** Which problems tell of somebody kept out: not proven, not allowed, or too often. */
export type DenialKind = "unauthenticated" | "forbidden" | "too-many-requests";

/** Which of them a problem is, or null: any other fault. */
export function denialOf({ status }: Problem): DenialKind | null {
  switch (status) {
    case 401:
      return "unauthenticated";
    case 403:
      return "forbidden";
    case 429:
      return "too-many-requests";
    default:
      return null;
  }
}

/** What a problem names as its place: the path, within a bound. */
export function instanceOf(path: string): string {
  return path.slice(0, instanceLengthMax);
}

/** A problem's document, with every field of the contract. */
export function problemText(told: Problem, context: { traceId: string; path: string }): string {
  return JSON.stringify({
    type: problemType(told.code),
    title: told.title,
    status: told.status,
    detail: told.detail,
    instance: instanceOf(context.path),
    code: told.code,
    trace_id: context.traceId,
    retryable: told.retryable,
    errors: told.faults.map((fault) => ({
      pointer: fault.pointer.slice(0, pointerLengthMax),
      code: fault.code,
      detail: fault.detail,
    })),
    error: told.detail,
  });
}

/** The answer for a problem, as `application/problem+json`. */
export function problemResponse(told: Problem, context: { traceId: string; path: string }): Response {
  return new Response(problemText(told, context), {
    status: told.status,
    headers: { ...told.headers, "content-type": "application/problem+json", "cache-control": "no-store" },
  });
}

/** The same answer as that of an unavailable server: a probe reads the number, a person the body. */
export function unavailableResponse(answer: Response): Response {
  const headers = new Headers(answer.headers);
  headers.set("retry-after", "1");
  return new Response(answer.body, { status: 503, headers });
}

/** What a 401 asks for. Two ways in, so two challenges. */
export const challenge = 'Bearer realm="bsopt", ApiKey realm="bsopt", header="X-API-Key"';

/** One sentence over a list of faults, naming the first few. */
export function detailOfFaults(faults: readonly FieldFault[]): string {
  const named = faults
    .slice(0, faultsNamedInDetailMax)
    .map((fault) => `${fault.pointer === "" ? "the body" : fault.pointer.slice(0, pointerLengthMax)} ${fault.detail}`);
  const rest = faults.length - named.length;
  return `${named.join("; ")}${rest > 0 ? `; and ${rest} more` : ""}`;
}

const internalProblem: Problem = {
  status: 500,
  title: problemTitles[500],
  code: "INTERNAL",
  detail: "Something failed inside the server; the trace id finds it in the log",
  retryable: false,
  faults: [],
  headers: {},
};

function problem(
  status: ProblemStatus,
  code: string,
  detail: string,
  faults: readonly FieldFault[],
  headers: Readonly<Record<string, string>>,
): Problem {
  const retryable = status === 429 || status === 503 || code === "IDEMPOTENCY_IN_PROGRESS";
  return { status, title: problemTitles[status], code, detail, retryable, faults, headers };
}

function statusOfRefusal(kind: RefusalKind): ProblemStatus {
  switch (kind) {
    case "malformed":
      return 400;
    case "unauthenticated":
      return 401;
    case "forbidden":
      return 403;
    case "route-unknown":
      return 404;
    case "method-wrong":
      return 405;
    case "conflict":
      return 409;
    case "length-missing":
      return 411;
    case "too-large":
      return 413;
    case "media-unsupported":
      return 415;
    case "schema-mismatch":
      return 422;
    case "too-many-requests":
      return 429;
    case "upgrade-needed":
      return 426;
    case "unavailable":
      return 503;
    default:
      return unreachable(kind);
  }
}

function statusOfReason(reason: Reason, hasRetryAfter: boolean): ProblemStatus {
  switch (reason) {
    case "invalid":
    case "missing-market-data":
    case "unsupported":
    case "calculation-failed":
      return 422;
    case "limit-breached":
      // A limit that time lifts is a rate; one that does not is a property of the request.
      return hasRetryAfter ? 429 : 422;
    case "not-found":
      return 404;
    case "unauthenticated":
      return 401;
    case "forbidden":
      return 403;
    case "conflict":
      return 409;
    case "outdated":
      return 412;
    case "unavailable":
      return 503;
    case "internal":
      return 500;
    default:
      return unreachable(reason);
  }
}
