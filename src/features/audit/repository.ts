// The audit log's statements. Rows of events are inserted and, by retention, cut off at the old end; nothing here changes one.
// The statements of every append are written out as SQL: built piece by piece they would take half as long again.

import { and, asc, desc, eq, gte, inArray, isNull, lt, lte, type SQL, sql } from "drizzle-orm";
import type { ReadDatabase, Tx } from "../../storage/storage";
import type { AuditEventType, AuditStatus, ChainedRow, ChainMark, PersonalRow, StoredRow } from "./rules";
import { auditCheckpoints, auditErasures, auditEvents, auditPersonal } from "./table";

/** What the next row follows: the last row, or, where retention has taken all, the checkpoint. Null: there was never one. */
export async function endOfChain(database: ReadDatabase | Tx): Promise<ChainMark | null> {
  const rows = await database.all<{ id: bigint; hash: string }>(
    sql`SELECT id, hash FROM audit_events ORDER BY id DESC LIMIT 1`,
  );
  if (rows[0]) return { id: Number(rows[0].id), hash: rows[0].hash };
  return (await checkpoints(database))[0] ?? null;
}

/** An event with what names a person in it. */
export interface InsertedEvent {
  readonly event: ChainedRow & ChainMark;
  readonly personal: PersonalRow & { readonly salt: string };
}

/** Adds events, in the order of the chain. */
export async function insertEvents(tx: Tx, events: readonly InsertedEvent[]): Promise<void> {
  const rows = events.map(({ event }) => {
    const { id, timestamp, eventType, userId, resource, action, status, details, createdAt } = event;
    return sql`(${id}, ${timestamp}, ${eventType}, ${userId}, ${resource}, ${action}, ${status}, ${details}, ${createdAt}, ${event.personalHash}, ${event.previousHash}, ${event.hash})`;
  });
  await tx.run(
    sql`INSERT INTO audit_events (id, timestamp, event_type, user_id, resource, action, status, details, created_at, personal_hash, prev_hash, hash) VALUES ${sql.join(rows, comma)}`,
  );
  const personalRows = events.map(
    ({ event, personal: { salt, ipAddress, userAgent, further } }) =>
      sql`(${event.id}, ${salt}, ${ipAddress}, ${userAgent}, ${further})`,
  );
  await tx.run(
    sql`INSERT INTO audit_personal (event_id, salt, ip_address, user_agent, further) VALUES ${sql.join(personalRows, comma)}`,
  );
}

const comma = sql`, `;

/** How far the erasure of a user came. */
export interface Erasure {
  readonly userId: string;
  readonly dueAt: bigint;
  readonly isLast: boolean;
  /** Events up to this one are erased; null: not begun. */
  readonly upToId: number | null;
  /** Where the last window ended; null: before the first. */
  readonly after: PageMark | null;
  /** Rows blanked so far. */
  readonly count: number;
  readonly signature: string | null;
}

/**
 * Blanks what names a person in the next events of that user, in the order of timestamp and id, at most `limit` of them; how many that
 * were, and where it ended, null where there are no more. What records an erasure names nobody and stays.
 */
export async function blankWindow(
  tx: Tx,
  window: { userId: string; upToId: number; after: PageMark | null; limit: number; now: bigint },
): Promise<{ count: number; end: PageMark | null }> {
  const { userId, upToId, after, limit, now } = window;
  const { timestamp, id, eventType } = auditEvents;
  const events = await tx
    .select({ timestamp, id, eventType })
    .from(auditEvents)
    .where(
      and(
        eq(auditEvents.userId, userId),
        after === null ? undefined : sql`(${timestamp}, ${id}) > (${after.timestamp}, ${after.id})`,
      ),
    )
    .orderBy(asc(timestamp), asc(id))
    .limit(limit);
  const ids = events.filter((event) => event.id <= upToId && event.eventType !== "audit.personal.erased");
  const end = events.length < limit ? null : (events.at(-1) ?? null);
  if (ids.length === 0) return { count: 0, end };
  const blanked = await tx
    .update(auditPersonal)
    .set({ salt: "", ipAddress: null, userAgent: null, further: null, erasedAt: now })
    .where(
      and(
        inArray(
          auditPersonal.eventId,
          ids.map((event) => event.id),
        ),
        isNull(auditPersonal.erasedAt),
      ),
    );
  return { count: blanked.rowsAffected, end };
}

