// The room's door: opens the database (folder, settings, migrations, checks) and hands out the one way to write,
// the reader, and the background loops. What others import from this room starts here, with table.ts' columns,
// idempotency.ts and migrate.ts beside it.

import { statSync } from "node:fs";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { Agent } from "../foundation/agent";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import type { Log } from "../foundation/log";
import { isLoopbackHost } from "../foundation/loopback";
import type { Random } from "../foundation/random";
import type { ReadDatabase, Tx } from "./bind";
import type { CommitDurability, DatabaseConnection } from "./connection";
import { asBsoptError, databaseCorrupt, databaseFailed } from "./database-error";
import { answerKeptMicroseconds, sweep, sweepCountMax } from "./idempotency";
import { type DatabaseServer, type DatabaseServerOptions, parseDatabaseAddress, requireWritable } from "./location";
import { applyPending, type Migration, pendingCount, startBusyMillisecondsMax } from "./migrate";
import { migrations as embeddedMigrations } from "./migrations-manifest";
import { type DatabaseDoor, enterDatabase } from "./open-connection";
import { whileBusy } from "./patience";
import { Reader } from "./reader";
import { RemoteConnection } from "./remote-connection";
import { schemaDifferences } from "./schema-check";
import { idempotencyAnswers } from "./table";
import { createWritability } from "./writability";
import {
  defaultWriterLimits,
  type StorageObserver,
  serverGroupMillisecondsMax,
  Writer,
  type WriterLimits,
  type WriterStatistics,
} from "./writer";

export type { ReadDatabase, Tx } from "./bind";
export type { StorageObserver, WriterLimits, WriterStatistics } from "./writer";

export interface Storage {
  /**
   * The one way to write. Runs `work` in a transaction and resolves with its value once that is committed to
   * the disk. Where `work` throws, its writes are undone and the error passes on. Inside, nothing may be awaited
   * but `tx` (else InvariantError), and `work` runs at most once. Throws unavailable WRITE_QUEUE_FULL,
   * DATABASE_BUSY, DATABASE_FULL, DATABASE_FAILED, STORAGE_CLOSED.
   */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Selects over what is committed. Not to be used inside a write. */
  readonly read: ReadDatabase;
  /** Throws where the database cannot be read, lacks a migration (one was undone meanwhile), or the storage has stopped. */
  ping(): Promise<void>;
  /** Calls `listener` within about a second of another process's commit, never for this process's own. Returns the way to stop. */
  onForeignWrite(listener: () => void): () => void;
  /** The code of what refuses writes just now, e.g. DATABASE_FULL; null while none is known to be refused. It ends by itself. */
  readonly writesRefusedBy: string | null;
  /** The loops this room runs: `database-watch` (started by onForeignWrite), `idempotency-sweep` and `write-trial`. Whoever serves starts them; close stops them. */
  readonly agents: readonly Agent[];
  statistics(): StorageStatistics;
  /**
   * The last process that had the file open did not close it (a crash, a kill, a power cut), and the file was too large to be
   * checked whole at this start: whoever serves has it checked beside.
   */
  readonly isCheckDue: boolean;
  /** Settles what is queued, stops the agents, closes the connections. */
  close(): Promise<void>;
}

export interface StorageStatistics extends WriterStatistics {
  /** Sizes of the database and of its write-ahead log; 0 where a file cannot be seen, as on a server. */
  readonly databaseBytes: number;
  readonly walBytes: number;
  /** False while the database is known to refuse writes. */
  readonly isWritable: boolean;
}

export interface StorageOptions {
  /** `file:PATH`, or a libSQL server as `http://`, `https://` or `libsql://`. */
  readonly url: string;
  /** For a server: by default it is given no token and must sync each commit. */
  readonly server?: DatabaseServerOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What an acknowledged write survives; `full` unless given. A batched file has no stored answers to sweep. */
  readonly durability?: CommitDurability;
  /** Apply pending migrations (default), or refuse to open where some are pending. */
  readonly migrate?: boolean;
  /**
   * Every table the program declares, compared with the database at the start. Left out, only storage's own are
   * looked at, and further ones are no difference.
   */
  readonly tables?: readonly SQLiteTable[];
  /** Called once when storage has stopped for good: the outcome of a COMMIT is unknown, the file is damaged, or an invariant broke. End the process. */
  readonly onFatal?: (error: unknown) => void;
  /** The executable's own unless a test brings others. */
  readonly migrations?: readonly Migration[];
  readonly limits?: Partial<WriterLimits>;
  readonly observer?: StorageObserver;
}

