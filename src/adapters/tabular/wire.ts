// The formats of wire tables by their names: one switch to read and one to write. JSON is read elsewhere, with a schema of
// its own; it is written here, by columns.

import { ByteWriter } from "./byte-writer";
import { writeCsv } from "./csv";
import { writeNdjson } from "./json";
import type { ColumnTable } from "./table";
import { type ArrowSchemas, readWireArrow } from "./wire-arrow";
import { ArrowFrames, writeWireArrow } from "./wire-arrow-writer";
import { readWireCsv } from "./wire-csv";
import { type JsonMembers, joinWireJson, type NumbersText, writeWireJson } from "./wire-json";
import { readWireNdjson } from "./wire-ndjson";
import type { GiveWay, WireFormat, WireLimits, WireSchema, WireTable } from "./wire-table";

/** Reads a body of the given format. Throws BsoptError (see wire-table.ts): malformed, of a wrong shape, or too long. */
export function readWireTable(
  format: WireFormat,
  bytes: Uint8Array,
  schema: WireSchema,
  limits: WireLimits,
  giveWay: GiveWay,
  arrowSchemas?: ArrowSchemas,
): Promise<WireTable> {
  switch (format) {
    case "csv":
      return readWireCsv(bytes, schema, limits, giveWay);
    case "ndjson":
      return readWireNdjson(bytes, schema, limits, giveWay);
    case "arrow":
      return readWireArrow(bytes, schema, limits, giveWay, arrowSchemas);
  }
}

/** An answer by columns, with what is said once beside them. */
export interface WireAnswer {
  readonly table: ColumnTable;
  /** Members of a JSON document before the columns, and after them. */
  readonly before: JsonMembers;
  readonly after: JsonMembers;
  /** Custom metadata of an Arrow schema. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The answer in the given format, in pieces of some hundred kilobytes at most. */
export function* writeWireAnswer(
  format: WireFormat | "json",
  answer: WireAnswer,
  numbersText?: NumbersText,
  frames?: ArrowFrames,
): Generator<string | readonly Uint8Array[]> {
  const { table, metadata } = answer;
  switch (format) {
    case "json":
      return yield* writeWireJson(answer, numbersText);
    case "csv":
      return yield* gathered(writeCsv(table));
    case "ndjson":
      return yield* gathered(writeNdjson(table));
    case "arrow":
      return yield* writeWireArrow(table, metadata, frames);
  }
}

/** What answers are written with, kept from one to the next. */
export class WireWriter extends ByteWriter {
  readonly frames = new ArrowFrames();
}

/** The same bytes at once, in the memory of the writer: right until that is used again. */
export function joinedWireAnswer(
  writer: WireWriter,
  format: WireFormat | "json",
  answer: WireAnswer,
  numbersText?: NumbersText,
): Uint8Array<ArrayBuffer> {
  writer.clear();
  if (format === "json") joinWireJson(writer, answer, numbersText);
  else {
    for (const piece of writeWireAnswer(format, answer, undefined, writer.frames)) {
      if (typeof piece === "string") writer.text(piece);
      else for (const part of piece) writer.bytes(part);
    }
  }
  return writer.view();
}

const pieceLengthMin = 65_536;

/** Short texts joined to pieces worth sending. */
function* gathered(texts: Iterable<string>): Generator<string> {
  let piece = "";
  for (const text of texts) {
    piece += text;
    if (piece.length < pieceLengthMin) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}
