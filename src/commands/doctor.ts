// `bsopt doctor`: looks at the machine, the data folder, the database and what the server depends on, and says of each whether it is
// well and how to mend it. Changes nothing. One check that fails or breaks never hides another. Exit code 1 where one fails.

import { Command } from "commander";
import type { BuildInfo } from "../config/build-info";
import type { Config } from "../config/config";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import { printable } from "../foundation/printable";
import {
  clockFinding,
  dataFolderFindings,
  exposureFinding,
  type Finding,
  keyFileFindings,
  openFilesFinding,
  portFinding,
  readClocks,
  readLimits,
  readPort,
  readTemporaryFolder,
  runtimeVariableFindings,
  temporaryFolderFinding,
} from "./doctor-checks";
import { CommandExit, exitCodes, UsageError } from "./io";
import { addSettings, readSettings, type SettingsSource } from "./settings-options";

export interface DoctorDependencies extends SettingsSource {
  readonly clock: Clock;
  readonly build: BuildInfo;
  /** What needs the database engine or another server; loaded when the command runs, which is a check by itself. */
  readonly openExaminer: () => Promise<Examiner>;
}

/** Looks that need the database engine or another server. */
export interface Examiner {
  database(config: Config): Promise<Finding[]>;
  dependencies(config: Config): Promise<Finding[]>;
  backups(config: Config): Promise<Finding[]>;
}

/** Prints a line a finding; --json prints all in one document. */
export function doctorCommand(dependencies: DoctorDependencies): Command {
  const { io } = dependencies;
  const command = new Command("doctor")
    .description("look for what would keep the server from running well, and say how to mend it")
    .option("--json", "as JSON")
    .allowExcessArguments(false);
  return addSettings(command).action(async ({ json }: { json?: true }) => {
    const findings: Finding[] = [];
    for await (const finding of examine(command, dependencies)) {
      findings.push(finding);
      if (!json) await io.stdout.write(line(finding));
    }
    const worst = ["fail", "warn", "ok"].find((status) => findings.some((finding) => finding.status === status))!;
    if (json) await io.stdout.write(`${JSON.stringify({ status: worst, findings })}\n`);
    if (worst === "fail") throw new CommandExit(exitCodes.failed);
  });
}

async function* examine(command: Command, dependencies: DoctorDependencies): AsyncGenerator<Finding> {
  const { environment, clock, build } = dependencies;
  yield* attempt("runtime_variables", () => runtimeVariableFindings(environment));
  yield* attempt("open_files", () => [openFilesFinding(readLimits())]);
  yield* attempt("clock", async () => [clockFinding(await readClocks(clock, build.buildTime))]);
  const { folder, mounts } = readTemporaryFolder();
  yield* attempt("tmpdir", () => [temporaryFolderFinding(folder, mounts)]);

  let config: Config;
  try {
    config = await readSettings(command, dependencies);
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof BsoptError)) throw error;
    const mend = "Correct them; bsopt config check says when they are right.";
    yield { check: "settings", status: "fail", detail: printable(error.message.replace(/\n\s*/g, " ")), mend };
    return;
  }
  yield { check: "settings", status: "ok", detail: "every setting is right" };
  const { host, port } = config.http;
  yield* attempt("exposure", () => [exposureFinding(config)]);
  yield* attempt("port", async () => [portFinding(await readPort(host, port), port)]);
  yield* attempt("data_folder", () => dataFolderFindings(config));
  yield* attempt("master_key", () => keyFileFindings(config));

  let examiner: Examiner;
  try {
    examiner = await dependencies.openExaminer();
  } catch (error) {
    yield broken("database_engine", error);
    return;
  }
  yield* attempt("database", () => examiner.database(config));
  yield* attempt("backups", () => examiner.backups(config));
  yield* attempt("dependencies", () => examiner.dependencies(config));
}

/** A check that breaks is a finding like any other. */
async function* attempt(
  check: string,
  look: () => readonly Finding[] | Promise<readonly Finding[]>,
): AsyncGenerator<Finding> {
  try {
    yield* await look();
  } catch (error) {
    yield broken(check, error);
  }
}

function broken(check: string, error: unknown): Finding {
  if (error instanceof BsoptError) {
    return { check, status: "fail", detail: error.detail, ...(error.hint === undefined ? {} : { mend: error.hint }) };
  }
  const detail = `the check itself failed: ${printable(error instanceof Error ? error.message : String(error))}`;
  return { check, status: "fail", detail };
}

function line({ check, status, detail, mend }: Finding): string {
  return `${status.padEnd(4)}  ${check.padEnd(18)}${detail}\n${mend === undefined ? "" : `      ${" ".repeat(18)}→ ${mend}\n`}`;
}
