// The published latencies under the load they are published for: authenticated requests sent on a schedule over raw
// keep-alive sockets, each timed from the moment it was due (so that a slow answer does not hide the ones queued
// behind it), against the built executable in a process of its own. Printed beside the server's own percentiles and the
// published figures; never judged, since absolute times belong to the machine.

import { createHistogram } from "node:perf_hooks";
import { type ServiceLevel, serviceLevels } from "../../src/domain/service-level";
import { Installation, readJson } from "../../tests/harness/executable";

const seconds = Number(process.argv[2] ?? 4);
const socketCount = 32;
const warmUpShare = 0.25;

const option = { option_type: "call", spot: 100, time_to_expiry: 0.5, rate: 0.03, dividend_yield: 0.01 };
const bodies: Record<ServiceLevel["operation"], { path: string; body: string }> = {
  price: {
    path: "/api/v1/pricing/price",
    body: JSON.stringify({ model: "black_scholes_merton", ...option, strike: 105, volatility: 0.2 }),
  },
  priceBatch: {
    path: "/api/v1/pricing/batch",
    body: JSON.stringify({
      model: "black_scholes_merton",
      ...option,
      strike: Array.from({ length: 1000 }, (_, row) => 60 + row / 10),
      volatility: Array.from({ length: 1000 }, (_, row) => 0.1 + row / 5000),
    }),
  },
};

interface Lane {
  readonly send: (dueMilliseconds: number) => void;
  readonly waiting: () => number;
}

/** One keep-alive connection that answers in order; `done` is told of each answer's delay since it was due. */
async function openLane(
  url: URL,
  request: Buffer,
  done: (milliseconds: number, status: number) => void,
): Promise<Lane> {
  const due: number[] = [];
  let pending = Buffer.alloc(0);
  const socket = await Bun.connect({
    hostname: url.hostname,
    port: Number(url.port),
    socket: {
      data(_, chunk) {
        pending = pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([pending, chunk]);
        for (;;) {
          const headEnd = pending.indexOf("\r\n\r\n");
          if (headEnd < 0) return;
          const head = pending.toString("latin1", 0, headEnd);
          const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
          if (pending.length < headEnd + 4 + length) return;
          pending = pending.subarray(headEnd + 4 + length);
          done(performance.now() - due.shift()!, Number(head.slice(9, 12)));
        }
      },
    },
  });
  return {
    send: (dueMilliseconds) => {
      due.push(dueMilliseconds);
      socket.write(request);
    },
    waiting: () => due.length,
  };
}

async function run(level: ServiceLevel, url: URL, key: string): Promise<string> {
  const { path, body } = bodies[level.operation];
  const head = `POST ${path} HTTP/1.1\r\nHost: ${url.host}\r\nX-API-Key: ${key}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  const request = Buffer.from(head + body);
  const histogram = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });
  let answeredCount = 0;
  let refusedCount = 0;
  let isMeasuring = false;
  const lanes = await Promise.all(
    Array.from({ length: socketCount }, () =>
      openLane(url, request, (milliseconds, status) => {
        answeredCount += 1;
        if (status !== 200) refusedCount += 1;
        if (isMeasuring) histogram.record(Math.max(1, Math.round(milliseconds * 1000)));
      }),
    ),
  );
  const total = Math.round(level.requestsPerSecondPerCore * seconds);
  const start = performance.now();
  let sentCount = 0;
  while (sentCount < total) {
    const dueCount = Math.min(total, Math.floor(((performance.now() - start) / 1000) * level.requestsPerSecondPerCore));
    isMeasuring ||= dueCount > total * warmUpShare;
    for (; sentCount < dueCount; sentCount++) {
      lanes[sentCount % socketCount]!.send(start + (sentCount / level.requestsPerSecondPerCore) * 1000);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  while (answeredCount < total && performance.now() - start < seconds * 4000) await Bun.sleep(1);
  const took = (performance.now() - start) / 1000;
  const at = (percentile: number) => (histogram.percentile(percentile) / 1000).toFixed(2);
  const isMet =
    histogram.percentile(99) / 1000 <= level.p99MillisecondsMax && answeredCount === total && refusedCount === 0;
  return `${level.name.padEnd(14)} ${String(level.requestsPerSecondPerCore).padStart(6)}/s asked, ${(answeredCount / took).toFixed(0).padStart(6)}/s answered, ${refusedCount} refused   p50 ${at(50)}  p95 ${at(95)}  p99 ${at(99)} ms   published p99 ${level.p99MillisecondsMax} ms: ${isMet ? "met" : "not met here"}`;
}

const installation = new Installation();
try {
  const serving = await installation.serve();
  const url = new URL(serving.url);
  for (const level of serviceLevels) process.stdout.write(`${await run(level, url, serving.key())}\n`);
  const told = await readJson(fetch(`${serving.url}/api/v1/pricing/sla`, { headers: { "x-api-key": serving.key() } }));
  for (const { name, count, p50_ms, p99_ms } of told.levels) {
    process.stdout.write(
      `${name.padEnd(14)} inside the server: ${count} answers, p50 ${p50_ms} ms, p99 ${p99_ms} ms\n`,
    );
  }
  await serving.stop();
} finally {
  installation.remove();
}
