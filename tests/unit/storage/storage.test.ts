// Opening the database: where, with what rights, what is refused and in which words; and what the open storage offers
// beside writing.

import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@libsql/client/sqlite3";
import { sql } from "drizzle-orm";
import { check, index, integer, primaryKey, sqliteTable, text, unique, uniqueIndex } from "drizzle-orm/sqlite-core";
import { everyTable } from "../../../src/app";
import { users } from "../../../src/features/identity/table";
import { ManualClock } from "../../../src/foundation/clock";
import { BsoptError } from "../../../src/foundation/errors";
import { kernelWasmBytes } from "../../../src/storage/assets";
import { wholeNumber } from "../../../src/storage/columns";
import * as idempotency from "../../../src/storage/idempotency";
import { migrateDown, migrateUp } from "../../../src/storage/migrate";
import { migrations as embedded } from "../../../src/storage/migrations-manifest";
import { openStorage } from "../../../src/storage/storage";
import { idempotencyAnswers } from "../../../src/storage/table";
import { items, openTestStorage, recordingLog, storageOptions, temporaryFolder, until } from "../../harness/storage";

const failureOf = async (promise: Promise<unknown>): Promise<BsoptError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof BsoptError)) throw error ?? new Error("expected a rejection");
  return error;
};

/** Changes the file from a connection that is not the storage's. */
async function fromOutside(url: string, ...statements: string[]): Promise<void> {
  const client = createClient({ url, intMode: "bigint", concurrency: 1 });
  await client.executeMultiple(statements.join(";"));
  client.close();
}

