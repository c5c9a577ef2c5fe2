// The file in the data folder that holds the one key every other secret hangs on: what seals stored secrets and chains the audit
// log. Separate because it is made once and read at every start by the server and by commands alike, and lies outside the database,
// so that a copy of the database alone opens nothing. It must never be logged, printed, or made anew where one can be read.

import { join } from "node:path";
import { flush } from "../foundation/durable";
import { BsoptError } from "../foundation/errors";
import type { Random } from "../foundation/random";
import { createSecretBox, masterKeyBytes } from "../foundation/secret-box";
import { type KeyFile, openKeyFile } from "./key-file";

/** The file's name in the data folder. */
export const masterKeyFileName = "master-key";

/** 32 bytes as base64url without padding. */
const textPattern = /^[A-Za-z0-9_-]{43}$/;

/**
 * The 32 bytes of the master key in that folder, made now where there is none (mode 0600). Of several starts at once, one makes it
 * and all read the same. Throws `unavailable` where the disk fails, `invalid` MASTER_KEY_INVALID where the file holds no such key.
 */
export function openMasterKey(dataDirectory: string, random: Random): Uint8Array {
  const key = masterKeyOf(openKeyFile(join(dataDirectory, masterKeyFileName), { holds: "the master key" }), random);
  // A start that was killed may have made it without its name being durable yet; what is sealed from now on needs it.
  flush(dataDirectory);
  return key;
}

/** The same over a file that is open already. */
export function masterKeyOf(file: KeyFile, random: Random): Uint8Array {
  const known = file.read();
  if (known !== null) return bytesOf(known);
  const made = random.bytes(masterKeyBytes);
  if (file.create(Buffer.from(made).toString("base64url"))) return made;
  // Another start was first: its key is the key.
  return bytesOf(file.read() ?? "");
}

/**
 * Tells the folder's master key from another's without telling anything of it: 32 hex digits; null where the folder has no key.
 * Makes nothing. Throws as openMasterKey does.
 */
export function masterKeyMark(dataDirectory: string, random: Random): string | null {
  const text = openKeyFile(join(dataDirectory, masterKeyFileName), { holds: "the master key" }).read();
  if (text === null) return null;
  return Buffer.from(createSecretBox(bytesOf(text), random).keyFor("mark"))
    .toString("hex")
    .slice(0, 32);
}

function bytesOf(text: string): Uint8Array {
  const bytes = textPattern.test(text) ? new Uint8Array(Buffer.from(text, "base64url")) : null;
  // The last of 43 letters carries two bits of nothing: another text for the same bytes is a damaged file.
  if (bytes?.length === masterKeyBytes && Buffer.from(bytes).toString("base64url") === text) return bytes;
  throw new BsoptError({
    reason: "invalid",
    code: "MASTER_KEY_INVALID",
    detail: "The file of the master key holds no key.",
    hint: `Restore the file ${masterKeyFileName} in the data folder from a backup; without it, what was sealed under it is lost.`,
  });
}
