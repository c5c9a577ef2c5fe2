// The shape rules of pricing, over a catalog of models that do not exist yet: what is proven here holds for the next
// model without a line of the feature changing.

import { describe, expect, test } from "bun:test";
import type { Moment } from "../../../../src/domain/day-count";
import { builtInCalendars } from "../../../../src/domain/exchange-calendars";
import type { InputDefinition, InputName, ModelDefinition, ModelName } from "../../../../src/engine/catalog";
import {
  checkFields,
  checkTimeFields,
  Faults,
  type Fields,
  faultCountMax,
  fieldsOf,
  MomentReader,
  requireRowCount,
  rowCountOf,
  sameOutputs,
} from "../../../../src/features/pricing/rules";
import { BsoptError } from "../../../../src/foundation/errors";

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
      words: {},
      columns: ["option_type", "spot", "volatility", "dividend_yield", "time_to_expiry", "expiry", "valuation_time"],
    });
  });
  test("for a volatility have the price in the volatility's place", () => {
    expect(fieldsOf(onForward, "implied_volatility", catalog) as unknown).toEqual({
      taken: ["forward", "price"],
      required: ["forward", "price"],
      foreign: ["spot", "dividend_yield"],
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
