// What the type-checker is told to refuse: a setting that is loosened in tsconfig.json fails here, since our own code,
// which passes, could not tell.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../build/fingerprint.mjs";

const folder = mkdtempSync(join(root, "node_modules", ".bsopt-types-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const samples = {
  "a parameter without a type": ["export const f = (x) => x;", "TS7006"],
  "an item that may not be there": ["export const f = (x: number[]): number => x[0];", "TS2322"],
  "null where a number is wanted": ["export const x: number = null;", "TS2322"],
  "a field that may be left out, given as undefined": ["export const x: { a?: number } = { a: undefined };", "TS2375"],
  "a caught value taken for an error": ["try { } catch (e) { e.message; }\nexport {};", "TS18046"],
} as const;

describe("S3.11 the type-checker", () => {
  test("refuses each of the samples and nothing else", async () => {
    const names = Object.entries(samples).map(([, [text]], index) => {
      writeFileSync(join(folder, `sample${index}.ts`), `${text}\n`);
      return `sample${index}.ts`;
    });
    writeFileSync(join(folder, "clean.ts"), "export const half = (x: number): number => x / 2;\n");
    const config = { extends: join(root, "tsconfig.json"), include: [], files: [...names, "clean.ts"] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const tsc = Bun.spawn(
      [process.execPath, join(root, "node_modules", ".bin", "tsc"), "-p", folder, "--pretty", "false"],
      {
        cwd: folder,
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const said = await new Response(tsc.stdout).text();
    expect(await tsc.exited).not.toBe(0);
    const found = [...said.matchAll(/^(\S+?)\(\d+,\d+\): error (TS\d+):/gm)].map(([, name, code]) => `${name} ${code}`);
    expect(found.sort()).toEqual(names.map((name, index) => `${name} ${Object.values(samples)[index]![1]}`));
  }, 30_000);
});
