// The process: hands its streams, environment and signals to the commands and leaves with their exit code. In a thread, where
// the engine or storage starts this same module, it is a worker of theirs instead. It holds no logic of its own, because only
// subprocesses run it.

import { threadName } from "node:worker_threads";
import { systemIo } from "./commands/io";
import { buildProgram, type ProgramDependencies } from "./commands/program";
import { runCommandLine } from "./commands/run";
import { terminalSecrets } from "./commands/secret-input";
import { onReloadAsked, onUnforeseen, systemProcesses, untilAskedToStop } from "./commands/system-processes";
import { buildInfo } from "./config/build-info";
import { machineWorkers } from "./config/config";
import { createEngine, type Engine } from "./engine/engine";
import { threadsFrom } from "./engine/thread";
import { serveKernel } from "./engine/worker";
import { systemClock } from "./foundation/clock";
import { passwordThreadName, servePasswords } from "./foundation/password-thread";
import { systemRandom } from "./foundation/random";
import { kernelWasmBytes } from "./storage/assets";
import { longThreadName } from "./storage/long-work";

async function main(): Promise<never> {
  const askSecret = terminalSecrets();
  const io = { ...systemIo(systemRandom), ...(askSecret && { askSecret }) };
  const argv = process.argv.slice(2);
  let engine: Engine | undefined;
  const dependencies: ProgramDependencies = {
    io,
    environment: process.env,
    clock: systemClock,
    random: systemRandom,
    build: buildInfo,
    engine: (limits = { workers: machineWorkers(), batchesMax: 16 }) =>
      (engine ??= createEngine({
        wasmBytes: kernelWasmBytes(),
        version: buildInfo.version,
        workers: { count: limits.workers, startThread: threadsFrom(Bun.main), clock: systemClock },
        get batchesMax() {
          return limits.batchesMax;
        },
      })),
    untilStopped: untilAskedToStop,
    onReloadAsked,
    onUnforeseen,
    processes: systemProcesses(Bun.main, argv),
  };
  process.exit(await runCommandLine({ program: await buildProgram(dependencies, argv), argv, io }));
}

if (Bun.isMainThread) await main();
else if (threadName === passwordThreadName) servePasswords();
else if (threadName === longThreadName) (await import("./storage/long-worker")).serveLongWork();
else serveKernel();
