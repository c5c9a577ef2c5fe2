// An answer as an Arrow IPC stream, record batch by record batch. The values are not copied: what is handed out are views of
// the answer's own columns between small pieces of metadata, so that a million rows are in memory once. Separate from
// arrow.ts, which copies every value, and from the reader, which trusts nothing.
// Source: Apache Arrow, "Columnar Format" (version 1.x); the numbers of fields are those of Schema.fbs and Message.fbs.

import { Recent } from "../../foundation/recent";
import { FlatBuilder, type FlatField } from "./flat-builder";
import type { ColumnTable, TableColumn } from "./table";

/** Schema.fbs: MetadataVersion V5, and the types written here. */
const metadataVersion = 4;
const typeInt = 2;
const typeFloat = 3;
const typeText = 5;
const doublePrecision = 2;
/** Message.fbs, MessageHeader. */
const headerSchema = 1;
const headerRecords = 3;

const rowsPerBatch = 65_536;
const endOfStream = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);
const padding = new Uint8Array(8);
const textEncoder = new TextEncoder();

/**
 * The stream in pieces: a list for the schema, one for each record batch, one for the end. The views must be sent before
 * the table's columns are changed. `metadata` becomes the schema's custom metadata.
 */
export function* writeWireArrow(
  table: ColumnTable,
  metadata: Readonly<Record<string, string>>,
  frames: ArrowFrames = new ArrowFrames(),
): Generator<readonly Uint8Array[]> {
  yield [frames.ofSchema(table.columns, metadata)];
  for (let start = 0; start < table.count; start += rowsPerBatch) {
    yield recordsMessage(table.columns, start, Math.min(table.count, start + rowsPerBatch), frames);
  }
  yield [endOfStream];
}

/** A schema's message, and what it was made of. */
interface SchemaFrame {
  readonly columns: readonly Pick<TableColumn, "name" | "kind">[];
  readonly metadata: readonly (readonly [string, string])[];
  readonly bytes: Uint8Array;
}

/** The message before a record batch of numbers without nulls, which says nothing but how many there are. */
interface PlainFrame {
  readonly kinds: readonly TableColumn["kind"][];
  readonly count: number;
  readonly bytes: Uint8Array;
}

const framesKeptMax = 8;

/** The last messages that were made: answers of one shape begin with the same. */
export class ArrowFrames {
  readonly #schemas = new Recent<SchemaFrame>(framesKeptMax);
  readonly #plain = new Recent<PlainFrame>(framesKeptMax);

  ofSchema(columns: readonly TableColumn[], metadata: Readonly<Record<string, string>>): Uint8Array {
    const entries = Object.entries(metadata);
    const met = this.#schemas.find(
      (each) =>
        isSame(each.columns, columns, (one, other) => one.name === other.name && one.kind === other.kind) &&
        isSame(each.metadata, entries, (one, other) => one[0] === other[0] && one[1] === other[1]),
    );
    if (met !== undefined) return met.bytes;
    const shape = columns.map(({ name, kind }) => ({ name, kind }));
    return this.#schemas.keep({ columns: shape, metadata: entries, bytes: schemaMessage(columns, entries) }).bytes;
  }

  ofPlainRecords(columns: readonly TableColumn[], count: number): Uint8Array {
    const met = this.#plain.find(
      (each) => each.count === count && isSame(each.kinds, columns, (kind, column) => kind === column.kind),
    );
    if (met !== undefined) return met.bytes;
    const nodes = columns.map((): [number, number] => [count, 0]);
    const buffers: [number, number][] = [];
    let bodyBytes = 0;
    for (const { kind } of columns) {
      const length = count * (kind === "number" ? 8 : 4);
      buffers.push([bodyBytes, 0], [bodyBytes, length]);
      bodyBytes += paddedLength(length);
    }
    const bytes = recordsHeader(count, { nodes, buffers, bodyBytes });
    return this.#plain.keep({ kinds: columns.map(({ kind }) => kind), count, bytes }).bytes;
  }
}

function isSame<One, Other>(
  ones: readonly One[],
  others: readonly Other[],
  isSameItem: (one: One, other: Other) => boolean,
): boolean {
  if (ones.length !== others.length) return false;
  for (let index = 0; index < ones.length; index++) if (!isSameItem(ones[index]!, others[index]!)) return false;
  return true;
}

function schemaMessage(columns: readonly TableColumn[], metadata: readonly (readonly [string, string])[]): Uint8Array {
  const builder = new FlatBuilder();
  const entries = metadata.map(([key, value]) =>
    builder.table([offset(builder.string(key)), offset(builder.string(value))]),
  );
  const none = builder.offsets([]);
  const fields = columns.map((column) => {
    const name = builder.string(column.name);
    const { type, details } = typeOf(column, builder);
    return builder.table([
      offset(name),
      { kind: "uint8", value: column.kind === "integer" ? 0 : 1 },
      { kind: "uint8", value: type },
      offset(details),
      null,
      offset(none),
    ]);
  });
  const fieldList = builder.offsets(fields);
  const schema = builder.table([
    null,
    offset(fieldList),
    entries.length === 0 ? null : offset(builder.offsets(entries)),
  ]);
  return message(builder, headerSchema, schema, 0);
}

