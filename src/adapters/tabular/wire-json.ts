// An answer as one JSON document of columns, in pieces: members before, a member a column, members after. Separate from
// json.ts, which writes rows. Columns are written straight from their arrays: no array of boxed numbers in between.

import type { ColumnTable, TableColumn } from "./table";
import { isFiniteThroughout } from "./wire-arrow-writer";

const rowsPerPiece = 8192;

export type JsonMembers = Readonly<Record<string, unknown>>;

/** The document's text in pieces of some hundred kilobytes at most. Members that are undefined are left out. */
export function* writeWireJson(before: JsonMembers, table: ColumnTable, after: JsonMembers): Generator<string> {
  let text = "{";
  let isFirst = true;
  const separator = () => {
    const mark = isFirst ? "" : ",";
    isFirst = false;
    return mark;
  };
  const members = (all: JsonMembers) => {
    for (const [name, value] of Object.entries(all)) {
      if (value !== undefined) text += `${separator()}${JSON.stringify(name)}:${JSON.stringify(value)}`;
    }
  };
  members(before);
  for (const column of table.columns) {
    text += `${separator()}${JSON.stringify(column.name)}:[`;
    for (let start = 0; start < table.count; start += rowsPerPiece) {
      const stop = Math.min(table.count, start + rowsPerPiece);
      text += `${start === 0 ? "" : ","}${itemsOf(column, start, stop)}`;
      if (stop - start === rowsPerPiece) {
        yield text;
        text = "";
      }
    }
    text += "]";
  }
  members(after);
  yield `${text}}`;
}

/** The items between the brackets. */
function itemsOf(column: TableColumn, start: number, stop: number): string {
  switch (column.kind) {
    case "number": {
      const { values } = column;
      const part = start === 0 && stop === values.length ? values : values.subarray(start, stop);
      if (isFiniteThroughout(values, start, stop)) return part.join(",");
      return Array.from(part, (value) => (value - value === 0 ? String(value) : "null")).join(",");
    }
    case "integer":
      return column.values.subarray(start, stop).join(",");
    case "text":
      return JSON.stringify(column.values.slice(start, stop)).slice(1, -1);
  }
}
