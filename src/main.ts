// The process: hands its streams, environment and signals to the commands and leaves with their exit code. It holds
// no logic of its own, because only subprocesses run it.

import { systemIo } from "./commands/io";
import { buildProgram, type ProgramDependencies } from "./commands/program";
import { runCommandLine } from "./commands/run";
import { buildInfo } from "./config/build-info";
import { createEngine, type Engine } from "./engine/engine";
import { systemClock } from "./foundation/clock";
import { systemRandom } from "./foundation/random";
import { kernelWasmBytes } from "./storage/assets";

let engine: Engine | undefined;

const io = systemIo(systemRandom);
const argv = process.argv.slice(2);
const dependencies: ProgramDependencies = {
  io,
  environment: process.env,
  clock: systemClock,
  random: systemRandom,
  build: buildInfo,
  engine: () => (engine ??= createEngine({ wasmBytes: kernelWasmBytes(), version: buildInfo.version })),
  untilStopped: () =>
    new Promise((resolve) => {
      const signals = ["SIGTERM", "SIGINT"] as const;
      // A second signal, whichever it is, finds no listener and ends the process at once.
      const stop = () => {
        for (const signal of signals) process.off(signal, stop);
        resolve();
      };
      for (const signal of signals) process.on(signal, stop);
    }),
};
process.exit(await runCommandLine({ program: await buildProgram(dependencies, argv), argv, io }));
