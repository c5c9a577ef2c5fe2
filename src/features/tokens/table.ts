// The table tokens owns: the keys that sign access tokens. A private key is sealed under a key that is not in the database, so that a
// copy of the database signs nothing.

import { sqliteTable, text } from "drizzle-orm/sqlite-core";
import { microseconds } from "../../storage/columns";

/** The keys that sign access tokens: the newest signs once everyone knows it, every one that is not retired verifies. */
export const signingKeys = sqliteTable("signing_keys", {
  /** The `kid` in a token's head. */
  id: text("id").primaryKey().notNull(),
  algorithm: text("algorithm").notNull(),
  /** JSON Web Key. */
  publicKey: text("public_key").notNull(),
  sealedPrivateKey: text("sealed_private_key").notNull(),
  createdAt: microseconds("created_at").notNull(),
  /** From then on it no longer signs; null: nothing has followed it. */
  supersededAt: microseconds("superseded_at"),
  /** From then on it no longer verifies: the last token it signed is over. */
  retiredAt: microseconds("retired_at"),
});
