// Moves the database's schema forward and back. Separate from drizzle's own migrator, which reads its mark
// outside the transaction (concurrent starts collide) and skips a file older than the newest applied.
//
// Invariants:
// 1. One write transaction holds everything: reading the marks, every script, the marks, the check of foreign
//    keys. Whatever fails, the database is as it was.
// 2. The applied marks are always a prefix of the manifest, same tags, same hashes; anything else is refused.
// 3. foreign_keys is OFF on the connection from before BEGIN until after COMMIT: inside a transaction the PRAGMA
//    does nothing, and rebuilding a parent table with it ON empties the children through ON DELETE CASCADE.

import { existsSync } from "node:fs";
import { assert, InvariantError } from "../foundation/assert";
import type { EpochMicroseconds } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import type { DatabaseConnection } from "./connection";
import type { DatabaseClient, DatabaseTransaction } from "./database-client";
import { asBsoptError, isBusy } from "./database-error";
import { type DatabaseAddress, type DatabaseServerOptions, parseDatabaseAddress } from "./location";
import { type Migration, migrationHash } from "./migration";
import { migrations as embeddedMigrations } from "./migrations-manifest";
import { enterDatabase } from "./open-connection";
import { type Patience, whileBusy } from "./patience";
import { marksTable } from "./remote-client";

export type { Migration } from "./migration";

export interface MigrationState {
  /** The schema's version once this is applied: 1 for the first. */
  readonly version: number;
  readonly tag: string;
  readonly state: "applied" | "pending" | "unknown";
  readonly appliedAtMicroseconds: EpochMicroseconds | null;
}

export interface MigrationStatus {
  /** Count of applied migrations; 0 is the empty database. */
  readonly version: number;
  /** Count this executable carries. */
  readonly latestVersion: number;
  readonly migrations: readonly MigrationState[];
  /** Why this executable would refuse to migrate or serve this database, or null. */
  readonly problem: BsoptError | null;
}

export interface MigrateOptions extends Omit<Patience, "busyMillisecondsMax"> {
  readonly url: string;
  /** For a database server: by default it is given no token and must sync each commit. */
  readonly server?: DatabaseServerOptions;
  /** The executable's own unless a test brings others. */
  readonly migrations?: readonly Migration[];
  /** How long to wait for another process, default 30,000. */
  readonly busyMillisecondsMax?: number;
}

/** Starts wait longer than writes: another process may be migrating. */
export const startBusyMillisecondsMax = 30_000;

interface Mark {
  readonly number: number;
  readonly tag: string;
  readonly hash: string;
}

interface AppliedRow extends Mark {
  readonly appliedAtMicroseconds: EpochMicroseconds;
}

const createMarksSql = `CREATE TABLE IF NOT EXISTS schema_migrations (
  number INTEGER PRIMARY KEY NOT NULL,
  tag TEXT NOT NULL UNIQUE,
  hash TEXT NOT NULL,
  applied_at INTEGER NOT NULL
) STRICT`;

/** Applies what is pending. Throws MIGRATION_* or DATABASE_* errors, the database then being unchanged. */
export async function migrateUp(options: MigrateOptions): Promise<MigrationStatus> {
  return withConnection(options, true, async (connection, migrations, patience) => {
    await applyPending(connection, migrations, patience);
    return readStatus(connection, migrations);
  });
}

/** Undoes the newest first until `to` migrations are left (0 = empty). Throws MIGRATION_TARGET_INVALID and the like. */
export async function migrateDown(to: number, options: MigrateOptions): Promise<MigrationStatus> {
  return withConnection(options, true, async (connection, migrations, patience) => {
    await undoTo(to, connection, migrations, patience);
    return readStatus(connection, migrations);
  });
}

/** Which migrations are applied, pending or unknown to this executable. Changes nothing, and makes no file. */
export async function migrationStatus(options: MigrateOptions): Promise<MigrationStatus> {
  const address = addressOf(options);
  if (address.kind === "file" && !existsSync(address.path)) {
    return statusOf([], options.migrations ?? embeddedMigrations);
  }
  return withConnection(options, false, (connection, migrations) => readStatus(connection, migrations));
}

function addressOf({ url, server }: MigrateOptions): DatabaseAddress {
  return parseDatabaseAddress(url, server);
}

