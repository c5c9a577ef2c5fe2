// What mode says on the wire. The schemas are the only source of the types.

import { type Static, Type } from "@sinclair/typebox";
import { marketSessions } from "../../domain/market-hours";
import { oneOf, timestamp } from "../../foundation/wire";
import { marketModes, simulationPolicies } from "./rules";

const closed = { additionalProperties: false } as const;

const momentOrNull = (description: string) => Type.Union([timestamp(), Type.Null()], { description });

const CalendarState = Type.Object(
  {
    calendar: Type.String({ description: "Its name, as instruments have it." }),
    session: Type.Union([oneOf(marketSessions), Type.Null()], {
      description:
        "closed, pre (early), open (the main session) or after (late); null: the calendar does not know that day.",
    }),
    since: momentOrNull("Since when; null: always, or longer than 40 days."),
    next: Type.Union([Type.Object({ at: timestamp(), session: oneOf(marketSessions) }, closed), Type.Null()], {
      description: "The next change; null: none within 40 days.",
    }),
    holidays_known: Type.Boolean({ description: "False where no list of holidays is known: weekends only." }),
  },
  closed,
);
export type CalendarState = Static<typeof CalendarState>;

export const ModeAnswer = Type.Object(
  {
    as_of: timestamp({ description: "The moment that all of this is about." }),
    mode: Type.Union([oneOf(marketModes), Type.Null()], {
      description:
        "live: the market trades; simulated: the simulated market stands in; closed: neither; null: nothing was known at that moment.",
    }),
    since: momentOrNull("Since when this server has been in that mode."),
    policy: Type.Union([oneOf(simulationPolicies), Type.Null()], { description: "The setting market_simulate." }),
    calendar: Type.Union([Type.String(), Type.Null()], {
      description: "The calendar that the policy goes by: the setting market_simulate_calendar.",
    }),
    mock: Type.Object(
      {
        state: oneOf(["running", "stopped", "failed"] as const),
        since: momentOrNull("Since when."),
      },
      { ...closed, description: "The simulated market." },
    ),
    next_change: Type.Union([Type.Object({ at: timestamp(), mode: oneOf(marketModes) }, closed), Type.Null()], {
      description: "When the mode changes next, unless a setting is changed; null: not in sight, or asked of the past.",
    }),
    calendars: Type.Array(CalendarState, { description: "Every calendar whose hours are known." }),
  },
  {
    ...closed,
    $id: "MarketMode",
    examples: [
      {
        as_of: "2026-11-20T15:00:00.000000Z",
        mode: "live",
        since: "2026-11-20T09:00:00.214000Z",
        policy: "when_closed",
        calendar: "new_york",
        mock: { state: "stopped", since: "2026-11-20T09:00:00.214000Z" },
        next_change: { at: "2026-11-21T01:00:00.000000Z", mode: "simulated" },
        calendars: [
          {
            calendar: "new_york",
            session: "open",
            since: "2026-11-20T14:30:00.000000Z",
            next: { at: "2026-11-20T21:00:00.000000Z", session: "after" },
            holidays_known: true,
          },
        ],
      },
    ],
  },
);
export type ModeAnswer = Static<typeof ModeAnswer>;

export const ModeQuery = Type.Object(
  { as_of: Type.Optional(timestamp({ description: "A moment: the mode then. Now where it is left out." })) },
  closed,
);
