// `bsopt backup [TO]` and `bsopt restore FROM`: a copy of the database beside a running server, and putting one in its place with
// every server stopped. In one file because each is the other's half. What they print last is what a script needs: the path.

import { statSync } from "node:fs";
import { Command } from "commander";
import type { Config } from "../config/config";
import type { Clock } from "../foundation/clock";
import { printable } from "../foundation/printable";
import type { Backup } from "../storage/backup";
import type { Restored } from "../storage/restore";
import { type CommandIo, UsageError } from "./io";
import { createProgress } from "./progress";
import { addSettings, readSettings, type SettingsSource } from "./settings-options";

/** What storage offers on one data folder; loaded when a command runs. */
export interface Keeper {
  /** Bytes a copy will have, roughly. */
  readonly sizeBytes: number;
  backup(options: { to?: string; withKeys: boolean; onCopying: (path: string) => void }): Promise<Backup>;
  restore(options: {
    from: string;
    acceptsOtherKey: boolean;
    onProgress: (doneBytes: number, totalBytes: number) => void;
  }): Promise<Restored>;
}

export interface BackupDependencies extends SettingsSource {
  readonly clock: Clock;
  readonly openKeeper: (config: Config) => Promise<Keeper>;
}

const settingKeys = [
  "data_dir",
  "database_url",
  "backup_s3_endpoint",
  "backup_s3_region",
  "backup_s3_access_key",
  "backup_s3_secret_key",
] as const;
const lookMilliseconds = 200;

/** Makes a backup and prints its folder; --json prints its manifest too. `stepBack` lets a server beside it go first. */
export function backupCommand(dependencies: BackupDependencies & { readonly stepBack: () => void }): Command {
  const { io, clock, openKeeper, stepBack } = dependencies;
  const command = new Command("backup")
    .description("copy the database, also beside a running server, into a new folder")
    .argument("[to]", "the folder to make [default: one named by the time in backups in the data folder]")
    .option("--to <place>", "the same, or s3://bucket/prefix for a bucket; with a slash at the end a name is added")
    .option("--with-keys", "take master-key and admin-api-key along: the folder then opens everything")
    .option("--json", "as JSON")
    .allowExcessArguments(false);
  return addSettings(command, settingKeys).action(async (to: string | undefined, options: Options) => {
    if (to !== undefined && options.to !== undefined) throw new UsageError("the place is named twice");
    const place = to ?? options.to;
    const keeper = await openKeeper(await readSettings(command, dependencies));
    stepBack();
    const watching = watchFile(io, clock, keeper.sizeBytes);
    const made = await keeper
      .backup({
        ...(place === undefined ? {} : { to: place }),
        withKeys: options.withKeys === true,
        onCopying: watching.begin,
      })
      .finally(watching.end);
    if (options.json) {
      await io.stdout.write(`${JSON.stringify({ path: made.path, ...made.manifest })}\n`);
      return;
    }
    const { database, keys } = made.manifest;
    await io.stderr.write(
      `copied and checked ${database.bytes} bytes${keys.length > 0 ? `, ${keys.length} keys` : ""}\n`,
    );
    await io.stdout.write(`${printable(made.path)}\n`);
  });
}

interface Options {
  readonly to?: string;
  readonly withKeys?: true;
  readonly json?: true;
}

/** Puts a backup in the database's place. */
export function restoreCommand(dependencies: BackupDependencies): Command {
  const { io, clock, openKeeper } = dependencies;
  const command = new Command("restore")
    .description("put a backup in the database's place; every server on the data folder must be stopped")
    .argument("<from>", "the backup's folder, or its place in a bucket as s3://bucket/prefix")
    .option("--accept-other-key", "restore though the secrets in it cannot be opened with any key at hand")
    .option("--json", "as JSON")
    .allowExcessArguments(false);
  return addSettings(command, settingKeys).action(
    async (from: string, options: { acceptOtherKey?: true; json?: true }) => {
      const keeper = await openKeeper(await readSettings(command, dependencies));
      const progress = createProgress(io.stderr, clock, "restoring");
      let drawing = Promise.resolve();
      const restored = await keeper
        .restore({
          from,
          acceptsOtherKey: options.acceptOtherKey === true,
          onProgress: (done, total) => {
            drawing = drawing.then(() => progress.update(done, total));
          },
        })
        .finally(async () => {
          await drawing;
          await progress.finish();
        });
      const { manifest, keptIn, keys, pendingCount } = restored;
      if (options.json) {
        const answer = { created_at: manifest.created_at, kept_in: keptIn, keys, pending_migrations: pendingCount };
        await io.stdout.write(`${JSON.stringify(answer)}\n`);
        return;
      }
      const lines = [
        `restored the backup of ${manifest.created_at}, made by bsopt ${printable(manifest.bsopt_version)}`,
      ];
      if (keys.length > 0) lines.push(`keys that came with it: ${keys.join(", ")}`);
      if (pendingCount > 0) lines.push(`the next start applies ${pendingCount} migrations`);
      if (keptIn !== null) lines.push(`what was there before is kept in ${printable(keptIn)}`);
      await io.stdout.write(`${lines.join("\n")}\n`);
    },
  );
}

/** Draws how far a file has grown, looking at it while somebody else writes it. */
function watchFile(io: CommandIo, clock: Clock, totalBytes: number) {
  const progress = createProgress(io.stderr, clock, "copying");
  const ended = new AbortController();
  let watching: Promise<void> = Promise.resolve();
  return {
    begin(path: string) {
      watching = (async () => {
        while (!ended.signal.aborted) {
          await progress.update(statSync(path, { throwIfNoEntry: false })?.size ?? 0, totalBytes);
          await clock.sleep(lookMilliseconds, ended.signal);
        }
      })();
    },
    async end() {
      ended.abort();
      await watching;
      await progress.finish();
    },
  };
}