async function withConnection<T>(
  options: MigrateOptions,
  isWriting: boolean,
  work: (connection: DatabaseConnection, migrations: readonly Migration[], patience: Patience) => Promise<T>,
): Promise<T> {
  const patience: Patience = {
    ...options,
    busyMillisecondsMax: options.busyMillisecondsMax ?? startBusyMillisecondsMax,
  };
  const door = await enterDatabase(addressOf(options), patience);
  const connection = door.open(isWriting ? "writer" : "reader");
  try {
    await whileBusy(patience, () => connection.tune());
    return await work(connection, options.migrations ?? embeddedMigrations, patience);
  } finally {
    await door.leave(connection);
    connection.close();
  }
}

/** Brings the connection's database up to date; returns the tags applied now. Used by the start as well. */
export async function applyPending(
  connection: DatabaseConnection,
  migrations: readonly Migration[],
  patience: Patience,
): Promise<string[]> {
  requireWellFormed(migrations);
  // The usual start: nothing to do, no lock taken.
  const known = await whileBusy(
    patience,
    async () => requirePrefix(await readApplied(connection.client), migrations),
    () => connection.distrust(),
  );
  if (known === migrations.length) return [];
  return inSchemaTransaction(connection, patience, async (transaction) => {
    // Another process may have been faster: what counts is read under the lock.
    const applied = requirePrefix(await readApplied(transaction), migrations);
    const tags: string[] = [];
    for (const [number, migration] of migrations.entries()) {
      if (number < applied) continue;
      await runScript(transaction, migration.tag, migration.up);
      await transaction.execute({
        sql: "INSERT INTO schema_migrations (number, tag, hash, applied_at) VALUES (?, ?, ?, ?)",
        args: [number, migration.tag, migrationHash(migration), patience.clock.nowMicroseconds()],
      });
      tags.push(migration.tag);
    }
    return tags;
  });
}

/** How many migrations are still to be applied; throws where the applied ones do not fit this executable. */
export async function pendingCount(connection: DatabaseConnection, migrations: readonly Migration[]): Promise<number> {
  return migrations.length - requirePrefix(await readApplied(connection.client), migrations);
}

async function undoTo(
  to: number,
  connection: DatabaseConnection,
  migrations: readonly Migration[],
  patience: Patience,
): Promise<void> {
  requireWellFormed(migrations);
  await inSchemaTransaction(connection, patience, async (transaction) => {
    const applied = requirePrefix(await readApplied(transaction), migrations);
    if (!Number.isSafeInteger(to) || to < 0 || to > applied) {
      throw new BsoptError({
        reason: "invalid",
        code: "MIGRATION_TARGET_INVALID",
        detail: `The database is at version ${applied}; it can go down to a whole number from 0 to ${applied}.`,
      });
    }
    for (let number = applied - 1; number >= to; number--) {
      const migration = migrations[number]!;
      await runScript(transaction, `${migration.tag}.down`, migration.down);
      await transaction.execute({ sql: "DELETE FROM schema_migrations WHERE number = ?", args: [number] });
    }
  });
}

/** A write transaction with foreign keys off around it and checked inside it, at its end. */
async function inSchemaTransaction<T>(
  connection: DatabaseConnection,
  patience: Patience,
  work: (transaction: DatabaseTransaction) => Promise<T>,
): Promise<T> {
  const transaction = await whileBusy(patience, async () => {
    await connection.tune();
    const begun = await connection.beginSchemaChange();
    try {
      await begun.executeMultiple(createMarksSql);
      await connection.lock(begun);
      return begun;
    } catch (error) {
      begun.close();
      throw error;
    }
  });
  try {
    const result = await work(transaction);
    const broken = await transaction.execute('SELECT DISTINCT "table", parent FROM pragma_foreign_key_check LIMIT 10');
    if (broken.rows.length > 0) {
      const pairs = broken.rows.map((row) => `${String(row[0])} → ${String(row[1])}`).join(", ");
      throw new BsoptError({
        reason: "internal",
        code: "MIGRATION_BREAKS_FOREIGN_KEYS",
        detail: `The migration would leave rows that point nowhere: ${pairs}. Nothing was changed.`,
      });
    }
    await transaction.commit();
    return result;
  } catch (error) {
    transaction.close();
    throw isBusy(error) ? asBsoptError(error) : error;
  } finally {
    // Closing a failed transaction may have cost the connection: tune it again rather than trust it.
    connection.distrust();
    await whileBusy(patience, () => connection.tune());
  }
}

/** Scripts may not end the transaction they run in. (`BEGIN` and `END` also belong to triggers.) */
const transactionControl = /^\s*(commit|rollback|vacuum|attach|detach)\b/im;

