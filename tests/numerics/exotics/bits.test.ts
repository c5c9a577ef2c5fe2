// Every way to the same digital, barrier or lookback option gives the same bits: alone, in a batch, backwards, with other outputs asked for, with
// one number for a column, and whichever thread computes it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { OutputName } from "../../../src/engine/catalog";
import { createEngine, type Engine, type PriceResult } from "../../../src/engine/engine";
import { everyday, exoticModels, exoticOutputs, exoticRequest, randomRows, wild } from "../../harness/exotic";
import { kernelBytes, testEngine } from "../../harness/kernel";
import { realWorkers } from "../../harness/threads";

let engine: Engine;
let threaded: Engine;

beforeAll(async () => {
  engine = await testEngine();
  threaded = createEngine({ wasmBytes: await kernelBytes(), version: "test", workers: realWorkers(2) });
});

afterAll(() => threaded.stop());

const bitsOf = (column: Float64Array) => Array.from(new BigUint64Array(column.slice().buffer));

function expectSame(one: PriceResult, other: PriceResult, outputs: readonly OutputName[]): void {
  expect(one.status).toEqual(other.status);
  for (const output of outputs) expect(bitsOf(one.columns[output]!), output).toEqual(bitsOf(other.columns[output]!));
}

/** Ordinary rows, and among them ones with a limit and refused ones. */
function rowsOf(model: (typeof exoticModels)[number]) {
  const edges = [{ volatility: 0 }, { time_to_expiry: 0 }, { spot: 0 }, { spot: -1 }, { volatility: Number.NaN }];
  const rows = [...randomRows(model, 30, 1, everyday), ...randomRows(model, 30, 2, wild)];
  return rows.map((row, index) => (index % 5 === 4 ? { ...row, ...edges[((index / 5) % edges.length) | 0]! } : row));
}

describe("S1.13 S4.47 the bits of an exotic option", () => {
  test.each(exoticModels)("%s: depend on nothing around it", (model) => {
    const rows = rowsOf(model);
    const together = engine.price(exoticRequest(model, rows));
    const backwards = engine.price(exoticRequest(model, rows.toReversed()));
    for (const column of Object.values(backwards.columns)) column.reverse();
    backwards.status.reverse();
    expectSame(backwards, together, exoticOutputs);
    for (const [index, row] of rows.entries()) {
      const alone = engine.price(exoticRequest(model, [row]));
      expect(alone.status[0]).toBe(together.status[index]!);
      for (const output of exoticOutputs) {
        const place = together.columns[output]!.subarray(index, index + 1);
        expect(bitsOf(alone.columns[output]!), output).toEqual(bitsOf(place));
      }
    }
  });

  test.each(exoticModels)("%s: do not depend on which outputs are asked for", (model) => {
    const rows = rowsOf(model);
    const all = engine.price(exoticRequest(model, rows));
    const some: OutputName[][] = [
      ["price"],
      ["gamma", "price"],
      ["vega", "theta", "lambda"],
      ["ultima"],
      ["dual_gamma"],
    ];
    for (const outputs of some) expectSame(engine.price(exoticRequest(model, rows, outputs)), all, outputs);
  });

  test.each(exoticModels)("%s: are the same where one number stands for a column", (model) => {
    const rows = rowsOf(model).map((row) => ({
      ...row,
      rate: 0.03,
      volatility: 0.3,
      time_to_expiry: 0.7,
      isCall: true,
    }));
    const spread = exoticRequest(model, rows);
    const inputs = { ...spread.inputs, rate: 0.03, volatility: 0.3, time_to_expiry: 0.7, monitoring_interval: 0 };
    expectSame(engine.price({ ...spread, isCall: true, inputs }), engine.price(spread), exoticOutputs);
  });

  test.each(exoticModels)("%s: are the same on any thread", async (model) => {
    const rows = Array.from({ length: 40 }, () => rowsOf(model)).flat();
    const request = exoticRequest(model, rows, ["price", "vega", "gamma", "zomma"]);
    const once = engine.price(request);
    const before = threaded.activity.workerChunks;
    for (let turn = 0; turn < 200 && threaded.activity.workerChunks === before; turn++)
      expectSame(await threaded.priceAsync(request), once, request.outputs);
    expect(threaded.activity.workerChunks).toBeGreaterThan(before);
  });
});
