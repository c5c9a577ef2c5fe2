// Migrations: forward, back, refused, interrupted; and the rebuild of a parent table, which must not cost its children.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@libsql/client/sqlite3";
import { sql } from "drizzle-orm";
import { manifestPathOf, manifestText, migrationSets, migrationTags } from "../../../build/migrations";
import { systemClock } from "../../../src/foundation/clock";
import { silentLog } from "../../../src/foundation/log";
import { seededRandom } from "../../../src/foundation/random";
import { migrations as marketMigrations } from "../../../src/storage/market-migrations-manifest";
import { type Migration, migrateDown, migrateUp, migrationStatus } from "../../../src/storage/migrate";
import { migrations as embedded } from "../../../src/storage/migrations-manifest";
import { openStorage } from "../../../src/storage/storage";
import { temporaryFolder } from "../../harness/storage";

const parents: Migration = {
  tag: "0000_parents",
  up: `CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT);
--> statement-breakpoint
CREATE TABLE children (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parents(id) ON DELETE CASCADE);
INSERT INTO parents VALUES (1, 'one'), (2, 'two');
INSERT INTO children VALUES (10, 1), (11, 1), (20, 2);`,
  down: "DROP TABLE children; DROP TABLE parents;",
};

/** A rebuild as drizzle-kit writes it, its PRAGMA included, which does nothing inside a transaction. */
const rebuild: Migration = {
  tag: "0001_rebuild_parents",
  up: `PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE __new_parents (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT);--> statement-breakpoint
INSERT INTO __new_parents (id, name) SELECT id, name FROM parents;--> statement-breakpoint
DROP TABLE parents;--> statement-breakpoint
ALTER TABLE __new_parents RENAME TO parents;--> statement-breakpoint
PRAGMA foreign_keys=ON;`,
  down: `CREATE TABLE __old_parents (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO __old_parents SELECT id, name FROM parents;
DROP TABLE parents;
ALTER TABLE __old_parents RENAME TO parents;`,
};

const extra: Migration = { tag: "0002_extra", up: "CREATE TABLE extra (id INTEGER);", down: "DROP TABLE extra;" };

function workshop() {
  const url = `file:${join(temporaryFolder(), "migrated.db")}`;
  const options = (migrations: readonly Migration[]) => ({
    url,
    clock: systemClock,
    random: seededRandom(5n),
    log: silentLog,
    migrations,
  });
  const query = async (sql: string) => {
    const client = createClient({ url, intMode: "bigint", concurrency: 1 });
    try {
      return (await client.execute(sql)).rows.map((row): Record<string, unknown> => ({ ...row }));
    } finally {
      client.close();
    }
  };
  /** Everything that could have changed, as text. */
  const whole = async () =>
    JSON.stringify(
      [
        await query("SELECT type, name, sql FROM sqlite_schema ORDER BY name"),
        await query("SELECT number, tag, hash FROM schema_migrations"),
        await query("SELECT * FROM parents"),
        await query("SELECT * FROM children"),
      ],
      (_key, value) => (typeof value === "bigint" ? String(value) : value),
    );
  const childIds = async () => (await query("SELECT id FROM children ORDER BY id")).map(({ id }) => id);
  return { url, options, query, whole, childIds };
}

describe("S2.21 migrate up", () => {
  test("forward: every pending migration is applied in order and its tag, hash and time are kept", async () => {
    const { options, query } = workshop();
    const status = await migrateUp(options([parents, rebuild, extra]));
    expect(status).toMatchObject({ version: 3, latestVersion: 3, problem: null });
    const rows = await query(
      "SELECT number, tag, length(hash) AS hash, applied_at > 0 AS applied FROM schema_migrations",
    );
    expect(rows).toEqual(
      [parents, rebuild, extra].map(({ tag }, number) => ({ number: BigInt(number), tag, hash: 64n, applied: 1n })),
    );
  });

  test("idempotent: a second run changes nothing", async () => {
    const { options, whole } = workshop();
    await migrateUp(options([parents, rebuild]));
    const before = await whole();
    await migrateUp(options([parents, rebuild]));
    expect(await whole()).toBe(before);
  });

  test("version tracking: status tells applied, pending and unknown, changes nothing, and makes no file", async () => {
    const { options, query } = workshop();
    const nothing = await migrationStatus(options([parents, rebuild]));
    expect(nothing).toMatchObject({ version: 0, latestVersion: 2, problem: null });
    expect(nothing.migrations.map(({ state }) => state)).toEqual(["pending", "pending"]);
    await migrateUp(options([parents]));
    const half = await migrationStatus(options([parents, rebuild]));
    expect(half.migrations).toMatchObject([
      { version: 1, tag: "0000_parents", state: "applied", appliedAtMicroseconds: expect.any(BigInt) },
      { version: 2, tag: "0001_rebuild_parents", state: "pending", appliedAtMicroseconds: null },
    ]);
    await migrateUp(options([parents, rebuild]));
    const ahead = await migrationStatus(options([parents]));
    expect(ahead.migrations.map(({ state }) => state)).toEqual(["applied", "unknown"]);
    expect(ahead.problem).toMatchObject({ code: "DATABASE_NEWER" });
    expect(await query("SELECT count(*) AS n FROM schema_migrations")).toEqual([{ n: 2n }]);
  });

  test("failure recovery: a fault in the middle leaves the database exactly as before, and the mended one applies", async () => {
    const { options, whole, childIds } = workshop();
    await migrateUp(options([parents]));
    const before = await whole();
    const broken = {
      ...extra,
      tag: "0002_broken",
      up: "CREATE TABLE extra (id INTEGER); INSERT INTO nowhere VALUES (1);",
    };
    await expect(migrateUp(options([parents, rebuild, broken]))).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      detail: expect.stringContaining("0002_broken"),
    });
    expect(await whole()).toBe(before);
    expect(await migrateUp(options([parents, rebuild, extra]))).toMatchObject({ version: 3 });
    expect(await childIds()).toEqual([10n, 11n, 20n]);
  });
});

