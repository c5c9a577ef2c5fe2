// A process of its own that writes to the market's log until it is killed: `archive-child.ts PATH` says `open COUNT` with what it found of two underlyings, then
// `ack COUNT` after each of its appends that is kept. Entry n of an underlying is always the same, so whoever counts knows the book.

import { writeSync } from "node:fs";
import { createArchive } from "../../src/features/archive/service";
import { systemClock } from "../../src/foundation/clock";
import { silentLog } from "../../src/foundation/log";
import { systemRandom } from "../../src/foundation/random";
import { createBatchedFile } from "../../src/storage/batched-file";
import { type LongJob, type LongResult, runLongJob } from "../../src/storage/database-copy";
import { migrations } from "../../src/storage/market-migrations-manifest";
import { archiveTables, bytesOf, entryOf, newBook, noteWords } from "./archive-words";

const say = (line: string) => writeSync(1, `${line}\n`);
const [path] = process.argv.slice(2);
if (path === undefined) throw new Error("PATH");
const file = createBatchedFile({
  ...{ path, tables: archiveTables, migrations, clock: systemClock, random: systemRandom, log: silentLog },
  longWork: { run: <J extends LongJob>(job: J) => runLongJob(job) as Promise<LongResult<J>> },
  // Small, so that kills also come while the log is moved.
  logBytesMax: 100_000,
});
const archive = createArchive({
  ...{ file, words: noteWords, clock: systemClock, log: silentLog },
  // Its entries are of 1970.
  retention: { quotesDays: 36_500, checkpointsHours: 876_000 },
  limits: { flushMilliseconds: 5, checkpointWeight: 40 },
});
const names = ["SPX", "NDX"];
const books = new Map(names.map((name) => [name, newBook(name)]));
for (const name of names) {
  const kept = await archive.latest(name);
  if (kept !== null) books.set(name, kept);
}
archive.checkpointsFrom((name) => bytesOf(books.get(name)!));
say(`open ${names.map((name) => books.get(name)!.count).join()}`);
for (let round = 0; ; round++) {
  for (const name of names) {
    const book = books.get(name)!;
    const entries = Array.from({ length: 1 + (round % 7) }, (_, index) => entryOf(book.count + index));
    for (const entry of entries) noteWords.enter(book, entry);
    archive.append(name, entries);
  }
  const counts = names.map((name) => books.get(name)!.count).join();
  await archive.kept();
  say(`ack ${counts}`);
  if (round % 12 === 11) await archive.compact();
}
