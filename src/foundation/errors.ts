// The typed errors every room throws. One class, a closed list of reasons, a stable code.
// Only http/problem.ts and the command line turn these into numbers people see; nothing here
// knows HTTP. `detail` is public: never put a secret, a submitted value or an SQL text in it.

export const reasons = [
  "invalid",
  "not-found",
  "unauthenticated",
  "forbidden",
  "conflict",
  "outdated",
  "limit-breached",
  "missing-market-data",
  "unsupported",
  "calculation-failed",
  "unavailable",
  "internal",
] as const;

/** Why something failed, from a closed list; http maps each to one status. */
export type Reason = (typeof reasons)[number];

/** One fault inside a larger input: where (RFC 6901 pointer), which, and in words. */
export interface FieldFault {
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

export interface BsoptErrorOptions {
  readonly reason: Reason;
  /** Stable, UPPER_SNAKE; part of the contract. */
  readonly code: string;
  /** Public sentence. */
  readonly detail: string;
  /** What an operator can do about it; printed by commands and logs, not sent to clients. */
  readonly hint?: string;
  readonly cause?: unknown;
  readonly faults?: readonly FieldFault[];
  /** Seconds after which a retry makes sense; makes the error retryable. */
  readonly retryAfterSeconds?: number;
}

/** The error every room throws when the cause lies outside the code (see foundation/assert for our own mistakes). */
export class BsoptError extends Error {
  override readonly name = "BsoptError";
  readonly reason: Reason;
  readonly code: string;
  readonly detail: string;
  readonly hint: string | undefined;
  readonly faults: readonly FieldFault[];
  readonly retryAfterSeconds: number | undefined;

  constructor(options: BsoptErrorOptions) {
    super(options.detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = options.reason;
    this.code = options.code;
    this.detail = options.detail;
    this.hint = options.hint;
    this.faults = options.faults ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}
