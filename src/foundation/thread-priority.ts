// How urgent this thread's work is to the system's scheduler. Separate because it is one call that only some systems have; where
// there is none nothing changes. It must never fail: priority is a courtesy, not a promise.

import { dlopen, FFIType } from "bun:ffi";
import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";

/** The nice value that leaves a busy core to whoever else wants it: a sixtieth of its time (Linux, sched(7)). */
const lastNice = 19;

/**
 * How long a turn on a core lasts, the least that Linux gives (since 6.12, sched_setattr(2)): whoever wakes up waits for its end,
 * 3 ms and more where nothing is said.
 */
const sliceNanoseconds = 100_000n;

/** The number of sched_setattr(2), which not every library has a name for. */
const callNumbers: Readonly<Record<string, number>> = { x64: 314, arm64: 274 };

/** Names of the system's library, by kind of Linux. */
const libraries = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

/**
 * Lets every ordinary thread go before the calling one, from now on. It gets what nobody else wants, and a sixtieth where all is wanted:
 * less, as SCHED_IDLE has it, would let a busy machine's sign-ins wait for ever. On Linux these belong to a thread; elsewhere
 * to the process, which must not be slowed, and nothing is done. True where it was done.
 */
export function goAfterOthers(): boolean {
  try {
    const thread = Number(/(\d+)$/.exec(readlinkSync("/proc/thread-self"))?.[1]);
    // The first thread's number is the process's.
    if (!Number.isSafeInteger(thread) || thread === process.pid) return false;
    setPriority(thread, lastNice);
    shortenSlice(thread);
    return true;
  } catch {
    return false;
  }
}

/** Leaves a system that does not know of it as it is. */
function shortenSlice(thread: number): void {
  const number = callNumbers[process.arch];
  if (number === undefined) return;
  // struct sched_attr: size, policy (0, the usual), flags, nice, priority (of real time), runtime; deadline and period are others'.
  const attributes = Buffer.alloc(48);
  attributes.writeUInt32LE(attributes.length, 0);
  attributes.writeInt32LE(lastNice, 16);
  attributes.writeBigUInt64LE(sliceNanoseconds, 24);
  for (const name of libraries) {
    try {
      const { symbols } = dlopen(name, {
        syscall: { args: [FFIType.i64, FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i64 },
      });
      symbols.syscall(number, thread, attributes, 0);
      return;
    } catch {
      // Not this kind of Linux.
    }
  }
}
