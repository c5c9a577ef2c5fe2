// Identity's SQL: users. Every function takes the database it works on, so that what must be true together is written in one
// transaction by whoever calls; nothing here decides anything.

import { and, asc, count, desc, eq, isNotNull, isNull, lte, ne, sql } from "drizzle-orm";
import type { Role } from "../../domain/permission";
import type { PageMark } from "../../foundation/page-mark";
import type { ReadDatabase, Tx } from "../../storage/storage";
import { users } from "./table";

/** A user as it is stored. */
export type UserRow = typeof users.$inferSelect;

/** The user of that id, or null. */
export async function findUserById(database: ReadDatabase | Tx, id: string): Promise<UserRow | null> {
  return (await database.select().from(users).where(eq(users.id, id)).limit(1))[0] ?? null;
}

/** The user with that address in its one spelling, or null. */
export async function findUserWithEmail(database: ReadDatabase | Tx, email: string): Promise<UserRow | null> {
  return (await database.select().from(users).where(eq(users.email, email)).limit(1))[0] ?? null;
}

/** Writes a new user. */
export async function insertUserRow(tx: Tx, user: typeof users.$inferInsert): Promise<void> {
  await tx.insert(users).values(user);
}

/** Changes a user; the row as it is then, or null where there is none such. */
export async function updateUser(
  tx: Tx,
  id: string,
  change: Partial<typeof users.$inferInsert>,
): Promise<UserRow | null> {
  const rows = await tx.update(users).set(change).where(eq(users.id, id)).returning();
  return rows[0] ?? null;
}

/** Moves the moment by which an address is to be confirmed, where there is one. */
export async function extendConfirmBy(tx: Tx, id: string, confirmBy: bigint): Promise<void> {
  await tx
    .update(users)
    .set({ confirmBy })
    .where(and(eq(users.id, id), isNotNull(users.confirmBy)));
}

/** Users whose address should have been confirmed by that moment and was not, those due longest first. */
export async function findUnconfirmed(database: ReadDatabase | Tx, now: bigint, limit: number): Promise<UserRow[]> {
  return database
    .select()
    .from(users)
    .where(and(lte(users.confirmBy, now), isNull(users.emailVerifiedAt)))
    .orderBy(asc(users.confirmBy))
    .limit(limit);
}

/** Deletes a user and, by their foreign keys, what other tables hold of theirs. */
export async function deleteUser(tx: Tx, id: string): Promise<void> {
  await tx.delete(users).where(eq(users.id, id));
}

export async function hasAnyUser(database: ReadDatabase | Tx): Promise<boolean> {
  return (await database.select({ id: users.id }).from(users).limit(1)).length > 0;
}

/** The administrator who has been here longest and is not disabled, or null. Ids of users sort by time. */
export async function findOldestAdministrator(database: ReadDatabase): Promise<string | null> {
  const rows = await database
    .select({ id: users.id })
    .from(users)
    .where(and(eq(users.role, "admin"), isNull(users.disabledAt)))
    .orderBy(asc(users.id))
    .limit(1);
  return rows[0]?.id ?? null;
}

/** How many administrators who are not disabled there are beside this user. */
export async function countOtherAdministrators(tx: Tx, id: string): Promise<number> {
  const rows = await tx
    .select({ count: count() })
    .from(users)
    .where(and(eq(users.role, "admin"), isNull(users.disabledAt), ne(users.id, id)));
  return Number(rows[0]?.count ?? 0);
}

export interface UserFilter {
  readonly role?: Role;
  /** In its one spelling. */
  readonly email?: string;
  readonly isDisabled?: boolean;
}

/** Users newest first from behind the mark on, as far as the filter lets them through. */
export async function pageOfUsers(
  database: ReadDatabase,
  page: { filter: UserFilter; after: PageMark | null; limit: number },
): Promise<UserRow[]> {
  const { filter, after, limit } = page;
  return database
    .select()
    .from(users)
    .where(
      and(
        filter.role === undefined ? undefined : eq(users.role, filter.role),
        filter.email === undefined ? undefined : eq(users.email, filter.email),
        filter.isDisabled === undefined
          ? undefined
          : filter.isDisabled
            ? isNotNull(users.disabledAt)
            : isNull(users.disabledAt),
        after === null ? undefined : sql`(${users.createdAt}, ${users.id}) < (${after.createdAt}, ${after.id})`,
      ),
    )
    .orderBy(desc(users.createdAt), desc(users.id))
    .limit(limit);
}
