// The SQL of signing keys. Every function takes the database it works on; nothing here decides anything, and a private key passes
// through sealed.

import { desc, gt, isNull, lt, or } from "drizzle-orm";
import type { ReadDatabase, Tx } from "../../storage/storage";
import { signingKeys } from "./table";

export type SigningKeyRow = typeof signingKeys.$inferSelect;

/** Keys kept at most; a rotation a minute for ever would end here. */
export const keysReadMax = 64;

/** The keys that verify now or are to sign, newest first. */
export async function liveKeys(database: ReadDatabase | Tx, now: bigint): Promise<SigningKeyRow[]> {
  return database
    .select()
    .from(signingKeys)
    .where(or(isNull(signingKeys.retiredAt), gt(signingKeys.retiredAt, now)))
    .orderBy(desc(signingKeys.createdAt), desc(signingKeys.id))
    .limit(keysReadMax);
}

export async function insertKey(tx: Tx, key: typeof signingKeys.$inferInsert): Promise<void> {
  await tx.insert(signingKeys).values(key);
}

/** Ends every key that nothing has followed yet; with `atOnce` those as well that were to go on verifying. */
export async function endKeys(
  tx: Tx,
  { supersededAt, retiredAt, atOnce }: { supersededAt: bigint; retiredAt: bigint; atOnce: boolean },
): Promise<void> {
  await tx
    .update(signingKeys)
    .set({ supersededAt, retiredAt })
    .where(
      atOnce
        ? or(isNull(signingKeys.retiredAt), gt(signingKeys.retiredAt, retiredAt))
        : isNull(signingKeys.supersededAt),
    );
}

/** Whether any key ended before the moment. */
export async function hasEnded(database: ReadDatabase, endedBefore: bigint): Promise<boolean> {
  const rows = await database
    .select({ id: signingKeys.id })
    .from(signingKeys)
    .where(lt(signingKeys.retiredAt, endedBefore))
    .limit(1);
  return rows.length > 0;
}

/** Deletes keys that ended before the moment: nothing they signed is valid any more. */
export async function deleteEnded(tx: Tx, endedBefore: bigint): Promise<number> {
  const result = await tx.delete(signingKeys).where(lt(signingKeys.retiredAt, endedBefore));
  return result.rowsAffected;
}
