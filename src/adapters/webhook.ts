// Posts a signed message to an address of the operator's. Separate from whoever decides what to tell and when to try again (the outbox). The
// signature is an HMAC-SHA-256 over the moment and the body, so that a receiver can refuse what is forged and what is old. It must never
// follow an answer to another address, nor log the address: it may hold a secret.

import { createHmac } from "node:crypto";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";

export interface WebhookOptions {
  readonly url: string;
  readonly secret: string;
  readonly clock: Clock;
}

export interface Webhook {
  /**
   * Resolves once the receiver has taken it (2xx). Throws BsoptError `invalid` where it will never (410), else `unavailable`: the same
   * id and body may be posted again.
   */
  post(message: { readonly id: string; readonly body: string; readonly signal: AbortSignal }): Promise<void>;
}

/** How long a receiver may take. */
export const webhookMillisecondsMax = 10_000;

export function createWebhook({ url, secret, clock }: WebhookOptions): Webhook {
  return {
    async post({ id, body, signal }) {
      const seconds = clock.nowMicroseconds() / 1_000_000n;
      let status: number;
      try {
        const answer = await fetch(url, {
          method: "POST",
          redirect: "manual",
          signal: AbortSignal.any([signal, AbortSignal.timeout(webhookMillisecondsMax)]),
          headers: {
            "content-type": "application/json",
            "user-agent": "bsopt",
            "bsopt-delivery": id,
            "bsopt-signature": `t=${seconds},v1=${signatureOf(secret, seconds, body)}`,
          },
          body,
        });
        status = answer.status;
        // Nothing in it is of interest, and an unread one would keep the connection.
        await answer.body?.cancel();
      } catch (cause) {
        throw new BsoptError({
          reason: "unavailable",
          code: "WEBHOOK_AWAY",
          detail: "The receiver of alerts does not answer.",
          cause,
        });
      }
      if (status >= 200 && status < 300) return;
      throw new BsoptError({
        reason: status === 410 ? "invalid" : "unavailable",
        code: "WEBHOOK_REFUSED",
        detail: `The receiver of alerts answers ${status}.`,
      });
    },
  };
}

/** What a receiver computes again: hexadecimal, over the seconds since 1970, a dot and the body's bytes. */
export function signatureOf(secret: string, seconds: bigint, body: string): string {
  return createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
}
