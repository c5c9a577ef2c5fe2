// Passwords for commands: typed on a terminal without being shown, or piped in. Separate from io.ts because only this knows what keys a
// terminal sends. A password is never an argument, for others could read it in the list of processes, and never printed.

import { CommandExit, exitCodes, UsageError } from "./io";

/** Bytes of a password that are read at most: more than any rule takes. */
const secretBytesMax = 4096;

const interrupt = "\u0003";
const endOfInput = "\u0004";
const erasing = new Set(["\u007f", "\b"]);
const eraseLine = "\u0015";

/**
 * The line that somebody types on a terminal in raw mode, where nothing is shown and every key arrives as it is: erasing takes a
 * character back, Ctrl-U all of them. Throws CommandExit on Ctrl-C, UsageError past the limit or where the input ends without a line.
 */
export async function readTypedLine(keys: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let typed: string[] = [];
  for await (const chunk of keys) {
    for (const key of decoder.decode(chunk, { stream: true })) {
      if (key === "\r" || key === "\n") return typed.join("");
      if (key === interrupt) throw new CommandExit(exitCodes.failed);
      if (key === endOfInput) throw new UsageError("no password was typed");
      if (erasing.has(key)) typed.pop();
      else if (key === eraseLine) typed = [];
      else typed.push(key);
      if (typed.length > secretBytesMax) throw new UsageError("the password is too long");
    }
  }
  throw new UsageError("no password was typed");
}

/** The one line that is piped in, without its end. Throws UsageError where it is empty, too long, no UTF-8 or more than a line. */
export async function readPipedLine(input: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    bytes += chunk.length;
    if (bytes > secretBytesMax) throw new UsageError("the password on standard input is too long");
    chunks.push(chunk);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new UsageError("the password on standard input is not UTF-8");
  }
  const line = text.replace(/\r?\n$/, "");
  if (line === "") throw new UsageError("there is no password on standard input");
  if (/[\r\n]/.test(line)) throw new UsageError("standard input holds more than one line");
  return line;
}

/** Asks on the process's own terminal, or undefined where standard input is none. The terminal is put back whatever happens. */
export function terminalSecrets(): ((prompt: string) => Promise<string>) | undefined {
  const { stdin, stderr } = process;
  if (stdin.isTTY !== true) return undefined;
  return async (prompt) => {
    stderr.write(prompt);
    stdin.setRawMode(true);
    try {
      return await readTypedLine(linewise(stdin));
    } finally {
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write("\n");
    }
  };
}

/** A terminal's keys, so that what one question leaves unread is not thrown away with its iterator. */
async function* linewise(stdin: NodeJS.ReadStream): AsyncGenerator<Uint8Array> {
  while (true) {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | null>();
    const onData = (chunk: Uint8Array) => resolve(chunk);
    const onEnd = () => resolve(null);
    stdin.once("data", onData).once("end", onEnd).once("error", reject);
    stdin.resume();
    try {
      const chunk = await promise;
      if (chunk === null) return;
      yield chunk;
    } finally {
      stdin.off("data", onData).off("end", onEnd).off("error", reject);
      stdin.pause();
    }
  }
}
