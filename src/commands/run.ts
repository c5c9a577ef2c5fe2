// From arguments to an exit code. Separate from main so that tests run whole command lines in their own process. The one
// place where a command's failure becomes words on standard error: never a stack, never anything of the inside.

import { type Command, CommanderError } from "commander";
import { BsoptError } from "../foundation/errors";
import { printable } from "../foundation/printable";
import { BrokenPipe, CommandExit, type CommandIo, type ExitCode, exitCodes, UsageError } from "./io";

/** Runs one command line. `argv` has neither the executable nor the script. Never throws. */
export async function runCommandLine(options: {
  readonly program: Command;
  readonly argv: readonly string[];
  readonly io: CommandIo;
}): Promise<ExitCode> {
  const { program, argv, io } = options;
  // commander writes synchronously, our streams don't: what it says is kept and sent at the end.
  const said: { out: string[]; err: string[] } = { out: [], err: [] };
  for (const command of everyCommand(program)) {
    command.exitOverride();
    command.configureOutput({
      writeOut: (text) => void said.out.push(text),
      writeErr: (text) => void said.err.push(text),
      getOutHelpWidth: () => io.stdout.columns,
      getErrHelpWidth: () => io.stderr.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  }
  let code: ExitCode = exitCodes.done;
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    code = explain(error, said.err);
  }
  try {
    for (const text of said.out) await io.stdout.write(text);
    for (const text of said.err) await io.stderr.write(text);
  } catch {
    // Nobody is left to tell.
  }
  return code;
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

function explain(error: unknown, err: string[]): ExitCode {
  if (error instanceof CommandExit) return error.code;
  if (error instanceof BrokenPipe) return exitCodes.done;
  if (error instanceof CommanderError) {
    // Help and version are shown by throwing too, with exit code 0; the command has written its own words.
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  }
  if (error instanceof UsageError) {
    err.push(`error: ${error.message}\n`);
    if (error.hint) err.push(`hint: ${error.hint}\n`);
    return exitCodes.usage;
  }
  if (error instanceof BsoptError) {
    err.push(`error: ${error.detail}\n`);
    for (const fault of error.faults) err.push(`  ${fault.pointer}: ${fault.detail}\n`);
    if (error.hint) err.push(`hint: ${error.hint}\n`);
    return exitCodes.failed;
  }
  err.push(`error: unexpected: ${printable(error instanceof Error ? error.message : String(error))}\n`);
  return exitCodes.failed;
}
