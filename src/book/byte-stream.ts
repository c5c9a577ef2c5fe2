// Numbers and texts as bytes and back, compactly: integers of as many bytes as they need, decimals as the digits they are. Separate
// because the entry codec and the checkpoints share it. The same values give the same bytes; a NaN is always the same NaN. A reader
// refuses what runs past its end: what is read is our own, and broken bytes must not become numbers.

import { assert } from "../foundation/assert";

const wholeMax = Number.MAX_SAFE_INTEGER;
/** Decimals that are tried before a number is written as its eight bytes. */
const placesMax = 9;
const powers = Float64Array.from({ length: placesMax + 1 }, (_, index) => 10 ** index);
/** In place of a number of decimals: the eight bytes follow; no number. */
const rawCode = 14;
const nanCode = 15;
/** A mantissa must leave room for its code. */
const mantissaMax = Math.floor(wholeMax / 16 / 2);

export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(room = 256) {
    this.#bytes = new Uint8Array(room);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    this.#need(1);
    this.#bytes[this.#length++] = value;
  }

  /** A whole number from 0 to 2⁵³ − 1, seven bits a byte. */
  whole(value: number): void {
    assert(value >= 0 && Number.isSafeInteger(value), `${value} is no whole number`);
    this.#need(8);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#length++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  /** A whole number of either sign, |value| < 2⁵². */
  signed(value: number): void {
    this.whole(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Any double, in its eight bytes. */
  double(value: number): void {
    this.#need(8);
    this.#view.setFloat64(this.#length, Number.isNaN(value) ? Number.NaN : value, true);
    this.#length += 8;
  }

  /** Any double, in few bytes where it is a short decimal. */
  decimal(value: number): void {
    if (Number.isNaN(value)) {
      this.whole(nanCode);
      return;
    }
    for (let places = 0; places <= placesMax; places++) {
      const mantissa = Math.round(value * powers[places]!);
      if (Math.abs(mantissa) > mantissaMax) break;
      if (mantissa / powers[places]! !== value || Object.is(mantissa, -0)) continue;
      this.whole((mantissa < 0 ? -2 * mantissa - 1 : 2 * mantissa) * 16 + places);
      return;
    }
    this.whole(rawCode);
    this.double(value);
  }

  text(value: string): void {
    this.blob(new TextEncoder().encode(value));
  }

  /** Its length, then the bytes. */
  blob(bytes: Uint8Array): void {
    this.whole(bytes.length);
    this.#need(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Doubles as they lie in memory, every NaN the same. */
  doubles(values: Float64Array): void {
    this.#need(8 * values.length);
    for (const value of values) {
      this.#view.setFloat64(this.#length, Number.isNaN(value) ? Number.NaN : value, true);
      this.#length += 8;
    }
  }

  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #need(count: number): void {
    const wanted = this.#length + count;
    if (wanted <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(wanted, 2 * this.#bytes.length));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    return this.#bytes[this.#take(1)]!;
  }

  whole(): number {
    let value = 0;
    for (let scale = 1; scale <= wholeMax; scale *= 128) {
      const next = this.byte();
      value += (next & 127) * scale;
      if (next < 128) {
        assert(value <= wholeMax, "a whole number is too large");
        return value;
      }
    }
    throw new RangeError("a whole number does not end");
  }

  signed(): number {
    const value = this.whole();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  double(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  decimal(): number {
    const value = this.whole();
    const code = value % 16;
    if (value === nanCode) return Number.NaN;
    if (value === rawCode) return this.double();
    assert(code <= placesMax, `a decimal of ${code} places`);
    const folded = (value - code) / 16;
    return (folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2) / powers[code]!;
  }

  text(): string {
    return new TextDecoder("utf-8", { fatal: true }).decode(this.blob());
  }

  blob(): Uint8Array {
    const count = this.whole();
    const start = this.#take(count);
    return this.#bytes.subarray(start, start + count);
  }

  doubles(into: Float64Array): void {
    const start = this.#take(8 * into.length);
    for (let index = 0; index < into.length; index++) into[index] = this.#view.getFloat64(start + 8 * index, true);
  }

  #take(count: number): number {
    const start = this.#at;
    assert(
      count <= this.#bytes.length - start,
      `${count} bytes are wanted where ${this.#bytes.length - start} are left`,
    );
    this.#at += count;
    return start;
  }
}
