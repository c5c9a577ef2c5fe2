// A progress bar on standard error: only where that is a terminal, only for work that has lasted a second, never in a
// script's log. It leaves the line empty behind it.

import type { Clock } from "../foundation/clock";
import type { OutputStream } from "./io";

export interface Progress {
  /** Tells how much is done; draws at most ten times a second. */
  update(done: number, total: number): Promise<void>;
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
  return {
    async update(done, total) {
      const now = clock.monotonicMilliseconds();
      if (!stream.isTTY || now - startedAt < patienceMilliseconds || now - drawnAt < redrawMilliseconds) return;
      drawnAt = now;
      const share = total > 0 ? Math.min(1, done / total) : 0;
      const filled = Math.round(share * barWidth);
      const bar = "█".repeat(filled) + "░".repeat(barWidth - filled);
      await stream.write(`\r${label} ${bar} ${Math.floor(share * 100)} % (${done} of ${total})\u001b[K`);
    },
    async finish() {
      if (drawnAt !== Number.NEGATIVE_INFINITY) await stream.write("\r\u001b[K");
    },
  };
}
