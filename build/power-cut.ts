// `npm run power-cut`: builds the executable if it is stale and cuts the power under what it writes: tests/power-cut. `--cuts N` says how
// often (200 by default), `--seed N` draws other moments and other losses.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isStale, root } from "./fingerprint.mjs";

const settings = { cuts: "BSOPT_TEST_CUTS", seed: "BSOPT_TEST_SEED" };
const environment: Record<string, string | undefined> = { ...process.env };
const words = process.argv.slice(2);
for (let index = 0; index < words.length; index += 2) {
  const name = words[index]?.replace(/^--/, "") ?? "";
  const value = words[index + 1] ?? "";
  if (!Object.hasOwn(settings, name) || !/^\d+$/.test(value)) {
    process.stderr.write("usage: npm run power-cut -- [--cuts N] [--seed N]\n");
    process.exit(2);
  }
  environment[settings[name as keyof typeof settings]] = value;
}

if (isStale()) await import("./binary");
const files = readdirSync(join(root, "tests", "power-cut"))
  .filter((name) => name.endsWith(".binary.ts"))
  .map((name) => `./tests/power-cut/${name}`);
const done = Bun.spawn([process.execPath, "test", "--timeout", "120000", ...files], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
  env: environment,
});
process.exit(await done.exited);
