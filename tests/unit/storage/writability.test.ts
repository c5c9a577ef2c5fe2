// What storage knows of whether it can keep what is written: refusals of the database, their end, and files that are no longer where
// they were. Real files, a real limit of pages, real deletions.

import { describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { sql } from "drizzle-orm";
import { ManualClock } from "../../../src/foundation/clock";
import { BsoptError } from "../../../src/foundation/errors";
import { parseDatabaseUrl, prepareFiles, requireWritable } from "../../../src/storage/location";
import type { Storage } from "../../../src/storage/storage";
import { createWritability } from "../../../src/storage/writability";
import { items, openTestStorage, recordingLog, temporaryFolder } from "../../harness/storage";

const add = (storage: Storage, id: string) =>
  storage.write((tx) => tx.insert(items).values({ id, batch: "b", part: 0 }));
const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: BsoptError) => error.code,
  );
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const unavailable = (code: string) => new BsoptError({ reason: "unavailable", code, detail: "no", hint: "mend it" });

describe("S5.19 a database that refuses writes", () => {
  test("is known from the refused write on, and known to take them again by a trial, not by a write of nothing", async () => {
    const log = recordingLog();
    const storage = await openTestStorage({ log });
    const trial = storage.agents.find(({ name }) => name === "write-trial")!;
    expect([storage.writesRefusedBy, storage.statistics().isWritable]).toEqual([null, true]);
    await storage.write((tx) => tx.run(sql`PRAGMA max_page_count = 6`));
    const large = () => storage.write((tx) => tx.insert(items).values({ id: "l", batch: "x".repeat(60_000), part: 0 }));
    expect(await codeOf(large())).toBe("DATABASE_FULL");
    expect([storage.writesRefusedBy, storage.statistics().isWritable]).toEqual(["DATABASE_FULL", false]);
    await storage.write(async () => undefined);
    expect(storage.writesRefusedBy).toBe("DATABASE_FULL");
    trial.start();
    while (storage.writesRefusedBy !== null) await turn();
    await trial.stop();
    expect(storage.statistics().isWritable).toBe(true);
    expect(log.lines.filter(({ message }) => message.startsWith("the database takes"))).toEqual([
      {
        level: "warn",
        fields: { code: "DATABASE_FULL", hint: expect.any(String) },
        message: "the database takes no writes",
      },
      { level: "info", fields: {}, message: "the database takes writes again" },
    ]);
  });

  test("is tried once a second, and only while it refuses; a failing trial is no failure of the loop", async () => {
    const clock = new ManualClock(0n);
    let tried = 0;
    let isFull = true;
    const write = async () => {
      tried += 1;
      if (isFull) throw unavailable("DATABASE_FULL");
    };
    const writability = createWritability({ write, clock, log: recordingLog() });
    const { agent } = writability;
    agent.start();
    const second = async () => {
      clock.advance(1000);
      await turn();
    };
    for (let count = 0; count < 3; count++) await second();
    expect(tried).toBe(0);
    writability.refused(unavailable("DATABASE_FULL"));
    for (let count = 0; count < 3; count++) await second();
    expect([tried, agent.state, agent.failureCount, writability.refusedBy]).toEqual([3, "running", 0, "DATABASE_FULL"]);
    isFull = false;
    for (let count = 0; count < 3; count++) await second();
    expect([tried, writability.refusedBy]).toEqual([4, null]);
    await agent.stop();
  });

  test.each([
    ["a write's own refusal", new BsoptError({ reason: "conflict", code: "KEY_COUNT_LIMIT", detail: "no" })],
    ["a constraint", new BsoptError({ reason: "internal", code: "DATABASE_CONSTRAINT", detail: "no" })],
    ["something else that is away", unavailable("MAIL_UNAVAILABLE")],
    ["a defect", new Error("no")],
  ])("is not concluded from %s", (_, error) => {
    const writability = createWritability({ write: async () => 0, clock: new ManualClock(0n), log: recordingLog() });
    writability.refused(error);
    expect(writability.refusedBy).toBeNull();
  });
});

describe("S4.57 a folder that cannot be written", () => {
  test("is told in words, with the folder in the hint and nothing opened", () => {
    const location = parseDatabaseUrl(`file:${join(temporaryFolder(), "none", "a.db")}`);
    expect(() => requireWritable(location)).toThrow(
      expect.objectContaining({ code: "DATA_FOLDER_UNUSABLE", hint: expect.stringContaining(dirname(location.path)) }),
    );
    prepareFiles(location, recordingLog());
    requireWritable(location);
  });
});

describe("S5.19 files that are not where they were opened", () => {
  async function opened() {
    const folder = join(temporaryFolder(), "data");
    mkdirSync(folder);
    const fatal: unknown[] = [];
    const storage = await openTestStorage({
      url: `file:${join(folder, "a.db")}`,
      onFatal: (error) => fatal.push(error),
    });
    await add(storage, "kept");
    return { storage, folder, fatal };
  }

  const losses: [string, (folder: string) => void][] = [
    ["the folder is deleted", (folder) => rmSync(folder, { recursive: true })],
    ["the folder is moved away", (folder) => renameSync(folder, `${folder}-old`)],
    ["only the log is deleted", (folder) => rmSync(join(folder, "a.db-wal"))],
    [
      "another file is put in the database's place",
      (folder) => {
        copyFileSync(join(folder, "a.db"), join(folder, "b.db"));
        renameSync(join(folder, "b.db"), join(folder, "a.db"));
      },
    ],
  ];
  for (const [what, lose] of losses) {
    test(`${what}: the next write is refused, never acknowledged, and storage stops`, async () => {
      const { storage, folder, fatal } = await opened();
      lose(folder);
      expect(await codeOf(add(storage, "lost"))).toBe("DATABASE_GONE");
      expect(fatal).toMatchObject([{ code: "DATABASE_GONE" }]);
      expect(await codeOf(add(storage, "later"))).toBe("DATABASE_FAILED");
    });

    test(`${what}: readiness finds it without a write`, async () => {
      const { storage, folder, fatal } = await opened();
      await storage.ping();
      lose(folder);
      expect(await codeOf(storage.ping())).toBe("DATABASE_GONE");
      expect(fatal).toMatchObject([{ code: "DATABASE_GONE" }]);
      expect(await codeOf(storage.ping())).toBe("DATABASE_FAILED");
    });
  }

  test("another process that opens and closes the database in between changes nothing", async () => {
    const { storage, fatal } = await opened();
    const other = await openTestStorage({ url: storage.url });
    await add(other, "theirs");
    await other.close();
    await add(storage, "ours");
    await storage.ping();
    expect(fatal).toEqual([]);
  });
});
