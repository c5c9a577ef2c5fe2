// Ties drizzle's query builder to one executor: an open write transaction, or a reader's connection. Separate
// because drizzle would otherwise open its own transactions on its own connections, and because it wraps every
// error in one whose message repeats the SQL and all values; here errors pass through as they are.

import type { InStatement, ResultSet, Transaction } from "@libsql/client/sqlite3";
import { LibSQLSession } from "drizzle-orm/libsql/session";
import { BaseSQLiteDatabase, SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";
import { InvariantError } from "../foundation/assert";
import type { EpochMicroseconds } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";

/** Runs one statement; throws typed errors. */
export interface Executor {
  execute(statement: InStatement): Promise<ResultSet>;
}

/**
 * Throws invalid TEXT_NOT_STORABLE where a value is a text that would not come out as it went in: the driver cuts
 * a text at a NUL when it is read, and replaces half a surrogate pair when it is written.
 */
export function requireStorable(statement: InStatement): void {
  if (typeof statement === "string" || statement.args === undefined) return;
  for (const value of Object.values(statement.args)) {
    if (typeof value !== "string" || (!value.includes("\0") && value.isWellFormed())) continue;
    throw new BsoptError({
      reason: "invalid",
      code: "TEXT_NOT_STORABLE",
      detail: "A text contains a NUL character or half a character.",
    });
  }
}

type Database = BaseSQLiteDatabase<"async", ResultSet>;

/** What reading offers. `$count` is left out: it would pass a bigint off as a number; use `count()`. */
export type ReadDatabase = Pick<Database, "select" | "selectDistinct" | "$with" | "with" | "all" | "get" | "values">;

/**
 * A drizzle database on the open write transaction. Valid until its work ends: later use throws. Nothing
 * may be awaited in a work but this. `INSERT … RETURNING` reports rowsAffected 0: count the returned rows.
 */
export type Tx = ReadDatabase &
  Pick<Database, "insert" | "update" | "delete" | "run"> & {
    /** Wall time at which this work began: the same for every row it writes. */
    readonly nowMicroseconds: EpochMicroseconds;
    /** Runs `work` inside a SAVEPOINT: where it throws, its own writes alone are undone and the error passes on. */
    nested<T>(work: (inner: Tx) => Promise<T>): Promise<T>;
  };

const dialect = new SQLiteAsyncDialect();

interface Unwrapped {
  queryWithCache<T>(sql: string, params: unknown[], query: () => Promise<T>): Promise<T>;
}

class BoundSession extends LibSQLSession<Record<string, never>, Record<string, never>> {
  constructor(executor: Executor) {
    // The session asks its transaction for `execute` and nothing else; the client is never reached.
    super(undefined as never, dialect, undefined, {}, executor as unknown as Transaction);
  }

  override prepareQuery(
    ...args: Parameters<LibSQLSession<Record<string, never>, Record<string, never>>["prepareQuery"]>
  ) {
    const query = super.prepareQuery(...args);
    (query as unknown as Unwrapped).queryWithCache = (_sql, _params, run) => run();
    return query as never;
  }

  override transaction(): never {
    throw new InvariantError("drizzle's own transaction was asked for: use storage.write or tx.nested");
  }

  override batch(): never {
    throw new InvariantError("drizzle's batch was asked for: use storage.write");
  }

  override migrate(): never {
    throw new InvariantError("drizzle's migrate was asked for: use migrateUp");
  }
}

class BoundDatabase extends BaseSQLiteDatabase<"async", ResultSet> {
  constructor(executor: Executor) {
    super("async", dialect, new BoundSession(executor) as never, undefined);
  }
}

class BoundTransaction extends BoundDatabase {
  readonly nowMicroseconds: EpochMicroseconds;
  readonly #nested: Tx["nested"];

  constructor(executor: Executor, nowMicroseconds: EpochMicroseconds, nested: Tx["nested"]) {
    super(executor);
    this.nowMicroseconds = nowMicroseconds;
    this.#nested = nested;
  }

  nested<T>(work: (inner: Tx) => Promise<T>): Promise<T> {
    return this.#nested(work);
  }
}

/** drizzle for reading over the given executor. */
export function bindRead(executor: Executor): ReadDatabase {
  return new BoundDatabase(executor);
}

/** drizzle for writing over the given executor. */
export function bindWrite(executor: Executor, nowMicroseconds: EpochMicroseconds, nested: Tx["nested"]): Tx {
  return new BoundTransaction(executor, nowMicroseconds, nested);
}
