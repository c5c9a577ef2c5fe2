// The one way to write. Every write of the process goes through one connection: works queue up, a leader opens
// a transaction, runs each work inside its own savepoint, commits once with a full fsync, and only then answers
// all of them. Separate because every rule that keeps acknowledged rows safe lives here.
//
// Invariants:
// 1. A work's promise settles only after the COMMIT (or the rollback) that decided it.
// 2. A work runs at most once. Only taking the lock is ever retried; a failed COMMIT fails its whole group.
// 3. A failing work undoes its own savepoint and nothing else, unless SQLite itself undid the transaction; then
//    the whole group fails.
// 4. Nothing is awaited inside a work but its tx. All of tx answers without leaving the current turn of the event
//    loop, so when the loop turns, the work that is running has broken the rule: it is undone and refused. So the
//    lock is never held while waiting for the outside, and no work can hang the writer.
// 5. When it cannot be known whether a COMMIT happened, or the file is damaged or not where it was, the writer stops for
//    good and says so through onFatal: the next start is the recovery.

import { AsyncLocalStorage } from "node:async_hooks";
import type { InStatement, ResultSet } from "@libsql/client/sqlite3";
import { InvariantError } from "../foundation/assert";
import { backoffMilliseconds } from "../foundation/backoff";
import { BoundedQueue } from "../foundation/bounded-queue";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import { bindWrite, type Executor, requireStorable, type Tx } from "./bind";
import type { DatabaseConnection } from "./connection";
import type { DatabaseClient, DatabaseTransaction } from "./database-client";
import {
  asBsoptError,
  databaseBusy,
  databaseCode,
  databaseFailed,
  databaseSilent,
  isBusy,
  isCertainlyUndone,
  isCommitUnknown,
  isCorruption,
  storageClosed,
} from "./database-error";
import { busyBaseMilliseconds, busyWaitMillisecondsMax } from "./patience";
import { remoteCodes } from "./remote-protocol";
import { loopTurned, type TurnGuard } from "./turn-guard";

export interface WriterLimits {
  /** Works waiting for their group; one more is refused with WRITE_QUEUE_FULL. */
  readonly writesQueuedMax: number;
  /** Works in one transaction. */
  readonly groupWritesMax: number;
  /** Once a group has run this long it commits: the event loop stands still meanwhile. Longer where the loop's other work is. */
  readonly groupMillisecondsMax: number;
  /** How long a work waits for another process's lock before it is refused with DATABASE_BUSY. */
  readonly busyMillisecondsMax: number;
}

export const defaultWriterLimits: WriterLimits = {
  writesQueuedMax: 4096,
  groupWritesMax: 256,
  groupMillisecondsMax: 5,
  busyMillisecondsMax: 5000,
};

/** A group may take this share of the turn that it waited for: else a loop that is busy with requests would hardly write. */
const turnShare = 0.5;
const busyGroupMillisecondsMax = 25;

/** A server's answers take turns of the loop, which goes on meanwhile: larger groups cost nobody else a turn. */
export const serverGroupMillisecondsMax = 25;

/** Counts since the start, for metrics and tests. */
export interface WriterStatistics {
  readonly groupCount: number;
  readonly writeCount: number;
  readonly busyCount: number;
  readonly queuedCount: number;
}

/** What is told of the database's work as it happens; must return at once and never throw. */
export interface StorageObserver {
  /** A transaction of so many writes was committed, the COMMIT itself taking so long. */
  committed(writeCount: number, commitMilliseconds: number): void;
  /** A select was answered; told in the asynchronous context of whoever asked. */
  read(milliseconds: number): void;
  /** A write is settled, waiting included; told in the same context. */
  wrote(milliseconds: number): void;
}

export interface WriterOptions {
  readonly connection: DatabaseConnection;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: WriterLimits;
  /** Called once, when the writer has stopped for good. */
  readonly onFatal: (error: unknown) => void;
  readonly observer?: StorageObserver | undefined;
  /** Told why writes failed; not every reason is the database's. */
  readonly onRefused?: (error: unknown) => void;
}

