// Whatever holds something about somebody must be asked when they are erased. A part that was added and not named in app.ts is found
// here, because every table with a user's id is looked through.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getTableColumns, getTableName, sql } from "drizzle-orm";
import { everyTable, openIdentity } from "../../src/app";
import { loadConfig } from "../../src/config/config";
import { operator } from "../../src/features/identity/service";
import { systemClock } from "../../src/foundation/clock";
import { silentLog } from "../../src/foundation/log";
import { systemRandom } from "../../src/foundation/random";
import { openStorage } from "../../src/storage/storage";

/** Tables that keep who did what after an erasure, by the id alone. */
const kept = new Set(["users", "api_keys", "audit_events", "audit_erasures"]);
const withUser = everyTable
  .filter((table) => "userId" in getTableColumns(table))
  .map((table) => ({ table, name: getTableName(table) }));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bsopt-erasure-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("S3.18 erasing a user leaves no row of theirs in any table but those that only keep the id", async () => {
  const options = {
    config: loadConfig({ flags: {}, environment: { BSOPT_DATA_DIR: folder }, file: null }),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  };
  const { identity, keys, keyFile, close } = await openIdentity(options);
  const storage = await openStorage({ ...options, url: options.config.storage.databaseUrl });
  try {
    await keys.ensureFirstAdminKey(keyFile);
    const person = { email: "ada@example.org", name: "Ada", role: "trader", isVerified: true } as const;
    const { id } = await identity.createUser({ actor: operator, person });
    for (const { table, name } of withUser) {
      if (kept.has(name)) continue;
      // A row of the right shape, whatever the table: each column that must be given gets something that its kind takes.
      const columns = Object.values(getTableColumns(table)).filter((column) => column.notNull && !column.hasDefault);
      const value = (column: (typeof columns)[number]) =>
        column.name === "user_id" ? id : (column.enumValues?.[0] ?? (column.getSQLType() === "integer" ? 1 : "x"));
      const names = sql.join(
        columns.map((column) => sql.identifier(column.name)),
        sql`, `,
      );
      const values = sql.join(
        columns.map((column) => sql`${value(column)}`),
        sql`, `,
      );
      await storage.write((tx) => tx.run(sql`insert into ${sql.identifier(name)} (${names}) values (${values})`));
    }
    const rowsOf = async (name: string) =>
      (await storage.read.all(sql`select * from ${sql.identifier(name)} where user_id = ${id}`)).length;
    const left = async () => {
      const counts = await Promise.all(withUser.map(async ({ name }) => [name, await rowsOf(name)] as const));
      return counts.filter(([name, count]) => !kept.has(name) && count > 0).map(([name]) => name);
    };
    expect((await left()).length).toBe(withUser.filter(({ name }) => !kept.has(name)).length);
    expect((await left()).length).toBeGreaterThan(3);
    await identity.eraseUser({ actor: operator, userId: id });
    expect(await left()).toEqual([]);
  } finally {
    await storage.close();
    await close();
  }
});
