// What a server does for its data beside serving: scheduled backups, the check after an unclean stop, the threads they run in.

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ManualClock } from "../../../src/foundation/clock";
import { silentLog } from "../../../src/foundation/log";
import { seededRandom } from "../../../src/foundation/random";
import { finishedBackups } from "../../../src/storage/backup";
import { folderPlace } from "../../../src/storage/backup-place";
import { createBackupSchedule, isDue } from "../../../src/storage/backup-schedule";
import { startIntegrityCheck } from "../../../src/storage/integrity-check";
import { parseDatabaseUrl } from "../../../src/storage/location";
import { createLongWork, type LongAnswer, type LongWork } from "../../../src/storage/long-work";
import { serveLongWork, type ThreadScope } from "../../../src/storage/long-worker";
import { openSafety } from "../../../src/storage/safety";
import { addItems, entrance, testLongWork } from "../../harness/backup";
import { openTestStorage, recordingLog, StorageChild, temporaryFolder, until } from "../../harness/storage";

const longWork = testLongWork();
const hour = 3_600_000_000n;
const build = { version: "9.9.9", commit: "abc" };

describe("a scheduled backup", () => {
  const now = 1_750_000_000_000_000n;
  const rows: { name: string; newest: bigint | null; due: boolean }[] = [
    { name: "where none was made", newest: null, due: true },
    { name: "right after one", newest: now, due: false },
    { name: "a microsecond early", newest: now - 24n * hour + 1n, due: false },
    { name: "on time", newest: now - 24n * hour, due: true },
    { name: "where the newest is of the future, the clock having been set back", newest: now + 1n, due: true },
  ];
  test.each(rows)("S2.50 $name: is one due?", ({ newest, due }) => expect(isDue(newest, now, 24)).toBe(due));

  test("S2.50 is made when due, the newest few are kept, and nothing of anybody else is removed", async () => {
    const folder = join(temporaryFolder(), "backups");
    const storage = await openTestStorage();
    await addItems(storage, ["one"]);
    const clock = new ManualClock();
    const schedule = createBackupSchedule({
      location: parseDatabaseUrl(storage.url),
      ...{ place: folderPlace(folder), everyHours: 1, keepCount: 2, masterKeyMark: null, build, longWork },
      ...{ clock, random: seededRandom(3n), log: silentLog },
    });
    mkdirSync(join(folder, "scheduled-20200101T000000.000000Z.aabb.unfinished"), { recursive: true });
    mkdirSync(join(folder, "manual-20200101T000000.000000Z.aabb.unfinished"));
    writeFileSync(join(folder, "notes.txt"), "mine");
    afterAll(() => schedule.agent.stop());
    schedule.agent.start();
    const scheduled = () => readdirSync(folder).filter((name) => /^scheduled-.*Z$/.test(name));
    const seen: string[] = [];
    for (let round = 1; round <= 3; round++) {
      await until(`backup ${round} stands`, () => {
        const fresh = scheduled().find((name) => !seen.includes(name));
        if (fresh === undefined) clock.advance(61_000);
        else seen.push(fresh);
        return fresh !== undefined;
      });
      clock.advance(3_600_000);
    }
    await until("the first has gone", () => scheduled().length <= 2);
    expect(scheduled()).not.toContain(seen[0]!);
    expect(schedule.isWell()).toBe(true);
    const { newestMicroseconds, lastBytes, ...counts } = schedule.statistics();
    expect(counts).toMatchObject({ everySeconds: 3600, madeCount: 3, failedCount: 0 });
    expect(lastBytes).toBeGreaterThan(4096);
    expect(newestMicroseconds).toBe((await folderPlace(folder).newest(true))!);
    expect(newestMicroseconds).not.toBeNull();
    // Another server that looks at the folder tells of the same one, which it did not make.
    const other = createBackupSchedule({
      location: parseDatabaseUrl(storage.url),
      ...{ place: folderPlace(folder), everyHours: 1000, keepCount: 2, masterKeyMark: null, build, longWork },
      ...{ clock, random: seededRandom(3n), log: silentLog },
    });
    expect(other.statistics().newestMicroseconds).toBeNull();
    other.agent.start();
    await until("it has looked", () => other.statistics().newestMicroseconds !== null);
    await other.agent.stop();
    expect(other.statistics()).toMatchObject({ newestMicroseconds, lastBytes: 0, madeCount: 0, lastSeconds: 0 });
    expect(readdirSync(folder)).toContain("notes.txt");
    expect(readdirSync(folder)).toContain("manual-20200101T000000.000000Z.aabb.unfinished");
    expect(readdirSync(folder)).not.toContain("scheduled-20200101T000000.000000Z.aabb.unfinished");
    expect(finishedBackups(readdirSync(folder), folder).length).toBe(scheduled().length);
  });

  test("S5.12 backup_every_hours and backup_keep changed meanwhile, the next look goes by them", async () => {
    const folder = join(temporaryFolder(), "backups");
    const storage = await openTestStorage();
    const clock = new ManualClock();
    const backups = { everyHours: 1000, keepCount: 7 };
    const safety = openSafety({
      ...{ storage: { isCheckDue: false }, databaseUrl: storage.url, masterKeyMark: null, build, entrance },
      ...{ clock, random: seededRandom(3n), log: silentLog, backups, backupPlace: () => folderPlace(folder) },
    });
    const [agent] = safety.agents;
    afterAll(async () => {
      safety.close();
      await agent!.stop();
    });
    const scheduled = () =>
      existsSync(folder) ? readdirSync(folder).filter((name) => /^scheduled-.*Z$/.test(name)) : [];
    agent!.start();
    await until("the first stands", () => scheduled().length === 1);
    const [first] = scheduled();
    for (let look = 0; look < 3; look++) {
      clock.advance(3_600_000);
      await Bun.sleep(20);
    }
    expect(scheduled()).toEqual([first!]);
    backups.everyHours = 1;
    backups.keepCount = 1;
    await until("the second stands and the first has gone", () => {
      clock.advance(61_000);
      return scheduled().length === 1 && scheduled()[0] !== first;
    });
  }, 20_000);

  test("S2.50 that fails is logged and degrades readiness, and the loop goes on", async () => {
    const storage = await openTestStorage();
    const folder = join(temporaryFolder(), "file");
    writeFileSync(folder, "");
    const log = recordingLog();
    const clock = new ManualClock();
    const safety = openSafety({
      ...{
        storage,
        databaseUrl: storage.url,
        masterKeyMark: null,
        build,
        entrance,
        clock,
        random: seededRandom(3n),
        log,
      },
      backups: { everyHours: 1, keepCount: 2 },
      backupPlace: () => folderPlace(join(folder, "inside")),
    });
    const [agent] = safety.agents;
    agent!.start();
    await until("the failure is logged", () => log.lines.some(({ level }) => level === "error"));
    expect(safety.probes.map(({ component, isRequired, check }) => [component, isRequired, check()])).toEqual([
      ["backups", false, { status: "degraded", message: "the last backup failed" }],
    ]);
    expect(agent!.state).toBe("running");
    expect(safety.backups!()).toMatchObject({ newestMicroseconds: null, madeCount: 0, failedCount: 1 });
    safety.close();
    await agent!.stop();
  });
});

