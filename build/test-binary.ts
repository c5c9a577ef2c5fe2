// `npm run test:binary`: builds the executable if it is stale and runs the tests that only it can answer: tests/binary for
// what it does, tests/security for what it refuses.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isStale, root } from "./fingerprint.mjs";

if (isStale()) await import("./binary");
const files = ["binary", "security"].flatMap((folder) =>
  readdirSync(join(root, "tests", folder))
    .filter((name) => name.endsWith(".binary.ts"))
    .map((name) => `./tests/${folder}/${name}`),
);
const done = Bun.spawn([process.execPath, "test", "--timeout", "60000", ...files], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
});
process.exit(await done.exited);
