// The American model with cash dividends: prices and Greeks against integrals (calls, which are exercised just before a dividend or never)
// and against another grid (puts), each scheme within its stated error; volatilities back from prices; the same bits whatever the way.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { statusCodes } from "../../../src/engine/catalog";
import { createEngine, type Engine } from "../../../src/engine/engine";
import { listsOf, sameLists } from "../../../src/engine/lists";
import { gridValue } from "../../harness/american-grid";
import { type DividendOption, quadratureGreeks } from "../../harness/dividend-quadrature";
import {
  americanDividendRequest,
  type DividendRow,
  dividendOutputs,
  gridRequest,
  numberOf,
  wildDividendRows,
} from "../../harness/finite-difference";
import { kernelBytes, testEngine } from "../../harness/kernel";
import { realWorkers } from "../../harness/threads";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const base: DividendRow = {
  isCall: true,
  spot: 100,
  strike: 100,
  time_to_expiry: 1,
  rate: 0.06,
  dividend_yield: 0,
  volatility: 0.3,
  dividends: [0.3, 4],
};
const option = (row: DividendRow): DividendOption => ({
  isCall: row.isCall,
  isAmerican: true,
  spot: row.spot,
  strike: row.strike,
  time: row.time_to_expiry,
  rate: row.rate,
  dividendYield: row.dividend_yield,
  volatility: row.volatility,
  dividends: Array.from({ length: row.dividends.length / 2 }, (_, at) => [
    row.dividends[2 * at]!,
    row.dividends[2 * at + 1]!,
  ]),
});
/** What each scheme's price may be off, strikes being around 100, and its delta. */
const errors = [
  ["fast", 0, 4e-3, 2e-4],
  ["accurate", 1, 5e-4, 4e-5],
  ["reference", 2, 4e-5, 6e-6],
] as const;

describe("S4.47 American calls on an asset that pays dividends", () => {
  const calls: readonly (readonly [string, Partial<DividendRow>])[] = [
    ["at the money", {}],
    ["in the money", { strike: 80 }],
    ["deep in the money, a dividend shortly before expiry", { strike: 60, dividends: [0.95, 3] }],
    ["out of the money", { strike: 125 }],
    ["a large dividend", { dividends: [0.5, 15] }],
    ["a rate of 0", { rate: 0, dividends: [0.6, 5], strike: 90 }],
    ["half a year", { time_to_expiry: 0.5, dividends: [0.2, 2] }],
    ["two dividends", { time_to_expiry: 0.5, dividends: [1 / 6, 2, 5 / 12, 2] }],
  ];
  test.each(calls)("are exercised just before it or never: %s", (_, changes) => {
    const row = { ...base, ...changes };
    const truth = quadratureGreeks(engine, option(row));
    for (const [scheme, place, priceMax, deltaMax] of errors) {
      const { columns, status } = engine.price(americanDividendRequest([row], place, ["price", "delta", "gamma"]));
      expect(status[0]).toBe(0);
      expect(Math.abs(columns.price![0]! - truth.price), scheme).toBeLessThanOrEqual(priceMax);
      expect(Math.abs(columns.delta![0]! - truth.delta), scheme).toBeLessThanOrEqual(deltaMax);
      expect(Math.abs(columns.gamma![0]! - truth.gamma), scheme).toBeLessThanOrEqual(5e-5);
    }
  });

  test("are dearer than European ones by what exercising before the dividend is worth", () => {
    const row = { ...base, strike: 70, dividends: [0.9, 6] };
    const { columns } = engine.price(americanDividendRequest([row], 1, ["price", "early_exercise_premium"]));
    const european = quadratureGreeks(engine, { ...option(row), isAmerican: false }).price;
    const american = quadratureGreeks(engine, option(row)).price;
    expect(american - european).toBeGreaterThan(1);
    expect(Math.abs(columns.early_exercise_premium![0]! - (american - european))).toBeLessThanOrEqual(6e-4);
  });
});