async function runScript(transaction: DatabaseTransaction, name: string, script: string): Promise<void> {
  for (const piece of script.split("--> statement-breakpoint")) {
    if (piece.trim() === "") continue;
    try {
      await transaction.executeMultiple(piece);
    } catch (error) {
      throw new BsoptError({
        reason: "internal",
        code: "MIGRATION_FAILED",
        detail: `Migration ${name} failed; nothing was changed.`,
        hint: "The cause names the statement's fault. The database is as it was before.",
        cause: error,
      });
    }
    if (transaction.closed) throw new InvariantError(`migration ${name} ended the transaction it runs in`);
  }
}

function requireWellFormed(migrations: readonly Migration[]): void {
  for (const [number, { tag, up, down }] of migrations.entries()) {
    const prefix = `${String(number).padStart(4, "0")}_`;
    assert(tag.startsWith(prefix), `migration ${tag} stands at ${number}; its tag must start with ${prefix}`);
    assert(up.trim() !== "" && down.trim() !== "", `migration ${tag} must carry both directions`);
    assert(!transactionControl.test(up) && !transactionControl.test(down), `migration ${tag} controls transactions`);
  }
}

async function readApplied(reading: Pick<DatabaseClient, "execute">): Promise<AppliedRow[]> {
  const tables = await reading.execute(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
  );
  const names = tables.rows.map((row) => String(row[0])).filter((name) => name !== marksTable);
  if (!names.includes("schema_migrations")) {
    if (names.length === 0) return [];
    throw new BsoptError({
      reason: "conflict",
      code: "DATABASE_FOREIGN",
      detail: "The database file belongs to another program: it has tables, but none that records migrations.",
      hint: "Point the data folder or database_url somewhere else.",
    });
  }
  const rows = await reading.execute("SELECT number, tag, hash, applied_at FROM schema_migrations ORDER BY number");
  return rows.rows.map((row) => ({
    number: Number(row[0]),
    tag: String(row[1]),
    hash: String(row[2]),
    appliedAtMicroseconds: BigInt(row[3] as bigint),
  }));
}

/** The problem that keeps `applied` from being a prefix of `migrations`, or null. */
export function prefixProblem(applied: readonly Mark[], migrations: readonly Migration[]): BsoptError | null {
  for (const [index, row] of applied.entries()) {
    const migration = migrations[index];
    if (row.number === index && migration === undefined) {
      return new BsoptError({
        reason: "conflict",
        code: "DATABASE_NEWER",
        detail: `The database is newer than this executable: it has ${row.tag}, which this one does not know.`,
        hint: "Start the newer executable, or run its `migrate down` first.",
      });
    }
    if (migration === undefined || row.number !== index || row.tag !== migration.tag) {
      return new BsoptError({
        reason: "conflict",
        code: "MIGRATION_OUT_OF_ORDER",
        detail: `The database has migration ${row.tag} as number ${row.number}; this executable expects ${migration?.tag ?? "nothing"} at ${index}.`,
        hint: "A migration was added before ones already applied, or a row of schema_migrations is missing. Use the executable that made this database.",
      });
    }
    if (row.hash !== migrationHash(migration)) {
      return new BsoptError({
        reason: "conflict",
        code: "MIGRATION_EDITED",
        detail: `Migration ${row.tag} was changed after it had been applied to this database.`,
        hint: "Migrations are append-only: use the executable that applied it, and put the change into a new migration.",
      });
    }
  }
  return null;
}

function requirePrefix(applied: readonly AppliedRow[], migrations: readonly Migration[]): number {
  const problem = prefixProblem(applied, migrations);
  if (problem) throw problem;
  return applied.length;
}

async function readStatus(connection: DatabaseConnection, migrations: readonly Migration[]): Promise<MigrationStatus> {
  const applied = await readApplied(connection.client).catch((error: unknown) => {
    throw asBsoptError(error);
  });
  return statusOf(applied, migrations);
}

function statusOf(applied: readonly AppliedRow[], migrations: readonly Migration[]): MigrationStatus {
  const states: MigrationState[] = applied.map((row, index) => ({
    version: index + 1,
    tag: row.tag,
    state: migrations[index]?.tag === row.tag ? "applied" : "unknown",
    appliedAtMicroseconds: row.appliedAtMicroseconds,
  }));
  for (const [index, migration] of migrations.entries()) {
    if (index < applied.length) continue;
    states.push({ version: index + 1, tag: migration.tag, state: "pending", appliedAtMicroseconds: null });
  }
  return {
    version: applied.length,
    latestVersion: migrations.length,
    migrations: states,
    problem: prefixProblem(applied, migrations),
  };
}
