// What a migration is. Apart from migrate.ts because the generated manifest needs the shape and migrate.ts needs the
// manifest.

import { createHash } from "node:crypto";

/** One numbered step, as the executable carries it. */
export interface Migration {
  /** `0003_what_it_does`; the number is its place in the list. */
  readonly tag: string;
  readonly up: string;
  readonly down: string;
}

/** SHA-256 of the way up with line ends normalised, hexadecimal: what tells an edited migration. */
export function migrationHash(migration: Migration): string {
  return createHash("sha256").update(migration.up.replaceAll("\r\n", "\n")).digest("hex");
}