describe("S4.47 American puts on an asset that pays dividends", () => {
  const puts: readonly (readonly [string, Partial<DividendRow>])[] = [
    ["at the money", {}],
    ["in the money", { strike: 125 }],
    ["out of the money", { strike: 80 }],
    ["two dividends", { time_to_expiry: 2, dividends: [0.7, 3, 1.6, 3] }],
    ["a yield beside them", { dividend_yield: 0.03, dividends: [0.25, 2, 0.75, 2] }],
    ["a rate below 0", { rate: -0.02, strike: 110 }],
    ["a low volatility", { volatility: 0.12, rate: 0.03 }],
  ];
  // the other grid's own error is some 3e-4 in price and 1e-5 in delta
  test.each(puts)("agree with a grid that is not ours: %s", (_, changes) => {
    const row = { ...base, isCall: false, ...changes };
    const truth = gridValue(option(row), 160);
    for (const [scheme, place, priceMax, deltaMax] of errors) {
      const { columns, status } = engine.price(americanDividendRequest([row], place, ["price", "delta", "gamma"]));
      expect(status[0]).toBe(0);
      expect(Math.abs(columns.price![0]! - truth.price), scheme).toBeLessThanOrEqual(priceMax + 5e-4);
      expect(Math.abs(columns.delta![0]! - truth.delta), scheme).toBeLessThanOrEqual(deltaMax + 2e-5);
      expect(Math.abs(columns.gamma![0]! - truth.gamma), scheme).toBeLessThanOrEqual(5e-5);
    }
  });

  test("so do calls with a yield, which are exercised between dividends too", () => {
    for (const strike of [80, 100, 120]) {
      const row = { ...base, strike, rate: 0.02, dividend_yield: 0.06, dividends: [0.4, 3] };
      const truth = gridValue(option(row), 160);
      const { columns } = engine.price(americanDividendRequest([row], 1, ["price", "delta"]));
      expect(Math.abs(columns.price![0]! - truth.price)).toBeLessThanOrEqual(1e-3);
      expect(Math.abs(columns.delta![0]! - truth.delta)).toBeLessThanOrEqual(6e-5);
    }
  });
});

describe("S4.47 Greeks with dividends", () => {
  test.each([true, false])("are the slopes of the finest scheme's prices (call: %p)", (isCall) => {
    const row = { ...base, isCall, strike: 105, dividends: [0.3, 2, 0.8, 2] };
    const outputs = ["vega", "theta", "rho", "dividend_rho", "vanna", "delta"] as const;
    const { columns } = engine.price(americanDividendRequest([row], 1, outputs));
    const price = (changes: Partial<DividendRow>) =>
      numberOf(engine, americanDividendRequest([{ ...row, ...changes }], 2), "price");
    const delta = (changes: Partial<DividendRow>) =>
      numberOf(engine, americanDividendRequest([{ ...row, ...changes }], 2), "delta");
    const slope = (of: (changes: Partial<DividendRow>) => number, name: keyof DividendRow, h: number) =>
      (of({ [name]: (row[name] as number) + h }) - of({ [name]: (row[name] as number) - h })) / (2 * h);
    const near = (output: (typeof outputs)[number], expected: number, relative: number) =>
      expect(Math.abs(columns[output]![0]! - expected), output).toBeLessThanOrEqual(relative * Math.abs(expected));
    near("delta", slope(price, "spot", 0.1), 3e-4);
    near("vega", slope(price, "volatility", 0.01), 2e-3);
    near("rho", slope(price, "rate", 0.002), 4e-3);
    near("dividend_rho", slope(price, "dividend_yield", 0.002), 4e-3);
    near("vanna", slope(delta, "volatility", 0.01), 2e-2);
    const later = (passed: number) => ({
      time_to_expiry: 1 - passed,
      dividends: [0.3 - passed, 2, 0.8 - passed, 2],
    });
    near("theta", (price(later(0.005)) - price(later(-0.005))) / 0.01, 4e-3);
  });

  test("past them, without any, or with none that counts, are those of the model without", () => {
    const rows = [{ ...base, isCall: false }, base];
    const plain = engine.price({ ...americanDividendRequest(rows, 1), lists: undefined });
    for (const dividends of [[], [-0.5, 3], [0, 3], [1.5, 3], [0.5, 0]]) {
      const listed = engine.price(
        americanDividendRequest(
          rows.map((row) => ({ ...row, dividends })),
          1,
        ),
      );
      expect(listed).toEqual(plain);
    }
    const { gamma } = engine.price({
      ...americanDividendRequest([base], 1, ["speed", "gamma"]),
      lists: undefined,
    }).columns;
    expect(Number.isFinite(gamma![0]!)).toBe(true);
  });

  test("that there are none of with dividends make their rows unsupported", () => {
    const rows = [base, { ...base, dividends: [] }];
    const { columns, status } = engine.price(americanDividendRequest(rows, 0, ["price", "speed"]));
    expect([...status]).toEqual([statusCodes.unsupported_output, 0]);
    expect([columns.price![0], columns.speed![0]]).toEqual([Number.NaN, Number.NaN]);
    expect(Number.isFinite(columns.speed![1]!)).toBe(true);
  });
});

