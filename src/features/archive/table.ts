// The market's log, in a database of its own (market.db): what was entered into each underlying's book, in order, as blocks of many entries, and the
// book's state every so often. A row a tick would cost more than the tick.

import { index, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { bytes, flag, microseconds, wholeNumber } from "../../storage/columns";

/** Names become numbers: every block names one. */
export const archiveUnderlyings = sqliteTable("archive_underlyings", {
  id: wholeNumber("id").primaryKey().notNull(),
  name: text("name").notNull().unique(),
});

/** Entries of one underlying, numbered from 1 without a hole but where a gap is stated (archive_checkpoints.gap_from). */
export const archiveBlocks = sqliteTable(
  "archive_blocks",
  {
    underlyingId: wholeNumber("underlying_id")
      .notNull()
      .references(() => archiveUnderlyings.id),
    firstSequence: wholeNumber("first_sequence").notNull(),
    lastSequence: wholeNumber("last_sequence").notNull(),
    /** When the first and the last of them became known here; never falling from one to the next. */
    firstAt: microseconds("first_at").notNull(),
    lastAt: microseconds("last_at").notNull(),
    /** 0: segments as they are; 1: the same in a zstd frame. */
    form: wholeNumber("form").notNull(),
    /** Length of the segments as they are. */
    plainBytes: wholeNumber("plain_bytes").notNull(),
    body: bytes("body").notNull(),
  },
  (table) => [primaryKey({ name: "archive_blocks_pk", columns: [table.underlyingId, table.firstSequence] })],
);

/** A book's state after the entry of that number. */
export const archiveCheckpoints = sqliteTable(
  "archive_checkpoints",
  {
    underlyingId: wholeNumber("underlying_id")
      .notNull()
      .references(() => archiveUnderlyings.id),
    sequence: wholeNumber("sequence").notNull(),
    at: microseconds("at").notNull(),
    /** Set: from that moment until `at` entries were not kept, and nobody can tell what was known. */
    gapFrom: microseconds("gap_from"),
    /** A new book, which goes on from nothing before it. */
    isStart: flag("is_start").notNull(),
    /** In a zstd frame. */
    body: bytes("body").notNull(),
  },
  (table) => [
    primaryKey({ name: "archive_checkpoints_pk", columns: [table.underlyingId, table.sequence] }),
    index("archive_checkpoints_by_time").on(table.underlyingId, table.at, table.sequence),
  ],
);
