// A client's Arrow IPC stream to columns. Numbers of a single record batch are views of the very bytes that came in; only
// nulls, other widths and further batches cost a copy. Its own reader beside arrow.ts, because a stranger's lengths must be
// checked before anything is built from them, and a million rows must not stop the server for long.
// Source: Apache Arrow, "Columnar Format", Encapsulated message format and Physical memory layout (format version 1.x),
// with the tables of Schema.fbs and Message.fbs by the numbers of their fields.

import { newColumn } from "../../foundation/column";
import { Recent } from "../../foundation/recent";
import { FlatTable, textIn } from "./flat-buffer";
import {
  checkNames,
  type GiveWay,
  malformedTable,
  TableFaults,
  tooManyRows,
  type WireColumn,
  type WireLimits,
  type WireSchema,
  WireTable,
  type WordColumn,
} from "./wire-table";

/** Message.fbs, MessageHeader. */
const headerSchema = 1;
const headerDictionary = 2;
const headerRecords = 3;

/** Schema.fbs, Type: those that are understood. */
const typeNull = 1;
const typeInt = 2;
const typeFloat = 3;
const typeText = 5;
const typeLargeText = 20;

const continuation = 0xffffffff;
const columnsMax = 256;
const messagesMax = 65_536;
/** Rows between two pauses, where each is looked at. */
const rowsPerStep = 131_072;

/** How a column's values lie in memory. */
type Layout =
  | { readonly kind: "null" }
  | { readonly kind: "int"; readonly bits: number; readonly isSigned: boolean }
  | { readonly kind: "float"; readonly bits: number }
  | { readonly kind: "text"; readonly offsetBits: 32 | 64 }
  | { readonly kind: "other" };

interface Field {
  readonly name: string;
  /** Of the values, or of the dictionary's values where there is one. */
  readonly layout: Layout;
  /** Id of the dictionary and layout of the indices into it. */
  readonly dictionary: { readonly id: number; readonly index: Layout } | null;
}

interface Message {
  readonly kind: number;
  readonly metadata: Uint8Array;
  readonly header: FlatTable;
  readonly body: Uint8Array;
}

/** What the bytes of a schema's message say, once it is known that they fit what is wanted. */
interface KnownSchema {
  readonly wanted: WireSchema;
  readonly metadata: Uint8Array;
  readonly fields: readonly Field[];
}

/** The last schemas that were read: a client's bodies all begin with the same. */
export type ArrowSchemas = Recent<KnownSchema>;

const schemasKeptMax = 8;
/** A longer one is read anew each time. */
const schemaKeptBytesMax = 16_384;

export function recentArrowSchemas(): ArrowSchemas {
  return new Recent<KnownSchema>(schemasKeptMax);
}

/** Throws BsoptError: BODY_MALFORMED, BATCH_TOO_LARGE, or SCHEMA_INVALID with the faults by column. */
export async function readWireArrow(
  bytes: Uint8Array,
  schema: WireSchema,
  limits: WireLimits,
  giveWay: GiveWay,
  known: ArrowSchemas = recentArrowSchemas(),
): Promise<WireTable> {
  try {
    return await read(bytes, { schema, limits, giveWay, known });
  } catch (error) {
    // Only a wrong length or place inside the stream ends in one.
    if (error instanceof RangeError) {
      throw malformedTable("The body is not an Arrow IPC stream, or ends early", error);
    }
    throw error;
  }
}

interface Reading {
  readonly schema: WireSchema;
  readonly limits: WireLimits;
  readonly giveWay: GiveWay;
  readonly known: ArrowSchemas;
}

async function read(bytes: Uint8Array, { schema, limits, giveWay, known }: Reading): Promise<WireTable> {
  let fields: readonly Field[] | null = null;
  const dictionaries = new Map<number, WordColumn>();
  const columns: Gathering[] = [];
  let count = 0;
  for (const { kind, metadata, header, body } of messagesOf(bytes)) {
    if (kind === headerSchema) {
      if (fields !== null) throw malformedTable("The body has a second schema");
      fields = checkedFields(metadata, header, schema, known);
      columns.push(...fields.map((field) => new Gathering(field)));
      continue;
    }
    if (fields === null) throw malformedTable("The body does not begin with a schema");
    if (kind === headerDictionary) {
      const { id, words } = await readDictionary(header, body, fields, limits, giveWay);
      dictionaries.set(id, words);
    } else if (kind === headerRecords) {
      const batch = new Buffers(header, body);
      if (batch.rowCount > limits.rowsMax - count) throw tooManyRows(limits.rowsMax);
      for (const column of columns) {
        await column.add(batch, dictionaries, giveWay);
        if (batch.rowCount > rowsPerStep / 8) await giveWay();
      }
      batch.requireEnd();
      count += batch.rowCount;
    } else throw malformedTable("The body holds a message of an unknown kind");
  }
  if (fields === null) throw malformedTable("The body is empty; an Arrow schema was expected");
  const finished = new Map<string, WireColumn>();
  for (const column of columns) {
    finished.set(column.name, column.finish(count));
    if (count > rowsPerStep / 8) await giveWay();
  }
  return new WireTable(count, finished);
}

