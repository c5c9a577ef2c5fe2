// Whether the golden table would notice: every coefficient of the kernel's math, changed by a little, must fail it. The wasm's own
// bytes are changed, so that nothing but that constant differs.

import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inputIds, outputIds } from "../../../src/engine/abi";
import { type InputName, modelNamed } from "../../../src/engine/catalog";
import type { PriceRequest, PriceResult } from "../../../src/engine/engine";
import { checkBlack } from "../../../src/engine/golden/black";
import { createKernel } from "../../../src/engine/kernel";
import { kernelBytes } from "../../harness/kernel";

let bytes: Uint8Array;

beforeAll(async () => {
  bytes = await kernelBytes();
});

/** The pairs of equal doubles written in a source's constant table, with the comment that names each. */
function constantsOf(source: string): { value: number; label: string }[] {
  const text = readFileSync(join(import.meta.dir, "../../../assembly", source), "utf8");
  return [...text.matchAll(/^ {4}([-\d.e]+), \1, \/\/ (.+)$/gm)].map((match) => ({
    value: Number(match[1]),
    label: `${source} ${match[2]}`,
  }));
}

/** Where the pair's sixteen bytes stand in the module. */
function placesOf(value: number): number[] {
  const pattern = Buffer.from(new Float64Array([value, value]).buffer);
  const haystack = Buffer.from(bytes);
  const places: number[] = [];
  for (let at = haystack.indexOf(pattern); at >= 0; at = haystack.indexOf(pattern, at + 1)) places.push(at);
  return places;
}

/** Prices with a bare kernel: no warm-up, so that hundreds of mutants take seconds. */
function pricerOf(wasm: Uint8Array): (request: PriceRequest) => PriceResult {
  const kernel = createKernel(wasm);
  return ({ model, count, isCall, inputs, outputs }) => {
    const { columns, status } = kernel.run({
      operation: "price",
      model: modelNamed(model).id,
      count,
      isCall,
      inputs: (Object.keys(inputs) as InputName[]).map((name) => ({ id: inputIds[name], column: inputs[name]! })),
      outputs: outputs.map((output) => ({ id: outputIds[output], factor: 1 })),
    });
    return {
      count,
      status,
      columns: Object.fromEntries(outputs.map((output, index) => [output, columns[index]!])),
    };
  };
}

const isCaught = (wasm: Uint8Array) =>
  checkBlack(pricerOf(wasm), ["black_scholes_merton"]).some((check) => !check.passed);

describe("S4.47 a kernel with one wrong constant", () => {
  test("is told from the right one, which passes", () => {
    expect(isCaught(bytes)).toBe(false);
  });

  // How far off a constant may be before the table sees it: the lower a term's weight in the result, the further.
  const sources = [
    { source: "math/exp.ts", relative: 1e-9 },
    { source: "math/log-ratio.ts", relative: 1e-6 },
    { source: "math/mills.ts", relative: 1e-9 },
    { source: "math/normal.ts", relative: 1e-9 },
    { source: "models/black.ts", relative: 1e-9 },
    { source: "models/black-further.ts", relative: 1e-9 },
  ];
  const offsets: Record<string, number> = {
    // any number near 1/ln 2 rounds to a multiple that serves: only the range of the fit is lost
    "math/exp.ts 0: 1/ln 2": 0.5,
    // terms of little weight
    "math/exp.ts 48: ln 2, the rest": 1e-2,
    "math/exp.ts 64: P, r^4": 1e-6,
    "math/log-ratio.ts 0: z^7": 1e-1,
    "math/log-ratio.ts 16": 1e-2,
    "math/log-ratio.ts 32": 1e-3,
    // bounds: only one that cuts off rows of the table can be seen by it; limits.test.ts holds them where they lie
    "math/normal.ts 0: beyond it the density is below 1e-305 and taken as zero": -0.9,
    "models/black.ts 48: largest |rt| + |qt|": -0.99,
  };
  // These only say which rows take the careful way, whose values are the same; limits.test.ts holds what lies beyond them.
  const routing = /^models\/black\.ts \d+: 2\^-?(200|64)$/;
  for (const { source, relative: usualRelative } of sources) {
    for (const { value, label } of constantsOf(source)) {
      if (routing.test(label)) continue;
      const relative = offsets[label] ?? usualRelative;
      test(`fails the golden table: ${label}, off by ${relative}`, () => {
        const places = placesOf(value);
        expect(places.length).toBeGreaterThan(0);
        const caught = places.some((place) => {
          // A copy: the slice of a Buffer would share its memory, and the first mutation would stay in.
          const mutant = Uint8Array.from(bytes);
          const changed = value === 0 ? relative : value * (1 + relative);
          mutant.set(new Uint8Array(new Float64Array([changed, changed]).buffer), place);
          return isCaught(mutant);
        });
        expect(caught).toBe(true);
      });
    }
  }
});
