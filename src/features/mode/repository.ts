// The SQL of the market's mode. Every function takes the database it works on.

import { desc, lte } from "drizzle-orm";
import type { EpochMicroseconds } from "../../foundation/clock";
import type { ReadDatabase, Tx } from "../../storage/storage";
import { marketModeChanges } from "./table";

export type ModeRow = typeof marketModeChanges.$inferSelect;

/** The last change up to that moment, or of all (null). */
export async function lastChange(
  database: ReadDatabase | Tx,
  until: EpochMicroseconds | null,
): Promise<ModeRow | null> {
  const rows = await database
    .select()
    .from(marketModeChanges)
    .where(until === null ? undefined : lte(marketModeChanges.at, until))
    .orderBy(desc(marketModeChanges.at))
    .limit(1);
  return rows[0] ?? null;
}

export async function insertChange(tx: Tx, row: ModeRow): Promise<void> {
  await tx.insert(marketModeChanges).values(row);
}
