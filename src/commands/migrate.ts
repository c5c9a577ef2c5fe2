// `bsopt migrate up|down|status`: brings a database to the schema of this executable, back, or tells where it is.

import { Command } from "commander";
import type { Config } from "../config/config";
import { formatTimestamp } from "../foundation/clock";
import type { MigrationStatus } from "../storage/migrate";
import { type CommandIo, UsageError } from "./io";
import { addSettings, readSettings, type SettingsSource } from "./settings-options";

/** What storage offers on one database; loaded when a subcommand runs. */
export interface Migrator {
  up(): Promise<MigrationStatus>;
  /** Undoes the newest first until `count` migrations are left. */
  down(count: number): Promise<MigrationStatus>;
  status(): Promise<MigrationStatus>;
}

export interface MigrateDependencies extends SettingsSource {
  readonly openMigrator: (config: Config) => Promise<Migrator>;
}

interface Options {
  readonly json?: true;
  readonly to: string;
}

const settingKeys = ["data_dir", "database_url"] as const;

/** Each subcommand does its work and prints where the database then stands; --json for machines. */
export function migrateCommand(dependencies: MigrateDependencies): Command {
  const { io, openMigrator } = dependencies;
  const subcommand = (
    name: string,
    description: string,
    act: (migrator: Migrator, options: Options) => Promise<MigrationStatus>,
  ) => {
    const command = addSettings(new Command(name).description(description).option("--json", "as JSON"), settingKeys);
    return command.allowExcessArguments(false).action(async (options: Options) => {
      const migrator = await openMigrator(await readSettings(command, dependencies));
      await print(io, await act(migrator, options), options.json === true);
    });
  };
  const down = subcommand(
    "down",
    "undo the newest migrations, and what they made, until N are left",
    (migrator, { to }) => {
      if (!/^\d{1,4}$/.test(to)) throw new UsageError("--to takes how many migrations shall be left: 0 undoes all");
      return migrator.down(Number(to));
    },
  );
  return new Command("migrate")
    .description("apply, undo or list the database's migrations")
    .addCommand(subcommand("up", "apply what is pending", (migrator) => migrator.up()))
    .addCommand(down.requiredOption("--to <n>", "how many migrations shall be left"))
    .addCommand(subcommand("status", "list migrations and whether each is applied", (migrator) => migrator.status()));
}

async function print(io: CommandIo, status: MigrationStatus, isJson: boolean): Promise<void> {
  const rows = status.migrations.map(({ version, tag, state, appliedAtMicroseconds }) => ({
    version,
    tag,
    state,
    applied_at: appliedAtMicroseconds === null ? null : formatTimestamp(appliedAtMicroseconds),
  }));
  if (isJson) {
    const problem = status.problem && { code: status.problem.code, detail: status.problem.detail };
    await io.stdout.write(
      `${JSON.stringify({ version: status.version, latest_version: status.latestVersion, migrations: rows, problem })}\n`,
    );
  } else {
    const lines = rows.map(
      ({ tag, state, applied_at }) => `${state.padEnd(8)}  ${tag}${applied_at ? `  ${applied_at}` : ""}\n`,
    );
    await io.stdout.write(`${lines.join("")}version ${status.version} of ${status.latestVersion}\n`);
  }
  if (status.problem) throw status.problem;
}
