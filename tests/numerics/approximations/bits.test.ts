// Every way to the same option by an approximation or a tree gives the same bits: alone, in a batch, backwards, with other outputs asked for, with one
// number for a column, and whichever thread computes it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { modelNamed, type OutputName } from "../../../src/engine/catalog";
import { createEngine, type Engine, type PriceResult } from "../../../src/engine/engine";
import { type AmericanRow, wildRows } from "../../harness/american";
import { approximations, requestFor } from "../../harness/approximations";
import { bitsOf, kernelBytes, testEngine } from "../../harness/kernel";
import { realWorkers } from "../../harness/threads";

let engine: Engine;
let threaded: Engine;

beforeAll(async () => {
  engine = await testEngine();
  threaded = createEngine({ wasmBytes: await kernelBytes(), version: "test", workers: realWorkers(2) });
});

afterAll(() => threaded.stop());

const models = [...approximations, "binomial"] as const;
const few = { steps: 31, tree: 1, extrapolation: 1, smoothing: 1 } as const;
const moreOf = (model: (typeof models)[number]) => (model === "binomial" ? few : {});

function expectSame(one: PriceResult, other: PriceResult, outputs: readonly OutputName[]): void {
  expect(one.status).toEqual(other.status);
  for (const output of outputs) expect(bitsOf(one.columns[output]!), output).toEqual(bitsOf(other.columns[output]!));
}

/** Rows with limits and refused ones among wild ones. */
function rowsOf(count: number): AmericanRow[] {
  const edges = [{ volatility: 0 }, { time_to_expiry: 0 }, { spot: 0 }, { spot: -1 }, { volatility: Number.NaN }];
  return wildRows(count, 17).map((row, index) =>
    index % 7 === 6 ? { ...row, ...edges[((index / 7) | 0) % edges.length]! } : row,
  );
}

describe("S1.13 S4.47 the bits of an approximation or a tree", () => {
  test.each(models)("%s: depend on nothing around the row", (model) => {
    const { outputs } = modelNamed(model);
    const rows = rowsOf(70);
    const together = engine.price(requestFor(model, rows, outputs, moreOf(model)));
    const backwards = engine.price(requestFor(model, rows.toReversed(), outputs, moreOf(model)));
    for (const column of Object.values(backwards.columns)) column.reverse();
    backwards.status.reverse();
    expectSame(backwards, together, outputs);
    for (const [index, row] of rows.entries()) {
      // another model's work in the same room
      engine.price(requestFor("american", [rows[0]!], ["price"], { scheme: 0 }));
      const alone = engine.price(requestFor(model, [row], outputs, moreOf(model)));
      expect(alone.status[0]).toBe(together.status[index]!);
      for (const output of outputs) {
        expect(bitsOf(alone.columns[output]!), output).toEqual(
          bitsOf(together.columns[output]!.subarray(index, index + 1)),
        );
      }
    }
  });

  test.each(models)("%s: do not depend on which outputs are asked for", (model) => {
    const { outputs } = modelNamed(model);
    const rows = rowsOf(70);
    const all = engine.price(requestFor(model, rows, outputs, moreOf(model)));
    for (const output of outputs) {
      expectSame(engine.price(requestFor(model, rows, [output], moreOf(model))), all, [output]);
    }
    const five: OutputName[] = ["price", "delta", "gamma", "vega", "theta", "rho"];
    expectSame(engine.price(requestFor(model, rows, five, moreOf(model))), all, five);
  });

  test.each(models)("%s: are the same where one number stands for a column", (model) => {
    const same = { rate: 0.03, volatility: 0.3, time_to_expiry: 0.7 };
    const rows = rowsOf(40).map((row) => ({ ...row, ...same, isCall: true }));
    const spread = requestFor(model, rows, ["price", "vega", "gamma"], moreOf(model));
    const inputs = { ...spread.inputs, ...same };
    expectSame(engine.price({ ...spread, isCall: true, inputs }), engine.price(spread), spread.outputs);
  });

  test.each(models)("%s: are the same on any thread", async (model) => {
    const rows = Array.from({ length: 60 }, () => rowsOf(140)).flat();
    const request = requestFor(model, rows, ["price", "vega", "gamma"], moreOf(model));
    const once = engine.price(request);
    const before = threaded.activity.workerChunks;
    for (let turn = 0; turn < 200 && threaded.activity.workerChunks === before; turn++)
      expectSame(await threaded.priceAsync(request), once, request.outputs);
    expect(threaded.activity.workerChunks).toBeGreaterThan(before);
  });
});
