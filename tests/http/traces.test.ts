// Traces of the whole application, received by a collector of the test's own over HTTP: what is followed, how the parts hang together, and
// that no collector's state is ever felt by a request.

import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startApp } from "../harness/app";

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly status: { readonly code: number };
}

interface Received {
  readonly path: string;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: the collector's view of a document that the test then asserts on
  readonly body: any;
}

class Collector {
  readonly received: Received[] = [];
  answer: () => Response | Promise<Response> = () => Response.json({ partialSuccess: {} });
  readonly #server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      this.received.push({ path: pathname, headers: request.headers, body: await request.json() });
      return this.answer();
    },
  });

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  spans(): Span[] {
    return this.received.flatMap(({ body }) => body.resourceSpans[0].scopeSpans[0].spans);
  }

  /** The spans of a trace, once its own is among them. */
  async trace(traceId: string): Promise<Span[]> {
    for (;;) {
      const found = this.spans().filter((span) => span.traceId === traceId);
      if (found.some(({ kind }) => kind === 2)) return found;
      await Bun.sleep(10);
    }
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }
}

const folder = mkdtempSync(join(tmpdir(), "bsopt-traces-"));
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => rmSync(folder, { recursive: true }));

let appCount = 0;
async function start(collector: { readonly url: string }, more: Record<string, string> = {}) {
  appCount += 1;
  const app = await startApp(join(folder, String(appCount)), {
    BSOPT_OTLP_URL: collector.url,
    BSOPT_TRACE_PERCENT: "0",
    ...more,
  });
  closing.push(() => app.stop());
  return app;
}
function collect(): Collector {
  const collector = new Collector();
  closing.push(() => collector.stop());
  return collector;
}

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const parentId = "00f067aa0ba902b7";
const sampled = { traceparent: `00-${traceId}-${parentId}-01` };
const option = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.03,
  volatility: 0.2,
};
const valueIn = ({ attributes }: Span, key: string) => attributes.find((each) => each.key === key)?.value;

function post(app: { url: string; key: string }, path: string, body: unknown, headers: Record<string, string> = {}) {
  return fetch(app.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": app.key, ...headers },
    body: JSON.stringify(body),
  });
}

/** Whether spans were dropped, by the metrics. */
async function dropped(app: { url: string }): Promise<boolean> {
  const text = await (await fetch(`${app.url}/metrics`)).text();
  return /^bsopt_trace_spans_total\{outcome="dropped"\} [1-9]/m.test(text);
}

