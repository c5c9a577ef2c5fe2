// Registration's SQL: passwords and mailed tokens. Every function takes the database it works on, so that what must be true together
// is written in one transaction by whoever calls; nothing here decides anything or knows a password or a token's text.

import { eq } from "drizzle-orm";
import type { ReadDatabase, Tx } from "../../storage/storage";
import { passwords } from "./table";

/** The stored hash of a user's password, or null where there is none. */
export async function findPasswordHash(database: ReadDatabase, userId: string): Promise<string | null> {
  const rows = await database
    .select({ hash: passwords.hash })
    .from(passwords)
    .where(eq(passwords.userId, userId))
    .limit(1);
  return rows[0]?.hash ?? null;
}

/** Gives a user this password in place of any before. */
export async function putPasswordHash(tx: Tx, password: { userId: string; hash: string; now: bigint }): Promise<void> {
  const { userId, hash, now } = password;
  await tx
    .insert(passwords)
    .values({ userId, hash, changedAt: now })
    .onConflictDoUpdate({ target: passwords.userId, set: { hash, changedAt: now } });
}
