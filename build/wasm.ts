// Builds the number kernel: assembly/index.ts → dist/kernel.wasm. Separate because tests, the executable's build and a
// person at the shell all want the same bytes, and only when something changed: a stamp beside the file holds the hash of
// every source, the options and the compiler's version. The same sources give the same bytes on every machine.
// Runs inside Bun through the compiler's own API: it must not need node, nor write anywhere but into dist/.

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const root = join(import.meta.dir, "..");

/**
 * What binaryen does to the module, in order. Its own -O2 and -O3 sink each sum to where it is used and so undo what the sources
 * weave by hand: these passes keep the order as written (one tenth faster, price and Greeks). simplify-locals must come after
 * the inlined functions' blocks are gone.
 */
const passes = [
  "remove-unused-brs",
  "remove-unused-names",
  "merge-blocks",
  "precompute-propagate",
  "optimize-instructions",
  "simplify-locals-nostructure",
  "vacuum",
  "coalesce-locals",
  "reorder-locals",
  "vacuum",
] as const;

/** The compiler's arguments, apart from the entry and the output. */
const options = [
  "--optimizeLevel",
  "0",
  "--runPasses",
  passes.join(","),
  "--noAssert",
  "--enable",
  "simd",
  "--runtime",
  "stub",
  "--importMemory",
  "--initialMemory",
  "1",
  "--noExportMemory",
] as const;

/** The kernel's memory is shared with workers; the limit must be no less than src/engine/kernel.ts asks for. */
const sharedOptions = ["--enable", "threads", "--sharedMemory", "--maximumMemory", "6144"] as const;

export interface BuiltWasm {
  /** Absolute path of the module. */
  readonly path: string;
  /** Lower-case hex of its bytes. */
  readonly sha256: string;
  /** False where the file was already up to date. */
  readonly rebuilt: boolean;
}

interface Stamp {
  readonly sources: string;
  readonly sha256: string;
}

/** Builds dist/kernel.wasm if it is stale. Throws with the compiler's messages where the sources don't compile. */
export function buildWasm(): Promise<BuiltWasm> {
  return build("index.ts", "kernel", sharedOptions);
}

/** Builds dist/probe.wasm, the door that tests use to reach the math routines one by one. Never shipped. */
export function buildProbe(): Promise<BuiltWasm> {
  return build("batch/probe.ts", "probe", []);
}

async function build(entry: string, name: string, more: readonly string[]): Promise<BuiltWasm> {
  const path = join(root, "dist", `${name}.wasm`);
  const stampPath = join(root, "dist", `${name}.wasm.stamp`);
  const sources = await hashSources(more);
  const stamp = await readStamp(stampPath);
  if (stamp?.sources === sources && (await hashFile(path)) === stamp.sha256) {
    return { path, sha256: stamp.sha256, rebuilt: false };
  }
  await mkdir(join(root, "dist"), { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  try {
    await compile(entry, unfinished, more);
    const sha256 = await hashFile(unfinished);
    if (sha256 === null) throw new Error(`the compiler wrote no ${unfinished}`);
    await rename(unfinished, path);
    await writeFile(stampPath, JSON.stringify({ sources, sha256 } satisfies Stamp));
    return { path, sha256, rebuilt: true };
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function compile(entry: string, output: string, more: readonly string[]): Promise<void> {
  const { main } = await import("assemblyscript/asc");
  const { error, stdout, stderr } = await main([
    join("assembly", entry),
    "--baseDir",
    root,
    "--outFile",
    output.slice(root.length + 1),
    ...options,
    ...more,
  ]);
  if (error) throw new Error(`assembly/${entry} does not compile\n${stdout.toString()}${stderr.toString()}`);
}

async function hashSources(more: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  const compiler: { version: string } = JSON.parse(
    await readFile(join(root, "node_modules", "assemblyscript", "package.json"), "utf8"),
  );
  hash.update(JSON.stringify([compiler.version, options, more]));
  const names = (await readdir(join(root, "assembly"), { recursive: true })).filter((name) => name.endsWith(".ts"));
  for (const name of names.map((each) => each.replaceAll("\\", "/")).sort()) {
    hash.update(`\0${name}\0`);
    hash.update(await readFile(join(root, "assembly", name)));
  }
  return hash.digest("hex");
}

async function hashFile(path: string): Promise<string | null> {
  const bytes = await readFile(path).catch(() => null);
  return bytes === null ? null : createHash("sha256").update(bytes).digest("hex");
}

async function readStamp(path: string): Promise<Stamp | null> {
  const text = await readFile(path, "utf8").catch(() => null);
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    const { sources, sha256 } = value as Stamp;
    return { sources, sha256 };
  } catch {
    return null;
  }
}

if (import.meta.main) {
  const built = await buildWasm();
  process.stdout.write(`${built.path} ${built.sha256}${built.rebuilt ? "" : " (up to date)"}\n`);
}
