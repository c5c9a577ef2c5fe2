// A batch over HTTP in its fastest formats beside the kernel alone, in one run: what reading, checking, gate and writing
// cost is what is not the kernel's share. First in this process through the server's own entrance, one core and no sockets;
// then over kept-alive sockets to a server in a process of its own on a core of its own. Rounds are interleaved; best and median
// are printed, by the wall and by the processor time that was used.
// Run it with the milliseconds of a round as its argument, few for a smoke test.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeWireArrow } from "../../src/adapters/tabular/wire-arrow-writer";
import { defaultOutputs, type OutputName } from "../../src/engine/catalog";
import { createEngine } from "../../src/engine/engine";
import { pricingRoutes } from "../../src/features/pricing";
import { createPricing } from "../../src/features/pricing/service";
import { systemClock } from "../../src/foundation/clock";
import { kernelWasmBytes } from "../../src/storage/assets";
import { startApp } from "../../tests/harness/app";
import { testServer } from "../../tests/harness/http";
import { pricingDependencies } from "../../tests/harness/pricing";
import { processorSecondsOf, separateCores } from "../processes";
import { load, measured, processorWords, requestText } from "./price";

const roundCount = 5;
/** Rounds before those that count: the server's compilers reach their last tier under load, some seconds a shape. */
const warmUpCount = 10;
/** Fewer than the large batches an engine takes at once. */
const connectionCount = 8;
const path = "/api/v1/pricing/batch";

