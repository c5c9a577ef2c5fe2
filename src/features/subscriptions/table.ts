// The table subscriptions owns: what each account wants to be kept up to date, as it asked for it. What that comes to at a moment is never here: it follows
// from the market.

import { sql } from "drizzle-orm";
import { check, index, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { microseconds } from "../../storage/columns";
import { users } from "../identity/table";

export const subscriptions = sqliteTable(
  "subscriptions",
  {
    /** UUIDv7. */
    id: text("id").primaryKey().notNull(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    /** A label of the user's own. */
    accountId: text("account_id").notNull(),
    kind: text("kind", { enum: ["symbols", "ladder"] }).notNull(),
    /** What all of it is on; null: on several. */
    underlying: text("underlying"),
    /** JSON of the wanted symbols or of the ladder, canonical. */
    definition: text("definition").notNull(),
    /** SHA-256 of kind and definition, hexadecimal: the same thing is wanted once in an account. */
    fingerprint: text("fingerprint").notNull(),
    createdAt: microseconds("created_at").notNull(),
  },
  (table) => [
    uniqueIndex("subscriptions_once").on(table.userId, table.accountId, table.fingerprint),
    index("subscriptions_by_user").on(table.userId, table.createdAt, table.id),
    index("subscriptions_by_account").on(table.userId, table.accountId, table.createdAt, table.id),
    index("subscriptions_by_underlying").on(table.userId, table.underlying, table.createdAt, table.id),
    // The whole of it, read at the start and after each change.
    index("subscriptions_by_time").on(table.createdAt, table.id),
    check("subscriptions_kind", sql`${table.kind} in ('symbols', 'ladder')`),
  ],
);
