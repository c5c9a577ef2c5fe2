// Columns of numbers as JSON's text, made in the kernel: the host's half of assembly/text/decimal.ts. Separate from kernel.ts,
// which prices; this lays out the powers of ten that the island's code needs, once, at the first use, and copies in and out.

import { assert } from "../foundation/assert";

/** Rows written at a time. */
const rowsMax = 4096;
/** As in assembly/text/decimal.ts: the powers of ten that doubles need, and the longest text of one with its comma. */
const powersMin = -292;
const powersMax = 324;
const textBytesMax = 25;

/** Numbers from start to stop in the characters of String(), commas between, null for what is not finite; fresh bytes. */
export type DecimalWriter = (values: Float64Array, start: number, stop: number) => Uint8Array;

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
  return (values, start, stop) => {
    desk ??= layOut(parts);
    const { input, text, addresses } = desk;
    const pieces: Uint8Array[] = [];
    for (let from = start; from < stop; from += rowsMax) {
      const to = Math.min(stop, from + rowsMax);
      input.set(from === 0 && to === values.length ? values : values.subarray(from, to));
      const length = parts.decimals(addresses.input, to - from, addresses.powers, addresses.text);
      assert(length <= text.length, `${length} bytes of text`);
      const piece = text.slice(0, length + 1);
      // The comma before the next piece; cut off again behind the last.
      piece[length] = 0x2c;
      pieces.push(to === stop ? piece.subarray(0, length) : piece);
    }
    const [only] = pieces;
    return pieces.length === 1 && only ? only : Buffer.concat(pieces);
  };
}

function layOut({ memory, reserve }: DecimalParts) {
  const words = (powersMax - powersMin + 1) * 2;
  const addresses = {
    powers: reserve(words * 8),
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
  return {
    addresses,
    input: new Float64Array(buffer, addresses.input, rowsMax),
    text: new Uint8Array(buffer, addresses.text, rowsMax * textBytesMax + 8),
  };
}

/** 10^k scaled by a power of two to exactly 128 bits, rounded up. */
function powerOfTen(exponent: number): bigint {
  const power = 10n ** BigInt(Math.abs(exponent));
  // floor(log2 10^k), exact over this range (1741647 / 2^19 is log2 10 to nine digits).
  const shift = BigInt(127 - ((exponent * 1_741_647) >> 19));
  if (exponent < 0) return ((1n << shift) + power - 1n) / power;
  return shift >= 0n ? power << shift : (power + (1n << -shift) - 1n) >> -shift;
}
