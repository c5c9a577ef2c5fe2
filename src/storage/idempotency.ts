// The answers of requests sent with an Idempotency-Key, so that a repeated request gets the first one's answer and
// nothing is made twice. Separate from http because the answer is stored in the very transaction of the act: either
// both are kept or neither. Bodies come here with secrets already withheld.

import { and, eq, inArray, lt, sql } from "drizzle-orm";
import type { EpochMicroseconds } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import type { ReadDatabase, Tx } from "./bind";
import { isUniqueViolation } from "./database-error";
import { idempotencyAnswers } from "./table";

/** What makes a request "the same": who, where, the client's key; and the SHA-256 of its body to tell a reuse. */
export interface IdempotencyTicket {
  readonly principalId: string;
  readonly route: string;
  readonly key: string;
  readonly bodyHash: string;
}

export interface StoredAnswer {
  readonly status: number;
  /** JSON, secrets already withheld. */
  readonly body: string;
  /** Whom the body names (about.ts), so that erasing them finds it. */
  readonly about?: string;
}

/** How long answers are kept: 24 hours. */
export const answerKeptMicroseconds: EpochMicroseconds = 24n * 3600n * 1_000_000n;

const rowId = sql<bigint>`rowid`;

/** Rows one sweep deletes at most, so that it holds the writer for a few milliseconds only. */
export const sweepCountMax = 1000;

/**
 * Stores the answer as part of the act; does nothing where the request carried no key. Throws conflict
 * IDEMPOTENCY_RACED where another request under the same key was first, which undoes the act.
 */
export async function finish(tx: Tx, ticket: IdempotencyTicket | null, answer: StoredAnswer): Promise<void> {
  if (ticket === null) return;
  try {
    await tx.insert(idempotencyAnswers).values({ ...ticket, ...answer, createdAt: tx.nowMicroseconds });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new BsoptError({
      reason: "conflict",
      code: "IDEMPOTENCY_RACED",
      detail: "Another request with this Idempotency-Key was first; repeat the request to get its answer.",
      retryAfterSeconds: 1,
      cause: error,
    });
  }
}

/** The stored answer and its request's body hash, or null where there is none. */
export async function find(
  read: Pick<ReadDatabase, "select">,
  ticket: Omit<IdempotencyTicket, "bodyHash">,
): Promise<{ readonly bodyHash: string; readonly answer: StoredAnswer } | null> {
  const rows = await read
    .select({
      bodyHash: idempotencyAnswers.bodyHash,
      status: idempotencyAnswers.status,
      body: idempotencyAnswers.body,
    })
    .from(idempotencyAnswers)
    .where(
      and(
        eq(idempotencyAnswers.principalId, ticket.principalId),
        eq(idempotencyAnswers.route, ticket.route),
        eq(idempotencyAnswers.key, ticket.key),
      ),
    );
  const row = rows[0];
  return row ? { bodyHash: row.bodyHash, answer: { status: row.status, body: row.body } } : null;
}

/** Deletes up to sweepCountMax answers made before `madeBefore`, the oldest first; says how many. */
export async function sweep(tx: Tx, madeBefore: EpochMicroseconds): Promise<number> {
  const doomed = tx
    .select({ rowid: rowId })
    .from(idempotencyAnswers)
    .where(lt(idempotencyAnswers.createdAt, madeBefore))
    .orderBy(idempotencyAnswers.createdAt)
    .limit(sweepCountMax);
  const result = await tx.delete(idempotencyAnswers).where(inArray(rowId, doomed));
  return result.rowsAffected;
}
