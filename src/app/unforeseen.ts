// Errors that nobody caught: logged and counted, and after some of them the process ends. Separate from app.ts because what is done
// about them is one decision.

import type { Occurrence } from "../features/errors/service";
import type { Log } from "../foundation/log";

/** How an error came to be that nobody caught. */
export type UnforeseenKind = "unhandled_rejection" | "uncaught_exception";

/** Calls for each of them until told to stop. */
export type OnUnforeseen = (listener: (kind: UnforeseenKind, error: unknown) => void) => () => void;

/** Counts from now on; `fail` ends the process in order. */
export function watchUnforeseen(
  onUnforeseen: OnUnforeseen | undefined,
  { log, fail, record }: { log: Log; fail: (error: unknown) => void; record: (occurrence: Occurrence) => void },
): { readonly counts: Readonly<Record<UnforeseenKind, number>>; forget(): void } {
  const counts: Record<UnforeseenKind, number> = { unhandled_rejection: 0, uncaught_exception: 0 };
  const forget = onUnforeseen?.((kind, error) => {
    counts[kind] += 1;
    log.error({ err: error, kind }, "an error that nobody caught");
    record({ error, kind });
    // What was thrown from nowhere may have left anything half done; a promise that nobody waited for has not.
    if (kind === "uncaught_exception") fail(error);
  });
  return { counts, forget: () => forget?.() };
}
