// Runs whole command lines inside the test's own process: streams and files are memory, the clock is by hand, the kernel is
// the real one.

import { Command } from "commander";
import { chainCommand } from "../../src/commands/chain";
import { BrokenPipe, type CommandIo, type ExitCode, type OutputStream } from "../../src/commands/io";
import { impliedVolatilityCommand } from "../../src/commands/iv";
import { priceCommand } from "../../src/commands/price";
import { runCommandLine } from "../../src/commands/run";
import { surfaceCommand } from "../../src/commands/surface";
import { createEngine, type Engine } from "../../src/engine/engine";
import { type Clock, ManualClock } from "../../src/foundation/clock";
import { BsoptError } from "../../src/foundation/errors";
import { kernelWasmBytes } from "../../src/storage/assets";

export interface Surroundings {
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly stdin?: string | Uint8Array;
  readonly isTerminal?: boolean;
  readonly columns?: number;
  readonly clock?: Clock;
  readonly environment?: Readonly<Record<string, string>>;
  readonly engine?: Engine;
  /** Standard output fails like a closed pipe after so many writes. */
  readonly writesUntilBroken?: number;
}

export interface Outcome {
  readonly code: ExitCode;
  readonly out: string;
  readonly outBytes: Uint8Array;
  readonly err: string;
  /** What was written with --output. */
  readonly written: ReadonlyMap<string, Uint8Array>;
}

let engine: Engine | undefined;

/** One engine for all tests of a process: compiling it is the slow part. */
export function testEngine(): Engine {
  engine ??= createEngine({ wasmBytes: kernelWasmBytes(), version: "test" });
  return engine;
}

/** Runs price, iv, chain or surface with the given arguments. */
export async function runCommand(argv: readonly string[], surroundings: Surroundings = {}): Promise<Outcome> {
  const out = memoryStream(surroundings, surroundings.writesUntilBroken);
  const err = memoryStream(surroundings);
  const written = new Map<string, Uint8Array>();
  const io: CommandIo = {
    stdout: out.stream,
    stderr: err.stream,
    stdin: () => chunksOf(surroundings.stdin ?? ""),
    readFile: (path) => {
      const file = surroundings.files?.[path];
      if (file === undefined)
        throw new BsoptError({ reason: "not-found", code: "FILE_NOT_FOUND", detail: `there is no file ${path}` });
      return chunksOf(file);
    },
    writeFile: async (path, chunks) => {
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks) parts.push(chunk);
      written.set(path, Buffer.concat(parts));
    },
  };
  const dependencies = {
    io,
    clock: surroundings.clock ?? new ManualClock(),
    environment: surroundings.environment ?? {},
    engine: () => surroundings.engine ?? testEngine(),
  };
  const program = new Command("bsopt")
    .addCommand(priceCommand(dependencies))
    .addCommand(impliedVolatilityCommand(dependencies))
    .addCommand(chainCommand(dependencies))
    .addCommand(surfaceCommand(dependencies));
  const code = await runCommandLine({ program, argv, io });
  const outBytes = Buffer.concat(out.parts);
  return { code, out: outBytes.toString(), outBytes, err: Buffer.concat(err.parts).toString(), written };
}

function memoryStream(surroundings: Surroundings, writesMax = Number.POSITIVE_INFINITY) {
  const parts: Uint8Array[] = [];
  const stream: OutputStream = {
    isTTY: surroundings.isTerminal ?? false,
    columns: surroundings.columns ?? 120,
    async write(chunk) {
      if (parts.length >= writesMax) throw new BrokenPipe();
      parts.push(typeof chunk === "string" ? Buffer.from(chunk) : Buffer.from(chunk));
    },
  };
  return { parts, stream };
}

/** The content in pieces that split lines and characters, as a pipe would. */
async function* chunksOf(content: string | Uint8Array): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content);
  for (let start = 0; start < bytes.length; start += 1021) yield bytes.subarray(start, start + 1021);
}
