// Tables as clients send and get them: what each format's bytes come to, what is refused and where, and that what is
// written is read back the same by a reader that is not ours. Arrow is judged by flechette, JSON by JSON.parse.

import { describe, expect, test } from "bun:test";
import {
  columnFromArray,
  dictionary,
  float32,
  float64,
  int32,
  int64,
  tableFromColumns,
  tableFromIPC,
  tableToIPC,
  uint8,
  utf8,
} from "@uwdata/flechette";
import type { TableColumn } from "../../../../src/adapters/tabular/table";
import { joinedWireAnswer, readWireTable, WireWriter, writeWireAnswer } from "../../../../src/adapters/tabular/wire";
import { streamedPieces } from "../../../../src/adapters/tabular/wire-stream";
import type { WireFormat, WireTable } from "../../../../src/adapters/tabular/wire-table";
import { BsoptError } from "../../../../src/foundation/errors";
import { nextTurn } from "../../../../src/foundation/turn";

const schema = { strike: "number", spot: "number", option_type: "word", expiry: "word", fixings: "list" } as const;
const limits = { rowsMax: 5, lineBytesMax: 200 };
const bytesOf = (text: string) => new TextEncoder().encode(text);

const read = (format: WireFormat, body: string | Uint8Array) =>
  readWireTable(format, typeof body === "string" ? bytesOf(body) : body, schema, limits, nextTurn);

async function failureOf(reading: Promise<unknown>): Promise<BsoptError> {
  try {
    await reading;
  } catch (error) {
    expect(error).toBeInstanceOf(BsoptError);
    return error as BsoptError;
  }
  throw new Error("nothing was thrown");
}

/** A table as plain arrays. */
function plain({ count, columns }: WireTable): Record<string, unknown> {
  const told = [...columns].map(([name, column]) => [
    name,
    column.kind === "number"
      ? [...column.values]
      : Array.from(column.codes, (code) => (code < 0 ? null : column.words[code])),
  ]);
  return { count, ...Object.fromEntries(told) };
}

describe("S2.35 CSV", () => {
  const taken: readonly (readonly [string, string, object])[] = [
    [
      "numbers and words",
      "strike,option_type\n95,call\n1e2,put\n",
      { count: 2, strike: [95, 100], option_type: ["call", "put"] },
    ],
    ["CRLF and no end of line", "strike,spot\r\n1,2\r\n3,4", { count: 2, strike: [1, 3], spot: [2, 4] }],
    ["a byte order mark", "\uFEFFstrike\n1\n", { count: 1, strike: [1] }],
    ["a header alone", "strike,spot\n", { count: 0, strike: [], spot: [] }],
    ["lists as their text", "fixings\n0.25;0.5\n", { count: 1, fixings: ["0.25;0.5"] }],
    ["blank lines", "strike,spot\n\n1,2\n\n", { count: 1, strike: [1], spot: [2] }],
    ["empty cells as missing", "strike,option_type\n,\n", { count: 1, strike: [Number.NaN], option_type: [null] }],
    [
      "words for what is no number",
      "strike\nNaN\n-inf\n1e999\n",
      { count: 3, strike: [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] },
    ],
    [
      "quoted cells, quotes and line ends in them",
      'strike,expiry\n"1","a ""b"", c\nd"\n2,e\n',
      { count: 2, strike: [1, 2], expiry: ['a "b", c\nd', "e"] },
    ],
    [
      "spaces around numbers and words",
      " strike , option_type \n 1 , call \n",
      { count: 1, strike: [1], option_type: ["call"] },
    ],
    ["zero, negative zero and one digit", "strike\n0\n-0\n5\n", { count: 3, strike: [0, -0, 5] }],
  ];
  for (const [title, body, expected] of taken) {
    test(`takes ${title}`, async () => {
      expect(plain(await read("csv", body))).toEqual(expected as Record<string, unknown>);
    });
  }

  const faults: readonly (readonly [string, string, readonly string[]])[] = [
    ["an unknown column", "strike,colour\n1,2\n", ["/colour UNKNOWN_FIELD"]],
    ["a column's name with a slash", "a/b~c\n1\n", ["/a~1b~0c UNKNOWN_FIELD"]],
    ["a column twice", "strike,strike\n1,2\n", ["/strike REPEATED"]],
    ["a word for a number", "strike,spot\n1,2\n1,x\n", ["/spot/1 WRONG_TYPE"]],
    ["hexadecimal", "strike\n0x10\n 0x10\n", ["/strike/0 WRONG_TYPE", "/strike/1 WRONG_TYPE"]],
    [
      "a row too short, and one too long",
      "strike,spot\n1\n1,2,3\n",
      ["/spot/0 LENGTH_MISMATCH", "/spot/1 LENGTH_MISMATCH"],
    ],
  ];
  for (const [title, body, expected] of faults) {
    test(`refuses ${title}, pointing at it`, async () => {
      const { faults, reason } = await failureOf(read("csv", body));
      expect([reason, ...faults.map(({ pointer, code }) => `${pointer} ${code}`)]).toEqual(["invalid", ...expected]);
    });
  }

  const malformed: readonly (readonly [string, string | Uint8Array])[] = [
    ["nothing", ""],
    ["an open quotation mark", 'strike\n"1\n'],
    ["a quotation mark inside a cell", 'strike\n1"2"\n'],
    ["text after a closing quotation mark", 'strike\n"1"2\n'],
    ["a line past the limit", `strike\n${"1".repeat(201)}\n`],
    ["a quoted cell that never ends", `expiry\n"${"a\n".repeat(200)}`],
    ["zero bytes", "strike\n\0\n"],
    ["bytes that are not UTF-8", Uint8Array.of(0x73, 0xff, 0xfe)],
    ["UTF-16", Uint8Array.of(0xff, 0xfe, 0x73, 0x00)],
  ];
  for (const [title, body] of malformed) {
    test(`is not ${title}`, async () => {
      expect(await failureOf(read("csv", body))).toMatchObject({ reason: "invalid", faults: [] });
    });
  }
});

