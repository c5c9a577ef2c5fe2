// A session of quotes as a file: NDJSON, a quote a line with the moment it was received, or CSV with a header of the same names; plain,
// gzip or zstd. Separate from who plays or makes one, since both must mean the same by a line. What can't be read is a fault and the file
// goes on. Must never hold more of a file than a piece and a line.

import { createReadStream } from "node:fs";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { parseTimestamp, timestampFaultDetail } from "../../domain/day-count";
import type { Quote } from "../../domain/quote";
import { type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import { quoted } from "../../foundation/printable";
import type { ByteSource } from "../tabular/bytes";
import { headerNames, isBlank, readCsvRecords } from "../tabular/csv";
import { numberFromCell } from "../tabular/table";

/** A quote and when it came. */
export interface RecordedQuote {
  readonly receivedAt: EpochMicroseconds;
  readonly quote: Quote;
}

/** A line that could not be read. */
export interface RecordingFault {
  readonly line: number;
  readonly detail: string;
}

/** Longest line of a recording. */
export const recordingLineBytesMax = 65_536;

/** The columns of a recording; symbol and ts must be there. Without received_at a quote came when it was made. */
export const recordingColumns = [
  "received_at",
  "symbol",
  "ts",
  "bid",
  "ask",
  "bid_size",
  "ask_size",
  "last",
  "volume",
  "open_interest",
  "source_seq",
] as const;

type RecordingColumn = (typeof recordingColumns)[number];

const numberColumns = {
  bid: "bid",
  ask: "ask",
  bid_size: "bidSize",
  ask_size: "askSize",
  last: "last",
  volume: "volume",
  open_interest: "openInterest",
} as const satisfies Partial<Record<RecordingColumn, keyof Quote>>;

const numberNames = Object.keys(numberColumns) as (keyof typeof numberColumns)[];

/** The fields of a quote by their names on the wire, what is not told left out. */
export function quoteFields(quote: Quote): Record<string, string | number> {
  const fields: Record<string, string | number> = { symbol: quote.symbol, ts: formatTimestamp(quote.at) };
  for (const name of numberNames) {
    const value = quote[numberColumns[name]];
    if (Number.isFinite(value)) fields[name] = value;
  }
  if (quote.sourceSequence !== null) fields.source_seq = quote.sourceSequence;
  return fields;
}

/** A line of a recording, its end included. */
export function recordingLine({ receivedAt, quote }: RecordedQuote): string {
  return `${JSON.stringify({ received_at: formatTimestamp(receivedAt), ...quoteFields(quote) })}\n`;
}

/** Reads a line of NDJSON, or says what is wrong with it. */
export function parseRecordingLine(text: string): RecordedQuote | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "this is not JSON";
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "a quote is an object";
  return quoteOf(new Map(Object.entries(value)));
}

function quoteOf(fields: ReadonlyMap<string, unknown>): RecordedQuote | string {
  for (const name of fields.keys()) {
    if (!(recordingColumns as readonly string[]).includes(name)) {
      return `${quoted(name)} is none of ${recordingColumns.join(", ")}`;
    }
  }
  const symbol = fields.get("symbol");
  if (typeof symbol !== "string" || symbol === "" || symbol.length > 64) return "symbol must be 1 to 64 characters";
  const at = momentOf(fields.get("ts"));
  if (typeof at === "string") return `ts ${at}`;
  const receivedAt = fields.get("received_at") == null ? at : momentOf(fields.get("received_at"));
  if (typeof receivedAt === "string") return `received_at ${receivedAt}`;
  const numbers = { bid: 0, ask: 0, bidSize: 0, askSize: 0, last: 0, volume: 0, openInterest: 0 };
  for (const name of numberNames) {
    const value = fields.get(name) ?? Number.NaN;
    if (typeof value !== "number") return `${name} must be a number`;
    numbers[numberColumns[name]] = value;
  }
  const sourceSequence = fields.get("source_seq") ?? null;
  if (sourceSequence !== null && !(Number.isSafeInteger(sourceSequence) && (sourceSequence as number) >= 0)) {
    return "source_seq must be a whole number";
  }
  return { receivedAt, quote: { symbol, at, ...numbers, sourceSequence: sourceSequence as number | null } };
}

function momentOf(value: unknown): EpochMicroseconds | string {
  if (typeof value !== "string") return "must be a timestamp";
  const moment = parseTimestamp(value);
  return typeof moment === "bigint" ? moment : timestampFaultDetail[moment];
}

/** The quotes of a file in its order, and what could not be read between them. Throws BsoptError where it can't be opened or unpacked. */
export async function* readRecordingFile(path: string): AsyncGenerator<RecordedQuote | RecordingFault> {
  const stream = createReadStream(path, { highWaterMark: 1 << 16 });
  try {
    yield* readRecording(stream, path);
  } catch (cause) {
    if (cause instanceof BsoptError) throw cause;
    throw new BsoptError({
      reason: "invalid",
      code: "RECORDING_UNREADABLE",
      detail: `The recording ${quoted(path, 200)} cannot be read.`,
      hint: "It must be a file that the server may read: NDJSON or CSV, plain, gzip or zstd.",
      cause,
    });
  } finally {
    stream.destroy();
  }
}

