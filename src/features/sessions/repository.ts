// The SQL of login sessions and refresh tokens. Every function takes the database it works on, so that what must be true together is
// written together by whoever calls; nothing here decides anything, and no token's text comes here, only its hash.

import { and, desc, eq, gt, inArray, isNull, lt, ne } from "drizzle-orm";
import type { ReadDatabase, Tx } from "../../storage/storage";
import type { EndReason } from "./rules";
import { loginSessions, refreshTokens } from "./table";

export type SessionRow = typeof loginSessions.$inferSelect;
export type RefreshRow = typeof refreshTokens.$inferSelect;

export async function findSession(database: ReadDatabase, id: string): Promise<SessionRow | null> {
  const rows = await database.select().from(loginSessions).where(eq(loginSessions.id, id)).limit(1);
  return rows[0] ?? null;
}

export async function findSessionByCookie(database: ReadDatabase, cookieHash: string): Promise<SessionRow | null> {
  const rows = await database.select().from(loginSessions).where(eq(loginSessions.cookieHash, cookieHash)).limit(1);
  return rows[0] ?? null;
}

export async function insertSession(tx: Tx, session: typeof loginSessions.$inferInsert): Promise<void> {
  await tx.insert(loginSessions).values(session);
}

export async function insertRefreshToken(tx: Tx, token: typeof refreshTokens.$inferInsert): Promise<void> {
  await tx.insert(refreshTokens).values(token);
}

/** A refresh token and its session, or null. */
export async function findRefreshToken(
  database: ReadDatabase | Tx,
  tokenHash: string,
): Promise<{ token: RefreshRow; session: SessionRow } | null> {
  const rows = await database
    .select({ token: refreshTokens, session: loginSessions })
    .from(refreshTokens)
    .innerJoin(loginSessions, eq(loginSessions.id, refreshTokens.sessionId))
    .where(eq(refreshTokens.tokenHash, tokenHash))
    .limit(1);
  return rows[0] ?? null;
}

/** Notes that a refresh token was used, once; and that its session was. */
export async function useRefreshToken(
  tx: Tx,
  use: { tokenHash: string; sessionId: string; now: bigint },
): Promise<void> {
  await tx
    .update(refreshTokens)
    .set({ usedAt: use.now })
    .where(and(eq(refreshTokens.tokenHash, use.tokenHash), isNull(refreshTokens.usedAt)));
  await tx.update(loginSessions).set({ lastUsedAt: use.now }).where(eq(loginSessions.id, use.sessionId));
}

/** A user's sessions that have neither ended nor expired, newest first, at most `limit`. */
export async function openSessions(
  database: ReadDatabase | Tx,
  { userId, now, limit }: { userId: string; now: bigint; limit: number },
): Promise<SessionRow[]> {
  return database
    .select()
    .from(loginSessions)
    .where(and(eq(loginSessions.userId, userId), isNull(loginSessions.endedAt), gt(loginSessions.expiresAt, now)))
    .orderBy(desc(loginSessions.createdAt), desc(loginSessions.id))
    .limit(limit);
}

/** Ends a user's session that has not ended; null: there is none such. */
export async function endSession(
  tx: Tx,
  session: { id: string; userId: string; reason: EndReason; now: bigint },
): Promise<SessionRow | null> {
  const rows = await tx
    .update(loginSessions)
    .set({ endedAt: session.now, endReason: session.reason })
    .where(
      and(
        eq(loginSessions.id, session.id),
        eq(loginSessions.userId, session.userId),
        isNull(loginSessions.endedAt),
        gt(loginSessions.expiresAt, session.now),
      ),
    )
    .returning();
  return rows[0] ?? null;
}

/** Ends a user's sessions but one; says which ended. */
export async function endOtherSessions(
  tx: Tx,
  { userId, keptId, now }: { userId: string; keptId: string; now: bigint },
): Promise<SessionRow[]> {
  return tx
    .update(loginSessions)
    .set({ endedAt: now, endReason: "revoked" satisfies EndReason })
    .where(
      and(
        eq(loginSessions.userId, userId),
        ne(loginSessions.id, keptId),
        isNull(loginSessions.endedAt),
        gt(loginSessions.expiresAt, now),
      ),
    )
    .returning();
}

/** Notes when the password or a code was last shown within a session. */
export async function putReauthenticated(tx: Tx, id: string, now: bigint): Promise<void> {
  await tx.update(loginSessions).set({ reauthenticatedAt: now }).where(eq(loginSessions.id, id));
}

/** Notes when sessions were last used; never moves a moment backwards. */
export async function noteUses(tx: Tx, uses: ReadonlyMap<string, bigint>): Promise<void> {
  for (const [id, usedAt] of uses) {
    await tx
      .update(loginSessions)
      .set({ lastUsedAt: usedAt })
      .where(and(eq(loginSessions.id, id), lt(loginSessions.lastUsedAt, usedAt)));
  }
}

/** Whether the user has ever signed in from that address, as far as sessions are kept. */
export async function hasSessionFrom(database: ReadDatabase, userId: string, ipAddress: string): Promise<boolean> {
  const rows = await database
    .select({ id: loginSessions.id })
    .from(loginSessions)
    .where(and(eq(loginSessions.userId, userId), eq(loginSessions.ipAddress, ipAddress)))
    .limit(1);
  return rows.length > 0;
}

/** A user's sessions, over or not, newest first: at most 1,000. */
export async function sessionsOf(database: ReadDatabase, userId: string): Promise<SessionRow[]> {
  return database
    .select()
    .from(loginSessions)
    .where(eq(loginSessions.userId, userId))
    .orderBy(desc(loginSessions.createdAt), desc(loginSessions.id))
    .limit(1000);
}

/** Deletes a user's sessions and their refresh tokens. */
export async function deleteSessionsOf(tx: Tx, userId: string): Promise<void> {
  await tx.delete(loginSessions).where(eq(loginSessions.userId, userId));
}

/** Rows one sweep deletes of each table at most. */
export const sweepCountMax = 500;

/** Deletes refresh tokens that expired, and sessions that ended or expired before the moments; says how many rows. */
export async function sweep(
  tx: Tx,
  { tokensBefore, sessionsBefore }: { tokensBefore: bigint; sessionsBefore: bigint },
): Promise<number> {
  const tokens = tx
    .select({ tokenHash: refreshTokens.tokenHash })
    .from(refreshTokens)
    .where(lt(refreshTokens.expiresAt, tokensBefore))
    .limit(sweepCountMax);
  let count = (await tx.delete(refreshTokens).where(inArray(refreshTokens.tokenHash, tokens))).rowsAffected;
  // One after the other: asked for either at once, the database would read every session there is.
  for (const moment of [loginSessions.expiresAt, loginSessions.endedAt]) {
    const over = tx
      .select({ id: loginSessions.id })
      .from(loginSessions)
      .where(lt(moment, sessionsBefore))
      .limit(sweepCountMax);
    count += (await tx.delete(loginSessions).where(inArray(loginSessions.id, over))).rowsAffected;
  }
  return count;
}
