// Every way to the same American option gives the same bits: alone, in a batch, in any order, beside rows that share its boundary or not, with
// other outputs asked for, and whichever thread computes it.

import { beforeAll, describe, expect, test } from "bun:test";
import type { OutputName } from "../../../src/engine/catalog";
import type { Engine } from "../../../src/engine/engine";
import { type AmericanRow, americanOutputs, americanRequest, wildRows } from "../../harness/american";
import { testEngine } from "../../harness/kernel";

let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
});

/** A ladder over one boundary, puts and calls in turn, among rows that share none. */
function mixedRows(): AmericanRow[] {
  const ladder = Array.from(
    { length: 12 },
    (_, step): AmericanRow => ({
      isCall: step % 2 === 0,
      spot: 88 + 2 * step,
      strike: 100,
      time_to_expiry: 0.75,
      rate: 0.04,
      dividend_yield: 0.03,
      volatility: 0.25,
    }),
  );
  const wild = wildRows(20, 12);
  return [...ladder.slice(0, 6), ...wild.slice(0, 10), ...ladder.slice(6), ...wild.slice(10)];
}

const bitsOf = (column: Float64Array, row: number) => new BigUint64Array(column.slice(row, row + 1).buffer)[0];

describe("S1.13 S4.47 an American option's bits", () => {
  test.each(["fast", "accurate"] as const)("depend on nothing around it (%s)", (scheme) => {
    const rows = mixedRows();
    const together = engine.price(americanRequest(rows, scheme));
    const backwards = engine.price(americanRequest(rows.toReversed(), scheme));
    for (const [index, row] of rows.entries()) {
      const alone = engine.price(americanRequest([row], scheme));
      expect(alone.status[0]).toBe(together.status[index]!);
      for (const output of americanOutputs) {
        const expected = bitsOf(together.columns[output]!, index);
        expect(bitsOf(alone.columns[output]!, 0), `${output} ${JSON.stringify(row)}`).toBe(expected!);
        expect(bitsOf(backwards.columns[output]!, rows.length - 1 - index), output).toBe(expected!);
      }
    }
  });

  test("do not depend on which outputs are asked for", () => {
    const rows = mixedRows();
    const all = engine.price(americanRequest(rows, "fast"));
    const some: OutputName[][] = [["price"], ["gamma", "price"], ["vega", "price"], ["speed"], ["volga", "theta"]];
    for (const outputs of some) {
      const { columns } = engine.price(americanRequest(rows, "fast", outputs));
      for (const output of outputs) {
        for (const row of rows.keys()) expect(bitsOf(columns[output]!, row)).toBe(bitsOf(all.columns[output]!, row)!);
      }
    }
  });

  test("are the same where one number stands for a column", () => {
    const rows = mixedRows().map((row) => ({ ...row, isCall: false, rate: 0.05, volatility: 0.3, time_to_expiry: 1 }));
    const columns = americanRequest(rows, "fast");
    const scalars = { ...columns.inputs, rate: 0.05, volatility: 0.3, time_to_expiry: 1, scheme: 0 };
    const broadcast = engine.price({ ...columns, isCall: false, inputs: scalars });
    const spread = engine.price(columns);
    for (const output of americanOutputs) {
      for (const row of rows.keys()) {
        expect(bitsOf(broadcast.columns[output]!, row)).toBe(bitsOf(spread.columns[output]!, row)!);
      }
    }
  });

  test("are the same in steps, where a batch is too dear to be computed at once", async () => {
    const rows = Array.from({ length: 8 }, () => mixedRows()).flat();
    const request = americanRequest(rows, "accurate", ["price", "vega"]);
    const before = engine.activity.ownChunks;
    const inSteps = await engine.priceAsync(request);
    // a row of accurate counts as 512 of Black–Scholes–Merton, so a step has four
    expect(engine.activity.ownChunks - before).toBeGreaterThanOrEqual(rows.length / 4);
    const atOnce = engine.price(request);
    for (const output of ["price", "vega"] as const) {
      for (const row of rows.keys()) {
        expect(bitsOf(inSteps.columns[output]!, row)).toBe(bitsOf(atOnce.columns[output]!, row)!);
      }
    }
    expect(inSteps.status).toEqual(atOnce.status);
  });
});
