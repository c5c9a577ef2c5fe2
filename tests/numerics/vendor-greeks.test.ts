// Greeks that others published beside ours, from their own inputs. One vendor's European index options: rate, yield and moment of expiry
// are not told, so they are fitted, once for each expiry, and everything else must follow. Two vendors' American options: every input is
// in the row. Where a vendor's figures don't follow from its own inputs, the tolerance says by how much, column by column, and
// docs/numerics/live-valuation.md what they seem to be computed with.

import { describe, expect, test } from "bun:test";
import type { OutputName } from "../../src/engine/catalog";
import type { PriceRequest } from "../../src/engine/engine";
import { bookEngine, microsecondsPerYear } from "../harness/book";
import { marketData } from "../harness/market-data";

const european = marketData("lean-ib-greeks");
const american = marketData("lean-thirdparty-greeks");

type Column = "price" | "delta" | "gamma" | "vega" | "theta";

interface VendorRow extends Readonly<Record<Column, number>> {
  readonly strike: number;
  readonly isCall: boolean;
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly spot: number;
  readonly volatility: number;
}

/** The quotes of one expiry: time, price, volatility, delta, gamma, vega, theta, spot. */
function europeanRows(expiry: string): VendorRow[] {
  return Object.entries(european!).flatMap(([name, text]) => {
    if (!name.startsWith(`SPX${expiry}`)) return [];
    const lines = text.trim().split("\n").slice(1);
    return lines.map((line) => {
      const [moment, ...cells] = line.split(",");
      const [, year, month, day, clock] = /^(\d{4})(\d\d)(\d\d) ([\d:]{8}\.\d{3})/.exec(moment!)!;
      const [price, volatility, delta, gamma, vega, theta, spot] = cells.map(Number) as number[] & { length: 7 };
      return {
        strike: Number(name.slice(10, 18)) / 1000,
        isCall: name[9] === "C",
        at: Date.parse(`${year}-${month}-${day}T${clock}Z`) * 1000,
        spot: spot!,
        volatility: volatility!,
        ...{ price: price!, delta: delta!, gamma: gamma!, vega: vega!, theta: theta! },
      };
    });
  });
}

const outputs = ["price", "delta", "gamma", "vega", "theta"] as const satisfies readonly OutputName[];

function computed(model: PriceRequest["model"], rows: readonly VendorRow[], inputs: PriceRequest["inputs"]) {
  const { columns } = bookEngine().price({
    model,
    count: rows.length,
    isCall: Uint8Array.from(rows, ({ isCall }) => (isCall ? 1 : 0)),
    inputs: {
      spot: Float64Array.from(rows, ({ spot }) => spot),
      strike: Float64Array.from(rows, ({ strike }) => strike),
      volatility: Float64Array.from(rows, ({ volatility }) => volatility),
      ...inputs,
    },
    outputs,
    units: "market",
  });
  return columns as Record<Column, Float64Array>;
}

/** Rate, yield and years from the first row's moment to expiry. */
type Unknowns = readonly [rate: number, dividendYield: number, years: number];

function europeanGreeks(rows: readonly VendorRow[], [rate, dividendYield, years]: Unknowns) {
  const time = Float64Array.from(rows, ({ at }) => years - (at - rows[0]!.at) / microsecondsPerYear);
  return computed("black_scholes_merton", rows, { rate, dividend_yield: dividendYield, time_to_expiry: time });
}

/** Least squares of the relative errors of delta, gamma and vega, by Gauss and Newton. */
function fitted(rows: readonly VendorRow[], start: Unknowns): Unknowns {
  const residuals = (at: Unknowns) => {
    const greeks = europeanGreeks(rows, at);
    return rows.flatMap((row, index) =>
      (["delta", "gamma", "vega"] as const).map((name) => greeks[name][index]! / row[name] - 1),
    );
  };
  let at = [...start] as [number, number, number];
  for (let round = 0; round < 20; round++) {
    const here = residuals(at);
    const slopes = at.map((value, place) => {
      const step = 1e-6;
      return residuals(at.with(place, value + step) as unknown as Unknowns).map(
        (each, index) => (each - here[index]!) / step,
      );
    });
    const dot = (left: readonly number[], right: readonly number[]) =>
      left.reduce((sum, each, index) => sum + each * right[index]!, 0);
    const move = solved(slopes.map((left) => [...slopes.map((right) => dot(left, right)), dot(left, here)]));
    at = at.map((value, place) => value - move[place]!) as [number, number, number];
  }
  return at;
}

/** Three equations by elimination; the system is symmetric and positive. */
function solved(rows: number[][]): number[] {
  for (let pivot = 0; pivot < rows.length; pivot++)
    for (let row = 0; row < rows.length; row++) {
      if (row === pivot) continue;
      const share = rows[row]![pivot]! / rows[pivot]![pivot]!;
      rows[row] = rows[row]!.map((value, column) => value - share * rows[pivot]![column]!);
    }
  return rows.map((row, index) => row.at(-1)! / row[index]!);
}

const greatest = (values: readonly number[]) => values.reduce((most, each) => Math.max(most, Math.abs(each)), 0);

