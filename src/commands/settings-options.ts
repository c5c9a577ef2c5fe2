// Turns the table of settings into flags and help, and flags with environment and bsopt.toml into a Config, for
// every command that works on an installation. A wrong setting is wrong usage: each fault on a line, exit code 2.

import type { Command } from "commander";
import { type Config, type ConfigSources, loadConfig } from "../config/config";
import { environmentName, flagName, type Setting, type SettingKey, settings } from "../config/settings";
import { BsoptError } from "../foundation/errors";
import { type CommandIo, UsageError } from "./io";

/** What main.ts hands to every command that reads settings. */
export interface SettingsSource {
  readonly io: CommandIo;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const fileBytesMax = 1_048_576;
const defaultFile = "bsopt.toml";

/** Adds a flag for each of the settings, all by default, and --config. */
export function addSettings(command: Command, keys?: readonly SettingKey[]): Command {
  for (const setting of settings as readonly Setting[]) {
    if (keys && !keys.includes(setting.key as SettingKey)) continue;
    const shown = Array.isArray(setting.default) ? setting.default.join(",") : setting.default;
    const isBare = shown === undefined || shown === "";
    command.option(
      `${flagName(setting)} <value>`,
      `${setting.description} [${environmentName(setting)}${isBare ? "" : `, default ${shown}`}${setting.isSecret ? "; a secret: not as a flag where others see your processes" : ""}]`,
    );
  }
  return command.option("--config <file>", "settings file in TOML [default ./bsopt.toml where it exists]");
}

/** Reads the configuration for a parsed command; throws UsageError with every fault listed. */
export async function readSettings(command: Command, source: SettingsSource): Promise<Config> {
  const sources = await readSources(command, source);
  return asUsage(() => loadConfig(sources));
}

/** What a reader of settings gives, its faults as UsageError with each on a line. */
export function asUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof BsoptError) || error.code !== "CONFIGURATION_INVALID") throw error;
    const lines = error.faults.map(({ pointer, detail }) => `  ${pointer} ${detail}`);
    throw new UsageError(`${error.detail}:\n${lines.join("\n")}`, error.hint);
  }
}

/** Where a parsed command's settings come from; nothing of it judged yet. */
export async function readSources(command: Command, source: SettingsSource): Promise<ConfigSources> {
  const options = command.opts<Record<string, string | undefined>>();
  const flags: Partial<Record<SettingKey, string>> = {};
  for (const { key } of settings) {
    const flag = options[key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    if (flag !== undefined) flags[key] = flag;
  }
  return { flags, environment: source.environment, file: await readSettingsFile(command, source) };
}

/** The file that a parsed command's settings come from, as it is now; null where there is none. */
export function readSettingsFile(command: Command, { io }: SettingsSource): Promise<ConfigSources["file"]> {
  return readFile(io, command.opts<{ config?: string }>().config);
}

/** bsopt.toml may be missing, a file named by --config may not. */
async function readFile(io: CommandIo, named: string | undefined): Promise<{ name: string; text: string } | null> {
  const name = named ?? defaultFile;
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  try {
    for await (const chunk of io.readFile(name)) {
      byteCount += chunk.byteLength;
      if (byteCount > fileBytesMax) throw new UsageError(`${name} is larger than ${fileBytesMax} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (named === undefined && error instanceof BsoptError && error.reason === "not-found") return null;
    throw error;
  }
  return { name, text: new TextDecoder().decode(Buffer.concat(chunks)) };
}