describe("S2.35 NDJSON", () => {
  test("takes a row a line, blank lines between them, members in any order", async () => {
    const body = '{"strike":1,"option_type":"call"}\n\n{"option_type":"put","strike":1e999}';
    expect(plain(await read("ndjson", body))).toEqual({
      count: 2,
      strike: [1, Number.POSITIVE_INFINITY],
      option_type: ["call", "put"],
    });
    expect(plain(await read("ndjson", ""))).toEqual({ count: 0 });
  });

  test("takes lists as JSON or as text", async () => {
    const body = '{"fixings":[0.25,0.5]}\n{"fixings":"1;2"}\n{"fixings":[]}';
    expect(plain(await read("ndjson", body))).toEqual({ count: 3, fixings: ["[0.25,0.5]", "1;2", "[]"] });
  });

  const faults: readonly (readonly [string, string, readonly string[]])[] = [
    ["an unknown member", '{"colour":1}', ["/colour UNKNOWN_FIELD"]],
    ["an unknown member in a later row", '{"strike":1}\n{"strike":1,"colour":1}', ["/colour/1 UNKNOWN_FIELD"]],
    ["a member that comes later", '{"strike":1}\n{"strike":1,"spot":1}', ["/spot/1 UNEXPECTED"]],
    ["a member that is gone", '{"strike":1,"spot":1}\n{"strike":1}', ["/spot/1 REQUIRED"]],
    [
      "null, text and lists for a number",
      '{"strike":null}\n{"strike":"1"}\n{"strike":[1]}',
      ["/strike/0 WRONG_TYPE", "/strike/1 WRONG_TYPE", "/strike/2 WRONG_TYPE"],
    ],
    ["a number for a word", '{"option_type":1}', ["/option_type/0 WRONG_TYPE"]],
    ["a list for a word", '{"option_type":["call"]}', ["/option_type/0 WRONG_TYPE"]],
    ["a number for a list", '{"fixings":1}', ["/fixings/0 WRONG_TYPE"]],
    ["__proto__", '{"__proto__":1}', ["/__proto__ UNKNOWN_FIELD"]],
    ["a method's name", '{"toString":1}', ["/toString UNKNOWN_FIELD"]],
  ];
  for (const [title, body, expected] of faults) {
    test(`refuses ${title}, pointing at it`, async () => {
      const { faults } = await failureOf(read("ndjson", body));
      expect(faults.map(({ pointer, code }) => `${pointer} ${code}`)).toEqual([...expected]);
    });
  }

  for (const [title, body] of [
    ["half an object", '{"strike":1'],
    ["a list", "[1]"],
    ["null", "null"],
    ["a line past the limit", `{"strike":1}\n{"strike":${"1".repeat(300)}`],
    ["a hundred nested lists in a line of their own", `${"[".repeat(100)}\n`],
  ] as const) {
    test(`is not ${title}`, async () => {
      expect(await failureOf(read("ndjson", body))).toMatchObject({ code: "BODY_MALFORMED", faults: [] });
    });
  }
});