/** The messages in order, up to the end of stream mark or the end of the bytes. */
function* messagesOf(bytes: Uint8Array): Generator<Message> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (let index = 0; at < bytes.length; index++) {
    if (index === messagesMax) throw malformedTable(`The body has more than ${messagesMax} messages`);
    let metadataBytes = view.getUint32(at, true);
    at += 4;
    // Streams written before version 0.15 have no continuation mark.
    if (metadataBytes === continuation) {
      metadataBytes = view.getUint32(at, true);
      at += 4;
    }
    if (metadataBytes === 0) return;
    const metadata = part(bytes, at, metadataBytes);
    at += metadataBytes;
    const message = FlatTable.root(metadata);
    const bodyBytes = message.int64(3);
    const body = part(bytes, at, bodyBytes);
    at += bodyBytes;
    const header = message.table(2);
    if (header === null) throw malformedTable("The body holds a message without a header");
    yield { kind: message.uint8(1), metadata, header, body };
  }
}

/** The bytes from a place on. Throws RangeError where there are fewer. */
function part(bytes: Uint8Array, start: number, length: number): Uint8Array {
  if (!(start >= 0 && length >= 0 && start + length <= bytes.length)) throw new RangeError("leads outside of the body");
  return bytes.subarray(start, start + length);
}

/** The fields of a schema, which fit what is wanted. */
function checkedFields(
  metadata: Uint8Array,
  header: FlatTable,
  wanted: WireSchema,
  known: ArrowSchemas,
): readonly Field[] {
  const met = known.find((each) => each.wanted === wanted && Buffer.compare(each.metadata, metadata) === 0);
  if (met !== undefined) return met.fields;
  const fields = fieldsOf(header);
  checkFields(fields, wanted);
  if (metadata.length <= schemaKeptBytesMax) known.keep({ wanted, metadata: metadata.slice(), fields });
  return fields;
}

function fieldsOf(schema: FlatTable): readonly Field[] {
  if (schema.int16(0) !== 0) throw malformedTable("The body is big-endian Arrow; little-endian was expected");
  const count = schema.count(1, 4);
  if (count > columnsMax) throw malformedTable(`The body has more than ${columnsMax} columns`);
  return Array.from({ length: count }, (_, index): Field => {
    const field = schema.tableAt(1, index);
    const encoding = field.table(4);
    return {
      name: field.string(0) ?? "",
      layout: layoutOf(field.uint8(2), field.table(3)),
      dictionary: encoding === null ? null : { id: encoding.int64(0), index: layoutOf(typeInt, encoding.table(1), 32) },
    };
  });
}

function layoutOf(type: number, details: FlatTable | null, bitsWhereAbsent = 0): Layout {
  switch (type) {
    case typeNull:
      return { kind: "null" };
    case typeInt:
      // A dictionary's indices are signed 32-bit numbers unless it says otherwise.
      if (details === null) return { kind: "int", bits: bitsWhereAbsent, isSigned: true };
      return { kind: "int", bits: details.int32(0), isSigned: details.uint8(1) !== 0 };
    case typeFloat:
      return { kind: "float", bits: [16, 32, 64][details?.int16(0) ?? 0] ?? 0 };
    case typeText:
      return { kind: "text", offsetBits: 32 };
    case typeLargeText:
      return { kind: "text", offsetBits: 64 };
    default:
      return { kind: "other" };
  }
}

/** Whether a column of words may lie like this, or one of numbers. */
function fits(field: Field, wanted: WireSchema[string]): boolean {
  const { layout, dictionary } = field;
  if (wanted !== "number") return layout.kind === "text";
  if (dictionary !== null) return false;
  if (layout.kind === "int") return [8, 16, 32, 64].includes(layout.bits);
  return layout.kind === "null" || (layout.kind === "float" && layout.bits >= 32);
}

