// Where the database lives: a `file:` address taken apart, its folder made, its file made private. Separate
// because it must happen before anything opens the file. It never opens a file that already exists: closing
// any handle on it would drop the locks this whole process holds on it (POSIX).

import { accessSync, chmodSync, closeSync, constants, existsSync, openSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { flush, makeFolder } from "../foundation/durable";
import { BsoptError } from "../foundation/errors";
import type { Log } from "../foundation/log";
import type { RemoteDurability, RemoteLimits } from "./remote-client";
import type { RemoteAddress } from "./remote-protocol";

export interface DatabaseLocation {
  readonly kind: "file";
  /** Absolute path of the database file. */
  readonly path: string;
  /** The same for the driver, with what an address would misread escaped. */
  readonly clientUrl: string;
}

/** How the name of a database's lock file follows from the database's: see folder-lock.ts. */
export const lockSuffix = ".lock";

/** A file of this name beside the database says that a restore was ended between a key and the database it opens. */
export const unfinishedRestoreSuffix = ".restore-unfinished";

/** Throws RESTORE_UNFINISHED where database and keys may not belong together. */
export function requireRestored(location: DatabaseLocation): void {
  if (!existsSync(location.path + unfinishedRestoreSuffix)) return;
  throw new BsoptError({
    reason: "conflict",
    code: "RESTORE_UNFINISHED",
    detail: "A restore was interrupted: the database and the keys beside it may not belong together.",
    hint: "Run the same `bsopt restore` again; what was there before it is kept in before-restore-… in the data folder.",
  });
}

/** A libSQL server. */
export interface DatabaseServer extends RemoteAddress {
  readonly kind: "server";
  readonly durability: RemoteDurability;
  readonly limits?: Partial<RemoteLimits>;
}

/** What a server is told and asked beside its address. */
export interface DatabaseServerOptions {
  /** A secret; null where the server asks for none. */
  readonly authToken: string | null;
  readonly durability: RemoteDurability;
  /** Shorter ones for tests. */
  readonly limits?: Partial<RemoteLimits>;
}

const anonymous: DatabaseServerOptions = { authToken: null, durability: { adminUrl: null, allowsRelaxed: false } };

export type DatabaseAddress = DatabaseLocation | DatabaseServer;

const serverSchemes = ["libsql", "http", "https"];

function schemeOf(url: string): string | undefined {
  return /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
}

/** Is it a server's address rather than a file's? */
export function isDatabaseServer(url: string): boolean {
  return serverSchemes.includes(schemeOf(url) ?? "");
}

/**
 * Takes a database's address apart: `file:PATH`, or `http://`, `https://` or `libsql://` (which means https) with a host
 * and, where the server asks for it, a path. Throws DATABASE_URL_INVALID and DATABASE_URL_UNSUPPORTED.
 */
export function parseDatabaseAddress(url: string, server: DatabaseServerOptions = anonymous): DatabaseAddress {
  if (!isDatabaseServer(url)) return parseDatabaseUrl(url);
  const text = url.replace(/^libsql:/i, "https:");
  const parsed = URL.canParse(text) ? new URL(text) : null;
  if (parsed === null || parsed.hostname === "") throw invalidUrl("The database server's address cannot be read.");
  if (parsed.username !== "" || parsed.password !== "" || parsed.search !== "" || parsed.hash !== "") {
    throw invalidUrl("The database server's address takes no user, no parameters and no fragment.");
  }
  const path = parsed.pathname.endsWith("/") ? parsed.pathname : `${parsed.pathname}/`;
  return { kind: "server", url: `${parsed.origin}${path}`, ...server };
}

function invalidUrl(detail: string): BsoptError {
  return new BsoptError({
    reason: "invalid",
    code: "DATABASE_URL_INVALID",
    detail,
    hint: "Write it as file:PATH, for example file:./bsopt-data/bsopt.db, or as a libSQL server's https://host.",
  });
}

/**
 * Takes `file:PATH` apart. The path is taken literally (no percent-decoding), relative to the working folder.
 * Throws DATABASE_URL_UNSUPPORTED for a server's address and DATABASE_URL_INVALID for anything else.
 */
export function parseDatabaseUrl(url: string): DatabaseLocation {
  const scheme = schemeOf(url);
  if (scheme !== undefined && [...serverSchemes, "ws", "wss"].includes(scheme)) {
    throw new BsoptError({
      reason: "unsupported",
      code: "DATABASE_URL_UNSUPPORTED",
      detail: "This works on a database file only, and database_url names something else.",
      hint: "Name a file as file:PATH. A libSQL server is named by http://, https:// or libsql://, and has its own tools for backups.",
    });
  }
  if (scheme !== "file") throw invalidUrl("The database address must start with file:.");
  let path = url.slice("file:".length);
  const authority = /^\/\/([^/]*)(\/.*)?$/.exec(path);
  if (authority) {
    if (authority[1] !== "" && authority[1] !== "localhost")
      throw invalidUrl("The database address names another host.");
    path = authority[2] ?? "";
  }
  if (path.trim() === "" || path.endsWith("/")) throw invalidUrl("The database address names no file.");
  if (path.includes(":memory:")) throw invalidUrl("A database in memory would forget what was acknowledged.");
  if (path.includes("?")) throw invalidUrl("The database address takes no parameters after a question mark.");
  const absolute = resolve(path);
  return { kind: "file", path: absolute, clientUrl: clientUrlOf(absolute) };
}

/** The driver's address of an absolute path. */
export function clientUrlOf(path: string): string {
  return `file:${path.replace(/[%#]/g, encodeURIComponent)}`;
}

/**
 * Makes the folder (0700) and an empty file (0600) where they are missing; SQLite gives its log the file's
 * mode. Warns where an existing file can be read by others, and leaves its mode to its owner.
 * Throws DATA_FOLDER_UNUSABLE with a hint.
 */
export function prepareFiles(location: DatabaseLocation, log: Log): void {
  const folder = dirname(location.path);
  let mode: number;
  try {
    // The umask may have narrowed the mode further than the owner needs.
    if (makeFolder(folder)) chmodSync(folder, 0o700);
    if (!existsSync(location.path)) makeEmptyFile(location.path);
    if (!existsSync(location.path + lockSuffix)) makeEmptyFile(location.path + lockSuffix);
    flush(folder);
    const stats = statSync(location.path);
    if (!stats.isFile()) throw Object.assign(new Error("not a file"), { code: "EISDIR" });
    mode = stats.mode & 0o777;
  } catch (error) {
    throw folderUnusable(folder, (error as NodeJS.ErrnoException).code, error);
  }
  if (process.platform !== "win32" && (mode & 0o077) !== 0) {
    log.warn(
      { file: basename(location.path), mode: mode.toString(8) },
      "others on this machine can read the database file; chmod 600 makes it private",
    );
  }
}

/**
 * Throws DATA_FOLDER_UNUSABLE where this user may not write the folder or the file: SQLite would open them for reading, and whoever
 * is to serve writes would hear of it with the first. Opens nothing.
 */
export function requireWritable(location: DatabaseLocation): void {
  const folder = dirname(location.path);
  try {
    for (const path of [folder, location.path]) accessSync(path, constants.W_OK);
  } catch (error) {
    throw folderUnusable(folder, (error as NodeJS.ErrnoException).code, error);
  }
}

/** Only whoever really makes the file ever holds a handle on it; a process that comes second leaves it alone. */
export function makeEmptyFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function folderUnusable(folder: string, code: string | undefined, cause: unknown): BsoptError {
  const why: Record<string, string> = {
    EACCES: "this user may not write there",
    EPERM: "this user may not write there",
    EROFS: "the file system is read-only",
    ENOTDIR: "a part of the path is a file, not a folder",
    EEXIST: "a part of the path is a file, not a folder",
    EISDIR: "the database's path names a folder, not a file",
    ENOSPC: "the disk is full",
    ENAMETOOLONG: "the path is too long",
  };
  return new BsoptError({
    reason: "unavailable",
    code: "DATA_FOLDER_UNUSABLE",
    detail: `The data folder cannot be used: ${why[code ?? ""] ?? "it cannot be made or written"}.`,
    hint: `Choose a folder this user can write with --data-dir or BSOPT_DATA_DIR, or mend ${folder}.`,
    cause,
  });
}
