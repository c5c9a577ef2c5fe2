// The outbox over a real database: what is written with its act, delivered once by whoever is first, tried again with waits, given up
// and blanked; and what two processes, or one that dies, make of it. Time is moved by hand.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { asc } from "drizzle-orm";
import { ManualClock, systemClock } from "../../../src/foundation/clock";
import { BsoptError } from "../../../src/foundation/errors";
import { seededRandom } from "../../../src/foundation/random";
import {
  addMessage,
  attemptsMax,
  batchCountMax,
  createOutbox,
  handlerMillisecondsMax,
  leaseMicroseconds,
  type OutboxHandler,
} from "../../../src/storage/outbox";
import { openStorage } from "../../../src/storage/storage";
import { outboxMessages } from "../../../src/storage/table";
import { recordingLog, temporaryFolder, until } from "../../harness/storage";

async function open(options: { clock?: ManualClock; url?: string } = {}) {
  const clock = options.clock ?? new ManualClock();
  const random = seededRandom(11n);
  const log = recordingLog();
  const url = options.url ?? `file:${join(temporaryFolder(), "test.db")}`;
  // The storage's own waits are real: only messages live by the clock of the test.
  const storage = await openStorage({ url, clock: systemClock, random, log });
  return {
    url,
    clock,
    log,
    storage,
    add: (payload: unknown, topic = "test") =>
      storage.write((tx) => addMessage(tx, { topic, payload, now: clock.nowMicroseconds(), random })),
    sender: (handlers: Record<string, OutboxHandler>, seed = 3n) =>
      createOutbox({ storage, clock, random: seededRandom(seed), log, handlers }),
    rows: () => storage.read.select().from(outboxMessages).orderBy(asc(outboxMessages.id)),
    [Symbol.asyncDispose]: () => storage.close(),
  };
}

const unavailable = () => new BsoptError({ reason: "unavailable", code: "NO_SERVER", detail: "Nobody is there." });

describe("a message whose receiver cannot be reached", () => {
  test("S1.02 waits without an attempt or a write, counted apart, until it can, and others pass by", async () => {
    await using box = await open();
    await box.add({ n: 1 }, "gated");
    await box.add({ n: 2 });
    const seen: unknown[] = [];
    let isOpen = false;
    const outbox = createOutbox({
      ...{ storage: box.storage, clock: box.clock, random: seededRandom(3n), log: box.log },
      handlers: { test: async (payload) => void seen.push(payload), gated: async (payload) => void seen.push(payload) },
      gates: { gated: () => isOpen },
    });
    for (let round = 0; round < 20; round++) {
      await outbox.sendDue();
      box.clock.advance(3_600_000);
    }
    expect(seen).toEqual([{ n: 2 }]);
    expect(await box.rows()).toMatchObject([{ topic: "gated", attempts: 0, leaseOwner: null }]);
    expect(outbox.statistics()).toMatchObject({ pendingCount: 0, gatedCount: 1 });
    isOpen = true;
    await outbox.sendDue();
    expect(seen).toEqual([{ n: 2 }, { n: 1 }]);
    expect(outbox.statistics()).toMatchObject({ pendingCount: 0, gatedCount: 0, givenUpCount: 0 });
  });
});

