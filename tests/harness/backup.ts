// What the tests of backups share: long work in a real thread of the program's own module, and a database with rows.

import { afterAll } from "bun:test";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { systemClock } from "../../src/foundation/clock";
import { seededRandom } from "../../src/foundation/random";
import type { BackupOptions } from "../../src/storage/backup";
import { parseDatabaseUrl } from "../../src/storage/location";
import { createLongWork, type LongWork } from "../../src/storage/long-work";
import type { RestoreOptions } from "../../src/storage/restore";
import type { Storage } from "../../src/storage/storage";
import { itemMigrations, items } from "./storage-schema";

/** The module that threads start from, as the executable's own would be. */
export const entrance = join(root, "src", "main.ts");

/** Long work that ends with this file's tests. */
export function testLongWork(): LongWork {
  const longWork = createLongWork(entrance);
  afterAll(() => longWork.stop());
  return longWork;
}

/** Rows with the given ids, each a write of its own. */
export async function addItems(storage: Storage, ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => storage.write((tx) => tx.insert(items).values({ id, batch: "b", part: 0 }))));
}

/** Ids of all rows, in order. */
export async function itemIds(storage: Storage): Promise<string[]> {
  return (await storage.read.select({ id: items.id }).from(items).orderBy(items.id)).map(({ id }) => id);
}

/** What a backup of that database needs beside its place. */
export function backupOptions(url: string, to: string, longWork: LongWork): BackupOptions {
  const random = seededRandom(11n);
  const build = { version: "9.9.9", commit: "abc" };
  return {
    location: parseDatabaseUrl(url),
    to,
    keys: [],
    masterKeyMark: null,
    build,
    clock: systemClock,
    random,
    longWork,
  };
}

/** What a restore of that backup needs. */
export function restoreOptions(url: string, from: string, longWork: LongWork): RestoreOptions {
  const random = seededRandom(13n);
  return {
    location: parseDatabaseUrl(url),
    from,
    keys: [],
    masterKeyMark: null,
    acceptsOtherKey: false,
    clock: systemClock,
    random,
    longWork,
    migrations: itemMigrations,
  };
}
