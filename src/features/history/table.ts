// Candles, in the market's own database: a row a symbol and minute, with its seconds inside, made from the log a minute at a time. A bar that late ticks
// amend is a further row, so that what was known earlier can still be told.

import { primaryKey, real, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { bytes, microseconds, wholeNumber } from "../../storage/columns";

export const historySymbols = sqliteTable("history_symbols", {
  id: wholeNumber("id").primaryKey().notNull(),
  symbol: text("symbol").notNull().unique(),
  underlying: text("underlying").notNull(),
});

export const historyCandles = sqliteTable(
  "history_candles",
  {
    symbolId: wholeNumber("symbol_id")
      .notNull()
      .references(() => historySymbols.id),
    /** Where the minute begins, by the venue's clock. */
    start: microseconds("start").notNull(),
    /** When this was known here: of the bar's rows the last that was known at a moment holds then. */
    knownAt: microseconds("known_at").notNull(),
    open: real("open").notNull(),
    high: real("high").notNull(),
    low: real("low").notNull(),
    close: real("close").notNull(),
    openAt: microseconds("open_at").notNull(),
    closeAt: microseconds("close_at").notNull(),
    volume: real("volume").notNull(),
    tickCount: wholeNumber("tick_count").notNull(),
    /** The day's total as last told when this was known, and the venue's moment then: what the next tick's volume is worked out from. */
    dayTotal: real("day_total"),
    dayTotalAt: microseconds("day_total_at"),
    /** Its bars of one second: see packSeconds in rules.ts. */
    seconds: bytes("seconds").notNull(),
  },
  (table) => [primaryKey({ name: "history_candles_pk", columns: [table.symbolId, table.start, table.knownAt] })],
);

/** How far an underlying's log is in candles: to the entry of that number, known at that moment. */
export const historyMarks = sqliteTable(
  "history_marks",
  {
    underlying: text("underlying").notNull(),
    sequence: wholeNumber("sequence").notNull(),
    at: microseconds("at").notNull(),
  },
  (table) => [primaryKey({ name: "history_marks_pk", columns: [table.underlying, table.at, table.sequence] })],
);
