// An answer as one JSON document of columns, in pieces: members before, a member a column, members after. Separate from
// json.ts, which writes rows. Columns are written straight from their arrays: no array of boxed numbers in between, and
// where somebody offers a quicker way to write numbers (`NumbersText`) by that one, character for character the same.

import { ByteWriter } from "./byte-writer";
import type { ColumnTable, TableColumn } from "./table";
import { isFiniteThroughout } from "./wire-arrow-writer";

const rowsPerPiece = 8192;
const encoder = new TextEncoder();

export type JsonMembers = Readonly<Record<string, unknown>>;

/** The longest text of a number, "-1.2345678901234567e-308", and its comma. */
export const numberBytesMax = 25;

/**
 * Writes the numbers from start to stop with commas between, as String() would, null for what is not finite, into `to` from
 * `at` on, where there are `numberBytesMax` bytes for each; returns where they end.
 */
export type NumbersText = (values: Float64Array, start: number, stop: number, to: Uint8Array, at: number) => number;

export interface JsonDocument {
  readonly before: JsonMembers;
  readonly table: ColumnTable;
  readonly after: JsonMembers;
}

/** The document in pieces of some hundred kilobytes at most. Members that are undefined are left out. */
export function* writeWireJson(
  document: JsonDocument,
  numbersText: NumbersText = plainNumbers,
): Generator<readonly Uint8Array[]> {
  const writer = new ByteWriter();
  for (const _ of jsonSteps(writer, document, numbersText)) yield [writer.take()];
  yield [writer.take()];
}

/** The same document behind what the writer holds, at once. */
export function joinWireJson(
  writer: ByteWriter,
  document: JsonDocument,
  numbersText: NumbersText = plainNumbers,
): void {
  for (const _ of jsonSteps(writer, document, numbersText));
}

/** Writes the document; stops where a piece has come together. */
function* jsonSteps(
  writer: ByteWriter,
  { before, table, after }: JsonDocument,
  numbersText: NumbersText,
): Generator<void> {
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
        writer.text(text);
        writer.filled((stop - start) * numberBytesMax, (to, at) => numbersText(column.values, start, stop, to, at));
        text = "";
      } else text += itemsOf(column, start, stop);
      if (stop - start < rowsPerPiece) continue;
      writer.text(text);
      text = "";
      yield;
    }
    text += "]";
  }
  members(after);
  writer.text(`${text}}`);
}

/** The runtime's own way. */
export function plainNumbers(values: Float64Array, start: number, stop: number, to: Uint8Array, at: number): number {
  const part = values.subarray(start, stop);
  const text = isFiniteThroughout(values, start, stop)
    ? part.join(",")
    : Array.from(part, (value) => (value - value === 0 ? String(value) : "null")).join(",");
  return at + encoder.encodeInto(text, to.subarray(at)).written;
}

/** The items between the brackets. */
function itemsOf(column: Exclude<TableColumn, { kind: "number" }>, start: number, stop: number): string {
  switch (column.kind) {
    case "integer":
      return integersText(column.values, start, stop);
    case "text":
      return JSON.stringify(column.values.slice(start, stop)).slice(1, -1);
  }
}

/** Most often it is one and the same: every option's status is 0. */
function integersText(values: Int32Array, start: number, stop: number): string {
  const first = values[start];
  for (let row = start + 1; row < stop; row++) {
    if (values[row] !== first) return values.subarray(start, stop).join(",");
  }
  return stop === start ? "" : `${first},`.repeat(stop - start - 1) + first;
}
