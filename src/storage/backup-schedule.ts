// Makes a backup every so many hours and keeps the newest few. Separate from making one because it decides when and which go. Of
// several servers on one database one does it: whoever holds the schedule's lock. It removes only what this schedule made, and
// only after a newer one stands. A backup that fails is told by the log and by readiness, and does not stop the server.

import { existsSync } from "node:fs";
import { Agent } from "../foundation/agent";
import type { Clock, EpochMicroseconds } from "../foundation/clock";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import { backupName } from "./backup";
import { type BackupPlace, removeOutgoing } from "./backup-place";
import { lockFolder } from "./folder-lock";
import { clientUrlOf, type DatabaseLocation, lockSuffix, makeEmptyFile } from "./location";
import type { LongWork } from "./long-work";

export interface BackupScheduleOptions {
  readonly location: DatabaseLocation;
  /** Where the backups go. */
  readonly place: BackupPlace;
  /** Read at each look, as is the next: both may change. */
  readonly everyHours: number;
  /** How many of the schedule's backups are kept, the newest. */
  readonly keepCount: number;
  readonly masterKeyMark: string | null;
  readonly build: { readonly version: string; readonly commit: string };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly longWork: LongWork;
}

/** What the schedule has come to, for metrics. */
export interface BackupStatistics {
  readonly everySeconds: number;
  /** When the newest that stands was made, by whichever server, as the last look found it; null: there is none. */
  readonly newestMicroseconds: EpochMicroseconds | null;
  /** How large the database was in the last that this process made, and how long making it took; 0 where it made none. */
  readonly lastBytes: number;
  readonly lastSeconds: number;
  readonly madeCount: number;
  readonly failedCount: number;
}

export interface BackupSchedule {
  readonly agent: Agent;
  /** False where the last try failed. */
  isWell(): boolean;
  statistics(): BackupStatistics;
}

const lookMilliseconds = 60_000;
const hourMicroseconds = 3_600_000_000n;

/** The schedule as a loop; whoever serves starts and stops it. */
export function createBackupSchedule(options: BackupScheduleOptions): BackupSchedule {
  const { clock, random, log, location, place } = options;
  let isWell = true;
  let newestMicroseconds: EpochMicroseconds | null = null;
  let lastBytes = 0;
  let lastSeconds = 0;
  let madeCount = 0;
  let failedCount = 0;

  /** Looks whether one is due, and makes it. */
  async function round(): Promise<void> {
    newestMicroseconds = await place.newest(false);
    if (!isDue(newestMicroseconds, clock.nowMicroseconds(), options.everyHours)) return;
    const schedule = `${location.path}-backups`;
    if (!existsSync(schedule + lockSuffix)) makeEmptyFile(schedule + lockSuffix);
    const patience = { clock, random, log, busyMillisecondsMax: 0 };
    const turn = { kind: "file" as const, path: schedule, clientUrl: clientUrlOf(schedule) };
    const lock = await lockFolder(turn, "alone", patience).catch(() => null);
    // Another server is at it.
    if (lock === null) return;
    try {
      // It may have finished between the look and the lock.
      newestMicroseconds = await place.newest(true);
      if (!isDue(newestMicroseconds, clock.nowMicroseconds(), options.everyHours)) return;
      removeOutgoing(location.path, clock);
      const begunMilliseconds = clock.monotonicMilliseconds();
      const made = await place.make(backupName("scheduled", clock), { ...options, keys: [] });
      lastSeconds = (clock.monotonicMilliseconds() - begunMilliseconds) / 1000;
      madeCount += 1;
      lastBytes = made.manifest.database.bytes;
      newestMicroseconds = await place.newest(false);
      log.info({ path: made.path, bytes: made.manifest.database.bytes }, "backup made");
      await place.prune(options.keepCount);
    } finally {
      await lock.release();
    }
  }

  const agent = new Agent({
    name: "backups",
    intervalMilliseconds: lookMilliseconds,
    failuresMax: Number.POSITIVE_INFINITY,
    clock,
    round: async () => {
      try {
        await round();
        isWell = true;
      } catch (error) {
        isWell = false;
        failedCount += 1;
        throw error;
      }
    },
    onFailure: (error) => log.error({ err: error }, "no backup could be made"),
  });
  return {
    agent,
    isWell: () => isWell,
    statistics: () => ({
      everySeconds: options.everyHours * 3600,
      newestMicroseconds,
      lastBytes,
      lastSeconds,
      madeCount,
      failedCount,
    }),
  };
}

/** Whether the newest backup is so old, or of the future, or there is none, that another is due. Pure. */
export function isDue(newest: EpochMicroseconds | null, now: EpochMicroseconds, everyHours: number): boolean {
  return newest === null || newest > now || now - newest >= BigInt(everyHours) * hourMicroseconds;
}
