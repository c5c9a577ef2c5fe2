// The routes of instruments: declarations, and what a question in an address means. Nothing here guards anything.

import { Elysia, t } from "elysia";
import { type FileRow, readInstrumentRows } from "../../adapters/feeds/instrument-file";
import { TextBody } from "../../adapters/tabular/text-body";
import { parseTimestamp, timestampFaultDetail } from "../../domain/day-count";
import { canonicalSymbol, instrumentSymbolFaultDetail } from "../../domain/instrument-symbol";
import type { Principal, RequestOrigin } from "../../domain/principal";
import type { EpochMicroseconds } from "../../foundation/clock";
import { BsoptError, type FieldFault } from "../../foundation/errors";
import type { IdempotencyTicket } from "../../storage/idempotency";
import {
  csvHeader,
  InstrumentEntries,
  InstrumentEntryBody,
  InstrumentImport,
  InstrumentMomentQuery,
  InstrumentPage,
  InstrumentPath,
  InstrumentQuery,
  instrumentsAsCsv,
  instrumentsAsNdjson,
  ListedInstrument,
  pageLimitDefault,
  QuarantinePage,
  QuarantineQuery,
} from "./model";
import { boundOf, entryFields, ownFields } from "./rules";
import type { Asked, Instruments } from "./service";

export interface InstrumentsRoutesDependencies {
  readonly instruments: Instruments;
  readonly limits: ImportLimits;
  readonly principalOf: (request: Request) => Principal;
  readonly originOf: (request: Request) => RequestOrigin;
  readonly idempotencyOf: (request: Request) => IdempotencyTicket | null;
  /** What a request's Accept header wants, by its short name. */
  readonly acceptedFormatOf: (request: Request) => string;
}

/** Read at each request: they may change. */
export interface ImportLimits {
  /** Largest body in JSON, in bytes. */
  readonly jsonBytesMax: number;
  /** Largest body in NDJSON or CSV, in bytes, once decoded. */
  readonly textBytesMax: number;
  readonly rowsMax: number;
}

const tags = ["Market"];
const lineBytesMax = 65_536;
const mediaTypes = { ndjson: "application/x-ndjson", csv: "text/csv; charset=utf-8" } as const;
const columns = [...entryFields, ...ownFields];
const columnsText = entryFields.join(", ");

/** GET and POST /api/v1/market/instruments, GET …/{symbol} and …/quarantine. */
export function instrumentsRoutes(dependencies: InstrumentsRoutesDependencies) {
  const { instruments, limits, principalOf, originOf, idempotencyOf, acceptedFormatOf } = dependencies;
  return new Elysia({ name: "instruments" })
    .get(
      "/api/v1/market/instruments",
      async ({ request, query }) => {
        const format = query.format ?? formatOf(acceptedFormatOf(request));
        const filter = filterOf(query, format);
        if (format === "json") {
          const { limit, cursor } = query;
          return instruments.page({
            filter,
            limit: limit === undefined ? pageLimitDefault : Number(limit),
            ...(cursor === undefined ? {} : { cursor }),
          });
        }
        return new Response(streamOf(instruments.pieces(filter), format), {
          headers: { "content-type": mediaTypes[format], vary: "Accept" },
        }) as never;
      },
      {
        query: InstrumentQuery,
        response: { 200: InstrumentPage },
        detail: {
          permission: "market:read",
          operationId: "listInstruments",
          summary: "What is listed, in the order of symbols",
          description:
            "JSON comes in pages. NDJSON and CSV come as one stream of everything that is asked for, with the same fields as columns.",
          tags,
          answerFormats: ["ndjson", "csv"],
        },
      },
    )
    .post(
      "/api/v1/market/instruments",
      ({ request, body }) => {
        const text = (body as unknown) instanceof TextBody ? (body as unknown as TextBody) : null;
        const { rowsMax, textBytesMax: bytesMax } = limits;
        return instruments.import(
          text ? readInstrumentRows(text, columns, { bytesMax, rowsMax, lineBytesMax }) : rowsOfJson(body),
          {
            userId: principalOf(request).userId,
            origin: originOf(request),
            format: text?.format ?? "json",
            idempotency: idempotencyOf(request),
          },
        );
      },
      {
        body: t.Union([InstrumentEntryBody, InstrumentEntries]),
        response: { 200: InstrumentImport },
        detail: {
          permission: "market:write",
          operationId: "importInstruments",
          summary: "List instruments, or say what else they are",
          description:
            "One, a list, or a text of them. What a symbol says by its exchange's rules need not be said; what contradicts it goes to the quarantine with a reason, and the rows beside it are listed all the same. Saying it again changes nothing.",
          tags,
          idempotent: true,
          bodyBytesMax: () => limits.jsonBytesMax,
          texts: () => ({
            bytesMax: limits.textBytesMax,
            formats: {
              ndjson: {
                description: "An instrument a line, with the fields of the JSON body.",
                example: '{"symbol":"SPXW261218C05800000"}\n{"symbol":"SPXW261218P05800000","tick_size":0.05}\n',
              },
              csv: {
                description: `A header line and an instrument a line, columns of ${columnsText}; or a quote table as Cboe's site gives it.`,
                example: "symbol,multiplier\nSPXW261218C05800000,100\nSPXW261218P05800000,100\n",
              },
            },
          }),
        },
      },
    )
    .get(
      "/api/v1/market/instruments/quarantine",
      ({ query: { limit, cursor } }) =>
        instruments.quarantine({
          limit: limit === undefined ? pageLimitDefault : Number(limit),
          ...(cursor === undefined ? {} : { cursor }),
        }),
      {
        query: QuarantineQuery,
        response: { 200: QuarantinePage },
        detail: {
          permission: "market:read",
          operationId: "listQuarantinedInstruments",
          summary: "Rows that could not be listed, the newest first",
          description: "At most 300 of one import and 10,000 in all are kept.",
          tags,
        },
      },
    )
    .get(
      "/api/v1/market/instruments/:symbol",
      ({ params: { symbol }, query: { as_of } }) => {
        const faults: FieldFault[] = [];
        const asOf = momentOf(as_of, faults);
        refuseAny(faults);
        return instruments.get(symbol, asOf);
      },
      {
        params: InstrumentPath,
        query: InstrumentMomentQuery,
        response: { 200: ListedInstrument },
        detail: {
          permission: "market:read",
          operationId: "getInstrument",
          summary: "Look at an instrument",
          description: "Also at one that has expired: expired_at says when.",
          tags,
        },
      },
    );
}

