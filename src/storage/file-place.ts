// Whether a database's files still lie where they were opened. Separate from the connection because SQLite does not ask: where
// somebody deletes or moves the folder, the open files go on taking writes that nobody will ever find again. Whoever acknowledges
// a write looks here first.

import { statSync } from "node:fs";
import { BsoptError } from "../foundation/errors";

export class FilePlace {
  readonly #path: string;
  readonly #database: string;
  /** The log's file, once there was one: it stays the same while any connection is open. */
  #log: string | null = null;

  /** Remembers the database at that path, which must exist. */
  constructor(path: string) {
    this.#path = path;
    this.#database = identityOf(path) ?? "";
  }

  /** A connection is opened anew: where it was the only one, it has a new log. */
  forgetLog(): void {
    this.#log = null;
  }

  /** Throws DATABASE_GONE where the path leads to another file by now, or to none. A microsecond or two each. */
  require(): void {
    if (identityOf(this.#path) !== this.#database) throw databaseGone();
    const log = identityOf(`${this.#path}-wal`);
    this.#log ??= log;
    if (log !== this.#log) throw databaseGone();
  }
}

function identityOf(path: string): string | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.dev}:${stats.ino}`;
}

function databaseGone(): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "DATABASE_GONE",
    detail: "The database's files were moved, replaced or deleted while they were open.",
    hint: "Put the data folder back, or restore a backup, then start again: what was written last may be in the file that was taken away.",
  });
}
