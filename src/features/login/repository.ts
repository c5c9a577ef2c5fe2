// The SQL of second factors and of logins that await one. Every function takes the database it works on; nothing here decides
// anything, and secrets come sealed or hashed.

import { and, eq, isNull, lt, sql } from "drizzle-orm";
import type { ReadDatabase, Tx } from "../../storage/storage";
import { loginChallenges, recoveryCodes, totpFactors } from "./table";

export type FactorRow = typeof totpFactors.$inferSelect;
export type ChallengeRow = typeof loginChallenges.$inferSelect;

export async function findFactor(database: ReadDatabase | Tx, userId: string): Promise<FactorRow | null> {
  const rows = await database.select().from(totpFactors).where(eq(totpFactors.userId, userId)).limit(1);
  return rows[0] ?? null;
}

/** Writes a factor that is not confirmed yet, in place of another such. */
export async function putFactor(tx: Tx, factor: { userId: string; sealedSecret: string; now: bigint }): Promise<void> {
  const fresh = { sealedSecret: factor.sealedSecret, createdAt: factor.now, confirmedAt: null, lastStep: null };
  await tx
    .insert(totpFactors)
    .values({ userId: factor.userId, ...fresh })
    .onConflictDoUpdate({ target: totpFactors.userId, set: fresh });
}

/** Notes the step whose code was taken; with `confirmedAt`, that the factor asks for codes from now on. */
export async function noteStep(
  tx: Tx,
  { userId, lastStep, confirmedAt }: { userId: string; lastStep: number; confirmedAt?: bigint },
): Promise<void> {
  await tx
    .update(totpFactors)
    .set({ lastStep, ...(confirmedAt !== undefined && { confirmedAt }) })
    .where(eq(totpFactors.userId, userId));
}

export async function deleteFactor(tx: Tx, userId: string): Promise<void> {
  await tx.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId));
  await tx.delete(totpFactors).where(eq(totpFactors.userId, userId));
}

/** Gives a user these recovery codes and no others. */
export async function putRecoveryCodes(tx: Tx, userId: string, codeHashes: readonly string[]): Promise<void> {
  await tx.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId));
  await tx.insert(recoveryCodes).values(codeHashes.map((codeHash) => ({ userId, codeHash })));
}

/** Uses a recovery code up. False: there is none such, or it was used. */
export async function useRecoveryCode(
  tx: Tx,
  { userId, codeHash, now }: { userId: string; codeHash: string; now: bigint },
): Promise<boolean> {
  const rows = await tx
    .update(recoveryCodes)
    .set({ usedAt: now })
    .where(and(eq(recoveryCodes.userId, userId), eq(recoveryCodes.codeHash, codeHash), isNull(recoveryCodes.usedAt)))
    .returning({ codeHash: recoveryCodes.codeHash });
  return rows.length > 0;
}

export async function insertChallenge(tx: Tx, challenge: typeof loginChallenges.$inferInsert): Promise<void> {
  await tx.insert(loginChallenges).values(challenge);
}

export async function findChallenge(database: ReadDatabase | Tx, tokenHash: string): Promise<ChallengeRow | null> {
  const rows = await database.select().from(loginChallenges).where(eq(loginChallenges.tokenHash, tokenHash)).limit(1);
  return rows[0] ?? null;
}

export async function countAttempt(tx: Tx, tokenHash: string): Promise<void> {
  await tx
    .update(loginChallenges)
    .set({ attempts: sql`${loginChallenges.attempts} + 1` })
    .where(eq(loginChallenges.tokenHash, tokenHash));
}

export async function useChallenge(tx: Tx, tokenHash: string, now: bigint): Promise<void> {
  await tx.update(loginChallenges).set({ usedAt: now }).where(eq(loginChallenges.tokenHash, tokenHash));
}

/** Whether any challenge was over before the moment. */
export async function hasOldChallenges(database: ReadDatabase, before: bigint): Promise<boolean> {
  const rows = await database
    .select({ tokenHash: loginChallenges.tokenHash })
    .from(loginChallenges)
    .where(lt(loginChallenges.expiresAt, before))
    .limit(1);
  return rows.length > 0;
}

export async function deleteOldChallenges(tx: Tx, before: bigint): Promise<void> {
  await tx.delete(loginChallenges).where(lt(loginChallenges.expiresAt, before));
}

/** Deletes all that stands here about a user. */
export async function deleteAllOf(tx: Tx, userId: string): Promise<void> {
  await deleteFactor(tx, userId);
  await tx.delete(loginChallenges).where(eq(loginChallenges.userId, userId));
}
