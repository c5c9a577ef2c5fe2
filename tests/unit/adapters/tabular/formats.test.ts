// The four table formats: what is written is read back the same, nulls stay nulls, and nothing malformed gets through
// without a line number.

import { describe, expect, test } from "bun:test";
import { tableFromIPC } from "@uwdata/flechette";
import { parse } from "csv-parse/sync";
import { escapeFormula } from "../../../../src/adapters/tabular/csv";
import { readTable, writeTable } from "../../../../src/adapters/tabular/formats";
import {
  type ColumnTable,
  cellFaultsMax,
  fileLimits,
  formatOfPath,
  numberFromCell,
  numbersOf,
  type ReadTable,
  type TableFormat,
  type TableSchema,
  tableFormats,
  textsOf,
} from "../../../../src/adapters/tabular/table";
import { BsoptError } from "../../../../src/foundation/errors";

const schema: TableSchema = { name: "text", value: "number", other: "number" };

async function* pieces(content: string | Uint8Array, size = 7) {
  const bytes = Buffer.from(content);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

const read = (format: TableFormat, content: string | Uint8Array, limits = fileLimits): Promise<ReadTable> =>
  readTable(format, pieces(content), "book", schema, limits);

function written(format: TableFormat, table: ColumnTable, head = {}): Uint8Array {
  return Buffer.concat([...writeTable(format, table, head)].map((chunk) => Buffer.from(chunk)));
}

async function refusal(act: Promise<unknown>): Promise<BsoptError> {
  const error = await act.then(
    () => null,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(BsoptError);
  return error;
}

const table: ColumnTable = {
  count: 5,
  columns: [
    { name: "name", kind: "text", values: ["plain", null, 'quo"te, and\nline', "ünï ☃", ""] },
    { name: "value", kind: "number", values: Float64Array.of(1.5, Number.NaN, -0.1, 1e-300, 0.1 + 0.2) },
    { name: "other", kind: "number", values: Float64Array.of(-1, Number.POSITIVE_INFINITY, 1e22, -0, 12345678901.25) },
  ],
};

describe("S5.14 a table written and read back", () => {
  test.each(tableFormats.map((format) => [format]))(
    "%s keeps every digit, every text and every null",
    async (format) => {
      const back = await readTable(format, pieces(written(format, table)), "book", schema, fileLimits);
      expect(back.count).toBe(5);
      expect(back.faultCount).toBe(0);
      expect([...numbersOf(back, "value")!]).toEqual([1.5, Number.NaN, -0.1, 1e-300, 0.30000000000000004]);
      // An infinity is no number a reader could use: it is written as null.
      expect([...numbersOf(back, "other")!].map((value) => value + 0)).toEqual([
        -1,
        Number.NaN,
        1e22,
        0,
        12345678901.25,
      ]);
      const names = textsOf(back, "name")!;
      expect(names.slice(0, 4)).toEqual(["plain", null, 'quo"te, and\nline', "ünï ☃"]);
      // CSV has one spelling for nothing.
      expect(names[4]).toBe(format === "csv" ? null : "");
    },
  );

  test("csv writes a null as an empty field, and an empty line is none of its rows", () => {
    const text = Buffer.from(written("csv", table)).toString();
    expect(text.split("\n")[0]).toBe("name,value,other");
    expect(parse(text)[2]).toEqual(["", "", ""]);
  });

  test("arrow marks nulls in the validity bitmap, where any reader finds them", () => {
    const arrow = tableFromIPC(written("arrow", table));
    expect(arrow.getChild("value")!.nullCount).toBe(1);
    expect(arrow.getChild("name")!.nullCount).toBe(1);
    expect(arrow.getChild("value")!.toArray()[1]).toBeNull();
    expect(arrow.schema.fields.map((field) => field.name)).toEqual(["name", "value", "other"]);
  });

  test("integers stay integers", () => {
    const codes: ColumnTable = {
      count: 2,
      columns: [{ name: "status", kind: "integer", values: Int32Array.of(0, 21) }],
    };
    expect(Buffer.from(written("csv", codes)).toString()).toBe("status\n0\n21\n");
    expect(Buffer.from(written("ndjson", codes)).toString()).toBe('{"status":0}\n{"status":21}\n');
    expect(tableFromIPC(written("arrow", codes)).getChild("status")!.toArray()).toEqual(Int32Array.of(0, 21));
  });

  test("json carries what is said beside the rows", () => {
    const document = JSON.parse(Buffer.from(written("json", table, { units: "market" })).toString());
    expect(document.units).toBe("market");
    expect(document.options[1]).toEqual({ name: null, value: null, other: null });
  });

  test("a table without rows is a header, an empty document, no line, no batch", () => {
    const empty: ColumnTable = { count: 0, columns: [{ name: "value", kind: "number", values: new Float64Array() }] };
    expect(Buffer.from(written("csv", empty)).toString()).toBe("value\n");
    expect(JSON.parse(Buffer.from(written("json", empty)).toString())).toEqual({ options: [] });
    expect(Buffer.from(written("ndjson", empty)).toString()).toBe("");
    expect(tableFromIPC(written("arrow", empty)).numRows).toBe(0);
  });

  test("70,000 rows, more than a batch and many chunks, come back whole", async () => {
    const values = Float64Array.from({ length: 70_000 }, (_, row) => (row % 3 === 0 ? Number.NaN : row / 7));
    const long: ColumnTable = { count: values.length, columns: [{ name: "value", kind: "number", values }] };
    for (const format of tableFormats) {
      const bytes = written(format, long);
      const back = await readTable(format, pieces(bytes, 65_536), "book", schema, fileLimits);
      expect([...numbersOf(back, "value")!]).toEqual([...values]);
    }
  });
});

describe("S2.14 text that a spreadsheet would run", () => {
  test.each([
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-1", "'-1"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["\t=1", "'\t=1"],
    ["\r=1", "'\r=1"],
    ["a=1", "a=1"],
    ["", ""],
  ])("%p is written %p", (text, expected) => expect(escapeFormula(text)).toBe(expected));

  test("a negative number stays a number", () => {
    const negative: ColumnTable = {
      count: 1,
      columns: [
        { name: "name", kind: "text", values: ["-1"] },
        { name: "value", kind: "number", values: Float64Array.of(-1) },
      ],
    };
    expect(Buffer.from(written("csv", negative)).toString()).toBe("name,value\n'-1,-1\n");
  });
});

describe("reading csv", () => {
  test.each([
    ["a byte order mark", "\ufeffname,value\na,1\n"],
    ["windows line ends", "name,value\r\na,1\r\n"],
    ["old mac line ends", "name,value\ra,1\r"],
    ["blank lines", "\n\nname,value\n\na,1\n\n"],
    ["no last line end", "name,value\na,1"],
    ["names in capitals, with spaces around", " NAME , Value \na,1\n"],
    ["trailing commas", "name,value,\na,1,\n"],
    ["quotes everywhere", '"name","value"\n"a","1"\n'],
    ["spaces around cells", "name,value\n a , 1 \n"],
  ])("%s", async (_, text) => {
    const back = await read("csv", text);
    expect(back.count).toBe(1);
    expect(textsOf(back, "name")).toEqual(["a"]);
    expect([...numbersOf(back, "value")!]).toEqual([1]);
    expect(back.faultCount).toBe(0);
  });

  test("a cell that is no number becomes null, with its line, column and what it says", async () => {
    const back = await read("csv", "name,value\na,1\nb,1.2.3\nc,\nd,NaN\n");
    expect([...numbersOf(back, "value")!]).toEqual([1, Number.NaN, Number.NaN, Number.NaN]);
    expect(back.faults).toEqual([{ line: 3, column: "value", detail: '"1.2.3" is not a number' }]);
    expect([...back.lines]).toEqual([2, 3, 4, 5]);
    expect([...back.faultyRows]).toEqual([1]);
  });

  test("a row of the wrong length keeps its place and gives nothing", async () => {
    const back = await read("csv", "name,value\na\nb,2\nc,3,4\n");
    expect(textsOf(back, "name")).toEqual([null, "b", null]);
    expect(back.faults.map(({ line, detail }) => `${line}: ${detail}`)).toEqual([
      "2: has 1 fields where the header has 2",
      "4: has 3 fields where the header has 2",
    ]);
  });

  test("of ten thousand faults a hundred are told and all are counted", async () => {
    const back = await read("csv", `name,value\n${"a,x\n".repeat(10_000)}`);
    expect(back.faultCount).toBe(10_000);
    expect(back.faults).toHaveLength(cellFaultsMax);
    expect(back.faultyRows.size).toBe(10_000);
  });

  test("S2.35 unknown columns are named, and the known ones with them", async () => {
    const error = await refusal(read("csv", "name,valeu,=cmd\na,1,2\n"));
    expect(error.code).toBe("UNKNOWN_COLUMN");
    expect(error.detail).toBe(
      'book line 1: the columns "valeu", "=cmd" are unknown; known columns: name, value, other',
    );
  });

  test("S2.35 a thousand unknown columns don't make a message of a thousand names", async () => {
    const header = Array.from({ length: 1000 }, (_, index) => `x${index}`).join(",");
    const error = await refusal(read("csv", `${header}\n`));
    expect(error.detail).toContain("and 990 more");
    expect(error.detail.length).toBeLessThan(300);
  });

  test.each([
    ["a repeated column", "name,value,name\n", "DUPLICATE_COLUMN", 'book line 1: the column "name" comes twice'],
    ["nothing", "", "EMPTY_FILE", "book: is empty; a header line was expected"],
    [
      "a quote never closed",
      'name,value\n"a,1\n',
      "MALFORMED_CSV",
      /^book line \d: a quotation mark is opened and never closed$/,
    ],
    [
      "a quote inside a field",
      'name,value\na"b,1\n',
      "MALFORMED_CSV",
      /^book line 2: a quotation mark stands inside a field/,
    ],
    [
      "text after a closing quote",
      'name,value\n"a"b,1\n',
      "MALFORMED_CSV",
      /^book line 2: a quotation mark stands inside/,
    ],
    ["zero bytes", "name,value\na\0,1\n", "NOT_TEXT", "book: holds zero bytes, so it is not text"],
  ])("%s is refused with its line", async (_, text, code, detail) => {
    const error = await refusal(read("csv", text));
    expect(error.code).toBe(code);
    expect(error.detail).toMatch(detail);
  });

  test.each([
    ["UTF-16", Uint8Array.of(0xff, 0xfe, 0x6e, 0x00), "is UTF-16 text; save it as UTF-8"],
    ["big-endian UTF-16", Uint8Array.of(0xfe, 0xff, 0x00, 0x6e), "is UTF-16 text; save it as UTF-8"],
    ["Latin-1", Uint8Array.of(0x6e, 0xfc, 0x6e, 0x0a), "is not UTF-8 text"],
    ["a character cut at the end", Uint8Array.of(0x6e, 0xe2, 0x98), "is not UTF-8 text"],
  ])("%s is refused in words", async (_, bytes, detail) => {
    for (const format of ["csv", "json", "ndjson"] as const)
      expect((await refusal(read(format, bytes))).detail).toBe(`book: ${detail}`);
  });
});

describe("S2.35 bounds on what is read", () => {
  const small = { bytesMax: 100, rowsMax: 3, lineBytesMax: 40 };
  test("too many bytes", async () => {
    const texts = {
      csv: `name\n${"a\n".repeat(60)}`,
      json: `["${"a".repeat(100)}"]`,
      ndjson: "{}\n".repeat(60),
      arrow: "x".repeat(101),
    };
    for (const format of tableFormats) {
      const error = await refusal(read(format, texts[format], { ...small, rowsMax: 1000 }));
      expect(error.reason).toBe("limit-breached");
      expect(error.detail).toBe("book: is larger than 100 bytes");
    }
  });

  test("too many rows", async () => {
    const four: ColumnTable = { count: 4, columns: [{ name: "value", kind: "number", values: new Float64Array(4) }] };
    for (const format of tableFormats) {
      const error = await refusal(read(format, written(format, four), { ...small, bytesMax: 10_000 }));
      expect(error.detail).toMatch(/^book: holds more than \d rows$/);
    }
    expect((await read("csv", "value\n1\n2\n3\n", small)).count).toBe(3);
    const columns = await refusal(read("json", '{"value":[1,2,3,4]}', small));
    expect(columns.detail).toBe("book: holds more than 3 rows");
  });

  test("too long a line", async () => {
    const csv = await refusal(read("csv", `name\n${"a".repeat(50)}\n`, small));
    expect(csv.detail).toMatch(/^book line 2: the line is longer than 40 bytes$/);
    const ndjson = await refusal(read("ndjson", `{"name":"${"a".repeat(60)}"}`, small));
    expect(ndjson.detail).toBe("book line 1: the line is longer than 40 bytes");
  });
});

describe("reading json", () => {
  test.each([
    ["rows", '[{"name":"a","value":1},{"value":2}]'],
    ["rows under options", '{"options":[{"name":"a","value":1},{"value":2}]}'],
    ["columns", '{"name":["a",null],"value":[1,2]}'],
    ["a byte order mark before rows", '\ufeff[{"name":"a","value":1},{"value":2}]'],
  ])("%s", async (_, text) => {
    const back = await read("json", text);
    expect(textsOf(back, "name")).toEqual(["a", null]);
    expect([...numbersOf(back, "value")!]).toEqual([1, 2]);
    expect(numbersOf(back, "other")).toBeUndefined();
  });

  test("a scalar column stands for every row", async () => {
    const back = await read("json", '{"name":"a","value":[1,2,3]}');
    expect(textsOf(back, "name")).toEqual(["a", "a", "a"]);
    expect((await read("json", '{"value":7}')).count).toBe(1);
  });

  test("1e999 is infinite, which is a value", async () => {
    const back = await read("json", '[{"value":1e999}]');
    expect(numbersOf(back, "value")![0]).toBe(Number.POSITIVE_INFINITY);
    expect(back.faultCount).toBe(0);
  });

  test("a value of the wrong type becomes null and a fault", async () => {
    const back = await read("json", '[{"name":1,"value":"1"},{"name":{"a":1},"value":[1]},{"name":null,"value":true}]');
    expect(textsOf(back, "name")).toEqual([null, null, null]);
    expect([...numbersOf(back, "value")!]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(back.faults[0]).toEqual({ line: 1, column: "name", detail: "is not a string" });
    expect(back.faults[1]).toEqual({ line: 1, column: "value", detail: "is not a number" });
    expect(back.faultCount).toBe(5);
  });

  test.each([
    ["broken text", '[{"name":', "MALFORMED_JSON", /^book: is not JSON: it begins "\[\{"name":"$/],
    ["a number", "5", "MALFORMED_JSON", /^book: is neither an array of rows nor an object$/],
    ["rows that are numbers", "[1]", "MALFORMED_JSON", /^book row 1: is not an object$/],
    ["an unknown name", '[{"name":"a"},{"nmae":"b"}]', "UNKNOWN_COLUMN", /^book row 2: the column "nmae" is unknown/],
    ["options beside something", '{"options":[],"x":1}', "UNKNOWN_COLUMN", /the column "x" is unknown/],
    ["columns of two lengths", '{"name":["a"],"value":[1,2]}', "COLUMN_LENGTHS", /different lengths: 1, 2$/],
    ["a prototype in disguise", '[{"__proto__":{"value":1}}]', "UNKNOWN_COLUMN", /"__proto__" is unknown/],
    ["a hundred thousand brackets", "[".repeat(100_000), "MALFORMED_JSON", /^book: is not JSON/],
  ])("%s is refused", async (_, text, code, detail) => {
    const error = await refusal(readTable("json", pieces(text, 4096), "book", schema, fileLimits));
    expect(error.code).toBe(code);
    expect(error.detail).toMatch(detail);
  });
});

describe("reading ndjson", () => {
  test("a row a line, blank lines and line ends of either kind skipped", async () => {
    const back = await read("ndjson", '\ufeff{"value":1}\r\n\n{"value":2,"name":"b"}');
    expect([...numbersOf(back, "value")!]).toEqual([1, 2]);
    expect(textsOf(back, "name")).toEqual([null, "b"]);
    expect([...back.lines]).toEqual([1, 3]);
  });

  test("one line alone, with a byte order mark and no end", async () => {
    expect((await read("ndjson", '\ufeff{"value":1}')).count).toBe(1);
  });

  test("a broken line is refused by its number", async () => {
    const error = await refusal(read("ndjson", '{"value":1}\n{"value":\n'));
    expect(error.detail).toBe('book line 2: is not JSON: it begins "{"value":"');
  });
});

describe("reading arrow", () => {
  test("bytes that are none are refused", async () => {
    expect((await refusal(read("arrow", "not arrow at all, not even nearly"))).code).toBe("MALFORMED_ARROW");
  });

  test("S2.35 an unknown column is refused by name", async () => {
    const other: ColumnTable = { count: 1, columns: [{ name: "x", kind: "number", values: Float64Array.of(1) }] };
    expect((await refusal(read("arrow", written("arrow", other)))).code).toBe("UNKNOWN_COLUMN");
  });

  test("a stream cut short is refused, not half read", async () => {
    const bytes = written("arrow", table);
    for (const length of [9, 100, bytes.length >> 1]) {
      const error = await refusal(read("arrow", bytes.subarray(0, length)));
      expect(error.code).toBe("MALFORMED_ARROW");
    }
  });
});

describe("S2.35 a cell as a number", () => {
  test.each([
    ["1", 1],
    ["-1.5e-3", -0.0015],
    [".5", 0.5],
    ["5.", 5],
    ["+2", 2],
    ["", Number.NaN],
    ["  ", Number.NaN],
    ["NaN", Number.NaN],
    ["1e999", Number.POSITIVE_INFINITY],
    ["Infinity", Number.POSITIVE_INFINITY],
    ["+inf", Number.POSITIVE_INFINITY],
    ["-inf", Number.NEGATIVE_INFINITY],
    ["abc", null],
    ["1,234", null],
    ["0x10", null],
    ["1_000", null],
    ["1 000", null],
    ["١", null],
    ["--1", null],
    ["1e", null],
    [".", null],
  ])("%p is %p", (text, expected) => expect(numberFromCell(text)).toBe(expected));

  test.each([
    ["1,234", 1234],
    ["1,234,567.5", 1234567.5],
    ["12,34", null],
    ["1,2345", null],
    [",123", null],
  ])("with thousands separators %p is %p", (text, expected) =>
    expect(numberFromCell(text, { thousandsSeparators: true })).toBe(expected),
  );
});

describe("the format a path's ending names", () => {
  test.each([
    ["out.csv", "csv"],
    ["OUT.CSV", "csv"],
    ["a.b.json", "json"],
    ["x.jsonl", "ndjson"],
    ["x.ndjson", "ndjson"],
    ["x.arrow", "arrow"],
    ["x.arrows", "arrow"],
    ["x.txt", null],
    ["csv", null],
    ["-", null],
  ])("%s: %p", (path, format) => expect(formatOfPath(path)).toBe(format as never));
});
