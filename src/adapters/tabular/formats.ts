// The formats by their names: one switch to read and one to write, so that a new format is one more case in each.

import { readArrow, writeArrow } from "./arrow";
import type { ByteSource } from "./bytes";
import { readCsv, writeCsv } from "./csv";
import { readJson, readNdjson, writeJson, writeNdjson } from "./json";
import type { ColumnTable, ReadTable, TableFormat, TableLimits, TableSchema } from "./table";

/** Reads a table in the given format; `file` is what messages call it. Throws BsoptError where it is malformed. */
export function readTable(
  format: TableFormat,
  source: ByteSource,
  file: string,
  schema: TableSchema,
  limits: TableLimits,
): Promise<ReadTable> {
  switch (format) {
    case "csv":
      return readCsv(source, file, schema, limits);
    case "json":
      return readJson(source, file, schema, limits);
    case "ndjson":
      return readNdjson(source, file, schema, limits);
    case "arrow":
      return readArrow(source, file, schema, limits);
  }
}

/** The table in the given format, in chunks. `head` becomes members of a JSON document, beside the rows under `rowsName`. */
export function* writeTable(
  format: TableFormat,
  table: ColumnTable,
  head: Readonly<Record<string, unknown>>,
  rowsName = "options",
): Generator<string | Uint8Array> {
  switch (format) {
    case "csv":
      return yield* writeCsv(table);
    case "json":
      return yield* writeJson(table, head, rowsName);
    case "ndjson":
      return yield* writeNdjson(table);
    case "arrow":
      yield writeArrow(table);
  }
}
