// What instruments says and hears on the wire. The schemas are the only source of the types.

import { type Static, Type } from "@sinclair/typebox";
import { csvRecords } from "../../adapters/tabular/csv";
import { formatTimestamp } from "../../foundation/clock";
import { modelNumber, oneOf, queryInteger, timestamp } from "../../foundation/wire";
import type { InstrumentRow, QuarantineRow } from "./repository";
import { multiplierDecimals, priceDecimals, unscaled } from "./rules";

const closed = { additionalProperties: false } as const;

export const pageLimitDefault = 100;
export const pageLimitMax = 1000;
/** Instruments in one JSON body. */
export const entriesMax = 10_000;
/** Faults that an answer names; the others are in the quarantine. */
export const faultsShownMax = 100;

const symbolText = (description: string) => Type.String({ minLength: 1, maxLength: 64, description });
const orNull = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema, description: string) =>
  Type.Union([schema, Type.Null()], { description });

const kinds = ["underlying", "option", "future"] as const;
const optionTypes = ["call", "put"] as const;

const exampleOption = {
  symbol: "SPXW261218C05800000",
  kind: "option",
  underlying: "SPX",
  root: "SPXW",
  expiry: "2026-12-18T21:00:00.000000Z",
  strike: 5800,
  option_type: "call",
  style: "european",
  settlement: "pm",
  multiplier: 100,
  tick_size: 0.05,
  currency: "USD",
  calendar: "cboe",
  source: "import",
  listed_at: "2026-01-02T03:04:05.678901Z",
  expired_at: null,
} as const;

/** An instrument as lists show it. */
export const ListedInstrument = Type.Object(
  {
    symbol: Type.String({ description: "Canonical: OSI without spaces, exchange and name, or a ticker." }),
    kind: oneOf(kinds),
    underlying: Type.String({ description: "The symbol of what it is on; an underlying's own." }),
    root: Type.String({ description: "What the exchange calls the series." }),
    expiry: orNull(timestamp(), "The moment of settlement; null: none."),
    strike: orNull(modelNumber(), "Null: it has none."),
    option_type: orNull(oneOf(optionTypes), "Null: it is no option."),
    style: orNull(oneOf(["european", "american"] as const), "Null: it is no option."),
    settlement: orNull(oneOf(["am", "pm"] as const), "On opening or closing prices; null: neither, or not known."),
    multiplier: modelNumber({ description: "Units of the underlying that a contract stands for." }),
    tick_size: orNull(modelNumber(), "Smallest step of its price; null: not known."),
    currency: Type.String({ description: "ISO 4217, or a coin's ticker." }),
    calendar: Type.String({ description: "Whose hours and holidays it keeps." }),
    source: oneOf(["import", "feed", "rule"] as const, {
      description: "Who said so: an import, a feed, or the rules of its symbol.",
    }),
    listed_at: timestamp({ description: "Since when this is known." }),
    expired_at: orNull(timestamp(), "When it left the list; null: it is listed."),
  },
  { ...closed, $id: "Instrument", examples: [exampleOption] },
);
export type ListedInstrument = Static<typeof ListedInstrument>;

export const InstrumentPage = Type.Object(
  {
    data: Type.Array(ListedInstrument),
    next_cursor: Type.Union([Type.String(), Type.Null()], { description: "Send it as cursor for the next page." }),
    has_more: Type.Boolean(),
  },
  { ...closed, $id: "InstrumentPage", examples: [{ data: [exampleOption], next_cursor: null, has_more: false }] },
);
export type InstrumentPage = Static<typeof InstrumentPage>;

const asOf = timestamp({
  description: "A moment: what was listed then, as it was known then. Now where it is left out.",
});
const bound = (description: string) => Type.String({ minLength: 10, maxLength: 35, description });
const strikeBound = (description: string) =>
  Type.String({ maxLength: 20, pattern: "^\\d{1,9}(\\.\\d{1,9})?$", description });

export const InstrumentQuery = Type.Object(
  {
    underlying: Type.Optional(symbolText("Its symbol, in any spelling.")),
    kind: Type.Optional(oneOf(kinds)),
    option_type: Type.Optional(oneOf(optionTypes)),
    expiry_gte: Type.Optional(bound("A moment, or a day in UTC: what expires then or later.")),
    expiry_lte: Type.Optional(bound("A moment, or a day in UTC: what expires then or earlier.")),
    strike_gte: Type.Optional(strikeBound("The lowest strike.")),
    strike_lte: Type.Optional(strikeBound("The highest strike.")),
    as_of: Type.Optional(asOf),
    limit: Type.Optional(
      queryInteger({
        minimum: 1,
        maximum: pageLimitMax,
        description: `Instruments in a page, at most; ${pageLimitDefault} where it is left out.`,
      }),
    ),
    cursor: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: "The next_cursor of the page before." }),
    ),
    format: Type.Optional(
      oneOf(["json", "ndjson", "csv"] as const, { description: "The answer's format, before what Accept says." }),
    ),
  },
  closed,
);
export type InstrumentQuery = Static<typeof InstrumentQuery>;

export const InstrumentPath = Type.Object(
  {
    symbol: Type.String({
      minLength: 1,
      maxLength: 64,
      description: "Any spelling of the symbol, percent-encoded.",
      examples: ["SPXW261218C05800000"],
    }),
  },
  closed,
);
export const InstrumentMomentQuery = Type.Object({ as_of: Type.Optional(asOf) }, closed);

const decimal = Type.Union([
  modelNumber(),
  Type.String({ maxLength: 20, pattern: "^\\d{1,10}(\\.\\d{1,9})?$" }),
  Type.Null(),
]);
const word = (lengthMax: number) => Type.Union([Type.String({ maxLength: lengthMax }), Type.Null()]);

