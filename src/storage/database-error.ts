// What the driver's errors mean to us: the one place that knows SQLite's result codes. Separate so that
// nobody else matches on a driver's words. A public detail never repeats SQL or a value; the driver's own
// error stays the private cause.

import { LibsqlError } from "@libsql/client/sqlite3";
import { BsoptError } from "../foundation/errors";
import { remoteCodes } from "./remote-protocol";

/** The primary result code's name (`SQLITE_BUSY`), or null where the error is not the driver's. */
export function databaseCode(error: unknown): string | null {
  if (error instanceof LibsqlError) return error.code;
  // What fails before there is a connection comes as a plain Error with the code in its words.
  return error instanceof Error && error.message.startsWith("ConnectionFailed(") ? "SQLITE_CANTOPEN" : null;
}

/** Somebody else holds what we need: worth another try. SQLITE_PROTOCOL is a lost race over the log's index. */
export function isBusy(error: unknown): boolean {
  const code = databaseCode(error);
  return code === "SQLITE_BUSY" || code === "SQLITE_LOCKED" || code === "SQLITE_PROTOCOL";
}

/** The file itself is damaged: nothing it says can be trusted. */
export function isCorruption(error: unknown): boolean {
  const code = databaseCode(error);
  return code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB";
}

/**
 * After a failed COMMIT: is it certain that nothing was kept? Busy, full and a late constraint leave the
 * transaction undone; a failed write or fsync (SQLITE_IOERR) may have left the commit frame on the disk.
 */
export function isCertainlyUndone(error: unknown): boolean {
  const code = databaseCode(error);
  if (code === remoteCodes.notCommitted || code === remoteCodes.transactionOver) return true;
  return isBusy(error) || code === "SQLITE_FULL" || code === "SQLITE_CONSTRAINT" || code === "SQLITE_READONLY";
}

/** After a failed COMMIT on a server: has the time passed in which it could have been found out? */
export function isCommitUnknown(error: unknown): boolean {
  return databaseCode(error) === remoteCodes.commitUnknown;
}

/** Does a database server turn us away? */
export function isRefused(error: unknown): boolean {
  return databaseCode(error) === remoteCodes.refused;
}

/** Does a database server keep silent? Then it may be asked again. */
export function isUnreachable(error: unknown): boolean {
  return (
    databaseCode(error) === remoteCodes.unreachable ||
    (error instanceof BsoptError && error.code === "DATABASE_UNREACHABLE")
  );
}

function extendedCodeInChain(error: unknown): string | null {
  let link: unknown = error;
  for (let depth = 0; depth < 8 && link instanceof Error; depth++) {
    if (link instanceof LibsqlError && link.extendedCode !== undefined) return link.extendedCode;
    link = link.cause;
  }
  return null;
}

/** Did a UNIQUE or PRIMARY KEY constraint refuse this? Looks through causes. */
export function isUniqueViolation(error: unknown): boolean {
  const code = extendedCodeInChain(error);
  return code === "SQLITE_CONSTRAINT_UNIQUE" || code === "SQLITE_CONSTRAINT_PRIMARYKEY";
}

/** Did a foreign key refuse this? Looks through causes. */
export function isForeignKeyViolation(error: unknown): boolean {
  return extendedCodeInChain(error) === "SQLITE_CONSTRAINT_FOREIGNKEY";
}