type Work = (tx: Tx) => Promise<unknown>;
type Outcome = { readonly isDone: true; readonly value: unknown } | { readonly isDone: false; readonly error: unknown };

interface QueuedWrite {
  readonly work: Work;
  readonly queuedAtMilliseconds: number;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/** The works of one transaction, in the order they ran. */
interface Group {
  readonly transaction: DatabaseTransaction;
  readonly guard: TurnGuard;
  readonly members: { readonly queued: QueuedWrite; readonly outcome: Outcome }[];
  /** Why SQLite undid the whole transaction under a work's feet, or undefined. */
  undoneBy: unknown;
  /** Set where a statement found the file damaged. */
  corruption: unknown;
}

/** A look at the connection between two groups. */
interface Look {
  readonly run: () => Promise<void>;
  readonly reject: (error: unknown) => void;
}

/** Looks that may wait: each of a few loops has one at a time. */
const looksMax = 64;
/** How often the queue is looked through while a server keeps its answer back. */
const queueLookMilliseconds = 500;
/** Tries in a row to get a tuned connection before the fault counts as fatal. */
const untunedCountMax = 3;

export class Writer {
  readonly #options: WriterOptions;
  readonly #queue: BoundedQueue<QueuedWrite>;
  readonly #between = new BoundedQueue<Look>(looksMax);
  readonly #scopes = new AsyncLocalStorage<WorkScope>();
  #leading: Promise<void> | null = null;
  #isClosing = false;
  /** How long the last turn of the event loop was. */
  #turnMilliseconds = 0;
  #failure: unknown = null;
  #busyInARow = 0;
  #untunedInARow = 0;
  #groupCount = 0;
  #writeCount = 0;
  #busyCount = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#queue = new BoundedQueue(options.limits.writesQueuedMax);
  }

  get statistics(): WriterStatistics {
    return {
      groupCount: this.#groupCount,
      writeCount: this.#writeCount,
      busyCount: this.#busyCount,
      queuedCount: this.#queue.count,
    };
  }

