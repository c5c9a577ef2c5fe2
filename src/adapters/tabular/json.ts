// JSON and newline-delimited JSON, in and out: rows as objects under their column names, or one object of columns. A null,
// or a name left out, is a missing value. Separate from csv because here a value already has a type, and a wrong type is a
// fault rather than something to parse.

import { quoted } from "../../foundation/printable";
import { allText, type ByteSource, boundedBytes, textChunks } from "./bytes";
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

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * A document: an array of row objects, `{"options": [rows]}`, or an object of columns in which a scalar stands for all
 * rows. Throws BsoptError `invalid` for anything else, and for an unknown name.
 */
export async function readJson(
  source: ByteSource,
  file: string,
  schema: TableSchema,
  limits: TableLimits,
): Promise<ReadTable> {
  const text = await allText(boundedBytes(source, file, limits.bytesMax), file);
  const document = parseJson(text, file);
  if (Array.isArray(document)) return tableOfRows(document, file, schema, limits);
  if (!isObject(document)) throw malformed("MALFORMED_JSON", file, "is neither an array of rows nor an object");
  if (Array.isArray(document.options)) {
    checkColumnNames(Object.keys(document), ["options"], file);
    return tableOfRows(document.options, file, schema, limits);
  }
  return tableOfColumns(document, file, schema, limits);
}

/** One object a line, blank lines skipped. Throws BsoptError naming the line. */
export async function readNdjson(
  source: ByteSource,
  file: string,
  schema: TableSchema,
  limits: TableLimits,
): Promise<ReadTable> {
  const builder = new ColumnBuilder(Object.keys(schema), schema);
  const seen = new Set<string>();
  let line = 0;
  for await (const text of lines(textChunks(boundedBytes(source, file, limits.bytesMax), file), file, limits)) {
    line += 1;
    if (text.trim() === "") continue;
    addRow(builder, seen, schema, parseJson(text, `${file} line ${line}`), `${file} line ${line}`, line);
    if (builder.count > limits.rowsMax) throw overLimit(file, `holds more than ${limits.rowsMax} rows`);
  }
  return onlySeen(builder.finish(), seen);
}

function tableOfRows(rows: readonly unknown[], file: string, schema: TableSchema, limits: TableLimits): ReadTable {
  if (rows.length > limits.rowsMax) throw overLimit(file, `holds more than ${limits.rowsMax} rows`);
  const builder = new ColumnBuilder(Object.keys(schema), schema);
  const seen = new Set<string>();
  rows.forEach((row, index) => {
    addRow(builder, seen, schema, row, `${file} row ${index + 1}`, index + 1);
  });
  return onlySeen(builder.finish(), seen);
}

function addRow(
  builder: ColumnBuilder,
  seen: Set<string>,
  schema: TableSchema,
  row: unknown,
  where: string,
  line: number,
): void {
  if (!isObject(row)) throw malformed("MALFORMED_JSON", where, "is not an object");
  const names = Object.keys(row);
  checkColumnNames(names, Object.keys(schema), where);
  for (const name of names) seen.add(name);
  builder.addValues(
    line,
    Object.keys(schema).map((name) => row[name]),
  );
}

/** Columns no row named are not columns of the table: an absent column takes its default, a null cell does not. */
function onlySeen(table: ReadTable, seen: ReadonlySet<string>): ReadTable {
  return { ...table, columns: table.columns.filter((column) => seen.has(column.name)) };
}

function tableOfColumns(document: JsonObject, file: string, schema: TableSchema, limits: TableLimits): ReadTable {
  const names = Object.keys(document);
  checkColumnNames(names, Object.keys(schema), file);
  const lengths = new Set(Object.values(document).flatMap((value) => (Array.isArray(value) ? [value.length] : [])));
  if (lengths.size > 1)
    throw malformed("COLUMN_LENGTHS", file, `the columns have different lengths: ${[...lengths].join(", ")}`);
  const count = [...lengths][0] ?? 1;
  if (count > limits.rowsMax) throw overLimit(file, `holds more than ${limits.rowsMax} rows`);
  const builder = new ColumnBuilder(names, schema);
  for (let row = 0; row < count; row++) {
    const values = names.map((name) => {
      const value = document[name];
      return Array.isArray(value) ? value[row] : value;
    });
    builder.addValues(row + 1, values);
  }
  return builder.finish();
}

async function* lines(chunks: AsyncIterable<string>, file: string, limits: TableLimits): AsyncGenerator<string> {
  let rest = "";
  let count = 0;
  for await (const chunk of chunks) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) {
      count += 1;
      yield part;
    }
    if (rest.length > limits.lineBytesMax)
      throw overLimit(`${file} line ${count + 1}`, `the line is longer than ${limits.lineBytesMax} bytes`);
  }
  if (rest !== "") yield rest;
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed("MALFORMED_JSON", where, `is not JSON: it begins ${quoted(text.slice(0, 41))}`, cause);
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A row object a line. */
export function* writeNdjson(table: ColumnTable): Generator<string> {
  for (const text of rowTexts(table)) yield `${text}\n`;
}

/** One document: the members of `head`, then the rows as an array under `rowsName`. */
export function* writeJson(table: ColumnTable, head: JsonObject, rowsName: string): Generator<string> {
  const members = Object.entries(head).map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)},`);
  yield `{${members.join("")}${JSON.stringify(rowsName)}:[`;
  let separator = "\n";
  for (const text of rowTexts(table)) {
    yield `${separator}${text}`;
    separator = ",\n";
  }
  yield "\n]}\n";
}

function* rowTexts(table: ColumnTable): Generator<string> {
  const names = table.columns.map((column) => `${JSON.stringify(column.name)}:`);
  const writers = table.columns.map(valueWriter);
  for (let row = 0; row < table.count; row++)
    yield `{${writers.map((write, index) => names[index] + write(row)).join(",")}}`;
}

function valueWriter(column: TableColumn): (row: number) => string {
  switch (column.kind) {
    case "number":
      // JSON.stringify writes NaN and the infinities as null.
      return (row) => JSON.stringify(column.values[row]);
    case "integer":
      return (row) => String(column.values[row]);
    case "text":
      return (row) => JSON.stringify(column.values[row] ?? null);
  }
}
