// Three times what the server can answer, for a while: it must live on, hold less than a gigabyte, still answer 70 % of its best, and
// /health in under 100 ms throughout. The built executable has one core with all its threads, the clients the other: first as
// many requests as it answers in closed loop, then three times that rate in open loop, whatever becomes of them. Once with single
// options, once with a mix of those, batches of a thousand, bodies of a megabyte and writes. Judged: all of the above, /health only
// where the server had its core to itself. Arguments: seconds of each flood (60 for the whole proof), connections.

import { readFileSync } from "node:fs";
import { systemClock } from "../../src/foundation/clock";
import { Installation, type Serving } from "../../tests/harness/executable";
import { type FloodFigure, type FloodKind, flood } from "../flood";
import { processorSecondsOf, separateCores } from "../processes";
import { requestText } from "./price";

const capacityShare = 3;
const closedConnections = 64;
const goodShareMin = 0.7;
const residentBytesMax = 1_000_000_000;
const healthMillisecondsMax = 100;
const healthIntervalMilliseconds = 20;
/** From this share of a core on a server had it to itself; below, others took it, and times say nothing. */
const coreShareMin = 0.9;
const usefulMilliseconds = 1000;
/** Connections that have sent nothing yet fill the system's queue of them, and a probe's would wait a second for a place there. */
const openingMilliseconds = 1000;

const option = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  time_to_expiry: 0.5,
  rate: 0.03,
  dividend_yield: 0.01,
  volatility: 0.2,
};
const loads = ["single options", "a mix"] as const;
type LoadName = (typeof loads)[number];

function kindsOf(load: LoadName, key: string, userId: string): readonly FloodKind[] {
  const batchOf = (rows: number) => ({
    ...option,
    strike: Array.from({ length: rows }, (_, row) => 50 + (100 * row) / rows + 1 / 3),
  });
  const single = requestText("/api/v1/pricing/price", { ...option, strike: 105 }, key);
  if (load === "single options") return [{ name: "single", requests: [single], perThousand: 1000, usefulMilliseconds }];
  const rename = (name: string) => {
    const text = requestText(`/api/v1/admin/users/${userId}`, { name }, key).toString("latin1");
    return Buffer.from(text.replace("POST", "PATCH"), "latin1");
  };
  const batch = (rows: number) => [requestText("/api/v1/pricing/batch", batchOf(rows), key)];
  return [
    { name: "single", requests: [single], perThousand: 900, usefulMilliseconds },
    { name: "batch of 1,000", requests: batch(1000), perThousand: 38, usefulMilliseconds },
    { name: "body of 1 MB", requests: batch(52_000), perThousand: 2, usefulMilliseconds: 10_000 },
    { name: "write", requests: ["One", "Other", "Third"].map(rename), perThousand: 60, usefulMilliseconds },
  ];
}

/** What the clients' process is told, as its argument. */
interface Task {
  readonly port: number;
  readonly key: string;
  readonly userId: string;
  readonly load: LoadName;
  readonly connections: number;
  readonly requestsPerSecond: number | null;
  readonly seconds: number;
}

