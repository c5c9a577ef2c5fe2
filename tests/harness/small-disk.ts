// A disk so small that a test can fill it: a tmpfs in a mount namespace of its own, which programs enter to use it, and which the
// test reaches from outside through /proc. Gone with the process that holds it. Needs a system that lets this user mount there; elsewhere
// the tests say so and are left out.

import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";

const isAdministrator = process.getuid?.() === 0;

/** How this user comes by a mount namespace: the system's own administrator simply, anybody else as one of a user namespace. */
const unshare = ["unshare", ...(isAdministrator ? [] : ["--user", "--map-root-user"]), "--mount"];

const mountThen = 'mount -t tmpfs -o size="$1",mode=0700 tmpfs "$2" && echo mounted && exec sleep 3600';

function reasonForNone(): string | null {
  if (Bun.which("unshare") === null || Bun.which("nsenter") === null) return "unshare and nsenter are not installed";
  const tried = Bun.spawnSync([...unshare, "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]);
  return tried.exitCode === 0 ? null : "this user may not mount";
}

const reason = reasonForNone();

/** Whether tests can have one; prints why not. */
export const hasSmallDisk = reason === null;
if (!hasSmallDisk) process.stderr.write(`left out: tests with a disk of their own: ${reason}\n`);

const holders = new Set<Subprocess>();
process.on("exit", () => {
  for (const holder of holders) holder.kill("SIGKILL");
});

export class SmallDisk {
  /** Where it is, for programs started with `within`; they must be told absolute paths. */
  readonly folder: string;
  readonly #holder: Subprocess;

  private constructor(folder: string, holder: Subprocess) {
    this.folder = folder;
    this.#holder = holder;
  }

  /** A disk of that size at `folder`, which is made where it is missing. */
  static async mount(folder: string, kibibytes: number): Promise<SmallDisk> {
    mkdirSync(folder, { recursive: true });
    const holder = Bun.spawn([...unshare, "sh", "-c", mountThen, "sh", `${kibibytes}k`, folder], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    holders.add(holder);
    const { value } = await holder.stdout.getReader().read();
    if (!value) throw new Error("the small disk could not be mounted");
    return new SmallDisk(folder, holder);
  }

  /** Before a program and its arguments: runs it where the disk is. */
  get within(): string[] {
    const user = isAdministrator ? [] : ["--user", "--preserve-credentials"];
    return ["nsenter", "--target", String(this.#holder.pid), ...user, "--mount"];
  }

  /** A file on it, by a path that works from here. */
  path(...parts: string[]): string {
    return join(`/proc/${this.#holder.pid}/root`, this.folder, ...parts);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path());
    return bavail * bsize;
  }

  /** Everything on it but what fills it. */
  names(): string[] {
    return (readdirSync(this.path(), { recursive: true }) as string[]).filter((name) => name !== "ballast").sort();
  }

  /** Takes what is free, but for so many bytes. */
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

  /** For programs that enter from now on; fails while somebody writes there. */
  makeReadOnly(): void {
    const done = Bun.spawnSync([...this.within, "mount", "-o", "remount,ro", this.folder]);
    if (done.exitCode !== 0) throw new Error(`mount: ${done.stderr.toString()}`);
  }

  async remove(): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.exited;
    holders.delete(this.#holder);
  }
}
