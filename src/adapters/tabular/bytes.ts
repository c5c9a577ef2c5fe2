// A stream of bytes under a bound, checked to be UTF-8 where it is text. Separate so that every reader refuses a huge
// file, a UTF-16 file and a truncated character in the same words, before anything has been built from them.

import { malformed, overLimit } from "./table";

export type ByteSource = AsyncIterable<Uint8Array>;

/** Passes chunks on until `bytesMax`, then throws BsoptError `limit-breached`. */
export async function* boundedBytes(source: ByteSource, file: string, bytesMax: number): ByteSource {
  let total = 0;
  for await (const chunk of source) {
    total += chunk.length;
    if (total > bytesMax) throw overLimit(file, `is larger than ${bytesMax} bytes`);
    yield chunk;
  }
}

/** Passes on chunks of text that is UTF-8 without its byte order mark; throws NOT_TEXT for anything else. */
export async function* textChunks(source: ByteSource, file: string): AsyncIterable<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let isFirst = true;
  const decode = (chunk: Uint8Array | undefined) => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch (cause) {
      throw malformed("NOT_TEXT", file, "is not UTF-8 text", cause);
    }
  };
  for await (const chunk of source) {
    if (isFirst && chunk.length > 0) {
      isFirst = false;
      const mark = `${chunk[0]},${chunk[1]}`;
      if (mark === "255,254" || mark === "254,255")
        throw malformed("NOT_TEXT", file, "is UTF-16 text; save it as UTF-8");
    }
    const text = decode(chunk);
    if (text.includes("\0")) throw malformed("NOT_TEXT", file, "holds zero bytes, so it is not text");
    if (text !== "") yield text;
  }
  const rest = decode(undefined);
  if (rest !== "") yield rest;
}

const sliceBytes = 65_536;

/** What is in memory already, as a source of slices. */
export async function* slicesOf(bytes: Uint8Array): ByteSource {
  for (let at = 0; at < bytes.length; at += sliceBytes) yield bytes.subarray(at, at + sliceBytes);
}

/** Everything in one array. */
export async function allBytes(source: ByteSource): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of source) {
    chunks.push(chunk);
    total += chunk.length;
  }
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Everything as one text. */
export async function allText(source: ByteSource, file: string): Promise<string> {
  const parts: string[] = [];
  for await (const part of textChunks(source, file)) parts.push(part);
  return parts.join("");
}