describe("S2.48 traces", () => {
  test("a priced option: the request's span under its caller's, the engine's part under it, in OTLP's JSON", async () => {
    const collector = collect();
    const app = await start(collector, { BSOPT_OTLP_HEADERS: "authorization=Bearer abc=,x-team=desk" });
    expect((await post(app, "/api/v1/pricing/price", option, sampled)).status).toBe(200);
    const spans = await collector.trace(traceId);
    const [{ path, headers, body } = {} as Received] = collector.received;
    expect([path, headers.get("content-type"), headers.get("authorization"), headers.get("x-team")]).toEqual([
      "/v1/traces",
      "application/json",
      "Bearer abc=",
      "desk",
    ]);
    expect(body.resourceSpans[0].resource.attributes).toContainEqual({
      key: "service.name",
      value: { stringValue: "bsopt" },
    });
    const own = spans.find(({ kind }) => kind === 2)!;
    expect(own).toMatchObject({ name: "POST /api/v1/pricing/price", parentSpanId: parentId, status: { code: 0 } });
    expect(own.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(valueIn(own, "http.route")).toEqual({ stringValue: "/api/v1/pricing/price" });
    expect(valueIn(own, "http.response.status_code")).toEqual({ intValue: "200" });
    expect(valueIn(own, "bsopt.options")).toEqual({ intValue: "1" });
    const engine = spans.find(({ name }) => name === "engine")!;
    expect(engine).toMatchObject({ kind: 1, parentSpanId: own.spanId });
    expect(BigInt(engine.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(own.startTimeUnixNano) - 1_000_000n);
    expect(BigInt(engine.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(own.endTimeUnixNano));
    expect(BigInt(own.endTimeUnixNano)).toBeGreaterThan(BigInt(own.startTimeUnixNano));
  });

  test("a write: what it asked of the database is part of it, and of no other request's", async () => {
    const collector = collect();
    const app = await start(collector);
    const other = traceId.replace("4", "5");
    await Promise.all([
      post(app, "/api/v1/api-keys", { name: "traced", scopes: ["pricing:read"] }, sampled),
      post(app, "/api/v1/pricing/price", option, { traceparent: `00-${other}-${parentId}-01` }),
    ]);
    const spans = await collector.trace(traceId);
    const own = spans.find(({ kind }) => kind === 2)!;
    const write = spans.filter(({ name }) => name === "database write");
    expect(write.length).toBe(1);
    expect(write[0]).toMatchObject({ kind: 3, parentSpanId: own.spanId });
    expect((await collector.trace(other)).map(({ name }) => name)).not.toContain("database write");
  });

  test("a refusal: its code and the trace id that the client is told, and no fault; nothing of who asked", async () => {
    const collector = collect();
    const app = await start(collector);
    const answer = await post(app, "/api/v1/pricing/price?secret=canary", { ...option, spot: "canary" }, sampled);
    const { trace_id } = (await answer.json()) as { trace_id: string };
    expect(trace_id).toBe(traceId);
    const [own] = (await collector.trace(traceId)).filter(({ kind }) => kind === 2);
    expect(valueIn(own!, "error.type")).toEqual({ stringValue: "SCHEMA_INVALID" });
    expect(own!.status.code).toBe(0);
    expect(JSON.stringify(collector.received.map(({ body }) => body))).not.toContain("canary");
    expect(JSON.stringify(collector.received.map(({ body }) => body))).not.toContain(app.key.split("_")[1]!);
  });

  test.each([
    ["that says it is not sampled", { traceparent: `00-${traceId}-${parentId}-00` }],
    ["that is malformed", { traceparent: `00-${traceId}-01` }],
    ["that is all zeros", { traceparent: `00-${"0".repeat(32)}-${parentId}-01` }],
    ["that it does not have", {}],
  ])("a request with a traceparent %s is not followed where the share is 0", async (_, headers) => {
    const collector = collect();
    const app = await start(collector);
    await post(app, "/api/v1/pricing/price", option, headers as Record<string, string>);
    await post(app, "/api/v1/pricing/price", option, { traceparent: `00-${"a".repeat(32)}-${parentId}-01` });
    await collector.trace("a".repeat(32));
    expect(new Set(collector.spans().map((span) => span.traceId))).toEqual(new Set(["a".repeat(32)]));
  });

  test("at 100 percent every request without a traceparent is followed, each under an id of its own", async () => {
    const collector = collect();
    const app = await start(collector, { BSOPT_TRACE_PERCENT: "100" });
    for (let count = 0; count < 5; count++) await fetch(`${app.url}/health`);
    while (collector.spans().length < 5) await Bun.sleep(10);
    expect(new Set(collector.spans().map((span) => span.traceId)).size).toBe(5);
    expect(collector.spans().every(({ parentSpanId }) => parentSpanId === undefined)).toBe(true);
  });

  test.each([
    ["refuses", () => new Response("no", { status: 503 })],
    ["hangs", () => new Promise<Response>(() => undefined)],
    ["sends elsewhere", () => new Response(null, { status: 307, headers: { location: "/elsewhere" } })],
  ])("a collector that %s is felt by no request, by readiness neither, and counted", async (how, answer) => {
    const isHanging = how === "hangs";
    const collector = collect();
    collector.answer = answer;
    const app = await start(collector);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post(app, "/api/v1/pricing/price", option, sampled)),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    // Its third attempt, or its first where nothing comes back.
    while (!(await dropped(app)) && !(collector.received.length > 0 && isHanging)) await Bun.sleep(20);
    expect(collector.received.map(({ path }) => path)).not.toContain("/elsewhere");
    expect((await fetch(`${app.url}/readiness`)).status).toBe(200);
  });

  test("what waits when the process stops is sent", async () => {
    const collector = collect();
    const app = await start(collector);
    await post(app, "/api/v1/pricing/price", option, sampled);
    await closing.pop()!();
    expect(collector.spans().map((span) => span.traceId)).toContain(traceId);
  });
});
