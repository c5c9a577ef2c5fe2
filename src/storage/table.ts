// The tables storage itself owns: the stored answers of idempotent requests. The table that records
// applied migrations is not here: it must exist before the first migration (see migrate.ts).

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
  },
  (table) => [
    primaryKey({ name: "idempotency_answers_pk", columns: [table.principalId, table.route, table.key] }),
    // The sweep deletes the oldest first.
    index("idempotency_answers_by_time").on(table.createdAt),
  ],
);