/** In a process of its own that lets the one go first that asks for /health. */
async function floodBeside(task: Task): Promise<FloodFigure> {
  const child = Bun.spawn(["nice", process.execPath, import.meta.path, "--flood", JSON.stringify(task)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`the clients ended with ${child.exitCode}`);
  return JSON.parse(text);
}

interface Watch {
  readonly healthMilliseconds: readonly number[];
  readonly residentBytes: number;
}

/** Asks for /health on a connection each and looks at the memory, until told to stop. */
function watch(url: string, pid: number): { stop(): Promise<Watch> } {
  let isOver = false;
  const healthMilliseconds: number[] = [];
  let residentBytes = 0;
  const done = (async () => {
    const asked: Promise<void>[] = [];
    while (!isOver) {
      const begun = systemClock.monotonicMilliseconds();
      asked.push(
        fetch(`${url}/health`).then(async (answer) => {
          await answer.arrayBuffer();
          if (answer.status !== 200) throw new Error(`/health answered ${answer.status}`);
          healthMilliseconds.push(systemClock.monotonicMilliseconds() - begun);
        }),
      );
      residentBytes = Math.max(residentBytes, residentBytesOf(pid));
      await Bun.sleep(healthIntervalMilliseconds);
    }
    await Promise.all(asked);
  })();
  done.catch(() => undefined);
  return {
    async stop() {
      isOver = true;
      await done;
      return { healthMilliseconds: healthMilliseconds.sort((one, other) => one - other), residentBytes };
    },
  };
}

function residentBytesOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

export interface OverloadFigure extends Watch {
  readonly load: LoadName;
  readonly peak: FloodFigure;
  readonly flood: FloodFigure;
  /** Requests answered in time a second in the flood, to those at the peak. */
  readonly goodShare: number;
  /** Share of a core that the server had in the flood; null where nobody tells. */
  readonly coreShare: number | null;
}

export function goodPerSecond(figure: FloodFigure, name?: string): number {
  const kinds = figure.kinds.filter((kind) => name === undefined || kind.name === name);
  return kinds.reduce((sum, { goodCount }) => sum + goodCount, 0) / figure.seconds;
}

/** Both loads on a server that runs: its peak, then three times that. */
export async function benchOverload(
  serving: Pick<Serving, "url" | "pid" | "key">,
  { seconds, connections, peakSeconds }: { seconds: number; connections: number; peakSeconds: number },
): Promise<OverloadFigure[]> {
  const key = serving.key();
  const port = Number(new URL(serving.url).port);
  const me = await fetch(`${serving.url}/api/v1/auth/me`, { headers: { "x-api-key": key } });
  const { id: userId } = (await me.json()) as { id: string };
  const figures: OverloadFigure[] = [];
  for (const load of loads) {
    const task = { port, key, userId, load };
    const closed = { ...task, connections: closedConnections, requestsPerSecond: null };
    // Not counted: compilers reach their last tier under load.
    await floodBeside({ ...closed, seconds: peakSeconds / 2 });
    const peak = await floodBeside({ ...closed, seconds: peakSeconds });
    const requestsPerSecond = capacityShare * goodPerSecond(peak);
    const before = processorSecondsOf(serving.pid);
    const flooding = floodBeside({ ...task, connections, requestsPerSecond, seconds });
    await Bun.sleep(openingMilliseconds);
    const watching = watch(serving.url, serving.pid);
    const figure = await flooding;
    const after = processorSecondsOf(serving.pid);
    const watched = await watching.stop();
    const coreShare = before === null || after === null ? null : (after - before) / figure.seconds;
    const goodShare = goodPerSecond(figure) / goodPerSecond(peak);
    figures.push({ load, peak, flood: figure, goodShare, coreShare, ...watched });
  }
  return figures;
}

function linesOf(figure: OverloadFigure): string {
  const { load, peak, flood, goodShare, coreShare, residentBytes, healthMilliseconds } = figure;
  const total = (of: FloodFigure, what: "goodCount" | "lateCount" | "shedCount" | "failedCount") =>
    Math.round(of.kinds.reduce((sum, kind) => sum + kind[what], 0) / of.seconds);
  const at = (share: number) => healthMilliseconds[Math.floor(share * (healthMilliseconds.length - 1))]?.toFixed(1);
  const lines = [
    `${load}: at its best ${Math.round(goodPerSecond(peak))}/s, p99 ${peak.p99Milliseconds.toFixed(0)} ms`,
    `  due ${Math.round(flood.dueCount / flood.seconds)}/s, sent ${Math.round(flood.sentCount / flood.seconds)}/s: answered ${total(flood, "goodCount")}/s, late ${total(flood, "lateCount")}/s, told to come back ${total(flood, "shedCount")}/s, failed ${total(flood, "failedCount")}/s`,
    `  answers' p50 ${flood.p50Milliseconds.toFixed(0)} ms, p99 ${flood.p99Milliseconds.toFixed(0)} ms; /health p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, slowest ${at(1)} ms (${healthMilliseconds.length}); most memory ${(residentBytes / 1e6).toFixed(0)} MB`,
    `  ${(100 * goodShare).toFixed(0)} % of the best: ${flood.kinds.map(({ name }) => `${name} ${Math.round((100 * goodPerSecond(flood, name)) / goodPerSecond(peak, name))} %`).join(", ")}; the server had ${((coreShare ?? 0) * 100).toFixed(0)} % of its core`,
    ...flood.failures.map((failure) => `  failed: ${failure}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** What the figures break, in words. */
export function faultsOf({
  load,
  flood,
  goodShare,
  coreShare,
  residentBytes,
  healthMilliseconds,
}: OverloadFigure): string[] {
  const slowest = healthMilliseconds.at(-1) ?? Number.POSITIVE_INFINITY;
  const failedCount = flood.kinds.reduce((sum, kind) => sum + kind.failedCount, 0);
  return [
    ...(goodShare >= goodShareMin ? [] : [`${(100 * goodShare).toFixed(0)} % of the best was answered`]),
    ...(residentBytes < residentBytesMax ? [] : [`${residentBytes} bytes were held`]),
    ...(slowest < healthMillisecondsMax || (coreShare ?? 0) < coreShareMin
      ? []
      : [`/health took ${slowest.toFixed(0)} ms`]),
    ...(failedCount === 0 ? [] : [`${failedCount} requests failed`]),
  ].map((fault) => `${load}: ${fault}`);
}

async function main(seconds: number, connections: number): Promise<void> {
  const installation = new Installation();
  try {
    const serving = await installation.serve();
    process.stdout.write(`${separateCores(serving.pid)}\n`);
    const figures = await benchOverload(serving, {
      seconds,
      connections,
      peakSeconds: Math.min(4, seconds),
    });
    for (const figure of figures) process.stdout.write(linesOf(figure));
    const faults = figures.flatMap(faultsOf);
    const code = await serving.stop();
    if (code !== 0) faults.push(`the server ended with ${code}`);
    for (const fault of faults) process.stdout.write(`FAIL ${fault}\n`);
    process.exitCode = faults.length === 0 ? 0 : 1;
  } finally {
    installation.remove();
  }
}

if (import.meta.main) {
  const at = process.argv.indexOf("--flood");
  if (at < 0) await main(Number(process.argv[2] ?? 6), Number(process.argv[3] ?? 2000));
  else {
    const { load, key, userId, ...task } = JSON.parse(process.argv[at + 1]!) as Task;
    const figure = await flood({ ...task, kinds: kindsOf(load, key, userId), clock: systemClock });
    process.stdout.write(JSON.stringify(figure));
    process.exit(0);
  }
}
