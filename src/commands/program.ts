// The table of contents of the command line: every subcommand, each with just what it needs. Separate from main.ts
// so that tests run whole command lines in their own process. A command's module is loaded when it is asked for, and
// the database engine's later still: a server carries no chain reader, and pricing works where the engine's native
// part cannot be unpacked.

import { Command } from "commander";
import type { App, AppOptions } from "../app";
import type { BuildInfo } from "../config/build-info";
import { type Config, loadConfig } from "../config/config";
import type { Calendars } from "../domain/business-calendar";
import type { Engine } from "../engine/engine";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import { silentLog } from "../foundation/log";
import type { Random } from "../foundation/random";
import { goAfterOtherProcesses, wakeAtOnce } from "../foundation/thread-priority";
import { createLog } from "../telemetry/log";
import type { CommandIo } from "./io";
import type { ProcessControl } from "./processes";
import type { ServerSettings } from "./serve";

export interface ProgramDependencies {
  readonly io: CommandIo;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly build: BuildInfo;
  /** Made at the first call, by its limits or the machine's; the same one afterwards. */
  readonly engine: (limits?: Config["engine"]) => Engine;
  /** Resolves when the process is asked to stop. */
  readonly untilStopped: () => Promise<void>;
  /** Calls when the settings file is to be read anew; never, where nothing can ask for it. Returns the way to stop. */
  readonly onReloadAsked?: (listener: () => void) => () => void;
  /** Calls for each error that nobody caught; left out, the runtime does as it does. */
  readonly onUnforeseen?: AppOptions["onUnforeseen"];
  /** The module that storage's threads start from; the process's own unless a test brings another. */
  readonly entrance?: string;
  /** What starts further servers; absent where there can only be this process. */
  readonly processes?: ProcessControl;
}

/** A subcommand's name and how to make it. */
type Entry = readonly [name: string, load: () => Promise<Command>];

/** The program with the subcommand that `argv` asks for; with all of them where it asks for none, for help and errors. */
export async function buildProgram(dependencies: ProgramDependencies, argv: readonly string[]): Promise<Command> {
  const program = new Command("bsopt")
    .description("Prices options and serves them: one executable, no other service.")
    .version(dependencies.build.version, "--version", "print the version")
    .helpCommand(false)
    .showHelpAfterError("(bsopt --help lists the commands)")
    .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 some rows could not be priced.");
  const entries = entriesOf(dependencies);
  const asked = entries.filter(([name]) => name === argv[0]);
  for (const [, load] of asked.length > 0 ? asked : entries) program.addCommand(await load());
  return program;
}

