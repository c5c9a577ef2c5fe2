// Holds the house's rules (ARCHITECTURE.md) against the code's own imports and texts. Each rule is also shown a
// bad sample it must refuse, so that a rule that stopped seeing anything would be noticed.

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import {
  besideStreet,
  checkCycles,
  checkFiles,
  checkFloors,
  checkKernel,
  checkKnowers,
  checkTests,
  type Finding,
  readSources,
  type SourceFile,
  street,
} from "./harness/house";

const top = join(import.meta.dir, "..");
const folders = ["src", "assembly", "build", "bench", "tests"].filter((folder) => existsSync(join(top, folder)));
const sources = readSources(top, folders);
const house = sources.filter(({ path }) => /^(src|assembly)\//.test(path));

const rules: { name: string; check: (files: readonly SourceFile[]) => Finding[]; files: SourceFile[] }[] = [
  { name: "S3.12 imports go downwards or stay in their room", check: checkFloors, files: house },
  { name: "the kernel's rooms keep their order and use no libm", check: checkKernel, files: house },
  { name: "no modules import each other in a circle", check: checkCycles, files: house },
  {
    name: "S3.08 S3.12 environment, time, randomness, wasm, SQL and Elysia each have one knower",
    check: checkKnowers,
    files: house,
  },
  {
    name: "S3.12 S1.17 files are named for the thing, open with their purpose and stay readable",
    check: checkFiles,
    files: sources,
  },
  { name: "S3.21 no test is skipped, focused or put off", check: checkTests, files: sources },
];

describe("the house", () => {
  test.each(rules)("$name", ({ check, files }) => {
    expect(files.length).toBeGreaterThan(10);
    expect(check(files)).toEqual([]);
  });

  test("every feature has its place on the street or beside it", () => {
    const known = [...street, ...besideStreet];
    const features = readdirSync(join(top, "src", "features"));
    expect(features.filter((name) => !known.includes(name))).toEqual([]);
  });
});

const head = "// A sample that exists to be refused by one rule.\n";
const canaries: { name: string; check: (files: readonly SourceFile[]) => Finding[]; path: string; text: string }[] = [
  { name: "looking up", check: checkFloors, path: "src/domain/a.ts", text: 'import { x } from "../http/server";' },
  {
    name: "looking sideways",
    check: checkFloors,
    path: "src/storage/a.ts",
    text: 'import type { x } from "../engine/engine";',
  },
  { name: "an unknown room", check: checkFloors, path: "src/services/a.ts", text: "" },
  {
    name: "a feature to the right",
    check: checkFloors,
    path: "src/features/identity/service.ts",
    text: 'export * from "../pricing/service";',
  },
  {
    name: "another feature's repository",
    check: checkFloors,
    path: "src/features/pricing/service.ts",
    text: 'import { x } from "../identity/repository";',
  },
  {
    name: "a feature beside the street",
    check: checkFloors,
    path: "src/features/health/index.ts",
    text: 'import { x } from "../identity/service";',
  },
  {
    name: "an import over several lines",
    check: checkFloors,
    path: "src/domain/a.ts",
    text: 'import {\n  x,\n  y,\n} from "../app";',
  },
  { name: "a dynamic import", check: checkFloors, path: "src/domain/a.ts", text: 'const x = await import("../app");' },
  {
    name: "math that knows models",
    check: checkKernel,
    path: "assembly/math/a.ts",
    text: 'import { x } from "../models/black";',
  },
  { name: "libm in the kernel", check: checkKernel, path: "assembly/math/a.ts", text: "export const x = Math.exp(1);" },
  {
    name: "the environment outside config",
    check: checkKnowers,
    path: "src/http/a.ts",
    text: "const x = process.env.HOME;",
  },
  {
    name: "the clock outside foundation",
    check: checkKnowers,
    path: "src/storage/a.ts",
    text: "const x = Date.now();",
  },
  {
    name: "randomness outside foundation",
    check: checkKnowers,
    path: "src/storage/a.ts",
    text: "const x = Math.random();",
  },
  { name: "wasm outside the engine", check: checkKnowers, path: "src/app.ts", text: "new WebAssembly.Module(x);" },
  {
    name: "SQL in a service",
    check: checkKnowers,
    path: "src/features/identity/service.ts",
    text: 'import { eq } from "drizzle-orm";',
  },
  {
    name: "Elysia in a service",
    check: checkKnowers,
    path: "src/features/identity/service.ts",
    text: 'import { t } from "elysia";',
  },
  {
    name: "a second SQLite",
    check: checkKnowers,
    path: "src/storage/a.ts",
    text: 'import { Database } from "bun:sqlite";',
  },
  {
    name: "a status returned by a feature",
    check: checkKnowers,
    path: "src/features/identity/index.ts",
    text: "return status(404);",
  },
  {
    name: "a Date in a rule",
    check: checkKnowers,
    path: "src/features/identity/rules.ts",
    text: "const x = new Date(0);",
  },
  {
    name: "a Request in a service",
    check: checkKnowers,
    path: "src/features/identity/service.ts",
    text: "function f(r: Request) {}",
  },
  { name: "a name for nothing", check: checkFiles, path: "src/http/utils.ts", text: head },
  { name: "a file without a purpose", check: checkFiles, path: "src/http/a.ts", text: "export const x = 1;" },
  { name: "camelCase in a file's name", check: checkFiles, path: "src/http/myFile.ts", text: head },
  { name: "a god file", check: checkFiles, path: "src/http/a.ts", text: head + "\n".repeat(601) },
  { name: "unfinished work", check: checkFiles, path: "src/http/a.ts", text: `${head}// ${"TO"}DO: later` },
  { name: "an odd file in a feature", check: checkFiles, path: "src/features/identity/dto.ts", text: head },
  { name: "a skipped test", check: checkTests, path: "tests/a.test.ts", text: `test.${"skip"}("x", () => {});` },
];

describe("the rules refuse", () => {
  test.each(canaries)("$name", ({ check, path, text }) => {
    expect(check([{ path, text }])).toHaveLength(1);
  });

  test("two modules that import each other", () => {
    const circle = [
      { path: "src/http/a.ts", text: 'import { b } from "./b";' },
      { path: "src/http/b.ts", text: 'import type { a } from "./a";' },
    ];
    expect(checkCycles(circle)).toHaveLength(1);
  });

  test("nothing in a clean sample, nor anything in its comments", () => {
    const clean = {
      path: "src/http/a.ts",
      text: `${head}// process.env is config's\nimport { assert } from "../foundation/assert";\n`,
    };
    expect([checkFloors, checkKnowers, checkFiles, checkCycles].flatMap((check) => check([clean]))).toEqual([]);
  });
});
