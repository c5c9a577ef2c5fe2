// Every way to the same option of stochastic volatility, jumps or SABR gives the same bits: alone, in a batch, in any order, beside rows that share a characteristic
// function or not, with other outputs asked for, broadcast or spread, in steps or at once.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ModelName, modelNamed, type OutputName } from "../../../src/engine/catalog";
import { createEngine, type Engine } from "../../../src/engine/engine";
import { kernelBytes, testEngine } from "../../harness/kernel";
import { type NamedInputs, rowsRequest } from "../../harness/stochastic";
import { realWorkers } from "../../harness/threads";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

const bitsOf = (column: Float64Array, row: number) => new BigUint64Array(column.slice(row, row + 1).buffer)[0];

const chain = (row: NamedInputs): NamedInputs[] =>
  Array.from({ length: 9 }, (_, step) => ({ ...row, isCall: step % 2 === 0, strike: 60 + 10 * step }));
const market = { spot: 100, forward: 100, time_to_expiry: 0.5, rate: 0.03, dividend_yield: 0.01 };
const rows: [ModelName, NamedInputs[]][] = [
  [
    "heston",
    [
      { v0: 0.04, kappa: 1.5, long_variance: 0.05, vol_of_vol: 0.6, correlation: -0.7 },
      { v0: 0.04, kappa: 1.5, long_variance: 0.05, vol_of_vol: 0.6, correlation: -0.6 },
      { v0: 0.001, kappa: 0.2, long_variance: 0.01, vol_of_vol: 3, correlation: 0.6 },
    ].flatMap((parameters) => chain({ ...market, ...parameters })),
  ],
  ["merton_jump", chain({ ...market, volatility: 0.2, jump_intensity: 2, jump_mean: -0.1, jump_volatility: 0.2 })],
  ["sabr", chain({ ...market, initial_volatility: 0.3, beta: 0.9, vol_of_vol: 0.5, correlation: -0.3 })],
];

describe("S1.13 S4.47 the bits of a row", () => {
  test.each(rows)("of %s depend on nothing around it", (model, each) => {
    const together = engine.price(rowsRequest(model, each));
    const shuffled = each.map((_, index) => (index * 5) % each.length);
    const mixed = engine.price(
      rowsRequest(
        model,
        shuffled.map((from) => each[from]!),
      ),
    );
    for (const [index, row] of each.entries()) {
      const alone = engine.price(rowsRequest(model, [row]));
      for (const output of modelNamed(model).outputs) {
        const expected = bitsOf(together.columns[output]!, index);
        expect(bitsOf(alone.columns[output]!, 0), `${output} ${JSON.stringify(row)}`).toBe(expected!);
        expect(bitsOf(mixed.columns[output]!, shuffled.indexOf(index)), output).toBe(expected!);
      }
    }
  });

  test.each(rows)("of %s do not depend on which outputs are asked for", (model, each) => {
    const all = engine.price(rowsRequest(model, each));
    for (const outputs of [["price"], ["gamma"], ["price", "theta"], ["vega", "price"]] as OutputName[][]) {
      const { columns } = engine.price(rowsRequest(model, each, outputs));
      for (const output of outputs) {
        for (const row of each.keys()) expect(bitsOf(columns[output]!, row)).toBe(bitsOf(all.columns[output]!, row)!);
      }
    }
  });

  test.each(rows)("of %s are the same where one number stands for a column, and in steps", async (model, each) => {
    const first = each.slice(0, 9);
    const spread = rowsRequest(model, first);
    const scalars: Record<string, number | Float64Array> = {};
    for (const [name, column] of Object.entries(spread.inputs))
      scalars[name] = name === "strike" ? column : (column as Float64Array)[0]!;
    const atOnce = engine.price(spread);
    const broadcast = engine.price({ ...spread, inputs: scalars });
    const many = Array.from({ length: 60 }, () => first).flat();
    const inSteps = await engine.priceAsync(rowsRequest(model, many));
    for (const output of modelNamed(model).outputs) {
      for (const row of first.keys()) {
        const expected = bitsOf(atOnce.columns[output]!, row)!;
        expect(bitsOf(broadcast.columns[output]!, row)).toBe(expected);
        expect(bitsOf(inSteps.columns[output]!, 59 * 9 + row)).toBe(expected);
      }
    }
  });
});

describe("S1.13 S4.64 any number of workers", () => {
  let threads: Engine;
  beforeAll(async () => {
    threads = createEngine({ wasmBytes: await kernelBytes(), version: "test", workers: realWorkers(2) });
  });
  afterAll(() => threads.stop());

  const simulations = Array.from(
    { length: 48 },
    (_, index): NamedInputs => ({
      ...market,
      isCall: false,
      strike: 90 + index,
      volatility: 0.3,
      exercise: index % 2,
      sampling: index % 3 === 0 ? 1 : 0,
      steps: 8,
      paths: 1024,
      seed: index,
    }),
  );
  const batches: [ModelName, NamedInputs[]][] = [
    // as many as it takes to weigh more than what is computed at once
    ...rows.map(([model, each]): [ModelName, NamedInputs[]] => [
      model,
      Array.from({ length: model === "sabr" ? 2000 : 20 }, () => each).flat(),
    ]),
    ["monte_carlo", simulations],
  ];

  test.each(batches)("gives the same bits of %s", async (model, each) => {
    const request = rowsRequest(model, each);
    const expected = engine.price(request);
    // as often as it takes until a worker has had a share: threads start with the first batch that pays for them
    const before = threads.activity.workerChunks;
    for (let round = 0; round < 400; round++) {
      const found = await threads.priceAsync(request);
      for (const output of modelNamed(model).outputs) {
        const bytes = (column: Float64Array) => Buffer.from(column.buffer, column.byteOffset, column.byteLength);
        expect(bytes(found.columns[output]!).equals(bytes(expected.columns[output]!)), output).toBe(true);
      }
      expect(found.status).toEqual(expected.status);
      if (threads.activity.workerChunks > before) break;
    }
    expect(threads.activity.workerChunks).toBeGreaterThan(before);
  });
});
