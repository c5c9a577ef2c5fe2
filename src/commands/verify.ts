// `bsopt verify`: checks the kernel inside this very executable against the tables it carries, and shows its speed
// beside the plain TypeScript twin from the same run. `bsopt verify audit` stands in a file of its own.

import { Command } from "commander";
import type { Engine } from "../engine/engine";
import { describeReport, verify } from "../engine/verify";
import type { Clock } from "../foundation/clock";
import { CommandExit, type CommandIo, exitCodes } from "./io";

export interface VerifyDependencies {
  readonly io: CommandIo;
  readonly engine: () => Engine;
  readonly clock: Clock;
  /** `bsopt verify audit`. */
  readonly audit: Command;
}

/** Prints the worst error per output and the speeds; exit code 1 where a table does not hold. */
export function verifyCommand(dependencies: VerifyDependencies): Command {
  const { io, engine, clock, audit } = dependencies;
  return new Command("verify")
    .description("check the kernel against its golden tables and print errors and speed")
    .option("--json", "as JSON")
    .addCommand(audit)
    .action(async ({ json }: { json?: true }) => {
      const report = verify(engine(), { clock });
      await io.stdout.write(json ? `${JSON.stringify(report)}\n` : describeReport(report));
      if (!report.passed) throw new CommandExit(exitCodes.failed);
    });
}
