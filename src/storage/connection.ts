// One client with exactly one connection, opened and tuned. Separate because the settings live on the
// connection, not in the file: a pool would open further ones untuned, so every client here has room for
// one, and a connection that was replaced is tuned again before anyone uses it.
//
// Invariants:
// 1. `client` is used by nobody before `tune` has succeeded on its present connection.
// 2. A writer's connection can take the write lock only while tuned: `lockSql` names a temporary table that
//    tuning makes, so on any other connection it fails.
// 3. busy_timeout is 0: waiting inside SQLite would stop the event loop. Whoever meets SQLITE_BUSY waits outside.

import { type Client, createClient } from "@libsql/client/sqlite3";
import { BsoptError } from "../foundation/errors";
import type { DatabaseClient, DatabaseTransaction } from "./database-client";
import { asBsoptError, storageClosed } from "./database-error";
import type { FilePlace } from "./file-place";
import { type TurnGuard, turnOfGroup } from "./turn-guard";

export type ConnectionRole = "writer" | "reader";

/**
 * What an acknowledged write survives. `full`: a power cut. `batched`: the process's end; a power cut may take what was committed since the log's content
 * was last moved into the file, which somebody else does (moveLog of database-copy.ts): no commit waits for the disk.
 */
export type CommitDurability = "full" | "batched";

/** A way to one database, a file here or a server in remote-connection.ts. */
export interface DatabaseConnection {
  readonly client: DatabaseClient;
  readonly isRemote: boolean;
  readonly isTuned: boolean;
  /** Says that what was found out about it can no longer be trusted. */
  distrust(): void;
  /** Makes it ready for use. */
  tune(): Promise<void>;
  /** Opens a transaction with foreign keys on; only `lock` makes it the one that writes. */
  begin(): Promise<DatabaseTransaction>;
  /** The same with foreign keys off, for changes of the schema. `distrust` and `tune` afterwards. */
  beginSchemaChange(): Promise<DatabaseTransaction>;
  /** Takes the write lock inside the transaction. */
  lock(transaction: DatabaseTransaction): Promise<void>;
  /** What tells, in one group, that a work waits for something else. */
  turnGuard(): TurnGuard;
  /** Throws DATABASE_GONE where what it writes to is not what its address names any more. */
  requireInPlace(): void;
  /** A text that differs from the last where another process has committed since. Not inside a transaction. */
  version(): Promise<string>;
  close(): void;
}

const common = [
  "PRAGMA busy_timeout = 0",
  // Temporary tables and sorts stay off the disk: TMPDIR may be read-only or full.
  "PRAGMA temp_store = MEMORY",
  "PRAGMA trusted_schema = OFF",
];

/** After those of a writer. */
const batched = ["PRAGMA synchronous = NORMAL", "PRAGMA wal_autocheckpoint = 0"];

const settings: Readonly<Record<ConnectionRole, readonly string[]>> = {
  writer: [
    ...common,
    "PRAGMA journal_mode = WAL",
    // NORMAL loses acknowledged rows in a power cut; FULL does not.
    "PRAGMA synchronous = FULL",
    // On macOS fsync alone does not reach the platter. A no-op elsewhere.
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    // The log is cut back to 64 MiB after a burst.
    "PRAGMA journal_size_limit = 67108864",
    // The temporary table whose presence says "this connection is tuned".
    "CREATE TEMP TABLE IF NOT EXISTS tuned_connection (mark INTEGER)",
  ],
  reader: [...common, "PRAGMA query_only = ON"],
};

/**
 * Takes the write lock inside a deferred transaction, changing nothing. Run through the driver's `exec`, which
 * finalises the statement when it fails. `BEGIN IMMEDIATE` through the driver's other path leaves its failed
 * statement open: the connection then answers OK to writes it never commits, and replacing it leaves two
 * file handles behind each time.
 */
export const lockSql = "UPDATE schema_migrations SET tag = (SELECT mark FROM temp.tuned_connection) WHERE 0";

export class Connection implements DatabaseConnection {
  readonly isRemote = false;
  readonly client: Client;
  readonly role: ConnectionRole;
  readonly #place: FilePlace | null;
  readonly #durability: CommitDurability;
  #isTuned = false;
  #isSound = true;
  #isClosed = false;
  #generation = 0;

  /** Opens without touching the file's content; `tune` is the first to do so. `place`: where it is, for whoever acknowledges. */
  constructor(
    clientUrl: string,
    role: ConnectionRole,
    place: FilePlace | null = null,
    durability: CommitDurability = "full",
  ) {
    this.role = role;
    this.#place = place;
    this.#durability = durability;
    try {
      this.client = createClient({ url: clientUrl, intMode: "bigint", concurrency: 1 });
    } catch (error) {
      throw asBsoptError(error);
    }
  }

  get isTuned(): boolean {
    return this.#isTuned;
  }

  /** Counts the connections this client has had, so that what is counted per connection can be told apart. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Says that the connection can no longer be trusted: `tune` will replace it. Needed after a prepared statement
   * failed with SQLITE_BUSY, or a transaction could not be closed. Each replacement leaves file handles behind
   * until the garbage collector comes by, so it is not the way to wait for a lock.
   */
  distrust(): void {
    this.#isTuned = false;
    this.#isSound = false;
  }

  /**
   * Makes the connection ready for use: replaces it where it was distrusted, and sets what is not set. Throws the
   * driver's own error: the caller decides whether SQLITE_BUSY is worth another try, which may follow at once.
   * Throws STORAGE_CLOSED after `close`: what was closed is never opened again.
   */
  async tune(): Promise<void> {
    if (this.#isTuned) return;
    if (this.#isClosed) throw storageClosed();
    if (!this.#isSound) await this.client.reconnect();
    this.#isSound = true;
    this.#place?.forgetLog();
    this.#generation += 1;
    // Through `exec`, which finalises what fails: after SQLITE_BUSY the same connection may try again.
    const isBatched = this.role === "writer" && this.#durability === "batched";
    await this.client.executeMultiple([...settings[this.role], ...(isBatched ? batched : [])].join(";\n"));
    if (this.role === "writer") await this.#requireWriteAheadLog();
    this.#isTuned = true;
  }

  begin(): Promise<DatabaseTransaction> {
    return this.client.transaction("deferred");
  }

  async beginSchemaChange(): Promise<DatabaseTransaction> {
    // Inside a transaction the PRAGMA does nothing.
    await this.client.executeMultiple("PRAGMA foreign_keys = OFF");
    return this.client.transaction("deferred");
  }

  lock(transaction: DatabaseTransaction): Promise<void> {
    return transaction.executeMultiple(lockSql);
  }

  turnGuard(): TurnGuard {
    return turnOfGroup();
  }

  requireInPlace(): void {
    this.#place?.require();
  }

  async version(): Promise<string> {
    const answer = await this.client.execute("PRAGMA data_version");
    // A replaced connection counts anew, and was replaced because another process wrote.
    return `${this.#generation}:${String(answer.rows[0]?.[0])}`;
  }

  async #requireWriteAheadLog(): Promise<void> {
    const answer = await this.client.execute("PRAGMA journal_mode");
    if (answer.rows[0]?.[0] === "wal") return;
    throw new BsoptError({
      reason: "unavailable",
      code: "DATABASE_WAL_REFUSED",
      detail: "The file system of the data folder does not support a write-ahead log.",
      hint: "Put the data folder on a local disk; network file systems do not work.",
    });
  }

  close(): void {
    this.#isTuned = false;
    this.#isClosed = true;
    this.client.close();
  }
}