describe("opening", () => {
  test("S1.06 an empty folder gives a migrated, checked database that answers", async () => {
    const folder = join(temporaryFolder(), "deep", "er");
    const storage = await openTestStorage({ url: `file:${join(folder, "new.db")}` });
    await storage.ping();
    expect(await storage.read.select().from(items)).toEqual([]);
  });

  test("S3.22 the folder is its owner's alone (0700), and so are the database and its log (0600)", async () => {
    const folder = join(temporaryFolder(), "private");
    const storage = await openTestStorage({ url: `file:${join(folder, "new.db")}` });
    await storage.write((tx) => tx.insert(items).values({ id: "a", batch: "b", part: 0 }));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of ["new.db", "new.db-wal", "new.db-shm"]) {
      expect(`${name} ${(statSync(join(folder, name)).mode & 0o777).toString(8)}`).toBe(`${name} 600`);
    }
  });

  test("a database that others may read is served with a warning that says what to do", async () => {
    const path = join(temporaryFolder(), "open.db");
    writeFileSync(path, "", { mode: 0o644 });
    chmodSync(path, 0o644);
    const log = recordingLog();
    await openTestStorage({ url: `file:${path}`, log });
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: "warn", message: expect.stringContaining("chmod 600") }),
    );
  });

  test("a path with spaces, signs and a percent is taken literally", async () => {
    const path = join(temporaryFolder(), "a b #1 100%25 ü", "x.db");
    const storage = await openTestStorage({ url: `file:${path}` });
    await storage.ping();
    expect(existsSync(path)).toBe(true);
  });

  test("file:///absolute and file://localhost/absolute are the same file", async () => {
    const path = join(temporaryFolder(), "x.db");
    await openTestStorage({ url: `file://${path}` });
    await openTestStorage({ url: `file://localhost${path}` });
    expect(existsSync(path)).toBe(true);
  });

  const refusedUrls: [string, string][] = [
    ["libsql://somebody:secret@db.example.com", "DATABASE_URL_INVALID"],
    ["http://db.example.com?authToken=secret", "DATABASE_URL_INVALID"],
    ["https://db.example.com#main", "DATABASE_URL_INVALID"],
    ["http://", "DATABASE_URL_INVALID"],
    ["wss://db.example.com", "DATABASE_URL_UNSUPPORTED"],
    [":memory:", "DATABASE_URL_INVALID"],
    ["file::memory:", "DATABASE_URL_INVALID"],
    ["file:x.db?mode=ro", "DATABASE_URL_INVALID"],
    ["file://elsewhere/x.db", "DATABASE_URL_INVALID"],
    ["file:", "DATABASE_URL_INVALID"],
    ["file:some/folder/", "DATABASE_URL_INVALID"],
    ["postgres://x", "DATABASE_URL_INVALID"],
    ["x.db", "DATABASE_URL_INVALID"],
  ];
  for (const [url, code] of refusedUrls) {
    test(`${url} is refused with ${code} and a hint`, async () => {
      const error = await failureOf(openStorage(storageOptions(url)));
      expect(error.code).toBe(code);
      expect(error.hint).toContain("file:");
    });
  }

  const refusedPlaces: [string, (folder: string) => string, RegExp][] = [
    [
      "a file where a folder should be",
      (folder) => {
        writeFileSync(join(folder, "file"), "");
        return join(folder, "file", "x.db");
      },
      /a part of the path is a file/,
    ],
    [
      "a folder where the file should be",
      (folder) => {
        mkdirSync(join(folder, "x.db"));
        return join(folder, "x.db");
      },
      /names a folder/,
    ],
    ["a folder nobody can write", () => "/proc/no/x.db", /cannot be used/],
    ["a name too long", (folder) => join(folder, "x".repeat(300)), /too long/],
  ];
  for (const [what, place, words] of refusedPlaces) {
    test(`${what} is refused with DATA_FOLDER_UNUSABLE, why, and what to do`, async () => {
      const error = await failureOf(openStorage(storageOptions(`file:${place(temporaryFolder())}`)));
      expect(error).toMatchObject({ reason: "unavailable", code: "DATA_FOLDER_UNUSABLE" });
      expect(error.detail).toMatch(words);
      expect(error.hint).toContain("--data-dir");
    });
  }

  test("a file that is no database is refused with DATABASE_CORRUPT and left as it was", async () => {
    const path = join(temporaryFolder(), "letter.db");
    const text = "Dear Sir or Madam, this is not a database. ".repeat(200);
    writeFileSync(path, text, { mode: 0o600 });
    const error = await failureOf(openStorage(storageOptions(`file:${path}`)));
    expect(error).toMatchObject({ code: "DATABASE_CORRUPT", hint: expect.stringContaining("backup") });
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  test("S1.06 a damaged page is found by the check at the start", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "damaged.db");
    const whole = await openStorage(storageOptions(`file:${path}`));
    for (let batch = 0; batch < 20; batch++) {
      await whole.write((tx) =>
        tx
          .insert(items)
          .values(Array.from({ length: 50 }, (_, part) => ({ id: `${batch}-${part}`, batch: "y".repeat(100), part }))),
      );
    }
    await whole.close();
    await fromOutside(`file:${path}`, "PRAGMA wal_checkpoint(TRUNCATE)");
    const bytes = readFileSync(path);
    expect(bytes.length).toBeGreaterThan(10 * 4096);
    bytes.fill(0xa5, 8 * 4096, 9 * 4096);
    const copy = join(folder, "copy.db");
    writeFileSync(copy, bytes, { mode: 0o600 });
    expect((await failureOf(openStorage(storageOptions(`file:${copy}`)))).code).toBe("DATABASE_CORRUPT");
  });

  test("S2.03 an open database whose migrations another process undoes no longer answers a ping", async () => {
    const storage = await openTestStorage();
    await storage.ping();
    const { migrations, clock, random, log } = storageOptions(storage.url);
    await migrateDown(0, { url: storage.url, clock, random, log, migrations: migrations! });
    expect(await failureOf(storage.ping())).toMatchObject({ code: "DATABASE_NOT_MIGRATED" });
    await migrateUp({ url: storage.url, clock, random, log, migrations: migrations! });
    await storage.ping();
  });

  test("with migrate: false a database that lacks migrations is refused, one that has them opens", async () => {
    const options = storageOptions(`file:${join(temporaryFolder(), "x.db")}`);
    expect(await failureOf(openStorage({ ...options, migrate: false }))).toMatchObject({
      code: "DATABASE_NOT_MIGRATED",
      hint: expect.stringContaining("migrate up"),
    });
    await migrateUp(options);
    const storage = await openTestStorage({ url: options.url, migrate: false });
    await storage.ping();
  });

  test("without a list of migrations it carries its own, and answers under an Idempotency-Key have their table", async () => {
    const { migrations: _theirs, tables: _none, ...own } = storageOptions(`file:${join(temporaryFolder(), "x.db")}`);
    const storage = await openStorage(own);
    expect(await storage.read.select().from(idempotencyAnswers)).toEqual([]);
    await storage.close();
  });

  test("ping and reads fail once the storage is closed", async () => {
    const storage = await openTestStorage();
    await storage.close();
    for (let attempt = 0; attempt < 2; attempt++) {
      expect((await failureOf(storage.ping())).code).toBe("STORAGE_CLOSED");
      expect((await failureOf(Promise.resolve(storage.read.select().from(items)))).code).toBe("STORAGE_CLOSED");
    }
  });
});

