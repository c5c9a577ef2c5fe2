// What as_of answers from the archive is what a live observer saw published then: the same state, to the bit, and the same chain. Real books on a real file,
// by seed: random sessions with listings, refits and valuations, checkpoints in between, merging and a restart.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { bookWords } from "../../src/app/market-archive";
import { everyMarketTable } from "../../src/app/tables";
import { UnderlyingBook } from "../../src/book/book";
import { defaultBookSettings } from "../../src/book/entries";
import { chainJson } from "../../src/book/view";
import { latest } from "../../src/features/archive/rules";
import { createArchive } from "../../src/features/archive/service";
import { ManualClock } from "../../src/foundation/clock";
import { seededRandom } from "../../src/foundation/random";
import { createBatchedFile } from "../../src/storage/batched-file";
import { type LongJob, type LongResult, runLongJob } from "../../src/storage/database-copy";
import { migrations } from "../../src/storage/market-migrations-manifest";
import { bookEngine, randomSession, sessionStart } from "../harness/book";
import { recordingLog, temporaryFolder } from "../harness/storage";

const seed = Number(process.env.BSOPT_TEST_SEED ?? 4_711);
const settings = { ...defaultBookSettings, staleMicroseconds: 20_000_000 };

describe("S4.36 as_of equals what was published then", () => {
  test.each([0, 1, 2, 3])(
    `session ${seed} + %d`,
    async (offset) => {
      const random = seededRandom(BigInt(seed + offset));
      const below = (count: number) => Math.floor(random.unit() * count);
      const clock = new ManualClock(sessionStart);
      const path = join(temporaryFolder(), "market.db");
      const log = recordingLog();
      const open = () => {
        const longWork = { run: <J extends LongJob>(job: J) => runLongJob(job) as Promise<LongResult<J>> };
        const file = createBatchedFile({ path, tables: everyMarketTable, migrations, clock, random, log, longWork });
        return createArchive({
          ...{ file, words: bookWords(bookEngine(), settings), clock, log },
          retention: { quotesDays: 30, checkpointsHours: 24 },
          limits: { flushMilliseconds: 0, checkpointWeight: 1_000 },
        });
      };
      let archive = open();
      let book = new UnderlyingBook({ underlying: "XSP", engine: bookEngine(), settings });
      archive.checkpointsFrom(() => book.checkpoint());
      const seen: { at: bigint; hash: string; chain: string }[] = [];
      const entries = randomSession(seed + offset, 160);
      for (const [index, entry] of entries.entries()) {
        const at = "at" in entry ? entry.at : entry.kind === "quote" ? entry.receivedAt : null;
        const ahead = at === null ? 0 : Number(at - clock.nowMicroseconds()) / 1000;
        if (ahead > 0) clock.advance(ahead);
        book.enter(entry);
        archive.append("XSP", [entry]);
        seen.push({
          at: latest(at ?? clock.nowMicroseconds(), seen.at(-1)?.at ?? 0n),
          hash: book.stateHash(),
          chain: chainJson(book, { kind: "all" }),
        });
        if (below(4) === 0) await archive.kept();
        if (index === 80) {
          await archive.close();
          archive = open();
          book = (await archive.latest("XSP"))!;
          archive.checkpointsFrom(() => book.checkpoint());
          expect(book.stateHash()).toBe(seen.at(-1)!.hash);
        }
      }
      const ask = async () => {
        for (let count = 0; count < 25; count++) {
          const { at } = seen[below(seen.length)]!;
          const moment = at + BigInt(below(2_000));
          const then = seen.findLast((one) => one.at <= moment)!;
          const past = (await archive.bookAt("XSP", moment))!;
          expect(past.stateHash()).toBe(then.hash);
          expect(chainJson(past, { kind: "all" })).toBe(then.chain);
        }
      };
      await ask();
      clock.advance(60_000);
      await archive.compact();
      expect(archive.statistics().checkpointCount).toBeGreaterThan(1);
      await archive.close();
      archive = open();
      await ask();
      await archive.close();
    },
    60_000,
  );
});
