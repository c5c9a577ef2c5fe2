// Reading and starting while others are in the way: a lock during the start, a busy read, a damaged page, a closed or
// unusable connection.

import { describe, expect, test } from "bun:test";
import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createClient, LibsqlError } from "@libsql/client/sqlite3";
import { sql } from "drizzle-orm";
import { InvariantError } from "../../../src/foundation/assert";
import { systemClock } from "../../../src/foundation/clock";
import type { BsoptError } from "../../../src/foundation/errors";
import { seededRandom } from "../../../src/foundation/random";
import { bindRead } from "../../../src/storage/bind";
import { Connection } from "../../../src/storage/connection";
import { parseDatabaseUrl, prepareFiles } from "../../../src/storage/location";
import { migrateUp } from "../../../src/storage/migrate";
import { Reader } from "../../../src/storage/reader";
import { openStorage } from "../../../src/storage/storage";
import { items, openTestStorage, recordingLog, storageOptions, temporaryFolder, until } from "../../harness/storage";

const log = recordingLog();
const location = () => parseDatabaseUrl(`file:${join(temporaryFolder(), "read.db")}`);

async function bareReader(busyMillisecondsMax = 1000) {
  const place = location();
  prepareFiles(place, log);
  const connection = new Connection(place.clientUrl, "reader");
  await connection.tune();
  const corruptions: unknown[] = [];
  const reader = new Reader({
    connection,
    patience: { clock: systemClock, random: seededRandom(1n), log, busyMillisecondsMax },
    requireAllowed: () => {},
    onCorruption: (error) => corruptions.push(error),
  });
  /** The next `count` statements fail so. */
  const breakNext = (error: Error, count: number) => {
    const original = connection.client.execute.bind(connection.client);
    let left = count;
    connection.client.execute = (async (...args: [never]) => {
      if (left-- > 0) throw error;
      return original(...args);
    }) as typeof connection.client.execute;
  };
  return { reader, connection, corruptions, breakNext };
}

describe("reading", () => {
  test("a read that meets SQLITE_BUSY gets a fresh connection and its answer", async () => {
    const { reader, connection, breakNext } = await bareReader();
    breakNext(new LibsqlError("injected", "SQLITE_BUSY"), 3);
    expect((await reader.execute("SELECT 7")).rows[0]?.[0]).toBe(7n);
    expect(connection.generation).toBeGreaterThan(1);
  });

  test("many reads at once that meet it share the recovery, and all get their answers", async () => {
    const { reader, breakNext } = await bareReader();
    breakNext(new LibsqlError("injected", "SQLITE_BUSY"), 5);
    const answers = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((n) => reader.execute(`SELECT ${n}`)));
    expect(answers.map((answer) => answer.rows[0]?.[0])).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n]);
  });

  test("busy beyond the bound is DATABASE_BUSY", async () => {
    const { reader, breakNext } = await bareReader(30);
    breakNext(new LibsqlError("injected", "SQLITE_BUSY"), 1e9);
    await expect(reader.execute("SELECT 1")).rejects.toMatchObject({ reason: "unavailable", code: "DATABASE_BUSY" });
  });

  test("a damaged page is told to whoever stops the storage", async () => {
    const { reader, corruptions, breakNext } = await bareReader();
    breakNext(new LibsqlError("injected", "SQLITE_CORRUPT"), 1);
    await expect(reader.execute("SELECT 1")).rejects.toMatchObject({ code: "DATABASE_CORRUPT" });
    expect(corruptions).toHaveLength(1);
  });

  test("a wrong statement is an internal error that names no SQL", async () => {
    const { reader } = await bareReader();
    const read = bindRead(reader);
    const error = await Promise.resolve(read.all(sql`SELECT nonsense FROM nowhere`)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ reason: "internal", code: "DATABASE_STATEMENT_FAILED" });
    expect((error as BsoptError).detail).not.toContain("nowhere");
  });

  test("drizzle's own transaction, batch and migrate are refused", async () => {
    const { reader } = await bareReader();
    const { session } = bindRead(reader) as unknown as {
      session: Record<"transaction" | "batch" | "migrate", () => unknown>;
    };
    for (const way of ["transaction", "batch", "migrate"] as const)
      expect(() => session[way]()).toThrow(InvariantError);
  });

  test("damage found by a read stops the storage: onFatal is called, writes and ping are refused", async () => {
    const fatal: unknown[] = [];
    const storage = await openTestStorage({ onFatal: (error) => fatal.push(error) });
    await storage.write((tx) =>
      tx
        .insert(items)
        .values(Array.from({ length: 200 }, (_, part) => ({ id: `${part}`, batch: "z".repeat(200), part }))),
    );
    const client = createClient({ url: storage.url, concurrency: 1 });
    await client.executeMultiple("PRAGMA wal_checkpoint(TRUNCATE)");
    client.close();
    // Every page but the first, which holds the schema, is overwritten behind the storage's back.
    const path = storage.url.slice("file:".length);
    const file = openSync(path, "r+");
    const garbage = Buffer.alloc(statSync(path).size - 4096, 0xa5);
    writeSync(file, garbage, 0, garbage.length, 4096);
    closeSync(file);
    const reading = Promise.resolve(storage.read.select().from(items));
    await expect(reading).rejects.toMatchObject({ code: "DATABASE_CORRUPT" });
    expect(fatal).toHaveLength(1);
    await expect(storage.ping()).rejects.toMatchObject({ code: "DATABASE_FAILED" });
    await expect(storage.write(async () => {})).rejects.toMatchObject({ code: "DATABASE_FAILED" });
  });
});

