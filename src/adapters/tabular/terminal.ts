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

/** Lays out columns of equal length within `width` characters. */
export function layOutTable(columns: readonly TerminalColumn[], width: number): TerminalTable {
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
  const line = (text: (column: (typeof measured)[number]) => string) =>
    shown
      .map((column) =>
        column.align === "left" ? text(column).padEnd(column.width) : text(column).padStart(column.width),
      )
      .join(gap)
      .trimEnd();
  const lines = [line((column) => column.header), line((column) => "─".repeat(column.width))];
  const rowCount = shown[0]?.cells.length ?? 0;
  for (let row = 0; row < rowCount; row++) lines.push(line((column) => column.cells[row]!));
  return { lines, dropped };
}

/** A number with so many decimals, or a dash where it is missing. */
export function decimals(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "–";
}
