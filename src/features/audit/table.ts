// The tables audit owns. An event's row is written once and never changed: `hash` covers it and the row before it. What names a
// person stands in a row apart, of which the chain holds only a salted hash, so that erasing somebody breaks nothing.

import { sql } from "drizzle-orm";
import { check, index, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { microseconds, wholeNumber } from "../../storage/columns";

/** One act, attempted or done. Rows are chained in the order of `id`, without a gap. */
export const auditEvents = sqliteTable(
  "audit_events",
  {
    /** 1, 2, 3 …: the place in the chain. */
    id: wholeNumber("id").primaryKey().notNull(),
    /** When it happened. */
    timestamp: microseconds("timestamp").notNull(),
    /** e.g. auth.login.success; at most 50 characters. */
    eventType: text("event_type").notNull(),
    /** Whose act it was; null: nobody known, or the system. */
    userId: text("user_id"),
    /** What it was done to, e.g. api_keys/4fJ0aVb7QkXz; at most 255 characters. */
    resource: text("resource"),
    /** At most 50 characters. */
    action: text("action").notNull(),
    status: text("status", { enum: ["success", "failure"] }).notNull(),
    /** JSON, without anything that names a person and without secrets. */
    details: text("details").notNull(),
    /** When it was written. */
    createdAt: microseconds("created_at").notNull(),
    /** SHA-256 over the salt and the personal row, hexadecimal. */
    personalHash: text("personal_hash").notNull(),
    /** HMAC-SHA-256 of the row before, hexadecimal. */
    previousHash: text("prev_hash").notNull(),
    /** HMAC-SHA-256 over this row and prev_hash, hexadecimal. */
    hash: text("hash").notNull(),
  },
  (table) => [
    // A page newest first, of everything, of one user, of one type.
    index("audit_events_by_time").on(table.timestamp, table.id),
    index("audit_events_by_user").on(table.userId, table.timestamp, table.id),
    index("audit_events_by_type").on(table.eventType, table.timestamp, table.id),
    check("audit_events_status", sql`${table.status} in ('success', 'failure')`),
  ],
);

/** What names a person in an event. Erasing blanks the salt and every text, and says when. */
export const auditPersonal = sqliteTable("audit_personal", {
  eventId: wholeNumber("event_id")
    .primaryKey()
    .notNull()
    .references(() => auditEvents.id, { onDelete: "cascade" }),
  /** 32 random bytes, hexadecimal, so that the hash betrays nothing of what is gone; "" once erased. */
  salt: text("salt").notNull(),
  ipAddress: text("ip_address"),
  userAgent: text("user_agent"),
  /** JSON of further personal words, such as the address somebody tried to sign in with; null: none. */
  further: text("further"),
  erasedAt: microseconds("erased_at"),
});

/** Where retention cut the chain: the last row that is gone, signed. */
export const auditCheckpoints = sqliteTable("audit_checkpoints", {
  /** The place of the last row cut off. */
  eventId: wholeNumber("event_id").primaryKey().notNull(),
  /** That row's hash. */
  hash: text("hash").notNull(),
  createdAt: microseconds("created_at").notNull(),
  /** HMAC-SHA-256 over the three, hexadecimal. */
  signature: text("signature").notNull(),
});

/**
 * Erasures that are not done. Each goes over the user's events twice, a window at a time: at once, and a while later for what was noted before
 * and written since. The row says how far that came; it goes with the last window.
 */
export const auditErasures = sqliteTable("audit_erasures", {
  userId: text("user_id").primaryKey().notNull(),
  /** Not before this moment. */
  dueAt: microseconds("due_at").notNull(),
  /** 1: the second time. */
  isLast: wholeNumber("is_last").notNull(),
  /** The newest event there was when this time began; null: it did not begin. */
  upToId: wholeNumber("up_to_id"),
  /** Where the last window ended: events are walked in the order of timestamp and id. Null: none was done. */
  afterTimestamp: microseconds("after_timestamp"),
  afterId: wholeNumber("after_id"),
  /** Rows blanked this time. */
  count: wholeNumber("count").notNull(),
  /** HMAC-SHA-256 over the user's id: whoever can write here cannot have somebody erased by the server, and recorded as if it were right. */
  signature: text("signature"),
});
