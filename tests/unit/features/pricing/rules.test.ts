// The shape rules of pricing, over a catalog of models that do not exist yet: what is proven here holds for the next
// model without a line of the feature changing.

import { describe, expect, test } from "bun:test";
import { type WireColumn, WireTable } from "../../../../src/adapters/tabular/wire-table";
import type { Moment } from "../../../../src/domain/day-count";
import { builtInCalendars } from "../../../../src/domain/exchange-calendars";
import { MomentReader } from "../../../../src/domain/moment-reader";
import type {
  InputDefinition,
  InputName,
  ListDefinition,
  ModelDefinition,
  ModelName,
} from "../../../../src/engine/catalog";
import { type Lists, listAt, listNumbersMax } from "../../../../src/engine/lists";
import {
  checkFields,
  checkTimeFields,
  type Fields,
  fieldsOf,
  knownModels,
  requireRowCount,
  rowCountOf,
  sameOutputs,
  sheetOfColumns,
  sheetOfRows,
  sheetOfTable,
} from "../../../../src/features/pricing/rules";
import { BsoptError } from "../../../../src/foundation/errors";
import { Faults, faultCountMax } from "../../../../src/foundation/faults";

function failureOf(act: () => unknown): BsoptError | null {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(BsoptError);
    return error as BsoptError;
  }
  return null;
}

/** `/pointer CODE` of every fault that a check adds. */
function faultsOf(check: (faults: Faults) => void): string[] {
  const faults = new Faults();
  check(faults);
  return (failureOf(() => faults.throwIfAny())?.faults ?? []).map((fault) => `${fault.pointer} ${fault.code}`);
}

const input = (name: string, fallback?: number): InputDefinition => ({
  name: name as InputName,
  title: name,
  unit: "1",
  ...(fallback !== undefined && { default: fallback }),
  domain: "any",
  example: 1,
});
const model = (name: string, inputs: readonly InputDefinition[]): ModelDefinition => ({
  id: 0,
  name: name as ModelName,
  title: name,
  source: "",
  inputs,
  outputs: ["price"],
  impliedVolatility: true,
  limits: [],
});
const onSpot = model("on_spot", [
  input("spot"),
  input("time_to_expiry"),
  input("volatility"),
  input("dividend_yield", 0),
]);
const onForward = model("on_forward", [input("forward"), input("time_to_expiry"), input("volatility")]);
const catalog = [onSpot, onForward];

describe("S2.35 the fields of a model", () => {
  test("for a price are its inputs but time; another model's are foreign", () => {
    expect(fieldsOf(onSpot, "price", catalog) as unknown).toEqual({
      taken: ["spot", "volatility", "dividend_yield"],
      required: ["spot", "volatility"],
      foreign: ["forward"],
      lists: [],
      words: {},
      columns: ["option_type", "spot", "volatility", "dividend_yield", "time_to_expiry", "expiry", "valuation_time"],
    });
  });
  test("for a volatility have the price in the volatility's place", () => {
    expect(fieldsOf(onForward, "implied_volatility", catalog) as unknown).toEqual({
      taken: ["forward", "price"],
      required: ["forward", "price"],
      foreign: ["spot", "dividend_yield"],
      lists: [],
      words: {},
      columns: ["option_type", "forward", "price", "time_to_expiry", "expiry", "valuation_time"],
    });
  });

  const fields: Fields = fieldsOf(onSpot, "price", catalog);
  const rows: readonly (readonly [string, Record<string, unknown>, readonly string[]])[] = [
    ["all that is required is enough", { spot: 1, volatility: 1 }, []],
    ["what has a default may come too", { spot: 1, volatility: 1, dividend_yield: 1 }, []],
    ["a missing one is pointed at", { spot: 1 }, ["/options/3/volatility REQUIRED"]],
    ["another model's is refused", { spot: 1, volatility: 1, forward: 1 }, ["/options/3/forward UNKNOWN_FIELD"]],
    ["zero counts as given", { spot: 0, volatility: 0 }, []],
  ];
  for (const [title, body, expected] of rows) {
    test(`${title}`, () => {
      expect(faultsOf((faults) => checkFields(body, onSpot.name, fields, "/options/3", faults))).toEqual([...expected]);
    });
  }
});

