// Names for one request: the id every answer carries and the trace id a problem quotes (W3C Trace Context, level 1).
// An inbound name is taken only where it is well-formed, because it goes into logs and headers.

import type { Random } from "../foundation/random";
import type { TraceParent } from "../telemetry/tracing";

const inboundRequestId = /^[A-Za-z0-9._-]{1,64}$/;
const inboundTraceparent = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const sampledFlag = 1;

export interface RequestNames {
  requestId(request: Request): string;
  traceId(request: Request): string;
}

/** Request ids are a random start of this process and a count, which is unique and costs no randomness a request. */
export function requestNames(random: Random): RequestNames {
  const prefix = Buffer.from(random.bytes(8)).toString("hex");
  let count = 0;
  return {
    requestId(request) {
      const inbound = request.headers.get("x-request-id");
      if (inbound !== null && inboundRequestId.test(inbound)) return inbound;
      count += 1;
      return `${prefix}-${count.toString(36)}`;
    },
    traceId(request) {
      const parent = traceParentOf(request);
      if (parent !== null) return parent.traceId;
      return Buffer.from(random.bytes(16)).toString("hex");
    },
  };
}

/** The traceparent a request came with, or null where it has none that is well-formed. */
export function traceParentOf(request: Request): TraceParent | null {
  const header = request.headers.get("traceparent");
  if (header === null) return null;
  const [, traceId, spanId, flags] = inboundTraceparent.exec(header) ?? [];
  if (!traceId || !spanId || !flags || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & sampledFlag) !== 0 };
}
