// Keys for every purpose out of one master key, and sealing what must be read back (a private key, a second factor's secret).
// Separate so that no room handles the master key itself and no two purposes share a key. It must never log, and a text it
// sealed for one purpose opens for no other. Sources: HKDF, RFC 5869, with SHA-256; AES-256-GCM, NIST SP 800-38D, 96-bit
// random nonces.

import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { assert } from "./assert";
import { BsoptError } from "./errors";
import type { Random } from "./random";

/** Bytes of the master key. */
export const masterKeyBytes = 32;

export interface SecretBox {
  /** The 32-byte key of one purpose, e.g. for a MAC. The same for the same master key, always. */
  keyFor(purpose: string): Uint8Array;
  /** The text as base64url that only `open` with the same purpose reads. */
  seal(purpose: string, text: string): string;
  /** The text. Throws BsoptError `internal` SEAL_BROKEN where it was sealed under another key or changed since. */
  open(purpose: string, sealed: string): string;
}

const nonceBytes = 12;
const tagBytes = 16;

/** A box over the master key; throws InvariantError where that is not 32 bytes. */
export function createSecretBox(masterKey: Uint8Array, random: Random): SecretBox {
  assert(masterKey.length === masterKeyBytes, `the master key is ${masterKey.length} bytes`);
  const keys = new Map<string, Uint8Array>();
  const keyFor = (purpose: string): Uint8Array => {
    const known = keys.get(purpose);
    if (known) return known;
    const key = new Uint8Array(hkdfSync("sha256", masterKey, new Uint8Array(0), `bsopt ${purpose}`, 32));
    keys.set(purpose, key);
    return key;
  };
  return {
    keyFor,
    seal(purpose, text) {
      const nonce = random.bytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", keyFor(`seal ${purpose}`), nonce);
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64url");
    },
    open(purpose, sealed) {
      const bytes = Buffer.from(sealed, "base64url");
      try {
        const decipher = createDecipheriv("aes-256-gcm", keyFor(`seal ${purpose}`), bytes.subarray(0, nonceBytes));
        decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
        return decipher.update(bytes.subarray(nonceBytes + tagBytes), undefined, "utf8") + decipher.final("utf8");
      } catch (cause) {
        throw new BsoptError({
          reason: "internal",
          code: "SEAL_BROKEN",
          detail: "A stored secret cannot be opened.",
          hint: "The file master-key in the data folder is not the one the database was written with; restore both together.",
          cause,
        });
      }
    },
  };
}
