// Apache Arrow's IPC stream, in and out: columns as they are, nulls in the validity bitmap. Encoding and decoding are
// flechette's work. Separate from the text formats because here nothing is parsed, only typed.

import {
  type Column,
  columnFromValues,
  type DataType,
  float64,
  int32,
  tableFromColumns,
  tableFromIPC,
  tableToIPC,
  utf8,
} from "@uwdata/flechette";
import { allBytes, type ByteSource, boundedBytes } from "./bytes";
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

const rowsPerBatch = 65_536;

/** The table as one Arrow IPC stream. */
export function writeArrow(table: ColumnTable): Uint8Array {
  const columns = table.columns.map((column): [string, Column<unknown>] => {
    const [values, type] = arrowValues(column);
    return [column.name, columnFromValues(values, type, { maxBatchRows: rowsPerBatch })];
  });
  // With the default in-memory sink the answer is never null.
  return tableToIPC(tableFromColumns(columns), { format: "stream" })!;
}

function arrowValues(column: TableColumn): [(add: (value: unknown) => void) => void, DataType] {
  switch (column.kind) {
    case "number":
      return [(add) => column.values.forEach((value) => void add(Number.isFinite(value) ? value : null)), float64()];
    case "integer":
      return [(add) => column.values.forEach((value) => void add(value)), int32()];
    case "text":
      return [(add) => column.values.forEach((value) => void add(value)), utf8()];
  }
}

/** Reads a stream (or file) of Arrow IPC. Throws BsoptError `invalid` where it is none, or has an unknown column. */
export async function readArrow(
  source: ByteSource,
  file: string,
  schema: TableSchema,
  limits: TableLimits,
): Promise<ReadTable> {
  const bytes = await allBytes(boundedBytes(source, file, limits.bytesMax));
  let table: ReturnType<typeof tableFromIPC>;
  try {
    table = tableFromIPC(bytes, { useBigInt: false });
  } catch (cause) {
    throw malformed("MALFORMED_ARROW", file, "is no Arrow IPC stream", cause);
  }
  if (table.numRows > limits.rowsMax) throw overLimit(file, `holds more than ${limits.rowsMax} rows`);
  checkColumnNames(table.names.map(String), Object.keys(schema), file);
  const builder = new ColumnBuilder(table.names.map(String), schema);
  const columns = table.children.map((column) => column.toArray() as ArrayLike<unknown>);
  for (let row = 0; row < table.numRows; row++) {
    builder.addValues(
      row + 1,
      columns.map((column) => column[row]),
    );
  }
  return builder.finish();
}
