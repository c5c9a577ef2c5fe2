// The routes of candles and historical Greeks: declarations, and what a question in an address means.

import { Elysia } from "elysia";
import type { ColumnTable } from "../../adapters/tabular/table";
import { parseTimestamp, timestampFaultDetail } from "../../domain/day-count";
import { type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import { BsoptError, type FieldFault } from "../../foundation/errors";
import {
  CandlePageOnWire,
  CandlesQuery,
  candleLimitDefault,
  candleOnWire,
  candleTable,
  GreeksPageOnWire,
  GreeksQuery,
  greeksOnWire,
  greeksTable,
  type HistoryFormat,
  historyFormats,
} from "./model";
import type { CandleQuestion, History } from "./service";

export interface HistoryRoutesDependencies {
  readonly history: History;
  /** What a request's Accept header wants, by its short name. */
  readonly acceptedFormatOf: (request: Request) => string;
}

const mediaTypes = {
  ndjson: "application/x-ndjson",
  csv: "text/csv; charset=utf-8",
  arrow: "application/vnd.apache.arrow.stream",
} as const;

const candlesDescription =
  "Made of every quote that came, a late one amending the bar of its own moment. Where a table is answered, the next page's cursor is in the header X-Next-Cursor.";

/** GET /api/v1/market/candles, the same as /api/v1/history/candles, and /api/v1/history/greeks. */
export function historyRoutes({ history, acceptedFormatOf }: HistoryRoutesDependencies) {
  const formatOf = (request: Request, asked: HistoryFormat | undefined): HistoryFormat =>
    asked ?? historyFormats.find((format) => format === acceptedFormatOf(request)) ?? "json";

  const candles = async ({ request, query }: { request: Request; query: CandlesQuery }) => {
    const question = questionOf(query);
    const page = await history.candles(question);
    const format = formatOf(request, query.format);
    if (format !== "json") return tableAnswer(candleTable(page.candles), format, page.next) as never;
    return { ...headOf(query, question), data: page.candles.map(candleOnWire), ...footOf(page) };
  };
  const candlesDetail = (operationId: string, summary: string) => ({
    query: CandlesQuery,
    response: { 200: CandlePageOnWire },
    detail: {
      permission: "market:read" as const,
      ...{ operationId, summary, description: candlesDescription, tags: ["Market"] },
      answerFormats: ["ndjson", "csv", "arrow"] as ("ndjson" | "csv" | "arrow")[],
    },
  });

  return new Elysia({ name: "history" })
    .get("/api/v1/market/candles", candles, candlesDetail("listMarketCandles", "Read candles of an instrument"))
    .get("/api/v1/history/candles", candles, candlesDetail("listCandles", "Read candles of an instrument"))
    .get(
      "/api/v1/history/greeks",
      async ({ request, query }) => {
        const question = questionOf(query);
        const { rate = "0", dividend_yield = "0" } = query;
        const units = (query.units ?? "market") as "market" | "raw";
        const numbers = { rate: Number(rate), dividendYield: Number(dividend_yield) };
        const page = await history.greeks({ ...question, ...numbers, units });
        const format = formatOf(request, query.format);
        if (format !== "json") return tableAnswer(greeksTable(page.rows), format, page.next) as never;
        return {
          ...headOf(query, question),
          ...{ underlying: page.underlying, model: page.model, units },
          ...{ rate: numbers.rate, dividend_yield: numbers.dividendYield },
          data: page.rows.map(greeksOnWire),
          ...footOf(page),
        };
      },
      {
        query: GreeksQuery,
        response: { 200: GreeksPageOnWire },
        detail: {
          permission: "market:read",
          operationId: "listHistoricalGreeks",
          summary: "Read an option's Greeks, candle by candle",
          description:
            "Each candle's close is turned into a volatility by the underlying's close of the same span, and that into the Greeks; where one cannot be, they are null and say why.",
          tags: ["Market"],
          answerFormats: ["ndjson", "csv", "arrow"],
        },
      },
    );
}

const headOf = ({ symbol, interval }: CandlesQuery, { asOf }: CandleQuestion) => ({
  ...{ symbol, interval, as_of: asOf === null ? null : formatTimestamp(asOf) },
});

const footOf = ({ next, reason }: { next: EpochMicroseconds | null; reason: "no_data" | null }) => ({
  ...{ reason, next_cursor: next === null ? null : cursorOf(next), has_more: next !== null },
});

const cursorOf = (next: EpochMicroseconds): string => Buffer.from(String(next)).toString("base64url");

/** What an address asks for. Throws `invalid` with a fault for each parameter that asks for nothing there is. */
function questionOf(query: CandlesQuery): CandleQuestion {
  const faults: FieldFault[] = [];
  const moment = (name: "from" | "to" | "as_of"): EpochMicroseconds | null => {
    const text = query[name];
    if (text === undefined) return null;
    const read = parseTimestamp(text);
    if (typeof read === "bigint") return read;
    faults.push({ pointer: `/query/${name}`, code: "TIMESTAMP_INVALID", detail: timestampFaultDetail[read] });
    return null;
  };
  const [from, to, asOf] = [moment("from"), moment("to"), moment("as_of")];
  if (from !== null && to !== null && from >= to)
    faults.push({ pointer: "/query/to", code: "RANGE_EMPTY", detail: "must lie after from" });
  let after: EpochMicroseconds | null = null;
  if (query.cursor !== undefined) {
    const text = Buffer.from(query.cursor, "base64url").toString("latin1");
    if (/^\d{1,16}$/.test(text)) after = BigInt(text);
    else
      faults.push({
        ...{ pointer: "/query/cursor", code: "CURSOR_INVALID" },
        detail: "must be the next_cursor of an earlier page",
      });
  }
  if (faults.length > 0) {
    const detail = faults.map(({ pointer, detail }) => `${pointer} ${detail}`).join("; ");
    throw new BsoptError({ reason: "invalid", code: "SCHEMA_INVALID", detail, faults });
  }
  const { symbol, interval, limit } = query;
  return {
    ...{ symbol, interval, from, to, asOf, after },
    limit: limit === undefined ? candleLimitDefault : Number(limit),
  };
}

/** A page as a table. The formats' writers are loaded by the first who asks. */
async function tableAnswer(
  table: ColumnTable,
  format: Exclude<HistoryFormat, "json">,
  next: EpochMicroseconds | null,
): Promise<Response> {
  const { writeTable } = await import("../../adapters/tabular/formats");
  const chunks = [...writeTable(format, table, {})].map((chunk) => Buffer.from(chunk as string));
  return new Response(Buffer.concat(chunks), {
    headers: {
      "content-type": mediaTypes[format],
      ...(next !== null && { "x-next-cursor": cursorOf(next) }),
      vary: "Accept",
    },
  });
}
