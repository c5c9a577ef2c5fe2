// Keys' SQL. Every function takes the database it works on, so that what must be true together is written in one
// transaction by whoever calls; nothing here decides anything or knows a secret's text.

import { and, count, desc, eq, gt, isNull, lt, or, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import type { Permission } from "../../domain/permission";
import type { RateClass } from "../../domain/principal";
import { assert } from "../../foundation/assert";
import { formatTimestamp } from "../../foundation/clock";
import type { PageMark } from "../../foundation/page-mark";
import type { ReadDatabase, Tx } from "../../storage/storage";
import type { ApiKey } from "./model";
import { parseScopes } from "./rules";
import { apiKeys } from "./table";

/** All that a request with a key needs to be admitted or refused, but its owner. */
export interface KeyForUse {
  readonly id: string;
  readonly secretHashHex: string;
  readonly scopes: readonly Permission[];
  readonly rateClass: RateClass;
  readonly expiresAt: bigint | null;
  readonly revokedAt: bigint | null;
  readonly lastUsedAt: bigint | null;
  readonly ipAllow: readonly string[] | null;
  readonly makerScopes: readonly Permission[] | null;
  readonly userId: string;
}

/** The key of that id with the scopes of its maker, or null. */
export async function findKeyForUse(database: ReadDatabase, id: string): Promise<KeyForUse | null> {
  const maker = alias(apiKeys, "maker");
  const rows = await database
    .select({
      id: apiKeys.id,
      secretHashHex: apiKeys.secretHash,
      scopes: apiKeys.scopes,
      rateClass: apiKeys.rateClass,
      expiresAt: apiKeys.expiresAt,
      revokedAt: apiKeys.revokedAt,
      lastUsedAt: apiKeys.lastUsedAt,
      ipAllow: apiKeys.ipAllow,
      makerScopes: maker.scopes,
      userId: apiKeys.userId,
    })
    .from(apiKeys)
    .leftJoin(maker, eq(maker.id, apiKeys.createdByKeyId))
    .where(eq(apiKeys.id, id))
    .limit(1);
  const row = rows[0];
  if (!row) return null;
  return {
    ...row,
    scopes: scopesOf(row.id, row.scopes),
    makerScopes: row.makerScopes === null ? null : scopesOf(row.id, row.makerScopes),
    ipAllow: row.ipAllow === null ? null : (JSON.parse(row.ipAllow) as string[]),
  };
}

export type NewKey = typeof apiKeys.$inferInsert;

export async function insertKey(tx: Tx, key: NewKey): Promise<void> {
  await tx.insert(apiKeys).values(key);
}

export async function hasKey(tx: Tx, id: string): Promise<boolean> {
  return (await tx.select({ id: apiKeys.id }).from(apiKeys).where(eq(apiKeys.id, id)).limit(1)).length > 0;
}

/** How many of a user's keys are neither revoked nor expired. */
export async function countLiveKeys(tx: Tx, userId: string, now: bigint): Promise<number> {
  const rows = await tx
    .select({ count: count() })
    .from(apiKeys)
    .where(
      and(
        eq(apiKeys.userId, userId),
        isNull(apiKeys.revokedAt),
        or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, now)),
      ),
    );
  return Number(rows[0]?.count ?? 0);
}

/** Keys newest first, of one user or (null) of all, from behind the mark on. */
export async function pageOfKeys(
  database: ReadDatabase,
  page: { userId: string | null; after: PageMark | null; limit: number },
): Promise<{ key: ApiKey; mark: PageMark }[]> {
  const { userId, after, limit } = page;
  const rows = await database
    .select()
    .from(apiKeys)
    .where(
      and(
        userId === null ? undefined : eq(apiKeys.userId, userId),
        after === null
          ? undefined
          : or(
              lt(apiKeys.createdAt, after.createdAt),
              and(eq(apiKeys.createdAt, after.createdAt), lt(apiKeys.id, after.id)),
            ),
      ),
    )
    .orderBy(desc(apiKeys.createdAt), desc(apiKeys.id))
    .limit(limit);
  return rows.map((row) => ({ key: keyOnWire(row), mark: { createdAt: row.createdAt, id: row.id } }));
}

