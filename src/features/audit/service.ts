// The record of who did what, which nobody can change unseen: every row is hashed together with the row before it, under a key that
// is not in the database. Separate from what it records, which only says what happened. Invariants:
//   1. A row stands in the transaction of the act it tells: neither is there without the other.
//   2. What names a person stands apart, and can be blanked without breaking the chain.
//   3. No secret enters: what has the shape of one is withheld (rules.ts), and nobody is asked to give one.
//   4. A flood of refusals costs a bounded number of rows and of bytes in memory.

import type { RequestOrigin } from "../../domain/principal";
import { noOrigin } from "../../domain/principal";
import type { Agent } from "../../foundation/agent";
import { assert } from "../../foundation/assert";
import type { Clock, EpochMicroseconds } from "../../foundation/clock";
import type { Log } from "../../foundation/log";
import type { Random } from "../../foundation/random";
import type { Storage, Tx } from "../../storage/storage";
import { blankPersonal, endOfChain, insertEvent } from "./repository";
import {
  type AuditEventType,
  type AuditStatus,
  actionLengthMax,
  chainStart,
  type Details,
  detailsText,
  hashOfPersonal,
  hashOfRow,
  ipAddressLengthMax,
  recorded,
  resourceLengthMax,
  userAgentLengthMax,
} from "./rules";

export type { AuditEventType } from "./rules";

/** An act, done or refused, as the part that knows it tells it. */
export interface AuditEvent {
  readonly eventType: AuditEventType;
  /** Whose act it was; null: nobody known, or the system's own. */
  readonly userId: string | null;
  /** What it was done to, e.g. `api_keys/4fJ0aVb7QkXz`; cut past 255 characters. */
  readonly resource: string | null;
  /** One word or two, e.g. `create`; cut past 50 characters. */
  readonly action: string;
  readonly status: AuditStatus;
  /** Nothing that names a person, and no secret. A refusal's `code` says which refusals count as repeats. */
  readonly details: Details;
  readonly origin: RequestOrigin;
  /** Words that name a person, such as the address somebody tried to sign in with: kept apart, blanked by erasure. */
  readonly personal?: Readonly<Record<string, string>>;
}

export interface Audit {
  /** Records an act in its own transaction. */
  append(tx: Tx, event: AuditEvent): Promise<void>;
  /**
   * Records a refusal that writes nothing else; returns at once. The first from an address (of IPv6: from its /64) with that type, code
   * and user is written now, repeats within the minute become one line with their `count`.
   */
  note(event: AuditEvent): void;
  /** Blanks what names that user in what was recorded so far, and records that it did; says in how many rows. */
  erasePersonal(tx: Tx, userId: string): Promise<number>;
  readonly agents: readonly Agent[];
  /** Writes what was noted. */
  close(): Promise<void>;
}

export interface AuditOptions {
  readonly storage: Pick<Storage, "write" | "read">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** 32 bytes that are nowhere in the database. */
  readonly key: Uint8Array;
}

const saltBytes = 32;

export function createAudit({ storage, clock, random, log, key }: AuditOptions): Audit {
  assert(key.length === 32, `the audit key is ${key.length} bytes`);
  const writing = new Set<Promise<void>>();

  async function write(tx: Tx, event: AuditEvent, timestamp: EpochMicroseconds): Promise<void> {
    const { userId, resource, origin, personal: words } = event;
    const salt = Buffer.from(random.bytes(saltBytes)).toString("hex");
    const personal = {
      ipAddress: origin.ipAddress === null ? null : recorded(origin.ipAddress, ipAddressLengthMax),
      userAgent: origin.userAgent === null ? null : recorded(origin.userAgent, userAgentLengthMax),
      further: words === undefined ? null : detailsText(words),
    };
    const end = (await endOfChain(tx)) ?? chainStart;
    const row = {
      id: end.id + 1,
      timestamp,
      eventType: event.eventType,
      userId,
      resource: resource === null ? null : recorded(resource, resourceLengthMax),
      action: recorded(event.action, actionLengthMax),
      status: event.status,
      details: detailsText(event.details),
      createdAt: tx.nowMicroseconds,
      personalHash: hashOfPersonal(salt, personal),
      previousHash: end.hash,
    };
    await insertEvent(tx, { ...row, hash: hashOfRow(row, key) }, { salt, ...personal });
  }

  return {
    append: (tx, event) => write(tx, event, clock.nowMicroseconds()),
    note(event) {
      const timestamp = clock.nowMicroseconds();
      const done = storage
        .write((tx) => write(tx, event, timestamp))
        .catch((error: unknown) => log.warn({ err: error }, "recording a refusal failed"))
        .finally(() => writing.delete(done));
      writing.add(done);
    },
    async erasePersonal(tx, userId) {
      const count = await blankPersonal(tx, userId, clock.nowMicroseconds());
      if (count === 0) return 0;
      const event = { eventType: "audit.personal.erased", resource: `users/${userId}`, action: "erase" } as const;
      const told = { ...event, userId, status: "success", details: { count }, origin: noOrigin } as const;
      await write(tx, told, clock.nowMicroseconds());
      return count;
    },
    agents: [],
    async close() {
      await Promise.all(writing);
    },
  };
}