describe("starting while another connection holds the lock", () => {
  test("waits with the event loop alive, then migrates and opens", async () => {
    const options = storageOptions(`file:${join(temporaryFolder(), "start.db")}`);
    const holder = createClient({ url: options.url, concurrency: 1 });
    await holder.execute("PRAGMA journal_mode = WAL");
    const lock = await holder.transaction("write");
    const startLog = recordingLog();
    const opening = openStorage({ ...options, log: startLog });
    await until("the start has met the lock", () => startLog.lines.some(({ message }) => message.includes("waiting")));
    await lock.rollback();
    holder.close();
    const storage = await opening;
    expect(await storage.read.select().from(items)).toEqual([]);
    await storage.close();
  });

  test("a migration that waits beyond its bound fails with DATABASE_BUSY and has changed nothing", async () => {
    const options = storageOptions(`file:${join(temporaryFolder(), "start.db")}`);
    const holder = createClient({ url: options.url, concurrency: 1 });
    await holder.execute("PRAGMA journal_mode = WAL");
    const lock = await holder.transaction("write");
    await expect(migrateUp({ ...options, busyMillisecondsMax: 40 } as never)).rejects.toMatchObject({
      code: "DATABASE_BUSY",
    });
    await lock.rollback();
    expect((await holder.execute("SELECT count(*) AS n FROM sqlite_schema")).rows[0]?.n).toBe(0);
    holder.close();
  });
});

describe("a connection", () => {
  test("to a folder that is not there is DATABASE_UNREACHABLE", () => {
    const place = parseDatabaseUrl(`file:${join(temporaryFolder(), "missing", "x.db")}`);
    expect(() => new Connection(place.clientUrl, "reader")).toThrow(
      expect.objectContaining({ reason: "unavailable", code: "DATABASE_UNREACHABLE" }) as never,
    );
  });

  test("on a file system that refuses the write-ahead log is DATABASE_WAL_REFUSED, with a hint", async () => {
    const place = location();
    const connection = new Connection(place.clientUrl, "writer");
    const original = connection.client.executeMultiple.bind(connection.client);
    connection.client.executeMultiple = (text) => original(text.replace("journal_mode = WAL", "journal_mode = DELETE"));
    await expect(connection.tune()).rejects.toMatchObject({
      code: "DATABASE_WAL_REFUSED",
      hint: expect.stringContaining("local disk"),
    });
    connection.close();
  });
});