/** Ends a key, of one user or (null) of anyone. Ending it twice keeps the first moment. Null: there is none such. */
export async function endKey(
  tx: Tx,
  key: { id: string; userId: string | null; now: bigint },
): Promise<{ userId: string; wasAlive: boolean } | null> {
  const rows = await tx
    .select({ userId: apiKeys.userId, revokedAt: apiKeys.revokedAt })
    .from(apiKeys)
    .where(and(eq(apiKeys.id, key.id), key.userId === null ? undefined : eq(apiKeys.userId, key.userId)))
    .limit(1);
  const row = rows[0];
  if (!row) return null;
  if (row.revokedAt === null) await tx.update(apiKeys).set({ revokedAt: key.now }).where(eq(apiKeys.id, key.id));
  return { userId: row.userId, wasAlive: row.revokedAt === null };
}

/** The key of that id, of one user or (null) of anyone, or null. */
export async function findKeyRow(
  database: ReadDatabase,
  key: { id: string; userId: string | null },
): Promise<ApiKey | null> {
  const rows = await database
    .select()
    .from(apiKeys)
    .where(and(eq(apiKeys.id, key.id), key.userId === null ? undefined : eq(apiKeys.userId, key.userId)))
    .limit(1);
  return rows[0] ? keyOnWire(rows[0]) : null;
}

/** Ends every key of a user, and blanks the names that the user gave them. How many there were. */
export async function endKeysOf(tx: Tx, user: { userId: string; now: bigint; name: string }): Promise<number> {
  const rows = await tx
    .update(apiKeys)
    .set({ revokedAt: sql`coalesce(${apiKeys.revokedAt}, ${user.now})`, name: user.name, ipAllow: null })
    .where(eq(apiKeys.userId, user.userId))
    .returning({ id: apiKeys.id });
  return rows.length;
}

/** How many living keys a key has made. */
export async function countMadeBy(tx: Tx, id: string): Promise<number> {
  const rows = await tx
    .select({ count: count() })
    .from(apiKeys)
    .where(and(eq(apiKeys.createdByKeyId, id), isNull(apiKeys.revokedAt)));
  return Number(rows[0]?.count ?? 0);
}

/** Notes when keys were last used; never moves a moment backwards. */
export async function noteUses(tx: Tx, uses: ReadonlyMap<string, bigint>): Promise<void> {
  for (const [id, usedAt] of uses) {
    await tx
      .update(apiKeys)
      .set({ lastUsedAt: usedAt })
      .where(and(eq(apiKeys.id, id), or(isNull(apiKeys.lastUsedAt), lt(apiKeys.lastUsedAt, usedAt))));
  }
}

/** A row as clients see it. */
export function keyOnWire(row: typeof apiKeys.$inferSelect): ApiKey {
  return {
    id: row.id,
    user_id: row.userId,
    name: row.name,
    scopes: scopesOf(row.id, row.scopes),
    rate_class: row.rateClass,
    expires_at: moment(row.expiresAt),
    ip_allow: row.ipAllow === null ? null : (JSON.parse(row.ipAllow) as string[]),
    created_by_key_id: row.createdByKeyId,
    created_at: formatTimestamp(row.createdAt),
    revoked_at: moment(row.revokedAt),
    last_used_at: moment(row.lastUsedAt),
  };
}

function moment(microseconds: bigint | null): string | null {
  return microseconds === null ? null : formatTimestamp(microseconds);
}

function scopesOf(id: string, json: string): Permission[] {
  const scopes = parseScopes(JSON.parse(json) as unknown[]);
  assert(scopes !== null, `key ${id} is stored with a scope that does not exist: ${json}`);
  return scopes;
}