describe("a message", () => {
  test("S1.02 written with its act is delivered and gone from the file", async () => {
    await using box = await open();
    const id = await box.add({ to: "ada", count: 3 });
    const seen: unknown[] = [];
    const outbox = box.sender({ test: async (payload, { messageId }) => void seen.push([payload, messageId]) });
    await outbox.sendDue();
    expect(seen).toEqual([[{ to: "ada", count: 3 }, id]]);
    expect(await box.rows()).toEqual([]);
    expect(outbox.statistics()).toEqual({
      gatedCount: 0,
      pendingCount: 0,
      sentCount: 1,
      retriedCount: 0,
      givenUpCount: 0,
    });
  });

  test("S1.02 of an act that failed was never written", async () => {
    await using box = await open();
    const act = box.storage.write(async (tx) => {
      await addMessage(tx, { topic: "test", payload: 1, now: 1n, random: seededRandom(1n) });
      throw new Error("the act failed");
    });
    expect(act).rejects.toThrow("the act failed");
    await act.catch(() => undefined);
    expect(await box.rows()).toEqual([]);
  });

  test("of a topic that this process does not know is left for one that does", async () => {
    await using box = await open();
    await box.add("later", "unknown");
    const outbox = box.sender({ test: async () => undefined });
    await outbox.sendDue();
    expect((await box.rows()).map(({ topic, attempts }) => ({ topic, attempts }))).toEqual([
      { topic: "unknown", attempts: 0 },
    ]);
    expect(outbox.statistics().pendingCount).toBe(1);
  });

  test("longer than 64 KiB is refused where it is written", async () => {
    await using box = await open();
    expect(box.add("x".repeat(65_536))).rejects.toMatchObject({ reason: "invalid", code: "MESSAGE_TOO_LONG" });
  });

  test("messages go out in the order of writing, a batch at a time, all in one round", async () => {
    await using box = await open();
    for (let index = 0; index < 2 * batchCountMax + 3; index++) {
      await box.add(index);
      box.clock.advance(1);
    }
    const seen: unknown[] = [];
    let inHand = 0;
    let most = 0;
    const outbox = box.sender({
      test: async (payload) => {
        seen.push(payload);
        inHand += 1;
        most = Math.max(most, inHand);
        await Promise.resolve();
        inHand -= 1;
      },
    });
    await outbox.sendDue();
    const batches = [0, batchCountMax, 2 * batchCountMax].map((from) =>
      (seen as number[]).slice(from, from + batchCountMax).sort((a, b) => a - b),
    );
    expect(batches.flat()).toEqual(Array.from({ length: 2 * batchCountMax + 3 }, (_, index) => index));
    expect(most).toBeLessThanOrEqual(batchCountMax);
  });
});

