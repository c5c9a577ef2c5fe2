// What the operating system tells of this process, read when somebody asks. Separate because it is the one part of the metrics
// that differs between systems: where a figure cannot be had it is 0, and nothing fails. Most of it is read from files, and where no more
// may be opened the figures are wanted most: then each is what it was last, and the open files are as many as there may be.

import { readdirSync, readFileSync } from "node:fs";

export interface ProcessReadings {
  /** User and system together, since the start. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly openFileCount: number;
  readonly openFileCountMax: number;
}

/** Where each figure comes from; any of them may throw. */
export type ProcessSources = { readonly [Figure in keyof ProcessReadings]: () => number };

const systemSources: ProcessSources = {
  cpuSeconds() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
  residentBytes: () => process.memoryUsage().rss,
  heapUsedBytes: () => process.memoryUsage().heapUsed,
  // The folder itself is open while it is read.
  openFileCount: () => readdirSync("/proc/self/fd").length - 1,
  openFileCountMax: () => Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 0),
};

/** Reads all figures; some hundred microseconds, growing with the open files. */
export function processReader(sources: ProcessSources = systemSources): () => ProcessReadings {
  let last: ProcessReadings = {
    cpuSeconds: 0,
    residentBytes: 0,
    heapUsedBytes: 0,
    openFileCount: 0,
    openFileCountMax: 0,
  };

  function figure(name: keyof ProcessReadings): number {
    try {
      return sources[name]();
    } catch (error) {
      const isExhausted = (error as NodeJS.ErrnoException).code === "EMFILE";
      return isExhausted && name === "openFileCount" ? last.openFileCountMax : last[name];
    }
  }

  // Known before it may be needed.
  last = { ...last, openFileCountMax: figure("openFileCountMax") };
  return () => {
    last = {
      cpuSeconds: figure("cpuSeconds"),
      residentBytes: figure("residentBytes"),
      heapUsedBytes: figure("heapUsedBytes"),
      openFileCount: figure("openFileCount"),
      openFileCountMax: figure("openFileCountMax"),
    };
    return last;
  };
}
