// What is to be told once a fact is committed: written in the fact's own transaction, delivered afterwards at least once. Separate
// from whoever delivers: a handler a topic comes in from outside. A message is leased before it is handed out, so that of several
// processes on one database one sends it; a process that dies between sending and deleting leaves the lease to run out, and the
// message goes out again under the same id, by which a receiver can tell. A payload is gone from the file once the message is
// delivered or given up. It must never log a payload.

import { and, asc, count, eq, inArray, isNotNull, isNull, lt, lte, or, sql } from "drizzle-orm";
import { Agent } from "../foundation/agent";
import { backoffMilliseconds } from "../foundation/backoff";
import type { Clock, EpochMicroseconds } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import { randomBase62, uuid7 } from "../foundation/identifier";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import type { ReadDatabase, Tx } from "./bind";
import { outboxMessages } from "./table";

/** Attempts before a message is given up: with the waits below that is about two and a half hours. */
export const attemptsMax = 12;
const retryBaseMilliseconds = 2_000;
const retryMillisecondsMax = 3_600_000;
/** Messages in hand at once. */
export const batchCountMax = 8;
/** What a handler may take; past it the attempt has failed. */
export const handlerMillisecondsMax = 30_000;
/** Longer than a handler's time and the writing of its outcome, so that nobody takes a message that is still being sent. */
export const leaseMicroseconds: EpochMicroseconds = 120_000_000n;
/** Batches in one round, so that a round ends. */
const batchesPerRoundMax = 50;
const lookEveryMilliseconds = 500;
/** How long a message that was given up is kept, without its payload, for the operator to see. */
const failedKeptMicroseconds: EpochMicroseconds = 7n * 24n * 3600n * 1_000_000n;
const sweepEveryMilliseconds = 10 * 60 * 1000;
const sweepCountMax = 1000;
const payloadLengthMax = 65_536;
const faultLengthMax = 100;

export interface NewMessage {
  readonly topic: string;
  /** Anything JSON can hold, at most 64 KiB of it. */
  readonly payload: unknown;
  /** Whom the payload names (about.ts), so that erasing them finds it. */
  readonly about?: string;
  readonly now: EpochMicroseconds;
  readonly random: Random;
}

/** Writes a message as part of the act that it tells of; gives its id. Throws BsoptError `invalid` where the payload is too long. */
export async function addMessage(tx: Tx, { topic, payload, about, now, random }: NewMessage): Promise<string> {
  const text = JSON.stringify(payload);
  if (text.length > payloadLengthMax) {
    throw new BsoptError({
      reason: "invalid",
      code: "MESSAGE_TOO_LONG",
      detail: `A message holds ${payloadLengthMax} characters at most.`,
    });
  }
  const id = uuid7(now, random);
  const message = { id, topic, payload: text, createdAt: now, attempts: 0, dueAt: now };
  await tx.insert(outboxMessages).values(about === undefined ? message : { ...message, about });
  return id;
}

/** What a handler is told beside the payload. */
export interface Delivery {
  /** The same at every attempt. */
  readonly messageId: string;
  /** Aborts when the time is up or the process stops. */
  readonly signal: AbortSignal;
}

/**
 * Delivers one message. Resolves once it is delivered. Throws BsoptError `invalid` where no attempt will ever do better, which gives
 * the message up at once; anything else it throws is tried again later.
 */
export type OutboxHandler = (payload: unknown, delivery: Delivery) => Promise<void>;

export interface OutboxOptions {
  readonly storage: { write<T>(work: (tx: Tx) => Promise<T>): Promise<T>; readonly read: ReadDatabase };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** By topic. Messages of other topics are left for a process that knows them. */
  readonly handlers: Readonly<Record<string, OutboxHandler>>;
  /**
   * By topic, whether its receiver can be reached now. While it cannot, its messages wait, without limit of time or attempts, and nothing is
   * written about them. They are counted apart.
   */
  readonly gates?: Readonly<Record<string, () => boolean>>;
}

