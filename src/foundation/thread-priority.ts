// How urgent this thread's work is to the system's scheduler. Separate because it is one call that only some systems have; where
// there is none nothing changes. It must never fail: priority is a courtesy, not a promise.

import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";

/** The nice value that leaves a busy core to whoever else wants it: a sixtieth of its time (Linux, sched(7)). */
const lastNice = 19;

/**
 * Lets every ordinary thread go before the calling one, from now on. On Linux a nice value belongs to a thread; elsewhere it
 * belongs to the process, which must not be slowed, and nothing is done. True where it was done.
 */
export function goAfterOthers(): boolean {
  try {
    const thread = Number(/(\d+)$/.exec(readlinkSync("/proc/thread-self"))?.[1]);
    // The first thread's number is the process's.
    if (!Number.isSafeInteger(thread) || thread === process.pid) return false;
    setPriority(thread, lastNice);
    return true;
  } catch {
    return false;
  }
}
