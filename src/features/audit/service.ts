// The record of who did what, which nobody can change unseen: every row is hashed together with the row before it, under a key that
// is not in the database. Separate from what it records, which only says what happened. Invariants:
//   1. A row stands in the transaction of the act it tells: neither is there without the other.
//   2. What names a person stands apart, and can be blanked without breaking the chain.
//   3. No secret enters: what has the shape of one is withheld (rules.ts), and nobody is asked to give one.
//   4. A flood of refusals costs a bounded number of rows and of bytes in memory.

import { networkOf } from "../../domain/address";
import { noOrigin, type RequestOrigin } from "../../domain/principal";
import { Agent } from "../../foundation/agent";
import { assert } from "../../foundation/assert";
import { Backlog } from "../../foundation/backlog";
import { type Clock, type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import type { Log } from "../../foundation/log";
import type { Random } from "../../foundation/random";
import { RepeatCounter } from "../../foundation/repeats";
import { nextTurn } from "../../foundation/turn";
import type { Storage, Tx } from "../../storage/storage";
import type { AuditEventOnWire, AuditPage } from "./model";
import {
  blankWindow,
  type Checkpoint,
  checkpoints,
  countShown,
  countUpTo,
  cutAt,
  deleteErasure,
  type Erasure,
  type EventFilter,
  endOfChain,
  findErasure,
  hasRest,
  insertEvents,
  markAhead,
  type PageMark,
  putErasure,
  type ShownEvent,
  shownEvents,
  storedRows,
} from "./repository";
import {
  type AuditEventType,
  type AuditStatus,
  actionLengthMax,
  type ChainFault,
  type ChainHead,
  ChainJudge,
  type ChainMark,
  chainStart,
  type Details,
  detailsText,
  entriesOf,
  formatCursor,
  formatHead,
  hashOfPersonal,
  hashOfRow,
  ipAddressLengthMax,
  isSame,
  parseCursor,
  parseHead,
  recorded,
  resourceLengthMax,
  signCheckpoint,
  signErasure,
  userAgentLengthMax,
} from "./rules";
import type { AuditListener } from "./stream";

export type { EventFilter as AuditFilter } from "./repository";
export type { AuditEventType, ChainFault, ChainHead } from "./rules";

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
   * and user is written within a quarter of a second, repeats within the minute become one line with their `count`.
   */
  note(event: AuditEvent): void;
  /**
   * Blanks what names that user in what was recorded so far, and records that it did. What takes longer than a few milliseconds goes on after
   * the transaction, a window at a time, also in the next process if this one dies; so does what was noted before and is written within the
   * next minute. Says how many rows were blanked at once.
   */
  erasePersonal(tx: Tx, userId: string): Promise<number>;
  /** One page of what the filter wants, newest first. Throws `invalid` CURSOR_INVALID. */
  list(options: { filter: EventFilter; limit: number; cursor?: string }): Promise<AuditPage>;
  /**
   * Everything the filter wants, newest first, in pages that are read when they are asked for; records that `by` took it. Throws
   * `invalid` EXPORT_TOO_LARGE past the limit of rows, before anything is given.
   */
  export(options: {
    filter: EventFilter;
    by: { userId: string; origin: RequestOrigin; format: string };
  }): Promise<{ readonly count: number; readonly pages: AsyncGenerator<readonly AuditEventOnWire[], void> }>;
  /** What a text tells as a head, or null where it tells none. */
  readHead(text: string): (ChainHead & { readonly isSigned: boolean }) | null;
  /** Walks the whole chain beside whoever writes it. */
  verify(heads: readonly (ChainHead & { readonly isSigned: boolean })[]): Promise<ChainReport>;
  readonly agents: readonly Agent[];
  /** Writes what was noted, and the last head. Agents are stopped by whoever started them. */
  close(): Promise<void>;
}

/** What a walk over the chain found. */
export interface ChainReport {
  readonly isIntact: boolean;
  readonly rowCount: number;
  /** Where the walk began: the first row's place is one further. */
  readonly cutAt: ChainMark | null;
  readonly lastId: string;
  readonly erasedCount: number;
  readonly headsMatched: number;
  readonly headsUncompared: number;
  readonly faultCount: number;
  /** The first hundred. */
  readonly faults: readonly ChainFault[];
}

export interface AuditOptions {
  readonly onAppended?: AuditListener;
  readonly storage: Pick<Storage, "write" | "read">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** 32 bytes that are nowhere in the database. */
  readonly key: Uint8Array;
  /** Whole days that events are kept; 0: for ever. */
  readonly retentionDays?: number;
  readonly limits?: Partial<AuditLimits>;
}

