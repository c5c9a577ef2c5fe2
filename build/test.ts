// `npm test`: checks, then every test that needs no built executable, then the coverage of src.
// With arguments it runs just those tests, without the rest.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { check } from "./check";
import { checkCoverage } from "./coverage";
import { root } from "./fingerprint.mjs";

const chosen = process.argv.slice(2);

async function bunTest(args: string[]): Promise<boolean> {
  const done = Bun.spawn([process.execPath, "test", ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, NODE_ENV: "test" },
  });
  return (await done.exited) === 0;
}

if (chosen.length > 0) process.exit((await bunTest(chosen)) ? 0 : 1);

const lcov = join(root, "coverage", "lcov.info");
rmSync(lcov, { force: true });
const isClean = await check();
const isGreen = await bunTest(["--coverage", "--coverage-reporter=lcov", "--coverage-dir=coverage"]);
const isCovered = isGreen && checkCoverage(lcov);
process.exit(isClean && isGreen && isCovered ? 0 : 1);
