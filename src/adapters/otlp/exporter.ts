// Sends spans to a collector: OTLP over HTTP in JSON (OpenTelemetry protocol 1.x, POST …/v1/traces). Beside everything else: a collector that is
// slow, away or wrong costs spans and one line in the log, never a request, and never makes the server unready. What waits is bounded, and
// so is every attempt.

import { Agent } from "../../foundation/agent";
import { BoundedQueue } from "../../foundation/bounded-queue";
import type { Clock } from "../../foundation/clock";
import type { Log } from "../../foundation/log";
import type { FinishedSpan, SpanAttributes, SpanSink } from "../../telemetry/tracing";
import type { Names } from "../names";

export interface OtlpExporterOptions {
  /** http(s)://host[:port][/path]; /v1/traces is put behind it unless it stands there. */
  readonly url: string;
  /** Sent along, e.g. a credential. */
  readonly headers: Readonly<Record<string, string>>;
  /** What all spans are of: service.name and the like. */
  readonly resource: SpanAttributes;
  readonly version: string;
  /** Asked before each request; absent: the system is asked straight away. */
  readonly names?: Names | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ExporterStatistics {
  readonly sentCount: number;
  /** Spans nobody got: there was no room, or the collector did not take them. */
  readonly droppedCount: number;
}

export interface OtlpExporter extends SpanSink {
  /** "trace-sender". Stopped, it leaves what it had in hand to flush. */
  readonly agent: Agent;
  /** Sends what waits, until the signal aborts. Never throws. */
  flush(stop?: AbortSignal): Promise<void>;
  statistics(): ExporterStatistics;
}

const spansMax = 8192;
/** Room that must be left where a trace is begun. */
const roomMin = 128;
const spansPerRequestMax = 512;
const attemptsMax = 3;
const requestMillisecondsMax = 5000;
const sendEveryMilliseconds = 500;

export function createOtlpExporter(options: OtlpExporterOptions): OtlpExporter {
  const { clock, log, headers, resource, version } = options;
  const url = addressOf(options.url);
  const waiting = new BoundedQueue<FinishedSpan>(spansMax);
  const host = new URL(url).hostname;
  const attributes = attributesOf(resource);
  let sentCount = 0;
  let droppedCount = 0;
  /** Taken from what waits and not settled yet: a sender that was stopped leaves them to the next. */
  let inHand: FinishedSpan[] = [];
  let isReached = true;
  let underWay: Promise<void> | null = null;

  async function sendWaiting(stop: AbortSignal): Promise<void> {
    while (inHand.length + waiting.count > 0) {
      if (inHand.length === 0) inHand = waiting.take(spansPerRequestMax);
      const isSent = await sentWithin(inHand, stop);
      if (stop.aborted && !isSent) return;
      if (isSent) sentCount += inHand.length;
      else droppedCount += inHand.length;
      inHand = [];
      // The collector is away: what waits behind waits for the next round, or makes room.
      if (!isSent) return;
    }
  }

  async function sentWithin(spans: readonly FinishedSpan[], stop: AbortSignal): Promise<boolean> {
    const body = JSON.stringify({
      resourceSpans: [
        { resource: { attributes }, scopeSpans: [{ scope: { name: "bsopt", version }, spans: spans.map(spanOf) }] },
      ],
    });
    let fault = "";
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      fault = await faultOfSending(body, stop);
      if (fault === "") break;
      if (stop.aborted) return false;
    }
    // Each turn once: a collector that is away for a day is two lines.
    if ((fault === "") !== isReached) {
      isReached = fault === "";
      if (isReached) log.info({}, "the trace collector is back");
      else log.warn({ fault }, "the trace collector takes no spans; they are dropped until it does");
    }
    return isReached;
  }

  /** In a word why it failed, or "". The collector's own words may tell of the inside and are not kept. */
  async function faultOfSending(body: string, stop: AbortSignal): Promise<string> {
    try {
      await options.names?.answered(host);
    } catch {
      return "its name is not resolved";
    }
    const end = new AbortController();
    const onStop = () => end.abort();
    if (stop.aborted) return "stopped";
    stop.addEventListener("abort", onStop, { once: true });
    const timeUp = clock.sleep(requestMillisecondsMax, end.signal).then(() => {
      if (!end.signal.aborted) end.abort();
      return "not answered in time";
    });
    const asked = fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body,
      redirect: "error",
      signal: end.signal,
    }).then(
      async (answer) => {
        await answer.body?.cancel();
        return answer.ok ? "" : `answered ${answer.status}`;
      },
      () => "not reachable",
    );
    const fault = await Promise.race([asked, timeUp]);
    stop.removeEventListener("abort", onStop);
    end.abort();
    return fault;
  }

  async function flush(stop: AbortSignal = new AbortController().signal): Promise<void> {
    underWay ??= sendWaiting(stop).finally(() => {
      underWay = null;
    });
    await underWay;
  }

  return {
    get isFull() {
      return waiting.count > spansMax - roomMin;
    },
    offer(spans) {
      for (const span of spans) if (!waiting.push(span)) droppedCount += 1;
    },
    flush,
    statistics: () => ({ sentCount, droppedCount }),
    agent: new Agent({
      name: "trace-sender",
      intervalMilliseconds: sendEveryMilliseconds,
      failuresMax: 10,
      clock,
      round: (signal) => flush(signal),
      onFailure: (error) => log.warn({ agent: "trace-sender", err: error }, "background round failed"),
    }),
  };
}

function addressOf(url: string): string {
  const bare = url.replace(/\/+$/, "");
  return bare.endsWith("/v1/traces") ? bare : `${bare}/v1/traces`;
}

/** Numbers of opentelemetry.proto.trace.v1.Span.SpanKind. */
const kinds = { internal: 1, server: 2, client: 3 } as const;
/** STATUS_CODE_UNSET and STATUS_CODE_ERROR. */
const [statusUnset, statusError] = [0, 2];

function spanOf(span: FinishedSpan): object {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId !== null && { parentSpanId: span.parentSpanId }),
    name: span.name,
    kind: kinds[span.kind],
    startTimeUnixNano: String(span.startMicroseconds * 1000n),
    endTimeUnixNano: String(span.endMicroseconds * 1000n),
    attributes: attributesOf(span.attributes),
    status: { code: span.isFault ? statusError : statusUnset },
  };
}

function attributesOf(attributes: SpanAttributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: valueOnWire(value) }));
}

/** JSON's mapping of 64-bit integers is text. */
function valueOnWire(value: string | number | boolean): object {
  switch (typeof value) {
    case "string":
      return { stringValue: value };
    case "boolean":
      return { boolValue: value };
    default:
      return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  }
}