function checkFields(fields: readonly Field[], schema: WireSchema): void {
  const faults = new TableFaults();
  checkNames(
    fields.map(({ name }) => name),
    schema,
    faults,
  );
  for (const field of fields) {
    const wanted = Object.hasOwn(schema, field.name) ? schema[field.name] : undefined;
    if (wanted === undefined || fits(field, wanted)) continue;
    faults.add(
      field.name,
      null,
      "WRONG_TYPE",
      wanted === "number"
        ? "must be of float64, float32 or an integer type"
        : "must be of utf8, plain or by dictionary",
    );
  }
  faults.throwIfAny();
}

/** The nodes and buffers of one record batch, taken in the schema's order. */
class Buffers {
  readonly rowCount: number;
  readonly #header: FlatTable;
  readonly #body: Uint8Array;
  readonly #nodeCount: number;
  readonly #bufferCount: number;
  #node = 0;
  #buffer = 0;

  constructor(header: FlatTable, body: Uint8Array) {
    if (header.has(3)) {
      throw malformedTable(
        "The body's Arrow buffers are compressed; send them plain, or the whole body with Content-Encoding",
      );
    }
    this.rowCount = header.int64(0);
    if (!(this.rowCount >= 0)) throw new RangeError("a record batch of a negative length");
    this.#header = header;
    this.#body = body;
    this.#nodeCount = header.count(1, 16);
    this.#bufferCount = header.count(2, 16);
  }