describe("S2.35 rows of a batch by columns", () => {
  const names = ["option_type", "spot", "strike", "expiry"];
  const rows: readonly (readonly [string, Record<string, unknown>, number, readonly string[]])[] = [
    ["are one where nothing is a column", { spot: 1, strike: 2 }, 1, []],
    ["are as many as a column has", { spot: 1, strike: [1, 2, 3] }, 3, []],
    ["are none where a column is empty", { spot: 1, strike: [] }, 0, []],
    ["are as many as all columns have", { spot: [1, 2], strike: [1, 2], option_type: ["call", "put"] }, 2, []],
    ["a column of another length is pointed at", { spot: [1, 2], strike: [1, 2, 3] }, 2, ["/strike LENGTH_MISMATCH"]],
    ["a column of one is no number", { spot: [1, 2], strike: [1] }, 2, ["/strike LENGTH_MISMATCH"]],
    ["a column of none is no number", { spot: [1, 2], strike: [] }, 2, ["/strike LENGTH_MISMATCH"]],
    [
      "every such column is pointed at",
      { option_type: ["call"], spot: [1, 2], expiry: ["", ""] },
      1,
      ["/spot LENGTH_MISMATCH", "/expiry LENGTH_MISMATCH"],
    ],
    ["what is no column does not count", { spot: [1, 2], outputs: ["price"] }, 2, []],
  ];
  for (const [title, body, count, expected] of rows) {
    test(title, () => {
      expect(faultsOf((faults) => expect(rowCountOf(body, names, faults)).toBe(count))).toEqual([...expected]);
    });
  }
  test("are limited", () => {
    expect(failureOf(() => requireRowCount(10, 10))).toBeNull();
    expect(failureOf(() => requireRowCount(11, 10))?.reason).toBe("limit-breached");
  });
});

describe("S4.47 time fields", () => {
  const rows: readonly (readonly [string, Record<string, unknown>, readonly string[]])[] = [
    ["years alone", { time_to_expiry: 1 }, []],
    ["expiry alone", { expiry: "x" }, []],
    ["expiry with all that goes with it", { expiry: "x", valuation_time: "y", day_count: "act/360" }, []],
    ["neither", {}, ["/time_to_expiry REQUIRED"]],
    ["both", { time_to_expiry: 1, expiry: "x" }, ["/expiry TIME_AMBIGUOUS"]],
    ["years with a valuation time", { time_to_expiry: 1, valuation_time: "y" }, ["/valuation_time TIME_AMBIGUOUS"]],
    ["years with a day count", { time_to_expiry: 1, day_count: "act/360" }, ["/day_count TIME_AMBIGUOUS"]],
    ["years with a calendar", { time_to_expiry: 1, calendar: "cboe" }, ["/calendar TIME_AMBIGUOUS"]],
    ["a calendar and its day count", { expiry: "x", day_count: "business/252", calendar: "cboe" }, []],
    ["business days of no named calendar", { expiry: "x", day_count: "business/252" }, []],
    ["a calendar alone", { expiry: "x", calendar: "cboe" }, ["/calendar TIME_AMBIGUOUS"]],
    [
      "a calendar where none counts",
      { expiry: "x", day_count: "30/360", calendar: "cboe" },
      ["/calendar TIME_AMBIGUOUS"],
    ],
    [
      "an unknown calendar",
      { expiry: "x", day_count: "business/252", calendar: "mars" },
      ["/calendar CALENDAR_UNKNOWN"],
    ],
    [
      "a calendar's name in another case",
      { expiry: "x", day_count: "business/252", calendar: "Cboe" },
      ["/calendar CALENDAR_UNKNOWN"],
    ],
    ["a valuation time alone", { valuation_time: "y" }, ["/time_to_expiry REQUIRED", "/valuation_time TIME_AMBIGUOUS"]],
  ];
  for (const [title, body, expected] of rows) {
    test(`${title}: ${expected.join(", ") || "fine"}`, () => {
      expect(faultsOf((faults) => checkTimeFields(body, "", builtInCalendars(), faults))).toEqual([...expected]);
    });
  }

  test("a moment is read anew when its text changes, and again when it changes back", () => {
    const reader = new MomentReader();
    const texts = ["1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z", "1970-01-01T00:00:01Z", "", "1970-01-01T00:00:00Z"];
    const read = texts.map((text) => reader.read(text));
    expect(read.map((moment) => (typeof moment === "string" ? moment : moment.microseconds))).toEqual([
      0n,
      1_000_000n,
      1_000_000n,
      "not_rfc3339",
      0n,
    ]);
    expect(read[4]).toBe(read[0]!);
    expect(new MomentReader().read("")).toBe("not_rfc3339");
  });

  test("a reader of more texts than it keeps still reads each right", () => {
    const reader = new MomentReader();
    for (let round = 0; round < 2; round++) {
      for (let minute = 0; minute < 1440; minute++) {
        const [hour, rest] = [Math.floor(minute / 60), minute % 60].map((part) => part.toString().padStart(2, "0"));
        const moment = reader.read(`1970-01-01T${hour}:${rest}:00Z`) as Moment;
        expect(moment.microseconds).toBe(BigInt(minute) * 60_000_000n);
      }
    }
  });
});

