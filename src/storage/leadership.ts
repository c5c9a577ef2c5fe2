// Which one of the processes on a database leads: what only one may do at a time is the leader's. Separate from the one who does it. A database in
// a file is one machine's, and there the lead is a lock of the system's on an empty file beside it: given back whatever ends the process, and
// costing nothing to hold. On a server it is a row that the leader renews. Invariants:
//   1. Each lead has a number of its own, one more than any before: whatever an earlier leader still sends can be told by it.
//   2. Nobody takes a row over whose leader has given a sign of life within `lapseMilliseconds`, by the taker's own clock, which never steps: the
//      machines' clocks need not agree.
//   3. A leader that cannot renew steps back before anybody may take over.
// A process that is stopped (SIGSTOP) and goes on learns that it lost a row with its next round; until then its number is an old one.

import { existsSync } from "node:fs";
import { and, eq } from "drizzle-orm";
import { Agent } from "../foundation/agent";
import type { Clock } from "../foundation/clock";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import { type FolderLock, lockFolder } from "./folder-lock";
import { clientUrlOf, lockSuffix, makeEmptyFile, parseDatabaseAddress } from "./location";
import type { Storage, Tx } from "./storage";
import { leases } from "./table";

export interface LeadershipOptions {
  readonly storage: Pick<Storage, "read" | "write">;
  readonly databaseUrl: string;
  /** What is led, such as `market`. */
  readonly name: string;
  /** A word of this process alone. */
  readonly self: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Between two rounds: signs of life, or looks whether the lead is free. */
  readonly roundMilliseconds?: number;
  readonly lapseMilliseconds?: number;
}

export interface Leadership {
  readonly isLeader: boolean;
  /** The number of this process's own lead, from 1; 0 while it does not lead. */
  readonly fence: number;
  /** Who leads, by the last look; null: nobody that is known. */
  readonly leader: string | null;
  /** Every change of isLeader. Returns the way to stop. */
  onChange(listener: (isLeader: boolean) => void): () => void;
  /** One round now: before anything is served, so that a single process leads from the start. Never throws. */
  open(): Promise<void>;
  readonly agent: Agent;
  /** Gives the lead up, for another to take at once. */
  close(): Promise<void>;
}

const roundMillisecondsDefault = 1_000;
const lapseMillisecondsDefault = 6_000;
/** A leader steps back that long before it could be taken over. */
const marginShare = 0.25;

