// Backups: a folder with a copy of the database as it was at one moment and a manifest that says what it is. Made beside a running
// server; whole under its name or not there at all. Separate from restoring, which needs every server stopped. It must never
// put a key into a backup unasked: who holds the database's copy alone opens nothing that is sealed.

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { type Clock, formatTimestamp } from "../foundation/clock";
import { flush, makeFolder } from "../foundation/durable";
import { BsoptError } from "../foundation/errors";
import type { Random } from "../foundation/random";
import { fileSha256 } from "./database-copy";
import type { DatabaseLocation } from "./location";
import type { LongWork } from "./long-work";

/** The files of a backup. */
export const backupDatabaseName = "bsopt.db";
export const backupManifestName = "manifest.json";

const File = Type.Object({
  name: Type.String({ pattern: "^[a-z][a-z0-9.-]{0,63}$" }),
  bytes: Type.Integer({ minimum: 0 }),
  sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
});

const Manifest = Type.Object({
  format: Type.Literal(1),
  created_at: Type.String({ pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z$" }),
  bsopt_version: Type.String({ maxLength: 100 }),
  bsopt_commit: Type.String({ maxLength: 100 }),
  schema: Type.Array(Type.String({ maxLength: 200 }), { maxItems: 10_000 }),
  database: File,
  keys: Type.Array(File, { maxItems: 10 }),
  /** Tells one master key from another without telling anything of it; null where the folder had none. */
  master_key_mark: Type.Union([Type.Null(), Type.String({ pattern: "^[0-9a-f]{32}$" })]),
});

/** What a backup says of itself, as it stands in manifest.json. */
export type BackupManifest = Static<typeof Manifest>;

/** A file with a key in the data folder, which goes along where that is asked for. */
export interface KeyPlace {
  /** Its name, in the data folder and in a backup. */
  readonly name: string;
  readonly path: string;
}

export interface BackupOptions {
  readonly location: DatabaseLocation;
  /** The folder to make; must not exist. */
  readonly to: string;
  /** Files to take along; none without being asked. */
  readonly keys: readonly KeyPlace[];
  readonly masterKeyMark: string | null;
  readonly build: { readonly version: string; readonly commit: string };
  readonly clock: Clock;
  readonly random: Random;
  readonly longWork: LongWork;
  /** Told the path of the file that is growing. */
  readonly onCopying?: (path: string) => void;
}

export interface Backup {
  /** Absolute path of its folder. */
  readonly path: string;
  readonly manifest: BackupManifest;
}

const manifestBytesMax = 4 * 1024 * 1024;
/** How an unfinished backup's name ends; nobody takes it for a finished one. */
export const unfinishedSuffix = ".unfinished";

/**
 * Copies the database into a new folder and checks the copy. Throws BACKUP_EXISTS, BACKUP_FOLDER_UNUSABLE, DATABASE_CORRUPT (the
 * database itself is damaged: no backup is made) and what copying throws. On any failure nothing is left under the name.
 */
export async function makeBackup(options: BackupOptions): Promise<Backup> {
  const { location, keys, masterKeyMark, build, clock, random, longWork } = options;
  const to = resolve(options.to);
  if (existsSync(to)) {
    throw new BsoptError({
      reason: "conflict",
      code: "BACKUP_EXISTS",
      detail: "There is already something where the backup should go.",
      hint: "Name a folder that does not exist yet; a backup is never written over another.",
    });
  }
  const unfinished = `${to}.${Buffer.from(random.bytes(4)).toString("hex")}${unfinishedSuffix}`;
  const createdAt = clock.nowMicroseconds();
  try {
    makeFolder(dirname(to));
    mkdirSync(unfinished, { mode: 0o700 });
  } catch (error) {
    throw folderUnusable(error);
  }
  try {
    const copy = join(unfinished, backupDatabaseName);
    options.onCopying?.(copy);
    const facts = await longWork.run({ kind: "copy", path: location.path, to: copy });
    if (facts.damage.length > 0 || facts.marks === null) throw sourceDamaged(facts.damage);
    const manifest: BackupManifest = {
      format: 1,
      created_at: formatTimestamp(createdAt),
      bsopt_version: build.version,
      bsopt_commit: build.commit,
      schema: facts.marks.map(({ tag }) => tag),
      database: { name: backupDatabaseName, bytes: facts.byteCount, sha256: facts.sha256 },
      keys: await copyKeys(keys, unfinished),
      master_key_mark: masterKeyMark,
    };
    const manifestPath = join(unfinished, backupManifestName);
    writeFileSync(manifestPath, `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flag: "wx" });
    flush(manifestPath);
    flush(unfinished);
    // The one step that makes it a backup.
    renameSync(unfinished, to);
    flush(dirname(to));
    return { path: to, manifest };
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error instanceof BsoptError ? error : folderUnusable(error);
  }
}

async function copyKeys(keys: readonly KeyPlace[], folder: string): Promise<BackupManifest["keys"]> {
  const files: BackupManifest["keys"] = [];
  for (const { name, path } of keys) {
    if (!existsSync(path)) continue;
    const copy = join(folder, name);
    copyFileSync(path, copy);
    chmodSync(copy, 0o600);
    flush(copy);
    files.push({ name, bytes: readFileSync(copy).byteLength, sha256: await fileSha256(copy) });
  }
  return files;
}

/** Reads a backup's manifest. Throws BACKUP_MISSING or BACKUP_INVALID; says nothing of the files themselves. */
export function readManifest(folder: string): BackupManifest {
  const path = join(folder, backupManifestName);
  if (!existsSync(path)) {
    throw new BsoptError({
      reason: "not-found",
      code: "BACKUP_MISSING",
      detail: "There is no backup: the folder has no manifest.",
      hint: `A backup is a folder with ${backupManifestName} and ${backupDatabaseName}, as bsopt backup makes it.`,
    });
  }
  let manifest: unknown;
  try {
    manifest = JSON.parse(readFileSync(path, "utf8").slice(0, manifestBytesMax));
  } catch {
    throw invalid("its manifest cannot be read");
  }
  if (typeof manifest === "object" && manifest !== null && "format" in manifest && manifest.format !== 1) {
    throw new BsoptError({
      reason: "unsupported",
      code: "BACKUP_FORMAT_UNKNOWN",
      detail: "The backup was made in a form that this executable does not know.",
      hint: "Use the version of bsopt that made it, or a newer one.",
    });
  }
  if (!Value.Check(Manifest, manifest)) throw invalid("its manifest is not one of bsopt's");
  return manifest;
}

export function invalid(what: string): BsoptError {
  return new BsoptError({
    reason: "invalid",
    code: "BACKUP_INVALID",
    detail: `The backup cannot be used: ${what}.`,
    hint: "Nothing was changed. Take another backup.",
  });
}

/** Finished backups in a folder, the newest first; what is no backup of ours is passed over. */
export function finishedBackups(names: readonly string[], folder: string): Backup[] {
  const found: Backup[] = [];
  for (const name of names) {
    if (name.endsWith(unfinishedSuffix)) continue;
    try {
      found.push({ path: join(folder, name), manifest: readManifest(join(folder, name)) });
    } catch {
      // Somebody else's file or folder: none of ours to judge.
    }
  }
  return found.sort((a, b) => (a.manifest.created_at < b.manifest.created_at ? 1 : -1));
}

/** A backup's usual name: its time, without what file systems do not take. */
export function backupName(occasion: "scheduled" | "manual", clock: Clock): string {
  return `${occasion}-${formatTimestamp(clock.nowMicroseconds()).replace(/[-:]/g, "")}`;
}

function sourceDamaged(damage: readonly string[]): BsoptError {
  return new BsoptError({
    reason: "internal",
    code: "DATABASE_CORRUPT",
    detail: "The database is damaged; no backup was made of it.",
    hint: `Run bsopt doctor; keep the earlier backups. ${damage[0] ?? "It has no record of migrations."}`,
  });
}

function folderUnusable(cause: unknown): BsoptError {
  const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
  return new BsoptError({
    reason: "unavailable",
    code: "BACKUP_FOLDER_UNUSABLE",
    detail: `The backup's folder cannot be written (${code}).`,
    hint: "The folder must be writable by this user and have room for a copy of the database.",
    cause,
  });
}
