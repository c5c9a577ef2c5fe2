// `bun build/openapi.ts`: writes openapi.json and asyncapi.json, the API's documents as the server serves them with default settings. They
// are committed so that a change of the contract is seen in review; a test makes them again and compares.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { apiDocument, documentInfo } from "../src/app/routes";
import { buildInfo } from "../src/config/build-info";
import { loadConfig } from "../src/config/config";
import { systemClock } from "../src/foundation/clock";
import { silentLog } from "../src/foundation/log";
import { systemRandom } from "../src/foundation/random";
import { asyncApiText } from "../src/http/documents";
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

export const asyncApiPath = join(root, "asyncapi.json");

/** The WebSocket's document, as it stands in asyncapi.json. */
export const streamText = () => asyncApiText(documentInfo(buildInfo));

export const openApiPath = join(root, "openapi.json");

if (import.meta.main) {
  writeFileSync(openApiPath, openApiText());
  writeFileSync(asyncApiPath, streamText());
}
