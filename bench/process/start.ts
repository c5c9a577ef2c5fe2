// How long the executable takes from being started to answering, on an empty folder and on an existing database, and
// what it holds in memory at rest. Printed, never judged: absolute times belong to the machine.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Installation, type Serving } from "../../tests/harness/executable";

const rounds = 7;
/** Long enough for the warm-up that follows the start to be over. */
const idleMilliseconds = 1500;

/** Resident memory of a process in MiB, from /proc; null elsewhere than on Linux. */
function residentMegabytes(pid: number): number | null {
  try {
    const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(join("/proc", String(pid), "status"), "utf8"))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) / 1024;
  } catch {
    return null;
  }
}

async function start(installation: Installation): Promise<{ serving: Serving; milliseconds: number }> {
  const begun = performance.now();
  const serving = await installation.serve();
  const response = await fetch(`${serving.url}/readiness`);
  if (response.status !== 200) throw new Error(`not ready: ${response.status}`);
  return { serving, milliseconds: performance.now() - begun };
}

function summary(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return `best ${sorted[0]!.toFixed(0)}, median ${sorted[sorted.length >> 1]!.toFixed(0)}`;
}

const empty: number[] = [];
const existing: number[] = [];
const memory: number[] = [];
for (let round = 0; round < rounds; round++) {
  const installation = new Installation();
  try {
    const first = await start(installation);
    empty.push(first.milliseconds);
    await first.serving.stop();
    const second = await start(installation);
    existing.push(second.milliseconds);
    await Bun.sleep(idleMilliseconds);
    const megabytes = residentMegabytes(second.serving.pid);
    if (megabytes !== null) memory.push(megabytes);
    await second.serving.stop();
  } finally {
    installation.remove();
  }
}
process.stdout.write(`ready on an empty folder, ms: ${summary(empty)} (aim 250)\n`);
process.stdout.write(`ready on an existing database, ms: ${summary(existing)} (aim 100)\n`);
if (memory.length > 0) process.stdout.write(`resident memory at rest, MiB: ${summary(memory)} (aim 90)\n`);
