// An answer as one JSON document of columns, in pieces: members before, a member a column, members after. Separate from
// json.ts, which writes rows. Columns are written straight from their arrays: no array of boxed numbers in between, and
// where somebody offers a quicker way to write numbers (`NumbersText`) by that one, character for character the same.

import type { ColumnTable, TableColumn } from "./table";
import { isFiniteThroughout } from "./wire-arrow-writer";

const rowsPerPiece = 8192;
const encoder = new TextEncoder();

export type JsonMembers = Readonly<Record<string, unknown>>;

/** Writes the numbers from start to stop with commas between, as String() would, null for what is not finite. */
export type NumbersText = (values: Float64Array, start: number, stop: number) => Uint8Array;

/** The document in pieces of some hundred kilobytes at most. Members that are undefined are left out. */
export function* writeWireJson(
  before: JsonMembers,
  table: ColumnTable,
  after: JsonMembers,
  numbersText: NumbersText = plainNumbers,
): Generator<readonly Uint8Array[]> {
  let parts: Uint8Array[] = [];
  let text = "{";
  let isFirst = true;
  const member = (name: string) => {
    text += `${isFirst ? "" : ","}${JSON.stringify(name)}:`;
    isFirst = false;
  };
  const members = (all: JsonMembers) => {
    for (const [name, value] of Object.entries(all)) {
      if (value === undefined) continue;
      member(name);
      text += JSON.stringify(value);
    }
  };
  members(before);
  for (const column of table.columns) {
    member(column.name);
    text += "[";
    for (let start = 0; start < table.count; start += rowsPerPiece) {
      const stop = Math.min(table.count, start + rowsPerPiece);
      if (start > 0) text += ",";
      if (column.kind === "number") {
        parts.push(encoder.encode(text), numbersText(column.values, start, stop));
        text = "";
      } else text += itemsOf(column, start, stop);
      if (stop - start < rowsPerPiece) continue;
      yield [...parts, encoder.encode(text)];
      parts = [];
      text = "";
    }
    text += "]";
  }
  members(after);
  yield [...parts, encoder.encode(`${text}}`)];
}

/** The runtime's own way. */
export function plainNumbers(values: Float64Array, start: number, stop: number): Uint8Array {
  const part = values.subarray(start, stop);
  if (isFiniteThroughout(values, start, stop)) return encoder.encode(part.join(","));
  return encoder.encode(Array.from(part, (value) => (value - value === 0 ? String(value) : "null")).join(","));
}

/** The items between the brackets. */
function itemsOf(column: Exclude<TableColumn, { kind: "number" }>, start: number, stop: number): string {
  switch (column.kind) {
    case "integer":
      return column.values.subarray(start, stop).join(",");
    case "text":
      return JSON.stringify(column.values.slice(start, stop)).slice(1, -1);
  }
}
