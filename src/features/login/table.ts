// The tables login owns: sessions, the refresh tokens of each, and the second factor. Opaque tokens are kept as SHA-256; what must be
// read back (a TOTP secret) is sealed under a key that is not in the database.

import { sql } from "drizzle-orm";
import { check, index, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { microseconds, wholeNumber } from "../../storage/columns";
import { users } from "../identity/table";

/** One sign-in on one device; its refresh tokens are one family. */
export const loginSessions = sqliteTable(
  "login_sessions",
  {
    /** UUIDv7. */
    id: text("id").primaryKey().notNull(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    kind: text("kind", { enum: ["token", "cookie"] }).notNull(),
    /** Cookie sessions: SHA-256 of the cookie and of its CSRF token, hexadecimal. */
    cookieHash: text("cookie_hash"),
    csrfHash: text("csrf_hash"),
    createdAt: microseconds("created_at").notNull(),
    lastUsedAt: microseconds("last_used_at").notNull(),
    /** Whatever is refreshed, it is over then. */
    expiresAt: microseconds("expires_at").notNull(),
    endedAt: microseconds("ended_at"),
    endReason: text("end_reason"),
    ipAddress: text("ip_address"),
    userAgent: text("user_agent"),
  },
  (table) => [
    index("login_sessions_by_user").on(table.userId, table.createdAt),
    index("login_sessions_by_cookie").on(table.cookieHash),
    index("login_sessions_by_expiry").on(table.expiresAt),
    check("login_sessions_kind", sql`${table.kind} in ('token', 'cookie')`),
  ],
);

/** Refresh tokens: each is used once and names its successor. */
export const refreshTokens = sqliteTable(
  "refresh_tokens",
  {
    /** SHA-256 of the token, hexadecimal. */
    tokenHash: text("token_hash").primaryKey().notNull(),
    sessionId: text("session_id")
      .notNull()
      .references(() => loginSessions.id, { onDelete: "cascade" }),
    createdAt: microseconds("created_at").notNull(),
    expiresAt: microseconds("expires_at").notNull(),
    usedAt: microseconds("used_at"),
  },
  (table) => [index("refresh_tokens_by_session").on(table.sessionId)],
);

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
    check("login_challenges_kind", sql`${table.kind} in ('token', 'cookie')`),
  ],
);
