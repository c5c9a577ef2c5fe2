// The tables instruments owns. A row of `instruments` is what was known of an instrument from one moment to another: whoever changes one ends
// the row and adds the next, so that what was listed at any past moment can be told. Rows of the past are kept.

import { sql } from "drizzle-orm";
import { index, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { Settlement } from "../../domain/calendar";
import type { ExerciseStyle, InstrumentKind } from "../../domain/instrument";
import type { OptionType } from "../../domain/symbol";
import { microseconds, money, quantity, wholeNumber } from "../../storage/columns";

/** Who said what an instrument is; a later one in this list has less to say. */
export type InstrumentSource = "import" | "feed" | "rule";

/** Why a row ended. */
export type InstrumentEnd = "expired" | "replaced";

export const instruments = sqliteTable(
  "instruments",
  {
    symbol: text("symbol").notNull(),
    kind: text("kind").$type<InstrumentKind>().notNull(),
    underlying: text("underlying").notNull(),
    root: text("root").notNull(),
    expiry: microseconds("expiry"),
    strike: money("strike"),
    optionType: text("option_type").$type<OptionType>(),
    style: text("style").$type<ExerciseStyle>(),
    settlement: text("settlement").$type<Settlement>(),
    multiplier: quantity("multiplier").notNull(),
    tickSize: money("tick_size"),
    currency: text("currency").notNull(),
    calendar: text("calendar").notNull(),
    source: text("source").$type<InstrumentSource>().notNull(),
    /** From when on this was known. */
    listedAt: microseconds("listed_at").notNull(),
    /** Null: it still holds. An expired one ended when it expired, whenever that was noticed. */
    endedAt: microseconds("ended_at"),
    endReason: text("end_reason").$type<InstrumentEnd>(),
    /** Rises with every change of any row: what another process wrote is found by it. */
    revision: wholeNumber("revision").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.symbol, table.listedAt] }),
    // One row at most holds at a time; in their symbols' order.
    uniqueIndex("instruments_listed").on(table.symbol).where(sql`${table.endedAt} is null`),
    // Pages of one underlying.
    index("instruments_by_underlying").on(table.underlying, table.symbol, table.listedAt),
    // What is to be retired.
    index("instruments_by_expiry").on(table.expiry).where(sql`${table.endedAt} is null`),
    uniqueIndex("instruments_by_revision").on(table.revision),
  ],
);

/** What was brought and could not be read, with the reason; the newest rows only. */
export const instrumentQuarantine = sqliteTable(
  "instrument_quarantine",
  {
    id: text("id").primaryKey().notNull(),
    receivedAt: microseconds("received_at").notNull(),
    /** The body's format. */
    format: text("format").notNull(),
    /** Line or place in the body, from 1. */
    line: wholeNumber("line").notNull(),
    /** A sentence. */
    detail: text("detail").notNull(),
    /** The beginning of what stood there, made printable. */
    content: text("content").notNull(),
  },
  (table) => [index("instrument_quarantine_by_time").on(table.receivedAt, table.id)],
);
