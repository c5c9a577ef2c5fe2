// Who leads: one at a time, over a lock of the system's where the database is a file and over a row where it is on a server, with a number that
// only rises. Both over real libSQL; the row's time is a test's own.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ManualClock, systemClock } from "../../../src/foundation/clock";
import { seededRandom } from "../../../src/foundation/random";
import { createLeadership, type Leadership, type LeadershipOptions } from "../../../src/storage/leadership";
import { migrations } from "../../../src/storage/migrations-manifest";
import type { Storage } from "../../../src/storage/storage";
import { openTestStorage, recordingLog, temporaryFolder, until } from "../../harness/storage";

const opening = { migrations, tables: undefined as never };
const random = seededRandom(3n);
const storageAt = (url?: string) => openTestStorage({ ...opening, ...(url !== undefined && { url }) });

describe("S4.35 who leads on a database in a file", () => {
  async function two(): Promise<{ url: string; leads: Leadership[]; storages: Storage[] }> {
    const url = `file:${join(temporaryFolder(), "bsopt.db")}`;
    const storages = [await storageAt(url), await storageAt(url)];
    const leads = storages.map((storage, index) =>
      createLeadership({
        ...{ storage, databaseUrl: url, name: "market", self: `process ${index}`, random, log: recordingLog() },
        clock: systemClock,
        roundMilliseconds: 5,
      }),
    );
    return { url, leads, storages };
  }

  test("is the first that asks, at once, and one only, whose name the other sees", async () => {
    const { url, leads } = await two();
    const [one, other] = leads as [Leadership, Leadership];
    expect([one.isLeader, one.fence]).toEqual([false, 0]);
    await one.open();
    await other.open();
    expect([one.isLeader, one.fence, one.leader]).toEqual([true, 1, "process 0"]);
    expect([other.isLeader, other.fence, other.leader]).toEqual([false, 0, "process 0"]);
    await one.open();
    expect(one.fence).toBe(1);
    expect(existsSync(`${url.slice("file:".length)}-market.lock`)).toBe(true);
    for (const lead of leads) await lead.close();
  });

  test("is settled for whoever asks while a round is under way: a process does not keep itself out", async () => {
    const { leads } = await two();
    const one = leads[0]!;
    await Promise.all([one.open(), one.open(), one.open()]);
    expect([one.isLeader, one.fence]).toEqual([true, 1]);
    await one.close();
  });

  test("is the other as soon as it stops, with a higher number, and both are told", async () => {
    const { leads } = await two();
    const [one, other] = leads as [Leadership, Leadership];
    const told: string[] = [];
    one.onChange((isLeader) => told.push(`one ${isLeader}`));
    other.onChange((isLeader) => told.push(`other ${isLeader} ${other.fence}`));
    await one.open();
    other.agent.start();
    await one.close();
    await until("the other leads", () => other.isLeader);
    expect(told).toEqual(["one true", "one false", "other true 2"]);
    await one.open();
    expect(one.isLeader).toBe(false);
    await other.agent.stop();
    await other.close();
  });

  test("is not who cannot write its number, and nobody is kept out by it", async () => {
    const { leads, storages, url } = await two();
    const broken = createLeadership({
      storage: {
        read: storages[0]!.read,
        write: async () => {
          throw new Error("the disk is full");
        },
      },
      ...{ databaseUrl: url, name: "market", self: "broken", clock: systemClock, random, log: recordingLog() },
    });
    await broken.open();
    expect(broken.isLeader).toBe(false);
    await leads[1]!.open();
    expect(leads[1]!.isLeader).toBe(true);
    await leads[1]!.close();
    await broken.close();
  });

  test("kept in the database, the number goes on rising after all have stopped", async () => {
    const { leads } = await two();
    for (const fence of [1, 2, 3]) {
      const lead = leads[fence % 2]!;
      if (fence === 3) break;
      await lead.open();
      expect(lead.fence).toBe(fence);
      await lead.close();
    }
  });
});