function typeOf(column: TableColumn, builder: FlatBuilder): { type: number; details: number } {
  switch (column.kind) {
    case "number":
      return { type: typeFloat, details: builder.table([{ kind: "int16", value: doublePrecision }]) };
    case "integer":
      return {
        type: typeInt,
        details: builder.table([
          { kind: "int32", value: 32 },
          { kind: "uint8", value: 1 },
        ]),
      };
    case "text":
      return { type: typeText, details: builder.table([]) };
  }
}

function recordsMessage(
  columns: readonly TableColumn[],
  start: number,
  stop: number,
  frames: ArrowFrames,
): readonly Uint8Array[] {
  const count = stop - start;
  const validities = columns.map((column) => validityOf(column, start, stop));
  const isPlain = columns.every(({ kind }, index) => kind !== "text" && validities[index] === allValid);
  if (isPlain)
    return [frames.ofPlainRecords(columns, count), ...columns.flatMap((column) => numbersOf(column, start, stop))];
  const nodes: [number, number][] = [];
  const buffers: [number, number][] = [];
  const body: Uint8Array[] = [];
  let bodyBytes = 0;
  const add = (bytes: Uint8Array) => {
    buffers.push([bodyBytes, bytes.length]);
    if (bytes.length === 0) return;
    const missing = paddedLength(bytes.length) - bytes.length;
    body.push(bytes);
    if (missing > 0) body.push(padding.subarray(0, missing));
    bodyBytes += bytes.length + missing;
  };
  for (const [index, column] of columns.entries()) {
    const { nullCount, bitmap } = validities[index]!;
    nodes.push([count, nullCount]);
    add(bitmap);
    if (column.kind === "text") {
      const { offsets, bytes } = textsOf(column.values, start, stop);
      add(offsets);
      add(bytes);
    } else add(bytesOf(column.values.subarray(start, stop)));
  }
  return [recordsHeader(count, { nodes, buffers, bodyBytes }), ...body];
}

/** A column's values, padded; nothing of a column of texts. */
function numbersOf(column: TableColumn, start: number, stop: number): Uint8Array[] {
  if (column.kind === "text") return [];
  const { values } = column;
  const bytes = bytesOf(start === 0 && stop === values.length ? values : values.subarray(start, stop));
  const missing = paddedLength(bytes.length) - bytes.length;
  return missing === 0 ? [bytes] : [bytes, padding.subarray(0, missing)];
}

/** To the next multiple of 8, where every buffer begins. */
function paddedLength(length: number): number {
  return length + (-length & 7);
}

interface Records {
  readonly nodes: readonly [number, number][];
  readonly buffers: readonly [number, number][];
  readonly bodyBytes: number;
}

function recordsHeader(count: number, { nodes, buffers, bodyBytes }: Records): Uint8Array {
  const builder = new FlatBuilder();
  const bufferList = builder.pairs(buffers);
  const nodeList = builder.pairs(nodes);
  const header = builder.table([{ kind: "int64", value: count }, offset(nodeList), offset(bufferList)]);
  return message(builder, headerRecords, header, bodyBytes);
}

/** The frame around a header: mark, length, and the metadata, which is a multiple of 8 bytes long. */
function message(builder: FlatBuilder, kind: number, header: number, bodyBytes: number): Uint8Array {
  const root = builder.table([
    { kind: "int16", value: metadataVersion },
    { kind: "uint8", value: kind },
    offset(header),
    { kind: "int64", value: bodyBytes },
  ]);
  const metadata = builder.finish(root);
  const bytes = new Uint8Array(8 + metadata.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xffffffff, true);
  view.setUint32(4, metadata.length, true);
  bytes.set(metadata, 8);
  return bytes;
}

const allValid = { nullCount: 0, bitmap: new Uint8Array(0) };

/** What is no finite number, or no text, is null. A column without nulls has no bitmap. */
function validityOf(column: TableColumn, start: number, stop: number): { nullCount: number; bitmap: Uint8Array } {
  if (column.kind === "integer") return allValid;
  if (column.kind === "number" && isFiniteThroughout(column.values, start, stop)) return allValid;
  const { values } = column;
  const bitmap = new Uint8Array(Math.ceil((stop - start) / 8));
  let nullCount = 0;
  for (let row = start; row < stop; row++) {
    const value = values[row];
    const isValid = typeof value === "number" ? value - value === 0 : value !== null;
    if (isValid) bitmap[(row - start) >> 3]! |= 1 << ((row - start) & 7);
    else nullCount += 1;
  }
  return nullCount === 0 ? allValid : { nullCount, bitmap };
}

/** Whether every number is finite: one that is not makes its difference from itself NaN, and so the sum of them. */
export function isFiniteThroughout(values: Float64Array, start: number, stop: number): boolean {
  let one = 0;
  let other = 0;
  let row = start;
  for (; row + 1 < stop; row += 2) {
    one += values[row]! - values[row]!;
    other += values[row + 1]! - values[row + 1]!;
  }
  if (row < stop) one += values[row]! - values[row]!;
  return one + other === 0;
}

function textsOf(values: readonly (string | null)[], start: number, stop: number) {
  const offsets = new Int32Array(stop - start + 1);
  const texts = values.slice(start, stop);
  const bytes = textEncoder.encode(texts.map((text) => text ?? "").join(""));
  let at = 0;
  for (const [index, text] of texts.entries()) {
    at += text === null ? 0 : Buffer.byteLength(text);
    offsets[index + 1] = at;
  }
  return { offsets: bytesOf(offsets), bytes };
}

function bytesOf(values: Float64Array | Int32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function offset(place: number): FlatField {
  return { kind: "offset", place };
}
