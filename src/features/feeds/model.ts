// What GET /api/v1/market/feeds says on the wire.

import { type Static, Type } from "@sinclair/typebox";
import { timestamp } from "../../foundation/wire";

const closed = { additionalProperties: false } as const;
const count = (description: string) => Type.Integer({ minimum: 0, description });
const moment = (description: string) => Type.Union([timestamp({ description }), Type.Null()]);

export const MarketFeed = Type.Object(
  {
    name: Type.String({ description: "The feed, with the file's name where it plays one." }),
    kind: Type.Union([
      Type.Literal("simulated"),
      Type.Literal("replay"),
      Type.Literal("kite"),
      Type.Literal("deribit"),
    ]),
    state: Type.Union(
      [
        Type.Literal("idle"),
        Type.Literal("connecting"),
        Type.Literal("live"),
        Type.Literal("resting"),
        Type.Literal("ended"),
        Type.Literal("stopped"),
      ],
      {
        description:
          "idle: not to run at present; resting: left alone for a minute because too much of it could not be read; ended: a recording is over.",
      },
    ),
    since: timestamp({ description: "Since when it is in this state." }),
    last_message_at: moment("When the source last said anything; null before that, and between two connections."),
    last_quote_at: moment("When it last delivered a quote."),
    wanted: Type.Union([count("Symbols it was asked for."), Type.Null()], { description: "Null: all there is." }),
    confirmed: count("Symbols that the source delivers, as far as it says."),
    batches: count("Batches of quotes delivered."),
    quotes: count("Quotes delivered."),
    gaps: count("Times the source skipped something or was lost."),
    missing: count("Messages known to be missing."),
    faults: count("Messages that could not be read."),
    reconnects: count("Times it was connected anew."),
    conflated: count("Quotes that a later one took the place of while the market was full."),
    dropped: count("Quotes dropped because too many symbols waited."),
    lag_seconds: Type.Union([Type.Number(), Type.Null()], {
      description: "From the venue's moment to ours, of the last quote; below 0 where clocks differ.",
    }),
    last_trouble: Type.Union([Type.String({ maxLength: 200 }), Type.Null()], {
      description: "What was last wrong with it, in words.",
    }),
  },
  { ...closed, $id: "MarketFeed" },
);

export const MarketFeeds = Type.Object(
  { data: Type.Array(MarketFeed, { maxItems: 100 }) },
  {
    ...closed,
    $id: "MarketFeeds",
    examples: [
      {
        data: [
          {
            ...{ name: "simulated", kind: "simulated", state: "live", since: "2026-01-05T14:30:00.000000Z" },
            ...{ last_message_at: "2026-01-05T14:31:00.010000Z", last_quote_at: "2026-01-05T14:31:00.010000Z" },
            ...{ wanted: null, confirmed: 642, batches: 6000, quotes: 12000, gaps: 0, missing: 0, faults: 0 },
            ...{ reconnects: 0, conflated: 0, dropped: 0, lag_seconds: 0.004, last_trouble: null },
          },
        ],
      },
    ],
  },
);

export type FeedOnWire = Static<typeof MarketFeed>;
