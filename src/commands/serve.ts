// `bsopt serve`: starts the server, says what to open, and stops it in order when asked to.

import { Command } from "commander";
import type { ServiceManager } from "../adapters/service-manager";
import type { App } from "../app";
import type { BuildInfo } from "../config/build-info";
import { type Config, type ConfigSources, loadConfig, type SettingCheck } from "../config/config";
import { createLiveConfig, type LiveConfig } from "../config/live";
import type { Calendars } from "../domain/business-calendar";
import { InvariantError } from "../foundation/assert";
import type { Clock } from "../foundation/clock";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import { readCalendars } from "./calendar-file";
import { CommandExit, type CommandIo, exitCodes } from "./io";
import { type Listening, type ProcessControl, superviseProcesses } from "./processes";
import { addSettings, asUsage, readSettingsFile, readSources, type SettingsSource } from "./settings-options";

export interface ServeDependencies extends SettingsSource {
  readonly build: BuildInfo;
  /** Loads the application only when it is wanted: pricing in a shell needs no database engine. */
  readonly startApp: (settings: ServerSettings, calendars: Calendars) => Promise<App>;
  /** Rules about settings that their own form cannot say. */
  readonly settingChecks: () => Promise<readonly SettingCheck[]>;
  /** Calls when the settings file is to be read anew. Returns the way to stop. */
  readonly onReloadAsked: (listener: () => void) => () => void;
  /** Resolves when the process is asked to stop, or rejects where it must not go on. */
  readonly untilStopped: () => Promise<void>;
  /** What is told that the process is ready, lives, stops; null: nobody asked for it. */
  readonly openServiceManager: () => Promise<ServiceManager | null>;
  /** What `--processes` needs; absent where there can only be this process. */
  readonly several?: Several | undefined;
}

/** What a server goes by, and how to read the file again. */
export interface ServerSettings {
  readonly live: LiveConfig;
  readonly readFile: () => Promise<ConfigSources["file"]>;
}

interface Several extends ProcessControl {
  readonly clock: Clock;
  readonly random: Random;
  readonly logFor: (config: Config) => Log;
}

/** Beyond its own two bounds of time a stopping server has this long for what stands behind it. */
const stopGraceMilliseconds = 15_000;

/** Runs until stopped, then lets requests under way finish. */
export function serveCommand(dependencies: ServeDependencies): Command {
  const { io, build, startApp, untilStopped, onReloadAsked, several } = dependencies;
  const command = new Command("serve").description("run the server").allowExcessArguments(false);
  return addSettings(command).action(async () => {
    const sources = await readSources(command, dependencies);
    const parent = parentConfig(sources);
    // One of several has its parent to tell; the parent tells for all of them.
    const manager = several?.announce ? null : await dependencies.openServiceManager();
    if (parent !== null) return serveBySeveral(parent, { stopped: untilStopped(), manager }, dependencies);
    const checks = await dependencies.settingChecks();
    const live = asUsage(() => createLiveConfig(sources, checks));
    const calendars = await readCalendars(io, live.config.pricing.calendarsFile);
    // Listened for from the beginning: a signal during the start must stop it in order too.
    const stopped = untilStopped();
    let app: App | null = null;
    // During the start the file is as it was read a moment ago; what was asked meanwhile is done once it stands.
    let isReloadDue = false;
    const forget = onReloadAsked(() => {
      isReloadDue = true;
      if (app !== null) void reload(app);
    });
    const reload = (running: App) => (manager ? manager.reloading(() => running.reload()) : running.reload());
    try {
      app = await startApp({ live, readFile: () => readSettingsFile(command, dependencies) }, calendars);
      manager?.ready(`listens on ${app.url}`);
      if (isReloadDue) void reload(app);
      if (several?.announce) several.announce({ url: app.url, firstAdminKey: app.firstAdminKey });
      else await io.stderr.write(welcome(build, app, io));
      await Promise.race([stopped, app.failed]);
    } finally {
      manager?.stopping();
      await app?.stop();
      manager?.close();
      forget();
    }
  });
}

/** The configuration of a parent of several servers, which judge the rest themselves; null where there is only this one, or a fault. */
function parentConfig(sources: ConfigSources): Config | null {
  try {
    const config = loadConfig(sources);
    return config.processes > 1 ? config : null;
  } catch {
    return null;
  }
}

/** The parent of several: each is this same command with one process, on the port that is shared. */
async function serveBySeveral(
  config: Config,
  { stopped, manager }: { stopped: Promise<void>; manager: ServiceManager | null },
  { io, build, several, onReloadAsked }: ServeDependencies,
): Promise<void> {
  if (several === undefined) throw new InvariantError("several server processes, and nothing to start them with");
  const { drainMilliseconds, stopDeadlineMilliseconds } = config.http;
  const code = await superviseProcesses({
    count: config.processes,
    port: config.http.port,
    start: (port) => several.start(argumentsOfOne(config, port)),
    stopped: stopped.finally(() => manager?.stopping()),
    onRestartAsked: several.onRestartAsked,
    onReloadAsked,
    onListening(listening) {
      manager?.ready(`${config.processes} processes listen on ${listening.url}`);
      return io.stderr.write(welcome(build, listening, io));
    },
    stopMillisecondsMax: drainMilliseconds + stopDeadlineMilliseconds + stopGraceMilliseconds,
    clock: several.clock,
    random: several.random,
    log: several.logFor(config),
  });
  manager?.close();
  // What went wrong a server has said itself.
  if (code !== 0) throw new CommandExit(code === exitCodes.usage ? exitCodes.usage : exitCodes.failed);
}

/** Later flags win over earlier ones, and flags over everything else. */
function argumentsOfOne({ engine }: Config, port: number): readonly string[] {
  return ["--processes", "1", "--reuse-port", "true", "--port", String(port), "--workers", String(engine.workers)];
}

/** The first words: where the server is, what to open, and how to find the key. */
function welcome(build: BuildInfo, app: Listening, io: CommandIo): string {
  const lines = [`bsopt ${build.version} listens on ${app.url}`, `  documents  ${app.url}/docs`];
  if (app.firstAdminKey) {
    lines.push(
      `  admin key  ${io.stderr.isTTY ? `${app.firstAdminKey.text}  (kept in ${app.firstAdminKey.path})` : app.firstAdminKey.path}`,
    );
  }
  return `${lines.join("\n")}\n`;
}
