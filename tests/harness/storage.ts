// What storage tests share: a temporary folder that goes away, a log that remembers, a small schema of their own,
// and a storage opened on all three. Real libSQL on a real disk, never a mock of it.

import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/foundation/clock";
import type { Log } from "../../src/foundation/log";
import { seededRandom } from "../../src/foundation/random";
import { openStorage, type Storage, type StorageOptions } from "../../src/storage/storage";
import { itemMigrations, items } from "./storage-schema";

export { itemMigrations, items } from "./storage-schema";

/** An empty folder, removed after this file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "bsopt-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface LogLine {
  readonly level: keyof Log;
  readonly fields: object;
  readonly message: string;
}

/** A log that keeps its lines. */
export function recordingLog(): Log & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: keyof Log) => (fields: object, message: string) => void lines.push({ level, fields, message });
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** The storage options every test starts from. Groups never end by time, so that a slow machine changes nothing. */
export function storageOptions(url: string): StorageOptions {
  return {
    url,
    clock: systemClock,
    random: seededRandom(7n),
    log: recordingLog(),
    migrations: itemMigrations,
    tables: [items],
    limits: { groupMillisecondsMax: Number.POSITIVE_INFINITY },
  };
}

/** A storage on a fresh folder (or the given address), closed after this file's tests. */
export async function openTestStorage(
  changes: Partial<StorageOptions> = {},
): Promise<Storage & { readonly url: string }> {
  const url = changes.url ?? `file:${join(temporaryFolder(), "test.db")}`;
  const base = storageOptions(url);
  const storage = await openStorage({ ...base, ...changes, limits: { ...base.limits, ...changes.limits } });
  afterAll(() => storage.close());
  return Object.assign(storage, { url });
}

/** Waits until the condition holds, turn by turn of the event loop; gives up after so many milliseconds. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  millisecondsMax = 20_000,
): Promise<void> {
  const begunAt = performance.now();
  while (!(await holds())) {
    if (performance.now() - begunAt > millisecondsMax) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A helper process running tests/harness/storage-child.ts, with its lines as they come. */
export class StorageChild {
  readonly lines: string[] = [];
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #reading: Promise<void>;
  readonly #errors: Promise<string>;

  constructor(args: readonly string[], launcher: readonly string[] = []) {
    const script = join(import.meta.dir, "storage-child.ts");
    this.#process = Bun.spawn([...launcher, process.execPath, script, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      cwd: tmpdir(),
    });
    this.#errors = new Response(this.#process.stderr).text();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of this.#process.stdout) {
      const pieces = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = pieces.pop() ?? "";
      this.lines.push(...pieces);
    }
  }

  /** Waits for a line that starts so, and gives it. */
  async line(start: string): Promise<string> {
    let hasEnded = false;
    void this.#reading.then(() => {
      hasEnded = true;
    });
    const find = () => this.lines.find((line) => line.startsWith(start));
    await until(`the child says ${start}`, async () => {
      if (find() === undefined && hasEnded) throw new Error(`the child ended without ${start}: ${await this.#errors}`);
      return find() !== undefined;
    });
    return find()!;
  }

  tell(line: string): void {
    this.#process.stdin.write(`${line}\n`);
    this.#process.stdin.flush();
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Waits for the end and all output; gives exit code and standard error. */
  async ended(): Promise<{ readonly exitCode: number; readonly errors: string }> {
    const exitCode = await this.#process.exited;
    await this.#reading;
    return { exitCode, errors: await this.#errors };
  }
}
