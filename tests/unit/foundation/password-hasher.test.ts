// Slow hashes in turns: the parameters, the bound of the queue, who is served when, and that the event loop stays free.

import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../../src/foundation/clock";
import { argon2id, createPasswordHasher, noPasswordHash, type SlowHash } from "../../../src/foundation/password-hasher";

/** A slow hash that a test lets go on, one call at a time. */
function heldHash(): SlowHash & { readonly started: string[]; release(): void; runningCount: number; most: number } {
  const waiting: (() => void)[] = [];
  const held = {
    started: [] as string[],
    runningCount: 0,
    most: 0,
    release: () => waiting.shift()!(),
    async hash(password: string) {
      held.started.push(password);
      held.runningCount += 1;
      held.most = Math.max(held.most, held.runningCount);
      await new Promise<void>((resolve) => waiting.push(resolve));
      held.runningCount -= 1;
      return `hash of ${password}`;
    },
    async verify(password: string, hash: string) {
      return (await held.hash(password)) === hash;
    },
  };
  return held;
}

const turns = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

describe("a password's hash", () => {
  test("S1.01 is argon2id with 19 MiB, 2 passes and one lane, salted, and opens for the password alone", async () => {
    const hasher = createPasswordHasher({ concurrency: 1 });
    const [one, other] = [await hasher.hash("seven-green-boats"), await hasher.hash("seven-green-boats")];
    expect(one).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$");
    expect(one).not.toBe(other);
    expect(await hasher.verify("seven-green-boats", one)).toBe(true);
    expect(await hasher.verify("seven-green-boatz", one)).toBe(false);
    expect(hasher.isDated(one)).toBe(false);
  });

  test.each(["", "garbage", "$argon2id$v=19$m=19456", "$2b$10$abcdefghijklmnopqrstuv"])(
    "that is none (%p) opens for nothing and throws nothing",
    async (hash) => {
      expect(await createPasswordHasher({ concurrency: 1 }).verify("x", hash)).toBe(false);
    },
  );

  test("S1.03 of nobody has the form of everybody's and opens for nothing", async () => {
    const hasher = createPasswordHasher({ concurrency: 1 });
    expect(noPasswordHash.length).toBe((await hasher.hash("x")).length);
    expect(hasher.isDated(noPasswordHash)).toBe(false);
    expect(await hasher.verify("", noPasswordHash)).toBe(false);
  });

  test.each([
    ["less memory", { memoryCost: 8192, timeCost: 2 }],
    ["fewer passes", { memoryCost: 19_456, timeCost: 1 }],
  ])("made with %s counts as dated and still opens", async (_name, parameters) => {
    const hash = await Bun.password.hash("old", { algorithm: "argon2id", ...parameters });
    const hasher = createPasswordHasher({ concurrency: 1 });
    expect(hasher.isDated(hash)).toBe(true);
    expect(await hasher.verify("old", hash)).toBe(true);
  });

  test("S2.12 is computed beside the event loop, which turns meanwhile", async () => {
    let turnCount = 0;
    let isDone = false;
    const hashing = argon2id.hash("x").finally(() => {
      isDone = true;
    });
    while (!isDone) {
      turnCount += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await hashing;
    // Computed on this thread it would be one turn.
    expect(turnCount).toBeGreaterThan(3);
  });
});

describe("the hasher's queue", () => {
  test("runs no more than its concurrency at once, in the order of asking", async () => {
    const slowHash = heldHash();
    const hasher = createPasswordHasher({ concurrency: 2, slowHash });
    const results = Promise.all(["a", "b", "c", "d", "e"].map((password) => hasher.hash(password)));
    for (const started of [2, 3, 4, 5, 5]) {
      await turns();
      expect(slowHash.started.length).toBe(started);
      slowHash.release();
    }
    expect(await results).toEqual(["a", "b", "c", "d", "e"].map((password) => `hash of ${password}`));
    expect(slowHash.started).toEqual(["a", "b", "c", "d", "e"]);
    expect(slowHash.most).toBe(2);
    expect(hasher.loadCount).toBe(0);
  });

  test("S2.12 refuses at once what finds no place, and takes the next when there is one", async () => {
    const slowHash = heldHash();
    const hasher = createPasswordHasher({ concurrency: 1, waitingCountMax: 2, slowHash });
    const taken = [hasher.hash("a"), hasher.verify("b", "hash of b"), hasher.hash("c")];
    await turns();
    expect(hasher.loadCount).toBe(3);
    expect(() => hasher.requireRoom()).toThrow(expect.objectContaining({ code: "PASSWORDS_BUSY" }));
    expect(hasher.hash("d")).rejects.toMatchObject({
      reason: "unavailable",
      code: "PASSWORDS_BUSY",
      retryAfterSeconds: 2,
    });
    slowHash.release();
    await turns();
    hasher.requireRoom();
    const late = hasher.hash("e");
    for (let released = 0; released < 3; released++) {
      await turns();
      slowHash.release();
    }
    expect(await Promise.all(taken)).toEqual(["hash of a", true, "hash of c"]);
    expect(await late).toBe("hash of e");
  });

  test("goes on after a hash that failed", async () => {
    let count = 0;
    const slowHash: SlowHash = {
      hash: async () => {
        count += 1;
        if (count === 1) throw new Error("out of memory");
        return "fine";
      },
      verify: async () => true,
    };
    const hasher = createPasswordHasher({ concurrency: 1, slowHash });
    const [first, second] = [hasher.hash("a"), hasher.hash("b")];
    expect(first).rejects.toThrow("out of memory");
    expect(await second).toBe("fine");
    expect(hasher.loadCount).toBe(0);
  });

  test("S2.12 are worked off at half the pace while more than half of the queue is taken", async () => {
    const slowHash = heldHash();
    const clock = new ManualClock();
    const hasher = createPasswordHasher({ concurrency: 1, waitingCountMax: 4, slowHash, clock });
    const all = ["a", "b", "c", "d", "e"].map((password) => hasher.hash(password));
    await turns();
    clock.advance(27);
    slowHash.release();
    // Whoever waited for it has it at once; the next has to wait as long as it took.
    expect(await all[0]).toBe("hash of a");
    clock.advance(26);
    await turns();
    expect(slowHash.started).toEqual(["a"]);
    expect(hasher.loadCount).toBe(5);
    clock.advance(1);
    await turns();
    expect(slowHash.started).toEqual(["a", "b"]);
    clock.advance(10);
    slowHash.release();
    await turns();
    clock.advance(10);
    await turns();
    expect(slowHash.started).toEqual(["a", "b", "c"]);
    // No more than half: no rest.
    slowHash.release();
    await turns();
    expect(slowHash.started).toEqual(["a", "b", "c", "d"]);
    slowHash.release();
    await turns();
    slowHash.release();
    expect(await Promise.all(all)).toEqual(["a", "b", "c", "d", "e"].map((password) => `hash of ${password}`));
    expect(hasher.loadCount).toBe(0);
  });
});
