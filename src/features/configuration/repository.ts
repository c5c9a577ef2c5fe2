// Configuration's SQL: the one row of what was changed at run time.

import { eq } from "drizzle-orm";
import type { ReadDatabase, Tx } from "../../storage/storage";
import { changedSettings } from "./table";

/** What was changed, and the how manieth change it was; revision 0: nothing ever was. */
export interface ChangedSettings {
  readonly revision: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly changedAt: bigint | null;
}

const only = 1;

export async function readChanged(database: Pick<ReadDatabase | Tx, "select">): Promise<ChangedSettings> {
  const [row] = await database.select().from(changedSettings).where(eq(changedSettings.id, only)).limit(1);
  if (row === undefined) return { revision: 0, settings: {}, changedAt: null };
  return { revision: row.revision, settings: JSON.parse(row.settings), changedAt: row.changedAt };
}

export async function writeChanged(tx: Tx, { revision, settings, changedAt }: ChangedSettings): Promise<void> {
  const row = { revision, settings: JSON.stringify(settings), changedAt: changedAt ?? 0n };
  await tx
    .insert(changedSettings)
    .values({ id: only, ...row })
    .onConflictDoUpdate({ target: changedSettings.id, set: row });
}
