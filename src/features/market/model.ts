// What the market says and hears on the wire. The schemas are the only source of the types. Numbers are model inputs and outputs, so JSON
// numbers; what is not known is null, and an option without a value says why.

import { type Static, Type } from "@sinclair/typebox";
import { tableExamples } from "../../adapters/tabular/examples";
import type { WireSchema } from "../../adapters/tabular/wire-table";
import { bookReasons, forwardSources, quoteStates, spotSources, volatilitySources } from "../../book/entries";
import { atmCountMax } from "../../book/selection";
import { modelNumber, oneOf, queryInteger, timestamp } from "../../foundation/wire";

const closed = { additionalProperties: false } as const;

/** Quotes in one body. */
export const quotesMax = 10_000;
/** Symbols in one question. */
export const symbolsMax = 500;
/** Refused quotes that an answer names; it counts all. */
export const rejectionsShownMax = 1_000;

const numberOrNull = (description: string) => Type.Union([modelNumber(), Type.Null()], { description });
const optionalNumber = (description: string) => Type.Optional(numberOrNull(description));

const exampleQuote = {
  symbol: "SPXW261218C05800000",
  ts: "2026-06-18T14:30:00.125000Z",
  bid: 312.4,
  ask: 314.1,
  bid_size: 12,
  ask_size: 9,
  source_seq: 1042,
} as const;

/** One quote as it is sent. */
export const QuoteInput = Type.Object(
  {
    symbol: Type.String({
      minLength: 1,
      maxLength: 64,
      description: "In any spelling; answers have the canonical one.",
    }),
    ts: timestamp({ description: "The venue's moment." }),
    bid: optionalNumber("Null or left out: there is none."),
    ask: optionalNumber("Null or left out: there is none."),
    bid_size: optionalNumber("At the bid."),
    ask_size: optionalNumber("At the ask."),
    last: optionalNumber("Of the last trade."),
    volume: optionalNumber("Of the day."),
    open_interest: optionalNumber("Of the contract."),
    source_seq: optionalNumber(
      "The venue's own number of this message, rising per symbol; with it order and repetition are judged by it, else by ts.",
    ),
  },
  { ...closed, $id: "QuoteInput", examples: [exampleQuote] },
);
export type QuoteInput = Static<typeof QuoteInput>;

export const QuoteBatch = Type.Object(
  { quotes: Type.Array(QuoteInput, { maxItems: quotesMax, description: "In the order in which they came." }) },
  { ...closed, $id: "QuoteBatch", examples: [{ quotes: [exampleQuote] }] },
);
export type QuoteBatch = Static<typeof QuoteBatch>;

/** The same as columns of a table. */
export const quoteColumns = {
  symbol: "word",
  ts: "word",
  ...{ bid: "number", ask: "number", bid_size: "number", ask_size: "number", last: "number", volume: "number" },
  ...{ open_interest: "number", source_seq: "number" },
} as const satisfies WireSchema;

export const quoteExamples = tableExamples([exampleQuote]);

export const QuotesTaken = Type.Object(
  {
    accepted: Type.Integer({ description: "Taken: they changed what is known." }),
    duplicates: Type.Integer({ description: "Equal to what was known." }),
    late: Type.Integer({ description: "Older than what was known: recorded, but they changed nothing." }),
    rejected_count: Type.Integer({ description: "Not taken." }),
    rejected: Type.Array(
      Type.Object(
        {
          index: Type.Integer({ description: "Its place in the body, from 0." }),
          code: Type.String({ description: "Why, in a word." }),
          detail: Type.String({ description: "Why, in a sentence." }),
        },
        { ...closed, $id: "QuoteRejection" },
      ),
      { description: `The first ${rejectionsShownMax} of them.` },
    ),
    durability: oneOf(["process"], {
      description:
        "What was taken survives the end of the process, kill -9 too. A power cut may take the last second of it.",
    }),
  },
  {
    ...closed,
    $id: "QuotesTaken",
    examples: [{ accepted: 1, duplicates: 0, late: 0, rejected_count: 0, rejected: [], durability: "process" }],
  },
);
export type QuotesTaken = Static<typeof QuotesTaken>;