describe.skipIf(european === null)("S4.47 European index options of one vendor", () => {
  test.each([
    ["230811", 120, 7],
    ["230901", 99, 28],
  ])(
    "expiring %s: delta, gamma and vega of all %i rows within 2e-3, price within 3e-3, relative",
    (expiry, count, days) => {
      const rows = europeanRows(expiry);
      expect(rows).toHaveLength(count);
      const unknowns = fitted(rows, [0.05, 0.015, days / 365]);
      const greeks = europeanGreeks(rows, unknowns);
      const errors = (name: Column) => greatest(rows.map((row, index) => greeks[name][index]! / row[name] - 1));
      const [rate, dividendYield, years] = unknowns;
      process.stderr.write(
        `${expiry}: rate ${rate.toFixed(4)}, yield ${dividendYield.toFixed(4)}, ${(365 * years).toFixed(3)} days; greatest errors ${outputs
          .map((name) => `${name} ${errors(name).toExponential(1)}`)
          .join(", ")}\n`,
      );
      for (const name of ["delta", "gamma", "vega"] as const) expect(errors(name), name).toBeLessThan(2e-3);
      expect(errors("price")).toBeLessThan(3e-3);
      // The expiry that was fitted is that day's, not some other that happens to agree.
      expect(Math.abs(365 * years - days)).toBeLessThan(0.5);
    },
  );
});

interface AmericanRow extends VendorRow {
  readonly timeToExpiry: number;
  readonly rate: number;
  readonly dividendYield: number;
}

/** Both options of each line: four cells that name it, pairs of put and call, then spot, time, rate and yield. */
function americanRows(name: string, hasRho: boolean): AmericanRow[] {
  const lines = american![name]!.trim().split("\n").slice(3);
  return lines.flatMap((line) => {
    const [, , strike, , ...cells] = line.split(",");
    const numbers = cells.map(Number);
    const [spot, timeToExpiry, rate, dividendYield] = numbers.slice(hasRho ? 14 : 12) as [
      number,
      number,
      number,
      number,
    ];
    return [0, 1].map((side) => ({
      strike: Number(strike),
      isCall: side === 1,
      at: 0,
      ...{ spot, timeToExpiry, rate, dividendYield },
      price: numbers[side]!,
      volatility: numbers[2 + side]!,
      delta: numbers[4 + side]!,
      gamma: numbers[6 + side]!,
      vega: numbers[8 + side]!,
      theta: numbers[10 + side]!,
    }));
  });
}

function americanErrors(rows: readonly AmericanRow[], name: string): Record<Column, number> {
  const greeks = computed("american", rows, {
    time_to_expiry: Float64Array.from(rows, ({ timeToExpiry }) => timeToExpiry),
    rate: Float64Array.from(rows, ({ rate }) => rate),
    dividend_yield: Float64Array.from(rows, ({ dividendYield }) => dividendYield),
  });
  const errors = Object.fromEntries(
    outputs.map((output) => [output, greatest(rows.map((row, index) => greeks[output][index]! - row[output]))]),
  ) as Record<Column, number>;
  process.stderr.write(
    `${name}: greatest errors ${outputs.map((output) => `${output} ${errors[output].toFixed(4)}`).join(", ")}\n`,
  );
  return errors;
}

function expectBelow(errors: Record<Column, number>, most: Partial<Record<Column, number>>): void {
  for (const [name, bound] of Object.entries(most)) expect(errors[name as Column], name).toBeLessThan(bound);
}

describe.skipIf(american === null)(
  "S4.47 American options of two vendors, by the american model from the rows' own inputs",
  () => {
    const first = american === null ? [] : americanRows("third_party_1_greeks.csv", false);
    const second = american === null ? [] : americanRows("third_party_2_greeks.csv", true);

    test("the first, with its time of two whole days", () => {
      expect(first).toHaveLength(32);
      expectBelow(americanErrors(first, "first"), {
        price: 0.115,
        delta: 0.014,
        gamma: 0.0105,
        vega: 0.0185,
        theta: 0.065,
      });
    });

    test("the first, with the 2.2 days that its own vegas tell: four times as near in delta", () => {
      const rows = first.map((row) => ({ ...row, timeToExpiry: 2.2 / 365 }));
      expectBelow(americanErrors(rows, "first, 2.2 days"), {
        price: 0.045,
        delta: 0.0035,
        gamma: 0.0035,
        vega: 0.0105,
      });
    });

    test("the second's calls, whose Greeks stand for its puts as well", () => {
      const calls = second.filter(({ isCall }) => isCall);
      expect(calls).toHaveLength(45);
      expectBelow(americanErrors(calls, "second"), {
        price: 0.61,
        delta: 0.0425,
        gamma: 0.0026,
        vega: 0.1025,
        theta: 0.0141,
      });
      for (const [index, call] of calls.entries()) {
        const put = second[2 * index]!;
        expect(call.delta - put.delta).toBeCloseTo(1, 5);
        expect([put.gamma, put.vega, put.theta]).toEqual([call.gamma, call.vega, call.theta]);
      }
    });
  },
);
