// A database in a temporary folder with the audit log on it: real storage, a wall clock the test moves, seeded randomness, and a
// hand that changes rows behind the log's back, as somebody with the file would.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type InArgs } from "@libsql/client/sqlite3";
import { type Audit, type AuditEvent, type AuditOptions, createAudit } from "../../src/features/audit/service";
import { type Clock, ManualClock, systemClock } from "../../src/foundation/clock";
import type { Log } from "../../src/foundation/log";
import { silentLog } from "../../src/foundation/log";
import { seededRandom } from "../../src/foundation/random";
import { openStorage, type Storage } from "../../src/storage/storage";

export const auditKey = new Uint8Array(32).fill(11);

export interface AuditFixture {
  readonly folder: string;
  readonly url: string;
  readonly storage: Storage;
  readonly audit: Audit;
  readonly clock: ManualClock;
  /** Another log on the same storage, with other settings. */
  another(options?: Partial<AuditOptions>): Audit;
  /** Records events one after the other, one write each. */
  record(...events: readonly Partial<AuditEvent>[]): Promise<void>;
  /** Changes the file by hand, foreign keys and checks off. */
  tamper(statement: string, args?: InArgs): Promise<void>;
  /** The rows of a select by hand. */
  rows(statement: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** An event with everything that a test does not say. */
export function eventOf(partial: Partial<AuditEvent> = {}): AuditEvent {
  return {
    eventType: "apikey.created",
    userId: "user-1",
    resource: "api_keys/abc",
    action: "create",
    status: "success",
    details: { scopes: "pricing:read" },
    origin: { ipAddress: "192.0.2.1", userAgent: "test/1" },
    ...partial,
  };
}

export async function openAudit(options: { log?: Log; startMicroseconds?: bigint } = {}): Promise<AuditFixture> {
  const folder = mkdtempSync(join(tmpdir(), "bsopt-audit-"));
  const url = `file:${join(folder, "bsopt.db")}`;
  const clock = new ManualClock(options.startMicroseconds);
  // Storage waits by the machine's clock and stamps rows by the test's.
  const storageClock: Clock = { ...systemClock, nowMicroseconds: () => clock.nowMicroseconds() };
  const log = options.log ?? silentLog;
  const storage = await openStorage({ url, clock: storageClock, random: seededRandom(3n), log });
  let seed = 100n;
  const another = (further: Partial<AuditOptions> = {}) =>
    createAudit({ storage, clock, random: seededRandom(seed++), log, key: auditKey, ...further });
  const audit = another();
  const byHand = async (statement: string, args?: InArgs) => {
    const client = createClient({ url, intMode: "bigint", concurrency: 1 });
    try {
      await client.execute("PRAGMA busy_timeout = 5000");
      await client.execute("PRAGMA foreign_keys = OFF");
      await client.execute("PRAGMA ignore_check_constraints = ON");
      return await client.execute({ sql: statement, ...(args && { args }) });
    } finally {
      client.close();
    }
  };
  return {
    folder,
    url,
    storage,
    audit,
    clock,
    another,
    async record(...events) {
      for (const event of events) await storage.write((tx) => audit.append(tx, eventOf(event)));
    },
    async tamper(statement, args) {
      await byHand(statement, args);
    },
    rows: async (statement) => (await byHand(statement)).rows as unknown as Record<string, unknown>[],
    async close() {
      await audit.close();
      await storage.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** The heads a log was told. */
export function headsIn(lines: readonly { fields: object }[]): string[] {
  return lines.flatMap(({ fields }) => ("audit_head" in fields ? [String(fields.audit_head)] : []));
}