describe("S1.07 the schema at the start", () => {
  const declared = { migrations: embedded, tables: everyTable };

  test("migrations and the tables the code declares agree", async () => {
    const storage = await openTestStorage(declared);
    await storage.ping();
  });

  const changes: [string, string, string][] = [
    ["a column is missing", "ALTER TABLE users DROP COLUMN name", "users: column name is missing"],
    [
      "a column is there too many",
      "ALTER TABLE users ADD COLUMN shoe_size INTEGER",
      "users: column shoe_size is not expected",
    ],
    ["a table is there too many", "CREATE TABLE diary (entry TEXT)", "table diary is not expected"],
    ["a table is missing", "DROP TABLE api_keys", "table api_keys is missing"],
    ["an index is missing", "DROP INDEX api_keys_by_user", "api_keys: index api_keys_by_user is missing"],
    [
      "an index covers something else",
      "DROP INDEX api_keys_by_user; CREATE INDEX api_keys_by_user ON api_keys (name)",
      "api_keys: index api_keys_by_user is (name), expected (user_id, created_at, id)",
    ],
    ["an index is there too many", "CREATE INDEX mine ON users (name)", "users: index mine is not expected"],
    [
      "a unique index is there too many",
      "CREATE UNIQUE INDEX mine ON users (name)",
      "users: unique (name) is not expected",
    ],
    [
      "a partial unique index is there too many",
      "CREATE UNIQUE INDEX mine ON users (name) WHERE name > 'a'",
      "users: index mine is not expected",
    ],
    ["an index is on an expression", "CREATE INDEX mine ON users (lower(name))", "users: index mine is not expected"],
    [
      "a column has another type, may be null and has a default",
      "DROP TABLE idempotency_answers; CREATE TABLE idempotency_answers (principal_id TEXT NOT NULL, route TEXT NOT NULL, key TEXT NOT NULL, body_hash TEXT, status TEXT NOT NULL DEFAULT '', body TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (route, principal_id, key)); CREATE INDEX idempotency_answers_by_time ON idempotency_answers (created_at)",
      "idempotency_answers: column body_hash is text, expected text not null; idempotency_answers: column status is text not null with a default, expected integer not null; idempotency_answers: primary key is route, principal_id, key, expected principal_id, route, key",
    ],
    [
      "a foreign key and a check are gone",
      "DROP TABLE api_keys; CREATE TABLE api_keys (id TEXT PRIMARY KEY NOT NULL, user_id TEXT NOT NULL REFERENCES users (id), name TEXT NOT NULL, secret_hash TEXT NOT NULL, scopes TEXT NOT NULL, rate_class TEXT NOT NULL, expires_at INTEGER, ip_allow TEXT, created_by_key_id TEXT, created_at INTEGER NOT NULL, revoked_at INTEGER, last_used_at INTEGER)",
      "api_keys: foreign key (created_by_key_id) is missing; api_keys: foreign key (user_id) is → users (id) on delete no action on update no action, expected → users (id) on delete cascade on update no action",
    ],
  ];
  for (const [what, statements, words] of changes) {
    test(`${what}: the start is refused and says so`, async () => {
      const storage = await openTestStorage(declared);
      await storage.close();
      await fromOutside(storage.url, statements);
      const error = await failureOf(openStorage({ ...storageOptions(storage.url), ...declared }));
      expect(error.code).toBe("DATABASE_SCHEMA_DIFFERS");
      for (const part of words.split("; ")) expect(error.detail).toContain(part);
      expect(error.hint).toContain("backup");
    });
  }

  test("every way to declare uniqueness, indexes, defaults and keys is understood", async () => {
    const owners = sqliteTable("owners", { id: text("id").primaryKey().notNull(), email: text("email").unique() });
    const things = sqliteTable(
      "things",
      {
        ownerId: text("owner_id").references(() => owners.id, { onDelete: "cascade", onUpdate: "restrict" }),
        name: text("name").notNull().default("unnamed"),
        size: wholeNumber("size"),
      },
      (table) => [
        primaryKey({ columns: [table.ownerId, table.name] }),
        unique("things_by_size").on(table.size, table.name),
        uniqueIndex("things_small").on(table.size).where(sql`${table.size} < 10`),
        uniqueIndex("things_named").on(table.name),
        index("things_lower").on(sql`lower(${table.name})`),
        check("things_size", sql`${table.size} > 0`),
      ],
    );
    const up = `
      CREATE TABLE owners (id text PRIMARY KEY NOT NULL, email text);
      CREATE UNIQUE INDEX owners_email_unique ON owners (email);
      CREATE TABLE things (owner_id text, name text DEFAULT 'unnamed' NOT NULL, size integer, PRIMARY KEY (owner_id, name),
        FOREIGN KEY (owner_id) REFERENCES owners (id) ON UPDATE restrict ON DELETE cascade,
        CONSTRAINT "things_size" CHECK ("things"."size" > 0));
      CREATE UNIQUE INDEX things_by_size ON things (size, name);
      CREATE UNIQUE INDEX things_small ON things (size) WHERE size < 10;
      CREATE UNIQUE INDEX things_named ON things (name);
      CREATE INDEX things_lower ON things (lower(name));`;
    const migrations = [{ tag: "0000_things", up, down: "DROP TABLE things; DROP TABLE owners;" }];
    const storage = await openTestStorage({ migrations, tables: [owners, things] });
    await storage.close();
    await fromOutside(storage.url, "DROP INDEX things_by_size", "DROP INDEX owners_email_unique");
    const reopened = openStorage({ ...storageOptions(storage.url), migrations, tables: [owners, things] });
    const { detail } = await failureOf(reopened);
    expect(detail).toContain("owners: unique (email) is missing; things: unique (size, name) is missing.");
  });

  test("no table declares drizzle's own integer, which would pass a bigint off as a number", async () => {
    const careless = sqliteTable("items", { id: integer("id") });
    const error = await failureOf(openTestStorage({ tables: [careless] }));
    expect(error.detail).toContain("integer declared without storage/columns");
  });
});

