// What subscriptions say and hear on the wire. The schemas are the only source of the types.

import { type Static, Type } from "@sinclair/typebox";
import { ladderSides, ladderSymbolsMax } from "../../domain/strike-ladder";
import { oneOf, queryInteger, timestamp } from "../../foundation/wire";
import {
  accountIdDefault,
  accountIdLengthMax,
  datesCountMax,
  daysMax,
  hysteresisDefault,
  namedCountMax,
  nearestMax,
  pageLimitDefault,
  pageLimitMax,
  restSecondsDefault,
  restSecondsMax,
  stepsMax,
  subscriptionReasons,
  subscriptionStatuses,
} from "./rules";

const closed = { additionalProperties: false } as const;

const accountId = Type.String({
  minLength: 1,
  maxLength: accountIdLengthMax,
  pattern: "^[0-9A-Za-z][0-9A-Za-z._-]*$",
  description: `A trading account of yours, by any label: letters, digits, dot, dash, underscore; ${accountIdDefault} unless given.`,
  examples: ["main"],
});

const name = (description: string) => Type.String({ minLength: 1, maxLength: 64, description });

const Ladder = Type.Object(
  {
    strikes: Type.Optional(
      Type.Array(Type.Number({ minimum: 1e-9, maximum: 1e12 }), {
        minItems: 1,
        maxItems: namedCountMax,
        description: "These strikes.",
      }),
    ),
    atm: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: stepsMax,
        description: "The strike nearest to the forward and so many on each side.",
      }),
    ),
    percent: Type.Optional(
      Type.Number({ minimum: 0.001, maximum: 100, description: "Strikes within so many percent of the forward." }),
    ),
    delta: Type.Optional(
      Type.Object(
        {
          target: Type.Number({ minimum: 0, maximum: 1, description: "Without its sign." }),
          tolerance: Type.Number({ minimum: 0.0001, maximum: 1 }),
        },
        { ...closed, description: "Options whose delta, without its sign, lies within target ± tolerance." },
      ),
    ),
    dates: Type.Optional(
      Type.Array(Type.String({ minLength: 10, maxLength: 10, description: "YYYY-MM-DD" }), {
        minItems: 1,
        maxItems: datesCountMax,
        description: "Expiries on these days.",
      }),
    ),
    nearest: Type.Optional(
      Type.Integer({ minimum: 1, maximum: nearestMax, description: "So many next days of expiry; rolls by itself." }),
    ),
    days: Type.Optional(
      Type.Object(
        {
          from: Type.Integer({ minimum: 0, maximum: daysMax }),
          to: Type.Integer({ minimum: 0, maximum: daysMax }),
        },
        { ...closed, description: "Expiries so many days away, both ends included." },
      ),
    ),
    side: Type.Optional(oneOf(ladderSides, { description: "Which of a strike's two options; both unless given." })),
    hysteresis: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 0.5,
        description: `The ladder moves when the forward has passed the middle between two strikes by this share of their distance; ${hysteresisDefault} unless given.`,
      }),
    ),
    rest_seconds: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: restSecondsMax,
        description: `Shortest time between two moves of an expiry; ${restSecondsDefault} unless given.`,
      }),
    ),
  },
  {
    ...closed,
    $id: "StrikeLadder",
    description:
      "One way to choose strikes (strikes, atm, percent, delta) and one to choose expiries (dates, nearest, days). Strikes are counted from each expiry's own forward.",
    examples: [{ atm: 5, nearest: 2 }],
  },
);

