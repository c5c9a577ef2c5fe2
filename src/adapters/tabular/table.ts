// What every table format carries: columns of numbers, integers or text, all of one length. Separate from the formats
// so that the command line and the server offer the same ones. A missing number is NaN in here and null outside; the
// formats never see a row object, only columns.

import { BsoptError } from "../../foundation/errors";
import { quoted } from "../../foundation/printable";

export type TableColumn =
  /** NaN (and any infinity) is written as null. */
  | { readonly name: string; readonly kind: "number"; readonly values: Float64Array }
  | { readonly name: string; readonly kind: "integer"; readonly values: Int32Array }
  | { readonly name: string; readonly kind: "text"; readonly values: readonly (string | null)[] };

export interface ColumnTable {
  readonly count: number;
  readonly columns: readonly TableColumn[];
}

/** The columns a reader accepts, and as what. */
export type TableSchema = Readonly<Record<string, "number" | "text">>;

/** A cell that could not be read: it became null, and this says where and why. */
export interface CellFault {
  /** Line of the file, or number of the row where the format has no lines; counting from 1. */
  readonly line: number;
  readonly column: string;
  readonly detail: string;
}

/** A table as read, with what could not be. */
export interface ReadTable extends ColumnTable {
  /** At most `cellFaultsMax`; `faultCount` counts them all. */
  readonly faults: readonly CellFault[];
  readonly faultCount: number;
  /** The line (or number) each row came from. */
  readonly lines: Int32Array;
  /** Rows with at least one fault. */
  readonly faultyRows: ReadonlySet<number>;
}

/** How many faults a reader keeps in words. */
export const cellFaultsMax = 100;

/** Bounds on what a reader takes in. */
export interface TableLimits {
  readonly bytesMax: number;
  readonly rowsMax: number;
  /** Of one line or record. */
  readonly lineBytesMax: number;
}

/** Bounds for files a person names on the command line. */
export const fileLimits: TableLimits = { bytesMax: 2 ** 30, rowsMax: 2_000_000, lineBytesMax: 65_536 };

export const tableFormats = ["csv", "json", "ndjson", "arrow"] as const;

export type TableFormat = (typeof tableFormats)[number];

/** The format a path's ending names, or null. */
export function formatOfPath(path: string): TableFormat | null {
  const ending = /\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase();
  switch (ending) {
    case "csv":
    case "json":
    case "ndjson":
      return ending;
    case "jsonl":
      return "ndjson";
    case "arrow":
    case "arrows":
      return "arrow";
    default:
      return null;
  }
}

/** A column of numbers by name, or undefined. */
export function numbersOf(table: ColumnTable, name: string): Float64Array | undefined {
  const column = table.columns.find((candidate) => candidate.name === name);
  return column?.kind === "number" ? column.values : undefined;
}

/** A column of text by name, or undefined. */
export function textsOf(table: ColumnTable, name: string): readonly (string | null)[] | undefined {
  const column = table.columns.find((candidate) => candidate.name === name);
  return column?.kind === "text" ? column.values : undefined;
}

/** A file that can't be read as what it should be. `where` names the file and, if known, the line. */
export function malformed(code: string, where: string, detail: string, cause?: unknown): BsoptError {
  return new BsoptError({ reason: "invalid", code, detail: `${where}: ${detail}`, cause });
}

/** A file over one of its bounds. */
export function overLimit(where: string, detail: string): BsoptError {
  return new BsoptError({ reason: "limit-breached", code: "FILE_TOO_LARGE", detail: `${where}: ${detail}` });
}

/**
 * Refuses unknown, repeated and missing column names, naming them and the known ones.
 * Throws BsoptError `invalid`: UNKNOWN_COLUMN or DUPLICATE_COLUMN.
 */
export function checkColumnNames(names: readonly string[], known: readonly string[], where: string): void {
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    const shown = unknown.slice(0, 10).map((name) => quoted(name));
    const more = unknown.length > shown.length ? ` and ${unknown.length - shown.length} more` : "";
    const [noun, verb] = unknown.length === 1 ? ["column", "is"] : ["columns", "are"];
    throw malformed(
      "UNKNOWN_COLUMN",
      where,
      `the ${noun} ${shown.join(", ")}${more} ${verb} unknown; known columns: ${known.join(", ")}`,
    );
  }
  const repeated = names.filter((name, index) => names.indexOf(name) !== index);
  if (repeated.length > 0) throw malformed("DUPLICATE_COLUMN", where, `the column ${quoted(repeated[0]!)} comes twice`);
}

const plainNumber = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const groupedNumber = /^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/;

/**
 * A cell as a number: NaN where it is empty or says NaN, null where it says something else altogether. `1e999` and
 * `Infinity` are infinite, which is a value the kernel answers with a status.
 */
export function numberFromCell(text: string, options: { thousandsSeparators?: boolean } = {}): number | null {
  const cell = text.trim();
  if (cell === "" || /^[+-]?nan$/i.test(cell)) return Number.NaN;
  if (plainNumber.test(cell)) return Number(cell);
  if (options.thousandsSeparators && groupedNumber.test(cell)) return Number(cell.replaceAll(",", ""));
  if (/^\+?inf(inity)?$/i.test(cell)) return Number.POSITIVE_INFINITY;
  if (/^-inf(inity)?$/i.test(cell)) return Number.NEGATIVE_INFINITY;
  return null;
}
