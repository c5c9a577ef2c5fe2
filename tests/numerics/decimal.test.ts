// Doubles as text, written in the kernel: the very characters of String(), for every kind of double there is. String() is
// the reference, which ECMA-262 defines; what it writes reads back as the same bits.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { createEngine } from "../../src/engine/engine";
import { seededRandom } from "../../src/foundation/random";
import { kernelBytes } from "../harness/kernel";

const { writeDecimals } = createEngine({ wasmBytes: await kernelBytes(), version: "test" });
const expected = (values: Float64Array) =>
  Array.from(values, (value) => (Number.isFinite(value) ? String(value) : "null")).join(",");
const written = (values: Float64Array, start = 0) => {
  const text = Buffer.alloc(25 * (values.length - start) + 1);
  text.fill("x");
  const end = writeDecimals(values, start, values.length, text, 1);
  expect(text[0]).toBe(0x78);
  return text.toString("latin1", 1, end);
};

/** Compares in columns of any length; names the first that differs. */
function compare(values: Float64Array): void {
  const text = written(values);
  if (text === expected(values)) return;
  const texts = text.split(",");
  const at = texts.findIndex((each, index) => each !== expected(values.subarray(index, index + 1)));
  expect(`${new BigUint64Array(values.slice().buffer)[at]!.toString(16)} ${texts[at]}`).toBe(String(values[at]));
}

const seed = 20_260_501n;

test("the host's bounds are the island's", () => {
  const read = (path: string) => readFileSync(join(root, path), "utf8");
  const [island, host] = [read("assembly/text/decimal.ts"), read("src/engine/decimal-text.ts")];
  for (const [theirs, ours] of [
    ["powersMin", "powersMin"],
    ["powersMax", "powersMax"],
    ["decimalBytesMax", "textBytesMax"],
  ]) {
    const value = new RegExp(`export const ${theirs}: i32 = (-?\\d+);`).exec(island)?.[1];
    expect(value).toBeDefined();
    expect(host).toContain(`const ${ours} = ${value};`);
  }
});

describe("S5.14 a column of doubles as text", () => {
  const rows: readonly (readonly [string, readonly number[]])[] = [
    ["zeros, ones, halves", [0, -0, 1, -1, 0.5, -0.5, 10, 100, 0.1, 0.2, 0.3, 1 / 3, 4.35]],
    ["what is no finite number", [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    [
      "the ends of the range",
      [5e-324, -5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** -1022, 2.225073858507201e-308],
    ],
    [
      "where the layout changes",
      [
        1e20, 1e21, 123456789012345680000, 1.2345678901234568e21, 1e-6, 1e-7, 1.5e-6, 1.5e-7, 999999999999999900000,
        0.00001234,
      ],
    ],
    ["exponents of one, two and three digits", [1e-9, 1.5e-10, 1e99, 1e100, 1e-100, 1.25e-99, 3e22]],
    [
      "whole numbers to 2^53 and past it",
      [2 ** 53 - 1, 2 ** 53, 2 ** 53 + 2, 1e15, 1e16, 1e17, 12345678, 123456789, 99999999, 100000000],
    ],
    [
      "two decimals equally near, ends of the interval, and their neighbours",
      "1125899906842624.25 1125899906842624.75 1125899906842625.25 1125899906842625.75 2251799813685247.75 562949953421312.125 562949953421312.375 562949953421313.625 140737488355328.03125 1e23 1.0000000000000001e23 9007199254740994 9007199254740996 18014398509481988 1.7e308 2.5e-300 4.45e15 9.5e-7 9.95e20 99999999999999990000"
        .split(" ")
        .map(Number),
    ],
    // Numbers that rounding to the nearest of several shortest ones goes wrong for (Steele and White 1990; Loitsch 2010).
    [
      "hard cases of the literature",
      "1e23 9.5e-323 1.3e-320 9007199254740993 5e-320 1152921504606846976 2305843009213693952 8.41e21 9.109e-31 4.708356024711512e18 9.409340012568248e18"
        .split(" ")
        .map(Number),
    ],
  ];
  for (const [title, values] of rows) {
    test(`says what String() says: ${title}`, () => compare(Float64Array.from(values)));
  }

  test("for every power of two and its neighbours", () => {
    const bits = new BigUint64Array(3);
    const value = new Float64Array(bits.buffer);
    const values: number[] = [];
    for (let power = -1074; power < 1024; power++) {
      value[0] = 2 ** power;
      bits[1] = bits[0]! - 1n;
      bits[2] = bits[0]! + 1n;
      values.push(...value);
    }
    compare(Float64Array.from(values));
  });

  test("for the least and the greatest significands of every exponent", () => {
    const bits = new BigUint64Array(8);
    const value = new Float64Array(bits.buffer);
    const values: number[] = [];
    for (let exponent = 0n; exponent < 2047n; exponent++) {
      for (let index = 0; index < 8; index++) {
        const significand = BigInt([0, 1, 2, 3, -1, -2, -3, -4][index]!);
        bits[index] = (exponent << 52n) | BigInt.asUintN(52, significand);
      }
      values.push(...value);
    }
    compare(Float64Array.from(values));
  });

  test("for powers of ten with one to seventeen digits before them", () => {
    const values: number[] = [];
    for (let power = -330; power < 309; power++) {
      for (const digits of [
        "1",
        "2",
        "5",
        "9",
        "1.5",
        "9.9",
        "1.2345678",
        "1.23456789",
        "9.999999999999999",
        "1.2345678901234567",
      ]) {
        values.push(Number(`${digits}e${power}`));
      }
    }
    compare(Float64Array.from(values));
  });

  test(`for a million random bit patterns (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const values = new Float64Array(50_000);
    const words = new Uint32Array(values.buffer);
    for (let round = 0; round < 20; round++) {
      for (let index = 0; index < words.length; index++) words[index] = random.unit() * 2 ** 32;
      compare(values);
    }
  });

  test(`for a million numbers of everyday sizes (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const values = new Float64Array(50_000);
    for (let round = 0; round < 20; round++) {
      for (let index = 0; index < values.length; index++) {
        const value = (random.unit() - 0.5) * 10 ** Math.floor(random.unit() * 12 - 6);
        values[index] = index % 3 === 0 ? Number(value.toFixed(4)) : value;
      }
      compare(values);
    }
  });

  test("of no rows is nothing, of many rows or of some of them what they are", () => {
    expect(written(new Float64Array(0))).toBe("");
    for (const length of [1, 4095, 4096, 4097, 8192, 8193, 20_000]) {
      const values = Float64Array.from({ length }, (_, index) => Math.sqrt(index));
      compare(values);
      expect(written(values, length >> 2)).toBe(expected(values.subarray(length >> 2)));
    }
  });
});
