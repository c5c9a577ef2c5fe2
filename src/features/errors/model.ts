// What is said on the wire of errors that nobody foresaw. No message has a place here: it may hold what somebody sent.

import { type Static, Type } from "@sinclair/typebox";
import { oneOf, queryInteger, timestamp } from "../../foundation/wire";
import { errorKinds } from "./rules";

const closed = { additionalProperties: false } as const;

export const pageLimitDefault = 50;
export const pageLimitMax = 200;

const errorId = Type.String({
  minLength: 32,
  maxLength: 32,
  pattern: "^[0-9a-f]{32}$",
  description: "Its fingerprint: of its name, its code and where in the program it arose.",
  examples: ["3f0a9c2b7d8e4f6a1b5c9d0e2f7a8b6c"],
});

const example = {
  id: "3f0a9c2b7d8e4f6a1b5c9d0e2f7a8b6c",
  name: "InvariantError",
  code: null,
  frames: ["src/http/server.ts:182", "src/http/server.ts:251"],
  kind: "request" as const,
  route: "/api/v1/pricing/price",
  trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
  version: "0.1.0",
  count: 3,
  first_seen_at: "2026-01-02T03:04:05.678901Z",
  last_seen_at: "2026-01-02T04:00:00.000000Z",
  resolved_at: null,
};

export const TrackedError = Type.Object(
  {
    id: errorId,
    name: Type.String({ description: "The error's class." }),
    code: Type.Union([Type.String(), Type.Null()], { description: "Its code, where it has one." }),
    frames: Type.Array(Type.String(), { description: "Places in the program, the innermost first." }),
    kind: oneOf(errorKinds, { description: "How it came to be, the last time." }),
    route: Type.Union([Type.String(), Type.Null()], { description: "The pattern of the route that met it last." }),
    trace_id: Type.Union([Type.String(), Type.Null()], {
      description: "Of the last request that met it: the log's lines about it have the same.",
    }),
    version: Type.String({ description: "The program's version, the last time." }),
    count: Type.Integer({ description: "How often it came." }),
    first_seen_at: timestamp(),
    last_seen_at: timestamp(),
    resolved_at: Type.Union([timestamp(), Type.Null()], { description: "Null: open. Seen again, it is open again." }),
  },
  { ...closed, $id: "TrackedError", examples: [example] },
);
export type TrackedError = Static<typeof TrackedError>;

export const TrackedErrorPage = Type.Object(
  {
    data: Type.Array(TrackedError),
    next_cursor: Type.Union([Type.String(), Type.Null()], { description: "Send it as cursor for the next page." }),
    has_more: Type.Boolean(),
  },
  { ...closed, $id: "TrackedErrorPage", examples: [{ data: [example], next_cursor: null, has_more: false }] },
);
export type TrackedErrorPage = Static<typeof TrackedErrorPage>;

export const TrackedErrorPath = Type.Object({ id: errorId }, closed);

export const TrackedErrorQuery = Type.Object(
  {
    state: Type.Optional(oneOf(["open", "resolved"], { description: "Only those; both without it." })),
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
