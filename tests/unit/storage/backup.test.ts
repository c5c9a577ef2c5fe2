// Backups and restores over real files: what a backup holds, what a restore refuses, and that whatever is refused or ended
// in the middle leaves the data that was there.

import { describe, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { BsoptError } from "../../../src/foundation/errors";
import { backupDatabaseName, backupManifestName, makeBackup, readManifest } from "../../../src/storage/backup";
import { inspectDatabase, runLongJob } from "../../../src/storage/database-copy";
import { restoreBackup } from "../../../src/storage/restore";
import type { Storage } from "../../../src/storage/storage";
import { addItems, backupOptions, itemIds, restoreOptions, testLongWork } from "../../harness/backup";
import { itemMigrations, openTestStorage, StorageChild, temporaryFolder } from "../../harness/storage";

const longWork = testLongWork();

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "no error";
  } catch (error) {
    return error instanceof BsoptError ? error.code : String(error);
  }
}

/** A storage with two rows and a backup of it. */
async function withBackup(): Promise<{ storage: Storage & { url: string }; folder: string; to: string }> {
  const folder = temporaryFolder();
  const storage = await openTestStorage({ url: `file:${join(folder, "data", "test.db")}` });
  await addItems(storage, ["one", "two"]);
  const to = join(folder, "backup");
  await makeBackup(backupOptions(storage.url, to, longWork));
  return { storage, folder, to };
}

describe("a backup", () => {
  test("S2.50 holds the rows as of its moment, says what it is, and is its owner's alone", async () => {
    const { storage, to } = await withBackup();
    await addItems(storage, ["three"]);
    expect(readdirSync(to).sort()).toEqual([backupDatabaseName, backupManifestName]);
    for (const name of readdirSync(to)) expect(statSync(join(to, name)).mode & 0o777).toBe(0o600);
    expect(statSync(to).mode & 0o777).toBe(0o700);
    const manifest = readManifest(to);
    const bytes = readFileSync(join(to, backupDatabaseName));
    expect(manifest).toMatchObject({
      format: 1,
      bsopt_version: "9.9.9",
      schema: itemMigrations.map(({ tag }) => tag),
      database: {
        name: backupDatabaseName,
        bytes: bytes.byteLength,
        sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex"),
      },
      keys: [],
      master_key_mark: null,
    });
    const copy = await openTestStorage({ url: `file:${join(to, backupDatabaseName)}` });
    expect(await itemIds(copy)).toEqual(["one", "two"]);
  });

  test("S2.50 under another process's writes holds each of its works whole or not at all, and all that was acknowledged before", async () => {
    const folder = temporaryFolder();
    const url = `file:${join(folder, "data", "test.db")}`;
    const child = new StorageChild(["acknowledge", url, "load"]);
    await child.line("ack load-50");
    const before = child.lines.filter((line) => line.startsWith("ack ")).map((line) => line.slice(4));
    const to = join(folder, "backup");
    await makeBackup(backupOptions(url, to, longWork));
    child.kill("SIGKILL");
    await child.ended();
    const copy = await openTestStorage({ url: `file:${join(to, backupDatabaseName)}` });
    const ids = await itemIds(copy);
    const works = new Map<string, number>();
    for (const id of ids) works.set(id.split("/")[0]!, (works.get(id.split("/")[0]!) ?? 0) + 1);
    expect([...works.values()].filter((parts) => parts !== 3)).toEqual([]);
    expect(before.filter((id) => !works.has(id))).toEqual([]);
  });

  test("S2.50 takes keys along only where asked, private, and hashed in the manifest", async () => {
    const { storage, folder } = await withBackup();
    const key = join(folder, "master-key");
    writeFileSync(key, "canary\n", { mode: 0o644 });
    const to = join(folder, "with-keys");
    const keys = [
      { name: "master-key", path: key },
      { name: "absent", path: join(folder, "absent") },
    ];
    await makeBackup({ ...backupOptions(storage.url, to, longWork), keys, masterKeyMark: "0".repeat(32) });
    expect(statSync(join(to, "master-key")).mode & 0o777).toBe(0o600);
    expect(readManifest(to).keys.map(({ name }) => name)).toEqual(["master-key"]);
    expect(readFileSync(join(to, backupManifestName), "utf8")).not.toContain("canary");
  });

  test("S2.50 is never written over anything, and a failed one leaves nothing behind", async () => {
    const { storage, folder, to } = await withBackup();
    const before = readdirSync(folder).sort();
    expect(await codeOf(makeBackup(backupOptions(storage.url, to, longWork)))).toBe("BACKUP_EXISTS");
    const missing = `file:${join(folder, "data", "nothing.db")}`;
    expect(await codeOf(makeBackup(backupOptions(missing, join(folder, "b2"), longWork)))).toBe("DATABASE_MISSING");
    expect(existsSync(join(folder, "data", "nothing.db"))).toBe(false);
    writeFileSync(join(folder, "file"), "");
    expect(await codeOf(makeBackup(backupOptions(storage.url, join(folder, "file", "b3"), longWork)))).toBe(
      "BACKUP_FOLDER_UNUSABLE",
    );
    expect(readdirSync(folder).sort()).toEqual([...before, "file"].sort());
  });

  test("S2.50 is refused of a damaged database", async () => {
    const { storage, folder } = await withBackup();
    await storage.close();
    const path = storage.url.slice("file:".length);
    const bytes = readFileSync(path);
    bytes.fill(0xab, 4096, bytes.length);
    const damaged = join(folder, "damaged.db");
    writeFileSync(damaged, bytes);
    expect(await codeOf(makeBackup(backupOptions(`file:${damaged}`, join(folder, "b4"), longWork)))).toBe(
      "DATABASE_CORRUPT",
    );
    expect(existsSync(join(folder, "b4"))).toBe(false);
  });
});

