// What a server does for its data beside serving: the check after an unclean stop and the scheduled backups, and what readiness
// says of the two. Separate from storage.ts because commands that open the database do neither. Readiness knows a closed list
// of sentences; nothing of the files gets into them.

import type { Agent } from "../foundation/agent";
import type { Clock } from "../foundation/clock";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import type { BackupPlace } from "./backup-place";
import { type BackupStatistics, createBackupSchedule } from "./backup-schedule";
import { startIntegrityCheck } from "./integrity-check";
import { isDatabaseServer, parseDatabaseUrl } from "./location";
import { createLongWork } from "./long-work";
import type { Storage } from "./storage";

export interface SafetyOptions {
  readonly storage: Pick<Storage, "isCheckDue">;
  readonly databaseUrl: string;
  /** How often backups are made and how many stay, read at each look; null: none are made. */
  readonly backups: { readonly everyHours: number; readonly keepCount: number } | null;
  /** Where they go; asked where they are made. */
  readonly backupPlace: () => BackupPlace;
  readonly masterKeyMark: string | null;
  readonly build: { readonly version: string; readonly commit: string };
  /** The module that threads start from; see createLongWork. */
  readonly entrance: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

type Outcome =
  | { readonly status: "ok" }
  | {
      readonly status: "degraded" | "failed";
      readonly message: "being checked" | "damaged" | "the last backup failed";
    };

export interface Safety {
  /** Present where backups are scheduled. */
  readonly agents: readonly Agent[];
  /** `integrity` where a check was due, `backups` where they are scheduled. */
  /** What scheduled backups have come to; null where none are. */
  readonly backups: (() => BackupStatistics) | null;
  readonly probes: readonly { readonly component: string; readonly isRequired: boolean; check(): Outcome }[];
  /** Ends long work; call it before the agents are stopped. */
  close(): void;
}

/** Begins what is due. */
export function openSafety(options: SafetyOptions): Safety {
  const { storage, databaseUrl, backups, masterKeyMark, build, clock, random, log } = options;
  // A server's files are its own business. Backups of it that are asked for are refused with words.
  if (isDatabaseServer(databaseUrl) && backups === null) {
    return { agents: [], probes: [], backups: null, close: () => undefined };
  }
  const location = parseDatabaseUrl(databaseUrl);
  const longWork = createLongWork(options.entrance);
  const integrity = storage.isCheckDue ? startIntegrityCheck({ path: location.path, longWork, log }) : null;
  const schedule =
    backups &&
    createBackupSchedule({
      location,
      place: options.backupPlace(),
      get everyHours() {
        return backups.everyHours;
      },
      get keepCount() {
        return backups.keepCount;
      },
      masterKeyMark,
      build,
      clock,
      random,
      log,
      longWork,
    });
  return {
    agents: schedule ? [schedule.agent] : [],
    backups: schedule?.statistics ?? null,
    probes: [
      ...(integrity
        ? [{ component: "integrity", isRequired: true, check: () => integrityOutcome(integrity.state) }]
        : []),
      ...(schedule
        ? [{ component: "backups", isRequired: false, check: () => backupsOutcome(schedule.isWell()) }]
        : []),
    ],
    close: () => longWork.stop(),
  };
}

function integrityOutcome(state: ReturnType<typeof startIntegrityCheck>["state"]): Outcome {
  switch (state) {
    case "sound":
      return { status: "ok" };
    case "damaged":
      return { status: "failed", message: "damaged" };
    // A check that could not be made leaves it open.
    case "running":
    case "unknown":
      return { status: "degraded", message: "being checked" };
  }
}

function backupsOutcome(isWell: boolean): Outcome {
  return isWell ? { status: "ok" } : { status: "degraded", message: "the last backup failed" };
}
