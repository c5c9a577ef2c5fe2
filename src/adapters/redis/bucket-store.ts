// Token buckets that several processes share, in Redis. Separate from the buckets in memory, which it falls back to: while Redis
// is out of reach either each process counts by itself, or what would be counted is refused. Invariants:
//   1. No caller waits longer than `timeoutMilliseconds` (the client queues what a silent server does not answer).
//   2. The first call that gets no answer makes the store count Redis as lost; from then on none waits at all.
//   3. It comes back by itself: a loop connects anew, and only what has run the script counts as back.
//   4. Loss and return are one line in the log each, without the address, which may hold a password.

import { RedisClient } from "bun";
import { Agent } from "../../foundation/agent";
import { assert } from "../../foundation/assert";
import type { Clock } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";
import type { Log } from "../../foundation/log";
import {
  type BucketDecision,
  type BucketPolicy,
  type BucketStore,
  type BucketWant,
  decisionOf,
  requireExact,
  tokenUnitsOf,
  wantsMax,
} from "../../foundation/token-bucket";
import type { Names } from "../names";
import { bucketScript } from "./bucket-script";

export interface RedisBucketStoreOptions {
  /** redis://[user:password@]host:port[/database]; rediss:// with TLS. */
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
  /** What counts while Redis is out of reach; null: nothing does, and callers get BsoptError `unavailable` LIMITS_UNAVAILABLE. */
  readonly local: BucketStore | null;
  /** Longest wait for an answer. */
  readonly timeoutMilliseconds?: number;
  /** Asked before connecting by name; absent: the system is asked straight away. */
  readonly names?: Names | undefined;
  /** Time between two looks whether Redis is there. */
  readonly checkMilliseconds?: number;
}

export interface RedisBucketStore extends BucketStore {
  /** Connects once, for at most a second; where that fails the store begins as lost. Never throws. */
  open(): Promise<void>;
  /** The loop that looks for Redis; app.ts starts and stops it. */
  readonly agent: Agent;
  readonly isLost: boolean;
  /** For readiness: throws where Redis does not answer. */
  ping(): Promise<void>;
  close(): void;
}

const timeoutMillisecondsDefault = 250;
const checkMillisecondsDefault = 500;
const connectMillisecondsMax = 1_000;
/** Calls that may wait at once; further ones count as while it is lost, without it being so. */
const waitingCountMax = 10_000;
const keyPrefix = "bsopt:bucket:";
const probePolicy: BucketPolicy = { name: "probe", perMinute: 1_000_000, burst: 1_000_000 };

interface Connection {
  readonly client: RedisClient;
  /** The script's name at the server. */
  readonly script: string;
}

