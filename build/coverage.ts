// Whether the tests reach what they should. Bun's own threshold counts each file by itself and leaves out files
// that nothing imports, so the figure is taken here: the total over lcov of every file in src, which must name
// each of them. main.ts is left out by rule: it only runs in subprocesses and holds no logic.

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "./fingerprint.mjs";

const floor = 0.96;
const strictFloor = 0.98;
/** Rooms whose mistakes cost money: pricing, and orders and risk when they come. */
const strictRooms = [
  "src/features/pricing/",
  "src/features/orders/",
  "src/features/risk/",
  "src/engine/",
  "src/surfaces/",
];
const leftOut = new Set(["src/main.ts"]);

interface Tally {
  linesFound: number;
  linesHit: number;
  functionsFound: number;
  functionsHit: number;
}

const zero = (): Tally => ({ linesFound: 0, linesHit: 0, functionsFound: 0, functionsHit: 0 });

function readLcov(path: string): Map<string, Tally> {
  const files = new Map<string, Tally>();
  let current = zero();
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const [tag, value = ""] = line.split(/:(.*)/s);
    if (tag === "SF") {
      current = zero();
      files.set(relative(root, join(root, value)).replaceAll("\\", "/"), current);
    } else if (tag === "LF") current.linesFound = Number(value);
    else if (tag === "LH") current.linesHit = Number(value);
    else if (tag === "FNF") current.functionsFound = Number(value);
    else if (tag === "FNH") current.functionsHit = Number(value);
  }
  return files;
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return sources(path);
    return entry.name.endsWith(".ts") && !entry.name.endsWith(".d.ts") ? [path] : [];
  });
}

/** Files of types only leave nothing to run, so nothing to cover. */
function hasCode(path: string): boolean {
  const transpiled = new Bun.Transpiler({ loader: "ts" }).transformSync(readFileSync(join(root, path), "utf8"));
  return transpiled.replace(/export\s*{\s*};?|import\s*["'][^"']+["'];?/g, "").trim() !== "";
}

const ratio = (hit: number, found: number) => (found === 0 ? 1 : hit / found);
const percent = (value: number) => `${(value * 100).toFixed(2)} %`;

/** Prints the totals and every weak file; true where nothing is missing and both floors hold. */
export function checkCoverage(lcovPath: string): boolean {
  const covered = readLcov(lcovPath);
  const wanted = sources("src").filter((path) => !leftOut.has(path) && hasCode(path));
  const missing = wanted.filter((path) => !covered.has(path));
  const total = zero();
  const strict = zero();
  for (const path of wanted) {
    const tally = covered.get(path);
    if (!tally) continue;
    const isStrict = strictRooms.some((room) => path.startsWith(room));
    for (const key of Object.keys(total) as (keyof Tally)[]) {
      total[key] += tally[key];
      if (isStrict) strict[key] += tally[key];
    }
    const lines = ratio(tally.linesHit, tally.linesFound);
    const functions = ratio(tally.functionsHit, tally.functionsFound);
    if (lines < floor || functions < floor) {
      process.stderr.write(`  weak: ${path} lines ${percent(lines)}, functions ${percent(functions)}\n`);
    }
  }
  for (const path of missing) process.stderr.write(`  no test imports ${path}\n`);
  const checks = [
    { name: "src", tally: total, wantedRatio: floor },
    { name: "pricing, engine, surfaces", tally: strict, wantedRatio: strictFloor },
  ];
  let passed = missing.length === 0;
  for (const { name, tally, wantedRatio } of checks) {
    const lines = ratio(tally.linesHit, tally.linesFound);
    const functions = ratio(tally.functionsHit, tally.functionsFound);
    const isEnough = lines >= wantedRatio && functions >= wantedRatio;
    passed &&= isEnough;
    process.stderr.write(
      `${isEnough ? "ok  " : "FAIL"} coverage of ${name}: lines ${percent(lines)}, functions ${percent(functions)} (floor ${percent(wantedRatio)})\n`,
    );
  }
  return passed;
}

if (import.meta.main) process.exit(checkCoverage(process.argv[2] ?? join(root, "coverage", "lcov.info")) ? 0 : 1);
