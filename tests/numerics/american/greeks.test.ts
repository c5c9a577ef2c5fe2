// The Greeks, which come from derivatives under the integral, against differences of prices alone: high-order central differences of `reference`,
// which knows nothing of the formulas for Greeks. Away from the boundary by a thousandth, as the contract says; at it, one-sided.

import { beforeAll, describe, expect, test } from "bun:test";
import type { OutputName } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { seededRandom } from "../../../src/foundation/random";
import { type AmericanRow, americanOutputs, americanRequest } from "../../harness/american";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

/** Options as a market has them, and some with rates below zero. */
function usualRows(count: number, seed: number): AmericanRow[] {
  const source = seededRandom(BigInt(seed));
  const random = () => source.unit();
  return Array.from({ length: count }, () => {
    const volatility = 0.08 + 0.7 * random();
    const time = 0.05 + 2.5 * random() ** 2;
    return {
      isCall: random() < 0.5,
      spot: 100 * Math.exp((random() - 0.5) * 3 * volatility * Math.sqrt(time)),
      strike: 100,
      time_to_expiry: time,
      rate: -0.03 + 0.13 * random(),
      dividend_yield: -0.03 + 0.13 * random(),
      volatility,
    };
  });
}

type Bumped = Exclude<keyof AmericanRow, "isCall" | "strike">;

/** A derivative in one input of an output of `reference`, of order 6, for every row. */
function slopes(rows: readonly AmericanRow[], input: Bumped, output: OutputName, step: (row: AmericanRow) => number) {
  const at = (multiple: number) =>
    engine.price(
      americanRequest(
        rows.map((row) => ({ ...row, [input]: row[input] + multiple * step(row) })),
        "reference",
        [output],
      ),
    ).columns[output]!;
  const [a, b, c] = [1, 2, 3].map((multiple) => {
    const up = at(multiple);
    const down = at(-multiple);
    return up.map((value, row) => value - down[row]!);
  }) as [Float64Array, Float64Array, Float64Array];
  return a.map((_, row) => (45 * a[row]! - 9 * b[row]! + c[row]!) / (60 * step(rows[row]!)));
}

/** Rows that no bump takes across the boundary. */
function clear(rows: readonly AmericanRow[]): AmericanRow[] {
  const { columns } = engine.price(americanRequest(rows, "reference", ["exercise_boundary", "delta"]));
  return rows.filter((row, index) => {
    const boundary = columns.exercise_boundary![index]!;
    const isExercised = Math.abs(columns.delta![index]!) === 1;
    return !isExercised && !(Math.abs(row.spot / boundary - 1) < 0.02);
  });
}