/** The typed error for what a statement threw; errors that are not the driver's pass through unchanged. */
export function asBsoptError(error: unknown): unknown {
  const code = databaseCode(error);
  if (code === null) return error;
  if (isBusy(error)) return databaseBusy(error);
  if (isCorruption(error)) return databaseCorrupt(error);
  switch (code) {
    case "SQLITE_FULL":
      return new BsoptError({
        reason: "unavailable",
        code: "DATABASE_FULL",
        detail: "The database cannot grow: the disk is full.",
        hint: "Free space on the disk that holds the data folder; writes go on by themselves.",
        retryAfterSeconds: 30,
        cause: error,
      });
    case "SQLITE_READONLY":
    case "SQLITE_PERM":
    case "SQLITE_AUTH":
      return new BsoptError({
        reason: "unavailable",
        code: "DATABASE_READ_ONLY",
        detail: "The database cannot be written.",
        hint: "The user that runs this must own the database file and be able to write its folder.",
        cause: error,
      });
    case "SQLITE_CANTOPEN":
      return new BsoptError({
        reason: "unavailable",
        code: "DATABASE_UNREACHABLE",
        detail: "The database file cannot be opened.",
        hint: "Check that the data folder exists, is a folder and can be written, and that files may still be opened (ulimit -n).",
        cause: error,
      });
    case "SQLITE_IOERR":
      return new BsoptError({
        reason: "unavailable",
        code: "DATABASE_IO_FAILED",
        detail: "Reading or writing the database failed.",
        hint: "Look at the system log for errors of the disk.",
        retryAfterSeconds: 5,
        cause: error,
      });
    case remoteCodes.unreachable:
      return databaseSilent(error);
    case remoteCodes.refused:
      return new BsoptError({
        reason: "unavailable",
        code: "DATABASE_REFUSED",
        detail: "The database server refuses this program.",
        hint: "Look at database_url and database_auth_token: the token may be wrong, or have run out, or the address may not be a libSQL server's.",
        retryAfterSeconds: 30,
        cause: error,
      });
    case remoteCodes.notCommitted:
      return new BsoptError({
        reason: "unavailable",
        code: "DATABASE_UNREACHABLE",
        detail: "The database server was lost during the write; nothing of it was kept.",
        retryAfterSeconds: 1,
        cause: error,
      });
    case remoteCodes.commitUnknown:
      return new BsoptError({
        reason: "unavailable",
        code: "DATABASE_COMMIT_UNKNOWN",
        detail: "It is not known whether the write was kept.",
        hint: "Repeat the request under the same Idempotency-Key, or look before doing it again. Then look at the database server.",
        retryAfterSeconds: 5,
        cause: error,
      });
    case remoteCodes.transactionOver:
      return databaseBusy(error);
    case "SQLITE_CONSTRAINT":
      return new BsoptError({
        reason: "internal",
        code: "DATABASE_CONSTRAINT",
        detail: "The database refused a row.",
        cause: error,
      });
    default:
      return new BsoptError({
        reason: "internal",
        code: "DATABASE_STATEMENT_FAILED",
        detail: "A database statement failed.",
        cause: error,
      });
  }
}

/** For whoever waits for a database server. */
export function databaseSilent(cause?: unknown): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "DATABASE_UNREACHABLE",
    detail: "The database server does not answer.",
    hint: "Look whether the server that database_url names runs and can be reached from here.",
    retryAfterSeconds: 2,
    cause,
  });
}

export function databaseBusy(cause?: unknown): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "DATABASE_BUSY",
    detail: "Another process is holding the database.",
    hint: "Look for another process that works on the same database: a backup, a migration, an open database shell.",
    retryAfterSeconds: 1,
    cause,
  });
}

export function databaseCorrupt(cause?: unknown): BsoptError {
  return new BsoptError({
    reason: "internal",
    code: "DATABASE_CORRUPT",
    detail: "The database file is damaged or is not a database.",
    hint: "Check that the path names bsopt's own database. Keep a copy of the file, then restore a backup.",
    cause,
  });
}

/** What every write gets after the storage has stopped itself. */
export function databaseFailed(cause: unknown): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "DATABASE_FAILED",
    detail: "The storage has stopped after a fault.",
    hint: "Restart the process: the start recovers the database.",
    cause,
  });
}

/** What whoever comes after `close` gets. */
export function storageClosed(): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "STORAGE_CLOSED",
    detail: "The storage is closing.",
    retryAfterSeconds: 1,
  });
}
