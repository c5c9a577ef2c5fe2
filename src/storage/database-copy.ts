// The statements on a whole database that take long: copying it, checking it, hashing a file. They run in a thread of their own
// (long-worker.ts) or in a command's process, never on a server's event loop. Separate from the rest of storage because they
// open their own connection by path, know no drizzle, and must not change the database they look at.

import { chmodSync, existsSync, statSync } from "node:fs";
import { type Client, createClient } from "@libsql/client/sqlite3";
import { flush } from "../foundation/durable";
import { BsoptError } from "../foundation/errors";
import { asBsoptError, databaseCorrupt, isCorruption } from "./database-error";
import { clientUrlOf } from "./location";

/** One applied migration as the database tells it. */
export interface SchemaMark {
  readonly number: number;
  readonly tag: string;
  readonly hash: string;
}

/** What a look at a whole database found. */
export interface DatabaseFacts {
  /** What the check of all pages, rows and indexes says, at most ten sentences; empty where all is well. */
  readonly damage: readonly string[];
  /** Rows that point nowhere, as child → parent; empty where there are none. */
  readonly brokenReferences: readonly string[];
  /** Applied migrations in order; null where the file has no record of any. */
  readonly marks: readonly SchemaMark[] | null;
}

export interface CopyFacts extends DatabaseFacts {
  readonly byteCount: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** A piece of long work, as it is sent to the thread. */
export type LongJob =
  | { readonly kind: "copy"; readonly path: string; readonly to: string }
  | { readonly kind: "inspect"; readonly path: string; readonly depth: "quick" | "whole" }
  | { readonly kind: "move-log"; readonly path: string };

export type LongResult<J extends LongJob> = J extends { readonly kind: "copy" }
  ? CopyFacts
  : J extends { readonly kind: "move-log" }
    ? LogFacts
    : DatabaseFacts;

/** What became of a write-ahead log. */
export interface LogFacts {
  /** Its content is in the database, durably, and the log is empty. False: a reader or a writer was in the way for too long. */
  readonly isMoved: boolean;
}

const damageCountMax = 10;
/** A thread may wait inside SQLite: no event loop stands still. */
const busyMilliseconds = 30_000;

/** Does one job. Throws BsoptErrors; an aborted copy leaves its unfinished file to its caller. */
export function runLongJob(job: LongJob): Promise<CopyFacts | DatabaseFacts | LogFacts> {
  switch (job.kind) {
    case "copy":
      return copyDatabase(job.path, job.to);
    case "inspect":
      return inspectDatabase(job.path, job.depth);
    case "move-log":
      return moveLog(job.path);
  }
}

/**
 * Moves the content of a database's log into its file while others go on writing. The most of it is moved while they write; for the rest, which is what
 * came meanwhile, this connection takes the write lock: else a log that is written all the time would grow for ever.
 */
export async function moveLog(path: string): Promise<LogFacts> {
  requireThere(path);
  const client = open(path);
  try {
    await client.executeMultiple("PRAGMA synchronous = NORMAL; PRAGMA wal_checkpoint(PASSIVE)");
    const answer = await client.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    return { isMoved: Number(answer.rows[0]?.[0]) === 0 };
  } catch (error) {
    throw asBsoptError(error);
  } finally {
    client.close();
  }
}

/**
 * Writes the database as it is at one moment to `to`, which must not exist, while others go on writing; makes it durable and
 * private, and checks the copy whole.
 */
export async function copyDatabase(path: string, to: string): Promise<CopyFacts> {
  requireThere(path);
  const source = open(path);
  try {
    // In WAL mode a reader's view stays as it was at its first read, however much is committed meanwhile.
    await source.execute({ sql: "VACUUM INTO ?", args: [to] });
  } catch (error) {
    throw asBsoptError(error);
  } finally {
    source.close();
  }
  chmodSync(to, 0o600);
  // SQLite leaves the flush of such a copy to its maker.
  flush(to);
  const facts = await inspectDatabase(to, "whole");
  return { ...facts, byteCount: statSync(to).size, sha256: await fileSha256(to) };
}

/** Checks a database file: `whole` reads every page, row and index entry, `quick` leaves out what an index says of its rows. */
export async function inspectDatabase(path: string, depth: "quick" | "whole"): Promise<DatabaseFacts> {
  requireThere(path);
  const client = open(path);
  try {
    await client.executeMultiple("PRAGMA query_only = ON");
    const check = await client.execute(
      depth === "quick" ? `PRAGMA quick_check(${damageCountMax})` : `PRAGMA integrity_check(${damageCountMax})`,
    );
    const verdicts = check.rows.map((row) => String(row[0]));
    const damage = verdicts.length === 1 && verdicts[0] === "ok" ? [] : verdicts;
    const broken = await client.execute(
      `SELECT DISTINCT "table", parent FROM pragma_foreign_key_check LIMIT ${damageCountMax}`,
    );
    return {
      damage,
      brokenReferences: broken.rows.map((row) => `${String(row[0])} → ${String(row[1])}`),
      marks: await marksOf(client),
    };
  } catch (error) {
    if (isCorruption(error)) return { damage: [(error as Error).message], brokenReferences: [], marks: null };
    throw asBsoptError(error);
  } finally {
    client.close();
  }
}

/** SHA-256 of a file's bytes as lower-case hex, read in pieces. */
export async function fileSha256(path: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(path).stream()) hasher.update(chunk);
  return hasher.digest("hex");
}

function open(path: string): Client {
  try {
    return createClient({ url: clientUrlOf(path), intMode: "bigint", concurrency: 1, timeout: busyMilliseconds });
  } catch (error) {
    throw isCorruption(error) ? databaseCorrupt(error) : asBsoptError(error);
  }
}

/** SQLite would make an empty database of a path where nothing is. */
function requireThere(path: string): void {
  if (existsSync(path)) return;
  throw new BsoptError({
    reason: "not-found",
    code: "DATABASE_MISSING",
    detail: "There is no database.",
    hint: "Name the folder with --data-dir or BSOPT_DATA_DIR.",
  });
}

async function marksOf(client: Client): Promise<SchemaMark[] | null> {
  const table = await client.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'");
  if (table.rows.length === 0) return null;
  const rows = await client.execute("SELECT number, tag, hash FROM schema_migrations ORDER BY number");
  return rows.rows.map((row) => ({ number: Number(row[0]), tag: String(row[1]), hash: String(row[2]) }));
}