describe("S4.47 the Greeks of accurate", () => {
  // relative error allowed beyond 1e-6 (of a unit of the output, strikes being 100); the contract asks delta 1e-5, gamma and vega 1e-4
  const cases: [OutputName, Bumped, OutputName, (row: AmericanRow) => number, number, number][] = [
    ["delta", "spot", "price", (row) => 1e-3 * row.spot, 1e-6, 1e-6],
    ["gamma", "spot", "delta", (row) => 1e-3 * row.spot, 2e-5, 1e-6],
    ["speed", "spot", "gamma", (row) => 1e-3 * row.spot, 1e-3, 1e-6],
    ["vega", "volatility", "price", (row) => 2e-3 * row.volatility, 5e-6, 1e-5],
    ["vanna", "volatility", "delta", (row) => 2e-3 * row.volatility, 1e-4, 1e-5],
    ["zomma", "volatility", "gamma", (row) => 2e-3 * row.volatility, 1e-3, 1e-5],
    ["volga", "volatility", "vega", (row) => 2e-3 * row.volatility, 1e-3, 1e-3],
    ["rho", "rate", "price", () => 1e-4, 1e-5, 1e-4],
    ["dividend_rho", "dividend_yield", "price", () => 1e-4, 1e-5, 1e-4],
    ["theta", "time_to_expiry", "price", (row) => 1e-3 * row.time_to_expiry, 1e-4, 1e-4],
    ["charm", "time_to_expiry", "delta", (row) => 1e-3 * row.time_to_expiry, 1e-3, 1e-4],
    ["veta", "time_to_expiry", "vega", (row) => 1e-3 * row.time_to_expiry, 1e-3, 1e-2],
  ];
  const inTime: readonly OutputName[] = ["theta", "charm", "veta"];
  for (const [output, input, base, step, relative, absolute] of cases) {
    test(`${output} is the derivative of ${base} in ${input}, within ${relative} of itself and ${absolute}`, () => {
      const rows = clear(usualRows(45, 20_261));
      expect(rows.length).toBeGreaterThan(30);
      const expected = slopes(rows, input, base, step).map((value) => (inTime.includes(output) ? -value : value));
      const computed = engine.price(americanRequest(rows, "accurate", [output])).columns[output]!;
      const worst = rows
        .map((row, index) => ({
          row,
          computed: computed[index]!,
          expected: expected[index]!,
          excess: Math.abs(computed[index]! - expected[index]!) / (relative * Math.abs(expected[index]!) + absolute),
        }))
        .reduce((most, each) => (each.excess <= most.excess ? most : each));
      expect(worst.excess, JSON.stringify(worst)).toBeLessThanOrEqual(1);
    });
  }

  test("dual delta and dual gamma follow from the price's homogeneity, lambda from delta", () => {
    const rows = clear(usualRows(60, 99));
    const { columns } = engine.price(americanRequest(rows, "accurate"));
    for (const [index, { spot, strike }] of rows.entries()) {
      const of = (output: OutputName) => columns[output]![index]!;
      expect(of("dual_delta")).toBeCloseTo((of("price") - spot * of("delta")) / strike, 12);
      expect(of("dual_gamma")).toBeCloseTo((of("gamma") * spot * spot) / (strike * strike), 12);
      expect(of("lambda")).toBeCloseTo((spot * of("delta")) / of("price"), 9);
    }
  });

  test("a thousandth from the boundary delta, gamma and vega are still those of reference", () => {
    const rows = usualRows(200, 7).filter(({ rate, dividend_yield: yields }) => rate > 0.005 && yields > 0.005);
    const boundaries = engine.price(americanRequest(rows, "reference", ["exercise_boundary"])).columns
      .exercise_boundary!;
    const near = rows.map((row, index) => ({ ...row, spot: boundaries[index]! * (row.isCall ? 0.999 : 1.001) }));
    const outputs: OutputName[] = ["delta", "gamma", "vega"];
    const accurate = engine.price(americanRequest(near, "accurate", outputs)).columns;
    const reference = engine.price(americanRequest(near, "reference", outputs)).columns;
    const tolerances = { delta: 1e-5, gamma: 1e-4, vega: 1e-4 };
    for (const [output, relative] of Object.entries(tolerances) as [OutputName, number][]) {
      for (const [index, expected] of reference[output]!.entries()) {
        const error = Math.abs(accurate[output]![index]! - expected);
        expect(error, `${output} ${JSON.stringify(near[index])}`).toBeLessThanOrEqual(
          relative * Math.abs(expected) + (output === "vega" ? 1e-4 : 1e-6),
        );
      }
    }
  });

  test("at the boundary and beyond it they are the payoff's: one-sided", () => {
    const row = { spot: 100, strike: 100, time_to_expiry: 1, rate: 0.05, dividend_yield: 0.02, volatility: 0.2 };
    const boundary = engine.price(americanRequest([row], "accurate", ["exercise_boundary"])).columns
      .exercise_boundary![0]!;
    for (const spot of [boundary * (1 - 1e-12), 0.9 * boundary]) {
      const { columns, status } = engine.price(americanRequest([{ ...row, spot }], "accurate"));
      expect(status[0]).toBe(0);
      expect(columns.price![0]).toBe(100 - spot);
      expect(columns.delta![0]).toBe(-1);
      for (const output of americanOutputs.filter((name) => /gamma|vega|theta|rho|vanna|volga|charm|veta/.test(name))) {
        expect(columns[output]![0], output).toBeCloseTo(0, 12);
      }
    }
  });
});