  /** Set once the writer has stopped for good. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Throws unless called outside every running work: inside, only `tx` may be used. */
  requireOutside(what: string): void {
    if (this.#scopes.getStore()?.isOpen) throw new InvariantError(`${what} inside a write: use its tx`);
  }

  /** Queues the work; settles after its COMMIT. See Storage.write. */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.requireOutside("storage.write");
      this.#requireRunning();
      const queuedAtMilliseconds = this.#options.clock.monotonicMilliseconds();
      if (!this.#queue.push({ work, queuedAtMilliseconds, resolve: resolve as (value: never) => void, reject })) {
        throw queueFull();
      }
      this.#lead();
    });
  }

  /** Runs `look` on the writer's connection between two groups, outside any transaction. Read only. */
  between<T>(look: (client: DatabaseClient) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#requireRunning();
      const run = async () => {
        try {
          await this.#options.connection.tune();
          resolve(await look(this.#options.connection.client));
        } catch (error) {
          this.#options.connection.distrust();
          reject(asBsoptError(error));
        }
      };
      if (!this.#between.push({ run, reject })) throw queueFull();
      this.#lead();
    });
  }

  /** Refuses further writes and waits until those already queued are settled. */
  async close(): Promise<void> {
    this.#isClosing = true;
    while (this.#leading !== null) await this.#leading;
  }

  /** Stops for good: everything queued and everything later is refused. */
  fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#options.log.error({ err: error }, "storage has stopped: the next start recovers the database");
    for (const waiting of [...this.#queue.drain(), ...this.#between.drain()]) waiting.reject(databaseFailed(error));
    this.#options.onFatal(error);
  }

  #requireRunning(): void {
    if (this.#failure !== null) throw databaseFailed(this.#failure);
    if (this.#isClosing) throw storageClosed();
  }

  #lead(): void {
    this.#leading ??= this.#rounds().catch((error: unknown) => {
      this.#leading = null;
      this.fail(error);
    });
  }

  async #rounds(): Promise<void> {
    while (true) {
      // Whatever arrives in this turn of the loop joins the group.
      const waitingSince = this.#options.clock.monotonicMilliseconds();
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#turnMilliseconds = this.#options.clock.monotonicMilliseconds() - waitingSince;
      for (const look of this.#between.drain()) await look.run();
      if (this.#queue.count > 0) await this.#round();
      if (this.#queue.count > 0 || this.#between.count > 0) continue;
      // In the same step as the decision to end, so that a write arriving next starts a new leader.
      this.#leading = null;
      return;
    }
  }

  async #round(): Promise<void> {
    const transaction = await this.#begin();
    if (transaction === null) return;
    const guard = this.#options.connection.turnGuard();
    const group: Group = { transaction, guard, members: [], undoneBy: undefined, corruption: undefined };
    await this.#whileServed(this.#runGroup(group));
    if (group.corruption !== undefined) {
      this.#closeQuietly(transaction);
      for (const { queued } of group.members) queued.reject(databaseFailed(group.corruption));
      this.fail(group.corruption);
      return;
    }
    const { clock, observer } = this.#options;
    const begunAt = clock.monotonicMilliseconds();
    try {
      await this.#whileServed(transaction.commit());
    } catch (error) {
      this.#commitFailed(group, error);
      return;
    }
    try {
      this.#options.connection.requireInPlace();
    } catch (error) {
      // Committed to a file that nobody will find: it was not.
      for (const { queued } of group.members) queued.reject(error);
      this.fail(error);
      return;
    }
    this.#groupCount += 1;
    this.#writeCount += group.members.length;
    observer?.committed(group.members.length, clock.monotonicMilliseconds() - begunAt);
    for (const { queued, outcome } of group.members) {
      if (outcome.isDone) queued.resolve(outcome.value as never);
      else queued.reject(outcome.error);
    }
  }

  /** A transaction that holds the write lock on the tuned connection, or null where this round has none. */
  async #begin(): Promise<DatabaseTransaction | null> {
    const { connection } = this.#options;
    let transaction: DatabaseTransaction | null = null;
    try {
      await connection.tune();
      transaction = await this.#whileServed(connection.begin());
      await connection.lock(transaction);
      this.#busyInARow = 0;
      this.#untunedInARow = 0;
      return transaction;
    } catch (error) {
      const wasTuned = connection.isTuned;
      this.#closeQuietly(transaction);
      await this.#beginFailed(error, wasTuned && transaction !== null);
      return null;
    }
  }

  /** `isClean`: the failing statement was finalised, so the connection may be used again after SQLITE_BUSY. */
  async #beginFailed(error: unknown, isClean: boolean): Promise<void> {
    const { connection } = this.#options;
    if (isBusy(error)) {
      if (!isClean) connection.distrust();
      await this.#waitForLock(error);
      return;
    }
    connection.distrust();
    if (isCorruption(error)) return this.fail(asBsoptError(error));
    if (error instanceof Error && error.message.includes("temp.tuned_connection")) {
      this.#untunedInARow += 1;
      if (this.#untunedInARow < untunedCountMax) return;
      return this.fail(new InvariantError("the writer's connection cannot be tuned"));
    }
    // Nothing has run: whoever waits is told, and the next write tries again.
    const refusal = asBsoptError(error);
    this.#options.onRefused?.(refusal);
    for (const queued of this.#queue.drain()) queued.reject(refusal);
  }

  async #waitForLock(error: unknown): Promise<void> {
    const { clock, random, log, limits } = this.#options;
    this.#busyCount += 1;
    if (this.#busyInARow === 0) log.debug({ queued: this.#queue.count }, "another process holds the database; waiting");
    this.#refuseWhoeverWaited(limits.busyMillisecondsMax, databaseBusy(error));
    if (this.#queue.count === 0) {
      this.#busyInARow = 0;
      return;
    }
    const wait = backoffMilliseconds({
      attemptIndex: this.#busyInARow,
      baseMilliseconds: busyBaseMilliseconds,
      waitMillisecondsMax: busyWaitMillisecondsMax,
      random,
    });
    this.#busyInARow += 1;
    await clock.sleep(wait);
  }

  /** Refuses the writes that have waited in the queue for so long. */
  #refuseWhoeverWaited(milliseconds: number, error: unknown): void {
    const { clock, log } = this.#options;
    const now = clock.monotonicMilliseconds();
    let refusedCount = 0;
    for (let oldest = this.#queue.peek(); oldest !== undefined; oldest = this.#queue.peek()) {
      if (now - oldest.queuedAtMilliseconds < milliseconds) break;
      this.#queue.shift();
      oldest.reject(error);
      refusedCount += 1;
    }
    if (refusedCount === 0) return;
    log.warn({ refused: refusedCount }, "the database is held up: writes refused");
    this.#options.onRefused?.(error);
  }

  /** Waits for a server; whoever waits behind is refused meanwhile rather than kept for the sum of all waits. */
  async #whileServed<T>(under: Promise<T>): Promise<T> {
    const { connection, clock, limits } = this.#options;
    if (!connection.isRemote) return under;
    const done = new AbortController();
    const watch = async () => {
      while (!done.signal.aborted) {
        await clock.sleep(queueLookMilliseconds, done.signal);
        if (!done.signal.aborted) this.#refuseWhoeverWaited(limits.busyMillisecondsMax, databaseSilent());
      }
    };
    const watching = watch();
    try {
      return await under;
    } finally {
      done.abort();
      await watching;
    }
  }

  async #runGroup(group: Group): Promise<void> {
    const { clock, limits } = this.#options;
    const begunAt = clock.monotonicMilliseconds();
    const { guard } = group;
    const millisecondsMax = Math.max(
      limits.groupMillisecondsMax,
      Math.min(this.#turnMilliseconds * turnShare, busyGroupMillisecondsMax),
    );
    while (group.members.length < limits.groupWritesMax && !guard.hasTurned) {
      const queued = this.#queue.shift();
      if (queued === undefined) break;
      const outcome = await this.#runWork(queued.work, group);
      group.members.push({ queued, outcome });
      if (group.transaction.closed || group.corruption !== undefined) break;
      if (clock.monotonicMilliseconds() - begunAt >= millisecondsMax) break;
    }
    guard.end();
  }

  async #runWork(work: Work, group: Group): Promise<Outcome> {
    const scope = new WorkScope(group, this.#options.clock.nowMicroseconds(), 0);
    try {
      await group.transaction.executeMultiple(`SAVEPOINT ${scope.savepoint}`);
      const turned = group.guard.watch();
      const value = await Promise.race([this.#scopes.run(scope, async () => work(scope.tx)), turned]);
      if (value === loopTurned) {
        throw new InvariantError("a write awaited something other than its tx: do that before or after the write");
      }
      scope.end();
      await group.transaction.executeMultiple(`RELEASE ${scope.savepoint}`);
      return { isDone: true, value };
    } catch (error) {
      scope.abandon();
      await undoScope(group, scope);
      const told = explained(group, error);
      this.#options.onRefused?.(told);
      return { isDone: false, error: told };
    }
  }

  #commitFailed(group: Group, error: unknown): void {
    this.#options.connection.distrust();
    if (isCommitUnknown(error)) {
      // A server's mark will still tell: only this group's callers are left without an answer.
      this.#options.onRefused?.(asBsoptError(error));
      for (const { queued } of group.members) queued.reject(asBsoptError(error));
      return;
    }
    if (!wasClosed(error) && !isCertainlyUndone(error)) {
      const unknown = new BsoptError({
        reason: "internal",
        code: "DATABASE_COMMIT_UNKNOWN",
        detail: "It is not known whether the write was kept.",
        hint: "Restart the process: the start recovers the database. Look at the system log for errors of the disk.",
        cause: error,
      });
      for (const { queued } of group.members) queued.reject(unknown);
      this.fail(unknown);
      return;
    }
    const cause = explained(group, error);
    this.#options.onRefused?.(cause);
    for (const { queued, outcome } of group.members) queued.reject(outcome.isDone ? cause : outcome.error);
  }

  #closeQuietly(transaction: DatabaseTransaction | null): void {
    if (transaction !== null && !closeQuietly(transaction)) this.#options.connection.distrust();
  }
}

