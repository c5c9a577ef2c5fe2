// The tables identity owns: users and their API keys. A secret is never here, only its SHA-256: a key's
// secret is 256 random bits, which no dictionary reaches, so a slow password hash would buy nothing and
// cost every request. Rows of keys are kept after revocation: they say who held what, and until when.

import { sql } from "drizzle-orm";
import { type AnySQLiteColumn, check, index, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { roles } from "../../domain/permission";
import { type RateClass, rateClasses } from "../../domain/principal";
import { microseconds } from "../../storage/columns";

/** A closed list as SQL literals; the words are ours and hold no quote. */
const literals = (words: readonly string[]) => sql.raw(words.map((word) => `'${word}'`).join(", "));

/** A person or the owner of keys. Everything in the system belongs to one of these. */
export const users = sqliteTable(
  "users",
  {
    /** UUIDv7. */
    id: text("id").primaryKey().notNull(),
    name: text("name").notNull(),
    /** In lower case; null: owns keys and never signs in, or was erased. */
    email: text("email"),
    emailVerifiedAt: microseconds("email_verified_at"),
    role: text("role", { enum: roles }).notNull(),
    /** Login sessions begun before this moment are over (password, role or state changed). */
    sessionsValidFrom: microseconds("sessions_valid_from").notNull().default(sql`0`),
    /** Set: none of the user's credentials is honoured. */
    disabledAt: microseconds("disabled_at"),
    /** Set: the person's data were blanked; the row stays, for others refer to it. Also disabled then. */
    erasedAt: microseconds("erased_at"),
    createdAt: microseconds("created_at").notNull(),
    updatedAt: microseconds("updated_at").notNull(),
  },
  (table) => [
    uniqueIndex("users_by_email").on(table.email),
    // A page of all users, newest first.
    index("users_by_time").on(table.createdAt, table.id),
    check("users_role", sql`${table.role} in (${literals(roles)})`),
  ],
);

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