/** The body of POST /api/v1/subscriptions. */
export const SubscriptionRequest = Type.Object(
  {
    account_id: Type.Optional(accountId),
    symbols: Type.Optional(
      Type.Array(name("Any spelling that instruments are known by."), {
        minItems: 1,
        maxItems: namedCountMax,
        description: "These instruments; or a ladder.",
      }),
    ),
    underlying: Type.Optional(name("What the ladder is on.")),
    ladder: Type.Optional(Ladder),
  },
  {
    ...closed,
    $id: "SubscriptionRequest",
    examples: [
      { symbols: ["SPXW261218C05800000", "SPX"] },
      { account_id: "desk-2", underlying: "SPX", ladder: { atm: 5, nearest: 2, side: "out_of_the_money" } },
      { underlying: "SPX", ladder: { delta: { target: 0.25, tolerance: 0.05 }, days: { from: 20, to: 45 } } },
    ],
  },
);
export type SubscriptionRequest = Static<typeof SubscriptionRequest>;

const subscriptionId = Type.String({
  pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
  description: "UUIDv7.",
  examples: ["019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10"],
});

const properties = {
  id: subscriptionId,
  account_id: accountId,
  underlying: Type.Union([Type.String(), Type.Null()], {
    description: "What all of it is on; null where that is several.",
  }),
  symbols: Type.Union([Type.Array(Type.String()), Type.Null()], { description: "Canonical; null of a ladder." }),
  ladder: Type.Union([Ladder, Type.Null()], { description: "With what was left out filled in; null of symbols." }),
  status: oneOf(subscriptionStatuses, {
    description:
      "active: all of it comes; partial: confirmed_count of wanted_count; waiting: nothing yet; expired: all that it could be is over.",
  }),
  wanted_count: Type.Integer({ minimum: 0, description: "Instruments that it stands for now." }),
  confirmed_count: Type.Integer({ minimum: 0, description: "Those of them that the sources have confirmed." }),
  reasons: Type.Array(oneOf(subscriptionReasons), { description: "Why it is not more; empty where it is active." }),
  missing: Type.Array(Type.String(), { maxItems: 20, description: "Some that are not confirmed." }),
  created_at: timestamp(),
};

const example = {
  id: "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10",
  account_id: "main",
  underlying: "SPX",
  symbols: null,
  ladder: {
    atm: 5,
    nearest: 2,
    side: "both" as const,
    hysteresis: hysteresisDefault,
    rest_seconds: restSecondsDefault,
  },
  status: "partial" as const,
  wanted_count: 44,
  confirmed_count: 43,
  reasons: ["not_confirmed" as const],
  missing: ["SPXW261218C05800000"],
  created_at: "2026-01-02T03:04:05.678901Z",
};

export const Subscription = Type.Object(properties, { ...closed, $id: "Subscription", examples: [example] });
export type Subscription = Static<typeof Subscription>;

export const SubscriptionDetail = Type.Object(
  {
    ...properties,
    wanted_symbols: Type.Array(Type.String(), {
      maxItems: ladderSymbolsMax,
      description: "What it stands for now.",
    }),
  },
  {
    ...closed,
    $id: "SubscriptionDetail",
    examples: [
      {
        ...example,
        wanted_count: 1,
        confirmed_count: 0,
        status: "waiting" as const,
        wanted_symbols: ["SPXW261218C05800000"],
      },
    ],
  },
);
export type SubscriptionDetail = Static<typeof SubscriptionDetail>;

export const SubscriptionPage = Type.Object(
  {
    data: Type.Array(Subscription),
    next_cursor: Type.Union([Type.String(), Type.Null()], { description: "Send it as cursor for the next page." }),
    has_more: Type.Boolean(),
  },
  { ...closed, $id: "SubscriptionPage", examples: [{ data: [example], next_cursor: null, has_more: false }] },
);
export type SubscriptionPage = Static<typeof SubscriptionPage>;

export const SubscriptionPath = Type.Object({ id: subscriptionId }, closed);

export const SubscriptionQuery = Type.Object(
  {
    account_id: Type.Optional(accountId),
    underlying: Type.Optional(name("Only what is wholly on this.")),
    limit: Type.Optional(
      queryInteger({
        minimum: 1,
        maximum: pageLimitMax,
        description: `At most so many; ${pageLimitDefault} unless given.`,
      }),
    ),
    cursor: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: "The next_cursor of the page before." }),
    ),
  },
  closed,
);
