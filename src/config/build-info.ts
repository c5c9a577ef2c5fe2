// What was compiled in: version, commit and time of the build. Run from source, the last two say so.

import { version } from "../../package.json";

declare const BSOPT_BUILD_COMMIT: string | undefined;
declare const BSOPT_BUILD_TIME: string | undefined;

export interface BuildInfo {
  readonly version: string;
  readonly commit: string;
  /** RFC 3339, to the second. */
  readonly buildTime: string;
}

export const buildInfo: BuildInfo = Object.freeze({
  version,
  commit: typeof BSOPT_BUILD_COMMIT === "string" ? BSOPT_BUILD_COMMIT : "uncommitted",
  buildTime: typeof BSOPT_BUILD_TIME === "string" ? BSOPT_BUILD_TIME : "1970-01-01T00:00:00Z",
});
