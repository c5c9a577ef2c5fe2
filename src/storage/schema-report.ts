// How a database's schema stands to this executable: migrations that are missing or foreign, and tables that are not as the code
// declares them. Separate from opening a storage because it changes nothing, not even a setting of the file, and tells all at once.

import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import type { BsoptError } from "../foundation/errors";
import { silentLog } from "../foundation/log";
import { bindRead } from "./bind";
import { Connection, type DatabaseConnection } from "./connection";
import { asBsoptError } from "./database-error";
import type { DatabaseLocation, DatabaseServer } from "./location";
import { type MigrationStatus, migrationStatus } from "./migrate";
import { type Patience, whileBusy } from "./patience";
import type { Durability } from "./remote-client";
import { RemoteConnection } from "./remote-connection";
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
  const status = await migrationStatus({ url: `file:${location.path}`, ...quiet });
  return reportOn(status, tables, () => new Connection(location.clientUrl, "reader"), quiet);
}

export interface ServerReport extends SchemaReport {
  /** Whether the server syncs each commit. */
  readonly durability: Durability;
}

/** The same for a database on a server, and what the server says of keeping its word. */
export async function serverReport(
  address: DatabaseServer,
  tables: readonly SQLiteTable[],
  patience: Omit<Patience, "log">,
): Promise<ServerReport> {
  const quiet = { ...patience, log: silentLog };
  const { url, ...server } = address;
  const connect = () => new RemoteConnection({ address, durability: address.durability, ...quiet });
  const asking = connect();
  try {
    const durability = await asking.client.durability();
    const status = await migrationStatus({ url, server, ...quiet });
    return { ...(await reportOn(status, tables, connect, quiet)), durability };
  } catch (error) {
    throw asBsoptError(error);
  } finally {
    asking.close();
  }
}

async function reportOn(
  { problem, version, latestVersion }: MigrationStatus,
  tables: readonly SQLiteTable[],
  connect: () => DatabaseConnection,
  patience: Patience,
): Promise<SchemaReport> {
  const pendingCount = Math.max(0, latestVersion - version);
  if (problem !== null || pendingCount > 0) return { problem, pendingCount, differences: [] };
  const connection = connect();
  try {
    await whileBusy(patience, () => connection.tune());
    const read = bindRead({ execute: (statement) => connection.client.execute(statement) });
    return { problem, pendingCount, differences: await schemaDifferences({ read, tables, isComplete: true }) };
  } finally {
    connection.close();
  }
}
