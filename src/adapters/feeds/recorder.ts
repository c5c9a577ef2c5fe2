// Writes what the market took to recordings that a replay plays: a file an hour, each second's quotes a zstd frame of their own at its end, so
// that a file is whole up to the last frame whatever happens to the process. Old files go where they would take more than they may. Separate
// from the archive, which keeps what makes a book; this is what can be carried elsewhere. It must never hold the market up: what can't be
// written in time is dropped, and counted.

import { appendFile, mkdir, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Quote } from "../../domain/quote";
import { Agent } from "../../foundation/agent";
import { type Clock, type EpochMicroseconds, formatTimestamp } from "../../foundation/clock";
import type { Log } from "../../foundation/log";
import { recordingLine } from "./recording";

export interface RecorderOptions {
  readonly folder: string;
  /** Of all recordings together; the oldest go first. */
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Characters that wait to be written. */
const pendingCharactersMax = 16_777_216;
const roundMilliseconds = 1000;
const failuresMax = 10;
const namePattern = /^quotes-\d{4}-\d{2}-\d{2}T\d{2}\.\d{4}\.ndjson\.zst$/;

/** Files of one folder. */
export class Recorder {
  readonly agent: Agent;
  readonly #options: RecorderOptions;
  #pending: { hour: string; lines: string[] }[] = [];
  #pendingCharacters = 0;
  #pendingQuotes = 0;
  #file: { hour: string; path: string } | null = null;
  #flushing: Promise<void> = Promise.resolve();
  #writtenCount = 0;
  #droppedCount = 0;

  constructor(options: RecorderOptions) {
    const { clock, log } = options;
    this.#options = options;
    this.agent = new Agent({
      name: "recorder",
      intervalMilliseconds: roundMilliseconds,
      failuresMax,
      clock,
      round: () => this.flush(),
      onFailure: (error) => log.error({ err: error, folder: options.folder }, "quotes are not recorded"),
    });
  }

  /** Quotes on disk, since the start. */
  get writtenCount(): number {
    return this.#writtenCount;
  }

  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** Notes quotes that were taken at this moment; they are written within a second. */
  record(quotes: readonly Quote[], receivedAt: EpochMicroseconds): void {
    if (this.#pendingCharacters >= pendingCharactersMax) {
      this.#droppedCount += quotes.length;
      return;
    }
    const hour = formatTimestamp(receivedAt).slice(0, 13);
    let last = this.#pending.at(-1);
    if (last?.hour !== hour) {
      last = { hour, lines: [] };
      this.#pending.push(last);
    }
    for (const quote of quotes) {
      const line = recordingLine({ receivedAt, quote });
      last.lines.push(line);
      this.#pendingCharacters += line.length;
    }
    this.#pendingQuotes += quotes.length;
  }

  /** Writes what waits. Rejects where that fails: it is lost then, and the next begins a file of its own. */
  flush(): Promise<void> {
    // One after another: frames stand in the order in which their quotes came.
    this.#flushing = this.#flushing.then(
      () => this.#write(),
      () => this.#write(),
    );
    return this.#flushing;
  }

  async #write(): Promise<void> {
    const pending = this.#pending;
    const quoteCount = this.#pendingQuotes;
    this.#pending = [];
    this.#pendingCharacters = 0;
    this.#pendingQuotes = 0;
    let left = quoteCount;
    try {
      for (const { hour, lines } of pending) {
        const frame = await Bun.zstdCompress(lines.join(""));
        await appendFile(await this.#pathOf(hour), frame, { mode: 0o600 });
        this.#writtenCount += lines.length;
        left -= lines.length;
      }
    } catch (error) {
      // A frame that was half written would hide all that is written behind it.
      this.#file = null;
      this.#droppedCount += left;
      throw error;
    }
  }

  async #pathOf(hour: string): Promise<string> {
    if (this.#file?.hour === hour) return this.#file.path;
    const { folder } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await this.#makeRoom();
    // Never behind what another process, or this one before it was ended, has left: its last frame may be cut.
    const names = new Set(await readdir(folder));
    const nameOf = (number: number) => `quotes-${hour}.${number.toString().padStart(4, "0")}.ndjson.zst`;
    let number = 0;
    while (names.has(nameOf(number)) && number < 9999) number += 1;
    this.#file = { hour, path: join(folder, nameOf(number)) };
    return this.#file.path;
  }

  /** Deletes the oldest recordings until an hour more, as large as the largest, has room. */
  async #makeRoom(): Promise<void> {
    const { folder, bytesMax, log } = this.#options;
    const names = (await readdir(folder)).filter((name) => namePattern.test(name)).sort();
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
    let total = sizes.reduce((sum, size) => sum + size, 0);
    const room = Math.max(0, ...sizes);
    for (const [index, name] of names.entries()) {
      if (total + room <= bytesMax) break;
      await unlink(join(folder, name));
      total -= sizes[index]!;
      log.info({ file: name }, "an old recording was deleted");
    }
  }
}
