// `bsopt config check|show`: whether the settings are right, and what each is and where it comes from. No secret's value is
// printed, not even one that is wrong.

import { Command } from "commander";
import { type Config, loadConfig, type SettingCheck, type SettledSetting, settledSettings } from "../config/config";
import { BsoptError } from "../foundation/errors";
import type { CommandIo } from "./io";
import { addSettings, asUsage, readSources, type SettingsSource } from "./settings-options";
import { alignedTable } from "./text-table";

export interface ConfigCommandDependencies extends SettingsSource {
  /** Rules about settings that their own form cannot say. */
  readonly settingChecks: () => Promise<readonly SettingCheck[]>;
  /** What was changed while servers ran, out of the configured database; empty where there is no database yet. */
  readonly readChanged: (config: Config) => Promise<Readonly<Record<string, unknown>>>;
}

/** The two subcommands; wrong settings are wrong usage, each fault on a line. */
export function configCommand(source: ConfigCommandDependencies): Command {
  const { io } = source;
  const subcommand = (
    name: string,
    description: string,
    print: (io: CommandIo, settled: readonly SettledSetting[], isJson: boolean) => Promise<void>,
  ) => {
    const command = addSettings(new Command(name).description(description).option("--json", "as JSON"));
    return command.allowExcessArguments(false).action(async ({ json }: { json?: true }) => {
      const sources = await readSources(command, source);
      const checks = await source.settingChecks();
      // Judged before the database is looked for, by settings that must be right for that.
      asUsage(() => settledSettings(sources, checks));
      const stored = name === "show" ? await changedOrWord(loadConfig(sources)) : {};
      await print(io, settledSettings({ ...sources, stored }, []), json === true);
    });
  };
  /** A database that cannot be read keeps nobody from seeing the rest. */
  async function changedOrWord(config: Config): Promise<Readonly<Record<string, unknown>>> {
    try {
      return await source.readChanged(config);
    } catch (error) {
      if (!(error instanceof BsoptError)) throw error;
      await io.stderr.write(`what was changed while servers ran is not shown: ${error.detail}\n`);
      return {};
    }
  }
  return new Command("config")
    .description("check the settings, or show them")
    .addCommand(subcommand("check", "say whether the settings are right; exit code 2 where they are not", printCheck))
    .addCommand(subcommand("show", "print every setting and where it comes from, secrets withheld", printAll));
}

async function printCheck(io: CommandIo, settled: readonly SettledSetting[], isJson: boolean): Promise<void> {
  const setCount = settled.filter(({ origin }) => origin !== "default").length;
  await io.stdout.write(
    isJson ? `${JSON.stringify({ status: "ok", set_count: setCount })}\n` : `ok: ${setCount} settings are set\n`,
  );
}

async function printAll(io: CommandIo, settled: readonly SettledSetting[], isJson: boolean): Promise<void> {
  if (isJson) {
    const rows = settled.map(({ key, value, origin, isSecret, isSet }) => ({
      ...{ key, value, origin },
      ...(isSecret ? { secret: true, set: isSet } : {}),
    }));
    await io.stdout.write(`${JSON.stringify({ settings: rows })}\n`);
    return;
  }
  const rows = settled.map(({ key, origin, ...setting }) => [key, shown(setting), origin]);
  await io.stdout.write(alignedTable(["setting", "value", "from"], rows));
}

function shown({ value, isSecret, isSet }: Pick<SettledSetting, "value" | "isSecret" | "isSet">): string {
  if (isSecret) return isSet ? "(set; withheld)" : "(not set)";
  if (value === null) return "(not set)";
  return Array.isArray(value) ? value.join(",") : String(value);
}
