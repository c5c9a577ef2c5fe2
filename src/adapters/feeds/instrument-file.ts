// A text of instruments, row by row: NDJSON, CSV under a header, or a quote table as Cboe's site gives it. Separate from who judges the rows. A row
// that cannot be read is given as such, with its line and its beginning, and those after it go on; a text that is none of the three is refused.

import { type ByteSource, boundedBytes, textChunks } from "../tabular/bytes";
import { type CsvRecord, headerNames, isBlank, readCsvRecords } from "../tabular/csv";
import { checkColumnNames, malformed, overLimit, type TableLimits } from "../tabular/table";
import type { TextFormat } from "../tabular/text-body";
import { isIndexLine, readQuoteTable } from "./cboe/quote-table";

/** A row as it stands, or a sentence about why it is none. */
export interface FileRow {
  /** From 1. */
  readonly line: number;
  /** What stands there, or its beginning. */
  readonly content: string;
  readonly row: Readonly<Record<string, unknown>> | string;
}

const contentLengthMax = 500;
/** A slice is parsed in one step of the event loop: some eight hundred short lines. */
const sliceBytes = 16_384;

async function* slicesOf(bytes: Uint8Array): ByteSource {
  for (let at = 0; at < bytes.length; at += sliceBytes) yield bytes.subarray(at, at + sliceBytes);
}

/** The rows of a text; a CSV's columns must be known by name, and every cell is text. Throws BsoptError `invalid` or `limit-breached` where it is no such text, also half way through. */
export function readInstrumentRows(
  { format, bytes }: { readonly format: TextFormat; readonly bytes: Uint8Array },
  columns: readonly string[],
  limits: TableLimits,
): AsyncGenerator<FileRow> {
  return format === "ndjson" ? ndjsonRows(bytes, limits) : csvRows(bytes, columns, limits);
}

async function* ndjsonRows(bytes: Uint8Array, limits: TableLimits): AsyncGenerator<FileRow> {
  let rest = "";
  let line = 0;
  let count = 0;
  const rowsOf = function* (texts: readonly string[]): Generator<FileRow> {
    for (const text of texts) {
      line += 1;
      if (text.trim() === "") continue;
      count += 1;
      if (count > limits.rowsMax) throw overLimit("the body", `holds more than ${limits.rowsMax} rows`);
      yield { line, content: text.slice(0, contentLengthMax), row: objectOf(text) };
    }
  };
  for await (const chunk of textChunks(boundedBytes(slicesOf(bytes), "the body", limits.bytesMax), "the body")) {
    const texts = (rest + chunk).split("\n");
    rest = texts.pop() ?? "";
    if (rest.length > limits.lineBytesMax)
      throw overLimit(
        `the body line ${line + texts.length + 1}`,
        `the line is longer than ${limits.lineBytesMax} bytes`,
      );
    yield* rowsOf(texts);
  }
  yield* rowsOf([rest]);
}

function objectOf(text: string): Readonly<Record<string, unknown>> | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "it is not JSON";
  }
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : "it is not an object";
}

async function* csvRows(bytes: Uint8Array, columns: readonly string[], limits: TableLimits): AsyncGenerator<FileRow> {
  const file = "the body";
  const records = readCsvRecords(slicesOf(bytes), file, limits);
  let first = await records.next();
  while (!first.done && isBlank(first.value.fields)) first = await records.next();
  if (first.done) throw malformed("EMPTY_FILE", file, "is empty");
  const header = first.value;
  if (isIndexLine(header.fields)) {
    yield* quoteTableRows(withFirst(header, records), file);
    return;
  }
  const names = headerNames(header.fields);
  checkColumnNames(names, columns, `${file} line ${header.line}`);
  if (!names.includes("symbol")) throw malformed("MISSING_COLUMN", `${file} line ${header.line}`, "lacks symbol");
  for await (const { line, fields } of records) {
    if (isBlank(fields)) continue;
    yield { line, content: fields.join(",").slice(0, contentLengthMax), row: rowOf(names, fields) };
  }
}

async function* withFirst(first: CsvRecord, rest: AsyncIterable<CsvRecord>): AsyncGenerator<CsvRecord> {
  yield first;
  yield* rest;
}

function rowOf(names: readonly string[], fields: readonly string[]): FileRow["row"] {
  if (fields.length !== names.length) return `it has ${fields.length} fields where the header has ${names.length}`;
  const row: Record<string, unknown> = {};
  for (const [index, name] of names.entries()) {
    const cell = fields[index]!.trim();
    if (cell !== "") row[name] = cell;
  }
  return row;
}

/** The contracts of a quote table: its symbols say all there is to be known of them. */
async function* quoteTableRows(records: AsyncIterable<CsvRecord>, file: string): AsyncGenerator<FileRow> {
  const { rows, faults } = await readQuoteTable(records, file);
  for (const { line, detail } of faults) yield { line, content: "", row: detail };
  let place = 0;
  for (const { contract } of rows) {
    place += 1;
    if (contract) yield { line: place, content: contract.symbol, row: { symbol: contract.symbol } };
  }
}
