// Writes the FlatBuffers tables that Arrow's messages are made of; the other half of flat-buffer.ts. Built from the end, as
// the format wants it: what is pointed at comes first. Separate from the Arrow writer, which knows what the tables mean.
// Source: FlatBuffers, "Internals". A place is counted from the end, because the beginning is not known until it is done.

/** One field of a table, in the order of its schema; null is left out. */
export type FlatField =
  | { readonly kind: "uint8" | "int16" | "int32" | "int64"; readonly value: number }
  | { readonly kind: "offset"; readonly place: number }
  | null;

const fieldBytes = { uint8: 1, int16: 2, int32: 4, int64: 8, offset: 4 } as const;
const textEncoder = new TextEncoder();

export class FlatBuilder {
  #bytes = new Uint8Array(2048);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;

  /** Each returns the place of what it wrote. */
  string(text: string): number {
    const bytes = textEncoder.encode(text);
    this.#align(4, bytes.length + 1);
    this.#move(1);
    this.#move(bytes.length);
    this.#bytes.set(bytes, this.#bytes.length - this.#used);
    this.#uint32(bytes.length);
    return this.#used;
  }

  offsets(places: readonly number[]): number {
    this.#align(4, places.length * 4);
    for (const place of places.toReversed()) this.#offset(place);
    this.#uint32(places.length);
    return this.#used;
  }

  /** A vector of structs of two 64-bit numbers. */
  pairs(numbers: readonly (readonly [number, number])[]): number {
    this.#align(8, numbers.length * 16);
    for (const [first, second] of numbers.toReversed()) {
      this.#int64(second);
      this.#int64(first);
    }
    this.#uint32(numbers.length);
    return this.#used;
  }

  table(fields: readonly FlatField[]): number {
    const end = this.#used;
    const places = fields.map((field) => {
      if (field === null) return 0;
      this.#align(fieldBytes[field.kind], 0);
      this.#field(field);
      return this.#used;
    });
    this.#align(4, 0);
    const vtableBytes = 4 + fields.length * 2;
    // The vtable stands right before its table.
    this.#move(4);
    this.#view.setInt32(this.#bytes.length - this.#used, vtableBytes, true);
    const table = this.#used;
    for (const place of places.toReversed()) this.#uint16(place === 0 ? 0 : table - place);
    this.#uint16(table - end);
    this.#uint16(vtableBytes);
    return table;
  }

  /** The buffer whose root is the given table; its length is a multiple of 8. */
  finish(root: number): Uint8Array {
    this.#align(8, 4);
    this.#offset(root);
    return this.#bytes.subarray(this.#bytes.length - this.#used);
  }

  #field(field: NonNullable<FlatField>): void {
    switch (field.kind) {
      case "uint8":
        this.#move(1);
        this.#bytes[this.#bytes.length - this.#used] = field.value;
        return;
      case "int16":
        this.#uint16(field.value & 0xffff);
        return;
      case "int32":
        this.#uint32(field.value >>> 0);
        return;
      case "int64":
        this.#int64(field.value);
        return;
      case "offset":
        this.#offset(field.place);
    }
  }

  /** Pads so that, after `more` bytes, the next place is a multiple of `unit` from the end. */
  #align(unit: number, more: number): void {
    this.#move((unit - ((this.#used + more) % unit)) % unit);
  }

  #move(count: number): void {
    if (this.#used + count > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + count));
      larger.set(this.#bytes.subarray(this.#bytes.length - this.#used), larger.length - this.#used);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#used += count;
  }

  #offset(place: number): void {
    this.#uint32(this.#used + 4 - place);
  }

  #uint16(value: number): void {
    this.#move(2);
    this.#view.setUint16(this.#bytes.length - this.#used, value, true);
  }

  #uint32(value: number): void {
    this.#move(4);
    this.#view.setUint32(this.#bytes.length - this.#used, value, true);
  }

  #int64(value: number): void {
    this.#move(8);
    const at = this.#bytes.length - this.#used;
    this.#view.setUint32(at, value >>> 0, true);
    this.#view.setInt32(at + 4, Math.floor(value / 2 ** 32), true);
  }
}
