// Where backups stand: a folder, or names in a bucket. Separate from making one, which is always done on this machine first, and
// from when they are made. In a bucket a backup is the objects under its name, and it is one from the moment its manifest stands, which
// is written last and removed first: nothing that was cut short, on either way, passes for a backup.

import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Clock, EpochMicroseconds } from "../foundation/clock";
import { makeFolder } from "../foundation/durable";
import { BsoptError } from "../foundation/errors";
import {
  type Backup,
  type BackupOptions,
  backupManifestName,
  finishedBackups,
  makeBackup,
  unfinishedSuffix,
} from "./backup";

/** A bucket, as far as backups need one. */
export interface ObjectStore {
  putFile(key: string, path: string): Promise<void>;
  putText(key: string, text: string): Promise<void>;
  /** Null where there is no such object. */
  getText(key: string): Promise<string | null>;
  getFile(key: string, path: string, onBytes?: (count: number) => void): Promise<void>;
  list(prefix: string): Promise<readonly { readonly key: string; readonly bytes: number }[]>;
  remove(key: string): Promise<void>;
}

/** The backups that a schedule makes, in their place. */
export interface BackupPlace {
  /** When the newest was made; null: there is none. Asked anew only where `isFresh` says so, if asking costs. */
  newest(isFresh: boolean): Promise<EpochMicroseconds | null>;
  /** Makes one of that name. Nobody else is at it. */
  make(name: string, options: Omit<BackupOptions, "to">): Promise<Backup>;
  /** Removes all but the newest, and what was cut short. */
  prune(keepCount: number): Promise<void>;
}

/** What a schedule's backups are called; others beside them are somebody's own. */
const ownName = /^scheduled-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{6})Z$/;

/** The moment in a scheduled backup's name, or null: it is none of ours. */
export function momentOf(name: string): EpochMicroseconds | null {
  const match = ownName.exec(name);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, micros] = match;
  const seconds = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(seconds) ? null : BigInt(seconds) * 1000n + BigInt(micros!);
}

export function folderPlace(path: string): BackupPlace {
  const folder = resolve(path);
  const own = () =>
    existsSync(folder)
      ? finishedBackups(
          readdirSync(folder).filter((name) => momentOf(name) !== null),
          folder,
        )
      : [];
  return {
    newest: async () => {
      const [newest] = own();
      return newest === undefined ? null : momentOf(`scheduled-${newest.manifest.created_at.replace(/[-:]/g, "")}`);
    },
    async make(name, options) {
      makeFolder(folder);
      removeUnfinished(folder);
      return makeBackup({ ...options, to: join(folder, name) });
    },
    async prune(keepCount) {
      for (const { path } of own().slice(keepCount)) rmSync(path, { recursive: true, force: true });
    },
  };
}

/** `prefix` is what names begin with: "" or a path that ends in a slash. `shown` is the place in words. */
export function bucketPlace(place: { store: ObjectStore; prefix: string; shown: string }): BackupPlace {
  const { store, prefix } = place;
  let known: EpochMicroseconds | null | undefined;

  /** Names of the schedule's own, with their objects, the newest first. */
  async function own(): Promise<readonly Own[]> {
    const objects = new Map<string, string[]>();
    for (const { key } of await store.list(`${prefix}scheduled-`)) {
      const name = key.slice(prefix.length).split("/")[0]!;
      if (momentOf(name) === null) continue;
      objects.set(name, [...(objects.get(name) ?? []), key]);
    }
    return [...objects]
      .map(([name, keys]) => ({ name, keys, isWhole: keys.includes(`${prefix}${name}/${backupManifestName}`) }))
      .sort((one, other) => (one.name < other.name ? 1 : -1));
  }

  return {
    async newest(isFresh) {
      if (known === undefined || isFresh) {
        const newest = (await own()).find(({ isWhole }) => isWhole);
        known = newest === undefined ? null : momentOf(newest.name);
      }
      return known;
    },
    async make(name, options) {
      const made = await makeInBucket({ ...place, prefix: `${prefix}${name}/` }, options);
      known = momentOf(name);
      return { ...made, path: `${place.shown}${name}` };
    },
    async prune(keepCount) {
      const all = await own();
      const whole = all.filter(({ isWhole }) => isWhole);
      const newest = whole[0]?.name ?? "";
      const cutShort = all.filter(({ name, isWhole }) => !isWhole && name < newest);
      for (const { keys } of [...whole.slice(keepCount), ...cutShort]) await removeAll(store, keys);
    },
  };
}