interface Shape {
  readonly name: string;
  readonly rows: number;
  readonly outputs: readonly OutputName[];
  readonly target: string;
  readonly contentType: string;
  readonly accept: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

const arrowType = "application/vnd.apache.arrow.stream";

/** Options as a chain has them: strikes and volatilities a row, the rest once. */
function chainColumns(rows: number) {
  return {
    strike: Float64Array.from({ length: rows }, (_, row) => 50 + Math.round((100_000 * row) / rows) / 1000),
    volatility: Float64Array.from({ length: rows }, (_, row) => 0.1 + (row % 100) / 400),
  };
}

function jsonShape(rows: number, outputs: readonly OutputName[]): Shape {
  const { strike, volatility } = chainColumns(rows);
  const body = {
    model: "black_scholes_merton",
    option_type: "call",
    spot: 100,
    strike: [...strike],
    time_to_expiry: 0.5,
    rate: 0.03,
    dividend_yield: 0.01,
    volatility: [...volatility],
    outputs,
  };
  return {
    name: `JSON columns, ${rows} options, ${outputs.length} outputs`,
    rows,
    outputs,
    target: path,
    contentType: "application/json",
    accept: "application/json",
    body: new TextEncoder().encode(JSON.stringify(body)),
  };
}

/** Every number a column of its own, as a book has them. */
function arrowShape(rows: number, outputs: readonly OutputName[]): Shape {
  const { strike, volatility } = chainColumns(rows);
  const filled = (value: number) => new Float64Array(rows).fill(value);
  const column = (name: string, values: Float64Array) => ({ name, kind: "number" as const, values });
  const columns = [
    {
      name: "option_type",
      kind: "text" as const,
      values: Array.from({ length: rows }, (_, row) => (row & 1 ? "put" : "call")),
    },
    column("spot", filled(100)),
    column("strike", strike),
    column("time_to_expiry", filled(0.5)),
    column("rate", filled(0.03)),
    column("volatility", volatility),
  ];
  return {
    name: `Arrow, ${rows} options, ${outputs.length} outputs`,
    rows,
    outputs,
    target: `${path}?model=black_scholes_merton&outputs=${outputs.join(",")}`,
    contentType: arrowType,
    accept: arrowType,
    body: new Uint8Array(Buffer.concat([...writeWireArrow({ count: rows, columns }, {})].flat())),
  };
}

const shapes: readonly Shape[] = [
  jsonShape(1000, ["price", "delta"]),
  jsonShape(1000, defaultOutputs),
  arrowShape(1000, ["price", "delta"]),
  arrowShape(1000, defaultOutputs),
  arrowShape(16_384, defaultOutputs),
];

export interface BatchFigure {
  readonly name: string;
  readonly optionsPerSecondBest: number;
  readonly optionsPerSecondMedian: number;
  /** The kernel's own time, as a share of all, by the best rounds. */
  readonly kernelShare: number;
  /** Options for each second of processor time, all threads together, median; null where nobody tells. */
  readonly optionsPerProcessorSecond: number | null;
  /** Seconds an option that the kernel takes alone. */
  readonly kernelSeconds: number;
}

/** Each shape through the server's entrance in this process, and its columns through the kernel alone. */
export async function benchBatchInProcess(roundMilliseconds: number): Promise<BatchFigure[]> {
  const engine = createEngine({ wasmBytes: kernelWasmBytes(), version: "bench" });
  const pricing = createPricing({ engine, clock: systemClock, batchRowsMax: 100_000, tableRowsMax: 1_000_000 });
  const { server, close } = testServer({ features: [pricingRoutes(pricingDependencies(pricing))] });
  for (const _ of engine.warmUp());
  const works = shapes.map((shape) => ({
    shape,
    whole: async () => {
      const headers = {
        host: "localhost",
        "x-api-key": "bso_test_viewer",
        "content-type": shape.contentType,
        accept: shape.accept,
      };
      const request = new Request(`http://localhost${shape.target}`, {
        method: "POST",
        headers: { ...headers, "content-length": String(shape.body.byteLength) },
        body: shape.body,
      });
      const response = await server.handle(request);
      if (response.status !== 200) throw new Error(await response.text());
      await response.arrayBuffer();
    },
    alone: kernelWork(shape, engine),
  }));
  const times = works.map(() => ({ whole: [] as number[], alone: [] as number[], processor: [] as number[] }));
  for (let round = -warmUpCount; round < roundCount; round++) {
    for (const [index, { shape, whole, alone }] of works.entries()) {
      const before = processorSecondsOf(process.pid);
      const { seconds: wholeSeconds, count } = await secondsOf(whole, roundMilliseconds);
      const after = processorSecondsOf(process.pid);
      const { seconds: aloneSeconds } = await secondsOf(alone, roundMilliseconds / 5);
      if (round < 0) continue;
      times[index]!.whole.push(wholeSeconds / shape.rows);
      times[index]!.alone.push(aloneSeconds / shape.rows);
      if (before !== null && after !== null) times[index]!.processor.push((after - before) / count / shape.rows);
    }
  }
  await close();
  return works.map(({ shape }, index) => {
    const whole = times[index]!.whole.sort((one, other) => one - other);
    const alone = times[index]!.alone.sort((one, other) => one - other);
    const processor = times[index]!.processor.sort((one, other) => one - other);
    const cost = processor[processor.length >> 1];
    return {
      name: shape.name,
      optionsPerSecondBest: 1 / whole[0]!,
      optionsPerSecondMedian: 1 / whole[whole.length >> 1]!,
      kernelShare: alone[0]! / whole[0]!,
      optionsPerProcessorSecond: cost === undefined ? null : 1 / cost,
      kernelSeconds: alone[0]!,
    };
  });
}

function kernelWork({ rows, outputs, contentType }: Shape, engine: ReturnType<typeof createEngine>): () => void {
  const { strike, volatility } = chainColumns(rows);
  const isTable = contentType === arrowType;
  const one = (value: number) => (isTable ? new Float64Array(rows).fill(value) : value);
  const request = {
    model: "black_scholes_merton",
    count: rows,
    isCall: isTable ? Uint8Array.from({ length: rows }, (_, row) => 1 - (row & 1)) : true,
    inputs: { spot: one(100), strike, time_to_expiry: one(0.5), rate: one(0.03), volatility },
    outputs,
    units: "market",
  } as const;
  return () => void engine.price(request);
}

/** Seconds of one run, from as many as fill the time. */
async function secondsOf(work: () => unknown, milliseconds: number): Promise<{ seconds: number; count: number }> {
  const start = systemClock.monotonicMilliseconds();
  let count = 0;
  let passed = 0;
  while (passed < milliseconds) {
    for (let repeat = 0; repeat < 8; repeat++) await work();
    count += 8;
    passed = systemClock.monotonicMilliseconds() - start;
  }
  return { seconds: passed / 1000 / count, count };
}

export interface SocketFigure {
  readonly name: string;
  readonly optionsPerSecondBest: number;
  readonly optionsPerSecondMedian: number;
  /** Options for each second of the server's processor time, median; null where nobody tells. */
  readonly optionsPerProcessorSecond: number | null;
}

/** Options a second over sockets, by shape. `onStarted` is told the server's process. */
export async function benchBatchOverSockets(
  roundMilliseconds: number,
  onStarted: (serverPid: number) => void = () => {},
): Promise<SocketFigure[]> {
  const child = Bun.spawn([process.execPath, import.meta.path, "--serve"], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    const line = new TextDecoder().decode((await child.stdout.getReader().read()).value);
    const { port, key } = JSON.parse(line) as { port: number; key: string };
    onStarted(child.pid);
    const times = shapes.map(() => ({ rates: [] as number[], processor: [] as number[] }));
    for (let round = -warmUpCount; round < roundCount; round++) {
      for (const [index, { target, contentType, accept, body }] of shapes.entries()) {
        const request = requestText(target, body, key, { contentType, accept });
        const { rate, processorSeconds } = await measured(child.pid, () =>
          load(port, request, roundMilliseconds, connectionCount),
        );
        if (round < 0) continue;
        times[index]!.rates.push(rate);
        if (processorSeconds !== null) times[index]!.processor.push(processorSeconds);
      }
    }
    return shapes.map(({ name, rows }, index) => {
      const rates = times[index]!.rates.sort((one, other) => one - other);
      const processor = times[index]!.processor.sort((one, other) => one - other);
      const cost = processor[processor.length >> 1];
      return {
        name,
        optionsPerSecondBest: rates.at(-1)! * rows,
        optionsPerSecondMedian: rates[rates.length >> 1]! * rows,
        optionsPerProcessorSecond: cost === undefined ? null : rows / cost,
      };
    });
  } finally {
    child.stdin.end();
    await child.exited;
  }
}

/** A server until standard input ends. */
async function serve(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bsopt-bench-"));
  const app = await startApp(folder);
  process.stdout.write(`${JSON.stringify({ port: Number(new URL(app.url).port), key: app.key })}\n`);
  for await (const _ of process.stdin);
  await app.stop();
  rmSync(folder, { recursive: true, force: true });
}

const millions = (rate: number) => `${(rate / 1e6).toFixed(2).padStart(6)} M/s`;

if (import.meta.main) {
  if (process.argv.includes("--serve")) await serve();
  else {
    const milliseconds = Number(process.argv[2] ?? 150);
    const figures = await benchBatchInProcess(milliseconds);
    const line = (name: string, { optionsPerSecondBest: best, optionsPerSecondMedian: median }: SocketFigure) =>
      `${name.padEnd(50)} best ${millions(best)}  median ${millions(median)}`;
    for (const figure of figures) {
      const { name, kernelShare, optionsPerProcessorSecond, kernelSeconds } = figure;
      const share = optionsPerProcessorSecond && kernelSeconds * optionsPerProcessorSecond;
      process.stdout.write(
        `${line(name, figure)}  in the kernel ${(100 * kernelShare).toFixed(0).padStart(2)} %${processorWords(optionsPerProcessorSecond, share)}\n`,
      );
    }
    const overSockets = await benchBatchOverSockets(milliseconds, (pid) => {
      process.stdout.write(`${separateCores(pid)}\n`);
    });
    for (const [index, figure] of overSockets.entries()) {
      const { name, optionsPerProcessorSecond } = figure;
      const share = optionsPerProcessorSecond && figures[index]!.kernelSeconds * optionsPerProcessorSecond;
      process.stdout.write(`${line(`${name}, sockets`, figure)}${processorWords(optionsPerProcessorSecond, share)}\n`);
    }
    // A share of the whole, so that a slow machine slows both: less is more spent around the kernel.
    for (const [index, floor] of [0.05, 0.02, 0.1, 0.15, 0.2].entries()) {
      const { name, kernelShare } = figures[index]!;
      process.stdout.write(
        `RATIO ${JSON.stringify({ name: `http ${name}, kernel's share`, ratio: kernelShare, floor })}\n`,
      );
    }
  }
}
