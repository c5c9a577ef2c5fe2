// What `npm start`, `npm test` and their siblings run first: plain JavaScript that needs nothing but
// Node 20 or any Bun. It finds or fetches the pinned Bun, installs what package.json pins, builds the
// executable if anything it is made of has changed, and runs the task. It must stay free of imports
// outside the standard library and this folder, because nothing is installed when it starts.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { executablePath, isStale, root } from "./fingerprint.mjs";

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const pinned = manifest.packageManager.replace("bun@", "");
const suffix = process.platform === "win32" ? ".exe" : "";
const cachedBun = join(root, ".bun", pinned, `bun${suffix}`);
const parentCheckMilliseconds = 250;
const environment = { ...process.env };
// Both change what a Bun executable does before its own code runs.
delete environment.BUN_OPTIONS;
delete environment.BUN_BE_BUN;

const [task, ...rest] = process.argv.slice(2);
const tasks = {
  start: () => {
    if (isStale()) run(["build/binary.ts"]);
    return { command: executablePath, args: ["serve", ...rest], folder: process.cwd() };
  },
  build: () => script("build/binary.ts"),
  release: () => script("build/release.ts"),
  test: () => script("build/test.ts"),
  "test:binary": () => script("build/test-binary.ts"),
  check: () => script("build/check.ts"),
  bench: () => script("build/bench.ts"),
  chaos: () => script("build/chaos.ts"),
  "power-cut": () => script("build/power-cut.ts"),
  soak: () => script("build/soak.ts"),
  format: () => script("build/check.ts", "--write"),
  generate: () => script("build/docs.ts"),
};
if (!Object.hasOwn(tasks, task ?? "")) fail(`usage: bootstrap.mjs ${Object.keys(tasks).join("|")}`);

let bunPath;
install();
hand(tasks[task]());

function script(path, ...args) {
  return { command: bun(), args: [path, ...args, ...rest], folder: root };
}

/** The path of the pinned Bun, fetching it where there is none. */
function bun() {
  bunPath ??= findBun();
  return bunPath;
}

function findBun() {
  if (process.versions.bun === pinned) return process.execPath;
  if (existsSync(cachedBun)) return cachedBun;
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const candidate = join(folder, `bun${suffix}`);
    if (folder !== "" && versionOf(candidate) === pinned) return candidate;
  }
  return fetchBun();
}

/**
 * Installs the npm package `bun` into a folder of its own. Its postinstall script may be switched off, so the
 * file is taken from the platform's own package; a machine without AVX2 gets the baseline one because the
 * other does not answer with its version.
 */
function fetchBun() {
  say(`Fetching Bun ${pinned} …`);
  const folder = join(root, ".bun", `fetch-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"private":true}\n');
  const stdio = ["ignore", "ignore", "inherit"];
  const wanted = `bun@${pinned}`;
  const done = process.versions.bun
    ? spawnSync(process.execPath, ["add", "--exact", "--ignore-scripts", wanted], { cwd: folder, stdio })
    : spawnSync(`npm install --ignore-scripts --no-audit --no-fund --loglevel=error ${wanted}`, {
        cwd: folder,
        shell: true,
        stdio,
      });
  const packages = join(folder, "node_modules", "@oven");
  const found = existsSync(packages) ? readdirSync(packages).sort() : [];
  const working = found
    .map((name) => join(packages, name, "bin", `bun${suffix}`))
    .find((path) => versionOf(path) === pinned);
  if (done.status !== 0 || working === undefined) {
    rmSync(folder, { recursive: true, force: true });
    fail(`Bun ${pinned} could not be fetched from the npm registry: is it reachable from here?`);
  }
  mkdirSync(join(root, ".bun", pinned), { recursive: true });
  const staged = `${cachedBun}.${process.pid}`;
  try {
    linkSync(working, staged);
  } catch {
    copyFileSync(working, staged);
  }
  renameSync(staged, cachedBun);
  rmSync(folder, { recursive: true, force: true });
  return cachedBun;
}

function versionOf(path) {
  if (!existsSync(path)) return null;
  try {
    chmodSync(path, 0o755);
  } catch {
    // Not ours to change: it is executable already, or the next line finds out.
  }
  const answer = spawnSync(path, ["--version"], { encoding: "utf8", env: environment });
  return answer.status === 0 ? answer.stdout.trim() : null;
}

/** Installs dependencies when package.json or bun.lock has changed since the last install here. */
function install() {
  const stampPath = join(root, "node_modules", ".bsopt-install");
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, "package.json")))
    .update(readFileSync(join(root, "bun.lock")))
    .digest("hex");
  if (existsSync(stampPath) && readFileSync(stampPath, "utf8") === wanted) return;
  say("Installing dependencies …");
  run(["install", "--frozen-lockfile", "--silent"]);
  writeFileSync(stampPath, wanted);
}

function run(args) {
  const done = spawnSync(bun(), args, { cwd: root, stdio: ["ignore", 2, "inherit"], env: environment });
  if (done.error) fail(done.error.message);
  if (done.status !== 0) process.exit(done.status ?? 1);
}

/** Runs the task, passing signals on and leaving with its exit code. */
function hand({ command, args, folder }) {
  const child = spawn(command, args, { cwd: folder, stdio: "inherit", env: environment });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  // npm gives its own signals to the shell between, which ends without passing them on.
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && child.kill("SIGTERM"), parentCheckMilliseconds).unref();
  child.on("error", (error) => fail(error.message));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

function say(message) {
  process.stderr.write(`${message}\n`);
}

function fail(message) {
  say(message);
  process.exit(1);
}
