// Subscriptions' SQL. Every function takes the database it works on; nothing here decides anything.

import { and, asc, count, desc, eq, sql } from "drizzle-orm";
import type { PageMark } from "../../foundation/page-mark";
import type { ReadDatabase, Tx } from "../../storage/storage";
import { subscriptions } from "./table";

export type SubscriptionRow = typeof subscriptions.$inferSelect;

export async function insertRow(tx: Tx, row: SubscriptionRow): Promise<void> {
  await tx.insert(subscriptions).values(row);
}

/** The row in which an account wants just that already, or null. */
export async function findSame(
  tx: Tx,
  { userId, accountId, fingerprint }: Pick<SubscriptionRow, "userId" | "accountId" | "fingerprint">,
): Promise<SubscriptionRow | null> {
  const rows = await tx
    .select()
    .from(subscriptions)
    .where(
      and(
        eq(subscriptions.userId, userId),
        eq(subscriptions.accountId, accountId),
        eq(subscriptions.fingerprint, fingerprint),
      ),
    )
    .limit(1);
  return rows[0] ?? null;
}

export async function findRow(
  database: Pick<ReadDatabase | Tx, "select">,
  { userId, id }: Pick<SubscriptionRow, "userId" | "id">,
): Promise<SubscriptionRow | null> {
  const rows = await database
    .select()
    .from(subscriptions)
    .where(and(eq(subscriptions.id, id), eq(subscriptions.userId, userId)))
    .limit(1);
  return rows[0] ?? null;
}

export async function countOf(tx: Tx, userId: string): Promise<number> {
  const rows = await tx.select({ count: count() }).from(subscriptions).where(eq(subscriptions.userId, userId));
  return Number(rows[0]?.count ?? 0);
}

export async function deleteRow(tx: Tx, id: string): Promise<void> {
  await tx.delete(subscriptions).where(eq(subscriptions.id, id));
}

export async function deleteAllOf(tx: Tx, userId: string): Promise<void> {
  await tx.delete(subscriptions).where(eq(subscriptions.userId, userId));
}

/** A page of one user's, newest first. */
export async function pageOfRows(
  database: ReadDatabase,
  page: { userId: string; accountId?: string; underlying?: string; after: PageMark | null; limit: number },
): Promise<SubscriptionRow[]> {
  const { userId, accountId, underlying, after, limit } = page;
  return database
    .select()
    .from(subscriptions)
    .where(
      and(
        eq(subscriptions.userId, userId),
        accountId === undefined ? undefined : eq(subscriptions.accountId, accountId),
        underlying === undefined ? undefined : eq(subscriptions.underlying, underlying),
        after === null
          ? undefined
          : sql`(${subscriptions.createdAt}, ${subscriptions.id}) < (${after.createdAt}, ${after.id})`,
      ),
    )
    .orderBy(desc(subscriptions.createdAt), desc(subscriptions.id))
    .limit(limit);
}

/** Everybody's, oldest first, from behind the mark on. */
export async function everyRow(
  database: ReadDatabase,
  { after, limit }: { after: PageMark | null; limit: number },
): Promise<SubscriptionRow[]> {
  return database
    .select()
    .from(subscriptions)
    .where(
      after === null
        ? undefined
        : sql`(${subscriptions.createdAt}, ${subscriptions.id}) > (${after.createdAt}, ${after.id})`,
    )
    .orderBy(asc(subscriptions.createdAt), asc(subscriptions.id))
    .limit(limit);
}
