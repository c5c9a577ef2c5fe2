// American options against what is not ours or not alike: published premiums, finite differences over random calls and puts, our own second
// method, and real threads.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createEngine, type Engine } from "../../../src/engine/engine";
import { seededRandom } from "../../../src/foundation/random";
import { type AmericanRow, americanRequest, schemes, wildRows } from "../../harness/american";
import { gridValue } from "../../harness/american-grid";
import { kernelBytes, testEngine } from "../../harness/kernel";
import { realWorkers } from "../../harness/threads";

let engine: Engine;
const pooled: Engine[] = [];

beforeAll(async () => {
  engine = await testEngine();
});

afterAll(async () => {
  for (const each of pooled) await each.stop();
});

describe("S4.47 published early exercise premiums", () => {
  const put = { isCall: false, spot: 100, strike: 100, time_to_expiry: 1, dividend_yield: 0.05, volatility: 0.25 };
  // Andersen, Lake and Offengenden (2015), whose two forms of the equation differ by 2.5e-8, 1.1e-7 and 1.2e-5
  const rows: readonly (readonly [string, AmericanRow, number, number])[] = [
    ["at the money, 5 %", { ...put, rate: 0.05 }, 0.1069526904109752, 2e-8],
    ["at the money, 7.5 %", { ...put, rate: 0.075 }, 0.3671111788438125, 7e-8],
    ["a strike of 95", { ...put, rate: 0.075, strike: 95 }, 0.2386536123, 7e-6],
  ];
  test.each(rows)("are met: %s", (_, row, expected, tolerance) => {
    const { columns } = engine.price(americanRequest([row], "reference", ["early_exercise_premium"]));
    expect(Math.abs(columns.early_exercise_premium![0]! - expected)).toBeLessThanOrEqual(tolerance);
  });

  test("and boundaries lie where a quadratic approximation has them, within its error of 1 %", () => {
    // QD+ for S 100, K 120, r 10 %, q 3 %, volatility 25 %, at three times to expiry
    for (const [time, expected] of [
      [4.9, 87.76960949965387],
      [2.5, 90.14327315762256],
      [0.1, 106.2588964442338],
    ] as const) {
      const row = {
        isCall: false,
        spot: 100,
        strike: 120,
        rate: 0.1,
        dividend_yield: 0.03,
        volatility: 0.25,
        time_to_expiry: time,
      };
      const boundary = engine.price(americanRequest([row], "reference", ["exercise_boundary"])).columns
        .exercise_boundary![0]!;
      expect(Math.abs(boundary / expected - 1)).toBeLessThanOrEqual(0.01);
      // a hair below it is exercised, a hair above it is not
      const [below, above] = [0.9999, 1.003].map((share) => {
        const { columns } = engine.price(
          americanRequest([{ ...row, spot: share * boundary }], "reference", ["price", "delta"]),
        );
        return [columns.price![0]! - (120 - share * boundary), columns.delta![0]!] as const;
      });
      expect(below).toEqual([0, -1]);
      expect(above![0]).toBeGreaterThan(0);
      expect(above![1]).toBeGreaterThan(-1);
    }
  });
});

/** Calls and puts at random, rates and yields from -6 to 12 %. */
function randomRows(count: number, seed: bigint): AmericanRow[] {
  const source = seededRandom(seed);
  const between = (low: number, high: number) => low + (high - low) * source.unit();
  return Array.from({ length: count }, (_, index) => {
    const volatility = Math.exp(between(Math.log(0.1), Math.log(1)));
    const time = Math.exp(between(Math.log(0.05), Math.log(6)));
    const reach = Math.min(1.2, 2 * volatility * Math.sqrt(time));
    return {
      isCall: index % 2 === 0,
      spot: 100 * Math.exp(between(-reach, reach)),
      strike: 100,
      time_to_expiry: time,
      rate: between(-0.06, 0.12),
      dividend_yield: between(-0.06, 0.12),
      volatility,
    };
  });
}

describe("S4.47 finite differences that are not ours", () => {
  test("agree with random calls and puts in price and delta", () => {
    const rows = randomRows(40, 404n);
    const { columns, status } = engine.price(
      americanRequest(rows, "accurate", ["price", "delta", "early_exercise_premium"]),
    );
    let early = 0;
    for (const [index, row] of rows.entries()) {
      const { isCall, spot, strike, time_to_expiry: time, rate, dividend_yield: dividendYield, volatility } = row;
      const grid = gridValue({ isCall: isCall === true, spot, strike, time, rate, dividendYield, volatility }, 80);
      const shown = JSON.stringify(row);
      expect(status[index]).toBe(0);
      const scale = Math.max(spot, strike);
      expect(Math.abs(columns.price![index]! - grid.price), shown).toBeLessThanOrEqual(3e-5 * scale);
      expect(Math.abs(columns.delta![index]! - grid.delta), shown).toBeLessThanOrEqual(5e-4);
      if (columns.early_exercise_premium![index]! > 1e-3 * scale) early += 1;
    }
    // of many of them the right to exercise early is worth something
    expect(early).toBeGreaterThan(10);
  });

  test("and our own on another grid agree over the domain, but for what a grid leaves out", () => {
    const rows = wildRows(120, 99).filter(({ volatility, time_to_expiry: time }) => volatility * Math.sqrt(time) < 3);
    const exact = engine.price(americanRequest(rows, "accurate", ["price"])).columns.price!;
    const { scheme: _, ...inputs } = americanRequest(rows, "accurate").inputs;
    const grid = engine.price({
      ...americanRequest(rows, "accurate", ["price"]),
      model: "finite_difference",
      inputs: { ...inputs, exercise: 1, space_steps: 400, time_steps: 200 },
    });
    expect(rows.length).toBeGreaterThan(70);
    for (const [index, row] of rows.entries()) {
      const scale = Math.max(row.spot, row.strike);
      expect(Math.abs(grid.columns.price![index]! - exact[index]!), JSON.stringify(row)).toBeLessThanOrEqual(
        2e-3 * scale,
      );
    }
  });
});

test("S4.64 any number of threads gives an American option's bits", async () => {
  const rows = Array.from({ length: 4 }, (_, round) => wildRows(160, 500 + round)).flat();
  const base = americanRequest(rows, "fast", ["price", "delta", "vega"]);
  // every scheme in turn, so that what a thread remembers of one row is no use to the next
  const inputs = {
    ...base.inputs,
    scheme: Float64Array.from(rows, (_, row) => (row % 16 === 0 ? schemes.accurate : 0)),
  };
  const request = { ...base, inputs };
  const expected = engine.price(request);
  const wasmBytes = await kernelBytes();
  for (const count of [0, 1, 2]) {
    const threads = createEngine({ wasmBytes, version: "test", workers: realWorkers(count) });
    pooled.push(threads);
    do expect(await threads.priceAsync(request)).toEqual(expected);
    while (count > 0 && threads.activity.workerChunks < 5);
  }
});
