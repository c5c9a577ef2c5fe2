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
export function readSettings(command: Command, source: SettingsSource): Promise<Config> {
  return readSettingsWith(loadConfig, command, source);
}

/** The same with what another reader makes of the sources. */
export async function readSettingsWith<T>(
  read: (sources: ConfigSources) => T,
  command: Command,
  source: SettingsSource,
): Promise<T> {
  const options = command.opts<Record<string, string | undefined>>();
  const flags: Partial<Record<SettingKey, string>> = {};
  for (const { key } of settings) {
    const flag = options[key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    if (flag !== undefined) flags[key] = flag;
  }
  try {
    return read({ flags, environment: source.environment, file: await readFile(source.io, options.config) });
  } catch (error) {
    if (!(error instanceof BsoptError) || error.code !== "CONFIGURATION_INVALID") throw error;
    const lines = error.faults.map(({ pointer, detail }) => `  ${pointer} ${detail}`);
    throw new UsageError(`${error.detail}:\n${lines.join("\n")}`, error.hint);
  }
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