describe("after an unclean stop", () => {
  /** A database over 8 MiB that a killed process left open. */
  async function killed(): Promise<string> {
    const url = `file:${join(temporaryFolder(), "test.db")}`;
    const storage = await openTestStorage({ url });
    await addItems(
      storage,
      Array.from({ length: 300 }, (_, index) => `${index}-${"x".repeat(40_000)}`),
    );
    await storage.close();
    const child = new StorageChild(["acknowledge", url, "load"]);
    await child.line("ack load-5");
    child.kill("SIGKILL");
    await child.ended();
    return url;
  }

  test("S1.06 a large database is due to be checked, a closed one is not, and the check finds it sound", async () => {
    const url = await killed();
    const log = recordingLog();
    const storage = await openTestStorage({ url, log });
    expect(storage.isCheckDue).toBe(true);
    expect(log.lines.some(({ message }) => message.includes("was not closed"))).toBe(true);
    const clock = new ManualClock();
    const safety = openSafety({
      ...{ storage, databaseUrl: url, masterKeyMark: null, build, entrance, clock, random: seededRandom(3n), log },
      backups: null,
      backupPlace: () => folderPlace(""),
    });
    const probe = safety.probes.find(({ component }) => component === "integrity")!;
    expect(probe.isRequired).toBe(true);
    expect(probe.check()).toEqual({ status: "degraded", message: "being checked" });
    await until("the check has ended", () => probe.check().status !== "degraded");
    expect(probe.check()).toEqual({ status: "ok" });
    safety.close();
    await storage.close();
    expect(statSync(`${url.slice("file:".length)}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0);
    const again = await openTestStorage({ url });
    expect(again.isCheckDue).toBe(false);
  }, 30_000);

  test("S1.06 a check that finds damage says so for good", async () => {
    const path = join(temporaryFolder(), "bad.db");
    const storage = await openTestStorage({ url: `file:${path}` });
    await addItems(storage, ["one"]);
    await storage.close();
    const bytes = readFileSync(path);
    bytes.fill(0xab, 4096, bytes.length);
    const damaged = `${path}.damaged`;
    writeFileSync(damaged, bytes);
    const log = recordingLog();
    const check = startIntegrityCheck({ path: damaged, longWork, log });
    expect(check.state).toBe("running");
    await check.finished;
    expect(check.state).toBe("damaged");
    expect(log.lines.some(({ level, message }) => level === "error" && message.includes("damaged"))).toBe(true);
  });

  test("S1.06 a check that cannot be made is not taken for a sound database", async () => {
    const check = startIntegrityCheck({ path: join(temporaryFolder(), "none.db"), longWork, log: silentLog });
    await check.finished;
    expect(check.state).toBe("unknown");
  });
});

describe("long work", () => {
  const codeOf = (work: Promise<unknown>) => work.then(String, (error) => String(error.code ?? error));

  test("S2.50 keeps its order, bounds what waits, and refuses what comes after its end", async () => {
    const storage = await openTestStorage();
    const own: LongWork = createLongWork(entrance);
    const path = storage.url.slice("file:".length);
    const job = { kind: "inspect", path, depth: "quick" } as const;
    const codes = Array.from({ length: 10 }, () => codeOf(own.run(job)));
    expect(await codes[9]).toBe("LONG_WORK_QUEUE_FULL");
    own.stop();
    expect(new Set(await Promise.all(codes.slice(0, 9)))).toEqual(new Set(["LONG_WORK_STOPPED"]));
    expect(await codeOf(own.run(job))).toBe("LONG_WORK_STOPPED");
  });

  test("S2.50 that is under way at the end is left to itself: the driver would end the process with its thread", async () => {
    const storage = await openTestStorage();
    await addItems(
      storage,
      Array.from({ length: 2000 }, (_, index) => `item-${index}`),
    );
    const own = createLongWork(entrance);
    const to = join(temporaryFolder(), "copy.db");
    const path = storage.url.slice("file:".length);
    const code = codeOf(own.run({ kind: "copy", path, to }));
    await until("the copy has begun", () => existsSync(to));
    own.stop();
    expect(await code).toBe("LONG_WORK_STOPPED");
    await until("the copy is whole", async () => {
      const look = await longWork.run({ kind: "inspect", path: to, depth: "whole" }).catch(() => null);
      return look?.damage.length === 0;
    });
  });

  test("S2.50 in a thread that cannot start fails instead of waiting", async () => {
    const own = createLongWork(join(temporaryFolder(), "missing.ts"));
    const path = join(temporaryFolder(), "x.db");
    expect(await codeOf(own.run({ kind: "inspect", path, depth: "quick" }))).not.toContain("object");
    expect(existsSync(path)).toBe(false);
  });

  test("S2.50 a thread says that it listens, then the outcome, an error with its code", async () => {
    const answers: LongAnswer[] = [];
    const scope: ThreadScope = { onmessage: null, postMessage: (answer) => void answers.push(answer) };
    serveLongWork(scope);
    expect(answers).toEqual([{ isDone: null }]);
    const path = join(temporaryFolder(), "none.db");
    await scope.onmessage!(new MessageEvent("message", { data: { kind: "inspect", path, depth: "quick" } }));
    expect(answers[1]).toMatchObject({ isDone: false, error: { reason: "not-found", code: "DATABASE_MISSING" } });
    const storage = await openTestStorage({ url: `file:${path}` });
    await addItems(storage, ["one"]);
    await scope.onmessage!(new MessageEvent("message", { data: { kind: "inspect", path, depth: "quick" } }));
    expect(answers[2]).toMatchObject({ isDone: true, result: { damage: [] } });
    await scope.onmessage!(new MessageEvent("message", { data: { kind: "copy", path, to: 7 as never } }));
    expect(answers[3]).toMatchObject({ isDone: false });
  });
});
