// A row's bits in the normal model depend on its own inputs alone: not on its place in the batch, the count, its neighbours, what is
// broadcast, which outputs are asked for, nor on the engine that runs the wasm. The last is checked against V8 where node is installed.

import { beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { buildWasm } from "../../../build/wasm";
import { type InputName, type OutputName, unitFactor } from "../../../src/engine/catalog";
import type { Column, Engine, PriceResult } from "../../../src/engine/engine";
import { chunkRowsMax } from "../../../src/engine/kernel";
import { type NormalRow, normalOutputs, normalRequest, normalRows } from "../../harness/bachelier";
import { bitsOf, bytesOf, testEngine } from "../../harness/kernel";

const seed = 20_261_124n;
const usual: NormalRow = { forward: 10, strike: 10, time_to_expiry: 0.5, rate: 0.03, volatility: 4 };
// limits and refusals among ordinary rows, so that a tile with exceptions is met as well
const special: NormalRow[] = [
  { ...usual, time_to_expiry: 0 },
  { ...usual, volatility: 0 },
  { ...usual, volatility: 0, strike: 3 },
  { ...usual, forward: 0 },
  { ...usual, strike: 1000 },
  { ...usual, forward: Number.NaN },
  { ...usual, rate: Number.POSITIVE_INFINITY },
  { ...usual, volatility: -1 },
  { ...usual, forward: 1e300 },
];

let engine: Engine;
let rows: NormalRow[];
let whole: PriceResult;

beforeAll(async () => {
  engine = await testEngine();
  rows = normalRows(500, seed);
  for (const [index, row] of special.entries()) rows.splice(31 * index + 7, 0, row, { ...row, isCall: false });
  whole = engine.price(normalRequest(rows));
});

/** Every output's bits and the status of the rows from first on. */
function fingerprint(result: PriceResult, first = 0, count = result.count): unknown[] {
  return [
    ...normalOutputs.map((output) => bitsOf(result.columns[output]!.subarray(first, first + count))),
    [...result.status.subarray(first, first + count)],
  ];
}

describe("S1.04 a row's bits in the normal model", () => {
  test(`are the same at every count and offset, and across the boundary of a chunk (seed ${seed})`, () => {
    for (const count of [1, 2, 3, 4, 127, 128, 129, 255, 257]) {
      for (const first of [0, 1, 7, 63, 128, 201]) {
        const result = engine.price(normalRequest(rows.slice(first, first + count)));
        expect(fingerprint(result), `${count} rows from ${first}`).toEqual(fingerprint(whole, first, count));
      }
    }
    const many = Array.from({ length: chunkRowsMax + 131 }, (_, index) => rows[index % rows.length]!);
    const result = engine.price(normalRequest(many));
    const expected = engine.price(normalRequest(many.slice(chunkRowsMax - 100, chunkRowsMax + 100)));
    expect(fingerprint(result, chunkRowsMax - 100, 200)).toEqual(fingerprint(expected));
  });

  test("are the same one row at a time, through the one-lane code", () => {
    for (const [index, row] of rows.entries()) {
      expect(fingerprint(engine.price(normalRequest([row]))), `row ${index}`).toEqual(fingerprint(whole, index, 1));
    }
  });

  test("are the same whatever is broadcast, the option type too", () => {
    const names = ["forward", "strike", "time_to_expiry", "rate", "volatility"] as const;
    for (const count of [1, 3, 129]) {
      for (let pattern = 0; pattern < 32; pattern++) {
        const isShared = (name: (typeof names)[number]) => (pattern & (1 << names.indexOf(name))) !== 0;
        const mixed = rows.slice(20, 20 + count).map((row) => {
          const shared = { ...row, isCall: false };
          for (const name of names) if (isShared(name)) shared[name] = usual[name] + 0.5;
          return shared;
        });
        const request = normalRequest(mixed);
        const inputs: Partial<Record<InputName, Column>> = { ...request.inputs };
        for (const name of names) if (isShared(name)) inputs[name] = usual[name] + 0.5;
        const result = engine.price({ ...request, inputs, isCall: false });
        expect(fingerprint(result), `${count} rows, pattern ${pattern}`).toEqual(fingerprint(engine.price(request)));
      }
    }
  });

  test("are the same whichever outputs are asked for, alone or in pairs, and market units are raw times a factor", () => {
    const pairs = normalOutputs.flatMap((one): OutputName[][] => [
      [one],
      ...normalOutputs.map((other) => [one, other]),
    ]);
    for (const outputs of pairs) {
      const result = engine.price(normalRequest(rows, { outputs }));
      expect([...result.status]).toEqual([...whole.status]);
      for (const output of outputs) expect(bitsOf(result.columns[output]!)).toEqual(bitsOf(whole.columns[output]!));
    }
    const market = engine.price(normalRequest(rows, { units: "market" }));
    for (const output of normalOutputs) {
      const factor = unitFactor(output, "market");
      expect([...market.columns[output]!]).toEqual([...whole.columns[output]!.map((value) => value * factor)]);
    }
  });

  test("hold the one canonical NaN for every null, and never a negative zero", () => {
    const nulls = normalOutputs.flatMap((output) => bitsOf(whole.columns[output]!.filter(Number.isNaN)));
    expect(nulls.length).toBeGreaterThan(50);
    const bits = normalOutputs.flatMap((output) => bitsOf(whole.columns[output]!));
    const isNaNBits = (each: bigint) => (each & 0x7fffffffffffffffn) > 0x7ff0000000000000n;
    expect(new Set(bits.filter(isNaNBits))).toEqual(new Set([0x7ff8000000000000n]));
    expect(bits.filter((each) => each === 1n << 63n)).toHaveLength(0);
  });

  const node = Bun.which("node");
  test.skipIf(node === null)(
    `are the same under V8 as under JavaScriptCore${node === null ? " (skipped: node is not on the PATH)" : ""}`,
    async () => {
      const request = normalRequest(normalRows(999, seed));
      const result = engine.price(request);
      const { volatility: _, ...market } = request.inputs;
      const solved = engine.impliedVolatility({
        model: "bachelier",
        count: request.count,
        isCall: request.isCall,
        inputs: market,
        price: result.columns.price!,
        onUnattainable: "null",
      });
      const hash = createHash("sha256");
      for (const output of normalOutputs) hash.update(bytesOf(result.columns[output]!));
      hash.update(bytesOf(solved.impliedVolatility));
      hash.update(bytesOf(solved.attainableError));
      const script = join(import.meta.dir, "../../harness/bachelier-under-node.mjs");
      const child = Bun.spawn([node!, script, (await buildWasm()).path], {
        stdin: new TextEncoder().encode(
          JSON.stringify({
            isCall: [...request.isCall],
            inputs: ["forward", "strike", "time_to_expiry", "rate", "volatility"].map((name) => [
              ...(request.inputs[name as InputName] as Float64Array),
            ]),
          }),
        ),
        stdout: "pipe",
        stderr: "inherit",
      });
      expect((await new Response(child.stdout).text()).trim()).toBe(hash.digest("hex"));
    },
  );
});