describe("S4.47 wild options with dividends", () => {
  test.each([0, 1])(
    "have a price, worth no less than exercise now, a sure future or European exercise (scheme %d)",
    (scheme) => {
      const rows = wildDividendRows(150, 77n);
      const { columns, status } = engine.price(americanDividendRequest(rows, scheme));
      const european = engine.price(gridRequest(rows, "european", 200, ["price"], 100)).columns.price!;
      let priced = 0;
      for (const [index, row] of rows.entries()) {
        const shown = JSON.stringify(row);
        expect(status[index]!, shown).toBeLessThan(10);
        for (const output of dividendOutputs)
          if (output !== "lambda") expect(Number.isFinite(columns[output]![index]!), `${output} ${shown}`).toBe(true);
        const price = columns.price![index]!;
        const scale = Math.max(row.spot, row.strike, european[index]!);
        expect(price, shown).toBeGreaterThanOrEqual(
          Math.max(row.isCall ? row.spot - row.strike : row.strike - row.spot, 0),
        );
        expect(price, shown).toBeGreaterThanOrEqual(european[index]! - 3e-4 * scale);
        if (status[index] === 0) priced += 1;
      }
      expect(priced).toBeGreaterThan(130);
    },
  );
});

describe("S4.47 volatilities of prices with dividends", () => {
  test.each([0, 1])("give their prices back (scheme %d)", (scheme) => {
    const rows = wildDividendRows(80, 5n).filter(
      ({ volatility, time_to_expiry: time, dividends }) =>
        volatility * Math.sqrt(time) < 2 && dividends.some((when, at) => at % 2 === 0 && when > 0 && when <= time),
    );
    const priced = engine.price(americanDividendRequest(rows, scheme, ["price", "vega"]));
    const { inputs, ...request } = americanDividendRequest(rows, scheme);
    const { volatility: _, ...known } = inputs;
    const solved = engine.impliedVolatility({
      ...request,
      inputs: known,
      price: priced.columns.price!,
      onUnattainable: "null",
    });
    const again = engine.price({
      ...request,
      inputs: { ...known, volatility: solved.impliedVolatility },
      outputs: ["price"],
    });
    let found = 0;
    let lost = 0;
    for (const [index, row] of rows.entries()) {
      const shown = JSON.stringify(row);
      const code = solved.status[index]!;
      // where nothing of the price depends on the volatility, none is told
      expect([statusCodes.ok, statusCodes.below_intrinsic, statusCodes.not_converged] as number[], shown).toContain(
        code,
      );
      if (code === statusCodes.not_converged) lost += 1;
      if (code !== statusCodes.ok) continue;
      found += 1;
      expect(Math.abs(again.columns.price![index]! - priced.columns.price![index]!), shown).toBeLessThanOrEqual(
        2e-9 * Math.max(row.spot, row.strike),
      );
      expect(solved.attainableError[index]!, shown).toBeGreaterThan(1e-16);
    }
    expect(found).toBeGreaterThan(rows.length / 2);
    expect(lost).toBeLessThanOrEqual(1);
  });

  const solve = (changes: Partial<DividendRow>, price: number) => {
    const { inputs, ...request } = americanDividendRequest([{ ...base, ...changes }], 1);
    const { volatility: _, ...known } = inputs;
    return engine.impliedVolatility({ ...request, inputs: known, price, onUnattainable: "null" });
  };

  test("are those of the prices' own volatility", () => {
    for (const isCall of [true, false]) {
      const price = numberOf(engine, americanDividendRequest([{ ...base, isCall }], 1), "price");
      expect(Math.abs(solve({ isCall }, price).impliedVolatility[0]! - 0.3)).toBeLessThanOrEqual(1e-9);
    }
  });

  test("do not exist at the sure value and below, nor at the spot or the strike and above", () => {
    expect(solve({ strike: 80 }, 20).status[0]).toBe(statusCodes.below_intrinsic);
    expect(solve({ strike: 80 }, 100).status[0]).toBe(statusCodes.above_maximum);
    expect(solve({ isCall: false }, 0).status[0]).toBe(statusCodes.below_intrinsic);
    expect(solve({ isCall: false }, 100).status[0]).toBe(statusCodes.above_maximum);
    expect(solve({}, Number.NaN).status[0]).toBe(statusCodes.non_finite);
    expect(solve({ dividends: [0.5, -1] }, 10).status[0]).toBe(statusCodes.out_of_domain);
    expect(solve({ dividends: [0.5, Number.NaN] }, 10).status[0]).toBe(statusCodes.non_finite);
  });
});