function entriesOf(dependencies: ProgramDependencies): readonly Entry[] {
  const { io, environment, clock, random, build, engine, untilStopped, processes } = dependencies;
  const source = { io, environment };
  const pricing = { engine: () => engine(), io, clock, environment };
  // What a person asked for in a shell is answered in words; only what went wrong is logged beside it.
  const quietLog = () => createLog({ level: "warn", version: build.version });
  const logFor = (config: Config) => createLog({ level: config.log.level, version: build.version });
  const app = () => withDatabaseEngine(() => import("../app"));
  const startApp = async (settings: ServerSettings, calendars: Calendars): Promise<App> => {
    const { config } = settings.live;
    const log = logFor(config);
    settings.live.onChange(() => log.setLevel(config.log.level));
    wakeAtOnce();
    return (await app()).createApp({
      ...settings,
      build,
      engine: engine(config.engine),
      clock,
      random,
      log,
      calendars,
      ...(onUnforeseen && { onUnforeseen }),
    });
  };
  const { onReloadAsked = () => () => undefined, onUnforeseen } = dependencies;
  const settingChecks = async () => (await withDatabaseEngine(() => import("../app/setting-checks"))).settingChecks();
  const openServiceManager = async () => {
    const { NOTIFY_SOCKET: path } = environment;
    if (path === undefined || path === "") return null;
    // Foreign code is loaded only where somebody waits for it.
    const { openDatagramSender } = await import("../adapters/unix-datagram");
    const sender = openDatagramSender(path);
    if (sender === null) return null;
    const { createServiceManager, watchdogOf } = await import("../adapters/service-manager");
    return createServiceManager({ sender, clock, watchdogMicroseconds: watchdogOf(environment, process.pid) });
  };
  const readChanged = async (config: Config) =>
    (await app()).readChangedSettings({ config, clock, random, log: quietLog() });
  const openIdentity = async (config: Config) => (await app()).openIdentity({ config, clock, random, log: quietLog() });
  const openAudit = async (config: Config) => (await app()).openAudit({ config, clock, random, log: quietLog() });
  const openMigrator = async (config: Config) => {
    const { migrateDown, migrateUp, migrationStatus } = await withDatabaseEngine(() => import("../storage/migrate"));
    const { databaseUrl: url, databaseServer: server } = config.storage;
    const options = { url, server, clock, random, log: quietLog() };
    return {
      up: () => migrateUp(options),
      down: (count: number) => migrateDown(count, options),
      status: () => migrationStatus(options),
    };
  };
  const machine = { clock, random, entrance: dependencies.entrance ?? Bun.main };
  const openKeeper = async (config: Config) =>
    (await withDatabaseEngine(() => import("./keeper"))).openKeeper({ ...machine, config, build });
  const openExaminer = async () => (await withDatabaseEngine(() => import("./examiner"))).openExaminer(machine);
  const document = async () => {
    const config = loadConfig({ flags: {}, environment: {}, file: null });
    const { apiDocument } = await withDatabaseEngine(() => import("../app/routes"));
    return apiDocument({ config, build, clock, random, log: silentLog });
  };
  return [
    [
      "serve",
      async () => {
        const several = processes && { ...processes, clock, random, logFor };
        return (await import("./serve")).serveCommand({
          ...source,
          build,
          startApp,
          settingChecks,
          untilStopped,
          onReloadAsked,
          openServiceManager,
          several,
        });
      },
    ],
    ["price", async () => (await import("./price")).priceCommand(pricing)],
    ["iv", async () => (await import("./iv")).impliedVolatilityCommand(pricing)],
    ["chain", async () => (await import("./chain")).chainCommand(pricing)],
    ["surface", async () => (await import("./surface")).surfaceCommand(pricing)],
    ["key", async () => (await import("./key")).keyCommand({ ...source, openIdentity })],
    ["user", async () => (await import("./user")).userCommand({ ...source, openIdentity })],
    ["migrate", async () => (await import("./migrate")).migrateCommand({ ...source, openMigrator })],
    ["config", async () => (await import("./config")).configCommand({ ...source, settingChecks, readChanged })],
    [
      "backup",
      async () =>
        (await import("./backup")).backupCommand({ ...source, clock, openKeeper, stepBack: goAfterOtherProcesses }),
    ],
    ["restore", async () => (await import("./backup")).restoreCommand({ ...source, clock, openKeeper })],
    ["doctor", async () => (await import("./doctor")).doctorCommand({ ...source, clock, build, openExaminer })],
    [
      "verify",
      async () => {
        const { verifyAuditCommand } = await import("./verify-audit");
        const audit = verifyAuditCommand({ ...source, openAudit });
        return (await import("./verify")).verifyCommand({ io, engine: () => engine(), clock, audit });
      },
    ],
    ["bench", async () => (await import("./bench")).benchCommand({ io, engine: () => engine(), clock })],
    ["openapi", async () => (await import("./openapi")).openapiCommand({ io, document })],
    ["replay", async () => (await import("./replay")).replayCommand({ io, clock })],
    ["smoke", async () => (await import("./smoke")).smokeCommand({ ...source, clock })],
    ["canary", async () => (await import("./canary")).canaryCommand({ io, clock })],
    ["health", async () => (await import("./health")).healthCommand(source)],
    ["watch", async () => (await import("./watch")).watchCommand(source)],
    ["version", async () => (await import("./version")).versionCommand({ io, build, engine: () => engine() })],
  ];
}

/** The database engine's native part is unpacked at its first import; where that fails, say what to do. */
export async function withDatabaseEngine<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw new BsoptError({
      reason: "unavailable",
      code: "DATABASE_ENGINE_UNLOADABLE",
      detail: "The database engine could not be loaded.",
      hint: "Its native part is unpacked to TMPDIR (default /tmp) at each start: that folder must be writable and allow execution.",
      cause: error,
    });
  }
}
