// What readiness says of the database. Separate from the composition root because it is a decision: reads and prices go on where writes are
// refused, so that is degraded and not failed.

import type { Probe } from "../features/health/service";
import type { Storage } from "../storage/storage";

/** Failed where it cannot be read, degraded where it is known to take no writes. */
export function databaseProbe(storage: Pick<Storage, "ping" | "writesRefusedBy">): Probe {
  return {
    component: "database",
    isRequired: true,
    async check() {
      await storage.ping();
      return storage.writesRefusedBy === null ? { status: "ok" } : { status: "degraded", message: "takes no writes" };
    },
  };
}
