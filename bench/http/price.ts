// Pricing over HTTP, the whole server beside a bare Bun.serve that parses, prices and answers the same and checks
// nothing, in one run: what schema, key, gate and headers cost is the ratio of the two. The servers run in a process of
// their own on a core of its own, the load in this one, over kept-alive sockets; rounds are interleaved, best and median are
// printed, by the wall and by the processor time that the servers used, and what of that is the kernel's.
// Run it with the milliseconds of a round as its argument, few for a smoke test.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultOutputs } from "../../src/engine/catalog";
import { createEngine, type Engine } from "../../src/engine/engine";
import { kernelWasmBytes } from "../../src/storage/assets";
import { startApp } from "../../tests/harness/app";
import { processorSecondsOf, separateCores } from "../processes";

const connectionCount = 32;
const roundCount = 5;
const batchRows = 1000;

const option = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.03,
  dividend_yield: 0.01,
  volatility: 0.2,
} as const;
const batch = { ...option, strike: Array.from({ length: batchRows }, (_, index) => 50 + index / 10) };

export interface HttpFigure {
  readonly name: string;
  readonly requestsPerSecondBest: number;
  readonly requestsPerSecondMedian: number;
  readonly rows: number;
  /** Options for each second of the servers' processor time, median; null where nobody tells. */
  readonly optionsPerProcessorSecond: number | null;
  /** The kernel's own time as a share of that. */
  readonly kernelShare: number | null;
}

/** Both servers, in one process. */
export interface Servers {
  readonly pid: number;
  readonly barePort: number;
  readonly wholePort: number;
  readonly key: string;
  stop(): Promise<void>;
}

/** Starts them in a process of their own. */
export async function startServers(): Promise<Servers> {
  const child = Bun.spawn([process.execPath, import.meta.path, "--serve"], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const line = new TextDecoder().decode((await child.stdout.getReader().read()).value);
  const told = JSON.parse(line) as { barePort: number; wholePort: number; key: string };
  return {
    ...told,
    pid: child.pid,
    async stop() {
      child.stdin.end();
      await child.exited;
    },
  };
}

/** Requests a second from the bare and the whole server, for one option and for a batch of 1,000. `onStarted`: its process. */
export async function benchHttpPrice(
  roundMilliseconds: number,
  onStarted: (serverPid: number) => void = () => {},
): Promise<HttpFigure[]> {
  const servers = await startServers();
  try {
    onStarted(servers.pid);
    const { barePort, wholePort, key } = servers;
    const one = requestText("/api/v1/pricing/price", option, key);
    const many = requestText("/api/v1/pricing/batch", batch, key);
    const targets = [
      { name: "one option, bare Bun", port: barePort, request: one, rows: 1 },
      { name: "one option, whole server", port: wholePort, request: one, rows: 1 },
      { name: "1,000 options, bare Bun", port: barePort, request: many, rows: batchRows },
      { name: "1,000 options, whole server", port: wholePort, request: many, rows: batchRows },
    ];
    const engine = createEngine({ wasmBytes: kernelWasmBytes(), version: "bench" });
    for (const _ of engine.warmUp());
    const rounds = targets.map(() => [] as { readonly rate: number; readonly processorSeconds: number | null }[]);
    const alone = targets.map(() => [] as number[]);
    for (const { port, request } of targets) await load(port, request, roundMilliseconds / 2);
    for (let round = 0; round < roundCount; round++) {
      for (const [index, { port, request, rows }] of targets.entries()) {
        rounds[index]!.push(await measured(servers.pid, () => load(port, request, roundMilliseconds)));
        alone[index]!.push(kernelSeconds(engine, rows, roundMilliseconds / 20));
      }
    }
    return targets.map(({ name, rows }, index) => {
      const rates = rounds[index]!.map(({ rate }) => rate).sort((one, other) => one - other);
      const costs = rounds[index]!.flatMap(({ processorSeconds }) => processorSeconds ?? []).sort(
        (one, other) => one - other,
      );
      const cost = costs[costs.length >> 1];
      return {
        name,
        rows,
        requestsPerSecondBest: rates.at(-1)!,
        requestsPerSecondMedian: rates[rates.length >> 1]!,
        optionsPerProcessorSecond: cost === undefined ? null : rows / cost,
        kernelShare: cost === undefined ? null : Math.min(...alone[index]!) / cost,
      };
    });
  } finally {
    await servers.stop();
  }
}

/** A load's rate, and the processor time that each of its requests took the server; null where nobody tells. */
export async function measured(
  serverPid: number,
  run: () => Promise<number>,
): Promise<{ rate: number; processorSeconds: number | null }> {
  const before = processorSecondsOf(serverPid);
  const start = performance.now();
  const rate = await run();
  const count = (rate * (performance.now() - start)) / 1000;
  const after = processorSecondsOf(serverPid);
  return { rate, processorSeconds: before === null || after === null ? null : (after - before) / count };
}

/** Seconds that the kernel alone takes for a request of so many options. */
function kernelSeconds(engine: Engine, rows: number, milliseconds: number): number {
  const { spot, time_to_expiry, rate, dividend_yield, volatility } = option;
  const strike = rows === 1 ? option.strike : Float64Array.from(batch.strike);
  const inputs = { spot, strike, time_to_expiry, rate, dividend_yield, volatility };
  const start = performance.now();
  let count = 0;
  for (; count === 0 || performance.now() - start < milliseconds; count++) {
    engine.price({ model: option.model, count: rows, isCall: true, inputs, outputs: defaultOutputs, units: "market" });
  }
  return (performance.now() - start) / 1000 / count;
}

/** Figures of processor time in words; empty where nobody tells. */
export function processorWords(optionsPerProcessorSecond: number | null, kernelShare: number | null): string {
  if (optionsPerProcessorSecond === null || kernelShare === null) return "";
  const rate = optionsPerProcessorSecond;
  const told = rate >= 1e6 ? `${(rate / 1e6).toFixed(2)} M` : `${(rate / 1e3).toFixed(1)} k`;
  return `  ${told.padStart(7)} options a second of processor time, ${(100 * kernelShare).toFixed(0).padStart(2)} % in the kernel`;
}

/** A whole request as bytes; an object goes as JSON, bytes as what they are said to be. */
export function requestText(
  path: string,
  body: object | Uint8Array,
  key: string,
  { contentType, accept } = { contentType: "application/json", accept: "*/*" },
): Buffer {
  const bytes = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${contentType}\r\nAccept: ${accept}\r\nX-API-Key: ${key}\r\nContent-Length: ${bytes.byteLength}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

/** Every connection sends its next request when the last is answered; returns answers a second. */
export async function load(
  port: number,
  request: Buffer,
  milliseconds: number,
  connections = connectionCount,
): Promise<number> {
  const begun = performance.now();
  const until = begun + milliseconds;
  const counts = await Promise.all(Array.from({ length: connections }, () => answersUntil(port, request, until)));
  return counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - begun) / 1000);
}

