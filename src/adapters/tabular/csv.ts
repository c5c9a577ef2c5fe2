// Comma-separated text, in and out. Reading keeps line numbers, because a message without one is no help in a file of
// a million rows; writing escapes what a spreadsheet would run as a formula. Parsing and quoting are csv-parse's and
// csv-stringify's work. Must never turn a null into a zero or a negative number into text.

import { pipeline, Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { stringify } from "csv-stringify/sync";
import { quoted } from "../../foundation/printable";
import { type ByteSource, boundedBytes, textChunks } from "./bytes";
import { ColumnBuilder } from "./column-builder";
import {
  type ColumnTable,
  checkColumnNames,
  malformed,
  overLimit,
  type ReadTable,
  type TableColumn,
  type TableLimits,
  type TableSchema,
} from "./table";

/** One record of a CSV file, as text. */
export interface CsvRecord {
  /** The line it ends on, counting from 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

/** The records of a file in order, blank lines skipped. Throws BsoptError `invalid` or `limit-breached`. */
export async function* readCsvRecords(
  source: ByteSource,
  file: string,
  limits: TableLimits,
): AsyncGenerator<CsvRecord> {
  const parser = parse({
    info: true,
    max_record_size: limits.lineBytesMax,
    record_delimiter: ["\r\n", "\n", "\r"],
    relax_column_count: true,
    skip_empty_lines: true,
  });
  // A failure at either end destroys the other and comes out of the loop below.
  pipeline(Readable.from(textChunks(boundedBytes(source, file, limits.bytesMax), file)), parser, () => {});
  let count = 0;
  try {
    for await (const { info, record } of parser as AsyncIterable<{ info: { lines: number }; record: string[] }>) {
      count += 1;
      if (count > limits.rowsMax) throw overLimit(file, `holds more than ${limits.rowsMax} rows`);
      yield { line: info.lines, fields: record };
    }
  } catch (error) {
    throw error instanceof CsvError ? csvFault(error, file, limits) : error;
  }
}

function csvFault(error: CsvError, file: string, limits: TableLimits) {
  const where = typeof error.lines === "number" ? `${file} line ${error.lines}` : file;
  switch (error.code) {
    case "CSV_MAX_RECORD_SIZE":
      return overLimit(where, `the line is longer than ${limits.lineBytesMax} bytes`);
    case "CSV_QUOTE_NOT_CLOSED":
      return malformed("MALFORMED_CSV", where, "a quotation mark is opened and never closed", error);
    case "INVALID_OPENING_QUOTE":
    case "CSV_INVALID_CLOSING_QUOTE":
      return malformed("MALFORMED_CSV", where, 'a quotation mark stands inside a field; double it ("") there', error);
    default:
      return malformed("MALFORMED_CSV", where, "this is not comma-separated text", error);
  }
}

/**
 * A header line and rows under it, as columns. Names are taken in any case, with spaces for underscores. A cell that is no
 * number in a column of numbers becomes NaN and a fault; a row of the wrong length becomes nulls and a fault.
 * Throws BsoptError for an unknown or repeated column and for text that is no CSV.
 */
export async function readCsv(
  source: ByteSource,
  file: string,
  schema: TableSchema,
  limits: TableLimits,
): Promise<ReadTable> {
  let builder: ColumnBuilder | undefined;
  let names: readonly string[] = [];
  for await (const { line, fields } of readCsvRecords(source, file, { ...limits, rowsMax: limits.rowsMax + 1 })) {
    if (!builder) {
      if (isBlank(fields)) continue;
      names = headerNames(fields);
      checkColumnNames(names, Object.keys(schema), `${file} line ${line}`);
      builder = new ColumnBuilder(names, schema);
      continue;
    }
    const missing = names.length - fields.length;
    const surplus = fields.slice(names.length).some((field) => field.trim() !== "");
    if (missing > 0 || surplus) {
      builder.addEmptyRow({
        line,
        column: "",
        detail: `has ${fields.length} fields where the header has ${names.length}`,
      });
    } else {
      builder.addCells(line, fields);
    }
  }
  if (!builder) throw malformed("EMPTY_FILE", file, "is empty; a header line was expected");
  return builder.finish();
}

/** Whether a record is nothing but commas and spaces, as spreadsheets leave them. */
export function isBlank(fields: readonly string[]): boolean {
  return fields.every((field) => field.trim() === "");
}

/** Header fields as column names: trimmed, lower case, spaces as underscores; empty trailing ones dropped. */
export function headerNames(fields: readonly string[]): readonly string[] {
  const names = fields.map((field) => field.trim().toLowerCase().replaceAll(/\s+/g, "_"));
  while (names.at(-1) === "") names.pop();
  return names;
}

const rowsPerChunk = 4096;

/** The table as CSV text in chunks, header first, lines ended by \n. */
export function* writeCsv(table: ColumnTable): Generator<string> {
  yield stringify([table.columns.map((column) => column.name)]);
  const writers = table.columns.map(cellWriter);
  // In a table of one column an empty field alone would be a blank line, which readers skip.
  const options = { quoted_empty: table.columns.length === 1 };
  for (let start = 0; start < table.count; start += rowsPerChunk) {
    const rows: string[][] = [];
    const end = Math.min(start + rowsPerChunk, table.count);
    for (let row = start; row < end; row++) rows.push(writers.map((write) => write(row)));
    yield stringify(rows, options);
  }
}

function cellWriter(column: TableColumn): (row: number) => string {
  switch (column.kind) {
    case "number":
      return (row) => (Number.isFinite(column.values[row]) ? String(column.values[row]) : "");
    case "integer":
      return (row) => String(column.values[row]);
    case "text":
      return (row) => escapeFormula(column.values[row] ?? "");
  }
}

/** Records of text as CSV, lines ended by \n; formulas escaped. */
export function csvRecords(records: readonly (readonly string[])[]): string {
  return stringify(records.map((record) => record.map(escapeFormula)));
}

/** Text that a spreadsheet would take for a formula, behind an apostrophe (OWASP, CSV injection). */
export function escapeFormula(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

/** For a message: the first fields of a record as they were read. */
export function shownRecord(fields: readonly string[]): string {
  return quoted(fields.slice(0, 4).join(","), 60);
}
