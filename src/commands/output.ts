// Sends chunks to standard output or, whole or not at all, into a file.

import type { CommandIo } from "./io";

const encoder = new TextEncoder();

/** Writes everything to `path`, or to standard output where there is none or it is "-". */
export async function deliver(
  io: CommandIo,
  path: string | undefined,
  chunks: Iterable<string | Uint8Array>,
): Promise<void> {
  if (path !== undefined && path !== "-") return io.writeFile(path, gathered(chunks));
  for (const chunk of gathered(chunks)) await io.stdout.write(chunk);
}

const gatheredBytesMin = 65_536;

/** The same bytes in pieces of a useful size, so that a row a chunk doesn't become a system call a row. */
function* gathered(chunks: Iterable<string | Uint8Array>): Generator<Uint8Array> {
  let parts: string[] = [];
  let length = 0;
  const flush = () => {
    const bytes = encoder.encode(parts.join(""));
    parts = [];
    length = 0;
    return bytes;
  };
  for (const chunk of chunks) {
    if (typeof chunk !== "string") {
      if (length > 0) yield flush();
      yield chunk;
      continue;
    }
    parts.push(chunk);
    length += chunk.length;
    if (length >= gatheredBytesMin) yield flush();
  }
  if (length > 0) yield flush();
}
