// The tables storage itself owns: the stored answers of idempotent requests, and what is to be told once its fact is committed. The table that records
// applied migrations is not here: it must exist before the first migration (see migrate.ts).

import { sql } from "drizzle-orm";
import { index, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { microseconds, wholeNumber } from "./columns";

/** One row an act that was done under an Idempotency-Key, written in the act's own transaction. */
export const idempotencyAnswers = sqliteTable(
  "idempotency_answers",
  {
    principalId: text("principal_id").notNull(),
    /** Method and route pattern, e.g. `POST /api/v1/api-keys`. */
    route: text("route").notNull(),
    /** The client's key, as sent. */
    key: text("key").notNull(),
    /** SHA-256 of the request's body, hexadecimal. */
    bodyHash: text("body_hash").notNull(),
    status: wholeNumber("status").notNull(),
    /** JSON of the answer, secrets already withheld. */
    body: text("body").notNull(),
    createdAt: microseconds("created_at").notNull(),
    /** Whom the body names, as an opaque word by which erasing that person finds it (see about.ts); null: nobody. */
    about: text("about"),
  },
  (table) => [
    primaryKey({ name: "idempotency_answers_pk", columns: [table.principalId, table.route, table.key] }),
    index("idempotency_answers_by_about").on(table.about).where(sql`${table.about} is not null`),
    // The sweep deletes the oldest first.
    index("idempotency_answers_by_time").on(table.createdAt),
  ],
);

/** Messages written beside the facts they tell, delivered afterwards at least once (see outbox.ts). A delivered one is deleted. */
export const outboxMessages = sqliteTable(
  "outbox_messages",
  {
    /** UUIDv7: in the order of writing. */
    id: text("id").primaryKey().notNull(),
    topic: text("topic").notNull(),
    /** JSON. May hold what only its reader should see; blanked once it is delivered or given up. */
    payload: text("payload").notNull(),
    createdAt: microseconds("created_at").notNull(),
    attempts: wholeNumber("attempts").notNull(),
    /** Not before this moment. */
    dueAt: microseconds("due_at").notNull(),
    /** The sender that has it in hand, and until when. */
    leaseOwner: text("lease_owner"),
    leasedUntil: microseconds("leased_until"),
    /** Set: given up after the last attempt. */
    failedAt: microseconds("failed_at"),
    /** What the last attempt failed with, in words without content. */
    lastFault: text("last_fault"),
    /** Whom the payload names, as an opaque word by which erasing that person finds it (see about.ts); null: nobody. */
    about: text("about"),
  },
  (table) => [
    index("outbox_messages_by_due").on(table.failedAt, table.dueAt),
    index("outbox_messages_by_about").on(table.about).where(sql`${table.about} is not null`),
  ],
);

/** Who leads what is one process's business at a time (see leadership.ts). A row a subject, made by the first to lead. */
export const leases = sqliteTable("leases", {
  name: text("name").primaryKey().notNull(),
  /** A word of the process that leads; null: it stopped in order. */
  holder: text("holder"),
  /** One more with each that comes to lead: what an earlier one still does can be told by it. */
  fence: wholeNumber("fence").notNull(),
  /** One more with each sign of life. */
  beat: wholeNumber("beat").notNull(),
});
