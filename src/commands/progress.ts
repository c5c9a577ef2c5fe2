// A progress bar on standard error: only where that is a terminal, only for work that has lasted a second, never in a
// script's log. It leaves the line empty behind it.

import type { Clock } from "../foundation/clock";
import type { OutputStream } from "./io";

export interface Progress {
  /** Tells how much is done; draws at most ten times a second. */
  update(done: number, total: number): Promise<void>;
  /** Passes a source on and tells how much of it has been read; how much is to come nobody knows. */
  reading(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** Wipes the bar if it was drawn. */
  finish(): Promise<void>;
}

const patienceMilliseconds = 1000;
const redrawMilliseconds = 100;
const barWidth = 30;

/** A bar for one piece of work, which begins now. */
export function createProgress(stream: OutputStream, clock: Clock, label: string): Progress {
  const startedAt = clock.monotonicMilliseconds();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let readBytes = 0;
  /** Whether it is time to draw; if so, it counts as drawn. */
  const isDue = () => {
    const now = clock.monotonicMilliseconds();
    const due = stream.isTTY && now - startedAt >= patienceMilliseconds && now - drawnAt >= redrawMilliseconds;
    if (due) drawnAt = now;
    return due;
  };
  return {
    async update(done, total) {
      if (!isDue()) return;
      const share = total > 0 ? Math.min(1, done / total) : 0;
      const filled = Math.round(share * barWidth);
      const bar = "█".repeat(filled) + "░".repeat(barWidth - filled);
      await stream.write(`\r${label} ${bar} ${Math.floor(share * 100)} % (${done} of ${total})\u001b[K`);
    },
    async *reading(source) {
      for await (const chunk of source) {
        readBytes += chunk.length;
        if (isDue()) await stream.write(`\r${label} ${(readBytes / 1e6).toFixed(1)} MB read\u001b[K`);
        yield chunk;
      }
    },
    async finish() {
      if (drawnAt !== Number.NEGATIVE_INFINITY) await stream.write("\r\u001b[K");
    },
  };
}
