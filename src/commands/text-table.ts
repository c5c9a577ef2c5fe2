// A table for people in plain text: columns as wide as their widest cell, two spaces between. Separate from the commands that list things,
// which only say what stands in the cells. Cells must be printable already.

/** Lines, each with its end, none with space behind it. */
export function alignedTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, index) => Math.max(title.length, ...rows.map((row) => row[index]!.length)));
  return [header, ...rows]
    .map(
      (row) =>
        `${row
          .map((cell, index) => cell.padEnd(widths[index]!))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