/** Notes how far an erasure came. */
export async function putErasure(tx: Tx, erasure: Erasure): Promise<void> {
  const { userId, after, isLast, ...rest } = erasure;
  const row = {
    ...rest,
    isLast: isLast ? 1 : 0,
    afterTimestamp: after?.timestamp ?? null,
    afterId: after?.id ?? null,
  };
  await tx
    .insert(auditErasures)
    .values({ userId, ...row })
    .onConflictDoUpdate({ target: auditErasures.userId, set: row });
}

/** An erasure that is due and not done, or null. */
export async function findErasure(database: ReadDatabase | Tx, now: bigint): Promise<Erasure | null> {
  const [row] = await database.select().from(auditErasures).where(lte(auditErasures.dueAt, now)).limit(1);
  if (row === undefined) return null;
  const { afterTimestamp, afterId, isLast, ...rest } = row;
  const after = afterTimestamp === null || afterId === null ? null : { timestamp: afterTimestamp, id: afterId };
  return { ...rest, isLast: isLast === 1, after };
}

export async function deleteErasure(tx: Tx, userId: string): Promise<void> {
  await tx.delete(auditErasures).where(eq(auditErasures.userId, userId));
}

export interface Checkpoint extends ChainMark {
  readonly createdAt: bigint;
  readonly signature: string;
}

/** Where retention cut, the latest first. There is one at most, unless somebody added to them. */
export async function checkpoints(database: ReadDatabase | Tx): Promise<Checkpoint[]> {
  return database
    .select({
      id: auditCheckpoints.eventId,
      hash: auditCheckpoints.hash,
      createdAt: auditCheckpoints.createdAt,
      signature: auditCheckpoints.signature,
    })
    .from(auditCheckpoints)
    .orderBy(desc(auditCheckpoints.eventId))
    .limit(2);
}

/** Deletes every row up to the checkpoint's and puts it in the place of the one before. */
export async function cutAt(tx: Tx, checkpoint: Checkpoint): Promise<void> {
  await tx.delete(auditPersonal).where(lte(auditPersonal.eventId, checkpoint.id));
  await tx.delete(auditEvents).where(lte(auditEvents.id, checkpoint.id));
  await tx.delete(auditCheckpoints);
  const { id: eventId, hash, createdAt, signature } = checkpoint;
  await tx.insert(auditCheckpoints).values({ eventId, hash, createdAt, signature });
}

/** Rows behind the given place in the chain's order, exactly as they are stored, whatever that is. */
export async function storedRows(database: ReadDatabase | Tx, afterId: bigint, limit: number): Promise<StoredRow[]> {
  return database.all<StoredRow>(sql`
    SELECT e.id, e.timestamp, e.event_type, e.user_id, e.resource, e.action, e.status, e.details, e.created_at,
      e.personal_hash, e.prev_hash, e.hash,
      length(CAST(e.event_type || coalesce(e.user_id, '') || coalesce(e.resource, '') || e.action || e.status
        || e.details AS BLOB)) AS text_bytes,
      p.event_id AS personal_id, p.salt, p.ip_address, p.user_agent, p.further, p.erased_at
    FROM audit_events e LEFT JOIN audit_personal p ON p.event_id = e.id
    WHERE e.id > ${afterId} ORDER BY e.id LIMIT ${limit}`);
}

/** How many rows stand at that place or before it. */
export async function countUpTo(database: ReadDatabase, id: number): Promise<number> {
  const rows = await database.all<{ count: bigint }>(sql`SELECT count(*) AS count FROM audit_events WHERE id <= ${id}`);
  return Number(rows[0]?.count ?? 0n);
}

/** Which events are asked for. */
export interface EventFilter {
  /** None: of every type. */
  readonly eventTypes: readonly AuditEventType[];
  readonly userId: string | null;
  readonly status: AuditStatus | null;
  /** From this moment on. */
  readonly from: bigint | null;
  /** Before this moment. */
  readonly to: bigint | null;
}

/** A place in the order of pages: newest first. */
export interface PageMark {
  readonly timestamp: bigint;
  readonly id: number;
}

/** An event with what names a person in it, as it is shown. */
export type ShownEvent = Awaited<ReturnType<typeof shownEvents>>[number];

/**
 * One index serves a question: the user's, else the one type's, else time's. What it does not settle is looked at row by row, with a
 * plus in front so that no other index is tried, and is called the rest.
 */
