// A client's CSV (RFC 4180) to columns, straight from the text: a header of names, then rows. Its own reader beside csv.ts,
// because a row of numbers without quotation marks is cut and converted at once, several times faster than a general
// parser hands out records. An empty cell is a missing value; a cell that is no number where one belongs is a fault.

import { slicesOf, textChunks } from "./bytes";
import { numberFromCell } from "./table";
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
export async function readWireCsv(
  bytes: Uint8Array,
  schema: WireSchema,
  limits: WireLimits,
  giveWay: GiveWay,
): Promise<WireTable> {
  const faults = new TableFaults();
  let rows: Rows | null = null;
  let recordNumber = 0;
  for await (const records of recordsOf(bytes, limits, giveWay)) {
    for (const record of records) {
      recordNumber += 1;
      if (record === "") continue;
      const cells = cellsOf(record, recordNumber);
      if (rows === null) {
        const names = cells.map((cell) => cell.trim());
        checkNames(names, schema, faults);
        faults.throwIfAny();
        rows = new Rows(names, schema, faults);
        continue;
      }
      if (rows.count === limits.rowsMax) throw tooManyRows(limits.rowsMax);
      rows.add(cells);
      if (faults.isFull) faults.throwIfAny();
    }
  }
  if (rows === null) throw malformedTable("The body is empty; a header line was expected");
  faults.throwIfAny();
  return rows.finish();
}

class Rows {
  count = 0;
  readonly #columns: readonly { readonly name: string; readonly cells: GrowingNumbers | GrowingWords }[];
  readonly #faults: TableFaults;

  constructor(names: readonly string[], schema: WireSchema, faults: TableFaults) {
    this.#columns = names.map((name) => ({
      name,
      cells: schema[name] === "number" ? new GrowingNumbers() : new GrowingWords(),
    }));
    this.#faults = faults;
  }

  add(texts: readonly string[]): void {
    const columns = this.#columns;
    if (texts.length !== columns.length) {
      const nearest = columns[Math.min(texts.length, columns.length - 1)]!.name;
      const detail = `the row has ${texts.length} cells where the header has ${columns.length}`;
      this.#faults.add(nearest, this.count, "LENGTH_MISMATCH", detail);
      this.count += 1;
      return;
    }
    for (let index = 0; index < columns.length; index++) {
      const { name, cells } = columns[index]!;
      const text = texts[index]!;
      if (cells instanceof GrowingNumbers) {
        const value = numberOf(text);
        if (value === null) this.#faults.add(name, this.count, "WRONG_TYPE", "must be a number");
        cells.push(value ?? Number.NaN);
      } else cells.push(text.trim() || null);
    }
    this.count += 1;
  }

  finish(): WireTable {
    const columns = this.#columns.map(({ name, cells }): [string, WireColumn] => [name, cells.finish()]);
    return new WireTable(this.count, new Map(columns));
  }
}

/** A cell's number, NaN where it is empty, null where it is none. */
function numberOf(text: string): number | null {
  const value = +text;
  // Number() also takes hexadecimal and its kin, an empty text for 0, and "Infinity"; those few go the careful way.
  if (value !== 0 && value - value === 0 && text.charCodeAt(0) > 32 && text.charCodeAt(1) < 58) return value;
  return numberFromCell(text);
}

/** The cells of one record. */
function cellsOf(record: string, recordNumber: number): string[] {
  if (!record.includes('"')) return record.split(",");
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    if (record[at] === '"') {
      let text = "";
      let from = at + 1;
      for (;;) {
        const end = record.indexOf('"', from);
        if (end < 0) throw malformedTable(`Record ${recordNumber}: a quotation mark is opened and never closed`);
        text += record.slice(from, end);
        if (record[end + 1] !== '"') {
          at = end + 1;
          break;
        }
        text += '"';
        from = end + 2;
      }
      cells.push(text);
      if (at < record.length && record[at] !== ",") {
        throw malformedTable(`Record ${recordNumber}: something follows a closing quotation mark`);
      }
    } else {
      const comma = record.indexOf(",", at);
      const end = comma < 0 ? record.length : comma;
      const text = record.slice(at, end);
      if (text.includes('"')) {
        throw malformedTable(
          `Record ${recordNumber}: a quotation mark stands inside a cell; double it ("") and quote the cell`,
        );
      }
      cells.push(text);
      at = end;
    }
    if (at >= record.length) return cells;
    at += 1;
  }
}

/** Records without their line ends, by the chunk. A line end inside quotation marks belongs to its cell. */
async function* recordsOf(bytes: Uint8Array, limits: WireLimits, giveWay: GiveWay): AsyncGenerator<readonly string[]> {
  let rest = "";
  /** The beginning of a record whose quotation mark is still open. */
  let open = "";
  for await (const chunk of textChunks(slicesOf(bytes), "The body")) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    const records: string[] = [];
    for (const line of lines) {
      const record = open + withoutReturn(line);
      if (record.length > limits.lineBytesMax) throw lineTooLong(limits);
      if (isOpen(record)) {
        open = `${record}\n`;
      } else {
        open = "";
        records.push(record);
      }
    }
    if (rest.length > limits.lineBytesMax) throw lineTooLong(limits);
    yield records;
    await giveWay();
  }
  const record = open + withoutReturn(rest);
  if (record !== "") yield [record];
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

/** Whether a quotation mark is still open: there is an odd number of them. */
function isOpen(record: string): boolean {
  let isInside = false;
  for (let at = record.indexOf('"'); at >= 0; at = record.indexOf('"', at + 1)) isInside = !isInside;
  return isInside;
}

function lineTooLong(limits: WireLimits) {
  return malformedTable(`A line is longer than ${limits.lineBytesMax} characters`);
}