/** What is brought of one instrument. */
export const InstrumentEntryBody = Type.Object(
  {
    symbol: symbolText("In any spelling; what it says by its exchange's rules need not be said again."),
    kind: Type.Optional(word(10)),
    underlying: Type.Optional(word(64)),
    root: Type.Optional(word(20)),
    expiry: Type.Optional(word(35)),
    strike: Type.Optional(decimal),
    option_type: Type.Optional(word(4)),
    style: Type.Optional(word(8)),
    settlement: Type.Optional(word(2)),
    multiplier: Type.Optional(decimal),
    tick_size: Type.Optional(decimal),
    currency: Type.Optional(word(10)),
    calendar: Type.Optional(word(40)),
  },
  {
    ...closed,
    $id: "InstrumentEntry",
    examples: [{ symbol: "SPXW261218C05800000" }, { symbol: "nse:NIFTY26NOV24000CE", multiplier: 75 }],
  },
);

export const InstrumentEntries = Type.Object(
  { instruments: Type.Array(InstrumentEntryBody, { minItems: 1, maxItems: entriesMax }) },
  {
    ...closed,
    $id: "InstrumentEntries",
    examples: [{ instruments: [{ symbol: "SPXW261218C05800000" }, { symbol: "SPXW261218P05800000" }] }],
  },
);

const count = (description: string) => Type.Integer({ minimum: 0, description });

export const InstrumentImport = Type.Object(
  {
    received: count("Rows in the body."),
    listed: count("New on the list."),
    changed: count("Listed already, with other terms."),
    unchanged: count("Listed already, with the same terms."),
    expired: count("Expired already: not listed."),
    quarantined: count("Not understood, or without room: not listed."),
    faults: Type.Array(
      Type.Object(
        {
          line: count("Line of a text, place in a list, from 1."),
          detail: Type.String({ description: "What is wrong there." }),
        },
        closed,
      ),
      { description: `The first ${faultsShownMax} of those in quarantine.` },
    ),
  },
  {
    ...closed,
    $id: "InstrumentImport",
    examples: [{ received: 2, listed: 2, changed: 0, unchanged: 0, expired: 0, quarantined: 0, faults: [] }],
  },
);
export type InstrumentImport = Static<typeof InstrumentImport>;

export const QuarantinedInstrument = Type.Object(
  {
    id: Type.String(),
    received_at: timestamp({ description: "When it was brought." }),
    format: Type.String({ description: "The format of the body." }),
    line: count("Line of a text, place in a list, from 1."),
    detail: Type.String({ description: "What is wrong there." }),
    content: Type.String({ description: "What stood there, or its beginning." }),
  },
  { ...closed, $id: "QuarantinedInstrument" },
);
export type QuarantinedInstrument = Static<typeof QuarantinedInstrument>;

const exampleQuarantined = {
  id: "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10",
  received_at: "2026-01-02T03:04:05.678901Z",
  format: "csv",
  line: 3,
  detail: '"SPXW261318C05800000" names an expiry day that is in no calendar',
  content: "SPXW261318C05800000",
};

export const QuarantinePage = Type.Object(
  {
    data: Type.Array(QuarantinedInstrument),
    next_cursor: Type.Union([Type.String(), Type.Null()], { description: "Send it as cursor for the next page." }),
    has_more: Type.Boolean(),
  },
  { ...closed, $id: "QuarantinePage", examples: [{ data: [exampleQuarantined], next_cursor: null, has_more: false }] },
);
export type QuarantinePage = Static<typeof QuarantinePage>;

export const QuarantineQuery = Type.Object(
  {
    limit: Type.Optional(
      queryInteger({
        minimum: 1,
        maximum: pageLimitMax,
        description: `Rows in a page, at most; ${pageLimitDefault} where it is left out.`,
      }),
    ),
    cursor: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: "The next_cursor of the page before." }),
    ),
  },
  closed,
);

/** A row as clients see it; `asOf`: at that moment, when it may not have ended yet. */
export function instrumentOnWire(row: InstrumentRow, asOf: bigint | null): ListedInstrument {
  const hasExpired = row.endReason === "expired" && row.endedAt !== null && (asOf === null || row.endedAt <= asOf);
  return {
    symbol: row.symbol,
    kind: row.kind,
    underlying: row.underlying,
    root: row.root,
    expiry: row.expiry === null ? null : formatTimestamp(row.expiry),
    strike: row.strike === null ? null : unscaled(row.strike, priceDecimals),
    option_type: row.optionType,
    style: row.style,
    settlement: row.settlement,
    multiplier: unscaled(row.multiplier, multiplierDecimals),
    tick_size: row.tickSize === null ? null : unscaled(row.tickSize, priceDecimals),
    currency: row.currency,
    calendar: row.calendar,
    source: row.source,
    listed_at: formatTimestamp(row.listedAt),
    expired_at: hasExpired ? formatTimestamp(row.endedAt!) : null,
  };
}

export function quarantinedOnWire({ receivedAt, ...row }: QuarantineRow): QuarantinedInstrument {
  return { ...row, received_at: formatTimestamp(receivedAt) };
}

const csvColumns = Object.keys(exampleOption) as (keyof ListedInstrument)[];

export const csvHeader = csvRecords([csvColumns]);

export function instrumentsAsCsv(listed: readonly ListedInstrument[]): string {
  return csvRecords(listed.map((one) => csvColumns.map((name) => String(one[name] ?? ""))));
}

export function instrumentsAsNdjson(listed: readonly ListedInstrument[]): string {
  return listed.map((one) => `${JSON.stringify(one)}\n`).join("");
}
