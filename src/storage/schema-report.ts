// How a database's schema stands to this executable: migrations that are missing or foreign, and tables that are not as the code
// declares them. Separate from opening a storage because it changes nothing, not even a setting of the file, and tells all at once.

import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import type { BsoptError } from "../foundation/errors";
import { silentLog } from "../foundation/log";
import { bindRead } from "./bind";
import { Connection } from "./connection";
import type { DatabaseLocation } from "./location";
import { migrationStatus } from "./migrate";
import { type Patience, whileBusy } from "./patience";
import { schemaDifferences } from "./schema-check";

export interface SchemaReport {
  /** Why this executable would refuse the database, or null. */
  readonly problem: BsoptError | null;
  /** Migrations that the next start would apply. */
  readonly pendingCount: number;
  /** One sentence a difference; empty where all is as declared, or where migrations are pending and it cannot be. */
  readonly differences: readonly string[];
}

/** Compares the database with the tables. Throws DATABASE_* where it cannot be read. */
export async function schemaReport(
  location: DatabaseLocation,
  tables: readonly SQLiteTable[],
  patience: Omit<Patience, "log">,
): Promise<SchemaReport> {
  const quiet = { ...patience, log: silentLog };
  const { problem, version, latestVersion } = await migrationStatus({ url: `file:${location.path}`, ...quiet });
  const pendingCount = Math.max(0, latestVersion - version);
  if (problem !== null || pendingCount > 0) return { problem, pendingCount, differences: [] };
  const connection = new Connection(location.clientUrl, "reader");
  try {
    await whileBusy(quiet, () => connection.tune());
    const read = bindRead({ execute: (statement) => connection.client.execute(statement) });
    return { problem, pendingCount, differences: await schemaDifferences({ read, tables, isComplete: true }) };
  } finally {
    connection.close();
  }
}
