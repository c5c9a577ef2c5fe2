// What a run of the tests leaves behind and what is made of it: results as JUnit, coverage as lcov, and the floor under
// the latter.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { checkCoverage } from "../../../build/coverage";
import { root } from "../../../build/fingerprint.mjs";
import { reportArguments } from "../../../build/test";

const folder = mkdtempSync(join(tmpdir(), "bsopt-reports-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sources = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"));

interface Hits {
  readonly lines: number;
  readonly functions: number;
}

/** An lcov file over all of src with 1,000 lines and functions a file, of which so many are hit. */
function covered(hitsOf: (path: string) => Hits | null): string {
  const records = sources.flatMap((path) => {
    const hits = hitsOf(path);
    if (hits === null) return [];
    return [`SF:${path}`, "FNF:1000", `FNH:${hits.functions}`, "LF:1000", `LH:${hits.lines}`, "end_of_record"];
  });
  const path = join(folder, "lcov.info");
  writeFileSync(path, `${records.join("\n")}\n`);
  return path;
}

const isStrict = (path: string) => /^src\/(engine|surfaces|features\/pricing)\//.test(path);

describe("S1.12 the coverage of src", () => {
  const both = (count: number): Hits => ({ lines: count, functions: count });
  test.each([
    ["everything is reached", () => both(1000), true],
    ["all is just at its floor", (path: string) => both(isStrict(path) ? 980 : 960), true],
    ["lines are below 96 %", (path: string) => ({ lines: isStrict(path) ? 980 : 940, functions: 1000 }), false],
    ["functions are below 96 %", (path: string) => ({ lines: 1000, functions: isStrict(path) ? 980 : 940 }), false],
    ["pricing, engine and surfaces are below 98 %", (path: string) => both(isStrict(path) ? 979 : 1000), false],
    ["one file is imported by no test", (path: string) => (path === "src/domain/quote.ts" ? null : both(1000)), false],
    [
      "main alone, which runs as a process of its own, is missing",
      (path: string) => (path === "src/main.ts" ? null : both(1000)),
      true,
    ],
  ] as [string, (path: string) => Hits | null, boolean][])("where %s", (_, hitsOf, passes) => {
    expect(checkCoverage(covered(hitsOf))).toBe(passes);
  });
});

describe("S4.69 a run of the tests", () => {
  test("leaves its coverage as lcov and its results as JUnit, and still prints its counts", async () => {
    writeFileSync(join(folder, "half.ts"), "export const half = (value: number) => value / 2;\n");
    writeFileSync(
      join(folder, "half.test.ts"),
      'import { expect, test } from "bun:test";\nimport { half } from "./half";\ntest("halves", () => expect(half(4)).toBe(2));\n',
    );
    const run = Bun.spawn([process.execPath, "test", ...reportArguments(folder)], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [said, code] = [await new Response(run.stderr).text(), await run.exited];
    expect(code).toBe(0);
    expect(said).toMatch(/^ 1 pass$/m);
    expect(readFileSync(join(folder, "lcov.info"), "utf8")).toMatch(/^SF:half\.ts$/m);
    expect(readFileSync(join(folder, "junit.xml"), "utf8")).toMatch(/<testcase name="halves"/);
  });
});