/** The driver's word for a statement after SQLite has undone the transaction. */
function wasClosed(error: unknown): boolean {
  const code = databaseCode(error);
  return code === "TRANSACTION_CLOSED" || code === remoteCodes.transactionOver;
}

/** The typed error, told by what undid the transaction where that came first. */
function explained(group: Group, error: unknown): unknown {
  return asBsoptError(wasClosed(error) && group.undoneBy !== undefined ? group.undoneBy : error);
}

/** Undoes and gives back a transaction; false where its connection was lost with it. */
function closeQuietly(transaction: DatabaseTransaction): boolean {
  try {
    transaction.close();
    return true;
  } catch {
    return false;
  }
}

/** Undoes what a scope wrote; where that cannot be done alone, everything, so that the group's COMMIT fails. */
async function undoScope(group: Group, scope: WorkScope): Promise<void> {
  if (group.transaction.closed) return;
  try {
    await group.transaction.executeMultiple(`ROLLBACK TO ${scope.savepoint}; RELEASE ${scope.savepoint}`);
  } catch (error) {
    group.undoneBy ??= error;
    closeQuietly(group.transaction);
  }
}

/** Statements that would break the group's own transaction. */
const transactionControl = /^\s*(begin|commit|end|rollback|savepoint|release|attach|detach|vacuum)\b/i;

