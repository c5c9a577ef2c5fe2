// The tables login owns: the second factor, what stands in for it, and logins that await it. Opaque tokens are kept as SHA-256; what
// must be read back (a TOTP secret) is sealed under a key that is not in the database.

import { sql } from "drizzle-orm";
import { check, index, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { microseconds, wholeNumber } from "../../storage/columns";
import { users } from "../identity/table";

/** A user's second factor (RFC 6238). */
export const totpFactors = sqliteTable("totp_factors", {
  userId: text("user_id")
    .primaryKey()
    .notNull()
    .references(() => users.id, { onDelete: "cascade" }),
  sealedSecret: text("sealed_secret").notNull(),
  createdAt: microseconds("created_at").notNull(),
  /** Null until a first code was shown to be right: till then it asks for nothing. */
  confirmedAt: microseconds("confirmed_at"),
  /** The last time step whose code was taken: none works twice. */
  lastStep: wholeNumber("last_step"),
});

/** What stands in for the second factor when the device is lost; each works once. */
export const recoveryCodes = sqliteTable(
  "recovery_codes",
  {
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    /** SHA-256, hexadecimal. */
    codeHash: text("code_hash").notNull(),
    usedAt: microseconds("used_at"),
  },
  (table) => [primaryKey({ name: "recovery_codes_pk", columns: [table.userId, table.codeHash] })],
);

/** A password was right and the second factor is awaited. */
export const loginChallenges = sqliteTable(
  "login_challenges",
  {
    /** SHA-256 of the mfa_token, hexadecimal. */
    tokenHash: text("token_hash").primaryKey().notNull(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    kind: text("kind", { enum: ["token", "cookie"] }).notNull(),
    createdAt: microseconds("created_at").notNull(),
    expiresAt: microseconds("expires_at").notNull(),
    attempts: wholeNumber("attempts").notNull(),
    usedAt: microseconds("used_at"),
  },
  (table) => [
    index("login_challenges_by_expiry").on(table.expiresAt),
    index("login_challenges_by_user").on(table.userId),
    check("login_challenges_kind", sql`${table.kind} in ('token', 'cookie')`),
  ],
);
