// `npm run release`: the executable for every platform, with checksums, into dist/release. The addons of other
// platforms are no dependency of this machine's install, so they are fetched by exact version and integrity
// from bun.lock with `npm pack`'s registry protocol, by Bun's own package manager into a folder of its own.

import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addonOfTarget, buildExecutable, type Target } from "./executable";
import { root } from "./fingerprint.mjs";
import { buildWasm } from "./wasm";

const folder = join(root, "dist", "release");

/** Puts another platform's addon into node_modules, where the compiler looks for it. */
function fetchAddon(target: Target): void {
  const name = addonOfTarget[target];
  const place = join(root, "node_modules", name);
  if (existsSync(join(place, "index.node"))) return;
  const version = JSON.parse(readFileSync(join(root, "node_modules", "libsql", "package.json"), "utf8")).version;
  const stage = join(root, "dist", `addon-${process.pid}`);
  mkdirSync(stage, { recursive: true });
  writeFileSync(join(stage, "package.json"), '{"private":true}\n');
  const [, os, cpu] = /bun-(linux|darwin|windows)-(x64|arm64)/.exec(target) ?? [];
  const done = Bun.spawnSync(
    [
      process.execPath,
      "add",
      "--exact",
      "--ignore-scripts",
      `--os=${os === "windows" ? "win32" : os}`,
      `--cpu=${cpu}`,
      `${name}@${version}`,
    ],
    { cwd: stage, stdout: "ignore", stderr: "pipe" },
  );
  const fetched = join(stage, "node_modules", name);
  if (!done.success || !existsSync(join(fetched, "index.node"))) {
    throw new Error(`${name}@${version} could not be fetched: ${done.stderr}`);
  }
  verifyIntegrity(name, readFileSync(join(stage, "bun.lock"), "utf8"));
  cpSync(fetched, place, { recursive: true });
  rmSync(stage, { recursive: true });
}

/** The hash the fresh install recorded must be the one this project's lock file already holds. */
function verifyIntegrity(name: string, freshLock: string): void {
  const hashOf = (lock: string) => new RegExp(`"${name}": \\[[^\\n]*"(sha512-[^"]+)"\\]`).exec(lock)?.[1];
  const [fresh, known] = [hashOf(freshLock), hashOf(readFileSync(join(root, "bun.lock"), "utf8"))];
  if (fresh === undefined || fresh !== known) throw new Error(`${name}: hash ${fresh} is not bun.lock's ${known}`);
}

await buildWasm();
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const wanted = process.argv.slice(2);
const sums: string[] = [];
for (const target of Object.keys(addonOfTarget) as Target[]) {
  if (wanted.length > 0 && !wanted.includes(target)) continue;
  fetchAddon(target);
  const name = `bsopt-${version}-${target.replace("bun-", "")}${target === "bun-windows-x64" ? ".exe" : ""}`;
  await buildExecutable({ target, outfile: join(folder, name) });
  sums.push(
    `${createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex")}  ${name}`,
  );
  process.stderr.write(`${sums.at(-1)}\n`);
}
writeFileSync(join(folder, "SHA256SUMS"), `${sums.join("\n")}\n`);