/** One work, or one nested part of it: passes statements on while it is open and nothing inside it is. */
class WorkScope implements Executor {
  readonly tx: Tx;
  readonly savepoint: string;
  readonly #group: Group;
  readonly #depth: number;
  #isOpen = true;
  #inner: WorkScope | null = null;

  constructor(group: Group, nowMicroseconds: bigint, depth: number) {
    this.savepoint = `work_${depth}`;
    this.#group = group;
    this.#depth = depth;
    this.tx = bindWrite(this, nowMicroseconds, (work) => this.#nested(work, nowMicroseconds));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  async execute(statement: InStatement): Promise<ResultSet> {
    this.#requireUsable();
    const sql = typeof statement === "string" ? statement : statement.sql;
    if (transactionControl.test(sql)) {
      throw new InvariantError(`a write may not control its transaction: ${sql.slice(0, 40)}`);
    }
    requireStorable(statement);
    const { guard } = this.#group;
    guard.sent();
    try {
      return await this.#group.transaction.execute(statement);
    } catch (error) {
      if (isCorruption(error)) this.#group.corruption ??= asBsoptError(error);
      else if (this.#group.transaction.closed) this.#group.undoneBy ??= error;
      throw explained(this.#group, error);
    } finally {
      guard.answered();
    }
  }

  /** The work has resolved: nothing may be left running inside. */
  end(): void {
    if (this.#inner !== null) throw new InvariantError(`a write resolved before its nested part (${this.savepoint})`);
    this.#isOpen = false;
  }

  /** The work has failed or was cut off: whatever of it still runs is refused. */
  abandon(): void {
    this.#isOpen = false;
    this.#inner?.abandon();
    this.#inner = null;
  }

  #requireUsable(): void {
    if (!this.#isOpen) throw new InvariantError("a tx was used after its write had ended");
    if (this.#inner !== null) throw new InvariantError("an outer tx was used while a nested one is open");
  }

  async #nested<T>(work: (inner: Tx) => Promise<T>, nowMicroseconds: bigint): Promise<T> {
    this.#requireUsable();
    const inner = new WorkScope(this.#group, nowMicroseconds, this.#depth + 1);
    this.#inner = inner;
    try {
      await this.#group.transaction.executeMultiple(`SAVEPOINT ${inner.savepoint}`);
      const value = await work(inner.tx);
      inner.end();
      await this.#group.transaction.executeMultiple(`RELEASE ${inner.savepoint}`);
      return value;
    } catch (error) {
      inner.abandon();
      // Where the outer part is over already, its own undoing has covered this one.
      if (this.#isOpen) await undoScope(this.#group, inner);
      throw explained(this.#group, error);
    } finally {
      if (this.#inner === inner) this.#inner = null;
    }
  }
}

function queueFull(): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "WRITE_QUEUE_FULL",
    detail: "Too many writes are waiting.",
    hint: "The disk or another process holds the database up, or the load is beyond this machine.",
    retryAfterSeconds: 1,
  });
}