test("S2.35 more rows than the limit are refused in every format, as many are taken", async () => {
  const six = Array.from({ length: 6 }, (_, row) => row);
  const bodies = (rows: readonly number[]): [WireFormat, string | Uint8Array][] => [
    ["csv", `strike\n${rows.join("\n")}\n`],
    ["ndjson", rows.map((row) => `{"strike":${row}}`).join("\n")],
    ["arrow", ipc({ strike: columnFromArray([...rows], float64()) })],
  ];
  for (const [format, body] of bodies(six)) {
    expect(await failureOf(read(format, body))).toMatchObject({ reason: "limit-breached", code: "BATCH_TOO_LARGE" });
  }
  for (const [format, body] of bodies(six.slice(1))) expect((await read(format, body)).count).toBe(5);
});

type Columns = Parameters<typeof tableFromColumns>[0];
const ipc = (columns: Columns, format: "stream" | "file" = "stream") =>
  tableToIPC(tableFromColumns(columns), { format })!;

describe("S2.35 Arrow", () => {
  const numbers: readonly (readonly [string, Columns, readonly number[]])[] = [
    ["float64", { strike: columnFromArray(Float64Array.of(1, 2.5)) }, [1, 2.5]],
    ["float64 with a null", { strike: columnFromArray([1, null, 3], float64()) }, [1, Number.NaN, 3]],
    [
      "float64 with NaN and infinity",
      { strike: columnFromArray(Float64Array.of(Number.NaN, Number.POSITIVE_INFINITY)) },
      [Number.NaN, Number.POSITIVE_INFINITY],
    ],
    ["float32", { strike: columnFromArray([0.5, null], float32()) }, [0.5, Number.NaN]],
    ["int32", { strike: columnFromArray([-1, 2], int32()) }, [-1, 2]],
    ["uint8", { strike: columnFromArray([255, null], uint8()) }, [255, Number.NaN]],
    ["int64", { strike: columnFromArray([-5, 2 ** 40], int64()) }, [-5, 2 ** 40]],
    ["no rows", { strike: columnFromArray([], float64()) }, []],
  ];
  for (const [title, columns, expected] of numbers) {
    test(`takes ${title}`, async () => {
      expect(plain(await read("arrow", ipc(columns)))).toEqual({ count: expected.length, strike: [...expected] });
    });
  }

  const words = ["call", "put", null, "call", "ü"];
  for (const [title, type] of [
    ["utf8", utf8()],
    ["a dictionary of utf8", dictionary(utf8())],
    ["a dictionary by bytes", dictionary(utf8(), uint8())],
  ] as const) {
    test(`takes words as ${title}`, async () => {
      expect(plain(await read("arrow", ipc({ option_type: columnFromArray(words, type) })))).toEqual({
        count: 5,
        option_type: words,
      });
    });
  }

  test("takes several record batches as one table", async () => {
    const options = { maxBatchRows: 2 };
    const columns = {
      strike: columnFromArray([1, 2, null, 4, 5], float64(), options),
      option_type: columnFromArray(["a", "b", "a", "c", null], utf8(), options),
      expiry: columnFromArray(["x", "x", "y", "x", "y"], dictionary(utf8()), options),
    };
    expect(plain(await read("arrow", ipc(columns)))).toEqual({
      count: 5,
      strike: [1, 2, Number.NaN, 4, 5],
      option_type: ["a", "b", "a", "c", null],
      expiry: ["x", "x", "y", "x", "y"],
    });
  });

  test("numbers of one batch are the very bytes that came in", async () => {
    const bytes = ipc({ strike: columnFromArray(Float64Array.of(1, 2, 3)) });
    const column = (await read("arrow", bytes)).columns.get("strike")!;
    expect(column.kind === "number" && column.values.buffer === bytes.buffer).toBe(true);
  });

  test("takes a body that does not lie on an 8-byte grid", async () => {
    const bytes = ipc({ strike: columnFromArray(Float64Array.of(1, 2, 3)) });
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(plain(await read("arrow", shifted.subarray(1)))).toEqual({ count: 3, strike: [1, 2, 3] });
  });

  const faults: readonly (readonly [string, Columns, readonly string[]])[] = [
    ["an unknown column", { colour: columnFromArray([1], float64()) }, ["/colour UNKNOWN_FIELD"]],
    ["text for numbers", { strike: columnFromArray(["1"], utf8()) }, ["/strike WRONG_TYPE"]],
    ["numbers by dictionary", { strike: columnFromArray([1], dictionary(float64())) }, ["/strike WRONG_TYPE"]],
    ["numbers for words", { option_type: columnFromArray([1], float64()) }, ["/option_type WRONG_TYPE"]],
    ["booleans", { strike: columnFromArray([true]), spot: columnFromArray([1], float64()) }, ["/strike WRONG_TYPE"]],
    ["lists", { strike: columnFromArray([[1]]) }, ["/strike WRONG_TYPE"]],
    ["numbers for the text of a list", { fixings: columnFromArray([1], float64()) }, ["/fixings WRONG_TYPE"]],
  ];
  for (const [title, columns, expected] of faults) {
    test(`refuses ${title}, pointing at the column`, async () => {
      const { faults } = await failureOf(read("arrow", ipc(columns)));
      expect(faults.map(({ pointer, code }) => `${pointer} ${code}`)).toEqual([...expected]);
    });
  }

  const whole = ipc({
    strike: columnFromArray([1, null, 3], float64()),
    option_type: columnFromArray(["call", "put", "call"], dictionary(utf8())),
  });

  test("is refused as malformed wherever it is cut, but between messages", async () => {
    const ends = new Set([...messageEnds(whole), whole.length]);
    for (let length = 0; length < whole.length; length++) {
      const reading = read("arrow", whole.subarray(0, length));
      if (ends.has(length)) await reading;
      else expect([length, (await failureOf(reading)).code]).toEqual([length, "BODY_MALFORMED"]);
    }
  });

  test("with any one byte changed is read or refused, and never anything else", async () => {
    for (let at = 0; at < whole.length; at++) {
      for (const change of [0x01, 0x80, 0xff]) {
        const bytes = whole.slice();
        bytes[at]! ^= change;
        await read("arrow", bytes).catch((error: unknown) => expect(error).toBeInstanceOf(BsoptError));
      }
    }
  });

  for (const [title, bytes] of [
    ["nothing", new Uint8Array()],
    ["text", bytesOf("strike,spot\n1,2\n")],
    ["an Arrow file", ipc({ strike: columnFromArray([1], float64()) }, "file")],
    ["an end without a beginning", Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0)],
  ] as const) {
    test(`is not ${title}`, async () => {
      expect(await failureOf(read("arrow", bytes))).toMatchObject({ code: "BODY_MALFORMED", faults: [] });
    });
  }
});

