// The storage tests' own table and its migration, apart from the harness because helper processes need them too.

import { sqliteTable, text } from "drizzle-orm/sqlite-core";
import { money, wholeNumber } from "../../src/storage/columns";
import type { Migration } from "../../src/storage/migrate";

/** The tests' own table: what one write makes comes in parts that must all be there, or none. */
export const items = sqliteTable("items", {
  id: text("id").primaryKey().notNull(),
  batch: text("batch").notNull(),
  part: wholeNumber("part").notNull(),
  price: money("price"),
});

export const itemMigrations: readonly Migration[] = [
  {
    tag: "0000_items",
    up: "CREATE TABLE items (id TEXT PRIMARY KEY NOT NULL, batch TEXT NOT NULL, part INTEGER NOT NULL, price INTEGER);",
    down: "DROP TABLE items;",
  },
];