export interface OutboxStatistics {
  /** Messages not yet delivered nor given up, when the sender last looked. */
  readonly pendingCount: number;
  /** The same of topics with a gate, which are not in that. */
  readonly gatedCount: number;
  /** Since the start of this process. */
  readonly sentCount: number;
  readonly retriedCount: number;
  readonly givenUpCount: number;
}

export interface Outbox {
  /** Sends what is due now, and what becomes due meanwhile up to a bound: one round of the agent "outbox-sender". */
  sendDue(signal?: AbortSignal): Promise<void>;
  statistics(): OutboxStatistics;
  /** `outbox-sender`, which always runs, and `outbox-sweep`. Whoever serves starts and stops them. */
  readonly agents: readonly Agent[];
}

interface Taken {
  readonly id: string;
  readonly topic: string;
  readonly payload: string;
  readonly attempts: number;
}

/** The sender over this database's messages. */
export function createOutbox(options: OutboxOptions): Outbox {
  const { storage, clock, random, log, handlers } = options;
  const { gates = {} } = options;
  const topics = Object.keys(handlers);
  const openTopics = () => topics.filter((topic) => gates[topic]?.() ?? true);
  const owner = randomBase62(16, random);
  let pendingCount = 0;
  let gatedCount = 0;
  let sentCount = 0;
  let retriedCount = 0;
  let givenUpCount = 0;

  const isDue = (now: EpochMicroseconds) =>
    and(
      isNull(outboxMessages.failedAt),
      lte(outboxMessages.dueAt, now),
      inArray(outboxMessages.topic, openTopics()),
      or(isNull(outboxMessages.leasedUntil), lte(outboxMessages.leasedUntil, now)),
    );

  async function sendDue(signal: AbortSignal = new AbortController().signal): Promise<void> {
    for (let batch = 0; batch < batchesPerRoundMax && !signal.aborted; batch++) {
      const messages = await take();
      // Each writes its own outcome: one that hangs must not keep the others from being deleted.
      const outcomes = await Promise.allSettled(messages.map((message) => deliver(message, signal)));
      const failed = outcomes.find((outcome) => outcome.status === "rejected");
      if (failed) throw failed.reason;
      if (messages.length < batchCountMax) break;
    }
    await look();
  }

  async function look(): Promise<void> {
    const rows = await storage.read
      .select({ topic: outboxMessages.topic, count: count() })
      .from(outboxMessages)
      .where(isNull(outboxMessages.failedAt))
      .groupBy(outboxMessages.topic);
    const sum = (isGated: boolean) =>
      rows.reduce((total, row) => (row.topic in gates === isGated ? total + Number(row.count) : total), 0);
    pendingCount = sum(false);
    gatedCount = sum(true);
  }

  /** Leases what is due, the oldest first. Looks before it writes: most rounds find nothing and cost no write. */
  async function take(): Promise<Taken[]> {
    const due = await storage.read
      .select({ id: outboxMessages.id })
      .from(outboxMessages)
      .where(isDue(clock.nowMicroseconds()))
      .limit(1);
    if (due.length === 0) return [];
    return storage.write(async (tx) => {
      const now = clock.nowMicroseconds();
      const oldest = tx
        .select({ id: outboxMessages.id })
        .from(outboxMessages)
        .where(isDue(now))
        .orderBy(asc(outboxMessages.dueAt), asc(outboxMessages.id))
        .limit(batchCountMax);
      return tx
        .update(outboxMessages)
        .set({
          leaseOwner: owner,
          leasedUntil: now + leaseMicroseconds,
          // Counted before the attempt: a message that ends the process must not be tried for ever.
          attempts: sql`${outboxMessages.attempts} + 1`,
        })
        .where(inArray(outboxMessages.id, oldest))
        .returning({
          id: outboxMessages.id,
          topic: outboxMessages.topic,
          payload: outboxMessages.payload,
          attempts: outboxMessages.attempts,
        });
    });
  }

  async function deliver(message: Taken, stop: AbortSignal): Promise<void> {
    const { id, topic } = message;
    if (message.attempts > attemptsMax) return putBack(message, new Error("every attempt ended the process"));
    const end = new AbortController();
    const onStop = () => end.abort();
    stop.addEventListener("abort", onStop, { once: true });
    let failure: unknown;
    try {
      const handled = handlers[topic]!(JSON.parse(message.payload), { messageId: id, signal: end.signal });
      // The handler may settle after it lost the race; that is nobody's business then.
      handled.catch(() => undefined);
      const timeUp = clock.sleep(handlerMillisecondsMax, end.signal).then(() => {
        throw new BsoptError({ reason: "unavailable", code: "NOT_DONE_IN_TIME", detail: "It took too long." });
      });
      timeUp.catch(() => undefined);
      await Promise.race([handled, timeUp]);
    } catch (error) {
      failure = error;
    } finally {
      stop.removeEventListener("abort", onStop);
      end.abort();
    }
    if (failure === undefined) {
      await storage.write((tx) => tx.delete(outboxMessages).where(isOurs(id)));
      sentCount += 1;
    } else if (stop.aborted) await release(message);
    else await putBack(message, failure);
  }

  const isOurs = (id: string) => and(eq(outboxMessages.id, id), eq(outboxMessages.leaseOwner, owner));

  /** The process stops: the attempt does not count, and the next process need not wait for the lease. */
  async function release({ id, attempts }: Taken): Promise<void> {
    await storage.write((tx) =>
      tx
        .update(outboxMessages)
        .set({ leaseOwner: null, leasedUntil: null, attempts: attempts - 1 })
        .where(isOurs(id)),
    );
  }

  async function putBack({ id, topic, attempts }: Taken, failure: unknown): Promise<void> {
    const now = clock.nowMicroseconds();
    const lastFault = (failure instanceof BsoptError ? failure.code : "FAILED").slice(0, faultLengthMax);
    const isHopeless = failure instanceof BsoptError && failure.reason === "invalid";
    if (isHopeless || attempts >= attemptsMax) {
      await storage.write((tx) =>
        tx
          .update(outboxMessages)
          .set({ failedAt: now, payload: "null", lastFault, leaseOwner: null, leasedUntil: null })
          .where(isOurs(id)),
      );
      givenUpCount += 1;
      log.error({ message_id: id, topic, attempts, fault: lastFault }, "a message was given up; nobody will get it");
      return;
    }
    const wait = backoffMilliseconds({
      attemptIndex: attempts - 1,
      baseMilliseconds: retryBaseMilliseconds,
      waitMillisecondsMax: retryMillisecondsMax,
      random,
    });
    const dueAt = now + BigInt(Math.round(wait * 1000));
    await storage.write((tx) =>
      tx.update(outboxMessages).set({ dueAt, lastFault, leaseOwner: null, leasedUntil: null }).where(isOurs(id)),
    );
    retriedCount += 1;
    log.warn(
      { message_id: id, topic, attempts, fault: lastFault, retry_in_ms: Math.round(wait) },
      "a message could not be delivered; it will be tried again",
    );
  }

  async function sweep(signal: AbortSignal): Promise<void> {
    let deleted: number;
    do {
      deleted = await storage.write(async (tx) => {
        const madeBefore = clock.nowMicroseconds() - failedKeptMicroseconds;
        const doomed = tx
          .select({ id: outboxMessages.id })
          .from(outboxMessages)
          .where(and(isNotNull(outboxMessages.failedAt), lt(outboxMessages.failedAt, madeBefore)))
          .limit(sweepCountMax);
        return (await tx.delete(outboxMessages).where(inArray(outboxMessages.id, doomed))).rowsAffected;
      });
    } while (deleted === sweepCountMax && !signal.aborted);
  }

  const agentOf = (name: string, intervalMilliseconds: number, round: (signal: AbortSignal) => Promise<void>) =>
    new Agent({
      name,
      intervalMilliseconds,
      failuresMax: 10,
      clock,
      round,
      onFailure: (error) => log.warn({ agent: name, err: error }, "background round failed"),
    });

  return {
    sendDue,
    statistics: () => ({ pendingCount, gatedCount, sentCount, retriedCount, givenUpCount }),
    agents: [
      agentOf("outbox-sender", lookEveryMilliseconds, sendDue),
      agentOf("outbox-sweep", sweepEveryMilliseconds, sweep),
    ],
  };
}