export interface AuditLimits {
  /** Kinds of refusals told apart within a minute. */
  readonly noteKindCountMax: number;
  /** Refusals noted and not yet written; past it they are only counted. */
  readonly notesPendingCountMax: number;
  /** Rows of one export. */
  readonly exportRowsMax: number;
}

export const defaultAuditLimits: AuditLimits = {
  noteKindCountMax: 4096,
  notesPendingCountMax: 8192,
  exportRowsMax: 1_000_000,
};

const saltBytes = 32;
const noteWindowMilliseconds = 60_000;
const noteFlushMilliseconds = 5_000;
/** Refusals written in one work, and rows cut off or read in one statement: a few milliseconds of the event loop each. */
const notesPerWriteMax = 8;
const notesRestMilliseconds = 250;
const rowsPerCutMax = 200;
const rowsPerErasureMax = 100;
const rowsPerWalkMax = 200;
const rowsPerExportPageMax = 200;
/** Index entries looked through in one statement for what a filter wants, and in one request for a page. */
const rowsPerWindowMax = 2_000;
const windowsPerPageMax = 100;
const erasuresEveryMilliseconds = 2_000;
/** Longer than a refusal waits from being noted to being written. */
const erasedAgainMicroseconds = 120_000_000n;
const headEveryMilliseconds = 60_000;
const retentionEveryMilliseconds = 3_600_000;
const dayMicroseconds = 86_400_000_000n;
/** Cuts met on one walk; each is further on, so this many would be years. */
const cutsPerWalkMax = 1_000_000;

