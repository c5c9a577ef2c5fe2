// Pricing's routes: declarations and one call each. Who may call and how large a body may be is stated in a
// route's detail and enforced by http before the body is read; nothing here computes or checks.

import { Elysia, t } from "elysia";
import {
  BatchAnswer,
  BatchColumns,
  BatchRows,
  ImpliedVolatilityAnswer,
  ImpliedVolatilityBatchAnswer,
  ImpliedVolatilityBatchColumns,
  ImpliedVolatilityBatchRows,
  ImpliedVolatilityRequest,
  ModelsAnswer,
  PriceAnswer,
  PriceRequest,
} from "./model";
import type { Meter, PricingService } from "./service";

export interface PricingRoutesDependencies {
  readonly pricing: PricingService;
  /** Largest body of a batch, in bytes. */
  readonly batchBytesMax: number;
  /** Adds a part to the answer's Server-Timing. */
  readonly recordTiming: (request: Request, name: string, durationMilliseconds: number) => void;
}

const tags = ["Pricing"];
const permission = "pricing:read";

/** Everything under /api/v1/pricing. */
export function pricingRoutes({ pricing, batchBytesMax, recordTiming }: PricingRoutesDependencies) {
  const meterOf =
    (request: Request): Meter =>
    (durationMilliseconds) =>
      recordTiming(request, "engine", durationMilliseconds);
  return new Elysia({ name: "pricing" })
    .post("/api/v1/pricing/price", ({ request, body }) => pricing.price(body, meterOf(request)), {
      body: PriceRequest,
      response: { 200: PriceAnswer },
      detail: {
        permission,
        operationId: "price",
        summary: "Price one option",
        description: "A well-formed request is answered with 200 whatever its values: status says what they came to.",
        tags,
      },
    })
    .post("/api/v1/pricing/batch", ({ request, body }) => pricing.priceBatch(body, meterOf(request)), {
      body: t.Union([BatchColumns, BatchRows]),
      response: { 200: BatchAnswer },
      detail: {
        permission,
        operationId: "priceBatch",
        summary: "Price many options, by columns or by rows",
        description: "Columns are the faster form. A bad value is its row's status; a bad shape refuses the whole.",
        tags,
        bodyBytesMax: batchBytesMax,
      },
    })
    .post(
      "/api/v1/pricing/implied-volatility",
      ({ request, body }) => pricing.impliedVolatility(body, meterOf(request)),
      {
        body: ImpliedVolatilityRequest,
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
      ({ request, body }) => pricing.impliedVolatilityBatch(body, meterOf(request)),
      {
        body: t.Union([ImpliedVolatilityBatchColumns, ImpliedVolatilityBatchRows]),
        response: { 200: ImpliedVolatilityBatchAnswer },
        detail: {
          permission,
          operationId: "impliedVolatilityBatch",
          summary: "Find the volatilities of many prices, by columns or by rows",
          tags,
          bodyBytesMax: batchBytesMax,
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
