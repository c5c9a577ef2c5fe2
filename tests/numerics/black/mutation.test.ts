// Whether the golden table would notice: every coefficient that the Black family's formulas use, changed by a little, must fail it.
// The wasm's own bytes are changed, so that nothing but that constant differs. What bounds the domain is held by limits.test.ts.

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
  const text = readFileSync(join(import.meta.dir, "../../../assembly", source), "utf8").replace(
    /const bounds: [^;]*;/,
    "",
  );
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

describe("S1.13 S4.47 a kernel with one wrong constant", () => {
  test("is told from the right one, which passes", () => {
    expect(isCaught(bytes)).toBe(false);
  });

  // How far off a constant may be before the table sees it: the lower a term's weight in the result, the further.
  const sources = [
    { source: "math/exp2.ts", relative: 1e-9 },
    { source: "math/log-ratio.ts", relative: 1e-6 },
    { source: "math/mills-weighted.ts", relative: 1e-9 },
    { source: "models/black.ts", relative: 1e-9 },
    { source: "models/black-further.ts", relative: 1e-9 },
  ];
  // the last terms of a fit weigh little where arguments are usual
  const offsets: Record<string, number> = {
    "math/exp2.ts 32: P, f^4": 1e-7,
    "math/log-ratio.ts 0: z^7": 1e-2,
    "math/log-ratio.ts 16": 1e-3,
    "math/log-ratio.ts 32": 1e-4,
  };
  for (const { source, relative: usualRelative } of sources) {
    for (const { value, label } of constantsOf(source)) {
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
