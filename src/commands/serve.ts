// `bsopt serve`: starts the server, says what to open, and stops it in order when asked to.

import { Command } from "commander";
import type { App } from "../app";
import type { BuildInfo } from "../config/build-info";
import type { Config } from "../config/config";
import type { Calendars } from "../domain/business-calendar";
import { readCalendars } from "./calendar-file";
import type { CommandIo } from "./io";
import { addSettings, readSettings, type SettingsSource } from "./settings-options";

export interface ServeDependencies extends SettingsSource {
  readonly build: BuildInfo;
  /** Loads the application only when it is wanted: pricing in a shell needs no database engine. */
  readonly startApp: (config: Config, calendars: Calendars) => Promise<App>;
  /** Resolves when the process is asked to stop, or rejects where it must not go on. */
  readonly untilStopped: () => Promise<void>;
}

/** Runs until stopped, then lets requests under way finish. */
export function serveCommand(dependencies: ServeDependencies): Command {
  const { io, build, startApp, untilStopped } = dependencies;
  const command = new Command("serve").description("run the server").allowExcessArguments(false);
  return addSettings(command).action(async () => {
    const config = await readSettings(command, dependencies);
    const calendars = await readCalendars(io, config.pricing.calendarsFile);
    // Listened for from the beginning: a signal during the start must stop it in order too.
    const stopped = untilStopped();
    const app = await startApp(config, calendars);
    try {
      await io.stderr.write(welcome(build, app, io));
      await Promise.race([stopped, app.failed]);
    } finally {
      await app.stop();
    }
  });
}

/** The first words: where the server is, what to open, and how to find the key. */
function welcome(build: BuildInfo, app: App, io: CommandIo): string {
  const lines = [`bsopt ${build.version} listens on ${app.url}`, `  documents  ${app.url}/docs`];
  if (app.firstAdminKey) {
    lines.push(
      `  admin key  ${io.stderr.isTTY ? `${app.firstAdminKey.text}  (kept in ${app.firstAdminKey.path})` : app.firstAdminKey.path}`,
    );
  }
  return `${lines.join("\n")}\n`;
}