describe("onForeignWrite", () => {
  test("S5.02 is called for another connection's commit, not for this storage's own writes", async () => {
    const clock = new ManualClock();
    const storage = await openTestStorage({ clock });
    let calls = 0;
    const stop = storage.onForeignWrite(() => {
      calls += 1;
    });
    const write = (id: string) => storage.write((tx) => tx.insert(items).values({ id, batch: "b", part: 0 }));
    /** One more round of the watch has looked, and settled. */
    const look = async () => {
      await storage.ping();
      clock.advance(1000);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    };
    await look();
    await write("own");
    await storage.read.select().from(items);
    await look();
    expect(calls).toBe(0);
    await fromOutside(storage.url, "INSERT INTO items VALUES ('foreign', 'b', 0, NULL)");
    await look();
    expect(calls).toBe(1);
    await write("own again");
    await look();
    expect(calls).toBe(1);
    stop();
    await fromOutside(storage.url, "DELETE FROM items");
    await look();
    expect(calls).toBe(1);
  });
});

describe("S4.03 answers under an Idempotency-Key", () => {
  const ticket = { principalId: "user-1", route: "POST /api/v1/things", key: "k-1", bodyHash: "h-1" };
  const answer = { status: 201, body: '{"id":"1"}' };
  const own = { migrations: embedded, tables: everyTable };

  test("an answer is found again under the same principal, route and key, and nowhere else", async () => {
    const storage = await openTestStorage(own);
    await storage.write((tx) => idempotency.finish(tx, ticket, answer));
    expect(await idempotency.find(storage.read, ticket)).toEqual({ bodyHash: "h-1", answer });
    for (const other of [{ principalId: "user-2" }, { route: "POST /api/v1/others" }, { key: "k-2" }]) {
      expect(await idempotency.find(storage.read, { ...ticket, ...other })).toBeNull();
    }
  });

  test("survives a restart", async () => {
    const storage = await openTestStorage(own);
    await storage.write((tx) => idempotency.finish(tx, ticket, answer));
    await storage.close();
    const again = await openTestStorage({ ...own, url: storage.url });
    expect(await idempotency.find(again.read, ticket)).toEqual({ bodyHash: "h-1", answer });
  });

  test("without a key nothing is stored", async () => {
    const storage = await openTestStorage(own);
    await storage.write((tx) => idempotency.finish(tx, null, answer));
    expect(await storage.read.select().from(idempotencyAnswers)).toEqual([]);
  });

  test("S5.01 the second of two racing acts under one key is undone whole: the thing is made once", async () => {
    const storage = await openTestStorage(own);
    const act = (id: string) =>
      storage.write(async (tx) => {
        await tx.insert(users).values({
          id,
          name: id,
          role: "viewer",
          createdAt: tx.nowMicroseconds,
          updatedAt: tx.nowMicroseconds,
        });
        await idempotency.finish(tx, ticket, answer);
      });
    const results = await Promise.allSettled([act("first"), act("second")]);
    expect(results[0]?.status).toBe("fulfilled");
    expect((results[1] as PromiseRejectedResult).reason).toMatchObject({
      reason: "conflict",
      code: "IDEMPOTENCY_RACED",
    });
    expect(await storage.read.select({ id: users.id }).from(users)).toEqual([{ id: "first" }]);
  });

  test("another fault while storing the answer passes on as it is", async () => {
    const storage = await openTestStorage(own);
    const broken = { ...answer, body: null as unknown as string };
    expect(await failureOf(storage.write((tx) => idempotency.finish(tx, ticket, broken)))).toMatchObject({
      code: "DATABASE_CONSTRAINT",
    });
  });

  test("the sweep agent deletes what is older than 24 hours, however much, and keeps the rest", async () => {
    const clock = new ManualClock();
    const storage = await openTestStorage({ ...own, clock });
    const make = (count: number, prefix: string) =>
      storage.write(async (tx) => {
        for (let index = 0; index < count; index++) {
          await idempotency.finish(tx, { ...ticket, key: `${prefix}-${index}` }, answer);
        }
      });
    await make(idempotency.sweepCountMax + 5, "old");
    clock.advance(24 * 3600 * 1000);
    await make(3, "young");
    clock.advance(1);
    const sweeper = storage.agents.find(({ name }) => name === "idempotency-sweep")!;
    sweeper.start();
    const left = async () =>
      (await storage.read.select({ key: idempotencyAnswers.key }).from(idempotencyAnswers)).length;
    await until("only the young answers are left", async () => (await left()) === 3);
    expect(sweeper.state).toBe("running");
    await storage.close();
    expect(sweeper.state).toBe("stopped");
  });

  test("a sweep that fails is logged, and the agent says so", async () => {
    const log = recordingLog();
    const storage = await openTestStorage({ log });
    const sweeper = storage.agents.find(({ name }) => name === "idempotency-sweep")!;
    sweeper.start();
    await until("the failure is logged", () => log.lines.some(({ message }) => message === "background round failed"));
  });
});

describe("embedded assets", () => {
  test("the kernel's bytes are a wasm module", () => {
    expect([...kernelWasmBytes().subarray(0, 4)]).toEqual([0, 0x61, 0x73, 0x6d]);
  });
});

test("a large database is opened without the whole check, and says so", async () => {
  const path = join(temporaryFolder(), "large.db");
  const options = storageOptions(`file:${path}`);
  const storage = await openStorage(options);
  await storage.write(async (tx) => {
    await tx.insert(items).values({ id: "large", batch: "x", part: 0 });
    await tx.run(sql`UPDATE items SET batch = zeroblob(9000000)`);
  });
  await storage.close();
  await fromOutside(options.url, "PRAGMA wal_checkpoint(TRUNCATE)");
  const log = recordingLog();
  await openTestStorage({ url: options.url, log });
  expect(log.lines).toContainEqual(expect.objectContaining({ message: expect.stringContaining("it is large") }));
});
