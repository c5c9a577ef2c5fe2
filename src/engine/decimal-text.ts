// Columns of numbers as JSON's text, made in the kernel: the host's half of assembly/text/decimal.ts. Separate from kernel.ts,
// which prices; this lays out the powers of ten that the island's code needs, once, at the first use, and copies in and out.

import { assert } from "../foundation/assert";

/** Rows written at a time. */
const rowsMax = 4096;
/** As in assembly/text/decimal.ts: the powers of ten that doubles need, and the longest text of one with its comma. */
const powersMin = -293;
const powersMax = 324;
const textBytesMax = 25;
/** Values that a double's exponent can have. */
const exponentCount = 2048;

/**
 * Writes the numbers from start to stop in the characters of String(), commas between, null for what is not finite, into `to`
 * from `at` on; returns where they end. Throws RangeError where `to` ends before: 25 bytes a number are always enough.
 */
export type DecimalWriter = (values: Float64Array, start: number, stop: number, to: Uint8Array, at: number) => number;

/** What the kernel lends for it. */
export interface DecimalParts {
  readonly memory: WebAssembly.Memory;
  /** Memory that is the asker's alone, on a cache line. */
  readonly reserve: (bytes: number) => number;
  readonly decimals: (values: number, count: number, powers: number, to: number) => number;
}

/** A writer over the kernel's memory; it takes about 150 kB there with its first use. */
export function createDecimalWriter(parts: DecimalParts): DecimalWriter {
  let desk: ReturnType<typeof layOut> | null = null;
  return (values, start, stop, to, at) => {
    desk ??= layOut(parts);
    const { input, text, addresses } = desk;
    let end = at;
    for (let from = start; from < stop; from += rowsMax) {
      const until = Math.min(stop, from + rowsMax);
      input.set(from === 0 && until === values.length ? values : values.subarray(from, until));
      const length = parts.decimals(addresses.input, until - from, addresses.powers, addresses.text);
      assert(length <= text.length, `${length} bytes of text`);
      // The comma before the next part.
      if (from > start) to[end++] = 0x2c;
      to.set(text.subarray(0, length), end);
      end += length;
    }
    return end;
  };
}

function layOut({ memory, reserve }: DecimalParts) {
  const words = (powersMax - powersMin + 1) * 2;
  const addresses = {
    powers: reserve(words * 8 + exponentCount * 16),
    input: reserve(rowsMax * 8),
    text: reserve(rowsMax * textBytesMax + 8),
  };
  const { buffer } = memory;
  const powers = new BigUint64Array(buffer, addresses.powers, words);
  for (let exponent = powersMin; exponent <= powersMax; exponent++) {
    const power = powerOfTen(exponent);
    powers[(exponent - powersMin) * 2] = BigInt.asUintN(64, power);
    powers[(exponent - powersMin) * 2 + 1] = power >> 64n;
  }
  const halves = new Uint32Array(buffer, addresses.powers, words * 2 + exponentCount * 4);
  for (let exponent = 1; exponent < exponentCount - 1; exponent++) scaleOf(exponent, halves, words * 2 + exponent * 4);
  return {
    addresses,
    input: new Float64Array(buffer, addresses.input, rowsMax),
    text: new Uint8Array(buffer, addresses.text, rowsMax * textBytesMax + 8),
  };
}

/**
 * What a double of a given exponent is multiplied by on the quick way, from the power laid out before: 96 bits, rounded down, the
 * low word first, and where the point stands (see assembly/text/decimal.ts).
 */
function scaleOf(exponent: number, halves: Uint32Array, at: number): void {
  const q = exponent - 1075;
  const k = (q * 1_262_611) >> 22;
  const power = -1 - k;
  const from = (power - powersMin) * 4;
  const shift = -1 - q - ((power * 1_741_647) >> 19);
  for (let half = 0; half < 3; half++) {
    const lower = halves[from + half + 1]!;
    const upper = half < 2 ? halves[from + half + 2]! : 0;
    halves[at + half] = shift === 0 ? lower : (lower >>> shift) | (upper << (32 - shift));
  }
  halves[at + 3] = k + 17;
}

/** 10^k scaled by a power of two to exactly 128 bits, rounded up. */
function powerOfTen(exponent: number): bigint {
  const power = 10n ** BigInt(Math.abs(exponent));
  // floor(log2 10^k), exact over this range (1741647 / 2^19 is log2 10 to nine digits).
  const shift = BigInt(127 - ((exponent * 1_741_647) >> 19));
  if (exponent < 0) return ((1n << shift) + power - 1n) / power;
  return shift >= 0n ? power << shift : (power + (1n << -shift) - 1n) >> -shift;
}