describe("S1.13 S4.47 the bits of options with dividends", () => {
  const rows = wildDividendRows(40, 9n);
  const bitsOf = (column: Float64Array, row: number) => new BigUint64Array(column.slice(row, row + 1).buffer)[0];
  const pooled: Engine[] = [];

  afterAll(async () => {
    for (const each of pooled) await each.stop();
  });

  test("are the same alone, in a batch, backwards and beside rows without", () => {
    for (const request of [
      (some: readonly DividendRow[]) => americanDividendRequest(some, 0, ["price", "delta", "vega"]),
      (some: readonly DividendRow[]) => gridRequest(some, "american", 50, ["price", "delta", "vega"]),
    ]) {
      const mixed = rows.flatMap((row) => [row, { ...row, dividends: [] }]);
      const together = engine.price(request(mixed));
      const backwards = engine.price(request(mixed.toReversed()));
      for (const [index, row] of mixed.entries()) {
        const alone = engine.price(request([row]));
        for (const output of ["price", "delta", "vega"] as const) {
          const expected = bitsOf(together.columns[output]!, index)!;
          expect(bitsOf(alone.columns[output]!, 0)).toBe(expected);
          expect(bitsOf(backwards.columns[output]!, mixed.length - 1 - index)).toBe(expected);
        }
      }
    }
  });

  test("are the same whether one list is told once or in every row", () => {
    const same = rows.map((row) => ({ ...row, dividends: [0.1, 1, 0.2, 2] }));
    const request = americanDividendRequest(same, 0, ["price"]);
    const once = engine.price({ ...request, lists: { discrete_dividends: sameLists([0.1, 1, 0.2, 2]) } });
    expect(once).toEqual(engine.price(request));
  });

  test("are the same by any number of threads, whose lists are more than a chunk has room for", async () => {
    const wasmBytes = await kernelBytes();
    const many = 6000;
    const long = Array.from({ length: 256 }, (_, at) => [2 + at / 512, 1]).flat();
    const lists = listsOf(
      Array.from({ length: many }, (_, row) => (row % 2 ? [...long.slice(0, 510), 9, row] : rows[row % 40]!.dividends)),
    );
    const request = {
      model: "finite_difference",
      count: many,
      isCall: false,
      inputs: {
        spot: Float64Array.from({ length: many }, (_, row) => 80 + (row % 41)),
        strike: 100,
        time_to_expiry: 1,
        rate: 0.05,
        volatility: 0.3,
        space_steps: 10,
        time_steps: 10,
      },
      lists: { discrete_dividends: lists },
      outputs: ["price"],
      units: "raw",
    } as const;
    const expected = engine.price(request);
    expect(expected.status.every((code) => code === 0)).toBe(true);
    for (const count of [0, 2]) {
      const threads = createEngine({ wasmBytes, version: "test", workers: realWorkers(count) });
      pooled.push(threads);
      do expect(await threads.priceAsync(request)).toEqual(expected);
      while (count > 0 && threads.activity.workerChunks === 0);
    }
  });
});
