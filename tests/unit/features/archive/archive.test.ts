// The market's log on a real file: what was known at a moment is what an observer saw then, also after compaction, a restart and a clock that was set back;
// what could not be kept is refused rather than guessed.

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ManualClock } from "../../../../src/foundation/clock";
import { seededRandom } from "../../../../src/foundation/random";
import { bytesOf, type Note, type NoteBook, newBook, noteWords, openTestArchive } from "../../../harness/archive";
import { temporaryFolder, until } from "../../../harness/storage";

const seed = BigInt(process.env.BSOPT_TEST_SEED ?? 20_261_121);
const day = 86_400_000_000;

/** A live book beside its archive, and what it was after each entry. */
function observer(underlying: string) {
  const book = newBook(underlying);
  const seen: { at: bigint; hash: string }[] = [];
  let known = 0n;
  return {
    book,
    enter(entry: Note, now: bigint) {
      noteWords.enter(book, entry);
      const own = entry.at === null ? now : BigInt(entry.at);
      if (own > known) known = own;
      seen.push({ at: known, hash: book.hash });
    },
    /** Its hash after everything that was known at that moment; "" before the first. */
    at: (moment: bigint) => seen.findLast(({ at }) => at <= moment)?.hash ?? "",
    moments: () => seen.map(({ at }) => at),
  };
}

const hashOf = (book: NoteBook | null) => book?.hash ?? "";

describe("S4.36 as_of", () => {
  test(`random sessions of three underlyings (seed ${seed}): any moment's book is the one that was seen then, also merged and reopened`, async () => {
    const random = seededRandom(seed);
    const below = (count: number) => Math.floor(random.unit() * count);
    const clock = new ManualClock(1_700_000_000_000_000n);
    const limits = { flushMilliseconds: 0, checkpointWeight: 150 };
    const first = openTestArchive({ clock, limits });
    const watched = ["SPX", "NDX", "A B"].map((name) => ({ name, ...observer(name) }));
    const bookOf = (name: string) => watched.find((one) => one.name === name)!.book;
    first.archive.checkpointsFrom((name) => bytesOf(bookOf(name)));
    let { archive } = first;
    for (let step = 0; step < 240; step++) {
      clock.advance(below(40) / 10);
      const one = watched[below(3)]!;
      const entries: Note[] = Array.from({ length: 1 + below(6) }, (_, index) => {
        const kind = below(12);
        // Its moment may lie before the last one's, as where the clock was set back; a listing says none.
        const back = kind === 1 ? below(3_000) : 0;
        const at = kind === 0 ? null : Number(clock.nowMicroseconds()) - back;
        return { text: `${kind === 2 ? "dear" : "quote"} ${step}.${index}`, at };
      });
      for (const entry of entries) one.enter(entry, clock.nowMicroseconds());
      archive.append(one.name, entries);
      if (below(5) === 0) await archive.kept();
      if (step === 120) {
        await archive.close();
        // The same file by another process: each book goes on from what is kept.
        const next = openTestArchive({ clock, limits, path: first.path });
        archive = next.archive;
        archive.checkpointsFrom((name) => bytesOf(bookOf(name)));
        for (const { name, book } of watched) expect(await archive.latest(name)).toEqual(book);
      }
    }
    await archive.kept();
    expect(archive.statistics().checkpointCount).toBeGreaterThan(3);
    const ask = async () => {
      for (const { name, at, moments } of watched) {
        const all = moments();
        for (let index = 0; index < 40; index++) {
          const moment = all[below(all.length)]! - BigInt(below(3)) + BigInt(below(3));
          expect(hashOf(await archive.bookAt(name, moment))).toBe(at(moment));
        }
        expect(await archive.bookAt(name, all[0]! - 1n)).toBeNull();
        expect(hashOf(await archive.bookAt(name, clock.nowMicroseconds()))).toBe(at(clock.nowMicroseconds()));
      }
    };
    await ask();
    const blocksBefore = archive.statistics();
    clock.advance(31_000);
    await archive.compact();
    expect(blocksBefore.rebuildCount).toBeGreaterThan(20);
    await archive.close();
    archive = openTestArchive({ clock, limits, path: first.path }).archive;
    await ask();
    expect(await archive.underlyings()).toEqual(expect.arrayContaining(["SPX", "NDX", "A B"]));
  });

  test("nothing that became known later: a listing a second after the last quote is not in the book before it", async () => {
    const clock = new ManualClock();
    const { archive } = openTestArchive({ clock, limits: { flushMilliseconds: 0 } });
    const begun = clock.nowMicroseconds();
    archive.append("SPX", [{ text: "quote", at: Number(begun) }]);
    clock.advance(1_000);
    archive.append("SPX", [{ text: "listing", at: null }]);
    await archive.kept();
    expect((await archive.bookAt("SPX", begun + 999_999n))?.count).toBe(1);
    expect((await archive.bookAt("SPX", begun + 1_000_000n))?.count).toBe(2);
  });

  test("an underlying nobody knows, and a file that is not there, have no book and make no file", async () => {
    const { archive, file } = openTestArchive();
    expect(await archive.bookAt("SPX", 1n)).toBeNull();
    expect(await archive.latest("SPX")).toBeNull();
    expect(await archive.underlyings()).toEqual([]);
    expect(file.exists()).toBe(false);
    archive.append("NDX", [{ text: "quote", at: 5 }]);
    await archive.kept();
    expect(await archive.bookAt("SPX", 9n)).toBeNull();
    expect((await archive.bookAt("NDX", 9n))?.count).toBe(1);
  });

  test("a book that did not go on from what is kept begins anew, and the moments before stay as they were", async () => {
    const clock = new ManualClock();
    const first = openTestArchive({ clock });
    const begun = Number(clock.nowMicroseconds());
    first.archive.append("SPX", [
      { text: "one", at: begun },
      { text: "two", at: begun + 1 },
    ]);
    await first.archive.kept();
    const before = await first.archive.bookAt("SPX", BigInt(begun + 1));
    await first.archive.close();
    const { archive } = openTestArchive({ clock, path: first.path });
    archive.append("SPX", [{ text: "one", at: begun + 10 }]);
    await archive.kept();
    expect(await archive.bookAt("SPX", BigInt(begun + 9))).toEqual(before);
    expect((await archive.bookAt("SPX", BigInt(begun + 10)))?.count).toBe(1);
  });

  test("the same moment is rebuilt once, and again where it may have changed", async () => {
    const { archive } = openTestArchive();
    archive.append("SPX", [
      { text: "one", at: 10 },
      { text: "two", at: 20 },
    ]);
    await archive.kept();
    const [one, same] = await Promise.all([archive.bookAt("SPX", 15n), archive.bookAt("SPX", 15n)]);
    expect(one).toBe(same);
    expect(await archive.bookAt("SPX", 15n)).toBe(one);
    expect((await archive.bookAt("SPX", 20n))?.count).toBe(2);
    archive.append("SPX", [{ text: "of the same moment", at: 20 }]);
    expect((await archive.bookAt("SPX", 20n))?.count).toBe(3);
    expect(archive.statistics().rebuildCount).toBe(3);
  });

  test("past its limit of rebuilds it refuses, and says when to come again", async () => {
    const { archive } = openTestArchive({ limits: { rebuildsMax: 2 } });
    archive.append("SPX", [{ text: "one", at: 10 }]);
    await archive.kept();
    const asked = [10n, 11n, 12n].map((at) => archive.bookAt("SPX", at));
    const ends = await Promise.allSettled(asked);
    expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    await expect(asked[2]!).rejects.toMatchObject({
      code: "HISTORY_BUSY",
      reason: "unavailable",
      retryAfterSeconds: 1,
    });
    expect((await archive.bookAt("SPX", 13n))?.count).toBe(1);
  });
});

