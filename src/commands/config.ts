// `bsopt config check|show`: whether the settings are right, and what each is and where it comes from. No secret's value is
// printed, not even one that is wrong.

import { Command } from "commander";
import { type SettledSetting, settledSettings } from "../config/config";
import type { CommandIo } from "./io";
import { addSettings, readSettingsWith, type SettingsSource } from "./settings-options";
import { alignedTable } from "./text-table";

/** The two subcommands; wrong settings are wrong usage, each fault on a line. */
export function configCommand(source: SettingsSource): Command {
  const { io } = source;
  const subcommand = (
    name: string,
    description: string,
    print: (io: CommandIo, settled: readonly SettledSetting[], isJson: boolean) => Promise<void>,
  ) => {
    const command = addSettings(new Command(name).description(description).option("--json", "as JSON"));
    return command.allowExcessArguments(false).action(async ({ json }: { json?: true }) => {
      await print(io, await readSettingsWith(settledSettings, command, source), json === true);
    });
  };
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