describe("a restore", () => {
  test("S2.50 brings the backup's rows back and keeps what was there, whole, under another name", async () => {
    const { storage, to } = await withBackup();
    await addItems(storage, ["three"]);
    await storage.close();
    const restored = await restoreBackup(restoreOptions(storage.url, to, longWork));
    expect(restored.pendingCount).toBe(0);
    const again = await openTestStorage({ url: storage.url });
    expect(await itemIds(again)).toEqual(["one", "two"]);
    await addItems(again, ["four"]);
    expect(restored.keptIn).not.toBeNull();
    const kept = await openTestStorage({ url: `file:${join(restored.keptIn!, "test.db")}` });
    expect(await itemIds(kept)).toEqual(["one", "three", "two"]);
  });

  test("S2.50 after a kill keeps aside what was only in the log", async () => {
    const folder = temporaryFolder();
    const url = `file:${join(folder, "data", "test.db")}`;
    const { to } = await withBackup();
    const child = new StorageChild(["acknowledge", url, "load"]);
    await child.line("ack load-20");
    child.kill("SIGKILL");
    await child.ended();
    const acknowledged = child.lines.filter((line) => line.startsWith("ack ")).map((line) => `${line.slice(4)}/0`);
    expect(statSync(join(folder, "data", "test.db-wal")).size).toBeGreaterThan(0);
    const { keptIn } = await restoreBackup(restoreOptions(url, to, longWork));
    expect(await itemIds(await openTestStorage({ url }))).toEqual(["one", "two"]);
    const kept = new Set(await itemIds(await openTestStorage({ url: `file:${join(keptIn!, "test.db")}` })));
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
  });

  test("S2.50 on an empty folder makes the database", async () => {
    const { to } = await withBackup();
    const url = `file:${join(temporaryFolder(), "fresh", "test.db")}`;
    const restored = await restoreBackup(restoreOptions(url, to, longWork));
    expect(restored.keptIn).toBeNull();
    expect(await itemIds(await openTestStorage({ url }))).toEqual(["one", "two"]);
  });

  test("S2.50 is refused while this or another process has the database open, and its end frees it", async () => {
    const { storage, folder, to } = await withBackup();
    const before = readdirSync(dirname(storage.url.slice("file:".length))).sort();
    expect(await codeOf(restoreBackup(restoreOptions(storage.url, to, longWork)))).toBe("DATABASE_IN_USE");
    expect(readdirSync(dirname(storage.url.slice("file:".length))).sort()).toEqual(before);
    await addItems(storage, ["three"]);

    const url = `file:${join(folder, "other", "test.db")}`;
    const child = new StorageChild(["acknowledge", url, "load"]);
    await child.line("ack load-5");
    expect(await codeOf(restoreBackup(restoreOptions(url, to, longWork)))).toBe("DATABASE_IN_USE");
    child.kill("SIGKILL");
    await child.ended();
    expect(await codeOf(restoreBackup(restoreOptions(url, to, longWork)))).toBe("no error");
  });

  interface Bad {
    readonly name: string;
    readonly spoil: (backup: string) => void;
    readonly code: string;
  }
  const manifestOf = (backup: string) => JSON.parse(readFileSync(join(backup, backupManifestName), "utf8"));
  const edit = (backup: string, change: (manifest: ReturnType<typeof manifestOf>) => void) => {
    const manifest = manifestOf(backup);
    change(manifest);
    writeFileSync(join(backup, backupManifestName), JSON.stringify(manifest));
  };
  const rehash = (backup: string) =>
    edit(backup, (manifest) => {
      const bytes = readFileSync(join(backup, backupDatabaseName));
      manifest.database.bytes = bytes.byteLength;
      manifest.database.sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    });
  const bad: Bad[] = [
    {
      name: "a folder without a manifest",
      spoil: (backup) => Bun.spawnSync(["rm", join(backup, backupManifestName)]),
      code: "BACKUP_MISSING",
    },
    {
      name: "a manifest that is no JSON",
      spoil: (backup) => appendFileSync(join(backup, backupManifestName), "}"),
      code: "BACKUP_INVALID",
    },
    {
      name: "a manifest with a path for a name",
      spoil: (backup) => edit(backup, (manifest) => (manifest.database.name = "../bsopt.db")),
      code: "BACKUP_INVALID",
    },
    {
      name: "a manifest of a later form",
      spoil: (backup) => edit(backup, (manifest) => (manifest.format = 2)),
      code: "BACKUP_FORMAT_UNKNOWN",
    },
    {
      name: "one flipped bit",
      spoil: (backup) => {
        const bytes = readFileSync(join(backup, backupDatabaseName));
        bytes[bytes.length - 100]! ^= 1;
        writeFileSync(join(backup, backupDatabaseName), bytes);
      },
      code: "BACKUP_INVALID",
    },
    {
      name: "a file cut short",
      spoil: (backup) => {
        const bytes = readFileSync(join(backup, backupDatabaseName));
        writeFileSync(join(backup, backupDatabaseName), bytes.subarray(0, bytes.length - 4096));
      },
      code: "BACKUP_INVALID",
    },
    {
      name: "damage that was hashed with it",
      spoil: (backup) => {
        const bytes = readFileSync(join(backup, backupDatabaseName));
        bytes.fill(0xab, 4096);
        writeFileSync(join(backup, backupDatabaseName), bytes);
        rehash(backup);
      },
      code: "BACKUP_INVALID",
    },
    {
      name: "a database that is none",
      spoil: (backup) => {
        writeFileSync(join(backup, backupDatabaseName), "not a database, though long enough to have a head of its own");
        rehash(backup);
      },
      code: "BACKUP_INVALID",
    },
    {
      name: "a manifest that names another schema",
      spoil: (backup) => edit(backup, (manifest) => manifest.schema.push("0099_later")),
      code: "BACKUP_INVALID",
    },
    {
      name: "secrets under a key nobody has",
      spoil: (backup) => edit(backup, (manifest) => (manifest.master_key_mark = "f".repeat(32))),
      code: "MASTER_KEY_DIFFERS",
    },
  ];
  test.each(bad)("S2.50 of $name is refused and changes nothing", async ({ spoil, code }) => {
    const { storage, to } = await withBackup();
    await addItems(storage, ["three"]);
    await storage.close();
    const data = dirname(storage.url.slice("file:".length));
    spoil(to);
    expect(await codeOf(restoreBackup(restoreOptions(storage.url, to, longWork)))).toBe(code);
    expect(readdirSync(data).filter((name) => !/-(wal|shm)$|\.lock$/.test(name))).toEqual(["test.db"]);
    expect(await itemIds(await openTestStorage({ url: storage.url }))).toEqual(["one", "three", "two"]);
  });

  test("S2.21 S2.50 of a schema newer than the executable is refused; of an older one tells what is pending", async () => {
    const { storage, to } = await withBackup();
    await storage.close();
    const options = restoreOptions(storage.url, to, longWork);
    const fewer = itemMigrations.slice(0, -1);
    expect(await codeOf(restoreBackup({ ...options, migrations: fewer }))).toBe("DATABASE_NEWER");
    const more = [
      ...itemMigrations,
      { tag: `${String(itemMigrations.length).padStart(4, "0")}_later`, up: "SELECT 1", down: "SELECT 1" },
    ];
    expect((await restoreBackup({ ...options, migrations: more })).pendingCount).toBe(1);
  });

  test("S2.50 over what an earlier restore left when it was killed works", async () => {
    const { storage, to } = await withBackup();
    await storage.close();
    const path = storage.url.slice("file:".length);
    writeFileSync(`${path}.restoring`, "half");
    writeFileSync(`${path}.restoring-wal`, "half");
    mkdirSync(join(dirname(path), "before-restore-20200101T000000.000000Z"));
    await restoreBackup(restoreOptions(storage.url, to, longWork));
    expect(existsSync(`${path}.restoring`)).toBe(false);
    expect(existsSync(`${path}.restoring-wal`)).toBe(false);
  });

  test("S2.50 with keys puts them in place and keeps those that were there", async () => {
    const { storage, folder } = await withBackup();
    const place = { name: "master-key", path: join(folder, "data", "master-key") };
    writeFileSync(place.path, "first\n", { mode: 0o600 });
    const to = join(folder, "with-keys");
    await makeBackup({ ...backupOptions(storage.url, to, longWork), keys: [place], masterKeyMark: "a".repeat(32) });
    writeFileSync(place.path, "second\n");
    await storage.close();
    const options = { ...restoreOptions(storage.url, to, longWork), masterKeyMark: "b".repeat(32) };
    expect(await codeOf(restoreBackup({ ...options, keys: [] }))).toBe("MASTER_KEY_DIFFERS");
    const restored = await restoreBackup({ ...options, keys: [place] });
    expect(readFileSync(place.path, "utf8")).toBe("first\n");
    expect(statSync(place.path).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(restored.keptIn!, "master-key"), "utf8")).toBe("second\n");
  });

  test("S2.50 S5.19 ended between a key and the database it opens: nothing opens that, and the same restore ends it well", async () => {
    const { storage, folder } = await withBackup();
    const place = { name: "master-key", path: join(folder, "data", "master-key") };
    writeFileSync(place.path, "first\n", { mode: 0o600 });
    const to = join(folder, "with-keys");
    await makeBackup({ ...backupOptions(storage.url, to, longWork), keys: [place] });
    await addItems(storage, ["later"]);
    await storage.close();
    const path = storage.url.slice("file:".length);
    // What a power cut leaves; tests/power-cut has the real ones.
    writeFileSync(`${path}.restore-unfinished`, "");
    writeFileSync(`${place.path}.restoring`, "half");
    expect(await codeOf(openTestStorage({ url: storage.url }))).toBe("RESTORE_UNFINISHED");
    await restoreBackup({ ...restoreOptions(storage.url, to, longWork), keys: [place] });
    expect(existsSync(`${place.path}.restoring`)).toBe(false);
    expect(readFileSync(place.path, "utf8")).toBe("first\n");
    expect(await itemIds(await openTestStorage({ url: storage.url }))).toEqual(["one", "two"]);
    expect(readdirSync(dirname(path)).filter((name) => name.includes("unfinished"))).toEqual([]);
  });

  test("S2.50 beside a log whose database is gone keeps the log aside and plays nothing of it into the new one", async () => {
    const folder = temporaryFolder();
    const url = `file:${join(folder, "data", "test.db")}`;
    const { to } = await withBackup();
    const child = new StorageChild(["acknowledge", url, "load"]);
    await child.line("ack load-20");
    child.kill("SIGKILL");
    await child.ended();
    rmSync(join(folder, "data", "test.db"));
    const { keptIn } = await restoreBackup(restoreOptions(url, to, longWork));
    expect(readdirSync(keptIn!)).toEqual(["test.db-wal"]);
    expect(await itemIds(await openTestStorage({ url }))).toEqual(["one", "two"]);
  });

  test("S2.50 over a damaged database works and keeps the damaged one with its log", async () => {
    const { to } = await withBackup();
    // A place that this process never had open: the driver closes a connection when its memory is collected, and takes the log away then.
    const path = join(temporaryFolder(), "test.db");
    const url = `file:${path}`;
    writeFileSync(path, "nothing that SQLite would take for a database, of some length");
    writeFileSync(`${path}-wal`, "nor this for a log");
    const { keptIn } = await restoreBackup(restoreOptions(url, to, longWork));
    expect(readFileSync(join(keptIn!, "test.db"), "utf8")).toStartWith("nothing that");
    expect(readFileSync(join(keptIn!, "test.db-wal"), "utf8")).toStartWith("nor this");
    expect(await itemIds(await openTestStorage({ url }))).toEqual(["one", "two"]);
  });
});

