// Puts a backup's database in the place of the present one. Separate from making backups because it needs the database's files for
// itself: it takes the lock that every process shares which has them open, and refuses where one does.
//
// Invariants:
// 1. Nothing is changed before the backup's files have been copied here, hashed, checked whole and found to be of a schema this
//    executable knows. A backup is only read.
// 2. The present database stays in place, whole, until one rename replaces it; a process killed at any moment, or a power cut, leaves
//    one or the other. A copy of it under a second name (a link) has been made before, and is kept.
// 3. No log of the old database ever lies beside the new one: SQLite would play it into the wrong file. Its content is moved into
//    the old file first; where that cannot be done (the file is damaged, or gone), the log moves aside with it. That it is gone
//    is durable before the rename.
// 4. Where keys come along, a mark stands, durably, from before the first key is replaced until after the database is: nothing opens
//    the database meanwhile but another restore.

import {
  copyFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Clock, formatTimestamp } from "../foundation/clock";
import { flush } from "../foundation/durable";
import { BsoptError } from "../foundation/errors";
import { silentLog } from "../foundation/log";
import type { Random } from "../foundation/random";
import { type BackupManifest, backupDatabaseName, invalid, type KeyPlace, readManifest } from "./backup";
import { Connection } from "./connection";
import { fileSha256 } from "./database-copy";
import { lockFolder } from "./folder-lock";
import { type DatabaseLocation, makeEmptyFile, prepareFiles, unfinishedRestoreSuffix } from "./location";
import type { LongWork } from "./long-work";
import { type Migration, prefixProblem } from "./migrate";
import { migrations as embeddedMigrations } from "./migrations-manifest";
import type { Patience } from "./patience";

const stagedSuffix = ".restoring";

export interface RestoreOptions {
  readonly location: DatabaseLocation;
  /** The backup's folder. */
  readonly from: string;
  /** Where the keys of a backup that has some belong. */
  readonly keys: readonly KeyPlace[];
  /** The present master key's mark, or null where the data folder has none. */
  readonly masterKeyMark: string | null;
  /** Go on where nobody has the key that the backup's secrets are sealed under: they are lost then. */
  readonly acceptsOtherKey: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly longWork: LongWork;
  readonly migrations?: readonly Migration[];
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

export interface Restored {
  readonly manifest: BackupManifest;
  /** The folder in which what was there before is kept, or null where there was nothing. */
  readonly keptIn: string | null;
  /** Names of the keys that came with the backup and are now in the data folder. */
  readonly keys: readonly string[];
  /** Migrations that the next start will apply. */
  readonly pendingCount: number;
}

/**
 * Restores. Throws DATABASE_IN_USE where a process has the database open, BACKUP_MISSING, BACKUP_INVALID, BACKUP_FORMAT_UNKNOWN,
 * DATABASE_NEWER and MIGRATION_* where the backup's schema is not of this executable, MASTER_KEY_DIFFERS, RESTORE_FAILED.
 */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const { location, clock, random, keys } = options;
  const migrations = options.migrations ?? embeddedMigrations;
  const from = resolve(options.from);
  const manifest = readManifest(from);
  requireKey(manifest, options);
  const wasThere = existsSync(location.path);
  prepareFolder(location, wasThere);
  const patience: Patience = { clock, random, log: silentLog, busyMillisecondsMax: 0 };
  const lock = await lockFolder(location, "alone", patience).catch((cause) => {
    throw new BsoptError({
      reason: "conflict",
      code: "DATABASE_IN_USE",
      detail: "A process has this database open.",
      hint: "Stop every server and command on this data folder, then restore.",
      cause,
    });
  });
  const staged = location.path + stagedSuffix;
  const removeStaged = () => {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(staged + suffix, { force: true });
    for (const { path } of keys) rmSync(path + stagedSuffix, { force: true });
  };
  try {
    // What an earlier restore that was ended left behind.
    removeStaged();
    await stage(from, staged, manifest, options.onProgress);
    const facts = await options.longWork.run({ kind: "inspect", path: staged, depth: "whole" });
    if (facts.damage.length > 0) throw invalid(`its database is damaged (${facts.damage[0]})`);
    if (facts.marks === null || facts.marks.length === 0) throw invalid("its database has no record of migrations");
    if (facts.marks.map(({ tag }) => tag).join() !== manifest.schema.join()) {
      throw invalid("its database is not of the schema that its manifest names");
    }
    const problem = prefixProblem(facts.marks, migrations);
    if (problem) throw problem;
    const comingKeys = keys.filter(({ name }) => manifest.keys.some((file) => file.name === name));
    for (const key of comingKeys) stageKey(from, key);
    const keptIn = await keepPresent(location, comingKeys, { wasThere, clock });
    const mark = location.path + unfinishedRestoreSuffix;
    if (comingKeys.length > 0 && !existsSync(mark)) makeEmptyFile(mark);
    flush(dirname(location.path));
    for (const { path } of comingKeys) {
      renameSync(path + stagedSuffix, path);
      flush(dirname(path));
    }
    renameSync(staged, location.path);
    flush(dirname(location.path));
    rmSync(mark, { force: true });
    flush(dirname(location.path));
    return {
      manifest,
      keptIn,
      keys: manifest.keys.map(({ name }) => name),
      pendingCount: migrations.length - facts.marks.length,
    };
  } catch (error) {
    throw error instanceof BsoptError ? error : failed(error);
  } finally {
    removeStaged();
    await lock.release();
  }
}