function conditionsOf(filter: EventFilter): { readonly indexed: SQL[]; readonly rest: SQL[] } {
  const { eventTypes, userId, status, from, to } = filter;
  const indexed: SQL[] = [];
  const rest: SQL[] = [];
  const typeIs = (column: SQL) =>
    sql`${column} in (${sql.join(
      eventTypes.map((type) => sql`${type}`),
      sql`, `,
    )})`;
  if (userId !== null) {
    indexed.push(eq(auditEvents.userId, userId));
    if (eventTypes.length > 0) rest.push(typeIs(sql`+${auditEvents.eventType}`));
  } else if (eventTypes.length === 1) indexed.push(eq(auditEvents.eventType, eventTypes[0]!));
  else if (eventTypes.length > 1) rest.push(typeIs(sql`+${auditEvents.eventType}`));
  if (status !== null) rest.push(eq(auditEvents.status, status));
  if (from !== null) indexed.push(gte(auditEvents.timestamp, from));
  if (to !== null) indexed.push(lt(auditEvents.timestamp, to));
  return { indexed, rest };
}

const behind = (mark: PageMark) => sql`(${auditEvents.timestamp}, ${auditEvents.id}) < (${mark.timestamp}, ${mark.id})`;
const notBehind = (mark: PageMark) =>
  sql`(${auditEvents.timestamp}, ${auditEvents.id}) >= (${mark.timestamp}, ${mark.id})`;

/** Whether a filter has to look at rows that it does not want. */
export function hasRest(filter: EventFilter): boolean {
  return conditionsOf(filter).rest.length > 0;
}

/** The place of the `count`th event behind the mark, counting those as well that the filter's rest refuses; null: there are fewer. */
export async function markAhead(
  database: ReadDatabase,
  filter: EventFilter,
  after: PageMark | null,
  count: number,
): Promise<PageMark | null> {
  const rows = await aheadQuery(database, filter, after, count);
  return rows[0] ?? null;
}

/** The statement of markAhead, for its plan to be looked at. */
export function aheadQuery(database: ReadDatabase, filter: EventFilter, after: PageMark | null, count: number) {
  return database
    .select({ timestamp: auditEvents.timestamp, id: auditEvents.id })
    .from(auditEvents)
    .where(and(...conditionsOf(filter).indexed, after === null ? undefined : behind(after)))
    .orderBy(desc(auditEvents.timestamp), desc(auditEvents.id))
    .limit(1)
    .offset(count - 1);
}

/** Events newest first, from behind `after` down to `last` (null: to the end). */
export function shownEvents(
  database: ReadDatabase,
  filter: EventFilter,
  range: { readonly after: PageMark | null; readonly last: PageMark | null; readonly limit: number },
) {
  const { indexed, rest } = conditionsOf(filter);
  const { after, last, limit } = range;
  return database
    .select({
      id: auditEvents.id,
      timestamp: auditEvents.timestamp,
      eventType: auditEvents.eventType,
      userId: auditEvents.userId,
      resource: auditEvents.resource,
      action: auditEvents.action,
      status: auditEvents.status,
      details: auditEvents.details,
      createdAt: auditEvents.createdAt,
      previousHash: auditEvents.previousHash,
      hash: auditEvents.hash,
      ipAddress: auditPersonal.ipAddress,
      userAgent: auditPersonal.userAgent,
      further: auditPersonal.further,
      erasedAt: auditPersonal.erasedAt,
    })
    .from(auditEvents)
    .leftJoin(auditPersonal, eq(auditPersonal.eventId, auditEvents.id))
    .where(
      and(...indexed, ...rest, after === null ? undefined : behind(after), last === null ? undefined : notBehind(last)),
    )
    .orderBy(desc(auditEvents.timestamp), desc(auditEvents.id))
    .limit(limit);
}

/** How many events the filter wants between two marks. */
export async function countShown(
  database: ReadDatabase,
  filter: EventFilter,
  range: { readonly after: PageMark | null; readonly last: PageMark | null },
): Promise<number> {
  const { indexed, rest } = conditionsOf(filter);
  const { after, last } = range;
  const rows = await database
    .select({ count: sql<bigint>`count(*)` })
    .from(auditEvents)
    .where(
      and(...indexed, ...rest, after === null ? undefined : behind(after), last === null ? undefined : notBehind(last)),
    );
  return Number(rows[0]?.count ?? 0n);
}
