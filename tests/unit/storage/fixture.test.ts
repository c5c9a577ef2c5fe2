// What every test of storage stands on: a database of its own, really migrated, that nobody else sees and that is gone afterwards.

import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { migrations } from "../../../src/storage/migrations-manifest";
import { openIdentity } from "../../harness/identity";

test("S2.26 a test's database is made for it: migrated to the newest schema, empty, and apart from every other", async () => {
  const one = await openIdentity();
  const other = await openIdentity();
  expect(one.folder).not.toBe(other.folder);
  for (const { storage, folder } of [one, other]) {
    const tags = await storage.read.all<{ tag: string }>(sql`SELECT tag FROM schema_migrations ORDER BY tag`);
    expect(tags.map(({ tag }) => tag)).toEqual(migrations.map(({ tag }) => tag));
    expect(await storage.read.all(sql`SELECT id FROM users`)).toEqual([]);
    // A real file of libSQL's, no stand-in.
    expect(readdirSync(folder)).toContain("bsopt.db");
  }
  await one.keys.ensureFirstAdminKey(one.keyFile);
  const countOf = async ({ storage }: typeof one) => (await storage.read.all(sql`SELECT id FROM users`)).length;
  expect([await countOf(one), await countOf(other)]).toEqual([1, 0]);
  await one.close();
  expect(existsSync(one.folder)).toBe(false);
  expect(existsSync(join(other.folder, "bsopt.db"))).toBe(true);
  await other.close();
});

test("S2.26 what a test leaves the next does not find: the same seed begins from nothing again", async () => {
  const ids: string[] = [];
  for (let turn = 0; turn < 2; turn++) {
    const fixture = await openIdentity({ seed: 11n });
    await fixture.keys.ensureFirstAdminKey(fixture.keyFile);
    const [user] = await fixture.storage.read.all<{ id: string }>(sql`SELECT id FROM users`);
    ids.push(user!.id);
    await fixture.close();
  }
  expect(ids[1]).toBe(ids[0]!);
});
