// The Idempotency-Key header's half that belongs to the protocol: reading the key, hashing the body, answering from
// what was stored, and refusing a key whose first request still runs here. The answer itself is stored by the
// service, in the transaction of its act; this file must never write one, or an act and its answer could part.

import { createHash } from "node:crypto";
import type { IdempotencyTicket, StoredAnswer } from "../storage/idempotency";
import { Refusal } from "./problem";

/** Where answers were stored: storage offers it, over its readers. */
export interface IdempotencyStore {
  find(scope: {
    principalId: string;
    route: string;
    key: string;
  }): Promise<{ bodyHash: string; answer: StoredAnswer } | null>;
}

/** Thrown by storage where another request stored an answer under the same ticket first; its act was rolled back. */
export const racedCode = "IDEMPOTENCY_RACED";

/** The header's key, or null without one. Throws 400 unless it is 1 to 255 visible ASCII characters. */
export function readKey(request: Request): string | null {
  const key = request.headers.get("idempotency-key");
  if (key === null) return null;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Refusal({
      kind: "malformed",
      code: "IDEMPOTENCY_KEY_MALFORMED",
      detail: "Idempotency-Key must be 1 to 255 visible ASCII characters",
    });
  }
  return key;
}

/** SHA-256 in hex of the request's meaning: members sorted by name, so that a client may reorder them. */
export function hashOfRequest(search: string, body: unknown): string {
  return createHash("sha256")
    .update(canonicalJson([search, body ?? null]))
    .digest("hex");
}

/** JSON with members sorted by code unit at every level. Depth is bounded where the body was parsed. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
    return `{${members.map(([key, child]) => `${JSON.stringify(key)}:${canonicalJson(child)}`).join(",")}}`;
  }
  // Infinity is what 1e999 parses to; as null it would hash like a null.
  if (typeof value === "number" && !Number.isFinite(value)) return value > 0 ? "1e999" : "-1e999";
  return JSON.stringify(value ?? null);
}

/** The tickets whose first request runs in this process. One entry per request under way, so bounded by those. */
export class RunningTickets {
  readonly #running = new Map<string, string>();

  /** Marks the ticket as running. Throws 409 while another request holds it, 422 where that one's body differs. */
  hold(ticket: IdempotencyTicket): void {
    const name = nameOf(ticket);
    const runningHash = this.#running.get(name);
    if (runningHash === undefined) {
      this.#running.set(name, ticket.bodyHash);
      return;
    }
    if (runningHash !== ticket.bodyHash) throw reused();
    throw new Refusal({
      kind: "conflict",
      code: "IDEMPOTENCY_IN_PROGRESS",
      detail: "The first request with this Idempotency-Key is still running",
      headers: { "retry-after": "1" },
    });
  }

  release(ticket: IdempotencyTicket): void {
    this.#running.delete(nameOf(ticket));
  }

  get count(): number {
    return this.#running.size;
  }
}

/** The stored answer's response, null where none is stored; throws 422 where it answers another body. */
export async function replayOf(store: IdempotencyStore, ticket: IdempotencyTicket): Promise<Response | null> {
  const stored = await store.find({ principalId: ticket.principalId, route: ticket.route, key: ticket.key });
  if (stored === null) return null;
  if (stored.bodyHash !== ticket.bodyHash) throw reused();
  return new Response(stored.answer.body === "" ? null : stored.answer.body, {
    status: stored.answer.status,
    headers: { "content-type": "application/json", "idempotency-replayed": "true" },
  });
}

function nameOf(ticket: IdempotencyTicket): string {
  return JSON.stringify([ticket.principalId, ticket.route, ticket.key]);
}

function reused(): Refusal {
  return new Refusal({
    kind: "schema-mismatch",
    code: "IDEMPOTENCY_KEY_REUSED",
    detail: "This Idempotency-Key was used with another request",
  });
}
