// `npm test`: checks, then every test that needs no built executable, then the coverage of src.
// With arguments it runs just those tests, without the rest. What a run leaves for other programs to read lies in
// coverage/: lcov.info and junit.xml.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { check } from "./check";
import { checkCoverage } from "./coverage";
import { root } from "./fingerprint.mjs";

/** Arguments of the test runner for coverage as lcov and results as JUnit, both in that folder, which must exist. */
export function reportArguments(folder: string): string[] {
  const lcov = ["--coverage", "--coverage-reporter=lcov", `--coverage-dir=${folder}`];
  return [...lcov, "--reporter=junit", `--reporter-outfile=${join(folder, "junit.xml")}`];
}

async function bunTest(args: string[]): Promise<boolean> {
  // A test waits for conditions; on a busy machine that takes as long as it takes.
  const done = Bun.spawn([process.execPath, "test", "--timeout", "30000", ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, NODE_ENV: "test" },
  });
  return (await done.exited) === 0;
}

async function testAll(): Promise<boolean> {
  const folder = join(root, "coverage");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const isClean = await check();
  const isGreen = await bunTest(reportArguments(folder));
  const isCovered = isGreen && checkCoverage(join(folder, "lcov.info"));
  return isClean && isGreen && isCovered;
}

if (import.meta.main) {
  const chosen = process.argv.slice(2);
  process.exit((chosen.length > 0 ? await bunTest(chosen) : await testAll()) ? 0 : 1);
}
