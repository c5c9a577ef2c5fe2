// A row's bits depend on its own inputs alone: not on its place in the batch, the count, its neighbours, what is broadcast, which
// outputs are asked for, nor on the engine that runs the wasm. The last is checked against V8 where node is installed.

import { beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { buildWasm } from "../../../build/wasm";
import { inputIds, outputIds } from "../../../src/engine/abi";
import { type InputName, modelNamed, type OutputName } from "../../../src/engine/catalog";
import type { Column, Engine, PriceResult } from "../../../src/engine/engine";
import { blackModels } from "../../../src/engine/golden/black";
import { chunkRowsMax } from "../../../src/engine/kernel";
import { seededRandom } from "../../../src/foundation/random";
import {
  bitsOf,
  bytesOf,
  familyRequest,
  marketRows,
  type Row,
  requestOf,
  type SpotInput,
  spotOutputs,
  testEngine,
} from "../../harness/kernel";

const seed = 20_261_121n;
const odd: Row = { spot: 100, strike: 100, time_to_expiry: 0.5, rate: 0.03, dividend_yield: 0.01, volatility: 0.2 };
// limits and refusals among ordinary rows, so that a tile with exceptions is met as well
const special: Row[] = [
  { ...odd, time_to_expiry: 0 },
  { ...odd, volatility: 0 },
  { ...odd, spot: 0 },
  { ...odd, strike: 0 },
  { ...odd, spot: Number.NaN },
  { ...odd, rate: Number.POSITIVE_INFINITY },
  { ...odd, volatility: -1 },
  { ...odd, rate: 1e300 },
  { ...odd, spot: 1e300 },
];

let engine: Engine;
let rows: Row[];
let whole: PriceResult;

beforeAll(async () => {
  engine = await testEngine();
  rows = marketRows(700, seed);
  for (const [index, row] of special.entries()) rows.splice(31 * index + 7, 0, row, { ...row, isCall: false });
  whole = engine.price(requestOf(rows));
});

/** Every output's bits and the status of the rows from first on. */
function fingerprint(result: PriceResult, first = 0, count = result.count): unknown[] {
  return [
    ...spotOutputs.map((output) => bitsOf(result.columns[output]!.subarray(first, first + count))),
    [...result.status.subarray(first, first + count)],
  ];
}

describe("S1.04 a row's bits", () => {
  test(`are the same at every count and offset (seed ${seed})`, () => {
    for (const count of [1, 2, 3, 4, 5, 127, 128, 129, 130, 255, 256, 257]) {
      for (const first of [0, 1, 2, 7, 63, 128, 301]) {
        const result = engine.price(requestOf(rows.slice(first, first + count)));
        expect(fingerprint(result), `${count} rows from ${first}`).toEqual(fingerprint(whole, first, count));
      }
    }
  });

  test("are the same one row at a time, through the one-lane code", () => {
    for (const [index, row] of rows.entries()) {
      expect(fingerprint(engine.price(requestOf([row]))), `row ${index}`).toEqual(fingerprint(whole, index, 1));
    }
  });

  test("are the same across the boundary of a chunk", () => {
    const many = Array.from({ length: 2 * chunkRowsMax + 131 }, (_, index) => rows[index % rows.length]!);
    const result = engine.price(requestOf(many));
    for (const first of [0, chunkRowsMax - 100, 2 * chunkRowsMax - 100]) {
      const expected = engine.price(requestOf(many.slice(first, first + 200)));
      expect(fingerprint(result, first, 200)).toEqual(fingerprint(expected));
    }
    expect(result.status.length).toBe(many.length);
  });

  test("are the same whatever is broadcast", () => {
    const names: SpotInput[] = ["spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility"];
    for (const count of [1, 2, 3, 129]) {
      for (let pattern = 0; pattern < 64; pattern++) {
        const isShared = (name: SpotInput) => (pattern & (1 << names.indexOf(name))) !== 0;
        const mixed = rows.slice(20, 20 + count).map((row) => {
          const shared = { ...row };
          for (const name of names) if (isShared(name)) shared[name] = odd[name];
          return shared;
        });
        const request = requestOf(mixed);
        const inputs: Partial<Record<SpotInput, Column>> = { ...request.inputs };
        for (const name of names) if (isShared(name)) inputs[name] = odd[name];
        expect(fingerprint(engine.price({ ...request, inputs })), `${count} rows, pattern ${pattern}`).toEqual(
          fingerprint(engine.price(request)),
        );
      }
    }
  });

  test("are the same with one option type for all rows as with a column of it", () => {
    for (const count of [1, 2, 131]) {
      const puts = rows.slice(0, count).map((row) => ({ ...row, isCall: false }));
      const request = requestOf(puts);
      expect(fingerprint(engine.price({ ...request, isCall: false }))).toEqual(fingerprint(engine.price(request)));
      const calls = requestOf(puts.map((row) => ({ ...row, isCall: true })));
      expect(fingerprint(engine.price({ ...calls, isCall: true }))).toEqual(fingerprint(engine.price(calls)));
    }
  });

  test("are the same whichever outputs are asked for", () => {
    const random = seededRandom(seed);
    const patterns = [...spotOutputs.map((_, index) => 1 << index), 63, (1 << 18) - 1 - 63];
    for (let draw = 0; draw < 60; draw++) patterns.push(1 + Math.floor(random.unit() * ((1 << 18) - 1)));
    for (const pattern of patterns) {
      const outputs = spotOutputs.filter((_, index) => (pattern & (1 << index)) !== 0);
      const result = engine.price(requestOf(rows, { outputs }));
      expect(Object.keys(result.columns)).toEqual([...outputs]);
      expect([...result.status]).toEqual([...whole.status]);
      for (const output of outputs) {
        expect(bitsOf(result.columns[output]!)).toEqual(bitsOf(whole.columns[output]!));
      }
    }
  });

  test("are the same where call and put share a strike: side by side, in two halves, in runs with one carry", () => {
    const strikes = [...rows.slice(0, 300), ...special];
    const chain = strikes.map((row) => ({ ...row, spot: 100, time_to_expiry: 0.5, rate: 0.03, dividend_yield: 0.01 }));
    const types = (row: Row) => [
      { ...row, isCall: true },
      { ...row, isCall: false },
    ];
    const layouts: [string, Row[]][] = [
      ["each strike's call and put side by side", strikes.flatMap(types)],
      ["a chain side by side", chain.flatMap(types)],
      ["a chain side by side, one row short", chain.flatMap(types).slice(0, -1)],
      ["calls, then puts", [...strikes.map((row) => types(row)[0]!), ...strikes.map((row) => types(row)[1]!)]],
      [
        "a chain's calls, then its puts",
        [...chain.map((row) => types(row)[0]!), ...chain.map((row) => types(row)[1]!)],
      ],
      ["chains between other rows", [...chain.slice(0, 256), ...strikes, ...chain.slice(0, 200), ...strikes.slice(7)]],
      ["one strike side by side", types(strikes[3]!)],
      ["three strikes side by side", strikes.slice(3, 6).flatMap(types)],
    ];
    for (const [title, layout] of layouts) {
      const together = engine.price(requestOf(layout));
      const apart = layout.map((row) => engine.price(requestOf([row])));
      for (const output of spotOutputs) {
        const expected = apart.flatMap((result) => bitsOf(result.columns[output]!));
        expect(bitsOf(together.columns[output]!), `${title}: ${output}`).toEqual(expected);
      }
      expect([...together.status], title).toEqual(apart.map((result) => result.status[0]!));
    }
    const displaced = chain.flatMap(types).map((row) => ({ ...row, strike: row.strike + 1 }));
    const together = engine.price(familyRequest("displaced_black", displaced, { displacement: 0.3 }));
    for (const [index, row] of displaced.entries()) {
      const alone = engine.price(familyRequest("displaced_black", [row], { displacement: 0.3 }));
      expect(bitsOf(together.columns.price!)[index], `displaced ${index}`).toBe(bitsOf(alone.columns.price!)[0]!);
      expect(bitsOf(together.columns.ultima!)[index], `displaced ${index}`).toBe(bitsOf(alone.columns.ultima!)[0]!);
    }
  });

  test("hold the one canonical NaN for every null", () => {
    const nulls = spotOutputs.flatMap((output) => bitsOf(whole.columns[output]!.filter(Number.isNaN)));
    expect(nulls.length).toBeGreaterThan(50);
    expect(new Set(nulls)).toEqual(new Set([0x7ff8000000000000n]));
  });

  test("never show a negative zero", () => {
    for (const output of spotOutputs) {
      expect(
        whole.columns[output]!.some((value) => Object.is(value, -0)),
        output,
      ).toBe(false);
    }
  });

  const node = Bun.which("node");
  const nodeWords = node === null ? " (skipped: node is not on the PATH)" : "";
  for (const model of blackModels) {
    test.skipIf(node === null)(`are the same under V8 as under JavaScriptCore: ${model}${nodeWords}`, async () => {
      const market = marketRows(1000, seed);
      const request = model === "black_scholes_merton" ? requestOf(market) : familyRequest(model, market);
      const result = engine.price(request);
      const hash = createHash("sha256");
      for (const output of request.outputs) hash.update(bytesOf(result.columns[output]!));
      const inputs = Object.entries(request.inputs) as [InputName, Float64Array][];
      const child = Bun.spawn(
        [node!, join(import.meta.dir, "../../harness/kernel-under-node.mjs"), (await buildWasm()).path],
        {
          stdin: new TextEncoder().encode(
            JSON.stringify({
              model: modelNamed(model).id,
              isCall: [...request.isCall],
              inputs: inputs.map(([name, column]) => ({ id: inputIds[name], column: [...column] })),
              outputs: request.outputs.map((output) => outputIds[output]),
            }),
          ),
          stdout: "pipe",
          stderr: "inherit",
        },
      );
      expect((await new Response(child.stdout).text()).trim()).toBe(hash.digest("hex"));
    });
  }
});

describe("S4.47 a model of the family", () => {
  const market = marketRows(400, seed);

  test("garman_kohlhagen gives black_scholes_merton's bits for the same numbers", () => {
    const spot = engine.price(requestOf(market));
    const currency = engine.price(familyRequest("garman_kohlhagen", market));
    for (const output of spotOutputs) {
      expect(bitsOf(currency.columns[output]!), output).toEqual(bitsOf(spot.columns[output]!));
    }
  });

  test("black_76 gives black_scholes_merton's bits where the yield is the rate; only rho, which then means another thing, differs", () => {
    const level = market.map((row) => ({ ...row, dividend_yield: row.rate }));
    const spot = engine.price(requestOf(level));
    for (const [output, column] of Object.entries(engine.price(familyRequest("black_76", level)).columns)) {
      if (output !== "rho") expect(bitsOf(column), output).toEqual(bitsOf(spot.columns[output as OutputName]!));
    }
  });

  test("displaced_black without a displacement gives black_76's bits", () => {
    const plain = engine.price(familyRequest("black_76", market));
    const displaced = engine.price(familyRequest("displaced_black", market));
    for (const [output, column] of Object.entries(plain.columns)) {
      expect(bitsOf(displaced.columns[output as OutputName]!), output).toEqual(bitsOf(column));
    }
  });

  for (const model of ["black_76", "garman_kohlhagen", "displaced_black"] as const) {
    test(`${model} gives a row the same bits alone as in company, limits included`, () => {
      const request = familyRequest(model, rows.slice(0, 331), {
        displacement: model === "displaced_black" ? 0.25 : 0,
      });
      const company = engine.price(request);
      const names = Object.keys(request.inputs) as InputName[];
      for (let row = 0; row < request.count; row++) {
        const inputs = Object.fromEntries(names.map((name) => [name, (request.inputs[name] as Float64Array)[row]!]));
        const alone = engine.price({ ...request, count: 1, isCall: request.isCall[row] === 1, inputs });
        expect(alone.status[0]).toBe(company.status[row]!);
        for (const output of request.outputs) {
          expect(bitsOf(alone.columns[output]!), `${output} of row ${row}`).toEqual(
            bitsOf(company.columns[output]!.subarray(row, row + 1)),
          );
        }
      }
    });
  }
});
