// Column types: 64-bit integers go in and come out exactly, and what does not fit throws.

import { describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { sqliteTable, text } from "drizzle-orm/sqlite-core";
import {
  flag,
  microseconds,
  money,
  moneyScale,
  quantity,
  quantityScale,
  wholeNumber,
} from "../../../src/storage/columns";
import type { Migration } from "../../../src/storage/migrate";
import { openTestStorage } from "../../harness/storage";

const samples = sqliteTable("samples", {
  id: text("id").primaryKey().notNull(),
  at: microseconds("at"),
  price: money("price"),
  size: quantity("size"),
  index: wholeNumber("index"),
  isOn: flag("is_on"),
});

const migrations: readonly Migration[] = [
  {
    tag: "0000_samples",
    up: 'CREATE TABLE samples (id TEXT PRIMARY KEY NOT NULL, at INTEGER, price INTEGER, size INTEGER, "index" INTEGER, is_on INTEGER)',
    down: "DROP TABLE samples",
  },
];
const open = () => openTestStorage({ migrations, tables: [samples] });
type Sample = typeof samples.$inferInsert;

describe("column types", () => {
  const kept: [string, Omit<Sample, "id">][] = [
    ["the largest instant", { at: 2n ** 63n - 1n }],
    ["the smallest instant", { at: -(2n ** 63n) }],
    ["an instant past what a double holds", { at: 2n ** 53n + 1n }],
    ["18 digits of money", { price: 999_999_999_999_999_999n }],
    ["negative money", { price: -999_999_999_999_999_999n }],
    ["18 digits of quantity", { size: 999_999_999_999_999_999n }],
    ["the largest whole number", { index: Number.MAX_SAFE_INTEGER }],
    ["the smallest whole number", { index: Number.MIN_SAFE_INTEGER }],
    ["yes", { isOn: true }],
    ["no", { isOn: false }],
    ["nothing at all", {}],
  ];
  for (const [what, values] of kept) {
    test(`${what} comes out as it went in`, async () => {
      const storage = await open();
      await storage.write((tx) => tx.insert(samples).values({ id: "a", ...values }));
      const blank = { id: "a", at: null, price: null, size: null, index: null, isOn: null };
      expect(await storage.read.select().from(samples)).toEqual([{ ...blank, ...values } as never]);
    });
  }

  const refused: [string, Omit<Sample, "id">][] = [
    ["an instant of 64 bits and more", { at: 2n ** 63n }],
    ["19 digits of money", { price: 10n ** 18n }],
    ["19 digits of negative quantity", { size: -(10n ** 18n) }],
    ["half a whole number", { index: 0.5 }],
    ["a whole number past 2⁵³", { index: 2 ** 53 }],
    ["no number", { index: Number.NaN }],
  ];
  for (const [what, values] of refused) {
    test(`${what} throws and is not stored`, async () => {
      const storage = await open();
      await expect(
        storage.write(async (tx) => {
          await tx.insert(samples).values({ id: "a", ...values });
        }),
      ).rejects.toMatchObject({ name: "InvariantError" });
      expect(await storage.read.select({ id: samples.id }).from(samples)).toEqual([]);
    });
  }

  const foreign: [string, string, string][] = [
    ["a flag that is neither 0 nor 1", "is_on", "2"],
    ["a whole number that a double cannot hold", "index", "9007199254740993"],
  ];
  for (const [what, column, value] of foreign) {
    test(`${what}, put there by other hands, throws when read`, async () => {
      const storage = await open();
      await storage.write((tx) => tx.run(sql.raw(`INSERT INTO samples (id, "${column}") VALUES ('a', ${value})`)));
      const reading = Promise.resolve(storage.read.select().from(samples));
      await expect(reading).rejects.toMatchObject({ name: "InvariantError" });
    });
  }

  test("scales are the contract's: money 10⁻⁹, quantity 10⁻⁸", () => {
    expect([moneyScale, quantityScale]).toEqual([1_000_000_000n, 100_000_000n]);
  });
});