/** The folder and the lock file, but no empty database where there was none. */
function prepareFolder(location: DatabaseLocation, wasThere: boolean): void {
  prepareFiles(location, silentLog);
  if (!wasThere) rmSync(location.path);
}

/** Secrets in the backup open only under the key they were sealed under: it comes along, is here, or is given up by name. */
function requireKey(manifest: BackupManifest, { masterKeyMark, keys, acceptsOtherKey }: RestoreOptions): void {
  const comesAlong = manifest.keys.some((file) => keys.some(({ name }) => name === file.name));
  if (comesAlong || manifest.master_key_mark === null || acceptsOtherKey) return;
  if (manifest.master_key_mark === masterKeyMark) return;
  throw new BsoptError({
    reason: "conflict",
    code: "MASTER_KEY_DIFFERS",
    detail:
      masterKeyMark === null
        ? "The data folder has no master key, and the backup brings none."
        : "The data folder's master key is not the one that the backup's secrets are sealed under.",
    hint: "Put the right file master-key into the data folder first. With --accept-other-key those secrets are given up.",
  });
}

/** Copies the backup's database beside its place, hashing what is written; durable and private. */
async function stage(
  from: string,
  staged: string,
  manifest: BackupManifest,
  onProgress: RestoreOptions["onProgress"],
): Promise<void> {
  const source = join(from, backupDatabaseName);
  if (manifest.database.name !== backupDatabaseName || !existsSync(source)) throw invalid("its database is missing");
  if (statSync(source).size !== manifest.database.bytes) throw invalid("its database has another size than when made");
  let doneBytes = 0;
  await pipeline(
    createReadStream(source, { highWaterMark: 1 << 20 }),
    async function* (chunks) {
      for await (const chunk of chunks) {
        doneBytes += chunk.length;
        onProgress?.(doneBytes, manifest.database.bytes);
        yield chunk;
      }
    },
    createWriteStream(staged, { flags: "wx", mode: 0o600 }),
  );
  flush(staged);
  if ((await fileSha256(staged)) !== manifest.database.sha256)
    throw invalid("its database was changed since it was made");
  for (const file of manifest.keys) {
    const path = join(from, file.name);
    if (!existsSync(path) || (await fileSha256(path)) !== file.sha256) {
      throw invalid(`its ${file.name} is missing or was changed since it was made`);
    }
  }
}

/** Gives the present files second names in a folder of their own, the log's content being in the database before. */
async function keepPresent(
  location: DatabaseLocation,
  comingKeys: readonly KeyPlace[],
  { wasThere, clock }: { wasThere: boolean; clock: Clock },
): Promise<string | null> {
  const log = `${location.path}-wal`;
  // A log without its database is nobody's, but would be played into the new one.
  const isEmpty = !wasThere && !existsSync(log) && !comingKeys.some(({ path }) => existsSync(path));
  if (isEmpty) return null;
  const time = formatTimestamp(clock.nowMicroseconds()).replace(/[-:]/g, "");
  const kept = join(dirname(location.path), `before-restore-${time}`);
  mkdirSync(kept, { mode: 0o700 });
  const isClosed = wasThere && (await foldLog(location));
  if (wasThere) linkOrCopy(location.path, join(kept, basename(location.path)));
  for (const { name, path } of comingKeys) if (existsSync(path)) linkOrCopy(path, join(kept, name));
  if (!isClosed && existsSync(log)) {
    linkOrCopy(log, join(kept, `${basename(location.path)}-wal`));
  }
  flush(kept);
  flush(dirname(location.path));
  for (const path of [log, `${location.path}-shm`]) rmSync(path, { force: true });
  return kept;
}

/** Moves the log's content into the database file; false where the file is too damaged for that. */
async function foldLog(location: DatabaseLocation): Promise<boolean> {
  const connection = new Connection(location.clientUrl, "writer");
  try {
    await connection.tune();
    // Leaving the mode moves the log's content, removes the log, and takes from this connection, which the driver closes only
    // some time later, any say in a log of that name.
    const answer = await connection.client.execute("PRAGMA journal_mode = DELETE");
    return answer.rows[0]?.[0] === "delete";
  } catch {
    return false;
  } finally {
    connection.close();
  }
}

/** Lays a key beside its place, durably. */
function stageKey(from: string, { name, path }: KeyPlace): void {
  const staged = path + stagedSuffix;
  rmSync(staged, { force: true });
  // The copy takes the mode of the backup's file, which is the owner's alone.
  copyFileSync(join(from, name), staged);
  flush(staged);
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
    flush(to);
  }
}

function failed(cause: unknown): BsoptError {
  const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
  return new BsoptError({
    reason: "unavailable",
    code: "RESTORE_FAILED",
    detail: `The backup could not be put in place (${code}).`,
    hint: "The database that was there is where it was. Look at the rights and the room of the data folder.",
    cause,
  });
}
