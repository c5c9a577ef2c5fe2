// `npm run bench`: runs every benchmark. With --gate it fails where a ratio measured within one run falls below
// 0.8 of its floor; absolute times are printed and never judged, because machines differ and are shared.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isStale, root } from "./fingerprint.mjs";
import { buildWasm } from "./wasm";

const isGate = process.argv.includes("--gate");
const chosen = process.argv.slice(2).filter((word) => !word.startsWith("--"));

interface Ratio {
  readonly name: string;
  readonly ratio: number;
  readonly floor: number;
}

await buildWasm();
if (isStale()) await import("./binary");
const files = ["kernels", "surfaces", "streaming", "storage", "http", "process"].flatMap((folder) => {
  const path = join(root, "bench", folder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter(
      (name) =>
        name.endsWith(".ts") && (chosen.length === 0 || chosen.some((word) => `${folder}/${name}`.includes(word))),
    )
    .map((name) => join(path, name));
});

const ratios: Ratio[] = [];
let failedCount = 0;
for (const file of files) {
  const child = Bun.spawn([process.execPath, file], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env },
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) {
    failedCount += 1;
    process.stdout.write(`${text}FAIL ${file} ended with ${child.exitCode}\n`);
    continue;
  }
  for (const line of text.split("\n")) {
    // A benchmark tells each judged ratio on a line of its own, as JSON behind this word (bench/compare.ts).
    if (line.startsWith("RATIO ")) ratios.push(JSON.parse(line.slice(6)));
    else if (line !== "") process.stdout.write(`${line}\n`);
  }
}
for (const { name, ratio, floor } of ratios) {
  const isEnough = ratio >= 0.8 * floor;
  if (!isEnough) failedCount += 1;
  process.stdout.write(`${isEnough ? "ok  " : "FAIL"} ${name}: ${ratio.toFixed(2)} (floor ${floor})\n`);
}
if (isGate && ratios.length === 0) failedCount += 1;
process.stdout.write(`${ratios.length} ratios, ${failedCount} failed\n`);
process.exit(isGate && failedCount > 0 ? 1 : 0);
