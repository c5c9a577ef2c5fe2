// Who may use a database's files: every process that has the database open shares one lock, and a restore, which puts another
// file in its place, takes it alone. Separate because the lock must outlive every connection and says nothing about tables.
// The lock is SQLite's own on an empty file beside the database: the system gives it back whatever ends the process, and it
// works wherever the database does. The file is never written, and never removed: two processes could then hold two of them.

import { statSync } from "node:fs";
import { type Client, createClient } from "@libsql/client/sqlite3";
import type { Connection } from "./connection";
import { type DatabaseLocation, lockSuffix } from "./location";
import { type Patience, whileBusy } from "./patience";

export interface FolderLock {
  /** Gives the lock back. May be called again. */
  release(): Promise<void>;
}

// In this mode a connection keeps the lock of its first read or write until it is closed.
const sharedSql = "PRAGMA locking_mode = EXCLUSIVE; SELECT count(*) FROM sqlite_schema";
const aloneSql = "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; ROLLBACK";
// The mode ends with the next read. Closing alone would not do: the driver keeps a closed connection until it is collected.
const releaseSql = "PRAGMA locking_mode = NORMAL; SELECT count(*) FROM sqlite_schema";

/**
 * Takes the lock over a database's files: `shared` beside others that share it, or `alone`. The lock file must exist
 * (prepareFiles makes it). Throws DATABASE_BUSY where it cannot be had within the patience.
 */
export async function lockFolder(
  location: DatabaseLocation,
  manner: "shared" | "alone",
  patience: Patience,
): Promise<FolderLock> {
  return whileBusy(patience, async () => {
    const client: Client = createClient({ url: location.clientUrl + lockSuffix, intMode: "bigint", concurrency: 1 });
    try {
      await client.executeMultiple(`PRAGMA busy_timeout = 0; ${manner === "shared" ? sharedSql : aloneSql}`);
    } catch (error) {
      // Half of the way to a lock alone keeps others out: it must be given back too.
      await release(client);
      throw error;
    }
    let isHeld = true;
    return {
      async release() {
        if (!isHeld) return;
        isHeld = false;
        await release(client);
      },
    };
  });
}

async function release(client: Client): Promise<void> {
  await client.executeMultiple(releaseSql).catch(() => undefined);
  client.close();
}

/** Whether a log with content lies beside the file and no process has them open: `leaveFolder` empties the log. */
export async function isLeftOpen(location: DatabaseLocation, patience: Patience): Promise<boolean> {
  if ((statSync(`${location.path}-wal`, { throwIfNoEntry: false })?.size ?? 0) === 0) return false;
  const lock = await lockFolder(location, "alone", { ...patience, busyMillisecondsMax: 0 }).catch(() => null);
  await lock?.release();
  return lock !== null;
}

/** Gives the lock back. The last to leave moves the log's content into the file, so that the next start sees that it was closed. */
export async function leaveFolder(
  location: DatabaseLocation,
  lock: FolderLock,
  connection: Connection,
  patience: Patience,
): Promise<void> {
  await lock.release();
  const alone = await lockFolder(location, "alone", { ...patience, busyMillisecondsMax: 0 }).catch(() => null);
  if (alone === null) return;
  // Where it fails, the next start has a check more to make.
  if (connection.isTuned) {
    await connection.client.executeMultiple("PRAGMA wal_checkpoint(TRUNCATE)").catch(() => undefined);
  }
  await alone.release();
}
