// A million options in one Arrow body over HTTP, plain and under zstd, to a server in a process of its own: how long it takes,
// the server's peak memory, the longest step its event loop took, by the processor time of that thread, and the longest that
// /health waited, beside what it waits at rest (which depends on whatever else the machine does, and is not judged). Memory
// and step have a bound of their own (600 MB, 50 ms) and are printed as how many times they stay below it. Run it with the number of requests, few for a smoke test.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { writeWireArrow } from "../../src/adapters/tabular/wire-arrow-writer";
import { startApp } from "../../tests/harness/app";

const arrowType = "application/vnd.apache.arrow.stream";
const peakBytesMax = 600e6;
const restMilliseconds = 1000;
const stepMillisecondsMax = 50;

export interface MillionFigure {
  readonly rows: number;
  /** Of one request, the best. */
  readonly seconds: number;
  readonly answerBytes: number;
  readonly peakBytes: number;
  /** The longest that the server's thread computed without looking after anything else. */
  readonly stepMilliseconds: number;
  /** How /health was answered meanwhile, and before. */
  readonly health: HealthFigure;
  readonly rest: HealthFigure;
}

interface HealthFigure {
  readonly worstMilliseconds: number;
  readonly count: number;
}

/** Sends that many requests one after another, every second one compressed, asking /health all the while. */
export async function benchMillion(requestCount: number, rows = 1_000_000): Promise<MillionFigure> {
  const child = Bun.spawn([process.execPath, import.meta.path, "--serve"], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    const reader = child.stdout.getReader();
    const line = new TextDecoder().decode((await reader.read()).value);
    const { url, key } = JSON.parse(line) as { url: string; key: string };
    const plain = bodyOf(rows);
    const packed = new Uint8Array(zstdCompressSync(plain));
    const atRest = startWatch(url);
    await Bun.sleep(restMilliseconds);
    const rest = await healthOf(atRest);
    const watch = startWatch(url);
    const seconds: number[] = [];
    let answerBytes = 0;
    for (let index = 0; index < requestCount; index++) {
      const isPacked = index % 2 === 1;
      const start = performance.now();
      const response = await fetch(`${url}/api/v1/pricing/batch?model=black_scholes_merton`, {
        method: "POST",
        headers: {
          "x-api-key": key,
          "content-type": arrowType,
          accept: arrowType,
          "accept-encoding": "identity",
          ...(isPacked && { "content-encoding": "zstd" }),
        },
        body: isPacked ? packed : plain,
      });
      if (response.status !== 200) throw new Error(await response.text());
      answerBytes = 0;
      for await (const chunk of response.body!) answerBytes += chunk.byteLength;
      seconds.push((performance.now() - start) / 1000);
    }
    const health = await healthOf(watch);
    const peakBytes = peakBytesOf(child.pid);
    child.stdin.end();
    const { stepMilliseconds } = JSON.parse(new TextDecoder().decode((await reader.read()).value)) as {
      stepMilliseconds: number;
    };
    return { rows, seconds: Math.min(...seconds), answerBytes, peakBytes, stepMilliseconds, health, rest };
  } finally {
    child.stdin.end();
    await child.exited;
  }
}

function bodyOf(rows: number): Uint8Array<ArrayBuffer> {
  const column = (name: string, at: (row: number) => number) => ({
    name,
    kind: "number" as const,
    values: Float64Array.from({ length: rows }, (_, row) => at(row)),
  });
  const columns = [
    {
      name: "option_type",
      kind: "text" as const,
      values: Array.from({ length: rows }, (_, row) => (row & 1 ? "put" : "call")),
    },
    column("spot", () => 100),
    column("strike", (row) => 50 + (100 * row) / rows),
    column("time_to_expiry", (row) => 0.1 + (row % 1000) / 500),
    column("rate", () => 0.03),
    column("volatility", (row) => 0.1 + (row % 77) / 200),
  ];
  return new Uint8Array(Buffer.concat([...writeWireArrow({ count: rows, columns }, {})].flat()));
}

/** Asks /health from a process of its own: the one that moves the bodies would measure how busy it is itself. */
function startWatch(url: string) {
  return Bun.spawn([process.execPath, import.meta.path, "--watch", url], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
}

async function healthOf(watch: ReturnType<typeof startWatch>): Promise<HealthFigure> {
  watch.stdin.end();
  return JSON.parse(await new Response(watch.stdout).text()) as HealthFigure;
}

/** Asks again soon after it is answered, until standard input ends. */
async function watch(url: string): Promise<void> {
  let isOver = false;
  let worst = 0;
  let count = 0;
  const end = (async () => {
    for await (const _ of process.stdin);
    isOver = true;
  })();
  while (!isOver) {
    const start = performance.now();
    await (await fetch(`${url}/health`)).text();
    // The first opens the connection.
    if (count > 0) worst = Math.max(worst, performance.now() - start);
    count += 1;
    await Bun.sleep(2);
  }
  await end;
  process.stdout.write(JSON.stringify({ worstMilliseconds: worst, count } satisfies HealthFigure));
}

/** The most memory a process of this machine ever held, as the kernel counts it; 0 where it does not say. */
function peakBytesOf(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

async function serve(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bsopt-bench-"));
  const app = await startApp(folder);
  process.stdout.write(`${JSON.stringify({ url: app.url, key: app.key })}\n`);
  // What the start itself leaves to do is over by then.
  await Bun.sleep(restMilliseconds / 2);
  const cpuMilliseconds = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let last = cpuMilliseconds();
  let worst = 0;
  const watching = setInterval(() => {
    const now = cpuMilliseconds();
    worst = Math.max(worst, now - last);
    last = now;
  }, 1);
  for await (const _ of process.stdin);
  clearInterval(watching);
  process.stdout.write(`${JSON.stringify({ stepMilliseconds: worst })}\n`);
  await app.stop();
  rmSync(folder, { recursive: true, force: true });
}

if (import.meta.main) {
  if (process.argv.includes("--serve")) await serve();
  else if (process.argv.includes("--watch")) await watch(process.argv.at(-1)!);
  else {
    const figure = await benchMillion(Number(process.argv[2] ?? 6));
    const { rows, seconds, answerBytes, peakBytes, stepMilliseconds, health, rest } = figure;
    process.stdout.write(
      `${rows} options by Arrow: ${seconds.toFixed(2)} s (${(rows / seconds / 1e6).toFixed(1)} M/s with the client's own work), ` +
        `answer ${(answerBytes / 1e6).toFixed(0)} MB, server's peak ${(peakBytes / 1e6).toFixed(0)} MB, longest step ${stepMilliseconds.toFixed(0)} ms, ` +
        `/health asked ${health.count} times, at worst ${health.worstMilliseconds.toFixed(0)} ms (at rest ${rest.worstMilliseconds.toFixed(0)} ms)\n`,
    );
    if (peakBytes > 0) {
      process.stdout.write(
        `RATIO ${JSON.stringify({ name: "http million options, memory allowed to memory used", ratio: peakBytesMax / peakBytes, floor: 1.25 })}\n`,
      );
    }
    process.stdout.write(
      `RATIO ${JSON.stringify({ name: "http million options, step allowed to longest step", ratio: stepMillisecondsMax / stepMilliseconds, floor: 1.25 })}\n`,
    );
  }
}
