// What tests of the market's log share: a book so small that what it must say is told by its entries alone, and an archive of such books on a real file.

import { afterAll } from "bun:test";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { BookWords } from "../../src/features/archive/rules";
import { type Archive, type ArchiveOptions, createArchive } from "../../src/features/archive/service";
import { archiveBlocks, archiveCheckpoints, archiveUnderlyings } from "../../src/features/archive/table";
import { type Clock, systemClock } from "../../src/foundation/clock";
import type { Log } from "../../src/foundation/log";
import { seededRandom } from "../../src/foundation/random";
import { type BatchedFile, type BatchedFileOptions, createBatchedFile } from "../../src/storage/batched-file";
import type { LongJob, LongResult } from "../../src/storage/database-copy";
import { runLongJob } from "../../src/storage/database-copy";
import { migrations } from "../../src/storage/market-migrations-manifest";
import { recordingLog, temporaryFolder } from "./storage";

/** An entry that says its time, or, as a listing, none. */
export type Note = { readonly text: string; readonly at: number | null };

/** Remembers how many entries there were and a hash over them in order. */
export interface NoteBook {
  readonly underlying: string;
  count: number;
  hash: string;
}

export const noteWords: BookWords<NoteBook, Note> = {
  encode: (entries) => new TextEncoder().encode(JSON.stringify(entries)),
  decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)) as Note[],
  timeOf: ({ at }) => (at === null ? null : BigInt(at)),
  weightOf: ({ text }) => (text.startsWith("dear") ? 100 : 1),
  begin: (underlying) => bytesOf(newBook(underlying)),
  restore: (_underlying, bytes) => JSON.parse(new TextDecoder().decode(bytes)) as NoteBook,
  enter(book, { text, at }) {
    book.count += 1;
    book.hash = createHash("sha256").update(`${book.hash} ${text} ${at}`).digest("hex").slice(0, 16);
  },
};

export const newBook = (underlying: string): NoteBook => ({ underlying, count: 0, hash: "" });

export const bytesOf = (book: NoteBook) => new TextEncoder().encode(JSON.stringify(book));

export const archiveTables = [archiveUnderlyings, archiveBlocks, archiveCheckpoints];

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
