// What is compiled and prepared once the server answers, so that the first requests need not wait for it. Separate from app.ts
// because it is the one part of a start that nobody waits for.

import type { Clock } from "../foundation/clock";

/** Takes one step at a time, answering whoever asks in between, then gives back what the start left behind. */
export async function warmUp(
  parts: readonly Iterable<void>[],
  { clock, isDone }: { clock: Clock; isDone: () => boolean },
): Promise<void> {
  for (const part of parts) {
    for (const _ of part) {
      await clock.sleep(0);
      if (isDone()) return;
    }
  }
  Bun.gc(true);
}
