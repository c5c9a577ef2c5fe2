// The table configuration owns: what was changed while servers ran. One row for all of it, so that a change of several settings is
// read whole or not at all, and one number tells whether anything changed.

import { sql } from "drizzle-orm";
import { check, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { microseconds, wholeNumber } from "../../storage/columns";

export const changedSettings = sqliteTable(
  "changed_settings",
  {
    /** Always 1. */
    id: wholeNumber("id").primaryKey().notNull(),
    /** 1, 2, 3 …: one more with each change. */
    revision: wholeNumber("revision").notNull(),
    /** JSON: a setting's key and its value, only those that were changed and not put back. */
    settings: text("settings").notNull(),
    changedAt: microseconds("changed_at").notNull(),
  },
  (table) => [check("changed_settings_one", sql`${table.id} = 1`)],
);
