// What candles and historical Greeks are on the wire. The schemas are the only source of the types. Numbers are JSON numbers, as everything that a market
// or a model says; a missing one is null, with its reason beside.

import { type Static, Type } from "@sinclair/typebox";
import type { ColumnTable, TableColumn } from "../../adapters/tabular/table";
import { candleIntervals } from "../../book/candles";
import { statusCodes } from "../../engine/catalog";
import { oneOf, queryInteger, timestamp } from "../../foundation/wire";
import { type Candle, type GreeksRow, historicalGreeks, shownMoment } from "./service";

const closed = { additionalProperties: false } as const;

export const candleLimitDefault = 500;
export const candleLimitMax = 5_000;

export const historyFormats = ["json", "ndjson", "csv", "arrow"] as const;
export type HistoryFormat = (typeof historyFormats)[number];

const number = (description: string) => Type.Number({ description });
const orNull = (description: string) => Type.Union([Type.Number(), Type.Null()], { description });

const exampleCandle = {
  start: "2026-11-20T15:04:00.000000Z",
  open: 12.4,
  high: 12.6,
  low: 12.35,
  close: 12.55,
  volume: 118,
  tick_count: 42,
};

export const CandleOnWire = Type.Object(
  {
    start: timestamp({ description: "Where its span begins, by the venue's clock; spans are counted in UTC." }),
    open: number("First price: the last trade where one is told, else the middle of both sides."),
    high: number("Highest price."),
    low: number("Lowest price."),
    close: number("Last price."),
    volume: number("Traded within it, as far as the venue's totals tell; 0 where they don't."),
    tick_count: Type.Integer({ minimum: 1, description: "Quotes it is made of." }),
  },
  { ...closed, $id: "Candle", examples: [exampleCandle] },
);

const pageFields = {
  reason: Type.Union([Type.String(), Type.Null()], {
    description: "Why there is none: no_data, nothing was quoted in that time.",
  }),
  next_cursor: Type.Union([Type.String(), Type.Null()], { description: "Send it as cursor for the next page." }),
  has_more: Type.Boolean(),
};

const asOfField = Type.Union([timestamp(), Type.Null()], { description: "As it was known then; null: now." });

export const CandlePageOnWire = Type.Object(
  {
    symbol: Type.String(),
    interval: oneOf(candleIntervals),
    as_of: asOfField,
    data: Type.Array(CandleOnWire),
    ...pageFields,
  },
  {
    ...closed,
    $id: "CandlePage",
    description: "Bars, the oldest first. A span without a quote has none.",
    examples: [
      {
        ...{ symbol: "SPXW261218C05800000", interval: "1m" as const, as_of: null, data: [exampleCandle] },
        ...{ reason: null, next_cursor: null, has_more: false },
      },
    ],
  },
);
export type CandlePageOnWire = Static<typeof CandlePageOnWire>;

const missingReasons = ["no_underlying", ...Object.keys(statusCodes).filter((name) => name !== "ok")];

export const HistoricalGreeksOnWire = Type.Object(
  {
    start: timestamp({ description: "Where the candle begins." }),
    close: number("The option's last price in it."),
    underlying_close: orNull("The underlying's last price in the same span."),
    implied_volatility: orNull("Of the close, a year."),
    delta: orNull("∂V/∂S"),
    gamma: orNull("∂²V/∂S²"),
    theta: orNull("A calendar day's, with units=market."),
    vega: orNull("A volatility point's, with units=market."),
    rho: orNull("A percentage point's, with units=market."),
    reason: Type.Union([Type.String(), Type.Null()], {
      description: `Why there are none: ${missingReasons.join(", ")}.`,
    }),
  },
  {
    ...closed,
    $id: "HistoricalGreeks",
    examples: [
      {
        ...{ start: exampleCandle.start, close: 12.55, underlying_close: 5_790.2, implied_volatility: 0.131 },
        ...{ delta: 0.42, gamma: 0.0019, theta: -1.1, vega: 6.2, rho: 1.8, reason: null },
      },
    ],
  },
);

export const GreeksPageOnWire = Type.Object(
  {
    symbol: Type.String(),
    underlying: Type.String(),
    interval: oneOf(candleIntervals),
    as_of: asOfField,
    model: oneOf(["black_scholes_merton", "american"]),
    rate: number("Continuous, a year."),
    dividend_yield: number("Continuous, a year."),
    units: oneOf(["market", "raw"]),
    data: Type.Array(HistoricalGreeksOnWire),
    ...pageFields,
  },
  { ...closed, $id: "HistoricalGreeksPage", description: "A row a candle of the option, the oldest first." },
);
export type GreeksPageOnWire = Static<typeof GreeksPageOnWire>;

