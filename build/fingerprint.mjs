// Whether dist/bsopt is older than what it is made of. Shared by the bootstrap (any Node or Bun) and the
// build: both must agree on the list, and a start with nothing changed has to find out in milliseconds, so
// it looks at names, sizes and times of change, never at contents.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const executablePath = join(root, "dist", process.platform === "win32" ? "bsopt.exe" : "bsopt");

const stampPath = join(root, "dist", ".bsopt-stamp");
const inputs = ["package.json", "bun.lock", "tsconfig.json", "src", "assembly", "migrations", "build"];

/** A digest over path, size and time of change of everything the executable is built from. */
export function fingerprint() {
  const digest = createHash("sha256");
  const visit = (path) => {
    const stat = statSync(path);
    if (stat.isDirectory()) {
      for (const name of readdirSync(path).sort()) visit(join(path, name));
      return;
    }
    digest.update(`${relative(root, path)}\0${stat.size}\0${Math.round(stat.mtimeMs)}\n`);
  };
  for (const input of inputs) if (existsSync(join(root, input))) visit(join(root, input));
  return digest.digest("hex");
}

/** True where the executable is missing or was built from something else. */
export function isStale() {
  if (!existsSync(executablePath) || !existsSync(stampPath)) return true;
  return readFileSync(stampPath, "utf8") !== fingerprint();
}

/** Notes what the executable was built from; `taken` is the fingerprint from before the build began. */
export function markBuilt(taken) {
  writeFileSync(stampPath, taken);
}