export function createRedisBucketStore(options: RedisBucketStoreOptions): RedisBucketStore {
  const { url, clock, log, local } = options;
  const timeoutMilliseconds = options.timeoutMilliseconds ?? timeoutMillisecondsDefault;
  const known = new WeakSet<BucketPolicy>();
  let connection: Connection | null = null;
  /** Null before the first attempt. */
  let wasReached: boolean | null = null;
  let isClosed = false;
  let waitingCount = 0;

  /** The work's outcome, or a rejection once the time is up; what comes later is dropped. */
  async function inTime<T>(work: Promise<T>, milliseconds: number): Promise<T> {
    const timeUp = new AbortController();
    waitingCount += 1;
    try {
      return await Promise.race([
        work,
        clock.sleep(milliseconds, timeUp.signal).then(() => {
          throw new Error("Redis did not answer in time");
        }),
      ]);
    } finally {
      waitingCount -= 1;
      timeUp.abort();
      // A loser of the race must not count as unhandled.
      work.catch(() => undefined);
    }
  }

  async function connect(): Promise<void> {
    await options.names?.answered(new URL(url).hostname);
    const client = new RedisClient(url, {
      autoReconnect: false,
      enableOfflineQueue: false,
      connectionTimeout: connectMillisecondsMax,
      maxRetries: 0,
    });
    try {
      await inTime(client.connect(), connectMillisecondsMax);
      const script = String(await inTime(client.send("SCRIPT", ["LOAD", bucketScript]), connectMillisecondsMax));
      const made: Connection = { client, script };
      // A server that answers but does not write (a replica, a full one) is not back.
      await inTime(run(made, "1", [{ key: "probe", policy: probePolicy }]), connectMillisecondsMax);
      if (isClosed) throw new Error("closed meanwhile");
      client.onclose = () => lose(made, new Error("the connection was closed"));
      connection = made;
      if (wasReached !== true) log.info({}, "limits are counted in Redis");
      wasReached = true;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  function lose(lost: Connection, error: unknown): void {
    if (connection !== lost) return;
    connection = null;
    lost.client.close();
    if (!isClosed) tellLost(error);
  }

  function tellLost(error: unknown): void {
    if (wasReached === false) return;
    wasReached = false;
    const consequence = local === null ? "what they count is refused" : "each process counts by itself";
    log.warn({ error: messageOf(error) }, `Redis is out of reach: until it is back, ${consequence}`);
  }

  async function check(): Promise<void> {
    const held = connection;
    try {
      if (held === null) await connect();
      else await inTime(run(held, "1", [{ key: "probe", policy: probePolicy }]), timeoutMilliseconds);
    } catch (error) {
      if (held !== null) lose(held, error);
      else tellLost(error);
    }
  }

  function run({ client, script }: Connection, mode: "0" | "1", wants: readonly BucketWant[]): Promise<unknown> {
    const args = [script, String(wants.length)];
    for (const { key, policy } of wants) args.push(`${keyPrefix}${policy.name}:${key}`);
    args.push(mode);
    for (const { policy } of wants) {
      const units = tokenUnitsOf(policy);
      args.push(String(policy.perMinute), String(units), String(units * policy.burst));
    }
    return client.send("EVALSHA", args);
  }

  async function ask(mode: "0" | "1", wants: readonly BucketWant[]): Promise<readonly BucketDecision[] | null> {
    assert(wants.length <= wantsMax, `${wants.length} tokens were wanted at once`);
    for (const { policy } of wants) {
      if (known.has(policy)) continue;
      requireExact(policy);
      known.add(policy);
    }
    const held = connection;
    if (held === null || waitingCount >= waitingCountMax) return null;
    try {
      const answer = await inTime(run(held, mode, wants), timeoutMilliseconds);
      return decisionsOf(answer, mode, wants);
    } catch (error) {
      lose(held, error);
      return null;
    }
  }

  function whileLost(): BucketStore {
    if (local !== null) return local;
    throw new BsoptError({
      reason: "unavailable",
      code: "LIMITS_UNAVAILABLE",
      detail: "Requests cannot be counted at the moment",
      retryAfterSeconds: 1,
    });
  }

  const agent = new Agent({
    name: "redis-limits",
    intervalMilliseconds: options.checkMilliseconds ?? checkMillisecondsDefault,
    failuresMax: 5,
    clock,
    round: check,
    onFailure: (error) => log.error({ error }, "looking for Redis failed"),
  });

  return {
    agent,
    open: check,
    get isLost() {
      return connection === null;
    },
    async take(key, policy) {
      const decisions = await ask("1", [{ key, policy }]);
      return decisions?.[0] ?? whileLost().take(key, policy);
    },
    async takeAll(wants) {
      return (await ask("1", wants)) ?? whileLost().takeAll(wants);
    },
    async peek(key, policy) {
      const decisions = await ask("0", [{ key, policy }]);
      return decisions?.[0] ?? whileLost().peek(key, policy);
    },
    async forget(key, policy) {
      const held = connection;
      // What was counted here while Redis was away must not outlive the forgetting either.
      await local?.forget(key, policy);
      if (held === null) return local === null ? whileLost().forget(key, policy) : undefined;
      try {
        await inTime(held.client.send("DEL", [`${keyPrefix}${policy.name}:${key}`]), timeoutMilliseconds);
      } catch (error) {
        lose(held, error);
      }
    },
    async ping() {
      const held = connection;
      if (held === null) throw new Error("Redis is out of reach");
      await inTime(held.client.send("PING", []), timeoutMilliseconds);
    },
    close() {
      isClosed = true;
      if (connection !== null) lose(connection, null);
    },
  };
}

/** Throws where the answer is not what the script gives. */
function decisionsOf(answer: unknown, mode: "0" | "1", wants: readonly BucketWant[]): BucketDecision[] {
  if (!Array.isArray(answer) || answer.length !== 2 * wants.length || !answer.every(Number.isSafeInteger)) {
    throw new Error("Redis answered something else than the script gives");
  }
  const numbers = answer as number[];
  const isTaken = mode === "1" && wants.every((_, index) => numbers[2 * index] === 1);
  return wants.map(({ policy }, index) =>
    decisionOf(isTaken || numbers[2 * index] === 1, numbers[2 * index + 1]!, policy),
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "closed";
}