/** The same of bytes that come from anywhere; `name` is for messages. */
export async function* readRecording(source: ByteSource, name: string): AsyncGenerator<RecordedQuote | RecordingFault> {
  const [magic, whole] = await peek(source, 4);
  const isGzip = magic[0] === 0x1f && magic[1] === 0x8b;
  const isZstd = magic[0] === 0x28 && magic[1] === 0xb5 && magic[2] === 0x2f && magic[3] === 0xfd;
  const plain = isGzip ? unpacked(whole, createGunzip()) : isZstd ? unpacked(whole, createZstdDecompress()) : whole;
  const [first, bytes] = await peek(plain, 1);
  const isJson = first[0] === 0x7b || first[0] === 0x0a || first[0] === 0x20;
  yield* isJson ? readLines(bytes) : readColumns(bytes, name);
}

type Unpacker = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

async function* unpacked(source: ByteSource, unpacker: Unpacker): ByteSource {
  // What the taker does not read waits here, not in memory: a write that says no is followed by no other until it drains.
  const feeding = (async () => {
    for await (const piece of source) {
      if (unpacker.destroyed) return;
      if (!unpacker.write(piece)) {
        await new Promise<void>((resolve) => {
          unpacker.once("drain", resolve);
          unpacker.once("close", resolve);
        });
      }
    }
    unpacker.end();
  })();
  feeding.catch((error) => unpacker.destroy(error));
  try {
    for await (const piece of unpacker) yield piece as Uint8Array;
  } finally {
    unpacker.destroy();
  }
}

/** The first bytes of a source, and the source with them still in it. */
async function peek(source: ByteSource, count: number): Promise<[Uint8Array, ByteSource]> {
  const iterator = source[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  let head = new Uint8Array();
  while (head.length < count) {
    const { done, value } = await iterator.next();
    if (done) break;
    pieces.push(value);
    head = Buffer.concat([head, value]);
  }
  async function* all(): ByteSource {
    try {
      yield* pieces;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return [head, all()];
}

async function* readLines(source: ByteSource): AsyncGenerator<RecordedQuote | RecordingFault> {
  let line = 0;
  let rest: Buffer = Buffer.alloc(0);
  let isTooLong = false;
  const read = (bytes: Buffer): RecordedQuote | RecordingFault | null => {
    line += 1;
    const wasTooLong = isTooLong || bytes.length > recordingLineBytesMax;
    isTooLong = false;
    if (wasTooLong) return { line, detail: `the line is longer than ${recordingLineBytesMax} bytes` };
    const text = bytes.toString("utf8");
    if (text.trim() === "") return null;
    const outcome = parseRecordingLine(text);
    return typeof outcome === "string" ? { line, detail: outcome } : outcome;
  };
  for await (const piece of source) {
    const bytes: Buffer = rest.length === 0 ? Buffer.from(piece) : Buffer.concat([rest, piece]);
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      const outcome = read(bytes.subarray(start, end));
      start = end + 1;
      if (outcome) yield outcome;
    }
    rest = bytes.subarray(start);
    if (rest.length > recordingLineBytesMax) {
      rest = Buffer.alloc(0);
      isTooLong = true;
    }
  }
  if (rest.length === 0 && !isTooLong) return;
  const outcome = read(rest);
  if (outcome) yield outcome;
}

async function* readColumns(source: ByteSource, name: string): AsyncGenerator<RecordedQuote | RecordingFault> {
  const limits = {
    bytesMax: Number.POSITIVE_INFINITY,
    rowsMax: Number.POSITIVE_INFINITY,
    lineBytesMax: recordingLineBytesMax,
  };
  let names: readonly string[] | null = null;
  for await (const { line, fields } of readCsvRecords(source, name, limits)) {
    if (names === null) {
      names = headerNames(fields);
      const missing = ["symbol", "ts"].filter((column) => !names!.includes(column));
      if (missing.length > 0) {
        throw new BsoptError({
          reason: "invalid",
          code: "RECORDING_UNREADABLE",
          detail: `The recording ${quoted(name, 200)} is neither NDJSON nor CSV with the columns symbol and ts.`,
          hint: `Columns may be ${recordingColumns.join(", ")}.`,
        });
      }
      continue;
    }
    if (isBlank(fields)) continue;
    const outcome = fields.length === names.length ? quoteOf(cellsOf(names, fields)) : "has another number of fields";
    yield typeof outcome === "string" ? { line, detail: outcome } : outcome;
  }
}

/** The cells of a row that are not empty, numbers where the column holds some. */
function cellsOf(names: readonly string[], fields: readonly string[]): Map<string, unknown> {
  const cells = new Map<string, unknown>();
  for (const [index, name] of names.entries()) {
    const text = fields[index]!.trim();
    if (text === "") continue;
    const isNumber = name === "source_seq" || (numberNames as readonly string[]).includes(name);
    cells.set(name, isNumber ? (numberFromCell(text) ?? text) : text);
  }
  return cells;
}
