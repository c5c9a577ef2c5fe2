// The tables sessions owns: login sessions and the refresh tokens of each. Whatever opens one is kept as its SHA-256: nothing in the
// database can be shown to the server.

import { sql } from "drizzle-orm";
import { check, index, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { microseconds } from "../../storage/columns";
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
    /** When its user last showed the password or a code within it; null: not since it began. */
    reauthenticatedAt: microseconds("reauthenticated_at"),
    endReason: text("end_reason"),
    ipAddress: text("ip_address"),
    userAgent: text("user_agent"),
  },
  (table) => [
    index("login_sessions_by_user").on(table.userId, table.createdAt),
    index("login_sessions_by_cookie").on(table.cookieHash),
    index("login_sessions_by_expiry").on(table.expiresAt),
    // What ended before its time, by when.
    index("login_sessions_by_end").on(table.endedAt).where(sql`${table.endedAt} is not null`),
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
  (table) => [
    index("refresh_tokens_by_session").on(table.sessionId),
    index("refresh_tokens_by_expiry").on(table.expiresAt),
  ],
);
