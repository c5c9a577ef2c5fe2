// A second database of the data folder that is opened when it is first needed, and whose commits wait for no disk: what was acknowledged survives the
// process's end, and a power cut may take what came since the log's content was last moved. Separate from storage.ts, which knows
// one database that is there from the start. That it cannot be used must cost nobody but whoever asks for it.

import { existsSync } from "node:fs";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import { asBsoptError, storageClosed } from "./database-error";
import type { LongWork } from "./long-work";
import type { Migration } from "./migration";
import { openStorage, type Storage } from "./storage";

export interface BatchedFileOptions {
  /** Absolute. */
  readonly path: string;
  readonly tables: readonly SQLiteTable[];
  readonly migrations: readonly Migration[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What moves the log's content into the file. */
  readonly longWork: Pick<LongWork, "run">;
  /** The log may grow to about this size before its content is moved. */
  readonly logBytesMax?: number;
}

export interface BatchedFile {
  readonly path: string;
  /** There is something to read. Makes nothing. */
  exists(): boolean;
  /** The open storage; opens it, making the file, where it is not. Throws what openStorage throws, and once it is out of use always the same. */
  open(): Promise<Storage>;
  /** The storage, where it is open. */
  readonly opened: Storage | null;
  /** Why it is out of use until the next start: damaged, gone, of another build. Null: it can be used, as far as is known. */
  readonly failure: BsoptError | null;
  /** To be called after a write: has the log's content moved where it has grown enough. Returns at once. */
  written(): void;
  /** Times the log's content was moved. */
  readonly movedCount: number;
  close(): Promise<void>;
}

const logBytesMaxDefault = 16 * 1024 * 1024;
/** Between two attempts: to open what could not be opened because of something that may pass, and to move the log. */
const retryMilliseconds = 1_000;

export function createBatchedFile(options: BatchedFileOptions): BatchedFile {
  const { path, tables, migrations, clock, random, log, longWork } = options;
  const logBytesMax = options.logBytesMax ?? logBytesMaxDefault;
  let opening: Promise<Storage> | null = null;
  let opened: Storage | null = null;
  let failure: BsoptError | null = null;
  let refusal: { readonly error: unknown; readonly untilMilliseconds: number } | null = null;
  let moving: Promise<void> | null = null;
  let isClosed = false;
  let movedCount = 0;
  let triedAtMilliseconds = Number.NEGATIVE_INFINITY;

  function fail(error: unknown): void {
    const told = asBsoptError(error);
    failure ??= told instanceof BsoptError ? told : outOfUse(told);
    log.error(
      { err: told, hint: failure.hint },
      "the market's database is out of use: the market goes on without history",
    );
  }

  async function openNow(): Promise<Storage> {
    try {
      const storage = await openStorage({
        ...{ url: `file:${path}`, tables, migrations, clock, random, log },
        durability: "batched",
        onFatal: fail,
      });
      for (const agent of storage.agents) if (agent.name === "write-trial") agent.start();
      opened = storage;
      return storage;
    } catch (error) {
      opening = null;
      const told = asBsoptError(error);
      if (told instanceof BsoptError && told.reason === "unavailable")
        refusal = { error: told, untilMilliseconds: clock.monotonicMilliseconds() + retryMilliseconds };
      else fail(told);
      throw told;
    }
  }

  async function moveLog(): Promise<void> {
    try {
      const { isMoved } = await longWork.run({ kind: "move-log", path });
      if (isMoved) movedCount += 1;
    } catch (error) {
      log.warn({ err: error }, "the log of the market's database could not be moved into it; it is tried again");
    }
  }

  return {
    path,
    exists: () => existsSync(path),
    async open() {
      if (failure !== null) throw failure;
      if (isClosed) throw storageClosed();
      if (refusal !== null && clock.monotonicMilliseconds() < refusal.untilMilliseconds) throw refusal.error;
      refusal = null;
      opening ??= openNow();
      return opening;
    },
    get opened() {
      return opened;
    },
    get failure() {
      return failure;
    },
    written() {
      if (moving !== null || opened === null || isClosed || opened.statistics().walBytes < logBytesMax) return;
      if (clock.monotonicMilliseconds() - triedAtMilliseconds < retryMilliseconds) return;
      triedAtMilliseconds = clock.monotonicMilliseconds();
      moving = moveLog().finally(() => {
        moving = null;
      });
    },
    get movedCount() {
      return movedCount;
    },
    async close() {
      isClosed = true;
      await moving;
      const storage = await opening?.catch(() => null);
      await storage?.close();
    },
  };
}

function outOfUse(cause: unknown): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "MARKET_DATABASE_OUT_OF_USE",
    detail: "The market's database cannot be used.",
    hint: "The log says why. Restart the process once that is mended.",
    cause,
  });
}
