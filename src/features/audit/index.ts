// The audit log's one route: a declaration, and what a question in an address means. Reading it needs audit:read; nothing here
// guards anything.

import { Elysia } from "elysia";
import { parseTimestamp, timestampFaultDetail } from "../../domain/day-count";
import type { Principal, RequestOrigin } from "../../domain/principal";
import { BsoptError, type FieldFault } from "../../foundation/errors";
import {
  type AuditFormat,
  AuditPage,
  AuditQuery,
  auditFormats,
  csvHeader,
  eventsAsCsv,
  eventsAsNdjson,
  eventTypesMax,
  pageLimitDefault,
} from "./model";
import { type AuditEventType, isAuditEventType } from "./rules";
import type { Audit, AuditFilter } from "./service";

export interface AuditRoutesDependencies {
  readonly audit: Audit;
  readonly principalOf: (request: Request) => Principal;
  readonly originOf: (request: Request) => RequestOrigin;
  /** What a request's Accept header wants, by its short name. */
  readonly acceptedFormatOf: (request: Request) => string;
}

const mediaTypes = { ndjson: "application/x-ndjson", csv: "text/csv; charset=utf-8" } as const;

/** GET /api/v1/audit. */
export function auditRoutes({ audit, principalOf, originOf, acceptedFormatOf }: AuditRoutesDependencies) {
  return new Elysia({ name: "audit" }).get(
    "/api/v1/audit",
    async ({ request, query }) => {
      const format = query.format ?? formatOf(acceptedFormatOf(request));
      const filter = filterOf(query, format);
      if (format === "json") {
        const { limit, cursor } = query;
        return audit.list({
          filter,
          limit: limit === undefined ? pageLimitDefault : Number(limit),
          ...(cursor === undefined ? {} : { cursor }),
        });
      }
      const by = { userId: principalOf(request).userId, origin: originOf(request), format };
      const { pages } = await audit.export({ filter, by });
      return new Response(streamOf(pages, format), {
        headers: {
          "content-type": mediaTypes[format],
          "content-disposition": `attachment; filename="audit.${format}"`,
          vary: "Accept",
        },
      }) as never;
    },
    {
      query: AuditQuery,
      response: { 200: AuditPage },
      detail: {
        permission: "audit:read",
        operationId: "listAuditEvents",
        summary: "Read the audit log, newest first",
        description:
          "JSON comes in pages. NDJSON and CSV come as one stream of everything that is asked for, with the same fields as columns; taking one is recorded.",
        tags: ["Audit"],
        answerFormats: ["ndjson", "csv"],
      },
    },
  );
}

function formatOf(accepted: string): AuditFormat {
  return auditFormats.find((format) => format === accepted) ?? "json";
}

/** What an address asks for. Throws `invalid` with a fault for each parameter that asks for nothing there is. */
function filterOf(query: AuditQuery, format: AuditFormat): AuditFilter {
  const faults: FieldFault[] = [];
  const fault = (name: string, code: string, detail: string) =>
    faults.push({ pointer: `/query/${name}`, code, detail });
  const types = query.event_type?.split(",") ?? [];
  const eventTypes = types.filter((type): type is AuditEventType => isAuditEventType(type));
  if (eventTypes.length < types.length) fault("event_type", "EVENT_TYPE_UNKNOWN", "names a type that there is not");
  if (types.length > eventTypesMax) fault("event_type", "TOO_MANY", `names more than ${eventTypesMax} types`);
  const moment = (name: "from" | "to"): bigint | null => {
    const text = query[name];
    if (text === undefined) return null;
    const read = parseTimestamp(text);
    if (typeof read === "bigint") return read;
    fault(name, "TIMESTAMP_INVALID", timestampFaultDetail[read]);
    return null;
  };
  const [from, to] = [moment("from"), moment("to")];
  if (from !== null && to !== null && from > to) fault("to", "RANGE_EMPTY", "lies before from");
  if (format !== "json") {
    for (const name of ["limit", "cursor"] as const) {
      if (query[name] !== undefined) fault(name, "NOT_WITH_FORMAT", "belongs to JSON, which comes in pages");
    }
  }
  if (faults.length > 0) {
    const detail = faults.map(({ pointer, detail }) => `${pointer} ${detail}`).join("; ");
    throw new BsoptError({ reason: "invalid", code: "SCHEMA_INVALID", detail, faults });
  }
  return {
    eventTypes: [...new Set(eventTypes)],
    userId: query.user_id ?? null,
    status: query.status ?? null,
    from,
    to,
  };
}

type Pages = Awaited<ReturnType<Audit["export"]>>["pages"];

/** Each page is read when the one before has been taken, so that an export holds one page however long it is. */
function streamOf(pages: Pages, format: "ndjson" | "csv"): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let isBegun = false;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const { value, done } = await pages.next();
          let text = "";
          if (!isBegun && format === "csv") text = csvHeader;
          isBegun = true;
          if (value) text += format === "csv" ? eventsAsCsv(value) : eventsAsNdjson(value);
          if (text !== "") controller.enqueue(encoder.encode(text));
          if (done) return controller.close();
          // Where a long stretch held nothing that is asked for, go on until there is something to give.
          if (text !== "") return;
        }
      },
      async cancel() {
        await pages.return();
      },
    },
    { highWaterMark: 0 },
  );
}