test("S2.14 faults are told up to a limit, however many rows have one", () => {
  const faults = new Faults();
  for (let index = 0; index < 1000; index++) faults.add(`/options/${index}`, "BAD", "is bad");
  const failure = failureOf(() => faults.throwIfAny())!;
  expect(failure.faults.length).toBe(faultCountMax);
  expect(failure.code).toBe("BAD");
  expect(failure.detail).toBe("/options/0 is bad");
});

describe("S2.35 outputs are the same", () => {
  const rows: readonly (readonly [readonly string[], readonly string[], boolean])[] = [
    [["price"], ["price"], true],
    [["price", "delta"], ["delta", "price"], true],
    [["price"], ["delta"], false],
    [["price"], ["price", "delta"], false],
    [["price", "delta"], ["price"], false],
  ];
  for (const [one, other, same] of rows) {
    test(`${one} and ${other}: ${same}`, () => expect(sameOutputs(one as never, other as never)).toBe(same));
  }
});

describe("S4.47 lists", () => {
  const dividends: ListDefinition = {
    name: "discrete_dividends",
    title: "Dividends",
    items: "dated_amounts",
    unit: "currency",
    lengthMax: 64,
    domain: "any",
    example: [],
  };
  const fixings: ListDefinition = { ...dividends, name: "fixings", items: "moments", isRequired: true };
  const paying: ModelDefinition = { ...model("paying", [input("spot"), input("time_to_expiry")]), lists: [dividends] };
  const fixed: ModelDefinition = { ...model("fixed", [input("spot"), input("time_to_expiry")]), lists: [fixings] };
  const options = {
    known: knownModels("price", [paying, fixed, onForward]),
    calendars: builtInCalendars(),
    now: 0n,
    rowCountMax: 100_000,
  };
  const base = { model: "paying" as ModelName, option_type: "call", spot: 100, time_to_expiry: 1 };
  const { time_to_expiry: _, ...dated } = { ...base, expiry: "1971-01-01T00:00:00Z" };
  const shown = (lists: Lists | undefined, count: number) =>
    lists && Array.from({ length: count }, (_, row) => [...listAt(lists, row)]);
  const columnsOf = (body: Record<string, unknown>) => {
    const { count, groups } = sheetOfColumns(body as Parameters<typeof sheetOfColumns>[0], options);
    return { count, lists: shown(groups[0]!.lists.discrete_dividends, count), raw: groups[0]!.lists };
  };
  const faultsOfBody = (body: Record<string, unknown>) =>
    (failureOf(() => columnsOf(body))?.faults ?? []).map(({ pointer, code }) => `${pointer} ${code}`);
  const half = { time: 0.5, amount: 2 };
  const quarter = { time: 0.25, amount: 1 };

  test("are taken by the models that have them, required where they say so, foreign to the others", () => {
    expect(faultsOfBody({ ...base, fixings: [1] })).toEqual(["/fixings UNKNOWN_FIELD"]);
    expect(faultsOfBody({ ...base, model: "fixed" })).toEqual(["/fixings REQUIRED"]);
    expect(faultsOfBody({ ...base, model: "on_forward", forward: 1, volatility: 1 })).toEqual(["/spot UNKNOWN_FIELD"]);
    expect(fieldsOf(paying, "price", [paying, fixed]).lists).toEqual([dividends]);
    expect(columnsOf(base).raw).toEqual({});
  });

  test("are one for every row, held once", () => {
    const { lists, raw } = columnsOf({ ...base, spot: [1, 2, 3], discrete_dividends: [half, quarter] });
    expect(lists).toEqual([
      [0.25, 1, 0.5, 2],
      [0.25, 1, 0.5, 2],
      [0.25, 1, 0.5, 2],
    ]);
    expect(raw.discrete_dividends!.starts).toBe(0);
    expect(columnsOf({ ...base, discrete_dividends: [] }).lists).toEqual([[]]);
  });

  test("are one a row, as many as the other columns have", () => {
    const each = [[half], [], [quarter, half]];
    expect(columnsOf({ ...base, discrete_dividends: each })).toMatchObject({
      count: 3,
      lists: [[0.5, 2], [], [0.25, 1, 0.5, 2]],
    });
    expect(faultsOfBody({ ...base, spot: [1, 2], discrete_dividends: each })).toEqual([
      "/discrete_dividends LENGTH_MISMATCH",
    ]);
  });

  test("count their dates as the expiry is counted, by each row's own valuation", () => {
    const date = "1970-07-02T12:00:00Z";
    expect(columnsOf({ ...dated, discrete_dividends: [{ date, amount: 1 }] }).lists).toEqual([[0.5, 1]]);
    const valuations = ["1970-01-01T00:00:00Z", "1970-04-02T06:00:00Z"];
    expect(
      columnsOf({ ...dated, valuation_time: valuations, discrete_dividends: [{ date, amount: 1 }] }).lists,
    ).toEqual([
      [0.5, 1],
      [0.25, 1],
    ]);
    expect(columnsOf({ ...dated, day_count: "act/360", discrete_dividends: [{ date, amount: 1 }] }).lists).toEqual([
      [182.5 / 360, 1],
    ]);
    const { years } = sheetOfColumns({ ...dated, discrete_dividends: [] } as never, options);
    expect(years).toBe(1);
  });

  test("point at each item that says no moment", () => {
    expect(
      faultsOfBody({
        ...dated,
        discrete_dividends: [{ date: "1970-07-02", amount: 1 }, { ...half, date: "x" }, { amount: 1 }],
      }),
    ).toEqual([
      "/discrete_dividends/0/date TIMESTAMP_INVALID",
      "/discrete_dividends/1/date TIME_AMBIGUOUS",
      "/discrete_dividends/2/time REQUIRED",
    ]);
    expect(faultsOfBody({ ...base, discrete_dividends: [[], [{ date: "1970-07-02T00:00:00Z", amount: 1 }]] })).toEqual([
      "/discrete_dividends/1/0/date TIME_AMBIGUOUS",
    ]);
    expect(
      faultsOfBody({
        ...dated,
        day_count: "business/252",
        discrete_dividends: [{ date: "2500-07-02T00:00:00Z", amount: 1 }],
        expiry: "2026-12-18T16:00:00Z",
        valuation_time: "2026-06-18T16:00:00Z",
      }),
    ).toEqual(["/discrete_dividends/0/date DATE_OUTSIDE_CALENDAR"]);
  });

  test("by rows are each row's own, none where they are left out; rows may mix models", () => {
    const rows = [
      { ...base, discrete_dividends: [half] },
      { ...base, model: "fixed" as ModelName, fixings: [0.5, 0.25] },
      { ...base },
      { ...dated, discrete_dividends: [{ date: "1970-07-02T12:00:00Z", amount: 3 }] },
    ];
    const { groups } = sheetOfRows(rows, options);
    expect(shown(groups[0]!.lists.discrete_dividends, 3)).toEqual([[0.5, 2], [], [0.5, 3]]);
    expect(shown(groups[1]!.lists.fixings, 1)).toEqual([[0.25, 0.5]]);
    const wrong = [{ ...base }, { ...base, discrete_dividends: [half, { date: "1970-07-02T12:00:00Z", amount: 3 }] }];
    const failure = failureOf(() => sheetOfRows(wrong, options));
    expect(failure?.faults.map(({ pointer, code }) => `${pointer} ${code}`)).toEqual([
      "/options/1/discrete_dividends/1/date TIME_AMBIGUOUS",
    ]);
  });

  test("in tables are texts; rows that say the same share one", () => {
    const words = (texts: readonly (string | null)[]) => {
      const known = [...new Set(texts.filter((text) => text !== null))];
      return {
        kind: "word",
        words: known,
        codes: Int32Array.from(texts, (text) => (text === null ? -1 : known.indexOf(text))),
      } as const;
    };
    const tableOf = (texts: readonly (string | null)[]) =>
      new WireTable(
        texts.length,
        new Map<string, WireColumn>([
          ["option_type", words(texts.map(() => "call"))],
          ["spot", { kind: "number", values: new Float64Array(texts.length).fill(100) }],
          ["time_to_expiry", { kind: "number", values: new Float64Array(texts.length).fill(1) }],
          ["discrete_dividends", words(texts)],
        ]),
      );
    const texts = ["0.5:2;0.25:1", null, "0.5:2", "0.5:2;0.25:1"];
    const { groups } = sheetOfTable(tableOf(texts), { model: "paying" as ModelName }, options);
    const lists = groups[0]!.lists.discrete_dividends!;
    expect(shown(lists, 4)).toEqual([[0.25, 1, 0.5, 2], [], [0.5, 2], [0.25, 1, 0.5, 2]]);
    expect((lists.starts as Float64Array)[3]).toBe((lists.starts as Float64Array)[0]!);
    const failure = failureOf(() =>
      sheetOfTable(tableOf(["", "soon", "0.5:2;x:1"]), { model: "paying" as ModelName }, options),
    );
    expect(failure?.faults.map(({ pointer, code }) => `${pointer} ${code}`)).toEqual([
      "/discrete_dividends/1/0 WRONG_FORM",
      "/discrete_dividends/2/1 WRONG_FORM",
    ]);
  });

  test("of a batch hold a bounded number of numbers", () => {
    const rows = Array.from({ length: 33_000 }, (_, row) =>
      Array.from({ length: 64 }, (__, index) => ({ time: index, amount: row })),
    );
    const failure = failureOf(() => columnsOf({ ...base, discrete_dividends: rows }));
    expect([failure?.reason, failure?.code]).toEqual(["limit-breached", "BATCH_TOO_LARGE"]);
    expect(failure?.detail).toContain(String(listNumbersMax));
  });
});
