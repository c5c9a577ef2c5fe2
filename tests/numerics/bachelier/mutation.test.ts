// Whether the golden tables would notice: every constant of the normal model and of its implied volatility, changed by a little, must fail
// them. The wasm's own bytes are changed, so that nothing but that constant differs.

import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inputIds, outputIds } from "../../../src/engine/abi";
import { type InputName, modelNamed } from "../../../src/engine/catalog";
import { checkBachelier } from "../../../src/engine/golden/bachelier";
import { checkImpliedVolatility } from "../../../src/engine/golden/implied-volatility";
import { createKernel, type Kernel } from "../../../src/engine/kernel";
import { kernelBytes } from "../../harness/kernel";

let bytes: Uint8Array;

beforeAll(async () => {
  bytes = await kernelBytes();
});

/** The pairs of equal doubles written in a source's constant tables, with the comment that names each. */
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

const isPriceCaught = (kernel: Kernel) =>
  checkBachelier(({ count, isCall, inputs, outputs }) => {
    const { columns, status } = kernel.run({
      operation: "price",
      model: modelNamed("bachelier").id,
      count,
      isCall,
      inputs: (Object.keys(inputs) as InputName[]).map((name) => ({ id: inputIds[name], column: inputs[name]! })),
      outputs: outputs.map((output) => ({ id: outputIds[output], factor: 1 })),
    });
    return { count, status, columns: Object.fromEntries(outputs.map((output, index) => [output, columns[index]!])) };
  }).some(({ passed }) => !passed);

const isVolatilityCaught = (kernel: Kernel) =>
  checkImpliedVolatility({
    impliedVolatility: ({ model, count, isCall, inputs, price }) => {
      const { columns, status } = kernel.run({
        operation: "implied_volatility",
        model: modelNamed(model).id,
        count,
        isCall,
        inputs: [
          ...Object.entries(inputs).map(([name, column]) => ({ id: inputIds[name as InputName], column })),
          { id: inputIds.price, column: price },
        ],
        outputs: [
          { id: outputIds.implied_volatility, factor: 1 },
          { id: outputIds.attainable_error, factor: 1 },
        ],
      });
      return { count, status, impliedVolatility: columns[0]!, attainableError: columns[1]! };
    },
  }).some(({ passed }) => !passed);

/** Changes one place of the module at a time, until a table fails. */
function isAnyPlaceCaught(value: number, relative: number, isCaught: (kernel: Kernel) => boolean): boolean {
  return placesOf(value).some((place) => {
    const mutant = Uint8Array.from(bytes);
    const changed = value === 0 ? relative : value * (1 + relative);
    mutant.set(new Uint8Array(new Float64Array([changed, changed]).buffer), place);
    return isCaught(createKernel(mutant));
  });
}

describe("S1.13 S4.47 a kernel with one wrong constant", () => {
  test("is told from the right one, which passes", () => {
    expect(isPriceCaught(createKernel(bytes))).toBe(false);
    expect(isVolatilityCaught(createKernel(bytes))).toBe(false);
  });

  // Bounds of the domain lie where no golden row is: the limits' tests hold them.
  const isBound = (label: string) => /largest|smallest|2\^-?[24]00/.test(label);

  // one half is used in a low word alone, which counts 2^-53 of what it belongs to
  const relativeOfPrice = (label: string) => (label === "models/bachelier.ts 16" ? 0.5 : 1e-9);
  for (const { value, label } of [...constantsOf("models/bachelier.ts"), ...constantsOf("math/mills-slope.ts")]) {
    if (isBound(label)) continue;
    const relative = relativeOfPrice(label);
    test(`fails the golden table of prices and Greeks: ${label}, off by ${relative}`, () => {
      expect(isAnyPlaceCaught(value, relative, isPriceCaught)).toBe(true);
    });
  }

  // The first guess may be off: the step that follows makes four times the digits of it. So may what makes the step's third order, and
  // the attainable error is held to a millionth.
  const relativeOfVolatility = (label: string) => {
    const offset = Number(/ (\d+)/.exec(label)![1]);
    if (offset === 128 || [240, 256, 272].includes(offset)) return 0.5;
    if (offset <= 192 && offset !== 176) return 0.05;
    return offset === 352 ? 1e-5 : 1e-9;
  };
  // where the guess takes a distance for none, and where prices are scaled: any number near does as well
  const isArbitrary = (label: string) => /below this share|2\^500|2\^-500/.test(label);
  for (const { value, label } of constantsOf("iv/bachelier.ts")) {
    if (isBound(label) || isArbitrary(label)) continue;
    const relative = relativeOfVolatility(label);
    test(`fails the golden tables of implied volatility: ${label}, off by ${relative}`, () => {
      expect(isAnyPlaceCaught(value, relative, isVolatilityCaught)).toBe(true);
    });
  }
});