  /** The next column's number of nulls. */
  nextNullCount(): number {
    if (this.#node >= this.#nodeCount) throw new RangeError("too few columns in a record batch");
    const length = this.#header.int64At(1, this.#node * 2);
    if (length !== this.rowCount) throw new RangeError("a column is not as long as its record batch");
    return this.#header.int64At(1, this.#node++ * 2 + 1);
  }

  nextBuffer(): Uint8Array {
    if (this.#buffer >= this.#bufferCount) throw new RangeError("too few buffers in a record batch");
    const start = this.#header.int64At(2, this.#buffer * 2);
    return part(this.#body, start, this.#header.int64At(2, this.#buffer++ * 2 + 1));
  }

  /** The next column's validity, or null where nothing is missing. */
  nextValidity(): Uint8Array | null {
    const nullCount = this.nextNullCount();
    const bitmap = this.nextBuffer();
    if (nullCount === 0 || bitmap.length === 0) return null;
    return part(bitmap, 0, Math.ceil(this.rowCount / 8));
  }

  requireEnd(): void {
    if (this.#node !== this.#nodeCount || this.#buffer !== this.#bufferCount) {
      throw new RangeError("a record batch holds more than its schema says");
    }
  }
}

/** One column over all record batches. */
class Gathering {
  readonly name: string;
  readonly #field: Field;
  #numbers: Float64Array[] = [];
  #words: WordColumn[] = [];

  constructor(field: Field) {
    this.name = field.name;
    this.#field = field;
  }

  async add(batch: Buffers, dictionaries: ReadonlyMap<number, WordColumn>, giveWay: GiveWay): Promise<void> {
    const { layout, dictionary } = this.#field;
    if (dictionary !== null) this.#words.push(readCoded(batch, dictionary, dictionaries));
    else if (layout.kind === "text") this.#words.push(await readTexts(batch, layout.offsetBits, giveWay));
    else if (layout.kind === "null") {
      // A column of nothing has a node and no buffer.
      batch.nextNullCount();
      this.#numbers.push(new Float64Array(batch.rowCount).fill(Number.NaN));
    } else this.#numbers.push(readNumbers(batch, layout));
  }

  finish(count: number): WireColumn {
    const { layout, dictionary } = this.#field;
    if (dictionary === null && layout.kind !== "text") return { kind: "number", values: joined(this.#numbers, count) };
    const [only] = this.#words;
    return this.#words.length === 1 && only ? only : joinedWords(this.#words, count);
  }
}

function joined(parts: readonly Float64Array[], count: number): Float64Array {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  const whole = newColumn(count);
  let at = 0;
  for (const each of parts) {
    whole.set(each, at);
    at += each.length;
  }
  return whole;
}

function joinedWords(parts: readonly WordColumn[], count: number): WordColumn {
  const codeOf = new Map<string, number>();
  // Batches by one dictionary share its words: they are looked through once, not once a batch.
  const movedOf = new Map<readonly string[], Int32Array>();
  const codes = new Int32Array(count);
  let at = 0;
  for (const { words, codes: own } of parts) {
    let moved = movedOf.get(words);
    if (moved === undefined) {
      moved = Int32Array.from(words, (word) => {
        const code = codeOf.get(word) ?? codeOf.size;
        codeOf.set(word, code);
        return code;
      });
      movedOf.set(words, moved);
    }
    for (let index = 0; index < own.length; index++) codes[at + index] = own[index]! < 0 ? -1 : moved[own[index]!]!;
    at += own.length;
  }
  return { kind: "word", words: [...codeOf.keys()], codes };
}

type Numbers =
  | Float64Array
  | Float32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** The numbers in a buffer. A view of it where it lies on its grid, as every writer's does. */
function numbersIn(buffer: Uint8Array, layout: Layout, count: number): Numbers {
  const bits = layout.kind === "int" || layout.kind === "float" ? layout.bits : 0;
  const bytes = part(buffer, 0, (count * bits) / 8);
  const aligned = bytes.byteOffset % (bits / 8) === 0 ? bytes : bytes.slice();
  const place = [aligned.buffer as ArrayBuffer, aligned.byteOffset, count] as const;
  if (layout.kind === "float") return bits === 64 ? new Float64Array(...place) : new Float32Array(...place);
  const isSigned = layout.kind === "int" && layout.isSigned;
  switch (bits) {
    case 8:
      return isSigned ? new Int8Array(...place) : new Uint8Array(...place);
    case 16:
      return isSigned ? new Int16Array(...place) : new Uint16Array(...place);
    case 32:
      return isSigned ? new Int32Array(...place) : new Uint32Array(...place);
    case 64:
      return isSigned ? new BigInt64Array(...place) : new BigUint64Array(...place);
    default:
      throw new RangeError("an unknown width of numbers");
  }
}

function readNumbers(batch: Buffers, layout: Layout): Float64Array {
  const validity = batch.nextValidity();
  const found = numbersIn(batch.nextBuffer(), layout, batch.rowCount);
  if (found instanceof Float64Array && validity === null) return found;
  const values =
    found instanceof BigInt64Array || found instanceof BigUint64Array
      ? Float64Array.from(found as BigInt64Array, Number)
      : new Float64Array(found);
  if (validity === null) return values;
  for (let row = 0; row < values.length; row++) {
    if ((validity[row >> 3]! & (1 << (row & 7))) === 0) values[row] = Number.NaN;
  }
  return values;
}

/** Words already met are known again by their bytes; this many are looked through before one is decoded. */
const recentMax = 4;

async function readTexts(batch: Buffers, offsetBits: 32 | 64, giveWay: GiveWay): Promise<WordColumn> {
  const validity = batch.nextValidity();
  const count = batch.rowCount;
  // An empty column may leave even its one offset out.
  const offsetsBuffer = batch.nextBuffer();
  const found =
    count === 0 && offsetsBuffer.length === 0
      ? new Int32Array(1)
      : numbersIn(offsetsBuffer, { kind: "int", bits: offsetBits, isSigned: true }, count + 1);
  const offsets = found instanceof BigInt64Array ? Float64Array.from(found, Number) : (found as Int32Array);
  const bytes = batch.nextBuffer();
  const codes = new Int32Array(count);
  const words = new RecentWords(bytes);
  for (let start = 0; start < count; start += rowsPerStep) {
    if (start > 0) await giveWay();
    codeTexts({ codes, offsets, validity, words }, start, Math.min(count, start + rowsPerStep));
  }
  return { kind: "word", words: words.all(), codes };
}

interface Texts {
  readonly codes: Int32Array;
  readonly offsets: Int32Array | Float64Array;
  readonly validity: Uint8Array | null;
  readonly words: RecentWords;
}

/** Words of up to so many bytes are compared as a number. */
const shortBytesMax = 4;

function codeTexts({ codes, offsets, validity, words }: Texts, first: number, stop: number): void {
  const { bytes } = words;
  // The last two short words that were met, as numbers: a column mostly says one of two.
  let lastLength = -1;
  let lastNumber = 0;
  let lastCode = 0;
  let otherLength = -1;
  let otherNumber = 0;
  let otherCode = 0;
  let start = offsets[first]!;
  for (let row = first; row < stop; row++) {
    const begin = start;
    start = offsets[row + 1]!;
    if (validity !== null && (validity[row >> 3]! & (1 << (row & 7))) === 0) {
      codes[row] = -1;
      continue;
    }
    const length = start - begin;
    if (length < 1 || length > shortBytesMax || begin < 0 || start > bytes.length) {
      codes[row] = words.code(begin, start);
      continue;
    }
    let number = bytes[begin]!;
    if (length > 1) number |= bytes[begin + 1]! << 8;
    if (length > 2) number |= bytes[begin + 2]! << 16;
    if (length > 3) number |= bytes[begin + 3]! << 24;
    if (number === lastNumber && length === lastLength) {
      codes[row] = lastCode;
      continue;
    }
    const isOther = number === otherNumber && length === otherLength;
    const code = isOther ? otherCode : words.code(begin, start);
    otherLength = lastLength;
    otherNumber = lastNumber;
    otherCode = lastCode;
    lastLength = length;
    lastNumber = number;
    lastCode = code;
    codes[row] = code;
  }
}

/** The words in a buffer by code. The last few are known again by their bytes, before any text is made of them. */
class RecentWords {
  readonly bytes: Uint8Array;
  readonly #codeOf = new Map<string, number>();
  readonly #starts = new Int32Array(recentMax);
  readonly #lengths = new Int32Array(recentMax).fill(-1);
  readonly #codes = new Int32Array(recentMax);
  #next = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  code(start: number, stop: number): number {
    const length = stop - start;
    const { bytes } = this;
    if (start < 0 || length < 0 || stop > bytes.length) throw new RangeError("a text leads outside");
    for (let known = 0; known < recentMax; known++) {
      if (this.#lengths[known] !== length) continue;
      const other = this.#starts[known]!;
      let index = 0;
      while (index < length && bytes[other + index] === bytes[start + index]) index += 1;
      if (index === length) return this.#codes[known]!;
    }
    const word = textIn(bytes.subarray(start, stop));
    const code = this.#codeOf.get(word) ?? this.#codeOf.size;
    this.#codeOf.set(word, code);
    this.#starts[this.#next] = start;
    this.#lengths[this.#next] = length;
    this.#codes[this.#next] = code;
    this.#next = (this.#next + 1) % recentMax;
    return code;
  }

  all(): readonly string[] {
    return [...this.#codeOf.keys()];
  }
}

function readCoded(
  batch: Buffers,
  { id, index }: NonNullable<Field["dictionary"]>,
  dictionaries: ReadonlyMap<number, WordColumn>,
): WordColumn {
  const validity = batch.nextValidity();
  const indices = numbersIn(batch.nextBuffer(), index, batch.rowCount);
  const dictionary = dictionaries.get(id);
  if (dictionary === undefined) {
    if (batch.rowCount === 0) return { kind: "word", words: [], codes: new Int32Array(0) };
    throw malformedTable("The body has a column by a dictionary that it does not hold");
  }
  const { words, codes: codeOfEntry } = dictionary;
  const codes = new Int32Array(batch.rowCount);
  for (let row = 0; row < codes.length; row++) {
    if (validity !== null && (validity[row >> 3]! & (1 << (row & 7))) === 0) {
      codes[row] = -1;
      continue;
    }
    const entry = Number(indices[row]);
    if (!(entry >= 0 && entry < codeOfEntry.length)) throw new RangeError("an index leads outside its dictionary");
    codes[row] = codeOfEntry[entry]!;
  }
  return { kind: "word", words, codes };
}

/** A dictionary: a batch of one column of text. A later one of the same id replaces it. */
async function readDictionary(
  header: FlatTable,
  body: Uint8Array,
  fields: readonly Field[],
  limits: WireLimits,
  giveWay: GiveWay,
): Promise<{ readonly id: number; readonly words: WordColumn }> {
  const id = header.int64(0);
  const data = header.table(1);
  const field = fields.find(({ dictionary }) => dictionary?.id === id);
  if (data === null || field === undefined || field.layout.kind !== "text") {
    throw malformedTable("The body has a dictionary that belongs to no column");
  }
  // Adding to a dictionary again and again would cost the square of its size.
  if (header.uint8(2) !== 0) throw malformedTable("The body adds to a dictionary; send each dictionary whole");
  const batch = new Buffers(data, body);
  if (batch.rowCount > limits.rowsMax) throw tooManyRows(limits.rowsMax);
  return { id, words: await readTexts(batch, field.layout.offsetBits, giveWay) };
}
