// Pricing's routes: declarations and one call each. Who may call, how large a body may be and in which formats it may come
// is stated in a route's detail and enforced by http before the body is read; nothing here computes or checks.

import { Elysia, t } from "elysia";
import { joinedWireAnswer, WireWriter, writeWireAnswer } from "../../adapters/tabular/wire";
import { streamedPieces } from "../../adapters/tabular/wire-stream";
import { type WireFormat, type WireTable, wireFormats } from "../../adapters/tabular/wire-table";
import { nextTurn } from "../../foundation/turn";
import {
  BatchAnswer,
  BatchColumns,
  BatchQuery,
  BatchRows,
  batchTableColumns,
  batchTableExamples,
  ImpliedVolatilityAnswer,
  ImpliedVolatilityBatchAnswer,
  ImpliedVolatilityBatchColumns,
  ImpliedVolatilityBatchQuery,
  ImpliedVolatilityBatchRows,
  ImpliedVolatilityRequest,
  impliedVolatilityTableColumns,
  impliedVolatilityTableExamples,
  ModelsAnswer,
  PriceAnswer,
  PriceRequest,
  SingleQuery,
} from "./model";
import type { BatchOutcome, Meter, PricingService } from "./service";

type AnswerFormat = "json" | WireFormat;

export interface PricingRoutesDependencies {
  readonly pricing: PricingService;
  readonly limits: PricingLimits;
  /** Adds a part to the answer's Server-Timing. */
  readonly recordTiming: (request: Request, name: string, durationMilliseconds: number) => void;
  /** Told how many options a request holds. */
  readonly recordOptions: (request: Request, count: number) => void;
  /** The format that a request's Accept header wants. */
  readonly acceptedFormatOf: (request: Request) => AnswerFormat;
}

/** Read at each request: they may change. */
export interface PricingLimits {
  /** Largest body of a batch in JSON, in bytes. */
  readonly batchBytesMax: number;
  /** Largest body of a batch as CSV, NDJSON or Arrow, in bytes, once decoded. */
  readonly tableBytesMax: number;
  /** Options in such a body. */
  readonly tableRowsMax: number;
}

const tags = ["Pricing"];
const permission = "pricing:read" as const;
const lineBytesMax = 65_536;
/** Answers of up to as many rows are made whole; longer ones go out piece by piece. Text takes far longer to make. */
const joinedRowsMax: Readonly<Record<AnswerFormat, number>> = { json: 8192, ndjson: 4096, csv: 4096, arrow: 65_536 };

/** Everything under /api/v1/pricing. */
export function pricingRoutes(dependencies: PricingRoutesDependencies) {
  const { pricing, limits, recordTiming, recordOptions, acceptedFormatOf } = dependencies;
  const writer = new WireWriter();
  const meterOf =
    (request: Request): Meter =>
    (durationMilliseconds) =>
      recordTiming(request, "engine", durationMilliseconds);
  const tableDetail = (columns: typeof batchTableColumns, examples: typeof batchTableExamples) => ({
    permission,
    tags,
    bodyBytesMax: () => limits.batchBytesMax,
    tables: () => ({ columns, bytesMax: limits.tableBytesMax, rowsMax: limits.tableRowsMax, lineBytesMax, examples }),
  });
  /** Of a single option, which nobody can stop half way: asking for a request's signal makes one. */
  const circumstances = <Query>(request: Request, query: Query) => ({ query, meter: meterOf(request) });
  const stoppable = <Query>(request: Request, query: Query) => ({
    ...circumstances(request, query),
    signal: request.signal,
  });

  function answer(request: Request, outcome: BatchOutcome, asked: AnswerFormat | undefined): Response {
    const { count } = outcome.table;
    recordOptions(request, count);
    const format = asked ?? acceptedFormatOf(request);
    const headers: Record<string, string> = {
      "content-type": format === "json" ? "application/json" : wireFormats[format],
      "engine-version": pricing.engine.version,
      "engine-wasm-sha256": pricing.engine.wasm_sha256,
    };
    if (outcome.inputsHash !== null) headers["inputs-hash"] = outcome.inputsHash;
    if (outcome.valuationTime !== null) headers["valuation-time"] = outcome.valuationTime;
    if (count > joinedRowsMax[format]) {
      const pieces = writeWireAnswer(format, outcome, pricing.writeDecimals);
      return new Response(streamedPieces(pieces, nextTurn), { headers });
    }
    // The writer's own memory, which the Response copies at once.
    const whole = joinedWireAnswer(writer, format, outcome, pricing.writeDecimals);
    headers["content-length"] = String(whole.length);
    return new Response(whole, { headers });
  }

  return new Elysia({ name: "pricing" })
    .post(
      "/api/v1/pricing/price",
      ({ request, body, query }) => {
        recordOptions(request, 1);
        return pricing.price(body, circumstances(request, query));
      },
      {
        body: PriceRequest,
        query: SingleQuery,
        response: { 200: PriceAnswer },
        detail: {
          permission,
          operationId: "price",
          summary: "Price one option",
          description: "A well-formed request is answered with 200 whatever its values: status says what they came to.",
          tags,
        },
      },
    )
    .post(
      "/api/v1/pricing/batch",
      async ({ request, body, query }) => {
        const batch = body as BatchColumns | BatchRows | WireTable;
        return answer(request, await pricing.priceBatch(batch, stoppable(request, query)), query.format);
      },
      {
        body: t.Union([BatchColumns, BatchRows]),
        query: BatchQuery,
        response: { 200: BatchAnswer },
        detail: {
          ...tableDetail(batchTableColumns, batchTableExamples),
          operationId: "priceBatch",
          summary: "Price many options, by columns or by rows",
          description: "Columns are the faster form. A bad value is its row's status; a bad shape refuses the whole.",
        },
      },
    )
    .post(
      "/api/v1/pricing/implied-volatility",
      ({ request, body, query }) => {
        recordOptions(request, 1);
        return pricing.impliedVolatility(body, circumstances(request, query));
      },
      {
        body: ImpliedVolatilityRequest,
        query: SingleQuery,
        response: { 200: ImpliedVolatilityAnswer },
        detail: {
          permission,
          operationId: "impliedVolatility",
          summary: "Find the volatility of one price",
          tags,
        },
      },
    )
    .post(
      "/api/v1/pricing/implied-volatility/batch",
      async ({ request, body, query }) => {
        const batch = body as ImpliedVolatilityBatchColumns | ImpliedVolatilityBatchRows | WireTable;
        return answer(request, await pricing.impliedVolatilityBatch(batch, stoppable(request, query)), query.format);
      },
      {
        body: t.Union([ImpliedVolatilityBatchColumns, ImpliedVolatilityBatchRows]),
        query: ImpliedVolatilityBatchQuery,
        response: { 200: ImpliedVolatilityBatchAnswer },
        detail: {
          ...tableDetail(impliedVolatilityTableColumns, impliedVolatilityTableExamples),
          operationId: "impliedVolatilityBatch",
          summary: "Find the volatilities of many prices, by columns or by rows",
        },
      },
    )
    .get("/api/v1/pricing/models", () => pricing.models(), {
      response: { 200: ModelsAnswer },
      detail: {
        permission,
        operationId: "listModels",
        summary: "Models with their inputs, outputs and limits",
        tags,
      },
    });
}
