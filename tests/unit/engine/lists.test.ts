// Lists on their way from a text or a body into the kernel's memory: read, ordered, held once, laid where their addresses say.

import { describe, expect, test } from "bun:test";
import { inputsMax, listIds, requestLayout } from "../../../src/engine/abi";
import type { ListDefinition } from "../../../src/engine/catalog";
import { listForm, listText, numbersOfItems, readList } from "../../../src/engine/list-items";
import { ListsBuilder, listAt, listNumbersMax, listsOf, sameLists, slicedLists } from "../../../src/engine/lists";
import { type KernelRequest, listRowsMax, Place, Tray } from "../../../src/engine/place";

const dividends: ListDefinition = {
  name: "discrete_dividends",
  title: "Dividends",
  items: "dated_amounts",
  unit: "currency",
  lengthMax: 3,
  domain: "any",
  example: [{ time: 0.25, amount: 1.2 }],
};
const fixings: ListDefinition = { ...dividends, name: "fixings", items: "moments", example: [0.25] };

describe("S4.47 a list as text", () => {
  const rows: readonly (readonly [string, ListDefinition, string, unknown])[] = [
    ["empty", dividends, "", []],
    ["of blanks", dividends, "  ", []],
    [
      "amounts behind their years",
      dividends,
      "0.25:1.2;.5:-3e-1",
      [
        { time: 0.25, amount: 1.2 },
        { time: 0.5, amount: -0.3 },
      ],
    ],
    [
      "blanks do not count",
      dividends,
      " 0.25 : 1.2 ; 1:2 ",
      [
        { time: 0.25, amount: 1.2 },
        { time: 1, amount: 2 },
      ],
    ],
    [
      "an amount behind a moment, which has colons of its own",
      dividends,
      "2026-12-18T16:00:00-05:00:1.2",
      [{ date: "2026-12-18T16:00:00-05:00", amount: 1.2 }],
    ],
    [
      "JSON",
      dividends,
      '[{"time":0.25,"amount":1.2},{"date":"2026-12-18T16:00:00Z","amount":2}]',
      [
        { time: 0.25, amount: 1.2 },
        { date: "2026-12-18T16:00:00Z", amount: 2 },
      ],
    ],
    ["moments as years", fixings, "0.25;0.5", [0.25, 0.5]],
    ["moments as texts", fixings, "2026-12-18T16:00:00Z;1", ["2026-12-18T16:00:00Z", 1]],
    ["moments as JSON", fixings, '[0.25,"2026-12-18T16:00:00Z"]', [0.25, "2026-12-18T16:00:00Z"]],
  ];
  test.each(rows)("%s", (_, definition, text, expected) => {
    expect(readList(text, definition) as unknown).toEqual(expected);
  });

  const faults: readonly (readonly [string, ListDefinition, string, number | null, string])[] = [
    ["an amount without a moment", dividends, "1.2", 0, "WRONG_FORM"],
    ["a word", dividends, "0.25:1.2;soon:1", 1, "WRONG_FORM"],
    ["a word for an amount", dividends, "0.25:much", 0, "WRONG_FORM"],
    ["an item of nothing", dividends, "0.25:1;", 1, "WRONG_FORM"],
    ["hexadecimal", dividends, "0x1:1", 0, "WRONG_FORM"],
    ["a moment with an amount where moments alone belong", fixings, "0.25:1", 0, "WRONG_FORM"],
    ["JSON that is no list", dividends, "[1", null, "WRONG_FORM"],
    ["JSON's number for an object", dividends, "[1]", 0, "WRONG_FORM"],
    ["JSON's null", dividends, "[null]", 0, "WRONG_FORM"],
    ["a member that does not exist", dividends, '[{"time":1,"amount":1,"tax":0}]', 0, "WRONG_FORM"],
    ["a text for a time", dividends, '[{"time":"1","amount":1}]', 0, "WRONG_FORM"],
    ["a number for a date", dividends, '[{"date":1,"amount":1}]', 0, "WRONG_FORM"],
    ["an object where moments belong", fixings, '[{"time":1,"amount":1}]', 0, "WRONG_FORM"],
    ["too many items", dividends, "1:1;2:1;3:1;4:1", null, "TOO_MANY"],
    ["too many items of JSON", fixings, "[1,2,3,4]", null, "TOO_MANY"],
  ];
  test.each(faults)("refused: %s", (_, definition, text, index, code) => {
    expect(readList(text, definition)).toMatchObject({ index, code });
  });

  test("that is refused is told its form", () => {
    expect(readList("soon", dividends)).toMatchObject({ detail: `must be ${listForm("dated_amounts")}` });
    expect(readList("soon", fixings)).toMatchObject({ detail: `must be ${listForm("moments")}` });
  });

  test("is what it was written as", () => {
    for (const text of ["0.25:1.2;0.5:1", "2026-12-18T16:00:00Z:2"]) {
      const read = readList(text, dividends);
      expect("code" in read ? null : listText(read)).toBe(text);
    }
    expect(listText([0.25, "2026-12-18T16:00:00Z"])).toBe("0.25;2026-12-18T16:00:00Z");
  });
});

