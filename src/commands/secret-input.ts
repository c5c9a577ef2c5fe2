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

/** What of the process's streams asking needs. */
export interface Terminal {
  readonly stdin: Pick<NodeJS.ReadStream, "isTTY" | "setRawMode" | "on" | "off" | "resume" | "pause">;
  readonly stderr: { write(text: string): unknown };
}

/** Asks on the process's own terminal, or undefined where standard input is none. The terminal is put back whatever happens. */
export function terminalSecrets({
  stdin,
  stderr,
}: Terminal = process): ((prompt: string) => Promise<string>) | undefined {
  if (stdin.isTTY !== true) return undefined;
  // What was typed ahead, or pasted behind a line's end, answers the next question.
  const ahead: Uint8Array[] = [];
  return async (prompt) => {
    stderr.write(prompt);
    stdin.setRawMode(true);
    try {
      return await readTypedLine(keysOf(stdin, ahead));
    } finally {
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write("\n");
    }
  };
}

/** A terminal's keys as they come, no piece reaching past a line's end. */
async function* keysOf(stdin: Terminal["stdin"], ahead: Uint8Array[]): AsyncGenerator<Uint8Array> {
  while (true) {
    const chunk = ahead.shift() ?? (await nextChunk(stdin));
    if (chunk === null) return;
    const end = chunk.findIndex((byte) => byte === 0x0a || byte === 0x0d);
    const length = end < 0 ? chunk.length : chunk[end] === 0x0d && chunk[end + 1] === 0x0a ? end + 2 : end + 1;
    if (length < chunk.length) ahead.unshift(chunk.subarray(length));
    yield chunk.subarray(0, length);
  }
}

/** The next piece that arrives, or null where the terminal is gone. */
function nextChunk(stdin: Terminal["stdin"]): Promise<Uint8Array | null> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | null>();
  // At once, not when the promise is looked at: a piece that comes in between would be lost.
  const settle = (chunk: Uint8Array | null) => {
    stdin.pause();
    stdin.off("data", onData).off("end", onEnd).off("error", onEnd);
    resolve(chunk);
  };
  const onData = (chunk: Uint8Array) => settle(chunk);
  const onEnd = () => settle(null);
  stdin.on("data", onData).on("end", onEnd).on("error", onEnd);
  stdin.resume();
  return promise;
}
