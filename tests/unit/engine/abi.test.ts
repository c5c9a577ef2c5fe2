// The two halves of the layout, read side by side: what assembly/ says and what the host says must be the same numbers.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as abi from "../../../src/engine/abi";
import { models, statusCodes } from "../../../src/engine/catalog";
import { createKernel } from "../../../src/engine/kernel";
import { kernelBytes } from "../../harness/kernel";

/** The catalog's names are the assembly's in snake_case. */
const camel = (prefix: string, wireName: string) =>
  prefix + wireName.replace(/(^|_)([a-z0-9])/g, (_, __, letter: string) => letter.toUpperCase());

/** Every `export const name: type = number` of an assembly file. */
function constantsOf(file: string): Map<string, number> {
  const text = readFileSync(join(import.meta.dir, "../../../assembly/abi", file), "utf8");
  return new Map(
    [...text.matchAll(/^export const (\w+): \w+ = (\d+);/gm)].map(([, name, value]) => [name!, Number(value)]),
  );
}

describe("the layout", () => {
  const layout = constantsOf("layout.ts");

  test("has the same version on both sides", () => {
    expect(layout.get("abiVersion")).toBe(abi.abiVersion);
  });

  test("has the same offsets and limits on both sides", () => {
    for (const [name, offset] of Object.entries(abi.requestLayout)) {
      expect(layout.get(`${name}Offset`), name).toBe(offset);
    }
    expect(layout.get("inputsMax")).toBe(abi.inputsMax);
    expect(layout.get("outputsMax")).toBe(abi.outputsMax);
    expect(layout.get("flagIsCallBroadcast")).toBe(abi.flagIsCallBroadcast);
    expect(layout.get("flagUnattainableIsZero")).toBe(abi.flagUnattainableIsZero);
    expect<number>(abi.requestLayout.outputs).toBe(abi.requestLayout.inputs + 4 * abi.inputsMax);
    expect<number>(abi.requestLayout.factors).toBe(abi.requestLayout.outputs + 4 * abi.outputsMax);
    expect(layout.get("requestBytes")).toBe(abi.requestLayout.factors + 8 * abi.outputsMax);
  });

  test("has the same ids of inputs and outputs on both sides, each once", () => {
    // a forward and a foreign rate stand where spot and dividend yield do, which no model has beside them
    const shared: Record<string, string> = { forward: "spot", foreign_rate: "dividend_yield" };
    for (const [name, id] of Object.entries<number>(abi.inputIds)) {
      expect(layout.get(camel("input", shared[name] ?? name)), name).toBe(id);
    }
    for (const [name, id] of Object.entries<number>(abi.listIds)) {
      expect(layout.get(camel("input", name)), name).toBe(id);
    }
    for (const [name, id] of Object.entries<number>(abi.outputIds))
      expect(layout.get(camel("output", name)), name).toBe(id);
    for (const { name, inputs, lists = [] } of models) {
      const ids = [...inputs.map((input) => abi.inputIds[input.name]), ...lists.map((list) => abi.listIds[list.name])];
      expect(new Set(ids).size, name).toBe(inputs.length + lists.length);
    }
    expect(new Set(Object.values(abi.outputIds)).size).toBe(Object.keys(abi.outputIds).length);
  });

  test("has the same status codes and model ids as the catalog", () => {
    const statuses = constantsOf("status.ts");
    expect(statuses.size).toBe(Object.keys(statusCodes).length);
    for (const [name, code] of Object.entries(statusCodes))
      expect(statuses.get(camel("status", name)), name).toBe(code);
    const ids = constantsOf("model.ts");
    expect(ids.size).toBe(models.length);
    for (const { name, id } of models) expect(ids.get(camel("model", name)), name).toBe(id);
  });

  test("of another version is refused before anything is priced", () => {
    // (module (shared memory import, 1 to 6144 pages) (func (export "abi_version") (result i32) i32.const 99))
    const foreign = Uint8Array.from([
      0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 2, 17, 1, 3, 101, 110, 118, 6, 109, 101, 109, 111, 114, 121,
      2, 3, 1, 128, 48, 3, 2, 1, 0, 7, 15, 1, 11, 97, 98, 105, 95, 118, 101, 114, 115, 105, 111, 110, 0, 0, 10, 7, 1, 5,
      0, 65, 227, 0, 11,
    ]);
    expect(() => createKernel(foreign)).toThrow("the kernel speaks layout 99, not 2");
    expect(() => createKernel(Uint8Array.of(1, 2, 3))).toThrow(WebAssembly.CompileError);
  });
});

describe("the module", () => {
  test("imports one memory and nothing else, and exports functions only", async () => {
    const module = new WebAssembly.Module((await kernelBytes()).slice().buffer);
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
    const exported = WebAssembly.Module.exports(module);
    expect(exported.map(({ name }) => name).toSorted()).toEqual([
      "abi_version",
      "decimals",
      "heap_base",
      "implied_volatility_batch",
      "price_batch",
      "request_bytes",
      "scratch_bytes",
    ]);
    expect(exported.every(({ kind }) => kind === "function")).toBe(true);
  });
});