describe("S4.47 a list as numbers", () => {
  const yearsOf = (text: string) => (text === "bad" ? { code: "BAD", detail: "is bad" } : 0.3);

  test("is years and amounts in turns, soonest first; moments are counted", () => {
    const items = [
      { time: 0.5, amount: 5 },
      { date: "soon", amount: 3 },
      { time: 0.25, amount: 2 },
    ];
    expect(numbersOfItems(items, "dated_amounts", yearsOf, 9)).toEqual([0.25, 2, 0.3, 3, 0.5, 5]);
    expect(numbersOfItems([0.5, "soon", 0.1], "moments", yearsOf, 9)).toEqual([0.1, 0.3, 0.5]);
    expect(numbersOfItems([], "moments", yearsOf, 9)).toEqual([]);
  });

  test("keeps what is no number, for its row's status", () => {
    expect(numbersOfItems([2, Number.NaN, 1], "moments", yearsOf, 9)).toEqual([2, Number.NaN, 1]);
    expect(numbersOfItems([{ time: 1, amount: Number.POSITIVE_INFINITY }], "dated_amounts", yearsOf, 9)).toEqual([
      1,
      Number.POSITIVE_INFINITY,
    ]);
  });

  test("tells what is wrong with each item, up to a number of faults", () => {
    const items = [
      { time: 1, date: "soon", amount: 1 },
      { amount: 1 },
      { date: "bad", amount: 1 },
      { time: 1, amount: 1 },
    ];
    expect(numbersOfItems(items, "dated_amounts", yearsOf, 9)).toMatchObject([
      { index: 0, member: "date", code: "TIME_AMBIGUOUS" },
      { index: 1, member: "time", code: "REQUIRED" },
      { index: 2, member: "date", code: "BAD" },
    ]);
    expect(numbersOfItems(items, "dated_amounts", yearsOf, 2)).toHaveLength(2);
    expect(numbersOfItems(["bad"], "moments", yearsOf, 9)).toEqual([{ index: 0, code: "BAD", detail: "is bad" }]);
  });
});

describe("S4.47 the lists of a batch", () => {
  test("lie end to end, led by their lengths; neighbours that are the same share one", () => {
    const lists = listsOf([[1, 2], [1, 2], [], [Number.NaN], [Number.NaN], [1, 2]]);
    expect([...lists.values]).toEqual([2, 1, 2, 0, 1, Number.NaN, 2, 1, 2]);
    expect(lists.starts).toEqual(Float64Array.of(0, 0, 3, 4, 4, 6));
    expect(lists.longest).toBe(3);
    expect([...listAt(lists, 1)]).toEqual([1, 2]);
    expect([...listAt(slicedLists(lists, 3, 5), 1)]).toEqual([Number.NaN]);
  });

  test("may be one for every row", () => {
    const lists = sameLists([1, 2]);
    expect(lists).toEqual({ values: Float64Array.of(2, 1, 2), starts: 0, longest: 3 });
    expect(slicedLists(lists, 5, 9)).toBe(lists);
    expect([...listAt(lists, 7)]).toEqual([1, 2]);
  });

  test("hold a bounded number of numbers", () => {
    const builder = new ListsBuilder();
    const numbers = Array.from({ length: 4095 }, () => 0);
    let added = 0;
    for (; added < 2000; added++) {
      numbers[0] = added;
      if (builder.add(numbers) === null) break;
    }
    expect(added).toBe(Math.floor(listNumbersMax / 4096));
  });
});

