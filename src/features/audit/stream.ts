// Who is told of what the audit log records, while it records it. Only types: a listener comes in from outside.

import type { EpochMicroseconds } from "../../foundation/clock";
import type { Tx } from "../../storage/storage";
import type { AuditEventType, AuditStatus } from "./rules";

/** An event as it is stored, without what names a person. */
export interface RecordedEvent {
  readonly eventType: AuditEventType;
  readonly userId: string | null;
  readonly resource: string | null;
  readonly action: string;
  readonly status: AuditStatus;
}

/** Told of each event in the transaction that records it, with its place and its details as JSON. */
export type AuditListener = (
  tx: Tx,
  recorded: {
    readonly id: number;
    readonly at: EpochMicroseconds;
    readonly event: RecordedEvent;
    readonly details: string;
  },
) => Promise<void>;
