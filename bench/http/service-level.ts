// The published latencies, and those aimed for, under their loads: authenticated requests in open loop against the built
// executable, kept on one core with all its threads, the client on another. In turns with the same requests to a bare Bun server
// that parses, prices and answers the same and checks nothing: what that shows is the floor of client and machine. Printed
// as the median of the rounds, beside the server's own percentiles; never judged, since absolute times belong to the machine.

import { type ServiceLevel, serviceLevels } from "../../src/domain/service-level";
import { systemClock } from "../../src/foundation/clock";
import { Installation, readJson } from "../../tests/harness/executable";
import { type OpenLoopFigure, openLoop } from "../open-loop";
import { processorSecondsOf, separateCores } from "../processes";
import { requestText, type Servers, startServers } from "./price";

const option = { option_type: "call", spot: 100, time_to_expiry: 0.5, rate: 0.03, dividend_yield: 0.01 };
const bodies: Record<ServiceLevel["operation"], { path: string; body: object }> = {
  price: {
    path: "/api/v1/pricing/price",
    body: { model: "black_scholes_merton", ...option, strike: 105, volatility: 0.2 },
  },
  priceBatch: {
    path: "/api/v1/pricing/batch",
    body: {
      model: "black_scholes_merton",
      ...option,
      strike: Array.from({ length: 1000 }, (_, row) => 60 + row / 10),
      volatility: Array.from({ length: 1000 }, (_, row) => 0.1 + row / 5000),
    },
  },
};

/** A load and the 99th percentile it is to stay under, as the client sees it. */
interface Load {
  readonly name: string;
  readonly operation: ServiceLevel["operation"];
  readonly requestsPerSecond: number;
  readonly p99MillisecondsMax: number;
}

const loads: readonly Load[] = [
  ...serviceLevels.map(({ name, operation, requestsPerSecondPerCore, p99MillisecondsMax }) => ({
    name: `${name}, published`,
    operation,
    requestsPerSecond: requestsPerSecondPerCore,
    p99MillisecondsMax,
  })),
  { name: "single_option, aim", operation: "price", requestsPerSecond: 20_000, p99MillisecondsMax: 3 },
];

/** A server under test. */
export interface Target {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly key: string;
}

export interface ServiceLevelFigure extends OpenLoopFigure {
  readonly load: Load;
  readonly target: string;
  /** Share of one core that the server used, or null where nobody tells. */
  readonly processorShare: number | null;
}

/** Each load on each target in turns; the round of the median p99, for each. */
export async function benchServiceLevels(
  targets: readonly Target[],
  { seconds, rounds, loadShare = 1 }: { seconds: number; rounds: number; loadShare?: number },
): Promise<ServiceLevelFigure[]> {
  const figures = new Map<string, ServiceLevelFigure[]>();
  // A round more, whose figures do not count: compilers reach their last tier under load.
  for (let round = -1; round < rounds; round++) {
    for (const load of loads) {
      for (const target of targets) {
        const { path, body } = bodies[load.operation];
        const before = processorSecondsOf(target.pid);
        const start = systemClock.monotonicMilliseconds();
        const figure = await openLoop({
          port: target.port,
          request: requestText(path, body, target.key),
          requestsPerSecond: load.requestsPerSecond * loadShare,
          seconds,
          clock: systemClock,
        });
        const passed = (systemClock.monotonicMilliseconds() - start) / 1000;
        const after = processorSecondsOf(target.pid);
        if (round < 0) continue;
        const processorShare = before === null || after === null ? null : (after - before) / passed;
        const name = `${load.name} ${target.name}`;
        const all = figures.get(name) ?? [];
        figures.set(name, all);
        all.push({ ...figure, load, target: target.name, processorShare });
      }
    }
  }
  return [...figures.values()].map((all) => {
    const sorted = all.toSorted((one, other) => one.p99Milliseconds - other.p99Milliseconds);
    return sorted[sorted.length >> 1]!;
  });
}

function lineOf(figure: ServiceLevelFigure): string {
  const { load, target, answersPerSecond, p50Milliseconds, p95Milliseconds, p99Milliseconds, processorShare } = figure;
  const isWhole = figure.answeredCount === figure.askedCount && figure.refusedCount === 0;
  const isMet = isWhole && p99Milliseconds <= load.p99MillisecondsMax;
  const share = processorShare === null ? "" : `  ${(100 * processorShare).toFixed(0).padStart(3)} % of a core`;
  const times = [p50Milliseconds, p95Milliseconds, p99Milliseconds].map((time) => time.toFixed(2).padStart(6));
  const told = `p99 ${load.p99MillisecondsMax} ms: ${isMet ? "met" : "not met here"}`;
  return `${load.name.padEnd(26)} ${target.padEnd(13)} ${answersPerSecond.toFixed(0).padStart(6)}/s  p50 ${times[0]}  p95 ${times[1]}  p99 ${times[2]} ms${share}  ${told}`;
}

async function main(seconds: number): Promise<void> {
  const installation = new Installation();
  let servers: Servers | null = null;
  try {
    const serving = await installation.serve();
    servers = await startServers();
    const key = serving.key();
    const headers = { "x-api-key": key };
    const { port } = new URL(serving.url);
    const where = [separateCores(serving.pid), separateCores(servers.pid)];
    process.stdout.write(`open loop, ${where[0]}; bare Bun shows what client and machine can do\n`);
    const figures = await benchServiceLevels(
      [
        { name: "bare Bun", port: servers.barePort, pid: servers.pid, key },
        { name: "whole server", port: Number(port), pid: serving.pid, key },
      ],
      { seconds, rounds: 3 },
    );
    for (const figure of figures) process.stdout.write(`${lineOf(figure)}\n`);
    const told = await readJson(fetch(`${serving.url}/api/v1/pricing/sla`, { headers }));
    for (const { name, count, p50_ms, p99_ms } of told.levels) {
      process.stdout.write(`${name} inside the server: ${count} answers, p50 ${p50_ms} ms, p99 ${p99_ms} ms\n`);
    }
    await serving.stop();
  } finally {
    await servers?.stop();
    installation.remove();
  }
}

if (import.meta.main) await main(Number(process.argv[2] ?? 1.5));