async function answersUntil(port: number, request: Buffer, until: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let count = 0;
  let missing = 0;
  /** The beginning of an answer whose head has not come whole yet. */
  let begun: Buffer = Buffer.alloc(0);
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(socket, received) {
        const chunk = begun.byteLength > 0 ? Buffer.concat([begun, received]) : received;
        let rest = chunk.byteLength;
        if (missing === 0) {
          const end = chunk.indexOf("\r\n\r\n");
          begun = end < 0 ? Buffer.from(chunk) : Buffer.alloc(0);
          if (end < 0) return;
          const head = chunk.subarray(0, end).toString("latin1");
          if (!head.startsWith("HTTP/1.1 200")) return reject(new Error(`unexpected answer: ${head}`));
          const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
          missing = end + 4 + length;
        }
        missing -= rest;
        rest = 0;
        if (missing > 0) return;
        count += 1;
        if (performance.now() < until) write(socket, request);
        else {
          resolve(count);
          socket.end();
        }
      },
      error: (_, error) => reject(error),
      close: () => reject(new Error("closed early")),
    },
  });
  write(socket, request);
  return promise;
}

function write(socket: { write(data: Buffer): number }, request: Buffer): void {
  const written = socket.write(request);
  if (written !== request.byteLength) throw new Error(`only ${written} of ${request.byteLength} bytes were taken`);
}

/** Both servers, until standard input ends. */
async function serve(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bsopt-bench-"));
  const app = await startApp(folder);
  const engine = createEngine({ wasmBytes: kernelWasmBytes(), version: "bench" });
  const bare = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const body = (await request.json()) as typeof batch | typeof option;
      const count = Array.isArray(body.strike) ? body.strike.length : 1;
      const { spot, time_to_expiry, rate, dividend_yield, volatility } = body;
      const strike = Array.isArray(body.strike) ? Float64Array.from(body.strike) : (body.strike as number);
      const outputs = ["price", "delta", "gamma", "vega", "theta", "rho"] as const;
      const { columns, status } = engine.price({
        model: "black_scholes_merton",
        count,
        isCall: body.option_type === "call",
        inputs: { spot, strike, time_to_expiry, rate, dividend_yield, volatility },
        outputs,
        units: "market",
      });
      const answer: Record<string, unknown> = { count, status: Array.from(status) };
      for (const name of outputs) answer[name] = Array.from(columns[name]!);
      return Response.json(answer);
    },
  });
  process.stdout.write(
    `${JSON.stringify({ barePort: bare.port, wholePort: Number(new URL(app.url).port), key: app.key })}\n`,
  );
  for await (const _ of process.stdin);
  await bare.stop(true);
  await app.stop();
  rmSync(folder, { recursive: true, force: true });
}

if (import.meta.main) {
  if (process.argv.includes("--serve")) await serve();
  else {
    const figures = await benchHttpPrice(Number(process.argv[2] ?? 1000), (pid) => {
      process.stdout.write(`${separateCores(pid)}\n`);
    });
    for (const figure of figures) {
      const { name, requestsPerSecondBest: best, requestsPerSecondMedian: median } = figure;
      const processor = processorWords(figure.optionsPerProcessorSecond, figure.kernelShare);
      process.stdout.write(
        `${name.padEnd(28)}  best ${Math.round(best).toString().padStart(7)}/s  median ${Math.round(median).toString().padStart(7)}/s${processor}\n`,
      );
    }
    for (const [name, bare, whole, floor] of [
      ["http one option, whole server to bare Bun", 0, 1, 0.4],
      ["http 1,000 options, whole server to bare Bun", 2, 3, 0.6],
    ] as const) {
      const ratio = figures[whole]!.requestsPerSecondBest / figures[bare]!.requestsPerSecondBest;
      process.stdout.write(`RATIO ${JSON.stringify({ name, ratio, floor })}\n`);
    }
  }
}