describe("S2.21 rebuilding a parent whose children cascade", () => {
  test("keeps every child, and foreign keys hold again afterwards", async () => {
    const { options, url, childIds } = workshop();
    await migrateUp(options([parents]));
    const storage = await openStorage({ ...options([parents, rebuild]), url });
    expect(await childIds()).toEqual([10n, 11n, 20n]);
    await expect(
      storage.write((tx) => tx.run(sql`INSERT INTO children VALUES (99, 404)`) as unknown as Promise<unknown>),
    ).rejects.toMatchObject({ code: "DATABASE_CONSTRAINT" });
    await storage.write((tx) => tx.run(sql`DELETE FROM parents WHERE id = 1`) as unknown as Promise<unknown>);
    expect(await childIds()).toEqual([20n]);
    await storage.close();
  });

  test("that would leave children pointing nowhere is refused in words and undone", async () => {
    const { options, whole } = workshop();
    await migrateUp(options([parents]));
    const before = await whole();
    const lossy: Migration = { ...rebuild, up: rebuild.up.replace("FROM parents;", "FROM parents WHERE id = 1;") };
    await expect(migrateUp(options([parents, lossy]))).rejects.toMatchObject({
      code: "MIGRATION_BREAKS_FOREIGN_KEYS",
      detail: expect.stringContaining("children → parents"),
    });
    expect(await whole()).toBe(before);
  });
});

describe("S2.21 migrate down", () => {
  test("rollback: undoes the newest first, keeps the children of a rebuilt parent, and forgets the marks", async () => {
    const { options, query, childIds } = workshop();
    const all = [parents, rebuild, extra];
    await migrateUp(options(all));
    expect(await migrateDown(1, options(all))).toMatchObject({ version: 1 });
    expect(await childIds()).toEqual([10n, 11n, 20n]);
    expect(await query("SELECT name FROM sqlite_schema WHERE name = 'extra'")).toEqual([]);
    expect(await query("SELECT name FROM pragma_table_info('parents')")).toEqual([{ name: "id" }, { name: "name" }]);
    expect(await migrateUp(options(all))).toMatchObject({ version: 3 });
  });

  test("to 0 leaves an empty schema that can be migrated again", async () => {
    const { options, query } = workshop();
    await migrateUp(options([parents]));
    await migrateDown(0, options([parents]));
    expect(await query("SELECT name FROM sqlite_schema WHERE type = 'table'")).toEqual([{ name: "schema_migrations" }]);
    expect(await migrateUp(options([parents]))).toMatchObject({ version: 1 });
  });

  test("a fault in the middle leaves everything applied", async () => {
    const { options, whole } = workshop();
    const broken = { ...parents, down: "DROP TABLE children; DROP TABLE never_there;" };
    await migrateUp(options([broken, rebuild]));
    const before = await whole();
    await expect(migrateDown(0, options([broken, rebuild]))).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      detail: expect.stringContaining("0000_parents.down"),
    });
    expect(await whole()).toBe(before);
  });

  for (const to of [-1, 2, 1.5, Number.NaN]) {
    test(`to ${to} with one applied is refused`, async () => {
      const { options } = workshop();
      await migrateUp(options([parents]));
      await expect(migrateDown(to, options([parents]))).rejects.toMatchObject({
        reason: "invalid",
        code: "MIGRATION_TARGET_INVALID",
      });
    });
  }
});

