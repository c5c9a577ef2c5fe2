// The table of contents of the command line: every subcommand, each with just what it needs. Separate from main.ts
// so that tests run whole command lines in their own process. What needs the database engine is loaded when its
// command runs: pricing in a shell starts faster, and works where the engine's native part cannot be unpacked.

import { Command } from "commander";
import type { App } from "../app";
import type { BuildInfo } from "../config/build-info";
import { type Config, loadConfig } from "../config/config";
import type { Engine } from "../engine/engine";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import { silentLog } from "../foundation/log";
import type { Random } from "../foundation/random";
import { createLog } from "../telemetry/log";
import { benchCommand } from "./bench";
import { chainCommand } from "./chain";
import { healthCommand } from "./health";
import type { CommandIo } from "./io";
import { impliedVolatilityCommand } from "./iv";
import { keyCommand } from "./key";
import { migrateCommand } from "./migrate";
import { openapiCommand } from "./openapi";
import { priceCommand } from "./price";
import { serveCommand } from "./serve";
import { verifyCommand } from "./verify";
import { versionCommand } from "./version";

export interface ProgramDependencies {
  readonly io: CommandIo;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly build: BuildInfo;
  /** Made at the first call, the same one afterwards. */
  readonly engine: () => Engine;
  /** Resolves when the process is asked to stop. */
  readonly untilStopped: () => Promise<void>;
}

/** Every subcommand, ready for runCommandLine. */
export function buildProgram(dependencies: ProgramDependencies): Command {
  const { io, environment, clock, random, build, engine, untilStopped } = dependencies;
  const source = { io, environment };
  const pricing = { engine, io, clock };
  // What a person asked for in a shell is answered in words; only what went wrong is logged beside it.
  const quietLog = createLog({ level: "warn", version: build.version });
  const startApp = async (config: Config): Promise<App> => {
    const { createApp } = await withDatabaseEngine(() => import("../app"));
    return createApp({
      config,
      build,
      engine: engine(),
      clock,
      random,
      log: createLog({ level: config.log.level, version: build.version }),
    });
  };
  return new Command("bsopt")
    .description("Prices options and serves them: one executable, no other service.")
    .version(build.version, "--version", "print the version")
    .helpCommand(false)
    .showHelpAfterError("(bsopt --help lists the commands)")
    .addCommand(serveCommand({ ...source, build, startApp, untilStopped }))
    .addCommand(priceCommand(pricing))
    .addCommand(impliedVolatilityCommand(pricing))
    .addCommand(chainCommand(pricing))
    .addCommand(
      keyCommand({
        ...source,
        openIdentity: async (config) =>
          (await withDatabaseEngine(() => import("../app"))).openIdentity({ config, clock, random, log: quietLog }),
      }),
    )
    .addCommand(
      migrateCommand({
        ...source,
        openMigrator: async (config) => {
          const { migrateDown, migrateUp, migrationStatus } = await withDatabaseEngine(
            () => import("../storage/migrate"),
          );
          const options = { url: config.storage.databaseUrl, clock, random, log: quietLog };
          return {
            up: () => migrateUp(options),
            down: (count) => migrateDown(count, options),
            status: () => migrationStatus(options),
          };
        },
      }),
    )
    .addCommand(verifyCommand({ io, engine, clock }))
    .addCommand(benchCommand({ io, engine, clock }))
    .addCommand(
      openapiCommand({
        io,
        document: async () => {
          const { apiDocument } = await withDatabaseEngine(() => import("../app"));
          const config = loadConfig({ flags: {}, environment: {}, file: null });
          return apiDocument({ config, build, clock, random, log: silentLog });
        },
      }),
    )
    .addCommand(healthCommand(source))
    .addCommand(versionCommand({ io, build, engine }));
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
