// Registration's SQL: passwords and mailed tokens. Every function takes the database it works on, so that what must be true together
// is written in one transaction by whoever calls; nothing here decides anything or knows a password or a token's text.

import { and, eq, gt, inArray, isNotNull, isNull, lte, sql } from "drizzle-orm";
import type { ReadDatabase, Tx } from "../../storage/storage";
import { mailedTokens, passwords, type TokenPurpose } from "./table";

/** The stored hash of a user's password, or null where there is none. */
export async function findPasswordHash(database: ReadDatabase | Tx, userId: string): Promise<string | null> {
  const rows = await database
    .select({ hash: passwords.hash })
    .from(passwords)
    .where(eq(passwords.userId, userId))
    .limit(1);
  return rows[0]?.hash ?? null;
}

/** When a user's password was set, or null where there is none. */
export async function findPasswordTime(database: ReadDatabase, userId: string): Promise<bigint | null> {
  const rows = await database
    .select({ changedAt: passwords.changedAt })
    .from(passwords)
    .where(eq(passwords.userId, userId))
    .limit(1);
  return rows[0]?.changedAt ?? null;
}

/** Gives a user this password in place of any before. */
export async function putPasswordHash(tx: Tx, password: { userId: string; hash: string; now: bigint }): Promise<void> {
  const { userId, hash, now } = password;
  await tx
    .insert(passwords)
    .values({ userId, hash, changedAt: now, contestedAt: null })
    .onConflictDoUpdate({ target: passwords.userId, set: { hash, changedAt: now, contestedAt: null } });
}

/** Notes, with a moment, that a user's password may be a stranger's; with null writes the row as it is. */
export async function contestPassword(tx: Tx, userId: string, now: bigint | null): Promise<void> {
  await tx
    .update(passwords)
    .set({ contestedAt: now ?? sql`${passwords.contestedAt}` })
    .where(eq(passwords.userId, userId));
}

/** Whether a user has a password that nobody else may have registered. */
export async function hasOwnPassword(tx: Tx, userId: string): Promise<boolean> {
  const rows = await tx
    .select({ contestedAt: passwords.contestedAt })
    .from(passwords)
    .where(eq(passwords.userId, userId))
    .limit(1);
  return rows.length > 0 && rows[0]!.contestedAt === null;
}

/** The same password hashed anew: only while it is still the one that was checked. */
export async function renewPasswordHash(
  tx: Tx,
  password: { userId: string; dated: string; hash: string },
): Promise<void> {
  await tx
    .update(passwords)
    .set({ hash: password.hash })
    .where(and(eq(passwords.userId, password.userId), eq(passwords.hash, password.dated)));
}

export type NewToken = typeof mailedTokens.$inferInsert;

export async function insertToken(tx: Tx, token: NewToken): Promise<void> {
  await tx.insert(mailedTokens).values(token);
}

/** Whose a token is that works now, or null. */
export async function findToken(
  database: ReadDatabase,
  token: { tokenHash: string; purpose: TokenPurpose; now: bigint },
): Promise<string | null> {
  const rows = await database.select({ userId: mailedTokens.userId }).from(mailedTokens).where(works(token)).limit(1);
  return rows[0]?.userId ?? null;
}

/** Uses a token up; false where it did not work any more. */
export async function useToken(
  tx: Tx,
  token: { tokenHash: string; purpose: TokenPurpose; now: bigint },
): Promise<boolean> {
  const rows = await tx
    .update(mailedTokens)
    .set({ usedAt: token.now })
    .where(works(token))
    .returning({ userId: mailedTokens.userId });
  return rows.length > 0;
}

function works({ tokenHash, purpose, now }: { tokenHash: string; purpose: TokenPurpose; now: bigint }) {
  return and(
    eq(mailedTokens.tokenHash, tokenHash),
    eq(mailedTokens.purpose, purpose),
    isNull(mailedTokens.usedAt),
    gt(mailedTokens.expiresAt, now),
  );
}

/** Ends a user's unused tokens of these purposes: they count as expired, not as used. */
export async function burnTokens(
  tx: Tx,
  tokens: { userId: string; purposes: readonly TokenPurpose[]; now: bigint },
): Promise<void> {
  const { userId, purposes, now } = tokens;
  await tx
    .update(mailedTokens)
    .set({ expiresAt: now })
    .where(
      and(
        eq(mailedTokens.userId, userId),
        inArray(mailedTokens.purpose, [...purposes]),
        isNull(mailedTokens.usedAt),
        gt(mailedTokens.expiresAt, now),
      ),
    );
}

/** When a user's tokens of a purpose were made, since that moment. */
export async function tokenTimes(
  tx: Tx,
  tokens: { userId: string; purpose: TokenPurpose; since: bigint },
): Promise<bigint[]> {
  const rows = await tx
    .select({ createdAt: mailedTokens.createdAt })
    .from(mailedTokens)
    .where(
      and(
        eq(mailedTokens.userId, tokens.userId),
        eq(mailedTokens.purpose, tokens.purpose),
        gt(mailedTokens.createdAt, tokens.since),
      ),
    );
  return rows.map(({ createdAt }) => createdAt);
}

/** Whether a user has used a mailed token, and so read mail at the address, as far as tokens are kept. */
export async function hasUsedToken(tx: Tx, userId: string): Promise<boolean> {
  const rows = await tx
    .select({ userId: mailedTokens.userId })
    .from(mailedTokens)
    .where(and(eq(mailedTokens.userId, userId), isNotNull(mailedTokens.usedAt)))
    .limit(1);
  return rows.length > 0;
}

/** Tokens one sweep deletes at most. */
export const sweepCountMax = 1000;

/** Deletes tokens that expired and were made before that moment; says how many. */
export async function sweepTokens(tx: Tx, limits: { now: bigint; madeBefore: bigint }): Promise<number> {
  const doomed = tx
    .select({ tokenHash: mailedTokens.tokenHash })
    .from(mailedTokens)
    .where(and(lte(mailedTokens.expiresAt, limits.now), lte(mailedTokens.createdAt, limits.madeBefore)))
    .limit(sweepCountMax);
  return (await tx.delete(mailedTokens).where(inArray(mailedTokens.tokenHash, doomed))).rowsAffected;
}

/** Deletes a user's password and tokens. */
export async function eraseCredentials(tx: Tx, userId: string): Promise<void> {
  await tx.delete(passwords).where(eq(passwords.userId, userId));
  await tx.delete(mailedTokens).where(eq(mailedTokens.userId, userId));
}
