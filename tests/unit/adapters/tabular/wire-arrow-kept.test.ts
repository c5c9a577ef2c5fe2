// What Arrow's reader and writer keep from one body or answer to the next: nothing of it may be seen in what comes of them.

import { describe, expect, test } from "bun:test";
import type { TableColumn } from "../../../../src/adapters/tabular/table";
import { readWireArrow, recentArrowSchemas } from "../../../../src/adapters/tabular/wire-arrow";
import { ArrowFrames, writeWireArrow } from "../../../../src/adapters/tabular/wire-arrow-writer";
import type { WireColumn } from "../../../../src/adapters/tabular/wire-table";
import { seededRandom } from "../../../../src/foundation/random";
import { Recent } from "../../../../src/foundation/recent";
import { nextTurn } from "../../../../src/foundation/turn";

const limits = { rowsMax: 100_000, lineBytesMax: 200 };
const wanted = { strike: "number", spot: "number", option_type: "word", status: "number" } as const;

const bytesOf = (
  columns: readonly TableColumn[],
  metadata: Readonly<Record<string, string>> = {},
  frames?: ArrowFrames,
) => {
  const count = columns[0]!.values.length;
  return new Uint8Array(Buffer.concat([...writeWireArrow({ count, columns }, metadata, frames)].flat()));
};

/** Names, kinds, lengths, nulls and words as chance has it, often the same again. */
function columnsOf(random: () => number): TableColumn[] {
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)]!;
  const count = pick([0, 1, 2, 7, 8, 9, 64]);
  const words = pick([
    ["call", "put"],
    ["call", "put", null],
    ["c", "ca", "cal", "call", "calls", "c\0", "c\0\0\0", "put", "puts", "", "ü", "\0", "😀"],
  ]);
  const columns: TableColumn[] = [
    { name: pick(["strike", "spot"]), kind: "number", values: Float64Array.from({ length: count }, random) },
  ];
  if (random() < 0.3 && count > 0) (columns[0]!.values as Float64Array)[count - 1] = Number.NaN;
  if (random() < 0.5) columns.push({ name: "status", kind: "integer", values: new Int32Array(count).fill(count) });
  if (random() < 0.5) {
    const values = Array.from({ length: count }, () => pick<string | null>(words));
    columns.push({ name: "option_type", kind: "text", values });
  }
  return columns;
}

/** A column as plain values. */
function plain(column: WireColumn): unknown[] {
  if (column.kind === "number") return [...column.values];
  if (column.kind !== "word") throw new Error("a column of another kind");
  return Array.from(column.codes, (code) => (code < 0 ? null : column.words[code]));
}

describe("S2.35 what is kept between Arrow streams", () => {
  test("changes no byte of an answer, whatever was written before", () => {
    const random = seededRandom(7n).unit;
    const frames = new ArrowFrames();
    for (let round = 0; round < 1000; round++) {
      const columns = columnsOf(random);
      const metadata = { units: random() < 0.5 ? "raw" : "market", ...(random() < 0.2 && { hash: String(round) }) };
      expect(Bun.hash(bytesOf(columns, metadata, frames))).toBe(Bun.hash(bytesOf(columns, metadata)));
    }
  });

  test("changes nothing that is read, whatever was read before", async () => {
    const random = seededRandom(8n).unit;
    const known = recentArrowSchemas();
    for (let round = 0; round < 1000; round++) {
      const columns = columnsOf(random);
      const { count, columns: read } = await readWireArrow(bytesOf(columns), wanted, limits, nextTurn, known);
      expect(count).toBe(columns[0]!.values.length);
      expect([...read.keys()]).toEqual(columns.map(({ name }) => name));
      for (const { name, values } of columns) expect(plain(read.get(name)!)).toEqual([...values]);
    }
  });

  test("lets no schema pass that was right elsewhere", async () => {
    const known = recentArrowSchemas();
    const bytes = bytesOf([{ name: "strike", kind: "number", values: Float64Array.of(1) }]);
    await readWireArrow(bytes, wanted, limits, nextTurn, known);
    const elsewhere = { spot: "number" } as const;
    await expect(readWireArrow(bytes, elsewhere, limits, nextTurn, known)).rejects.toMatchObject({
      code: "SCHEMA_INVALID",
    });
  });

  test("is a copy: a body whose bytes are used again for another is read as what it is now", async () => {
    const known = recentArrowSchemas();
    const bytes = bytesOf([{ name: "strike", kind: "number", values: Float64Array.of(1) }]);
    await readWireArrow(bytes, wanted, limits, nextTurn, known);
    const at = Buffer.from(bytes.buffer).indexOf("strike");
    bytes.set(Buffer.from("strikf"), at);
    await expect(readWireArrow(bytes, wanted, limits, nextTurn, known)).rejects.toMatchObject({
      code: "SCHEMA_INVALID",
    });
  });

  test("is a few, the oldest going first", () => {
    const recent = new Recent<number>(3);
    expect(recent.find(() => true)).toBeUndefined();
    for (const item of [1, 2, 3, 4]) expect(recent.keep(item)).toBe(item);
    expect([1, 2, 3, 4].map((item) => recent.find((each) => each === item))).toEqual([undefined, 2, 3, 4]);
  });
});