/** Where a stream may end without breaking off: after the schema and after each batch. */
function messageEnds(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ends: number[] = [];
  let at = 0;
  while (at < bytes.length && view.getUint32(at + 4, true) !== 0) {
    const metadata = at + 8;
    const length = view.getUint32(at + 4, true);
    const table = metadata + view.getUint32(metadata, true);
    const vtable = table - view.getInt32(table, true);
    const place = view.getUint16(vtable, true) > 10 ? view.getUint16(vtable + 10, true) : 0;
    at = metadata + length + (place === 0 ? 0 : Number(view.getBigInt64(table + place, true)));
    ends.push(at);
  }
  return ends;
}

describe("S1.04 an answer", () => {
  const columns: readonly TableColumn[] = [
    {
      name: "price",
      kind: "number",
      values: Float64Array.of(1.5, Number.NaN, -0.25, Number.POSITIVE_INFINITY, 1e-300),
    },
    { name: "status", kind: "integer", values: Int32Array.of(0, 20, 0, 21, 1) },
    { name: "model", kind: "text", values: ["a", null, "=1+1", 'ü"x', "b,c"] },
  ];
  const writer = new WireWriter();
  const answer = {
    table: { count: 5, columns },
    before: { count: 5, nothing: undefined },
    after: { units: "market", nothing: undefined },
    metadata: { units: "market", engine_version: "1.2.3" },
  };
  const textOf = (format: "json" | WireFormat) => Buffer.from(joinedWireAnswer(writer, format, answer)).toString();

  test("in JSON has null for what is no number, its members in order", () => {
    expect(Object.keys(JSON.parse(textOf("json")))).toEqual(["count", "price", "status", "model", "units"]);
    expect(JSON.parse(textOf("json"))).toEqual({
      count: 5,
      price: [1.5, null, -0.25, null, 1e-300],
      status: [0, 20, 0, 21, 1],
      model: ["a", null, "=1+1", 'ü"x', "b,c"],
      units: "market",
    });
    const empty = {
      ...answer,
      table: {
        count: 0,
        columns: columns.map((column) => ({ ...column, values: column.values.slice(0, 0) }) as TableColumn),
      },
    };
    expect(JSON.parse(Buffer.from(joinedWireAnswer(writer, "json", empty)).toString())).toMatchObject({
      price: [],
      model: [],
    });
  });

  test("in NDJSON is a row a line", () => {
    const rows = textOf("ndjson")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows[1]).toEqual({ price: null, status: 20, model: null });
    expect(rows.length).toBe(5);
  });

  test("in CSV leaves nulls empty and escapes what a spreadsheet would run", () => {
    expect(textOf("csv").split("\n").slice(0, 4)).toEqual(["price,status,model", "1.5,0,a", ",20,", "-0.25,0,'=1+1"]);
  });

  test("in Arrow has nulls by its bitmap and the words beside it in its schema, for a reader not ours", () => {
    const bytes = joinedWireAnswer(writer, "arrow", answer);
    const table = tableFromIPC(bytes);
    expect([...table.getChild("price")!]).toEqual([1.5, null, -0.25, null, 1e-300]);
    expect([...table.getChild("status")!]).toEqual([0, 20, 0, 21, 1]);
    expect([...table.getChild("model")!]).toEqual(["a", null, "=1+1", 'ü"x', "b,c"]);
    expect(table.getChild("price")!.nullCount).toBe(2);
    expect(table.schema.metadata).toEqual(new Map(Object.entries(answer.metadata)));
    expect(table.schema.fields.map(({ name, nullable }) => [name, nullable])).toEqual([
      ["price", true],
      ["status", false],
      ["model", true],
    ]);
  });

  test("of many rows is the same streamed as joined, in every format, and ours reads Arrow back bit for bit", async () => {
    const count = 150_001;
    const values = Float64Array.from({ length: count }, (_, row) => (row % 7 === 0 ? Number.NaN : Math.sqrt(row) - 50));
    const long = {
      ...answer,
      before: { count },
      table: {
        count,
        columns: [
          { name: "strike", kind: "number", values },
          { name: "option_type", kind: "text", values: Array.from(values, (_, row) => (row & 1 ? "call" : "put")) },
        ] as const,
      },
    };
    for (const format of ["json", "ndjson", "csv", "arrow"] as const) {
      const whole = joinedWireAnswer(writer, format, long);
      const streamed = await new Response(streamedPieces(writeWireAnswer(format, long), nextTurn)).bytes();
      expect(Bun.hash(streamed)).toBe(Bun.hash(whole));
      if (format === "json") expect(JSON.parse(Buffer.from(whole).toString()).strike.length).toBe(count);
      if (format === "arrow") {
        expect(tableFromIPC(streamed).numRows).toBe(count);
        const back = await readWireTable("arrow", streamed, schema, { ...limits, rowsMax: count }, nextTurn);
        const { values: again } = back.columns.get("strike") as { values: Float64Array };
        expect(again.every((value, row) => Object.is(value, values[row]))).toBe(true);
      }
    }
  });

  test("that nobody reads to the end stops being made", async () => {
    let made = 0;
    let isEnded = false;
    function* pieces() {
      try {
        for (;;) {
          made += 1;
          yield "x".repeat(1000);
        }
      } finally {
        isEnded = true;
      }
    }
    const reader = streamedPieces(pieces(), nextTurn).getReader();
    await reader.read();
    await reader.cancel();
    expect(isEnded).toBe(true);
    expect(made).toBeLessThan(5);
  });
});
