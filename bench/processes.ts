// What benches need to know of processes: how much processor time one has used, and how to give server and client a core
// each, so that neither takes the other's time. Separate because only Linux tells; elsewhere the figures are left out.

import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, setPriority } from "node:os";

/** Seconds of processor time that a process's living threads have used, user and system, or null where nobody tells. */
export function processorSecondsOf(pid: number): number | null {
  try {
    let nanoseconds = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      // The first number is the time on a processor; a thread may have ended since it was listed.
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    }
    return nanoseconds / 1e9;
  } catch {
    return null;
  }
}

/**
 * Keeps a server, its compiler and collector threads included, on the first core, and this process off it; answers with
 * what came of it in words. Threads that the server starts later stay there too.
 */
export function separateCores(serverPid: number): string {
  const count = availableParallelism();
  if (count < 2) return "server and client on one core";
  const pinned = [
    [serverPid, "0"],
    [process.pid, `1-${count - 1}`],
  ].every(([pid, cores]) => {
    try {
      return Bun.spawnSync(["taskset", "-a", "-c", "-p", `${cores}`, `${pid}`]).exitCode === 0;
    } catch {
      return false;
    }
  });
  return pinned ? "server on one core, client on another" : "server and client wherever the system puts them";
}

/**
 * Lets this process go before others on its cores, where that is allowed: what a client waits for a core counts as its server's delay.
 * Those it starts later do so too, unless they say otherwise.
 */
export function goFirst(): void {
  try {
    setPriority(-20);
  } catch {
    // Only the administrator may.
  }
}

/** Takes that back. */
export function goWithOthers(): void {
  setPriority(0);
}