const watchIntervalMilliseconds = 1000;
const sweepIntervalMilliseconds = 10 * 60 * 1000;
const agentFailuresMax = 5;
/** Files up to this size are checked whole at the start (2 ms a MiB, and a start has 100 ms); larger ones are not. */
const checkedBytesMax = 8 * 1024 * 1024;

/**
 * Opens the database, making folder and file where they are missing. Throws BsoptErrors whose hints name what to
 * mend: DATABASE_URL_INVALID, DATABASE_URL_UNSUPPORTED, DATA_FOLDER_UNUSABLE, DATABASE_CORRUPT, DATABASE_FOREIGN,
 * DATABASE_NEWER, DATABASE_NOT_MIGRATED, DATABASE_SCHEMA_DIFFERS, MIGRATION_*, DATABASE_BUSY (after 30 s).
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { clock, random, log } = options;
  const address = parseDatabaseAddress(options.url, options.server);
  const isServer = address.kind === "server";
  const groupMillisecondsMax = isServer ? serverGroupMillisecondsMax : defaultWriterLimits.groupMillisecondsMax;
  const limits: WriterLimits = { ...defaultWriterLimits, groupMillisecondsMax, ...options.limits };
  if (isServer) warnOfClearToken(address, log);
  const migrations = options.migrations ?? embeddedMigrations;
  const startPatience = { clock, random, log, busyMillisecondsMax: startBusyMillisecondsMax };
  const readPatience = { clock, random, log, busyMillisecondsMax: limits.busyMillisecondsMax };

  const door = await enterDatabase(address, startPatience, options.durability);
  // Whoever migrates serves; reading what lies on a read-only disk is for commands.
  if (address.kind === "file" && (options.migrate ?? true)) await orLeave(door, () => requireWritable(address));
  const writerConnection = door.open("writer");
  const readerConnection = door.open("reader");
  const closeConnections = () => {
    writerConnection.close();
    readerConnection.close();
  };
  let isCheckDue = false;
  try {
    await whileBusy(startPatience, () => writerConnection.tune());
    if (writerConnection instanceof RemoteConnection) await writerConnection.client.requireDurable();
    if (address.kind === "file") {
      const isChecked = await requireIntact(writerConnection, address.path, log);
      if (door.wasLeftOpen) log.warn({ checked: isChecked }, "the database was not closed by whoever had it open last");
      isCheckDue = door.wasLeftOpen && !isChecked;
    }
    if (options.migrate ?? true) {
      const applied = await applyPending(writerConnection, migrations, startPatience);
      if (applied.length > 0) log.info({ applied }, "database migrated");
    } else if ((await pendingCount(writerConnection, migrations)) > 0) {
      throw notMigrated();
    }
    if (door.wasLeftOpen) await whileBusy(startPatience, () => makeDurable(writerConnection));
    await whileBusy(startPatience, () => readerConnection.tune());
  } catch (error) {
    closeConnections();
    await door.giveUp();
    throw asBsoptError(error);
  }

  const writer = new Writer({
    connection: writerConnection,
    clock,
    random,
    log,
    limits,
    onFatal: options.onFatal ?? (() => {}),
    observer: options.observer,
    onRefused: (error) => writability.refused(error),
  });
  const writability = createWritability({ write: (work) => writer.write(work), clock, log });
  const reader = new Reader({
    connection: readerConnection,
    patience: readPatience,
    requireAllowed: () => writer.requireOutside("storage.read"),
    onCorruption: (error) => writer.fail(error),
    onRead: options.observer && ((milliseconds) => options.observer?.read(milliseconds)),
  });

  const listeners = new Set<() => void>();
  let lookedAt = await lookAtVersion();
  async function lookAtVersion(): Promise<string> {
    return writer.between(() => writerConnection.version());
  }
  const agentOf = (name: string, intervalMilliseconds: number, round: (signal: AbortSignal) => Promise<void>) =>
    new Agent({
      name,
      intervalMilliseconds,
      failuresMax: agentFailuresMax,
      clock,
      round,
      onFailure: (error) => log.warn({ agent: name, err: error }, "background round failed"),
    });
  const watch = agentOf("database-watch", watchIntervalMilliseconds, async () => {
    const version = await lookAtVersion();
    if (version === lookedAt) return;
    lookedAt = version;
    for (const listener of listeners) listener();
  });
  const sweeper = agentOf("idempotency-sweep", sweepIntervalMilliseconds, async (signal) => {
    const madeBefore = clock.nowMicroseconds() - answerKeptMicroseconds;
    while (!signal.aborted && (await writer.write((tx) => sweep(tx, madeBefore))) === sweepCountMax);
  });

  const storage: Storage = {
    write: options.observer ? observedWrite(writer, clock, options.observer) : (work) => writer.write(work),
    read: reader.database,
    async ping() {
      if (writer.failure !== null) throw databaseFailed(writer.failure);
      try {
        writerConnection.requireInPlace();
      } catch (error) {
        writer.fail(error);
        throw error;
      }
      const answer = await reader.execute("SELECT count(*) FROM schema_migrations");
      if (Number(answer.rows[0]?.[0]) < migrations.length) throw notMigrated();
    },
    onForeignWrite(listener) {
      listeners.add(listener);
      watch.start();
      return () => listeners.delete(listener);
    },
    get writesRefusedBy() {
      return writability.refusedBy;
    },
    agents: options.durability === "batched" ? [watch, writability.agent] : [watch, sweeper, writability.agent],
    statistics: () => ({
      ...writer.statistics,
      isWritable: writability.refusedBy === null,
      databaseBytes: address.kind === "file" ? sizeOf(address.path) : 0,
      walBytes: address.kind === "file" ? sizeOf(`${address.path}-wal`) : 0,
    }),
    isCheckDue,
    async close() {
      // In one step: no round begins any more, no write is accepted; then wait for what is under way.
      await Promise.all([watch.stop(), sweeper.stop(), writability.agent.stop(), writer.close()]);
      reader.close();
      await door.leave(writerConnection);
      closeConnections();
    },
  };

  const tables = options.tables ?? (options.migrations === undefined ? [idempotencyAnswers] : []);
  const differences = await schemaDifferences({ read: storage.read, tables, isComplete: options.tables !== undefined });
  if (differences.length > 0) {
    await storage.close();
    throw new BsoptError({
      reason: "conflict",
      code: "DATABASE_SCHEMA_DIFFERS",
      detail: `The database is not as this executable expects: ${differences.join("; ")}.`,
      hint: "Somebody changed the schema by hand, or the file comes from another build. Restore a backup or use that build.",
    });
  }
  return storage;
}

/** Looks at what was entered; where that throws, the lock is given back first. */
async function orLeave(door: DatabaseDoor, look: () => void): Promise<void> {
  try {
    look();
  } catch (error) {
    await door.giveUp();
    throw error;
  }
}