interface Own {
  readonly name: string;
  readonly keys: readonly string[];
  readonly isWhole: boolean;
}

/** Where a backup waits until it is in the bucket, beside the database, which a copy has room beside. */
const outgoingName = (databasePath: string) => join(dirname(databasePath), "outgoing-backup");

/**
 * Makes a backup on this machine, puts it under the prefix and removes it here. Throws BACKUP_EXISTS where one stands there, and what
 * making it and the store throw; then nothing under the prefix passes for a backup.
 */
export async function makeInBucket(
  { store, prefix, shown }: { store: ObjectStore; prefix: string; shown: string },
  options: Omit<BackupOptions, "to">,
): Promise<Backup> {
  if ((await store.getText(`${prefix}${backupManifestName}`)) !== null) {
    throw new BsoptError({
      reason: "conflict",
      code: "BACKUP_EXISTS",
      detail: "There is already a backup where this one should go.",
      hint: "Name another place; a backup is never written over another.",
    });
  }
  const folder = `${outgoingName(options.location.path)}-${Buffer.from(options.random.bytes(4)).toString("hex")}`;
  const to = join(folder, "backup");
  try {
    const made = await makeBackup({ ...options, to });
    const { database, keys } = made.manifest;
    for (const { name } of [database, ...keys]) await store.putFile(`${prefix}${name}`, join(to, name));
    // The one step that makes it a backup.
    await store.putFile(`${prefix}${backupManifestName}`, join(to, backupManifestName));
    return { path: shown, manifest: made.manifest };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Copies a backup out of a bucket into a new folder, which is as good as the backup's own. Throws BACKUP_MISSING, BACKUP_INVALID. */
export async function fetchFromBucket(
  { store, prefix }: { store: ObjectStore; prefix: string },
  to: string,
  onBytes?: (doneBytes: number) => void,
): Promise<void> {
  const manifest = await store.getText(`${prefix}${backupManifestName}`);
  if (manifest === null) throw await missing(store, prefix);
  mkdirSync(to, { recursive: true, mode: 0o700 });
  await Bun.write(join(to, backupManifestName), manifest);
  let doneBytes = 0;
  for (const { key } of await store.list(prefix)) {
    const name = key.slice(prefix.length);
    if (name === backupManifestName || !/^[a-z][a-z0-9.-]{0,63}$/.test(name)) continue;
    await store.getFile(key, join(to, name), (count) => {
      doneBytes += count;
      onBytes?.(doneBytes);
    });
  }
}

/** Names the newest backup below, for whoever gave the folder of them. */
async function missing(store: ObjectStore, prefix: string): Promise<BsoptError> {
  const below = (await store.list(prefix))
    .filter(({ key }) => key.endsWith(`/${backupManifestName}`))
    .map(({ key }) => key.slice(prefix.length, -backupManifestName.length - 1))
    .sort();
  const newest = below.at(-1);
  return new BsoptError({
    reason: "not-found",
    code: "BACKUP_MISSING",
    detail: "There is no backup: nothing of that name has a manifest.",
    hint: newest === undefined ? "Name a backup as bsopt backup printed it." : `The last one below it is ${newest}.`,
  });
}

async function removeAll(store: ObjectStore, keys: readonly string[]): Promise<void> {
  const manifestFirst = [...keys].sort((one, other) => Number(isManifest(other)) - Number(isManifest(one)));
  for (const key of manifestFirst) await store.remove(key);
}

function isManifest(key: string): boolean {
  return key.endsWith(`/${backupManifestName}`);
}

/** What a killed server left; nobody else is at it. */
function removeUnfinished(folder: string): void {
  for (const name of readdirSync(folder)) {
    const isOwn = name.endsWith(unfinishedSuffix) && momentOf(`${name.split("Z.")[0]}Z`) !== null;
    if (isOwn) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** What a killed process left of backups on their way to a bucket; what is younger than a day may be a command's that runs. */
export function removeOutgoing(databasePath: string, clock: Clock): void {
  const folder = dirname(databasePath);
  const start = `${basename(outgoingName(databasePath))}-`;
  const oldestMilliseconds = Number(clock.nowMicroseconds() / 1000n) - 86_400_000;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (name.startsWith(start) && statSync(path).mtimeMs < oldestMilliseconds) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}