test("S2.50 a look at a database finds damage, quick and whole, and says so instead of failing", async () => {
  const { storage, folder } = await withBackup();
  await storage.close();
  const path = storage.url.slice("file:".length);
  expect(await inspectDatabase(path, "whole")).toMatchObject({ damage: [], brokenReferences: [] });
  const bytes = readFileSync(path);
  bytes.fill(0xab, 4096, bytes.length);
  const damaged = join(folder, "damaged.db");
  writeFileSync(damaged, bytes);
  for (const depth of ["quick", "whole"] as const) {
    expect((await inspectDatabase(damaged, depth)).damage.length).toBeGreaterThan(0);
  }
  copyFileSync(path, join(folder, "fine.db"));
  chmodSync(join(folder, "fine.db"), 0o600);
  expect((await inspectDatabase(join(folder, "fine.db"), "quick")).damage).toEqual([]);
});

test("S2.50 a copy is one moment of the database, private, and what the thread does is the same as without one", async () => {
  const { storage, folder } = await withBackup();
  const path = storage.url.slice("file:".length);
  const to = join(folder, "copy.db");
  const facts = await runLongJob({ kind: "copy", path, to });
  const bytes = readFileSync(to);
  expect(facts).toEqual({
    damage: [],
    brokenReferences: [],
    marks: [{ number: 0, tag: itemMigrations[0]!.tag, hash: expect.stringMatching(/^[0-9a-f]{64}$/) }],
    byteCount: bytes.byteLength,
    sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex"),
  });
  expect(statSync(to).mode & 0o777).toBe(0o600);
  const looked = await runLongJob({ kind: "inspect", path, depth: "quick" });
  expect(looked).toEqual(await longWork.run({ kind: "inspect", path, depth: "quick" }));
  expect(await codeOf(runLongJob({ kind: "copy", path, to }))).toStartWith("DATABASE_");
  expect(await codeOf(runLongJob({ kind: "inspect", path: join(folder, "none"), depth: "quick" }))).toBe(
    "DATABASE_MISSING",
  );
  writeFileSync(join(folder, "empty.db"), "");
  expect(await runLongJob({ kind: "inspect", path: join(folder, "empty.db"), depth: "whole" })).toMatchObject({
    marks: null,
  });
});
