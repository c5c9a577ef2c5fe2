// The settings of the live market: instruments, quotes, streams, feeds, history. Separate from settings.ts, which joins them to the others,
// because there are many. A row here without a reader elsewhere is a defect.

import type { Setting } from "./setting";

export const marketSettings = [] as const satisfies readonly Setting[];

/** The live market's part of the configuration. */
export type MarketConfig = Readonly<Record<never, never>>;

/** What the settings' values say. */
export function marketConfigOf(_get: <T>(key: (typeof marketSettings)[number]["key"]) => T): MarketConfig {
  return Object.freeze({});
}
