// `npm run chaos`: builds the executable if it is stale and breaks what it runs on: tests/chaos. `--kills N` says how often it is
// killed (50 by default), `--seconds N` how long another process holds its database (10 by default; from 60 on the event loop's
// longest gap is judged too, which wants a quiet machine), `--seed N` repeats a run.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isStale, root } from "./fingerprint.mjs";

const settings = { kills: "BSOPT_TEST_KILLS", seconds: "BSOPT_TEST_SECONDS", seed: "BSOPT_TEST_SEED" };
const environment: Record<string, string | undefined> = { ...process.env };
const words = process.argv.slice(2);
for (let index = 0; index < words.length; index += 2) {
  const name = words[index]?.replace(/^--/, "") ?? "";
  const value = words[index + 1] ?? "";
  if (!Object.hasOwn(settings, name) || !/^\d+$/.test(value)) {
    process.stderr.write("usage: npm run chaos -- [--kills N] [--seconds N] [--seed N]\n");
    process.exit(2);
  }
  environment[settings[name as keyof typeof settings]] = value;
}

if (isStale()) await import("./binary");
const files = readdirSync(join(root, "tests", "chaos"))
  .filter((name) => name.endsWith(".binary.ts"))
  .map((name) => `./tests/chaos/${name}`);
const done = Bun.spawn([process.execPath, "test", "--timeout", "120000", ...files], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
  env: environment,
});
process.exit(await done.exited);
