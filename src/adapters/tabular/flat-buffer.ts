// Reads the FlatBuffers tables that Arrow's messages are made of. Its own reader, because these bytes come from strangers:
// every place is checked against the end, every list is counted before anything is made of it, and nothing is followed
// twice. Source: FlatBuffers, "Internals" (tables, vtables, vectors); a table's field sits where its vtable says, an offset
// points forward from its own place. Throws RangeError for anything that leads outside.

const textDecoder = new TextDecoder("utf-8", { fatal: true });

/** Bytes as UTF-8. Throws RangeError where they are none. */
export function textIn(bytes: Uint8Array): string {
  try {
    return textDecoder.decode(bytes);
  } catch (cause) {
    throw new RangeError("a text is not UTF-8", { cause });
  }
}

/** One table within a message's metadata. */
export class FlatTable {
  readonly #view: DataView;
  readonly #at: number;
  readonly #vtable: number;
  readonly #vtableBytes: number;

  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
    this.#vtable = at - view.getInt32(at, true);
    this.#vtableBytes = view.getUint16(this.#vtable, true);
  }

  /** The table the buffer begins with. */
  static root(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, view.getUint32(0, true));
  }

  /** Place of a field, or 0 where it is left out. Fields count from 0. */
  #place(field: number): number {
    const entry = 4 + field * 2;
    if (entry + 2 > this.#vtableBytes) return 0;
    const offset = this.#view.getUint16(this.#vtable + entry, true);
    return offset === 0 ? 0 : this.#at + offset;
  }

  #target(field: number): number {
    const place = this.#place(field);
    return place === 0 ? 0 : place + this.#view.getUint32(place, true);
  }

  has(field: number): boolean {
    return this.#place(field) !== 0;
  }

  uint8(field: number): number {
    const place = this.#place(field);
    return place === 0 ? 0 : this.#view.getUint8(place);
  }

  int16(field: number): number {
    const place = this.#place(field);
    return place === 0 ? 0 : this.#view.getInt16(place, true);
  }

  int32(field: number): number {
    const place = this.#place(field);
    return place === 0 ? 0 : this.#view.getInt32(place, true);
  }

  /** A 64-bit whole number as a double. */
  int64(field: number): number {
    const place = this.#place(field);
    return place === 0 ? 0 : Number(this.#view.getBigInt64(place, true));
  }

  table(field: number): FlatTable | null {
    const target = this.#target(field);
    return target === 0 ? null : new FlatTable(this.#view, target);
  }

  string(field: number): string | null {
    const target = this.#target(field);
    if (target === 0) return null;
    const length = this.#view.getUint32(target, true);
    const { buffer, byteOffset } = this.#view;
    this.#require(target + 4, length);
    return textIn(new Uint8Array(buffer, byteOffset + target + 4, length));
  }

  /** How many items a vector has, each of `itemBytes`; 0 where it is left out. */
  count(field: number, itemBytes: number): number {
    const target = this.#target(field);
    if (target === 0) return 0;
    const count = this.#view.getUint32(target, true);
    this.#require(target + 4, count * itemBytes);
    return count;
  }

  /** Item of a vector of tables. */
  tableAt(field: number, index: number): FlatTable {
    const place = this.#target(field) + 4 + index * 4;
    return new FlatTable(this.#view, place + this.#view.getUint32(place, true));
  }

  /** One of the 64-bit numbers that a vector of structs holds, counted through, as a double. */
  int64At(field: number, index: number): number {
    return Number(this.#view.getBigInt64(this.#target(field) + 4 + index * 8, true));
  }

  #require(start: number, length: number): void {
    if (start + length > this.#view.byteLength) throw new RangeError("leads outside of its buffer");
  }
}