describe("a message that could not be delivered", () => {
  test("S1.02 is tried again after waits that grow, and given up after the last, its payload blanked", async () => {
    await using box = await open();
    await box.add({ token: "of-nobody-else" });
    let attempts = 0;
    const outbox = box.sender({
      test: async () => {
        attempts += 1;
        throw unavailable();
      },
    });
    const waits: number[] = [];
    for (let attempt = 1; attempt < attemptsMax; attempt++) {
      await outbox.sendDue();
      const [row] = await box.rows();
      expect(row).toMatchObject({ attempts: attempt, lastFault: "NO_SERVER", leaseOwner: null, failedAt: null });
      const wait = Number(row!.dueAt - box.clock.nowMicroseconds()) / 1000;
      waits.push(wait);
      box.clock.advance(wait - 1);
      await outbox.sendDue();
      expect(attempts).toBe(attempt);
      box.clock.advance(1);
    }
    for (const [index, wait] of waits.entries()) {
      const whole = Math.min(2_000 * 2 ** index, 3_600_000);
      expect(wait).toBeGreaterThanOrEqual(whole / 2);
      expect(wait).toBeLessThanOrEqual(whole);
    }
    await outbox.sendDue();
    expect(attempts).toBe(attemptsMax);
    const [row] = await box.rows();
    expect(row).toMatchObject({ payload: "null", failedAt: box.clock.nowMicroseconds(), lastFault: "NO_SERVER" });
    box.clock.advance(24 * 3600 * 1000);
    await outbox.sendDue();
    expect(attempts).toBe(attemptsMax);
    expect(outbox.statistics()).toMatchObject({ pendingCount: 0, retriedCount: attemptsMax - 1, givenUpCount: 1 });
    const lines = box.log.lines.filter(({ message }) => message.includes("message"));
    expect(lines.at(-1)).toMatchObject({ level: "error", fields: { topic: "test", fault: "NO_SERVER" } });
    expect(JSON.stringify(lines)).not.toContain("of-nobody-else");
  });

  test("for good is given up at once", async () => {
    await using box = await open();
    await box.add("x");
    const outbox = box.sender({
      test: async () => {
        throw new BsoptError({ reason: "invalid", code: "MAIL_REFUSED", detail: "No." });
      },
    });
    await outbox.sendDue();
    expect(await box.rows()).toMatchObject([{ attempts: 1, payload: "null", lastFault: "MAIL_REFUSED" }]);
    expect(outbox.statistics().givenUpCount).toBe(1);
  });

  test("does not keep the others of its batch waiting, and its fault shows no words of a foreign error", async () => {
    await using box = await open();
    for (const payload of ["bad", "good"]) await box.add(payload);
    const outbox = box.sender({
      test: async (payload) => {
        if (payload === "bad") throw new Error("ada@example.org: no such user");
      },
    });
    await outbox.sendDue();
    expect(await box.rows()).toMatchObject([{ payload: '"bad"', lastFault: "FAILED" }]);
    expect(JSON.stringify(box.log.lines)).not.toContain("ada@");
  });

  test("because its handler hangs is cut off in time and its signal aborted", async () => {
    await using box = await open();
    await box.add("x");
    const { promise: begun, resolve: onBegun } = Promise.withResolvers<AbortSignal>();
    const outbox = box.sender({
      test: (_payload, { signal }) => {
        onBegun(signal);
        return new Promise(() => undefined);
      },
    });
    const round = outbox.sendDue();
    const signal = await begun;
    box.clock.advance(handlerMillisecondsMax - 1);
    expect(signal.aborted).toBe(false);
    box.clock.advance(1);
    await round;
    expect(signal.aborted).toBe(true);
    expect(await box.rows()).toMatchObject([{ attempts: 1, lastFault: "NOT_DONE_IN_TIME" }]);
  });

  test("because the process stops is free for the next at once, and the attempt does not count", async () => {
    await using box = await open();
    await box.add("x");
    const stop = new AbortController();
    const outbox = box.sender({
      test: (_payload, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(unavailable()));
          stop.abort();
        }),
    });
    await outbox.sendDue(stop.signal);
    expect(await box.rows()).toMatchObject([{ attempts: 0, leaseOwner: null, leasedUntil: null, payload: '"x"' }]);
    const seen: unknown[] = [];
    await box.sender({ test: async (payload) => void seen.push(payload) }, 5n).sendDue();
    expect(seen).toEqual(["x"]);
  });

  test("and was given up is swept after a week", async () => {
    await using box = await open();
    await box.add("x");
    const outbox = box.sender({
      test: async () => {
        throw new BsoptError({ reason: "invalid", code: "MAIL_REFUSED", detail: "No." });
      },
    });
    await outbox.sendDue();
    const sweeper = outbox.agents.find(({ name }) => name === "outbox-sweep")!;
    box.clock.advance(7 * 24 * 3600 * 1000);
    sweeper.start();
    await until("the sweep has looked", () => sweeper.state === "running");
    await sweeper.stop();
    expect(await box.rows()).toHaveLength(1);
    box.clock.advance(1);
    const later = box.sender({}, 5n).agents.find(({ name }) => name === "outbox-sweep")!;
    later.start();
    await until("it is swept", async () => (await box.rows()).length === 0);
    await later.stop();
  });
});

