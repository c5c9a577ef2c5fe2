// Keeps account of errors that nobody foresaw: counted by kind in memory, written once a second, so that a flood of them costs a write a second and
// a row a kind. It must never throw at whoever tells it of an error, never wait for anything, and never keep what an error says.

import type { RequestOrigin } from "../../domain/principal";
import { Agent } from "../../foundation/agent";
import { type Clock, type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import type { Log } from "../../foundation/log";
import { pageOf, parseCursor } from "../../foundation/page-mark";
import type { ReadDatabase, Tx } from "../../storage/storage";
import type { Audit } from "../audit/service";
import type { TrackedError, TrackedErrorPage } from "./model";
import { findError, insertError, keepAtMost, pageOfErrors, type TrackedRow, updateError } from "./repository";
import { type ErrorKind, type ErrorShape, fingerprintOf, shapeOf } from "./rules";

/** An error, with what was being done. */
export interface Occurrence {
  readonly error: unknown;
  readonly kind: ErrorKind;
  readonly route?: string | null;
  readonly traceId?: string | null;
}

/** What an alert tells. */
export interface ErrorAlert {
  readonly event: "error.new" | "error.reopened";
  readonly error: TrackedError;
}

export interface ErrorTrackingOptions {
  readonly storage: { write<T>(work: (tx: Tx) => Promise<T>): Promise<T>; readonly read: ReadDatabase };
  readonly audit: Pick<Audit, "append">;
  readonly clock: Clock;
  readonly log: Log;
  /** This program's. */
  readonly version: string;
  /** Leaves an alert to be sent, in the same transaction; left out, nobody is told. */
  readonly addAlert?: (tx: Tx, alert: ErrorAlert, now: EpochMicroseconds) => Promise<void>;
}

export interface ErrorTracking {
  /** Counts it. Returns at once and never throws. */
  record(occurrence: Occurrence): void;
  list(page: { isResolved?: boolean; limit: number; cursor?: string }): Promise<TrackedErrorPage>;
  /** Throws `not-found` ERROR_NOT_FOUND. */
  resolve(act: { id: string; userId: string; origin: RequestOrigin }): Promise<TrackedError>;
  readonly agents: readonly Agent[];
  /** Writes what is still counted, where that can be done. */
  close(): Promise<void>;
}

/** Kinds of errors kept; past it the resolved go first, then what was not seen for longest. */
export const trackedErrorsMax = 1000;
/** Kinds counted between two writes; further ones are only in the log. */
export const pendingErrorsMax = 200;
/** Alerts an hour; further ones are only on the list. */
export const alertsPerHourMax = 20;
const writeEveryMilliseconds = 1_000;
const hourMilliseconds = 3_600_000;

interface Pending {
  readonly shape: ErrorShape;
  count: number;
  kind: ErrorKind;
  route: string | null;
  traceId: string | null;
  firstSeenAt: EpochMicroseconds;
  lastSeenAt: EpochMicroseconds;
}

export function createErrorTracking(options: ErrorTrackingOptions): ErrorTracking {
  const { storage, audit, clock, log, version, addAlert } = options;
  let pending = new Map<string, Pending>();
  let alertHourBegan = Number.NEGATIVE_INFINITY;
  let alertCount = 0;

  function record({ error, kind, route = null, traceId = null }: Occurrence): void {
    try {
      const shape = shapeOf(error);
      const id = fingerprintOf(shape);
      const now = clock.nowMicroseconds();
      const known = pending.get(id);
      if (known) {
        known.count += 1;
        Object.assign(known, { kind, route, traceId, lastSeenAt: now });
      } else if (pending.size < pendingErrorsMax) {
        pending.set(id, { shape, count: 1, kind, route, traceId, firstSeenAt: now, lastSeenAt: now });
      }
    } catch (failure) {
      // An error whose own fields throw must not become another's.
      log.warn({ err: failure }, "an error could not be told from others");
    }
  }

  /** Taken first, put back where they could not be written: meanwhile others are counted. */
  async function writePending(): Promise<void> {
    if (pending.size === 0) return;
    const taken = pending;
    pending = new Map();
    try {
      await storage.write(async (tx) => {
        let isNew = false;
        for (const [id, one] of taken) isNew = (await writeOne(tx, id, one)) || isNew;
        if (isNew) await keepAtMost(tx, trackedErrorsMax);
      });
    } catch (failure) {
      for (const [id, one] of taken) putBack(id, one);
      throw failure;
    }
  }

  function putBack(id: string, one: Pending): void {
    const since = pending.get(id);
    if (since) {
      since.count += one.count;
      since.firstSeenAt = one.firstSeenAt;
    } else if (pending.size < pendingErrorsMax) pending.set(id, one);
  }

  /** True where it was not known. */
  async function writeOne(tx: Tx, id: string, one: Pending): Promise<boolean> {
    const { shape, kind, route, traceId, lastSeenAt } = one;
    const known = await findError(tx, id);
    const last = { kind, route, traceId, version, lastSeenAt, resolvedAt: null };
    const row: TrackedRow = known
      ? { ...known, ...last, count: known.count + one.count }
      : {
          ...{ id, name: shape.name, code: shape.code, frames: JSON.stringify(shape.frames) },
          ...{ ...last, count: one.count, firstSeenAt: one.firstSeenAt },
        };
    if (known) await updateError(tx, id, { ...last, count: row.count });
    else await insertError(tx, row);
    if (known === null || known.resolvedAt !== null)
      await alert(tx, { event: known === null ? "error.new" : "error.reopened", error: onWire(row) });
    return known === null;
  }

  async function alert(tx: Tx, told: ErrorAlert): Promise<void> {
    if (!addAlert) return;
    const now = clock.monotonicMilliseconds();
    if (now - alertHourBegan >= hourMilliseconds) {
      alertHourBegan = now;
      alertCount = 0;
    }
    alertCount += 1;
    if (alertCount <= alertsPerHourMax) return addAlert(tx, told, clock.nowMicroseconds());
    if (alertCount === alertsPerHourMax + 1)
      log.warn({ alerts_per_hour_max: alertsPerHourMax }, "too many kinds of errors: further alerts are not sent");
  }

  async function resolve({ id, userId, origin }: Parameters<ErrorTracking["resolve"]>[0]): Promise<TrackedError> {
    const now = clock.nowMicroseconds();
    const row = await storage.write(async (tx) => {
      const known = await findError(tx, id);
      if (known === null)
        throw new BsoptError({ reason: "not-found", code: "ERROR_NOT_FOUND", detail: "There is no such error." });
      if (known.resolvedAt !== null) return known;
      await updateError(tx, id, { resolvedAt: now });
      await audit.append(tx, {
        eventType: "admin.error.resolved",
        userId,
        resource: `errors/${id}`,
        action: "resolve",
        status: "success",
        details: { name: known.name, count: known.count },
        origin,
      });
      return { ...known, resolvedAt: now };
    });
    return onWire(row);
  }

  return {
    record,
    async list({ cursor, limit, isResolved }) {
      const after = cursor === undefined ? null : parseCursor(cursor);
      const page = { after, limit: limit + 1, ...(isResolved !== undefined && { isResolved }) };
      const rows = await pageOfErrors(storage.read, page);
      return pageOf(rows, limit, { shown: onWire, mark: ({ lastSeenAt, id }) => ({ createdAt: lastSeenAt, id }) });
    },
    resolve,
    agents: [
      new Agent({
        name: "error-writer",
        intervalMilliseconds: writeEveryMilliseconds,
        failuresMax: 10,
        clock,
        round: writePending,
        onFailure: (error) => log.warn({ agent: "error-writer", err: error }, "errors could not be written down"),
      }),
    ],
    async close() {
      await writePending().catch((error) => log.warn({ err: error }, "errors could not be written down"));
    },
  };
}

function onWire(row: TrackedRow): TrackedError {
  return {
    id: row.id,
    name: row.name,
    code: row.code,
    frames: JSON.parse(row.frames) as string[],
    kind: row.kind as ErrorKind,
    route: row.route,
    trace_id: row.traceId,
    version: row.version,
    count: row.count,
    first_seen_at: formatTimestamp(row.firstSeenAt),
    last_seen_at: formatTimestamp(row.lastSeenAt),
    resolved_at: row.resolvedAt === null ? null : formatTimestamp(row.resolvedAt),
  };
}
