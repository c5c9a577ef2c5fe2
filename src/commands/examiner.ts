// The doctor's looks that need the database engine or another server. Separate from doctor.ts because the engine's loading is
// itself something that can fail and must be told, and from the checks that any machine can make.

import { existsSync } from "node:fs";
import { createEventStream } from "../adapters/nats/event-stream";
import { createRedisBucketStore } from "../adapters/redis/bucket-store";
import { everyTable, openMailer } from "../app";
import { backupPlaceOf } from "../app/backup-place";
import type { Config } from "../config/config";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import { silentLog } from "../foundation/log";
import type { Random } from "../foundation/random";
import { type DatabaseServer, isDatabaseServer, parseDatabaseAddress } from "../storage/location";
import { createLongWork } from "../storage/long-work";
import type { Patience } from "../storage/patience";
import type { Durability } from "../storage/remote-client";
import { schemaReport, serverReport } from "../storage/schema-report";
import type { Examiner } from "./doctor";
import { backupFinding, type Finding, fail, warn } from "./doctor-checks";

export interface ExaminerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The module that storage's threads start from. */
  readonly entrance: string;
}

const busyMillisecondsMax = 5000;
const mailMilliseconds = 5000;
const restoreMend = "Stop the server, keep a copy of the data folder, and restore a backup: bsopt restore FOLDER.";

/** The looks themselves; each changes nothing. */
export function openExaminer({ clock, random, entrance }: ExaminerOptions): Examiner {
  return {
    async database(config) {
      const address = parseDatabaseAddress(config.storage.databaseUrl, config.storage.databaseServer);
      if (address.kind === "server") return serverFindings(address, { clock, random, busyMillisecondsMax });
      const location = address;
      if (!existsSync(location.path)) {
        const mend = "The first start of bsopt serve makes it; else look at --data-dir.";
        return [{ check: "database", status: "warn", detail: "there is no database yet", mend }];
      }
      const { damage, brokenReferences } = await createLongWork(entrance).run({
        kind: "inspect",
        path: location.path,
        depth: "whole",
      });
      if (damage.length > 0) {
        return [
          { check: "database", status: "fail", detail: `the database is damaged: ${damage[0]}`, mend: restoreMend },
        ];
      }
      const findings: Finding[] = [
        brokenReferences.length === 0
          ? { check: "database", status: "ok", detail: "the database is sound: every page, row and index was read" }
          : {
              check: "database",
              status: "fail",
              detail: `rows point nowhere: ${brokenReferences.join(", ")}`,
              mend: restoreMend,
            },
      ];
      const { problem, pendingCount, differences } = await schemaReport(location, everyTable, {
        clock,
        random,
        busyMillisecondsMax,
      });
      return [...findings, schemaFinding(problem, pendingCount, differences)];
    },
    async backups(config) {
      const { backups, databaseUrl } = config.storage;
      if (isDatabaseServer(databaseUrl)) {
        const detail = "the database is on a server, which is backed up by its own tools";
        return [warn("backups", detail, "Make sure that whoever runs the server does it.")];
      }
      if (backups === null) {
        const detail = "the server makes no backups";
        return [warn("backups", detail, "Set backup_dir, or run bsopt backup by a timer.")];
      }
      let newest: bigint | null;
      try {
        newest = await backupPlaceOf(backups.folder, config, clock).newest(true);
      } catch (error) {
        if (!(error instanceof BsoptError)) throw error;
        return [fail("backups", error.detail, error.hint ?? "")];
      }
      const ageHours = newest === null ? null : Number(clock.nowMicroseconds() - newest) / 3_600_000_000;
      return [backupFinding(ageHours, backups.everyHours)];
    },
    async dependencies(config) {
      const findings: Finding[] = [];
      if (config.limits.redisUrl !== null) findings.push(await redisFinding(config, clock));
      if (config.events.natsUrl !== null) findings.push(await natsFinding(config, clock));
      if (config.mail.smtpUrl !== null) findings.push(await mailFinding(config));
      return findings;
    },
  };
}

async function serverFindings(address: DatabaseServer, patience: Omit<Patience, "log">): Promise<Finding[]> {
  const { durability, problem, pendingCount, differences } = await serverReport(address, everyTable, patience);
  return [durabilityFinding(durability), schemaFinding(problem, pendingCount, differences)];
}

function durabilityFinding(durability: Durability): Finding {
  const check = "database";
  const mend =
    'Set durability_mode to "strong" through the server\'s admin interface, or name that in database_admin_url.';
  switch (durability) {
    case "strong":
      return { check, status: "ok", detail: "the database server answers, and syncs each commit" };
    case "relaxed": {
      const detail = "the database server may lose what it has acknowledged when its machine loses power";
      return { check, status: "fail", detail, mend };
    }
    case "unknown":
      return { check, status: "warn", detail: "the database server does not tell whether it syncs each commit", mend };
  }
}

function schemaFinding(
  problem: { readonly detail: string; readonly hint: string | undefined } | null,
  pendingCount: number,
  differences: readonly string[],
): Finding {
  const check = "schema";
  if (problem !== null) return { check, status: "fail", detail: problem.detail, mend: problem.hint ?? restoreMend };
  if (pendingCount > 0) {
    const mend = "Make a backup; the next start, or bsopt migrate up, applies them.";
    return { check, status: "warn", detail: `${pendingCount} migrations are pending`, mend };
  }
  if (differences.length > 0) {
    const mend = "Somebody changed the schema by hand, or another build made it: restore a backup or use that build.";
    return { check, status: "fail", detail: `the schema is not as expected: ${differences.join("; ")}`, mend };
  }
  return { check, status: "ok", detail: "the schema is as this executable expects" };
}

async function redisFinding(config: Config, clock: Clock): Promise<Finding> {
  const store = createRedisBucketStore({ url: config.limits.redisUrl!, clock, log: silentLog, local: null });
  try {
    await store.open();
    await store.ping();
    return { check: "redis", status: "ok", detail: "Redis answers" };
  } catch {
    // The driver's words may hold the address with its password.
    const mend = "Look at redis_url (bsopt config show says where it comes from), the network, and Redis itself.";
    return { check: "redis", status: "fail", detail: "Redis does not answer", mend };
  } finally {
    store.close();
  }
}

async function natsFinding({ events: { natsUrl, subject } }: Config, clock: Clock): Promise<Finding> {
  const stream = createEventStream({ url: natsUrl!, subject, clock, log: silentLog });
  try {
    await stream.open();
    await stream.ping();
    return { check: "nats", status: "ok", detail: "NATS answers, and its stream takes events" };
  } catch {
    const mend = "Look at nats_url, the network, whether JetStream is on, and what its user may do.";
    return { check: "nats", status: "fail", detail: "NATS does not answer, or its stream does not take events", mend };
  } finally {
    await stream.close();
  }
}

async function mailFinding(config: Config): Promise<Finding> {
  try {
    await openMailer(config).check(AbortSignal.timeout(mailMilliseconds));
    return { check: "smtp", status: "ok", detail: "the mail server answers and takes the sign-in" };
  } catch {
    const mend = "Look at smtp_url (user, password, port, TLS) and the network.";
    return { check: "smtp", status: "fail", detail: "the mail server does not answer or refuses the sign-in", mend };
  }
}
