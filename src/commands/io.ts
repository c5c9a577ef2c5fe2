// What a command may touch of the world: three streams and files, nothing else. Handed in, so that tests run commands
// inside their own process; `systemIo` is the real one. A result file appears whole or not at all: it is written beside its
// place, flushed, and renamed.

import { createReadStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BsoptError } from "../foundation/errors";
import { printable } from "../foundation/printable";
import type { Random } from "../foundation/random";

export interface OutputStream {
  /** Resolves when the chunk is handed to the system. Throws BrokenPipe where nobody reads any more. */
  write(chunk: string | Uint8Array): Promise<void>;
  readonly isTTY: boolean;
  /** Characters in a line; 120 where it is no terminal. */
  readonly columns: number;
}

export interface CommandIo {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  stdin(): AsyncIterable<Uint8Array>;
  /** A line typed on the terminal without being shown; absent where standard input is no terminal. */
  readonly askSecret?: (prompt: string) => Promise<string>;
  /** Throws BsoptError in words where the file isn't there, is a folder or may not be read. */
  readFile(path: string): AsyncIterable<Uint8Array>;
  /** Replaces the file in one step; on any failure the old one stays. Throws BsoptError in words. */
  writeFile(path: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
}

export const exitCodes = { done: 0, failed: 1, usage: 2, partial: 3 } as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends a command with a code other than 0, everything there is to say having been said. */
export class CommandExit extends Error {
  override readonly name = "CommandExit";
  constructor(readonly code: ExitCode) {
    super(`exit ${code}`);
  }
}

/** Wrong usage: the message goes to standard error and the exit code is 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  constructor(
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** Whoever read our output has stopped: no error, the work is simply not wanted any more. */
export class BrokenPipe extends Error {
  override readonly name = "BrokenPipe";
}

/** The line width assumed where output is no terminal. */
export const columnsDefault = 120;

/** The process's own streams and files. */
export function systemIo(random: Random): CommandIo {
  return {
    stdout: outputStream(process.stdout),
    stderr: outputStream(process.stderr),
    stdin: () => process.stdin as AsyncIterable<Uint8Array>,
    readFile,
    writeFile: (path, chunks) => writeWhole(path, chunks, random),
  };
}

/** An OutputStream over one of the process's. */
export function outputStream(stream: NodeJS.WriteStream): OutputStream {
  let failure: Error | undefined;
  // Without a listener a broken pipe would end the process with a stack trace.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    failure = writeFailure(error);
  });
  return {
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.columns || columnsDefault;
    },
    write: (chunk) =>
      new Promise((resolve, reject) => {
        if (failure) return reject(failure);
        stream.write(chunk, (error) => (error ? reject(writeFailure(error)) : resolve()));
      }),
  };
}

function writeFailure(error: NodeJS.ErrnoException): Error {
  if (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED") return new BrokenPipe();
  return fileFailure(error, "the output", "write");
}

async function* readFile(path: string): AsyncIterable<Uint8Array> {
  try {
    if ((await stat(path)).isDirectory())
      throw new BsoptError({ reason: "invalid", code: "NOT_A_FILE", detail: `${printable(path)} is a folder` });
    yield* createReadStream(path) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw fileFailure(error, path, "read");
  }
}

async function writeWhole(
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  random: Random,
): Promise<void> {
  const suffix = Buffer.from(random.bytes(6)).toString("hex");
  const beside = join(dirname(path), `.bsopt-${suffix}.part`);
  try {
    const existing = await stat(path).catch(() => null);
    // A device or pipe (/dev/stdout, /dev/null) can't be replaced by a rename: it is written to as it is.
    if (existing !== null && !existing.isFile() && !existing.isDirectory()) return await writeInto(path, "w", chunks);
    if (existing?.isDirectory())
      throw new BsoptError({ reason: "invalid", code: "NOT_A_FILE", detail: `${printable(path)} is a folder` });
    await writeInto(beside, "wx", chunks, existing?.mode);
    await rename(beside, path);
  } catch (error) {
    // What went wrong is what gets told, not that it couldn't be tidied up after.
    await rm(beside, { force: true }).catch(() => undefined);
    throw fileFailure(error, path, "write");
  }
}

async function writeInto(
  path: string,
  flags: "w" | "wx",
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  mode?: number,
): Promise<void> {
  const file = await open(path, flags, mode === undefined ? 0o666 : mode & 0o777);
  try {
    for await (const chunk of chunks) await file.writeFile(chunk);
    if (flags === "wx") await file.sync();
  } finally {
    await file.close();
  }
}

/** A system's failure in words; errors that already have words pass through. */
function fileFailure(error: unknown, path: string, act: "read" | "write"): Error {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (error instanceof BsoptError || typeof code !== "string") return error as Error;
  const name = printable(path);
  switch (code) {
    case "ENOENT":
      return new BsoptError({
        reason: "not-found",
        code: "FILE_NOT_FOUND",
        detail: act === "read" ? `there is no file ${name}` : `there is no folder ${printable(dirname(path))}`,
        cause: error,
      });
    case "EACCES":
    case "EPERM":
      return new BsoptError({
        reason: "forbidden",
        code: "FILE_FORBIDDEN",
        detail: `${name} may not be ${act === "read" ? "read" : "written"}`,
        cause: error,
      });
    case "ENOSPC":
      return new BsoptError({
        reason: "unavailable",
        code: "DISK_FULL",
        detail: `no space is left for ${name}`,
        cause: error,
      });
    default:
      return new BsoptError({
        reason: "unavailable",
        code: "FILE_FAILED",
        detail: `could not ${act} ${name}: ${code}`,
        cause: error,
      });
  }
}
