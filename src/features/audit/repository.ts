// The audit log's statements. Rows of events are inserted and, by retention, cut off at the old end; nothing here changes one.

import { and, desc, eq, inArray, isNull } from "drizzle-orm";
import type { Tx } from "../../storage/storage";
import type { ChainMark } from "./rules";
import { auditCheckpoints, auditEvents, auditPersonal } from "./table";

/** What the next row follows: the last row, or, where retention has taken all, the checkpoint. Null: there was never one. */
export async function endOfChain(tx: Tx): Promise<ChainMark | null> {
  const rows = await tx
    .select({ id: auditEvents.id, hash: auditEvents.hash })
    .from(auditEvents)
    .orderBy(desc(auditEvents.id))
    .limit(1);
  if (rows[0]) return rows[0];
  const cut = await tx
    .select({ id: auditCheckpoints.eventId, hash: auditCheckpoints.hash })
    .from(auditCheckpoints)
    .orderBy(desc(auditCheckpoints.eventId))
    .limit(1);
  return cut[0] ?? null;
}

export async function insertEvent(
  tx: Tx,
  event: typeof auditEvents.$inferInsert,
  personal: Omit<typeof auditPersonal.$inferInsert, "eventId">,
): Promise<void> {
  await tx.insert(auditEvents).values(event);
  await tx.insert(auditPersonal).values({ ...personal, eventId: event.id });
}

/** Blanks what names a person in that user's events; says in how many. */
export async function blankPersonal(tx: Tx, userId: string, now: bigint): Promise<number> {
  const theirs = tx.select({ id: auditEvents.id }).from(auditEvents).where(eq(auditEvents.userId, userId));
  const result = await tx
    .update(auditPersonal)
    .set({ salt: "", ipAddress: null, userAgent: null, further: null, erasedAt: now })
    .where(and(inArray(auditPersonal.eventId, theirs), isNull(auditPersonal.erasedAt)));
  return result.rowsAffected;
}
