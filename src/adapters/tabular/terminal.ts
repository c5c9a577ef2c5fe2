// A table for a person at a terminal: aligned, with a rule under the header, no wider than the screen. Where it does not
// fit, the columns that matter least go first, and the caller is told which. Separate from the machine formats: nothing
// reads this back.

import { printable } from "../../foundation/printable";

export interface TerminalColumn {
  readonly header: string;
  readonly align: "left" | "right";
  readonly cells: readonly string[];
  /** Columns with the highest number are left out first; 0 never is. */
  readonly dropOrder: number;
}

export interface TerminalTable {
  readonly lines: readonly string[];
  /** Headers of the columns there was no room for. */
  readonly dropped: readonly string[];
}

const gap = "  ";

/** What stands in a row instead of its cells from some column on. */
export interface RowNotes {
  readonly notes: readonly (string | null)[];
  /** Header of the first column the note replaces. */
  readonly from: string;
}

/** Lays out columns of equal length within `width` characters. */
export function layOutTable(columns: readonly TerminalColumn[], width: number, rowNotes?: RowNotes): TerminalTable {
  const measured = columns.map((column) => {
    const cells = column.cells.map(printable);
    const widest = cells.reduce((max, cell) => Math.max(max, cell.length), column.header.length);
    return { ...column, cells, width: widest };
  });
  const dropped: string[] = [];
  let shown = measured;
  const total = () => shown.reduce((sum, column) => sum + column.width + gap.length, -gap.length);
  while (total() > width) {
    const last = shown.reduce((worst, column) => (column.dropOrder > worst.dropOrder ? column : worst));
    if (last.dropOrder === 0) break;
    shown = shown.filter((column) => column !== last);
    dropped.push(last.header);
  }
  type Measured = (typeof measured)[number];
  const padded = (column: Measured, text: string) =>
    column.align === "left" ? text.padEnd(column.width) : text.padStart(column.width);
  const line = (some: readonly Measured[], text: (column: Measured) => string) =>
    some.map((column) => padded(column, text(column))).join(gap);
  const lines = [line(shown, (column) => column.header), line(shown, (column) => "─".repeat(column.width))];
  const noteAt = shown.findIndex((column) => column.header === rowNotes?.from);
  const rowCount = shown[0]?.cells.length ?? 0;
  for (let row = 0; row < rowCount; row++) {
    const note = rowNotes?.notes[row] ?? null;
    if (note === null || noteAt < 0) lines.push(line(shown, (column) => column.cells[row]!));
    else lines.push(`${line(shown.slice(0, noteAt), (column) => column.cells[row]!)}${gap}${printable(note)}`);
  }
  return { lines: lines.map((text) => text.trimEnd()), dropped };
}

/** A number with so many decimals, or a dash where it is missing. */
export function decimals(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "–";
}

/** A line of figures in lines of at most `width` characters, broken after commas, the later ones indented. */
export function foldLine(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const part of text.split(/(?<=,) /)) {
    const joined = lines.length === 0 ? part : `${lines.at(-1)} ${part}`;
    if (lines.length > 0 && joined.length <= width) lines[lines.length - 1] = joined;
    else lines.push(lines.length === 0 ? part : `  ${part}`);
  }
  return lines;
}
