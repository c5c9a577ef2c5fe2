// What the operating system tells of this process, read when somebody asks. Separate because it is the one part of the metrics
// that differs between systems: where a figure cannot be had it is 0, and nothing fails.

import { readdirSync, readFileSync } from "node:fs";

export interface ProcessReadings {
  /** User and system together, since the start. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly openFileCount: number;
  readonly openFileCountMax: number;
}

/** Some hundred microseconds, growing with the open files. */
export function readProcess(): ProcessReadings {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: rss,
    heapUsedBytes: heapUsed,
    openFileCount: openFileCount(),
    openFileCountMax: openFileCountMax(),
  };
}

function openFileCount(): number {
  try {
    // The folder itself is open while it is read.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return 0;
  }
}

function openFileCountMax(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return Number(soft ?? 0);
  } catch {
    return 0;
  }
}
