// The column types of every table. Separate because the connection hands integers out as bigint, and
// drizzle's own integer column would then pass a bigint off as a number; so no table may use that one
// (schemaDifferences refuses it). Nothing here rounds: a value that does not fit throws.

import { customType } from "drizzle-orm/sqlite-core";
import { assert } from "../foundation/assert";

/** Money and prices are stored as integers of 10⁻⁹. */
export const moneyScale = 1_000_000_000n;
/** Quantities are stored as integers of 10⁻⁸. */
export const quantityScale = 100_000_000n;

/** 18 decimal digits, the contract's limit for money and quantity; within SQLite's 64 bits. */
const scaledMax = 10n ** 18n - 1n;
const integerMin = -(2n ** 63n);
const integerMax = 2n ** 63n - 1n;

function within(value: bigint, low: bigint, high: bigint, what: string): bigint {
  assert(value >= low && value <= high, `${what} ${value} is outside ${low} … ${high}`);
  return value;
}

/** What the driver gives: bigint from a file database, number from JSON-borne values. */
const toBigint = (value: bigint | number): bigint => BigInt(value);

/** An instant: microseconds since 1970-01-01T00:00:00Z, as bigint. */
export const microseconds = customType<{ data: bigint; driverData: bigint }>({
  dataType: () => "integer",
  toDriver: (value) => within(value, integerMin, integerMax, "instant"),
  fromDriver: toBigint,
});

/** Money or a price: an integer of 10⁻⁹ (see moneyScale), at most 18 digits. */
export const money = customType<{ data: bigint; driverData: bigint }>({
  dataType: () => "integer",
  toDriver: (value) => within(value, -scaledMax, scaledMax, "money"),
  fromDriver: toBigint,
});

/** A quantity: an integer of 10⁻⁸ (see quantityScale), at most 18 digits. */
export const quantity = customType<{ data: bigint; driverData: bigint }>({
  dataType: () => "integer",
  toDriver: (value) => within(value, -scaledMax, scaledMax, "quantity"),
  fromDriver: toBigint,
});

/** A count, index or code that a number holds exactly (within ±(2⁵³ − 1)); anything else throws. */
export const wholeNumber = customType<{ data: number; driverData: bigint }>({
  dataType: () => "integer",
  toDriver: (value) => {
    assert(Number.isSafeInteger(value), `${value} is not a whole number that a double holds exactly`);
    return BigInt(value);
  },
  fromDriver: (value) => {
    const number = Number(value);
    assert(Number.isSafeInteger(number), `stored integer ${value} does not fit a number`);
    return number;
  },
});

/** A yes or no, stored as 1 or 0. */
export const flag = customType<{ data: boolean; driverData: bigint }>({
  dataType: () => "integer",
  toDriver: (value) => (value ? 1n : 0n),
  fromDriver: (value) => {
    const number = Number(value);
    assert(number === 0 || number === 1, `stored flag ${value} is neither 0 nor 1`);
    return number === 1;
  },
});

/** Bytes, as they are. */
export const bytes = customType<{ data: Uint8Array; driverData: ArrayBuffer | Uint8Array }>({
  dataType: () => "blob",
  toDriver: (value) => value,
  fromDriver: (value) => new Uint8Array(value as ArrayBuffer),
});
