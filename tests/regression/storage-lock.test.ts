// The driver's trap: after one SQLITE_BUSY a connection may answer OK to writes it never commits. These tests let
// another process hold the lock and then look, from a third, whether everything acknowledged is there.

import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { asc } from "drizzle-orm";
import { BsoptError } from "../../src/foundation/errors";
import type { Storage } from "../../src/storage/storage";
import { items, openTestStorage, recordingLog, StorageChild, temporaryFolder, until } from "../harness/storage";

const children: StorageChild[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});
function start(...args: string[]): StorageChild {
  const child = new StorageChild(args);
  children.push(child);
  return child;
}

const add = (storage: Storage, id: string, batch = "mine") =>
  storage.write((tx) => tx.insert(items).values({ id, batch, part: 0 }));

async function heldDatabase(limits = {}) {
  const log = recordingLog();
  const storage = await openTestStorage({ url: `file:${join(temporaryFolder(), "held.db")}`, limits, log });
  const holder = start("hold", storage.url);
  await holder.line("held");
  return { storage, holder, log };
}

/** Rows of the batch as a fresh process sees them. */
async function countFromOutside(storage: { url: string }, batch: string): Promise<number> {
  const line = await start("count", storage.url, batch).line("count ");
  return Number(line.slice("count ".length));
}

describe("S2.19 another process holds the write lock", () => {
  for (const ending of ["commit", "rollback"]) {
    test(`the write waits with the event loop alive, and succeeds after the other's ${ending}; nothing acknowledged later is lost`, async () => {
      const { storage, holder } = await heldDatabase({ busyMillisecondsMax: 60_000 });
      let isSettled = false;
      const waiting = add(storage, "waited").then(() => {
        isSettled = true;
      });
      let ticks = 0;
      const ticker = setInterval(() => {
        ticks += 1;
      }, 1);
      await until(
        "the lock was tried ten times and the loop has turned",
        () => storage.statistics().busyCount >= 10 && ticks >= 10,
      );
      clearInterval(ticker);
      expect(isSettled).toBe(false);
      // Reading never waits for a writer.
      expect(await storage.read.select().from(items)).toEqual([]);
      holder.tell(ending);
      await waiting;
      await Promise.all(Array.from({ length: 200 }, (_, index) => add(storage, `after-${index}`)));
      for (let index = 0; index < 20; index++) await add(storage, `alone-${index}`);
      expect(await countFromOutside(storage, "mine")).toBe(221);
      expect(await countFromOutside(storage, "held")).toBe(ending === "commit" ? 1 : 0);
      await holder.ended();
    }, 60_000);
  }

  test("beyond the bound it is refused with DATABASE_BUSY, is not in the file, and later writes are", async () => {
    const { storage, holder, log } = await heldDatabase({ busyMillisecondsMax: 60 });
    const results = await Promise.allSettled([add(storage, "refused-1"), add(storage, "refused-2")]);
    for (const result of results) {
      const error = (result as PromiseRejectedResult).reason as BsoptError;
      expect(error).toBeInstanceOf(BsoptError);
      expect(error).toMatchObject({ reason: "unavailable", code: "DATABASE_BUSY", retryAfterSeconds: 1 });
      expect(error.hint).toContain("another process");
    }
    expect(log.lines.some(({ level, message }) => level === "warn" && message.includes("writes refused"))).toBe(true);
    holder.tell("commit");
    await holder.ended();
    for (let index = 0; index < 50; index++) await add(storage, `after-${index}`);
    expect(await countFromOutside(storage, "mine")).toBe(50);
    const kept = await storage.read.select({ id: items.id }).from(items).orderBy(asc(items.id));
    expect(kept.map(({ id }) => id).filter((id) => id.startsWith("refused"))).toEqual([]);
  }, 60_000);

  test("the queue stays bounded meanwhile", async () => {
    const { storage, holder } = await heldDatabase({ busyMillisecondsMax: 60_000, writesQueuedMax: 5 });
    const queued = Array.from({ length: 5 }, (_, index) => add(storage, `queued-${index}`));
    await expect(add(storage, "too many")).rejects.toMatchObject({ code: "WRITE_QUEUE_FULL" });
    holder.tell("rollback");
    await Promise.all(queued);
    expect(await countFromOutside(storage, "mine")).toBe(5);
  }, 60_000);

  test("the holder dies without a word: its row is not kept, the waiting write goes through", async () => {
    const { storage, holder } = await heldDatabase({ busyMillisecondsMax: 60_000 });
    const waiting = add(storage, "waited");
    await until("the lock was tried", () => storage.statistics().busyCount >= 3);
    holder.kill("SIGKILL");
    await waiting;
    expect(await countFromOutside(storage, "held")).toBe(0);
    expect(await countFromOutside(storage, "mine")).toBe(1);
  }, 60_000);

  test.skipIf(process.platform !== "linux")(
    "waiting leaves no file handle behind, however often the lock is tried",
    async () => {
      const { storage, holder } = await heldDatabase({ busyMillisecondsMax: 60_000 });
      const handles = () => readdirSync("/proc/self/fd").length;
      const waiting = add(storage, "waited");
      await until("the lock was tried", () => storage.statistics().busyCount >= 2);
      const before = handles();
      await until("the lock was tried often", () => storage.statistics().busyCount >= 60);
      expect(handles() - before).toBeLessThanOrEqual(2);
      holder.tell("rollback");
      await waiting;
    },
    60_000,
  );
});
