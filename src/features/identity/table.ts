// The table identity owns: users. A row is not deleted, for others refer to it: erasing a user blanks what names the person. Only who
// registered and never confirmed the address goes, row and all. What a user proves themselves with stands elsewhere: keys in keys,
// passwords in registration, sessions in sessions.

import { sql } from "drizzle-orm";
import { check, index, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { roles } from "../../domain/permission";
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
    /** Set: somebody registered this address and nobody confirmed it yet; past that moment the user is swept away. */
    confirmBy: microseconds("confirm_by"),
    /** Set: the person's data were blanked; the row stays, for others refer to it. Also disabled then. */
    erasedAt: microseconds("erased_at"),
    createdAt: microseconds("created_at").notNull(),
    updatedAt: microseconds("updated_at").notNull(),
  },
  (table) => [
    uniqueIndex("users_by_email").on(table.email),
    // A page of all users, newest first.
    index("users_by_time").on(table.createdAt, table.id),
    // The same of one role, and of those who are shut out.
    index("users_by_role").on(table.role, table.createdAt, table.id),
    index("users_by_disabled").on(table.createdAt, table.id).where(sql`${table.disabledAt} is not null`),
    // Those that were never confirmed, by when they go.
    index("users_by_confirm_by").on(table.confirmBy).where(sql`${table.confirmBy} is not null`),
    check("users_role", sql`${table.role} in (${literals(roles)})`),
  ],
);