const asOf = Type.Optional(
  timestamp({ description: "What was known then, nothing later. Left out: what is known now." }),
);
const units = Type.Optional(
  oneOf(["market", "raw"] as const, {
    description: "market (default): vega and rho for one point, theta for one day. raw: the derivatives themselves.",
  }),
);
const symbols = (description: string) =>
  Type.String({ minLength: 1, maxLength: 32_000, description, examples: ["SPXW261218C05800000"] });

export const quoteFormats = ["json", "ndjson", "csv"] as const;
export const chainFormats = ["json", "csv", "html"] as const;

export const QuotesQuery = Type.Object(
  {
    symbols: Type.Optional(
      symbols(
        `Of these, at most ${symbolsMax}, separated by commas. Without this and underlying: of every underlying itself.`,
      ),
    ),
    underlying: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: "Of all that is listed on it." }),
    ),
    as_of: asOf,
    format: Type.Optional(oneOf(quoteFormats, { description: "Without it what Accept asks for, else json." })),
  },
  closed,
);
export const GreeksQuery = Type.Object(
  { symbols: symbols(`Options, at most ${symbolsMax}, separated by commas.`), units, as_of: asOf },
  closed,
);
export const ChainPath = Type.Object(
  { underlying: Type.String({ minLength: 1, maxLength: 64, description: "The underlying's symbol." }) },
  closed,
);
export const ChainQuery = Type.Object(
  {
    expiry: Type.Optional(
      Type.String({ pattern: "^\\d{4}-\\d{2}-\\d{2}$", description: "Only of this day.", examples: ["2026-12-18"] }),
    ),
    strikes: Type.Optional(
      queryInteger({ minimum: 0, maximum: atmCountMax, description: "So many strikes on either side of the forward." }),
    ),
    percent: Type.Optional(
      Type.String({
        pattern: "^\\d{1,3}(\\.\\d{1,6})?$",
        description: "Strikes within so many percent of the forward.",
      }),
    ),
    delta: Type.Optional(
      Type.String({ pattern: "^[01](\\.\\d{1,6})?$", description: "Strikes whose call or put has about this delta." }),
    ),
    tolerance: Type.Optional(
      Type.String({ pattern: "^[01](\\.\\d{1,6})?$", description: "How far from delta; 0.05 where it is left out." }),
    ),
    units,
    as_of: asOf,
    format: Type.Optional(
      oneOf(chainFormats, { description: "Without it html for a browser, what Accept asks for, else json." }),
    ),
  },
  closed,
);
export type ChainQuery = Static<typeof ChainQuery>;
export const SurfaceQuery = Type.Object({ as_of: asOf }, closed);

const quoteFields = {
  symbol: Type.String(),
  ts: Type.Union([timestamp(), Type.Null()]),
  bid: numberOrNull("Null: there is none."),
  ask: numberOrNull("Null: there is none."),
  bid_size: numberOrNull("At the bid."),
  ask_size: numberOrNull("At the ask."),
  last: numberOrNull("Of the last trade."),
  volume: numberOrNull("Of the day."),
  open_interest: numberOrNull("Of the contract."),
};

const QuoteKnown = Type.Object(
  { ...quoteFields, source_seq: numberOrNull("The venue's own number."), received_at: timestamp() },
  { ...closed, $id: "QuoteKnown" },
);
export const quoteKnownColumns = Object.keys(QuoteKnown.properties);

const Missing = Type.Array(
  Type.Object(
    {
      symbol: Type.String(),
      reason: oneOf(["unknown_symbol", "no_quote", "not_an_option"], { description: "Why there is nothing to tell." }),
    },
    { ...closed, $id: "MissingSymbol" },
  ),
);

export const QuotesKnown = Type.Object(
  { data: Type.Array(QuoteKnown), missing: Missing },
  { ...closed, $id: "QuotesKnown", examples: [{ data: [], missing: [{ symbol: "SPX", reason: "no_quote" }] }] },
);

const wordOrNull = (words: readonly string[], description: string) =>
  Type.Union([oneOf(words.filter((word) => word !== "none")), Type.Null()], { description });

