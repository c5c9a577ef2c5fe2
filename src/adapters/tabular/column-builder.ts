// Gathers rows of cells into columns as a reader meets them, whatever the format, and keeps count of what could not be
// read. Separate so that CSV, JSON, NDJSON and Arrow give the same columns and the same faults for the same mistakes.

import { quoted } from "../../foundation/printable";
import {
  type CellFault,
  cellFaultsMax,
  numberFromCell,
  type ReadTable,
  type TableColumn,
  type TableSchema,
} from "./table";

export class ColumnBuilder {
  readonly #names: readonly string[];
  readonly #schema: TableSchema;
  readonly #cells: (number | string | null)[][];
  readonly #faults: CellFault[] = [];
  readonly #lines: number[] = [];
  readonly #faultyRows = new Set<number>();
  #faultCount = 0;
  #count = 0;

  /** Every name must be in the schema (see checkColumnNames). */
  constructor(names: readonly string[], schema: TableSchema) {
    this.#names = names;
    this.#schema = schema;
    this.#cells = names.map(() => []);
  }

  get count(): number {
    return this.#count;
  }

  /** A row of text cells in the order of the names. */
  addCells(line: number, cells: readonly string[]): void {
    this.#names.forEach((name, index) => {
      const cell = cells[index] ?? "";
      this.#cells[index]!.push(this.#schema[name] === "text" ? cell.trim() || null : this.#number(line, name, cell));
    });
    this.#endRow(line);
  }

  /** A row of JSON values in the order of the names; undefined is missing. */
  addValues(line: number, values: readonly unknown[]): void {
    this.#names.forEach((name, index) => {
      const value = values[index];
      const kind = this.#schema[name]!;
      const isRight = kind === "number" ? typeof value === "number" : typeof value === "string";
      if (value !== null && value !== undefined && !isRight)
        this.#fault({ line, column: name, detail: `is not a ${kind === "number" ? "number" : "string"}` });
      const empty = kind === "number" ? Number.NaN : null;
      this.#cells[index]!.push(isRight ? (value as number | string) : empty);
    });
    this.#endRow(line);
  }

  /** A row of which nothing could be read: it keeps its place, all null. */
  addEmptyRow(fault: CellFault): void {
    this.#names.forEach((name, index) => {
      this.#cells[index]!.push(this.#schema[name] === "number" ? Number.NaN : null);
    });
    this.#fault(fault);
    this.#endRow(fault.line);
  }

  finish(): ReadTable {
    const columns = this.#names.map((name, index): TableColumn => {
      const values = this.#cells[index]!;
      return this.#schema[name] === "number"
        ? { name, kind: "number", values: Float64Array.from(values as number[]) }
        : { name, kind: "text", values: values as (string | null)[] };
    });
    return {
      count: this.#count,
      columns,
      faults: this.#faults,
      faultCount: this.#faultCount,
      lines: Int32Array.from(this.#lines),
      faultyRows: this.#faultyRows,
    };
  }

  #number(line: number, column: string, cell: string): number {
    const value = numberFromCell(cell);
    if (value === null) this.#fault({ line, column, detail: `${quoted(cell)} is not a number` });
    return value ?? Number.NaN;
  }

  #endRow(line: number): void {
    this.#lines.push(line);
    this.#count += 1;
  }

  #fault(fault: CellFault): void {
    this.#faultCount += 1;
    this.#faultyRows.add(this.#count);
    if (this.#faults.length < cellFaultsMax) this.#faults.push(fault);
  }
}