async function* rowsOfJson(body: object): AsyncGenerator<FileRow> {
  const rows = ("instruments" in body ? body.instruments : [body]) as readonly Record<string, unknown>[];
  for (const [index, row] of rows.entries()) yield { line: index + 1, content: JSON.stringify(row), row };
}

function formatOf(accepted: string): "json" | "ndjson" | "csv" {
  return accepted === "ndjson" || accepted === "csv" ? accepted : "json";
}

function momentOf(text: string | undefined, faults: FieldFault[]): EpochMicroseconds | null {
  if (text === undefined) return null;
  const moment = parseTimestamp(text);
  if (typeof moment === "bigint") return moment;
  faults.push({ pointer: "/query/as_of", code: "TIMESTAMP_INVALID", detail: timestampFaultDetail[moment] });
  return null;
}

function refuseAny(faults: readonly FieldFault[]): void {
  if (faults.length === 0) return;
  const detail = faults.map(({ pointer, detail }) => `${pointer} ${detail}`).join("; ");
  throw new BsoptError({ reason: "invalid", code: "SCHEMA_INVALID", detail, faults });
}

/** What an address asks for. Throws `invalid` with a fault for each parameter that asks for nothing there is. */
function filterOf(query: InstrumentQuery, format: string): Asked {
  const faults: FieldFault[] = [];
  const fault = (name: string, code: string, detail: string) =>
    faults.push({ pointer: `/query/${name}`, code, detail });
  const bound = (name: "expiry_gte" | "expiry_lte", end: "first" | "last") => {
    const text = query[name];
    const moment = text === undefined ? null : boundOf(text, end);
    if (text !== undefined && moment === null)
      fault(name, "TIMESTAMP_INVALID", "is neither a day such as 2026-12-18 nor a moment with its offset");
    return moment;
  };
  let underlying: string | null = null;
  if (query.underlying !== undefined) {
    const read = canonicalSymbol(query.underlying);
    if ("symbol" in read) underlying = read.symbol;
    else fault("underlying", "SYMBOL_INVALID", instrumentSymbolFaultDetail[read.fault]);
  }
  const [expiryFrom, expiryTo] = [bound("expiry_gte", "first"), bound("expiry_lte", "last")];
  const strikeOf = (text: string | undefined) => (text === undefined ? null : Number(text));
  const [strikeFrom, strikeTo] = [strikeOf(query.strike_gte), strikeOf(query.strike_lte)];
  if (expiryFrom !== null && expiryTo !== null && expiryFrom > expiryTo)
    fault("expiry_lte", "RANGE_EMPTY", "lies before expiry_gte");
  if (strikeFrom !== null && strikeTo !== null && strikeFrom > strikeTo)
    fault("strike_lte", "RANGE_EMPTY", "lies below strike_gte");
  const asOf = momentOf(query.as_of, faults);
  if (format !== "json") {
    for (const name of ["limit", "cursor"] as const) {
      if (query[name] !== undefined) fault(name, "NOT_WITH_FORMAT", "belongs to JSON, which comes in pages");
    }
  }
  refuseAny(faults);
  const { kind = null, option_type: optionType = null } = query;
  return { underlying, kind, optionType, expiryFrom, expiryTo, strikeFrom, strikeTo, asOf };
}

/** Each piece is read when the one before has been taken, so that a long answer holds one piece however long it is. */
function streamOf(
  pieces: AsyncGenerator<ListedInstrument[], void>,
  format: "ndjson" | "csv",
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let isBegun = false;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (!isBegun && format === "csv") controller.enqueue(encoder.encode(csvHeader));
        isBegun = true;
        const { value, done } = await pieces.next();
        if (done) return controller.close();
        controller.enqueue(encoder.encode(format === "csv" ? instrumentsAsCsv(value) : instrumentsAsNdjson(value)));
      },
      async cancel() {
        await pieces.return();
      },
    },
    { highWaterMark: 0 },
  );
}
