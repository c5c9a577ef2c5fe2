// What tests of the market's log share: an archive of small books on a real file.

import { afterAll } from "bun:test";
import { join } from "node:path";
import { type Archive, type ArchiveOptions, createArchive } from "../../src/features/archive/service";
import { type Clock, systemClock } from "../../src/foundation/clock";
import type { Log } from "../../src/foundation/log";
import { seededRandom } from "../../src/foundation/random";
import { type BatchedFile, type BatchedFileOptions, createBatchedFile } from "../../src/storage/batched-file";
import type { LongJob, LongResult } from "../../src/storage/database-copy";
import { runLongJob } from "../../src/storage/database-copy";
import { migrations } from "../../src/storage/market-migrations-manifest";
import { archiveTables, type Note, type NoteBook, noteWords } from "./archive-words";
import { recordingLog, temporaryFolder } from "./storage";

export * from "./archive-words";

export interface TestArchive {
  readonly archive: Archive<NoteBook, Note>;
  readonly file: BatchedFile;
  readonly path: string;
  readonly log: ReturnType<typeof recordingLog>;
}

type Changes = Partial<Pick<ArchiveOptions<NoteBook, Note>, "limits" | "retention">> &
  Partial<Pick<BatchedFileOptions, "logBytesMax" | "path">> & { readonly clock?: Clock };

/** An archive on a fresh file (or the given one), closed after this file's tests. */
export function openTestArchive(changes: Changes = {}): TestArchive {
  const { clock = systemClock, logBytesMax } = changes;
  const path = changes.path ?? join(temporaryFolder(), "market.db");
  const log = recordingLog();
  const file = createBatchedFile({
    ...{ path, tables: archiveTables, migrations, clock, random: seededRandom(7n), log: log as Log },
    longWork: { run: <J extends LongJob>(job: J) => runLongJob(job) as Promise<LongResult<J>> },
    ...(logBytesMax !== undefined && { logBytesMax }),
  });
  const { limits = {}, retention = { quotesDays: 30, checkpointsHours: 24 } } = changes;
  const archive = createArchive({ file, words: noteWords, retention, clock, log, limits });
  afterAll(() => archive.close());
  return { archive, file, path, log };
}
