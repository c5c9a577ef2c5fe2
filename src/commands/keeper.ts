// Builds what backup, restore and doctor need of one data folder, without a server and without opening what they do not look at.
// Separate from the commands because it loads the database engine, which they may only do once they run.

import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { masterKeyFileName, masterKeyMark } from "../adapters/master-key";
import { bucketAddress } from "../app/backup-place";
import type { BuildInfo } from "../config/build-info";
import type { Config } from "../config/config";
import type { Clock } from "../foundation/clock";
import { silentLog } from "../foundation/log";
import type { Random } from "../foundation/random";
import { backupName, type KeyPlace, makeBackup } from "../storage/backup";
import { fetchFromBucket, makeInBucket } from "../storage/backup-place";
import { lockFolder } from "../storage/folder-lock";
import { parseDatabaseUrl, prepareFiles, requireRestored } from "../storage/location";
import { createLongWork } from "../storage/long-work";
import { restoreBackup } from "../storage/restore";
import type { Keeper } from "./backup";

export interface KeeperOptions {
  readonly config: Config;
  readonly build: BuildInfo;
  readonly clock: Clock;
  readonly random: Random;
  /** The module that storage's threads start from. */
  readonly entrance: string;
}

/** How long a backup waits for a restore that is under way. */
const busyMillisecondsMax = 30_000;

/** Backups and restores of the configured database. Opens nothing yet. */
export function openKeeper(options: KeeperOptions): Keeper {
  const { config, build, clock, random, entrance } = options;
  const location = parseDatabaseUrl(config.storage.databaseUrl);
  const { dataDirectory } = config.storage;
  const keys: KeyPlace[] = [masterKeyFileName, "admin-api-key"].map((name) => ({
    name,
    path: join(dataDirectory, name),
  }));
  const common = { location, clock, random, longWork: createLongWork(entrance) };
  return {
    sizeBytes: existsSync(location.path) ? statSync(location.path).size : 0,
    async backup({ to, withKeys, onCopying }) {
      const name = backupName("manual", clock);
      const isFolder = to?.endsWith("/") === true;
      const bucket = to === undefined ? null : bucketAddress(isFolder ? `${to}${name}` : to, config, clock);
      const target = to ?? join(dataDirectory, "backups", name);
      const own = { ...common, build, onCopying, masterKeyMark: masterKeyMark(dataDirectory, random) };
      const taken = withKeys ? keys : [];
      const make = () =>
        bucket === null
          ? makeBackup({ ...own, to: target, keys: taken })
          : makeInBucket({ ...bucket, shown: bucket.shown.replace(/\/$/, "") }, { ...own, keys: taken });
      // Where there is no database, none is made: copying says so.
      if (!existsSync(location.path)) return make();
      requireRestored(location);
      prepareFiles(location, silentLog);
      const lock = await lockFolder(location, "shared", { clock, random, log: silentLog, busyMillisecondsMax });
      try {
        return await make();
      } finally {
        await lock.release();
      }
    },
    async restore({ from, acceptsOtherKey, onProgress }) {
      const restoreFrom = (folder: string) =>
        restoreBackup({
          ...{ ...common, from: folder, acceptsOtherKey, onProgress, keys },
          masterKeyMark: masterKeyMark(dataDirectory, random),
        });
      const bucket = bucketAddress(from, config, clock);
      if (bucket === null) return restoreFrom(from);
      const incoming = join(dataDirectory, `incoming-backup-${Buffer.from(random.bytes(4)).toString("hex")}`);
      try {
        await fetchFromBucket(bucket, incoming);
        return await restoreFrom(incoming);
      } finally {
        rmSync(incoming, { recursive: true, force: true });
      }
    },
  };
}
