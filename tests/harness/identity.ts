// A database in a temporary folder with users and keys on it: real storage, a clock the test moves, seeded randomness,
// and a hand on what storage would tell by itself (another process's write) and on what it is asked (reads).

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openKeyFile } from "../../src/adapters/key-file";
import { everyTable } from "../../src/app";
import { permissionsOfRole } from "../../src/domain/permission";
import type { Authenticator } from "../../src/domain/principal";
import { type Audit, type AuditEvent, createAudit } from "../../src/features/audit/service";
import { createIdentity, type Identity, type PersonalData } from "../../src/features/identity/service";
import { createKeys, type KeyFile, type Keys, type KeysLimits } from "../../src/features/keys/service";
import { type Clock, ManualClock, systemClock } from "../../src/foundation/clock";
import { BsoptError } from "../../src/foundation/errors";
import { type Log, silentLog } from "../../src/foundation/log";
import { type Random, seededRandom } from "../../src/foundation/random";
import { openStorage, type Storage } from "../../src/storage/storage";

export interface People {
  readonly identity: Identity;
  readonly keys: Keys;
  readonly audit: Audit;
  /** What the audit was told, in the order of telling. */
  readonly auditLines: AuditEvent[];
}

/** Identity and keys over a storage as app.ts joins them, with an ear on what the audit is told. */
export function peopleOver(options: {
  storage: Pick<Storage, "write" | "read" | "onForeignWrite">;
  clock: Clock;
  random: Random;
  log?: Log;
  limits?: Partial<KeysLimits>;
  isEnabled?: boolean;
  personalData?: readonly PersonalData[];
}): People {
  const { log = silentLog, limits, isEnabled, personalData = [], ...parts } = options;
  const audit = createAudit({ ...parts, random: seededRandom(1007n), log, key: new Uint8Array(32).fill(7) });
  const auditLines: AuditEvent[] = [];
  const heard: Pick<Audit, "append" | "erasePersonal" | "list"> = {
    ...audit,
    async append(tx, line) {
      await audit.append(tx, line);
      auditLines.push(line);
    },
  };
  const identity = createIdentity({
    ...parts,
    log,
    audit: heard,
    personalData: () => [keys.personalData, ...personalData],
  });
  const keys = createKeys({
    ...parts,
    log,
    audit: heard,
    identity,
    ...(limits && { limits }),
    ...(isEnabled !== undefined && { isEnabled }),
  });
  return { identity, keys, audit, auditLines };
}

/**
 * Keys as they are, and somebody signed in for the bearer token `person.<user id>`: what a login session gives, without signing in. Each
 * use looks the user up, so that roles and states hold at once.
 */
export function withPersons({ identity, keys }: Pick<People, "identity" | "keys">): Authenticator {
  return {
    async authenticate(credentials) {
      const userId = /^person\.(.+)$/.exec(credentials.bearerToken ?? "")?.[1];
      if (userId === undefined) return keys.authenticate(credentials);
      const user = await identity.findUser(userId);
      if (user === null || user.disabledAt !== null) {
        throw new BsoptError({
          reason: "unauthenticated",
          code: "TOKEN_INVALID",
          detail: "The token is not valid here.",
        });
      }
      return {
        userId,
        role: user.role,
        permissions: permissionsOfRole[user.role],
        credential: { kind: "login_session", id: "a-session", via: "token" },
        rateClass: "standard",
      };
    },
    // Whoever comes this way has signed in a moment ago.
    requireRecentSignIn: async () => {},
  };
}

export interface IdentityFixture extends People {
  readonly folder: string;
  readonly storage: Storage;
  /** The storage as identity sees it here. */
  readonly watched: Pick<Storage, "write" | "read" | "onForeignWrite">;
  readonly clock: ManualClock;
  readonly keyFile: KeyFile;
  /** How often identity has asked the reader for something. */
  readCount(): number;
  /** What storage says when another process has written. */
  tellForeignWrite(): void;
  /** Users and keys once more on the same storage, as another process would have them. */
  another(seed: bigint): People;
  close(): Promise<void>;
}

export async function openIdentity(
  options: { seed?: bigint; startMicroseconds?: bigint } = {},
): Promise<IdentityFixture> {
  const { seed = 7n } = options;
  const folder = mkdtempSync(join(tmpdir(), "bsopt-identity-"));
  const storage = await openStorage({
    url: `file:${join(folder, "bsopt.db")}`,
    clock: systemClock,
    random: seededRandom(seed),
    log: silentLog,
    // Named here so that every test of identity also proves that the migrated tables are the declared ones.
    tables: everyTable,
  });
  const clock = new ManualClock(options.startMicroseconds);
  const listeners = new Set<() => void>();
  let reads = 0;
  const watched: Pick<Storage, "write" | "read" | "onForeignWrite"> = {
    write: (work) => storage.write(work),
    read: new Proxy(storage.read, {
      get(target, name, receiver) {
        if (name === "select") reads += 1;
        return Reflect.get(target, name, receiver);
      },
    }),
    onForeignWrite(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const peopleOf = (each: bigint) => peopleOver({ storage: watched, clock, random: seededRandom(each) });
  const people = peopleOf(seed);
  return {
    folder,
    storage,
    watched,
    ...people,
    clock,
    keyFile: openKeyFile(join(folder, "admin-api-key")),
    readCount: () => reads,
    tellForeignWrite: () => {
      for (const listener of listeners) listener();
    },
    another: peopleOf,
    async close() {
      await people.keys.close();
      people.identity.close();
      await people.audit.close();
      await storage.close();
      rmSync(folder, { recursive: true });
    },
  };
}
