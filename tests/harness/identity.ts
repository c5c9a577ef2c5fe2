// A database in a temporary folder with identity on it: real storage, a clock the test moves, seeded randomness,
// and a hand on what storage would tell by itself (another process's write) and on what it is asked (reads).

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openKeyFile } from "../../src/adapters/key-file";
import { everyTable } from "../../src/app";
import { type Audit, createAudit } from "../../src/features/audit/service";
import { createIdentity, type Identity, type KeyFile } from "../../src/features/identity/service";
import { ManualClock, systemClock } from "../../src/foundation/clock";
import { silentLog } from "../../src/foundation/log";
import { seededRandom } from "../../src/foundation/random";
import { openStorage, type Storage } from "../../src/storage/storage";

export interface IdentityFixture {
  readonly folder: string;
  readonly storage: Storage;
  /** The storage as identity sees it here. */
  readonly watched: Pick<Storage, "write" | "read" | "onForeignWrite">;
  readonly identity: Identity;
  readonly audit: Audit;
  readonly clock: ManualClock;
  readonly keyFile: KeyFile;
  /** How often identity has asked the reader for something. */
  readCount(): number;
  /** What storage says when another process has written. */
  tellForeignWrite(): void;
  /** Another identity on the same storage, as another process would have. */
  another(seed: bigint): Identity;
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
  const audit = createAudit({
    storage,
    clock,
    random: seededRandom(seed + 1000n),
    log: silentLog,
    key: new Uint8Array(32).fill(7),
  });
  const identityOf = (each: bigint) =>
    createIdentity({ storage: watched, audit, clock, random: seededRandom(each), log: silentLog });
  const identity = identityOf(seed);
  return {
    folder,
    storage,
    watched,
    identity,
    audit,
    clock,
    keyFile: openKeyFile(join(folder, "admin-api-key")),
    readCount: () => reads,
    tellForeignWrite: () => {
      for (const listener of listeners) listener();
    },
    another: identityOf,
    async close() {
      await identity.close();
      await audit.close();
      await storage.close();
      rmSync(folder, { recursive: true });
    },
  };
}