describe("S4.38 what a start finds", () => {
  test("latest is the book as it was last kept, and what follows continues its record without a checkpoint of its own", async () => {
    const first = openTestArchive();
    first.archive.append("SPX", [{ text: "one", at: 10 }]);
    await first.archive.kept();
    await first.archive.close();
    const { archive } = openTestArchive({ path: first.path });
    const book = (await archive.latest("SPX"))!;
    expect(book.count).toBe(1);
    archive.append("SPX", [{ text: "two", at: 20 }]);
    await archive.kept();
    noteWords.enter(book, { text: "two", at: 20 });
    expect(await archive.bookAt("SPX", 20n)).toEqual(book);
    expect(archive.statistics().checkpointCount).toBe(0);
    const pieces = await Array.fromAsync(archive.entries("SPX", { sequence: 0 }, 20n));
    // The first number is the empty book's that the record begins with.
    expect(pieces.map(({ firstSequence, at }) => [firstSequence, at])).toEqual([
      [2, 10n],
      [3, 20n],
    ]);
    const later = await Array.fromAsync(archive.entries("SPX", { sequence: 2 }, 20n));
    expect(later.flatMap(({ entries }) => entries)).toEqual([{ text: "two", at: 20 }]);
  });

  test("a clock that was set back between two starts does not put new entries before old ones", async () => {
    const first = openTestArchive();
    first.archive.append("SPX", [{ text: "one", at: 1_000 }]);
    await first.archive.kept();
    await first.archive.close();
    const { archive } = openTestArchive({ path: first.path });
    await archive.latest("SPX");
    archive.append("SPX", [{ text: "two", at: 500 }]);
    await archive.kept();
    expect(await archive.bookAt("SPX", 999n)).toBeNull();
    expect((await archive.bookAt("SPX", 1_000n))?.count).toBe(2);
  });
});

