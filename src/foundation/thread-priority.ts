// How urgent this thread's work is to the system's scheduler. Separate because it is one call that only some systems have; where
// there is none nothing changes. It must never fail: priority is a courtesy, not a promise.

import { dlopen, FFIType } from "bun:ffi";
import { readlinkSync } from "node:fs";
import { getPriority, setPriority } from "node:os";

/** The nice value that leaves a busy core to whoever else wants it: a sixtieth of its time (Linux, sched(7)). */
const lastNice = 19;

/** The shortest turn on a core that Linux gives (since 6.12, sched_setattr(2)). */
const shortestSliceNanoseconds = 100_000n;

/** SCHED_FLAG_RESET_ON_FORK: threads and processes made later have the usual slice. */
const resetOnFork = 1n;

/** The number of sched_setattr(2), which not every library has a name for. */
const callNumbers: Readonly<Record<string, number>> = { x64: 314, arm64: 274 };

/** Names of the system's library, by kind of Linux. */
const libraries = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

/**
 * Gives the calling thread, the process's first, a core as soon as it wakes up, before whatever ordinary thread has it, if it has not had
 * its share: who asks for shorter turns need not wait for the end of a longer one, which is 3 ms and more. It gets no more of the
 * core than before. True where it was done.
 */
export function wakeAtOnce(): boolean {
  try {
    if (threadNumber() !== process.pid) return false;
    // struct sched_attr: size, policy (0, the usual), flags, nice, priority (of real time), runtime; deadline and period are others'.
    const attributes = Buffer.alloc(48);
    attributes.writeUInt32LE(attributes.length, 0);
    attributes.writeBigUInt64LE(resetOnFork, 8);
    attributes.writeInt32LE(getPriority(), 16);
    attributes.writeBigUInt64LE(shortestSliceNanoseconds, 24);
    return setAttributes(process.pid, attributes);
  } catch {
    return false;
  }
}

/**
 * Lets every ordinary thread go before the calling one, from now on. It gets what nobody else wants, and a sixtieth where all is wanted:
 * less, as SCHED_IDLE has it, would let a busy machine's sign-ins wait for ever. On Linux nice values belong to a thread; elsewhere
 * to the process, which must not be slowed, and nothing is done. True where it was done.
 */
export function goAfterOthers(): boolean {
  try {
    const thread = threadNumber();
    if (thread === null || thread === process.pid) return false;
    setPriority(thread, lastNice);
    return true;
  } catch {
    return false;
  }
}

/** Lets every ordinary process go before this one, from now on: for commands that work beside a server. */
export function goAfterOtherProcesses(): void {
  try {
    setPriority(lastNice);
  } catch {
    // Nobody minds.
  }
}

/** The calling thread's number, which is the process's for its first; null where the system does not tell. */
function threadNumber(): number | null {
  const thread = Number(/(\d+)$/.exec(readlinkSync("/proc/thread-self"))?.[1]);
  return Number.isSafeInteger(thread) ? thread : null;
}

function setAttributes(thread: number, attributes: Buffer): boolean {
  const number = callNumbers[process.arch];
  if (number === undefined) return false;
  for (const name of libraries) {
    try {
      const { symbols } = dlopen(name, {
        syscall: { args: [FFIType.i64, FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i64 },
      });
      return Number(symbols.syscall(number, thread, attributes, 0)) === 0;
    } catch {
      // Not this kind of Linux.
    }
  }
  return false;
}