export function createLeadership(options: LeadershipOptions): Leadership {
  const { storage, name, self, clock, random, log } = options;
  const roundMilliseconds = options.roundMilliseconds ?? roundMillisecondsDefault;
  const lapseMilliseconds = options.lapseMilliseconds ?? lapseMillisecondsDefault;
  const address = parseDatabaseAddress(options.databaseUrl);
  const listeners = new Set<(isLeader: boolean) => void>();
  let fence = 0;
  let leader: string | null = null;
  let isClosed = false;
  /** Of a file. */
  let lock: FolderLock | null = null;
  /** Of a row: when this process's last sign of life began that was taken, or since when the row stands still. */
  let renewedAt = 0;
  let seen: {
    readonly holder: string | null;
    readonly fence: number;
    readonly beat: number;
    readonly since: number;
  } | null = null;

  function become(next: number): void {
    if (fence === next) return;
    const was = fence;
    fence = next;
    if (next > 0) leader = self;
    log.info({ subject: name, fence: next || was }, next > 0 ? "this process leads" : "this process leads no more");
    for (const listener of [...listeners]) listener(next > 0);
  }

  const row = (database: Pick<Tx, "select">) => database.select().from(leases).where(eq(leases.name, name)).limit(1);

  /** The next number, taken in one write; null where `mayTake` says no to what stands there now. */
  function take(mayTake: (now: { holder: string | null; fence: number; beat: number } | null) => boolean) {
    return storage.write(async (tx) => {
      const [found = null] = await row(tx);
      if (!mayTake(found)) return null;
      const next = (found?.fence ?? 0) + 1;
      if (found === null) await tx.insert(leases).values({ name, holder: self, fence: next, beat: 0 });
      else await tx.update(leases).set({ holder: self, fence: next, beat: 0 }).where(eq(leases.name, name));
      return next;
    });
  }

  async function roundOnFile(path: string): Promise<void> {
    if (lock !== null) return;
    const place = `${path}-${name}`;
    if (!existsSync(place + lockSuffix)) makeEmptyFile(place + lockSuffix);
    const patience = { clock, random, log, busyMillisecondsMax: 0 };
    const taken = await lockFolder(
      { kind: "file", path: place, clientUrl: clientUrlOf(place) },
      "alone",
      patience,
    ).catch(() => null);
    if (taken === null) {
      leader = (await row(storage.read))[0]?.holder ?? null;
      return;
    }
    lock = taken;
    try {
      const next = await take(() => true);
      if (isClosed) throw new Error("closed meanwhile");
      become(next!);
    } catch (error) {
      lock = null;
      await taken.release();
      throw error;
    }
  }

  async function roundOnServer(): Promise<void> {
    const now = clock.monotonicMilliseconds();
    if (fence > 0) return renew(now);
    const [found = null] = await row(storage.read);
    leader = found?.holder ?? null;
    const isSame =
      seen !== null &&
      found !== null &&
      seen.holder === found.holder &&
      seen.fence === found.fence &&
      seen.beat === found.beat;
    if (!isSame) seen = found && { ...found, since: now };
    const isFree = found === null || found.holder === null;
    if (!isFree && !(seen !== null && now - seen.since >= lapseMilliseconds)) return;
    const next = await take((stands) =>
      found === null
        ? stands === null
        : stands !== null &&
          stands.holder === found.holder &&
          stands.fence === found.fence &&
          stands.beat === found.beat,
    );
    seen = null;
    if (next === null || isClosed) return;
    // As of when it was asked for: what the answer took counts as well.
    renewedAt = now;
    become(next);
  }

  async function renew(now: number): Promise<void> {
    const held = fence;
    try {
      const isOurs = await within(
        storage.write(async (tx) => {
          const [found] = await row(tx);
          if (found?.holder !== self || found.fence !== held) return false;
          await tx
            .update(leases)
            .set({ beat: found.beat + 1 })
            .where(and(eq(leases.name, name), eq(leases.fence, held)));
          return true;
        }),
        renewedAt + lapseMilliseconds * (1 - marginShare) - now,
      );
      if (isOurs === true) {
        renewedAt = now;
        return;
      }
      if (isOurs === false) log.warn({ subject: name, fence: held }, "another process has taken the lead");
      if (isOurs === false || !mayLead()) become(0);
    } catch (error) {
      if (!mayLead()) {
        become(0);
        throw error;
      }
      // A round that fails is put off, further each time; the next look must come before the lead lapses.
      log.warn({ err: error, subject: name }, "the lead could not be renewed and is tried again");
    }
  }

  /** Null where it took too long. */
  async function within<T>(work: Promise<T>, milliseconds: number): Promise<T | null> {
    const inTime = new AbortController();
    try {
      return await Promise.race([work, clock.sleep(Math.max(0, milliseconds), inTime.signal).then(() => null)]);
    } finally {
      inTime.abort();
      work.catch(() => undefined);
    }
  }

  function mayLead(): boolean {
    return clock.monotonicMilliseconds() - renewedAt < lapseMilliseconds * (1 - marginShare);
  }

  /** One at a time: two of this process would keep each other out. */
  let underWay: Promise<void> | null = null;
  function round(): Promise<void> {
    if (isClosed) return Promise.resolve();
    underWay ??= (address.kind === "file" ? roundOnFile(address.path) : roundOnServer()).finally(() => {
      underWay = null;
    });
    return underWay;
  }

  return {
    get isLeader() {
      return fence > 0;
    },
    get fence() {
      return fence;
    },
    get leader() {
      return leader;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    open: () =>
      round().catch((error) =>
        log.warn({ subject: name, err: error }, "who leads could not be settled; it is tried again"),
      ),
    agent: new Agent({
      name: `${name}-lead`,
      intervalMilliseconds: roundMilliseconds,
      failuresMax: 5,
      clock,
      round,
      onFailure: (error) =>
        log.warn({ subject: name, err: error }, "who leads could not be settled; it is tried again"),
    }),
    async close() {
      isClosed = true;
      const held = fence;
      become(0);
      if (held > 0) {
        // Where it cannot be said, it lapses.
        await storage
          .write(async (tx) => {
            await tx
              .update(leases)
              .set({ holder: null })
              .where(and(eq(leases.name, name), eq(leases.fence, held)));
          })
          .catch(() => undefined);
      }
      await lock?.release();
      lock = null;
    },
  };
}
