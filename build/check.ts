// `npm run check`: formatter, linter and type-checker over everything but the kernel, whose own compiler checks its
// types at each build (TypeScript's cannot follow one formula over two widths). With --write the formatter mends what it can instead of complaining.

import { join } from "node:path";
import { root } from "./fingerprint.mjs";

const bin = (name: string) => join(root, "node_modules", ".bin", name);
const isWriting = process.argv.includes("--write");

const steps: { name: string; command: string[] }[] = [
  {
    name: "format and lint",
    command: [bin("biome"), "check", "--error-on-warnings", ...(isWriting ? ["--write"] : []), "."],
  },
  { name: "types", command: [process.execPath, bin("tsc"), "--project", "tsconfig.json"] },
];

/** Runs every check and says which failed; true where all passed. */
export async function check(): Promise<boolean> {
  let passed = true;
  for (const { name, command } of steps) {
    const done = Bun.spawn(command, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
    const isClean = (await done.exited) === 0;
    process.stderr.write(`${isClean ? "ok  " : "FAIL"} ${name}\n`);
    passed &&= isClean;
  }
  return passed;
}

if (import.meta.main) process.exit((await check()) ? 0 : 1);
