// The whole application as the executable composes it, over a temporary folder and a free port.

import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { type App, type AppOptions, createApp } from "../../src/app";
import { buildInfo } from "../../src/config/build-info";
import type { ConfigSources } from "../../src/config/config";
import { createLiveConfig } from "../../src/config/live";
import { createEngine } from "../../src/engine/engine";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { type Log, silentLog } from "../../src/foundation/log";
import { systemRandom } from "../../src/foundation/random";
import { kernelWasmBytes } from "../../src/storage/assets";

/** Starts it with the given settings beside its own; the first admin key is `key`. The caller stops it. */
export async function startApp(
  folder: string,
  environment: Readonly<Record<string, string>> = {},
  log: Log = silentLog,
  readFile?: () => Promise<ConfigSources["file"]>,
  onUnforeseen?: AppOptions["onUnforeseen"],
  clock: Clock = systemClock,
): Promise<App & { readonly key: string }> {
  const live = createLiveConfig({
    flags: {},
    environment: {
      BSOPT_DATA_DIR: join(folder, "data"),
      BSOPT_PORT: "0",
      BSOPT_DRAIN_MS: "0",
      BSOPT_ENVIRONMENT: "test",
      // What tests do in a second, nobody does in a minute; those about limits switch them on.
      BSOPT_RATE_LIMITS: "off",
      ...environment,
    },
    file: (await readFile?.()) ?? null,
  });
  const app = await createApp({
    live,
    ...(readFile && { readFile }),
    ...(onUnforeseen && { onUnforeseen }),
    build: buildInfo,
    engine: createEngine({
      wasmBytes: kernelWasmBytes(),
      version: buildInfo.version,
      get batchesMax() {
        return live.config.engine.batchesMax;
      },
    }),
    clock,
    random: systemRandom,
    log,
    entrance: join(root, "src", "main.ts"),
  });
  return Object.assign(app, { key: app.firstAdminKey?.text ?? "" });
}
