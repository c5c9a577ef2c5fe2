// `bun build/openapi.ts`: writes openapi.json, the API's document as the server serves it with default settings. It
// is committed so that a change of the contract is seen in review; a test makes it again and compares.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { apiDocument } from "../src/app/routes";
import { buildInfo } from "../src/config/build-info";
import { loadConfig } from "../src/config/config";
import { systemClock } from "../src/foundation/clock";
import { silentLog } from "../src/foundation/log";
import { systemRandom } from "../src/foundation/random";
import { root } from "./fingerprint.mjs";

/** The document as text, as it stands in openapi.json. */
export function openApiText(): string {
  const document = apiDocument({
    config: loadConfig({ flags: {}, environment: {}, file: null }),
    build: buildInfo,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  return `${JSON.stringify(document, null, 2)}\n`;
}

export const openApiPath = join(root, "openapi.json");

if (import.meta.main) writeFileSync(openApiPath, openApiText());