const decimal = (description: string) =>
  Type.String({ pattern: "^-?\\d{1,3}(\\.\\d{1,15})?$", maxLength: 20, description });

const questionFields = {
  symbol: Type.String({
    ...{ minLength: 1, maxLength: 100, description: "The canonical symbol." },
    examples: ["SPXW261218C05800000"],
  }),
  interval: oneOf(candleIntervals, { description: "Length of a candle.", examples: ["1m"] }),
  from: Type.Optional(
    timestamp({ description: "Candles that begin at or after; so many as limit before to, unless given." }),
  ),
  to: Type.Optional(timestamp({ description: "Candles that begin before; now (or as_of) unless given." })),
  limit: Type.Optional(
    queryInteger({
      minimum: 1,
      maximum: candleLimitMax,
      description: `At most so many; ${candleLimitDefault} unless given.`,
    }),
  ),
  cursor: Type.Optional(
    Type.String({ minLength: 1, maxLength: 40, description: "The next_cursor of the page before." }),
  ),
  as_of: Type.Optional(timestamp({ description: "As it was known at that moment, and nothing later." })),
  format: Type.Optional(oneOf(historyFormats, { description: "Stronger than the Accept header." })),
};

export const CandlesQuery = Type.Object(questionFields, closed);
export type CandlesQuery = Static<typeof CandlesQuery>;

export const GreeksQuery = Type.Object(
  {
    ...questionFields,
    rate: Type.Optional(decimal("Continuous rate a year, such as 0.04; 0 unless given.")),
    dividend_yield: Type.Optional(decimal("Continuous dividend yield a year; 0 unless given.")),
    units: Type.Optional(oneOf(["market", "raw"], { description: "market unless given." })),
  },
  closed,
);
export type GreeksQuery = Static<typeof GreeksQuery>;

export function candleOnWire({ start, open, high, low, close, volume, tickCount }: Candle) {
  return { start: shownMoment(start), open, high, low, close, volume, tick_count: tickCount };
}

const shown = (value: number): number | null => (Number.isFinite(value) ? value : null);

export function greeksOnWire({ candle, underlyingClose, impliedVolatility, greeks, reason }: GreeksRow) {
  const [delta, gamma, theta, vega, rho] = greeks.map(shown) as [number, number, number, number, number];
  return {
    ...{ start: shownMoment(candle.start), close: candle.close },
    ...{ underlying_close: shown(underlyingClose), implied_volatility: shown(impliedVolatility) },
    ...{ delta, gamma, theta, vega, rho, reason },
  };
}

const column = (name: string, values: Iterable<number>): TableColumn => ({
  ...{ name, kind: "number", values: Float64Array.from(values) },
});

/** Candles as columns, of the same names. */
export function candleTable(candles: readonly Candle[]): ColumnTable {
  const of = (name: string, value: (candle: Candle) => number) => column(name, candles.map(value));
  return {
    count: candles.length,
    columns: [
      { name: "start", kind: "text", values: candles.map(({ start }) => shownMoment(start)) },
      ...[of("open", ({ open }) => open), of("high", ({ high }) => high), of("low", ({ low }) => low)],
      ...[of("close", ({ close }) => close), of("volume", ({ volume }) => volume)],
      of("tick_count", ({ tickCount }) => tickCount),
    ],
  };
}

/** The same of Greeks. */
export function greeksTable(rows: readonly GreeksRow[]): ColumnTable {
  const of = (name: string, value: (row: GreeksRow) => number) => column(name, rows.map(value));
  return {
    count: rows.length,
    columns: [
      { name: "start", kind: "text", values: rows.map(({ candle }) => shownMoment(candle.start)) },
      of("close", ({ candle }) => candle.close),
      of("underlying_close", ({ underlyingClose }) => underlyingClose),
      of("implied_volatility", ({ impliedVolatility }) => impliedVolatility),
      ...historicalGreeks.map((name, index) => of(name, ({ greeks }) => greeks[index]!)),
      { name: "reason", kind: "text", values: rows.map(({ reason }) => reason) },
    ],
  };
}
