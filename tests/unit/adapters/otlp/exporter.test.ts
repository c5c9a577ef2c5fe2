// The exporter's bounds, by a clock the test moves and a collector it plays: room, batches, attempts, and what the log is told.

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { createOtlpExporter } from "../../../../src/adapters/otlp/exporter";
import { systemClock } from "../../../../src/foundation/clock";
import { seededRandom } from "../../../../src/foundation/random";
import { createTracing, type FinishedSpan } from "../../../../src/telemetry/tracing";

let answer = () => new Response("{}");
let sizes: number[] = [];
let hold: Promise<void> = Promise.resolve();
let onAsked: () => void = () => undefined;
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    const body = (await request.json()) as { resourceSpans: [{ scopeSpans: [{ spans: unknown[] }] }] };
    sizes.push(body.resourceSpans[0].scopeSpans[0].spans.length);
    onAsked();
    await hold;
    return answer();
  },
});
afterAll(() => server.stop(true));
beforeEach(() => {
  sizes = [];
  answer = () => new Response("{}");
});

const span: FinishedSpan = {
  traceId: "a".repeat(32),
  spanId: "b".repeat(16),
  parentSpanId: null,
  name: "GET /health",
  kind: "server",
  startMicroseconds: 1_000_000n,
  endMicroseconds: 1_000_500n,
  attributes: { text: "x", count: 3, share: 0.5, flag: true },
  isFault: true,
};
const spans = (count: number) => Array.from({ length: count }, () => span);

function exporter(url = `http://127.0.0.1:${server.port}/`) {
  const said: string[] = [];
  const note = (fields: object, message: string) => void said.push(`${message} ${JSON.stringify(fields)}`);
  const log = { debug: note, info: note, warn: note, error: note };
  const made = createOtlpExporter({ url, headers: {}, resource: {}, version: "1", clock: systemClock, log });
  return { exporter: made, said };
}

describe("the exporter of traces", () => {
  test("sends at most 512 spans at once, all of them", async () => {
    const { exporter: made } = exporter();
    made.offer(spans(1200));
    await made.flush();
    expect(sizes).toEqual([512, 512, 176]);
    expect(made.statistics()).toEqual({ sentCount: 1200, droppedCount: 0 });
  });

  test("holds 8192, says that it is full before, and counts what it had no room for", () => {
    const { exporter: made } = exporter();
    made.offer(spans(8064));
    expect(made.isFull).toBe(false);
    made.offer(spans(1));
    expect(made.isFull).toBe(true);
    made.offer(spans(200));
    expect(made.statistics()).toEqual({ sentCount: 0, droppedCount: 73 });
  });

  test("tries three times, drops what was tried, keeps the rest, and tells each turn once", async () => {
    const { exporter: made, said } = exporter();
    answer = () => new Response("token=canary", { status: 500 });
    made.offer(spans(600));
    await made.flush();
    expect(sizes).toEqual([512, 512, 512]);
    await made.flush();
    expect(made.statistics()).toEqual({ sentCount: 0, droppedCount: 600 });
    answer = () => new Response("{}");
    made.offer(spans(1));
    await made.flush();
    made.offer(spans(1));
    await made.flush();
    expect(made.statistics()).toEqual({ sentCount: 2, droppedCount: 600 });
    expect(said).toEqual([
      'the trace collector takes no spans; they are dropped until it does {"fault":"answered 500"}',
      "the trace collector is back {}",
    ]);
  });

  test("stopped while the collector hangs, it ends at once and leaves what it had in hand to the next", async () => {
    const { exporter: made } = exporter();
    const asked = Promise.withResolvers<void>();
    hold = new Promise<void>(() => undefined);
    onAsked = () => asked.resolve();
    made.offer(spans(3));
    const stop = new AbortController();
    const sending = made.flush(stop.signal);
    await asked.promise;
    stop.abort();
    await sending;
    hold = Promise.resolve();
    await made.flush();
    expect(made.statistics()).toEqual({ sentCount: 3, droppedCount: 0 });
  });

  test("an address where nobody listens is told without its words", async () => {
    const { exporter: made, said } = exporter("http://127.0.0.1:1/v1/traces");
    made.offer(spans(1));
    await made.flush();
    expect(said).toEqual([
      'the trace collector takes no spans; they are dropped until it does {"fault":"not reachable"}',
    ]);
  });
});

describe("following requests", () => {
  function tracing(share: number, isFull = false) {
    const offered: (readonly FinishedSpan[])[] = [];
    const sink = { isFull, offer: (each: readonly FinishedSpan[]) => void offered.push(each) };
    return { offered, tracing: createTracing({ sink, clock: systemClock, random: seededRandom(7n), share }) };
  }
  const outcome = { name: "GET /", attributes: {}, isFault: false, milliseconds: 1 };

  test("takes the share it was told, and none where there is no room", () => {
    const followed = (share: number, isFull: boolean) => {
      const { tracing: made } = tracing(share, isFull);
      return Array.from({ length: 1000 }, () => made.begin(null)).filter((trace) => trace !== null).length;
    };
    expect([followed(0, false), followed(1, false), followed(1, true)]).toEqual([0, 1000, 0]);
    expect(Math.abs(followed(0.1, false) - 100)).toBeLessThan(40);
  });

  test("keeps 64 parts, none after the end, and ends once", () => {
    const { tracing: made, offered } = tracing(1);
    const trace = made.begin(null)!;
    made.run(trace, () => {
      for (let count = 0; count < 100; count++) made.part("part", "internal", 1);
    });
    trace.end(outcome);
    made.run(trace, () => made.part("late", "internal", 1));
    trace.end(outcome);
    expect(offered.map(({ length }) => length)).toEqual([65]);
    expect(new Set(offered[0]!.map(({ spanId }) => spanId)).size).toBe(65);
  });

  test("a part told outside of every trace is nothing", () => {
    const { tracing: made, offered } = tracing(1);
    made.part("alone", "internal", 1);
    expect(offered).toEqual([]);
  });
});