describe("S2.21 refused before anything is touched", () => {
  const cases: [string, readonly Migration[], readonly Migration[], string][] = [
    ["a migration edited after it was applied", [parents], [{ ...parents, up: `${parents.up} ` }], "MIGRATION_EDITED"],
    [
      "a migration slipped in before applied ones",
      [parents, { ...extra, tag: "0001_extra" }],
      [parents, { ...rebuild, tag: "0001_slipped" }, extra],
      "MIGRATION_OUT_OF_ORDER",
    ],
    ["a database newer than the executable", [parents, rebuild], [parents], "DATABASE_NEWER"],
  ];
  for (const [what, applied, offered, code] of cases) {
    test(`${what}: ${code}, by up, by down and by the start`, async () => {
      const { options, whole, url } = workshop();
      await migrateUp(options(applied));
      const before = await whole();
      await expect(migrateUp(options(offered))).rejects.toMatchObject({ code, hint: expect.any(String) });
      await expect(migrateDown(0, options(offered))).rejects.toMatchObject({ code });
      await expect(openStorage({ ...options(offered), url })).rejects.toMatchObject({ code });
      expect(await whole()).toBe(before);
    });
  }

  test("a missing mark between applied ones: MIGRATION_OUT_OF_ORDER", async () => {
    const { options, query } = workshop();
    await migrateUp(options([parents, rebuild]));
    await query("DELETE FROM schema_migrations WHERE number = 0");
    await expect(migrateUp(options([parents, rebuild]))).rejects.toMatchObject({ code: "MIGRATION_OUT_OF_ORDER" });
  });

  test("another program's database: DATABASE_FOREIGN, and nothing is added to it", async () => {
    const { options, query } = workshop();
    await query("CREATE TABLE somebody_elses (x)");
    await expect(migrateUp(options([parents]))).rejects.toMatchObject({ code: "DATABASE_FOREIGN" });
    expect(await query("SELECT name FROM sqlite_schema")).toEqual([{ name: "somebody_elses" }]);
  });

  test("line ends that an editor or a checkout changed are no edit", async () => {
    const { options } = workshop();
    await migrateUp(options([parents]));
    const windows = { ...parents, up: parents.up.replaceAll("\n", "\r\n") };
    expect(await migrateUp(options([windows]))).toMatchObject({ version: 1, problem: null });
  });

  const malformed: [string, readonly Migration[]][] = [
    ["a tag that does not carry its place", [extra]],
    ["a migration without a way back", [{ ...parents, down: " " }]],
    ["a script that commits", [{ ...parents, up: `${parents.up}\nCOMMIT;` }]],
    ["a script that vacuums", [{ ...parents, down: "vacuum;" }]],
  ];
  for (const [what, migrations] of malformed) {
    test(`${what} is our own mistake and stops at once`, async () => {
      const { options } = workshop();
      await expect(migrateUp(options(migrations))).rejects.toMatchObject({ name: "InvariantError" });
    });
  }

  test("a script that ends its transaction in a way the reader of scripts missed is caught before the next step", async () => {
    const { options } = workshop();
    const sly = { ...parents, up: "CREATE TABLE a (x); /* */ COMMIT" };
    await expect(migrateUp(options([sly]))).rejects.toMatchObject({ name: "InvariantError" });
  });
});

const carried = [
  { database: "bsopt.db", set: migrationSets.main, embedded },
  { database: "market.db", set: migrationSets.market, embedded: marketMigrations },
];

describe.each(carried)("the migrations this program carries for $database", ({ set, embedded }) => {
  test("S2.21 the manifest is what build/migrations.ts makes of the folder", () => {
    expect(readFileSync(manifestPathOf(set), "utf8")).toBe(manifestText(set, migrationTags(set)));
    expect(embedded.map(({ tag }) => tag)).toEqual(migrationTags(set));
  });

  test("S2.21 go up, all the way down and up again, each down leaving the schema its up had found", async () => {
    const { options, query } = workshop();
    const schema = () => query("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name");
    const schemas: unknown[] = [];
    for (let count = 1; count <= embedded.length; count++) {
      await migrateUp(options(embedded.slice(0, count)));
      schemas.push(await schema());
    }
    for (let count = embedded.length - 1; count >= 1; count--) {
      await migrateDown(count, options(embedded));
      expect(await schema()).toEqual(schemas[count - 1] as never);
    }
    await migrateDown(0, options(embedded));
    expect((await schema()).map(({ name }) => name)).toEqual(["schema_migrations"]);
    expect(await migrateUp(options(embedded))).toMatchObject({ version: embedded.length });
  });
});
