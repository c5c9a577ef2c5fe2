// The table mode owns: a row a change of the market's mode, so that what mode it was in at any past moment can be told.

import { sqliteTable, text } from "drizzle-orm/sqlite-core";
import { microseconds } from "../../storage/columns";
import type { MarketMode, SimulationPolicy } from "./rules";

export const marketModeChanges = sqliteTable("market_mode_changes", {
  /** From when on. */
  at: microseconds("at").primaryKey().notNull(),
  mode: text("mode").$type<MarketMode>().notNull(),
  /** The policy that it was so by. */
  policy: text("policy").$type<SimulationPolicy>().notNull(),
  /** The calendar that the policy went by. */
  calendar: text("calendar").notNull(),
});
