// The table for a person: aligned, within the screen, harmless.

import { describe, expect, test } from "bun:test";
import { decimals, foldLine, layOutTable, type TerminalColumn } from "../../../../src/adapters/tabular/terminal";

const columns: TerminalColumn[] = [
  { header: "type", align: "left", dropOrder: 0, cells: ["call", "put"] },
  { header: "strike", align: "right", dropOrder: 0, cells: ["95", "1050"] },
  { header: "rho", align: "right", dropOrder: 2, cells: ["0.1", "-12.5"] },
  { header: "vega", align: "right", dropOrder: 1, cells: ["1", "2"] },
];

describe("a table on a terminal", () => {
  test("columns are aligned under their headers", () => {
    expect(layOutTable(columns, 80)).toEqual({
      lines: [
        "type  strike    rho  vega",
        "────  ──────  ─────  ────",
        "call      95    0.1     1",
        "put     1050  -12.5     2",
      ],
      dropped: [],
    });
  });

  test("what matters least goes first where the screen is narrow, and the last columns never go", () => {
    expect(layOutTable(columns, 20).dropped).toEqual(["rho"]);
    expect(layOutTable(columns, 12).dropped).toEqual(["rho", "vega"]);
    expect(layOutTable(columns, 3).lines[0]).toBe("type  strike");
  });

  test("a note takes the place of the cells from its column on", () => {
    const { lines } = layOutTable(columns, 80, { from: "rho", notes: [null, "no bid"] });
    expect(lines[3]).toBe("put     1050  no bid");
  });

  test("a note whose column was left out changes nothing", () => {
    const { lines } = layOutTable(columns, 12, { from: "rho", notes: [null, "no bid"] });
    expect(lines[3]).toBe("put     1050");
  });

  test("S2.14 foreign text can't move the cursor", () => {
    const evil = [{ header: "id", align: "left", dropOrder: 0, cells: ["\u001b[2J"] } as const];
    expect(layOutTable(evil, 80).lines.join("")).not.toContain("\u001b");
  });

  test("no columns, no rows", () => expect(layOutTable([], 80).lines).toEqual(["", ""]));

  test("a line of figures too long for the screen is folded at its commas, and never within a figure", () => {
    const line = "forward 1030.4545, discount 0.960789, rate 4.000 %";
    expect(foldLine(line, 80)).toEqual([line]);
    expect(foldLine(line, line.length)).toEqual([line]);
    expect(foldLine(line, 40)).toEqual(["forward 1030.4545, discount 0.960789,", "  rate 4.000 %"]);
    expect(foldLine(line, 5)).toEqual(["forward 1030.4545,", "  discount 0.960789,", "  rate 4.000 %"]);
  });

  test("a missing number is a dash", () => {
    expect(decimals(Number.NaN, 2)).toBe("–");
    expect(decimals(1.005, 1)).toBe("1.0");
  });
});
