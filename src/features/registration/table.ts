// The tables registration owns: passwords, and the tokens that mails carry. A password is kept as its argon2id text, a token as its
// SHA-256: neither can be read back.

import { sql } from "drizzle-orm";
import { check, index, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { microseconds } from "../../storage/columns";
import { users } from "../identity/table";

/** A user's password; no row: the user has none and cannot sign in with one. */
export const passwords = sqliteTable("passwords", {
  userId: text("user_id")
    .primaryKey()
    .notNull()
    .references(() => users.id, { onDelete: "cascade" }),
  /** argon2id in PHC format, parameters and salt included. */
  hash: text("hash").notNull(),
  changedAt: microseconds("changed_at").notNull(),
  /** Set: the address was registered again with another password before it was confirmed, so this one may be a stranger's. */
  contestedAt: microseconds("contested_at"),
});

/** What a mailed token is for. */
export const tokenPurposes = ["verify_email", "reset_password"] as const;
export type TokenPurpose = (typeof tokenPurposes)[number];

/** Tokens in mails: each works once, until it expires or another of its kind is sent. */
export const mailedTokens = sqliteTable(
  "mailed_tokens",
  {
    /** SHA-256 of the token, hexadecimal. */
    tokenHash: text("token_hash").primaryKey().notNull(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    purpose: text("purpose", { enum: tokenPurposes }).notNull(),
    createdAt: microseconds("created_at").notNull(),
    expiresAt: microseconds("expires_at").notNull(),
    usedAt: microseconds("used_at"),
  },
  (table) => [
    index("mailed_tokens_by_user").on(table.userId, table.purpose),
    index("mailed_tokens_by_expiry").on(table.expiresAt),
    check("mailed_tokens_purpose", sql`${table.purpose} in ('verify_email', 'reset_password')`),
  ],
);