describe("S4.34 a buffer that is full", () => {
  test("entries past it are a gap: counted, refused to who asks for such a moment, ended by a checkpoint", async () => {
    const clock = new ManualClock();
    const { archive } = openTestArchive({ clock, limits: { pendingEntriesMax: 3 } });
    const book = newBook("SPX");
    const enter = (text: string, at: number) => {
      noteWords.enter(book, { text, at });
      archive.append("SPX", [{ text, at }]);
    };
    let isAsked = false;
    archive.checkpointsFrom(() => {
      isAsked = true;
      return bytesOf(book);
    });
    const begun = Number(clock.nowMicroseconds());
    for (let index = 0; index < 5; index++) enter(`quote ${index}`, begun + index);
    expect(archive.state).toBe("behind");
    expect(archive.statistics()).toMatchObject({ droppedCount: 2, pendingCount: 3 });
    await expect(archive.kept()).rejects.toMatchObject({ code: "ARCHIVE_BEHIND", reason: "unavailable" });
    await expect(archive.bookAt("SPX", BigInt(begun + 3))).rejects.toMatchObject({ code: "HISTORY_GAP" });
    expect(isAsked).toBe(false);
    clock.advance(50);
    await until("the gap is over", () => {
      clock.advance(50);
      return archive.state === "well";
    });
    // Others are not kept waiting by a gap that is not theirs.
    enter("later", Number(clock.nowMicroseconds()));
    await archive.kept(["NDX", "SPX"]);
    expect((await archive.bookAt("SPX", BigInt(begun + 2)))?.count).toBe(3);
    await expect(archive.bookAt("SPX", BigInt(begun + 3))).rejects.toMatchObject({ code: "HISTORY_GAP" });
    expect(await archive.bookAt("SPX", clock.nowMicroseconds())).toEqual(book);
    expect(archive.statistics()).toMatchObject({ droppedCount: 2, pendingCount: 0 });
  });
});

describe("S4.36 retention", () => {
  test("moments past the days asked for are refused; the rest answers as before; checkpoints are thinned to one an hour", async () => {
    const clock = new ManualClock(1_700_000_000_000_000n);
    const retention = { quotesDays: 2, checkpointsHours: 24 };
    const { archive, path } = openTestArchive({ clock, retention });
    const one = observer("SPX");
    for (let hour = 0; hour < 24 * 5; hour++) {
      for (let part = 0; part < 3; part++) {
        const at = Number(clock.nowMicroseconds());
        one.enter({ text: `${hour}.${part}`, at }, BigInt(at));
        archive.append("SPX", [{ text: `${hour}.${part}`, at }]);
        archive.saveCheckpoint("SPX", bytesOf(one.book), BigInt(at));
        await archive.kept();
        clock.advance(1_200_000);
      }
    }
    const now = clock.nowMicroseconds();
    const askedAt = Array.from({ length: 47 }, (_, hour) => now - BigInt(hour) * 3_600_000_000n);
    await archive.compact();
    for (const at of askedAt) expect(hashOf(await archive.bookAt("SPX", at))).toBe(one.at(at));
    await expect(archive.bookAt("SPX", now - 3n * BigInt(day))).rejects.toMatchObject({
      code: "HISTORY_NOT_KEPT",
      reason: "not-found",
    });
    const size = archive.statistics().databaseBytes;
    await archive.close();
    const again = openTestArchive({ clock, retention, path });
    await again.archive.latest("SPX");
    await again.archive.compact();
    expect(again.archive.statistics().databaseBytes).toBeLessThanOrEqual(Math.max(size, 4096 * 80));
    for (const at of askedAt.slice(0, 10)) expect(hashOf(await again.archive.bookAt("SPX", at))).toBe(one.at(at));
  });
});

describe("S5.19 a file that cannot be used", () => {
  test("damaged at the start: nothing is kept and said so, nothing throws at who appends, the past is refused with the reason", async () => {
    const path = join(temporaryFolder(), "market.db");
    writeFileSync(path, "this is no database, and as long as its first page must be. ".repeat(100));
    const { archive, log } = openTestArchive({ path });
    archive.append("SPX", [{ text: "one", at: 10 }]);
    await expect(archive.kept()).rejects.toMatchObject({ code: "DATABASE_CORRUPT" });
    expect(archive.state).toBe("off");
    archive.append("SPX", [{ text: "two", at: 20 }]);
    await expect(archive.kept()).rejects.toMatchObject({ code: "DATABASE_CORRUPT" });
    await expect(archive.bookAt("SPX", 20n)).rejects.toMatchObject({ code: "DATABASE_CORRUPT" });
    expect(await archive.underlyings()).toEqual([]);
    expect(archive.statistics()).toMatchObject({ droppedCount: 2, keptCount: 0, pendingCount: 0 });
    expect(log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test("its log's content is moved into the file while entries come, so that it does not grow with them", async () => {
    const { archive, file } = openTestArchive({ logBytesMax: 200_000, limits: { flushMilliseconds: 1 } });
    const text = "x".repeat(5_000);
    await until("the log was moved twice", async () => {
      for (let index = 0; index < 20; index++) archive.append("SPX", [{ text, at: index }]);
      await archive.kept();
      return file.movedCount >= 2;
    });
    expect(archive.statistics().walBytes).toBeLessThan(60_000_000);
    expect(archive.statistics().databaseBytes).toBeGreaterThan(200_000);
  });
});
