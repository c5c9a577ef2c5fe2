// A data folder on a disk of its own, so small that a test can fill it: a tmpfs in a mount namespace that only the started process
// is in, gone with it. Needs a system that lets this user mount there; elsewhere the tests say so and are left out.

import { closeSync, openSync, readdirSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";

const script = 'mount -t tmpfs -o size="$1",mode=0700 tmpfs "$2" && shift 2 && exec "$@"';

/** How this user comes by a mount namespace: the system's own administrator simply, anybody else as one of a user namespace. */
const unshare = process.getuid?.() === 0 ? ["unshare", "--mount"] : ["unshare", "--user", "--map-root-user", "--mount"];

function reasonForNone(): string | null {
  if (Bun.which("unshare") === null || Bun.which("nsenter") === null) return "unshare and nsenter are not installed";
  const tried = Bun.spawnSync([...unshare, "sh", "-c", script, "sh", "1m", "/mnt", "true"]);
  return tried.exitCode === 0 ? null : "this user may not mount";
}

const reason = reasonForNone();

/** Whether tests can have one; prints why not. */
export const hasSmallDisk = reason === null;
if (!hasSmallDisk) process.stderr.write(`left out: tests with a disk that fills: ${reason}\n`);

/** What becomes the executable with a disk of that size over `folder`, which must exist. */
export function onSmallDisk(folder: string, kibibytes: number): string[] {
  return [...unshare, "sh", "-c", script, "sh", `${kibibytes}k`, folder];
}

/** The small disk as the process of that id sees it. */
export class SmallDisk {
  readonly #pid: number;
  readonly #folder: string;

  constructor(pid: number, folder: string) {
    this.#pid = pid;
    this.#folder = folder;
  }

  /** A file on it, by a path that works from here. */
  path(...parts: string[]): string {
    return join(`/proc/${this.#pid}/root`, this.#folder, ...parts);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path());
    return bavail * bsize;
  }

  names(): string[] {
    return readdirSync(this.path(), { recursive: true }).map(String).sort();
  }

  /** Takes what is free, but for so many bytes, in a file of its own. */
  fill(leaveBytes = 0): void {
    const file = openSync(this.path("ballast"), "a");
    const block = Buffer.alloc(4096);
    try {
      while (this.freeBytes > leaveBytes) writeSync(file, block);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    } finally {
      closeSync(file);
    }
  }

  makeRoom(): void {
    rmSync(this.path("ballast"), { force: true });
  }

  /** Mounts it anew: read-only, writable again, or of another size. */
  remount(how: "ro" | "rw" | `size=${number}k`): void {
    const enter = [
      "nsenter",
      "--target",
      String(this.#pid),
      ...(process.getuid?.() === 0 ? [] : ["--user"]),
      "--mount",
    ];
    const done = Bun.spawnSync([...enter, "mount", "-o", `remount,${how}`, this.#folder]);
    if (done.exitCode !== 0) throw new Error(`remount ${how}: ${done.stderr.toString()}`);
  }
}