describe("S4.35 who leads on a database on a server", () => {
  async function onRow(count: number, changes: Partial<LeadershipOptions> = {}) {
    const storage = await storageAt();
    const clocks = Array.from({ length: count }, (_, index) => new ManualClock(1_000_000n * BigInt(index * 77 + 1)));
    const leads = clocks.map((clock, index) =>
      createLeadership({
        ...{ storage, databaseUrl: "https://database.example", name: "market", self: `process ${index}`, random },
        ...{ clock, log: recordingLog(), ...changes },
      }),
    );
    const pass = (milliseconds: number) => {
      for (const clock of clocks) clock.advance(milliseconds);
    };
    return { storage, leads, clocks, pass };
  }

  test("is the first that asks; the others find it alive as long as it renews, however long", async () => {
    const { leads, pass } = await onRow(3);
    for (let round = 0; round < 30; round++) {
      for (const lead of leads) await lead.open();
      expect(leads.map(({ isLeader }) => isLeader)).toEqual([true, false, false]);
      pass(1_000);
    }
    expect(leads[0]!.fence).toBe(1);
  });

  test("is one other, with the next number, when it has given no sign of life for six seconds by the taker's clock, not before", async () => {
    const { leads, pass } = await onRow(3);
    const [one, two, three] = leads as [Leadership, Leadership, Leadership];
    await one.open();
    await two.open();
    await three.open();
    pass(5_999);
    await two.open();
    expect(two.isLeader).toBe(false);
    pass(1);
    await Promise.all([two.open(), three.open()]);
    expect([two.isLeader, three.isLeader].filter(Boolean).length).toBe(1);
    expect(two.fence + three.fence).toBe(2);
    // It was frozen and goes on: with its next round it knows.
    expect(one.isLeader).toBe(true);
    await one.open();
    expect([one.isLeader, one.fence]).toEqual([false, 0]);
    await one.open();
    expect(one.isLeader).toBe(false);
  });

  test("steps back by itself before anybody may take over, where the database takes no sign of life", async () => {
    const { storage, leads, pass } = await onRow(1);
    let isRefused = false;
    const { leads: refusing, pass: passRefusing } = await onRow(1, {
      storage: {
        read: storage.read,
        write: (work) => (isRefused ? Promise.reject(new Error("no quorum")) : storage.write(work)),
      },
    });
    const lead = refusing[0]!;
    await lead.open();
    expect(lead.isLeader).toBe(true);
    isRefused = true;
    passRefusing(4_000);
    await lead.open();
    expect(lead.isLeader).toBe(true);
    passRefusing(499);
    await lead.open();
    expect(lead.isLeader).toBe(true);
    passRefusing(1);
    await lead.open();
    expect(lead.isLeader).toBe(false);
    pass(0);
    await leads[0]!.open();
    expect(leads[0]!.isLeader).toBe(false);
  });

  test("steps back in time also where the database does not answer at all", async () => {
    const storage = await storageAt();
    const clock = new ManualClock();
    let isSilent = false;
    const lead = createLeadership({
      storage: { read: storage.read, write: (work) => (isSilent ? new Promise(() => undefined) : storage.write(work)) },
      ...{ databaseUrl: "https://database.example", name: "market", self: "one", clock, random, log: recordingLog() },
    });
    await lead.open();
    isSilent = true;
    clock.advance(1_000);
    const round = lead.open();
    clock.advance(3_499);
    await systemClock.sleep(5);
    expect(lead.isLeader).toBe(true);
    clock.advance(1);
    await round;
    expect(lead.isLeader).toBe(false);
  });

  test("is another at once where it stopped in order", async () => {
    const { leads } = await onRow(2);
    await leads[0]!.open();
    await leads[1]!.open();
    await leads[0]!.close();
    await leads[1]!.open();
    expect([leads[0]!.isLeader, leads[1]!.isLeader, leads[1]!.fence]).toEqual([false, true, 2]);
  });

  test("of many that ask at once is one", async () => {
    const { leads } = await onRow(12);
    await Promise.all(leads.map((lead) => lead.open()));
    expect(leads.filter(({ isLeader }) => isLeader).length).toBe(1);
    expect(Math.max(...leads.map(({ fence }) => fence))).toBe(1);
  });

  test("different subjects have different leaders", async () => {
    const { storage } = await onRow(0);
    const lead = (name: string, self: string) =>
      createLeadership({
        ...{ storage, databaseUrl: "https://database.example", name, self, clock: systemClock, random },
        log: recordingLog(),
      });
    const [market, other] = [lead("market", "a"), lead("other", "b")];
    await market.open();
    await other.open();
    expect([market.isLeader, other.isLeader]).toEqual([true, true]);
  });
});
