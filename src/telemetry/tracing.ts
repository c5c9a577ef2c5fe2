// Traces: which requests are followed, and what is told of them (W3C Trace Context, OpenTelemetry's spans). Our own, because what is needed of
// OpenTelemetry's kit is two dozen fields, and the kit would sit in every request. A request that is not followed costs one look at its
// traceparent. Separate from whoever sends spans away. It must never hold more than one trace's bounded list, and nothing personal.

import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock, EpochMicroseconds } from "../foundation/clock";
import type { Random } from "../foundation/random";

/** A traceparent as somebody else sent it. */
export interface TraceParent {
  /** 32 lower-case hex digits, not all 0. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface FinishedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  /** server: a request's own; internal: a part of it within the process; client: asked of something else. */
  readonly kind: "server" | "internal" | "client";
  readonly startMicroseconds: EpochMicroseconds;
  readonly endMicroseconds: EpochMicroseconds;
  readonly attributes: SpanAttributes;
  readonly isFault: boolean;
}

/** What takes finished traces; must return at once and never throw. */
export interface SpanSink {
  /** Where it is, nothing is begun that could not be kept. */
  readonly isFull: boolean;
  offer(spans: readonly FinishedSpan[]): void;
}

/** A request that is followed. */
export interface Trace {
  readonly traceId: string;
  /** A part of it ends now and took this long. */
  part(name: string, kind: "internal" | "client", milliseconds: number, attributes?: SpanAttributes): void;
  /** The request is answered; later parts are left out. */
  end(outcome: {
    readonly name: string;
    readonly attributes: SpanAttributes;
    readonly isFault: boolean;
    readonly milliseconds: number;
  }): void;
}

export interface Tracing {
  /** Begins to follow a request, or null: it is not followed. */
  begin(parent: TraceParent | null): Trace | null;
  /** Runs work as that of the trace: parts that are told meanwhile are its parts. */
  run<T>(trace: Trace, work: () => T): T;
  /** A part of the trace under way ends now and took this long; told outside of one it is nothing. */
  part(name: string, kind: "internal" | "client", milliseconds: number, attributes?: SpanAttributes): void;
}

export interface TracingOptions {
  readonly sink: SpanSink;
  readonly clock: Clock;
  readonly random: Random;
  /** Share of requests without a traceparent that are followed, 0 to 1. One with it is followed where it says so. */
  readonly share: number;
}

/** Parts of one trace that are kept. */
const partsMax = 64;

export function createTracing(options: TracingOptions): Tracing {
  const { sink, random } = options;
  const active = new AsyncLocalStorage<RequestTrace>();
  return {
    begin(parent) {
      const isWanted = parent === null ? options.share > 0 && random.unit() < options.share : parent.isSampled;
      return isWanted && !sink.isFull ? new RequestTrace(parent, options) : null;
    },
    run: (trace, work) => active.run(trace as RequestTrace, work),
    part: (name, kind, milliseconds, attributes = {}) => active.getStore()?.part(name, kind, milliseconds, attributes),
  };
}

class RequestTrace implements Trace {
  readonly traceId: string;
  readonly #spanId: string;
  readonly #parentSpanId: string | null;
  readonly #options: TracingOptions;
  #parts: FinishedSpan[] = [];
  #isEnded = false;

  constructor(parent: TraceParent | null, options: TracingOptions) {
    this.#options = options;
    this.traceId = parent?.traceId ?? hex(options.random.bytes(16));
    this.#parentSpanId = parent?.spanId ?? null;
    this.#spanId = hex(options.random.bytes(8));
  }

  part(name: string, kind: "internal" | "client", milliseconds: number, attributes: SpanAttributes = {}): void {
    if (this.#isEnded || this.#parts.length >= partsMax) return;
    const spanId = hex(this.#options.random.bytes(8));
    const times = this.#times(milliseconds);
    this.#parts.push({
      traceId: this.traceId,
      spanId,
      parentSpanId: this.#spanId,
      name,
      kind,
      attributes,
      isFault: false,
      ...times,
    });
  }

  end(outcome: { name: string; attributes: SpanAttributes; isFault: boolean; milliseconds: number }): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const { name, attributes, isFault } = outcome;
    const own: FinishedSpan = {
      traceId: this.traceId,
      spanId: this.#spanId,
      parentSpanId: this.#parentSpanId,
      name,
      kind: "server",
      attributes,
      isFault,
      ...this.#times(outcome.milliseconds),
    };
    this.#options.sink.offer([own, ...this.#parts]);
    this.#parts = [];
  }

  #times(milliseconds: number): Pick<FinishedSpan, "startMicroseconds" | "endMicroseconds"> {
    const endMicroseconds = this.#options.clock.nowMicroseconds();
    return {
      startMicroseconds: endMicroseconds - BigInt(Math.max(0, Math.round(milliseconds * 1000))),
      endMicroseconds,
    };
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
