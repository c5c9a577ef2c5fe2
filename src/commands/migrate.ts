// `bsopt migrate up|down|status`: brings a database to the schema of this executable, back, or tells where it is.

import { Command } from "commander";
import type { Config } from "../config/config";
import { UsageError } from "./io";
import { addSettings, readSettings, type SettingsSource } from "./settings-options";

export interface MigrationLine {
  readonly tag: string;
  readonly state: "applied" | "pending";
}

/** What storage offers; main.ts loads it when a subcommand runs. */
export interface Migrator {
  up(): Promise<readonly string[]>;
  /** Takes back everything newer than the tag; the empty tag takes back all. */
  down(toTag: string): Promise<readonly string[]>;
  status(): Promise<readonly MigrationLine[]>;
}

export interface MigrateDependencies extends SettingsSource {
  readonly openMigrator: (config: Config) => Promise<Migrator>;
}

const keys = ["data_dir", "database_url", "log_level"] as const;

/** Each subcommand prints a line a migration and ends; --json prints an array. */
export function migrateCommand(dependencies: MigrateDependencies): Command {
  const { io, openMigrator } = dependencies;
  const parent = new Command("migrate").description("apply, take back or list the database's migrations");

  const print = async (json: true | undefined, rows: readonly MigrationLine[], nothing: string) => {
    const text = rows.map(({ state, tag }) => `${state.padEnd(8)}  ${tag}\n`).join("");
    await io.stdout.write(json ? `${JSON.stringify(rows)}\n` : text || `${nothing}\n`);
  };

  const up = addSettings(new Command("up").description("apply what is pending"), keys).option("--json", "as JSON");
  up.action(async ({ json }: { json?: true }) => {
    const migrator = await openMigrator(await readSettings(up, dependencies));
    const tags = await migrator.up();
    await print(
      json,
      tags.map((tag) => ({ tag, state: "applied" })),
      "nothing was pending",
    );
  });

  const down = addSettings(new Command("down").description("take back every migration newer than the one named"), keys)
    .requiredOption("--to <tag>", "tag to go back to, such as 0000_initial; none takes back all, with all data")
    .option("--json", "as JSON");
  down.action(async ({ to, json }: { to: string; json?: true }) => {
    if (to.trim() === "") throw new UsageError("--to needs the tag of a migration, or none");
    const migrator = await openMigrator(await readSettings(down, dependencies));
    const tags = await migrator.down(to === "none" ? "" : to);
    await print(
      json,
      tags.map((tag) => ({ tag, state: "pending" })),
      "nothing to take back",
    );
  });

  const status = addSettings(
    new Command("status").description("list migrations and whether each is applied"),
    keys,
  ).option("--json", "as JSON");
  status.action(async ({ json }: { json?: true }) => {
    const migrator = await openMigrator(await readSettings(status, dependencies));
    await print(json, await migrator.status(), "there are no migrations");
  });

  return parent.addCommand(up).addCommand(down).addCommand(status);
}