function warnOfClearToken({ url, authToken }: DatabaseServer, log: Log): void {
  const { protocol, hostname } = new URL(url);
  if (authToken === null || protocol === "https:" || isLoopbackHost(hostname.replace(/^\[|\]$/g, ""))) return;
  log.warn({}, "the database server's token goes over the network in clear; use https or a network of their own");
}

function notMigrated(): BsoptError {
  return new BsoptError({
    reason: "conflict",
    code: "DATABASE_NOT_MIGRATED",
    detail: "The database lacks migrations that this executable needs.",
    hint: "Run `bsopt migrate up`.",
  });
}

function observedWrite(writer: Writer, clock: Clock, observer: StorageObserver): Storage["write"] {
  return async (work) => {
    const begunAt = clock.monotonicMilliseconds();
    try {
      return await writer.write(work);
    } finally {
      observer.wrote(clock.monotonicMilliseconds() - begunAt);
    }
  };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * Makes durable what a process left behind that was killed between writing a commit and syncing it: the log's content is read from the
 * system's memory, a client that asks again would be told that its act was made, and a power cut could still undo it. A commit
 * syncs the whole log; this one writes a page as it was.
 */
async function makeDurable(connection: DatabaseConnection): Promise<void> {
  const answer = await connection.client.execute("PRAGMA user_version");
  const transaction = await connection.begin();
  try {
    await connection.lock(transaction);
    await transaction.execute(`PRAGMA user_version = ${Number(answer.rows[0]?.[0])}`);
    await transaction.commit();
  } finally {
    transaction.close();
  }
}

/** False where the file is too large to be checked here. */
async function requireIntact(connection: DatabaseConnection, path: string, log: Log): Promise<boolean> {
  const { size } = statSync(path);
  if (size > checkedBytesMax) {
    log.info({ size_bytes: size }, "database not checked whole at the start: it is large");
    return false;
  }
  const answer = await connection.client.execute("PRAGMA quick_check(1)");
  const verdict = String(answer.rows[0]?.[0]);
  if (verdict !== "ok") throw databaseCorrupt(new Error(verdict));
  return true;
}
