// Bytes written one after the other into one array that grows and is used again for the next answer. Separate because a fresh
// array for each column, and another to join them, took a quarter of the time of an answer. What it shows is its own
// memory: it must be copied, as a Response does at once, before the writer is used again.

/** Memory above this is let go with the next use: one long answer must not be remembered for ever. */
const keptBytesMax = 1_048_576;
const firstBytes = 4096;

export class ByteWriter {
  #bytes: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(firstBytes);
  #length = 0;

  /** Forgets what was written. */
  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > keptBytesMax) this.#bytes = Buffer.allocUnsafeSlow(firstBytes);
  }

  /** Writes a text as UTF-8. */
  text(text: string): void {
    // No UTF-16 unit takes more than three bytes.
    this.#require(text.length * 3);
    this.#length += this.#bytes.write(text, this.#length);
  }

  bytes(part: Uint8Array): void {
    this.#require(part.length);
    this.#bytes.set(part, this.#length);
    this.#length += part.length;
  }

  /** Lets somebody write up to `bytesMax` bytes from `at` on; `fill` returns where they end. */
  filled(bytesMax: number, fill: (to: Uint8Array, at: number) => number): void {
    this.#require(bytesMax);
    this.#length = fill(this.#bytes, this.#length);
  }

  /** What was written, in the writer's own memory: right until the writer is used again. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** What was written, as fresh bytes, and forgotten here. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = new Uint8Array(this.view());
    this.clear();
    return taken;
  }

  #require(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.view());
    this.#bytes = larger;
  }
}