describe("a lease", () => {
  test("S1.02 keeps a message from a second sender while it lasts, and not longer", async () => {
    await using box = await open();
    await box.add("x");
    const { promise: begun, resolve: onBegun } = Promise.withResolvers<void>();
    const seen: string[] = [];
    const first = box.sender({
      test: () => {
        seen.push("first");
        onBegun();
        return new Promise(() => undefined);
      },
    });
    const second = box.sender({ test: async () => void seen.push("second") }, 5n);
    // The first is as good as dead: it never ends, and its own time is not moved here.
    void first.sendDue();
    await begun;
    await second.sendDue();
    expect(seen).toEqual(["first"]);
    const [row] = await box.rows();
    expect(row!.leasedUntil! - box.clock.nowMicroseconds()).toBe(leaseMicroseconds);
    const later = new ManualClock(row!.leasedUntil! - 1n);
    const third = createOutbox({
      storage: box.storage,
      clock: later,
      random: seededRandom(9n),
      log: box.log,
      handlers: { test: async () => void seen.push("third") },
    });
    await third.sendDue();
    expect(seen).toEqual(["first"]);
    later.advance(0.001);
    await third.sendDue();
    expect(seen).toEqual(["first", "third"]);
    expect(await box.rows()).toEqual([]);
  });

  test("that was lost changes nothing that its new owner wrote", async () => {
    await using box = await open();
    await box.add("x");
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
    const { promise: begun, resolve: onBegun } = Promise.withResolvers<void>();
    const slow = box.sender({
      test: async () => {
        onBegun();
        await held;
        throw unavailable();
      },
    });
    const round = slow.sendDue();
    await begun;
    await box.storage.write((tx) => tx.update(outboxMessages).set({ leaseOwner: "another" }));
    letGo();
    await round;
    expect(await box.rows()).toMatchObject([{ leaseOwner: "another", lastFault: null }]);
  });

  test("a message that ended every process that tried it is given up", async () => {
    await using box = await open();
    await box.add("x");
    await box.storage.write((tx) => tx.update(outboxMessages).set({ attempts: attemptsMax }));
    const calls: unknown[] = [];
    await box.sender({ test: async (payload) => void calls.push(payload) }).sendDue();
    expect(calls).toEqual([]);
    expect(await box.rows()).toMatchObject([{ payload: "null", lastFault: "FAILED" }]);
  });
});

describe("several processes", () => {
  const child = (url: string, act: string) => {
    const process_ = Bun.spawn([process.execPath, join(import.meta.dir, "../../harness/outbox-child.ts"), url, act], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const lines: unknown[] = [];
    const reading = (async () => {
      let text = "";
      for await (const bytes of process_.stdout) {
        text += new TextDecoder().decode(bytes);
        const parts = text.split("\n");
        text = parts.pop()!;
        lines.push(...parts.map((line) => JSON.parse(line)));
      }
    })();
    return {
      lines,
      begin: () => {
        process_.stdin.write("go\n");
        process_.stdin.end();
      },
      ready: () => until("the child is ready", () => lines.includes("ready")),
      ended: () => Promise.all([process_.exited, reading]),
    };
  };

  test("S1.02 send each message once between them", async () => {
    const clock = new ManualClock(systemClock.nowMicroseconds());
    await using box = await open({ clock });
    for (let index = 0; index < 60; index++) await box.add(index);
    const children = [child(box.url, "send"), child(box.url, "send")];
    for (const one of children) await one.ready();
    for (const one of children) one.begin();
    for (const one of children) await one.ended();
    const sent = children.flatMap(({ lines }) => lines.filter((line) => line !== "ready")) as number[];
    expect(sent.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, index) => index));
    expect(await box.rows()).toEqual([]);
  }, 30_000);

  test("S1.02 one that dies between sending and deleting: sent again under the same id once its lease is over", async () => {
    const clock = new ManualClock(systemClock.nowMicroseconds());
    await using box = await open({ clock });
    const id = await box.add("once more");
    const dying = child(box.url, "die");
    await dying.ready();
    dying.begin();
    await dying.ended();
    expect(dying.lines).toEqual(["ready", "once more"]);
    const seen: string[] = [];
    const outbox = box.sender({ test: async (payload, { messageId }) => void seen.push(`${payload} ${messageId}`) });
    clock.advance(1000);
    await outbox.sendDue();
    expect(seen).toEqual([]);
    // The other process's lease began by its own clock, which is ahead of this one's by what the test took.
    clock.advance(Number(leaseMicroseconds) / 1000 + 60_000);
    await outbox.sendDue();
    expect(seen).toEqual([`once more ${id}`]);
  }, 30_000);
});
