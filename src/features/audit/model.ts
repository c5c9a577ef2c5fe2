// What the audit log says and hears on the wire. The schemas are the only source of the types. Times are RFC 3339; what names a
// person stands in fields of its own, which are null once that person was erased.

import { type Static, Type } from "@sinclair/typebox";
import { csvRecords } from "../../adapters/tabular/csv";
import { oneOf, queryInteger, timestamp } from "../../foundation/wire";
import { auditEventTypes, auditStatuses } from "./rules";

const closed = { additionalProperties: false } as const;

export const pageLimitDefault = 50;
export const pageLimitMax = 200;
/** Types in one question. */
export const eventTypesMax = 20;

/** The formats an answer may have; JSON in pages, the others with everything the question wants. */
export const auditFormats = ["json", "ndjson", "csv"] as const;
export type AuditFormat = (typeof auditFormats)[number];

const exampleEvent = {
  id: 42,
  timestamp: "2026-01-02T03:04:05.678901Z",
  event_type: "apikey.created",
  user_id: "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10",
  ip_address: "192.0.2.7",
  user_agent: "curl/8.5.0",
  resource: "api_keys/4fJ0aVb7QkXz",
  action: "create",
  status: "success",
  details: { by: "principal", scopes: "pricing:read market:read", rate_class: "standard" },
  personal: null,
  erased_at: null,
  created_at: "2026-01-02T03:04:05.678912Z",
  prev_hash: "9f2c1b7e5a3d4c6f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7",
  hash: "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9",
} as const;

const detail = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]);

const eventProperties = {
  id: Type.Integer({ minimum: 1, description: "Its place in the chain: 1, 2, 3 …" }),
  timestamp: timestamp({ description: "When it happened." }),
  event_type: Type.String({ description: "What happened; the filter event_type takes these words." }),
  user_id: Type.Union([Type.String(), Type.Null()], {
    description: "Whose act it was; null: nobody known, or the system's own.",
  }),
  ip_address: Type.Union([Type.String(), Type.Null()], {
    description: "Where it came from, where that is known and not erased.",
  }),
  user_agent: Type.Union([Type.String(), Type.Null()], { description: "What it was sent with, likewise." }),
  resource: Type.Union([Type.String(), Type.Null()], { description: "What it was done to." }),
  action: Type.String({ description: "What was done, in a word." }),
  status: oneOf(auditStatuses, { description: "Whether it was done or refused." }),
  details: Type.Record(Type.String(), detail, {
    ...closed,
    description:
      "What else there is to tell; for a refusal its code, and how many more of it one line stands for (count).",
  }),
  personal: Type.Union([Type.Record(Type.String(), Type.String(), closed), Type.Null()], {
    description: "Further words that name a person, such as the address somebody tried to sign in with.",
  }),
  erased_at: Type.Union([timestamp(), Type.Null()], { description: "When what names a person was blanked." }),
  created_at: timestamp({ description: "When it was written." }),
  prev_hash: Type.String({ description: "The hash of the event before it." }),
  hash: Type.String({ description: "HMAC-SHA-256 over this event and prev_hash, hexadecimal." }),
};

/** One event as answers show it. */
export const AuditEventOnWire = Type.Object(eventProperties, {
  ...closed,
  $id: "AuditEvent",
  examples: [exampleEvent],
});
export type AuditEventOnWire = Static<typeof AuditEventOnWire>;

/** The columns of a table of events, in their order. */
export const auditColumns = Object.keys(eventProperties) as (keyof AuditEventOnWire)[];

export const AuditPage = Type.Object(
  {
    data: Type.Array(AuditEventOnWire),
    next_cursor: Type.Union([Type.String(), Type.Null()], { description: "Send it as cursor for the next page." }),
    has_more: Type.Boolean({ description: "Whether there may be more; a page can then hold fewer than its limit." }),
  },
  { ...closed, $id: "AuditPage", examples: [{ data: [exampleEvent], next_cursor: null, has_more: false }] },
);
export type AuditPage = Static<typeof AuditPage>;

export const AuditQuery = Type.Object(
  {
    event_type: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1000,
        description: `Only events of this type, or of one of up to ${eventTypesMax}, separated by commas: ${auditEventTypes.join(", ")}.`,
        examples: ["auth.login.failure,authz.access.denied"],
      }),
    ),
    user_id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, pattern: "^[0-9A-Za-z_-]+$", description: "Only this user's acts." }),
    ),
    status: Type.Optional(oneOf(auditStatuses, { description: "Only what was done, or what was refused." })),
    from: Type.Optional(timestamp({ description: "From this moment on." })),
    to: Type.Optional(timestamp({ description: "Before this moment." })),
    limit: Type.Optional(
      queryInteger({
        minimum: 1,
        maximum: pageLimitMax,
        description: `Events in a page, at most; ${pageLimitDefault} where it is left out. For JSON only.`,
      }),
    ),
    cursor: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: "The next_cursor of the page before. For JSON only." }),
    ),
    format: Type.Optional(
      oneOf(auditFormats, { description: "json, ndjson or csv; without it what Accept asks for, else json." }),
    ),
  },
  closed,
);
export type AuditQuery = Static<typeof AuditQuery>;

/** A page of events as CSV records, without the header: nulls as empty fields, details and personal words as JSON. */
export function eventsAsCsv(events: readonly AuditEventOnWire[]): string {
  return csvRecords(events.map((event) => auditColumns.map((column) => cellOf(event[column]))));
}

export const csvHeader = csvRecords([auditColumns]);

/** A page of events as one JSON text a line. */
export function eventsAsNdjson(events: readonly AuditEventOnWire[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}

function cellOf(value: AuditEventOnWire[keyof AuditEventOnWire]): string {
  if (value === null) return "";
  if (typeof value === "string") return value;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