describe("S4.47 the lists of a chunk", () => {
  const requestBytes = 480;
  const rowsMax = 64;
  const memory = new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true });
  const bytes = Place.bytes({ rowsMax, requestBytes });
  const place = new Place({ memory, address: 0, rowsMax, requestBytes, scratch: 0 });
  const tray = new Tray({ memory, address: Math.ceil(bytes / 64) * 64, rowsMax });
  const words = new Uint32Array(memory.buffer, 0, requestBytes / 4);
  const numbers = new Float64Array(memory.buffer);
  const request = (count: number, lists: NonNullable<KernelRequest["lists"]>): KernelRequest => ({
    operation: "price",
    model: 0,
    count,
    isCall: true,
    inputs: [{ id: 0, column: 100 }],
    lists,
    outputs: [{ id: 0, factor: 1 }],
  });
  /** What the kernel sees of a row's list. */
  const seen = (id: number, row: number) => {
    const isBroadcast = (words[requestLayout.broadcastMask / 4]! & (1 << id)) !== 0;
    const column = words[requestLayout.inputs / 4 + id]! / 8;
    const list = numbers[column + (isBroadcast ? 0 : row)]! / 8;
    return [...numbers.subarray(list + 1, list + 1 + numbers[list]!)];
  };

  test("stand where their column's addresses say, each row's own and one for all beside each other", () => {
    const own = listsOf([[1], [1], [2, 3], [], [4, 5, 6]]);
    const asked = request(5, [
      { id: listIds.discrete_dividends, lists: own },
      { id: listIds.fixings, lists: sameLists([7, 8]) },
    ]);
    place.describe(asked, tray);
    for (const [start, stop, expected] of [
      [0, 3, [[1], [1], [2, 3]]],
      [2, 5, [[2, 3], [], [4, 5, 6]]],
    ] as const) {
      place.load(asked, start, stop);
      for (const [row, list] of expected.entries()) {
        expect(seen(listIds.discrete_dividends, row)).toEqual([...list]);
        expect(seen(listIds.fixings, row)).toEqual([7, 8]);
      }
    }
  });

  test("fill their room and not a number more", () => {
    const longest = 256;
    const rowsOf = (count: number) =>
      listsOf(
        Array.from({ length: count }, (_, row) => Array.from({ length: longest - 1 }, (__, at) => row + at / 512)),
      );
    const full = request(64, [{ id: 9, lists: rowsOf(64) }]);
    expect(listRowsMax(full)).toBe(64);
    place.describe(full, tray);
    place.load(full, 0, 64);
    expect(seen(9, 63)).toEqual(Array.from({ length: longest - 1 }, (_, at) => 63 + at / 512));
    const crowded = request(64, [
      { id: 9, lists: rowsOf(64) },
      { id: 10, lists: sameLists([1]) },
    ]);
    expect(listRowsMax(crowded)).toBe(63);
    place.describe(crowded, tray);
    expect(() => place.load(crowded, 0, 64)).toThrow("finds no room");
    expect(listRowsMax(request(1000, []))).toBe(Number.POSITIVE_INFINITY);
    expect(listRowsMax(request(1000, [{ id: 9, lists: sameLists([1, 2]) }]))).toBe(Number.POSITIVE_INFINITY);
    expect(inputsMax).toBeGreaterThan(10);
  });
});
