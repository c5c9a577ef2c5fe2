// `npm run test:binary`: builds the executable if it is stale and runs the tests that only it can answer.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isStale, root } from "./fingerprint.mjs";

if (isStale()) await import("./binary");
const files = readdirSync(join(root, "tests", "binary"))
  .filter((name) => name.endsWith(".binary.ts"))
  .map((name) => `./tests/binary/${name}`);
const done = Bun.spawn([process.execPath, "test", "--timeout", "60000", ...files], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
});
process.exit(await done.exited);
