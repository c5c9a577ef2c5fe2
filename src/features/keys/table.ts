// The table keys owns. A secret is never here, only its SHA-256: a key's secret is 256 random bits, which no dictionary
// reaches, so a slow password hash would buy nothing and cost every request. Rows are kept after revocation: they say
// who held what, and until when.

import { sql } from "drizzle-orm";
import { type AnySQLiteColumn, check, index, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { type RateClass, rateClasses } from "../../domain/principal";
import { microseconds } from "../../storage/columns";
import { users } from "../identity/table";

/** A closed list as SQL literals; the words are ours and hold no quote. */
const literals = (words: readonly string[]) => sql.raw(words.map((word) => `'${word}'`).join(", "));

/** API keys. `id` is the public half of the key's text, looked up at every cache miss. */
export const apiKeys = sqliteTable(
  "api_keys",
  {
    /** 12 letters and digits. */
    id: text("id").primaryKey().notNull(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    /** SHA-256 of the secret, 64 lower-case hexadecimal digits. */
    secretHash: text("secret_hash").notNull(),
    /** A JSON array of permissions. */
    scopes: text("scopes").notNull(),
    rateClass: text("rate_class").$type<RateClass>().notNull(),
    expiresAt: microseconds("expires_at"),
    /** A JSON array of addresses and CIDR blocks, or null for anywhere. */
    ipAllow: text("ip_allow"),
    /** The key that made this one: its scopes bound this one's at each use. Null: made by the command line or at first start. */
    createdByKeyId: text("created_by_key_id").references((): AnySQLiteColumn => apiKeys.id, { onDelete: "set null" }),
    createdAt: microseconds("created_at").notNull(),
    revokedAt: microseconds("revoked_at"),
    lastUsedAt: microseconds("last_used_at"),
  },
  (table) => [
    // A page of one user's keys, newest first.
    index("api_keys_by_user").on(table.userId, table.createdAt, table.id),
    // A page of everybody's keys, for the operator's command line.
    index("api_keys_by_time").on(table.createdAt, table.id),
    // "Which keys did this one make", asked when a key is revoked, and by the foreign key above.
    index("api_keys_by_maker").on(table.createdByKeyId),
    check("api_keys_rate_class", sql`${table.rateClass} in (${literals(rateClasses)})`),
    check("api_keys_secret_hash", sql`length(${table.secretHash}) = 64`),
  ],
);
