// Traces as the settings want them: the exporter and what feeds it, or nothing. Separate from app.ts because most installations
// have none.

import type { Names } from "../adapters/names";
import { createOtlpExporter, type OtlpExporter } from "../adapters/otlp/exporter";
import type { BuildInfo } from "../config/build-info";
import type { Config } from "../config/config";
import type { Clock } from "../foundation/clock";
import { uuid7 } from "../foundation/identifier";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import type { StorageObserver } from "../storage/storage";
import { createTracing, type Tracing } from "../telemetry/tracing";

export interface Traces {
  readonly tracing: Tracing;
  readonly exporter: OtlpExporter;
  /** Sends what is left, waiting for it no longer than a moment: the process is ending. */
  close(): Promise<void>;
}

export interface TracesOptions {
  readonly config: Config;
  readonly build: BuildInfo;
  readonly names: Names;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const lastSendMillisecondsMax = 1000;

/** Null where no collector is configured. */
export function openTraces({ config, build, names, clock, random, log }: TracesOptions): Traces | null {
  const { otlpUrl, otlpHeaders } = config.traces;
  if (otlpUrl === null) return null;
  const resource = {
    "service.name": "bsopt",
    "service.version": build.version,
    "service.instance.id": uuid7(clock.nowMicroseconds(), random),
    "deployment.environment.name": config.environment,
  };
  const exporter = createOtlpExporter({
    url: otlpUrl,
    headers: otlpHeaders,
    resource,
    version: build.version,
    names,
    clock,
    log,
  });
  return {
    tracing: createTracing({
      sink: exporter,
      clock,
      random,
      get share() {
        return config.traces.share;
      },
    }),
    exporter,
    async close() {
      const [sent, timeUp] = [new AbortController(), new AbortController()];
      const tooLong = clock.sleep(lastSendMillisecondsMax, sent.signal).then(() => timeUp.abort());
      await exporter.flush(timeUp.signal);
      sent.abort();
      await tooLong;
    },
  };
}

/** What storage tells, also as parts of the request that it is done for. */
export function tracedStorage(observer: StorageObserver, tracing: Tracing | undefined): StorageObserver {
  if (tracing === undefined) return observer;
  const attributes = { "db.system.name": "sqlite" };
  return {
    committed: (writeCount, milliseconds) => observer.committed(writeCount, milliseconds),
    read(milliseconds) {
      observer.read(milliseconds);
      tracing.part("database read", "client", milliseconds, attributes);
    },
    wrote(milliseconds) {
      observer.wrote(milliseconds);
      tracing.part("database write", "client", milliseconds, attributes);
    },
  };
}
