// The SQL of tracked errors. Every function takes the database it works on.

import { and, asc, count, desc, eq, inArray, isNotNull, isNull, sql } from "drizzle-orm";
import type { PageMark } from "../../foundation/page-mark";
import type { ReadDatabase, Tx } from "../../storage/storage";
import { trackedErrors } from "./table";

export type TrackedRow = typeof trackedErrors.$inferSelect;

export async function findError(database: ReadDatabase | Tx, id: string): Promise<TrackedRow | null> {
  return (await database.select().from(trackedErrors).where(eq(trackedErrors.id, id)).limit(1))[0] ?? null;
}

export async function insertError(tx: Tx, row: TrackedRow): Promise<void> {
  await tx.insert(trackedErrors).values(row);
}

export async function updateError(tx: Tx, id: string, change: Partial<TrackedRow>): Promise<void> {
  await tx.update(trackedErrors).set(change).where(eq(trackedErrors.id, id));
}

/** A page, what was seen last first. */
export async function pageOfErrors(
  database: ReadDatabase,
  page: { isResolved?: boolean; after: PageMark | null; limit: number },
): Promise<TrackedRow[]> {
  const { isResolved, after, limit } = page;
  const { lastSeenAt, id, resolvedAt } = trackedErrors;
  return database
    .select()
    .from(trackedErrors)
    .where(
      and(
        isResolved === undefined ? undefined : isResolved ? isNotNull(resolvedAt) : isNull(resolvedAt),
        after === null ? undefined : sql`(${lastSeenAt}, ${id}) < (${after.createdAt}, ${after.id})`,
      ),
    )
    .orderBy(desc(lastSeenAt), desc(id))
    .limit(limit);
}

/** Deletes what is past so many rows: the resolved first, then what was not seen for longest. */
export async function keepAtMost(tx: Tx, countMax: number): Promise<void> {
  const [row] = await tx.select({ count: count() }).from(trackedErrors);
  const surplus = Number(row?.count ?? 0) - countMax;
  if (surplus <= 0) return;
  const doomed = tx
    .select({ id: trackedErrors.id })
    .from(trackedErrors)
    .orderBy(sql`${trackedErrors.resolvedAt} is null`, asc(trackedErrors.lastSeenAt))
    .limit(surplus);
  await tx.delete(trackedErrors).where(inArray(trackedErrors.id, doomed));
}
