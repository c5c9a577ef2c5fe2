// Where acts are counted for the limits, as the settings want it: in this process, or in Redis together with others. Separate from app.ts because it
// brings its own loop and its own probe.

import type { Names } from "../adapters/names";
import { createRedisBucketStore } from "../adapters/redis/bucket-store";
import type { Config } from "../config/config";
import type { Probe } from "../features/health/service";
import type { Agent } from "../foundation/agent";
import type { Clock } from "../foundation/clock";
import type { Log } from "../foundation/log";
import { type BucketStore, MemoryBucketStore } from "../foundation/token-bucket";

export interface BucketsOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly names: Names;
}

export interface Buckets {
  readonly store: BucketStore;
  readonly agents: readonly Agent[];
  readonly probes: readonly Probe[];
  close(): void;
}

/** Where acts are counted: in this process, or in Redis together with others. Waits for Redis for a second at most. */
export async function openBuckets({ config, clock, log, names }: BucketsOptions): Promise<Buckets> {
  const { redisUrl, fallback } = config.limits;
  const memory = new MemoryBucketStore({ clock });
  if (redisUrl === null) return { store: memory, agents: [], probes: [], close: () => undefined };
  const local = fallback === "local" ? memory : null;
  const store = createRedisBucketStore({ url: redisUrl, clock, log, local, names });
  await store.open();
  // Counting by itself a process still serves; refusing whatever would be counted it does not.
  const probe: Probe = {
    component: "redis",
    isRequired: local === null,
    check: () => store.ping().then(() => ({ status: "ok" as const })),
  };
  return { store, agents: [store.agent], probes: [probe], close: () => store.close() };
}
