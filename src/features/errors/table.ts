// The table of errors that nobody foresaw: a row a kind of error, however often it came. Nothing of a request stands here but its route's
// pattern and its trace: neither message nor value, so nobody is named.

import { index, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { microseconds, wholeNumber } from "../../storage/columns";

export const trackedErrors = sqliteTable(
  "tracked_errors",
  {
    /** The fingerprint: 32 hexadecimal digits of a SHA-256. */
    id: text("id").primaryKey().notNull(),
    name: text("name").notNull(),
    code: text("code"),
    /** JSON: places in this program's own code, the innermost first. */
    frames: text("frames").notNull(),
    /** How it came to be, the last time: a request, a rejection or an exception that nobody caught. */
    kind: text("kind").notNull(),
    route: text("route"),
    traceId: text("trace_id"),
    version: text("version").notNull(),
    count: wholeNumber("count").notNull(),
    firstSeenAt: microseconds("first_seen_at").notNull(),
    lastSeenAt: microseconds("last_seen_at").notNull(),
    /** Null: open. Seen again it is open again. */
    resolvedAt: microseconds("resolved_at"),
  },
  (table) => [index("tracked_errors_by_time").on(table.lastSeenAt, table.id)],
);
