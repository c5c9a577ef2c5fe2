// A client's NDJSON to columns: one object a line, all with the same members. Separate from json.ts for the reason
// wire-table.ts gives. As in a JSON body a null or a text is no number but a wrong shape; 1e999 is a value.

import { slicesOf, textChunks } from "./bytes";
import {
  checkNames,
  type GiveWay,
  GrowingNumbers,
  GrowingWords,
  malformedTable,
  TableFaults,
  tooManyRows,
  type WireColumn,
  type WireLimits,
  type WireSchema,
  WireTable,
} from "./wire-table";

/** Throws BsoptError: BODY_MALFORMED, BATCH_TOO_LARGE, or SCHEMA_INVALID with the faults by column and row. */
export async function readWireNdjson(
  bytes: Uint8Array,
  schema: WireSchema,
  limits: WireLimits,
  giveWay: GiveWay,
): Promise<WireTable> {
  const faults = new TableFaults();
  let columns: readonly Column[] | null = null;
  let count = 0;
  let lineNumber = 0;
  for await (const lines of linesOf(bytes, limits, giveWay)) {
    for (const line of lines) {
      lineNumber += 1;
      if (line.trim() === "") continue;
      const row = objectOf(line, lineNumber);
      if (count === limits.rowsMax) throw tooManyRows(limits.rowsMax);
      columns ??= columnsOf(row, schema, faults);
      addRow(row, columns, count, schema, faults);
      count += 1;
      if (faults.isFull) faults.throwIfAny();
    }
  }
  faults.throwIfAny();
  return new WireTable(
    count,
    new Map((columns ?? []).map(({ name, cells }): [string, WireColumn] => [name, cells.finish()])),
  );
}

type Column =
  | { readonly name: string; readonly kind: "number"; readonly cells: GrowingNumbers }
  | { readonly name: string; readonly kind: "word"; readonly cells: GrowingWords };

type Row = Readonly<Record<string, unknown>>;

/** The first row says which columns there are. */
function columnsOf(row: Row, schema: WireSchema, faults: TableFaults): readonly Column[] {
  const names = Object.keys(row);
  checkNames(names, schema, faults);
  faults.throwIfAny();
  return names.map((name) =>
    schema[name] === "number"
      ? { name, kind: "number", cells: new GrowingNumbers() }
      : { name, kind: "word", cells: new GrowingWords() },
  );
}

function addRow(row: Row, columns: readonly Column[], index: number, schema: WireSchema, faults: TableFaults): void {
  let seen = 0;
  for (const { name, kind, cells } of columns) {
    const value = Object.hasOwn(row, name) ? row[name] : undefined;
    if (value !== undefined) seen += 1;
    if (kind === "number") {
      if (typeof value === "number") cells.push(value);
      else faults.add(name, index, ...faultOf(value, "a number"));
    } else if (typeof value === "string") cells.push(value);
    else if (schema[name] === "list" && Array.isArray(value)) cells.push(JSON.stringify(value));
    else faults.add(name, index, ...faultOf(value, schema[name] === "list" ? "a list or a string" : "a string"));
  }
  if (seen === columns.length && seen === Object.keys(row).length) return;
  for (const name of Object.keys(row)) {
    if (columns.some((column) => column.name === name)) continue;
    if (!Object.hasOwn(schema, name)) faults.add(name, index, "UNKNOWN_FIELD", "is not a column of this batch");
    else faults.add(name, index, "UNEXPECTED", "is not in the first row: every row has the same members");
  }
}

function faultOf(value: unknown, wanted: string): [code: string, detail: string] {
  return value === undefined
    ? ["REQUIRED", "is missing here: every row has the same members"]
    : ["WRONG_TYPE", `must be ${wanted}`];
}

function objectOf(line: string, lineNumber: number): Row {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw malformedTable(`Line ${lineNumber} is not JSON`, cause);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Row;
  throw malformedTable(`Line ${lineNumber} is not an object`);
}

/** Lines by the chunk: handing them out one by one would cost more than reading them. */
async function* linesOf(bytes: Uint8Array, limits: WireLimits, giveWay: GiveWay): AsyncGenerator<readonly string[]> {
  let rest = "";
  for await (const chunk of textChunks(slicesOf(bytes), "The body")) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    if (rest.length > limits.lineBytesMax || lines.some((line) => line.length > limits.lineBytesMax)) {
      throw malformedTable(`A line is longer than ${limits.lineBytesMax} characters`);
    }
    yield lines;
    await giveWay();
  }
  if (rest !== "") yield [rest];
}