export function createAudit(options: AuditOptions): Audit {
  const { storage, clock, random, log, key, retentionDays = 0 } = options;
  const { noteKindCountMax, notesPendingCountMax, exportRowsMax } = { ...defaultAuditLimits, ...options.limits };
  assert(key.length === 32, `the audit key is ${key.length} bytes`);
  const repeats = new RepeatCounter<TimedEvent>({
    windowMilliseconds: noteWindowMilliseconds,
    kindCountMax: noteKindCountMax,
  });
  let unwrittenCount = 0;
  const backlog = new Backlog<TimedEvent>({
    clock,
    countMax: notesPendingCountMax,
    perWriteMax: notesPerWriteMax,
    restMilliseconds: notesRestMilliseconds,
    write: (noted) => storage.write((tx) => write(tx, noted)),
    onFailure(error, lostCount) {
      unwrittenCount += lostCount;
      log.warn({ err: error, waiting: backlog.count }, "recording refusals failed; it will be tried again");
    },
  });
  let lastHead: ChainMark | null = null;

  async function write(tx: Tx, noted: readonly TimedEvent[]): Promise<void> {
    let end: ChainMark = (await endOfChain(tx)) ?? chainStart;
    const inserted = noted.map(({ event, at }) => {
      const made = chained(event, { at, end, createdAt: tx.nowMicroseconds });
      end = made.event;
      return made;
    });
    await insertEvents(tx, inserted);
    for (const { event } of inserted) {
      await options.onAppended?.(tx, { id: event.id, at: event.timestamp, event, details: event.details });
    }
  }

  /** The row that comes behind the end of the chain. */
  function chained(
    { eventType, userId, resource, action, status, details, origin, personal: words }: AuditEvent,
    { at, end, createdAt }: { at: EpochMicroseconds; end: ChainMark; createdAt: EpochMicroseconds },
  ) {
    const salt = Buffer.from(random.bytes(saltBytes)).toString("hex");
    const personal = {
      ipAddress: origin.ipAddress === null ? null : recorded(origin.ipAddress, ipAddressLengthMax),
      userAgent: origin.userAgent === null ? null : recorded(origin.userAgent, userAgentLengthMax),
      further: words === undefined ? null : detailsText(words),
    };
    const row = {
      id: end.id + 1,
      timestamp: at,
      eventType,
      userId,
      resource: resource === null ? null : recorded(resource, resourceLengthMax),
      action: recorded(action, actionLengthMax),
      status,
      details: detailsText(details),
      createdAt,
      personalHash: hashOfPersonal(salt, personal),
      previousHash: end.hash,
    };
    return { event: { ...row, hash: hashOfRow(row, key) }, personal: { salt, ...personal } };
  }

  const append = (tx: Tx, event: AuditEvent) => write(tx, [{ event, at: clock.nowMicroseconds() }]);

  function note(event: AuditEvent): void {
    const noted = { event, at: clock.nowMicroseconds() };
    if (repeats.isFirst(kindOf(event), noted, clock.monotonicMilliseconds())) enqueue(noted);
  }

  function enqueue(noted: TimedEvent): void {
    if (!backlog.push(noted)) unwrittenCount += 1;
  }

  async function flushNotes(nowMilliseconds: number): Promise<void> {
    for (const { value, count, isOverflow } of repeats.takeEnded(nowMilliseconds))
      enqueue(repeated(value, count, isOverflow));
    if (unwrittenCount > 0) {
      log.warn({ count: unwrittenCount }, "refusals were too many to be recorded");
      unwrittenCount = 0;
    }
    await backlog.flush();
  }

  async function tellHead(): Promise<void> {
    const end = await endOfChain(storage.read);
    // Nothing was recorded since: the head that was told last still says all there is.
    if (end === null || (end.id === lastHead?.id && end.hash === lastHead.hash)) return;
    log.info({ audit_head: formatHead({ ...end, time: clock.nowMicroseconds() }, key) }, "audit head");
    lastHead = end;
  }

  async function cutOld(signal: AbortSignal): Promise<void> {
    const before = (clock.nowMicroseconds() / dayMicroseconds - BigInt(retentionDays)) * dayMicroseconds;
    while (!signal.aborted && (await storage.write((tx) => cutSome(tx, before))) === rowsPerCutMax) await nextTurn();
  }

  /** Cuts off the oldest rows written before the moment, at most so many; says how many. Rows that are not intact stay, and all behind them. */
  async function cutSome(tx: Tx, before: EpochMicroseconds): Promise<number> {
    const start = (await checkpoints(tx))[0] ?? chainStart;
    const judge = new ChainJudge({ key, start, heads: [] });
    let last: ChainMark | null = null;
    for (const row of await storedRows(tx, BigInt(start.id), rowsPerCutMax)) {
      if (typeof row.created_at === "bigint" && row.created_at >= before) break;
      judge.take(row);
      if (judge.faultCount > 0) break;
      last = { id: Number(row.id), hash: String(row.hash) };
    }
    if (judge.faultCount > 0) {
      log.error(
        { faults: judge.faults },
        "the audit log is not intact: nothing more is cut off; run bsopt verify audit",
      );
    }
    if (last === null) return 0;
    const createdAt = tx.nowMicroseconds;
    await cutAt(tx, { ...last, createdAt, signature: signCheckpoint(last, createdAt, key) });
    const count = last.id - start.id;
    await append(tx, {
      eventType: "audit.retention.cut",
      userId: null,
      resource: "audit",
      action: "cut",
      status: "success",
      details: { first_id: start.id + 1, last_id: last.id, count },
      origin: noOrigin,
    });
    return count;
  }

  function erasePersonal(tx: Tx, userId: string): Promise<number> {
    const dueAt = clock.nowMicroseconds();
    const signature = signErasure(userId, key);
    return eraseOn(tx, { userId, dueAt, isLast: false, upToId: null, after: null, count: 0, signature });
  }

  /** The next window of an erasure; how many rows it blanked. */
  async function eraseOn(tx: Tx, erasure: Erasure): Promise<number> {
    const { userId, isLast, after } = erasure;
    const now = clock.nowMicroseconds();
    const upToId = erasure.upToId ?? ((await endOfChain(tx)) ?? chainStart).id;
    const { count, end } = await blankWindow(tx, { userId, upToId, after, limit: rowsPerErasureMax, now });
    const sum = erasure.count + count;
    if (end !== null) {
      await putErasure(tx, { ...erasure, upToId, after: end, count: sum });
      // Recorded at the beginning too: nothing is blanked that no record explains.
      if (after === null) await recordErasure(tx, userId, { begun: true });
      return count;
    }
    if (sum > 0) await recordErasure(tx, userId, { count: sum });
    if (isLast) await deleteErasure(tx, userId);
    else {
      // Refusals of theirs that were noted before may be written within a minute still, by any process.
      const dueAt = now + erasedAgainMicroseconds;
      await putErasure(tx, { ...erasure, dueAt, isLast: true, upToId: null, after: null, count: 0 });
    }
    return count;
  }

  function recordErasure(tx: Tx, userId: string, details: Details): Promise<void> {
    return append(tx, {
      eventType: "audit.personal.erased",
      userId,
      resource: `users/${userId}`,
      action: "erase",
      status: "success",
      details,
      origin: noOrigin,
    });
  }

  /** Takes up erasures from where they stood, whoever did the last window. */
  async function finishErasures(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await findErasure(storage.read, clock.nowMicroseconds())) !== null) {
      await storage.write(async (tx) => {
        const erasure = await findErasure(tx, clock.nowMicroseconds());
        if (erasure === null) return;
        if (isSame(signErasure(erasure.userId, key), erasure.signature ?? "")) await eraseOn(tx, erasure);
        else {
          log.error({ user_id: erasure.userId }, "somebody else's hand asked the audit log to erase a user: not done");
          await deleteErasure(tx, erasure.userId);
        }
      });
      await nextTurn();
    }
  }

  /** Events from behind a mark on, until there are `limit`, no more, or enough has been looked through; and where that ended. */
  async function collect(
    filter: EventFilter,
    { after, limit, windowsMax }: { after: PageMark | null; limit: number; windowsMax: number },
  ): Promise<{ events: ShownEvent[]; end: PageMark | null }> {
    const events: ShownEvent[] = [];
    let from = after;
    for (let windows = 0; windows < windowsMax; windows += 1) {
      const last = hasRest(filter) ? await markAhead(storage.read, filter, from, rowsPerWindowMax) : null;
      const range = { after: from, last, limit: limit - events.length };
      events.push(...(await shownEvents(storage.read, filter, range)));
      if (events.length >= limit) return { events, end: markOf(events.at(-1)!) };
      if (last === null) return { events, end: null };
      from = last;
      await nextTurn();
    }
    return { events, end: from };
  }

  async function list({ filter, limit, cursor }: Parameters<Audit["list"]>[0]): Promise<AuditPage> {
    const after = cursor === undefined ? null : parseCursor(cursor);
    await backlog.flush();
    // One more than asked for tells whether there are more.
    const { events, end } = await collect(filter, { after, limit: limit + 1, windowsMax: windowsPerPageMax });
    const isFull = events.length > limit;
    const shown = isFull ? events.slice(0, limit) : events;
    const next = isFull ? markOf(shown.at(-1)!) : end;
    return {
      data: shown.map(eventOnWire),
      next_cursor: next === null ? null : formatCursor(next),
      has_more: next !== null,
    };
  }

  /** How many events the filter wants behind the mark, or more than an export may hold. */
  async function countOf(filter: EventFilter, start: PageMark): Promise<number> {
    let count = 0;
    let after = start;
    while (count <= exportRowsMax) {
      const last = await markAhead(storage.read, filter, after, rowsPerWindowMax);
      count += await countShown(storage.read, filter, { after, last });
      if (last === null) break;
      after = last;
      await nextTurn();
    }
    return count;
  }

  async function exportAll({ filter, by }: Parameters<Audit["export"]>[0]): ReturnType<Audit["export"]> {
    await backlog.flush();
    // What is recorded from now on (the export itself, to begin with) does not belong to it.
    const newest = await markAhead(storage.read, filter, null, 1);
    const start = newest === null ? null : { ...newest, id: newest.id + 1 };
    const count = start === null ? 0 : await countOf(filter, start);
    if (count > exportRowsMax) {
      throw new BsoptError({
        reason: "invalid",
        code: "EXPORT_TOO_LARGE",
        detail: `More than ${exportRowsMax} events are asked for; ask for a shorter time with from and to.`,
      });
    }
    await storage.write((tx) =>
      append(tx, {
        eventType: "audit.exported",
        userId: by.userId,
        resource: "audit",
        action: "export",
        status: "success",
        details: { format: by.format, count, ...detailsOf(filter) },
        origin: by.origin,
      }),
    );
    return { count, pages: pagesOf(filter, start) };
  }

  async function* pagesOf(
    filter: EventFilter,
    start: PageMark | null,
  ): AsyncGenerator<readonly AuditEventOnWire[], void> {
    const amount = { limit: rowsPerExportPageMax, windowsMax: windowsPerPageMax };
    for (let after = start; after !== null; ) {
      const { events, end }: { events: ShownEvent[]; end: PageMark | null } = await collect(filter, {
        after,
        ...amount,
      });
      yield events.map(eventOnWire);
      after = end;
      await nextTurn();
    }
  }

  async function verify(heads: Parameters<Audit["verify"]>[0]): Promise<ChainReport> {
    const [cut = null, ...extra] = await checkpoints(storage.read);
    const judge = new ChainJudge({ key, start: cut ?? chainStart, heads: heads.filter(({ isSigned }) => isSigned) });
    for (const { id } of heads.filter(({ isSigned }) => !isSigned)) {
      judge.find("head_forged", id, "the head was not signed with this data folder's key");
    }
    if (cut !== null && !isGenuine(cut))
      judge.find("checkpoint_forged", cut.id, "the mark of a cut was not made with the key");
    if (extra.length > 0) judge.find("checkpoint_extra", extra[0]!.id, "there is more than one mark of a cut");
    const before = await countUpTo(storage.read, cut?.id ?? 0);
    if (before > 0)
      judge.find(
        "rows_before_start",
        cut?.id ?? 0,
        `${before} rows stand at or before the place where the chain begins`,
      );
    let known = cut?.id ?? 0;
    for (let cuts = 0; cuts < cutsPerWalkMax; ) {
      const rows = await storedRows(storage.read, judge.place, rowsPerWalkMax);
      const first = rows[0];
      if (first === undefined) break;
      if (!judge.isNext(first)) {
        // Retention may have cut off what comes next since the last rows were read.
        const [later] = await checkpoints(storage.read);
        if (later !== undefined && later.id > known && BigInt(later.id) > judge.place && isGenuine(later)) {
          known = later.id;
          cuts += 1;
          judge.resumeAt(later);
          continue;
        }
      }
      for (const row of rows) judge.take(row);
      await nextTurn();
    }
    judge.finish();
    const { rowCount, erasedCount, headsMatched, headsUncompared, faultCount, faults } = judge;
    return {
      isIntact: faultCount === 0,
      rowCount,
      cutAt: cut === null ? null : { id: cut.id, hash: cut.hash },
      lastId: String(judge.place),
      erasedCount,
      headsMatched,
      headsUncompared,
      faultCount,
      faults,
    };
  }

  const isGenuine = (checkpoint: Checkpoint) =>
    isSame(signCheckpoint(checkpoint, checkpoint.createdAt, key), checkpoint.signature);

  const agentOf = (name: string, intervalMilliseconds: number, round: (signal: AbortSignal) => Promise<void>) =>
    new Agent({
      name,
      intervalMilliseconds,
      failuresMax: 5,
      clock,
      round,
      onFailure: (error) => log.warn({ agent: name, err: error }, "background round failed"),
    });

  return {
    append,
    note,
    erasePersonal,
    list,
    export: exportAll,
    readHead: (text) => parseHead(text, key),
    verify,
    agents: [
      agentOf("audit-notes", noteFlushMilliseconds, () => flushNotes(clock.monotonicMilliseconds())),
      agentOf("audit-head", headEveryMilliseconds, tellHead),
      agentOf("audit-erasures", erasuresEveryMilliseconds, finishErasures),
      ...(retentionDays > 0 ? [agentOf("audit-retention", retentionEveryMilliseconds, cutOld)] : []),
    ],
    async close() {
      await flushNotes(Number.POSITIVE_INFINITY);
      // Storage may have stopped for good, which is told where it matters.
      await tellHead().catch((error: unknown) => log.warn({ err: error }, "the last audit head could not be told"));
    },
  };
}