const cellFields = {
  ...quoteFields,
  quote: oneOf(quoteStates, { description: "What the quote is good for." }),
  iv: numberOrNull("Implied by the middle of its own quote."),
  volatility: numberOrNull("What it is valued at."),
  volatility_source: wordOrNull(volatilitySources, "Where that is from."),
  price: numberOrNull("Its value."),
  delta: numberOrNull("Of a unit of spot."),
  gamma: numberOrNull("Of a unit of spot."),
  vega: numberOrNull("In the units asked for."),
  theta: numberOrNull("In the units asked for."),
  rho: numberOrNull("In the units asked for."),
  reason: wordOrNull(bookReasons, "Why there is no value, or what is special about it."),
};
const headFields = {
  underlying: Type.String(),
  as_of: Type.Union([timestamp(), Type.Null()], { description: "The moment it was valued at." }),
  spot: numberOrNull("Null: not known."),
  spot_source: oneOf(spotSources),
  fitted_at: Type.Union([timestamp(), Type.Null()], { description: "The moment of the quotes that were fitted last." }),
};
const unitsOf = oneOf(["market", "raw"] as const);

const Greeks = Type.Object({ ...headFields, units: unitsOf, ...cellFields }, { ...closed, $id: "LiveGreeks" });
export const GreeksKnown = Type.Object(
  { data: Type.Array(Greeks), missing: Missing },
  { ...closed, $id: "GreeksKnown", examples: [{ data: [], missing: [{ symbol: "SPX", reason: "not_an_option" }] }] },
);

const ChainCell = Type.Object(cellFields, { ...closed, $id: "ChainCell" });
const expiryFields = {
  expiry: timestamp(),
  root: Type.String(),
  style: oneOf(["european", "american"]),
  time_to_expiry: numberOrNull("In years."),
  forward: numberOrNull("Null: not known."),
  forward_source: oneOf(forwardSources),
  discount: numberOrNull("Of a unit at expiry."),
  rate: numberOrNull("Continuous."),
  dividend_yield: numberOrNull("Continuous."),
  de_americanised: Type.Boolean({ description: "Whether early exercise was taken out of the quotes first." }),
};
export const Chain = Type.Object(
  {
    ...headFields,
    units: unitsOf,
    expiries: Type.Array(
      Type.Object(
        {
          ...expiryFields,
          rows: Type.Array(
            Type.Object(
              {
                strike: Type.Number(),
                call: Type.Union([ChainCell, Type.Null()]),
                put: Type.Union([ChainCell, Type.Null()]),
              },
              { ...closed, $id: "ChainRow" },
            ),
          ),
        },
        { ...closed, $id: "ChainExpiry" },
      ),
    ),
  },
  {
    ...closed,
    $id: "Chain",
    examples: [
      {
        ...{ underlying: "SPX", as_of: null, spot: null, spot_source: "none", fitted_at: null },
        ...{ units: "market", expiries: [] },
      },
    ],
  },
);
export const chainCsvColumns = [
  ...["underlying", "as_of", "spot", "expiry", "forward", "strike", "option_type"],
  ...Object.keys(cellFields),
];

const Slice = Type.Object(
  {
    ...{ a: Type.Number(), b: Type.Number(), rho: Type.Number(), m: Type.Number(), sigma: Type.Number() },
    put_wing: Type.Union([Type.Record(Type.String(), Type.Number(), closed), Type.Null()], {
      description: "What the puts far below the money have beside it.",
    }),
    fitted_time_to_expiry: Type.Number(),
    fitted_at: timestamp(),
    quote_count: Type.Integer(),
    atm_volatility: numberOrNull("At the forward."),
  },
  { ...closed, $id: "SurfaceSlice" },
);
export const Surface = Type.Object(
  {
    ...headFields,
    model: oneOf(["svi_put_wing"]),
    expiries: Type.Array(
      Type.Object(
        { ...expiryFields, slice: Type.Union([Slice, Type.Null()], { description: "Null: too few quotes." }) },
        { ...closed, $id: "SurfaceExpiry" },
      ),
    ),
  },
  {
    ...closed,
    $id: "Surface",
    examples: [
      {
        ...{ underlying: "SPX", as_of: null, spot: null, spot_source: "none", fitted_at: null },
        ...{ model: "svi_put_wing", expiries: [] },
      },
    ],
  },
);
