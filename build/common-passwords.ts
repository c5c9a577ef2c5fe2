// Makes src/domain/common-passwords.json, the list of passwords that nobody may choose: the 10,000 most common of at least eight characters out
// of the ranked list that @zxcvbn-ts/language-common carries (MIT), in lower case. Committed, so that a build needs no more than the
// sources; a test makes it again and compares.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./fingerprint.mjs";

const wordCountMax = 10_000;
const lengthMin = 8;

/** The file's text. */
export function commonPasswordsText(): string {
  const source = join(root, "node_modules/@zxcvbn-ts/language-common/src/passwords.json");
  const ranked = JSON.parse(readFileSync(source, "utf8")) as string[];
  const words = ranked.map((word) => word.normalize("NFC").toLowerCase()).filter((word) => word.length >= lengthMin);
  const chosen = [...new Set(words)].slice(0, wordCountMax);
  return `${JSON.stringify({ source: "@zxcvbn-ts/language-common (MIT)", words: chosen.join("\n") }, null, 2)}\n`;
}

if (import.meta.main) writeFileSync(join(root, "src/domain/common-passwords.json"), commonPasswordsText());