interface TimedEvent {
  readonly event: AuditEvent;
  readonly at: EpochMicroseconds;
}

/** What makes a refusal a repeat of another. */
function kindOf({ eventType, userId, details, origin }: AuditEvent): string {
  return `${eventType} ${String(details.code ?? "")} ${userId ?? ""} ${networkOf(origin.ipAddress)}`;
}

function repeated({ event, at }: TimedEvent, count: number, isOverflow: boolean): TimedEvent {
  if (!isOverflow) return { at, event: { ...event, details: { ...event.details, count } } };
  const { personal: _, ...rest } = event;
  const details = { code: "TOO_MANY_KINDS", count };
  return { at, event: { ...rest, userId: null, resource: null, details, origin: noOrigin } };
}

function markOf({ timestamp, id }: ShownEvent): PageMark {
  return { timestamp, id };
}

/** What was asked for, as an export's own record tells it. */
function detailsOf({ eventTypes, userId, status, from, to }: EventFilter): Details {
  return {
    event_type: eventTypes.length === 0 ? null : eventTypes.join(","),
    user_id: userId,
    status,
    from: from === null ? null : formatTimestamp(from),
    to: to === null ? null : formatTimestamp(to),
  };
}

function eventOnWire(event: ShownEvent): AuditEventOnWire {
  return {
    id: event.id,
    timestamp: formatTimestamp(event.timestamp),
    event_type: event.eventType,
    user_id: event.userId,
    ip_address: event.ipAddress,
    user_agent: event.userAgent,
    resource: event.resource,
    action: event.action,
    status: event.status,
    details: entriesOf(event.details, (value) => value === null || typeof value !== "object"),
    personal: event.further === null ? null : entriesOf(event.further, (value) => typeof value === "string"),
    erased_at: event.erasedAt === null ? null : formatTimestamp(event.erasedAt),
    created_at: formatTimestamp(event.createdAt),
    prev_hash: event.previousHash,
    hash: event.hash,
  };
}
