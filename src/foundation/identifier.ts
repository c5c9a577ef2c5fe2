// Identifiers: UUID version 7 (RFC 9562) for rows, base62 for what people copy. Time and randomness come in.

import type { EpochMicroseconds } from "./clock";
import type { Random } from "./random";

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** UUIDv7: 48 bits of Unix milliseconds, then randomness; sorts by time of making. */
export function uuid7(nowMicroseconds: EpochMicroseconds, random: Random): string {
  const bytes = new Uint8Array(16);
  bytes.set(random.bytes(10), 6);
  let milliseconds = nowMicroseconds / 1000n;
  for (let index = 5; index >= 0; index--) {
    bytes[index] = Number(milliseconds & 255n);
    milliseconds >>= 8n;
  }
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Buffer.from(bytes).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Random letters and digits, each uniform over 62 (bytes past 247 are drawn again, so none is favoured). */
export function randomBase62(length: number, random: Random): string {
  let text = "";
  while (text.length < length) {
    for (const byte of random.bytes(length - text.length)) if (byte < 248) text += alphabet[byte % 62];
  }
  return text;
}
