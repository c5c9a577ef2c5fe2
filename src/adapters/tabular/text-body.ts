// A body of text that was taken as it came, for whoever reads it line by line and keeps what cannot be read. Separate from the tables, whose
// columns are known before and which are refused whole.

import { createHash } from "node:crypto";

/** The formats of text that may come so. */
export const textFormats = ["ndjson", "csv"] as const;
export type TextFormat = (typeof textFormats)[number];

export class TextBody {
  readonly format: TextFormat;
  /** Of the bytes, in hexadecimal digits: by it a repeated request is known as the same. */
  readonly sha256: string;
  readonly #bytes: Uint8Array;

  constructor(format: TextFormat, bytes: Uint8Array) {
    this.format = format;
    this.sha256 = createHash("sha256").update(bytes).digest("hex");
    this.#bytes = bytes;
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }
}
