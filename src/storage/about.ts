// Whom a stored message or answer names, so that erasing a person finds it without reading every payload. Separate because two tables of
// storage carry the word and several features write it. The word is a hash, so that it names nobody by itself.

import { createHash } from "node:crypto";
import { eq } from "drizzle-orm";
import type { Tx } from "./bind";
import { idempotencyAnswers, outboxMessages } from "./table";

/** The word for whoever has that mail address, in its one spelling. */
export function aboutAddress(email: string): string {
  return createHash("sha256").update(`about ${email}`, "utf8").digest("hex");
}

/** Deletes the messages that wait and the answers that are kept about somebody: what is not sent yet will not be. */
export async function forgetAbout(tx: Tx, about: string): Promise<void> {
  await tx.delete(outboxMessages).where(eq(outboxMessages.about, about));
  await tx.delete(idempotencyAnswers).where(eq(idempotencyAnswers.about, about));
}
